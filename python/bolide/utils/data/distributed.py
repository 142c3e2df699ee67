"""The sampler that deals one dataset out to several processes."""

import math

import bolide

from .sampler import Sampler

__all__ = ["DistributedSampler"]


def _process_group():
    """(number of processes, rank) of the default group; throws ValueError without one."""
    distributed = getattr(bolide, "distributed", None)
    if distributed is None or not distributed.is_available():
        raise RuntimeError("Requires distributed package to be available")
    if not distributed.is_initialized():
        raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")
    return distributed.get_world_size(), distributed.get_rank()


class DistributedSampler(Sampler):
    """Every ``num_replicas``-th key from ``rank`` on, of an order that all processes share.

    shuffle: the order is random, from ``seed`` + epoch (call ``set_epoch`` each epoch, or it stays the same).
    drop_last: leaves keys out so that all get as many, else some are given twice.
    """

    def __init__(self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False):
        if num_replicas is None or rank is None:
            size, own = _process_group()
            num_replicas = size if num_replicas is None else num_replicas
            rank = own if rank is None else rank
        if rank >= num_replicas or rank < 0:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.epoch, self.shuffle, self.seed, self.drop_last = 0, shuffle, seed, drop_last
        n = len(dataset)
        if drop_last and n % num_replicas != 0:
            self.num_samples = math.ceil((n - num_replicas) / num_replicas)
        else:
            self.num_samples = math.ceil(n / num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self):
        n = len(self.dataset)
        if self.shuffle:
            keys = bolide.randperm(n, generator=bolide.Generator().manual_seed(self.seed + self.epoch)).tolist()
        else:
            keys = list(range(n))
        if self.drop_last:
            keys = keys[:self.total_size]
        elif keys:
            keys += (keys * math.ceil((self.total_size - n) / n))[:self.total_size - n]
        assert len(keys) == self.total_size
        return iter(keys[self.rank:self.total_size:self.num_replicas])

    def __len__(self):
        return self.num_samples

    def set_epoch(self, epoch):
        """Chooses the epoch's order."""
        self.epoch = epoch
