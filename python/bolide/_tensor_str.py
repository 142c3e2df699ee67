"""Printing of tensors, in PyTorch's layout.

Map: options (set_printoptions) | which elements are shown | how one element is written |
how elements are laid out | the suffixes (device, size, dtype, grad_fn) | the whole text.

The elements that are shown are fetched as nested Python lists by a few `narrow` views and `tolist` calls;
everything after that is plain Python, so printing runs no op per element.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import bolide

__all__ = ["PRINT_OPTS", "get_printoptions", "printoptions", "set_printoptions"]


# ---- options -----------------------------------------------------------------------------------
class _PrintOptions:
    """The current settings; read by everything below, written by `set_printoptions`."""

    __slots__ = ("precision", "threshold", "edgeitems", "linewidth", "sci_mode")

    def __init__(self) -> None:
        self.precision: int = 4
        self.threshold: float = 1000
        self.edgeitems: int = 3
        self.linewidth: int = 80
        self.sci_mode: bool | None = None


PRINT_OPTS = _PrintOptions()

_PROFILES = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed.

    Args:
        precision: digits after the point (4).
        threshold: tensors with more elements than this are summarised (1000).
        edgeitems: elements shown at each end of a summarised dimension (3).
        linewidth: columns of a line (80).
        profile: "default", "short" or "full" sets the four above before they are applied.
        sci_mode: True or False forces scientific notation on or off; None (also when the argument is
            left out) chooses by the values.

    Raises:
        ValueError: the profile is unknown.
    """
    if profile is not None:
        chosen = _PROFILES.get(profile)
        if chosen is None:
            known = ", ".join(_PROFILES)
            raise ValueError(f"set_printoptions: unknown profile {profile!r}, expected one of {known}")
        for name, value in chosen.items():
            setattr(PRINT_OPTS, name, value)
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    for name, value in given.items():
        if value is not None:
            setattr(PRINT_OPTS, name, value)
    PRINT_OPTS.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The current settings, as keyword arguments for `set_printoptions`."""
    return {name: getattr(PRINT_OPTS, name) for name in _PrintOptions.__slots__}


@contextlib.contextmanager
def printoptions(**settings: Any) -> Iterator[None]:
    """Apply `set_printoptions(**settings)` inside a `with` block and restore the old settings after it."""
    before = get_printoptions()
    set_printoptions(**settings)
    try:
        yield
    finally:
        set_printoptions(**before)


# ---- which elements are shown --------------------------------------------------------------------
def _join(head: list, tail: list, depth: int) -> list:
    """Append `tail` to `head` along the nesting level `depth`."""
    if depth == 0:
        return head + tail
    return [_join(a, b, depth - 1) for a, b in zip(head, tail)]


def _edges(tensor: Any, dim: int = 0) -> Any:
    """The nested list of the elements a summary shows: of every long dimension, both ends."""
    edge = PRINT_OPTS.edgeitems
    while dim < tensor.dim() and tensor.size(dim) <= 2 * edge:
        dim += 1
    if dim == tensor.dim():
        return tensor.tolist()
    head = _edges(tensor.narrow(dim, 0, edge), dim + 1)
    tail = _edges(tensor.narrow(dim, tensor.size(dim) - edge, edge), dim + 1)
    return _join(head, tail, dim)


def _flatten(values: Any) -> list:
    """All elements of a nested list, in order."""
    if not isinstance(values, list):
        return [values]
    while values and isinstance(values[0], list):
        values = [item for row in values for item in row]
    return values


# ---- how one element is written ------------------------------------------------------------------
class _Format:
    """Text of one element: `text(value)` is right-aligned to `width`."""

    def __init__(self, text: Callable[[Any], str], width: int) -> None:
        self.text = text
        self.width = width


def _plain_format(values: list) -> _Format:
    """Integers and bools."""
    width = max((len(str(value)) for value in values), default=0)
    return _Format(lambda value: str(value).rjust(width), width)


def _float_format(values: list[float]) -> _Format:
    """Whole numbers, fixed point or scientific: the finite non-zero values decide."""
    digits = PRINT_OPTS.precision
    deciding = [value for value in values if value != 0 and math.isfinite(value)]
    whole, scientific = True, False
    if deciding:
        largest, smallest = max(map(abs, deciding)), min(map(abs, deciding))
        whole = all(value.is_integer() for value in deciding)
        scientific = largest / smallest > 1000 or largest > 1e8 or (not whole and smallest < 1e-4)
        if PRINT_OPTS.sci_mode is not None:
            scientific = PRINT_OPTS.sci_mode
    finite = f"%.{digits}e" if scientific else "%.0f." if whole else f"%.{digits}f"
    width = max((len(finite % value) for value in deciding), default=1)
    return _Format(lambda value: (finite % value if math.isfinite(value) else str(value)).rjust(width), width)


def _complex_format(values: list[complex]) -> _Format:
    """Real and imaginary parts, each in a format of its own."""
    real = _float_format([value.real for value in values])
    imaginary = _float_format([value.imag for value in values])

    def text(value: complex) -> str:
        second = imaginary.text(value.imag).lstrip()
        return real.text(value.real) + ("" if second[0] in "+-" else "+") + second + "j"

    return _Format(text, real.width + imaginary.width + 1)


def _choose_format(values: list, dtype: Any) -> _Format:
    if dtype.is_complex:
        return _complex_format(values)
    return _float_format(values) if dtype.is_floating_point else _plain_format(values)


# ---- how elements are laid out -------------------------------------------------------------------
def _row(values: list, size: int, indent: int, summarise: bool, form: _Format) -> str:
    """One dimension: elements joined by commas, broken into lines that fit."""
    items = [form.text(value) for value in values]
    edge = PRINT_OPTS.edgeitems
    if summarise and size > 2 * edge:
        items[edge:edge] = [" ..."] if edge else ["..."]
    per_line = max(1, (PRINT_OPTS.linewidth - indent) // (form.width + 2))
    lines = [", ".join(items[start : start + per_line]) for start in range(0, len(items), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _nested(values: Any, shape: list[int], indent: int, summarise: bool, form: _Format) -> str:
    """The text of a nested list whose tensor has the given (whole) shape."""
    if not shape:
        return form.text(values)
    if len(shape) == 1:
        return _row(values, shape[0], indent, summarise, form)
    items = [_nested(value, shape[1:], indent + 1, summarise, form) for value in values]
    edge = PRINT_OPTS.edgeitems
    if summarise and shape[0] > 2 * edge:
        items[edge:edge] = ["..."]
    return "[" + ("," + "\n" * (len(shape) - 1) + " " * (indent + 1)).join(items) + "]"


def _tensor_str(self: Any, indent: int) -> str:
    """The text of the elements alone, where its first character stands in column `indent`."""
    if self.numel() == 0:
        return "[]"
    summarise = self.numel() > PRINT_OPTS.threshold
    values = _edges(self) if summarise else self.tolist()
    form = _choose_format(_flatten(values), self.dtype)
    return _nested(values, list(self.shape), indent, summarise, form)


# ---- the suffixes --------------------------------------------------------------------------------
def _dtype_is_implied(dtype: Any) -> bool:
    """Whether the elements' text alone tells the dtype."""
    default = bolide.get_default_dtype()
    if dtype in (default, bolide.int64, bolide.bool):
        return True
    return dtype is (bolide.complex128 if default is bolide.float64 else bolide.complex64)


