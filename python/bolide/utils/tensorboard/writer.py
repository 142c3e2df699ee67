"""SummaryWriter: writes what happens in training into event files, for TensorBoard to show."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any

import bolide

from . import records

_count = 0


class FileWriter:
    """One event file.

    Args:
        log_dir: its folder.
        max_queue: how many events wait for the disk at most.
        flush_secs: how long they wait at most.
        filename_suffix: the end of its name.
    """

    def __init__(
        self, log_dir: str, max_queue: int = 10, flush_secs: int = 120, filename_suffix: str = ""
    ) -> None:
        global _count
        self.log_dir = str(log_dir)
        os.makedirs(self.log_dir, exist_ok=True)
        now = time.time()
        where = f"{socket.gethostname()}.{os.getpid()}.{_count}"
        name = f"events.out.tfevents.{int(now):010d}.{where}{filename_suffix}"
        _count += 1
        self._file = open(os.path.join(self.log_dir, name), "wb")
        self._lock = threading.Lock()
        self._max_queue, self._flush_secs = max_queue, flush_secs
        self._waiting, self._flushed = 0, now
        self._write(records.version_event(now))
        self.flush()

    def get_logdir(self) -> str:
        """The file's folder."""
        return self.log_dir

    def _write(self, data: bytes) -> None:
        with self._lock:
            self._file.write(records.record(data))
            self._waiting += 1
            late = time.time() - self._flushed > self._flush_secs
        if self._waiting > self._max_queue or late:
            self.flush()

    def add_summary(self, summary: bytes, global_step: Any = None, walltime: float | None = None) -> None:
        """Writes an event with a summary."""
        self._write(records.event(time.time() if walltime is None else walltime, global_step, summary))

    def flush(self) -> None:
        """Puts all events on the disk."""
        with self._lock:
            if not self._file.closed:
                self._file.flush()
            self._waiting, self._flushed = 0, time.time()

    def close(self) -> None:
        """Ends the file."""
        self.flush()
        self._file.close()


def _number(value: Any) -> float:
    if isinstance(value, bolide.Tensor):
        return float(value.detach().item())
    return float(value)


def _bins() -> list[float]:
    """TensorBoard's usual edges: growing by a tenth each, on both sides of zero."""
    edges, v = [], 1e-12
    while v < 1e20:
        edges.append(v)
        v *= 1.1
    return [-e for e in reversed(edges)] + [0.0] + edges


