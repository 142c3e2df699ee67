"""Functions of the top level that need no op of their own."""

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
    "tensor_split",
    "transpose",
    "typename",
    "unique",
    "unique_consecutive",
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


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct values (slices along ``dim``) in order; with the place of each element among them, and their counts."""
    if dim is None:
        values, inverse, counts = _ops._unique2(input, sorted, return_inverse, return_counts)
    else:
        values, inverse, counts = _ops.unique_dim(input, dim, sorted, return_inverse, return_counts)
    return _chosen(values, (return_inverse, inverse), (return_counts, counts))


def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The values (slices along ``dim``) without repetitions of the one before; inverse and counts as in ``unique``."""
    values, inverse, counts = _ops.unique_consecutive(input, return_inverse, return_counts, dim)
    return _chosen(values, (return_inverse, inverse), (return_counts, counts))


def _chosen(values, *more):
    wanted = [result for asked, result in more if asked]
    return (values, *wanted) if wanted else values


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


def norm(input, p="fro", dim=None, keepdim=False, out=None, dtype=None):
    """The p-norm of the elements over ``dim`` (all when None); 'nuc' sums the singular values of matrices."""
    if p == "nuc":
        from . import linalg

        return linalg.matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype, out=out)
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"only valid string values are 'fro' and 'nuc', found {p}")
    order = 2 if p is None or p == "fro" else p
    return _ops.linalg_vector_norm(input, order, dim, keepdim, dtype=dtype, out=out)

