"""Storages with an element type, and the legacy classes that make them.

Map: TypedStorage | conversions | the legacy classes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import bolide
from bolide import _C
from bolide.storage import UntypedStorage, _from_bytes, _mapped

__all__ = ["TypedStorage", "legacy_classes"]


class TypedStorage:
    """A storage with an element type. `wrap_storage` names the memory to share."""

    __slots__ = ("_untyped", "dtype", "__weakref__")

    is_sparse = False

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
            if not isinstance(wrap_storage, UntypedStorage):
                raise TypeError(f"Argument 'wrap_storage' must be UntypedStorage, but got {type(wrap_storage)}")
            self._untyped = wrap_storage
        elif isinstance(source, int):
            self._untyped = UntypedStorage(source * self.dtype.itemsize, device=device)
        elif isinstance(source, (TypedStorage, UntypedStorage)):
            self._untyped = source.untyped()
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

    @property
    def _untyped_storage(self) -> UntypedStorage:
        return self._untyped

    @property
    def filename(self) -> str | None:
        """The file behind a storage of `from_file(shared=True)`."""
        return self._untyped.filename

    def _elements(self) -> Any:
        count = self.nbytes() // self.dtype.itemsize
        return _C._storage_view(self._untyped._handle, self.dtype, 0, (count,), (1,), "storage")

    def _wrapped(self, untyped: UntypedStorage) -> TypedStorage:
        return TypedStorage(wrap_storage=untyped, dtype=self.dtype)

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return self._untyped

    def get_device(self) -> int:
        """The number of the device, -1 for the CPU."""
        return self._untyped.get_device()

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
        return self._wrapped(self._untyped.clone())

    def fill_(self, value: Any) -> TypedStorage:
        """Set every element."""
        self._elements().fill_(value)
        return self

    def copy_(self, source: Any, non_blocking: bool = False) -> TypedStorage:
        """Overwrite the elements with those of a storage of the same size, converting them."""
        self._elements().copy_(source._elements())
        return self

    def resize_(self, size: int) -> None:
        """Grow or shrink to `size` elements."""
        self._untyped.resize_(size * self.dtype.itemsize)

    def resizable(self) -> bool:
        """Whether `resize_` may be called."""
        return self._untyped.resizable()

    def to(self, device: Any = None, *, non_blocking: bool = False) -> TypedStorage:
        """The same elements on `device`."""
        return self._wrapped(self._untyped.to(device))

    def cpu(self) -> TypedStorage:
        """The same elements in CPU memory."""
        return self.to("cpu")

    def cuda(self, device: Any = None, non_blocking: bool = False) -> TypedStorage:
        """The same elements in GPU memory."""
        return self.to("cuda" if device is None else device)

    def _to(self, dtype: Any) -> TypedStorage:
        return TypedStorage(wrap_storage=UntypedStorage._of(self._elements().to(dtype)), dtype=dtype)

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """The name of the legacy class, or the elements as another type."""
        if dtype is None:
            return "torch." + self.pickle_storage_type()
        return self._to(legacy_classes()[dtype.rpartition(".")[2]].dtype if isinstance(dtype, str) else dtype)

    def pickle_storage_type(self) -> str:
        """The legacy class's name, as files have it."""
        for name, cls in legacy_classes().items():
            if cls.dtype == self.dtype:
                return name
        raise KeyError(f"dtype {self.dtype} is not recognized")

    _pickle_storage_type = pickle_storage_type

    def is_shared(self) -> bool:
        """Whether other processes can map the memory."""
        return self._untyped.is_shared()

    def share_memory_(self) -> TypedStorage:
        """Move the elements to shared memory, in place."""
        self._untyped.share_memory_()
        return self

    def is_pinned(self, device: Any = "cuda") -> bool:
        """Whether the memory is page-locked."""
        return self._untyped.is_pinned(device)

    def pin_memory(self, device: Any = "cuda") -> TypedStorage:
        """A page-locked copy."""
        return self._wrapped(self._untyped.pin_memory(device))

    def _new_shared(self, size: int, *, device: Any = "cpu") -> TypedStorage:
        return self._wrapped(UntypedStorage._new_shared(size * self.dtype.itemsize, device=device))

    @staticmethod
    def from_buffer(
        buffer: Any, byte_order: str = "native", count: int = -1, offset: int = 0, *, dtype: Any = None
    ) -> TypedStorage:
        """A copy of `count` elements (all when -1) of a buffer from byte `offset` on, in "native", "little" or "big" order."""
        dtype = bolide.get_default_dtype() if dtype is None else dtype
        data = memoryview(buffer).cast("B")
        count = (len(data) - offset) // dtype.itemsize if count < 0 else count
        if offset < 0 or offset + count * dtype.itemsize > len(data):
            raise ValueError(f"buffer has only {len(data) - offset} elements after offset {offset}, but specified a size of {count}")
        untyped = _from_bytes(bytes(data[offset : offset + count * dtype.itemsize]))
        if byte_order not in ("native", sys.byteorder):
            untyped.byteswap(dtype)
        return TypedStorage(wrap_storage=untyped, dtype=dtype)

    @classmethod
    def from_file(cls, filename: Any, shared: bool = False, size: int = 0) -> TypedStorage:
        """Map `size` elements of a file; see UntypedStorage.from_file."""
        dtype = getattr(cls, "dtype", None)
        if not isinstance(dtype, bolide.dtype):
            raise RuntimeError("from_file can only be called on derived classes")
        return TypedStorage(wrap_storage=_mapped(filename, shared, size * dtype.itemsize), dtype=dtype)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        if not isinstance(index, int):
            raise TypeError(f"can't index a {type(self)} with {type(index)}")
        if not -self.size() <= index < self.size():
            raise IndexError(f"index {index} out of range for storage of size {self.size()}")
        return self._elements()[index].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._elements()[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypedStorage) and self._cdata == other._cdata and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash(self._cdata)

    def __repr__(self) -> str:
        values = "..." if self.device.type == "meta" else " " + "\n ".join(map(str, self.tolist()))
        kind = f"dtype={self.dtype}, device={self.device}"
        return f"{values}\n[torch.storage.TypedStorage({kind}) of size {self.size()}]"

    def __copy__(self) -> TypedStorage:
        return self.clone()

    def __deepcopy__(self, memo: dict) -> TypedStorage:
        return self._wrapped(self._untyped.__deepcopy__(memo))

    def __reduce__(self) -> Any:
        return _typed, (self._untyped, self.dtype)


