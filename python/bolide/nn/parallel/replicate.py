"""Copies of a module on several devices that share one set of parameters."""

from __future__ import annotations

from typing import Any

from ..modules.module import Module
from .scatter_gather import _device

__all__ = ["replicate"]


def replicate(network: Module, devices: Any, detach: bool = False) -> list[Module]:
    """A copy of `network` for each device. Gradients of the copies reach the network's parameters unless
    `detach`.
    """
    modules = list(network.modules())
    return [_copy_to(network, modules, _device(where), detach) for where in devices]


def _copy_to(network: Module, modules: list[Module], where: Any, detach: bool) -> Module:
    moved: dict[int, Any] = {}

    def move(tensor: Any) -> Any:
        if tensor is None:
            return None
        if id(tensor) not in moved:
            there = tensor.to(where, copy=True)
            moved[id(tensor)] = there.detach() if detach else there
        return moved[id(tensor)]

    copies = {module: module._replicate_for_data_parallel() for module in modules}
    for module, copy in copies.items():
        copy._former_parameters = {}
        for name, child in module._modules.items():
            copy._modules[name] = None if child is None else copies[child]
        for name, param in module._parameters.items():
            if param is None:
                copy._parameters[name] = None
            else:  # no leaf any more, hence a plain attribute
                copy._parameters.pop(name, None)
                copy.__dict__[name] = copy._former_parameters[name] = move(param)
        for name, buf in module._buffers.items():
            copy._buffers[name] = move(buf)
    return copies[network]
