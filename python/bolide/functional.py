"""The functions that PyTorch keeps in torch.functional; they are those of the package."""

import bolide as _bolide

__all__ = ["atleast_1d", "atleast_2d", "atleast_3d", "align_tensors", "broadcast_shapes", "broadcast_tensors", "cartesian_prod", "block_diag",
           "cdist", "chain_matmul", "einsum", "istft", "lu", "norm", "meshgrid", "pca_lowrank", "split", "stft", "svd_lowrank", "tensordot",
           "unique", "unique_consecutive", "unravel_index"]


def __getattr__(name):
    if name in __all__:
        return getattr(_bolide, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
