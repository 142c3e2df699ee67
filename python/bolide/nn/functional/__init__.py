"""Functions of neural networks: what the modules call, without parameters of their own.

Hot functions are one op; most others are a few. Files: _activation, _conv (linear and convolutions, folding), _pool, _norm
(normalisation, embedding), _dropout, _loss, _vision (padding, resizing, sampling), _attention. Ops come through _ops.
"""

from . import _activation, _attention, _conv, _dropout, _loss, _norm, _pool, _vision
from ._activation import *  # noqa: F403
from ._attention import *  # noqa: F403
from ._attention import (  # noqa: F401
    _canonical_mask,
    _in_projection,
    _in_projection_packed,
    _mha_shape_check,
    _none_or_dtype,
)
from ._conv import *  # noqa: F403
from ._dropout import *  # noqa: F403
from ._loss import *  # noqa: F403
from ._norm import *  # noqa: F403
from ._norm import _verify_batch_size  # noqa: F401
from ._pool import *  # noqa: F403
from ._pool import _unpool_output_size  # noqa: F401
from ._vision import *  # noqa: F403

__all__ = [name for part in (_activation, _attention, _conv, _dropout, _loss, _norm, _pool, _vision) for name in part.__all__]

# Pickles name functions by module and name: this package is where PyTorch has them.
for _name in __all__:
    _function = globals()[_name]
    if type(_function).__name__ == "function":
        _function.__module__ = __name__
del _name, _function
