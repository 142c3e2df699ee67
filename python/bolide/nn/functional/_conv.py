"""Linear maps, convolutions, and folding of sliding blocks."""

from __future__ import annotations

from typing import Any

from bolide import Tensor

from ._ops import direct
from ._ops import ops as _ops

__all__ = ["bilinear", "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
           "fold", "linear", "unfold"]

linear = direct("linear")
bilinear = direct("bilinear")
conv_tbc = direct("conv_tbc")
conv_transpose1d = direct("conv_transpose1d")
conv_transpose2d = direct("conv_transpose2d")
conv_transpose3d = direct("conv_transpose3d")


def _tuple(value: Any, n: int) -> tuple:
    return (value,) * n if isinstance(value, int) else tuple(value) * (n if len(value) == 1 and n > 1 else 1)


def _named_padding(input: Tensor, weight: Tensor, stride: Any, padding: str, dilation: Any) -> tuple[Tensor, Any]:
    """(input, padding in numbers) for padding='valid' or 'same'; an uneven rest of 'same' is put on the right."""
    if padding == "valid":
        return input, 0
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    n = weight.dim() - 2
    if any(s != 1 for s in _tuple(stride, n)):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(_tuple(dilation, n), weight.shape[2:], strict=True)]
    rest = [t % 2 for t in total]
    if any(rest):
        input = _ops.pad(input, [side for r in reversed(rest) for side in (0, r)], "constant", 0)
    return input, [t // 2 for t in total]


def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: int = 1) -> Tensor:
    """1-d convolution of (N, C, L) or (C, L) with `weight` (out, C / groups, K); `padding` may be 'valid' or 'same'."""
    if isinstance(padding, str):
        input, padding = _named_padding(input, weight, stride, padding, dilation)
    return _ops.conv1d(input, weight, bias, stride, padding, dilation, groups)


def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: int = 1) -> Tensor:
    """2-d convolution of (N, C, H, W) or (C, H, W) with `weight` (out, C / groups, KH, KW)."""
    if isinstance(padding, str):
        input, padding = _named_padding(input, weight, stride, padding, dilation)
    return _ops.conv2d(input, weight, bias, stride, padding, dilation, groups)


def conv3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: int = 1) -> Tensor:
    """3-d convolution of (N, C, D, H, W) or (C, D, H, W) with `weight` (out, C / groups, KD, KH, KW)."""
    if isinstance(padding, str):
        input, padding = _named_padding(input, weight, stride, padding, dilation)
    return _ops.conv3d(input, weight, bias, stride, padding, dilation, groups)


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The sliding blocks of (N, C, H, W) as columns: (N, C KH KW, L)."""
    return _ops.im2col(input, _tuple(kernel_size, 2), _tuple(dilation, 2), _tuple(padding, 2), _tuple(stride, 2))


def fold(input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The sum of sliding blocks (N, C KH KW, L) in an image of `output_size`: the adjoint of `unfold`."""
    return _ops.col2im(input, _tuple(output_size, 2), _tuple(kernel_size, 2), _tuple(dilation, 2), _tuple(padding, 2),
                       _tuple(stride, 2))
