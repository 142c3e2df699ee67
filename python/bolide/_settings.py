"""Process-wide settings: default device, determinism, precision, warnings, thread counts. What Bolide always does is
accepted where it agrees and refused where it does not."""

import warnings as _warnings

from . import _C

_state = {"deterministic": False, "warn_only": False, "fill": True, "precision": "highest", "warn_always": False, "interop": None,
          "flush": False, "anomaly": False}


def set_default_device(device):
    """The device of factories that name none; None is the CPU."""
    _C._set_default_device(device)


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Remembered; Bolide's own kernels give the same result for the same input at any number of threads."""
    _state["deterministic"], _state["warn_only"] = bool(mode), bool(warn_only)


def are_deterministic_algorithms_enabled():
    return _state["deterministic"]


def is_deterministic_algorithms_warn_only_enabled():
    return _state["deterministic"] and _state["warn_only"]


def set_deterministic_debug_mode(debug_mode):
    """0 or "default", 1 or "warn", 2 or "error"."""
    modes = {"default": 0, "warn": 1, "error": 2}
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str):
        if debug_mode not in modes:
            raise RuntimeError(f"invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got {debug_mode}")
        debug_mode = modes[debug_mode]
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}")
    use_deterministic_algorithms(debug_mode > 0, warn_only=debug_mode == 1)


def get_deterministic_debug_mode():
    return 0 if not _state["deterministic"] else 1 if _state["warn_only"] else 2


def get_float32_matmul_precision():
    return _state["precision"]


def set_float32_matmul_precision(precision):
    """"highest", "high" or "medium"; products of float32 are computed in float32 with each."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"{precision} is not one of 'highest', 'high', or 'medium'; the current setFloat32MatmulPrecision call has no effect.")
    _state["precision"] = precision


def set_warn_always(b):
    """Whether warnings that are given once are given always."""
    _state["warn_always"] = bool(b)


def is_warn_always_enabled():
    return _state["warn_always"]


def set_flush_denormal(mode):
    """Not offered: returns False, as on processors that cannot."""
    return False


def get_num_interop_threads():
    """Operations do not run beside each other, so this is what was set, or one for each processor."""
    return _state["interop"] or _C.get_num_threads()


def set_num_interop_threads(n):
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"set_num_interop_threads expects an int, but got {type(n).__name__}")
    if n < 1:
        raise RuntimeError("set_num_interop_threads expects a positive integer")
    if _state["interop"] is not None:
        raise RuntimeError("Error: cannot set number of interop threads after parallel work has started or set_num_interop_threads called")
    _state["interop"] = n


def compiled_with_cxx11_abi():
    return True


def is_storage(obj):
    """Whether ``obj`` is a storage."""
    from .storage import TypedStorage, UntypedStorage

    return isinstance(obj, (TypedStorage, UntypedStorage))


def get_default_generator():
    return _C.default_generator


def is_distributed(input):
    return False


def is_signed(input):
    """Whether the dtype can hold negative numbers."""
    return input.is_signed()


def is_conj(input):
    return input.is_conj()


def is_neg(input):
    return input.is_neg()


def is_inference(input):
    return input.is_inference()


def is_same_size(input, other):
    """Whether both have the same sizes."""
    return input.is_same_size(other)


def resolve_conj(input):
    return input.resolve_conj()


def resolve_neg(input):
    return input.resolve_neg()


def is_vulkan_available():
    return False


def _assert(condition, message):
    """assert that traces record."""
    if type(condition) is not _C.Tensor:
        from .overrides import handle_torch_function, has_torch_function

        if has_torch_function((condition,)):
            return handle_torch_function(_assert, (condition,), condition, message)
    assert condition, message


def _is_all_true(condition):
    return condition.all()


def _check(cond, message=None):
    """RuntimeError unless ``cond``; ``message`` is a function that returns the text."""
    _check_with(RuntimeError, cond, message)


def _check_with(error_type, cond, message=None):
    if not isinstance(cond, (bool, _C.Tensor)):
        raise TypeError(f"cond must be a bool, but got {type(cond)}")
    if cond:
        return
    if message is None:
        text = "Expected cond to be True, but got False. (Could this error message be improved? If so, please report an enhancement request to PyTorch.)"
    else:
        if not callable(message):
            raise TypeError("message must be a callable")
        text = str(message())
    raise error_type(text)


def _check_index(cond, message=None):
    _check_with(IndexError, cond, message)


def _check_value(cond, message=None):
    _check_with(ValueError, cond, message)


def _check_type(cond, message=None):
    _check_with(TypeError, cond, message)


def _check_not_implemented(cond, message=None):
    _check_with(NotImplementedError, cond, message)


def _check_is_size(i, message=None, *, max=None):
    _check(i >= 0, message)


def sym_int(a):
    return int(a)


def sym_float(a):
    return float(a)


def sym_max(a, b):
    return max(a, b)


def sym_min(a, b):
    return min(a, b)


def sym_not(a):
    return not a


def sym_ite(b, t, f):
    return t if b else f


def sym_sum(args):
    return sum(args)


def sym_fresh_size(expr):
    raise NotImplementedError("symbolic sizes are not built")
