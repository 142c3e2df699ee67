"""Pool: the standard one. Its queues carry tensors already, by the reductions."""

from multiprocessing.pool import Pool as _Pool

__all__ = ["Pool"]


class Pool(_Pool):
    """A pool of worker processes: ``map``, ``imap``, ``apply_async`` and the rest of `multiprocessing.pool.Pool`."""

    @staticmethod
    def Process(ctx, *args, **kwds):
        return ctx.Process(*args, **kwds)
