"""Adafactor: second moments kept as one row and one column a matrix."""

import bolide

from .optimizer import Optimizer, _check_lr, _get_value, _loss_of, _no_sparse, _without_grad, _zero_step

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Adaptive steps with memory for rows and columns only.

    State of a parameter: ``step``; ``row_var`` (..., n, 1) and ``col_var`` (..., 1, m) for two or more dimensions,
    else ``variance``.
    """

    def __init__(self, params, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0, weight_decay=0.0, *, foreach=None,
                 maximize=False):
        _check_lr(lr, "Learning rate should be >= 0 but is: {}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        super().__init__(params, {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay,
                                  "foreach": foreach, "maximize": maximize})

    def __setstate__(self, state):
        super().__setstate__(state)
        self._fill_groups(foreach=None)

    @_without_grad
    def step(self, closure=None):
        """One update of all parameters that have a gradient; returns the closure's loss, if there is a closure."""
        loss = _loss_of(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(group, p, self.state[p])
        return loss

    @staticmethod
    def _start(param, state):
        grad = param.grad
        state["step"] = _zero_step(param)
        if grad.dim() > 1:
            state["row_var"] = grad.new_zeros([*grad.shape[:-1], 1])
            state["col_var"] = grad.new_zeros([*grad.shape[:-2], 1, grad.shape[-1]])
        else:
            state["variance"] = bolide.zeros_like(grad, memory_format=bolide.preserve_format)

    @classmethod
    def _update(cls, group, param, state):
        _no_sparse("Adafactor", param.grad)
        if param.is_complex():
            raise RuntimeError("Adafactor does not support complex parameters")
        if not state:
            cls._start(param, state)
        lr, (eps1, eps2), size = float(group["lr"]), group["eps"], param.numel()
        grad = -param.grad if group["maximize"] else param.grad
        eps1 = bolide.finfo(param.dtype).eps if eps1 is None else eps1
        state["step"] += 1
        step = _get_value(state["step"])
        weight = step ** group["beta2_decay"]
        rate = max(eps2, param.norm(2).item() / size**0.5) * min(lr, 1 / step**0.5)
        if group["weight_decay"]:
            param.mul_(1 - lr * group["weight_decay"])
        if grad.dim() > 1:
            rows, columns = state["row_var"], state["col_var"]
            rows.lerp_(grad.square().mean(-1, keepdim=True), weight)
            columns.lerp_(grad.square().mean(-2, keepdim=True), weight)
            variance = (rows @ columns).div_(rows.mean(-2, keepdim=True).clamp_(min=eps1))
        else:
            state["variance"].lerp_(grad.square(), weight)
            variance = state["variance"].clone()
        update = variance.clamp_(min=eps1 * eps1).rsqrt_().mul_(grad)
        clip = max(1.0, update.norm(2).item() / (size**0.5 * group["d"]))
        param.add_(update, alpha=-rate / clip)
