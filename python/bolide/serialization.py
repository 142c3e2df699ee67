"""Saving and loading: `save`, `load`, and the list of classes that files may name (`add_safe_globals`).

Files are those of PyTorch, in both directions. `load` runs nothing from a file unless told to
(`weights_only=False`), checks every size and checksum, and reads each tensor straight into its memory (or
maps it, with `mmap=True`). `save` writes a new file beside the old one and replaces it when it is complete.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import stat
import struct
import sys
import types
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import IO, Any

import bolide
from bolide import _C, _utils
from bolide import _pickle_policy as policy
from bolide.storage import TypedStorage, UntypedStorage, legacy_classes

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "load",
    "remove_safe_globals",
    "safe_globals",
    "save",
]

DEFAULT_PROTOCOL = 2
_MAGIC, _STREAM_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_STORAGE_CLASSES = legacy_classes()


# ---- names: ours and PyTorch's -----------------------------------------------------------------

# Where files look for what Bolide keeps elsewhere: (module, name) of ours -> of PyTorch.
_TO_FILE = {
    ("bolide._utils", "_rebuild_from_type_v2"): ("torch._tensor", "_rebuild_from_type_v2"),
    ("bolide._utils", "_get_layout"): ("torch.serialization", "_get_layout"),
    ("bolide._C", "Tensor"): ("torch", "Tensor"),
    ("bolide", "Generator"): ("torch._C", "Generator"),
}
_FROM_FILE = {theirs: ours for ours, theirs in _TO_FILE.items()}


def _file_name(module: str, name: str) -> tuple[str, str]:
    """The name that files use for one of ours."""
    if (module, name) in _TO_FILE:
        return _TO_FILE[module, name]
    if module == "bolide" or module.startswith("bolide."):
        return "torch" + module[len("bolide") :], name
    return module, name


def _full_name(obj: Any) -> str:
    module, name = _file_name(obj.__module__, obj.__qualname__)
    return name if module == "builtins" else f"{module}.{name}"


def _find_theirs(module: str, name: str) -> Any:
    """Bolide's object for PyTorch's `module.name`."""
    if (module, name) in _FROM_FILE:
        module, name = _FROM_FILE[module, name]
    if module in ("torch", "torch.cuda") and name in _STORAGE_CLASSES:
        return _STORAGE_CLASSES[name]
    if module == "bolide" and name == "Tensor":
        return bolide.Tensor
    if module in ("bolide._utils", "torch._utils"):
        return bolide if name == "torch" else getattr(_utils, name)
    if module.startswith("torch.nn.modules."):  # our modules may be cut differently into files
        with contextlib.suppress(ImportError, AttributeError):
            return policy.find_torch(module, name)
        return policy.find_torch("torch.nn", name)
    return policy.find_torch(module, name)


# ---- safe globals ------------------------------------------------------------------------------

_safe: dict[str, Any] = {}


def _named(objects: list[Any]) -> dict[str, Any]:
    out = {}
    for obj in objects:
        if isinstance(obj, tuple):
            obj, name = obj
            out[name] = obj
        else:
            out[_full_name(obj)] = obj
    return out


def add_safe_globals(safe_globals: list[Callable | tuple[Callable, str]]) -> None:
    """Let `load(weights_only=True)` make these classes and call these functions.

    Args:
        safe_globals: classes and functions, or pairs of one and the full name that files use for it.
    """
    _safe.update(_named(safe_globals))


def get_safe_globals() -> list[Any]:
    """What was added, in order."""
    return list(_safe.values())


def clear_safe_globals() -> None:
    """Forget everything that was added."""
    _safe.clear()


def remove_safe_globals(safe_globals: list[Any]) -> None:
    """Forget these."""
    for name in _named(safe_globals):
        _safe.pop(name, None)


class safe_globals:  # noqa: N801
    """Context manager: `with safe_globals([Settings]): load(path)`."""

    def __init__(self, safe_globals: list[Any]) -> None:
        self._objects = safe_globals

    def __enter__(self) -> None:
        self._before = dict(_safe)
        add_safe_globals(self._objects)

    def __exit__(self, *error: object) -> None:
        _safe.clear()
        _safe.update(self._before)


# ---- where storages go -------------------------------------------------------------------------


def _restore(storage: UntypedStorage, location: str) -> UntypedStorage:
    """Move a storage to where its tag says."""
    kind = location.partition(":")[0]
    if kind in ("cpu", "meta"):
        return storage
    if kind == "cuda":
        if not bolide.cuda.is_available():
            raise RuntimeError(
                "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. "
                "If you are running on a CPU-only machine, please use torch.load with "
                "map_location=torch.device('cpu') to map your storages to the CPU."
            )
        index = bolide.device(location).index or 0
        if index >= bolide.cuda.device_count():
            raise RuntimeError(
                f"Attempting to deserialize object on CUDA device {index} but torch.cuda.device_count() "
                f"is {bolide.cuda.device_count()}. Please use torch.load with map_location to map your "
                f"storages to an existing device."
            )
        return storage.to(location)
    raise RuntimeError(
        f"don't know how to restore data location of torch.storage.UntypedStorage (tagged with {location})"
    )


def _restorer(map_location: Any) -> Callable[[UntypedStorage, str], UntypedStorage]:
    if map_location is None:
        return _restore
    if isinstance(map_location, dict):
        return lambda storage, location: _restore(storage, str(map_location.get(location, location)))
    if isinstance(map_location, (str, bolide.device)):
        where = str(map_location)
        if where == "meta":
            return lambda storage, location: storage.to("meta")
        return lambda storage, location: _restore(storage, where)

    def by_function(storage: UntypedStorage, location: str) -> UntypedStorage:
        moved = map_location(storage, location)
        if moved is None:
            return _restore(storage, location)
        return moved.untyped()

    return by_function


class _Storages:
    """The storages of one archive, each loaded at its first use."""

    def __init__(self, archive: Any, map_location: Any) -> None:
        self._archive, self._restore, self._loaded = archive, _restorer(map_location), {}

    def __call__(self, key: str) -> TypedStorage:
        if key not in self._loaded:
            self._loaded[key] = self._load(key)
        return self._loaded[key]

    def _load(self, key: str) -> TypedStorage:
        data, dtype_name, location = self._archive.load(key)
        dtype = bolide.uint8 if dtype_name == "" else getattr(bolide, dtype_name, None)
        if dtype is None:
            raise NotImplementedError(
                f"the file holds values of type torch.{dtype_name}, which Bolide does not have"
            )
        return TypedStorage(wrap_storage=self._restore(UntypedStorage._of(data), location), dtype=dtype)


# ---- load --------------------------------------------------------------------------------------


def load(
    f: str | os.PathLike[str] | IO[bytes],
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read an object that `save` (or PyTorch's) wrote.

    Args:
        f: a path, or a file object opened for reading in binary mode.
        map_location: where tensors go: a device, a dictionary from device to device, or a function
            (storage, location) -> storage or None. Default: where they were.
        pickle_module: a module like `pickle` whose Unpickler reads the object by its own rules, running
            whatever the file says. Only for files from a source you trust.
        weights_only: True (the default) makes tensors, numbers, texts, containers and what `add_safe_globals`
            allows. False also makes modules and other objects, except from names that only serve to run code.
        mmap: tensors are views of the file, mapped copy-on-write. Only for paths.
        pickle_load_args: passed to the Unpickler when weights_only is False.

    Raises:
        pickle.UnpicklingError: the object holds something that is not allowed.
        RuntimeError: the file is damaged, or a tensor belongs to a device that is not here.
        FileNotFoundError: there is no such file.
    """
    if weights_only is None:
        weights_only = pickle_module is None
    if weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    start = f.tell() if hasattr(f, "tell") else 0
    source, name = _source(f, bool(mmap))
    if not weights_only and _C._is_torchscript(source, name):
        return bolide.jit.load(f, map_location=map_location)
    archive = _C._Archive(source, name, bool(mmap), weights_only, list(_safe) if weights_only else [])
    if mmap and archive.is_stream:
        raise RuntimeError(
            "mmap can only be used with files saved with `torch.save(_use_new_zipfile_serialization=True)`, "
            "please torch.save your checkpoint with this option in order to use mmap."
        )
    storages = _Storages(archive, map_location)
    if weights_only:
        out = archive.replay(_resolver(), storages, _new, _build)
    else:
        out = _load_all(archive, storages, pickle_module, pickle_load_args)
    if hasattr(f, "seek") and hasattr(f, "tell"):  # the next object in the file object may follow
        f.seek(start + archive.end)
    return out


