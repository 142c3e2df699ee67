"""safetensors files: named tensors, a header of JSON and raw bytes. Nothing in such a file can run.

``load_file`` and ``save_file`` for whole files, ``safe_open`` for single tensors and slices of large ones, ``load`` and
``save`` for bytes, ``load_model`` and ``save_model`` for modules with shared weights.

Map: dtypes | reading a header | tensors from a file | safe_open | writing | modules.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import struct
from collections.abc import Iterator
from typing import Any

import bolide
from bolide import _C

__all__ = ["SafetensorError", "load", "load_file", "load_model", "safe_open", "save", "save_file", "save_model"]

_MOST_HEADER = 100_000_000


class SafetensorError(Exception):
    """The file is damaged, or holds what Bolide does not have."""


# ---- dtypes ----------------------------------------------------------------------------------------------------------

# name -> (Bolide's dtype, bits of an element), in the order of alignment in which files are written
_TYPES = {
    "C64": ("complex64", 64), "F64": ("float64", 64), "I64": ("int64", 64), "U64": ("uint64", 64),
    "F32": ("float32", 32), "I32": ("int32", 32), "U32": ("uint32", 32),
    "BF16": ("bfloat16", 16), "F16": ("float16", 16), "I16": ("int16", 16), "U16": ("uint16", 16),
    "F8_E8M0": ("float8_e8m0fnu", 8), "F8_E4M3": ("float8_e4m3fn", 8), "F8_E5M2": ("float8_e5m2", 8),
    "I8": ("int8", 8), "U8": ("uint8", 8), "BOOL": ("bool", 8), "F4": ("float4_e2m1fn_x2", 4),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", 8), "F8_E5M2FNUZ": ("float8_e5m2fnuz", 8),
    "F6_E2M3": ("", 6), "F6_E3M2": ("", 6),
}
_NAMES = {dtype: name for name, (dtype, _) in _TYPES.items()}
_ORDER = {name: i for i, name in enumerate(_TYPES)}


def _dtype(name: str) -> Any:
    dtype = getattr(bolide, _TYPES[name][0] or "?", None)
    if dtype is None:
        raise SafetensorError(f"the file holds values of type {name}, which Bolide does not have")
    return dtype


# ---- reading a header ------------------------------------------------------------------------------------------------


def _fail(what: str) -> Any:
    raise SafetensorError(f"Error while deserializing header: {what}")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        _fail("a name stands in it twice")
    return out


def _count(value: Any, what: str) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        _fail(f"invalid {what} {value!r}")
    return value


class _Entry:
    """One tensor of a header, checked: its name, type, shape and bytes."""

    def __init__(self, name: str, info: Any) -> None:
        if not isinstance(info, dict) or set(info) != {"dtype", "shape", "data_offsets"}:
            _fail(f"tensor `{name}` needs dtype, shape and data_offsets")
        self.name, self.type, self.shape = name, info["dtype"], info["shape"]
        if not isinstance(self.type, str) or self.type not in _TYPES:
            _fail(f"unknown dtype {self.type!r} of tensor `{name}`")
        offsets = info["data_offsets"]
        if not isinstance(self.shape, list) or not isinstance(offsets, list) or len(offsets) != 2:
            _fail(f"invalid shape or offsets of tensor `{name}`")
        self.start, self.end = (_count(o, f"offset of tensor `{name}`") for o in offsets)
        bits = _TYPES[self.type][1]
        for n in self.shape:
            bits *= _count(n, f"shape of tensor `{name}`")
        if bits >= 2**66:
            _fail("overflow computing buffer size from shape and/or element type")
        if self.end < self.start or self.end - self.start != bits // 8 or bits % 8:
            _fail(f"invalid shape, data type, or offset for tensor `{name}`")


def _parse(text: bytes, data_size: int) -> tuple[dict[str, _Entry], dict[str, str] | None]:
    """(tensors by name, metadata) of a header whose tensors must fill ``data_size`` bytes without gaps."""
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_no_duplicates)
    except UnicodeDecodeError as error:
        _fail(f"invalid UTF-8 in header: {error}")
    except (ValueError, RecursionError) as error:
        _fail(f"invalid JSON in header: {error}")
    if not isinstance(header, dict):
        _fail(f"invalid JSON in header: expected an object, got {type(header).__name__}")
    metadata = header.pop("__metadata__", None)
    if metadata is not None and (
        not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values())
    ):
        _fail("invalid JSON in header: __metadata__ must map texts to texts")
    entries = {name: _Entry(name, info) for name, info in header.items()}
    at = 0
    for e in sorted(entries.values(), key=lambda e: (e.start, e.end)):
        if e.start != at:
            _fail(f"invalid offset for tensor `{e.name}`")
        at = e.end
    if at != data_size:
        _fail("incomplete metadata, file not fully covered")
    return entries, metadata


def _split(head: bytes, size: int) -> int:
    """The length of the header of a file of ``size`` bytes."""
    if len(head) < 8:
        _fail("header too small")
    (length,) = struct.unpack("<Q", head)
    if length > _MOST_HEADER:
        _fail("header too large")
    if length > size - 8:
        _fail("invalid header length")
    return length


# ---- tensors from a file ---------------------------------------------------------------------------------------------


class _File:
    """An open file: its header, and tensors on request."""

    def __init__(self, filename: Any, device: Any = "cpu") -> None:
        self.device = f"cuda:{device}" if isinstance(device, int) else str(device)
        self.file = open(filename, "rb", buffering=0)
        try:
            size = os.fstat(self.file.fileno()).st_size
            length = _split(self.file.read(8), size)
            self.entries, self.metadata = _parse(self.read(8, length), size - 8 - length)
        except BaseException:
            self.file.close()
            raise
        self.data = 8 + length

    def read(self, at: int, size: int) -> bytes:
        data = os.pread(self.file.fileno(), size, at)
        if len(data) != size:
            _fail("the file ends early")
        return data

    def fill(self, tensor: Any, at: int) -> None:
        """Reads the bytes at ``at`` of the data into a contiguous tensor."""
        view = memoryview(_C._buffer_view(_C._storage_bytes(tensor))).cast("B")
        done = 0
        while done < len(view):
            n = os.preadv(self.file.fileno(), [view[done:]], self.data + at + done)
            if n == 0:
                _fail("the file ends early")
            done += n

    def tensor(self, name: str) -> Any:
        e = self.entries[name]
        out = bolide.empty(_sizes(e), dtype=_dtype(e.type))
        if e.end > e.start:
            self.fill(out, e.start)
        return out if self.device == "cpu" else out.to(self.device)

    def rows(self, name: str, start: int, stop: int) -> Any:
        """Rows start..stop of a tensor, without reading the others."""
        e = self.entries[name]
        row = (e.end - e.start) // e.shape[0] if e.shape[0] else 0
        out = bolide.empty((max(stop - start, 0), *_sizes(e)[1:]), dtype=_dtype(e.type))
        if out.numel():
            self.fill(out, e.start + start * row)
        return out


def _sizes(e: _Entry) -> tuple[int, ...]:
    """The sizes of the tensor; two values of 4 bits make one element."""
    return (*e.shape[:-1], e.shape[-1] // 2) if e.type == "F4" and e.shape else tuple(e.shape)


def load_file(filename: str | os.PathLike, device: Any = "cpu") -> dict[str, Any]:
    """All tensors of a file, by name.

    Throws SafetensorError for damaged files, FileNotFoundError for missing ones.
    """
    file = _File(filename, device)
    with contextlib.closing(file.file):
        return {name: file.tensor(name) for name in sorted(file.entries, key=lambda n: file.entries[n].start)}


def load(data: bytes) -> dict[str, Any]:
    """All tensors of a file's bytes."""
    length = _split(data[:8], len(data))
    entries, _ = _parse(bytes(data[8 : 8 + length]), len(data) - 8 - length)
    out = {}
    for name, e in entries.items():
        t = out[name] = bolide.empty(_sizes(e), dtype=_dtype(e.type))
        if t.numel():
            at = 8 + length
            memoryview(_C._buffer_view(_C._storage_bytes(t))).cast("B")[:] = data[at + e.start : at + e.end]
    return out