class SummaryWriter:
    """Writes scalars, histograms, images and text under tags and steps.

    Args:
        log_dir: the folder; runs/<date>_<host><comment> when left out.
        comment: the end of that name.
        purge_step: accepted for PyTorch's programs.
        max_queue: how many events wait for the disk at most.
        flush_secs: how long they wait at most.
        filename_suffix: the end of the file's name.
    """

    def __init__(
        self,
        log_dir: str | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
    ) -> None:
        if not log_dir:
            moment = time.strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{moment}_{socket.gethostname()}{comment}")
        self.log_dir = str(log_dir)
        self._options = (max_queue, flush_secs, filename_suffix)
        self.file_writer: FileWriter | None = None
        self.all_writers: dict[str, FileWriter] = {}
        self._get_file_writer()

    def _get_file_writer(self) -> FileWriter:
        if self.file_writer is None:
            self.file_writer = FileWriter(self.log_dir, *self._options)
            self.all_writers[self.log_dir] = self.file_writer
        return self.file_writer

    def get_logdir(self) -> str:
        """The folder."""
        return self.log_dir

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
    ) -> None:
        """A number under a tag."""
        self._get_file_writer().add_summary(records.scalar(tag, _number(scalar_value)), global_step, walltime)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: dict,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Several numbers in one picture; each has a file in a folder of its own."""
        walltime = time.time() if walltime is None else walltime
        for tag, value in tag_scalar_dict.items():
            folder = f"{self.log_dir}/{main_tag.replace('/', '_')}_{tag}"
            if folder not in self.all_writers:
                self.all_writers[folder] = FileWriter(folder, *self._options)
            self.all_writers[folder].add_summary(
                records.scalar(main_tag, _number(value)), global_step, walltime
            )

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: int | None = None,
        bins: Any = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """The distribution of values, in NumPy's bins of that name, or TensorBoard's own."""
        import numpy as np

        data = self._array(values).astype(np.float64).ravel()
        if data.size == 0:
            raise ValueError("The input has no element.")
        counts, edges = np.histogram(data, bins=_bins() if bins == "tensorflow" else bins)
        used = np.nonzero(counts)[0]
        first, last = (max(used[0] - 1, 0), used[-1] + 1) if used.size else (0, 1)
        moments = (float(data.min()), float(data.max()), data.size, float(data.sum()), float(data.dot(data)))
        summary = records.histogram(
            tag, moments, edges[first + 1 : last + 1].tolist(), counts[first:last].tolist()
        )
        self._get_file_writer().add_summary(summary, global_step, walltime)

    @staticmethod
    def _array(values: Any) -> Any:
        import numpy as np

        return values.detach().cpu().numpy() if isinstance(values, bolide.Tensor) else np.asarray(values)

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """An image of bytes, or of numbers between 0 and 1; `dataformats` names its dimensions."""
        import numpy as np

        array = self._array(img_tensor)
        names = dataformats.upper()
        if array.ndim != len(names):
            raise AssertionError(
                f"size of input tensor and input format are different. tensor shape: {array.shape}, "
                f"input_format: {dataformats}"
            )
        if "C" not in names:
            array, names = array[..., None], names + "C"
        array = array.transpose([names.index(n) for n in "HWC"])
        if array.dtype != np.uint8:
            array = (array.astype(np.float32) * 255).clip(0, 255).astype(np.uint8)
        height, width, channels = array.shape
        png = records.png(height, width, channels, np.ascontiguousarray(array).tobytes())
        summary = records.image(tag, height, width, channels, png)
        self._get_file_writer().add_summary(summary, global_step, walltime)

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """A batch of images in one grid."""
        import numpy as np

        array = self._array(img_tensor).transpose([dataformats.upper().index(n) for n in "NHWC"])
        n, height, width, channels = array.shape
        columns = min(n, 8)
        rows = -(-n // columns)
        grid = np.zeros((rows * height, columns * width, channels), array.dtype)
        for i, picture in enumerate(array):
            y, x = (i // columns) * height, (i % columns) * width
            grid[y : y + height, x : x + width] = picture
        self.add_image(tag, grid, global_step, walltime, "HWC")

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: int | None = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """A figure of matplotlib, or a list of them."""
        import numpy as np

        figures = figure if isinstance(figure, (list, tuple)) else [figure]
        for f in figures:
            f.canvas.draw()
            self.add_image(tag, np.asarray(f.canvas.buffer_rgba()), global_step, walltime, "HWC")
            if close:
                import matplotlib.pyplot as plt

                plt.close(f)

    def add_text(
        self, tag: str, text_string: str, global_step: int | None = None, walltime: float | None = None
    ) -> None:
        """A text, which may be Markdown."""
        summary = records.text(f"{tag}/text_summary", str(text_string))
        self._get_file_writer().add_summary(summary, global_step, walltime)

    def add_hparams(
        self,
        hparam_dict: dict,
        metric_dict: dict,
        hparam_domain_discrete: dict | None = None,
        run_name: str | None = None,
        global_step: int | None = None,
    ) -> None:
        """Hyperparameters as a text, and the metrics they led to as scalars, in a folder of their own."""
        if not isinstance(hparam_dict, dict) or not isinstance(metric_dict, dict):
            raise TypeError("hparam_dict and metric_dict should be dictionary.")
        with SummaryWriter(os.path.join(self.log_dir, run_name or str(time.time()))) as own:
            table = "\n".join(f"|{k}|{v}|" for k, v in hparam_dict.items())
            own.add_text("hparams", f"|name|value|\n|-|-|\n{table}", global_step)
            for tag, value in metric_dict.items():
                own.add_scalar(tag, value, global_step)

    def _missing(self, name: str) -> Any:
        raise NotImplementedError(f"SummaryWriter.{name}() is not built yet")

    def add_graph(self, *args: Any, **kwargs: Any) -> None:
        """The graph of a model. Raises NotImplementedError: that is not built yet."""
        self._missing("add_graph")

    def add_embedding(self, *args: Any, **kwargs: Any) -> None:
        """Points for the projector. Raises NotImplementedError: that is not built yet."""
        self._missing("add_embedding")

    def add_video(self, *args: Any, **kwargs: Any) -> None:
        """A video. Raises NotImplementedError: that is not built yet."""
        self._missing("add_video")

    def add_audio(self, *args: Any, **kwargs: Any) -> None:
        """A sound. Raises NotImplementedError: that is not built yet."""
        self._missing("add_audio")

    def add_pr_curve(self, *args: Any, **kwargs: Any) -> None:
        """Precision against recall. Raises NotImplementedError: that is not built yet."""
        self._missing("add_pr_curve")

    def add_mesh(self, *args: Any, **kwargs: Any) -> None:
        """A mesh of points. Raises NotImplementedError: that is not built yet."""
        self._missing("add_mesh")

    def flush(self) -> None:
        """Puts all events on the disk."""
        for writer in self.all_writers.values():
            writer.flush()

    def close(self) -> None:
        """Ends all files."""
        for writer in self.all_writers.values():
            writer.close()
        self.file_writer, self.all_writers = None, {}

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()
