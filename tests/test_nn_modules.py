"""Modules: their texts, names of parameters, first values for a seed, and containers."""

import copy
from collections import OrderedDict

import pytest

import bolide as torch
from bolide import nn

TEXTS = {
    "nn.Linear(3, 4, bias=False)": "Linear(in_features=3, out_features=4, bias=False)",
    "nn.Bilinear(2, 3, 4)": "Bilinear(in1_features=2, in2_features=3, out_features=4, bias=True)",
    "nn.Conv1d(3, 6, 3, 2, 1, 2, 3, False, "
    "'circular')": "Conv1d(3, 6, kernel_size=(3,), stride=(2,), padding=(1,), dilation=(2,), groups=3, "
    "bias=False, "
    "padding_mode=circular)",
    "nn.Conv2d(3, 6, 3, padding='same')": "Conv2d(3, 6, kernel_size=(3, 3), stride=(1, 1), padding=same)",
    "nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, "
    "output_padding=1)": "ConvTranspose2d(4, 6, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), "
    "output_padding=(1, 1))",
    "nn.LazyConv2d(6, 3)": "LazyConv2d(0, 6, kernel_size=(3, 3), stride=(1, 1))",
    "nn.BatchNorm1d(4, affine=False)": "BatchNorm1d(4, eps=1e-05, momentum=0.1, affine=False, bias=False, "
    "track_running_stats=True)",
    "nn.LayerNorm([3, 4])": "LayerNorm((3, 4), eps=1e-05, elementwise_affine=True, bias=True)",
    "nn.GroupNorm(2, 4)": "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)",
    "nn.RMSNorm(4)": "RMSNorm((4,), eps=None, elementwise_affine=True)",
    "nn.Embedding(5, 3, padding_idx=-1, max_norm=1.0)": "Embedding(5, 3, padding_idx=4, max_norm=1.0)",
    "nn.EmbeddingBag(5, 3, mode='sum')": "EmbeddingBag(5, 3, mode='sum')",
    "nn.LSTM(3, 4, 2, bidirectional=True, "
    "proj_size=2)": "LSTM(3, 4, proj_size=2, num_layers=2, bidirectional=True)",
    "nn.RNNCell(3, 4, False, 'relu')": "RNNCell(3, 4, bias=False, nonlinearity=relu)",
    "nn.Hardtanh(-2, 2, True)": "Hardtanh(min_val=-2, max_val=2, inplace=True)",
    "nn.Dropout(0.2)": "Dropout(p=0.2, inplace=False)",
    "nn.MaxPool2d((2, 3), (1, 2), "
    "1)": "MaxPool2d(kernel_size=(2, 3), stride=(1, 2), padding=1, dilation=1, ceil_mode=False)",
    "nn.Upsample(scale_factor=2)": "Upsample(scale_factor=2.0, mode='nearest')",
    "nn.Unflatten(1, (2, 3))": "Unflatten(dim=1, unflattened_size=(2, 3))",
    "nn.ZeroPad2d((1, 2, 3, 4))": "ZeroPad2d((1, 2, 3, 4))",
    "nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh()])": "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Tanh()\n)",
    "nn.ParameterList([torch.ones(2), "
    "3])": "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2]\n    (1): Object of "
    "type: int\n)",
}


@pytest.mark.parametrize("code", TEXTS)
def test_text(code):
    assert repr(eval(code)) == TEXTS[code]


ERRORS = {
    "nn.Conv2d(4, 8, 3, groups=3)": "in_channels must be divisible by groups",
    "nn.Conv2d(4, 8, 3, padding='same', "
    "stride=2)": "padding='same' is not supported for strided convolutions",
    "nn.GroupNorm(3, 4)": "num_channels (4) must be divisible by num_groups (3)",
    "nn.RNN(3, 4, nonlinearity='foo')": "Unknown nonlinearity 'foo'. Select from 'tanh' or 'relu'.",
    "nn.LSTM(3, 4, proj_size=4)": "proj_size has to be smaller than hidden_size",
    "nn.GRU(3, 0)": "hidden_size must be greater than zero",
    "nn.Dropout(1.5)": "dropout probability has to be between 0 and 1, but got 1.5",
    "nn.MultiMarginLoss(3)": "only p == 1 and p == 2 supported",
    "nn.FractionalMaxPool2d(2)": "FractionalMaxPool2d requires specifying either an output size, or a "
    "pooling ratio",
}


@pytest.mark.parametrize("code", ERRORS)
def test_constructor_s_error(code):
    with pytest.raises(ValueError) as error:
        eval(code)
    assert str(error.value) == ERRORS[code]


def test_every_name_can_be_used():
    for name in nn.__all__:
        getattr(nn, name)
    assert nn.modules.batchnorm._BatchNorm in nn.BatchNorm2d.__mro__
    with pytest.raises(AttributeError):
        nn.Nothing  # noqa: B018