def _typed(untyped: UntypedStorage, dtype: Any) -> TypedStorage:
    return TypedStorage(wrap_storage=untyped, dtype=dtype)


def _conversion(name: str, dtype: Any) -> Any:
    def convert(self: Any) -> TypedStorage:
        return self._to(dtype)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"The values as {dtype}."
    return convert


_CONVERSIONS = {"float": "float32", "double": "float64", "half": "float16", "bfloat16": "bfloat16", "long": "int64",
                "int": "int32", "short": "int16", "char": "int8", "byte": "uint8", "bool": "bool",
                "complex_float": "complex64", "complex_double": "complex128"}
for _name, _dtype_name in _CONVERSIONS.items():
    for _cls in (UntypedStorage, TypedStorage):
        setattr(_cls, _name, _conversion(_name, getattr(_C, _dtype_name)))


# ---- the legacy classes --------------------------------------------------------------------------


class _LegacyMeta(type):
    """A typed storage of the right type is an instance of its legacy class."""

    dtype: Any

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, TypedStorage) and instance.dtype == cls.dtype


def _legacy_class(name: str, dtype_name: str) -> Any:
    """`FloatStorage` and its kin: classes whose calls make typed storages. None for types Bolide lacks."""
    dtype = getattr(_C, dtype_name, None)
    if dtype is None:
        return None

    def __new__(cls: Any, source: Any = 0, *, wrap_storage: Any = None, device: Any = None) -> TypedStorage:
        return TypedStorage(source, wrap_storage=wrap_storage, dtype=dtype, device=device)

    def from_buffer(buffer: Any, byte_order: str = "native", count: int = -1, offset: int = 0) -> TypedStorage:
        return TypedStorage.from_buffer(buffer, byte_order, count, offset, dtype=dtype)

    body = {"__new__": __new__, "__module__": "bolide", "dtype": dtype, "from_buffer": staticmethod(from_buffer),
            "from_file": classmethod(TypedStorage.from_file.__func__)}  # type: ignore[attr-defined]
    return _LegacyMeta(name, (), body)


_LEGACY = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
}
_made = {name: cls for name, dtype in _LEGACY.items() if (cls := _legacy_class(name, dtype)) is not None}


def legacy_classes() -> dict[str, Any]:
    """The legacy storage classes by name."""
    return _made
