"""Storages: bytes and typed elements behind tensors, files, sharing, pickles and deep copies."""

import copy
import os
import pickle

import pytest

import bolide as torch


def test_untyped_storage_is_the_memory_of_its_tensor():
    t = torch.arange(6, dtype=torch.int32)
    s = t.untyped_storage()
    assert s is t[2:].untyped_storage() and s.nbytes() == len(s) == s.size() == 24 and s.device.type == "cpu"
    assert list(s)[:8] == [0, 0, 0, 0, 1, 0, 0, 0] and s.element_size() == 1
    s[4] = 7
    assert t[1].item() == 7 and s.data_ptr() == t.data_ptr()
    c = s.clone()
    c[0] = 9
    assert (s[0], c[0]) == (0, 9) and s != c and s == t.view(2, 3).untyped_storage()
    with pytest.raises(IndexError, match="index 24 out of range for storage of size 24"):
        s[24]
    with pytest.raises(TypeError, match="can't index a torch.UntypedStorage with str"):
        s["a"]


def test_making_untyped_storages():
    assert torch.UntypedStorage([1, 2, 300]).tolist() == [1, 2, 44]
    assert torch.UntypedStorage(5).nbytes() == 5 and torch.UntypedStorage().nbytes() == 0
    assert repr(torch.UntypedStorage([1, 2])) == " 1\n 2\n[torch.storage.UntypedStorage(device=cpu) of size 2]"
    with pytest.raises(RuntimeError, match="one of the items was of type str instead of int"):
        torch.UntypedStorage("a")


def test_resizing():
    s = torch.ones(2).untyped_storage()
    s.resize_(16)
    assert s.nbytes() == 16 and s.resizable()
    shared = torch.ones(2).untyped_storage().share_memory_()
    with pytest.raises(RuntimeError, match="Trying to resize storage that is not resizable"):
        shared.resize_(3)


def test_typed_storages():
    s = torch.FloatStorage([1.5, 2.5])
    assert isinstance(s, torch.TypedStorage) and isinstance(s, torch.FloatStorage) and not isinstance(s, torch.LongStorage)
    assert s.tolist() == [1.5, 2.5] and s.nbytes() == 8 and s.type() == "torch.FloatStorage"
    assert s.double().dtype == torch.float64 and s.long().tolist() == [1, 2]
    t = torch.arange(3)
    t.storage()[1] = 9
    assert t.tolist() == [0, 9, 2] and t.storage().pickle_storage_type() == "LongStorage"
    with pytest.raises(RuntimeError, match="slices are only supported in UntypedStorage"):
        s[0:1]
    big = torch.ShortStorage.from_buffer(bytes([0, 1, 0, 2]), "big")
    assert big.tolist() == [1, 2]


def test_set_():
    s = torch.arange(6, dtype=torch.int32).untyped_storage()
    assert torch.empty(0, dtype=torch.int32).set_(s, 1, (2, 2), (2, 1)).tolist() == [[1, 2], [3, 4]]
    w = torch.zeros(3)
    assert w.set_(torch.ones(5)) is w and w.tolist() == [1.0] * 5
    grown = torch.empty(0).set_(torch.ones(3).untyped_storage(), 0, (100,), (1,))
    assert grown[:3].tolist() == [1, 1, 1] and grown.untyped_storage().nbytes() == 400
    assert torch.ones(2).set_().shape == (0,)
    with pytest.raises(RuntimeError, match="Could not set tensor of type long int to a tensor of type float"):
        torch.empty(0).set_(torch.arange(3))
    with pytest.raises(RuntimeError, match="overflowed"):
        torch.empty(0).set_(s, 0, (2**62, 2**62), (1, 1))
    with pytest.raises(RuntimeError, match="Negative strides"):
        torch.empty(0).set_(s, 0, (2,), (-1,))
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        torch.ones(2, requires_grad=True).set_(torch.ones(3))


def test_files(tmp_path):
    path = str(tmp_path / "raw")
    with open(path, "wb") as f:
        f.write(bytes(range(8)))
    private = torch.from_file(path, size=8, dtype=torch.uint8)
    private[0] = 99
    shared = torch.from_file(path, shared=True, size=4, dtype=torch.uint8)
    shared[1] = 77
    with open(path, "rb") as f:
        assert list(f.read()) == [0, 77, 2, 3, 4, 5, 6, 7]
    assert torch.UntypedStorage.from_file(path, False, 2).tolist() == [0, 77]
    assert torch.ShortStorage.from_file(path, False, 2).tolist() == [77 << 8, 0x302]
    assert torch.UntypedStorage.from_file(path, True, 2).filename == path
    torch.from_file(str(tmp_path / "new"), shared=True, size=2)
    assert os.path.getsize(tmp_path / "new") == 8
    with pytest.raises(RuntimeError, match="size <8> is smaller than the required mapping size <16>"):
        torch.from_file(path, size=16, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="unable to open file .* in read-only mode"):
        torch.from_file(str(tmp_path / "missing"), size=1)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pickles_keep_views_together(protocol):
    def loaded(x):
        return pickle.loads(pickle.dumps(x, protocol))

    t = torch.arange(6.0).reshape(2, 3)
    a, b = loaded([t, t[1]])
    a[1, 0] = 50
    assert b.tolist() == [50.0, 4.0, 5.0] and loaded(t.T).stride() == (1, 3)
    t.note = "kept"
    assert loaded(t).note == "kept"
    r = torch.ones(2, requires_grad=True)
    assert loaded(r).requires_grad and loaded(torch.tensor([1, 2], dtype=torch.bfloat16)).tolist() == [1, 2]
    assert loaded(torch.ones(3).untyped_storage()).nbytes() == 12 and loaded(torch.FloatStorage([1, 2])).tolist() == [1, 2]


def test_deep_copies_keep_views_together():
    a = torch.ones(3)
    b, c = copy.deepcopy([a, a[1:]])
    b[1] = 5
    assert c.tolist() == [5.0, 1.0] and a.tolist() == [1.0, 1.0, 1.0]
    t = torch.arange(6.0).reshape(2, 3).T.requires_grad_()
    (t * t).sum().backward()
    d = copy.deepcopy(t)
    assert d.stride() == (1, 3) and d.requires_grad and d.grad.tolist() == t.grad.tolist() and d.grad is not t.grad
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(t * 2)


def test_is_storage():
    t = torch.ones(1)
    assert torch.is_storage(t.untyped_storage()) and torch.is_storage(t.storage()) and not torch.is_storage(t)
