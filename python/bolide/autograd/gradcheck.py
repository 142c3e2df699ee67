"""Gradients against finite differences: ``gradcheck`` and ``gradgradcheck``.

Map: arguments | the numerical Jacobian | the analytical Jacobian | comparing | further checks | the two checks.
"""

import warnings

from .. import _C
from .function import Function

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A gradient that disagrees with finite differences, or another property that does not hold."""


# ---- arguments -----------------------------------------------------------------------------------


def _as_tuple(x):
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _is_differentiable(x):
    return isinstance(x, _C.Tensor) and (x.is_floating_point() or x.is_complex())


def _wanted(x):
    return _is_differentiable(x) and x.requires_grad


def _check_inputs(inputs):
    if not any(_wanted(x) for x in inputs):
        raise ValueError("gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True.")
    for i, x in enumerate(inputs):
        if not _wanted(x):
            continue
        if x.dtype not in (_C.float64, _C.complex128):
            warnings.warn(f"Input #{i} requires gradient and is not a double precision floating point or complex. This check will likely fail if "
                          "all the inputs are not of double precision floating point or complex. ", stacklevel=3)
        if x._base is not None or x.numel():
            for size, stride in zip(x.shape, x.stride(), strict=True):
                if size > 1 and stride == 0:
                    raise RuntimeError(f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are non-overlapping to "
                                       "be able to compute the numerical gradients correctly. You should call .contiguous on the input before "
                                       "passing it to gradcheck.")
        x.retain_grad()


def _outputs(func, inputs):
    """The outputs that may have gradients. In-place functions get inputs of their own."""
    return tuple(o for o in _as_tuple(func(*inputs)) if isinstance(o, _C.Tensor) and _is_differentiable(o) and o.requires_grad)


# ---- the numerical Jacobian ----------------------------------------------------------------------


def _copy(x):
    """An input of its own, since ``func`` may write to it."""
    if not isinstance(x, _C.Tensor):
        return x
    return x.detach().clone().requires_grad_(x.requires_grad)


def _values(func, inputs, positions):
    """Copies of the chosen outputs, flat."""
    outputs = _as_tuple(func(*[_copy(x) for x in inputs]))
    return [outputs[p].detach().reshape(-1).clone() for p in positions]


def _numerical(func, inputs, which, positions, eps):
    """d output / d input ``which`` for each chosen output: (input elements, output elements)."""
    moved = inputs[which].detach().clone().requires_grad_()
    replaced = [*inputs[:which], moved, *inputs[which + 1:]]
    columns = [[] for _ in positions]
    for place in _places(moved.shape):
        change = _difference(func, replaced, moved, place, positions, eps)
        if moved.is_complex():
            turned = _difference(func, replaced, moved, place, positions, eps * 1j)
            change = [dx + dy * 1j for dx, dy in zip(change, turned, strict=True)]
        for column, c in zip(columns, change, strict=True):
            column.append(c)
    if not moved.numel():
        return [_C.zeros((0, v.numel()), dtype=v.dtype) for v in _values(func, inputs, positions)]
    return [_C.stack(column) for column in columns]


def _places(shape):
    if not shape:
        yield ()
        return
    for i in range(shape[0]):
        for rest in _places(shape[1:]):
            yield (i, *rest)


def _difference(func, inputs, moved, place, positions, step):
    """Central differences of the chosen outputs when one element moves by ``step``."""
    values = moved.detach()
    before = values[place].item()
    values[place] = before + step
    up = _values(func, inputs, positions)
    values[place] = before - step
    down = _values(func, inputs, positions)
    values[place] = before
    return [(a - b) / (2 * abs(step)) for a, b in zip(up, down, strict=True)]


# ---- the analytical Jacobian ---------------------------------------------------------------------


def _grad(output, inputs, cotangent, **kwargs):
    from . import grad

    return grad((output,), inputs, (cotangent,), retain_graph=True, allow_unused=True, **kwargs)


def _analytical(output, inputs, check_dtypes):
    """d output / d input for each input, from backward passes: (input elements, output elements)."""
    columns = [[] for _ in inputs]
    for place in _places(output.shape):
        cotangent = _C.zeros_like(output, memory_format=_C.contiguous_format)
        cotangent[place] = 1
        for column, x, g in zip(columns, inputs, _grad(output, inputs, cotangent), strict=True):
            if g is None:
                g = _C.zeros_like(x)
            if g.shape != x.shape:
                raise GradcheckError("Analytical gradient has incorrect size")
            if check_dtypes and g.dtype != x.dtype:
                raise GradcheckError("Gradient has dtype mismatch")
            column.append(g.detach().reshape(-1))
    return [_C.stack(c, 1) if c else _C.zeros((x.numel(), 0), dtype=x.dtype) for c, x in zip(columns, inputs, strict=True)]


# ---- comparing -----------------------------------------------------------------------------------


def _close(a, b, rtol, atol):
    kind = _C.promote_types(a.dtype, b.dtype)
    a, b = a.to(kind), b.to(kind)
    return bool(((a - b).abs() <= atol + rtol * b.abs()).all())


def _compare_jacobians(func, inputs, wanted, outputs, positions, settings, part=None):
    """Checks every pair of output and input; for complex outputs, their real or imaginary part."""
    prefix = f"While considering the {part} part of complex outputs only, " if part else ""
    numerical = [_numerical(func, inputs, i, positions, settings["eps"]) for i in wanted]
    sources = [inputs[i] for i in wanted]
    for o, output in enumerate(outputs):
        first = _analytical(output, sources, settings["check_grad_dtypes"])
        again = _analytical(output, sources, settings["check_grad_dtypes"])
        for k, (a, b) in enumerate(zip(first, again, strict=True)):
            n = numerical[k][o]
            if not _close(a, n, settings["rtol"], settings["atol"]):
                raise GradcheckError(f"{prefix}Jacobian mismatch for output {o} with respect to input {wanted[k]},\nnumerical:{n}\n"
                                     f"analytical:{a}\n")
            if a.numel() and bool(((a - b).abs() > settings["nondet_tol"]).any()):
                raise GradcheckError(f"{prefix}Backward is not reentrant, i.e., running backward with same input and grad_output multiple times "
                                     "gives different values, although analytical gradient matches numerical gradient."
                                     f"The tolerance for nondeterminism was {settings['nondet_tol']}.")


def _check_backward(func, inputs, wanted, settings):
    outputs = _outputs(func, inputs)
    everything = _as_tuple(func(*inputs))
    positions = [i for i, o in enumerate(everything) if isinstance(o, _C.Tensor) and _is_differentiable(o) and o.requires_grad]
    if not outputs:
        _check_constant(func, inputs, wanted, settings)
        return
    real = [p for p, o in zip(positions, outputs, strict=True) if not o.is_complex()]
    if len(real) == len(positions):
        _compare_jacobians(func, inputs, wanted, outputs, positions, settings)
    else:
        for part in ("imaginary", "real"):
            taken = _part_of(func, part)
            _compare_jacobians(taken, inputs, wanted, _outputs(taken, inputs), positions, settings, part)


def _part_of(func, part):
    """``func`` with its complex outputs replaced by a real part of them."""

    def take(x):
        if not (isinstance(x, _C.Tensor) and x.is_complex()):
            return x
        return _C.view_as_real(x).select(-1, 1 if part == "imaginary" else 0)

    return lambda *args: tuple(take(o) for o in _as_tuple(func(*args)))


def _check_constant(func, inputs, wanted, settings):
    everything = _as_tuple(func(*inputs))
    positions = [i for i, o in enumerate(everything) if isinstance(o, _C.Tensor) and _is_differentiable(o)]
    for i in wanted:
        for n in _numerical(func, inputs, i, positions, settings["eps"]):
            if n.numel() and not _close(n, _C.zeros_like(n), settings["rtol"], settings["atol"]):
                raise GradcheckError("Numerical gradient for function expected to be zero")


# ---- further checks ------------------------------------------------------------------------------


class _LoseGrad(Function):
    """The identity, whose gradient may be lost on the way back."""

    @staticmethod
    def forward(ctx, x, lose):
        ctx.lose = lose
        return x.view_as(x)

    @staticmethod
    def backward(ctx, g):
        return (None if ctx.lose else g), None


def _check_undefined(func, inputs, sources):
    """Gradients that do not arrive, and zero ones, give none or zeros."""
    from . import grad

    def check(missing):
        outputs = _outputs(func, inputs)
        cotangents = [None if i in missing else _C.zeros_like(o) for i, o in enumerate(outputs)]
        shells = [_LoseGrad.apply(o, c is None) for o, c in zip(outputs, cotangents, strict=True)]
        got = grad(shells, sources, [_C.zeros_like(s) for s in shells], retain_graph=True, allow_unused=True)
        for g in got:
            if g is not None and bool((g != 0).any()):
                raise GradcheckError("Expected all input grads to be undefined or zero when all output grads are undefined or zero. Please look at "
                                     '"Notes about undefined output gradients" in "tools/autograd/derivatives.yaml"')

    n = len(_outputs(func, inputs))
    for missing in [set(range(n)), *({i} for i in range(n) if n > 1)]:
        check(missing)


def _check_batched(func, inputs, sources):
    """One batched backward equals single ones."""
    for output in _outputs(func, inputs):
        batch = [_C.empty_like(output).normal_() for _ in range(2)]
        single = [_grad(output, sources, b) for b in batch]
        together = _grad(output, sources, _C.stack(batch), is_grads_batched=True)
        for k, t in enumerate(together):
            want = [s[k] for s in single]
            if t is None and all(w is None for w in want):
                continue
            if not all(_close(t[i], w, 1e-5, 1e-8) for i, w in enumerate(want)):
                raise GradcheckError("gradcheck failed while testing batched gradient computation")


# ---- the two checks ------------------------------------------------------------------------------


def gradcheck(func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0, check_undefined_grad=True,
              check_grad_dtypes=False, check_batched_grad=False, check_batched_forward_grad=False, check_forward_ad=False,
              check_backward_ad=True, fast_mode=False, masked=None):
    """Whether the gradients of ``func`` at ``inputs`` agree with central differences; raises where they do not.

    Every tensor among ``inputs`` that requires grad is checked; double precision is needed. ``fast_mode`` is accepted, the
    full Jacobian is compared in either case.
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_forward_ad or check_batched_forward_grad:
        raise NotImplementedError("gradcheck(check_forward_ad=True) needs forward-mode differentiation, which is not built yet")
    settings = {"eps": eps, "atol": atol, "rtol": rtol, "nondet_tol": nondet_tol, "check_grad_dtypes": check_grad_dtypes}
    inputs = _as_tuple(inputs)
    try:
        _check_inputs(inputs)
        wanted = [i for i, x in enumerate(inputs) if _wanted(x)]
        sources = [inputs[i] for i in wanted]
        _check_backward(func, inputs, wanted, settings)
        if check_batched_grad:
            _check_batched(func, inputs, sources)
        if check_undefined_grad and _outputs(func, inputs):
            _check_undefined(func, inputs, sources)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3, gen_non_contig_grad_outputs=False, raise_exception=True,
                  nondet_tol=0.0, check_undefined_grad=True, check_grad_dtypes=False, check_batched_grad=False, check_fwd_over_rev=False,
                  check_rev_over_rev=True, fast_mode=False, masked=False):
    """``gradcheck`` of the gradients of ``func``, as functions of ``inputs`` and of ``grad_outputs`` (random by default)."""
    from . import grad

    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    inputs = _as_tuple(inputs)
    if grad_outputs is None:
        outputs = _outputs(func, inputs)
        grad_outputs = tuple(_random_like(o, gen_non_contig_grad_outputs) for o in outputs)
    else:
        grad_outputs = _as_tuple(grad_outputs)
    n = len(grad_outputs)

    def gradients(*args):
        args, cotangents = args[:-n] if n else args, args[-n:] if n else ()
        # inputs without history of their own, as leaves would have, but connected to the arguments
        args = tuple(a.view_as(a) if _wanted(a) else a for a in args)
        outputs = _outputs(func, args)
        sources = tuple(a for a in args if _wanted(a))
        return tuple(g for g in grad(outputs, sources, cotangents, create_graph=True, allow_unused=True) if g is not None)

    return gradcheck(gradients, (*inputs, *grad_outputs), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception, nondet_tol=nondet_tol,
                     check_undefined_grad=check_undefined_grad, check_grad_dtypes=check_grad_dtypes, check_batched_grad=check_batched_grad,
                     check_forward_ad=check_fwd_over_rev, check_backward_ad=check_rev_over_rev)


def _random_like(x, non_contiguous):
    y = _C.empty_like(x if x.dtype in (_C.float64, _C.complex128) else x.double()).normal_()
    if non_contiguous and y.dim():
        y = _C.stack([y, y], -1)[..., 0]
    return y.detach().requires_grad_(True)
