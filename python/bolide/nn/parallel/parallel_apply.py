"""Calls of several modules at the same time, a thread for each."""

from __future__ import annotations

import threading
from typing import Any

import bolide

from ..modules.module import Module

__all__ = ["get_a_var", "parallel_apply"]


def get_a_var(obj: Any) -> Any:
    """The first tensor in nested containers, or None."""
    if isinstance(obj, bolide.Tensor):
        return obj
    if isinstance(obj, (list, tuple, dict)):
        for item in obj.items() if isinstance(obj, dict) else obj:
            found = get_a_var(item)
            if found is not None:
                return found
    return None


def parallel_apply(modules: list[Module], inputs: Any, kwargs_tup: Any = None, devices: Any = None) -> list:
    """Each module's result for its inputs. An error in one of the threads is raised here.

    Args:
        modules: the modules.
        inputs: for each the tuple of positional arguments (or one argument).
        kwargs_tup: for each the keyword arguments.
        devices: for each its device.
    """
    if len(modules) != len(inputs):
        raise AssertionError(
            f"The number of modules {len(modules)} is not equal to the number of inputs {len(inputs)}"
        )
    kwargs_tup = kwargs_tup if kwargs_tup is not None else ({},) * len(modules)
    if len(modules) != len(kwargs_tup):
        raise AssertionError(
            f"The number of modules {len(modules)} is not equal to the number of kwargs {len(kwargs_tup)}"
        )
    results: dict[int, Any] = {}
    recording = bolide.is_grad_enabled()

    def work(i: int) -> None:
        args = inputs[i] if isinstance(inputs[i], (list, tuple)) else (inputs[i],)
        try:
            with bolide.set_grad_enabled(recording):
                results[i] = modules[i](*args, **kwargs_tup[i])
        except Exception as error:  # noqa: BLE001 - raised again by the caller
            results[i] = _Failure(error, i)

    if len(modules) == 1:
        work(0)
    else:
        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(modules))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    outputs = [results[i] for i in range(len(modules))]
    for out in outputs:
        if isinstance(out, _Failure):
            raise out.error
    return outputs


class _Failure:
    def __init__(self, error: Exception, replica: int) -> None:
        error.add_note(f"in replica {replica}")
        self.error = error
