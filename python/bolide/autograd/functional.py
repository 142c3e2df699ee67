"""Jacobians, Hessians and their products with vectors, of functions of tensors.

Map: checking arguments | graphs around the function | strict mode | vjp, jvp | jacobian, hessian | vhp, hvp.
"""

from .. import _C
from .._modes import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

_OUTPUTS = "outputs of the user-provided function"


def _backward(outputs, inputs, cotangents, create_graph=False):
    """The gradients, None where there is none; outputs without history are left out."""
    assert len(outputs) == len(cotangents)
    some = [(o, c) for o, c in zip(outputs, cotangents, strict=True) if o is not None and o.requires_grad]
    if not some:
        return (None,) * len(inputs)
    from . import grad

    return grad(tuple(o for o, _ in some), inputs, tuple(c for _, c in some), allow_unused=True, create_graph=create_graph,
                retain_graph=True)


# ---- checking arguments --------------------------------------------------------------------------


def _as_tuple(value, what, name):
    """(whether it was a tuple, the tuple); only tensors are allowed."""
    is_tuple = isinstance(value, tuple)
    values = value if is_tuple else (value,)
    for i, v in enumerate(values):
        if not isinstance(v, _C.Tensor):
            place = f"value at index {i}" if is_tuple else f"given {what}"
            raise TypeError(f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the {place} has type {type(v)}.")
    return is_tuple, values


def _vector(v, others, name, when_missing):
    """The vector beside ``others``, checked; ones where it may be left out."""
    if v is None:
        if len(others) != 1 or others[0].nelement() != 1:
            raise RuntimeError(f"The vector v can only be None if {when_missing}.")
        return (_C.ones_like(others[0]),)
    is_tuple, v = _as_tuple(v, "v", name)
    v = tuple(t.detach() for t in v)
    if len(v) != len(others):
        if is_tuple and len(others) > 1:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(others)} but got {len(v)}.")
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (t, o) in enumerate(zip(v, others, strict=True)):
        if t.size() != o.size():
            place = f"Entry {i} in v" if len(v) > 1 else "v"
            raise RuntimeError(f"{place} has invalid size: should be {o.size()} but got {t.size()}.")
    return v


# ---- graphs around the function ------------------------------------------------------------------


def _prepare(values, create_graph, need_graph=True):
    """Inputs of their own: connected to the caller's graph, or leaves."""
    if create_graph and need_graph:
        return tuple(v.view_as(v) if v.requires_grad else v.detach().requires_grad_() for v in values)
    return tuple(v.detach().requires_grad_(need_graph) for v in values)


def _finish(values, create_graph):
    """Results without history, unless the caller wants it; nested tuples stay nested."""
    if isinstance(values, tuple):
        return tuple(_finish(v, create_graph) for v in values)
    return values if create_graph else values.detach()


def _unpack(values, is_tuple):
    """A tuple as the caller had it: one level for each flag."""
    if isinstance(is_tuple, tuple):
        values = tuple(_unpack(v, is_tuple[1]) for v in values)
        is_tuple = is_tuple[0]
    return values if is_tuple else values[0]


def _fill(grads, refs, create_graph, strict, missing):
    """Zeros for None, which strict mode forbids with the message ``missing(i)``."""
    result = []
    for i, (g, ref) in enumerate(zip(grads, refs, strict=True)):
        if g is None:
            if strict:
                raise RuntimeError(missing(i))
            g = _C.zeros_like(ref)
        elif strict and create_graph and not g.requires_grad:
            raise RuntimeError(f"{missing(i, True)}")
        result.append(g)
    return tuple(result)


# ---- strict mode ---------------------------------------------------------------------------------

_TWICE = ("This is not allowed in strict mode. You should ensure that your function is twice differentiable and that the jacobian depends on "
          "the inputs (this would be violated by a linear function for example).")


def _check_outputs(outputs, strict):
    for i, o in enumerate(outputs if strict else ()):
        if not o.requires_grad:
            raise RuntimeError(f"Output {i} of the user-provided function does not require gradients. The outputs must be computed in a "
                               "differentiable manner from the input when running in strict mode.")


