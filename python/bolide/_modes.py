"""Grad modes: scopes of the thread, usable as context managers and as decorators of functions, generators and classes."""

import functools
import inspect
import sys
import warnings

from . import _C


def _wrap_generator(make_scope, function):
    """A generator whose body runs inside the scope, while its user between two values does not."""

    @functools.wraps(function)
    def generate(*args, **kwargs):
        generator = function(*args, **kwargs)
        try:
            with make_scope():
                item = generator.send(None)
            while True:
                try:
                    request = yield item
                except GeneratorExit:
                    with make_scope():
                        generator.close()
                    raise
                except BaseException:
                    with make_scope():
                        item = generator.throw(*sys.exc_info())
                else:
                    with make_scope():
                        item = generator.send(request)
        except StopIteration as stop:
            return stop.value

    return generate


def _wrap(make_scope, function):
    """``function`` with every call inside a scope of its own."""
    if inspect.isclass(function):
        warnings.warn("Decorating classes is deprecated and will be disabled in future versions. You should only decorate functions or "
                      "methods. To preserve the current behavior of class decoration, you can directly decorate the `__init__` method and "
                      "nothing else.", FutureWarning, stacklevel=3)
        function.__init__ = _wrap(make_scope, function.__init__)
        return function
    if inspect.isgeneratorfunction(function):
        return _wrap_generator(make_scope, function)

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        with make_scope():
            return function(*args, **kwargs)

    return wrapper


class _DecoratorContextManager:
    """A scope that changes one switch of the thread and puts it back."""

    def __call__(self, orig_func):
        return _wrap(self.clone, orig_func)

    def __enter__(self):
        raise NotImplementedError

    def __exit__(self, exc_type, exc_value, traceback):
        raise NotImplementedError

    def clone(self):
        """A new scope like this one."""
        return self.__class__()


class _NoParamDecoratorContextManager(_DecoratorContextManager):
    """One that needs no arguments, so that ``@no_grad`` works as well as ``@no_grad()``."""

    def __new__(cls, orig_func=None):
        self = super().__new__(cls)
        return self if orig_func is None else self(orig_func)


class no_grad(_NoParamDecoratorContextManager):
    """Nothing inside is recorded for backward."""

    def __init__(self):
        self.prev = False

    def __enter__(self):
        self.prev = _C.is_grad_enabled()
        _C._set_grad_enabled(False)

    def __exit__(self, exc_type, exc_value, traceback):
        _C._set_grad_enabled(self.prev)


class enable_grad(_NoParamDecoratorContextManager):
    """Recording again, inside ``no_grad``."""

    def __enter__(self):
        self.prev = _C.is_grad_enabled()
        _C._set_grad_enabled(True)

    def __exit__(self, exc_type, exc_value, traceback):
        _C._set_grad_enabled(self.prev)


class set_grad_enabled(_DecoratorContextManager):
    """Switches recording at once; as a context manager puts it back."""

    def __init__(self, mode):
        self.prev = _C.is_grad_enabled()
        self.mode = mode
        _C._set_grad_enabled(mode)

    def __call__(self, orig_func):
        _C._set_grad_enabled(self.prev)
        return super().__call__(orig_func)

    def __enter__(self):
        _C._set_grad_enabled(self.mode)

    def __exit__(self, exc_type, exc_value, traceback):
        _C._set_grad_enabled(self.prev)

    def __str__(self):
        return f"{typename(self)}(mode={self.mode})"

    def __repr__(self):
        return str(self)

    def clone(self):
        """A new scope with the same mode."""
        return self.__class__(self.mode)


class inference_mode(_DecoratorContextManager):
    """Like ``no_grad``; what is made inside can never take part in autograd."""

    def __new__(cls, mode=True):
        if isinstance(mode, bool):
            return super().__new__(cls)
        return cls()(mode)

    def __init__(self, mode=True):
        self.mode = mode

    def __enter__(self):
        self.prev = _C.is_grad_enabled(), _C.is_inference_mode_enabled()
        _C._set_inference_mode(self.mode)
        _C._set_grad_enabled(not self.mode)

    def __exit__(self, exc_type, exc_value, traceback):
        _C._set_grad_enabled(self.prev[0])
        _C._set_inference_mode(self.prev[1])

    def clone(self):
        """A new scope with the same mode."""
        return self.__class__(self.mode)


def typename(obj):
    """'torch.autograd.grad_mode.set_grad_enabled' and the like."""
    return f"torch.autograd.grad_mode.{type(obj).__name__}"


def _inside(scope, function):
    """``function``, run inside of ``scope``: a device used as a decorator."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        with scope:
            return function(*args, **kwargs)

    return wrapper
