"""Which implementations `functional.scaled_dot_product_attention` may choose from.

The choice is one list for each thread, in order of preference. On the CPU every list computes the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from enum import IntEnum
from typing import Any

from ..._modes import _DecoratorContextManager

__all__ = [
    "SDPBackend",
    "WARN_FOR_UNFUSED_KERNELS",
    "activate_flash_attention_impl",
    "current_flash_attention_impl",
    "list_flash_attention_impls",
    "register_flash_attention_impl",
    "restore_flash_attention_impl",
    "sdpa_kernel",
]

WARN_FOR_UNFUSED_KERNELS = False


class SDPBackend(IntEnum):
    """The implementations of attention."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4

    def __str__(self) -> str:
        return f"SDPBackend.{self.name}"


# The order in which the list of allowed ones is told, and that of preference.
_TOLD = (
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
    SDPBackend.OVERRIDEABLE,
)
_PREFERRED = (
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.OVERRIDEABLE,
)


class _State(threading.local):
    allowed: frozenset = frozenset(_TOLD)
    order: tuple = _PREFERRED


_state = _State()


def _backend_from_string(name: str) -> SDPBackend:
    return SDPBackend[name]


def _cur_sdpa_kernel_backends(with_priority: bool = False) -> list[SDPBackend]:
    """The allowed implementations, by preference if asked for."""
    return [b for b in (_state.order if with_priority else _TOLD) if b in _state.allowed]


class sdpa_kernel(_DecoratorContextManager):
    """Inside, attention uses only the given implementations; also usable as a decorator.

    Args:
        backends: one SDPBackend or a list.
        set_priority: whether the list's order is that of preference.
    """

    def __init__(self, backends: Any, set_priority: bool = False) -> None:
        self._arguments = (backends, set_priority)
        wanted = [backends] if isinstance(backends, SDPBackend) else backends
        if not isinstance(wanted, Iterable) or not all(isinstance(b, SDPBackend) for b in wanted):
            raise AssertionError(
                "Backend must be an instance of SDPBackend or a list of SDPBackend instances"
            )
        self.wanted = list(dict.fromkeys(wanted))
        self.set_priority = set_priority
        self.saved: list[tuple] = []

    def __enter__(self) -> dict:
        self.saved.append((_state.allowed, _state.order))
        _state.allowed = frozenset(self.wanted)
        if self.set_priority:
            _state.order = (*self.wanted, *(b for b in _state.order if b not in self.wanted))
        return {}

    def __exit__(self, *exc: Any) -> None:
        _state.allowed, _state.order = self.saved.pop()

    def clone(self) -> sdpa_kernel:
        return type(self)(*self._arguments)


def _sdpa_kernel_variadic(*backends: SDPBackend) -> sdpa_kernel:
    return sdpa_kernel(list(backends))


def list_flash_attention_impls() -> list[str]:
    """The names of further implementations that could be activated: none here."""
    return []


def current_flash_attention_impl() -> str | None:
    """The activated further implementation: none here."""
    return None


def register_flash_attention_impl(impl: str, *, register_fn: Any) -> None:
    """Adds a further implementation. Raises NotImplementedError: there is no such interface here."""
    raise NotImplementedError("register_flash_attention_impl(): implementations of attention cannot be added")


def activate_flash_attention_impl(impl: str) -> None:
    """Chooses a further implementation. Raises ValueError, since there are none here."""
    raise ValueError(f"Unknown flash attention impl '{impl}'. Available implementations: []")


def restore_flash_attention_impl(_raise_warn: bool = True) -> None:
    """Back to the own implementation, which is always active here."""
