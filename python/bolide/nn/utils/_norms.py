"""What weight normalisation computes with."""

from __future__ import annotations

from bolide import Tensor


def norm_except_dim(v: Tensor, pow: float = 2, dim: int | None = 0) -> Tensor:
    """The norms of the slices along `dim`, shaped so that they broadcast against `v`;
    of all of it for None or -1.
    """
    if dim is None or dim == -1:
        return v.norm(pow)
    others = [d for d in range(v.dim()) if d != dim]
    return v.norm(pow, others, keepdim=True) if others else v.abs()


def weight_norm(v: Tensor, g: Tensor, dim: int | None = 0) -> Tensor:
    """The direction of `v` with the length `g`."""
    return v * (g / norm_except_dim(v, 2, dim))
