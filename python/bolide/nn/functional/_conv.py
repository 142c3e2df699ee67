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
conv1d = direct("conv1d")
conv2d = direct("conv2d")
conv3d = direct("conv3d")
conv_transpose1d = direct("conv_transpose1d")
conv_transpose2d = direct("conv_transpose2d")
conv_transpose3d = direct("conv_transpose3d")


def _tuple(value: Any, n: int) -> tuple:
    return (value,) * n if isinstance(value, int) else tuple(value) * (n if len(value) == 1 and n > 1 else 1)


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The sliding blocks of (N, C, H, W) as columns: (N, C KH KW, L)."""
    return _ops.im2col(input, _tuple(kernel_size, 2), _tuple(dilation, 2), _tuple(padding, 2), _tuple(stride, 2))


def fold(input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The sum of sliding blocks (N, C KH KW, L) in an image of `output_size`: the adjoint of `unfold`."""
    return _ops.col2im(input, _tuple(output_size, 2), _tuple(kernel_size, 2), _tuple(dilation, 2), _tuple(padding, 2),
                       _tuple(stride, 2))
