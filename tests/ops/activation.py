"""Rows of activations that cut, and of slopes."""

import numpy as np

import bolide as torch

from .table import ALL_FLOATS, COMPLEX, FLOATS, NUMBERS, Bad, calls, row, unary

row("silu_backward", calls(lambda m: (m(7), m(7))), ALL_FLOATS + COMPLEX)
row("leaky_relu_backward", calls(lambda m: (m(7), m(7), 0.1)), FLOATS)
row("hardtanh_backward", calls(lambda m: (m(7), m(7), -1, 1)), FLOATS)

row("hardshrink_backward", calls(lambda m: (m(7), m(7), 0.5)), FLOATS)
row(
    "hardshrink",
    unary(),
    FLOATS,
    ref=lambda x: np.where(np.abs(x) <= 0.5, 0, x),
)
row(
    "softshrink",
    unary(),
    ALL_FLOATS,
    ref=lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    errors=[Bad(lambda f: f(torch.ones(1), -0.5), RuntimeError, "lambda must be in range")],
)
row(
    "threshold",
    calls(lambda m: (m(7), 1, 20)),
    NUMBERS,
    ref=lambda x, t, v: np.where(x <= t, v, x).astype(x.dtype),
)
row("log_sigmoid", unary(), ALL_FLOATS, ref=lambda x: -np.log1p(np.exp(-x)))
