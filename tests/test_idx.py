"""Reading IDX files: every element type, compressed or not, and damaged files."""

import gzip
import struct

import pytest

import bolide as torch
from bolide.utils.idx import IdxError, read_idx


def idx(code, shape, data):
    return struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape) + data


@pytest.fixture
def write(tmp_path):
    def _write(content, name="file"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return _write


@pytest.mark.parametrize(
    ("code", "layout", "dtype", "values"),
    [
        (0x08, "B", "uint8", [0, 1, 254, 255]),
        (0x09, "b", "int8", [-128, -1, 0, 127]),
        (0x0B, "h", "int16", [-32768, -2, 258, 32767]),
        (0x0C, "i", "int32", [-(2**31), -2, 66051, 2**31 - 1]),
        (0x0D, "f", "float32", [-1.5, 0.0, 0.25, 1e10]),
        (0x0E, "d", "float64", [-1.5, 0.0, 0.1, 1e300]),
    ],
)
def test_types(write, code, layout, dtype, values):
    content = idx(code, (2, 2), struct.pack(f">4{layout}", *values))
    for path in (write(content), write(gzip.compress(content), "file.gz")):
        tensor = read_idx(path)
        assert tensor.dtype is getattr(torch, dtype) and tuple(tensor.shape) == (2, 2)
        assert tensor.flatten().tolist() == torch.tensor(values, dtype=getattr(torch, dtype)).tolist()


def test_shapes(write):
    assert tuple(read_idx(write(idx(8, (0, 3), b""))).shape) == (0, 3)
    assert read_idx(write(idx(8, (), b"\7"))).item() == 7
    assert read_idx(write(idx(8, (3,), b"\1\2\3"))).tolist() == [1, 2, 3]


def test_result_owns_its_memory(write):
    path = write(idx(8, (2,), b"\1\2"))
    first, second = read_idx(path), read_idx(path)
    first += 1
    assert first.tolist() == [2, 3] and second.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an IDX file"),
        (b"\x89PNG", "not an IDX file"),
        (idx(0x0A, (1,), b"\0"), "not an IDX file"),
        (idx(8, (2, 2), b"")[:9], "ends within its header"),
        (idx(8, (2, 2), b"\1\2\3"), r"truncated: shape \(2, 2\) needs 4 bytes of data, the file has 3"),
        (idx(8, (2, 2), b"\1\2\3\4\5"), "data after the 4 bytes"),
        (idx(8, (2**32 - 1,) * 8, b"\1"), "truncated"),  # a lie about the size reserves no memory
        (gzip.compress(idx(8, (4,), b"\1\2\3\4"), mtime=0)[:-9], "damaged gzip data"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\3\xff\xff\xff\xff", "damaged gzip data"),
    ],
)
def test_damaged_files(write, content, words):
    with pytest.raises(IdxError, match=words):
        read_idx(write(content))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "none")
