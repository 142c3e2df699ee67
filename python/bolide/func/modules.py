"""Modules as functions of their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bolide
from bolide import Tensor

__all__ = ["functional_call", "stack_module_state"]


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: dict[str, Tensor] | Sequence[dict[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Calls a module with the given tensors in the places of its parameters and buffers.

    Args:
        module: the module.
        parameter_and_buffer_dicts: names and tensors, in one dictionary or in several without common names.
        args, kwargs: the arguments of forward.
        tie_weights: give a tensor to all names of the same parameter.
        strict: raise RuntimeError unless exactly the module's names are given.
    """
    given = parameter_and_buffer_dicts
    if not isinstance(given, dict):
        if not isinstance(given, Sequence) or not all(isinstance(d, dict) for d in given):
            raise ValueError(
                "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, "
                f"but got {type(given)}"
            )
        names = [name for d in given for name in d]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"{twice} appeared in multiple dictionaries; behavior of functional call is ambiguous"
            )
        given = {name: value for d in given for name, value in d.items()}
    from bolide.nn.utils import stateless

    return stateless._functional_call(module, given, args, kwargs, tie_weights=tie_weights, strict=strict)


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(parameters, buffers) of equal models, each tensor stacked along a new first dimension.

    Stacked parameters are leaves of their own, which ask for gradients as the models' parameters do.
    """
    if len(models) == 0:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({m.training for m in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if len({type(m) for m in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")

    def stacked(tensors: list[Tensor]) -> Tensor:
        asks = {t.requires_grad for t in tensors}
        if len(asks) > 1:
            raise RuntimeError(
                "Expected the same requires_grad for all parameters of a name, but they differ between models"
            )
        return bolide.stack([t.detach() for t in tensors]).requires_grad_(asks.pop())

    parameters = [dict(m.named_parameters()) for m in models]
    buffers = [dict(m.named_buffers()) for m in models]
    return (
        {name: stacked([d[name] for d in parameters]) for name in parameters[0]},
        {name: stacked([d[name] for d in buffers]) for name in buffers[0]},
    )
