"""Printing: every expectation is the literal text that PyTorch prints for the same tensor."""

import math
from textwrap import dedent

import pytest

import bolide as torch

nan, inf = math.nan, math.inf


@pytest.fixture(autouse=True)
def default_options():
    torch.set_printoptions(profile="default")
    yield
    torch.set_printoptions(profile="default")


def text(block):
    """A triple-quoted expectation without its margin."""
    return dedent(block).strip("\n")


# ---- one element ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, 3.0], "tensor([1., 2., 3.])"),
        ([1.0, 2.5], "tensor([1.0000, 2.5000])"),
        ([0.00001, 1.0], "tensor([1.0000e-05, 1.0000e+00])"),
        ([1.0, 1000.0], "tensor([   1., 1000.])"),
        ([1.0, 2000.0], "tensor([1.0000e+00, 2.0000e+03])"),
        ([1e8, 1e8], "tensor([100000000., 100000000.])"),
        ([1e9], "tensor([1.0000e+09])"),
        ([nan, 1.0, inf], "tensor([nan, 1., inf])"),
        ([nan, 0.5, -inf], "tensor([   nan, 0.5000,   -inf])"),
        ([nan, inf], "tensor([nan, inf])"),
        ([0.0, -0.0], "tensor([0., -0.])"),
        ([0.0, 0.00011], "tensor([0.0000, 0.0001])"),
        ([0.00009], "tensor([9.0000e-05])"),
        ([-1.5, 10.25], "tensor([-1.5000, 10.2500])"),
        ([1, -100], "tensor([   1, -100])"),
        ([True, False], "tensor([ True, False])"),
        ([1 + 2j], "tensor([1.+2.j])"),
        ([1.5 - 2j, -1 + 0.25j], "tensor([ 1.5000-2.0000j, -1.0000+0.2500j])"),
        ([], "tensor([])"),
        (3.14159, "tensor(3.1416)"),
        (7, "tensor(7)"),
        (True, "tensor(True)"),
        (-1e-5, "tensor(-1.0000e-05)"),
        (2.0, "tensor(2.)"),
    ],
)
def test_values(values, expected):
    assert repr(torch.tensor(values)) == expected
    assert str(torch.tensor(values)) == expected


# ---- layout ---------------------------------------------------------------------------------------
def test_matrix():
    assert repr(torch.tensor([[1, 2], [3, 4]])) == text(
        """
        tensor([[1, 2],
                [3, 4]])
        """
    )


def test_three_dimensions():
    assert repr(torch.tensor([[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0], [10.0, 11.0]]])) == text(
        """
        tensor([[[ 0.,  1.],
                 [ 2.,  3.]],

                [[ 4.,  5.],
                 [10., 11.]]])
        """
    )


def test_strided_view_prints_its_own_order():
    assert repr(torch.arange(6).reshape(2, 3).t()) == text(
        """
        tensor([[0, 3],
                [1, 4],
                [2, 5]])
        """
    )


def test_long_row_is_broken_at_the_line_width():
    assert repr(torch.arange(30)) == text(
        """
        tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,
                18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])
        """
    )


def test_summary_of_a_vector():
    assert repr(torch.arange(1001)) == "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    assert "..." not in repr(torch.arange(1000))


def test_summary_of_a_matrix_uses_only_the_shown_elements():
    big = torch.zeros(100, 100)
    big[50, 50] = 123456.0  # not shown, so it must not widen the columns
    assert repr(big) == text(
        """
        tensor([[0., 0., 0.,  ..., 0., 0., 0.],
                [0., 0., 0.,  ..., 0., 0., 0.],
                [0., 0., 0.,  ..., 0., 0., 0.],
                ...,
                [0., 0., 0.,  ..., 0., 0., 0.],
                [0., 0., 0.,  ..., 0., 0., 0.],
                [0., 0., 0.,  ..., 0., 0., 0.]])
        """
    )


def test_summary_keeps_short_dimensions_whole():
    assert repr(torch.arange(1200).reshape(2, 100, 6)) == text(
        """
        tensor([[[   0,    1,    2,    3,    4,    5],
                 [   6,    7,    8,    9,   10,   11],
                 [  12,   13,   14,   15,   16,   17],
                 ...,
                 [ 582,  583,  584,  585,  586,  587],
                 [ 588,  589,  590,  591,  592,  593],
                 [ 594,  595,  596,  597,  598,  599]],

                [[ 600,  601,  602,  603,  604,  605],
                 [ 606,  607,  608,  609,  610,  611],
                 [ 612,  613,  614,  615,  616,  617],
                 ...,
                 [1182, 1183, 1184, 1185, 1186, 1187],
                 [1188, 1189, 1190, 1191, 1192, 1193],
                 [1194, 1195, 1196, 1197, 1198, 1199]]])
        """
    )


# ---- suffixes -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float16", "tensor([1.5000], dtype=torch.float16)"),
        ("bfloat16", "tensor([1.5000], dtype=torch.bfloat16)"),
        ("float64", "tensor([1.5000], dtype=torch.float64)"),
        ("complex64", "tensor([1.5000+0.j])"),
        ("complex128", "tensor([1.5000+0.j], dtype=torch.complex128)"),
        ("uint8", "tensor([1], dtype=torch.uint8)"),
        ("int8", "tensor([1], dtype=torch.int8)"),
        ("int16", "tensor([1], dtype=torch.int16)"),
        ("int32", "tensor([1], dtype=torch.int32)"),
        ("int64", "tensor([1])"),
        ("bool", "tensor([True])"),
    ],
)
def test_dtypes(dtype, expected):
    assert repr(torch.tensor([1.5]).to(getattr(torch, dtype))) == expected


