"""Random state of the CUDA devices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._C import _cuda

__all__ = ["manual_seed", "manual_seed_all", "seed", "seed_all", "initial_seed", "get_rng_state", "set_rng_state", "get_rng_state_all",
           "set_rng_state_all"]


def _index(device: Any) -> int:
    from .. import device as device_type

    if isinstance(device, int):
        return device
    device = device_type(device)
    return device.index if device.index is not None else _cuda.current_device() if _cuda.is_available() else 0


def manual_seed(seed: int) -> None:
    """Seeds the current device's generator."""
    _cuda.manual_seed(_cuda.current_device() if _cuda.is_available() else 0, int(seed))


def manual_seed_all(seed: int) -> None:
    """Seeds the generators of all devices."""
    for i in range(max(_cuda.device_count(), 1)):
        _cuda.manual_seed(i, int(seed))


def seed() -> None:
    """Seeds the current device's generator from the operating system."""
    import secrets

    manual_seed(secrets.randbits(53))


def seed_all() -> None:
    """Seeds all devices with one number from the operating system."""
    import secrets

    manual_seed_all(secrets.randbits(53))


def initial_seed() -> int:
    """The current device's seed."""
    return _cuda.initial_seed(None)


def get_rng_state(device: Any = "cuda") -> Any:
    """A device's state: a uint8 tensor of 16 bytes (seed, offset)."""
    return _cuda.get_rng_state(_index(device))


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Restores a state of ``get_rng_state``."""
    _cuda.set_rng_state(new_state, _index(device))


def get_rng_state_all() -> list[Any]:
    """The states of all devices."""
    return [get_rng_state(i) for i in range(_cuda.device_count())]


def set_rng_state_all(new_states: Iterable[Any]) -> None:
    """Restores ``get_rng_state_all``."""
    for i, state in enumerate(new_states):
        set_rng_state(state, i)


class CUDAGenerator:
    """The default generator of a device."""

    def __init__(self, index: int) -> None:
        self._device_index = index

    def manual_seed(self, seed: int) -> CUDAGenerator:
        _cuda.manual_seed(self._device_index, int(seed))
        return self

    def initial_seed(self) -> int:
        return _cuda.initial_seed(self._device_index)

    def get_state(self) -> Any:
        return _cuda.get_rng_state(self._device_index)

    def set_state(self, state: Any) -> CUDAGenerator:
        _cuda.set_rng_state(state, self._device_index)
        return self
