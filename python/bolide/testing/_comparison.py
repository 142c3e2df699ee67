"""assert_close: compares tensors, numbers and containers of them, and says what differs in PyTorch's words."""

import cmath
from collections.abc import Mapping, Sequence

import bolide

# relative and absolute tolerance by dtype; other dtypes are compared exactly
_TOLERANCES = {
    "float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7),
    "complex32": (1e-3, 1e-5), "complex64": (1.3e-6, 1e-5), "complex128": (1e-7, 1e-7),
}


def default_tolerances(*inputs):
    """The largest tolerances of the dtypes of ``inputs``."""
    found = [_TOLERANCES.get(str(getattr(x, "dtype", x)).removeprefix("torch."), (0.0, 0.0)) for x in inputs]
    return max(r for r, _ in found), max(a for _, a in found)


def _place(path):
    return "" if not path else f"\n\nThe failure occurred for item {''.join(f'[{p!r}]' for p in path)}"


class _Comparison:
    def __init__(self, **settings):
        self.__dict__.update(settings)

    def fail(self, text, path, kind=AssertionError):
        text += _place(path)
        if self.msg is not None and kind is AssertionError:
            text = self.msg(text) if callable(self.msg) else self.msg
        raise kind(text)

    # ---- structure -------------------------------------------------------------------------------
    def compare(self, actual, expected, path=()):
        if isinstance(actual, str) or isinstance(expected, str):
            return self.objects(actual, expected, path)
        if isinstance(actual, Sequence) and isinstance(expected, Sequence):
            return self.sequences(actual, expected, path)
        if isinstance(actual, Mapping) and isinstance(expected, Mapping):
            return self.mappings(actual, expected, path)
        if actual is None or expected is None:
            if actual is not expected:
                self.fail(f"None mismatch: {actual} is not {expected}", path)
            return None
        if isinstance(actual, bolide.Tensor) and isinstance(expected, bolide.Tensor):
            return self.tensors(actual, expected, path)
        if isinstance(actual, bool) and isinstance(expected, bool):
            if actual is not expected:
                self.fail(f"Booleans mismatch: {actual} is not {expected}", path)
            return None
        numbers = (int, float, complex)
        if isinstance(actual, numbers) and isinstance(expected, numbers):
            return self.numbers(actual, expected, path)
        return self.arrays(actual, expected, path)

    def sequences(self, actual, expected, path):
        if len(actual) != len(expected):
            self.fail(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", path)
        for i, (a, b) in enumerate(zip(actual, expected, strict=True)):
            self.compare(a, b, (*path, i))

    def mappings(self, actual, expected, path):
        missing, extra = sorted(set(expected) - set(actual), key=str), sorted(set(actual) - set(expected), key=str)
        if missing or extra:
            self.fail(f"The keys of the mappings do not match:\nMissing keys in the actual mapping: {missing}\n"
                      f"Additional keys in the actual mapping: {extra}", path)
        for key in actual:
            self.compare(actual[key], expected[key], (*path, key))

    def objects(self, actual, expected, path):
        if actual != expected:
            self.fail(f"Object comparison failed: {actual!r} != {expected!r}", path)

    def arrays(self, actual, expected, path):
        try:
            both = [bolide.as_tensor(x) if not isinstance(x, bolide.Tensor) else x for x in (actual, expected)]
        except (TypeError, ValueError, RuntimeError):
            both = None
        direct = type(actual) is type(expected) or isinstance(actual, type(expected)) or isinstance(expected, type(actual))
        if both is None or (not direct and not self.allow_subclasses) or not direct:
            self.fail(f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.", path, TypeError)
        self.tensors(*both, path)

    # ---- values ----------------------------------------------------------------------------------
    def tolerances(self, *inputs):
        if self.rtol is not None:
            return self.rtol, self.atol
        return default_tolerances(*inputs)

    def numbers(self, actual, expected, path):
        if self.check_dtype and type(actual) is not type(expected):
            self.fail(f"The (d)types do not match: {type(actual)} != {type(expected)}", path)
        kind = {int: bolide.int64, float: bolide.float64, complex: bolide.complex128}
        rtol, atol = self.tolerances(*(kind.get(type(x), bolide.int64) for x in (actual, expected)))
        difference, tolerance = abs(actual - expected), atol + rtol * abs(expected)
        both_nan = self.equal_nan and cmath.isnan(actual) and cmath.isnan(expected)
        if actual == expected or both_nan or (cmath.isfinite(difference) and difference <= tolerance):
            return
        if rtol == 0 and atol == 0:
            self.fail(f"Scalars are not equal!\n\nExpected {expected} but got {actual}.\nAbsolute difference: {difference}\n"
                      f"Relative difference: {difference / abs(expected) if expected else float('inf')}", path)
        relative = difference / abs(expected) if expected else float("inf")
        self.fail(f"Scalars are not close!\n\nExpected {expected} but got {actual}.\nAbsolute difference: {difference} (up to {atol} allowed)\n"
                  f"Relative difference: {relative} (up to {rtol} allowed)", path)

    def attributes(self, actual, expected, path):
        def differ(what, a, b):
            self.fail(f"The values for attribute '{what}' do not match: {a} != {b}.", path)

        if actual.shape != expected.shape:
            differ("shape", actual.shape, expected.shape)
        if actual.layout != expected.layout and self.check_layout:
            differ("layout", actual.layout, expected.layout)
        if self.check_device and actual.device != expected.device:
            differ("device", actual.device, expected.device)
        if self.check_dtype and actual.dtype != expected.dtype:
            differ("dtype", actual.dtype, expected.dtype)
        if self.check_stride and actual.stride() != expected.stride():
            differ("stride()", actual.stride(), expected.stride())

    def tensors(self, actual, expected, path):
        self.attributes(actual, expected, path)
        if actual.device.type == "meta" or expected.device.type == "meta":
            return
        rtol, atol = self.tolerances(actual, expected)
        with bolide.no_grad():
            a, b = actual.detach().cpu(), expected.detach().cpu()
            common = a.dtype if a.dtype is b.dtype else bolide.promote_types(a.dtype, b.dtype)
            wide = bolide.complex128 if common.is_complex else bolide.float64 if common.is_floating_point else bolide.int64
            a, b = a.to(wide), b.to(wide)
            good = a == b
            difference = (a - b).abs()
            if rtol or atol:
                good = good | ((difference <= atol + rtol * b.abs()) & (difference.isfinite() if wide is not bolide.int64 else True))
            if self.equal_nan and wide is not bolide.int64:
                good = good | ((a != a) & (b != b))
            if not bool(good.all()):
                self.report(a, b, difference, good, rtol, atol, path)

    def report(self, a, b, difference, good, rtol, atol, path):
        exact = rtol == 0 and atol == 0
        if a.dim() == 0:
            actual, expected = a.item(), b.item()
            text = f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {expected} but got {actual}.\n"
            largest, relative = difference.item(), difference.item() / abs(expected) if expected else float("inf")
            where = lambda index: ""  # noqa: E731
            biggest = [(largest, None, "Absolute"), (relative, None, "Relative")]
        else:
            bad, total = int((~good).sum()), good.numel()
            text = f"Tensor-likes are not {'equal' if exact else 'close'}!\n\nMismatched elements: {bad} / {total} ({bad / total:.1%})\n"
            difference = difference.to(bolide.float64)
            relative = difference / b.abs().to(bolide.float64)
            hidden = bolide.zeros((), dtype=bolide.float64)
            biggest = []
            for values, kind in ((difference, "absolute"), (relative, "relative")):
                shown = bolide.where(good, hidden, values)
                at = int(shown.flatten().argmax())
                place, rest = [], at
                for size in reversed(a.shape):
                    rest, i = divmod(rest, size)
                    place.insert(0, i)
                value = shown.flatten()[at].item()
                if a.dtype is bolide.int64 and kind == "absolute":
                    value = int(value)
                biggest.append((value, tuple(place), "Greatest " + kind))
            where = lambda index: f" at index {index}"  # noqa: E731
        for (value, index, kind), allowed in zip(biggest, (atol, rtol), strict=True):
            text += f"{kind} difference: {value}{where(index)}" + ("" if exact else f" (up to {allowed} allowed)") + "\n"
        self.fail(text.rstrip("\n"), path)


def assert_close(actual, expected, *, allow_subclasses=True, rtol=None, atol=None, equal_nan=False, check_device=True, check_dtype=True,
                 check_layout=True, check_stride=False, msg=None):
    """AssertionError unless |actual - expected| <= atol + rtol * |expected|, element by element, with equal shapes, dtypes
    and devices. Tolerances follow from the dtype; give both or none. Containers are compared item by item."""
    if (rtol is None) != (atol is None):
        raise ValueError(f"Both 'rtol' and 'atol' must be either specified or unspecified, but got no {'rtol' if rtol is None else 'atol'}.")
    comparison = _Comparison(allow_subclasses=allow_subclasses, rtol=rtol, atol=atol, equal_nan=equal_nan, check_device=check_device,
                             check_dtype=check_dtype, check_layout=check_layout, check_stride=check_stride, msg=msg)
    comparison.compare(actual, expected)


def assert_allclose(actual, expected, rtol=None, atol=None, equal_nan=True, msg=""):
    """The older form: dtypes and devices may differ."""
    actual, expected = (x if isinstance(x, bolide.Tensor) else bolide.tensor(x) for x in (actual, expected))
    if rtol is None and atol is None:
        rtol, atol = default_tolerances(actual, expected)
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_device=True, check_dtype=False, msg=msg or None)
