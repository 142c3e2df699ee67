"""Rows of views, joins and splits."""

import bolide as torch

from .table import ALL, FLOATS, Bad, calls, row, rows, unary

_SPLIT = calls(lambda m: (m(5, 2), 2), lambda m: (m(2, 6), 3, 1), lambda m: (m(2, 6), 4, -1))

row(
    "as_strided",
    calls(lambda m: (m(12), [2, 3], [1, 2], 1), lambda m: (m(12), [2, 2], [3, 3])),
    ALL,
    strided=False,
    errors=[Bad(lambda f: f(torch.ones(3), [4], [1]), RuntimeError, "out of bounds for storage")],
)
row(
    "view",
    calls(lambda m: (m(2, 6), [3, 4]), lambda m: (m(2, 6), [-1]), lambda m: (m(0, 3), [3, 0])),
    ALL,
    strided=False,
    errors=[
        Bad(lambda f: f(torch.ones(2, 3), [4, 2]), RuntimeError, "shape .* is invalid for input of size 6"),
        Bad(lambda f: f(torch.ones(2, 3).t(), [6]), RuntimeError, "view size is not compatible"),
        Bad(lambda f: f(torch.ones(2, 3), torch.float64), RuntimeError, r"size\(-1\) must be divisible by 2"),
        Bad(lambda f: f(torch.ones(2, 3).t(), torch.int16), RuntimeError, r"stride\(-1\) must be 1"),
        Bad(lambda f: f(torch.tensor(1.0), torch.int16), RuntimeError, "cannot be 0"),
        Bad(lambda f: f(torch.ones(6)[1:5], torch.float64), RuntimeError, "offset.* must be divisible"),
    ],
)
row("alias", calls(lambda m: (m(2, 3),)), ALL)
row(
    "reshape",
    calls(lambda m: (m(2, 6), [3, 4]), lambda m: (m(2, 6), [-1]), lambda m: (m(), [1, 1])),
    ALL,
    meta=False,
)
row(
    "flatten",
    calls(lambda m: (m(2, 3, 4),), lambda m: (m(2, 3, 4), 1), lambda m: (m(2, 3, 4), 0, 1), lambda m: (m(),)),
    ALL,
)
row(
    "transpose",
    calls(lambda m: (m(2, 3, 4), 0, -1), lambda m: (m(2, 3), 0, 1)),
    ALL,
    errors=[Bad(lambda f: f(torch.ones(2), 0, 2), IndexError, "Dimension out of range")],
)
row(
    "t",
    calls(lambda m: (m(2, 3),), lambda m: (m(4),)),
    ALL,
    errors=[Bad(lambda f: f(torch.ones(1, 1, 1)), RuntimeError, "expects a tensor with <= 2 dimensions")],
)
row(
    "permute",
    calls(lambda m: (m(2, 3, 4), [2, 0, 1]), lambda m: (m(2, 3), [-1, 0])),
    ALL,
    strided=False,
    errors=[Bad(lambda f: f(torch.ones(2, 3), [0, 0]), RuntimeError, "duplicate dim")],
)
row("squeeze", calls(lambda m: (m(2, 1, 3),), lambda m: (m(2, 1, 3), 1), lambda m: (m(1, 2, 1), [0, 2])), ALL)
row("unsqueeze", calls(lambda m: (m(2, 3), 0), lambda m: (m(2, 3), -1), lambda m: (m(), 0)), ALL)
row(
    "expand",
    calls(lambda m: (m(3, 1), [3, 4]), lambda m: (m(3), [2, -1]), lambda m: (m(), [2])),
    ALL,
    errors=[Bad(lambda f: f(torch.ones(3), [4]), RuntimeError, "expanded size of the tensor")],
)
row(
    "select",
    calls(lambda m: (m(2, 3), 0, 1), lambda m: (m(2, 3), 1, -1)),
    ALL,
    errors=[Bad(lambda f: f(torch.ones(2, 3), 0, 2), IndexError, "out of range")],
)
row(
    "slice",
    calls(lambda m: (m(5, 3), 0, 1, 4, 2), lambda m: (m(5, 3), 1, None, -1), lambda m: (m(5), 0, 4, 2)),
    ALL,
)
row("narrow", calls(lambda m: (m(5, 3), 0, 1, 3), lambda m: (m(5, 3), -1, 0, 0)), ALL)
row("diagonal", calls(lambda m: (m(3, 4),), lambda m: (m(3, 4), 1), lambda m: (m(2, 3, 4), -1, 1, 2)), ALL)
row("unfold", calls(lambda m: (m(7), 0, 3, 2), lambda m: (m(2, 5), 1, 5, 1)), FLOATS)
row("detach", unary(), ALL, grad=False)
rows("split", calls(lambda m: (m(5, 2), 2), lambda m: (m(2, 6), [1, 2, 3], 1)), ALL)
row(
    "split_with_sizes",
    calls(
        lambda m: (m(5, 2), [2, 3]),
    ),
    ALL,
)
rows("chunk", _SPLIT, ALL)
row("unbind", calls(lambda m: (m(3, 2),), lambda m: (m(3, 2), 1)), ALL)
row(
    "cat",
    calls(lambda m: ([m(2, 3), m(1, 3)],), lambda m: ([m(2, 3), m(2, 1)], 1), lambda m: ([m(2, 2), m(0)], 0)),
    ALL,
    errors=[
        Bad(lambda f: f([]), (RuntimeError, ValueError), "non-empty list of Tensors"),
        Bad(
            lambda f: f([torch.ones(2, 2), torch.ones(3, 3)]),
            RuntimeError,
            "Sizes of tensors must match except in dimension 0",
        ),
    ],
)
row(
    "stack",
    calls(lambda m: ([m(2, 3), m(2, 3)],), lambda m: ([m(2), m(2)], -1)),
    ALL,
    errors=[
        Bad(
            lambda f: f([torch.ones(2), torch.ones(3)]),
            RuntimeError,
            "stack expects each tensor to be equal size",
        )
    ],
)
