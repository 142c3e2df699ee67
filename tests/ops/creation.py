"""Rows of creation, copying and random numbers."""

import numpy as np

import bolide as torch

from .table import ALL, ALL_FLOATS, BOOL, FLOATS, INTS, NUMBERS, Bad, calls, row, rows, unary


def _created(op):
    """Only shape, dtype and strides of fresh memory are known: call it and fill."""
    return lambda *a, **k: op(*a, **k).zero_()


for _name in ("empty",):
    row(
        _name,
        calls(
            lambda m: (([2, 3],), {"dtype": m.dtype, "device": m.device}),
            lambda m: (
                ([2, 3, 4, 5],),
                {"dtype": m.dtype, "device": m.device, "memory_format": torch.channels_last},
            ),
        ),
        ALL,
        call=_created(torch._C._ops.empty),
        grad=False,
    )
row(
    "empty_strided",
    calls(lambda m: (([2, 3], [1, 2]), {"dtype": m.dtype, "device": m.device})),
    ALL,
    call=_created(torch._C._ops.empty_strided),
    grad=False,
)
row("empty_like", unary(), ALL, call=_created(torch._C._ops.empty_like), grad=False, strided=False)
rows(
    "zeros ones",
    calls(lambda m: (([2, 3],), {"dtype": m.dtype, "device": m.device})),
    ALL,
    grad=False,
    errors=[
        Bad(lambda f: f([-1]), RuntimeError, "negative dimension"),
        Bad(lambda f: f([2**40, 2**40]), RuntimeError, "overflow"),
    ],
)
row("full", calls(lambda m: (([2, 3], 1), {"dtype": m.dtype, "device": m.device})), ALL, grad=False)
row("scalar_tensor", calls(lambda m: ((1,), {"dtype": m.dtype, "device": m.device})), ALL, grad=False)
rows("zeros_like ones_like", unary(), ALL, grad=False, strided=False)
row("full_like", calls(lambda m: (m(2, 3), 1)), ALL, grad=False, strided=False)
row(
    "arange",
    calls(lambda m: ((1, 9, 3), {"dtype": m.dtype, "device": m.device}), lambda m: ((5,), {"dtype": m.dtype, "device": m.device})),
    NUMBERS,
    grad=False,
    errors=[Bad(lambda f: f(0, 5, -1), (RuntimeError, ValueError), "bound")],
)
row(
    "linspace",
    calls(lambda m: ((0, 9, 4), {"dtype": m.dtype, "device": m.device}), lambda m: ((1, 2, 1), {"dtype": m.dtype, "device": m.device})),
    NUMBERS,
    grad=False,
)
row(
    "eye",
    calls(lambda m: ((3,), {"dtype": m.dtype, "device": m.device}), lambda m: ((2, 4), {"dtype": m.dtype, "device": m.device})),
    NUMBERS,
    grad=False,
)
row("clone", unary(), ALL, strided=False)
row("contiguous", unary(), ALL, meta=True)
row("_to_copy", calls(lambda m: ((m(2, 3),), {"dtype": torch.float64})), NUMBERS)
row(
    "copy_",
    calls(lambda m: (m(2, 3), m(3)), lambda m: (m(2, 3), m(2, 3, dtype=torch.float32, grad=False))),
    ALL_FLOATS,
)
row("fill_", calls(lambda m: (m(2, 3), 1)), ALL)
row("zero_", unary(), ALL)
row("resize_", calls(lambda m: (m(2, 3), [3, 2])), ALL, grad=False, strided=False)

# ---- random numbers: the streams themselves are tested in test_rng
rows("uniform_ normal_", unary(), ALL_FLOATS, random=True, strided=False)
row("bernoulli_", unary(), NUMBERS + BOOL, random=True, strided=False)
row("exponential_", unary(), ALL_FLOATS, random=True, strided=False)
row(
    "random_",
    calls(lambda m: (m(5),), lambda m: (m(5), 7), lambda m: (m(5), 2, 9)),
    ALL_FLOATS + INTS,
    random=True,
)
rows("rand randn", calls(lambda m: (([2, 3],), {"dtype": m.dtype, "device": m.device})), FLOATS, random=True)
row(
    "randint",
    calls(lambda m: ((5, [2, 3]), {"device": m.device}), lambda m: ((-2, 5, [4]), {"device": m.device})),
    random=True,
)
row("randperm", calls(lambda m: ((7,), {"device": m.device})), random=True)
row(
    "dropout",
    calls(lambda m: (m(2, 3), 0.4, True), lambda m: (m(2, 3), 0.4, False)),
    ALL_FLOATS,
    random=True,
    strided=False,
)

# ---- ranges, windows
row("range", calls(lambda m: ((0, 4), {"dtype": m.dtype, "device": m.device}), lambda m: ((1, 9, 2), {"dtype": m.dtype, "device": m.device})), NUMBERS, grad=False)
row(
    "logspace",
    calls(
        lambda m: ((0, 2, 3), {"dtype": m.dtype, "device": m.device}),
        lambda m: ((0, 3, 4), {"base": 2.0, "dtype": m.dtype, "device": m.device}),
    ),
    NUMBERS,
    grad=False,
)
row("empty_permuted", calls(lambda m: (([2, 3, 4], [2, 0, 1]), {"dtype": m.dtype, "device": m.device})), ALL,
    call=_created(torch._C._ops.empty_permuted), grad=False)
for _name, _ref in {"hann_window": np.hanning, "hamming_window": np.hamming, "blackman_window": np.blackman,
                    "bartlett_window": np.bartlett}.items():
    row(_name, calls(lambda m: ((9, False), {"dtype": m.dtype, "device": m.device})), FLOATS, ref=lambda n, p, dtype, device, f=_ref: f(n), grad=False)
row("kaiser_window", calls(lambda m: ((9, False, 4.0), {"dtype": m.dtype, "device": m.device})), FLOATS, ref=lambda n, p, b, dtype, device: np.kaiser(n, b), grad=False)
row("fill", calls(lambda m: (m(2, 3), 2), lambda m: (m(2, 3), m())), ALL)
