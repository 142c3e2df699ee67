"""Functions of the top level that need no op of their own."""

from . import _C
from ._C import Tensor, _ops, default_generator

__all__ = [
    "arange",
    "conj",
    "get_rng_state",
    "initial_seed",
    "is_complex",
    "is_floating_point",
    "is_tensor",
    "manual_seed",
    "meshgrid",
    "nonzero",
    "norm",
    "numel",
    "seed",
    "set_rng_state",
    "split",
    "std",
    "tensor_split",
    "transpose",
    "typename",
    "var",
]


def is_tensor(obj):
    """Whether ``obj`` is a Tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(input):
    """Whether the dtype is a floating-point one."""
    return input.is_floating_point()


def is_complex(input):
    """Whether the dtype is complex."""
    return input.is_complex()


def numel(input):
    """The number of elements."""
    return input.numel()


def typename(obj):
    """The name of an object's type."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = type(obj)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def manual_seed(seed):
    """Seeds the default generator and returns it; ``seed`` is an int in [-2**63, 2**64)."""
    return default_generator.manual_seed(int(seed))


def seed():
    """Seeds the default generator from the operating system; returns the seed."""
    return default_generator.seed()


def initial_seed():
    """The default generator's last seed."""
    return default_generator.initial_seed()


def get_rng_state():
    """The default generator's state: a uint8 tensor of 5056 bytes."""
    return default_generator.get_state()


def set_rng_state(new_state):
    """Restores a state of ``get_rng_state``."""
    default_generator.set_state(new_state)


def arange(*args, **kwargs):
    """arange(end), arange(start, end), arange(start, end, step): numbers from start up to, not including, end."""
    if "start" in kwargs:
        start, end = kwargs.pop("start"), kwargs.pop("end", None)
        if end is None:
            return _ops.arange(start, *args, **kwargs)
        return _ops.arange(start, end, *args, **kwargs)
    return _ops.arange(*args, **kwargs)


def split(tensor, split_size_or_sections, dim=0):
    """Views of consecutive pieces along ``dim``: of one size, or of the sizes given."""
    return _ops.split(tensor, split_size_or_sections, dim)


def tensor_split(input, indices_or_sections, dim=0):
    """Views cut at the given positions, or ``n`` pieces of nearly equal size."""
    n = input.shape[dim]
    if isinstance(indices_or_sections, int):
        k, rest = divmod(n, indices_or_sections)
        cuts = [i * k + min(i, rest) for i in range(1, indices_or_sections)]
    else:
        cuts = [int(i) for i in indices_or_sections]
    edges = [0, *cuts, n]
    return tuple(_ops.slice(input, dim, a, b) for a, b in zip(edges, edges[1:], strict=False))


def transpose(input, dim0, dim1):
    """A view with two dimensions exchanged."""
    return _ops.transpose(input, dim0, dim1)


def nonzero(input, *, out=None, as_tuple=False):
    """Positions of the elements that are not zero: (n, dim) int64, or one tensor a dimension."""
    return _ops.nonzero_numpy(input) if as_tuple else _ops.nonzero(input, out=out)


def conj(input):
    """The complex conjugate."""
    return _ops.conj(input)


def meshgrid(*tensors, indexing="ij"):
    """Coordinates of a grid: one tensor of the full shape for each 1-d input."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    if indexing == "xy" and len(tensors) >= 2:
        a, b, *rest = meshgrid(tensors[1], tensors[0], *tensors[2:])
        swap = [x.transpose(0, 1) for x in (b, a, *rest)]
        return tuple(swap)
    shape = [t.numel() for t in tensors]
    out = []
    for i, t in enumerate(tensors):
        view = [1] * len(tensors)
        view[i] = -1
        out.append(t.reshape(view).expand(shape))
    return tuple(out)


def var(input, dim=None, unbiased=None, *, correction=None, keepdim=False):
    """The variance over ``dim`` (all when None), divided by n - correction (1 by default)."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    dims = (
        list(range(input.dim()))
        if dim is None or dim == () or dim == []
        else [dim]
        if isinstance(dim, int)
        else list(dim)
    )
    n = 1
    for d in dims:
        n *= input.shape[d]
    centred = input - input.mean(dims, True) if dims else input - input
    return (
        (centred * centred.conj()).sum(dims, keepdim) / max(0, n - correction)
        if n - correction > 0
        else ((centred * centred).sum(dims, keepdim) * float("nan"))
    )


def std(input, dim=None, unbiased=None, *, correction=None, keepdim=False):
    """The standard deviation: the root of ``var``."""
    return var(input, dim, unbiased, correction=correction, keepdim=keepdim).sqrt()


def norm(input, p="fro", dim=None, keepdim=False, out=None, dtype=None):
    """The p-norm over ``dim`` (all when None)."""
    x = input if dtype is None else input.to(dtype)
    dims = None if dim is None else [dim] if isinstance(dim, int) else list(dim)
    if p in ("fro", 2, 2.0, None):
        r = (x.abs() ** 2).sum(dims, keepdim).sqrt()
    elif p == float("inf"):
        r = x.abs().amax(dims or [], keepdim)
    elif p == float("-inf"):
        r = x.abs().amin(dims or [], keepdim)
    elif p == 0:
        r = (x != 0).to(x.dtype).sum(dims, keepdim)
    elif p == 1:
        r = x.abs().sum(dims, keepdim)
    else:
        r = (x.abs() ** p).sum(dims, keepdim) ** (1.0 / p)
    return r if out is None else out.copy_(r)
