"""What the computing libraries under Bolide offer, asked by name: cpu, cuda, cudnn, mkl, mkldnn, mps, openmp, opt_einsum."""

import importlib as _importlib

_MODULES = {"cpu", "cuda", "cudnn", "cusparselt", "cutlass", "kleidiai", "mha", "miopen", "mkl", "mkldnn", "mps", "nnpack", "openmp", "opt_einsum",
            "quantized", "xeon", "xnnpack"}
fp32_precision = "none"


def disable_global_flags():
    """Accepted: flags are always settable here."""


def flags_frozen():
    return False


def __getattr__(name):
    if name in _MODULES:
        from . import _flags

        return _flags.module(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULES})


_ = _importlib
