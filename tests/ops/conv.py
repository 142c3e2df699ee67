"""Rows of convolutions and padding."""

import itertools

import numpy as np

import bolide as torch

from .table import ALL, ALL_FLOATS, COMPLEX, INTS, Bad, Make, Samples, calls, row

_TYPES = ALL_FLOATS + COMPLEX + INTS


def _tuple(v, n):
    return (v,) * n if isinstance(v, int) else tuple(v) * (n if len(v) == 1 else 1)


def _conv(x, w, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """By definition: one product at a time."""
    n = w.ndim - 2
    if x.ndim == n + 1:
        return _conv(x[None], w, bias, stride, padding, dilation, groups)[0]
    stride, dilation = _tuple(stride, n), _tuple(dilation, n)
    extent = [d * (k - 1) for d, k in zip(dilation, w.shape[2:], strict=True)]
    if padding == "same":
        sides = [(e // 2, e - e // 2) for e in extent]
    else:
        sides = [(p, p) for p in _tuple(0 if padding == "valid" else padding, n)]
    x = np.pad(x, [(0, 0), (0, 0), *sides])
    size = [(i - e - 1) // s + 1 for i, e, s in zip(x.shape[2:], extent, stride, strict=True)]
    y = np.zeros((x.shape[0], w.shape[0], *size), x.dtype)
    per = w.shape[0] // groups
    for tap in itertools.product(*map(range, w.shape[2:])):
        cut = tuple(
            slice(t * d, t * d + (m - 1) * s + 1, s)
            for t, d, m, s in zip(tap, dilation, size, stride, strict=True)
        )
        for g in range(groups):
            part = x[(slice(None), slice(g * w.shape[1], (g + 1) * w.shape[1]), *cut)]
            weight = w[(slice(g * per, (g + 1) * per), slice(None), *tap)]
            y[:, g * per : (g + 1) * per] += np.einsum("nc...,oc->no...", part, weight)
    return y if bias is None else y + bias.reshape(-1, *[1] * n)


def _transposed(x, w, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """By definition: every input pixel spreads the kernel."""
    n = w.ndim - 2
    if x.ndim == n + 1:
        return _transposed(x[None], w, bias, stride, padding, output_padding, groups, dilation)[0]
    stride, dilation, padding, extra = (_tuple(v, n) for v in (stride, dilation, padding, output_padding))
    size = [
        (i - 1) * s + d * (k - 1) + 1 + o
        for i, s, d, k, o in zip(x.shape[2:], stride, dilation, w.shape[2:], extra, strict=True)
    ]
    y = np.zeros((x.shape[0], w.shape[1] * groups, *size), x.dtype)
    per = w.shape[0] // groups
    for tap in itertools.product(*map(range, w.shape[2:])):
        cut = tuple(
            slice(t * d, t * d + (m - 1) * s + 1, s)
            for t, d, m, s in zip(tap, dilation, x.shape[2:], stride, strict=True)
        )
        for g in range(groups):
            part, weight = (
                x[:, g * per : (g + 1) * per],
                w[(slice(g * per, (g + 1) * per), slice(None), *tap)],
            )
            y[(slice(None), slice(g * w.shape[1], (g + 1) * w.shape[1]), *cut)] += np.einsum(
                "nc...,co->no...", part, weight
            )
    y = y[(slice(None), slice(None), *(slice(p, s - p) for p, s in zip(padding, size, strict=True)))]
    return y if bias is None else y + bias.reshape(-1, *[1] * n)


def _inputs(n):
    def samples(m: Make) -> Samples:
        k = (3, 2, 2)[:n]
        yield (m(2, 4, *(6, 5, 4)[:n]), m(6, 4, *k), m(6)), {}
        yield (m(1, 4, *(6, 5, 4)[:n]), m(6, 2, *k), m(6), 2, 1, 2, 2), {}
        yield (m(2, *(5, 4, 3)[:n]), m(3, 2, *k), None, 1, "same"), {}
        yield (m(2, 2, *(5, 4, 3)[:n]), m(3, 2, *k)), {"padding": "valid"}
        yield (m(2, 4, *(6, 5, 4)[:n]), m(4, 1, *k)), {"padding": [1] * n, "groups": 4}

    return samples


def _transposed_inputs(n):
    def samples(m: Make) -> Samples:
        k = (3, 2, 2)[:n]
        yield (m(2, 4, *(4, 3, 3)[:n]), m(4, 3, *k), m(3)), {}
        yield (m(1, 4, *(4, 3, 3)[:n]), m(4, 2, *k), m(4), 2, 1, 1, 2), {}
        yield (m(2, *(4, 3, 3)[:n]), m(2, 3, *k)), {"dilation": 2, "stride": [3] * n}

    return samples


def _ones(*shape, **kw):
    return torch.ones(*shape, **kw)


_ERRORS = [
    Bad(
        lambda f: f(_ones(1, 2, 4, 4), _ones(1, 3, 3, 3)),
        RuntimeError,
        "to have 3 channels, but got 2 channels",
    ),
    Bad(lambda f: f(_ones(1, 2, 4, 4), _ones(1, 2, 5, 5)), RuntimeError, "Kernel size can't be greater than"),
    Bad(
        lambda f: f(_ones(4, 4), _ones(1, 2, 3, 3)),
        RuntimeError,
        r"Expected 3D \(unbatched\) or 4D \(batched\)",
    ),
    Bad(lambda f: f(_ones(1, 2, 4, 4), _ones(1, 2, 3, 3), stride=0), RuntimeError, "non-positive stride"),
    Bad(lambda f: f(_ones(1, 2, 4, 4), _ones(1, 2, 3, 3), padding=-1), RuntimeError, "negative padding"),
    Bad(lambda f: f(_ones(1, 2, 4, 4), _ones(1, 2, 3, 3), groups=0), RuntimeError, "non-positive groups"),
    Bad(lambda f: f(_ones(1, 2, 4, 4), _ones(1, 2, 3, 3), stride=2**62), RuntimeError, "too large"),
    Bad(
        lambda f: f(_ones(1, 2, 4, 4), _ones(1, 2, 3, 3), padding="both"),
        RuntimeError,
        "Invalid padding string",
    ),
    Bad(
        lambda f: f(_ones(1, 2, 4, 4), _ones(1, 2, 3, 3), stride=2, padding="same"),
        RuntimeError,
        "strided conv",
    ),
    Bad(
        lambda f: f(_ones(1, 2, 4, 4), _ones(1, 2, 3, 3), _ones(2)),
        RuntimeError,
        "bias to be 1-dimensional with 1",
    ),
    Bad(
        lambda f: f(_ones(1, 2, 4, 4), _ones(1, 2, 3, 3, dtype=torch.float64)),
        RuntimeError,
        "expected scalar type",
    ),
]
row("conv1d", _inputs(1), _TYPES, ref=_conv)
row("conv2d", _inputs(2), _TYPES, ref=_conv, errors=_ERRORS)
row("conv3d", _inputs(3), _TYPES, ref=_conv)
row("conv_transpose1d", _transposed_inputs(1), _TYPES, ref=_transposed)
row("conv_transpose2d", _transposed_inputs(2), _TYPES, ref=_transposed)
row("conv_transpose3d", _transposed_inputs(3), _TYPES, ref=_transposed)
row(
    "convolution", calls(lambda m: (m(2, 2, 5, 4), m(3, 2, 3, 2), m(3), [1], [1], [1], False, [0], 1)), _TYPES
)
row(
    "_convolution",
    calls(
        lambda m: (
            m(2, 2, 5, 4),
            m(2, 3, 3, 2),
            m(3),
            [2],
            [1],
            [1],
            True,
            [1],
            1,
            False,
            False,
            False,
            False,
        )
    ),
    ALL_FLOATS,
)
row(
    "convolution_backward",
    calls(
        lambda m: (
            (m(2, 3, 5, 5), m(2, 2, 5, 4), m(3, 2, 3, 2), [3], [1], [1], [1], False, [0], 1),
            {"output_mask": [True, True, True]},
        ),
        lambda m: (
            (m(1, 4, 7, 5), m(1, 4, 4, 3), m(4, 2, 3, 2), None, [2], [1], [1], True, [0, 1], 2),
            {"output_mask": [True, True, True]},
        ),
    ),
    ALL_FLOATS,
)
row(
    "conv_tbc",
    calls(lambda m: (m(5, 2, 3), m(2, 3, 4), m(4), 1)),
    ALL_FLOATS,
    errors=[Bad(lambda f: f(_ones(5, 2, 3), _ones(2, 4, 4), _ones(4)), RuntimeError, "input channels")],
)


def _pad(x, pad, value=0):
    sides = [(0, 0)] * (x.ndim - len(pad) // 2) + [tuple(pad[i : i + 2]) for i in range(len(pad) - 2, -1, -2)]
    x = x[tuple(slice(max(0, -a), s - max(0, -b)) for (a, b), s in zip(sides, x.shape, strict=True))]
    return np.pad(x, [(max(0, a), max(0, b)) for a, b in sides], constant_values=value)


row(
    "constant_pad_nd",
    calls(
        lambda m: (m(2, 3), [1, 2]),
        lambda m: (m(2, 3, 4), [-1, 2, 1, 0], 1),
        lambda m: (m(2, 3), [-1, -1]),
        lambda m: (m(3), []),
    ),
    ALL,
    ref=_pad,
    errors=[
        Bad(lambda f: f(_ones(2, 3), [1]), RuntimeError, "must be even"),
        Bad(lambda f: f(_ones(2, 3), [-2, -2]), RuntimeError, "negative output size"),
        Bad(lambda f: f(_ones(3), [1, 1, 1, 1]), RuntimeError, "twice the number of dimensions"),
    ],
)