def _source(f: Any, mmap: bool) -> tuple[Any, str]:
    """What the core reads from, and its name in errors: a path, (descriptor, offset) or (buffer,)."""
    if isinstance(f, (str, os.PathLike)):
        return os.fsencode(f), os.fspath(f) if isinstance(f, str) else str(f)
    if mmap:
        raise ValueError("f must be a string filename in order to use mmap argument")
    if not hasattr(f, "read"):
        raise AttributeError(
            f"'{type(f).__name__}' object has no attribute 'read'. You can only torch.load from a path or "
            f"a file object; wrap other data in io.BytesIO."
        )
    name = str(getattr(f, "name", None) or f"<{type(f).__name__}>")
    if type(f) in (io.BufferedReader, io.FileIO, io.BufferedRandom):
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.fstat(f.fileno()).st_mode):
                return (f.fileno(), f.tell()), name
    if type(f) is io.BytesIO:
        return (f.getbuffer()[f.tell() :],), name
    return (f.read(),), name


def _resolver() -> Callable[[str], Any]:
    """full name -> object, for the names that the core let through."""
    table: dict[str, Any] = {
        "collections.OrderedDict": OrderedDict,
        "collections.Counter": Counter,
        "set": set,
        "complex": complex,
        "bytearray": bytearray,
        "_codecs.encode": _encode,
        "torch.nn.parameter.Parameter": _utils.Parameter,
    }

    def resolve(full: str) -> Any:
        if full in _safe:
            return _safe[full]
        if full not in table:
            table[full] = _torch_name(full)
        return table[full]

    return resolve


