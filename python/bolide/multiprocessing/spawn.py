"""Starting processes that run one function, and waiting for them: the first failure ends them all and is raised here.

Map: errors | the process's side | ProcessContext | starting.
"""

import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
import tempfile
import time
import traceback
import warnings

__all__ = ["ProcessContext", "ProcessException", "ProcessExitedException", "ProcessRaisedException", "spawn",
           "start_processes"]

ENV_VAR_PARALLEL_START = "TORCH_MP_PARALLEL_START"


# ---- errors --------------------------------------------------------------------------------------------------------


class ProcessException(Exception):
    """A process failed: its number and process id."""

    __slots__ = ["error_index", "error_pid"]

    def __init__(self, msg, error_index, pid):
        super().__init__(msg)
        self.msg, self.error_index, self.pid = msg, error_index, pid

    def __reduce__(self):
        return type(self), (self.msg, self.error_index, self.pid)


class ProcessRaisedException(ProcessException):
    """The function raised; the message holds its traceback."""

    def __init__(self, msg, error_index, error_pid):
        super().__init__(msg, error_index, error_pid)


class ProcessExitedException(ProcessException):
    """The process ended by a signal or with an exit code."""

    __slots__ = ["exit_code"]

    def __init__(self, msg, error_index, error_pid, exit_code, signal_name=None):
        super().__init__(msg, error_index, error_pid)
        self.exit_code, self.signal_name = exit_code, signal_name

    def __reduce__(self):
        return type(self), (self.msg, self.error_index, self.pid, self.exit_code, self.signal_name)


# ---- the process's side --------------------------------------------------------------------------------------------


def _die_with_parent(number):
    """Asks Linux for a signal when the parent ends."""
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(1, number, 0, 0, 0)


def _wrap(fn, i, args, error_file):
    _die_with_parent(signal.SIGINT)
    try:
        fn(i, *args)
    except KeyboardInterrupt:
        pass  # the parent was interrupted, or killed this process
    except Exception:
        with open(error_file, "wb") as f:
            pickle.dump(traceback.format_exc(), f)
        sys.exit(1)


# ---- ProcessContext ------------------------------------------------------------------------------------------------


class ProcessContext:
    """Processes that were started together."""

    def __init__(self, processes, error_files):
        self.error_files, self.processes = error_files, processes
        self.sentinels = {process.sentinel: index for index, process in enumerate(processes)}

    def pids(self):
        """Their process ids."""
        return [int(process.pid) for process in self.processes]

    def _join_procs_with_timeout(self, timeout):
        end = time.monotonic() + timeout
        for process in self.processes:
            process.join(max(0, end - time.monotonic()))

    def join(self, timeout=None, grace_period=None):
        """Waits until one fails, all end (True), or the time is up (False).

        When one failed the others are terminated (killed after ``grace_period`` seconds).
        Throws ProcessRaisedException with the function's traceback, or ProcessExitedException.
        """
        if not self.sentinels:
            return True
        failed = None
        for sentinel in multiprocessing.connection.wait(self.sentinels.keys(), timeout=timeout):
            index = self.sentinels.pop(sentinel)
            process = self.processes[index]
            process.join()
            if process.exitcode != 0:
                failed = index
                break
        if failed is None:
            return not self.sentinels
        self._end_all(grace_period)
        self._raise(failed)

    def _end_all(self, grace_period):
        if grace_period is not None:
            self._join_procs_with_timeout(grace_period)
        for end in ("terminate", "kill"):
            for process in self.processes:
                if process.is_alive():
                    getattr(process, end)()
            self._join_procs_with_timeout(30)

    def _raise(self, index):
        process, file = self.processes[index], self.error_files[index]
        if file is not None and os.access(file, os.R_OK) and os.path.getsize(file):
            with open(file, "rb") as f:
                original = pickle.load(f)
            raise ProcessRaisedException(f"\n\n-- Process {index} terminated with the following error:\n{original}\n", index,
                                         process.pid)
        code, name = process.exitcode, None
        if code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = f"<Unknown signal {-code}>"
            raise ProcessExitedException(f"process {index} terminated with signal {name}", index, process.pid, code, name)
        raise ProcessExitedException(f"process {index} terminated with exit code {code}", index, process.pid, code)


class SpawnContext(ProcessContext):
    """ProcessContext under its old name."""


# ---- starting ------------------------------------------------------------------------------------------------------


def start_processes(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """Runs ``fn(i, *args)`` in ``nprocs`` processes, i from 0 on.

    Returns None after all have ended, or a ProcessContext at once when ``join`` is False.
    """
    context = multiprocessing.get_context(start_method)
    error_files, processes = [], []
    for i in range(nprocs):
        # the child gets a name in a folder of ours, not an open file: it may be spawned
        with tempfile.NamedTemporaryFile(prefix="bolide-errorfile-", suffix=".pickle", delete=False) as f:
            os.unlink(f.name)
        process = context.Process(target=_wrap, args=(fn, i, args, f.name), daemon=daemon)
        process.start()
        error_files.append(f.name)
        processes.append(process)
    running = ProcessContext(processes, error_files)
    if not join:
        return running
    while not running.join():
        pass
    return None


def spawn(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """``start_processes`` with new interpreters; ``fn`` and ``args`` must be picklable."""
    if start_method != "spawn":
        warnings.warn(f"This method only supports start_method=spawn (got: {start_method}).\nTo use a different start_method "
                      "use:\n\t\t torch.multiprocessing.start_processes(...)", FutureWarning, stacklevel=2)
    return start_processes(fn, args, nprocs, join, daemon, start_method="spawn")
