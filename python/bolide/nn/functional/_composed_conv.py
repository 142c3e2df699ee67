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


def _check(input: Any, weight: Any, n: int, groups: int) -> None:
    name = f"conv{n}d"
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {name}, but got input of size: "
                           f"{list(input.shape)}")
    if weight.dim() != n + 2:
        raise RuntimeError(f"weight should have at least three dimensions, got {weight.dim()}")


def conv1d(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: int = 1) -> Any:
    _check(input, weight, 1, groups)
    s, p, d = _list(stride, 1)[0], _list(padding, 1)[0], _list(dilation, 1)[0]
    out = ops.conv2d(input.unsqueeze(-2), weight.unsqueeze(-2), bias, [1, s], [0, p], [1, d], groups)
    return out.squeeze(-2)


def conv3d(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: int = 1) -> Any:
    """A sum over the kernel's depth of 2-d convolutions of all depth slices at once."""
    _check(input, weight, 3, groups)
    s, p, d = _list(stride, 3), _list(padding, 3), _list(dilation, 3)
    x = input if input.dim() == 5 else input.unsqueeze(0)
    x = ops.pad(x, [0, 0, 0, 0, p[0], p[0]], "constant", 0)
    depth, taps = x.shape[2], weight.shape[2]
    out_depth = (depth - d[0] * (taps - 1) - 1) // s[0] + 1
    if out_depth < 1:
        raise RuntimeError(f"Calculated padded input size per channel: {list(x.shape[2:])}. Kernel size: "
                           f"{list(weight.shape[2:])}. Kernel size can't be greater than actual input size")
    total = None
    for tap in range(taps):
        start = tap * d[0]
        part = x[:, :, start:start + (out_depth - 1) * s[0] + 1:s[0]].transpose(1, 2)
        flat = part.reshape(-1, *part.shape[2:])
        y = ops.conv2d(flat, weight[:, :, tap], None, s[1:], p[1:], d[1:], groups)
        total = y if total is None else total + y
    out = total.reshape(x.shape[0], out_depth, *total.shape[1:]).transpose(1, 2)
    if bias is not None:
        out = out + bias.reshape(-1, 1, 1, 1)
    return out if input.dim() == 5 else out.squeeze(0)


def _conv_transpose(n: int, conv: Any, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any,
                    groups: int, dilation: Any) -> Any:
    """Zeros between the inputs, then an ordinary convolution with the mirrored kernel."""
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to conv_transpose{n}d, but got input "
                           f"of size: {list(input.shape)}")
    s, p, o, d = (_list(v, n) for v in (stride, padding, output_padding, dilation))
    for extra, step, spread in zip(o, s, d, strict=True):
        if extra >= max(step, spread):
            raise RuntimeError("output padding must be smaller than either stride or dilation, but got output_padding: "
                               f"{o}, stride: {s}, dilation: {d}")
    x = input if input.dim() == n + 2 else input.unsqueeze(0)
    if x.shape[1] != weight.shape[0]:
        raise RuntimeError(f"Given transposed=1, weight of size {list(weight.shape)}, expected input{list(x.shape)} to have "
                           f"{weight.shape[0]} channels, but got {x.shape[1]} channels instead")
    for dim in range(n):
        if s[dim] > 1:
            zeros = bolide.zeros_like(x)
            x = bolide.stack([x] + [zeros] * (s[dim] - 1), dim + 3).flatten(dim + 2, dim + 3)
            x = x.narrow(dim + 2, 0, x.shape[dim + 2] - s[dim] + 1)
    kernel = weight.shape[2:]
    sides: list[int] = []
    for dim in reversed(range(n)):
        reach = d[dim] * (kernel[dim] - 1) - p[dim]
        sides += [reach, reach + o[dim]]
    x = ops.pad(x, sides, "constant", 0)
    w = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:]).transpose(1, 2).flatten(0, 1)
    w = w.flip(list(range(2, n + 2)))
    out = conv(x, w, bias, 1, 0, d, groups)
    return out if input.dim() == n + 2 else out.squeeze(0)


def conv_transpose1d(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
                     groups: int = 1, dilation: Any = 1) -> Any:
    return _conv_transpose(1, ops.conv1d, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
                     groups: int = 1, dilation: Any = 1) -> Any:
    return _conv_transpose(2, ops.conv2d, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
                     groups: int = 1, dilation: Any = 1) -> Any:
    return _conv_transpose(3, ops.conv3d, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_tbc(input: Any, weight: Any, bias: Any, pad: int = 0) -> Any:
    out = ops.conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, 1, pad)
    return out.permute(2, 0, 1)


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    if input1.dim() != input2.dim():
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {input1.dim()} and {input2.dim()}")
    for i, x in ((1, input1), (2, input2)):
        if x.shape[-1] != weight.shape[i]:
            raise RuntimeError(f"bilinear(): input{i} size does not match weight size: got {x.shape[-1]} but expected "
                               f"{weight.shape[i]}")
    lead = input1.shape[:-1]
    a, b = input1.reshape(-1, input1.shape[-1]), input2.reshape(-1, input2.shape[-1])
    out_features = weight.shape[0]
    mixed = (a @ weight.permute(1, 0, 2).reshape(weight.shape[1], -1)).reshape(-1, out_features, weight.shape[2])
    out = (mixed * b.unsqueeze(1)).sum(-1).reshape(*lead, out_features)
    return out if bias is None else out + bias


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
