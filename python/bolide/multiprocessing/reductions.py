"""How `multiprocessing` pickles tensors and storages: as handles of shared memory.

Map: storages | tensors | registration.
"""

import weakref
from multiprocessing import reduction

import bolide
from bolide import _C, storage
from bolide.nn.parameter import Parameter

__all__ = ["init_reductions", "reduce_storage", "reduce_tensor"]


def _strategy():
    from . import get_sharing_strategy

    return get_sharing_strategy()


# ---- storages ------------------------------------------------------------------------------------------------------


def _storage_of(tensor):
    return storage.UntypedStorage._of(tensor)


def rebuild_storage_fd(cls, df, size):
    """Maps memory that came as a descriptor."""
    return _storage_of(_C._shared_attach(df.detach(), size, True))


def rebuild_storage_filename(cls, name, size):
    """Maps memory that came as a name."""
    return _storage_of(_C._shared_open(name, size))


def rebuild_storage_empty(cls):
    """A storage without bytes."""
    return storage.UntypedStorage(0)


def rebuild_typed_storage(untyped, dtype):
    """A typed storage on another one."""
    return storage.TypedStorage(wrap_storage=untyped, dtype=dtype)


def reduce_storage(storage):
    """(function, arguments) that map the same memory elsewhere; the storage is moved into shared memory first."""
    data = storage._handle
    if data.device.type != "cpu":
        raise NotImplementedError(f"a storage on {data.device} cannot be sent to another process yet")
    if storage.nbytes() == 0:
        return rebuild_storage_empty, (type(storage),)
    _C._share(data, _strategy() == "file_system")
    descriptor, name = _C._shared_info(data)
    if name:
        _C._shared_expect(data)
        return rebuild_storage_filename, (type(storage), name, storage.nbytes())
    if descriptor < 0:
        raise RuntimeError("this memory came from another process and cannot be sent on: send a clone of the tensor")
    return rebuild_storage_fd, (type(storage), reduction.DupFd(descriptor), storage.nbytes())


def reduce_typed_storage(storage):
    """The same for a typed storage."""
    return rebuild_typed_storage, (storage.untyped(), storage.dtype)


# ---- tensors -------------------------------------------------------------------------------------------------------


def rebuild_tensor(cls, storage, metadata):
    """A tensor on a storage that came along; ``metadata`` is (offset, sizes, strides, dtype, requires_grad)."""
    offset, size, stride, dtype, requires_grad = metadata
    t = _C._storage_view(storage._handle, dtype, offset, size, stride, "a tensor of another process")
    if cls is not bolide.Tensor:
        return cls(t, requires_grad)
    return t.requires_grad_() if requires_grad else t


def rebuild_meta_tensor(cls, size, stride, dtype, requires_grad):
    """A tensor without values."""
    t = bolide.empty_strided(size, stride, dtype=dtype, device="meta")
    return cls(t, requires_grad) if cls is not bolide.Tensor else t.requires_grad_(requires_grad)


def reduce_tensor(tensor):
    """(function, arguments) that make a tensor on the same memory elsewhere."""
    if tensor.requires_grad and not tensor.is_leaf:
        raise RuntimeError("Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not "
                           "support crossing process boundaries.  If you just want to transfer the data, call detach() on "
                           "the tensor before serializing (e.g., putting it on the queue).")
    if tensor.layout is not bolide.strided:
        return tensor.__reduce_ex__(2)
    size, stride = tuple(tensor.size()), tensor.stride()
    if tensor.device.type == "meta":
        return rebuild_meta_tensor, (type(tensor), size, stride, tensor.dtype, tensor.requires_grad)
    metadata = tensor.storage_offset(), size, stride, tensor.dtype, tensor.requires_grad
    return rebuild_tensor, (type(tensor), _storage_of(tensor), metadata)


class StorageWeakRef:
    """A reference to a storage that does not keep it alive; equal for the same storage."""

    __slots__ = ("_ref", "cdata")

    def __init__(self, storage):
        untyped = storage.untyped()
        self._ref, self.cdata = weakref.ref(untyped), untyped._cdata

    def expired(self):
        """Whether the storage is gone."""
        return self._ref() is None

    def __hash__(self):
        return self.cdata

    def __eq__(self, other):
        return id(self) == id(other) or self.cdata == other.cdata


# ---- registration --------------------------------------------------------------------------------------------------


def init_reductions():
    """Registers all of these with `multiprocessing`."""
    register = reduction.register
    register(storage.UntypedStorage, reduce_storage)
    register(storage.TypedStorage, reduce_typed_storage)
    register(bolide.Tensor, reduce_tensor)
    register(Parameter, reduce_tensor)
