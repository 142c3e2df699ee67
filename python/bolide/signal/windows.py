"""Window functions: ``f(M, *, sym=True)`` gives M values, of a symmetric window or (sym=False) of a periodic one."""

import math

from .. import _C
from .._C import _ops

__all__ = ["bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming", "hann",
           "kaiser", "nuttall"]


def _check(name, M, dtype, layout):
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not _C.strided:
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if dtype not in (_C.float32, _C.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")


def _window(name, values, M, sym, dtype, layout, device, requires_grad):
    """values(span) with what linspace needs, once the arguments are judged; 1 for a window of one value."""
    dtype = dtype or _C.get_default_dtype()
    _check(name, M, dtype, layout)
    if M <= 1:
        return _ops.ones((M,), dtype=dtype, device=device, requires_grad=requires_grad)
    made = values(M if not sym else M - 1, dict(steps=M, dtype=dtype, device=device))
    return made.requires_grad_() if requires_grad else made


def exponential(M, *, center=None, tau=1.0, sym=True, dtype=None, layout=_C.strided, device=None, requires_grad=False):
    """exp(-|n - center| / tau)."""
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def values(span, how):
        c = span / 2 if center is None else center
        return (-abs(_ops.linspace(-c / tau, (-c + M - 1) / tau, **how))).exp()
    return _window("exponential", values, M, sym, dtype, layout, device, requires_grad)


def cosine(M, *, sym=True, dtype=None, layout=_C.strided, device=None, requires_grad=False):
    """sin(pi (n + 1/2) / M)."""
    def values(span, how):
        step = math.pi / (span + 1)
        return _ops.linspace(step / 2, (M - 0.5) * step, **how).sin()
    return _window("cosine", values, M, sym, dtype, layout, device, requires_grad)


def gaussian(M, *, std=1.0, sym=True, dtype=None, layout=_C.strided, device=None, requires_grad=False):
    """exp(-(n / std)^2 / 2) around the middle."""
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")

    def values(span, how):
        scale = 1 / (std * math.sqrt(2))
        k = _ops.linspace(-span / 2 * scale, (-span / 2 + M - 1) * scale, **how)
        return (-(k * k)).exp()
    return _window("gaussian", values, M, sym, dtype, layout, device, requires_grad)


def kaiser(M, *, beta=12.0, sym=True, dtype=None, layout=_C.strided, device=None, requires_grad=False):
    """I0(beta sqrt(1 - x^2)) / I0(beta)."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")

    def values(span, how):
        k = _ops.linspace(-beta, -beta + (M - 1) * 2 * beta / span, **how)
        top = _ops.full((), float(beta), dtype=how["dtype"], device=how["device"])
        return _ops.i0((top * top - k * k).clamp(min=0).sqrt()) / _ops.i0(top)
    return _window("kaiser", values, M, sym, dtype, layout, device, requires_grad)


def hamming(M, *, sym=True, dtype=None, layout=_C.strided, device=None, requires_grad=False):
    """0.54 - 0.46 cos(2 pi n / (M - 1))."""
    return general_hamming(M, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def hann(M, *, sym=True, dtype=None, layout=_C.strided, device=None, requires_grad=False):
    """(1 - cos(2 pi n / (M - 1))) / 2."""
    return general_hamming(M, alpha=0.5, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def blackman(M, *, sym=True, dtype=None, layout=_C.strided, device=None, requires_grad=False):
    """0.42 - 0.5 cos(2 pi n / (M - 1)) + 0.08 cos(4 pi n / (M - 1))."""
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def bartlett(M, *, sym=True, dtype=None, layout=_C.strided, device=None, requires_grad=False):
    """1 - |2 n / (M - 1) - 1|."""
    def values(span, how):
        return 1 - abs(_ops.linspace(-1, -1 + (M - 1) * 2 / span, **how))
    return _window("bartlett", values, M, sym, dtype, layout, device, requires_grad)


def general_cosine(M, *, a, sym=True, dtype=None, layout=_C.strided, device=None, requires_grad=False):
    """The sum of (-1)^i a[i] cos(2 pi i n / (M - 1))."""
    if not isinstance(a, (list, tuple)):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")

    def values(span, how):
        k = _ops.linspace(0, (M - 1) * 2 * math.pi / span, **how)
        return sum(((-1) ** i * w) * (k * i).cos() for i, w in enumerate(a))
    return _window("general_cosine", values, M, sym, dtype, layout, device, requires_grad)


def general_hamming(M, *, alpha=0.54, sym=True, dtype=None, layout=_C.strided, device=None, requires_grad=False):
    """alpha - (1 - alpha) cos(2 pi n / (M - 1))."""
    return general_cosine(M, a=[alpha, 1 - alpha], sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def nuttall(M, *, sym=True, dtype=None, layout=_C.strided, device=None, requires_grad=False):
    """The minimum four-term Blackman-Harris window."""
    return general_cosine(M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], sym=sym, dtype=dtype, layout=layout, device=device,
                          requires_grad=requires_grad)
