"""Rows of variances, norms, distances and covariances."""

import numpy as np

import bolide as torch

from .table import ALL_FLOATS, COMPLEX, FLOATS, Bad, calls, row, rows

_WHOLE = Bad(lambda f: f(torch.arange(3)), RuntimeError, "floating point")


def _spread(m):
    yield (m(3, 4),), {}
    yield (m(3, 4), 1), {}
    yield (m(2, 3, 4), [0, 2]), {"correction": 0, "keepdim": True}
    yield (m(70, 9), 0), {"correction": 2}
    yield (m(3, 4), False), {}


rows("var std var_mean std_mean", _spread, ALL_FLOATS + COMPLEX, errors=[_WHOLE])
row(
    "linalg_vector_norm",
    calls(
        lambda m: (m(3, 4),),
        lambda m: (m(3, 4), 1, 1),
        lambda m: ((m(3, 4), 3, 0), {"keepdim": True}),
        lambda m: (m(3, 4), float("inf"), 1),
        lambda m: (m(3, 4), -float("inf")),
        lambda m: (m(3, 4), 0),
    ),
    ALL_FLOATS + COMPLEX,
    errors=[Bad(lambda f: f(torch.arange(3)), RuntimeError, "floating point")],
)
row("dist", calls(lambda m: (m(3, 4), m(3, 4)), lambda m: (m(3), m(3), 1)), FLOATS)
row(
    "renorm",
    calls(lambda m: (m(3, 4), 2, 0, 1.0), lambda m: (m(3, 4), 1, 1, 2)),
    FLOATS,
    errors=[Bad(lambda f: f(torch.ones(3), 2, 0, 1), RuntimeError, "at least 2 dimensions")],
)
row(
    "trace",
    calls(lambda m: (m(3, 4),)),
    FLOATS,
    ref=np.trace,
    errors=[Bad(lambda f: f(torch.ones(3)), RuntimeError, "matrix")],
)
row(
    "diff",
    calls(
        lambda m: (m(3, 4),),
        lambda m: (m(3, 4), 2, 0),
        lambda m: ((m(3, 4),), {"prepend": m(3, 1), "append": m(3, 2)}),
    ),
    FLOATS,
    errors=[Bad(lambda f: f(torch.ones(3), -1), RuntimeError, "order must be non-negative")],
)
row(
    "cov",
    calls(lambda m: (m(3, 5),), lambda m: ((m(5),), {"correction": 0})),
    FLOATS,
    ref=lambda x, correction=1: np.cov(x, ddof=correction),
)
row("corrcoef", calls(lambda m: (m(3, 5),)), FLOATS, ref=np.corrcoef)
row("linalg_cross", calls(lambda m: (m(2, 3), m(2, 3)), lambda m: ((m(3, 2), m(3, 1)), {"dim": 0})), FLOATS)
row("cross", calls(lambda m: (m(2, 3), m(2, 3)), lambda m: (m(3, 3), m(3, 3), 1)), FLOATS)
row("cdist", calls(lambda m: (m(3, 2), m(4, 2)), lambda m: (m(2, 3, 2), m(2, 4, 2), 1.0)), FLOATS)
