"""Workers that are threads: they share the dataset, so they need no memory of their own and start at once."""

import queue
import threading
import time

from .worker import _Worker

__all__ = []

_GRACE = 5.0


class _Member:
    def __init__(self, worker):
        self.tasks, self.answers, self.worker = queue.SimpleQueue(), queue.SimpleQueue(), worker
        self.thread = threading.Thread(target=self.run, name=f"bolide loader {worker.id}", daemon=True)
        self.thread.start()

    def run(self):
        self.worker.prepare()
        while (task := self.tasks.get()) is not None:
            try:
                answer = self.worker.answer(task)
            except BaseException:  # SystemExit and its like end a thread silently
                answer = task[0], self.worker.wrap()
                answer[1].exc_type = RuntimeError
            if answer is not None:
                self.answers.put(answer)


class _Threads:
    """The worker threads of one iterator."""

    def __init__(self, loader, base_seed):
        count = loader.num_workers
        self.list = [_Member(_Worker(i, count, base_seed, loader, threaded=True)) for i in range(count)]

    @property
    def members(self):
        return [m.thread for m in self.list]

    def put(self, worker, task):
        self.list[worker].tasks.put(task)

    def get(self, worker, timeout):
        """(worker, answer) of one worker, or of any when None."""
        try:
            if worker is not None:
                return worker, self.list[worker].answers.get(timeout=timeout or None)
            return self.any(timeout)
        except queue.Empty:
            raise RuntimeError(f"DataLoader timed out after {timeout} seconds") from None

    def any(self, timeout):
        deadline = time.monotonic() + timeout if timeout else None
        while True:
            for i, m in enumerate(self.list):
                if not m.answers.empty():
                    return i, m.answers.get()
            if deadline is not None and time.monotonic() > deadline:
                raise queue.Empty
            time.sleep(0.0005)

    def close(self, grace=_GRACE):
        """Lets the threads end after their task, and waits for that ``grace`` seconds."""
        for m in self.list:
            m.tasks.put(None)
        deadline = time.monotonic() + grace
        for m in self.list:
            m.thread.join(max(0.0, deadline - time.monotonic()))
