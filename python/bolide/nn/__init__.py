"""Neural networks: modules, their parameters, and the functions beneath them.

Names are looked up in `modules` and kept here when first used; so are the subpackages.
"""

import importlib as _importlib

from . import modules, parameter  # noqa: F401
from .modules import Module  # noqa: F401
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter  # noqa: F401

_PARTS = (
    "attention",
    "common_types",
    "functional",
    "grad",
    "init",
    "modules",
    "parallel",
    "parameter",
    "utils",
)
_FROM_PARALLEL = ("DataParallel",)
__all__ = sorted(
    [
        *modules.__all__,
        *_FROM_PARALLEL,
        "Buffer",
        "Parameter",
        "UninitializedBuffer",
        "UninitializedParameter",
        *_PARTS,
    ]
)


def __getattr__(name):
    if name in _PARTS:
        return _importlib.import_module("." + name, __name__)
    if name in modules._HOME_OF:
        found = globals()[name] = getattr(modules, name)
        return found
    if name in _FROM_PARALLEL:
        found = globals()[name] = getattr(_importlib.import_module(".parallel", __name__), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})


def factory_kwargs(kwargs):
    """The `device`, `dtype` and `memory_format` among `kwargs` (or in their 'factory_kwargs'), for calls of
    factories.

    Raises TypeError for other names.
    """
    if kwargs is None:
        return {}
    simple = {"device", "dtype", "memory_format"}
    unexpected = set(kwargs) - simple - {"factory_kwargs"}
    if unexpected:
        raise TypeError(f"unexpected kwargs {unexpected}")
    result = dict(kwargs.get("factory_kwargs", {}))
    for name in simple & set(kwargs):
        if name in result:
            raise TypeError(f"{name} specified twice, in **kwargs and in factory_kwargs")
        result[name] = kwargs[name]
    return result