def _grad_suffix(self: Any) -> str | None:
    try:
        node = self.grad_fn
    except RuntimeError:  # a view whose history an in-place write made unusable
        return "grad_fn=<Invalid>"
    if node is not None:
        return f"grad_fn=<{node.name().rsplit('::', 1)[-1]}>"
    return "requires_grad=True" if self.requires_grad else None


def _suffixes(self: Any) -> list[str]:
    out = []
    size = f"size={tuple(self.shape)}"
    meta, empty = self.device.type == "meta", self.numel() == 0
    if self.device.type != "cpu":
        out.append(f"device='{self.device}'")
    # With no edge items a summary may show nothing at all, so the size is always given then.
    if meta or (empty and self.dim() != 1) or (PRINT_OPTS.edgeitems == 0 and not empty):
        out.append(size)
    # Without elements to read it from, every dtype but the default one is named.
    implied = self.dtype is bolide.get_default_dtype() if meta or empty else _dtype_is_implied(self.dtype)
    if not implied:
        out.append(f"dtype={self.dtype}")
    gradient = _grad_suffix(self)
    return out if gradient is None else [*out, gradient]


# ---- the whole text ------------------------------------------------------------------------------
def _with_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    """Append the suffixes, each on the current line if it fits and on a new one otherwise."""
    column = len(text) - (text.rfind("\n") + 1) + 2
    parts = [text]
    for suffix in suffixes:
        if column + len(suffix) + 2 > PRINT_OPTS.linewidth:
            parts.append(",\n" + " " * indent + suffix)
            column = indent + len(suffix)
        else:
            parts.append(", " + suffix)
            column += len(suffix) + 2
    return "".join(parts) + ")"


def _str(self: Any, *, tensor_contents: str | None = None) -> str:
    """What `repr(tensor)` prints; `tensor_contents` replaces the text of the elements.

    A `Parameter` prints as a plain tensor here (its own repr adds a heading); other subclasses print
    under their own name.
    """
    kind = type(self)
    plain = kind is bolide.Tensor or kind is bolide.nn.Parameter
    prefix = "tensor(" if plain else f"{kind.__name__}("
    indent = len(prefix)
    suffixes = _suffixes(self)
    if tensor_contents is None:
        if self.device.type == "meta":
            tensor_contents = "..."
        else:
            with bolide.no_grad():
                tensor_contents = _tensor_str(self.detach(), indent)
    return _with_suffixes(prefix + tensor_contents, suffixes, indent)
