"""The warning of losses whose input and target differ in shape: [N, 1] against [N] trains on N * N differences."""

from __future__ import annotations

import sys
from typing import Any

import bolide

_strict = False


class strict_losses:
    """Makes losses raise instead of warn when input and target differ in shape.

    `strict_losses(True)` holds at once; `with strict_losses(True):` puts the former state back at its end.
    """

    def __init__(self, mode: bool = True) -> None:
        global _strict
        self.former = _strict
        _strict = bool(mode)

    def __enter__(self) -> strict_losses:
        return self

    def __exit__(self, *exc: Any) -> None:
        global _strict
        _strict = self.former


def warn_mismatch(input: bolide.Tensor, target: bolide.Tensor) -> None:
    """Warns at the line outside this package that asked for the loss (Python shows it once for each line).

    Raises ValueError where `strict_losses` holds, and RuntimeError for shapes that do not broadcast.
    """
    shape = tuple(bolide.broadcast_shapes(input.shape, target.shape))
    text = (f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely lead to "
            f"incorrect results due to broadcasting. Please ensure they have the same size. (The loss is taken over {shape}.)")
    if _strict:
        raise ValueError(text)
    import warnings

    frame: Any = sys._getframe(1)
    level = 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "bolide":
        frame, level = frame.f_back, level + 1
    warnings.warn(text, stacklevel=level)
