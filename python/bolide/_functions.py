"""Functions of the top level that need no op of their own."""

from ._C import Tensor, _ops, default_generator

__all__ = [
    "arange",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "block_diag",
    "broadcast_tensors",
    "cartesian_prod",
    "conj",
    "get_rng_state",
    "gradient",
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


def _several(tensors):
    """The tensors of f(a, b, ...) or f([a, b, ...])."""
    return tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors


def meshgrid(*tensors, indexing="ij"):
    """Coordinates of a grid: one tensor of the full shape for each 1-d input."""
    return _ops.meshgrid(_several(tensors), indexing=indexing)


def broadcast_tensors(*tensors):
    """The tensors as views of one common shape."""
    return _ops.broadcast_tensors(_several(tensors))


def cartesian_prod(*tensors):
    """All ways to take one element of each vector, as rows."""
    return _ops.cartesian_prod(_several(tensors))


def block_diag(*tensors):
    """A matrix with the given ones on its diagonal and zeros elsewhere."""
    return _ops.block_diag(tensors)


def _atleast(op, tensors):
    if len(tensors) == 1 and not isinstance(tensors[0], (list, tuple)):
        return op(tensors[0])
    return tuple(op(t) for t in _several(tensors))


def atleast_1d(*tensors):
    """Views with at least one dimension: a tensor for one, a tuple for several."""
    return _atleast(_ops.atleast_1d, tensors)


def atleast_2d(*tensors):
    """Views with at least two dimensions."""
    return _atleast(_ops.atleast_2d, tensors)


def atleast_3d(*tensors):
    """Views with at least three dimensions."""
    return _atleast(_ops.atleast_3d, tensors)


def gradient(input, *, spacing=None, dim=None, edge_order=1):
    """Slopes along ``dim`` (all when None) by central differences, ``spacing`` apart: one number, one a dimension, or
    tensors of coordinates."""
    dims = list(range(input.dim())) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    if spacing is None or isinstance(spacing, (int, float)):
        spacing = [1 if spacing is None else spacing] * len(dims)
    elif isinstance(spacing, Tensor):
        raise TypeError("gradient() received an invalid combination of arguments - spacing must be a number, or a sequence of "
                        "numbers or of tensors, not Tensor")
    if len(spacing) != len(dims):
        raise RuntimeError("torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to " + (
            f"'self.dim() = {input.dim()}', since dim argument was not given, but got a list of length {len(spacing)}" if dim is None
            else f"dim's: spacing and dim arguments should have the same length, but got {len(spacing)} and {len(dims)}"))
    points = [x for x in spacing if isinstance(x, Tensor)]
    return _ops._gradient(input, [] if points else [float(x) for x in spacing], points, dims, edge_order)


def norm(input, p="fro", dim=None, keepdim=False, out=None, dtype=None):
    """The p-norm of the elements over ``dim`` (all when None); 'nuc' sums the singular values of matrices."""
    if p == "nuc":
        from . import linalg

        return linalg.matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype, out=out)
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"only valid string values are 'fro' and 'nuc', found {p}")
    order = 2 if p is None or p == "fro" else p
    return _ops.linalg_vector_norm(input, order, dim, keepdim, dtype=dtype, out=out)

