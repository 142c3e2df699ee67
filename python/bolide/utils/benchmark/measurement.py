"""The times of one piece of code, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

_UNITS = {
    "ns": (1e-9, "nanosecond"),
    "us": (1e-6, "microsecond"),
    "ms": (1e-3, "millisecond"),
    "s": (1.0, "second"),
}
_SPREAD_TO_WARN = 0.1  # the interquartile range, as a part of the median, from which times count as unsteady


def ordered_unique(elements: Iterable[Any]) -> list[Any]:
    """The elements without repetitions, in order."""
    return list(dict.fromkeys(elements))


def select_unit(t: float) -> tuple[str, float]:
    """(unit, its length in seconds) in which a time is between 1 and 1000, as far as there are units."""
    exponent = int(math.log10(t) // 3) if t > 0 else 0
    unit = {-1: "ms", -2: "us"}.get(exponent, "ns" if exponent < -2 else "s")
    return unit, _UNITS[unit][0]


def unit_to_english(u: str) -> str:
    """The unit's full name."""
    return _UNITS[u][1]


def trim_sigfig(x: float, n: int) -> float:
    """`x` rounded to `n` significant figures."""
    if x == 0:
        return x
    scale = 10 ** (math.floor(math.log10(abs(x))) + 1 - n)
    return float(round(x / scale) * scale)


class TaskSpec:
    """What was measured."""

    def __init__(
        self,
        stmt: str,
        setup: str,
        global_setup: str = "",
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
    ) -> None:
        self.stmt, self.setup, self.global_setup = stmt, setup, global_setup
        self.label, self.sub_label, self.description = label, sub_label, description
        self.env, self.num_threads = env, num_threads

    @property
    def title(self) -> str:
        """Label and sub-label, or the code itself."""
        if self.label is not None:
            return self.label + (f": {self.sub_label}" if self.sub_label else "")
        return self.stmt if "\n" not in self.stmt else "stmt:\n" + _indent(self.stmt)

    def setup_str(self) -> str:
        """The setup code as text, empty where it does nothing."""
        if self.setup == "pass" or not self.setup:
            return ""
        return f"setup: {self.setup}" if "\n" not in self.setup else "setup:\n" + _indent(self.setup)

    def key(self) -> tuple:
        """What two measurements of the same task have in common."""
        return tuple(self.__dict__.values())


def _indent(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())


class Measurement:
    """Times of several runs of one task.

    Args:
        number_per_run: how often the code ran for each time.
        raw_times: the times, in seconds.
        task_spec: what ran.
        metadata: anything that belongs to it.
    """

    def __init__(
        self, number_per_run: int, raw_times: list[float], task_spec: TaskSpec, metadata: dict | None = None
    ) -> None:
        self.number_per_run = number_per_run
        self.raw_times = raw_times
        self.task_spec = task_spec
        self.metadata = metadata

    @property
    def times(self) -> list[float]:
        """Seconds for one run of the code, one for each measurement."""
        return [t / self.number_per_run for t in self.raw_times]

    def _quantile(self, q: float) -> float:
        """Linear interpolation between sorted times."""
        ordered = sorted(self.times)
        at = q * (len(ordered) - 1)
        low = math.floor(at)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (at - low)

    @property
    def median(self) -> float:
        """The middle time."""
        return self._quantile(0.5)

    @property
    def mean(self) -> float:
        """The mean time."""
        return sum(self.times) / len(self.times)

    @property
    def iqr(self) -> float:
        """The range of the middle half of the times."""
        return self._quantile(0.75) - self._quantile(0.25)

    @property
    def significant_figures(self) -> int:
        """How many figures of the median mean something, by its standard error."""
        n, spread = len(self.raw_times), max(self.iqr / 1.349, 1e-9 * self.median)
        low, high = self.median - 2 * spread / math.sqrt(n), self.median + 2 * spread / math.sqrt(n)
        for digits in (3, 2):
            if trim_sigfig(low, digits) == trim_sigfig(high, digits):
                return digits
        return 2

    @property
    def has_warnings(self) -> bool:
        """Whether the times are too few or too unsteady to trust."""
        return len(self.raw_times) > 1 and not self.meets_confidence()

    def meets_confidence(self, threshold: float = _SPREAD_TO_WARN) -> bool:
        """Whether the interquartile range is below that part of the median."""
        return self.iqr / self.median < threshold if self.median else True

    @property
    def title(self) -> str:
        """What was measured."""
        return self.task_spec.title

    @property
    def env(self) -> str:
        """Where it was measured, if that was said."""
        return "Unspecified env" if self.task_spec.env is None else str(self.task_spec.env)

    @property
    def as_row_name(self) -> str:
        """The name of the row in a table."""
        return self.task_spec.sub_label or self.task_spec.stmt or "[Unknown]"

    def __repr__(self) -> str:
        unit, scale = select_unit(self.median)
        lines = [super().__repr__(), self.title]
        for extra in (self.task_spec.description, self.task_spec.setup_str()):
            if extra:
                lines.append(extra)
        if len(self.times) > 1:
            lines.append(f"  Median: {self.median / scale:.2f} {unit}")
            if len(self.times) > 2:
                low, high = self._quantile(0.25), self._quantile(0.75)
                lines.append(
                    f"  IQR:    {self.iqr / scale:.2f} {unit} ({low / scale:.2f} to {high / scale:.2f})"
                )
        else:
            lines.append(f"  {self.median / scale:.2f} {unit}")
        count, threads = len(self.times), self.task_spec.num_threads
        lines.append(
            f"  {count} measurement{'s' if count > 1 else ''}, {self.number_per_run} runs "
            f"{'per measurement,' if count > 1 else ','} {threads} thread{'s' if threads > 1 else ''}"
        )
        if self.has_warnings:
            lines.append(
                f"  WARNING: Interquartile range is {self.iqr / self.median * 100:.1f}% of the median."
            )
        return "\n".join(lines)

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """Measurements of the same task joined into one each."""
        groups: dict[tuple, list[Measurement]] = {}
        for m in measurements:
            groups.setdefault(m.task_spec.key(), []).append(m)
        return [
            Measurement(1, [t for m in group for t in m.times], group[0].task_spec)
            for group in groups.values()
        ]
