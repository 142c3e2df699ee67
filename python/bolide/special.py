"""``bolide.special``: special functions, most of them with derivatives."""

from . import _C
from ._C import _ops

_OWN = """airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v
chebyshev_polynomial_w entr erfcx hermite_polynomial_h hermite_polynomial_he i0e i1 i1e laguerre_polynomial_l
legendre_polynomial_p log_ndtr modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 ndtr ndtri
scaled_modified_bessel_k0 scaled_modified_bessel_k1 shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u
shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w spherical_bessel_j0 xlog1py zeta""".split()
_SHARED = {  # functions that stand in the main module under another or the same name
    "digamma": "digamma", "erf": "erf", "erfc": "erfc", "erfinv": "erfinv", "exp2": "exp2", "expit": "sigmoid", "expm1": "expm1",
    "gammainc": "igamma", "gammaincc": "igammac", "gammaln": "lgamma", "i0": "i0", "log1p": "log1p", "logit": "logit",
    "logsumexp": "logsumexp", "multigammaln": "mvlgamma", "polygamma": "polygamma", "psi": "digamma", "round": "round",
    "sinc": "sinc", "xlogy": "xlogy"}
__all__ = sorted([*_OWN, *_SHARED, "log_softmax", "softmax"])


def __getattr__(name):
    if name in _OWN:
        found = getattr(_ops, "special_" + name)
    elif name in _SHARED:
        found = getattr(_C, _SHARED[name])
    else:
        raise AttributeError(f"module 'bolide.special' has no attribute '{name}'")
    globals()[name] = found
    return found


def __dir__():
    return __all__


def softmax(input, dim, *, dtype=None):
    """Softmax along ``dim``."""
    return _ops.softmax(input, dim, dtype)


def log_softmax(input, dim, *, dtype=None):
    """The logarithm of softmax along ``dim``."""
    return _ops.log_softmax(input, dim, dtype)
