"""Rows of reductions."""

import numpy as np

import bolide as torch

from .table import (
    ALL,
    ALL_FLOATS,
    COMPLEX,
    DIFFERENTIABLE,
    REAL,
    FLOATS,
    NUMBERS,
    Bad,
    along,
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


def _some_zeros(m, *shape):
    """A leaf with zeros, two of them in the first row."""
    t = m(*shape)
    with torch.no_grad():
        t[0, :2] = 0
        t[1, 2] = 0
    return t


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

row("nansum", reduction(), ALL_FLOATS, ref=_reduce(np.nansum), errors=[_OUT_OF_RANGE])
row("nanmean", reduction(empty=False), ALL_FLOATS, ref=_reduce(np.nanmean))
row(
    "prod",
    calls(
        lambda m: (m(2, 3),),
        lambda m: (m(2, 3, 4), 1),
        lambda m: ((m(2, 3), 0), {"keepdim": True}),
        lambda m: (_some_zeros(m, 3, 4), 1),
    ),
    ALL,
    ref=_reduce(lambda x, **k: np.prod(x, dtype=np.int64 if x.dtype.kind in "biu" else x.dtype, **k)),
    errors=[_OUT_OF_RANGE],
)
row(
    "logsumexp",
    calls(
        lambda m: (m(2, 3), 1), lambda m: (m(2, 3, 4), [0, 2]), lambda m: ((m(2, 3), 0), {"keepdim": True})
    ),
    ALL_FLOATS,
    ref=_reduce(lambda x, **k: np.log(np.sum(np.exp(x), **k))),
)
row(
    "count_nonzero",
    calls(lambda m: (m(2, 3),), lambda m: (m(2, 3), 1), lambda m: (m(2, 3), [0, 1])),
    ALL,
    grad=False,
)
row(
    "aminmax",
    calls(lambda m: (m(2, 3),), lambda m: ((m(2, 3),), {"dim": 1, "keepdim": True})),
    REAL,
    errors=[Bad(lambda f: f(torch.ones(0)), RuntimeError, "over an empty dimension")],
)
rows("cumsum logcumsumexp", along(2, 3, 4), FLOATS, errors=[_OUT_OF_RANGE])
row(
    "cumprod",
    calls(lambda m: (m(2, 3), 1), lambda m: (_some_zeros(m, 3, 4), 1), lambda m: (m(), 0)),
    NUMBERS + COMPLEX,
    ref=lambda x, d: np.cumprod(x, d if x.ndim else None).reshape(x.shape),
    errors=[_OUT_OF_RANGE],
)
rows("cummax cummin", along(2, 3, 4), REAL, errors=[_OUT_OF_RANGE])
rows("_reverse_cumsum _reverse_cumprod", along(2, 3), FLOATS)
row(
    "_linear_recurrence",
    calls(lambda m: (m(2, 3), m(2, 3), 1), lambda m: (m(3, 2), m(3, 2), 0, True)),
    FLOATS,
    errors=[Bad(lambda f: f(torch.ones(2), torch.ones(3), 0), RuntimeError, "differ in shape")],
)
