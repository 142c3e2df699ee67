"""Workers that are processes. A worker ends when its socket does, whatever became of the loader's process.

Map: the worker's side | _Link (the loader's side of one worker) | how a worker died | _Processes (the crew).
"""

import contextlib
import faulthandler
import gc
import multiprocessing
import os
import pickle
import select
import signal
import socket
import sys
import tempfile
import time
import weakref
from multiprocessing import reduction

from . import ExceptionWrapper, transport
from .worker import _Worker

__all__ = []

_GRACE = 5.0  # seconds that workers get to finish what they are doing


# ---- the worker's side ---------------------------------------------------------------------------------------------


class _Descriptor:
    """A descriptor that a new process can take along, also when it is not forked."""

    def __init__(self, fd):
        self.fd = fd

    def __reduce__(self):
        return _take_descriptor, (reduction.DupFd(self.fd),)


def _take_descriptor(duplicate):
    return _Descriptor(duplicate.detach())


def _main(worker, sock, crash_file):
    """A worker process: answers tasks until the socket closes."""
    gc.freeze()  # what came from the parent is not to be walked, and so copied, by this process
    faulthandler.enable(file=crash_file.fd)
    try:
        _work(worker, sock)
    except (transport.Closed, KeyboardInterrupt):
        pass  # the loader's process knows, or is gone
    except BaseException as error:
        _last_words(sock, error)
        raise


def _work(worker, sock):
    transport.blocks = transport.Blocks()
    worker.prepare()
    reader = transport.Reader(sock)
    while True:
        *_, size = reader.header()
        answer = worker.answer(pickle.loads(reader.bytes(size)))
        if answer is None:
            continue
        try:
            transport.send(sock, answer, transport.blocks)
        except Exception as error:  # the batch cannot be pickled
            if isinstance(error, transport.Closed):
                raise
            transport.send(sock, (answer[0], worker.wrap()), transport.blocks)


class _LastWords(str):
    """Instead of an answer: the traceback of what ended the worker."""


def _last_words(sock, error):
    text = ExceptionWrapper(where="in a DataLoader worker").exc_msg
    with contextlib.suppress(Exception):
        transport.send(sock, _LastWords(text), transport.Blocks())


# ---- the loader's side ---------------------------------------------------------------------------------------------


class _Link:
    """One worker as the loader sees it."""

    everyone = weakref.WeakSet()

    def __init__(self, context, worker):
        self.crash_file = tempfile.TemporaryFile()
        self.sock, theirs = socket.socketpair()
        self.everyone.add(self)
        args = worker, theirs, _Descriptor(self.crash_file.fileno())
        self.process = context.Process(target=_main, args=args, daemon=True)
        try:
            self.process.start()
        except BaseException:
            self.sock.close()
            raise
        finally:
            theirs.close()
        self.unsent, self.deadline = b"", None
        self.receiver = transport.Receiver(self.sock, self.wait)
        self.poller = select.poll()
        self.poller.register(self.sock, select.POLLIN)
        self.poller.register(self.process.sentinel, select.POLLIN)

    def put(self, task):
        """Sends a task without ever blocking: the worker may be blocked itself, sending a batch."""
        self.unsent += transport.frame(pickle.dumps(task, pickle.HIGHEST_PROTOCOL))
        self.flush()

    def flush(self):
        try:
            sent = self.sock.send(self.unsent, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            sent = len(self.unsent)  # a worker that is gone is found out when its answer is wanted
        self.unsent = self.unsent[sent:]

    def wait(self):
        """Waits until there is something to read. Throws when the worker is dead or the time is up."""
        while True:
            self.poller.modify(self.sock, select.POLLIN | (select.POLLOUT if self.unsent else 0))
            left = None if self.deadline is None else max(0.0, self.deadline - time.monotonic()) * 1000
            events = dict(self.poller.poll(left))
            mine = events.get(self.sock.fileno(), 0)
            if mine & select.POLLIN:
                return
            if self.process.sentinel in events or mine & (select.POLLHUP | select.POLLERR):
                raise transport.Closed
            if mine & select.POLLOUT:
                self.flush()
            if not events:
                raise TimeoutError

    def get(self, timeout):
        """The worker's next answer."""
        self.deadline = time.monotonic() + timeout if timeout else None
        try:
            answer = self.receiver.receive()
        except transport.Closed:
            raise _death(self) from None
        except TimeoutError:
            raise RuntimeError(f"DataLoader timed out after {timeout} seconds") from None
        if isinstance(answer, _LastWords):
            raise _death(self, answer)
        return answer

    def hang_up(self):
        self.everyone.discard(self)
        self.sock.close()

    def join(self, deadline):
        """Waits for the process to end; ends it at the deadline."""
        self.process.join(max(0.0, deadline - time.monotonic()))
        for end in (self.process.terminate, self.process.kill):
            if self.process.is_alive():
                end()
                self.process.join(1)
        self.crash_file.close()


def _close_inherited():
    """In a forked child, a worker or not: the loaders' ends of the sockets must close with the loaders."""
    for link in list(_Link.everyone):
        link.sock.close()
    _Link.everyone.clear()


os.register_at_fork(after_in_child=_close_inherited)


# ---- how a worker died ---------------------------------------------------------------------------------------------


def _death(link, last_words=""):
    """The error that says which worker died, of what, and where it was then."""
    link.process.join(1)
    code = link.process.exitcode
    text = f"DataLoader worker (pid(s) {link.process.pid}) exited unexpectedly"
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            text += f": it was killed by signal {signal.Signals(-code).name}"
        if -code == signal.SIGKILL:
            text += " (the system does this when memory runs out)"
    elif code is not None:
        text += f" with exit code {code}"
    link.crash_file.seek(0)
    frames = last_words or link.crash_file.read().decode(errors="replace")
    if frames:
        text += f". Where it was:\n{frames.rstrip()}"
    return RuntimeError(text)


# ---- the crew ------------------------------------------------------------------------------------------------------


class _Processes:
    """The worker processes of one iterator."""

    def __init__(self, loader, base_seed):
        import bolide.multiprocessing  # tensors of datasets go to spawned workers through shared memory

        context = loader.multiprocessing_context or multiprocessing.get_context()
        self.links, self.owner, count = [], os.getpid(), loader.num_workers
        try:
            for i in range(count):
                self.links.append(_Link(context, _Worker(i, count, base_seed, loader, threaded=False)))
        except BaseException:
            self.close()
            raise

    @property
    def members(self):
        return [link.process for link in self.links]

    def put(self, worker, task):
        self.links[worker].put(task)

    def get(self, worker, timeout):
        """(worker, answer) of one worker, or of any when None."""
        if worker is None:
            worker = self.ready(timeout)
        return worker, self.links[worker].get(timeout)

    def ready(self, timeout):
        """A worker that has sent something or is dead."""
        poller = select.poll()
        owners = {}
        for i, link in enumerate(self.links):
            link.flush()
            for fd in (link.sock.fileno(), link.process.sentinel):
                poller.register(fd, select.POLLIN)
                owners[fd] = i
        while True:
            events = poller.poll(timeout * 1000 if timeout else 1000)
            if events:
                return owners[events[0][0]]
            if timeout:
                raise RuntimeError(f"DataLoader timed out after {timeout} seconds")
            for link in self.links:
                link.flush()

    def close(self, grace=_GRACE):
        """Ends all workers: at once those that wait, the others within ``grace`` seconds."""
        if os.getpid() != self.owner:
            return
        for link in self.links:
            link.hang_up()
        deadline = time.monotonic() + grace
        for link in self.links:
            link.join(deadline)
