"""IDX files, the format of MNIST and its kin: `read_idx(path)` gives the tensor a file holds.

Layout: two zero bytes, a byte naming the element type, a byte with the number of dimensions, each size as a
big-endian 32-bit number, then the elements in row-major order, big-endian. Files may be gzip-compressed.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from typing import IO, TYPE_CHECKING

import bolide

if TYPE_CHECKING:
    from bolide import Tensor

__all__ = ["IdxError", "read_idx"]

# Element types by their code, as NumPy writes big-endian types.
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class IdxError(ValueError):
    """The file is not a whole and well-formed IDX file."""


def read_idx(path: str | os.PathLike[str]) -> Tensor:
    """Read an IDX file, compressed with gzip or not.

    Returns:
        A tensor of the file's shape and element type (uint8, int8, int16, int32, float32 or float64).

    Raises:
        OSError: the file cannot be read.
        IdxError: the file is damaged, truncated, longer than it says or no IDX file.
    """
    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            return _parse(gzip.open(file) if compressed else file, os.fspath(path))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise IdxError(f"{path}: damaged gzip data: {error}") from error


def _parse(stream: IO[bytes], path: str) -> Tensor:
    import numpy  # on first use: importing it takes longer than importing Bolide

    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES:
        raise IdxError(f"{path}: not an IDX file (it begins with {head!r})")
    kind, dims = numpy.dtype(_TYPES[head[2]]), head[3]
    sizes = stream.read(4 * dims)
    if len(sizes) < 4 * dims:
        raise IdxError(f"{path}: ends within its header")
    shape = struct.unpack(f">{dims}I", sizes)
    expected = math.prod(shape) * kind.itemsize
    data = _read_all(stream, expected)
    if len(data) < expected:
        has = f"the file has {len(data)}"
        raise IdxError(f"{path}: truncated: shape {shape} needs {expected} bytes of data, {has}")
    if stream.read(1):
        raise IdxError(f"{path}: data after the {expected} bytes that shape {shape} needs")
    array = numpy.frombuffer(data, kind).astype(kind.newbyteorder("="), copy=kind.itemsize > 1)
    return bolide.from_numpy(array.reshape(shape))


def _read_all(stream: IO[bytes], expected: int) -> bytearray:
    """Up to `expected` bytes, in pieces: a header that lies must not reserve the memory it names."""
    data = bytearray()
    while len(data) < expected:
        piece = stream.read(min(expected - len(data), 1 << 24))
        if not piece:
            break
        data += piece
    return data
