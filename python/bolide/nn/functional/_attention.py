"""Attention."""

from __future__ import annotations

import math
from typing import Any

import bolide
from bolide import Tensor

from ._ops import direct
from ._ops import ops as _ops

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]

scaled_dot_product_attention = direct("scaled_dot_product_attention")


def _none_or_dtype(value: Any) -> Any:
    return None if value is None else value.dtype


def _canonical_mask(mask: Tensor | None, mask_name: str, other_type: Any, other_name: str, target_type: Any,
                    check_other: bool = True) -> Tensor | None:
    """A mask as numbers to add: True becomes minus infinity."""
    if mask is None:
        return None
    is_float = mask.is_floating_point()
    if mask.dtype != bolide.bool and not is_float:
        raise AssertionError(f"only bool and floating types of {mask_name} are supported")
    if check_other and other_type is not None and mask.dtype != other_type:
        import warnings

        warnings.warn(f"Support for mismatched {mask_name} and {other_name} is deprecated. Use same type for both instead.",
                      stacklevel=3)
    if is_float:
        return mask
    return bolide.zeros_like(mask, dtype=target_type).masked_fill_(mask, -math.inf)


def _mha_shape_check(query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None, attn_mask: Tensor | None,
                     num_heads: int) -> bool:
    """Whether the query is batched; AssertionError when the shapes do not fit together."""
    n = query.dim()
    if n not in (2, 3):
        raise AssertionError(f"query should be unbatched 2D or batched 3D tensor but received {n}-D query tensor")
    kind = "batched" if n == 3 else "unbatched"
    if key.dim() != n or value.dim() != n:
        raise AssertionError(f"For {kind} ({n}-D) `query`, expected `key` and `value` to be {n}-D but found {key.dim()}-D and "
                             f"{value.dim()}-D tensors respectively")
    if key_padding_mask is not None and key_padding_mask.dim() != n - 1:
        raise AssertionError(f"For {kind} ({n}-D) `query`, expected `key_padding_mask` to be `None` or {n - 1}-D but found "
                             f"{key_padding_mask.dim()}-D tensor instead")
    if attn_mask is not None:
        if attn_mask.dim() not in (2, 3):
            raise AssertionError(f"For {kind} ({n}-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
                                 f"{attn_mask.dim()}-D tensor instead")
        if n == 2 and attn_mask.dim() == 3:
            expected = (num_heads, query.shape[0], key.shape[0])
            if tuple(attn_mask.shape) != expected:
                raise AssertionError(f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}")
    return n == 3


def _in_projection_packed(q: Tensor, k: Tensor, v: Tensor, w: Tensor, b: Tensor | None = None) -> list[Tensor]:
    """Queries, keys and values from one stacked weight (3E, E)."""
    size = q.shape[-1]
    if k is v:
        if q is k:
            return list(_ops.linear(q, w, b).chunk(3, -1))
        w_q, w_kv = w.split([size, size * 2])
        b_q, b_kv = (None, None) if b is None else b.split([size, size * 2])
        return [_ops.linear(q, w_q, b_q), *_ops.linear(k, w_kv, b_kv).chunk(2, -1)]
    w_q, w_k, w_v = w.chunk(3)
    b_q, b_k, b_v = (None, None, None) if b is None else b.chunk(3)
    return [_ops.linear(q, w_q, b_q), _ops.linear(k, w_k, b_k), _ops.linear(v, w_v, b_v)]


