"""Rows of the losses of pairs."""

import numpy as np

import bolide as torch

from .table import ALL_FLOATS, Bad, Make, Samples, row


def _reduced(each, reduction):
    return each.mean() if reduction == 1 else each.sum() if reduction == 2 else each


def _pairs(low=-2.0, high=2.0, target=None, **kwargs):
    lo, hi = target or (low, high)

    def samples(m: Make) -> Samples:
        for reduction in (0, 1, 2):
            yield (m(3, 4, low=low, high=high), m(3, 4, low=lo, high=hi)), {"reduction": reduction, **kwargs}

    return samples


def _slopes(low=-2.0, high=2.0, target=None, tail=()):
    lo, hi = target or (low, high)

    def samples(m: Make) -> Samples:
        yield (m(), m(3, 4, low=low, high=high), m(3, 4, low=lo, high=hi), 1, *tail), {}
        yield (m(3, 4), m(3, 4, low=low, high=high), m(3, 4, low=lo, high=hi), 0, *tail), {}

    return samples


row("mse_loss", _pairs(), ALL_FLOATS, ref=lambda x, t, reduction: _reduced((x - t) ** 2, reduction))
row("mse_loss_backward", _slopes(), ALL_FLOATS)
row("l1_loss", _pairs(), ALL_FLOATS, ref=lambda x, t, reduction: _reduced(np.abs(x - t), reduction))


def _smooth(x, t, reduction, beta):
    z = np.abs(x - t)
    return _reduced(np.where(z < beta, 0.5 * z * z / beta, z - 0.5 * beta), reduction)


def _huber(x, t, reduction, delta):
    z = np.abs(x - t)
    return _reduced(np.where(z < delta, 0.5 * z * z, delta * (z - 0.5 * delta)), reduction)


_NEGATIVE = Bad(lambda f: f(torch.ones(3), torch.ones(3), 1, -1.0), RuntimeError, "does not support n")
row("smooth_l1_loss", _pairs(beta=0.7), ALL_FLOATS, ref=_smooth, errors=[_NEGATIVE])
row("smooth_l1_loss_backward", _slopes(tail=(0.7,)), ALL_FLOATS)
row("huber_loss", _pairs(delta=0.7), ALL_FLOATS, ref=_huber, errors=[_NEGATIVE])
row("huber_loss_backward", _slopes(tail=(0.7,)), ALL_FLOATS)


def _margins(m: Make) -> Samples:
    for reduction in (0, 1, 2):
        yield (m(3, 4), m(3, 4, grad=False)), {"reduction": reduction}


row(
    "soft_margin_loss",
    _margins,
    ALL_FLOATS,
    ref=lambda x, t, reduction: _reduced(np.log1p(np.exp(-t * x)), reduction),
)


def _margin_slopes(m: Make) -> Samples:
    yield (m(), m(3, 4), m(3, 4, grad=False), 1), {}


row("soft_margin_loss_backward", _margin_slopes, ALL_FLOATS)


def _kl(x, t, reduction, log_target=False):
    each = (
        np.exp(t) * (t - x) if log_target else np.where(t > 0, t * np.log(np.where(t > 0, t, 1)), 0) - t * x
    )
    return _reduced(each, reduction)


def _divergences(m: Make) -> Samples:
    yield from _pairs(0.1, 2.0)(m)
    yield from _pairs(log_target=True)(m)


row("kl_div", _divergences, ALL_FLOATS, ref=_kl)


def _probabilities(m: Make) -> Samples:
    for reduction in (0, 1, 2):
        yield (m(3, 4, low=0.1, high=0.9), m(3, 4, low=0.1, high=0.9)), {"reduction": reduction}
    yield (m(3, 4, low=0.1, high=0.9), m(3, 4, low=0.1, high=0.9), m(3, 4, low=0.5, high=2, grad=False)), {}


def _bce(x, t, weight=None, reduction=1):
    each = -(t * np.log(x) + (1 - t) * np.log(1 - x))
    return _reduced(each if weight is None else each * weight, reduction)


row(
    "binary_cross_entropy",
    _probabilities,
    ALL_FLOATS,
    ref=_bce,
    errors=[
        Bad(
            lambda f: f(torch.tensor([1.5]), torch.ones(1)),
            RuntimeError,
            "elements of input should be between",
        ),
        Bad(lambda f: f(torch.ones(1), torch.tensor([-0.5])), RuntimeError, "elements of target should be"),
        Bad(
            lambda f: f(torch.ones(1), torch.ones(1, dtype=torch.float64)), RuntimeError, "Found dtype Double"
        ),
    ],
)


def _bce_slopes(m: Make) -> Samples:
    w = m(3, 4, low=0.5, high=2, grad=False)
    yield (m(), m(3, 4, low=0.1, high=0.9), m(3, 4, low=0.1, high=0.9), w, 1), {}


row("binary_cross_entropy_backward", _bce_slopes, ALL_FLOATS)


def _logits(m: Make) -> Samples:
    for reduction in (0, 1, 2):
        yield (m(3, 4), m(3, 4, low=0, high=1)), {"reduction": reduction}
    w, p = m(3, 4, low=0.5, high=2, grad=False), m(4, low=0.5, high=3, grad=False)
    yield (m(3, 4), m(3, 4, low=0, high=1), w, p), {}


def _bce_logits(x, t, weight=None, pos=None, reduction=1):
    s = 1 / (1 + np.exp(-x))
    each = -((1 if pos is None else pos) * t * np.log(s) + (1 - t) * np.log(1 - s))
    return _reduced(each if weight is None else each * weight, reduction)


row("binary_cross_entropy_with_logits", _logits, ALL_FLOATS, ref=_bce_logits)


def _logit_slopes(m: Make) -> Samples:
    w, p = m(3, 4, low=0.5, high=2, grad=False), m(4, low=0.5, high=3, grad=False)
    yield (m(), m(3, 4), m(3, 4, low=0, high=1), w, p, 1), {}
    yield (m(3, 4), m(3, 4), m(3, 4, low=0, high=1), None, None, 0), {}


row("binary_cross_entropy_with_logits_backward", _logit_slopes, ALL_FLOATS)
