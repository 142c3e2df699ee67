"""Which names a file may refer to when it is loaded with `weights_only=False`.

A pickle can call whatever it names. Here it may name classes and functions of the user's own modules, of
Bolide, the parts of NumPy that arrays need, and of the standard library what holds values. It may not name
what runs programs, opens files or evaluates text: a checkpoint has no use for those, a malicious one has.
This is no sandbox, since the user's own modules are trusted. `load(..., pickle_module=pickle)` asks for
Python's own rules instead.
"""

from __future__ import annotations

import importlib
import pickle
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from typing import Any

import bolide

_BUILTINS = frozenset(
    "list dict set frozenset tuple int float bool complex str bytes bytearray slice range object type "
    "Ellipsis NotImplemented len min max sum abs sorted any all round zip enumerate reversed iter "
    "map filter divmod pow "
    "repr hash id callable isinstance issubclass staticmethod classmethod property super print".split()
)

# Modules of the standard library that hold values; the others are refused.
_STANDARD = {
    "collections": None,
    "datetime": None,
    "decimal": None,
    "fractions": None,
    "enum": None,
    "uuid": None,
    "zoneinfo": None,
    "random": {"Random"},
    "string": None,
    "math": None,
    "numbers": None,
    "array": None,
    "functools": {"partial", "reduce"},
    "copyreg": {"_reconstructor", "__newobj__", "__newobj_ex__"},
    "_codecs": {"encode"},
    "pathlib": None,
    "argparse": {"Namespace"},
    "types": {"SimpleNamespace", "MappingProxyType", "NoneType", "EllipsisType"},
    "typing": None,
    "dataclasses": None,
    "abc": None,
    "itertools": None,
    "re": {"_compile"},
    "ipaddress": None,
    "logging": {"getLogger", "Logger", "RootLogger"},
    "weakref": {"WeakKeyDictionary", "WeakValueDictionary", "ref"},
    "operator": {
        "add",
        "sub",
        "mul",
        "truediv",
        "neg",
        "itemgetter",
        "getitem",
        "lt",
        "le",
        "gt",
        "ge",
        "eq",
        "ne",
    },
    "time": {"struct_time"},
    "fnmatch": None,
    "textwrap": None,
    "heapq": None,
    "statistics": None,
    "cmath": None,
}

_NUMPY_NAMES = frozenset("ndarray dtype matrix recarray record ma generic".split())
_NUMPY_MODULES = ("numpy.dtypes", "numpy.random", "numpy.ma.core", "numpy.matrixlib.defmatrix", "numpy.rec")
_TORCH_FUNCTION_MODULES = (
    "torch._utils",
    "torch._tensor",
    "torch.nn.functional",
    "torch.nn.init",
    "torch.optim.lr_scheduler",
)
_TORCH_REFUSED = frozenset("load save compile from_file set_default_device set_default_dtype".split())


def refuse(module: str, name: str) -> Any:
    """Raise the error of a name that a file may not refer to."""
    full = name if module == "builtins" else f"{module}.{name}"
    raise pickle.UnpicklingError(
        f"the file refers to {full}, which is refused even with weights_only=False: no checkpoint "
        f"needs it, and "
        f"with it a file can run code. If you trust the file, `load(..., weights_only=False, "
        f"pickle_module=pickle)` "
        f"gives it free rein."
    )


def modern_name(module: str, name: str) -> tuple[str, str]:
    """Python 3's name for one of Python 2, which pickles of protocol 2 hold: `__builtin__.getattr`, for example."""
    if (module, name) in NAME_MAPPING:
        return NAME_MAPPING[module, name]
    return IMPORT_MAPPING.get(module, module), name


def check_name(module: str, name: str) -> None:
    """Raise UnpicklingError for a name (in Python 3's and PyTorch's spelling) that the rules refuse."""
    package = module.partition(".")[0]
    if module == "builtins":
        known = getattr(sys.modules["builtins"], name, None)
        is_error = isinstance(known, type) and issubclass(known, BaseException)
        if name not in _BUILTINS and name != "getattr" and not is_error:
            refuse(module, name)
    elif package in ("torch", "bolide"):
        if "." in name or name in _TORCH_REFUSED:
            refuse(module, name)
    elif package == "numpy":
        core = module in (
            "numpy.core.multiarray",
            "numpy._core.multiarray",
            "numpy.core.numeric",
            "numpy._core.numeric",
        )
        if not (
            module == "numpy"
            and (name in _NUMPY_NAMES or isinstance(getattr(_numpy(), name, None), type))
            or core
            and name in ("_reconstruct", "scalar", "_frombuffer")
            or module.startswith(_NUMPY_MODULES)
        ):
            refuse(module, name)
    elif package in sys.stdlib_module_names:
        allowed = _STANDARD.get(module, False) if module != "_collections_abc" else None
        if (
            allowed is False
            or (allowed is not None and name not in allowed)
            or "." in name
            and allowed is not None
        ):
            refuse(module, name)


def _numpy() -> Any:
    return importlib.import_module("numpy")


def guarded_getattr(obj: Any, name: str) -> Any:
    """`getattr` as files use it: memory formats of the package, and methods of the user's own classes."""
    if obj is bolide:
        value = getattr(obj, name)
        if isinstance(value, bolide.memory_format):
            return value
    else:
        owner = obj if isinstance(obj, type) else type(obj)
        package = (getattr(owner, "__module__", None) or "").partition(".")[0]
        if package not in sys.stdlib_module_names and package != "numpy" and not name.startswith("__"):
            if not isinstance(obj, bolide.Tensor) and not isinstance(obj, type(sys)):
                return getattr(obj, name)
    return refuse("builtins", f"getattr of {name!r}")


def find_torch(module: str, name: str) -> Any:
    """Bolide's object for a name of PyTorch; AttributeError or UnpicklingError when there is none to give."""
    inside = importlib.import_module("bolide" + module.removeprefix("torch").removeprefix("bolide"))
    value = getattr(inside, name)
    if isinstance(value, type) or not callable(value):
        if isinstance(value, type(sys)) and value is not bolide:
            refuse(module, name)
        return value
    if module in _TORCH_FUNCTION_MODULES or (module == "torch" and type(value).__name__ != "function"):
        return value
    return refuse(module, name)
