"""Optimizers. SGD, Adam and AdamW are loaded at once, the others when first used."""

import importlib as _importlib

from .adam import Adam
from .adamw import AdamW
from .optimizer import Optimizer
from .sgd import SGD

_LATER = {"Adadelta": "adadelta", "Adafactor": "_adafactor", "Adagrad": "adagrad", "Adamax": "adamax", "ASGD": "asgd",
          "LBFGS": "lbfgs", "Muon": "_muon", "NAdam": "nadam", "RAdam": "radam", "RMSprop": "rmsprop", "Rprop": "rprop",
          "SparseAdam": "sparse_adam", "swap_in_optimizer_params_and_state": "swap"}
_MODULES = {"lr_scheduler", "swa_utils"}

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", *sorted(_LATER), *sorted(_MODULES)]  # noqa: PLE0604


def __getattr__(name):
    if name in _LATER:
        value = globals()[name] = getattr(_importlib.import_module("." + _LATER[name], __name__), name)
        return value
    if name in _MODULES:
        return _importlib.import_module("." + name, __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
