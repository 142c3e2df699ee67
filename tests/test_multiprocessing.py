"""Tensors between processes: queues, pools, spawned functions, shared memory."""

import glob
import os
import signal

import pytest

import bolide as torch
import bolide.multiprocessing as mp


@pytest.fixture(params=["file_descriptor", "file_system"])
def strategy(request):
    before = mp.get_sharing_strategy()
    mp.set_sharing_strategy(request.param)
    yield request.param
    mp.set_sharing_strategy(before)



def test_processes_share_tensors(strategy):
    context = mp.get_context("fork")
    queue, done = context.Queue(), context.Queue()
    t = torch.zeros(3, 1000).share_memory_()
    assert t.is_shared() and not torch.zeros(1).is_shared()
    process = context.Process(target=fill_and_wait, args=(t, queue, done))
    process.start()
    got = queue.get(timeout=10)
    assert t[2, 5].item() == 7 and got["sum"].item() == 21000 and got["row"].tolist() == [7.0] * 1000
    done.put(None)
    process.join(10)
    assert process.exitcode == 0


def fill_and_wait(tensor, queue, done):
    tensor.fill_(7)
    queue.put({"sum": tensor.sum(), "row": tensor[1]})
    done.get()


def test_spawned_processes_get_the_same_memory(strategy):
    context = mp.get_context("spawn")
    queue, done = context.Queue(), context.Queue()
    t = torch.zeros(2, 50)
    process = context.Process(target=fill_and_wait, args=(t, queue, done))
    process.start()
    assert queue.get(timeout=30)["row"][3].item() == 7 and t[0, 0].item() == 7
    done.put(None)
    process.join(10)


def test_named_memory_leaves_no_files():
    mp.set_sharing_strategy("file_system")
    try:
        pattern = f"/dev/shm/bolide_*_{os.getpid()}_*"
        before = set(glob.glob(pattern))
        t = torch.ones(1000).share_memory_()
        assert len(set(glob.glob(pattern)) - before) == 1
        del t
        assert not set(glob.glob(pattern)) - before
    finally:
        mp.set_sharing_strategy("file_descriptor")


def test_strategies():
    assert mp.get_all_sharing_strategies() == {"file_descriptor", "file_system"}
    with pytest.raises(AssertionError, match="invalid sharing strategy 'x'"):
        mp.set_sharing_strategy("x")


def double(t):
    return t * 2


def test_pool():
    with mp.Pool(2) as pool:
        assert [t.tolist() for t in pool.map(double, [torch.ones(2), torch.arange(3)])] == [[2.0, 2.0], [0, 2, 4]]


def test_graphs_do_not_travel():
    queue = mp.get_context("fork").SimpleQueue()
    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf tensor"):
        queue.put(torch.ones(2, requires_grad=True) * 2)


def work(i, what):
    if i == 1:
        if what == "raise":
            raise ValueError("process one fails")
        if what == "exit":
            os._exit(3)
        os.kill(os.getpid(), signal.SIGKILL)


def test_spawn_reports_the_first_failure():
    assert mp.start_processes(work, ("raise",), nprocs=1, start_method="fork") is None
    with pytest.raises(mp.ProcessRaisedException, match="-- Process 1 terminated with the following error:(.|\n)*one fails"):
        mp.spawn(work, ("raise",), nprocs=2)
    with pytest.raises(mp.ProcessExitedException, match="process 1 terminated with exit code 3") as caught:
        mp.start_processes(work, ("exit",), nprocs=2, start_method="fork")
    assert caught.value.exit_code == 3 and caught.value.error_index == 1
    with pytest.raises(mp.ProcessExitedException, match="process 1 terminated with signal SIGKILL"):
        mp.start_processes(work, ("kill",), nprocs=2, start_method="fork")


def test_spawn_without_waiting():
    running = mp.start_processes(work, ("raise",), nprocs=1, join=False, start_method="fork")
    assert len(running.pids()) == 1
    while not running.join(timeout=5):
        pass
