"""The iterator with workers.

Each worker does its tasks in the order in which it got them, so the iterator knows which worker has the next batch and
waits for that one alone; batches that are ready early stay where they are. A crew hides what workers are: processes
(``_Processes``) or threads (``_Threads``). It has ``put(worker, task)``, ``get(worker or None, timeout)`` giving
(worker, answer), and ``close()``.

Map: the iterator | closing at exit.
"""

import atexit
import itertools
import weakref

from ..dataloader import _BaseDataLoaderIter
from . import ExceptionWrapper, pin_memory
from .worker import _IterableDatasetStopIteration, _ResumeIteration

__all__ = []


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Hands out keys to workers and gives their batches in order."""

    def __init__(self, loader):
        super().__init__(loader)
        self._crew = None
        self._prefetch_factor, self._in_order = loader.prefetch_factor, loader.in_order
        assert self._num_workers > 0
        assert self._prefetch_factor > 0
        self._crew = _start_crew(loader, self._base_seed)
        _open.add(self)
        self._reset(loader, first_iter=True)

    @property
    def _workers(self):
        return [] if self._crew is None else self._crew.members

    # ---- an epoch ----

    def _reset(self, loader, first_iter=False):
        super()._reset(loader, first_iter)
        if not first_iter:
            self._drain()
        self._send_idx = self._rcvd_idx = 0
        self._task_info = {}  # index -> worker; for answers that came early -> (worker, data)
        self._tasks_outstanding = 0
        self._workers_status = [True] * self._num_workers
        self._workers_num_tasks = [0] * self._num_workers
        self._worker_cycle = itertools.cycle(range(self._num_workers))
        for _ in range(self._prefetch_factor * self._num_workers):
            self._try_put_index()

    def _drain(self):
        """Starts an epoch in all workers; what they still send of the last one is thrown away."""
        for worker in range(self._num_workers):
            self._crew.put(worker, _ResumeIteration())
        for worker in range(self._num_workers):
            while not isinstance(self._crew.get(worker, self._timeout)[1][1], _ResumeIteration):
                pass

    def _choose_worker(self):
        """The next live worker in turn; with ``in_order=False`` the next that has not more than its share."""
        for worker in itertools.islice(self._worker_cycle, self._num_workers):
            if not self._workers_status[worker]:
                continue
            share = self._prefetch_factor * self._num_workers // sum(self._workers_status)
            if self._in_order or self._workers_num_tasks[worker] < share:
                return worker
        return None

    def _try_put_index(self):
        if self._tasks_outstanding >= self._prefetch_factor * self._num_workers:
            return
        try:
            index = self._next_index()
        except StopIteration:
            return
        worker = self._choose_worker()
        if worker is None:
            return
        self._crew.put(worker, (self._send_idx, index))
        self._task_info[self._send_idx] = worker
        self._tasks_outstanding += 1
        self._workers_num_tasks[worker] += 1
        self._send_idx += 1

    # ---- answers ----

    def _next_data(self):
        while True:
            self._skip_lost_tasks()
            if not self._task_info:
                if not self._persistent_workers:
                    self._shutdown_workers()
                raise StopIteration
            worker, (index, data) = self._get_answer()
            self._tasks_outstanding -= 1
            self._workers_num_tasks[worker] -= 1
            del self._task_info[index]
            if isinstance(data, _IterableDatasetStopIteration):
                self._workers_status[worker] = False
                self._try_put_index()
                continue
            self._try_put_index()
            if isinstance(data, ExceptionWrapper):
                data.reraise()
            return pin_memory.pin_memory(data, self._pin_memory_device) if self._pin_memory else data

    def _skip_lost_tasks(self):
        """Forgets tasks of workers whose dataset ended: they have no answer."""
        lost = [i for i, worker in self._task_info.items() if not self._workers_status[worker]]
        for index in lost:
            self._tasks_outstanding -= 1
            self._workers_num_tasks[self._task_info.pop(index)] -= 1

    def _get_answer(self):
        try:
            if not self._in_order:
                return self._crew.get(None, self._timeout)
            return self._crew.get(next(iter(self._task_info.values())), self._timeout)
        except BaseException:
            self._shutdown_workers(grace=0.5)
            raise

    # ---- the end ----

    def _shutdown_workers(self, **grace):
        if self._crew is not None:
            crew, self._crew = self._crew, None
            self._task_info = {}
            crew.close(**grace)

    def __del__(self):
        self._shutdown_workers()


def _start_crew(loader, base_seed):
    if loader.multiprocessing_context == "thread":
        from .threads import _Threads

        return _Threads(loader, base_seed)
    from .processes import _Processes

    return _Processes(loader, base_seed)


# ---- closing at exit -----------------------------------------------------------------------------------------------

_open = weakref.WeakSet()


@atexit.register
def _close_all():
    for iterator in list(_open):
        iterator._shutdown_workers()
