"""`multiprocessing` whose queues, pipes and process arguments carry tensors through shared memory.

A tensor that is sent is moved into shared memory, so sender and receiver see the same values. How: by the strategy
"file_descriptor" (anonymous memory, which needs no room in /dev/shm) or "file_system" (named memory, which keeps no
descriptors open).
"""

import multiprocessing
import sys
from multiprocessing import *  # noqa: F403

__all__ = ["get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy"]
__all__ += multiprocessing.__all__  # type: ignore[attr-defined]  # noqa: PLE0605

_all_sharing_strategies = {"file_descriptor", "file_system"} if sys.platform.startswith("linux") else {"file_system"}
_sharing_strategy = "file_descriptor" if sys.platform.startswith("linux") else "file_system"


def set_sharing_strategy(new_strategy):
    """Chooses "file_descriptor" or "file_system" for tensors that are shared from now on."""
    global _sharing_strategy
    assert new_strategy in _all_sharing_strategies, \
        f"invalid sharing strategy {new_strategy!r}, expected one of {_all_sharing_strategies}"
    _sharing_strategy = new_strategy


def get_sharing_strategy():
    """How tensors are shared now."""
    return _sharing_strategy


def get_all_sharing_strategies():
    """The strategies of this system."""
    return _all_sharing_strategies


from . import reductions  # noqa: E402
from .pool import Pool  # noqa: E402, F401
from .reductions import init_reductions  # noqa: E402
from .spawn import (  # noqa: E402, F401
    ENV_VAR_PARALLEL_START,
    ProcessContext,
    ProcessExitedException,
    ProcessRaisedException,
    SpawnContext,
    spawn,
    start_processes,
)

init_reductions()
