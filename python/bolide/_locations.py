"""Where storages belong: the tags that files hold, and how a storage gets there.

`register_package(priority, tagger, deserializer)` adds a kind of device: the tagger gives a storage's tag or None, the
deserializer moves a storage to where a tag says, or returns None for tags that are not its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bolide
from bolide.storage import UntypedStorage

__all__ = ["default_restore_location", "location_tag", "register_package", "validate_cuda_device"]

_packages: list[tuple[int, Callable, Callable]] = []


def register_package(priority: int, tagger: Callable, deserializer: Callable) -> None:
    """Add a kind of device; those of lower priority are asked first."""
    _packages.append((priority, tagger, deserializer))
    _packages.sort(key=lambda p: p[0])


def location_tag(storage: Any) -> str:
    """The tag of where a storage lies. Throws RuntimeError when no package knows it."""
    for _, tagger, _ in _packages:
        tag = tagger(storage)
        if tag:
            return tag
    raise RuntimeError(f"don't know how to determine data location of torch.storage.UntypedStorage on {storage.device}")


def default_restore_location(storage: Any, location: str) -> Any:
    """The storage where its tag says. Throws RuntimeError when no package knows the tag."""
    for _, _, deserializer in _packages:
        result = deserializer(storage, location)
        if result is not None:
            return result
    raise RuntimeError(
        f"don't know how to restore data location of torch.storage.UntypedStorage (tagged with {location})"
    )


def _kind(storage: Any) -> str:
    return storage.device.type


register_package(
    10,
    lambda storage: "cpu" if _kind(storage) == "cpu" else None,
    lambda storage, location: storage if location == "cpu" else None,
)


def validate_cuda_device(location: str) -> int:
    """The number of the device of a "cuda" tag. Throws RuntimeError when it is not here."""
    if not bolide.cuda.is_available():
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. "
            "If you are running on a CPU-only machine, please use torch.load with "
            "map_location=torch.device('cpu') to map your storages to the CPU."
        )
    index = bolide.device(location).index or 0
    if index >= bolide.cuda.device_count():
        raise RuntimeError(
            f"Attempting to deserialize object on CUDA device {index} but torch.cuda.device_count() "
            f"is {bolide.cuda.device_count()}. Please use torch.load with map_location to map your "
            f"storages to an existing device."
        )
    return index


register_package(
    20,
    lambda storage: f"cuda:{storage.get_device()}" if _kind(storage) == "cuda" else None,
    lambda storage, location: (
        storage.to(f"cuda:{validate_cuda_device(location)}") if location.startswith("cuda") else None
    ),
)
register_package(
    22,
    lambda storage: "meta" if _kind(storage) == "meta" else None,
    lambda storage, location: storage.to("meta") if location == "meta" else None,
)


def restorer(map_location: Any) -> Callable[[UntypedStorage, str], UntypedStorage]:
    """What moves a storage with a tag to where `load(map_location=...)` wants it."""
    if map_location is None:
        return default_restore_location
    if isinstance(map_location, dict):
        return lambda storage, location: default_restore_location(storage, str(map_location.get(location, location)))
    if isinstance(map_location, (str, bolide.device)):
        where = str(map_location)
        return lambda storage, location: default_restore_location(storage, where)

    def by_function(storage: UntypedStorage, location: str) -> UntypedStorage:
        moved = map_location(storage, location)
        return default_restore_location(storage, location) if moved is None else moved.untyped()

    return by_function
