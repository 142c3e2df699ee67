"""Pooling from views: every window is a slice of an overlapping view, reduced over its last dimension."""

from __future__ import annotations

from typing import Any

import bolide

from ._ops import ops


def _list(value: Any, n: int) -> list[int]:
    value = [value] if isinstance(value, int) else list(value)
    return value * n if len(value) == 1 else value


def _out_size(size: int, k: int, s: int, p: int, d: int, ceil_mode: bool) -> int:
    span = size + 2 * p - d * (k - 1) - 1
    out = (span + (s - 1 if ceil_mode else 0)) // s + 1
    if ceil_mode and (out - 1) * s >= size + p:
        out -= 1
    return out


class _Plan:
    """The checked geometry of one pooling call."""

    def __init__(self, name: str, n: int, input: Any, kernel: Any, stride: Any, padding: Any, dilation: Any,
                 ceil_mode: bool) -> None:
        self.n = n
        self.kernel = _list(kernel, n)
        self.stride = _list(stride, n) if not isinstance(stride, (list, tuple)) or len(stride) else self.kernel
        self.padding, self.dilation = _list(padding, n), _list(dilation, n)
        if input.dim() not in (n + 1, n + 2):
            raise RuntimeError(f"{name}() Expected {n + 1}D or {n + 2}D input tensor, but got {list(input.shape)}")
        for what, values in (("kernel_size", self.kernel), ("stride", self.stride), ("dilation", self.dilation)):
            if any(v <= 0 for v in values):
                raise RuntimeError(f"{name}() {what} must be greater than zero, but got {values}")
        if any(p < 0 for p in self.padding):
            raise RuntimeError(f"pad must be non-negative, but got pad: {self.padding}")
        if any(p > ((k - 1) * d + 1) // 2 for p, k, d in zip(self.padding, self.kernel, self.dilation, strict=True)):
            raise RuntimeError(f"pad should be at most half of effective kernel size, but got pad={self.padding[0]}, "
                               f"kernel_size={self.kernel[0]} and dilation={self.dilation[0]}")
        self.size = list(input.shape[-n:])
        geometry = zip(self.size, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        self.out = [_out_size(*g, ceil_mode) for g in geometry]
        if any(o < 1 for o in self.out):
            raise RuntimeError(f"{name}(): Given input size: {tuple(input.shape[-n - 1:])}. Calculated output size: "
                               f"{(input.shape[-n - 1], *self.out)}. Output size is too small")

    def windows(self, x: Any, fill: float) -> Any:
        """(..., out sizes, all taps): `x` padded with `fill`, a window along the last dimension."""
        sides: list[int] = []
        for d in reversed(range(self.n)):
            need = (self.out[d] - 1) * self.stride[d] + self.dilation[d] * (self.kernel[d] - 1) + 1
            sides += [self.padding[d], max(0, need - self.size[d] - self.padding[d])]
        if any(sides):
            x = ops.pad(x, sides, "constant", fill)
        first = x.dim() - self.n
        for d in range(self.n):
            x = x.unfold(first + d, self.dilation[d] * (self.kernel[d] - 1) + 1, self.stride[d])
            x = x.narrow(first + d, 0, self.out[d])[..., ::self.dilation[d]]
        return x.flatten(-self.n)

    def places(self, device: Any) -> Any:
        """The windows of the flat positions of the input's elements."""
        count = 1
        for s in self.size:
            count *= s
        return self.windows(bolide.arange(count, device=device).reshape([1, *self.size]), 0)[0]


def _lowest(dtype: Any) -> float:
    return float("-inf") if dtype.is_floating_point else bolide.iinfo(dtype).min


def _max_pool(n: int, input: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> tuple[Any, Any]:
    plan = _Plan(f"max_pool{n}d", n, input, kernel, stride, padding, dilation, ceil_mode)
    windows = plan.windows(input, _lowest(input.dtype))
    values, taps = windows.max(-1)
    places = plan.places(input.device)
    return values, places.expand(windows.shape).gather(-1, taps.unsqueeze(-1)).squeeze(-1)


def _max_pool_values(n: int, input: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    plan = _Plan(f"max_pool{n}d", n, input, kernel, stride, padding, dilation, ceil_mode)
    return plan.windows(input, _lowest(input.dtype)).max(-1)[0]


def max_pool1d_with_indices(input: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1,
                            ceil_mode: bool = False) -> tuple[Any, Any]:
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d_with_indices(input: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1,
                            ceil_mode: bool = False) -> tuple[Any, Any]:
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d_with_indices(input: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1,
                            ceil_mode: bool = False) -> tuple[Any, Any]:
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool1d(input: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False) -> Any:
    return _max_pool_values(1, input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(input: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False) -> Any:
    return _max_pool_values(2, input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(input: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False) -> Any:
    return _max_pool_values(3, input, kernel_size, stride, padding, dilation, ceil_mode)


def _avg_pool(n: int, input: Any, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool,
              divisor_override: int | None) -> Any:
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    plan = _Plan(f"avg_pool{n}d", n, input, kernel, stride, padding, 1, ceil_mode)
    total = plan.windows(input, 0).sum(-1)
    if divisor_override is not None:
        return total / divisor_override
    counts = None
    for d in range(n):
        k, s, p, size = plan.kernel[d], plan.stride[d], plan.padding[d], plan.size[d]
        ends = [(i * s - p, min(i * s - p + k, size + p)) for i in range(plan.out[d])]
        row = [b - a if count_include_pad else min(b, size) - max(a, 0) for a, b in ends]
        shape = [-1 if i == d else 1 for i in range(n)]
        row = bolide.tensor(row, dtype=total.dtype, device=input.device).reshape(shape)
        counts = row if counts is None else counts * row
    return total / counts


def avg_pool1d(input: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True) -> Any:
    return _avg_pool(1, input, kernel_size, () if stride is None else stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(input: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True, divisor_override: int | None = None) -> Any:
    stride = () if stride is None else stride
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(input: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True, divisor_override: int | None = None) -> Any:
    stride = () if stride is None else stride
    return _avg_pool(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def _bins(size: int, out: int) -> list[tuple[int, int]]:
    return [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def _check_adaptive(name: str, n: int, input: Any, output_size: Any) -> list[int]:
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(f"{name}(): Expected {n + 1}D or {n + 2}D tensor, but got {list(input.shape)}")
    sizes = _list(output_size, n)
    if len(sizes) != n:
        raise RuntimeError(f"{name}: internal error: output_size.size() must be {n}")
    if any(o < 0 for o in sizes):
        raise RuntimeError(f"{name}: elements of output_size must be greater than or equal to 0 but received {sizes}")
    if any(s == 0 for s in input.shape[-n:]):
        raise RuntimeError(f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
                           f"{list(input.shape)}")
    return sizes


def _adaptive_avg(n: int, input: Any, output_size: Any) -> Any:
    """Dimension by dimension, since a window is a box."""
    x = input
    for d, out in enumerate(_check_adaptive(f"adaptive_avg_pool{n}d", n, input, output_size)):
        dim = x.dim() - n + d
        parts = [x.narrow(dim, a, b - a).mean(dim, True) for a, b in _bins(x.shape[dim], out)]
        x = bolide.cat(parts, dim) if parts else x.narrow(dim, 0, 0)
    return x


def adaptive_avg_pool1d(input: Any, output_size: Any) -> Any:
    return _adaptive_avg(1, input, output_size)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any:
    return _adaptive_avg(2, input, output_size)


def adaptive_avg_pool3d(input: Any, output_size: Any) -> Any:
    return _adaptive_avg(3, input, output_size)


def _adaptive_max(n: int, input: Any, output_size: Any) -> tuple[Any, Any]:
    """Dimension by dimension; each step carries the flat places of the maxima along."""
    sizes = _check_adaptive(f"adaptive_max_pool{n}d", n, input, output_size)
    shape = list(input.shape[-n:])
    count = 1
    for s in shape:
        count *= s
    x = input
    places = bolide.arange(count, device=input.device).reshape(shape).expand(input.shape)
    for d in reversed(range(n)):
        dim = x.dim() - n + d
        values, index = [], []
        for a, b in _bins(shape[d], sizes[d]):
            part, where = x.narrow(dim, a, b - a), places.narrow(dim, a, b - a)
            best, at = part.max(dim, True)
            values.append(best)
            index.append(where.gather(dim, at))
        x = bolide.cat(values, dim) if values else x.narrow(dim, 0, 0)
        places = bolide.cat(index, dim) if index else places.narrow(dim, 0, 0)
    return x, places


def adaptive_max_pool1d(input: Any, output_size: Any) -> tuple[Any, Any]:
    return _adaptive_max(1, input, output_size)


def adaptive_max_pool2d(input: Any, output_size: Any) -> tuple[Any, Any]:
    return _adaptive_max(2, input, output_size)


def adaptive_max_pool3d(input: Any, output_size: Any) -> tuple[Any, Any]:
    return _adaptive_max(3, input, output_size)


def _fractional(n: int, input: Any, kernel: Any, output: Any, samples: Any) -> tuple[Any, Any]:
    """Windows whose starts follow floor((i + u) alpha) with one u a channel and dimension."""
    kernel, output = _list(kernel, n), _list(output, n)
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(f"fractional_max_pool{n}d(): Expected {n + 1}D or {n + 2}D tensor, but got: {list(input.shape)}")
    x = input if input.dim() == n + 2 else input.unsqueeze(0)
    size = list(x.shape[2:])
    if any(o + k - 1 > s for o, k, s in zip(output, kernel, size, strict=True)):
        raise RuntimeError(f"fractional_max_pool{n}d(): pool size {kernel} and output size {output} too large relative to "
                           f"input size {size}")
    places = None  # (N, C, out..., taps...)
    for d in range(n):
        # for pictures the first random number belongs to the last dimension; for volumes they stand in order
        u = samples[:, :, n - 1 - d] if n == 2 else samples[:, :, d]
        starts = _starts(u, size[d], output[d], kernel[d])
        row = starts.unsqueeze(-1) + bolide.arange(kernel[d], device=x.device)
        shape = [*row.shape[:2], *[output[d] if i == d else 1 for i in range(n)], *[kernel[d] if i == d else 1 for i in range(n)]]
        row = row.reshape(shape)
        places = row if places is None else places * size[d] + row
    taps = places.flatten(-n)
    flat = x.flatten(2)
    windows = flat.gather(2, taps.flatten(2)).reshape(taps.shape)
    values, at = windows.max(-1)
    index = taps.gather(-1, at.unsqueeze(-1)).squeeze(-1)
    return (values, index) if input.dim() == n + 2 else (values.squeeze(0), index.squeeze(0))


def _starts(u: Any, size: int, out: int, k: int) -> Any:
    last = bolide.full_like(u, size - k).to(bolide.int64).unsqueeze(-1)
    if out == 1:
        return last
    alpha = (size - k) / (out - 1)
    steps = bolide.arange(out - 1, device=u.device, dtype=u.dtype)
    u = u.unsqueeze(-1)
    drawn = ((steps + u) * alpha).to(bolide.int64) - (u * alpha).to(bolide.int64)
    return bolide.cat([drawn, last], -1)


def fractional_max_pool2d(input: Any, kernel_size: Any, output_size: Any, random_samples: Any) -> tuple[Any, Any]:
    return _fractional(2, input, kernel_size, output_size, random_samples)


def fractional_max_pool3d(input: Any, kernel_size: Any, output_size: Any, random_samples: Any) -> tuple[Any, Any]:
    return _fractional(3, input, kernel_size, output_size, random_samples)


def _unpool(n: int, input: Any, indices: Any, size: Any) -> Any:
    if indices.dtype != bolide.int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype}")
    if input.shape != indices.shape:
        raise RuntimeError(f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got "
                           f"indices tensor with shape: {list(indices.shape)}")
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(f"Input to max_unpooling{n}d should be a {n + 1}d or {n + 2}d Tensor, but got a tensor with "
                           f"{input.dim()} dimensions")
    count = 1
    for s in size:
        count *= s
    flat = indices.flatten(-n)
    if flat.numel() and not bool(((flat >= 0) & (flat < count)).all()):
        raise RuntimeError(f"Found an invalid max index: {int(flat.max())} (output volumes are of size {list(size)}")
    lead = list(input.shape[:-n])
    return input.new_zeros([*lead, count]).scatter(-1, flat, input.flatten(-n)).reshape([*lead, *size])


def max_unpool2d(input: Any, indices: Any, output_size: Any) -> Any:
    return _unpool(2, input, indices, output_size)


def max_unpool3d(input: Any, indices: Any, output_size: Any, stride: Any, padding: Any) -> Any:
    if any(s <= 0 for s in stride):
        raise RuntimeError(f"strides should be greater than zero, but got stride: {list(stride)}")
    return _unpool(3, input, indices, output_size)
