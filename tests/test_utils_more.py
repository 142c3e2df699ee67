"""Timers, event files, environment reports, files from the web."""

import struct
import zlib

import bolide as torch
import pytest
from bolide.utils import benchmark, collect_env
from bolide.utils.tensorboard import SummaryWriter, records


def test_timer_and_tables():
    timer = benchmark.Timer(
        "x + 1", globals={"x": torch.ones(3)}, label="add", sub_label="small", description="cpu"
    )
    once = timer.timeit(20)
    assert once.number_per_run == 20 and len(once.times) == 1 and "1 measurement, 20 runs" in repr(once)
    many = timer.blocked_autorange(min_run_time=0.01)
    assert many.median > 0 and many.iqr >= 0
    table = str(benchmark.Compare([once]))
    assert "add" in table and "small" in table and "cpu" in table and "1 threads: -" in table
    with pytest.raises(NotImplementedError):
        timer.collect_callgrind()


def _records(path):
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        body = data[at + 12 : at + 12 + size]
        assert struct.unpack_from("<I", data, at + 8)[0] == records.masked_crc(data[at : at + 8])
        assert struct.unpack_from("<I", data, at + 12 + size)[0] == records.masked_crc(body)
        found.append(body)
        at += 16 + size
    return found


def test_event_files_hold_what_was_added(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("loss", torch.tensor(0.5), 3)
        writer.add_histogram("weights", torch.arange(10.0), 3)
        writer.add_image("picture", torch.rand(3, 4, 5), 3)
        writer.add_text("note", "hello")
        with pytest.raises(AssertionError, match="input format are different"):
            writer.add_image("bad", torch.rand(4, 5))
        with pytest.raises(NotImplementedError):
            writer.add_graph(None)
    (path,) = tmp_path.iterdir()
    version, loss, histogram, picture, note = _records(path)
    assert b"brain.Event:2" in version
    assert b"loss" in loss and struct.pack("<f", 0.5) in loss and b"weights" in histogram and b"hello" in note
    assert b"\x89PNG" in picture


def test_checksums_and_images():
    assert (
        records.masked_crc(b"123456789")
        == (((0xE3069283 >> 15) | (0xE3069283 << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    )
    png = records.png(1, 2, 3, bytes(range(6)))
    start = png.index(b"IDAT") + 4
    assert zlib.decompress(png[start:-16]) == b"\0" + bytes(range(6))


def test_environment_report():
    text = collect_env.get_pretty_env_info()
    assert "Bolide version: " in text and "Python version: " in text


def test_files_from_urls_are_kept(tmp_path):
    source = tmp_path / "weights-abc.pt"
    torch.save({"w": torch.ones(2)}, source)
    kept = tmp_path / "kept"
    loaded = torch.hub.load_state_dict_from_url(source.as_uri(), model_dir=str(kept), progress=False)
    source.unlink()
    again = torch.hub.load_state_dict_from_url(source.as_uri(), model_dir=str(kept))
    assert loaded["w"].tolist() == again["w"].tolist() == [1, 1]
    with pytest.raises(ValueError, match="Unknown source"):
        torch.hub.load("x", "y", source="nowhere")


def test_a_model_from_a_folder(tmp_path):
    (tmp_path / "hubconf.py").write_text("def answer(n=1):\n    'Doubles.'\n    return 2 * n\n")
    assert torch.hub.load(str(tmp_path), "answer", 21, source="local") == 42
    assert torch.hub.list(str(tmp_path), source="local") == ["answer"]
    assert torch.hub.help(str(tmp_path), "answer", source="local") == "Doubles."
