"""`save`: pickles in PyTorch's names, the bytes of storages beside them.

Map: the plan (storages and their keys) | pickling | save | the old form.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import struct
import sys
import types
from collections.abc import Iterator
from typing import IO, Any

import bolide
from bolide import _C, _utils, serialization
from bolide import _file_names as file_names
from bolide._locations import location_tag
from bolide.storage import TypedStorage, UntypedStorage, legacy_classes

__all__ = ["save"]

DEFAULT_PROTOCOL = 2
MAGIC, STREAM_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001

class _Plan:
    """What a pickler met: storages and their keys."""

    def __init__(self, stream: bool) -> None:
        self.stream, self.keys, self.storages, self.types = stream, {}, [], {}

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, _Stored):
            return self._id(obj.tensor, obj.dtype)
        if isinstance(obj, (TypedStorage, UntypedStorage)):
            return self._id(obj.untyped()._handle, getattr(obj, "dtype", None))
        return None

    def _id(self, tensor: Any, dtype: Any) -> tuple:
        known = self.keys.get(_C._storage_id(tensor))
        if known is None:
            known = self._add(tensor)
        key, size, location = known
        previous = self.types.setdefault(key, dtype)
        if previous is not dtype and previous is not None and dtype is not None:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different types"
            )
        cls, item = _storage_class(dtype)
        pid = ("storage", cls, key, location, size // item)
        return (*pid, None) if self.stream else pid

    def _add(self, tensor: Any) -> tuple[str, int, str]:
        key = str(len(self.storages))
        data = _C._storage_bytes(tensor)
        self.storages.append((_written(data), tensor))
        known = (key, data.numel(), location_tag(UntypedStorage._of(tensor)))
        self.keys[_C._storage_id(tensor)] = known
        return known


def _written(data: Any) -> Any:
    """The bytes to write, in CPU memory; under `skip_data` only room for them."""
    if serialization.skips_data():
        return bolide.zeros(data.numel(), dtype=bolide.uint8)
    return data if data.device.type == "cpu" else data.cpu()


class _Stored:
    """Stands for the storage of a tensor while it is pickled."""

    __slots__ = ("tensor", "dtype")

    def __init__(self, tensor: Any) -> None:
        self.tensor, self.dtype = tensor, tensor.dtype


def _storage_class(dtype: Any) -> tuple[type, int]:
    if dtype is not None:
        full = _C._storage_class_of(str(dtype).removeprefix("torch."))
        cls = legacy_classes().get(full.rpartition(".")[2])
        if cls is not None:
            return cls, dtype.itemsize
    return UntypedStorage, 1


def _reduce(obj: Any) -> Any:
    """How Bolide's own values are pickled; NotImplemented for others."""
    if isinstance(obj, bolide.Tensor):
        return _utils._reduce_tensor(obj, _Stored)
    if isinstance(obj, bolide.Size):
        return bolide.Size, (tuple(obj),)
    if isinstance(obj, bolide.device):
        return bolide.device, (obj.type,) if obj.index is None else (obj.type, obj.index)
    if isinstance(obj, bolide.layout):
        return _utils._get_layout, (str(obj),)
    return NotImplemented


def _pickled(obj: Any, plan: _Plan, pickle_module: Any, protocol: int) -> bytes:
    """The pickle of an object, with PyTorch's names in place of ours."""
    base = _NamingPickler if pickle_module is pickle else pickle_module.Pickler

    class Pickler(base):
        def persistent_id(self, obj: Any) -> Any:
            return plan.persistent_id(obj)

        def reducer_override(self, obj: Any) -> Any:
            return _reduce(obj)

    buffer = io.BytesIO()
    Pickler(buffer, protocol).dump(obj)
    return buffer.getvalue()


