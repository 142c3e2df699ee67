"""Rows of special functions."""

import math

import numpy as np

import bolide as torch

from .table import ALL_FLOATS, BOOL, FLOATS, INTS, Bad, binary, calls, row, rows, unary

ACCEPTED = ALL_FLOATS + INTS + BOOL


def _np(f):
    """f over an array of any dtype, in double."""
    return lambda x: np.vectorize(f, otypes=[float])(np.asarray(x, dtype=float))


# ---- gamma family
row("lgamma", unary(0.1, 4), ACCEPTED, ref=_np(lambda v: math.lgamma(v) if v > 0 else math.inf))
row("digamma", unary(0.5, 4), ACCEPTED)
row(
    "polygamma",
    calls(lambda m: (1, m(2, 3, low=0.5, high=4)), lambda m: (3, m(4, low=0.5, high=4))),
    ACCEPTED,
    errors=[Bad(lambda f: f(-1, torch.ones(2)), RuntimeError, "does not support negative n")],
)
row(
    "mvlgamma",
    calls(lambda m: (m(2, 3, low=2, high=5), 3)),
    ALL_FLOATS,
    errors=[Bad(lambda f: f(torch.ones(2), 0), RuntimeError, "p has to be greater than or equal to 1")],
)
rows("igamma igammac", calls(lambda m: (m(2, 3, low=0.5, high=4, grad=False), m(3, low=0.2, high=4))), ALL_FLOATS)

# ---- error functions and the normal distribution
row("erfinv", unary(-0.9, 0.9), ACCEPTED)
row("special_erfcx", unary(-1, 2), ACCEPTED, ref=_np(lambda v: math.exp(v * v) * math.erfc(v)))
row("special_ndtr", unary(), ACCEPTED, ref=_np(lambda v: 0.5 * math.erfc(-v / math.sqrt(2))))
row("special_log_ndtr", unary(), ACCEPTED, ref=_np(lambda v: math.log(0.5 * math.erfc(-v / math.sqrt(2)))))
row("special_ndtri", unary(0.1, 0.9), ACCEPTED)
row("special_entr", unary(0.1, 2), ACCEPTED, ref=_np(lambda v: -v * math.log(v) if v > 0 else 0.0))

# ---- Bessel functions
rows("i0 special_i0e", unary(), ACCEPTED)
rows("special_i1 special_i1e", unary(0.2, 3), ACCEPTED)
rows(
    "special_bessel_j0 special_bessel_j1 special_modified_bessel_i0 special_modified_bessel_i1 special_spherical_bessel_j0 "
    "special_airy_ai",
    unary(),
    ACCEPTED,
    grad=False,
)
rows(
    "special_bessel_y0 special_bessel_y1 special_modified_bessel_k0 special_modified_bessel_k1 "
    "special_scaled_modified_bessel_k0 special_scaled_modified_bessel_k1",
    unary(0.2, 3),
    ACCEPTED,
    grad=False,
)

# ---- of two arguments
rows("xlogy special_xlogy special_xlog1py", binary(0.5, 2), ACCEPTED)
row(
    "special_zeta",
    calls(lambda m: (m(2, 3, low=1.5, high=4, grad=False), m(3, low=0.5, high=2)), lambda m: (2.0, m(4, low=1, high=2))),
    ALL_FLOATS,
)
_DEGREES = calls(
    lambda m: (m(5), m.index(12, 5)), lambda m: (m(2, 3), 4), lambda m: (0.5, m.index(12, 3)), lambda m: (m(2), -1)
)
for _name, _ref in {
    "chebyshev_polynomial_t": np.polynomial.chebyshev.chebval,
    "hermite_polynomial_h": np.polynomial.hermite.hermval,
    "hermite_polynomial_he": np.polynomial.hermite_e.hermeval,
    "laguerre_polynomial_l": np.polynomial.laguerre.lagval,
    "legendre_polynomial_p": np.polynomial.legendre.legval,
}.items():
    row(
        "special_" + _name,
        _DEGREES,
        FLOATS,
        grad=False,
        tol=1e-4,
        ref=lambda x, n, f=_ref: np.vectorize(lambda a, b: f(a, [0] * int(b) + [1]) if b >= 0 else 0.0)(x, n),
    )
rows(
    "special_chebyshev_polynomial_u special_chebyshev_polynomial_v special_chebyshev_polynomial_w "
    "special_shifted_chebyshev_polynomial_t special_shifted_chebyshev_polynomial_u "
    "special_shifted_chebyshev_polynomial_v special_shifted_chebyshev_polynomial_w",
    _DEGREES,
    FLOATS,
    grad=False,
)
