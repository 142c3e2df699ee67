"""The test table: one Row per op. Map: dtypes | Make (deterministic tensors) | Row | rows() | families of
samples.

A row says how to call an op; `test_ops.py` runs every generic test on every row. Samples are written once, as
a function of a
`Make`, and built again for each test with other layouts, dtypes and devices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import bolide as torch

HALVES = (torch.float16, torch.bfloat16)
FLOATS = (torch.float32, torch.float64)
ALL_FLOATS = FLOATS + HALVES
COMPLEX = (torch.complex64, torch.complex128)
INTS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
BOOL = (torch.bool,)
REAL = ALL_FLOATS + INTS + BOOL
NUMBERS = ALL_FLOATS + INTS
DIFFERENTIABLE = ALL_FLOATS + COMPLEX
ALL = REAL + COMPLEX


class Make:
    """Makes the tensors of a row's samples: the same values for every layout and device.

    layout: 'dense' or 'strided' (every tensor of two or more elements is a view with gaps and permuted
    dimensions).
    """

    def __init__(
        self, dtype: Any, device: str = "cpu", layout: str = "dense", requires_grad: bool = False
    ) -> None:
        self.dtype, self.device, self.layout, self.requires_grad = dtype, device, layout, requires_grad
        self.state = 12345
        self.leaves: list[Any] = []

    def _numbers(self, n: int) -> list[float]:
        out = []
        for _ in range(n):
            self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
            out.append((self.state >> 11) / 2**53)
        return out

    def _place(self, values: list[Any], shape: tuple[int, ...], dtype: Any) -> Any:
        t = torch.tensor(values, dtype=dtype).reshape(shape)
        if self.layout == "strided" and t.numel() > 1:
            wide = torch.zeros([2 * s for s in reversed(shape)], dtype=dtype)
            view = wide.permute(list(reversed(range(len(shape)))))[tuple(slice(0, None, 2) for _ in shape)]
            view.copy_(t)
            t = view
        return t if self.device == "cpu" else self._move(t)

    def _move(self, t: Any) -> Any:
        if self.device == "meta":
            return torch.empty_strided(t.shape, t.stride(), dtype=t.dtype, device="meta")
        return t.to(self.device)

    def __call__(
        self, *shape: int, low: float = -2.0, high: float = 2.0, dtype: Any = None, grad: bool = True
    ) -> Any:
        """A tensor of the row's dtype with values in [low, high); a leaf for the gradient tests unless
        grad=False."""
        dtype = dtype or self.dtype
        n = math.prod(shape)
        span = high - low
        values: list[Any] = [low + span * u for u in self._numbers(n)]
        if dtype is torch.bool:
            values = [v > (low + high) / 2 for v in values]
        elif dtype in COMPLEX:
            values = [complex(a, low + span * u) for a, u in zip(values, self._numbers(n), strict=True)]
        elif not dtype.is_floating_point:
            if dtype is torch.uint8:
                values = [abs(v) for v in values]
            values = [int(math.floor(v * 2)) if high - low <= 8 else int(v) for v in values]
            if low > 0:
                values = [max(v, 1) for v in values]
        t = self._place(values, shape, dtype)
        if self.requires_grad and grad and (dtype.is_floating_point or dtype.is_complex):
            t.requires_grad_()
            self.leaves.append(t)
        return t

    def index(self, limit: int, *shape: int, dtype: Any = torch.int64) -> Any:
        """Positions in [0, limit)."""
        return self._place([int(u * limit) for u in self._numbers(math.prod(shape))], shape, dtype)

    def permutation(self, n: int) -> Any:
        order = sorted(range(n), key=lambda i: self._numbers(1)[0])
        return self._place(order, (n,), torch.int64)

    def mask(self, *shape: int) -> Any:
        return self._place([u < 0.5 for u in self._numbers(math.prod(shape))], shape, torch.bool)


Samples = Iterator[tuple[tuple[Any, ...], dict[str, Any]]]


@dataclass
class Bad:
    """A call that must raise: `call(op)` with the exception's type and a part of its text."""

    call: Callable[[Any], Any]
    error: type[BaseException]
    match: str = ""