# ---- safe_open -------------------------------------------------------------------------------------------------------


class safe_open:  # noqa: N801
    """An open file: ``with safe_open(path, framework="pt") as f: f.get_tensor(name)``."""

    def __init__(self, filename: Any, framework: str = "pt", device: Any = "cpu") -> None:
        if framework not in ("pt", "torch", "pytorch", "bolide"):
            raise SafetensorError(f"framework {framework!r} is invalid")
        self._file = _File(filename, device)

    def __enter__(self) -> safe_open:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.file.close()

    def keys(self) -> list[str]:
        """The names of the tensors, sorted."""
        return sorted(self._file.entries)

    def offset_keys(self) -> list[str]:
        """The names in the order of the bytes."""
        return sorted(self._file.entries, key=lambda n: self._file.entries[n].start)

    def metadata(self) -> dict[str, str] | None:
        """The texts that were saved beside the tensors."""
        return self._file.metadata

    def _known(self, name: str) -> str:
        if name not in self._file.entries:
            raise SafetensorError(f"File does not contain tensor {name}")
        return name

    def get_tensor(self, name: str) -> Any:
        """One tensor."""
        return self._file.tensor(self._known(name))

    def get_slice(self, name: str) -> _Slice:
        """One tensor to be indexed: only the rows that are asked for are read."""
        return _Slice(self._file, self._known(name))


