"""nn.utils: clipping, vectors of parameters, weight norm, parametrisations, pruning, fusion, sequences."""

import copy

import bolide as torch
import pytest
from bolide import nn
from bolide.nn import utils
from bolide.nn.utils import parametrizations, parametrize, prune
from bolide.nn.utils import rnn as seq


def layer(n=3, m=3):
    torch.manual_seed(0)
    return nn.Linear(n, m)


def with_gradients(m, *values):
    for p, v in zip(m.parameters(), values, strict=True):
        p.grad = torch.full_like(p, float(v))
    return m


@pytest.mark.parametrize("p, norm", [(2.0, 21**0.5), (1.0, 15.0), (float("inf"), 2.0)])
def test_clip_grad_norm(p, norm):
    m = with_gradients(layer(), 1, 2)
    assert utils.clip_grad_norm_(m.parameters(), 1.0, p).item() == pytest.approx(norm)
    assert m.weight.grad[0, 0].item() == pytest.approx(1 / norm, rel=1e-5)
    assert utils.clip_grad_norm_(m.parameters(), 5.0, p).item() == pytest.approx(1.0, rel=1e-4)
    assert m.weight.grad[0, 0].item() == pytest.approx(1 / norm, rel=1e-5)


def test_clip_grad_norm_s_edges():
    m = with_gradients(layer(), float("nan"), 1)
    with pytest.raises(
        RuntimeError, match="The total norm of order 2.0 for gradients from `parameters` is non-finite"
    ):
        utils.clip_grad_norm_(m.parameters(), 1.0, error_if_nonfinite=True)
    assert utils.clip_grad_norm_([], 1.0).item() == 0
    with pytest.warns(UserWarning, match="empty generator"):
        utils.clip_grad_norm_((p for p in ()), 1.0)
    utils.clip_grad_value_(with_gradients(m, 3, -3).parameters(), 1.5)
    assert m.weight.grad[0, 0].item() == 1.5 and m.bias.grad[0].item() == -1.5


def test_parameters_as_a_vector():
    m = layer()
    v = utils.parameters_to_vector(m.parameters())
    before = m.bias.tolist()
    utils.vector_to_parameters(v.detach() * 2, m.parameters())
    assert v.shape == (12,) and m.bias.tolist() == pytest.approx([2 * b for b in before])


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weight_norm_in_both_forms():
    old, new, plain = layer(), layer(), layer()
    utils.weight_norm(old)
    parametrizations.weight_norm(new)
    assert list(old.state_dict()) == ["bias", "weight_g", "weight_v"] and old.weight_g.shape == (3, 1)
    assert list(new.state_dict()) == [
        "bias",
        "parametrizations.weight.original0",
        "parametrizations.weight.original1",
    ]
    x = torch.ones(2, 3)
    for m in (old, new):
        assert m(x).flatten().tolist() == pytest.approx(plain(x).flatten().tolist(), rel=1e-5)
    old.weight_g.data.mul_(2)
    new.load_state_dict(old.state_dict())
    assert new.weight.flatten().tolist() == pytest.approx((2 * plain.weight).flatten().tolist(), rel=1e-5)
    utils.remove_weight_norm(old)
    assert isinstance(old.weight, nn.Parameter) and list(old.state_dict()) == ["bias", "weight"]
    with pytest.raises(ValueError, match="weight_norm of 'weight' not found in Linear"):
        utils.remove_weight_norm(old)


class Double(nn.Module):
    def forward(self, x):
        return 2 * x

    def right_inverse(self, x):
        return x / 2


def test_parametrisation_and_its_way_back():
    m = layer()
    before = m.weight.tolist()
    parametrize.register_parametrization(m, "weight", Double())
    assert (
        type(m).__name__ == "ParametrizedLinear" and isinstance(m, nn.Linear) and m.weight.tolist() == before
    )
    assert parametrize.is_parametrized(m, "weight") and not parametrize.is_parametrized(m, "bias")
    m.weight = torch.ones(3, 3)
    assert m.parametrizations.weight.original[0, 0].item() == 0.5
    m(torch.ones(1, 3)).sum().backward()
    assert m.parametrizations.weight.original.grad[0, 0].item() == 2
    other = copy.deepcopy(m)
    assert other.weight.tolist() == m.weight.tolist()
    parametrize.remove_parametrizations(m, "weight")
    assert type(m) is nn.Linear and m.weight.tolist() == torch.ones(3, 3).tolist()
    with pytest.raises(ValueError, match="does not have a parametrization on weight"):
        parametrize.remove_parametrizations(m, "weight")


def test_parametrisation_may_not_change_the_shape():
    class First(nn.Module):
        def forward(self, x):
            return x[0]

    m = layer()
    with pytest.raises(
        ValueError, match="may not change the shape of the tensor, unless `unsafe` flag is enabled"
    ):
        parametrize.register_parametrization(m, "weight", First())
    assert type(m) is nn.Linear
    parametrize.register_parametrization(m, "weight", First(), unsafe=True)
    assert m.weight.shape == (3,)


