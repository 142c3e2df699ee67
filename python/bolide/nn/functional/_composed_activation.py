"""Activations that the core lacks as ops of their own, built from others."""

from __future__ import annotations

from typing import Any

import bolide

from ._ops import ops

_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


def _in_place(compute: Any) -> Any:
    """The form that writes into its input; what backward needs is taken from a copy."""

    def call(input: Any, *args: Any, **kwargs: Any) -> Any:
        return input.copy_(compute(input.clone() if input.requires_grad else input, *args, **kwargs))

    return call


def _lift(x: Any) -> Any:
    """Half precision as float32, so that several steps round once."""
    return x.float() if x.dtype in (bolide.float16, bolide.bfloat16) else x


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    return input.clamp(min_val, max_val)


def elu(input: Any, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Any:
    x = _lift(input)
    negative = bolide.expm1(bolide.where(x > 0, bolide.zeros_like(x), x) * input_scale) * (alpha * scale)
    return bolide.where(x > 0, x * scale, negative).to(input.dtype)


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    x = _lift(input)
    scaled = x * beta
    big = scaled > threshold
    safe = bolide.where(big, bolide.zeros_like(scaled), scaled)
    return bolide.where(big, x, bolide.log1p(bolide.exp(safe)) / beta).to(input.dtype)


def selu(input: Any) -> Any:
    return ops.elu(input, _SELU_ALPHA, _SELU_SCALE)


def celu(input: Any, alpha: float = 1.0) -> Any:
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return ops.elu(input, alpha, 1.0, 1.0 / alpha)


def mish(input: Any) -> Any:
    x = _lift(input)
    return (x * bolide.tanh(ops.softplus(x))).to(input.dtype)


def hardsigmoid(input: Any) -> Any:
    x = _lift(input)
    return (ops.hardtanh(x + 3, 0, 6) / 6).to(input.dtype)


def hardswish(input: Any) -> Any:
    x = _lift(input)
    return (x * ops.hardtanh(x + 3, 0, 6) / 6).to(input.dtype)


def prelu(input: Any, weight: Any) -> Any:
    if input.dtype != weight.dtype:
        raise RuntimeError(f"prelu: Type promoting not supported. Got {input.dtype} and {weight.dtype}")
    if weight.dim() > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.dim()}")
    if weight.numel() != 1:
        if input.dim() == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = input.shape[1] if input.dim() > 1 else 1
        if channels != weight.numel():
            raise RuntimeError(f"Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                               f"{weight.numel()} and channel size = {channels}.")
    if weight.dim() == 1 and input.dim() != 1:
        weight = weight.reshape([-1 if i == 1 else 1 for i in range(input.dim())] if input.dim() else [])
    return bolide.where(input > 0, input, weight * input)


def glu(input: Any, dim: int = -1) -> Any:
    size = input.shape[dim]
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {size}")
    a, b = input.chunk(2, dim)
    return a * b.sigmoid()


def rrelu(input: Any, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, generator: Any = None) -> Any:
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    if not training:
        return ops.leaky_relu(input, (lower + upper) / 2)
    negative = input <= 0  # one number is drawn for each of these, in order
    slopes = bolide.ones_like(input)
    count = int(negative.sum())
    drawn = bolide.empty(count, dtype=bolide.float64, device=input.device).uniform_(lower, upper, generator=generator)
    slopes[negative] = drawn.to(input.dtype)
    return input * slopes


def _leaky_relu(input: Any, negative_slope: float = 0.01) -> Any:
    return ops.leaky_relu(input, negative_slope)


def _elu(input: Any, *args: Any) -> Any:
    return ops.elu(input, *args)


relu_ = _in_place(lambda x: ops.relu(x))
silu_ = _in_place(lambda x: ops.silu(x))
leaky_relu_ = _in_place(_leaky_relu)
elu_ = _in_place(_elu)
hardtanh_ = _in_place(lambda x, *a: ops.hardtanh(x, *a))
selu_, celu_, mish_, hardsigmoid_ = _in_place(selu), _in_place(celu), _in_place(mish), _in_place(hardsigmoid)
hardswish_, rrelu_ = _in_place(hardswish), _in_place(rrelu)
