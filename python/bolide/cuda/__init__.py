"""CUDA: devices, streams, memory, random state. The library needs no CUDA to install; ``why()`` says what is missing.

Files: here devices and the module's surface; _memory (statistics), _streams (Stream, Event, graphs), _random.
"""

from __future__ import annotations

import os as _os
from typing import Any

from .. import _C
from .. import device as _device_type
from .._C import _cuda

__all__ = ["is_available", "device_count", "why", "current_device", "set_device", "device", "device_of", "get_device_name",
           "get_device_properties", "get_device_capability", "synchronize", "can_device_access_peer", "is_bf16_supported",
           "is_tf32_supported", "get_arch_list", "is_initialized", "init", "ipc_collect", "current_blas_handle"]

_folders_known = False


def _know_folders() -> None:
    """Tells the core where Python packages lie, so that it finds NVIDIA's; once, when CUDA is first asked for."""
    global _folders_known
    if not _folders_known:
        _folders_known = True
        import sysconfig

        for name in ("purelib", "platlib"):
            _cuda.add_package_folder(sysconfig.get_path(name))
        if path := _os.environ.get("VIRTUAL_ENV"):
            _cuda.add_package_folder(path)


_know_folders()


def is_available() -> bool:
    """Whether tensors can live on a CUDA device: a driver and a device are there. ``why()`` explains a False."""
    return _cuda.is_available()


def device_count() -> int:
    """The number of CUDA devices; 0 when CUDA is not available."""
    return _cuda.device_count()


def why() -> str:
    """Why CUDA cannot be used, in words, with the command that helps; the empty string when it can."""
    return _cuda.why()


def init() -> None:
    """Opens the driver; RuntimeError with the reason when that fails. Everything does it by itself when needed."""
    _cuda.require()


def is_initialized() -> bool:
    """Whether the driver has been opened and works."""
    return _cuda.is_available()


_lazy_init = init


def _index(device: Any, optional: bool = True) -> int:
    """The index of a device given as an index, a name, a ``torch.device`` or None (the current one)."""
    if device is None:
        return current_device()
    if isinstance(device, int):
        return current_device() if device < 0 else device
    device = _device_type(device)
    if device.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {device}")
    return current_device() if device.index is None else device.index


_get_device_index = _index


def current_device() -> int:
    """The index of the calling thread's current device."""
    return _cuda.current_device()


def set_device(device: Any) -> None:
    """Makes ``device`` the calling thread's current one; a negative index changes nothing."""
    index = device if isinstance(device, int) else _index(device)
    if index >= 0:
        _cuda.set_device(index)


class device:  # noqa: N801
    """``with torch.cuda.device(1):`` makes a device current for a block; None or a negative index changes nothing."""

    def __init__(self, device: Any) -> None:
        self.idx = device if isinstance(device, int) else -1 if device is None else _index(device)
        self.prev_idx = -1

    def __enter__(self) -> device:
        if self.idx >= 0:
            self.prev_idx = current_device()
            _cuda.set_device(self.idx)
        return self

    def __exit__(self, *exc: Any) -> None:
        if self.idx >= 0:
            _cuda.set_device(self.prev_idx)


class device_of(device):  # noqa: N801
    """``with torch.cuda.device_of(tensor):`` makes the tensor's device current."""

    def __init__(self, obj: Any) -> None:
        super().__init__(obj.get_device() if obj.is_cuda else -1)


class _CudaDeviceProperties:
    """What the driver tells of a device."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.__dict__.update(fields)
        self.is_integrated, self.is_multi_gpu_board = bool(self.is_integrated), bool(self.is_multi_gpu_board)

    def __repr__(self) -> str:
        return (f"_CudaDeviceProperties(name='{self.name}', major={self.major}, minor={self.minor}, "
                f"total_memory={self.total_memory // 2**20}MB, multi_processor_count={self.multi_processor_count}, "
                f"L2_cache_size={self.L2_cache_size // 2**20}MB)")


def get_device_properties(device: Any = None) -> Any:
    """Name, compute capability, memory, multiprocessors ... of a device."""
    return _CudaDeviceProperties(_cuda.properties(_index(device)))


def get_device_name(device: Any = None) -> str:
    """The device's name, such as 'NVIDIA H100'."""
    return get_device_properties(device).name


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """(major, minor) of the compute capability."""
    p = get_device_properties(device)
    return p.major, p.minor


def synchronize(device: Any = None) -> None:
    """Waits until all work of the device is done."""
    _cuda.synchronize(_index(device))


def can_device_access_peer(device: Any, peer_device: Any) -> bool:
    """Whether the one device reads the other's memory directly."""
    return _cuda.can_access_peer(_index(device), _index(peer_device))


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether bfloat16 works: always with emulation, from compute capability 8.0 on in hardware."""
    return is_available() and (including_emulation or get_device_capability()[0] >= 8)


def is_tf32_supported() -> bool:
    """Whether the tensor cores multiply in TF32."""
    return is_available() and get_device_capability()[0] >= 8


def get_arch_list() -> list[str]:
    """Architectures that kernels are compiled for: those of the devices here, as they are met."""
    return sorted({"sm_{}{}".format(*get_device_capability(i)) for i in range(device_count())})


def get_gencode_flags() -> str:
    """Empty: kernels are compiled for the device at hand."""
    return ""


def ipc_collect() -> None:
    """Does nothing: no memory is shared between processes through CUDA."""


def current_blas_handle() -> int:
    """Not there: the products' libraries are opened by the core."""
    raise NotImplementedError("bolide.cuda.current_blas_handle is not built")


from . import _memory, _random, _streams  # noqa: E402
from ._memory import *  # noqa: E402, F403
from ._random import *  # noqa: E402, F403
from ._streams import *  # noqa: E402, F403

__all__ += [*_memory.__all__, *_random.__all__, *_streams.__all__]


def __getattr__(name: str) -> Any:
    if name in ("amp", "nvtx", "memory", "random", "streams", "graphs", "comm", "nccl", "profiler"):
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    if name == "default_generators":
        return tuple(_random.CUDAGenerator(i) for i in range(device_count()))
    if name.endswith("Tensor") and hasattr(_C, name):
        raise TypeError(f"type torch.cuda.{name} not available: use torch.tensor(..., device='cuda')")
    raise AttributeError(f"module 'bolide.cuda' has no attribute '{name}'")
