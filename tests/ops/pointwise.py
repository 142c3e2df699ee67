"""Rows of unary and binary ops, comparisons, activations."""

import math

import numpy as np

import bolide as torch

from .table import (
    ALL,
    ALL_FLOATS,
    BOOL,
    COMPLEX,
    DIFFERENTIABLE,
    FLOATS,
    INTS,
    NUMBERS,
    REAL,
    Bad,
    binary,
    calls,
    row,
    rows,
    unary,
)

SMOOTH = DIFFERENTIABLE + INTS + BOOL


def _bools():
    return torch.tensor([True])


def _special(m):
    """Infinities and NaN beside numbers."""
    return torch.cat([m(2), torch.tensor([math.inf, -math.inf, math.nan], dtype=m.dtype, device=m.device)])


# ---- unary
for _name in "exp sin cos tanh sinh cosh".split():
    row(
        _name, unary(), SMOOTH, ref=lambda x, f=getattr(np, _name): f(x.astype(np.result_type(x, np.float32)))
    )
row("expm1", unary(), SMOOTH, ref=lambda x: np.expm1(x.astype(np.result_type(x, np.float32))))
row(
    "exp2",
    unary(),
    SMOOTH,
    ref=lambda x: np.exp2(x.astype(np.result_type(x, np.float32))) if not np.iscomplexobj(x) else 2**x,
)
row("tan", unary(-1, 1), SMOOTH)
rows("log log2 log10", unary(0.1, 3), SMOOTH)
row("log1p", unary(-0.5, 3), SMOOTH)
rows("sqrt rsqrt reciprocal", unary(0.2, 3), SMOOTH)
rows("asin acos atanh", unary(-0.9, 0.9), SMOOTH)
row("acosh", unary(1.1, 3), SMOOTH)
rows("atan asinh", unary(), SMOOTH)
rows("erf erfc", unary(), ALL_FLOATS + INTS + BOOL)
row("sigmoid", unary(), SMOOTH, ref=lambda x: 1 / (1 + np.exp(-x.astype(np.result_type(x, np.float32)))))
row("square", unary(), SMOOTH)
row(
    "neg",
    unary(),
    DIFFERENTIABLE + INTS,
    ref=np.negative,
    errors=[
        Bad(
            lambda f: f(__import__("bolide").tensor([True])),
            RuntimeError,
            "Negation, the `-` operator, on a bool",
        )
    ],
)
row("abs", unary(0.1, 2), ALL_FLOATS + INTS + COMPLEX, ref=np.abs)
row("sign", unary(0.1, 2), NUMBERS + BOOL)
row("sgn", unary(0.1, 2), ALL)
rows("floor ceil trunc", unary(0.1, 0.9), NUMBERS, second=False)
row("round", unary(0.1, 0.4), NUMBERS, second=False)
row("frac", unary(0.1, 0.9), ALL_FLOATS)
rows("isnan isinf isfinite logical_not", unary(), ALL, grad=False)
row("bitwise_not", unary(), INTS + BOOL, ref=np.invert, grad=False)
row("negative", unary(), DIFFERENTIABLE + INTS, ref=np.negative)
row("positive", unary(), DIFFERENTIABLE + INTS, errors=[Bad(lambda f: f(_bools()), RuntimeError, "on a bool tensor")])
row("absolute", unary(0.1, 2), ALL_FLOATS + INTS + COMPLEX, ref=np.abs)
row("fix", unary(0.1, 0.9), NUMBERS, second=False)
rows("arcsin arccos arctanh", unary(-0.9, 0.9), SMOOTH)
row("arccosh", unary(1.1, 3), SMOOTH)
rows("arctan arcsinh", unary(), SMOOTH)
row("isreal", unary(), ALL, ref=np.isreal, grad=False)
rows("isposinf isneginf", unary(), REAL, grad=False)
row("signbit", unary(), REAL, ref=lambda x: np.signbit(x) if x.dtype != bool else np.zeros_like(x), grad=False)
row(
    "nan_to_num",
    calls(lambda m: (m(5),), lambda m: ((_special(m),), {"nan": 1.5, "posinf": 2.0, "neginf": -1.0}), lambda m: ((_special(m),), {"posinf": 2.0, "neginf": -2.0})),
    ALL_FLOATS + COMPLEX,
    grad=False,
)
row("deg2rad", unary(), NUMBERS, ref=lambda x: np.deg2rad(x.astype(np.result_type(x, np.float32))))
row("rad2deg", unary(), NUMBERS, ref=lambda x: np.rad2deg(x.astype(np.result_type(x, np.float32))))
row("sinc", unary(0.1, 2), SMOOTH, ref=lambda x: np.sinc(x.astype(np.result_type(x, np.float32))))
row("logit", calls(lambda m: (m(5, low=0.1, high=0.9),), lambda m: (m(5, low=0.3, high=0.7), 0.2)), ALL_FLOATS + INTS)
row("frexp", unary(0.6, 0.9), ALL_FLOATS, ref=np.frexp)

# ---- complex numbers
rows("conj conj_physical real resolve_conj resolve_neg", unary(), DIFFERENTIABLE)
rows("imag view_as_real", unary(), COMPLEX, ref=None)
row("angle", unary(0.1, 2), DIFFERENTIABLE + INTS, ref=np.angle)
row("view_as_complex", calls(lambda m: (m(3, 2),), lambda m: (m(2, 4, 2),)), FLOATS, strided=False)
row("complex", calls(lambda m: (m(2, 3), m(3))), FLOATS, ref=lambda a, b: a + 1j * b)
row("polar", calls(lambda m: (m(2, 3), m(3))), FLOATS, ref=lambda a, b: a * np.exp(1j * b))

