"""Rows of softmax and its relatives."""

import numpy as np

import bolide as torch

from .table import ALL_FLOATS, Bad, Make, Samples, calls, row


def _along(m: Make) -> Samples:
    for shape, dim in (((3, 4), 1), ((3, 4), 0), ((2, 5, 3), 1), ((), 0), ((0, 3), 1), ((67,), -1)):
        yield (m(*shape), dim), {}


def _softmax(x, dim):
    x = np.asarray(x)
    e = np.exp(x - x.max(axis=dim, keepdims=True)) if x.size else x
    return e / e.sum(axis=dim, keepdims=True) if x.ndim else np.ones_like(x)


def _log_softmax(x, dim):
    with np.errstate(divide="ignore"):
        return np.log(_softmax(x, dim))


_ERRORS = [
    Bad(lambda f: f(torch.ones(3), 1), IndexError, "Dimension out of range"),
    Bad(lambda f: f(torch.ones(3, dtype=torch.int64), 0), NotImplementedError, "not implemented for 'Long'"),
]
row("softmax", _along, ALL_FLOATS, ref=_softmax, errors=_ERRORS)
row("log_softmax", _along, ALL_FLOATS, ref=_log_softmax, errors=_ERRORS)
row("_safe_softmax", _along, ALL_FLOATS, ref=_softmax)


def _data(m: Make) -> Samples:
    yield (m(3, 4), 1, False), {}


row("_softmax", _data, ALL_FLOATS, ref=lambda x, d, _: _softmax(x, d))
row("_log_softmax", _data, ALL_FLOATS, ref=lambda x, d, _: _log_softmax(x, d))


def _backward(m: Make) -> Samples:
    for shape, dim in (((3, 4), 1), ((2, 5, 3), 1)):
        yield (m(*shape), m(*shape, low=-1.5, high=-0.1), dim, m.dtype), {}


row("_softmax_backward_data", _backward, ALL_FLOATS)
row("_log_softmax_backward_data", _backward, ALL_FLOATS)


def _rows(m: Make) -> Samples:
    yield (m(5, 4), torch.tensor([0, 3, -100, 1, 2], device=m.device), None, 1, -100), {}
    yield (m(5, 4), m.index(4, 5), m(4, low=0.5, high=2, grad=False), 0, 1), {}
    yield (m(4), m.index(4), None, 2, -100), {}


row("_cross_entropy_rows", _rows, ALL_FLOATS, call=lambda *a: torch._C._ops._cross_entropy_rows(*a)[0])


def _rows_backward(m: Make) -> Samples:
    x = m(5, 4)
    lse = torch.logsumexp(x.detach(), 1) if hasattr(torch, "logsumexp") else x.detach().exp().sum(1).log()
    total = m(low=1, high=3, grad=False)
    yield (m(), x, lse, m.index(4, 5), m(4, low=0.5, high=2, grad=False), 1, -100, total), {}


row(
    "_cross_entropy_rows_backward",
    _rows_backward,
    (torch.float32, torch.float64),
    grad=False,
)


def _likelihoods(m: Make) -> Samples:
    yield (m(5, 4), m.index(4, 5), m(4, low=0.5, high=2, grad=False)), {}
    yield (m(2, 4, 3), m.index(4, 2, 3)), {"reduction": 0}
    yield (m(2, 4, 3, 2), m.index(4, 2, 3, 2)), {"reduction": 2, "ignore_index": 1}
    yield (m(4), m.index(4)), {}


def _nll(x, t, weight=None, reduction=1, ignore_index=-100):
    dim = min(x.ndim - 1, 1)
    w = np.ones(x.shape[dim], x.dtype) if weight is None else weight
    picked = np.squeeze(np.take_along_axis(x, np.expand_dims(t, dim), dim), dim)
    factor = w[t] * (t != ignore_index)
    each = -picked * factor
    if reduction == 0:
        return each
    return each.sum() if reduction == 2 else each.sum() / factor.sum()


_CLASS_ERRORS = [
    Bad(lambda f: f(torch.ones(2, 3), torch.tensor([0, 3])), IndexError, "Target 3 is out of bounds"),
    Bad(lambda f: f(torch.ones(2, 3), torch.tensor([0, -1])), IndexError, "Target -1 is out of bounds"),
    Bad(lambda f: f(torch.ones(2, 3), torch.tensor([0])), ValueError, "to match target batch_size"),
    Bad(lambda f: f(torch.ones(2, 3), torch.tensor([0.0, 1.0])), RuntimeError, "Long or Byte, but got Float"),
    Bad(
        lambda f: f(torch.ones(2, 3), torch.tensor([0, 1]), torch.ones(2)), RuntimeError, "for all 3 classes"
    ),
]
row("nll_loss_nd", _likelihoods, ALL_FLOATS, ref=_nll, errors=_CLASS_ERRORS)
row("nll_loss_forward", calls(lambda m: (m(5, 4), m.index(4, 5), None, 1, -100)), ALL_FLOATS, grad=False)
row(
    "nll_loss2d_forward",
    calls(lambda m: (m(2, 4, 3, 2), m.index(4, 2, 3, 2), None, 1, -100)),
    ALL_FLOATS,
    grad=False,
)
row(
    "nll_loss_backward",
    calls(
        lambda m: (m(5), m(5, 4), m.index(4, 5), m(4, low=0.5, high=2, grad=False), 0, -100, m(grad=False)),
    ),
    ALL_FLOATS,
)


def _entropies(m: Make) -> Samples:
    yield from _likelihoods(m)
    yield (m(5, 4), m(5, 4, low=0, high=1), m(4, low=0.5, high=2, grad=False)), {"label_smoothing": 0.2}
    yield (m(2, 4, 3), m(2, 4, 3, low=0, high=1)), {"reduction": 0}
    yield (m(5, 4), m.index(4, 5), m(4, low=0.5, high=2, grad=False)), {"label_smoothing": 0.1}
    yield (m(2, 4, 3), m.index(4, 2, 3)), {"label_smoothing": 0.1, "ignore_index": 1}


def _entropy(x, t, weight=None, reduction=1, ignore_index=-100, label_smoothing=0.0):
    dim = min(x.ndim - 1, 1)
    logs, classes = _log_softmax(x, dim), x.shape[dim]
    w = np.ones(classes, x.dtype) if weight is None else weight
    along = w.reshape([-1 if d == dim else 1 for d in range(x.ndim)])
    if t.shape == x.shape:
        t = t * (1 - label_smoothing) + label_smoothing / classes
        each = -(logs * t * along).sum(dim)
        return each if reduction == 0 else each.sum() if reduction == 2 else each.sum() / each.size
    factor = w[t] * (t != ignore_index)
    smooth = -(logs * along).sum(dim) * (t != ignore_index)
    each = (1 - label_smoothing) * _nll(logs, t, weight, 0, ignore_index) + label_smoothing / classes * smooth
    return each if reduction == 0 else each.sum() if reduction == 2 else each.sum() / factor.sum()


row("cross_entropy_loss", _entropies, ALL_FLOATS, ref=_entropy, errors=_CLASS_ERRORS)