class _Slice:
    """A tensor of a file that is read when it is indexed."""

    def __init__(self, file: _File, name: str) -> None:
        self._file, self._name = file, name

    def get_shape(self) -> list[int]:
        """The sizes."""
        return list(self._file.entries[self._name].shape)

    def get_dtype(self) -> str:
        """The type as the file has it: "F32", ..."""
        return self._file.entries[self._name].type

    def __getitem__(self, index: Any) -> Any:
        index = index if isinstance(index, tuple) else (index,)
        shape = self.get_shape()
        if not shape or index[0] is Ellipsis or not isinstance(index[0], (slice, int)):
            return self._file.tensor(self._name)[index]
        start, stop, step = slice(index[0], index[0] + 1).indices(shape[0]) if isinstance(index[0], int) else \
            index[0].indices(shape[0])
        if isinstance(index[0], int):
            if not -shape[0] <= index[0] < shape[0]:
                raise SafetensorError(f"index {index[0]} is out of bounds for dimension 0 of size {shape[0]}")
            start = index[0] % shape[0]
            rows = self._file.rows(self._name, start, start + 1)[0]
            return rows[index[1:]] if index[1:] else rows
        rows = self._file.rows(self._name, start, stop)[::step] if step > 0 else self._file.tensor(self._name)
        return rows[(slice(None), *index[1:])]


# ---- writing ---------------------------------------------------------------------------------------------------------


def _checked(tensors: Any) -> dict[str, Any]:
    if not isinstance(tensors, dict):
        raise ValueError(f"Expected a dict of [str, torch.Tensor] but received {type(tensors)}")
    shared: dict[int, set[str]] = {}
    for name, t in tensors.items():
        if not isinstance(t, bolide.Tensor):
            raise ValueError(f"Key `{name}` is invalid, expected torch.Tensor but received {type(t)}")
        if t.layout is not bolide.strided:
            raise ValueError(f"You are trying to save a sparse tensor: `{name}` which this library does not support. You can "
                             "make it a dense tensor before saving with `.to_dense()` but be aware this might make a much "
                             "larger file than needed.")
        if t.numel() and t.device.type != "meta":
            shared.setdefault(_C._storage_id(t), set()).add(name)
    groups = [names for names in shared.values() if len(names) > 1]
    if groups:
        raise RuntimeError(f"\n            Some tensors share memory, this will lead to duplicate memory on disk and potential "
                           f"differences when loading them again: {groups}.\n            A potential way to correctly save your "
                           "model is to use `save_model`.\n            More information at "
                           "https://huggingface.co/docs/safetensors/torch_shared_tensors\n            ")
    for name, t in tensors.items():
        if not t.is_contiguous():
            raise ValueError(f"You are trying to save a non contiguous tensor: `{name}` which is not allowed. It either means "
                             "you are trying to save tensors which are reference of each other in which case it's recommended "
                             "to save only the full tensors, and reslice at load time, or simply call `.contiguous()` on your "
                             "tensor to pack it before saving.")
    return tensors


