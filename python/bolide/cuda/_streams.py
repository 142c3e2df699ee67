"""Streams, events and CUDA graphs."""

from __future__ import annotations

from typing import Any

from .._C import _cuda

__all__ = ["Stream", "ExternalStream", "Event", "stream", "StreamContext", "current_stream", "default_stream", "set_stream", "CUDAGraph",
           "graph", "graph_pool_handle", "is_current_stream_capturing", "make_graphed_callables"]


def _index(device: Any) -> int:
    from . import _index as index

    return index(device)


class Stream:
    """A queue of work on a device. priority: 0 or negative (higher)."""

    def __new__(cls, device: Any = None, priority: int = 0, **kwargs: Any) -> Stream:
        self = object.__new__(cls)
        self._key = kwargs.get("_key") or _cuda.new_stream(_index(device), priority)
        self.priority = priority
        return self

    @property
    def device_index(self) -> int:
        return self._key[0]

    @property
    def device(self) -> Any:
        from .. import device

        return device("cuda", self._key[0])

    @property
    def cuda_stream(self) -> int:
        """The driver's handle; 0 for the default stream."""
        return self._key[1]

    stream_id = cuda_stream
    device_type = 1

    def synchronize(self) -> None:
        """Waits for all work of this stream."""
        _cuda.stream_synchronize(self._key)

    def query(self) -> bool:
        """Whether all work is done."""
        return _cuda.stream_query(self._key)

    def wait_event(self, event: Event) -> None:
        """Work given from now on waits for the event."""
        event.wait(self)

    def wait_stream(self, stream: Stream) -> None:
        """Work given from now on waits for what ``stream`` has now."""
        self.wait_event(stream.record_event())

    def record_event(self, event: Event | None = None) -> Event:
        """Marks this point in an event."""
        event = event or Event()
        event.record(self)
        return event

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"<torch.cuda.Stream device=cuda:{self._key[0]} cuda_stream={self._key[1]:#x}>"

    def __enter__(self) -> Stream:
        self._before = current_stream(self._key[0])
        _cuda.set_stream(self._key)
        return self

    def __exit__(self, *exc: Any) -> None:
        _cuda.set_stream(self._before._key)


class ExternalStream(Stream):
    """A stream of another library, by its handle."""

    def __new__(cls, stream_ptr: int, device: Any = None) -> ExternalStream:
        return super().__new__(cls, _key=(_index(device), stream_ptr))


class Event:
    """A point in a stream: to wait for, to ask, to measure between."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False, external: bool = False) -> None:
        if interprocess:
            raise NotImplementedError("interprocess events are not built")
        self._event = _cuda.new_event(enable_timing, blocking)

    def record(self, stream: Stream | None = None) -> None:
        """Marks the present end of the stream (the current one)."""
        _cuda.event_record(self._event, (stream or current_stream())._key)

    def wait(self, stream: Stream | None = None) -> None:
        """Makes later work of the stream wait for this event."""
        _cuda.event_wait(self._event, (stream or current_stream())._key)

    def query(self) -> bool:
        """Whether everything before the mark is done."""
        return _cuda.event_query(self._event)

    def synchronize(self) -> None:
        """Waits until everything before the mark is done."""
        _cuda.event_synchronize(self._event)

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from this event to another; both with enable_timing=True."""
        return _cuda.event_elapsed(self._event, end_event._event)


class StreamContext:
    """``with torch.cuda.stream(s):`` gives work of the block to ``s``; None changes nothing."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream
        self._before: list[Any] = []

    def __enter__(self) -> None:
        if self.stream is not None:
            device = _cuda.current_device()
            self._before.append((device, _cuda.current_stream(self.stream.device_index)))
            _cuda.set_stream(self.stream._key)

    def __exit__(self, *exc: Any) -> None:
        if self.stream is not None:
            device, key = self._before.pop()
            _cuda.set_stream(key)
            _cuda.set_device(device)


def stream(stream: Stream | None) -> StreamContext:
    """A context in which work goes to ``stream``."""
    return StreamContext(stream)


def current_stream(device: Any = None) -> Stream:
    """The stream that work of this thread goes to."""
    return Stream(_key=_cuda.current_stream(_index(device)))


def default_stream(device: Any = None) -> Stream:
    """The device's default stream."""
    return Stream(_key=(_index(device), 0))


def set_stream(stream: Stream | None) -> None:
    """Makes ``stream`` (and its device) current."""
    if stream is not None:
        _cuda.set_stream(stream._key)


# ---- graphs ----------------------------------------------------------------------------------------


class CUDAGraph:
    """A step recorded once and replayed as one launch. Inputs and results stay at the same memory."""

    def __init__(self, keep_graph: bool = False) -> None:
        self._graph = _cuda.new_graph()

    def capture_begin(self, pool: int | None = None, capture_error_mode: str = "global") -> None:
        """Records, from now on, the work of the current stream."""
        _cuda.graph_begin(self._graph, pool or 0)

    def capture_end(self) -> None:
        """Ends the recording."""
        _cuda.graph_end(self._graph)

    def replay(self) -> None:
        """Runs the recorded work on the current stream."""
        _cuda.graph_replay(self._graph)

    def reset(self) -> None:
        """Drops the recording and lets its memory go."""
        _cuda.graph_reset(self._graph)

    def pool(self) -> int:
        """The memory pool, to share with another capture."""
        return _cuda.graph_pool(self._graph)


class graph:  # noqa: N801
    """``with torch.cuda.graph(g):`` captures the block into ``g`` on a side stream."""

    def __init__(self, cuda_graph: CUDAGraph, pool: int | None = None, stream: Stream | None = None,
                 capture_error_mode: str = "thread_local") -> None:
        self.cuda_graph, self.pool = cuda_graph, pool
        self.capture_stream = stream or Stream()
        self._context = StreamContext(self.capture_stream)

    def __enter__(self) -> None:
        from . import synchronize

        synchronize()
        self._context.__enter__()
        self.cuda_graph.capture_begin(self.pool)

    def __exit__(self, *exc: Any) -> None:
        self.cuda_graph.capture_end()
        self._context.__exit__(*exc)


def graph_pool_handle() -> int:
    """A new memory pool that several graphs may share."""
    return _cuda.new_pool()


def is_current_stream_capturing() -> bool:
    """Whether the current stream is being captured."""
    return _cuda.is_capturing()


def make_graphed_callables(callables: Any, sample_args: Any, num_warmup_iters: int = 3, allow_unused_input: bool = False,
                           pool: int | None = None) -> Any:
    """Not built: capture with ``torch.cuda.graph``."""
    raise NotImplementedError("bolide.cuda.make_graphed_callables is not built: capture the step with torch.cuda.graph(g)")
