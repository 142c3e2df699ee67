"""Tables of measurements: a row for each task and number of threads, a column for each description."""

from __future__ import annotations

from typing import Any

from .measurement import Measurement, ordered_unique, select_unit, trim_sigfig, unit_to_english


class Compare:
    """Prints measurements side by side.

    Args:
        results: the measurements; those of one label stand in one table.
    """

    def __init__(self, results: list[Measurement]) -> None:
        self._results: list[Measurement] = []
        self.extend_results(results)
        self._trim = False
        self._mark = False

    def extend_results(self, results: Any) -> None:
        """Adds measurements."""
        for r in results:
            if not isinstance(r, Measurement):
                raise ValueError(f"Expected an instance of `Measurement`, got {type(r)} instead.")
        self._results.extend(results)

    def trim_significant_figures(self) -> None:
        """Write only the figures that mean something."""
        self._trim = True

    def colorize(self, rowwise: bool = False) -> None:
        """Accepted; tables have no colours here."""

    def highlight_warnings(self) -> None:
        """Mark unsteady times with an exclamation mark."""
        self._mark = True

    def print(self) -> None:
        """Print the tables."""
        print(str(self))

    def __str__(self) -> str:
        merged = Measurement.merge(self._results)
        labels = ordered_unique(m.task_spec.label for m in merged)
        return "\n".join(
            self._table(label, [m for m in merged if m.task_spec.label == label]) for label in labels
        )

    def _text(self, m: Measurement | None, scale: float) -> str:
        if m is None:
            return ""
        value = m.median / scale
        if self._trim:
            value = trim_sigfig(value, m.significant_figures)
        return f"{value:.1f}" + (" (! unsteady)" if self._mark and m.has_warnings else "")

    def _table(self, label: str | None, results: list[Measurement]) -> str:
        columns = ordered_unique(m.task_spec.description for m in results)
        threads = sorted({m.task_spec.num_threads for m in results})
        rows = ordered_unique((m.task_spec.env, m.as_row_name) for m in results)
        unit, scale = select_unit(min(m.median for m in results))
        cells = {
            (m.task_spec.num_threads, m.task_spec.env, m.as_row_name, m.task_spec.description): m
            for m in results
        }

        def name(env: str | None, row: str) -> str:
            return f"({env}) {row}" if env is not None else row

        first = max(len(name(*row)) for row in rows) + 6
        texts = {key: self._text(m, scale) for key, m in cells.items()}
        widths = [
            max([len(str(c)), *(len(t) for key, t in texts.items() if key[3] == c)]) + 2 for c in columns
        ]
        header = " " * first + " | " + " | ".join(f"{c!s:^{w}}" for c, w in zip(columns, widths, strict=True))
        lines = [header]
        for count in threads:
            title = f"{count} threads: "
            lines.append(title + "-" * (len(header) - len(title)))
            for env, row in rows:
                values = [texts.get((count, env, row, c), "") for c in columns]
                if any(values):
                    body = " | ".join(f"{v:^{w}}" for v, w in zip(values, widths, strict=True))
                    lines.append(f"{name(env, row):>{first}} | {body}")
        top = f" {label or ''} ".center(len(header) - 2, "-")
        return "\n".join([f"[{top}]", *lines, "", f"Times are in {unit_to_english(unit)}s ({unit}).", ""])
