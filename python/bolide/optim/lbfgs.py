"""L-BFGS with an optional strong-Wolfe line search.

Map: line search (cubic interpolation, bracketing, zoom) | LBFGS.
"""

import bolide

from .optimizer import Optimizer, _check_lr, _get_value, _set_grad_enabled, _without_grad

__all__ = ["LBFGS"]


def _cubic_minimum(x1, f1, g1, x2, f2, g2, bounds=None):
    """Where the cubic through two points with slopes is least, kept within ``bounds`` (by default between the points)."""
    low, high = bounds if bounds is not None else (min(x1, x2), max(x1, x2))
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    square = d1**2 - g1 * g2
    if square < 0:
        return (low + high) / 2.0
    d2 = square**0.5
    if x1 <= x2:
        best = x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2))
    else:
        best = x1 - (x1 - x2) * ((g1 + d2 - d1) / (g1 - g2 + 2 * d2))
    return min(max(best, low), high)


class _Point:
    """One trial step: its length, loss, gradient and slope along the direction."""

    __slots__ = ("t", "loss", "grad", "slope")

    def __init__(self, t, loss, grad, slope):
        self.t, self.loss, self.grad, self.slope = t, loss, grad, slope


def _strong_wolfe(evaluate, t, d, start, c1=1e-4, c2=0.9, tolerance=1e-9, max_tries=25):
    """(point, evaluations): a step along ``d`` that meets the strong Wolfe conditions, or the best one tried.

    evaluate(t) gives (loss, flat gradient); ``start`` is the point of length 0.
    """
    scale = d.abs().max()

    def trial(t):
        loss, grad = evaluate(t)
        return _Point(t, loss, grad.clone(memory_format=bolide.contiguous_format), grad.dot(d))

    point, calls = trial(t), 1
    bracket, done, tries, before = None, False, 0, start
    while tries < max_tries:
        if point.loss > start.loss + c1 * point.t * start.slope or (tries > 1 and point.loss >= before.loss):
            bracket = [before, point]
            break
        if abs(point.slope) <= -c2 * start.slope:
            bracket, done = [point], True
            break
        if point.slope >= 0:
            bracket = [before, point]
            break
        least, most = point.t + 0.01 * (point.t - before.t), point.t * 10
        t = _cubic_minimum(before.t, before.loss, before.slope, point.t, point.loss, point.slope, (least, most))
        before, point = point, trial(t)
        calls, tries = calls + 1, tries + 1
    if tries == max_tries:
        bracket = [start, point]
    low, used = _zoom(trial, bracket, done, tries, start, scale, c1, c2, tolerance, max_tries)
    return low, calls + used


def _zoom(trial, bracket, done, tries, start, scale, c1, c2, tolerance, max_tries):
    """Shrinks a bracket around a point that meets the conditions; returns (best point, evaluations)."""
    stalled, calls = False, 0
    low, high = (0, 1) if bracket[0].loss <= bracket[-1].loss else (1, 0)
    while not done and tries < max_tries:
        a, b = bracket
        if abs(b.t - a.t) * scale < tolerance:
            break
        t = _cubic_minimum(a.t, a.loss, a.slope, b.t, b.loss, b.slope)
        lo, hi = min(a.t, b.t), max(a.t, b.t)
        margin = 0.1 * (hi - lo)
        if min(hi - t, t - lo) < margin:  # too near an end: step inwards, at once if it happens again
            if stalled or t >= hi or t <= lo:
                t = hi - margin if abs(t - hi) < abs(t - lo) else lo + margin
                stalled = False
            else:
                stalled = True
        else:
            stalled = False
        point = trial(t)
        calls, tries = calls + 1, tries + 1
        if point.loss > start.loss + c1 * t * start.slope or point.loss >= bracket[low].loss:
            bracket[high] = point
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
        else:
            if abs(point.slope) <= -c2 * start.slope:
                done = True
            elif point.slope * (bracket[high].t - bracket[low].t) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = point
    return bracket[low] if len(bracket) > 1 else bracket[0], calls


