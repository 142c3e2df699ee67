"""Pooling."""

from __future__ import annotations

from typing import Any

import bolide
from bolide import Tensor

from ._ops import direct
from ._ops import ops as _ops

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d", "adaptive_max_pool2d_with_indices", "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices", "avg_pool1d", "avg_pool2d", "avg_pool3d", "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices", "fractional_max_pool3d", "fractional_max_pool3d_with_indices", "lp_pool1d",
    "lp_pool2d", "lp_pool3d", "max_pool1d", "max_pool1d_with_indices", "max_pool2d", "max_pool2d_with_indices", "max_pool3d",
    "max_pool3d_with_indices", "max_unpool1d", "max_unpool2d", "max_unpool3d"]

avg_pool1d = direct("avg_pool1d")
avg_pool2d = direct("avg_pool2d")
avg_pool3d = direct("avg_pool3d")
adaptive_avg_pool1d = direct("adaptive_avg_pool1d")


def max_pool1d_with_indices(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                            ceil_mode: bool = False, return_indices: bool = False) -> tuple[Tensor, Tensor]:
    """Maxima of windows of (N, C, L), and where they were."""
    return _ops.max_pool1d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool1d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """Maxima of windows of (N, C, L) or (C, L); with their places when `return_indices`."""
    if return_indices:
        return max_pool1d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
    return _ops.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d_with_indices(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                            ceil_mode: bool = False, return_indices: bool = False) -> tuple[Tensor, Tensor]:
    """Maxima of windows of (N, C, H, W), and where they were."""
    return _ops.max_pool2d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """Maxima of windows of (N, C, H, W) or (C, H, W); with their places when `return_indices`."""
    if return_indices:
        return max_pool2d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
    return _ops.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d_with_indices(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                            ceil_mode: bool = False, return_indices: bool = False) -> tuple[Tensor, Tensor]:
    """Maxima of windows of (N, C, D, H, W), and where they were."""
    return _ops.max_pool3d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """Maxima of windows of (N, C, D, H, W) or (C, D, H, W); with their places when `return_indices`."""
    if return_indices:
        return max_pool3d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
    return _ops.max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Means of a grid of `output_size` windows; None keeps a dimension's size."""
    return _ops.adaptive_avg_pool2d(input, _grid(output_size, input.shape, 2))


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Means of a grid of `output_size` windows; None keeps a dimension's size."""
    return _ops.adaptive_avg_pool3d(input, _grid(output_size, input.shape, 3))


def _grid(output_size: Any, sizes: Any, n: int) -> list[int]:
    """An output size as a list; None keeps the input's size of that dimension."""
    if isinstance(output_size, int):
        return [output_size] * n
    if output_size is None:
        return list(sizes[-n:])
    if len(sizes) <= len(output_size):
        raise ValueError(f"Input dimension should be at least {len(output_size) + 1}")
    if not len(output_size):
        return []
    return [s if o is None else o for o, s in zip(output_size, sizes[-len(output_size):], strict=True)]


def adaptive_max_pool1d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> tuple[Tensor, Tensor]:
    """Maxima of `output_size` windows, and where they were."""
    return _ops.adaptive_max_pool1d(input, output_size)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of `output_size` windows; with their places when `return_indices`."""
    found = _ops.adaptive_max_pool1d(input, output_size)
    return found if return_indices else found[0]


def adaptive_max_pool2d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> tuple[Tensor, Tensor]:
    """Maxima of a grid of `output_size` windows, and where they were."""
    return _ops.adaptive_max_pool2d(input, _grid(output_size, input.shape, 2))


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of a grid of `output_size` windows; with their places when `return_indices`."""
    found = adaptive_max_pool2d_with_indices(input, output_size)
    return found if return_indices else found[0]


def adaptive_max_pool3d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> tuple[Tensor, Tensor]:
    """Maxima of a grid of `output_size` windows, and where they were."""
    return _ops.adaptive_max_pool3d(input, _grid(output_size, input.shape, 3))


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of a grid of `output_size` windows; with their places when `return_indices`."""
    found = adaptive_max_pool3d_with_indices(input, output_size)
    return found if return_indices else found[0]


def _lp_pool(pool: Any, input: Tensor, norm_type: float, kernel: list[int], stride: Any, ceil_mode: bool) -> Tensor:
    count = 1
    for k in kernel:
        count *= k
    mean = pool(input.pow(norm_type), kernel, stride, 0, ceil_mode)
    return (mean.sign() * _ops.relu(mean.abs())).mul(count).pow(1.0 / norm_type)


def lp_pool1d(input: Tensor, norm_type: float, kernel_size: int, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The p-th root of the sum of p-th powers in windows of (N, C, L)."""
    return _lp_pool(_ops.avg_pool1d, input, norm_type, _list(kernel_size, 1), stride, ceil_mode)


