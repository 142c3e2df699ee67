"""Rows of pooling."""

import itertools

import numpy as np

import bolide as torch

from .table import ALL_FLOATS, FLOATS, INTS, Bad, Make, Samples, calls, row


def _tuple(v, n):
    return (v,) * n if isinstance(v, int) else tuple(v) * (n if len(v) == 1 else 1)


def _windows(size, kernel, stride, padding, dilation, ceil):
    """(positions, length with padding) of each window along one axis."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (count - 1) * stride >= size + padding:
        count -= 1
    for o in range(count):
        start = o * stride - padding
        yield (
            [p for p in range(start, start + dilation * (kernel - 1) + 1, dilation) if 0 <= p < size],
            min(start + kernel, size + padding) - start,
        )


def _adaptive(size, count):
    return [(list(range(o * size // count, -(-(o + 1) * size // count))), 0) for o in range(count)]


def _reduce(x, axes, f):
    """f(values, positions, padded size) of every window; results stacked in the last dimensions."""
    n = len(axes)
    flat = x.reshape(-1, *x.shape[-n:])
    out = [[f(p, w) for w in itertools.product(*axes)] for p in flat]
    return np.array(out).reshape(*x.shape[:-n], *map(len, axes))


def _max(values, window):
    return values[np.ix_(*(w[0] for w in window))].max()


def _place(values, window):
    spots = list(itertools.product(*(w[0] for w in window)))
    best = max(spots, key=lambda p: values[p])
    return np.ravel_multi_index(best, values.shape)


def _max_pool(n, places=False):
    def ref(x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
        lists = [_tuple(v, n) for v in (kernel, kernel if stride is None else stride, padding, dilation)]
        axes = [list(_windows(s, *a, ceil_mode)) for s, *a in zip(x.shape[-n:], *lists, strict=True)]
        values = _reduce(x, axes, _max).astype(x.dtype)
        return (values, _reduce(x, axes, _place)) if places else values

    return ref


def _avg_pool(n):
    def ref(
        x, kernel, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
    ):
        lists = [_tuple(v, n) for v in (kernel, kernel if stride is None else stride, padding, 1)]
        axes = [list(_windows(s, *a, ceil_mode)) for s, *a in zip(x.shape[-n:], *lists, strict=True)]

        def mean(values, window):
            part = values[np.ix_(*(w[0] for w in window))]
            count = np.prod([w[1] for w in window]) if count_include_pad else part.size
            return part.sum() / (divisor_override or count)

        return _reduce(x, axes, mean).astype(x.dtype)

    return ref


_SIZES = (7, 6, 5)


def _max_samples(n):
    def samples(m: Make) -> Samples:
        size = _SIZES[:n]
        yield (m(2, 3, *size), 2), {}
        yield (m(3, *size), [3] * n, 2, 1), {}
        yield (m(2, 1, *size), 2, 1, 0, 2), {}
        yield (m(2, 1, *size), [3] * n), {"stride": 2, "padding": 1, "ceil_mode": True}
        yield (m(0, 3, *size), 2), {}

    return samples


def _ones(*shape, **kw):
    return torch.ones(*shape, **kw)


_TYPES = ALL_FLOATS + INTS
_MAX_ERRORS = [
    Bad(lambda f: f(_ones(1, 2, 4, 4), 0), RuntimeError, "should not be zero|greater than zero"),
    Bad(
        lambda f: f(_ones(1, 2, 4, 4), 2, padding=2),
        RuntimeError,
        "pad should be at most half of effective kernel",
    ),
    Bad(lambda f: f(_ones(1, 2, 4, 4), 2, padding=-1), RuntimeError, "pad must be non-negative"),
    Bad(lambda f: f(_ones(1, 2, 4, 4), 5), RuntimeError, "Output size is too small"),
    Bad(lambda f: f(_ones(1, 2, 4, 4), 2, 2**62), RuntimeError, "too large"),
    Bad(lambda f: f(_ones(1, 2, 4, 4), (2, 2, 2)), RuntimeError, "a tuple of two ints"),
    Bad(lambda f: f(_ones(4), 2), RuntimeError, "non-empty 3D or 4D"),
    Bad(
        lambda f: f(_ones(1, 2, 4, 4, dtype=torch.bool), 2), NotImplementedError, "not implemented for 'Bool'"
    ),
]
for _n in (1, 2, 3):
    row(f"max_pool{_n}d", _max_samples(_n), _TYPES, ref=_max_pool(_n), errors=_MAX_ERRORS if _n == 2 else [])
    row(f"max_pool{_n}d_with_indices", _max_samples(_n), _TYPES, ref=_max_pool(_n, True))


def _avg_samples(n):
    def samples(m: Make) -> Samples:
        size = _SIZES[:n]
        yield (m(2, 3, *size), 2), {}
        yield (m(3, *size), [3] * n, 2, 1, False, False), {}
        yield (m(2, 1, *size), 3, 2, 1, True, True, None), {}
        yield (m(2, 1, *size), 2), {"stride": 1, **({"divisor_override": 3} if n > 1 else {})}

    return samples


_AVG_ERRORS = [
    Bad(lambda f: f(_ones(1, 2, 4, 4), 2, divisor_override=0), RuntimeError, "divisor must be not zero"),
    Bad(lambda f: f(_ones(1, 2, 4, 4), 5), RuntimeError, "Output size is too small"),
    Bad(
        lambda f: f(_ones(1, 2, 4, 4, dtype=torch.int32), 2), NotImplementedError, "not implemented for 'Int'"
    ),
]
for _n in (1, 2, 3):
    row(
        f"avg_pool{_n}d",
        _avg_samples(_n),
        ALL_FLOATS,
        ref=_avg_pool(_n),
        errors=_AVG_ERRORS if _n == 2 else [],
    )


def _avg_slopes(n):
    def samples(m: Make) -> Samples:
        out = [s // 2 for s in _SIZES[:n]]
        yield (m(2, 3, *out), m(2, 3, *_SIZES[:n]), [2] * n, [], [0] * n, False, True, None), {}

    return samples


for _n in (1, 2, 3):
    row(f"avg_pool{_n}d_backward", _avg_slopes(_n), ALL_FLOATS)


def _adaptive_samples(n):
    def samples(m: Make) -> Samples:
        yield (m(2, 3, *_SIZES[:n]), (3, 4, 2)[:n]), {}
        yield (m(3, *_SIZES[:n]), [1] * n), {}
        yield (m(2, 1, *_SIZES[:n]), [9] * n), {}

    return samples


def _adaptive_axes(x, out):
    return [_adaptive(s, o) for s, o in zip(x.shape[-len(out) :], out, strict=True)]


def _adaptive_avg(x, out):
    return _reduce(x, _adaptive_axes(x, out), lambda v, w: v[np.ix_(*(a[0] for a in w))].mean()).astype(
        x.dtype
    )


def _adaptive_max(x, out):
    axes = _adaptive_axes(x, out)
    return _reduce(x, axes, _max).astype(x.dtype), _reduce(x, axes, _place)


_EMPTY = [
    Bad(lambda f: f(_ones(1, 2, 0, 4), (2, 2)), RuntimeError, "Expected input to have non-zero size"),
    Bad(lambda f: f(_ones(1, 2, 4, 4), (2,) * 3), RuntimeError, "must be 2"),
    Bad(
        lambda f: f(_ones(1, 2, 4, 4), (-1, 2)), RuntimeError, "greater than or equal to 0|negative dimension"
    ),
]
for _n in (1, 2, 3):
    row(
        f"adaptive_avg_pool{_n}d",
        _adaptive_samples(_n),
        ALL_FLOATS,
        ref=_adaptive_avg,
        errors=_EMPTY if _n == 2 else [],
    )
    row(
        f"adaptive_max_pool{_n}d",
        _adaptive_samples(_n),
        ALL_FLOATS,
        ref=_adaptive_max,
        errors=_EMPTY if _n == 2 else [],
    )
row("_adaptive_avg_pool_backward", calls(lambda m: (m(2, 3, 4), m(2, 7, 5), 2)), ALL_FLOATS)

# ---- by places ------------------------------------------------------------------------------------

row("_pool_scatter", calls(lambda m: (m(2, 3, 2), m(2, 3, 5), m.index(5, 2, 3, 2), 1)), _TYPES)
row("_pool_gather", calls(lambda m: (m(2, 3, 5), m.index(5, 2, 3, 2), 1)), _TYPES)
_BEYOND = Bad(
    lambda f: f(_ones(1, 1, 1, 1), torch.tensor([[[[4]]]]), (2, 2)),
    RuntimeError,
    "Found an invalid max index: 4",
)


def _unpool(x, indices, size, stride=None, padding=None):
    n = len(size)
    out = np.zeros((*x.shape[:-n], int(np.prod(size))), x.dtype)
    flat = indices.reshape(*x.shape[:-n], -1)
    np.put_along_axis(out, flat, x.reshape(flat.shape), -1)
    return out.reshape(*x.shape[:-n], *size)


row(
    "max_unpool2d",
    calls(
        lambda m: (
            m(2, 2, 2, 2),
            torch.tensor([[0, 5], [10, 15]], device=m.device).expand(2, 2, 2, 2),
            (4, 4),
        )
    ),
    _TYPES,
    ref=_unpool,
    errors=[_BEYOND],
)
row(
    "max_unpool3d",
    calls(
        lambda m: (
            m(2, 1, 1, 2),
            torch.tensor([3, 6], device=m.device).expand(2, 1, 1, 2),
            (2, 2, 2),
            (1, 1, 1),
            (0, 0, 0),
        )
    ),
    FLOATS,
    ref=_unpool,
    errors=[
        Bad(
            lambda f: f(_ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1).long(), (2, 2, 2), (0, 1, 1), (0, 0, 0)),
            RuntimeError,
            "strides should be greater than zero",
        )
    ],
)
for _n in (2, 3):
    row(
        f"fractional_max_pool{_n}d",
        calls(
            lambda m, n=_n: (m(2, 3, *_SIZES[:n]), [2] * n, [3] * n, m(2, 3, n, low=0, high=1, grad=False)),
            lambda m, n=_n: (m(3, *_SIZES[:n]), [2] * n, [1] * n, m(1, 3, n, low=0, high=1, grad=False)),
        ),
        ALL_FLOATS,
        errors=[
            Bad(
                lambda f, n=_n: f(_ones(1, 1, *_SIZES[:n]), [8] * n, [1] * n, torch.rand(1, 1, n)),
                RuntimeError,
                "too large relative to input",
            )
        ],
    )