def _parts(tensors: dict[str, Any], metadata: dict[str, str] | None) -> Iterator[Any]:
    """The file's bytes, piece by piece: tensors by falling alignment, then by name."""
    kinds = {}
    for name, t in _checked(tensors).items():
        kind = _NAMES.get(str(t.dtype).removeprefix("torch."))
        if kind is None:
            raise ValueError(f"tensor `{name}` has dtype {t.dtype}, which safetensors files cannot hold")
        kinds[name] = kind
    if metadata is not None and not all(isinstance(x, str) for pair in metadata.items() for x in pair):
        raise TypeError("metadata must map texts to texts")
    order = sorted(tensors, key=lambda n: (_ORDER[kinds[n]], n))
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    at = 0
    for name in order:
        size = tensors[name].numel() * tensors[name].element_size()
        shape = list(tensors[name].shape)
        if kinds[name] == "F4" and shape:
            shape[-1] *= 2
        header[name] = {"dtype": kinds[name], "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    yield struct.pack("<Q", len(text)) + text
    for name in order:
        t = tensors[name].detach().cpu()
        if t.numel():
            first, size = t.storage_offset() * t.element_size(), t.numel() * t.element_size()
            yield memoryview(_C._buffer_view(_C._storage_view(t, bolide.uint8, first, (size,), (1,), "save")))


def save(tensors: dict[str, Any], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes of a file that holds these tensors.

    Throws ValueError for tensors that are not contiguous, RuntimeError for tensors that share memory.
    """
    return b"".join(_parts(tensors, metadata))


def save_file(tensors: dict[str, Any], filename: str | os.PathLike, metadata: dict[str, str] | None = None) -> None:
    """Writes tensors to a file; a file that exists is replaced when the new one is complete."""
    from bolide._saving import _opened

    parts = _parts(tensors, metadata)
    first = next(parts)  # what is wrong with the tensors is found before the file is touched
    with _opened(filename) as out:
        out.write(first)
        for part in parts:
            out.write(part)


# ---- modules ---------------------------------------------------------------------------------------------------------


def _groups(state: dict[str, Any]) -> list[list[str]]:
    """Names of tensors that view the same memory."""
    found = collections.defaultdict(list)
    for name, t in state.items():
        if t.numel() and t.device.type != "meta":
            found[_C._storage_id(t)].append(name)
    return [names for names in found.values() if len(names) > 1]


def _whole(t: Any) -> bool:
    return t.untyped_storage().nbytes() == t.numel() * t.element_size()


def save_model(model: Any, filename: str | os.PathLike, metadata: dict[str, str] | None = None,
               force_contiguous: bool = True) -> None:
    """Saves a module's state; of tensors that share memory one is kept, and the metadata says for which names it stands."""
    state, metadata = model.state_dict(), dict(metadata or {})
    for names in _groups(state):
        whole = sorted(n for n in names if _whole(state[n]))
        if not whole:
            raise RuntimeError("Error while trying to find names to remove to save state dict, but found no suitable name to "
                               f"keep for saving amongst: {set(names)}. None is covering the entire storage.")
        for name in names:
            if name != whole[0]:
                metadata.setdefault(name, whole[0])
                del state[name]
    if force_contiguous:
        state = {k: v.contiguous() for k, v in state.items()}
    save_file(state, filename, metadata)


def load_model(model: Any, filename: str | os.PathLike, strict: bool = True, device: Any = "cpu") -> tuple[set, list]:
    """Loads a module's state from a file of ``save_model``; returns (missing, unexpected) names."""
    state = load_file(filename, device)
    missing, unexpected = model.load_state_dict(state, strict=False)
    gone = set(missing)
    for names in _groups(model.state_dict()):
        if any(n in state for n in names):  # one of them was saved for all
            gone -= set(names)
    if strict and (gone or unexpected):
        text = f"Error(s) in loading state_dict for {type(model).__name__}:"
        if gone:
            text += "\n    Missing key(s) in state_dict: " + ", ".join(f'"{k}"' for k in sorted(gone))
        if unexpected:
            text += "\n    Unexpected key(s) in state_dict: " + ", ".join(f'"{k}"' for k in sorted(unexpected))
        raise RuntimeError(text)
    return gone, list(unexpected)
