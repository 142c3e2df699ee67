"""Bounds on gradients: on their common norm, or on each value."""

from __future__ import annotations

from collections.abc import Iterable
from types import GeneratorType
from typing import Any

import bolide
from bolide import Tensor

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_"]


def _gradients(parameters: Any) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    return [p.grad for p in parameters if p.grad is not None]


def _get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all tensors together, as if they were one vector.

    Args:
        tensors: a tensor or an iterable of tensors.
        norm_type: the p of the norm; may be inf.
        error_if_nonfinite: raise RuntimeError where the norm is nan or infinite.
        foreach: accepted; there is one way to compute it.
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    norm_type = float(norm_type)
    if not tensors:
        return bolide.tensor(0.0)
    home = tensors[0].device
    with bolide.no_grad():
        norms = (
            bolide._foreach_norm(tensors, 2.0) if norm_type == 2.0 else [t.norm(norm_type) for t in tensors]
        )
        if len(norms) == 1:
            total = norms[0]
        else:
            total = bolide.stack([n if n.device == home else n.to(home) for n in norms]).norm(norm_type)
    if error_if_nonfinite and not bool(bolide.isfinite(total)):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it "
            "cannot be clipped. To disable this error and scale the gradients by the non-finite norm "
            "anyway, set `error_if_nonfinite=False`"
        )
    return total


def _clip_grads_with_norm_(
    parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scales all gradients by max_norm / total_norm where that is below 1.

    Args:
        parameters: a tensor or an iterable of tensors, whose `.grad` are scaled in place.
        max_norm: the bound.
        total_norm: the norm, from `get_total_norm`.
        foreach: accepted; there is one way to compute it.
    """
    grads = _gradients(parameters)
    if not grads:
        return
    with bolide.no_grad():
        factor = bolide.clamp(float(max_norm) / (total_norm + 1e-6), max=1.0)
        if factor.device.type == "cpu" and factor.item() == 1.0:
            return  # nothing changes, so the gradients need not be read again
        for grad in grads:
            grad.mul_(factor if grad.device == factor.device else factor.to(grad.device))


def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scales all gradients, in place, so that their common norm is at most `max_norm`; returns the norm
    before.

    Args:
        parameters: a tensor or an iterable of tensors.
        max_norm: the bound.
        norm_type: the p of the norm; may be inf.
        error_if_nonfinite: raise RuntimeError where the norm is nan or infinite.
        foreach: accepted; there is one way to compute it.
    """
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    else:
        exhausted = isinstance(parameters, GeneratorType)
        parameters = list(parameters)
        if exhausted and not parameters:
            import warnings

            warnings.warn(
                "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=3
            )
    total = _get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite, foreach)
    _clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The old name of `clip_grad_norm_`."""
    import warnings

    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Holds every gradient's values between -clip_value and clip_value, in place.

    Args:
        parameters: a tensor or an iterable of tensors.
        clip_value: the bound.
        foreach: accepted; there is one way to compute it.
    """
    if not isinstance(parameters, Iterable):
        raise TypeError(
            "clip_grad_value_(): expected a Tensor or an iterable of Tensors, got "
            f"{type(parameters).__name__}"
        )
    bound = float(clip_value)
    with bolide.no_grad():
        for grad in _gradients(parameters):
            grad.clamp_(min=-bound, max=bound)
