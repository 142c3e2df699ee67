"""Rows of embeddings."""

import bolide as torch

from .table import ALL_FLOATS, Bad, calls, row

row(
    "embedding",
    calls(
        lambda m: (m(5, 3), m.index(5, 2, 2)),
        lambda m: (m(5, 3), m.index(5, 6, dtype=torch.int32)),
        lambda m: (m(5, 3), m.index(5, 0)),
    ),
    ALL_FLOATS,
    ref=lambda w, i, *_: w[i],
    errors=[
        Bad(lambda f: f(torch.ones(2, 3), torch.tensor([2])), IndexError, "index out of range in self"),
        Bad(lambda f: f(torch.ones(2, 3), torch.tensor([-1])), IndexError, "index out of range in self"),
        Bad(lambda f: f(torch.ones(3), torch.tensor([0])), RuntimeError, "'weight' must be 2-D"),
        Bad(lambda f: f(torch.ones(2, 3), torch.tensor([0.0])), RuntimeError, "scalar types: Long, Int"),
    ],
)
row(
    "embedding_dense_backward",
    calls(
        lambda m: (m(6, 3), m.index(5, 6), 5, -1, False),
        lambda m: (m(2, 3, 3), m.index(5, 2, 3), 5, 2, False),
        lambda m: (m(2, 3, 3), m.index(5, 2, 3), 5, -1, True),
    ),
    ALL_FLOATS,
    errors=[Bad(lambda f: f(torch.ones(1, 3), torch.tensor([4]), 2, -1, False), IndexError, "out of range")],
)