def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The p-th root of the sum of p-th powers in windows of (N, C, H, W)."""
    return _lp_pool(_ops.avg_pool2d, input, norm_type, _list(kernel_size, 2), stride, ceil_mode)


def lp_pool3d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The p-th root of the sum of p-th powers in windows of (N, C, D, H, W)."""
    return _lp_pool(_ops.avg_pool3d, input, norm_type, _list(kernel_size, 3), stride, ceil_mode)


def _list(value: Any, n: int) -> list[int]:
    return [value] * n if isinstance(value, int) else list(value)


def _fractional(n: int, op: Any, input: Tensor, kernel_size: Any, output_size: Any, output_ratio: Any,
                samples: Tensor | None) -> tuple[Tensor, Tensor]:
    if output_size is None and output_ratio is None:
        raise ValueError(f"fractional_max_pool{n}d requires specifying either an output_size or an output_ratio")
    if output_size is None:
        ratios = [output_ratio] * n if isinstance(output_ratio, float) else list(output_ratio)
        output_size = [int(s * r) for s, r in zip(input.shape[-n:], ratios, strict=True)]
    if samples is None:
        batch = 1 if input.dim() == n + 1 else input.shape[0]
        samples = bolide.rand(batch, input.shape[-n - 1], n, dtype=input.dtype, device=input.device)
    return op(input, _list(kernel_size, n), _list(output_size, n), samples)


def fractional_max_pool2d_with_indices(input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
                                       return_indices: bool = False, _random_samples: Any = None) -> tuple[Tensor, Tensor]:
    """Maxima of windows whose places are drawn, and where they were."""
    return _fractional(2, _ops.fractional_max_pool2d, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool2d(input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
                          return_indices: bool = False, _random_samples: Any = None) -> Any:
    """Maxima of windows whose places are drawn; with their places when `return_indices`."""
    found = fractional_max_pool2d_with_indices(input, kernel_size, output_size, output_ratio, False, _random_samples)
    return found if return_indices else found[0]


def fractional_max_pool3d_with_indices(input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
                                       return_indices: bool = False, _random_samples: Any = None) -> tuple[Tensor, Tensor]:
    """Maxima of windows whose places are drawn, and where they were."""
    return _fractional(3, _ops.fractional_max_pool3d, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool3d(input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
                          return_indices: bool = False, _random_samples: Any = None) -> Any:
    """Maxima of windows whose places are drawn; with their places when `return_indices`."""
    found = fractional_max_pool3d_with_indices(input, kernel_size, output_size, output_ratio, False, _random_samples)
    return found if return_indices else found[0]


def _unpool_output_size(input: Tensor, kernel_size: list[int], stride: list[int], padding: list[int],
                        output_size: Any) -> list[int]:
    """The size before pooling: the smallest possible one, or `output_size` when it is possible."""
    n = len(kernel_size)
    default = [(s - 1) * st - 2 * p + k for s, st, p, k in zip(input.shape[-n:], stride, padding, kernel_size, strict=True)]
    if output_size is None:
        return default
    if len(output_size) == n + 2:
        output_size = output_size[2:]
    if len(output_size) != n:
        raise ValueError(f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a length of "
                         f"'{len(output_size)}'")
    for d in range(n):
        low, high = default[d] - stride[d], default[d] + stride[d]
        if not low < output_size[d] < high:
            raise ValueError(f'invalid output_size "{output_size}" (dim {d} must be between {low} and {high})')
    return list(output_size)


def _unpool_sizes(input: Tensor, kernel_size: Any, stride: Any, padding: Any, output_size: Any, n: int) -> tuple:
    kernel = _list(kernel_size, n)
    stride = kernel if stride is None else _list(stride, n)
    padding = _list(padding, n)
    return _unpool_output_size(input, kernel, stride, padding, output_size), stride, padding


def max_unpool1d(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Any = None) -> Tensor:
    """Puts maxima back where `max_pool1d` found them, zeros elsewhere."""
    size, _, _ = _unpool_sizes(input, kernel_size, stride, padding, output_size, 1)
    return _ops.max_unpool2d(input.unsqueeze(-1), indices.unsqueeze(-1), [*size, 1]).squeeze(-1)


def max_unpool2d(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Any = None) -> Tensor:
    """Puts maxima back where `max_pool2d` found them, zeros elsewhere."""
    size, _, _ = _unpool_sizes(input, kernel_size, stride, padding, output_size, 2)
    return _ops.max_unpool2d(input, indices, size)


def max_unpool3d(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Any = None) -> Tensor:
    """Puts maxima back where `max_pool3d` found them, zeros elsewhere."""
    size, stride, padding = _unpool_sizes(input, kernel_size, stride, padding, output_size, 3)
    return _ops.max_unpool3d(input, indices, size, stride, padding)
