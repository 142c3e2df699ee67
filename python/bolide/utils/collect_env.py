"""What machine, system and versions a problem occurred with:
`python -m bolide.utils.collect_env` prints it.
"""

from __future__ import annotations

import os
import platform
import sys
from typing import Any, NamedTuple

__all__ = ["SystemEnv", "get_env_info", "get_pretty_env_info", "main", "pretty_str"]


class SystemEnv(NamedTuple):
    """The facts, in the order in which they are printed."""

    torch_version: str
    os: str
    libc_version: str
    python_version: str
    python_platform: str
    is_cuda_available: str
    why_no_cuda: str
    cpu_info: str
    num_threads: str
    packages: str


def _cpu() -> str:
    """The processor's name and the instruction set in use."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as f:
            name = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), name)
    except OSError:
        pass
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name} ({usable} usable of {os.cpu_count()} cores)"


def _system() -> str:
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        name = ""
    return f"{name or platform.system()} ({platform.machine()})"


def _packages() -> str:
    from importlib import metadata

    found = []
    for name in ("numpy", "torchvision", "torchaudio", "safetensors", "transformers"):
        try:
            found.append(f"{name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found) or "none of the usual ones"


def _cuda() -> tuple[str, str]:
    import bolide

    try:
        available = bolide.cuda.is_available()
        return str(available), "" if available else str(bolide.cuda.why())
    except AttributeError:
        return "False", "built without CUDA"


def get_env_info() -> SystemEnv:
    """Collects the facts."""
    import bolide

    available, why = _cuda()
    threads: Any = bolide.get_num_threads() if hasattr(bolide, "get_num_threads") else "unknown"
    return SystemEnv(
        torch_version=str(bolide.__version__),
        os=_system(),
        libc_version="-".join(platform.libc_ver()),
        python_version=f"{sys.version} ({sys.maxsize.bit_length() + 1}-bit runtime)",
        python_platform=platform.platform(),
        is_cuda_available=available,
        why_no_cuda=why,
        cpu_info=_cpu(),
        num_threads=str(threads),
        packages=_packages(),
    )


_TITLES = {
    "torch_version": "Bolide version",
    "os": "OS",
    "libc_version": "Libc version",
    "python_version": "Python version",
    "python_platform": "Python platform",
    "is_cuda_available": "Is CUDA available",
    "why_no_cuda": "Why CUDA is not available",
    "cpu_info": "CPU",
    "num_threads": "Threads",
    "packages": "Packages",
}


def pretty_str(envinfo: SystemEnv) -> str:
    """The facts as lines."""
    return "\n".join(f"{_TITLES[name]}: {value}" for name, value in envinfo._asdict().items() if value)


def get_pretty_env_info() -> str:
    """Collects the facts and writes them as lines."""
    return pretty_str(get_env_info())


def main() -> None:
    """Prints the facts."""
    print("Collecting environment information...")
    print(get_pretty_env_info())


if __name__ == "__main__":
    main()
