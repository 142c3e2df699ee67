"""torch.FloatTensor and its kin: classes that make tensors of one dtype and recognise them by isinstance."""

from . import _C
from ._C import Tensor

NAMES = {_C.float32: "FloatTensor", _C.float64: "DoubleTensor", _C.float16: "HalfTensor", _C.bfloat16: "BFloat16Tensor",
         _C.uint8: "ByteTensor", _C.int8: "CharTensor", _C.int16: "ShortTensor", _C.int32: "IntTensor", _C.int64: "LongTensor",
         _C.bool: "BoolTensor", _C.complex32: "ComplexHalfTensor", _C.complex64: "ComplexFloatTensor", _C.complex128: "ComplexDoubleTensor",
         _C.uint16: "UInt16Tensor", _C.uint32: "UInt32Tensor", _C.uint64: "UInt64Tensor", _C.float8_e5m2: "Float8_e5m2Tensor",
         _C.float8_e4m3fn: "Float8_e4m3fnTensor", _C.float8_e5m2fnuz: "Float8_e5m2fnuzTensor",
         _C.float8_e4m3fnuz: "Float8_e4m3fnuzTensor", _C.float8_e8m0fnu: "Float8_e8m0fnuTensor"}


class _TensorType(type):
    """The class of these classes."""

    def __call__(cls, *args, **kwargs):
        if cls.is_cuda:
            return Tensor.new(_C.empty(0, dtype=cls.dtype, device="cuda"), *args, **kwargs)
        return Tensor.new(_C.empty(0, dtype=cls.dtype, device="cpu"), *args, **kwargs)

    def __instancecheck__(cls, obj):
        return isinstance(obj, Tensor) and obj.dtype is cls.dtype and obj.is_cuda == cls.is_cuda

    def __repr__(cls):
        return f"<class 'torch.{'cuda.' if cls.is_cuda else ''}{cls.__name__}'>"

    def type(cls):
        return f"torch.{'cuda.' if cls.is_cuda else ''}{cls.__name__}"


def _make(name, dtype, cuda):
    return _TensorType(name, (), {"dtype": dtype, "is_cuda": cuda, "is_sparse": False, "layout": _C.strided, "__module__": "torch"})


CLASSES = {name: _make(name, dtype, False) for dtype, name in NAMES.items()}
CUDA_CLASSES = {name: _make(name, dtype, True) for dtype, name in NAMES.items()}
tensortype = _TensorType


def type_name(tensor):
    """'torch.FloatTensor', 'torch.cuda.LongTensor'."""
    return f"torch.{'cuda.' if tensor.is_cuda else ''}{NAMES[tensor.dtype]}"


def target(spec):
    """(dtype, device or None) that a type's name, a dtype or one of the classes means."""
    if isinstance(spec, _C.dtype):
        return spec, None
    if isinstance(spec, _TensorType):
        return spec.dtype, "cuda" if spec.is_cuda else "cpu"
    if spec is Tensor or spec in ("torch.Tensor", "Tensor"):
        return _C.get_default_dtype(), "cpu"
    if isinstance(spec, str):
        for dtype, name in NAMES.items():
            if spec in (f"torch.{name}", f"torch.cuda.{name}"):
                return dtype, "cuda" if ".cuda." in spec else "cpu"
        raise ValueError(f"invalid type: '{spec}'")
    if isinstance(spec, type):
        raise TypeError(f"invalid type object: {spec.__name__}")
    raise TypeError("dtype must be a type, str, or dtype object")


def set_default_tensor_type(t):
    """The class (or name) of tensors that torch.Tensor(...) and factories make by default."""
    dtype, device = target(t)
    if not dtype.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    _C.set_default_dtype(dtype)
    _C._set_default_device(None if device == "cpu" else device)
