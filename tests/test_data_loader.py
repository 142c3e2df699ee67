"""The loader, without workers and with processes and threads."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings

import numpy as np
import pytest

import bolide as torch
from bolide.utils import data as D

WORKERS = ["fork", "thread"]


class Rows(D.Dataset):
    def __init__(self, n=10, size=(3,)):
        self.n, self.size = n, size

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return torch.full(self.size, float(i)), i


class Failing(D.Dataset):
    def __init__(self, action):
        self.action = action

    def __len__(self):
        return 6

    def __getitem__(self, i):
        if i == 3:
            self.action()
        return i


def columns(loader):
    return [b[1].tolist() for b in loader]


# ---- without workers ----


def test_batches_without_workers():
    loader = D.DataLoader(Rows(7), batch_size=3)
    assert columns(loader) == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(loader) == 3
    assert columns(D.DataLoader(Rows(7), batch_size=3, drop_last=True)) == [[0, 1, 2], [3, 4, 5]]
    batch = next(iter(loader))
    assert batch[0].shape == (3, 3) and batch[0][2].tolist() == [2.0, 2.0, 2.0]


def test_no_batches_gives_samples():
    assert list(D.DataLoader([1, "a", np.ones(2)], batch_size=None))[:2] == [1, "a"]
    assert isinstance(list(D.DataLoader([np.ones(2)], batch_size=None))[0], torch.Tensor)


def test_shuffle_draws_one_number_for_the_base_seed_first():
    torch.manual_seed(33)
    order = [b.tolist() for b in D.DataLoader(list(range(9)), batch_size=4, shuffle=True)]
    assert order == [[8, 3, 5, 0], [1, 6, 2, 4], [7]]


def test_generator_decides_the_order():
    g = torch.Generator().manual_seed(2)
    loader = D.DataLoader(list(range(9)), batch_size=4, shuffle=True, generator=g, drop_last=True)
    assert [b.tolist() for b in loader] == [[8, 1, 6, 2], [3, 0, 5, 4]]


@pytest.mark.parametrize("kwargs, text", [
    ({"num_workers": -1}, "num_workers option should be non-negative"),
    ({"timeout": -1}, "timeout option should be non-negative"),
    ({"prefetch_factor": 2}, "prefetch_factor option could only be specified in multiprocessing"),
    ({"num_workers": 1, "prefetch_factor": -1}, "prefetch_factor option should be non-negative"),
    ({"persistent_workers": True}, "persistent_workers option needs num_workers > 0"),
    ({"batch_size": None, "drop_last": True}, "batch_size=None option disables auto-batching"),
    ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler option is mutually exclusive"),
    ({"sampler": [0], "shuffle": True}, "sampler option is mutually exclusive with shuffle"),
    ({"multiprocessing_context": "fork"}, "multiprocessing_context can only be used with multi-process loading"),
    ({"num_workers": 1, "multiprocessing_context": "no"}, "should specify a valid start method"),
])
def test_settings_that_do_not_go_together(kwargs, text):
    with pytest.raises(ValueError, match=text):
        D.DataLoader([1, 2], **kwargs)


def test_fixed_attributes():
    loader = D.DataLoader([1])
    for name in ("batch_size", "sampler", "dataset", "drop_last", "batch_sampler", "persistent_workers"):
        with pytest.raises(ValueError, match=f"{name} attribute should not be set"):
            setattr(loader, name, 1)


class Counting(D.IterableDataset):
    def __init__(self, n, said=None):
        self.n, self.said = n, said

    def __iter__(self):
        info = D.get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(first, self.n, step))

    def __len__(self):
        if self.said is None:
            raise TypeError
        return self.said


def test_iterable_datasets():
    assert [b.tolist() for b in D.DataLoader(Counting(5), batch_size=2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in D.DataLoader(Counting(5), batch_size=2, drop_last=True)] == [[0, 1], [2, 3]]
    loader = D.DataLoader(Counting(3, said=2), batch_size=1)
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2"):
        list(loader)
    with pytest.raises(ValueError, match="expected unspecified shuffle"):
        D.DataLoader(Counting(3), shuffle=True)


# ---- with workers ----


@pytest.mark.parametrize("how", ["fork", "spawn", "thread"])
def test_workers_give_the_same_batches_in_order(how):
    loader = D.DataLoader(Rows(11, (40, 50)), batch_size=3, num_workers=2, multiprocessing_context=how)
    batches = list(loader)  # all kept: memory of one batch must not be used for the next
    assert [b[1].tolist() for b in batches] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10]]
    for x, i in batches:
        assert x.shape == (len(i), 40, 50)
        assert torch.equal(x[:, 7, 9], i.float()) if hasattr(torch, "equal") else x[:, 7, 9].tolist() == i.tolist()
        assert x.untyped_storage().nbytes() == x.numel() * 4


def test_memory_is_used_again_only_when_it_is_free():
    loader = D.DataLoader(Rows(60, (64, 64)), batch_size=2, num_workers=1, multiprocessing_context="fork")
    kept = []
    for n, (x, i) in enumerate(loader):
        if n % 3 == 0:
            kept.append((x[0, 5], int(i[0])))
    assert all(row.tolist() == [float(i)] * 64 for row, i in kept)


class Retaining(Rows):
    """A worker that keeps what it has sent."""

    def __getitem__(self, i):
        self.cache = getattr(self, "cache", None)
        if self.cache is None:
            self.cache = torch.arange(100000)
        return self.cache


def test_a_worker_may_keep_its_batches():
    loader = D.DataLoader(Retaining(6), batch_size=None, num_workers=1, multiprocessing_context="fork")
    for x in loader:
        assert x[-1].item() == 99999
        x.zero_()  # the worker's copy is its own


def test_views_of_one_tensor_and_odd_values_arrive():
    def sample(_):
        x = torch.arange(30000.0).reshape(100, 300)
        return {"x": x, "row": x[3], "t": x.T, "small": x[0, :3], "array": np.arange(70000), "none": None, "text": "é",
                "empty": torch.zeros(0, 3), "half": torch.ones(3, dtype=torch.bfloat16)}

    loader = D.DataLoader([0], batch_size=None, num_workers=1, multiprocessing_context="fork", collate_fn=sample)
    b = next(iter(loader))
    assert b["row"].tolist() == b["x"][3].tolist() and b["t"].stride() == (1, 300) and b["t"][5, 3] == b["x"][3, 5]
    b["x"][3] = -1
    assert b["row"][0].item() == -1
    assert b["array"][-1] == 69999 and b["none"] is None and b["text"] == "é" and b["empty"].shape == (0, 3)
    assert b["small"].tolist() == [0.0, 1.0, 2.0] and b["half"].dtype == torch.bfloat16


@pytest.mark.parametrize("how", WORKERS)
def test_who_the_worker_is(how):
    class Info(D.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, i):
            w = D.get_worker_info()
            return w.id, w.num_workers, w.seed - w.id, w.dataset is self

    assert D.get_worker_info() is None
    rows = list(D.DataLoader(Info(), batch_size=None, num_workers=2, multiprocessing_context=how))
    assert [r[0] for r in rows] == [0, 1, 0, 1] and {r[1] for r in rows} == {2} and len({r[2] for r in rows}) == 1
    assert all(r[3] for r in rows)


class Noise(D.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        import random

        return random.random(), float(np.random.rand()), torch.rand(1).item()


def test_workers_are_seeded_by_base_seed_and_id():
    torch.manual_seed(3)
    rows = list(D.DataLoader(Noise(), batch_size=None, num_workers=2, multiprocessing_context="fork"))
    assert rows[0] == pytest.approx([0.21793848432592644, 0.8794862824005928, 0.2876076102256775])
    assert rows[1] == pytest.approx([0.09049729754573688, 0.13554665930590137, 0.7470175623893738])


def test_numpy_that_a_worker_loads_later_is_seeded_too():
    code = """
        import sys
        import bolide as torch
        from bolide.utils import data as D
        class Late(D.Dataset):
            def __len__(self): return 1
            def __getitem__(self, i):
                import numpy
                return float(numpy.random.rand())
        assert "numpy" not in sys.modules
        torch.manual_seed(3)
        print(list(D.DataLoader(Late(), batch_size=None, num_workers=1, multiprocessing_context="fork")))
    """
    assert "0.87948628240" in run(code).stdout


def test_threads_have_generators_of_their_own():
    class Own(D.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, i):
            rng = D.get_worker_info().rng
            return torch.rand(1, generator=rng.torch_generator).item(), rng.random_generator.random()

    def epoch():
        torch.manual_seed(3)
        return list(D.DataLoader(Own(), batch_size=None, num_workers=2, multiprocessing_context="thread"))

    first = epoch()
    assert first == epoch() and first[0][0] == pytest.approx(0.2876076102256775)


@pytest.mark.parametrize("how", WORKERS)
def test_init_function_runs_in_each_worker(how):
    class Tagged(D.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, i):
            import threading

            return TAG[os.getpid(), threading.get_ident()]

    def init(worker):
        import threading

        TAG[os.getpid(), threading.get_ident()] = 50 + worker

    TAG = {}
    loader = D.DataLoader(Tagged(), batch_size=None, num_workers=2, multiprocessing_context=how, worker_init_fn=init)
    assert list(loader) == [50, 51, 50, 51]


@pytest.mark.parametrize("how", WORKERS)
def test_iterable_datasets_split_over_workers(how):
    loader = D.DataLoader(Counting(10), batch_size=2, num_workers=2, multiprocessing_context=how)
    assert [b.tolist() for b in loader] == [[0, 2], [1, 3], [4, 6], [5, 7], [8], [9]]


@pytest.mark.parametrize("how", WORKERS)
def test_a_worker_that_ends_early_leaves_the_rest_to_others(how):
    class Uneven(D.IterableDataset):
        def __iter__(self):
            w = D.get_worker_info()
            return iter(range(100 * w.id, 100 * w.id + (1 if w.id == 0 else 5)))

    loader = D.DataLoader(Uneven(), batch_size=2, num_workers=2, multiprocessing_context=how, persistent_workers=True)
    for _ in range(2):
        assert [b.tolist() for b in loader] == [[0], [100, 101], [102, 103], [104]]


@pytest.mark.parametrize("how", WORKERS)
def test_persistent_workers_keep_their_state(how):
    class Calls(D.Dataset):
        def __init__(self):
            self.n = 0

        def __len__(self):
            return 2

        def __getitem__(self, i):
            self.n += 1
            return self.n

    options = {"batch_size": None, "num_workers": 1, "multiprocessing_context": how}
    loader = D.DataLoader(Calls(), persistent_workers=True, **options)
    assert [list(loader), list(loader)] == [[1, 2], [3, 4]]
    loader = D.DataLoader(Rows(20), persistent_workers=True, **options)
    for x, _ in loader:
        break  # what was fetched ahead must not turn up in the next epoch
    assert [i for _, i in loader] == list(range(20))


@pytest.mark.parametrize("how", WORKERS)
def test_any_order_gives_what_is_ready(how):
    class Slow(D.Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, i):
            if i == 0:
                time.sleep(0.5)
            return i

    loader = D.DataLoader(Slow(), batch_size=None, num_workers=2, multiprocessing_context=how, in_order=False)
    got = list(loader)
    assert sorted(got) == list(range(6)) and got[0] != 0


def test_keys_that_fill_the_socket_do_not_block():
    class Wide(D.Dataset):
        def __getitem__(self, keys):
            return torch.full((100000,), len(keys))

    keys = [list(range(200000)) for _ in range(6)]
    loader = D.DataLoader(Wide(), sampler=keys, batch_size=None, num_workers=1, prefetch_factor=4,
                          multiprocessing_context="fork")
    assert [x[0].item() for x in loader] == [200000] * 6


# ---- failures ----


def error_of(loader):
    start = time.time()
    with pytest.raises(Exception) as caught:
        for _ in loader:
            pass
    assert time.time() - start < 3
    return caught.value


@pytest.mark.parametrize("how", WORKERS)
def test_an_exception_comes_back_with_its_traceback(how):
    def fail():
        raise KeyError("no sample three")

    error = error_of(D.DataLoader(Failing(fail), num_workers=2, multiprocessing_context=how))
    assert isinstance(error, KeyError) and "Caught KeyError in DataLoader worker" in str(error)
    assert "in fail" in str(error) and "no sample three" in str(error)


def test_a_killed_worker_is_an_error_at_once():
    error = error_of(D.DataLoader(Failing(lambda: os.kill(os.getpid(), signal.SIGKILL)), num_workers=2))
    assert isinstance(error, RuntimeError) and "exited unexpectedly" in str(error) and "SIGKILL" in str(error)


def test_exits_and_crashes_say_where_they_were():
    error = error_of(D.DataLoader(Failing(lambda: os._exit(3)), num_workers=1))
    assert "exited unexpectedly with exit code 3" in str(error)
    error = error_of(D.DataLoader(Failing(lambda: sys.exit(5)), num_workers=1))
    assert "SystemExit: 5" in str(error) and "__getitem__" in str(error)
    error = error_of(D.DataLoader(Failing(lambda: os.kill(os.getpid(), signal.SIGSEGV)), num_workers=1))
    assert "SIGSEGV" in str(error) and "__getitem__" in str(error)


def test_a_batch_that_cannot_be_pickled_is_an_error():
    error = error_of(D.DataLoader([0, 1], batch_size=None, num_workers=1, collate_fn=lambda x: lambda: x,
                                  multiprocessing_context="fork"))
    assert "Caught" in str(error) and "pickle" in str(error)


@pytest.mark.parametrize("how", WORKERS)
def test_timeout(how):
    loader = D.DataLoader(Failing(lambda: time.sleep(2.5)), num_workers=1, timeout=0.3, multiprocessing_context=how)
    assert "timed out after 0.3 seconds" in str(error_of(loader))


def test_a_loader_works_again_after_its_workers_died():
    class Once(D.Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            if not os.path.exists(self.flag):
                open(self.flag, "w").close()
                os._exit(1)
            return i

    import tempfile

    dataset = Once()
    with tempfile.TemporaryDirectory() as folder:
        dataset.flag = os.path.join(folder, "flag")
        loader = D.DataLoader(dataset, batch_size=None, num_workers=1, persistent_workers=True)
        error_of(loader)
        assert list(loader) == [0, 1, 2]


def children():
    import multiprocessing

    return len(multiprocessing.active_children())


def test_no_worker_outlives_its_loop():
    before = children()
    for _ in D.DataLoader(Rows(100), num_workers=2):
        break
    gc.collect()
    assert children() <= before


def run(code, **kwargs):
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=20,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}, **kwargs)


def test_the_interpreter_ends_with_loaders_in_use():
    code = """
        import time
        from bolide.utils import data as D
        class Slow(D.Dataset):
            def __len__(self): return 100
            def __getitem__(self, i):
                return i
        loader = D.DataLoader(Slow(), num_workers=2, persistent_workers=True)
        other = iter(D.DataLoader(Slow(), num_workers=1, multiprocessing_context="thread"))
        print(next(iter(loader)).item(), next(other).item(), flush=True)
        {end}
    """
    start = time.time()
    for end in ("pass", "raise SystemExit(0)"):
        result = run(code.replace("{end}", end))
        assert result.stdout == "0 0\n" and result.stderr == "" and result.returncode == 0
    assert time.time() - start < 10


def test_an_interrupt_ends_at_once():
    code = """
        import os, signal, time
        from bolide.utils import data as D
        class Slow(D.Dataset):
            def __len__(self): return 100
            def __getitem__(self, i):
                if i == 5: os.kill(os.getppid(), signal.SIGINT); time.sleep(30)
                return i
        try:
            for x in D.DataLoader(Slow(), num_workers=2): pass
        except KeyboardInterrupt:
            print("interrupted")
    """
    start = time.time()
    assert run(code).stdout == "interrupted\n"
    assert time.time() - start < 8


def test_workers_end_when_the_loader_is_killed():
    code = """
        import os, time
        from bolide.utils import data as D
        class Pids(D.Dataset):
            def __len__(self): return 100
            def __getitem__(self, i): return os.getpid()
        first = iter(D.DataLoader(Pids(), batch_size=None, num_workers=1))
        second = iter(D.DataLoader(Pids(), batch_size=None, num_workers=1))
        print(next(first), next(second), flush=True)
        os.kill(os.getpid(), 9)
    """
    pids = [int(p) for p in run(code).stdout.split()]
    assert len(pids) == 2
    for _ in range(50):
        if not any(os.path.exists(f"/proc/{p}") and open(f"/proc/{p}/stat").read().split()[2] != "Z" for p in pids):
            return
        time.sleep(0.1)
    pytest.fail("workers live on")


def test_too_many_workers_warn():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        D.DataLoader([1], num_workers=5000)
    assert any("will create 5000 worker processes" in str(w.message) for w in caught)
