"""Rows of matrix products."""

import numpy as np

import bolide as torch

from .table import ALL_FLOATS, COMPLEX, FLOATS, INTS, Bad, calls, row

_TYPES = ALL_FLOATS + COMPLEX + INTS

row(
    "mm",
    calls(lambda m: (m(2, 3), m(3, 4)), lambda m: (m(2, 0), m(0, 4))),
    _TYPES,
    ref=np.matmul,
    errors=[
        Bad(
            lambda f: f(torch.ones(2, 3), torch.ones(2, 3)),
            RuntimeError,
            r"shapes cannot be multiplied \(2x3 and 2x3\)",
        ),
        Bad(lambda f: f(torch.ones(2), torch.ones(2, 3)), RuntimeError, "self must be a matrix"),
        Bad(lambda f: f(torch.ones(2, 3), torch.ones(3, 2, dtype=torch.float64)), RuntimeError, "same dtype"),
    ],
)
row("bmm", calls(lambda m: (m(2, 2, 3), m(2, 3, 4))), _TYPES, ref=np.matmul)
row(
    "matmul",
    calls(
        lambda m: (m(3), m(3)),
        lambda m: (m(2, 3), m(3)),
        lambda m: (m(3), m(3, 2)),
        lambda m: (m(2, 1, 2, 3), m(4, 3, 2)),
        lambda m: (m(2, 2, 3), m(3, 4)),
    ),
    _TYPES,
    ref=np.matmul,
    errors=[
        Bad(
            lambda f: f(torch.ones(()), torch.ones(2)),
            RuntimeError,
            "both arguments to matmul need to be at least 1D",
        )
    ],
)
row(
    "addmm",
    calls(
        lambda m: ((m(4), m(2, 3), m(3, 4)), {"beta": 2, "alpha": 3}), lambda m: (m(2, 4), m(2, 3), m(3, 4))
    ),
    _TYPES,
)
row(
    "linear",
    calls(lambda m: (m(2, 3), m(4, 3), m(4)), lambda m: (m(2, 2, 3), m(4, 3)), lambda m: (m(3), m(4, 3))),
    FLOATS + COMPLEX,
    errors=[
        Bad(lambda f: f(torch.ones(2, 3), torch.ones(4, 2)), RuntimeError, r"shapes cannot be multiplied")
    ],
)
