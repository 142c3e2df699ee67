"""Saving and loading: what comes back, what is refused, what a broken or hostile file can do (nothing but fail)."""

import collections
import io
import os
import pathlib
import pickle
import zipfile

import pytest

import bolide as torch
from bolide import serialization


def dump(obj, **how):
    buffer = io.BytesIO()
    torch.save(obj, buffer, **how)
    return buffer.getvalue()


def back(obj, _new=True, **how):
    return torch.load(io.BytesIO(dump(obj, _use_new_zipfile_serialization=_new)), **how)


both_forms = pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])


class Thing:
    def __init__(self, v):
        self.v = v


# ---- what comes back ----


@both_forms
def test_views_share_memory_again(new):
    base = torch.arange(12.0).reshape(3, 4)
    d = back({"base": base, "row": base[1], "col": base[:, 2], "t": base.T, "step": base[::2, 1:]}, new)
    assert d["col"].stride() == (4,) and d["col"].storage_offset() == 2 and d["t"].stride() == (1, 4)
    d["base"][1, 2] = 99
    assert d["row"].tolist() == [4, 5, 99, 7] and d["col"].tolist() == [2, 99, 10] and d["t"][2, 1].item() == 99
    assert d["step"].tolist() == [[1, 2, 3], [9, 10, 11]]


@both_forms
def test_every_dtype_comes_back(new):
    for name in ("uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64",
                 "complex128", "bool"):
        t = torch.tensor([1, 2, 0], dtype=getattr(torch, name))
        r = back(t, new)
        assert r.dtype == t.dtype and r.tolist() == t.tolist()
    assert back(torch.tensor(3.5), new).item() == 3.5 and back(torch.empty(0, 3), new).shape == (0, 3)
    assert back(torch.ones(2, 3).expand(4, 2, 3), new).stride() == (0, 3, 1)


def test_containers_come_back():
    value = {"a": [1, (2.5, "s", None, True)], "od": collections.OrderedDict([("z", 1), ("y", 2)]), "n": -(2**70),
             "size": torch.Size([2, 3]), "dtype": torch.float16, "device": torch.device("cpu"), "complex": 1 + 2j,
             "bytes": b"ab", "set": {1, 2}, 3: "int key", (1, 2): "tuple key", "count": collections.Counter("aab")}
    got = back(value)
    assert got == value and type(got["od"]) is collections.OrderedDict and type(got["size"]) is torch.Size
    shared = [torch.ones(2)] * 2
    a, b = back(shared)
    assert a is b
    assert back(torch.ones(2, requires_grad=True)).requires_grad
    t = torch.ones(2)
    t.note = "kept"
    assert back(t).note == "kept"


def test_a_view_keeps_its_whole_storage():
    base = torch.zeros(100)
    assert back(base[:2]).untyped_storage().nbytes() == 400 and back(base[:2].clone()).untyped_storage().nbytes() == 8


def test_several_objects_in_one_stream():
    f = io.BytesIO()
    for i in range(3):
        torch.save(torch.full((2,), i), f, _use_new_zipfile_serialization=False)
    f.seek(0)
    assert [torch.load(f)[0].item() for _ in range(3)] == [0, 1, 2]


def test_paths_files_and_mmap(tmp_path):
    path = tmp_path / "a.b.pt"
    torch.save({"w": torch.arange(6.0)}, path)
    for source in (path, str(path), io.BytesIO(path.read_bytes())):
        assert torch.load(source)["w"].tolist() == [0, 1, 2, 3, 4, 5]
    with open(path, "rb") as f:
        assert torch.load(f)["w"].sum().item() == 15
    mapped = torch.load(path, mmap=True)["w"]
    mapped[0] = 50
    assert torch.load(path)["w"][0].item() == 0  # writes stay in memory
    with serialization.set_default_mmap_options(2 - 1):  # MAP_SHARED
        shared = torch.load(path, mmap=True)["w"]
    shared[0] = 60
    assert torch.load(path, mmap=True)["w"][0].item() == 60
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        torch.load(io.BytesIO(path.read_bytes()), mmap=True)
    torch.save([1], path, _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="mmap can only be used with files saved with"):
        torch.load(path, mmap=True)


def test_map_location():
    data = dump({"w": torch.ones(2)})

    def load(where):
        return torch.load(io.BytesIO(data), map_location=where)["w"]

    assert load("cpu").tolist() == load(torch.device("cpu")).tolist() == load({"cuda:0": "cpu"}).tolist() == [1, 1]
    assert load("meta").device.type == "meta" and load(lambda storage, place: None).tolist() == [1, 1]
    seen = []
    load(lambda storage, place: seen.append(place))
    assert seen == ["cpu"]
    with pytest.raises(RuntimeError, match="don't know how to restore data location of .* \\(tagged with nonsense\\)"):
        load("nonsense")


def test_new_places_can_be_registered():
    before = list(serialization.register_package.__globals__["_packages"])
    try:
        serialization.register_package(5, lambda s: "moon" if s.nbytes() == 12 else None,
                                       lambda s, place: s if place == "moon" else None)
        assert b"moon" in dump(torch.ones(3)) and back(torch.ones(3)).tolist() == [1, 1, 1]
    finally:
        serialization.register_package.__globals__["_packages"][:] = before