def test_cached_parametrisations_are_computed_once():
    class Counting(nn.Module):
        calls = 0

        def forward(self, x):
            Counting.calls += 1
            return x

    m = layer()
    parametrize.register_parametrization(m, "weight", Counting(), unsafe=True)
    Counting.calls = 0
    with parametrize.cached():
        assert m.weight is m.weight
    m.weight, m.weight  # noqa: B018
    assert Counting.calls == 3


def test_pruning_by_a_mask():
    m = layer()
    prune.custom_from_mask(m, "weight", torch.eye(3))
    assert list(m.state_dict()) == ["bias", "weight_orig", "weight_mask"] and prune.is_pruned(m)
    assert m.weight[0, 1].item() == 0 and m.weight[0, 0].item() != 0
    m(torch.ones(1, 3)).sum().backward()
    assert m.weight_orig.grad.tolist() == torch.eye(3).tolist()
    prune.remove(m, "weight")
    assert isinstance(m.weight, nn.Parameter) and m.weight[0, 1].item() == 0 and not prune.is_pruned(m)
    for amount, error in ((10, ValueError), (1.5, ValueError), (-1, ValueError), ("a", TypeError)):
        with pytest.raises(error):
            prune.l1_unstructured(layer(), "weight", amount)


def test_fused_layers_compute_the_same():
    linear, norm = layer(2, 3).eval(), nn.BatchNorm1d(3).eval()
    norm.running_var.fill_(3.0)
    norm.running_mean.fill_(0.5)
    x = torch.ones(2, 2)
    fused = utils.fuse_linear_bn_eval(linear, norm)
    assert fused(x).flatten().tolist() == pytest.approx(norm(linear(x)).flatten().tolist(), rel=1e-5)
    with pytest.raises(AssertionError, match="Fusion only for eval!"):
        utils.fuse_linear_bn_eval(layer(2, 3), norm)


def test_a_module_as_a_function_of_its_parameters():
    m = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    m[1].weight = m[0].weight
    given = {"0.weight": torch.eye(2, requires_grad=True), "0.bias": torch.zeros(2), "1.bias": torch.ones(2)}
    x = torch.tensor([[1.0, 2.0]])
    out = torch.func.functional_call(m, given, (x,))
    assert out.tolist() == [[2.0, 3.0]] and m[0].weight is m[1].weight
    out.sum().backward()
    assert given["0.weight"].grad.tolist() == [[2, 4], [2, 4]] and m[0].weight.grad is None
    with pytest.raises(RuntimeError, match="Unexpected key"):
        torch.func.functional_call(m, {"zzz": x}, (x,), strict=True)
    parameters, buffers = torch.func.stack_module_state([layer(), layer()])
    assert parameters["weight"].shape == (2, 3, 3) and buffers == {}


def test_packed_and_padded_sequences():
    parts = [torch.ones(4, 2), 2 * torch.ones(2, 2), 3 * torch.ones(1, 2)]
    padded = seq.pad_sequence(parts, batch_first=True, padding_value=-1)
    assert padded.shape == (3, 4, 2) and padded[2, 1, 0].item() == -1
    left = seq.pad_sequence(parts, padding_side="left")
    assert left[:, 2, 0].tolist() == [0, 0, 0, 3]
    packed = seq.pack_padded_sequence(padded, [4, 2, 1], batch_first=True)
    assert packed.batch_sizes.tolist() == [3, 2, 1, 1]
    assert packed.data[:, 0].tolist() == [1, 2, 3, 1, 2, 1, 1]
    back, lengths = seq.pad_packed_sequence(packed, batch_first=True, padding_value=-1, total_length=5)
    assert (
        back.shape == (3, 5, 2) and lengths.tolist() == [4, 2, 1] and back[:, :4].tolist() == padded.tolist()
    )
    assert [p.tolist() for p in seq.unpack_sequence(packed)] == [p.tolist() for p in parts]
    with pytest.raises(RuntimeError, match="must be sorted in decreasing order"):
        seq.pack_padded_sequence(padded, [1, 2, 4], batch_first=True)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_packed_sequences_run_as_single_ones(kind):
    torch.manual_seed(0)
    net = getattr(nn, kind)(2, 3, 2, bidirectional=True)
    parts = [torch.randn(4, 2), torch.randn(2, 2), torch.randn(1, 2)]
    outputs, _ = net(seq.pack_sequence(parts))
    for part, out in zip(parts, seq.unpack_sequence(outputs), strict=True):
        single, _ = net(part)
        assert out.flatten().tolist() == pytest.approx(single.flatten().tolist(), abs=1e-6)