def _in_projection(q: Tensor, k: Tensor, v: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, b_q: Tensor | None = None,
                   b_k: Tensor | None = None, b_v: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values from a weight each."""
    size = q.shape[-1]
    for name, w, want in (("query", w_q, (size, size)), ("key", w_k, (size, k.shape[-1])), ("value", w_v, (size, v.shape[-1]))):
        if tuple(w.shape) != want:
            raise AssertionError(f"expecting {name} weights shape of {want}, but got {w.shape}")
    return _ops.linear(q, w_q, b_q), _ops.linear(k, w_k, b_k), _ops.linear(v, w_v, b_v)


def _check_mha(embed_dim: int, expected: int, head_dim: int, num_heads: int, key: Tensor, value: Tensor, separate: bool) -> None:
    if embed_dim != expected:
        raise AssertionError(f"was expecting embedding dimension of {expected}, but got {embed_dim}")
    if head_dim * num_heads != embed_dim:
        raise AssertionError(f"embed_dim {embed_dim} not divisible by num_heads {num_heads}")
    if separate:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}")
    elif key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")


def _fit_attn_mask(mask: Tensor | None, tgt: int, src: int, heads: int) -> Tensor | None:
    if mask is None:
        return None
    want = (tgt, src) if mask.dim() == 2 else (heads, tgt, src)
    if tuple(mask.shape) != want:
        raise RuntimeError(f"The shape of the {mask.dim()}D attn_mask is {mask.shape}, but should be {want}.")
    return mask.unsqueeze(0) if mask.dim() == 2 else mask


def _more_keys(k: Tensor, v: Tensor, extra_k: Tensor, extra_v: Tensor, attn_mask: Tensor | None,
               padding: Tensor | None) -> tuple:
    """One more position of keys and values that every query may see."""
    return (bolide.cat([k, extra_k], 0 if k.dim() == 3 and extra_k.shape[0] == 1 else 1),
            bolide.cat([v, extra_v], 0 if v.dim() == 3 and extra_v.shape[0] == 1 else 1),
            None if attn_mask is None else _ops.pad(attn_mask, [0, 1], "constant", 0),
            None if padding is None else _ops.pad(padding, [0, 1], "constant", 0))


def multi_head_attention_forward(
        query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int, in_proj_weight: Tensor | None,
        in_proj_bias: Tensor | None, bias_k: Tensor | None, bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float,
        out_proj_weight: Tensor, out_proj_bias: Tensor | None, training: bool = True, key_padding_mask: Tensor | None = None,
        need_weights: bool = True, attn_mask: Tensor | None = None, use_separate_proj_weight: bool = False,
        q_proj_weight: Tensor | None = None, k_proj_weight: Tensor | None = None, v_proj_weight: Tensor | None = None,
        static_k: Tensor | None = None, static_v: Tensor | None = None, average_attn_weights: bool = True,
        is_causal: bool = False) -> tuple[Tensor, Tensor | None]:
    """Attention of several heads: (L, N, E) queries look at (S, N, E) keys; gives (L, N, E) and the weights if asked for.

    `nn.MultiheadAttention` documents the arguments.
    """
    batched = _mha_shape_check(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        same_kv, same_q = key is value, query is key
        query, key = query.unsqueeze(1), key.unsqueeze(1)
        value = key if same_kv else value.unsqueeze(1)
        query = key if same_q else query
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    tgt, batch, embed_dim = query.shape
    src = key.shape[0]
    key_padding_mask = _canonical_mask(key_padding_mask, "key_padding_mask", _none_or_dtype(attn_mask), "attn_mask",
                                       query.dtype)
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None  # the hint is enough
    else:
        attn_mask = _canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, False)
        if key_padding_mask is not None:
            is_causal = False
    head_dim = embed_dim // num_heads
    _check_mha(embed_dim, embed_dim_to_check, head_dim, num_heads, key, value, use_separate_proj_weight)
    if use_separate_proj_weight:
        biases = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
        q, k, v = _in_projection(query, key, value, q_proj_weight, k_proj_weight, v_proj_weight, *biases)
    else:
        q, k, v = _in_projection_packed(query, key, value, in_proj_weight, in_proj_bias)
    attn_mask = _fit_attn_mask(attn_mask, tgt, src, batch * num_heads)
    if bias_k is not None and bias_v is not None:
        k, v, attn_mask, key_padding_mask = _more_keys(k, v, bias_k.expand(1, batch, -1), bias_v.expand(1, batch, -1), attn_mask,
                                                       key_padding_mask)
    q = q.reshape(tgt, batch * num_heads, head_dim).transpose(0, 1)
    k = k.reshape(k.shape[0], batch * num_heads, head_dim).transpose(0, 1) if static_k is None else static_k
    v = v.reshape(v.shape[0], batch * num_heads, head_dim).transpose(0, 1) if static_v is None else static_v
    if add_zero_attn:
        zeros = bolide.zeros(batch * num_heads, 1, head_dim, dtype=k.dtype, device=k.device)
        k, v = bolide.cat([k, zeros], 1), bolide.cat([v, zeros], 1)
        attn_mask = None if attn_mask is None else _ops.pad(attn_mask, [0, 1], "constant", 0)
        key_padding_mask = None if key_padding_mask is None else _ops.pad(key_padding_mask, [0, 1], "constant", 0)
    src = k.shape[1]
    if key_padding_mask is not None:
        if tuple(key_padding_mask.shape) != (batch, src):
            raise AssertionError(f"expecting key_padding_mask shape of {(batch, src)}, but got {key_padding_mask.shape}")
        spread = key_padding_mask.reshape(batch, 1, 1, src).expand(-1, num_heads, -1, -1).reshape(batch * num_heads, 1, src)
        attn_mask = spread if attn_mask is None else attn_mask + spread
    dropout_p = dropout_p if training else 0.0
    if need_weights:
        return _with_weights(q, k, v, attn_mask, dropout_p, (out_proj_weight, out_proj_bias), (batch, num_heads, tgt, src),
                             average_attn_weights, batched)
    if attn_mask is not None:
        attn_mask = attn_mask.unsqueeze(0) if attn_mask.shape[0] == 1 and attn_mask.dim() == 3 else (
            attn_mask.reshape(batch, num_heads, -1, src))
    split = (batch, num_heads, -1, head_dim)
    out = _ops.scaled_dot_product_attention(q.reshape(split), k.reshape(split), v.reshape(split), attn_mask, dropout_p,
                                            is_causal)
    out = out.permute(2, 0, 1, 3).contiguous().reshape(batch * tgt, embed_dim)
    out = _ops.linear(out, out_proj_weight, out_proj_bias).reshape(tgt, batch, -1)
    return (out if batched else out.squeeze(1)), None


def _with_weights(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_p: float, out_proj: tuple, sizes: tuple,
                  average: bool, batched: bool) -> tuple[Tensor, Tensor]:
    batch, heads, tgt, src = sizes
    scores = (q * math.sqrt(1.0 / q.shape[-1])) @ k.transpose(-2, -1)
    weights = _ops.softmax(scores if mask is None else scores + mask, -1)
    if dropout_p > 0.0:
        weights = _ops.dropout(weights, dropout_p, True)
    out = (weights @ v).transpose(0, 1).contiguous().reshape(tgt * batch, -1)
    out = _ops.linear(out, *out_proj).reshape(tgt, batch, -1)
    weights = weights.reshape(batch, heads, tgt, src)
    if average:
        weights = weights.mean(1)
    return (out, weights) if batched else (out.squeeze(1), weights.squeeze(0))