# ---- the archive ----


def test_archive_layout(tmp_path):
    path = tmp_path / "some.model.pt"
    torch.save({"w": torch.arange(4.0), "h": torch.ones(2, dtype=torch.float16)}, path)
    with zipfile.ZipFile(path) as z:
        names = z.namelist()
        assert names == [f"some.model/{n}" for n in ("data.pkl", ".format_version", ".storage_alignment", "byteorder", "data/0",
                                                     "data/1", "version", ".data/serialization_id")]
        assert z.read("some.model/version") == b"3\n" and z.read("some.model/byteorder") == b"little"
        assert z.testzip() is None and all(i.compress_type == 0 for i in z.infolist())
        for info in z.infolist():
            start = info.header_offset + 30 + int.from_bytes(path.read_bytes()[info.header_offset + 26 :][:2], "little")
            start += int.from_bytes(path.read_bytes()[info.header_offset + 28 :][:2], "little")
            assert start % 64 == 0
    assert b"ctorch._utils\n_rebuild_tensor_v2\n" in path.read_bytes() and b"bolide" not in path.read_bytes()


def test_options_of_saving():
    from bolide.utils.serialization import config

    try:
        serialization.set_crc32_options(False)
        config.save.storage_alignment = 4096
        data = dump(torch.ones(3))
    finally:
        serialization.set_crc32_options(True)
        config.save.storage_alignment = 64
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        assert z.getinfo("archive/.storage_alignment").CRC == z.getinfo("archive/data/0").CRC == 0
        assert z.infolist()[1].header_offset > 4096
    assert torch.load(io.BytesIO(data)).tolist() == [1, 1, 1]


def test_skipped_data():
    with serialization.skip_data():
        data = dump(torch.ones(1000))
    assert len(data) > 4000 and torch.load(io.BytesIO(data)).shape == (1000,)


# ---- saves that fail ----


def test_a_save_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.pt"
    torch.save([1], path)
    with pytest.raises(AttributeError, match="Can't pickle local object"):
        torch.save({"w": torch.ones(3), "f": lambda: 0}, path)
    assert torch.load(path) == [1] and os.listdir(tmp_path) == ["x.pt"]
    with pytest.raises(RuntimeError, match="Parent directory .*no/such does not exist"):
        torch.save([1], tmp_path / "no" / "such" / "x.pt")
    with pytest.raises(AttributeError, match="expected 'f' to be string, path, or a file-like object"):
        torch.save([1], 3)
    x = torch.ones(4)
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        torch.save([x, torch.empty(0, dtype=torch.int32).set_(x.untyped_storage())], path)


# ---- what is refused ----


def test_other_classes_need_permission():
    data = dump({"x": Thing(4)})

    def load(**how):
        return torch.load(io.BytesIO(data), **how)

    name = f"{Thing.__module__}.Thing"
    with pytest.raises(pickle.UnpicklingError, match=f"Unsupported global: GLOBAL {name} was not an allowed global"):
        load()
    assert load(weights_only=False)["x"].v == 4
    assert serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(data)) == [name]
    with serialization.safe_globals([Thing]):
        assert load()["x"].v == 4 and Thing in serialization.get_safe_globals()
    with pytest.raises(pickle.UnpicklingError):
        load()
    with pytest.raises(RuntimeError, match="Can not safely load weights when explicit pickle_module is specified"):
        load(weights_only=True, pickle_module=pickle)
    assert load(pickle_module=pickle)["x"].v == 4


def hostile(reduce):
    class Bomb:
        def __reduce__(self):
            return reduce

    return dump({"b": Bomb()})


@pytest.mark.parametrize("reduce", [(os.system, ("touch ran",)), (eval, ("1",)), (exec, ("import os",)),
                                    (open, ("ran", "w")), (getattr, ([], "append")), (getattr, (Thing, "__init__")), (pathlib.Path.touch, (pathlib.Path("ran"),)),
                                    (pickle.loads, (pickle.dumps(1),))])
def test_files_run_nothing(reduce, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = hostile(reduce)
    for weights_only in (True, False):
        with pytest.raises(pickle.UnpicklingError):
            torch.load(io.BytesIO(data), weights_only=weights_only)
    assert os.listdir(tmp_path) == []


def test_damaged_files_are_errors(tmp_path):
    good = dump({"w": torch.arange(1000.0)})
    for cut in (0, 1, 3, 40, len(good) // 2, len(good) - 1):
        with pytest.raises((RuntimeError, EOFError, pickle.UnpicklingError)):
            torch.load(io.BytesIO(good[:cut]))
    middle = good.index(b"\x00\x00\xfa\x43")
    flipped = good[:middle] + b"\x01" + good[middle + 1 :]
    with pytest.raises(RuntimeError, match="CRC|checksum|damaged"):
        torch.load(io.BytesIO(flipped))
    with pytest.raises(FileNotFoundError):
        torch.load(tmp_path / "missing.pt")
    with pytest.raises((RuntimeError, pickle.UnpicklingError)):
        torch.load(io.BytesIO(b"hello, not a checkpoint"))
