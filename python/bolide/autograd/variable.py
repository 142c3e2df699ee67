"""``Variable``, the old name of a tensor that records."""

from .. import _C

__all__ = ["Variable"]


class _VariableMeta(type):
    def __instancecheck__(cls, other):
        return isinstance(other, _C.Tensor)


class _Engine:
    """The engine, as far as programs reach for it through ``Variable._execution_engine``."""

    @staticmethod
    def queue_callback(callback):
        """Calls ``callback`` when the current backward ends."""
        _C._queue_callback(callback)


class Variable(metaclass=_VariableMeta):
    """``Variable(tensor, requires_grad)`` is the tensor."""

    _execution_engine = _Engine()

    def __new__(cls, data=None, requires_grad=False, volatile=None):
        if data is None:
            data = _C.Tensor()
        return data.detach().requires_grad_(requires_grad)
