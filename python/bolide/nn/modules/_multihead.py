"""Multi-head attention."""

from __future__ import annotations

from typing import Any

import bolide
from bolide import Tensor

from .. import functional as F
from ..init import constant_, xavier_normal_, xavier_uniform_
from ..parameter import Parameter
from .linear import NonDynamicallyQuantizableLinear
from .module import Module

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention of several heads: queries look at keys and take a weighted mean of values.

    Args:
        embed_dim: size of queries and of the result; each of `num_heads` heads has embed_dim / num_heads of
            it.
        num_heads: number of heads.
        dropout: probability with which a weight is zeroed in training.
        bias: whether the projections add a bias.
        add_bias_kv: one more learned key and value that every query sees.
        add_zero_attn: one more key and value of zeros.
        kdim: size of keys, `embed_dim` when left out.
        vdim: size of values, `embed_dim` when left out.
        batch_first: tensors are (batch, sequence, feature) rather than (sequence, batch, feature).
    """

    __constants__ = ["batch_first"]
    bias_k: Tensor | None
    bias_v: Tensor | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and "
                f"num_heads={num_heads} instead"
            )
        super().__init__()
        place = {"device": device, "dtype": dtype}
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        if self._qkv_same_embed_dim:
            self.in_proj_weight = Parameter(bolide.empty((3 * embed_dim, embed_dim), **place))
            for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
                self.register_parameter(name, None)
        else:
            self.q_proj_weight = Parameter(bolide.empty((embed_dim, embed_dim), **place))
            self.k_proj_weight = Parameter(bolide.empty((embed_dim, self.kdim), **place))
            self.v_proj_weight = Parameter(bolide.empty((embed_dim, self.vdim), **place))
            self.register_parameter("in_proj_weight", None)
        if bias:
            self.in_proj_bias = Parameter(bolide.empty(3 * embed_dim, **place))
        else:
            self.register_parameter("in_proj_bias", None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **place)
        if add_bias_kv:
            self.bias_k = Parameter(bolide.empty((1, 1, embed_dim), **place))
            self.bias_v = Parameter(bolide.empty((1, 1, embed_dim), **place))
        else:
            self.bias_k = self.bias_v = None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        if self._qkv_same_embed_dim:
            xavier_uniform_(self.in_proj_weight)
        else:
            xavier_uniform_(self.q_proj_weight)
            xavier_uniform_(self.k_proj_weight)
            xavier_uniform_(self.v_proj_weight)
        if self.in_proj_bias is not None:
            constant_(self.in_proj_bias, 0.0)
            constant_(self.out_proj.bias, 0.0)
        if self.bias_k is not None:
            xavier_normal_(self.bias_k)
        if self.bias_v is not None:
            xavier_normal_(self.bias_v)

    def __setstate__(self, state: dict) -> None:
        state.setdefault("_qkv_same_embed_dim", True)  # files of versions without kdim and vdim
        super().__setstate__(state)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Args:
            query: (L, N, E), or (L, E) without a batch, or (N, L, E) with `batch_first`.
            key: (S, N, kdim) likewise.
            value: (S, N, vdim) likewise.
            key_padding_mask: (N, S); True (or minus infinity) where a key is padding.
            need_weights: give the weights too; False is faster.
            attn_mask: (L, S) or (N num_heads, L, S); True forbids, numbers are added to the scores.
            average_attn_weights: give the mean of the heads' weights rather than each head's.
            is_causal: a promise that `attn_mask` is the causal mask, which allows faster code.

        Returns:
            The result, shaped like `query`, and the weights (N, L, S) or (N, num_heads, L, S), or None.
        """
        transposed = self.batch_first and query.dim() == 3
        if transposed:
            # the functional form looks at identity to see which inputs are the same
            if key is value:
                if query is key:
                    query = key = value = query.transpose(1, 0)
                else:
                    query = query.transpose(1, 0)
                    key = value = key.transpose(1, 0)
            else:
                query, key, value = (x.transpose(1, 0) for x in (query, key, value))
        separate = {}
        if not self._qkv_same_embed_dim:
            separate = {
                "use_separate_proj_weight": True,
                "q_proj_weight": self.q_proj_weight,
                "k_proj_weight": self.k_proj_weight,
                "v_proj_weight": self.v_proj_weight,
            }
        output, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
            **separate,
        )
        return (output.transpose(1, 0) if transposed else output), weights

    def merge_masks(
        self, attn_mask: Tensor | None, key_padding_mask: Tensor | None, query: Tensor
    ) -> tuple[Tensor | None, int | None]:
        """Both masks as one, with its type: 0 for an attention mask, 1 for padding alone, 2 for (N, heads,
        L, S).
        """
        if attn_mask is None:
            return key_padding_mask, None if key_padding_mask is None else 1
        if attn_mask.dim() == 3:
            attn_mask = attn_mask.view(query.shape[0], -1, attn_mask.size(1), attn_mask.size(2))
        else:
            attn_mask = attn_mask.view(1, 1, *attn_mask.shape).expand(query.shape[0], self.num_heads, -1, -1)
        if key_padding_mask is not None:
            spread = key_padding_mask.view(query.shape[0], 1, 1, -1).expand(-1, self.num_heads, -1, -1)
            attn_mask = attn_mask + spread
        return attn_mask, 2
