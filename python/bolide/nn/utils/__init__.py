"""Helpers for parameters and sequences; each file is loaded when one of its names is first used."""

import importlib as _importlib

_PARTS = ("rnn",)


def __getattr__(name):
    if name in _PARTS:
        return _importlib.import_module("." + name, __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_PARTS})