def _check_jacobian(grads, strict):
    for i, g in enumerate(grads if strict else ()):
        if g is None:
            raise RuntimeError(f"The output of the user-provided function is independent of input {i}. This is not allowed in strict mode.")
        if not g.requires_grad:
            raise RuntimeError(f"While computing the hessian, found that the jacobian of the user-provided function with respect to input {i} is "
                               "independent of the input. " + _TWICE)


def _independent(i, twice=False):
    if twice:
        return (f"The jacobian of the user-provided function is independent of input {i}. This is not allowed in strict mode when "
                "create_graph=True.")
    return f"The output of the user-provided function is independent of input {i}. This is not allowed in strict mode."


def _independent_hessian(i, twice=False):
    if twice:
        return (f"The hessian of the user-provided function is independent of input {i}. This is not allowed in strict mode when "
                "create_graph=True.")
    return f"The hessian of the user-provided function is independent of input {i}. This is not allowed in strict mode."


# ---- products with the Jacobian ------------------------------------------------------------------


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), the vector ``v`` times the Jacobian)."""
    with enable_grad():
        is_tuple, inputs = _as_tuple(inputs, "inputs", "vjp")
        inputs = _prepare(inputs, create_graph)
        out_tuple, outputs = _as_tuple(func(*inputs), _OUTPUTS, "vjp")
        _check_outputs(outputs, strict)
        v = _vector(v, outputs, "vjp", "the user-provided function returns a single Tensor with a single element")
    with _recording(create_graph):
        product = _fill(_backward(outputs, inputs, v, create_graph), inputs, create_graph, strict, _independent)
    return _unpack(_finish(outputs, create_graph), out_tuple), _unpack(_finish(product, create_graph), is_tuple)


def _recording(create_graph):
    from .._modes import set_grad_enabled

    return set_grad_enabled(True if create_graph else _C.is_grad_enabled())


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), the Jacobian times the vector ``v``), by differentiating a backward pass."""
    with enable_grad():
        is_tuple, inputs = _as_tuple(inputs, "inputs", "jvp")
        v = _vector(v, inputs, "jvp", "the input to the user-provided function is a single Tensor with a single element")
        inputs = _prepare(inputs, create_graph)
        out_tuple, outputs = _as_tuple(func(*inputs), _OUTPUTS, "jvp")
        _check_outputs(outputs, strict)
        dummies = tuple(_C.zeros_like(o, requires_grad=True) for o in outputs)
        grads = _backward(outputs, inputs, dummies, create_graph=True)
        if strict:
            for i, g in enumerate(grads):
                if g is None:
                    raise RuntimeError(_independent(i))
        grads = tuple(_C.zeros_like(x) if g is None else g for g, x in zip(grads, inputs, strict=True))
        product = _backward(grads, dummies, v, create_graph)
        product = _fill(product, outputs, create_graph, strict and create_graph, _independent)
    return _unpack(_finish(outputs, create_graph), out_tuple), _unpack(_finish(product, create_graph), out_tuple)


# ---- matrices ------------------------------------------------------------------------------------


def _check_forward_mode(strategy, vectorize):
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs than inputs, '
                             '"forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".')
    if strategy == "forward-mode":
        if vectorize:
            raise NotImplementedError('strategy="forward-mode" needs forward-mode differentiation, which is not built yet')
        raise NotImplementedError("Computing Jacobian using forward-AD or forward-over-reverse Hessian is"
                                  "only implemented for `vectorize=True`.")


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"):
    """The Jacobian of ``func``: for each output and input a tensor of output.shape + input.shape.

    ``vectorize`` is accepted; rows are computed one by one in either case.
    """
    _check_forward_mode(strategy, vectorize)
    if vectorize and strict:
        raise RuntimeError("torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. Please either set "
                           "`strict=False` or `vectorize=False`.")
    with enable_grad():
        is_tuple, inputs = _as_tuple(inputs, "inputs", "jacobian")
        inputs = _prepare(inputs, create_graph)
        out_tuple, outputs = _as_tuple(func(*inputs), _OUTPUTS, "jacobian")
        _check_outputs(outputs, strict)
        result = tuple(_rows(out, i, inputs, create_graph, strict) for i, out in enumerate(outputs))
    return _unpack(_finish(result, create_graph), (out_tuple, is_tuple))


