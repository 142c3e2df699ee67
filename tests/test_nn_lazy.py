"""Lazy modules and uninitialised tensors."""

import copy

import pytest

import bolide as torch
from bolide import nn


def test_a_lazy_layer_becomes_an_ordinary_one():
    m = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2, bias=False))
    assert m[0].has_uninitialized_params() and repr(m[0].weight) == "<UninitializedParameter>"
    assert m(torch.ones(3, 5)).shape == (3, 2)
    assert [type(x) for x in m] == [nn.Linear, nn.ReLU, nn.Linear] and m[0].in_features == 5
    assert type(m[0].weight) is nn.Parameter and not m[0]._forward_pre_hooks


def test_first_values_are_drawn_at_the_first_forward():
    torch.manual_seed(1)
    lazy = nn.LazyLinear(4)
    lazy(torch.ones(1, 3))
    torch.manual_seed(1)
    assert lazy.weight.tolist() == nn.Linear(3, 4).weight.tolist()


def test_convolutions_and_norms():
    conv = nn.LazyConv2d(4, 3, groups=2)
    assert conv(torch.ones(1, 2, 5, 5)).shape == (1, 4, 3, 3) and conv.weight.shape == (4, 1, 3, 3)
    with pytest.raises(ValueError, match="in_channels must be divisible by groups"):
        nn.LazyConv2d(4, 3, groups=2)(torch.ones(1, 3, 5, 5))
    norm = nn.LazyBatchNorm1d()
    norm(torch.rand(4, 3))
    assert (
        type(norm) is nn.BatchNorm1d
        and type(norm.running_mean) is torch.Tensor
        and norm.running_mean.shape == (3,)
    )


def test_a_state_dict_gives_the_shapes():
    lazy = nn.LazyLinear(3)
    lazy.load_state_dict(nn.Linear(4, 3).state_dict())
    assert lazy.weight.shape == (3, 4) and lazy(torch.ones(1, 4)).shape == (1, 3) and type(lazy) is nn.Linear
    with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized parameter"):
        nn.Linear(4, 3).load_state_dict(nn.LazyLinear(3).state_dict())


def test_uninitialised_tensors_refuse_operations():
    p = nn.UninitializedParameter()
    for use in (lambda: p + 1, lambda: p.zero_(), lambda: p[0], lambda: len(p), lambda: p.numel()):
        with pytest.raises(ValueError, match="Attempted to use an uninitialized parameter in"):
            use()
    other = copy.deepcopy(p)
    assert type(other) is nn.UninitializedParameter and other is not p
    p.materialize((2, 3))
    assert type(p) is nn.Parameter and p.shape == (2, 3) and (p + 1).shape == (2, 3)
    b = nn.UninitializedBuffer()
    b.materialize((2,))
    assert type(b) is torch.Tensor


def test_conversions_before_the_first_forward():
    lazy = nn.LazyLinear(2).double()
    assert (
        lazy.weight.dtype == torch.float64
        and lazy(torch.ones(1, 3, dtype=torch.float64)).dtype == torch.float64
    )
