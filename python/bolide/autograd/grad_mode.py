"""The scopes that switch recording on and off."""

from .._modes import (
    _DecoratorContextManager,
    _NoParamDecoratorContextManager,
    enable_grad,
    inference_mode,
    no_grad,
    set_grad_enabled,
)

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled", "set_multithreading_enabled"]

_multithreading = True


class set_multithreading_enabled(_DecoratorContextManager):
    """Kept for programs that switch PyTorch's device threads off: backward here runs in the calling thread always."""

    def __init__(self, mode):
        global _multithreading
        self.prev, self.mode = _multithreading, mode
        _multithreading = mode

    def __enter__(self):
        pass

    def __exit__(self, exc_type, exc_value, traceback):
        global _multithreading
        _multithreading = self.prev

    def clone(self):
        """A new scope with the same mode."""
        return self.__class__(self.mode)


def is_multithreading_enabled():
    """What ``set_multithreading_enabled`` was last told."""
    return _multithreading
