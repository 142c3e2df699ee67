"""Page-locked copies of batches, for fast transfers to an accelerator."""

import collections.abc
import contextlib
import copy

import bolide

__all__ = []


def pin_memory(data, device=None):
    """The data with its tensors copied to page-locked memory; objects with ``pin_memory`` do it themselves."""
    if isinstance(data, bolide.Tensor):
        return data.pin_memory()
    if hasattr(data, "pin_memory"):
        return data.pin_memory()
    if isinstance(data, (str, bytes)):
        return data
    if isinstance(data, collections.abc.Mapping):
        return _mapping(data, device)
    if isinstance(data, tuple):
        items = [pin_memory(d, device) for d in data]
        return type(data)(*items) if hasattr(data, "_fields") else items
    if isinstance(data, collections.abc.Sequence):
        return _sequence(data, device)
    return data


def _mapping(data, device):
    fields = {k: pin_memory(v, device) for k, v in data.items()}
    with contextlib.suppress(TypeError):
        if isinstance(data, collections.abc.MutableMapping):
            clone = copy.copy(data)
            clone.update(fields)
            return clone
        return type(data)(fields)
    return fields


def _sequence(data, device):
    items = [pin_memory(d, device) for d in data]
    with contextlib.suppress(TypeError):
        if isinstance(data, collections.abc.MutableSequence):
            clone = copy.copy(data)
            clone[:] = items
            return clone
        return type(data)(items)
    return items
