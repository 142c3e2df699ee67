"""``_foreach_*``: one call for a list of tensors. Out-of-place forms give a tuple, in-place forms the list.

Map: checks | pointwise with one list | with a second operand | with two more lists | norms and the rest.
"""

import bolide

from . import _C

_ops = _C._ops


# ---- checks --------------------------------------------------------------------------------------------------------


def _check(name, tensors):
    if not isinstance(tensors, (list, tuple)) or not all(isinstance(t, bolide.Tensor) for t in tensors):
        raise TypeError(f"{name}(): argument 'self' (position 1) must be tuple of Tensors, not {type(tensors).__name__}")
    if not tensors:
        raise RuntimeError("Tensor list must have at least one tensor.")


def _is_list(x):
    return isinstance(x, (list, tuple))


def _check_lengths(tensors, *others):
    for other in others:
        if len(other) != len(tensors):
            raise RuntimeError(f"Tensor lists must have the same number of tensors, got {len(tensors)} and {len(other)}")


def _column(name, tensors, other):
    """A second operand for each tensor: of a list of tensors or numbers, or the same one for all."""
    if _is_list(other):
        if other and not isinstance(other[0], bolide.Tensor):
            if len(other) != len(tensors):
                raise RuntimeError("Tensor list must have same number of elements as scalar list.")
        else:
            _check_lengths(tensors, other)
        return other
    if isinstance(other, bolide.Tensor):
        if other.dim() != 0 or other.numel() != 1:
            raise RuntimeError(f"scalar tensor expected to be 0 dim but it has {other.dim()} dimensions and {other.numel()} "
                               "elements.")
    elif not isinstance(other, (bool, int, float, complex)):
        raise TypeError(f"{name}() received an invalid combination of arguments - got ({type(other).__name__})")
    return [other] * len(tensors)


# ---- pointwise with one list ---------------------------------------------------------------------------------------


def _publish(function, name, doc):
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    globals()[name] = function


def _one_list(name):
    op, in_place = getattr(bolide, name), getattr(bolide.Tensor, name + "_", None)

    def each(self):
        _check(f"_foreach_{name}", self)
        return tuple([op(t) for t in self])

    def each_(self):
        _check(f"_foreach_{name}_", self)
        for t in self:
            in_place(t)
        return self

    _publish(each, f"_foreach_{name}", f"``{name}`` of each tensor.")
    _publish(each_, f"_foreach_{name}_", f"``{name}`` of each tensor, in place.")


# ---- with a second operand -----------------------------------------------------------------------------------------


def _two_operands(name, alpha=False):
    op = getattr(bolide, name)
    in_place = getattr(bolide.Tensor, name + "_", None)

    def pairs(full, self, other):
        _check(full, self)
        return zip(self, _column(full, self, other))

    if alpha:

        def each(self, other, *, alpha=1):
            return tuple([op(a, b, alpha=alpha) for a, b in pairs(f"_foreach_{name}", self, other)])

        def each_(self, other, *, alpha=1):
            for a, b in pairs(f"_foreach_{name}_", self, other):
                in_place(a, b, alpha=alpha)
            return self
    else:

        def each(self, other):
            return tuple([op(a, b) for a, b in pairs(f"_foreach_{name}", self, other)])

        def each_(self, other):
            for a, b in pairs(f"_foreach_{name}_", self, other):
                if in_place is not None:
                    in_place(a, b)
                else:
                    a.copy_(op(a, b))
            return self

    what = "with the matching tensor or number of a list, or one number"
    _publish(each, f"_foreach_{name}", f"``{name}`` of each tensor {what}.")
    _publish(each_, f"_foreach_{name}_", f"``{name}`` of each tensor {what}, in place.")


def _extreme(name, tensor_op):
    """clamp_max, clamp_min, maximum, minimum: the second operand may be a number, which the op itself does not take."""

    def apply(a, b):
        return tensor_op(a, b if isinstance(b, bolide.Tensor) else bolide.full_like(a, b))

    def each(self, other):
        _check(f"_foreach_{name}", self)
        return tuple([apply(a, b) for a, b in zip(self, _column(f"_foreach_{name}", self, other))])

    def each_(self, other):
        _check(f"_foreach_{name}_", self)
        for a, b in zip(self, _column(f"_foreach_{name}_", self, other)):
            a.copy_(apply(a, b))
        return self

    _publish(each, f"_foreach_{name}", f"``{name}`` of each tensor and the matching operand.")
    _publish(each_, f"_foreach_{name}_", f"``{name}`` of each tensor and the matching operand, in place.")


def _foreach_pow(self, exponent):
    """Each tensor to the matching power; one number to the power of each tensor."""
    if isinstance(self, (int, float, complex)):
        _check("_foreach_pow", exponent)
        return tuple([bolide.pow(self, e) for e in exponent])
    _check("_foreach_pow", self)
    return tuple([bolide.pow(a, b) for a, b in zip(self, _column("_foreach_pow", self, exponent))])


def _foreach_pow_(self, exponent):
    """Each tensor to the matching power, in place."""
    _check("_foreach_pow_", self)
    for a, b in zip(self, _column("_foreach_pow_", self, exponent)):
        a.pow_(b)
    return self


# ---- with two more lists -------------------------------------------------------------------------------------------


