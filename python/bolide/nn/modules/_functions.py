"""Functions that only one module uses."""

from __future__ import annotations

import bolide
from bolide import Tensor


def cross_map_lrn2d(input: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """x / (k + alpha / size times the sum of squares of the channels around each)^beta for (N, C, H, W).

    The window has (size - 1) // 2 channels on both sides, and the first channel counts everywhere: PyTorch's
    running sum never drops it, and trained models depend on that.
    """
    if input.dim() != 4:
        raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.dim()}D instead.")
    from ..functional import pad

    half = (size - 1) // 2
    squares = input.square()
    sums = pad(squares, (0, 0, 0, 0, half, half)).unfold(1, 2 * half + 1, 1).sum(-1)
    beyond = bolide.arange(input.shape[1], device=input.device) > half
    sums = sums + squares[:, :1] * beyond.to(input.dtype).view(1, -1, 1, 1)
    return input * sums.mul(alpha / size).add(k).pow(-beta)