def test_bfloat16_prints_its_rounded_value():
    x = torch.tensor([3.14159, 100.0], dtype=torch.bfloat16)
    assert repr(x) == "tensor([  3.1406, 100.0000], dtype=torch.bfloat16)"


def test_default_dtype_is_not_named():
    torch.set_default_dtype(torch.float64)
    try:
        assert repr(torch.tensor([0.5])) == "tensor([0.5000])"
        assert repr(torch.tensor([0.5], dtype=torch.float32)) == "tensor([0.5000], dtype=torch.float32)"
        assert repr(torch.tensor([1j])) == "tensor([0.+1.j])"
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        ((0,), "float32", "tensor([])"),
        ((0,), "int64", "tensor([], dtype=torch.int64)"),
        ((0, 3), "float32", "tensor([], size=(0, 3))"),
        ((0, 3), "int64", "tensor([], size=(0, 3), dtype=torch.int64)"),
        ((2, 0, 3), "bool", "tensor([], size=(2, 0, 3), dtype=torch.bool)"),
    ],
)
def test_no_elements(shape, dtype, expected):
    assert repr(torch.zeros(shape, dtype=getattr(torch, dtype))) == expected


def test_meta():
    assert repr(torch.empty(2, 3, device="meta")) == "tensor(..., device='meta', size=(2, 3))"
    assert (
        repr(torch.empty(2, dtype=torch.int64, device="meta"))
        == "tensor(..., device='meta', size=(2,), dtype=torch.int64)"
    )


def test_requires_grad_and_grad_fn():
    x = torch.tensor([[0.0, 0.0], [0.0, 0.0]], requires_grad=True)
    assert repr(x) == "tensor([[0., 0.],\n        [0., 0.]], requires_grad=True)"
    assert repr(x + 1) == "tensor([[1., 1.],\n        [1., 1.]], grad_fn=<AddBackward0>)"
    y = torch.tensor([0.25], dtype=torch.float64, requires_grad=True) * 2
    assert repr(y) == "tensor([0.5000], dtype=torch.float64, grad_fn=<MulBackward0>)"
    assert repr(y.detach()) == "tensor([0.5000], dtype=torch.float64)"


def test_suffix_that_does_not_fit_starts_a_line():
    x = torch.arange(13, dtype=torch.float64).requires_grad_()
    assert repr(x) == text(
        """
        tensor([ 0.,  1.,  2.,  3.,  4.,  5.,  6.,  7.,  8.,  9., 10., 11., 12.],
               dtype=torch.float64, requires_grad=True)
        """
    )


def test_parameter():
    x = torch.nn.Parameter(torch.zeros(2))
    assert repr(x) == "Parameter containing:\ntensor([0., 0.], requires_grad=True)"


def test_subclass_prints_its_own_name():
    class Celsius(torch.Tensor):
        pass

    assert repr(torch.tensor([[1.0], [2.0]]).as_subclass(Celsius)) == "Celsius([[1.],\n         [2.]])"


def test_printing_does_not_record():
    x = torch.tensor([1.5, 2.5], requires_grad=True)
    repr(x)
    assert x.grad_fn is None and x.grad is None and torch.is_grad_enabled()


def test_format_strings_use_the_number():
    assert f"{torch.tensor(3.14159):.2f}" == "3.14"
    assert f"{torch.tensor([1, 2])}" == "tensor([1, 2])"


# ---- options --------------------------------------------------------------------------------------
def test_precision():
    torch.set_printoptions(precision=2)
    assert repr(torch.tensor([1.23456])) == "tensor([1.23])"


def test_threshold_and_edgeitems():
    torch.set_printoptions(threshold=5, edgeitems=1)
    assert repr(torch.arange(6)) == "tensor([0,  ..., 5])"


def test_line_width():
    torch.set_printoptions(linewidth=20)
    assert repr(torch.tensor([1.5, 2.5])) == "tensor([1.5000,\n        2.5000])"


def test_sci_mode():
    torch.set_printoptions(sci_mode=True)
    assert repr(torch.tensor([1.0, 20.0])) == "tensor([1.0000e+00, 2.0000e+01])"
    torch.set_printoptions(sci_mode=False)
    assert repr(torch.tensor([1.0, 20000.5])) == "tensor([    1.0000, 20000.5000])"
    torch.set_printoptions()
    assert repr(torch.tensor([1.0, 20000.5])) == "tensor([1.0000e+00, 2.0000e+04])"


def test_no_edge_items():
    torch.set_printoptions(threshold=0, edgeitems=0)
    assert repr(torch.arange(4)) == "tensor([...], size=(4,))"
    assert repr(torch.zeros(2, 2)) == "tensor([...], size=(2, 2))"


def test_profiles():
    torch.set_printoptions(profile="short")
    assert repr(torch.tensor([1.23456])) == "tensor([1.23])"
    torch.set_printoptions(profile="full")
    assert "..." not in repr(torch.arange(2000))
    with pytest.raises(ValueError, match="unknown profile 'wide'"):
        torch.set_printoptions(profile="wide")


def test_printoptions_restores():
    from bolide._tensor_str import get_printoptions, printoptions

    before = get_printoptions()
    with printoptions(precision=1, sci_mode=True):
        assert repr(torch.tensor([1.26])) == "tensor([1.3e+00])"
    assert get_printoptions() == before
