"""Where the functions of this package find their ops.

`ops.name` is the core's op of that name. An op that the core lacks is taken from the `_composed_*` files beside this one,
which build it from other ops; one that is in neither raises NotImplementedError with its name. Each name is looked up once.
"""

from __future__ import annotations

import importlib
from typing import Any

from bolide import _C

# Which file holds the composed form of an op.
_HOMES = {
    "activation": "celu celu_ elu elu_ glu hardsigmoid hardsigmoid_ hardswish hardswish_ hardtanh hardtanh_ "
                  "leaky_relu_ mish mish_ prelu relu_ rrelu rrelu_ selu selu_ silu_ "
                  "softplus",
    "conv": "col2im im2col",
    "norm": "embedding_bag embedding_renorm_",
    "resize": "upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d "
              "_upsample_nearest_exact2d _upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d "
              "upsample_trilinear3d upsample_bicubic2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa grid_sampler "
              "affine_grid_generator pad pixel_shuffle pixel_unshuffle channel_shuffle",
    "loss": "cosine_similarity ctc_loss multi_margin_loss multilabel_margin_loss one_hot pairwise_distance pdist",
    "random": "alpha_dropout alpha_dropout_ dropout_ feature_alpha_dropout feature_alpha_dropout_ feature_dropout "
              "feature_dropout_ scaled_dot_product_attention",
    "rnn": "gru gru_cell lstm lstm_cell rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


class _Ops:
    """Ops as attributes."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(_C._ops, name, None)
        if found is None:
            home = _HOME_OF.get(name)
            if home is None:
                raise NotImplementedError(f"the op '{name}' is not built")
            found = getattr(importlib.import_module(f"{__package__}._composed_{home}"), name)
        self.__dict__[name] = found
        return found


ops = _Ops()


def has(name: str) -> bool:
    """Whether the core itself has the op."""
    return getattr(_C._ops, name, None) is not None


def direct(name: str) -> Any:
    """The op itself where the core has it, for functions that add nothing to it; else a function that finds it when called."""
    found = getattr(_C._ops, name, None)
    if found is not None:
        return found

    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(ops, name)(*args, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"The op `{name}`."
    return call