@dataclass
class Row:
    """How to test one op (all overloads of a name).

    samples   -- samples(m: Make) yields (args, kwargs)
    dtypes    -- dtypes the op must accept as the row's dtype
    ref       -- a function of the same arguments as NumPy arrays, or None
    grad      -- whether to check first and second derivatives (float64)
    random    -- draws random numbers: seeded before each call, no reference, no derivative
    cuda      -- whether it runs on CUDA
    tol       -- relative tolerance against ref, for float32
    """

    op: str
    samples: Callable[[Make], Samples]
    dtypes: tuple[Any, ...] = FLOATS
    ref: Callable[..., Any] | None = None
    grad: bool = True
    second: bool = True
    random: bool = False
    meta: bool = True
    strided: bool = True
    cuda: bool = True
    tol: float = 2e-5
    errors: list[Bad] = field(default_factory=list)
    call: Callable[..., Any] | None = None

    @property
    def function(self) -> Any:
        return self.call or getattr(torch._C._ops, self.op)


TABLE: dict[str, Row] = {}


def row(op: str, samples: Callable[[Make], Samples], dtypes: tuple[Any, ...] = FLOATS, **how: Any) -> None:
    """Adds the row of `op`."""
    assert op not in TABLE, f"two rows for {op}"
    TABLE[op] = Row(op, samples, dtypes, **how)


def rows(
    ops: str | Iterable[str], samples: Callable[[Make], Samples], dtypes: tuple[Any, ...] = FLOATS, **how: Any
) -> None:
    """Adds one row for each of several ops that are called alike."""
    for op in ops.split() if isinstance(ops, str) else ops:
        row(op, samples, dtypes, **how)


# ---- families of samples -----------------------------------------------------------------------


def unary(low: float = -2.0, high: float = 2.0, **kwargs: Any) -> Callable[[Make], Samples]:
    """One tensor: a matrix, a scalar, an empty tensor, a long vector."""

    def samples(m: Make) -> Samples:
        for shape in ((2, 3), (), (0, 3), (67,)):
            yield (m(*shape, low=low, high=high),), dict(kwargs)

    return samples


def binary(
    low: float = -2.0,
    high: float = 2.0,
    other: tuple[float, float] | None = None,
    number: Any = 2,
    **kwargs: Any,
) -> Callable[[Make], Samples]:
    """Two tensors of one shape, broadcast ones, 0-d, empty; and a number when `number` is not None."""
    lo, hi = other or (low, high)

    def samples(m: Make) -> Samples:
        for a, b in (((2, 3), (2, 3)), ((2, 1, 3), (4, 1)), ((), (3,)), ((0, 3), (3,)), ((67,), (67,))):
            yield (m(*a, low=low, high=high), m(*b, low=lo, high=hi)), dict(kwargs)
        if number is not None:
            yield (m(2, 3, low=low, high=high), number), dict(kwargs)

    return samples


def reduction(
    low: float = -2.0, high: float = 2.0, lists: bool = True, empty: bool = True
) -> Callable[[Make], Samples]:
    """All of a tensor, along one dimension, along several, keepdim."""

    def samples(m: Make) -> Samples:
        yield (m(2, 3, 4, low=low, high=high),), {}
        yield (m(low=low, high=high),), {}
        yield (m(2, 3, low=low, high=high), 1), {}
        yield (m(2, 3, low=low, high=high), -2), {"keepdim": True}
        if lists:
            yield (m(2, 3, 4, low=low, high=high), [0, -1]), {}
        if empty:
            yield (m(3, 0, low=low, high=high), 0), {}

    return samples


def along(*shape: int, low: float = -2.0, high: float = 2.0, **kwargs: Any) -> Callable[[Make], Samples]:
    """One tensor and a dimension: first, last, negative."""

    def samples(m: Make) -> Samples:
        for d in (0, len(shape) - 1, -1):
            yield (m(*shape, low=low, high=high), d), dict(kwargs)

    return samples


def calls(*each: Callable[[Make], Any]) -> Callable[[Make], Samples]:
    """One sample for each function of a Make: it returns a tuple of arguments, or (arguments, keywords)."""

    def samples(m: Make) -> Samples:
        for one in each:
            made = one(m)
            if len(made) == 2 and isinstance(made[0], tuple) and isinstance(made[1], dict):
                yield made
            else:
                yield made, {}

    return samples
