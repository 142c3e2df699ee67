"""Tensor methods that are Python's business: conversion, NumPy, copying, pickling, backward, hooks."""

from collections import OrderedDict

from . import _C, _functions
from ._C import Tensor, _add_method, _ops


def _method(function):
    _add_method(function.__name__, function)
    return function


@_method
def where(self, condition, other):
    """The elements where ``condition`` is true, those of ``other`` elsewhere."""
    return _ops.where(condition, self, other)


@_method
def type(self, dtype=None, non_blocking=False):
    """The type's name such as 'torch.FloatTensor', or the values as another dtype."""
    from . import _legacy

    if dtype is None:
        return _legacy.type_name(self)
    dtype, device = _legacy.target(dtype)
    return self.to(device or self.device, dtype)


@_method
def numpy(self, *, force=False):
    """A NumPy array that shares memory. Throws for tensors that require grad unless ``force``."""
    import numpy as np

    if force:
        self = self.detach().cpu()
    if self.requires_grad:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    if self.device.type != "cpu":
        raise TypeError(f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first.")
    return np.asarray(_C._buffer_view(self))


@_method
def __array__(self, dtype=None, copy=None):
    array = self.numpy()
    if dtype is not None and array.dtype != dtype:
        if copy is False:
            raise ValueError(f"Unable to avoid copy while creating an array of {dtype} from a tensor of {self.dtype}")
        return array.astype(dtype)
    return array.copy() if copy else array


_add_method("__array_priority__", 1000)


@_method
def __dlpack__(self, *, stream=-1, max_version=None, dl_device=None, copy=None):
    """A DLPack capsule for other libraries, sharing memory unless ``copy``."""
    from .utils import dlpack

    return dlpack._export(self, None if stream == -1 and self.device.type == "cpu" else stream, max_version, dl_device, copy)


@_method
def __dlpack_device__(self):
    """The device as DLPack numbers it: (type, index)."""
    from .utils import dlpack

    return dlpack._device_pair(self.device)


@_method
def __array_wrap__(self, array, context=None, return_scalar=False):
    if array.dtype == bool:
        array = array.astype("uint8")
    return _C.from_numpy(array) if array.shape else _C.tensor(array)


@_method
def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Adds d self / d leaf to ``.grad`` of every leaf self depends on (of ``inputs`` only, when given)."""
    if inputs is None and not create_graph:
        _C._run_backward((self,), (gradient,), retain_graph is True, False, (), True, True)
        return
    from .autograd import backward as run

    run(self, gradient, retain_graph, create_graph, inputs=inputs)


def _handle(hooks, hook):
    from .utils.hooks import RemovableHandle

    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


@_method
def register_hook(self, hook):
    """Calls ``hook(grad)`` when this tensor's gradient is known; a tensor it returns replaces the gradient."""
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    hooks = _C._get_hooks(self)
    if hooks is None:
        hooks = OrderedDict()
        _C._set_hooks(self, hooks)
    return _handle(hooks, hook)


@_method
def register_post_accumulate_grad_hook(self, hook):
    """Calls ``hook(tensor)`` after the gradient of this leaf was added."""
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self.grad_fn is not None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    hooks = _C._get_post_hooks(self)
    if hooks is None:
        hooks = OrderedDict()
        _C._set_post_hooks(self, hooks)
    return _handle(hooks, hook)


_add_method("_backward_hooks", property(_C._get_hooks, lambda self, hooks: _C._set_hooks(self, hooks)))
_add_method("_post_accumulate_grad_hooks", property(_C._get_post_hooks, lambda self, hooks: _C._set_post_hooks(self, hooks)))
_add_method("grad_dtype", property(_C._grad_dtype, lambda self, dtype: _C._set_grad_dtype(self, dtype), None,
                                   "The dtype that the gradient has; None for any."))


@_method
def __repr__(self, *, tensor_contents=None):
    from . import _tensor_str

    return _tensor_str._str(self, tensor_contents=tensor_contents)


_C._set_repr(__repr__)


@_method
def __format__(self, spec):
    if self.dim() == 0 and self.device.type != "meta":
        return self.item().__format__(spec)
    return object.__format__(self, spec)


builtin_type = __builtins__["type"] if isinstance(__builtins__, dict) else __builtins__.type


@_method
def split(self, split_size, dim=0):
    """Views of consecutive pieces along ``dim``."""
    return _ops.split(self, split_size, dim)


@_method
def expand_as(self, other):
    """``expand`` to the sizes of ``other``."""
    return self.expand(other.shape)


@_method
def view_as(self, other):
    """``view`` with the sizes of ``other``."""
    return self.view(other.shape)


@_method
def reshape_as(self, other):
    """``reshape`` to the sizes of ``other``."""
    return self.reshape(other.shape)


def _new(op):
    def make(self, *args, dtype=None, device=None, requires_grad=False, **kwargs):
        return op(*args, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad)

    return make


for _n in ("empty", "zeros", "ones", "full"):
    _f = _new(getattr(_ops, _n))
    _f.__name__ = "new_" + _n
    _f.__doc__ = f"``{_n}`` with this tensor's dtype and device."
    _method(_f)


@_method
def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
    """``tensor(data)`` with this tensor's dtype and device."""
    return _C.tensor(data, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad)


for _n in ("unique", "unique_consecutive", "norm", "nonzero"):
    _add_method(_n, getattr(_functions, _n))