class LBFGS(Optimizer):
    """Quasi-Newton steps from the last ``history_size`` changes of weights and gradients.

    ``step(closure)`` needs a closure that clears the gradients, computes the loss, calls backward and returns the loss; it
    is called several times a step. One parameter group only. ``line_search_fn``: None or ``"strong_wolfe"``.
    State, under the first parameter: ``func_evals, n_iter, d, t, old_dirs, old_stps, ro, H_diag, prev_flat_grad,
    prev_loss, al``.
    """

    def __init__(self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7, tolerance_change=1e-9, history_size=100,
                 line_search_fn=None):
        _check_lr(lr)
        if max_eval is None:
            max_eval = max_iter * 5 // 4
        super().__init__(params, {"lr": lr, "max_iter": max_iter, "max_eval": max_eval, "tolerance_grad": tolerance_grad,
                                  "tolerance_change": tolerance_change, "history_size": history_size,
                                  "line_search_fn": line_search_fn})
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]
        self._numel_cache = None

    def __setstate__(self, state):
        super().__setstate__(state)
        self._params = self.param_groups[0]["params"]

    def _flat_grad(self):
        parts = []
        for p in self._params:
            part = p.new_zeros(p.numel()) if p.grad is None else p.grad.reshape(-1)
            parts.append(bolide.view_as_real(part).reshape(-1) if part.is_complex() else part)
        return bolide.cat(parts, 0)

    def _move(self, t, direction):
        offset = 0
        for p in self._params:
            real = bolide.view_as_real(p) if p.is_complex() else p
            n = real.numel()
            real.add_(direction[offset:offset + n].view_as(real), alpha=t)
            offset += n

    def _try(self, closure, kept, t, direction):
        """Loss and gradient at a step of length t; the weights are put back."""
        self._move(t, direction)
        loss, grad = float(closure()), self._flat_grad()
        for p, value in zip(self._params, kept):
            p.copy_(value)
        return loss, grad

    @_without_grad
    def step(self, closure):
        """Up to ``max_iter`` iterations; returns the loss of the first call of ``closure``."""
        inner = closure

        def closure():
            _set_grad_enabled(True)
            try:
                return inner()
            finally:
                _set_grad_enabled(False)

        group = self.param_groups[0]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first = closure()
        loss, evals = float(first), 1
        state["func_evals"] += 1
        grad = self._flat_grad()
        if grad.abs().max() <= group["tolerance_grad"]:
            return first
        run = _Run(state, group, loss, grad)
        while run.n < group["max_iter"]:
            run.n += 1
            state["n_iter"] += 1
            run.turn()
            if run.slope > -group["tolerance_change"]:
                break
            used = self._advance(closure, run, group)
            evals += used
            state["func_evals"] += used
            if run.finished(evals, group):
                break
        run.keep()
        return first

    def _advance(self, closure, run, group):
        """Moves the weights along the direction; returns how often the closure was called."""
        search = group["line_search_fn"]
        if search is not None:
            if search != "strong_wolfe":
                raise RuntimeError("only 'strong_wolfe' is supported")
            kept = [p.clone(memory_format=bolide.contiguous_format) for p in self._params]
            start = _Point(0, run.loss, run.grad, run.slope)
            best, used = _strong_wolfe(lambda t: self._try(closure, kept, t, run.d), run.t, run.d, start)
            run.loss, run.grad, run.t = best.loss, best.grad, best.t
            self._move(best.t, run.d)
            run.flat = run.grad.abs().max() <= group["tolerance_grad"]
            return used
        self._move(run.t, run.d)
        if run.n == group["max_iter"]:  # the loss there would not be used
            return 0
        run.loss = float(closure())
        run.grad = self._flat_grad()
        run.flat = run.grad.abs().max() <= group["tolerance_grad"]
        return 1


class _Run:
    """The variables of one call of ``LBFGS.step``; kept in the optimizer's state between calls."""

    NAMES = ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")

    def __init__(self, state, group, loss, grad):
        self.state, self.loss, self.grad, self.n, self.flat, self.slope = state, loss, grad, 0, False, None
        self.lr, self.history = _get_value(group["lr"]), group["history_size"]
        for name in self.NAMES:
            setattr(self, name, state.get(name))

    def keep(self):
        self.state.update({name: getattr(self, name) for name in self.NAMES})

    def turn(self):
        """The next direction, and the length to try first."""
        if self.state["n_iter"] == 1:
            self.d = self.grad.neg()
            self.old_dirs, self.old_stps, self.ro, self.H_diag = [], [], [], 1
        else:
            self._remember()
            self._two_loops()
        if self.prev_flat_grad is None:
            self.prev_flat_grad = self.grad.clone(memory_format=bolide.contiguous_format)
        else:
            self.prev_flat_grad.copy_(self.grad)
        self.prev_loss = self.loss
        self.t = min(1.0, 1.0 / self.grad.abs().sum()) * self.lr if self.state["n_iter"] == 1 else self.lr
        self.slope = self.grad.dot(self.d)

    def _remember(self):
        change, step = self.grad.sub(self.prev_flat_grad), self.d.mul(self.t)
        curvature = change.dot(step)
        if curvature > 1e-10:
            if len(self.old_dirs) == self.history:
                for old in (self.old_dirs, self.old_stps, self.ro):
                    old.pop(0)
            self.old_dirs.append(change)
            self.old_stps.append(step)
            self.ro.append(1.0 / curvature)
            self.H_diag = curvature / change.dot(change)

    def _two_loops(self):
        """d = -H grad, H being the inverse Hessian that the remembered changes imply."""
        weights = self.state.setdefault("al", [None] * self.history)
        q = self.grad.neg()
        for i in range(len(self.old_dirs) - 1, -1, -1):
            weights[i] = self.old_stps[i].dot(q) * self.ro[i]
            q.add_(self.old_dirs[i], alpha=-_get_value(weights[i]))
        self.d = q.mul(self.H_diag)
        for i, direction in enumerate(self.old_dirs):
            back = direction.dot(self.d) * self.ro[i]
            self.d.add_(self.old_stps[i], alpha=_get_value(weights[i] - back))

    def finished(self, evals, group):
        """Whether the budget is spent, the gradient is flat, or nothing moves any more."""
        return bool(self.n == group["max_iter"] or evals >= group["max_eval"] or self.flat
                    or self.d.mul(self.t).abs().max() <= group["tolerance_change"]
                    or abs(self.loss - self.prev_loss) < group["tolerance_change"])
