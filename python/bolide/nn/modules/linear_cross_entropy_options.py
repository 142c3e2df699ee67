"""How `functional.linear_cross_entropy` divides its work."""

from __future__ import annotations

from typing import Any

__all__ = ["LinearCrossEntropyOptions"]


class LinearCrossEntropyOptions:
    """Asks for pieces of the batch one after another, so that not all logits are in memory at once.

    Args:
        allow_retain_graph: keep what a second backward needs.
        batch_chunk_size: rows of a piece; chosen by `chunking_method` when None.
        chunking_method: 'auto', or 'aspect_ratio:N' for pieces of about N times as many rows as features.
        acc_policy: 'accurate', 'balanced', 'compact' or 'auto': the precision of sums over pieces.
        acc_dtype: the dtype of those sums.
    """

    _fields = ("allow_retain_graph", "batch_chunk_size", "chunking_method", "acc_policy", "acc_dtype")

    def __init__(
        self,
        allow_retain_graph: bool = False,
        batch_chunk_size: int | None = None,
        chunking_method: str | None = "auto",
        acc_policy: str = "auto",
        acc_dtype: Any = None,
    ) -> None:
        if batch_chunk_size is not None and (not isinstance(batch_chunk_size, int) or batch_chunk_size <= 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {batch_chunk_size}")
        if (
            chunking_method is not None
            and chunking_method != "auto"
            and not chunking_method.startswith("aspect_ratio")
        ):
            raise ValueError(f"invalid chunking_method: {chunking_method!r}")
        if acc_policy not in ("accurate", "balanced", "compact", "auto"):
            raise ValueError(f"invalid acc_policy: {acc_policy!r}")
        self.allow_retain_graph = allow_retain_graph
        self.batch_chunk_size = batch_chunk_size
        self.chunking_method = chunking_method
        self.acc_policy = acc_policy
        self.acc_dtype = acc_dtype

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._fields)})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LinearCrossEntropyOptions):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._fields)

    __hash__ = None
