"""Rows of the slopes of activations."""

from .table import ALL_FLOATS, COMPLEX, FLOATS, calls, row

row("silu_backward", calls(lambda m: (m(7), m(7))), ALL_FLOATS + COMPLEX)
row("leaky_relu_backward", calls(lambda m: (m(7), m(7), 0.1)), FLOATS)
row("hardtanh_backward", calls(lambda m: (m(7), m(7), -1, 1)), FLOATS)
