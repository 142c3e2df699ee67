"""Storages: the memory behind tensors.

`UntypedStorage` is a run of bytes; `TypedStorage` adds an element type and is what the legacy classes
(`FloatStorage`, ...) make. Both share memory with the tensors that view them.

Map: UntypedStorage | functions. TypedStorage and the legacy classes stand in _typed_storage.py.
"""

from __future__ import annotations

import io
import sys
import weakref
from collections.abc import Iterator
from pickle import PickleBuffer
from typing import Any

import bolide
from bolide import _C

__all__ = ["TypedStorage", "UntypedStorage", "from_file", "is_storage"]

# One object for each storage that Python holds: pickle and deepcopy know shared memory by it.
_known: weakref.WeakValueDictionary[int, UntypedStorage] = weakref.WeakValueDictionary()


# ---- UntypedStorage ------------------------------------------------------------------------------


class UntypedStorage:
    """The bytes of a storage: `UntypedStorage(n)` makes n uninitialised ones, a list gives their values."""

    __slots__ = ("_handle", "_filename", "__weakref__")

    is_sparse = is_sparse_csr = False

    def __new__(cls, source: Any = 0, *, device: Any = None) -> UntypedStorage:
        if isinstance(source, int):
            return cls._of(bolide.empty(source, dtype=bolide.uint8, device=device))
        for item in source:
            if not isinstance(item, int):
                raise RuntimeError(
                    f"torch.UntypedStorage(): tried to construct a storage from a sequence ({type(source).__name__}), "
                    f"but one of the items was of type {type(item).__name__} instead of int"
                )
        return cls._of(bolide.tensor([i & 255 for i in source], dtype=bolide.uint8, device=device))

    @classmethod
    def _of(cls, tensor: Any) -> UntypedStorage:
        """The storage of a tensor."""
        key = _C._storage_id(tensor)
        found = _known.get(key)
        if found is None:
            found = object.__new__(cls)
            found._handle, found._filename = tensor.detach(), None
            _known[key] = found
        return found

    @property
    def _bytes(self) -> Any:
        """All bytes as a uint8 tensor: made anew, since the storage may have been resized."""
        return _C._storage_bytes(self._handle)

    @property
    def device(self) -> Any:
        return self._handle.device

    @property
    def is_cuda(self) -> bool:
        return self._handle.is_cuda

    @property
    def _cdata(self) -> int:
        return _C._storage_id(self._handle)

    @property
    def filename(self) -> str | None:
        """The file behind a storage of `from_file(shared=True)`."""
        return self._filename

    def get_device(self) -> int:
        """The number of the device, -1 for the CPU."""
        return self._handle.get_device()

    def nbytes(self) -> int:
        """Size in bytes."""
        return self._bytes.numel()

    size = nbytes

    def __len__(self) -> int:
        return self.nbytes()

    def element_size(self) -> int:
        """Always 1."""
        return 1

    def data_ptr(self) -> int:
        """Address of the first byte."""
        return self._bytes.data_ptr()

    def untyped(self) -> UntypedStorage:
        """Itself."""
        return self

    def tolist(self) -> list[int]:
        """The bytes as ints."""
        return self._bytes.tolist()

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """The name of the type."""
        return "torch.storage.UntypedStorage" if dtype is None else self._to(dtype)

    def clone(self) -> UntypedStorage:
        """A copy with memory of its own."""
        return UntypedStorage._of(self._bytes.clone())

    def new(self) -> UntypedStorage:
        """An empty storage."""
        return UntypedStorage(0, device=self.device)

    def copy_(self, source: Any, non_blocking: bool = False) -> UntypedStorage:
        """Overwrite the bytes with those of a storage of the same size."""
        theirs = source.untyped()._bytes
        if theirs.numel() != self.nbytes():
            raise RuntimeError(f"size does not match, self was {self.nbytes()} bytes but src was {theirs.numel()} bytes")
        self._bytes.copy_(theirs)
        return self

    def fill_(self, value: int) -> UntypedStorage:
        """Set every byte."""
        self._bytes.fill_(value & 255)
        return self

    def resize_(self, size: int) -> UntypedStorage:
        """Grow or shrink to `size` bytes; what fits is kept."""
        _C._storage_resize(self._handle, size)
        return self

    def resizable(self) -> bool:
        """Whether `resize_` may be called: not for shared and borrowed memory."""
        return _C._storage_resizable(self._handle)

    def to(self, device: Any = None, *, non_blocking: bool = False) -> UntypedStorage:
        """The same bytes on `device`; itself when they are there already."""
        device = bolide.device(device)
        if device == self.device:
            return self
        return UntypedStorage._of(self._bytes.to(device))

    def cpu(self) -> UntypedStorage:
        """The same bytes in CPU memory."""
        return self.to("cpu")

    def cuda(self, device: Any = None, non_blocking: bool = False) -> UntypedStorage:
        """The same bytes in GPU memory."""
        return self.to("cuda" if device is None else device)

    def _to(self, dtype: Any) -> TypedStorage:
        """The bytes' values as another type."""
        return TypedStorage(wrap_storage=UntypedStorage._of(self._bytes.to(dtype)), dtype=dtype)

    def byteswap(self, dtype: Any) -> None:
        """Reverse the bytes of each element of `dtype`, in place."""
        item = dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize
        if self.nbytes() % item:
            raise RuntimeError(f"the length of data is not a multiple of {item}")
        rows = self._bytes.view(-1, item)
        rows.copy_(rows.clone()[:, list(range(item - 1, -1, -1))])

    # ---- sharing ----

    def is_shared(self) -> bool:
        """Whether other processes can map the memory."""
        return self.is_cuda or _C._shared_info(self._handle) is not None

    def share_memory_(self) -> UntypedStorage:
        """Move the bytes to shared memory, in place: all tensors on them follow."""
        if not self.is_cuda:
            from .multiprocessing import get_sharing_strategy

            _C._share(self._handle, get_sharing_strategy() == "file_system")
        return self

    @classmethod
    def _new_shared(cls, size: int, *, device: Any = "cpu") -> UntypedStorage:
        from .multiprocessing import get_sharing_strategy

        if bolide.device(device).type == "cuda":
            return UntypedStorage(size, device=device)
        return cls._of(_C._shared_new(size, get_sharing_strategy() == "file_system"))

    @classmethod
    def _new_using_fd_cpu(cls, size: int) -> UntypedStorage:
        return cls._of(_C._shared_new(size, False))

    @classmethod
    def _new_using_filename_cpu(cls, size: int) -> UntypedStorage:
        return cls._of(_C._shared_new(size, True))

    def is_pinned(self, device: Any = "cuda") -> bool:
        """Whether the memory is page-locked."""
        return False

    def pin_memory(self, device: Any = "cuda") -> UntypedStorage:
        """A page-locked copy."""
        return UntypedStorage._of(self._bytes.pin_memory())

    # ---- files ----

    @classmethod
    def from_file(cls, filename: Any, shared: bool = False, nbytes: int = 0) -> UntypedStorage:
        """Map a file. shared: writes go to the file, which is made or grown to `nbytes`."""
        return _mapped(filename, shared, nbytes)

    @staticmethod
    def from_buffer(*args: Any, dtype: Any = None, device: Any = None, **kwargs: Any) -> UntypedStorage:
        """A copy of the bytes of a buffer; see TypedStorage.from_buffer."""
        return TypedStorage.from_buffer(*args, dtype=dtype or bolide.uint8, **kwargs).untyped()

    def _write_file(self, f: Any, is_real_file: bool, save_size: bool, element_size: int) -> None:
        data = self.cpu()._bytes
        if save_size:
            f.write((data.numel() // element_size).to_bytes(8, sys.byteorder))
        _C._write_storage(f.write, data)

    # ---- Python's protocols ----

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return UntypedStorage._of(self._bytes[index].clone())
        if not isinstance(index, int):
            raise TypeError(f"can't index a torch.UntypedStorage with {type(index).__name__}")
        size = self.nbytes()
        if not -size <= index < size:
            raise IndexError(f"index {index} out of range for storage of size {size}")
        return self._bytes[index].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, int) and not -self.nbytes() <= index < self.nbytes():
            raise IndexError(f"index {index} out of range for storage of size {self.nbytes()}")
        self._bytes[index] = value & 255

    def __iter__(self) -> Iterator[int]:
        return iter(self.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and self._cdata == other._cdata

    def __hash__(self) -> int:
        return hash(self._cdata)

    def __repr__(self) -> str:
        values = "..." if self.device.type == "meta" else " " + "\n ".join(map(str, self.tolist()))
        return f"{values}\n[torch.storage.UntypedStorage(device={self.device}) of size {self.nbytes()}]"

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self.nbytes()

    def __copy__(self) -> UntypedStorage:
        return self.clone()

    def __deepcopy__(self, memo: dict) -> UntypedStorage:
        known = memo.setdefault("torch", {})
        if self._cdata not in known:
            known[self._cdata] = self.clone()
        return known[self._cdata]

    def __reduce__(self) -> Any:
        return self.__reduce_ex__(2)

    def __reduce_ex__(self, protocol: Any) -> Any:
        data = self.cpu()._bytes
        view = _C._buffer_view(data)
        where = None if self.device.type == "cpu" else str(self.device)
        return _from_bytes, (PickleBuffer(view) if protocol >= 5 else bytes(memoryview(view)), where)


def _from_bytes(data: Any, device: str | None = None) -> UntypedStorage:
    """A storage with a copy of the bytes."""
    out = bolide.empty(len(memoryview(data)), dtype=bolide.uint8)
    if out.numel():
        memoryview(_C._buffer_view(out)).cast("B")[:] = memoryview(data).cast("B")
    return UntypedStorage._of(out if device is None else out.to(device))


def _load_from_bytes(data: bytes) -> Any:
    """A storage as it stands in plain pickles of PyTorch: a file of its own."""
    return bolide.load(io.BytesIO(data), weights_only=False)


def _mapped(filename: Any, shared: bool, nbytes: int) -> UntypedStorage:
    made = UntypedStorage._of(_C._map_file(str(filename), shared, nbytes))
    if shared:
        made._filename = str(filename)
    return made


# ---- functions -----------------------------------------------------------------------------------


def is_storage(obj: Any, /) -> bool:
    """Whether `obj` is a storage."""
    return isinstance(obj, (TypedStorage, UntypedStorage))


def from_file(
    filename: Any,
    shared: bool | None = None,
    size: int | None = 0,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool | None = None,
) -> Any:
    """A tensor of `size` elements on a mapped file. shared: writes go to the file, which is made or grown."""
    dtype = bolide.get_default_dtype() if dtype is None else dtype
    size = size or 0
    storage = _mapped(filename, bool(shared), size * dtype.itemsize)
    return _C._storage_view(storage._handle, dtype, 0, (size,), (1,), "from_file")


from bolide._typed_storage import TypedStorage, legacy_classes  # noqa: E402

globals().update(legacy_classes())
