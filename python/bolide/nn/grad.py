"""Gradients of convolutions as functions of their own."""

from __future__ import annotations

from typing import Any

import bolide
from bolide import Tensor

from . import functional as F
from .modules.utils import _ntuple


def _input(
    n: int,
    input_size: Any,
    weight: Tensor,
    grad_output: Tensor,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Tensor:
    """The adjoint convolution, as long as the input was."""
    sizes = _ntuple(n)
    stride, padding, dilation = sizes(stride), sizes(padding), sizes(dilation)
    kernel, out, want = weight.shape[2:], grad_output.shape[2:], list(input_size)[-n:]
    extra = [
        want[d] - ((out[d] - 1) * stride[d] - 2 * padding[d] + dilation[d] * (kernel[d] - 1) + 1)
        for d in range(n)
    ]
    adjoint = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[n - 1]
    return adjoint(grad_output, weight, None, stride, padding, extra, groups, dilation)


def _weight(
    n: int,
    input: Tensor,
    weight_size: Any,
    grad_output: Tensor,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Tensor:
    """From autograd: the convolution is linear in its weight, so any weight gives the gradient."""
    convolve = (F.conv1d, F.conv2d, F.conv3d)[n - 1]
    with bolide.enable_grad():
        weight = bolide.zeros(*weight_size, dtype=input.dtype, device=input.device, requires_grad=True)
        out = convolve(input, weight, None, stride, padding, dilation, groups)
        create = grad_output.requires_grad or input.requires_grad
        return bolide.autograd.grad(out, weight, grad_output, create_graph=create)[0]


def conv1d_input(
    input_size: Any,
    weight: Tensor,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv1d` with respect to an input of `input_size`."""
    return _input(1, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv1d_weight(
    input: Tensor,
    weight_size: Any,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv1d` with respect to a weight of `weight_size`."""
    return _weight(1, input, weight_size, grad_output, stride, padding, dilation, groups)


def conv2d_input(
    input_size: Any,
    weight: Tensor,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv2d` with respect to an input of `input_size`."""
    return _input(2, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv2d_weight(
    input: Tensor,
    weight_size: Any,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv2d` with respect to a weight of `weight_size`."""
    return _weight(2, input, weight_size, grad_output, stride, padding, dilation, groups)


def conv3d_input(
    input_size: Any,
    weight: Tensor,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv3d` with respect to an input of `input_size`."""
    return _input(3, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv3d_weight(
    input: Tensor,
    weight_size: Any,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv3d` with respect to a weight of `weight_size`."""
    return _weight(3, input, weight_size, grad_output, stride, padding, dilation, groups)
