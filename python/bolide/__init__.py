"""Bolide: PyTorch's programming model on a small, fast C++ core.

``import bolide as torch`` and an old script runs: the names, the semantics, the random numbers and the files are
PyTorch's. Subpackages (nn, optim, utils, ...) are loaded when first used.
"""

import importlib as _importlib
import math as _math
import sys as _sys

from . import _C
from ._C import *  # noqa: F403
from ._C import Generator, Size, Tensor, default_generator, device, dtype, layout, memory_format  # noqa: F401

__version__ = "0.1.0"

e, pi, inf, nan = _math.e, _math.pi, _math.inf, _math.nan
newaxis = None
float, double, half, short = _C.float32, _C.float64, _C.float16, _C.int16  # noqa: A001
int, long, cfloat, cdouble = _C.int32, _C.int64, _C.complex64, _C.complex128  # noqa: A001
chalf, bit = _C.complex32, _C.uint1

_C._set_package(__file__.rpartition("/")[0] + "/")
from . import _functions, _tensor, _tensor_storage  # noqa: E402
from ._contract import chain_matmul, einsum, tensordot  # noqa: E402, F401
from ._functions import *  # noqa: E402, F403
from ._modes import enable_grad, inference_mode, no_grad, set_grad_enabled  # noqa: E402, F401


def _on_override():  # the first class that overrides
    from . import overrides

    overrides._activate()


_C._set_on_override(_on_override)

_LAZY = {"nn", "signal", "optim", "utils", "autograd", "cuda", "serialization", "linalg", "special", "fft", "testing", "jit",
         "accelerator", "compiler", "cpu", "functional", "mps", "mtia", "types", "xpu", "__config__", "__future__",
         "distributions", "safetensors", "random", "_tensor_str", "overrides", "backends", "amp", "multiprocessing", "version", "hub",
         "func"}


_HOMES = {  # names that few programs use, by the module that has them
    "._limits": ("finfo", "iinfo"),
    "._legacy": ("set_default_tensor_type", "tensortype"),
    "._settings": ("set_default_device", "use_deterministic_algorithms", "are_deterministic_algorithms_enabled",
                   "is_deterministic_algorithms_warn_only_enabled", "set_deterministic_debug_mode", "get_deterministic_debug_mode",
                   "get_float32_matmul_precision", "set_float32_matmul_precision", "set_warn_always", "is_warn_always_enabled",
                   "set_flush_denormal", "get_num_interop_threads", "set_num_interop_threads", "compiled_with_cxx11_abi", "is_distributed",
                   "is_signed", "is_conj", "is_neg", "is_inference", "is_same_size", "resolve_conj", "resolve_neg", "is_vulkan_available",
                   "_assert", "_check", "_check_with", "_check_index", "_check_value", "_check_type", "_check_not_implemented",
                   "_check_is_size", "sym_int", "sym_float", "sym_max", "sym_min", "sym_not", "sym_ite", "sym_sum", "sym_fresh_size"),
    ".random": ("fork_rng",),
    ".utils.dlpack": ("from_dlpack", "to_dlpack"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


class _TorchFinder:
    """Stands last on sys.meta_path: `import torch` finds Bolide where no package of that name is installed."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        is_ours = name.startswith("torch.") and _sys.modules.get("torch") is _sys.modules[__name__]
        if name == "torch" or is_ours:
            from . import _alias

            return _alias._finder.find_spec(name, path, target)

    @staticmethod
    def find_distributions(context=None):
        if getattr(context, "name", None) == "torch":
            from . import _alias

            return _alias._finder.find_distributions(context)
        return []


_sys.meta_path.append(_TorchFinder)


def __getattr__(name):
    if name in _HOME_OF:
        return getattr(_importlib.import_module(_HOME_OF[name], __name__), name)
    if name == "return_types":
        return _C._return_types
    if name.endswith("Tensor") and name in (classes := _importlib.import_module("._legacy", __name__).CLASSES):
        return classes[name]
    if name in _LAZY:
        try:
            return _importlib.import_module("." + name, __name__)
        except ModuleNotFoundError as err:
            if err.name != f"{__name__}.{name}":
                raise
            raise AttributeError(f"bolide.{name} is not built yet") from None
    if name in ("save", "load"):
        return getattr(_importlib.import_module(".serialization", __name__), name)
    if name in ("set_printoptions", "get_printoptions"):
        return getattr(_importlib.import_module("._tensor_str", __name__), name)
    if name.endswith("Storage") or name in ("is_storage", "from_file"):
        return getattr(_importlib.import_module(".storage", __name__), name)
    if name.startswith("_foreach_"):
        return getattr(_importlib.import_module("._foreach", __name__), name)
    if name.startswith("_") and not name.startswith("__") and hasattr(_C, name):  # what `import *` leaves out
        return getattr(_C, name)
    raise AttributeError(f"module 'bolide' has no attribute '{name}'")
