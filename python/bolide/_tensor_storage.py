"""Tensor methods about the memory behind tensors: setting and sharing it, deep copies, pickling."""

import copy
import copyreg

from . import _C
from ._C import Tensor, _add_method


copyreg.pickle(_C.layout, lambda layout: str(layout).removeprefix("torch."))  # a name of the package


def _method(function):
    _add_method(function.__name__, function)
    return function


@_method
def untyped_storage(self):
    """The memory behind the tensor, as bytes."""
    from .storage import UntypedStorage

    return UntypedStorage._of(self)


@_method
def storage(self):
    """The memory behind the tensor, as elements of its type."""
    from .storage import TypedStorage, UntypedStorage

    return TypedStorage(wrap_storage=UntypedStorage._of(self), dtype=self.dtype)


_add_method("_typed_storage", storage)


@_method
def storage_type(self):
    """The class of legacy storages of this dtype."""
    from .storage import legacy_classes

    return legacy_classes()[self.storage().pickle_storage_type()]


_C_NAMES = {"float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16", "int64": "long int",
            "int32": "int", "int16": "short int", "int8": "signed char", "uint8": "unsigned char", "bool": "bool",
            "complex64": "c10::complex<float>", "complex128": "c10::complex<double>"}


def _c_name(dtype):
    """A dtype as C++ spells it, which is how errors name it here."""
    name = str(dtype).removeprefix("torch.")
    return _C_NAMES.get(name, name)


@_method
def set_(self, source=None, storage_offset=None, size=None, stride=None):
    """Lets this tensor view the memory of ``source``, a storage or a tensor: all of it, or as the sizes say.

    Throws RuntimeError where the dtypes differ.
    """
    if self.requires_grad and self.is_leaf and _C.is_grad_enabled():
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    if source is None:
        return _C._set_storage(self, _C.empty(0, dtype=self.dtype, device=self.device), 0, (0,), None)
    if isinstance(source, Tensor):
        return _set_to_tensor(self, source, storage_offset, size, stride)
    from .storage import TypedStorage

    if isinstance(source, TypedStorage) and source.dtype != self.dtype:
        raise RuntimeError(f"Expected a Storage of type {_c_name(self.dtype)} or an UntypedStorage, but got type "
                           f"{source.pickle_storage_type().removesuffix('Storage')} for argument 1 'storage'")
    handle = source.untyped()._handle
    if size is None:
        size = (source.nbytes() // self.dtype.itemsize,)
    return _C._set_storage(self, handle, storage_offset or 0, (size,) if isinstance(size, int) else size, stride or None)


def _set_to_tensor(self, source, storage_offset, size, stride):
    if source.dtype != self.dtype:
        raise RuntimeError(f"Could not set tensor of type {_c_name(source.dtype)} to a tensor of type {_c_name(self.dtype)}")
    if size is None:
        return _C._set_storage(self, source, source.storage_offset(), source.shape, source.stride())
    return _C._set_storage(self, source, storage_offset or 0, size, stride)


@_method
def is_set_to(self, tensor):
    """Whether both are the same view of the same memory."""
    return (_C._storage_id(self) == _C._storage_id(tensor) and self.storage_offset() == tensor.storage_offset()
            and self.shape == tensor.shape and self.stride() == tensor.stride())


# ---- sharing between processes -------------------------------------------------------------------------------------


@_method
def is_shared(self):
    """Whether other processes can map the tensor's memory."""
    return self.is_cuda or _C._shared_info(self) is not None


@_method
def share_memory_(self):
    """Moves the tensor's memory to where other processes can map it; all tensors on it follow."""
    untyped_storage(self).share_memory_()
    return self


# ---- copies and pickles --------------------------------------------------------------------------------------------


@_method
def __deepcopy__(self, memo):
    """A copy with memory of its own; copies made with one ``memo`` share memory as their originals do."""
    if id(self) in memo:
        return memo[id(self)]
    if not self.is_leaf:
        raise RuntimeError("Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
                           "moment.  If you were attempting to deepcopy a module, this may be because of a "
                           "torch.nn.utils.weight_norm usage, see https://github.com/pytorch/pytorch/pull/103001")
    plain = self.detach()
    if self.layout is _C.strided and self.device.type != "meta":
        memory = untyped_storage(self).__deepcopy__(memo)
        new = _C._storage_view(memory._handle, self.dtype, self.storage_offset(), self.shape, self.stride(), "deepcopy")
        if plain.is_conj() or plain.is_neg():
            new = plain.clone()
    else:
        new = plain.clone()
    if type(self) is not Tensor:
        new = new.as_subclass(type(self))
    new.requires_grad_(self.requires_grad)
    memo[id(self)] = new
    if self.grad is not None:
        new.grad = copy.deepcopy(self.grad, memo)
    if self.__dict__:
        new.__dict__.update(copy.deepcopy(self.__dict__, memo))
    return new


@_method
def __reduce_ex__(self, protocol):
    from . import _utils

    return _utils.reduce_tensor(self)


@_method
def __setstate__(self, state):
    """The state of pickles from before version 1: (storage, offset, sizes, strides)."""
    if isinstance(state, dict):
        self.__dict__.update(state)
        return
    if len(state) not in (4, 5):
        raise RuntimeError(f"a tensor's state has {len(state)} parts")
    set_(self, *state[-4:] if len(state) == 4 else state[:4])
