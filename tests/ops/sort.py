"""Rows of sorting, searching and counting."""

import numpy as np

import bolide as torch

from .table import FLOATS, INTS, REAL, Bad, calls, row, rows

_SORTABLE = REAL
_OUT_OF_RANGE = Bad(lambda f: f(torch.ones(2), dim=3), IndexError, "Dimension out of range")

row(
    "sort",
    calls(
        lambda m: (m(3, 4),),
        lambda m: (m(3, 4), 0, True),
        lambda m: (m(120),),
        lambda m: (m(),),
        lambda m: ((m(3, 4),), {"stable": True, "dim": 0}),
    ),
    _SORTABLE,
    errors=[_OUT_OF_RANGE],
)
row(
    "argsort",
    calls(lambda m: (m(3, 4),), lambda m: (m(3, 4), 0, True), lambda m: ((m(3, 4),), {"stable": True})),
    _SORTABLE,
    grad=False,
    errors=[_OUT_OF_RANGE],
)
row("msort", calls(lambda m: (m(3, 4),)), _SORTABLE, ref=lambda x: np.sort(x, 0))
row(
    "topk",
    calls(
        lambda m: (m(3, 4), 2),
        lambda m: (m(3, 4), 2, 0, False),
        lambda m: (m(2, 300), 5),
        lambda m: (m(3), 0),
    ),
    _SORTABLE,
    errors=[Bad(lambda f: f(torch.ones(3), 4), RuntimeError, "k out of range")],
)
row(
    "kthvalue",
    calls(lambda m: (m(3, 4), 2), lambda m: (m(3, 4), 1, 0, True)),
    _SORTABLE,
    errors=[Bad(lambda f: f(torch.ones(3), 4), RuntimeError, "selected number k out of range")],
)
rows(
    "median nanmedian",
    calls(lambda m: (m(3, 5),), lambda m: (m(3, 4), 1), lambda m: (m(3, 4), 0, True)),
    _SORTABLE,
)
row("mode", calls(lambda m: (m(3, 4),), lambda m: (m(3, 4), 0, True)), _SORTABLE)
rows(
    "_unique2",
    calls(lambda m: (m.index(4, 3, 5), True, True, True), lambda m: (m(0), True, True, True)),
    REAL,
    grad=False,
    meta=False,
)
row("unique_dim", calls(lambda m: (m.index(2, 3, 5), 1, True, True, True)), FLOATS, grad=False, meta=False)
row(
    "unique_consecutive",
    calls(lambda m: (m.index(2, 9), True, True), lambda m: (m.index(2, 5, 1), True, True, 0)),
    FLOATS,
    grad=False,
    meta=False,
)
row(
    "searchsorted",
    calls(
        lambda m: (torch.arange(5).to(m.dtype), m(2, 3)),
        lambda m: ((torch.arange(5).to(m.dtype), 2), {"right": True}),
        lambda m: ((torch.arange(10).reshape(2, 5).to(m.dtype), m(2, 3)), {"side": "right"}),
    ),
    FLOATS + INTS,
    grad=False,
    meta=False,
    errors=[Bad(lambda f: f(torch.ones(2, 2), torch.ones(3)), RuntimeError, "boundaries tensor")],
)
row(
    "bucketize",
    calls(lambda m: (m(2, 3), torch.arange(5).to(m.dtype)), lambda m: (2, torch.arange(5).to(m.dtype))),
    FLOATS + INTS,
    grad=False,
    meta=False,
    errors=[Bad(lambda f: f(torch.ones(2), torch.ones(2, 2)), RuntimeError, "must be 1 dimension")],
)
row(
    "isin",
    calls(lambda m: (m.index(4, 3), m.index(4, 2)), lambda m: (2, m.index(4, 2))),
    FLOATS,
    grad=False,
    meta=False,
)
row(
    "bincount",
    calls(lambda m: (m.index(4, 9),), lambda m: ((m.index(4, 9), m(9, grad=False)), {"minlength": 7})),
    FLOATS,
    grad=False,
    meta=False,
    errors=[Bad(lambda f: f(torch.tensor([-1])), RuntimeError, "non-negative")],
)
row(
    "histc",
    calls(lambda m: (m(20), 5), lambda m: (m(20), 5, -1, 1)),
    FLOATS,
    grad=False,
    errors=[Bad(lambda f: f(torch.ones(3), 0), RuntimeError, "bins must be > 0")],
)