def _torch_name(full: str) -> Any:
    module, _, name = full.rpartition(".")
    try:
        return _find_theirs(module, name)
    except (ImportError, AttributeError):
        raise NotImplementedError(f"the file refers to {full}, which Bolide does not have") from None


def _encode(text: Any, encoding: Any) -> bytes:
    """How bytes stand in pickles of protocol 2."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("_codecs.encode is only for bytes written as latin1 text")
    return text.encode("latin1")


def _new(cls: Any, args: tuple) -> Any:
    if not isinstance(cls, type):
        raise pickle.UnpicklingError(f"{cls!r} is no class")
    return cls.__new__(cls, *args)


def _build(obj: Any, state: Any) -> None:
    """BUILD: `__setstate__` of allowed classes, attributes of dictionaries and others."""
    own = getattr(obj, "__setstate__", None)
    if isinstance(obj, bolide.Tensor):
        _utils._set_state(obj, state)
    elif own is not None:
        own(state)
    else:
        _utils._set_state(obj, state) if isinstance(state, tuple) else obj.__dict__.update(state)


def _load_all(archive: Any, storages: _Storages, pickle_module: Any, args: dict[str, Any]) -> Any:
    """weights_only=False: Python's unpickler, after the core has checked the pickle's structure and names."""
    free = pickle_module is not None
    if not free:
        for module, name in archive.globals:
            policy.check_name(module, name)

    class Unpickler((pickle_module or pickle).Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if module == "torch" or module.startswith("torch."):
                module = "torch._tensor" if module == "torch.tensor" else module
                return _find_theirs(module, name)
            if not free:
                policy.check_name(module, name)
                if (module, name) == ("builtins", "getattr"):
                    return policy.guarded_getattr
            return super().find_class(module, name)

        def persistent_load(self, pid: Any) -> Any:
            return _persistent(pid, storages)

    args.setdefault("encoding", "utf-8")
    return Unpickler(io.BytesIO(archive.pickle), **args).load()


def _persistent(pid: Any, storages: _Storages) -> Any:
    if not isinstance(pid, tuple) or not pid:
        raise pickle.UnpicklingError("saved_id must be a tuple")
    if pid[0] == "module":  # (class, file, source text): the class as it is today
        return pid[1]
    if pid[0] != "storage" or len(pid) < 5:
        raise pickle.UnpicklingError(f"Unknown saved id type {pid[0]!r}")
    view = pid[5] if len(pid) == 6 else None
    return storages(view[0] if view else pid[2])


# ---- save --------------------------------------------------------------------------------------


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
        self.storages.append((data if data.device.type == "cpu" else data.cpu(), tensor))
        known = (key, data.numel(), str(tensor.device))
        self.keys[_C._storage_id(tensor)] = known
        return known


class _Stored:
    """Stands for the storage of a tensor while it is pickled."""

    __slots__ = ("tensor", "dtype")

    def __init__(self, tensor: Any) -> None:
        self.tensor, self.dtype = tensor, tensor.dtype


def _storage_class(dtype: Any) -> tuple[type, int]:
    if dtype is not None:
        full = _C._storage_class_of(str(dtype).removeprefix("torch."))
        cls = _STORAGE_CLASSES.get(full.rpartition(".")[2])
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
        if isinstance(obj, bolide.dtype):
            module, name = "bolide", str(obj).removeprefix("torch.")
        if isinstance(module, str) and (module == "bolide" or module.startswith("bolide.")):
            theirs, name = _file_name(module, name or obj.__qualname__)
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
            f"expected 'f' to be a path or a file object with a write() method, got {type(f).__name__}"
        )
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


def _save_config() -> dict[str, Any]:
    """`utils.serialization.config.save`, where that was imported."""
    module = sys.modules.get("bolide.utils.serialization.config")
    own = getattr(module, "save", None)
    return {"alignment": getattr(own, "storage_alignment", 64), "crc32": getattr(own, "compute_crc32", True)}


def _save_stream(data: bytes, plan: _Plan, f: Any, protocol: int) -> None:
    """The form before PyTorch 1.6: pickles, then the storages' bytes, in the order of their keys as text."""
    info = {
        "protocol_version": _STREAM_PROTOCOL,
        "little_endian": True,
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    keys = sorted(str(i) for i in range(len(plan.storages)))
    with _opened(f) as out:
        for part in (_MAGIC, _STREAM_PROTOCOL, info):
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
