"""Timer: how long a statement takes, with the number of runs found by itself."""

from __future__ import annotations

import textwrap
import timeit
from collections.abc import Callable
from typing import Any

import bolide

from .measurement import Measurement, TaskSpec


def timer() -> float:
    """Seconds since some moment; on CUDA all work that was started is done first."""
    if "bolide.cuda" in __import__("sys").modules and bolide.cuda.is_available():
        bolide.cuda.synchronize()
    return timeit.default_timer()


class _Threads:
    """A scope with another number of threads."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __enter__(self) -> None:
        if hasattr(bolide, "set_num_threads"):
            self.before = bolide.get_num_threads()
            bolide.set_num_threads(self.count)

    def __exit__(self, *exc: Any) -> None:
        if hasattr(bolide, "set_num_threads"):
            bolide.set_num_threads(self.before)


class Timer:
    """Measures a statement.

    Args:
        stmt: the code.
        setup: code that runs once before.
        global_setup: code for other languages than Python.
        timer: gives the time in seconds.
        globals: names that the code may use.
        label, sub_label, description: what tables call it: the table, the row, the column.
        env: where it runs, for tables.
        num_threads: the number of threads that ops use.
        language: Python only.
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: Any = "python",
    ) -> None:
        if not isinstance(stmt, str):
            raise ValueError("Currently only a `str` stmt is supported.")
        if str(getattr(language, "name", language)).lower() not in ("py", "python"):
            raise NotImplementedError("Timer: only Python code can be measured")
        if global_setup:
            raise ValueError(
                f"global_setup is C++ only, got `{global_setup}`. Most likely this code can simply be moved "
                "to "
                "`setup`."
            )
        stmt, setup = textwrap.dedent(stmt).strip(), textwrap.dedent(setup).strip()
        self._globals = {**(globals or {})}
        self._globals.setdefault("torch", bolide)
        self._task_spec = TaskSpec(stmt, setup, global_setup, label, sub_label, description, env, num_threads)
        self._clock = timer
        self._timer = timeit.Timer(stmt=stmt, setup=setup, timer=timer, globals=self._globals)

    def _timeit(self, number: int) -> float:
        # a clock may round a short time to zero
        return max(self._timer.timeit(number), 1e-9)

    def timeit(self, number: int = 1000000) -> Measurement:
        """One time, of `number` runs after some for warming up."""
        with _Threads(self._task_spec.num_threads):
            self._timeit(max(number // 100, 2))
            return Measurement(number, [self._timeit(number)], self._task_spec)

    def repeat(self, repeat: int = -1, number: int = -1) -> None:
        """Not there: use `blocked_autorange`."""
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def autorange(self, callback: Any = None) -> None:
        """Not there: use `blocked_autorange`."""
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def _estimate_block_size(self, min_run_time: float) -> int:
        """So many runs that asking the clock does not matter,
        and that a block is a thousandth of all time.
        """
        overhead = sorted(self._empty_block() for _ in range(5))[2]
        number = 1
        while True:
            taken = self._timeit(number)
            if (overhead / taken <= 1e-4 and taken >= min_run_time / 1000) or taken > min_run_time:
                return number
            number *= 10

    def _empty_block(self) -> float:
        start = self._clock()
        return max(self._clock() - start, 0.0)

    def _measure(self, number: int, enough: Callable[[list[float]], bool]) -> list[float]:
        times: list[float] = []
        with _Threads(self._task_spec.num_threads):
            self._timeit(max(number // 100, 2))
            while not enough(times):
                times.append(self._timeit(number))
        return times

    def blocked_autorange(
        self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Many times, each of a block of runs of fitting size, for at least `min_run_time` seconds together.

        `callback(runs, seconds)` is called for each block.
        """
        with _Threads(self._task_spec.num_threads):
            number = self._estimate_block_size(min_run_time)
        times = self._measure(number, lambda t: sum(t) >= min_run_time)
        for t in times if callback is not None else ():
            callback(number, t)
        return Measurement(number, times, self._task_spec)

    def adaptive_autorange(
        self,
        threshold: float = 0.1,
        *,
        min_run_time: float = 0.01,
        max_run_time: float = 10.0,
        callback: Callable[[int, float], Any] | None = None,
    ) -> Measurement:
        """Times until their interquartile range is below `threshold` of the median,
        or `max_run_time` is over.
        """
        with _Threads(self._task_spec.num_threads):
            number = self._estimate_block_size(min_run_time)

        def enough(times: list[float]) -> bool:
            total = sum(times)
            if len(times) < 3 or total < min_run_time:
                return total > max_run_time
            return total > max_run_time or Measurement(number, times, self._task_spec).meets_confidence(
                threshold
            )

        times = self._measure(number, enough)
        for t in times if callback is not None else ():
            callback(number, t)
        return Measurement(number, times, self._task_spec)

    def collect_callgrind(self, number: int = 100, **options: Any) -> None:
        """Counts of instructions. Raises NotImplementedError: that is not built."""
        raise NotImplementedError("Timer.collect_callgrind() is not built; run the program under valgrind")
