"""Rows of indexing, gathering and scattering."""

import bolide as torch

from .table import ALL, NUMBERS, Bad, calls, row

row(
    "gather",
    calls(lambda m: (m(3, 4), 1, m.index(4, 3, 2)), lambda m: (m(3, 4), 0, m.index(3, 2, 4))),
    ALL,
    errors=[
        Bad(
            lambda f: f(torch.ones(2, 2), 0, torch.tensor([[5]])), (RuntimeError, IndexError), "out of bounds"
        )
    ],
)
row(
    "scatter_add",
    calls(lambda m: (m(3, 4), 1, m.index(4, 3, 2), m(3, 2)), lambda m: (m(3), 0, m.index(3, 5), m(5))),
    NUMBERS,
)
row(
    "index_select",
    calls(lambda m: (m(3, 4), 1, m.index(4, 5)), lambda m: (m(3, 4), 0, m.index(3, 0))),
    ALL,
    errors=[
        Bad(
            lambda f: f(torch.ones(3), 0, torch.tensor([3])),
            (IndexError, RuntimeError),
            "out of (range|bounds)",
        )
    ],
)
row(
    "index",
    calls(lambda m: (m(3, 4), [m.index(3, 2), m.index(4, 2)]), lambda m: (m(3, 4), [None, m.index(4, 2, 2)])),
    ALL,
    errors=[Bad(lambda f: f(torch.ones(3), [torch.tensor([3])]), IndexError, "index 3 is out of bounds")],
)
row(
    "index_put_",
    calls(
        lambda m: (m(3, 4), [m.permutation(3)], m(3, 4)),
        lambda m: ((m(3, 4), [m.index(3, 5)], m(5, 4), True)),
    ),
    NUMBERS,
)
row(
    "masked_select", calls(lambda m: (m(3, 4), m.mask(3, 4)), lambda m: (m(3, 4), m.mask(4))), ALL, meta=False
)
row("_nonzero", calls(lambda m: (m(3, 4),), lambda m: (m.mask(5),)), ALL, meta=False, grad=False)
