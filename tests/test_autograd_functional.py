"""Jacobians, Hessians, their products; gradcheck and gradgradcheck."""

import bolide as torch
import pytest
from bolide.autograd import functional as A
from bolide.autograd import gradcheck, gradgradcheck
from bolide.autograd.gradcheck import GradcheckError

F64 = torch.float64
X, Y = torch.tensor([1.0, 2.0]), torch.tensor([3.0])


def test_jacobians():
    assert A.jacobian(lambda v: v**2 * v.sum(), X).tolist() == [[7, 1], [4, 16]]
    two = A.jacobian(lambda a, b: (a * b, a.sum()), (X, Y))
    assert [[t.tolist() for t in row] for row in two] == [[[[3, 0], [0, 3]], [[1], [2]]], [[1, 1], [0]]]
    assert A.jacobian(lambda a: a.sum(), X).shape == (2,) and A.jacobian(lambda a: a[:0], X).shape == (0, 2)
    assert A.jacobian(lambda a: Y, X).tolist() == [[0, 0]]


def test_hessians():
    assert A.hessian(lambda v: (v**3).sum() * v[0], X).tolist() == [[12, 12], [12, 12]]
    ((aa, ab), (ba, bb)) = A.hessian(lambda a, b: (a**2 * b).sum(), (X, Y))
    assert (aa.tolist(), ab.tolist(), ba.tolist(), bb.tolist()) == ([[6, 0], [0, 6]], [[2], [4]], [[2, 4]], [[0]])


def test_products():
    v = torch.ones(2)
    assert [t.tolist() for t in A.vjp(lambda a: a**2, X, v)] == [[1, 4], [2, 4]]
    assert [t.tolist() for t in A.jvp(lambda a: a**2, X, v)] == [[1, 4], [2, 4]]
    assert [t.tolist() for t in A.vhp(lambda a: (a**3).sum(), X, v)] == [9, [6, 12]]
    assert [t.tolist() for t in A.hvp(lambda a: (a**3).sum(), X, v)] == [9, [6, 12]]


def test_results_may_be_differentiated():
    x = X.clone().requires_grad_()
    A.jacobian(lambda a: a**3, x, create_graph=True).sum().backward()
    assert x.grad.tolist() == [6, 12]
    assert not A.jacobian(lambda a: a**3, x).requires_grad


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: A.jacobian(lambda a: 3, X), TypeError, "must be either a Tensor or a tuple of Tensors but the given outputs of the"),
    (lambda: A.jacobian(lambda a: a, (X, 3)), TypeError, "but the value at index 1 has type <class 'int'>"),
    (lambda: A.jacobian(lambda a: Y, X, strict=True), RuntimeError, "Output 0 of the user-provided function does not require gradients"),
    (lambda: A.jacobian(lambda a, b: a * 2, (X, Y), strict=True), RuntimeError, "is independent of input 1. This is not allowed in strict"),
    (lambda: A.jacobian(lambda a: a, X, strategy="forward-mode", vectorize=True), NotImplementedError, "forward-mode"),
    (lambda: A.hessian(lambda a: a * 2, X), RuntimeError, "should contain a single element"),
    (lambda: A.hessian(lambda a: a.sum(), X, strict=True), RuntimeError, "While computing the hessian, found that the jacobian"),
    (lambda: A.vjp(lambda a: a * 2, X), RuntimeError, "The vector v can only be None if the user-provided function returns a single"),
    (lambda: A.vjp(lambda a: a * 2, X, torch.ones(3)), RuntimeError, "v has invalid size: should be torch.Size"),
    (lambda: A.jvp(lambda a: a * 2, X, (torch.ones(2), torch.ones(2))), RuntimeError, "The given v should contain a single Tensor."),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


# ---- gradcheck -----------------------------------------------------------------------------------


def function(forward, backward):
    return type("Made", (torch.autograd.Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)}).apply


def test_right_gradients_pass():
    x = torch.tensor([1.0, 2.0], dtype=F64, requires_grad=True)
    z = torch.tensor([1 + 1j, 2 - 1j], dtype=torch.complex128, requires_grad=True)
    assert gradcheck(lambda a, b: torch.sin(a) * b, (x, x.detach().clone().requires_grad_()))
    assert gradcheck(lambda a: a * a, (z,)) and gradcheck(lambda a: a.abs(), (z,)) and gradcheck(lambda a: (a * 2, a.sum(), a.int()), x)
    assert gradcheck(lambda a: a * 2, (x,), check_batched_grad=True, fast_mode=True)
    assert gradgradcheck(lambda a: a**3, (x,)) and gradgradcheck(lambda a: a * 2, (x,), gen_non_contig_grad_outputs=True)


def test_wrong_gradients_are_shown():
    x = torch.tensor([1.0, 2.0], dtype=F64, requires_grad=True)
    bad = function(lambda ctx, a: a * 2, lambda ctx, g: g * 3)
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0,\nnumerical:tensor") as error:
        gradcheck(bad, (x,))
    assert "analytical:tensor([[3., 0.],\n        [0., 3.]], dtype=torch.float64)" in str(error.value)
    assert gradcheck(bad, (x,), raise_exception=False) is False
    z = torch.tensor([1 + 1j], dtype=torch.complex128, requires_grad=True)
    with pytest.raises(GradcheckError, match="While considering the imaginary part of complex outputs only, Jacobian mismatch"):
        gradcheck(function(lambda ctx, a: a * 2j, lambda ctx, g: g * 2j), (z,))


def test_other_properties_are_checked():
    x = torch.tensor([1.0, 2.0], dtype=F64, requires_grad=True)
    calls = []
    shaky = function(lambda ctx, a: a * 2, lambda ctx, g: g * (2 + 1e-7 * len(calls) + 0 * (calls.append(1) or 0)))
    with pytest.raises(GradcheckError, match="Backward is not reentrant"):
        gradcheck(shaky, (x,))
    assert gradcheck(shaky, (x,), nondet_tol=1.0)
    never = function(lambda ctx, a: (ctx.set_materialize_grads(False), a * 2)[1], lambda ctx, g: torch.ones(2, dtype=F64) if g is None else g * 2)
    with pytest.raises(GradcheckError, match="Expected all input grads to be undefined or zero"):
        gradcheck(never, (x,))
    with pytest.raises(GradcheckError, match="Numerical gradient for function expected to be zero"):
        gradcheck(lambda a: a.detach() * 1, (x,))
    with pytest.raises(ValueError, match="expects at least one input tensor to require gradient"):
        gradcheck(lambda a: a, (x.detach(),))
    with pytest.raises(RuntimeError, match="has a dimension with stride 0"):
        gradcheck(lambda a: a * 2, (x.detach().expand(3, 2).requires_grad_(),))
    with pytest.warns(UserWarning, match="is not a double precision"):
        assert gradcheck(lambda a: a * 2, (x.detach().float().requires_grad_(),), eps=1e-2, atol=1e-2)
