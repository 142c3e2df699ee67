"""Rows of normalisations."""

import numpy as np

import bolide as torch

from .table import ALL_FLOATS, Bad, Make, Samples, calls, row


def _ones(*shape, **kw):
    return torch.ones(*shape, **kw)


def _normal(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def _layer_norm(x, shape, w=None, b=None, eps=1e-5):
    y = _normal(x, tuple(range(-len(shape), 0)), eps)
    return (y if w is None else y * w) + (0 if b is None else b)


def _layers(m: Make) -> Samples:
    yield (m(3, 4), [4], m(4), m(4)), {}
    yield (m(2, 3, 4), [3, 4], m(3, 4)), {}
    yield (m(2, 3, 4), [4]), {"eps": 0.1}
    yield (m(2, 3), [3], None, m(3)), {}
    yield (m(0, 4), [4], m(4), m(4)), {}


_SHAPE_ERRORS = [
    Bad(lambda f: f(_ones(2, 3), []), RuntimeError, "Expected normalized_shape to be at least 1-dimensional"),
    Bad(lambda f: f(_ones(2, 3), [3], _ones(2)), RuntimeError, "Expected weight to be of same shape"),
    Bad(lambda f: f(_ones(2, 3), [2]), RuntimeError, r"expected input with shape \[\*, 2\]"),
    Bad(lambda f: f(_ones(2, 3).long(), [3]), NotImplementedError, "not implemented for 'Long'"),
]
row(
    "layer_norm",
    _layers,
    ALL_FLOATS,
    ref=_layer_norm,
    errors=[
        *_SHAPE_ERRORS,
        Bad(
            lambda f: f(_ones(2, 3), [3], _ones(3).double()),
            RuntimeError,
            "expect parameter to have scalar type",
        ),
    ],
)
_FULL = calls(lambda m: (m(3, 4), [4], m(4), m(4), 1e-5), lambda m: (m(2, 3, 4), [3, 4], None, None, 1e-5))
row("_layer_norm", _FULL, ALL_FLOATS, call=lambda *a: torch._C._ops._layer_norm(*a)[0])
row("native_layer_norm", _FULL, ALL_FLOATS, grad=False)


def _statistics(x, axes):
    v = x.detach()
    mean = v.mean(axes, True)
    return mean, (((v - mean) ** 2).mean(axes, True) + 1e-5).rsqrt()


def _layer_slopes(m: Make) -> Samples:
    x = m(3, 4)
    mean, rstd = (m._move(t) if m.device != "cpu" else t for t in _statistics(m(3, 4, grad=False), [1]))
    yield (m(3, 4), x, [4], mean, rstd, m(4), m(4), [True, True, True]), {}


row("native_layer_norm_backward", _layer_slopes, ALL_FLOATS, grad=False)


def _rms_slopes(m: Make) -> Samples:
    yield (m(3, 4), m(3, 4), [4], m(3, 1, low=0.5, high=2, grad=False), m(4), [True, True]), {}


row("_rms_norm_backward", _rms_slopes, ALL_FLOATS, grad=False)


def _rms_norm(x, shape, w=None, eps=None):
    axes = tuple(range(-len(shape), 0))
    least = np.finfo(x.dtype).eps if eps is None else eps
    y = x / np.sqrt((x * x).mean(axes, keepdims=True) + least)
    return y if w is None else y * w


def _rms(m: Make) -> Samples:
    yield (m(3, 4), [4], m(4)), {}
    yield (m(2, 3, 4), [3, 4]), {"eps": 0.1}


row("rms_norm", _rms, (torch.float32, torch.float64), ref=_rms_norm, errors=_SHAPE_ERRORS)
row(
    "_fused_rms_norm",
    calls(lambda m: (m(3, 4), [4], m(4), None)),
    ALL_FLOATS,
    call=lambda *a: torch._C._ops._fused_rms_norm(*a)[0],
)


def _group_norm(x, groups, w=None, b=None, eps=1e-5):
    n, c = x.shape[:2]
    y = _normal(x.reshape(n, groups, -1), 2, eps).reshape(x.shape)
    along = (1, c) + (1,) * (x.ndim - 2)
    return (y if w is None else y * w.reshape(along)) + (0 if b is None else b.reshape(along))


def _groups(m: Make) -> Samples:
    yield (m(2, 4, 3), 2, m(4), m(4)), {}
    yield (m(2, 6, 2, 2), 3, m(6)), {}
    yield (m(3, 4), 1), {"eps": 0.1}


row(
    "group_norm",
    _groups,
    ALL_FLOATS,
    ref=_group_norm,
    errors=[
        Bad(lambda f: f(_ones(2, 3, 2), 2), RuntimeError, "to be divisible by num_groups"),
        Bad(lambda f: f(_ones(2, 4, 2), 0), RuntimeError, "num groups to be greater than 0"),
        Bad(lambda f: f(_ones(2, 4, 2), 2, _ones(3)), RuntimeError, "equal to the number of channels"),
        Bad(lambda f: f(_ones(3), 1), RuntimeError, "Expected at least 2 dimensions"),
    ],
)
row("_group_norm", calls(lambda m: (m(2, 4, 3), 2, m(4), m(4), 0.1)), ALL_FLOATS, grad=False)
row(
    "native_group_norm",
    calls(lambda m: (m(2, 4, 3), m(4), m(4), 2, 4, 3, 2, 1e-9)),
    ALL_FLOATS,
    second=False,
    errors=[
        Bad(
            lambda f: f(_ones(2, 4, 3), None, None, 2, 4, 4, 2, 1e-5),
            RuntimeError,
            "do not fit an input of size",
        )
    ],
)


def _group_slopes(m: Make) -> Samples:
    stats = m(2, 2, grad=False), m(2, 2, low=0.5, high=2, grad=False)
    yield (m(2, 4, 3), m(2, 4, 3), *stats, m(4), m(4), 2, [True, True, True]), {}


row("_group_norm_backward", _group_slopes, ALL_FLOATS, grad=False)

# ---- batch norm -----------------------------------------------------------------------------------


def _batch_norm(x, w, b, mean, var, training, momentum, eps, _=True):
    along = (1, -1) + (1,) * (x.ndim - 2)
    if training:
        y = _normal(x, tuple(i for i in range(x.ndim) if i != 1), eps)
    else:
        y = (x - mean.reshape(along)) / np.sqrt(var.reshape(along) + eps)
    return (y if w is None else y * w.reshape(along)) + (0 if b is None else b.reshape(along))


def _batches(*tail):
    def samples(m: Make) -> Samples:
        stats = lambda: (m(3, grad=False), m(3, low=0.5, high=2, grad=False))  # noqa: E731
        yield (m(4, 3), m(3), m(3), None, None, True, 0.1, 1e-5, *tail), {}
        yield (m(2, 3, 4), m(3), None, *stats(), True, 0.1, 1e-5, *tail), {}
        yield (m(2, 3, 2, 2), m(3), m(3), *stats(), False, 0.1, 1e-5, *tail), {}
        yield (m(2, 3, 2, 2), None, None, *stats(), True, 0.1, 0.1, *tail), {}

    return samples


def _call(f, x, w=None, b=None, mean=None, var=None, training=True):
    return f(x, w, b, mean, var, training, 0.1, 1e-5, True)


row(
    "batch_norm",
    _batches(True),
    ALL_FLOATS,
    ref=_batch_norm,
    errors=[
        Bad(
            lambda f: _call(f, _ones(2, 3), mean=_ones(2)),
            RuntimeError,
            "running_mean should contain 3 elements not 2",
        ),
        Bad(
            lambda f: _call(f, _ones(2, 3), w=_ones(2)),
            RuntimeError,
            "weight should contain 3 elements not 2",
        ),
        Bad(
            lambda f: _call(f, _ones(2, 3), training=False),
            RuntimeError,
            "running_mean must be defined in evaluation",
        ),
        Bad(lambda f: _call(f, _ones(3)), RuntimeError, "at least a 2-d input"),
        Bad(lambda f: _call(f, _ones(2, 3).long()), NotImplementedError, "not implemented for 'Long'"),
    ],
)
row("_batch_norm", _batches(), ALL_FLOATS, call=lambda *a: torch._C._ops._batch_norm(*a)[0])
row("native_batch_norm", _batches(), ALL_FLOATS, grad=False)


def _legit(m: Make) -> Samples:
    yield (m(4, 3), m(3), m(3), m(3, grad=False), m(3, low=0.5, high=2, grad=False), True, 0.1, 1e-5), {}
    yield (m(4, 3), m(3), m(3), True, 0.1, 1e-5), {}


row("_native_batch_norm_legit", _legit, ALL_FLOATS, grad=False)


def _batch_slopes(m: Make) -> Samples:
    stats = m(3, grad=False), m(3, low=0.5, high=2, grad=False)
    yield (m(2, 3, 4), m(2, 3, 4), m(3), *stats, False, [True, True, True]), {}


row("_batch_norm_backward", _batch_slopes, ALL_FLOATS)


def _instance_norm(x, w, b, mean, var, use_input_stats, momentum, eps, _):
    along = (1, -1) + (1,) * (x.ndim - 2)
    y = _normal(x, tuple(range(2, x.ndim)), eps)
    return (y if w is None else y * w.reshape(along)) + (0 if b is None else b.reshape(along))


row(
    "instance_norm",
    calls(
        lambda m: (m(2, 3, 4), m(3), m(3), None, None, True, 0.1, 1e-5, True),
        lambda m: (m(2, 3, 2, 2), None, None, None, None, True, 0.1, 0.1, True),
        lambda m: (m(1, 3, 4), m(3), None, m(3, grad=False), m(3, grad=False), True, 0.1, 1e-5, True),
    ),
    ALL_FLOATS,
    ref=_instance_norm,
    errors=[
        Bad(
            lambda f: f(_ones(2, 3, 4), None, None, None, None, False, 0.1, 1e-5, True),
            RuntimeError,
            "to be defined when use_input_stats is false",
        )
    ],
)
