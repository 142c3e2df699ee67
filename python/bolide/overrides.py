"""__torch_function__: how classes and modes take over the functions of this package.

Ops, attributes and operators ask in the compiled core. Functions written in Python ask from the moment on when somebody
first overrides: `_activate` then exchanges their code (the function objects stay the same), so that nobody pays before.
"""

import contextlib
import functools
import types

from . import _C
from ._C import (_get_function_stack_at, _has_torch_function as has_torch_function,  # noqa: F401
                 _has_torch_function_unary as has_torch_function_unary, _has_torch_function_variadic as has_torch_function_variadic,
                 _is_torch_function_mode_enabled, _len_torch_function_stack, _pop_torch_function_stack, _push_on_torch_function_stack)

__all__ = ["TorchFunctionMode", "get_default_nowrap_functions", "get_ignored_functions", "get_overridable_functions",
           "handle_torch_function", "has_torch_function", "is_tensor_like", "is_tensor_method_or_property", "resolve_name",
           "wrap_torch_function"]


# ---- functions written in Python -----------------------------------------------------------------

def _stub(*args, **kwargs):
    dispatch = "DISPATCH"  # these constants are exchanged below
    return dispatch("FUNC", "ORIGINAL", args, kwargs)


def _instrument(function):
    """Make a function ask for overrides before it runs. Its identity stays."""
    if function.__code__.co_freevars or function.__code__.co_name == "_stub":
        return
    original = types.FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    original.__kwdefaults__ = function.__kwdefaults__
    constants = {"DISPATCH": _C._dispatch, "FUNC": function, "ORIGINAL": original}
    code = _stub.__code__
    function.__wrapped__ = original
    function.__code__ = code.replace(co_consts=tuple(constants.get(c, c) if isinstance(c, str) else c for c in code.co_consts))
    function.__defaults__ = function.__kwdefaults__ = None


def _python_functions():
    import bolide

    homes = [(bolide.nn.functional, set(dir(bolide.nn.functional))), (bolide._functions, set(bolide._functions.__all__))]
    for home, names in homes:
        for name in names:
            f = getattr(home, name, None)
            if isinstance(f, types.FunctionType) and not name.startswith("_") and name not in _PLAIN:
                yield f
    for name, f in vars(_C.Tensor).items():
        if isinstance(f, types.FunctionType) and name not in ("__repr__", "__reduce_ex__", "__new__"):
            yield f


_PLAIN = {"is_tensor", "typename", "manual_seed", "seed", "initial_seed", "get_rng_state", "set_rng_state", "arange", "meshgrid"}
_active = False


def _activate():
    global _active
    if _active:
        return
    _active = True
    _C._set_on_override(None)
    for function in list(_python_functions()):
        _instrument(function)


_C._set_on_override(_activate)


# ---- asking by hand ------------------------------------------------------------------------------

def handle_torch_function(public_api, relevant_args, *args, **kwargs):
    """What the override of one of ``relevant_args`` (or the innermost mode) makes of ``public_api(*args, **kwargs)``."""
    mode = _get_current_function_mode()
    overloaded = _get_overloaded_args(relevant_args)
    kinds = tuple(map(type, overloaded))
    if mode is not None and not _C._is_torch_function_all_disabled():
        with _pop_mode_temporarily() as inner:
            result = inner.__torch_function__(public_api, kinds, args, kwargs)
        if result is not NotImplemented:
            return result
    for arg in overloaded:
        result = arg.__torch_function__(public_api, kinds, args, kwargs)
        if result is not NotImplemented:
            return result
    name = f"{public_api.__module__}.{public_api.__name__}"
    raise TypeError(f"no implementation found for '{name}' on types that implement __torch_function__: {list(map(type, overloaded))}")


