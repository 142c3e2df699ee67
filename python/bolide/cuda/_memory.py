"""Statistics and control of the caching allocator."""

from __future__ import annotations

import collections
from typing import Any

from .._C import _cuda

__all__ = ["memory_allocated", "max_memory_allocated", "memory_reserved", "max_memory_reserved", "memory_cached", "max_memory_cached",
           "reset_peak_memory_stats", "reset_max_memory_allocated", "reset_max_memory_cached", "reset_accumulated_memory_stats",
           "memory_stats", "memory_summary", "mem_get_info", "empty_cache", "set_per_process_memory_fraction", "memory_usage",
           "utilization", "list_gpu_processes", "caching_allocator_alloc", "caching_allocator_delete"]


def _index(device: Any) -> int:
    from . import _index as index

    return index(device)


def _stats(device: Any) -> dict[str, int]:
    if not _cuda.is_available():
        return collections.defaultdict(int)
    return _cuda.memory_stats(_index(device))


def memory_allocated(device: Any = None) -> int:
    """Bytes in live tensors, as the allocator rounds them."""
    return _stats(device)["allocated"]


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes in live tensors since the start or ``reset_peak_memory_stats``."""
    return _stats(device)["peak_allocated"]


def memory_reserved(device: Any = None) -> int:
    """Bytes the allocator holds from the driver."""
    return _stats(device)["reserved"]


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes held from the driver."""
    return _stats(device)["peak_reserved"]


memory_cached, max_memory_cached = memory_reserved, max_memory_reserved


def reset_peak_memory_stats(device: Any = None) -> None:
    """Starts the peaks anew from what is in use now."""
    if _cuda.is_available():
        _cuda.reset_peak(_index(device))


reset_max_memory_allocated = reset_max_memory_cached = reset_peak_memory_stats


def reset_accumulated_memory_stats(device: Any = None) -> None:
    """Counts of allocations go on: they are since the start of the process."""


def memory_stats(device: Any = None) -> dict[str, int]:
    """The allocator's figures under PyTorch's names."""
    s = _stats(device)
    if not s:
        return collections.OrderedDict()
    out: dict[str, int] = collections.OrderedDict()
    for name, now, peak, allocated, freed in (
            ("allocated_bytes.all", "allocated", "peak_allocated", "total_allocated", "total_freed"),
            ("active_bytes.all", "allocated", "peak_allocated", "total_allocated", "total_freed"),
            ("reserved_bytes.all", "reserved", "peak_reserved", None, None),
            ("active.all", "live_blocks", "peak_live_blocks", "allocations", "frees"),
            ("allocation.all", "live_blocks", "peak_live_blocks", "allocations", "frees"),
            ("segment.all", "segments", None, "driver_allocations", "driver_frees")):
        out[name + ".current"] = s[now]
        out[name + ".peak"] = s[peak or now]
        if allocated:
            out[name + ".allocated"], out[name + ".freed"] = s[allocated], s[freed]
    out["num_alloc_retries"], out["num_ooms"] = s["retries"], s["ooms"]
    return out


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """A table for people: bytes in use and reserved, counts, the largest live blocks."""
    s = _stats(device)
    if not s:
        return "CUDA is not in use."
    mib = 1 << 20
    rows = [("allocated", s["allocated"], s["peak_allocated"]), ("reserved", s["reserved"], s["peak_reserved"])]
    lines = [f"Memory of cuda:{_index(device)}", f"{'':12}{'now':>14}{'peak':>14}"]
    lines += [f"{name:12}{now / mib:>10.1f} MiB{peak / mib:>10.1f} MiB" for name, now, peak in rows]
    lines.append(f"{s['live_blocks']} live tensors' blocks in {s['segments']} segments; {s['allocations']} allocations, "
                 f"{s['driver_allocations']} by the driver, {s['retries']} retries, {s['ooms']} out of memory")
    if not abbreviated:
        lines.append("The largest live blocks:" + (_cuda.largest_blocks(_index(device)) or " none"))
    return "\n".join(lines)


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """(free, total) bytes of the device, as the driver sees them."""
    return _cuda.memory_info(_index(device))


def empty_cache() -> None:
    """Gives memory that no tensor uses back to the driver."""
    if _cuda.is_available():
        _cuda.empty_cache()


def set_per_process_memory_fraction(fraction: float, device: Any = None) -> None:
    """Lets this process reserve at most that share of the device's memory."""
    if not isinstance(fraction, float):
        raise TypeError("Invalid type for fraction argument, must be `float`")
    _cuda.memory_fraction(fraction, _index(device))


def _needs_nvml(name: str) -> Any:
    raise NotImplementedError(f"bolide.cuda.{name} needs NVML, which is not built; `nvidia-smi` shows it")


def memory_usage(device: Any = None) -> int:
    """Not built: see ``nvidia-smi``."""
    return _needs_nvml("memory_usage")


def utilization(device: Any = None) -> int:
    """Not built: see ``nvidia-smi``."""
    return _needs_nvml("utilization")


def list_gpu_processes(device: Any = None) -> str:
    """Not built: see ``nvidia-smi``."""
    return _needs_nvml("list_gpu_processes")


def caching_allocator_alloc(size: int, device: Any = None, stream: Any = None) -> int:
    """Not built: allocate a uint8 tensor instead."""
    raise NotImplementedError("bolide.cuda.caching_allocator_alloc is not built: use torch.empty(size, dtype=torch.uint8, device='cuda')")


caching_allocator_delete = caching_allocator_alloc
