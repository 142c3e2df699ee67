"""Convolutions that the core lacks, reduced to conv2d; sliding blocks as views."""

from __future__ import annotations

from typing import Any

import bolide

from ._ops import ops


def _list(value: Any, n: int) -> list[int]:
    if isinstance(value, int):
        return [value] * n
    value = list(value)
    return value * n if len(value) == 1 else value


def im2col(input: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    x = input if input.dim() == 4 else input.unsqueeze(0)
    if x.dim() != 4:
        raise RuntimeError(f"Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions "
                           f"for input, but got: {list(input.shape)}")
    x = ops.pad(x, [padding[1], padding[1], padding[0], padding[0]], "constant", 0)
    for dim in (0, 1):
        x = x.unfold(dim + 2, (kernel_size[dim] - 1) * dilation[dim] + 1, stride[dim])[..., ::dilation[dim]]
    out = x.permute(0, 1, 4, 5, 2, 3).reshape(x.shape[0], x.shape[1] * x.shape[4] * x.shape[5], -1)
    return out if input.dim() == 4 else out.squeeze(0)


def col2im(input: Any, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    cols = input if input.dim() == 3 else input.unsqueeze(0)
    h, w = output_size[0] + 2 * padding[0], output_size[1] + 2 * padding[1]
    places = bolide.arange(h * w, device=input.device).reshape(1, 1, h, w)
    index = im2col(places, kernel_size, dilation, (0, 0), stride)
    taps = kernel_size[0] * kernel_size[1]
    if cols.dim() != 3 or cols.shape[1] % taps or cols.shape[2] != index.shape[2]:
        raise RuntimeError(f"Given output_size={tuple(output_size)}, kernel_size={tuple(kernel_size)}, dilation="
                           f"{tuple(dilation)}, padding={tuple(padding)}, stride={tuple(stride)}, expected size of input's "
                           f"dimension 2 to match the calculated number of sliding blocks {index.shape[2]}, but got "
                           f"input.size={list(input.shape)}.")
    n, channels = cols.shape[0], cols.shape[1] // taps
    flat = cols.reshape(n, channels, -1)
    sums = flat.new_zeros(n, channels, h * w).scatter_add(2, index.reshape(1, 1, -1).expand(n, channels, -1), flat)
    out = sums.reshape(n, channels, h, w)[:, :, padding[0]:h - padding[0], padding[1]:w - padding[1]].contiguous()
    return out if input.dim() == 3 else out.squeeze(0)
