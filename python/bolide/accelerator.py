"""The accelerator of this machine, whichever it is: CUDA or none."""

from . import _C, cuda as _cuda

__all__ = ["current_accelerator", "current_device_index", "current_stream", "device_count", "device_index", "empty_cache", "is_available",
           "max_memory_allocated", "memory_allocated", "memory_stats", "reset_peak_memory_stats", "set_device_index", "set_stream", "synchronize"]


def is_available():
    return _cuda.is_available()


def device_count():
    return _cuda.device_count() if is_available() else 0


def current_accelerator(check_available=False):
    """device('cuda'), or None where there is none."""
    return _C.device("cuda") if is_available() else None


def current_device_index():
    return _cuda.current_device()


current_device_idx = current_device_index


def set_device_index(device):
    _cuda.set_device(device)


set_device_idx = set_device_index


def current_stream(device=None):
    return _cuda.current_stream(device)


def set_stream(stream):
    _cuda.set_stream(stream)


def synchronize(device=None):
    if is_available():
        _cuda.synchronize(device)


def empty_cache():
    if is_available():
        _cuda.empty_cache()


def memory_allocated(device=None):
    return _cuda.memory_allocated(device)


def max_memory_allocated(device=None):
    return _cuda.max_memory_allocated(device)


def memory_stats(device=None):
    return _cuda.memory_stats(device)


def reset_peak_memory_stats(device=None):
    return _cuda.reset_peak_memory_stats(device)


def device_index(device):
    return _cuda.device(device)
