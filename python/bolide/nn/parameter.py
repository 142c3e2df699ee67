"""Parameters and buffers: tensors that a Module registers when they are assigned to it, and their lazy forms.

A Parameter is a Tensor whose class says that it is trained. A Buffer is a plain tensor with a mark, since
operations on it should give plain tensors. The uninitialised forms know their dtype and device but no shape
until `materialize`.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import bolide
from bolide import _C, Tensor

__all__ = [
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "UninitializedTensorMixin",
    "is_lazy",
]

_TensorMeta = type(Tensor)


class _ParameterMeta(_TensorMeta):
    """Lets tensors of other classes count as parameters when they carry the mark `_is_param`."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        return cls is Parameter and isinstance(instance, Tensor) and getattr(instance, "_is_param", False)


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A tensor to be trained: assigned to an attribute of a Module it appears in `parameters()`.

    Args:
        data: the values (shared, not copied); an empty tensor when left out.
        requires_grad: whether autograd collects its gradient; integer tensors need False.
    """

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        if data is None:
            data = bolide.empty(0)
        if type(data) is Tensor or type(data) is Parameter:
            return Tensor._make_subclass(cls, data, requires_grad)
        marked = data.detach().requires_grad_(requires_grad)
        if type(marked) is Tensor:
            return Tensor._make_subclass(cls, marked, requires_grad)
        marked._is_param = True  # a tensor of a class of its own stays of that class
        return marked

    # what is computed from a parameter is a plain tensor
    __torch_function__ = _C._disabled_torch_function_impl

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        with bolide.no_grad():
            copied = self.detach().clone(memory_format=bolide.preserve_format)
        result = type(self)(copied, self.requires_grad)
        memo[id(self)] = result
        return result

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    def __reduce_ex__(self, protocol: int) -> tuple:
        from bolide import _utils

        data, hooks = self.detach(), OrderedDict()
        state = {k: v for k, v in self.__dict__.items() if k != "grad"}
        if state:
            return _utils._rebuild_parameter_with_state, (data, self.requires_grad, hooks, state)
        return _utils._rebuild_parameter, (data, self.requires_grad, hooks)


class UninitializedTensorMixin:
    """A tensor without a shape yet; operations on it raise until `materialize` gives it one."""

    cls_to_become: type = Tensor
    _guarded = False  # whether operations raise already; arranged with the first instance

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Give the tensor memory of `shape` (its own dtype and device unless given) and its ordinary
        class.
        """
        detached = self.data
        self.data = bolide.empty(
            shape,
            device=detached.device if device is None else device,
            dtype=detached.dtype if dtype is None else dtype,
        )
        if self.cls_to_become is Tensor:
            _C._become_tensor(self)
        else:
            self.__class__ = self.cls_to_become

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call "
            "`forward` to initialize the parameters before accessing their attributes."
        )

    def share_memory_(self) -> Any:
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the "
            "parameters before calling `module.share_memory()`."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, protocol: int) -> tuple:
        return type(self), (self.requires_grad,)


# What an uninitialised tensor may be asked, beside its attributes.
_ALLOWED = frozenset(
    (
        "copy_ is_floating_point is_complex half float double char short int long cuda cpu to bfloat16 type "
        "get_device size dim as_subclass data_ptr is_contiguous _make_subclass register_hook __new__ "
        "__init__ __class__ __repr__ __str__ __hash__ __eq__ __ne__ __reduce__ __reduce_ex__ __getstate__ "
        "__deepcopy__ __getattribute__ __setattr__ __delattr__ __dir__ __sizeof__ __doc__ __init_subclass__ "
        "__subclasshook__ __format__ __setstate__ materialize share_memory_"
    ).split()
)


def _refuse(name: str) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise ValueError(
            f"Attempted to use an uninitialized parameter in {name}. This error happens when you are using a "
            "`LazyModule` or explicitly manipulating `torch.nn.parameter.UninitializedParameter` objects. "
            "When using LazyModules Call `forward` with a dummy batch to initialize the parameters before "
            "calling torch functions"
        )

    method.__name__ = name
    return method


def _refuse_operations() -> None:
    """Lets all methods of Tensor raise on uninitialised tensors, except those that need no values."""
    for name in dir(Tensor):
        if name not in _ALLOWED and not name.startswith("__torch_") and callable(getattr(Tensor, name)):
            setattr(UninitializedTensorMixin, name, _refuse(name))


def is_lazy(param: Any) -> bool:
    """Whether the tensor waits for its shape."""
    return isinstance(param, UninitializedTensorMixin)


def _make_uninitialized(cls: Any, device: Any, dtype: Any, requires_grad: bool) -> Any:
    if not UninitializedTensorMixin._guarded:
        _refuse_operations()
        UninitializedTensorMixin._guarded = True
    return Tensor._make_subclass(cls, bolide.empty(0, device=device, dtype=dtype), requires_grad)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A Parameter whose shape is not known yet."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        return _make_uninitialized(cls, device, dtype, requires_grad)

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        detached = self.data
        result = type(self)(self.requires_grad, detached.device, detached.dtype)
        memo[id(self)] = result
        return result


class _BufferMeta(_TensorMeta):
    def __instancecheck__(cls, instance: Any) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        return cls is Buffer and isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False)


class Buffer(Tensor, metaclass=_BufferMeta):
    """A tensor that a Module keeps beside its parameters, without training it.

    Args:
        data: the values (shared, not copied).
        persistent: whether `state_dict` holds it.
    """

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        if data is None:
            data = bolide.empty(0)
        tensor = data.detach().requires_grad_(data.requires_grad)
        tensor.persistent = persistent
        tensor._is_buffer = True
        return tensor


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer whose shape is not known yet."""

    __torch_function__ = _C._disabled_torch_function_impl

    cls_to_become = Tensor

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> Any:
        tensor = _make_uninitialized(cls, device, dtype, requires_grad)
        tensor.persistent = persistent
        tensor._is_buffer = True
        return tensor
