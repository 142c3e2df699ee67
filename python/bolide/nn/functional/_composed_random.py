"""Dropouts of whole channels and of SELU networks, and attention, built from other ops."""

from __future__ import annotations

import math
from typing import Any

import bolide

from ._ops import ops

_SELU_LIMIT = 1.7580993408473766  # minus the value that SELU takes at minus infinity


def _noise(input: Any, p: float, whole_channels: bool) -> Any:
    if whole_channels:
        if input.dim() < 2:
            raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
        shape = [s if i < 2 else 1 for i, s in enumerate(input.shape)]
        return bolide.empty(shape, dtype=input.dtype, device=input.device).bernoulli_(1 - p)
    return bolide.empty_like(input).bernoulli_(1 - p)


def _drop(input: Any, p: float, train: bool, whole_channels: bool, alpha: bool, inplace: bool) -> Any:
    if p < 0 or p > 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")
    if p == 0 or not train or input.numel() == 0:
        return input
    if p == 1:
        zeros = bolide.zeros((), dtype=input.dtype, device=input.device)
        return input.mul_(zeros) if inplace else input * zeros
    noise = _noise(input, p, whole_channels)
    if not alpha:
        noise = noise.div_(1 - p)
        return input.mul_(noise) if inplace else input * noise
    a = 1.0 / math.sqrt((_SELU_LIMIT * _SELU_LIMIT * p + 1) * (1 - p))
    shift = noise.add(-1).mul_(_SELU_LIMIT * a).add_(_SELU_LIMIT * a * p)
    noise = noise.mul_(a)
    return input.mul_(noise).add_(shift) if inplace else input * noise + shift


def dropout_(input: Any, p: float, train: bool) -> Any:
    return _drop(input, p, train, False, False, True)


def feature_dropout(input: Any, p: float, train: bool) -> Any:
    return _drop(input, p, train, True, False, False)


def feature_dropout_(input: Any, p: float, train: bool) -> Any:
    return _drop(input, p, train, True, False, True)


def alpha_dropout(input: Any, p: float, train: bool) -> Any:
    return _drop(input, p, train, False, True, False)


def alpha_dropout_(input: Any, p: float, train: bool) -> Any:
    return _drop(input, p, train, False, True, True)


def feature_alpha_dropout(input: Any, p: float, train: bool) -> Any:
    return _drop(input, p, train, True, True, False)


def feature_alpha_dropout_(input: Any, p: float, train: bool) -> Any:
    return _drop(input, p, train, True, True, True)


def scaled_dot_product_attention(query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0,
                                 is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False) -> Any:
    for name, t in (("query", query), ("key", key), ("value", value)):
        if t.dim() < 2:
            raise RuntimeError(f"scaled_dot_product_attention: Expected query, key, and value to all be  at least 2 "
                               f"dimensional, but got {name}.dim(): {t.dim()}")
    if not query.dtype == key.dtype == value.dtype:
        raise RuntimeError("Expected query, key, and value to have the same dtype, but got query.dtype: "
                           f"{query.dtype} key.dtype: {key.dtype} and value.dtype: {value.dtype} instead.")
    if is_causal and attn_mask is not None:
        raise RuntimeError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    if enable_gqa:
        repeat = query.shape[-3] // key.shape[-3]
        key = key.repeat_interleave(repeat, -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    root = math.sqrt(abs(factor))
    scores = (query * root) @ (key * (root if factor >= 0 else -root)).transpose(-2, -1)
    if is_causal:
        attn_mask = bolide.ones(query.shape[-2], key.shape[-2], dtype=bolide.bool, device=query.device).tril()
    dead = None
    if attn_mask is not None and attn_mask.dtype == bolide.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
        dead = ~attn_mask.any(-1, True)
    elif attn_mask is not None:
        scores = scores + attn_mask
        dead = (attn_mask == -math.inf).all(-1, True)
    if dead is not None and bool(dead.any()):  # rows that may look at nothing give zeros
        scores = scores.masked_fill(dead, 0.0)
        weights = ops.softmax(scores, -1).masked_fill(dead, 0.0)
    else:
        weights = ops.softmax(scores, -1)
    if dropout_p > 0.0:
        weights = ops.dropout(weights, dropout_p, True)
    return weights @ value
