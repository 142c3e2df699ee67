"""DataParallel: a batch split over the devices of one machine."""

from __future__ import annotations

from itertools import chain
from typing import Any

import bolide
from bolide import Tensor

from ..modules.module import Module
from .parallel_apply import parallel_apply
from .replicate import replicate
from .scatter_gather import gather, scatter_kwargs

__all__ = ["DataParallel", "data_parallel"]


def _all_devices() -> list[int]:
    """The numbers of all CUDA devices."""
    try:
        return list(range(bolide.cuda.device_count())) if bolide.cuda.is_available() else []
    except AttributeError:  # built without CUDA's Python side
        return []


class DataParallel(Module):
    """Splits each batch over devices, calls a copy of the module on each, and joins the outputs.

    Without a CUDA device it calls the module itself; the names in `state_dict` begin with 'module.' in either
    case.

    Args:
        module: what to run.
        device_ids: the devices, all of them when left out; the module's parameters must be on the first.
        output_device: where outputs are joined, the first when left out.
        dim: the batch's dimension.
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        available = _all_devices()
        self.module = module
        if not available:
            self.device_ids: list = []
            return
        device_ids = available if device_ids is None else device_ids
        if not device_ids:
            raise RuntimeError("no available devices were found")
        self.dim = dim
        self.device_ids = [d.index if isinstance(d, bolide.device) else d for d in device_ids]
        self.output_device = self.device_ids[0] if output_device is None else output_device
        self.src_device_obj = bolide.device("cuda", self.device_ids[0])
        if len(self.device_ids) == 1:
            self.module.to(self.src_device_obj)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        if not self.device_ids:
            return self.module(*inputs, **kwargs)
        for t in chain(self.module.parameters(), self.module.buffers()):
            if t.device != self.src_device_obj:
                raise RuntimeError(
                    f"module must have its parameters and buffers on device {self.src_device_obj} "
                    f"(device_ids[0]) but found one of them on device: {t.device}"
                )
        spread, spread_kwargs = self.scatter(inputs, kwargs, self.device_ids)
        if not spread and not spread_kwargs:  # no arguments: one device is enough
            spread, spread_kwargs = ((),), ({},)
        if len(self.device_ids) == 1:
            return self.module(*spread[0], **spread_kwargs[0])
        replicas = self.replicate(self.module, self.device_ids[: len(spread)])
        return self.gather(self.parallel_apply(replicas, spread, spread_kwargs), self.output_device)

    def replicate(self, module: Module, device_ids: Any) -> list[Module]:
        """See `nn.parallel.replicate`."""
        return replicate(module, device_ids, not bolide.is_grad_enabled())

    def scatter(self, inputs: tuple, kwargs: dict | None, device_ids: Any) -> tuple[tuple, tuple]:
        """See `nn.parallel.scatter`."""
        return scatter_kwargs(inputs, kwargs, device_ids, dim=self.dim)

    def parallel_apply(self, replicas: list[Module], inputs: Any, kwargs: Any) -> list:
        """See `nn.parallel.parallel_apply`."""
        return parallel_apply(replicas, inputs, kwargs, self.device_ids[: len(replicas)])

    def gather(self, outputs: Any, output_device: Any) -> Any:
        """See `nn.parallel.gather`."""
        return gather(outputs, output_device, dim=self.dim)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict | None = None,
) -> Tensor:
    """`DataParallel` as a function."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    wrapped = DataParallel(module, device_ids, output_device, dim)
    return wrapped(*inputs, **(module_kwargs or {}))
