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
import sys
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from enum import Enum
from mmap import MAP_PRIVATE, MAP_SHARED
from typing import IO, Any

import bolide
from bolide import _C, _utils
from bolide import _pickle_policy as policy
from bolide._file_names import _find_theirs, _full_name
from bolide._locations import default_restore_location, location_tag, register_package, restorer, validate_cuda_device
from bolide._utils import _get_layout  # noqa: F401  files name it here
from bolide.storage import TypedStorage, UntypedStorage

__all__ = [
    "LoadEndianness",
    "SourceChangeWarning",
    "add_safe_globals",
    "clear_safe_globals",
    "default_restore_location",
    "get_crc32_options",
    "get_default_load_endianness",
    "get_default_mmap_options",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "location_tag",
    "register_package",
    "remove_safe_globals",
    "safe_globals",
    "save",
    "set_crc32_options",
    "set_default_load_endianness",
    "set_default_mmap_options",
    "skip_data",
    "validate_cuda_device",
]

DEFAULT_PROTOCOL = 2


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


def get_unsafe_globals_in_checkpoint(f: str | os.PathLike[str] | IO[bytes]) -> list[str]:
    """The names in a file that `load(weights_only=True)` would refuse; nothing is loaded."""
    source, name = _source(f, False)
    archive = _C._Archive(source, name, False, False, [])
    names = [n if module == "builtins" else f"{module}.{n}" for module, n in archive.globals]
    return [n for n in dict.fromkeys(names) if n not in _safe and not _C._allowed_global(n)]


# ---- options -----------------------------------------------------------------------------------


class SourceChangeWarning(Warning):
    """Kept for programs that filter it: Bolide does not compare sources."""


class LoadEndianness(Enum):
    """Byte order of files that do not say theirs."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


def _config() -> Any:
    from bolide.utils.serialization import config

    return config


def set_default_load_endianness(endianness: LoadEndianness | None) -> None:
    """Choose the byte order of files that do not say theirs."""
    if endianness is not None and not isinstance(endianness, LoadEndianness):
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    _config().load.endianness = endianness


def get_default_load_endianness() -> LoadEndianness | None:
    """The byte order of files that do not say theirs; None for this machine's."""
    return _config().load.endianness


def get_default_mmap_options() -> int:
    """How `load(mmap=True)` maps files."""
    return _config().load.mmap_flags


class set_default_mmap_options:  # noqa: N801
    """Choose MAP_PRIVATE (writes stay in this process) or MAP_SHARED for `load(mmap=True)`; also a context manager."""

    def __init__(self, flags: int) -> None:
        if flags not in (MAP_PRIVATE, MAP_SHARED):
            raise ValueError(
                "Invalid argument in function set_default_mmap_options, expected mmap.MAP_PRIVATE or mmap.MAP_SHARED, "
                f"but got {flags}"
            )
        self._before = _config().load.mmap_flags
        _config().load.mmap_flags = flags

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        _config().load.mmap_flags = self._before


def get_crc32_options() -> bool:
    """Whether `save` computes checksums."""
    return _config().save.compute_crc32


def set_crc32_options(compute_crc32: bool) -> None:
    """Choose whether `save` computes checksums."""
    _config().save.compute_crc32 = compute_crc32


_skipping = threading.local()


def skips_data() -> bool:
    """Whether `skip_data` is on in this thread."""
    return getattr(_skipping, "on", False)


class skip_data:  # noqa: N801
    """Context manager: `save` leaves room for the storages' bytes without writing them, `load` does not read them."""

    def __init__(self, materialize_fake_tensors: bool = False) -> None:
        self.materialize_fake_tensors = materialize_fake_tensors

    def __enter__(self) -> None:
        self._before = skips_data()
        _skipping.on = True

    def __exit__(self, *error: object) -> None:
        _skipping.on = self._before


# ---- storages ----------------------------------------------------------------------------------


