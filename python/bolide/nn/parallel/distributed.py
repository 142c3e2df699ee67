"""DistributedDataParallel: every process has the whole module and a part of each batch; gradients are
averaged.

A gradient is averaged as soon as it is known: a hook on each parameter hands it to `bolide.distributed`. All
processes must therefore compute the same gradients in the same order, which equal models do.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bolide

from ..modules.module import Module

__all__ = ["DistributedDataParallel"]


def _distributed() -> Any:
    """The package of process groups, or None where it is not built."""
    try:
        return importlib.import_module("bolide.distributed")
    except ModuleNotFoundError as error:
        if error.name != "bolide.distributed":
            raise
        return None


class DistributedDataParallel(Module):
    """Averages gradients over the processes of a group.

    Args:
        module: what to train; its parameters and buffers are first made equal to those of process 0.
        device_ids: the one device of the module, for modules on CUDA.
        output_device: accepted, not needed.
        dim: accepted, not needed.
        broadcast_buffers: whether process 0's buffers replace the others' before each forward in training.
        process_group: the group, all processes when left out.
        find_unused_parameters: accepted; parameters without gradient are simply not averaged.
        gradient_as_bucket_view, static_graph, bucket_cap_mb: accepted; there are no buckets.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Any = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool | None = None,
        init_sync: bool = True,
        process_group: Any = None,
        bucket_cap_mb: Any = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
        **further: Any,
    ) -> None:
        super().__init__()
        distributed = _distributed()
        if process_group is None and (distributed is None or not distributed.is_initialized()):
            raise ValueError(
                "Default process group has not been initialized, please make sure to call init_process_group."
            )
        if not any(p.requires_grad for p in module.parameters()):
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameter that "
                "requires a gradient."
            )
        if device_ids is not None and len(device_ids) > 1:
            raise ValueError("device_ids can only be None or contain a single element.")
        unknown = {name for name, value in further.items() if value}
        if unknown:
            raise NotImplementedError(f"DistributedDataParallel: {', '.join(sorted(unknown))} is not built")
        self.module = module
        self.device_ids = device_ids
        self.output_device = output_device
        self.dim = dim
        self.broadcast_buffers = True if broadcast_buffers is None else broadcast_buffers
        self.process_group = process_group
        self.find_unused_parameters = find_unused_parameters
        self.static_graph = static_graph
        self.gradient_as_bucket_view = gradient_as_bucket_view
        self.require_backward_grad_sync = True
        self._size = distributed.get_world_size(process_group)
        ignored = getattr(module, "_ddp_params_and_buffers_to_ignore", ())
        self.parameters_to_ignore = set(ignored)
        if self._size > 1:
            if init_sync:
                self._broadcast([*module.named_parameters(), *module.named_buffers()])
            for name, param in module.named_parameters():
                if param.requires_grad and name not in self.parameters_to_ignore:
                    param.register_post_accumulate_grad_hook(self._average)

    def _broadcast(self, named: Any) -> None:
        distributed = _distributed()
        with bolide.no_grad():
            for name, tensor in named:
                if name not in self.parameters_to_ignore:
                    distributed.broadcast(tensor.data, 0, group=self.process_group)

    def _average(self, param: Any) -> None:
        if not self.require_backward_grad_sync:
            return
        with bolide.no_grad():
            param.grad.div_(self._size)
            _distributed().all_reduce(param.grad, group=self.process_group)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Inside, gradients are only accumulated; the first backward outside averages their sum."""
        before = self.require_backward_grad_sync
        self.require_backward_grad_sync = False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    @contextmanager
    def join(self, *args: Any, **kwargs: Any) -> Iterator[None]:
        """For uneven numbers of batches. Raises NotImplementedError with more than one process."""
        if self._size > 1:
            raise NotImplementedError("DistributedDataParallel.join() is not built yet")
        yield

    def will_sync_module_buffers(self) -> bool:
        """Whether the next forward takes process 0's buffers."""
        return (
            self._size > 1
            and self.training
            and self.require_backward_grad_sync
            and self.broadcast_buffers
            and next(self.module.buffers(), None) is not None
        )

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        if self.will_sync_module_buffers():
            self._broadcast(self.module.named_buffers())
        return self.module(*inputs, **kwargs)

    def register_comm_hook(self, state: Any, hook: Any) -> None:
        """Replaces the averaging. Raises NotImplementedError: that is not built yet."""
        raise NotImplementedError("DistributedDataParallel.register_comm_hook() is not built yet")