class _NamingPickler(pickle._Pickler):
    """Writes our names as PyTorch's."""

    def save_global(self, obj: Any, name: str | None = None) -> None:
        module = getattr(obj, "__module__", None)
        if "<locals>" in (name or getattr(obj, "__qualname__", "")):
            raise AttributeError(f"Can't pickle local object {name or obj.__qualname__!r}")
        if isinstance(obj, bolide.dtype):
            module, name = "bolide", str(obj).removeprefix("torch.")
        if isinstance(module, str) and (module == "bolide" or module.startswith("bolide.")):
            theirs, name = file_names._file_name(module, name or obj.__qualname__)
            self._write_global(theirs, name)
            self.memoize(obj)
        else:
            super().save_global(obj, name)

    def _write_global(self, module: str, name: str) -> None:
        if self.proto >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())

    # The table of the base class holds its own methods: functions must reach ours.
    dispatch = {**pickle._Pickler.dispatch, types.FunctionType: lambda self, obj: self.save_global(obj)}


def save(
    obj: Any,
    f: str | os.PathLike[str] | IO[bytes],
    pickle_module: Any = pickle,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Write an object: tensors, and everything that can be pickled around them.

    Tensors that share memory share it again after loading; a view saves its whole storage.

    Args:
        obj: what to save.
        f: a path, or a file object opened for writing in binary mode. A file that exists is replaced when
            the new one is complete, so that an interrupted save leaves it as it was.
        pickle_module: module whose Pickler writes objects that are no tensors.
        pickle_protocol: 2 (the default) and 3 can be loaded with weights_only.
        _use_new_zipfile_serialization: False writes the form from before PyTorch 1.6.
    """
    if not isinstance(f, (str, os.PathLike)) and not hasattr(f, "write"):
        raise AttributeError(
            f"expected 'f' to be string, path, or a file-like object with a 'write' attribute, got {type(f).__name__}"
        )
    _check_folder(f)
    plan = _Plan(stream=not _use_new_zipfile_serialization)
    data = _pickled(obj, plan, pickle_module, pickle_protocol)
    if not _use_new_zipfile_serialization:
        _save_stream(data, plan, f, pickle_protocol)
        return
    config = _save_config()
    path = os.fsencode(f) if isinstance(f, (str, os.PathLike)) else None
    folder = _C._archive_folder(os.fspath(f)) if path is not None else "archive"
    _C._write_archive(
        path if path is not None else f.write,
        folder,
        data,
        [t for t, _ in plan.storages],
        config["alignment"],
        config["crc32"],
        True,
    )


def _check_folder(f: Any) -> None:
    """A missing folder is found before anything is pickled."""
    if isinstance(f, (str, os.PathLike)):
        folder = os.path.dirname(os.path.abspath(os.fspath(f)))
        if not os.path.isdir(folder):
            raise RuntimeError(f"Parent directory {os.fsdecode(folder)} does not exist.")


def _save_config() -> dict[str, Any]:
    """`utils.serialization.config.save`, where that was imported."""
    module = sys.modules.get("bolide.utils.serialization.config")
    own = getattr(module, "save", None)
    return {"alignment": getattr(own, "storage_alignment", 64), "crc32": getattr(own, "compute_crc32", True)}


def _save_stream(data: bytes, plan: _Plan, f: Any, protocol: int) -> None:
    """The form before PyTorch 1.6: pickles, then the storages' bytes, in the order of their keys as text."""
    info = {
        "protocol_version": STREAM_PROTOCOL,
        "little_endian": True,
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    keys = sorted(str(i) for i in range(len(plan.storages)))
    with _opened(f) as out:
        for part in (MAGIC, STREAM_PROTOCOL, info):
            out.write(pickle.dumps(part, protocol))
        out.write(data)
        out.write(pickle.dumps(keys, protocol))
        for key in keys:
            tensor = plan.storages[int(key)][0]
            _, item = _storage_class(plan.types[key])
            out.write(struct.pack("<q", tensor.numel() // item))
            _C._write_storage(out.write, tensor)


@contextlib.contextmanager
def _opened(f: Any) -> Iterator[IO[bytes]]:
    """A file to write; for a path, a new one that takes the path's place at the end."""
    if not isinstance(f, (str, os.PathLike)):
        yield f
        return
    path = os.path.realpath(f)
    temporary = f"{os.path.dirname(path)}/.{os.path.basename(path)[:200]}.{os.getpid()}.part"
    try:
        with open(temporary, "wb") as out:
            yield out
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
