"""Splitting of inputs over devices, and joining of outputs."""

from __future__ import annotations

from typing import Any

import bolide
from bolide import Tensor

__all__ = ["gather", "scatter", "scatter_kwargs"]


def is_namedtuple(obj: Any) -> bool:
    """Whether `obj` is an instance of a named tuple's class."""
    return isinstance(obj, tuple) and hasattr(obj, "_asdict") and hasattr(obj, "_fields")


def scatter(inputs: Any, target_gpus: Any, dim: int = 0) -> list:
    """For each device its part: tensors are cut along `dim`, containers are gone through,
    other values are shared.
    """

    def parts(obj: Any) -> list:
        if isinstance(obj, Tensor):
            pieces = obj.chunk(len(target_gpus), dim)
            return [piece.to(_device(where)) for piece, where in zip(pieces, target_gpus, strict=False)]
        if is_namedtuple(obj):
            return [type(obj)(*args) for args in zip(*map(parts, obj), strict=False)]
        if isinstance(obj, (tuple, list)) and len(obj) > 0:
            return [type(obj)(args) for args in zip(*map(parts, obj), strict=False)]
        if isinstance(obj, dict) and len(obj) > 0:
            return [type(obj)(items) for items in zip(*map(parts, obj.items()), strict=False)]
        return [obj for _ in target_gpus]

    return parts(inputs)


def _device(where: Any) -> Any:
    return bolide.device("cuda", where) if isinstance(where, int) else where


def scatter_kwargs(inputs: tuple, kwargs: dict | None, target_gpus: Any, dim: int = 0) -> tuple[tuple, tuple]:
    """`scatter` of positional and keyword arguments; both lists get the same length."""
    spread = scatter(inputs, target_gpus, dim) if inputs else []
    spread_kwargs = scatter(kwargs, target_gpus, dim) if kwargs else []
    spread.extend(() for _ in range(len(spread_kwargs) - len(spread)))
    spread_kwargs.extend({} for _ in range(len(spread) - len(spread_kwargs)))
    return tuple(spread), tuple(spread_kwargs)


def gather(outputs: Any, target_device: Any, dim: int = 0) -> Any:
    """The devices' outputs joined along `dim` on one device."""
    outputs = list(outputs)
    first = outputs[0]
    if isinstance(first, Tensor):
        where = _device(target_device)
        moved = [t.to(where) for t in outputs]
        return bolide.cat([t.view(1) if t.dim() == 0 else t for t in moved], dim)
    if first is None:
        return None
    if isinstance(first, dict):
        if not all(len(out) == len(first) for out in outputs):
            raise ValueError("All dicts must have the same number of keys")
        return type(first)((k, gather([out[k] for out in outputs], target_device, dim)) for k in first)
    joined = [gather(parts, target_device, dim) for parts in zip(*outputs, strict=True)]
    return type(first)(*joined) if is_namedtuple(first) else type(first)(joined)
