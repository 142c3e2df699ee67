"""Storages: the memory behind tensors, as files name it.

`UntypedStorage` is a run of bytes; `TypedStorage` adds an element type and is what the legacy classes
(`FloatStorage`, ...) make. Both share memory with the tensors that view them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bolide
from bolide import _C

__all__ = ["TypedStorage", "UntypedStorage"]


class UntypedStorage:
    """The bytes of a storage: `UntypedStorage(n)` makes n uninitialised ones, a list gives their values."""

    __slots__ = ("_bytes", "__weakref__")

    def __init__(self, source: int | list[int] = 0, *, device: Any = None) -> None:
        if isinstance(source, int):
            self._bytes = bolide.empty(source, dtype=bolide.uint8, device=device)
        else:
            self._bytes = bolide.tensor(source, dtype=bolide.uint8, device=device)

    @classmethod
    def _of(cls, tensor: Any) -> UntypedStorage:
        """The storage of a tensor."""
        self = cls.__new__(cls)
        self._bytes = _C._storage_bytes(tensor)
        return self

    @property
    def device(self) -> Any:
        return self._bytes.device

    @property
    def is_cuda(self) -> bool:
        return self._bytes.is_cuda

    @property
    def _cdata(self) -> int:
        return _C._storage_id(self._bytes)

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

    def clone(self) -> UntypedStorage:
        """A copy with memory of its own."""
        return UntypedStorage._of(self._bytes.clone())

    def copy_(self, source: Any, non_blocking: bool = False) -> UntypedStorage:
        """Overwrite the bytes with those of a storage of the same size."""
        self._bytes.copy_(source.untyped()._bytes)
        return self

    def fill_(self, value: int) -> UntypedStorage:
        """Set every byte."""
        self._bytes.fill_(value)
        return self

    def to(self, device: Any) -> UntypedStorage:
        """The same bytes on `device`; itself when they are there already."""
        moved = self._bytes.to(bolide.device(device))
        return self if moved is self._bytes else UntypedStorage._of(moved)

    def cpu(self) -> UntypedStorage:
        """The same bytes in CPU memory."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> UntypedStorage:
        """The same bytes in GPU memory."""
        return self.to("cuda" if device is None else device)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return UntypedStorage._of(self._bytes[index].clone())
        return int(self._bytes[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        self._bytes[index] = value

    def __iter__(self) -> Iterator[int]:
        return iter(self.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and self._cdata == other._cdata

    def __hash__(self) -> int:
        return hash(self._cdata)

    def __repr__(self) -> str:
        return f"[{type(self).__module__}.UntypedStorage(device={self.device}) of size {self.nbytes()}]"

    def __reduce__(self) -> Any:
        return _from_bytes, (bytes(self.cpu().tolist()),)


def _from_bytes(data: bytes) -> UntypedStorage:
    return UntypedStorage(list(data))


class TypedStorage:
    """A storage with an element type. `wrap_storage` names the memory to share."""

    __slots__ = ("_untyped", "dtype", "__weakref__")

    def __init__(
        self,
        source: Any = 0,
        *,
        wrap_storage: UntypedStorage | None = None,
        dtype: Any = None,
        device: Any = None,
    ) -> None:
        self.dtype = bolide.get_default_dtype() if dtype is None else dtype
        if wrap_storage is not None:
            self._untyped = wrap_storage
        elif isinstance(source, int):
            self._untyped = UntypedStorage(source * self.dtype.itemsize, device=device)
        else:
            self._untyped = UntypedStorage._of(bolide.tensor(source, dtype=self.dtype, device=device))

    @property
    def device(self) -> Any:
        return self._untyped.device

    @property
    def is_cuda(self) -> bool:
        return self._untyped.is_cuda

    @property
    def _cdata(self) -> int:
        return self._untyped._cdata

    def _elements(self) -> Any:
        count = self.nbytes() // self.dtype.itemsize
        return _C._storage_view(self._untyped._bytes, self.dtype, 0, (count,), (1,), "storage")

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return self._untyped

    def size(self) -> int:
        """Number of elements."""
        return self.nbytes() // self.dtype.itemsize

    def __len__(self) -> int:
        return self.size()

    def nbytes(self) -> int:
        """Size in bytes."""
        return self._untyped.nbytes()

    def element_size(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    def data_ptr(self) -> int:
        """Address of the first element."""
        return self._untyped.data_ptr()

    def tolist(self) -> list:
        """The elements as Python numbers."""
        return self._elements().tolist()

    def clone(self) -> TypedStorage:
        """A copy with memory of its own."""
        return TypedStorage(wrap_storage=self._untyped.clone(), dtype=self.dtype)

    def fill_(self, value: Any) -> TypedStorage:
        """Set every element."""
        self._elements().fill_(value)
        return self

    def copy_(self, source: Any, non_blocking: bool = False) -> TypedStorage:
        """Overwrite the elements with those of a storage of the same size, converting them."""
        self._elements().copy_(source._elements())
        return self

    def to(self, device: Any) -> TypedStorage:
        """The same elements on `device`."""
        return TypedStorage(wrap_storage=self._untyped.to(device), dtype=self.dtype)

    def cpu(self) -> TypedStorage:
        """The same elements in CPU memory."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> TypedStorage:
        """The same elements in GPU memory."""
        return self.to("cuda" if device is None else device)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            part = self._elements()[index].clone()
            return TypedStorage(wrap_storage=UntypedStorage._of(part), dtype=self.dtype)
        return self._elements()[index].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._elements()[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __repr__(self) -> str:
        values = "".join(f" {v}\n" for v in self.tolist())
        kind = f"dtype={self.dtype}, device={self.device}"
        return f"{values}[torch.storage.TypedStorage({kind}) of size {self.size()}]"


def _legacy_class(name: str, dtype_name: str) -> type[TypedStorage] | None:
    """`FloatStorage` and its kin: classes whose instances are typed storages. None for types Bolide lacks."""
    dtype = getattr(bolide, dtype_name, None)
    if dtype is None:
        return None

    def __init__(self: TypedStorage, source: Any = 0, *, device: Any = None) -> None:
        TypedStorage.__init__(self, source, dtype=dtype, device=device)

    return type(name, (TypedStorage,), {"__slots__": (), "__init__": __init__, "__module__": "bolide"})


_LEGACY = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}


def legacy_classes() -> dict[str, type[TypedStorage]]:
    """The legacy storage classes by name, for the package's namespace."""
    made = {name: _legacy_class(name, dtype) for name, dtype in _LEGACY.items()}
    return {name: cls for name, cls in made.items() if cls is not None}