# ---- activations
row("relu", unary(), NUMBERS, ref=lambda x: np.maximum(x, 0))
row("silu", unary(), ALL_FLOATS)
row(
    "gelu",
    calls(lambda m: ((m(5),), {}), lambda m: ((m(5),), {"approximate": "tanh"})),
    ALL_FLOATS,
    errors=[
        Bad(
            lambda f: f(__import__("bolide").ones(2), approximate="cubic"),
            RuntimeError,
            "approximate argument must be either none or tanh",
        )
    ],
)
rows("leaky_relu elu softplus", unary(), ALL_FLOATS)
row("hardtanh", unary(), ALL_FLOATS)

# ---- binary
row("add", binary(alpha=3), ALL_FLOATS + INTS + COMPLEX, ref=lambda a, b, alpha: a + alpha * b)
rows("sub rsub", binary(alpha=2), ALL_FLOATS + INTS + COMPLEX)
row("mul", binary(), ALL, ref=lambda a, b: a * b)
row("div", binary(other=(0.5, 2)), DIFFERENTIABLE + INTS)
row("floor_divide", binary(1, 9, other=(1.1, 2)), NUMBERS, grad=False)
rows("remainder fmod", binary(1, 9, other=(1.6, 2)), NUMBERS)
row("pow", binary(0.5, 2), ALL_FLOATS + INTS + COMPLEX)
row("atan2", binary(0.5, 2, number=None), ALL_FLOATS)
row("arctan2", binary(0.5, 2, number=None), ALL_FLOATS)
row("subtract", binary(), ALL_FLOATS + INTS + COMPLEX, ref=lambda a, b: a - b)
row("multiply", binary(), ALL, ref=lambda a, b: a * b)
rows("divide true_divide", binary(other=(0.5, 2)), DIFFERENTIABLE + INTS)
row("copysign", binary(0.1, 2, other=(-2, -0.1)), REAL, ref=lambda a, b: np.copysign(a.astype(np.result_type(a, np.float32)), b))
row("heaviside", binary(number=None), REAL, grad=False, ref=np.heaviside)
row("nextafter", binary(number=None), ALL_FLOATS, second=False, grad=False)
row("hypot", binary(0.5, 2, number=None), ALL_FLOATS, ref=np.hypot)
row("logaddexp", binary(number=None), DIFFERENTIABLE)
row("logaddexp2", binary(number=None), ALL_FLOATS, ref=np.logaddexp2)
rows("fmax fmin", binary(number=None), REAL)
row("ldexp", binary(number=None), ALL_FLOATS + INTS)
row("float_power", binary(0.5, 2), ALL_FLOATS + INTS + COMPLEX)
row("gcd", binary(1, 9, number=None), INTS, ref=np.gcd, grad=False)
row("lcm", binary(1, 5, number=None), INTS, ref=np.lcm, grad=False)
rows("eq ne not_equal", binary(), ALL, grad=False)
rows("less less_equal greater greater_equal", binary(), REAL, grad=False)
rows("lt le gt ge", binary(), REAL, grad=False)
rows("logical_and logical_or logical_xor", binary(number=None), ALL, grad=False)
rows("bitwise_and bitwise_or bitwise_xor", binary(number=1), INTS + BOOL, grad=False)
rows("bitwise_left_shift bitwise_right_shift", binary(1, 3, number=1), INTS, grad=False)
rows("maximum minimum", binary(number=None), REAL)

# ---- ternary
row(
    "where",
    calls(
        lambda m: (m.mask(2, 3), m(2, 3), m(3)),
        lambda m: (m.mask(3), m(3), 2.0),
        lambda m: (m.mask(2, 1), 1.0, m(3)),
    ),
    FLOATS + COMPLEX,
)
row("masked_fill", calls(lambda m: (m(2, 3), m.mask(3), 1), lambda m: (m(2, 3), m.mask(2, 1), 0)), ALL)
row(
    "clamp",
    calls(lambda m: (m(7), -1, 1), lambda m: ((m(7),), {"min": 0}), lambda m: ((m(7),), {"max": 1}), lambda m: (m(7), m(7), m(7))),
    NUMBERS,
)
row("clip", calls(lambda m: (m(7), -1, 1), lambda m: (m(7), m(7), m(7))), NUMBERS)
rows("clamp_min clamp_max", calls(lambda m: (m(7), 0.5), lambda m: (m(2, 3), m(3))), NUMBERS)
row(
    "lerp",
    calls(lambda m: (m(2, 3), m(3), 0.3), lambda m: (m(4), m(4), m(4, low=0, high=1))),
    FLOATS + COMPLEX,
)
rows("addcmul", calls(lambda m: ((m(2, 3), m(3), m(2, 1)), {"value": 2})), DIFFERENTIABLE)
rows("addcdiv", calls(lambda m: ((m(2, 3), m(3), m(2, 1, low=0.5)), {"value": 2})), DIFFERENTIABLE)

# ---- derivatives that backward calls
row("threshold_backward", calls(lambda m: (m(5), m(5), 0)), FLOATS, second=False)
row("gelu_backward", calls(lambda m: (m(5), m(5)), lambda m: ((m(5), m(5)), {"approximate": "tanh"})), FLOATS)
row("_rpow", calls(lambda m: (m(2, 3), 3), lambda m: (m(), 0.5)), FLOATS)

# ---- nearness
row("isclose", binary(number=None, rtol=0.1), ALL, grad=False)
row("allclose", calls(lambda m: (m(3), m(3)), lambda m: ((m(3), m(3)), {"atol": 9.0})), ALL, grad=False, meta=False)
row("equal", calls(lambda m: (m(3), m(3)), lambda m: (m(3), m(2))), ALL, grad=False, meta=False)
