"""Rows of reductions."""

import numpy as np

import bolide as torch

from .table import (
    ALL,
    ALL_FLOATS,
    COMPLEX,
    DIFFERENTIABLE,
    REAL,
    Bad,
    calls,
    reduction,
    row,
    rows,
)


def _extremes(m):
    yield (m(2, 3, 4),), {}
    yield (m(2, 3), 1), {}
    yield (m(2, 3, 4), -2), {"keepdim": True}
    yield (m(2, 3), m(2, 3)), {}


def _dims(m):
    yield (m(2, 3, 4),), {}
    yield (m(2, 3, 4), 1), {}
    yield (m(2, 3, 4), (0, 2)), {"keepdim": True}
    yield (m(5, 2), []), {}


def _reduce(f):
    def ref(x, dim=None, keepdim=False):
        axis = tuple(dim) if isinstance(dim, (list, tuple)) else dim
        return f(x, axis=axis, keepdims=keepdim)

    return ref


_OUT_OF_RANGE = Bad(lambda f: f(torch.ones(2), 3), IndexError, "Dimension out of range")
_TWICE = Bad(
    lambda f: f(torch.ones(2, 2), [0, 0]), RuntimeError, "appears multiple times in the list of dims"
)

row(
    "sum",
    reduction(),
    ALL,
    ref=_reduce(lambda x, **k: np.sum(x, dtype=np.int64 if x.dtype.kind in "biu" else x.dtype, **k)),
    errors=[_OUT_OF_RANGE, _TWICE],
)
row(
    "mean",
    reduction(empty=False),
    ALL_FLOATS + COMPLEX,
    ref=_reduce(np.mean),
    errors=[
        _OUT_OF_RANGE,
        Bad(lambda f: f(torch.ones(2, dtype=torch.int64)), RuntimeError, "could not infer output dtype"),
    ],
)
rows(
    "amax amin",
    _dims,
    REAL,
    errors=[_OUT_OF_RANGE, Bad(lambda f: f(torch.ones(0)), (IndexError, RuntimeError), "reduction dim")],
)
rows(
    "max min",
    _extremes,
    REAL,
    errors=[Bad(lambda f: f(torch.ones(2), 3), IndexError, "Dimension out of range")],
)
rows(
    "argmax argmin",
    calls(lambda m: (m(2, 3),), lambda m: (m(2, 3), 1), lambda m: ((m(2, 3), 0), {"keepdim": True})),
    REAL,
    grad=False,
)
rows(
    "all any",
    calls(lambda m: (m(2, 3),), lambda m: (m(2, 3), 1), lambda m: ((m(2, 3), 0), {"keepdim": True})),
    ALL,
    grad=False,
)
row(
    "sum_to_size",
    calls(lambda m: (m(4, 2, 3), [2, 1]), lambda m: (m(2, 3), [2, 3])),
    DIFFERENTIABLE,
    errors=[Bad(lambda f: f(torch.ones(2, 3), [2, 2]), RuntimeError, "is not expandable")],
)
