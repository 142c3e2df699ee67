"""Bolide: PyTorch's programming model on a small, fast C++ core.

``import bolide as torch`` and an old script runs: the names, the semantics, the random numbers and the files are
PyTorch's. Subpackages (nn, optim, utils, ...) are loaded when first used.
"""

import importlib as _importlib
import math as _math

from . import _C
from ._C import *  # noqa: F403
from ._C import Generator, Size, Tensor, default_generator, device, dtype, layout, memory_format  # noqa: F401

__version__ = "0.1.0"

e, pi, inf, nan = _math.e, _math.pi, _math.inf, _math.nan
newaxis = None
float, double, half, short = _C.float32, _C.float64, _C.float16, _C.int16  # noqa: A001
int, long, cfloat, cdouble = _C.int32, _C.int64, _C.complex64, _C.complex128  # noqa: A001

_C._set_package(__file__.rpartition("/")[0] + "/")
from . import _functions, _tensor, _tensor_storage  # noqa: E402
from ._contract import chain_matmul, einsum, tensordot  # noqa: E402, F401
from ._functions import *  # noqa: E402, F403
from ._modes import enable_grad, inference_mode, no_grad, set_grad_enabled  # noqa: E402, F401

_LAZY = {"nn", "optim", "utils", "autograd", "cuda", "serialization", "linalg", "special", "fft", "testing", "jit",
         "distributions", "safetensors", "random", "_tensor_str", "overrides", "backends", "amp", "multiprocessing", "version", "hub",
         "func"}


def __getattr__(name):
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
