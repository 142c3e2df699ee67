"""Rows of indexing, gathering and scattering."""

import bolide as torch

from .table import ALL, BOOL, NUMBERS, Bad, calls, row, rows

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
    "index_put",
    calls(
        lambda m: (m(3, 4), [m.permutation(3)], m(3, 4)),
        lambda m: ((m(3, 4), [m.index(3, 5)], m(5, 4), True)),
        lambda m: ((m(3, 2, 4), [m.index(3, 5), None, m.index(4, 5)], m(5, 2), True)),
    ),
    NUMBERS,
    errors=[
        Bad(
            lambda f: f(torch.ones(3), [torch.tensor([0])], torch.ones(1).double()),
            RuntimeError,
            "dtypes match",
        ),
        Bad(
            lambda f: f(torch.ones(3), [torch.tensor([0, 1])], torch.ones(3)), RuntimeError, "shape mismatch"
        ),
        Bad(
            lambda f: f(torch.ones(3), [torch.tensor([-4])], torch.ones(1)),
            IndexError,
            "index -4 is out of bounds",
        ),
    ],
)
row(
    "masked_select", calls(lambda m: (m(3, 4), m.mask(3, 4)), lambda m: (m(3, 4), m.mask(4))), ALL, meta=False
)
row(
    "masked_scatter",
    calls(lambda m: (m(3, 4), m.mask(3, 4), m(20)), lambda m: (m(3, 4), m.mask(4), m(3, 5))),
    ALL,
    errors=[
        Bad(
            lambda f: f(torch.ones(3), torch.ones(3) > 0, torch.ones(2)),
            RuntimeError,
            "Number of elements of source",
        )
    ],
)
rows(
    "nonzero nonzero_numpy argwhere",
    calls(lambda m: (m(3, 4),), lambda m: (m.mask(70),)),
    ALL,
    meta=False,
    grad=False,
)
row(
    "nonzero_static",
    calls(lambda m: ((m.mask(3, 4),), {"size": 3}), lambda m: ((m.mask(5),), {"size": 9, "fill_value": -7})),
    BOOL,
    grad=False,
    meta=False,
)
row(
    "_unsafe_masked_index",
    calls(lambda m: (m(3, 4), m.mask(5), [m.index(3, 5) * 2, m.index(4, 5)], 7)),
)
row(
    "_unsafe_masked_index_put_accumulate",
    calls(lambda m: (m(3, 4), m.mask(5), [m.index(3, 5) * 2, m.index(4, 5)], m(5))),
)
row(
    "index_add",
    calls(
        lambda m: (m(3, 4), 1, m.index(4, 5), m(3, 5)),
        lambda m: ((m(3, 4), 0, m.index(3, 2), m(2, 4)), {"alpha": 3}),
    ),
    NUMBERS,
    errors=[
        Bad(
            lambda f: f(torch.ones(3), 0, torch.tensor([3]), torch.ones(1)),
            RuntimeError,
            "index 3 is out of bounds",
        )
    ],
)
row(
    "index_copy",
    calls(
        lambda m: (m(3, 4), 1, m.permutation(4)[:2], m(3, 2)), lambda m: (m(3, 4), 0, m.index(3, 1), m(1, 4))
    ),
    ALL,
    errors=[
        Bad(
            lambda f: f(torch.ones(3), 0, torch.tensor([-1]), torch.ones(1)),
            IndexError,
            "index -1 is out of bounds",
        )
    ],
)
row(
    "index_fill",
    calls(lambda m: (m(3, 4), 1, m.index(4, 2), 1), lambda m: (m(3, 4), 0, m.index(3, 2), m())),
    ALL,
    errors=[Bad(lambda f: f(torch.ones(3), 0, torch.tensor([3]), 1), IndexError, "out of bounds")],
)
row(
    "index_reduce",
    calls(
        *[
            lambda m, how=how, own=own: ((m(3, 4), 0, m.index(3, 5), m(5, 4), how), {"include_self": own})
            for how in ("prod", "mean", "amax", "amin")
            for own in (True, False)
        ]
    ),
    NUMBERS,
    second=False,
    errors=[
        Bad(
            lambda f: f(torch.ones(3), 0, torch.tensor([0]), torch.ones(1), "sum"),
            RuntimeError,
            "prod, mean, amax or amin",
        )
    ],
)
row(
    "take",
    calls(lambda m: (m(3, 4), m.index(12, 2, 5)), lambda m: (m(3, 4), m.index(12, 3) - 12)),
    ALL,
    errors=[Bad(lambda f: f(torch.ones(3), torch.tensor([3])), IndexError, "tried to access index 3")],
)
row(
    "put",
    calls(lambda m: (m(3, 4), m.permutation(12), m(12)), lambda m: (m(3, 4), m.index(12, 5), m(5), True)),
    NUMBERS,
    errors=[
        Bad(
            lambda f: f(torch.ones(3), torch.tensor([3]), torch.ones(1)),
            IndexError,
            "tried to access index 3",
        )
    ],
)
row(
    "take_along_dim",
    calls(
        lambda m: (m(3, 4), m.index(4, 3, 2), 1),
        lambda m: (m(3, 4), m.index(12, 5)),
        lambda m: (m(3, 4), m.index(3, 2, 1) - 3, 0),
    ),
    ALL,
)
row(
    "scatter",
    calls(
        lambda m: (m(4, 3), 0, m.permutation(4).reshape(4, 1).expand(4, 3), m(4, 3)),
        lambda m: (m(4, 3), 0, m.permutation(4)[:2].reshape(2, 1), m(4, 3)),
        lambda m: (m(3, 4), 1, m.index(4, 3, 2), 2),
        lambda m: ((m(3, 4, grad=False), 1, m.index(4, 3, 2), 2), {"reduce": "multiply"}),
        lambda m: ((m(3, 4, grad=False), 1, m.index(4, 3, 2), m(3, 2, grad=False)), {"reduce": "add"}),
    ),
    NUMBERS,
    errors=[
        Bad(lambda f: f(torch.ones(3), 0, torch.tensor([3]), 1), RuntimeError, "index 3 is out of bounds"),
        Bad(
            lambda f: f(torch.ones(3), 0, torch.tensor([0]), 1, reduce="sum"), RuntimeError, "add or multiply"
        ),
        Bad(
            lambda f: f(torch.ones(3), 0, torch.tensor([0]), torch.ones(1).double()),
            RuntimeError,
            "src.dtype",
        ),
    ],
)
row(
    "scatter_reduce",
    calls(
        *[
            lambda m, how=how, own=own: ((m(3, 4), 1, m.index(4, 3, 6), m(3, 6), how), {"include_self": own})
            for how in ("sum", "prod", "mean", "amax", "amin")
            for own in (True, False)
        ]
    ),
    NUMBERS,
    second=False,
    errors=[
        Bad(
            lambda f: f(torch.ones(3), 0, torch.tensor([0]), torch.ones(1), "max"),
            RuntimeError,
            "sum, prod, mean, amax or amin",
        )
    ],
)
row("select_scatter", calls(lambda m: (m(3, 4), m(3), 1, -1)), ALL)
row(
    "slice_scatter",
    calls(lambda m: (m(3, 4), m(3, 2), 1, 0, None, 2), lambda m: (m(3, 4), m(2, 4), 0, 1)),
    ALL,
)
row("diagonal_scatter", calls(lambda m: (m(3, 4), m(3)), lambda m: (m(3, 4), m(3), 1)), ALL)
row("as_strided_scatter", calls(lambda m: (m(3, 4), m(2, 2), [2, 2], [4, 1], 1)), ALL)
