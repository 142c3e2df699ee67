"""Queue and SimpleQueue: the standard ones, under the names that programs import."""

from multiprocessing.queues import Queue, SimpleQueue
from multiprocessing.reduction import ForkingPickler

__all__ = ["ForkingPickler", "Queue", "SimpleQueue"]
