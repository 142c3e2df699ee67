"""The bytes of event files: protocol buffers, records with checksums, PNG images.

Only the few messages that TensorBoard reads are written; a field is its number, its kind and its bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC = _crc_table()


def masked_crc(data: bytes) -> int:
    """The checksum of a record: CRC-32C, rotated and shifted by a constant."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """One record of an event file."""
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked_crc(head)) + data + struct.pack("<I", masked_crc(data))


# ---- protocol buffers --------------------------------------------------------------------------


def _varint(n: int) -> bytes:
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append((n & 0x7F) | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def integer(field: int, value: int) -> bytes:
    """An integer field."""
    return _varint(field << 3) + _varint(value)


def double(field: int, value: float) -> bytes:
    """A 64-bit floating-point field."""
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def single(field: int, value: float) -> bytes:
    """A 32-bit floating-point field."""
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def blob(field: int, value: bytes | str) -> bytes:
    """A field of bytes, text, or a message."""
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def doubles(field: int, values: Iterable[float]) -> bytes:
    """A packed field of 64-bit floating-point numbers."""
    values = list(values)
    return blob(field, struct.pack(f"<{len(values)}d", *values))


# ---- messages ----------------------------------------------------------------------------------


def event(wall_time: float, step: int | None, summary: bytes) -> bytes:
    """An event with a summary."""
    number = b"" if step is None else integer(2, int(step))
    return double(1, wall_time) + number + blob(5, summary)


def version_event(wall_time: float) -> bytes:
    """The first event of a file."""
    return double(1, wall_time) + blob(3, "brain.Event:2")


def _plugin(name: str, content: bytes = b"") -> bytes:
    return blob(9, blob(1, blob(1, name) + (blob(2, content) if content else b"")))


def scalar(tag: str, value: float) -> bytes:
    """A summary of one number."""
    return blob(1, blob(1, tag) + single(2, value))


def text(tag: str, value: str) -> bytes:
    """A summary of a text."""
    shape = blob(2, integer(1, 1))
    tensor = integer(1, 7) + blob(2, shape) + blob(8, value)
    return blob(1, blob(1, tag) + blob(8, tensor) + _plugin("text"))


def plugin(tag: str, name: str, content: bytes) -> bytes:
    """A summary for a plugin of TensorBoard."""
    return blob(1, blob(1, tag) + _plugin(name, content))


def image(tag: str, height: int, width: int, channels: int, png_bytes: bytes) -> bytes:
    """A summary of an image."""
    fields = integer(1, height) + integer(2, width) + integer(3, channels) + blob(4, png_bytes)
    return blob(1, blob(1, tag) + blob(4, fields))


def histogram(tag: str, moments: tuple[float, float, int, float, float], limits: list, counts: list) -> bytes:
    """A summary of a distribution: (min, max, number, sum, sum of squares),
    the bins' right edges and their counts.
    """
    low, high, number, total, squares = moments
    fields = double(1, low) + double(2, high) + double(3, number) + double(4, total) + double(5, squares)
    return blob(1, blob(1, tag) + blob(5, fields + doubles(6, limits) + doubles(7, counts)))


def png(height: int, width: int, channels: int, rows: bytes) -> bytes:
    """A PNG file of 8-bit pixels with 1 (grey), 3 (RGB) or 4 (RGBA) channels."""
    kind = {1: 0, 3: 2, 4: 6}[channels]
    stride = width * channels
    raw = b"".join(b"\0" + rows[y * stride : (y + 1) * stride] for y in range(height))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    )
