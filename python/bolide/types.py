"""Names for annotations."""

import builtins as _builtins
from collections.abc import Sequence
from typing import Any, Union

from . import _C
from ._C import Size, Tensor

__all__ = ["BoolLikeType", "Device", "FileLike", "FloatLikeType", "IntLikeType", "Number", "Storage"]

_int, _float, _bool, _str, _bytes, _complex = int, float, bool, str, bytes, complex
_dtype, _device, _layout, _size = _C.dtype, _C.device, _C.layout, Union[Size, list[int], tuple[int, ...]]
_qscheme = Any
_dispatchkey = Any
_TensorOrTensors = Union[Tensor, Sequence[Tensor]]
_TensorOrTensorsOrGradEdge = _TensorOrTensors
_TensorOrOptionalTensors = Union[Tensor, Sequence[Union[Tensor, None]]]
_symsize = Size
Number = Union[int, float, bool]
_Number = (_builtins.int, _builtins.float, _builtins.bool)
IntLikeType = int
FloatLikeType = float
BoolLikeType = bool
PySymType = Union[int, float, bool]
Device = Union[_device, str, int, None]
FileLike = Any


class Storage:
    """What storages offer, for annotations."""

    def nbytes(self) -> int:
        raise NotImplementedError
