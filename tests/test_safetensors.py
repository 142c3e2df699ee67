"""safetensors files: round trips, slices, metadata, refusals."""

import json
import struct

import pytest

import bolide as torch
from bolide.safetensors import SafetensorError, load, load_file, load_model, safe_open, save, save_file, save_model


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_round_trip(tmp_path):
    path = tmp_path / "a.safetensors"
    tensors = {"w": torch.arange(6.0).reshape(2, 3), "b é": torch.tensor([True, False]), "half": torch.ones(3, dtype=torch.bfloat16),
               "none": torch.empty(0, 2), "scalar": torch.tensor(7), "c": torch.tensor([1 + 2j])}
    save_file(tensors, path, metadata={"who": "me é"})
    got = load_file(path)
    assert set(got) == set(tensors)
    for name, t in tensors.items():
        assert got[name].dtype == t.dtype and got[name].shape == t.shape and got[name].tolist() == t.tolist()
    assert load(save(tensors))["w"].tolist() == tensors["w"].tolist()
    head = struct.unpack("<Q", path.read_bytes()[:8])[0]
    assert head % 8 == 0 and json.loads(path.read_bytes()[8 : 8 + head])["w"]["dtype"] == "F32"


def test_parts_of_a_file(tmp_path):
    path = tmp_path / "a.safetensors"
    t = torch.arange(60).reshape(5, 4, 3)
    save_file({"t": t, "u": torch.ones(2)}, path, {"k": "v"})
    with safe_open(path, framework="pt") as f:
        assert f.keys() == ["t", "u"] and f.metadata() == {"k": "v"} and f.get_tensor("u").tolist() == [1, 1]
        part = f.get_slice("t")
        assert part.get_shape() == [5, 4, 3] and part.get_dtype() == "I64"
        for index in (slice(1, 3), (slice(None), 2), (slice(4, 1),), 3, -1, (2, slice(1, 3)), (slice(None, None, 2), ..., 0)):
            assert part[index].tolist() == t[index].tolist()
        with pytest.raises(SafetensorError, match="does not contain tensor x"):
            f.get_tensor("x")
        with pytest.raises(SafetensorError, match="out of bounds"):
            part[5]
    with pytest.raises(SafetensorError, match="framework 'np' is invalid"):
        safe_open(path, framework="np")


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "a.safetensors"
    t = torch.ones(3, 4)
    with pytest.raises(RuntimeError, match="Some tensors share memory"):
        save_file({"a": t, "b": t[1]}, path)
    with pytest.raises(ValueError, match="non contiguous tensor: `a`"):
        save_file({"a": t.t()}, path)
    with pytest.raises(ValueError, match="expected torch.Tensor but received <class 'list'>"):
        save_file({"a": [1]}, path)
    assert not path.exists()


W = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize("data", [
    b"", b"\x01\x00", struct.pack("<Q", 2**63), struct.pack("<Q", 100), file_of(b"{"), file_of(b"[]"), file_of(b'{"a":\xff}'),
    file_of(b"[" * 100000), file_of({"w": W}, bytes(7)), file_of({"w": W}, bytes(9)), file_of({"w": {**W, "shape": [3]}}, bytes(8)),
    file_of({"w": {**W, "shape": [-2]}}, bytes(8)), file_of({"w": {**W, "shape": [2.0]}}, bytes(8)),
    file_of({"w": {**W, "shape": [2**40, 2**40]}}, bytes(8)), file_of({"w": {**W, "dtype": "F33"}}, bytes(8)),
    file_of({"w": {**W, "data_offsets": [8, 0]}}, bytes(8)), file_of({"w": {**W, "data_offsets": [0]}}, bytes(8)),
    file_of({"w": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)), file_of({"w": W, "v": W}, bytes(8)),
    file_of({"w": {**W, "data_offsets": [4, 12]}}, bytes(12)), file_of({"__metadata__": {"a": 1}, "w": W}, bytes(8)),
    file_of(b'{"w":' + json.dumps(W).encode() + b',"w":' + json.dumps(W).encode() + b"}", bytes(8)),
])
def test_damaged_files(data, tmp_path):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    for way in (lambda: load(data), lambda: load_file(path), lambda: safe_open(path)):
        with pytest.raises(SafetensorError):
            way()


def test_modules_with_shared_weights(tmp_path):
    nn = pytest.importorskip("bolide.nn")
    path = tmp_path / "m.safetensors"

    def make():
        m = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        m[1].weight = m[0].weight
        return m

    a, b = make(), make()
    save_model(a, path)
    with safe_open(path) as f:
        assert f.keys() == ["0.bias", "0.weight", "1.bias"] and f.metadata() == {"1.weight": "0.weight"}
    assert load_model(b, path) == (set(), [])
    assert b[1].weight.tolist() == a[0].weight.tolist()
    with pytest.raises(RuntimeError, match="Missing key"):
        load_model(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3)), path)
