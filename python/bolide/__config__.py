"""How this build was made."""

from . import _C


def show():
    """A text about the build."""
    import bolide

    return f"Bolide {bolide.version.__version__}\n  - C++ Version: 202002\n  - CPU capability usage: {bolide.backends.cpu.get_cpu_capability()}\n"


def parallel_info():
    """A text about threads."""
    return f"ATen/Parallel:\n\tat::get_num_threads() : {_C.get_num_threads()}\n"


def _cxx_flags():
    return "-O3"
