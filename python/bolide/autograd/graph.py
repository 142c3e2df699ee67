"""The graph behind gradients: its nodes and edges, hooks on saved tensors and on several gradients."""

import contextlib
import threading
from typing import NamedTuple

from .. import _C

__all__ = ["GradientEdge", "Node", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks", "get_gradient_edge", "increment_version",
           "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks"]

Node = _C.Node


class GradientEdge(NamedTuple):
    """A place in the graph where a gradient arrives: output ``output_nr`` of ``node``."""

    node: Node
    output_nr: int
    ownership_token: object = None


def get_gradient_edge(tensor):
    """The edge at which the gradient of ``tensor`` arrives; it may stand for the tensor in ``grad`` and ``backward``."""
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    node, output_nr = _C._gradient_edge(tensor)
    return GradientEdge(node, output_nr)


def increment_version(tensor):
    """Counts a write to a tensor, or to each of several, that autograd could not see."""
    for t in (tensor,) if isinstance(tensor, _C.Tensor) else tensor:
        _C._increment_version(t)


class saved_tensors_hooks:
    """A scope in which what is saved for backward passes ``pack_hook``, and ``unpack_hook`` when backward needs it."""

    def __init__(self, pack_hook, unpack_hook):
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self):
        _C._push_saved_tensors_default_hooks(self.pack_hook, self.unpack_hook)

    def __exit__(self, *args):
        _C._pop_saved_tensors_default_hooks()


class save_on_cpu(saved_tensors_hooks):
    """A scope in which what is saved for backward lies in the computer's memory, not in the device's."""

    def __init__(self, pin_memory=False, device_type="cuda"):
        def pack(tensor):
            if not pin_memory or tensor.device.type != device_type:
                return tensor.device, tensor.cpu()
            packed = _C.empty(tensor.size(), dtype=tensor.dtype, pin_memory=True)
            packed.copy_(tensor)
            return tensor.device, packed

        def unpack(packed):
            device, tensor = packed
            return tensor.to(device, non_blocking=pin_memory)

        super().__init__(pack, unpack)


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message, is_error_on_disable=True):
    """A scope in which using saved-tensor hooks raises ``error_message``."""
    before = _C._saved_tensors_hooks_disable(error_message)
    try:
        yield
    finally:
        _C._saved_tensors_hooks_disable(before)


class _MultiHandle:
    """Removes several hooks together."""

    def __init__(self, handles):
        self.handles = tuple(handles)

    def remove(self):
        """Forgets the hooks."""
        for handle in self.handles:
            handle.remove()

    def __getstate__(self):
        return self.handles

    def __setstate__(self, state):
        self.handles = state

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


def register_multi_grad_hook(tensors, fn, *, mode="all"):
    """Calls ``fn`` with all gradients of ``tensors`` when the last one is known, or (mode "any") with the first one alone."""
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    lock = threading.Lock()
    if mode == "any":
        ran = {}

        def first(grad):
            run = _C._current_graph_task_id()
            assert run != -1, "expected this hook to be called inside a backward call"
            with lock:
                done, ran[run] = ran.get(run, False), True
            if not done:
                fn(grad)

        return _MultiHandle(t.register_hook(first) for t in tensors if t.requires_grad)
    nodes = [get_gradient_edge(t).node for t in tensors]
    arrived = {}  # of each walk under way: how many gradients there will be, and those that came

    def hook(index):
        def inner(grad):
            run = _C._current_graph_task_id()
            assert run != -1, "expected this hook to be called inside a backward call"
            with lock:
                if run not in arrived:
                    arrived[run] = [sum(map(_C._will_engine_execute_node, nodes)), [None] * len(tensors)]
                state = arrived[run]
                state[0] -= 1
                state[1][index] = grad
                complete = state[0] == 0
                if complete:
                    del arrived[run]
            if complete:
                fn(state[1])

        return inner

    return _MultiHandle([t.register_hook(hook(i)) for i, t in enumerate(tensors)])


@contextlib.contextmanager
def allow_mutation_on_saved_tensors():
    """A scope in which writing to a saved tensor is allowed: backward sees the value from before."""
    raise NotImplementedError("autograd.graph.allow_mutation_on_saved_tensors is not built yet")
    yield


def set_warn_on_accumulate_grad_stream_mismatch(enabled):
    """Kept for programs that silence PyTorch's warning about streams, which Bolide does not raise."""


