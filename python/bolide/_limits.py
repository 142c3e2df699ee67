"""finfo and iinfo: the limits of dtypes."""

from . import _C

__all__ = ["finfo", "iinfo"]

# bits of exponent and mantissa, bias, largest value; eps and the smallest normal number follow
_FLOATS = {
    _C.float16: (10, 15, 65504.0, 1e-3), _C.bfloat16: (7, 127, 3.3895313892515355e38, 1e-2),
    _C.float32: (23, 127, 3.4028234663852886e38, 1e-6), _C.float64: (52, 1023, 1.7976931348623157e308, 1e-15),
    _C.float8_e4m3fn: (3, 7, 448.0, 1.0), _C.float8_e5m2: (2, 15, 57344.0, 1.0), _C.float8_e4m3fnuz: (3, 8, 240.0, 1.0),
    _C.float8_e5m2fnuz: (2, 16, 57344.0, 1.0), _C.float8_e8m0fnu: (0, 127, 1.7014118346046923e38, 1.0),
}
_INTS = {_C.uint8, _C.int8, _C.int16, _C.int32, _C.int64, _C.uint16, _C.uint32, _C.uint64}


class _Info:
    __slots__ = ("_dtype", "bits", "dtype")

    def __eq__(self, other):
        return type(self) is type(other) and self._dtype is other._dtype

    __hash__ = None

    def __reduce__(self):
        return type(self), (self._dtype,)


def _check(name, dtype):
    if not isinstance(dtype, _C.dtype):
        raise TypeError(f"{name}(): argument 'type' (position 1) must be torch.dtype, not {type(dtype).__name__}")


class finfo(_Info):
    """finfo(dtype): bits, eps, max, min, tiny, smallest_normal, resolution of a floating-point dtype (or of a complex one's parts)."""

    __slots__ = ("eps", "max", "min", "resolution", "smallest_normal", "tiny")

    def __init__(self, type=None):
        type = _C.get_default_dtype() if type is None else type
        _check("finfo", type)
        if not type.is_floating_point and not type.is_complex:
            raise TypeError("torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'")
        self._dtype = real = type.to_real()
        if real not in _FLOATS:
            raise NotImplementedError(f"\"epsilon\" not implemented for '{str(real)[6:].capitalize()}'")
        mantissa, bias, self.max, self.resolution = _FLOATS[real]
        self.dtype, self.bits = str(real)[6:], real.itemsize * 8
        self.eps = 2.0**-mantissa
        if real is _C.float8_e5m2fnuz:
            self.eps = 0.125
        self.tiny = self.smallest_normal = 2.0 ** (1 - bias) if mantissa else 2.0**-127
        self.min = -self.max if mantissa else self.tiny
        if real is _C.float8_e8m0fnu:
            self.resolution = 1.0

    def __repr__(self):
        return (f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
                f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})")


class iinfo(_Info):
    """iinfo(dtype): bits, min and max of an integer dtype."""

    __slots__ = ("max", "min")

    def __init__(self, type):
        _check("iinfo", type)
        if type is _C.bool:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        if type not in _INTS:
            raise TypeError("torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'")
        self._dtype, self.dtype, self.bits = type, str(type)[6:], type.itemsize * 8
        self.min = -(1 << (self.bits - 1)) if type.is_signed else 0
        self.max = (1 << (self.bits - 1 if type.is_signed else self.bits)) - 1

    def __repr__(self):
        return f"iinfo(min={float(self.min):g}, max={float(self.max):g}, dtype={self.dtype})"


for _cls in (finfo, iinfo):
    _cls.__module__ = "bolide"
