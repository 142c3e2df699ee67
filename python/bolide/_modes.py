"""Grad modes: usable as context managers and as decorators."""

import functools
import inspect

from . import _C


class _Mode:
    """A scope that changes one thread-local switch and puts it back."""

    def __call__(self, function):
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generate(*args, **kwargs):
                generator = function(*args, **kwargs)
                try:
                    with self.clone():
                        item = next(generator)
                    while True:
                        sent = yield item
                        with self.clone():
                            item = generator.send(sent)
                except StopIteration as stop:
                    return stop.value

            return generate

        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            with self.clone():
                return function(*args, **kwargs)

        return wrapper

    def clone(self):
        return self.__class__()


class _GradMode(_Mode):
    on = False

    def __new__(cls, function=None):
        self = super().__new__(cls)
        return self if function is None else self(function)

    def __init__(self):
        self.saved = []

    def __enter__(self):
        self.saved.append(_C.is_grad_enabled())
        _C._set_grad_enabled(self.on)

    def __exit__(self, *exc):
        _C._set_grad_enabled(self.saved.pop())


class no_grad(_GradMode):
    """Nothing inside is recorded for backward."""


class enable_grad(_GradMode):
    """Recording again, inside ``no_grad``."""

    on = True


class set_grad_enabled(_Mode):
    """Switches recording at once; as a context manager puts it back."""

    def __init__(self, mode):
        self.previous = _C.is_grad_enabled()
        self.mode = bool(mode)
        _C._set_grad_enabled(self.mode)

    def __call__(self, function):
        _C._set_grad_enabled(self.previous)
        return super().__call__(function)

    def __enter__(self):
        _C._set_grad_enabled(self.mode)

    def __exit__(self, *exc):
        _C._set_grad_enabled(self.previous)

    def clone(self):
        return self.__class__(self.mode)


class inference_mode(_Mode):
    """Like ``no_grad``; what is made inside can never take part in autograd."""

    def __new__(cls, mode=True):
        self = super().__new__(cls)
        if callable(mode):
            self.__init__(True)
            return self(mode)
        return self

    def __init__(self, mode=True):
        self.mode = bool(mode)
        self.saved = []

    def __enter__(self):
        self.saved.append((_C.is_grad_enabled(), _C.is_inference_mode_enabled()))
        _C._set_inference_mode(self.mode)
        _C._set_grad_enabled(not self.mode)

    def __exit__(self, *exc):
        grad, inference = self.saved.pop()
        _C._set_grad_enabled(grad)
        _C._set_inference_mode(inference)

    def clone(self):
        return self.__class__(self.mode)
