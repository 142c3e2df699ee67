"""Helpers around tensors and training; each module is loaded when first used."""

import importlib as _importlib

_MODULES = {"_pytree", "benchmark", "checkpoint", "collect_env", "data", "dlpack", "hooks", "idx", "model_zoo",
            "tensorboard"}


def __getattr__(name):
    if name in _MODULES:
        try:
            return _importlib.import_module("." + name, __name__)
        except ModuleNotFoundError as err:
            if err.name != f"{__name__}.{name}":
                raise
            raise AttributeError(f"bolide.utils.{name} is not built yet") from None
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULES})
