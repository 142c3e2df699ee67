"""The environment in which Bolide finds the software GPU. Built by CMake with the C++ tests, in build/softgpu."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("BOLIDE_SOFTGPU", ROOT / "build" / "softgpu"))


def built() -> bool:
    return (FOLDER / "libsoftcuda.so").exists() and (FOLDER / "libsoftnvrtc.so").exists()


def environment(**more: str) -> dict[str, str]:
    """Variables to add to a process's environment; kernels of the software GPU have a cache of their own."""
    return {
        "BOLIDE_CUDA_DRIVER": str(FOLDER / "libsoftcuda.so"),
        "BOLIDE_NVRTC": str(FOLDER / "libsoftnvrtc.so"),
        "BOLIDE_KERNEL_CACHE": str(FOLDER / "cache"),
        "SOFTGPU_CACHE": str(FOLDER / "objects"),
        **more,
    }
