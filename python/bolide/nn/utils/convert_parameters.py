"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

import bolide
from bolide import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def _check_param_device(param: Tensor, old_param_device: int | None) -> int:
    """The parameter's device as a number (-1 for the CPU). TypeError when it differs from the others'."""
    own = param.get_device() if param.is_cuda else -1
    if old_param_device is not None and own != old_param_device:
        raise TypeError("Found two parameters on different devices, this is currently not supported.")
    return own


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters one after another in one vector."""
    device, pieces = None, []
    for param in parameters:
        device = _check_param_device(param, device)
        pieces.append(param.view(-1))
    return bolide.cat(pieces)


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Gives the parameters the values of a vector; they become views of it."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {bolide.typename(vec)}")
    device, start = None, 0
    for param in parameters:
        device = _check_param_device(param, device)
        count = param.numel()
        param.data = vec[start : start + count].view_as(param).data
        start += count
