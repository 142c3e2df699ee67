"""Helpers for parameters and sequences; each file is loaded when one of its names is first used."""

import importlib as _importlib

_HOMES = {
    "clip_grad": "clip_grad_norm clip_grad_norm_ clip_grad_value_",
    "convert_parameters": "parameters_to_vector vector_to_parameters",
    "fusion": "fuse_conv_bn_eval fuse_conv_bn_weights fuse_linear_bn_eval fuse_linear_bn_weights",
    "init": "skip_init",
    "memory_format": "convert_conv2d_weight_memory_format convert_conv3d_weight_memory_format",
    "parametrizations": "",
    "parametrize": "",
    "prune": "",
    "rnn": "",
    "spectral_norm": "remove_spectral_norm spectral_norm",
    "stateless": "",
    "weight_norm": "remove_weight_norm weight_norm",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
_RENAMED = {
    "get_total_norm": ("clip_grad", "_get_total_norm"),
    "clip_grads_with_norm_": ("clip_grad", "_clip_grads_with_norm_"),
}
__all__ = sorted([*_HOME_OF, *_RENAMED, "parametrizations", "parametrize", "rnn", "stateless"])


def __getattr__(name):
    # a function's name goes before that of its file: spectral_norm and weight_norm are both
    home, inner = _RENAMED.get(name, (_HOME_OF.get(name), name))
    if home is not None:
        found = getattr(_importlib.import_module("." + home, __name__), inner)
        globals()[name] = found
        return found
    if name in _HOMES:
        return _importlib.import_module("." + name, __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__, *_HOMES})