def _values(tensors, value):
    """The factor of each tensor: one number, a list, or a 1-d tensor."""
    if isinstance(value, bolide.Tensor):
        if value.dim() != 1 or value.device.type != "cpu":
            raise RuntimeError(f"Expected packed scalar Tensor to be of dimension 1. Got {value.dim()} instead.")
        value = value.tolist()
    if not _is_list(value):
        return [value] * len(tensors)
    if len(value) != len(tensors):
        raise RuntimeError("Tensor list must have same number of elements as scalar list.")
    return value


def _three_lists(name):
    def triples(full, self, tensor1, tensor2, value):
        _check(full, self)
        _check_lengths(self, tensor1, tensor2)
        return zip(self, tensor1, tensor2, _values(self, value))

    def each(self, tensor1, tensor2, value=1, *, scalars=None):
        op = getattr(bolide, name)
        value = value if scalars is None else scalars
        return tuple([op(a, b, c, value=v) for a, b, c, v in triples(f"_foreach_{name}", self, tensor1, tensor2, value)])

    def each_(self, tensor1, tensor2, value=1, *, scalars=None):
        value = value if scalars is None else scalars
        for a, b, c, v in triples(f"_foreach_{name}_", self, tensor1, tensor2, value):
            getattr(a, name + "_")(b, c, value=v)
        return self

    _publish(each, f"_foreach_{name}", f"``{name}`` of the matching tensors of three lists; value: a number or one for each.")
    _publish(each_, f"_foreach_{name}_", f"``{name}`` of the matching tensors of three lists, in place.")


def _lerp_weights(self, tensors1, weight):
    _check("_foreach_lerp", self)
    _check_lengths(self, tensors1)
    return zip(self, tensors1, _column("_foreach_lerp", self, weight))


def _foreach_lerp(self, tensors1, weight):
    """Each tensor moved towards the matching one by a weight, or by its own of a list."""
    return tuple([bolide.lerp(a, b, w) for a, b, w in _lerp_weights(self, tensors1, weight)])


def _foreach_lerp_(self, tensors1, weight):
    """The same, in place."""
    for a, b, w in _lerp_weights(self, tensors1, weight):
        a.lerp_(b, w)
    return self


# ---- norms and the rest --------------------------------------------------------------------------------------------


def _foreach_norm(self, ord=2, dtype=None):
    """The norm of each tensor, 0-d. One pass over all of them for the 2-norm where no gradient is recorded."""
    _check("_foreach_norm", self)
    if ord == 2 and dtype is None and not (bolide.is_grad_enabled() and any(t.requires_grad for t in self)):
        kinds = {(t.dtype, t.device.type, t.layout) for t in self}
        if len(kinds) == 1 and kinds == {(self[0].dtype, "cpu", bolide.strided)} and self[0].is_floating_point():
            return _ops._sums_of_squares(list(self)).sqrt_().to(self[0].dtype).unbind()
    return tuple([bolide.norm(t, ord, dtype=dtype) for t in self])


def _foreach_powsum(self, ord=2, dtype=None):
    """The sum of the absolute values of each tensor to a power."""
    _check("_foreach_powsum", self)
    return tuple([bolide.sum(bolide.abs(t) ** ord, dtype=dtype) for t in self])


def _foreach_max(self):
    """The largest element of each tensor."""
    _check("_foreach_max", self)
    return tuple([t.max() for t in self])


def _foreach_mm(self, mat2):
    """Matrix products of the matching tensors."""
    _check("_foreach_mm", self)
    _check_lengths(self, mat2)
    return tuple([bolide.mm(a, b) for a, b in zip(self, mat2)])


def _foreach_zero_(self):
    """Fills each tensor with zeros."""
    _check("_foreach_zero_", self)
    for t in self:
        t.zero_()
    return self


def _foreach_copy_(self, src, non_blocking=False):
    """Copies the matching tensor into each."""
    _check("_foreach_copy_", self)
    _check_lengths(self, src)
    for a, b in zip(self, src):
        a.copy_(b, non_blocking)
    return self


def _foreach_clone(self, *, memory_format=bolide.preserve_format):
    """A copy of each tensor."""
    _check("_foreach_clone", self)
    return tuple([t.clone(memory_format=memory_format) for t in self])


_ONE = ("abs acos asin atan ceil cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 neg reciprocal round "
        "rsqrt sigmoid sign sin sinh sqrt tan tanh trunc").split()
_TWO = {"add": True, "sub": True, "mul": False, "div": False}
_THREE = ("addcdiv", "addcmul")
_EXTREMES = {"clamp_max": "minimum", "clamp_min": "maximum", "maximum": "maximum", "minimum": "minimum"}


def __getattr__(name):
    """Makes the functions of the tables when they are first asked for."""
    short = name.removeprefix("_foreach_").removesuffix("_")
    if not name.startswith("_foreach_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if short in _ONE:
        _one_list(short)
    elif short in _TWO:
        _two_operands(short, _TWO[short])
    elif short in _THREE:
        _three_lists(short)
    elif short in _EXTREMES:
        _extreme(short, getattr(bolide, _EXTREMES[short]))
    if name not in globals():
        raise AttributeError(f"module 'bolide' has no attribute {name!r}")
    return globals()[name]
