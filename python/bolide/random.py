"""Seeds and states of the random number generators."""

import contextlib

from . import _C
from ._C import default_generator
from ._functions import get_rng_state, initial_seed, manual_seed, seed, set_rng_state

__all__ = ["default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state", "thread_safe_generator"]


@contextlib.contextmanager
def fork_rng(devices=None, enabled=True, _caller="fork_rng", _devices_kw="devices", device_type="cuda"):
    """Random numbers drawn inside do not move the generators outside on."""
    if not enabled:
        yield
        return
    from . import cuda

    on_cuda = device_type == "cuda" and cuda.is_available()
    devices = list(range(cuda.device_count())) if devices is None and on_cuda else list(devices or ()) if on_cuda else []
    before = get_rng_state()
    states = [cuda.get_rng_state(d) for d in devices]
    try:
        yield
    finally:
        set_rng_state(before)
        for d, s in zip(devices, states, strict=True):
            cuda.set_rng_state(s, d)


def thread_safe_generator():
    """A generator for this thread, when it is a loader's worker; else None."""
    return None


_ = _C