def _rows(out, index, inputs, create_graph, strict):
    """The Jacobian of one output: a matrix for each input."""
    rows = [[] for _ in inputs]
    flat = out.reshape(-1)
    for j in range(out.nelement()):
        grads = _backward((flat[j],), inputs, (None,), create_graph)
        for k, (g, x) in enumerate(zip(grads, inputs, strict=True)):
            if g is None and strict:
                raise RuntimeError(f"Output {index} of the user-provided function is independent of input {k}. This is not allowed in strict mode.")
            if g is not None and strict and create_graph and not g.requires_grad:
                raise RuntimeError(_independent(k, True))
            rows[k].append(_C.zeros_like(x) if g is None else g)
    return tuple(_C.stack(r).view(out.size() + x.size()) if r else x.new_zeros(out.size() + x.size()) for r, x in zip(rows, inputs, strict=True))


def _single(output, name):
    """The one scalar that ``func`` must return for second derivatives."""
    is_tuple, outputs = _as_tuple(output, _OUTPUTS, name)
    if is_tuple:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if outputs[0].nelement() != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {name} should contain a single element")
    return outputs[0].squeeze() if outputs[0].dim() else outputs[0]


def hessian(func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode"):
    """The second derivatives of a function that returns one number."""
    is_tuple, inputs = _as_tuple(inputs, "inputs", "hessian")
    _check_forward_mode(outer_jacobian_strategy, vectorize)

    def gradient(*x):
        out = _single(func(*x), "hessian")
        _check_outputs((out,), strict)
        with enable_grad():
            grads = _backward((out,), x, (None,), create_graph=True)
        _check_jacobian(grads, strict)
        return tuple(_C.zeros_like(t) if g is None else g for g, t in zip(grads, x, strict=True))

    result = jacobian(gradient, inputs, create_graph=create_graph, strict=strict and create_graph, vectorize=vectorize and not strict)
    return _unpack(result, (is_tuple, is_tuple))


# ---- products with the Hessian -------------------------------------------------------------------


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), the vector ``v`` times the Hessian)."""
    with enable_grad():
        is_tuple, inputs = _as_tuple(inputs, "inputs", "vhp")
        v = _vector(v, inputs, "vhp", "the input to the user-provided function is a single Tensor with a single element")
        inputs = _prepare(inputs, create_graph)
        out = _single(func(*inputs), "vhp")
        _check_outputs((out,), strict)
        grads = _backward((out,), inputs, (None,), create_graph=True)
        _check_jacobian(grads, strict)
    with _recording(create_graph):
        product = _backward(grads, inputs, v, create_graph)
        product = _fill(product, inputs, create_graph, strict, _independent_hessian)
    return _finish(out, create_graph), _unpack(_finish(product, create_graph), is_tuple)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), the Hessian times the vector ``v``): as ``vhp``, with one more backward pass."""
    with enable_grad():
        is_tuple, inputs = _as_tuple(inputs, "inputs", "hvp")
        v = _vector(v, inputs, "hvp", "the input to the user-provided function is a single Tensor with a single element")
        inputs = _prepare(inputs, create_graph)
        out = _single(func(*inputs), "hvp")
        _check_outputs((out,), strict)
        grads = _backward((out,), inputs, (None,), create_graph=True)
        _check_jacobian(grads, strict)
        dummies = tuple(_C.zeros_like(x, requires_grad=True) for x in inputs)
        double = _backward(grads, inputs, dummies, create_graph=True)
        if strict:
            for i, g in enumerate(double):
                if g is None:
                    raise RuntimeError(_independent_hessian(i))
    with _recording(create_graph):
        product = _backward(double, dummies, v, create_graph)
        product = _fill(product, inputs, create_graph, strict and create_graph, _independent_hessian)
    return _finish(out, create_graph), _unpack(_finish(product, create_graph), is_tuple)