class _Storages:
    """The storages of one archive, each loaded at its first use."""

    def __init__(self, archive: Any, map_location: Any) -> None:
        self._archive, self._restore, self._loaded = archive, restorer(map_location), {}

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
        return TypedStorage(wrap_storage=self._restore(UntypedStorage._of(data), location).untyped(), dtype=dtype)


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
    options = _load_options()
    mmap = options.mmap if mmap is None else mmap
    if weights_only is None:
        weights_only = _default_to_weights_only(pickle_module)
    if weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    start = f.tell() if hasattr(f, "tell") else 0
    source, name = _source(f, bool(mmap))
    if not weights_only and _C._is_torchscript(source, name):
        return bolide.jit.load(f, map_location=map_location)
    archive = _C._Archive(
        source,
        name,
        bool(mmap),
        weights_only,
        list(_safe) if weights_only else [],
        options.mmap_flags == MAP_SHARED,
        options.endianness is LoadEndianness.BIG,
    )
    if mmap and archive.is_stream:
        raise RuntimeError(
            "mmap can only be used with files saved with `torch.save(_use_new_zipfile_serialization=True)`, "
            "please torch.save your checkpoint with this option in order to use mmap."
        )
    if not mmap and str(map_location) != "meta" and not skips_data():
        archive.load_all()
    storages = _Storages(archive, map_location)
    if weights_only:
        out = archive.replay(_resolver(), storages, _new, _build)
    else:
        out = _load_all(archive, storages, pickle_module, pickle_load_args)
    if hasattr(f, "seek") and hasattr(f, "tell"):  # the next object in the file object may follow
        f.seek(start + archive.end)
    return out


class _NoOptions:
    mmap, endianness, mmap_flags = False, None, MAP_PRIVATE


def _load_options() -> Any:
    """`utils.serialization.config.load`, where that was imported."""
    config = sys.modules.get("bolide.utils.serialization.config")
    return _NoOptions if config is None else config.load


def _is_zipfile(f: Any) -> bool:
    """Whether a file object stands at the start of a ZIP archive."""
    start = f.tell()
    magic = f.read(4)
    f.seek(start)
    return magic == b"PK\x03\x04"


def normalize_storage_type(storage_type: Any) -> Any:
    """The legacy storage class of a name or class."""
    name = storage_type if isinstance(storage_type, str) else storage_type.__name__
    return getattr(bolide, name.rpartition(".")[2])


MAP_LOCATION = Any
FileLike = str | os.PathLike | IO[bytes]


def _default_to_weights_only(pickle_module: Any) -> bool:
    forced = {name: os.environ.get(name, "0").lower() in ("1", "y", "yes", "true") for name in _FORCE}
    if all(forced.values()):
        raise RuntimeError(f"Only one of `{_FORCE[0]}` or `{_FORCE[1]}` should be set, but both were set.")
    if forced[_FORCE[0]]:
        return True
    return pickle_module is None and not forced[_FORCE[1]]


_FORCE = ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")


def _source(f: Any, mmap: bool) -> tuple[Any, str]:
    """What the core reads from, and its name in errors: a path, (descriptor, offset) or (buffer,)."""
    if isinstance(f, (str, os.PathLike)):
        return os.fsencode(f), os.fspath(f) if isinstance(f, str) else str(f)
    if mmap:
        raise ValueError("f must be a file path in order to use the mmap argument")
    if not hasattr(f, "read"):
        raise AttributeError(
            f"'{type(f).__name__}' object has no attribute 'seek'. You can only torch.load from a file that is seekable. "
            f"Please pre-load the data into a buffer like io.BytesIO and try to load from it instead."
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
            policy.check_name(*policy.modern_name(module, name))

    class Unpickler((pickle_module or pickle).Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if not free:
                module, name = policy.modern_name(module, name)
            if module.partition(".")[0] in ("torch", "bolide"):
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


from bolide._saving import save  # noqa: E402
