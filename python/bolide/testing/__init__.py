"""Comparisons for tests."""

from ._comparison import assert_allclose, assert_close
from ._making import make_tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]