def test_first_values_are_those_of_the_seed():
    torch.manual_seed(1)
    layer = nn.Linear(3, 4)
    assert layer.weight[0].tolist() == pytest.approx([0.297487, -0.25483, -0.111926], rel=1e-5)
    assert layer.bias.tolist()[:2] == pytest.approx([0.210865, -0.224994], rel=1e-5)
    torch.manual_seed(1)
    lstm = nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2)
    assert lstm.weight_hr_l1_reverse[0].tolist() == pytest.approx(
        [-0.0954389, -0.296097, -0.211413, -0.4427], abs=1e-4
    )
    torch.manual_seed(1)
    table = nn.Embedding(5, 3, padding_idx=1)
    assert table.weight[0].tolist() == pytest.approx([0.661352, 0.266924, 0.0616773], rel=1e-5)
    assert table.weight[1].tolist() == [0, 0, 0]


def test_state_dict_keys_and_their_order():
    assert list(nn.BatchNorm1d(2).state_dict()) == [
        "weight",
        "bias",
        "running_mean",
        "running_var",
        "num_batches_tracked",
    ]
    assert list(nn.MultiheadAttention(4, 2, kdim=2, add_bias_kv=True).state_dict()) == [
        "q_proj_weight",
        "k_proj_weight",
        "v_proj_weight",
        "in_proj_bias",
        "bias_k",
        "bias_v",
        "out_proj.weight",
        "out_proj.bias",
    ]
    assert list(nn.GRU(2, 2, bidirectional=True, bias=False).state_dict()) == [
        "weight_ih_l0",
        "weight_hh_l0",
        "weight_ih_l0_reverse",
        "weight_hh_l0_reverse",
    ]


def test_sequential_like_a_list():
    s = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    assert (
        len(s) == 3 and isinstance(s[-2], nn.ReLU) and len(s[1:]) == 2 and len(s + s) == 6 and len(s * 2) == 6
    )
    s.insert(0, nn.Tanh()).append(nn.Sigmoid())
    assert [type(m).__name__ for m in s] == ["Tanh", "Linear", "ReLU", "Linear", "Sigmoid"]
    del s[0]
    assert list(s._modules) == ["0", "1", "2", "3"] and isinstance(s.pop(-1), nn.Sigmoid)
    with pytest.raises(IndexError, match="index 9 is out of range"):
        s[9]
    named = nn.Sequential(OrderedDict([("a", nn.Identity()), ("b", nn.Identity())]))
    assert list(named._modules) == ["a", "b"] and named(3) == 3


def test_module_dict_and_parameter_dict():
    d = nn.ModuleDict({"a": nn.ReLU()})
    d["b"] = nn.Tanh()
    assert list(d) == ["a", "b"] and "a" in d and isinstance(d.pop("a"), nn.ReLU) and len(d) == 1
    with pytest.raises(KeyError, match="attribute 'keys' already exists"):
        nn.ModuleDict({"keys": nn.ReLU()})
    p = nn.ParameterDict([("w", torch.ones(2)), ("n", 3)])
    assert (
        isinstance(p["w"], nn.Parameter)
        and p["n"] == 3
        and p.popitem() == ("n", 3)
        and list(p | {"z": 1}) == ["w", "z"]
    )
    with pytest.raises(RuntimeError, match="ParameterDict should not be called"):
        p(1)


def test_copies_keep_values():
    m = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.LSTM(3, 2))
    other = copy.deepcopy(m)
    assert repr(other) == repr(m)
    for (name, a), (other_name, b) in zip(m.state_dict().items(), other.state_dict().items(), strict=True):
        assert name == other_name and a.tolist() == b.tolist() and a.data_ptr() != b.data_ptr()
    assert other[2]._flat_weights[0] is other[2].weight_ih_l0


@pytest.mark.parametrize(
    "loss",
    [
        nn.MSELoss(),
        nn.L1Loss(),
        nn.SmoothL1Loss(),
        nn.HuberLoss(),
        nn.KLDivLoss(reduction="sum"),
        nn.PoissonNLLLoss(),
        nn.functional.mse_loss,
    ],
    ids=lambda f: getattr(f, "__name__", repr(f)),
)
def test_a_loss_that_broadcasts_warns_at_the_user_s_line(loss):
    prediction, target = torch.rand(4, 1), torch.rand(4)
    with pytest.warns(
        UserWarning, match=r"target size \(torch.Size\(\[4\]\)\).*input size \(torch.Size\(\[4, 1\]\)\)"
    ) as seen:
        loss(prediction, target)
    assert len(seen) == 1 and seen[0].filename == __file__
    with nn.functional.strict_losses(), pytest.raises(ValueError, match=r"over \(4, 4\)"):
        loss(prediction, target)
    loss(prediction.squeeze(1), target)


def test_what_is_computed_from_a_parameter_is_a_plain_tensor():
    p = nn.Parameter(torch.ones(2))
    for value in (p * 2, p + p, torch.add(p, 1), p[0], p.detach(), p.clone(), nn.functional.relu(p)):
        assert type(value) is torch.Tensor
    assert type(nn.Parameter(p)) is nn.Parameter and isinstance(p, torch.Tensor)
