"""What runs in a worker: seeds, who it is, and the loop from keys to batches."""

import importlib.util
import random
import sys
import threading
from dataclasses import dataclass

import bolide

from . import ExceptionWrapper

__all__ = []


@dataclass
class _RNG:
    """Generators of a worker that is a thread: the global ones belong to all threads."""

    random_generator: random.Random
    torch_generator: "bolide.Generator"
    numpy_generator: object = None


@dataclass
class WorkerInfo:
    """Which worker runs: its id from 0, of how many, its seed (base seed + id) and its dataset.

    ``worker_method`` is "multiprocessing" or "thread"; ``rng`` holds the generators of a thread.
    """

    id: int
    num_workers: int
    seed: int
    dataset: object
    rng: _RNG = None
    worker_method: str = "multiprocessing"


class _Current(threading.local):
    info = None


_current = _Current()


def get_worker_info():
    """The WorkerInfo of the worker that calls; None outside of workers."""
    return _current.info


class _IterableDatasetStopIteration:
    """Instead of a batch: the worker's iterable dataset is over."""


class _ResumeIteration:
    """To a persistent worker: an epoch starts; it answers with the same."""


# ---- seeds ---------------------------------------------------------------------------------------------------------

_MASK = 0xFFFFFFFF


def _hash_mixer(value, constant, multiplier):
    """One step of NumPy's SeedSequence hash: (hashed, next constant)."""
    value = (value ^ constant) & _MASK
    constant = constant * multiplier & _MASK
    value = value * constant & _MASK
    return value ^ value >> 16, constant


def _generate_state(base_seed, worker_id):
    """Four words to seed NumPy with: SeedSequence([worker_id, low, high of base_seed]).generate_state(4), without NumPy."""
    entropy, constant, pool = [worker_id, base_seed & _MASK, base_seed >> 32, 0], 0x43B0D7E5, [0] * 4
    for i in range(4):
        pool[i], constant = _hash_mixer(entropy[i], constant, 0x931E8875)
    for source in range(4):
        for target in range(4):
            if source != target:
                hashed, constant = _hash_mixer(pool[source], constant, 0x931E8875)
                mixed = (0xCA01F9DD * pool[target] - 0x4973F715 * hashed) & _MASK
                pool[target] = mixed ^ mixed >> 16
    state, constant = [], 0x8B51F9DD
    for value in pool:
        hashed, constant = _hash_mixer(value, constant, 0x58F38DED)
        state.append(hashed)
    return state


class _SeedLater:
    """Finds ``numpy.random`` for the import system once, to seed it: a worker may load NumPy long after its start."""

    def __init__(self, state):
        self.state = state

    def find_spec(self, name, path=None, target=None):
        if name != "numpy.random":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            module.seed(self.state)

        spec.loader.exec_module = exec_module
        return spec


def _seed_process(seed, base_seed, worker_id):
    random.seed(seed)
    bolide.manual_seed(seed)
    state = _generate_state(base_seed, worker_id)
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed(state)
    else:
        sys.meta_path.insert(0, _SeedLater(state))


def _thread_generators(seed, base_seed, worker_id):
    numpy = sys.modules.get("numpy")
    own = numpy.random.default_rng(_generate_state(base_seed, worker_id)) if numpy is not None else None
    return _RNG(random.Random(seed), bolide.Generator().manual_seed(seed), own)


# ---- the loop ------------------------------------------------------------------------------------------------------


class _Worker:
    """A worker's settings, sent to it once, and its work.

    Tasks are ``(index, keys)`` or a _ResumeIteration; answers ``(index, batch)``, the batch being an ExceptionWrapper
    when fetching failed.
    """

    def __init__(self, worker_id, num_workers, base_seed, loader, threaded):
        self.id, self.num_workers, self.base_seed, self.threaded = worker_id, num_workers, base_seed, threaded
        self.dataset, self.kind, self.auto_collation = loader.dataset, loader._dataset_kind, loader._auto_collation
        self.collate_fn, self.drop_last, self.init_fn = loader.collate_fn, loader.drop_last, loader.worker_init_fn

    def prepare(self):
        """Seeds, says who it is, and calls the user's function. An error is kept for the first answer."""
        seed, self.problem = self.base_seed + self.id, None
        rng = _thread_generators(seed, self.base_seed, self.id) if self.threaded else None
        if not self.threaded:
            bolide.set_num_threads(1)
            _seed_process(seed, self.base_seed, self.id)
        _current.info = WorkerInfo(self.id, self.num_workers, seed, self.dataset, rng,
                                   "thread" if self.threaded else "multiprocessing")
        try:
            if self.init_fn is not None:
                self.init_fn(self.id)
            self.start_epoch()
        except Exception:
            self.problem = self.wrap()

    def start_epoch(self):
        from ..dataloader import _DatasetKind

        self.ended = False
        self.fetcher = _DatasetKind.create_fetcher(self.kind, self.dataset, self.auto_collation, self.collate_fn,
                                                   self.drop_last)

    def wrap(self):
        return ExceptionWrapper(where=f"in DataLoader worker {'thread' if self.threaded else 'process'} {self.id}")

    def answer(self, task):
        """What to send back for a task; None for nothing."""
        if isinstance(task, _ResumeIteration):
            try:
                self.start_epoch()
            except Exception:
                self.problem = self.wrap()
            return None, task
        index, keys = task
        if self.ended:
            return None
        if self.problem is not None:
            problem, self.problem = self.problem, None
            return index, problem
        try:
            return index, self.fetcher.fetch(keys)
        except Exception as error:
            if isinstance(error, StopIteration) and self.kind == 1:
                self.ended = True
                return index, _IterableDatasetStopIteration()
            return index, self.wrap()