def _get_overloaded_args(relevant_args, get_type_fn=type):
    """The arguments that override, one of each class, subclasses before their bases."""
    found = []
    if not _C._is_torch_function_enabled():
        return found
    for arg in relevant_args:
        kind = get_type_fn(arg)
        hook = getattr(kind, "__torch_function__", None)
        if kind is _C.Tensor or hook is None or hook is _C._disabled_torch_function_impl or any(get_type_fn(f) is kind for f in found):
            continue
        at = next((i for i, f in enumerate(found) if issubclass(kind, get_type_fn(f))), len(found))
        found.insert(at, arg)
    return found


def wrap_torch_function(dispatcher):
    """A decorator: the function asks the arguments that ``dispatcher`` returns."""

    def decorate(func):
        @functools.wraps(func)
        def wrapped(*args, **kwargs):
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return func(*args, **kwargs)

        return wrapped

    return decorate


# ---- modes ---------------------------------------------------------------------------------------

class TorchFunctionMode:
    """A scope whose ``__torch_function__(self, func, types, args, kwargs)`` sees every call made inside."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        raise NotImplementedError

    def __enter__(self):
        _activate()
        _push_on_torch_function_stack(self)
        return self

    def __exit__(self, *exc):
        _pop_torch_function_stack()

    @classmethod
    def push(cls, *args, **kwargs):
        return cls(*args, **kwargs)


class BaseTorchFunctionMode(TorchFunctionMode):
    """Calls what it sees."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def _get_current_function_mode():
    n = _len_torch_function_stack()
    return _get_function_stack_at(n - 1) if n else None


def _get_current_function_mode_stack():
    return [_get_function_stack_at(i) for i in range(_len_torch_function_stack())]


_push_mode, _pop_mode = _push_on_torch_function_stack, _pop_torch_function_stack


@contextlib.contextmanager
def _pop_mode_temporarily():
    mode = _pop_mode()
    try:
        yield mode
    finally:
        _push_mode(mode)


@contextlib.contextmanager
def _enable_torch_function():
    yield


# ---- questions -----------------------------------------------------------------------------------

def is_tensor_like(inp):
    """Whether it is a Tensor, or its class overrides."""
    return type(inp) is _C.Tensor or hasattr(inp, "__torch_function__")


@functools.cache
def get_default_nowrap_functions():
    """What Tensor's default override returns as it is."""
    return {_C.Tensor._base.__get__, _C.Tensor.grad.__get__, _C.Tensor._grad.__get__}


@functools.cache
def get_overridable_functions():
    """{namespace: functions that can be overridden in it}"""
    import bolide

    found = {}
    for space in (bolide, bolide.functional, bolide.nn.functional, _C.Tensor):
        every = []
        for name in dir(space):
            if name.startswith("_") and space is not _C.Tensor:
                continue
            f = getattr(space, name, None)
            if isinstance(f, types.GetSetDescriptorType):
                every.append(f.__get__)
            elif callable(f) and not isinstance(f, type):
                every.append(f)
        found[space] = every
    return found


def _get_overridable_functions():
    return get_overridable_functions(), {f: resolve_name(f) for every in get_overridable_functions().values() for f in every}


def get_ignored_functions():
    """Functions of the package that never ask."""
    from . import _functions

    return {getattr(_functions, name) for name in _PLAIN if hasattr(_functions, name)}


def get_testing_overrides():
    """{function: one that takes anything and gives -1}"""
    return {f: (lambda *args, **kwargs: -1) for every in get_overridable_functions().values() for f in every}


@functools.cache
def _tensor_methods():
    return set(get_overridable_functions()[_C.Tensor])


def is_tensor_method_or_property(func):
    return func in _tensor_methods() or getattr(func, "__name__", "") == "__get__"


def resolve_name(f):
    """'torch.Tensor.add' and the like."""
    if isinstance(f, str):
        return f
    if getattr(f, "__name__", None) in ("__get__", "__set__"):
        return f"torch.Tensor.{f.__self__.__name__}.{f.__name__}"
    qualified = getattr(f, "__qualname__", None) or getattr(f, "__name__", None)
    if qualified is None:
        return None
    return "torch." + qualified.replace("TensorBase.", "Tensor.")
