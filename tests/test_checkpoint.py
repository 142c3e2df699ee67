"""Activation checkpoints, both variants: results, gradients, random numbers, memory, errors."""

import weakref

import pytest

import bolide as torch
from bolide import nn
from bolide.utils import checkpoint as ckpt

pytestmark = pytest.mark.skipif(
    not hasattr(torch.autograd, "Function"), reason="autograd's Python side is not built yet"
)
both = pytest.mark.parametrize("reentrant", [False, True])


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 2))


def leaf():
    return torch.arange(6.0).reshape(2, 3).sin().requires_grad_()


@both
def test_gradients_and_random_numbers_are_those_without(reentrant):
    plain, model, x, y = net(), net(), leaf(), leaf()
    torch.manual_seed(1)
    (plain(x) ** 2).sum().backward()
    after = torch.rand(2).tolist()
    torch.manual_seed(1)
    out = ckpt.checkpoint(model, y, use_reentrant=reentrant)
    (out**2).sum().backward()
    assert torch.rand(2).tolist() == after and y.grad.tolist() == x.grad.tolist()
    assert model[0].weight.grad.tolist() == plain[0].weight.grad.tolist()


@both
def test_the_function_runs_twice_and_other_values_pass(reentrant):
    calls = []

    def f(a, k):
        calls.append(k)
        return a.sin() * k, "text", None

    x = torch.ones(2, requires_grad=True)
    out = ckpt.checkpoint(f, x, 3, use_reentrant=reentrant)
    assert out[1:] == ("text", None) and calls == [3]
    out[0].sum().backward()
    assert calls == [3, 3] and x.grad.tolist() == pytest.approx([3 * 0.5403023] * 2)


@both
def test_nested_and_sequential(reentrant):
    def inner(x):
        return x.sin().exp()

    def outer(x):
        return ckpt.checkpoint(inner, 2 * x, use_reentrant=reentrant).cos()

    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    ckpt.checkpoint(outer, x, use_reentrant=reentrant).sum().backward()
    inner(2 * y).cos().sum().backward()
    assert x.grad.tolist() == y.grad.tolist()
    z = torch.ones(2, requires_grad=True)
    steps = [torch.sin, torch.exp, torch.cos]
    ckpt.checkpoint_sequential(steps, 2, 2 * z, use_reentrant=reentrant).sum().backward()
    assert z.grad.tolist() == y.grad.tolist()


def test_intermediate_results_are_dropped():
    kept = []

    def f(x):
        middle = x.sin()
        kept.append(weakref.ref(middle))
        return middle.exp() * 2

    x = torch.ones(3, requires_grad=True)
    out = ckpt.checkpoint(f, x, use_reentrant=False)
    assert kept[0]() is None
    out.sum().backward()


def test_second_derivatives_and_second_backward():
    x = torch.ones(2, requires_grad=True)
    loss = ckpt.checkpoint(lambda x: x.sin().exp(), x, use_reentrant=False).sum()
    (first,) = torch.autograd.grad(loss, x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    s, c = x.detach().sin(), x.detach().cos()
    assert second.tolist() == pytest.approx(((c * c - s) * s.exp()).tolist())


def test_differing_runs_are_errors():
    def changing(*bodies):
        left = list(bodies)
        return lambda x: left.pop(0)(x)

    x = torch.ones(3, requires_grad=True)
    out = ckpt.checkpoint(changing(torch.sin, lambda x: x[:2].sin()), x, use_reentrant=False)
    with pytest.raises(ckpt.CheckpointError, match="have different metadata"):
        out.sum().backward()
    out = ckpt.checkpoint(changing(lambda x: x.sin().cos(), torch.sin), x, use_reentrant=False)
    with pytest.raises(ckpt.CheckpointError, match="A different number of tensors was saved"):
        out.sum().backward()


def test_arguments_are_checked():
    x = torch.ones(1, requires_grad=True)
    with pytest.raises(ValueError, match="Unexpected keyword arguments: foo"):
        ckpt.checkpoint(torch.sin, x, use_reentrant=True, foo=1)
    with pytest.raises(ValueError, match="determinism_check should be one of"):
        ckpt.checkpoint(torch.sin, x, use_reentrant=False, determinism_check="foo")
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed explicitly"):
        ckpt.checkpoint(torch.sin, x)
