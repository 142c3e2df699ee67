"""Embeddings that the core lacks, built from sums and lookups."""

from __future__ import annotations

from typing import Any

import bolide

from ._ops import ops


def _check_indices(name: str, indices: Any) -> None:
    if indices.dtype not in (bolide.int64, bolide.int32):
        raise RuntimeError(f"Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; "
                           f"but got {indices.type()} instead (while checking arguments for {name})")


def embedding_renorm_(weight: Any, indices: Any, max_norm: float, norm_type: float) -> Any:
    for row in sorted(set(indices.reshape(-1).tolist())):
        norm = float(weight[row].norm(norm_type))
        if norm > max_norm:
            weight[row] *= max_norm / (norm + 1e-7)
    return weight


def embedding_bag(weight: Any, indices: Any, offsets: Any, scale_grad_by_freq: bool = False, mode: int = 0,
                  sparse: bool = False, per_sample_weights: Any = None, include_last_offset: bool = False,
                  padding_idx: int = -1) -> tuple:
    _check_indices("embedding_bag", indices)
    if sparse or scale_grad_by_freq:
        raise NotImplementedError("embedding_bag: sparse gradients and scale_grad_by_freq are not built")
    if padding_idx != -1 and padding_idx < 0:
        padding_idx += weight.shape[0]
    starts = offsets.tolist()
    if starts and starts[0] != 0:
        raise RuntimeError(f"offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
                           f"However, got {starts[0]}")
    if starts and starts[-1] > indices.numel():
        raise RuntimeError(f"offsets[-1] can not be greater than input's length {indices.numel()} but got offsets[-1] of "
                           f"{starts[-1]}")
    ends = starts[1:] + [indices.numel()]
    if include_last_offset:
        starts, ends = starts[:-1], ends[:-1]
    rows = ops.embedding(weight, indices)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    keep = [i != padding_idx for i in indices.tolist()] if padding_idx >= 0 else None
    bags = []
    for a, b in zip(starts, ends, strict=True):
        members = rows[a:b]
        if keep is not None:
            members = members[[i for i in range(b - a) if keep[a + i]]]
        if members.shape[0] == 0:
            bags.append(rows.new_zeros(weight.shape[1]))
        else:
            bags.append((members.sum(0), members.mean(0), None)[mode] if mode < 2 else members.max(0)[0])
    return (bolide.stack(bags) if bags else rows.new_zeros(0, weight.shape[1]),)
