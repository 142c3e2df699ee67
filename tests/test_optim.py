"""Optimizers: four steps of each against values that were worked out once, saving and loading, hooks, errors."""

import copy
import pickle

import pytest

import bolide as torch
from bolide import optim

F64 = torch.float64

# (class, options, parameters after four steps from [1, -2, 3], keys of the state)
STEPS = [
    ("SGD", {}, [0.995, -1.99, 2.9975], []),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}, [-0.00728714, 0.01457428, 2.47464065], ["momentum_buffer"]),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}, [-0.335155, 0.67031, 2.5191275], ["momentum_buffer"]),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "maximize": True}, [1.70115, -3.4023, 3.153775],
     ["momentum_buffer"]),
    ("Adam", {}, [0.996116407, -1.99611641, 3.00055397], ["step", "exp_avg", "exp_avg_sq"]),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1, "amsgrad": True}, [0.60876429, -1.60889824, 2.65560128],
     ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"]),
    ("AdamW", {"lr": 0.1}, [0.608235089, -1.60424108, 3.04302531], ["step", "exp_avg", "exp_avg_sq"]),
    ("AdamW", {"lr": 0.1, "maximize": True, "betas": (0.8, 0.9)}, [1.38595663, -2.38196262, 2.94744314],
     ["step", "exp_avg", "exp_avg_sq"]),
    ("RMSprop", {}, [0.656843818, -1.6568438, 2.91196369], ["step", "square_avg"]),
    ("RMSprop", {"centered": True, "momentum": 0.5, "weight_decay": 0.1}, [0.463916639, -1.4634587, 2.40102108],
     ["step", "square_avg", "momentum_buffer", "grad_avg"]),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2},
     [0.972597689, -1.97074137, 2.97959719], ["step", "sum"]),
    ("Adadelta", {"weight_decay": 0.1}, [0.98259873, -1.98259782, 2.97874804], ["step", "square_avg", "acc_delta"]),
    ("Adamax", {"weight_decay": 0.1}, [0.993663359, -1.99366346, 2.99494207], ["step", "exp_avg", "exp_inf"]),
    ("NAdam", {"weight_decay": 0.1}, [0.992143529, -1.99214344, 2.99126692],
     ["step", "mu_product", "exp_avg", "exp_avg_sq"]),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}, [0.991263283, -1.99046352, 2.99539532],
     ["step", "mu_product", "exp_avg", "exp_avg_sq"]),
    ("RAdam", {"lr": 0.1}, [0.638614267, -1.27722853, 2.94415442], ["step", "exp_avg", "exp_avg_sq"]),
    ("ASGD", {"lr": 0.1, "t0": 1, "weight_decay": 0.1}, [0.465545008, -0.931090016, 2.63168601],
     ["step", "eta", "mu", "ax"]),
    ("Rprop", {"lr": 0.1}, [0.4632, -1.4632, 2.88], ["step", "prev", "step_size"]),
]
each_case = pytest.mark.parametrize("name, options, expected, keys", STEPS, ids=[f"{s[0]}-{i}" for i, s in enumerate(STEPS)])


def leaf(values=(1.0, -2.0, 3.0), dtype=F64):
    return torch.tensor(list(values), dtype=dtype).requires_grad_()


def gradient(i, dtype=F64):
    return torch.tensor([0.5, -1.0, 0.25 * (i - 1)], dtype=dtype) * (i + 1)


def steps(optimizer, params, first=0, last=4):
    for i in range(first, last):
        for p in params:
            g = gradient(i, p.dtype)
            p.grad = torch.empty_like(p).copy_(g.expand(p.shape) if p.dim() > 1 else g)
        optimizer.step()


@each_case
def test_four_steps(name, options, expected, keys):
    p = leaf()
    optimizer = getattr(optim, name)([p], **options)
    steps(optimizer, [p])
    assert p.tolist() == pytest.approx(expected, rel=1e-7)
    assert list(optimizer.state_dict()["state"].get(0, {})) == keys


@each_case
def test_layout_and_flags_change_nothing(name, options, expected, keys):
    wide = torch.empty(3, 4, dtype=F64).t()
    wide.copy_(torch.tensor([1.0, -2.0, 3.0], dtype=F64).expand(4, 3))
    gaps = torch.zeros(4, 6, dtype=F64)[:, ::2]
    gaps.copy_(wide)
    params = [leaf(), wide.requires_grad_(), gaps.requires_grad_(), leaf(dtype=torch.float32)]
    extra = {} if name in ("Adagrad", "SGD") else {"foreach": False}
    optimizer = getattr(optim, name)(params, **options, **extra)
    steps(optimizer, params)
    for p in params[:3]:
        assert p.reshape(-1, 3)[-1].tolist() == pytest.approx(expected, rel=1e-7)
    assert params[3].tolist() == pytest.approx(expected, rel=1e-5, abs=1e-6)


@each_case
def test_a_loaded_state_continues_alike(name, options, expected, keys):
    p = leaf()
    first = getattr(optim, name)([p], **options)
    steps(first, [p], 0, 2)
    q = p.detach().clone().requires_grad_()
    second = getattr(optim, name)([q], lr=77.0)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    steps(second, [q], 2, 4)
    assert q.tolist() == pytest.approx(expected, rel=1e-7)


def test_parameters_without_gradients_are_left_alone():
    a, b = leaf(), leaf()
    optimizer = optim.Adam([a, b])
    a.grad = gradient(0)
    optimizer.step()
    assert b.tolist() == [1.0, -2.0, 3.0] and list(optimizer.state) == [a]
    b.grad = gradient(0)
    optimizer.step()
    assert optimizer.state[a]["step"].item() == 2 and optimizer.state[b]["step"].item() == 1
    momentum = optim.SGD([a, b], lr=0.1, momentum=0.9)
    a.grad, b.grad = gradient(3), None
    momentum.step()
    b.grad = gradient(3)
    momentum.step()
    assert momentum.state[b]["momentum_buffer"].tolist() == gradient(3).tolist()


def test_steps_count_as_writes():
    p = leaf()
    optimizer = optim.Adam([p])
    p.grad = gradient(0)
    loss = (p * p).sum()
    optimizer.step()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_half_precision_parameters():
    for cls in (optim.SGD, optim.Adam):
        p = leaf(dtype=torch.bfloat16)
        steps(cls([p], lr=0.1), [p])
        assert p.dtype == torch.bfloat16 and p[0].item() < 1


def test_groups_and_tensor_learning_rates():
    a, b = leaf(), leaf()
    optimizer = optim.SGD([{"params": [a], "lr": 0.5}, {"params": b, "weight_decay": 1.0}], lr=torch.tensor(0.1))
    steps(optimizer, [a, b], 0, 1)
    assert a.tolist() == pytest.approx([0.75, -1.5, 3.125])
    assert b.tolist() == pytest.approx([0.85, -1.7, 2.725])
    assert [g["lr"] if isinstance(g["lr"], float) else g["lr"].item() for g in optimizer.param_groups] == \
        pytest.approx([0.5, 0.1])


def test_closures():
    p = leaf()
    optimizer = optim.SGD([p], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 14.0
    assert p.tolist() == pytest.approx([0.8, -1.6, 2.4])


def test_differentiable_steps():
    rate = torch.tensor(0.1, dtype=F64, requires_grad=True)
    start = leaf()
    p = start * 1.0
    optimizer = optim.SGD([p], lr=rate, differentiable=True)
    p.grad = gradient(2)
    optimizer.step()
    p.sum().backward()
    assert rate.grad.item() == pytest.approx(-gradient(2).sum().item())


def test_zero_grad():
    p = leaf()
    optimizer = optim.SGD([p])
    p.grad = gradient(1)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0, 0.0, 0.0]
    optimizer.zero_grad()
    assert p.grad is None


# ---- hooks, saving ----


def test_hooks_run_around_steps_and_saving():
    seen = []
    p = leaf()
    optimizer = optim.SGD([p])
    handles = [
        optimizer.register_step_pre_hook(lambda o, a, k: seen.append("pre")),
        optimizer.register_step_post_hook(lambda o, a, k: seen.append("post")),
        optim.optimizer.register_optimizer_step_pre_hook(lambda o, a, k: seen.append("all")),
        optimizer.register_state_dict_pre_hook(lambda o: seen.append("save")),
        optimizer.register_state_dict_post_hook(lambda o, d: {**d, "more": 1}),
        optimizer.register_load_state_dict_pre_hook(lambda o, d: seen.append(d["more"])),
        optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded")),
    ]
    optimizer.step()
    saved = optimizer.state_dict()
    optimizer.load_state_dict(saved)
    assert seen == ["all", "pre", "post", "save", 1, "loaded"]
    for h in handles:
        h.remove()
    optimizer.step()
    assert len(seen) == 6 and "more" not in optimizer.state_dict()


def test_state_dict_form():
    a, b = leaf(), leaf()
    optimizer = optim.AdamW([{"params": [("a", a)], "lr": 0.1}, {"params": [("b", b)]}])
    steps(optimizer, [a, b], 0, 1)
    saved = optimizer.state_dict()
    assert list(saved) == ["state", "param_groups"] and list(saved["state"]) == [0, 1]
    assert [g["params"] for g in saved["param_groups"]] == [[0], [1]]
    assert [g["param_names"] for g in saved["param_groups"]] == [["a"], ["b"]]
    assert sorted(saved["param_groups"][0]) == sorted(
        ["lr", "betas", "eps", "weight_decay", "amsgrad", "maximize", "foreach", "capturable", "differentiable", "fused",
         "decoupled_weight_decay", "params", "param_names"])
    step = saved["state"][0]["step"]
    assert step.shape == () and step.dtype == torch.float32 and step.item() == 1


def test_old_states_with_plain_counters_load():
    p = leaf()
    optimizer = optim.RMSprop([p])
    steps(optimizer, [p], 0, 1)
    saved = optimizer.state_dict()
    saved["state"][0]["step"] = 1
    optimizer.load_state_dict(saved)
    assert isinstance(optimizer.state[p]["step"], torch.Tensor)
    steps(optimizer, [p], 1, 2)


def test_optimizers_can_be_pickled_and_copied():
    p = leaf()
    optimizer = optim.Adam([p])
    steps(optimizer, [p], 0, 1)
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        (q,) = other.param_groups[0]["params"]
        steps(other, [q], 1, 2)
        assert other.state[q]["step"].item() == 2


# ---- errors ----


@pytest.mark.parametrize("make, error, text", [
    (lambda: optim.SGD([]), ValueError, "optimizer got an empty parameter list"),
    (lambda: optim.SGD(leaf()), TypeError, "should be an iterable of Tensors or dicts, but got torch.DoubleTensor"),
    (lambda: optim.SGD([1]), TypeError, "one of the params is int"),
    (lambda: optim.SGD([leaf() * 2]), ValueError, "can't optimize a non-leaf Tensor"),
    (lambda: optim.SGD([leaf()], lr=-1), ValueError, "Invalid learning rate: -1"),
    (lambda: optim.SGD([leaf()], nesterov=True), ValueError, "Nesterov momentum requires a momentum and zero dampening"),
    (lambda: optim.Adam([leaf()], betas=(1.0, 0.9)), ValueError, "Invalid beta parameter at index 0: 1.0"),
    (lambda: optim.Adam([leaf()], lr=torch.ones(2)), ValueError, "Tensor lr must be 1-element"),
    (lambda: optim.Adam([leaf()], fused=True, foreach=True), RuntimeError, "cannot be `True` together"),
    (lambda: optim.Muon([leaf()]), ValueError, "Muon only supports 2D parameters"),
    (lambda: optim.LBFGS([{"params": [leaf()]}, {"params": [leaf()]}]), ValueError, "per-parameter options"),
])
def test_bad_settings(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_states_that_do_not_fit():
    one, two = optim.SGD([leaf()]), optim.SGD([leaf(), leaf()])
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        one.load_state_dict(two.state_dict())
    with pytest.raises(ValueError, match="different number of parameter groups"):
        one.load_state_dict(optim.SGD([{"params": [leaf()]}, {"params": [leaf()]}]).state_dict())


def test_capturable_needs_a_device_that_captures():
    p = leaf()
    optimizer = optim.Adam([p], capturable=True)
    p.grad = gradient(0)
    with pytest.raises(AssertionError, match="If capturable=True, params and state_steps must be on supported devices"):
        optimizer.step()


# ---- schedules ----


def rates(make, n=8):
    optimizer = optim.SGD([leaf()], lr=1.0, momentum=0.9)
    schedule = make(optimizer)
    out = []
    for _ in range(n):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return out


def test_schedules():
    s = optim.lr_scheduler
    assert rates(lambda o: s.StepLR(o, 3, 0.5)) == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert rates(lambda o: s.MultiStepLR(o, [2, 2, 5], 0.5)) == [1, 1, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125]
    assert rates(lambda o: s.ExponentialLR(o, 0.5), 4) == [1, 0.5, 0.25, 0.125]
    assert rates(lambda o: s.LambdaLR(o, lambda e: 1 / (e + 1)), 4) == [1, 1 / 2, 1 / 3, 1 / 4]
    assert rates(lambda o: s.LinearLR(o, 0.5, 1.0, 4), 6) == pytest.approx([0.5, 0.625, 0.75, 0.875, 1, 1])
    assert rates(lambda o: s.CosineAnnealingWarmRestarts(o, 4), 6) == pytest.approx(
        [1, 0.853553391, 0.5, 0.146446609, 1, 0.853553391])
    assert rates(lambda o: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 2), s.ExponentialLR(o, 0.5)], [2]), 5) == pytest.approx(
        [0.1, 0.1, 1, 0.5, 0.25])
    assert rates(lambda o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 2), s.ExponentialLR(o, 0.5)]), 4) == pytest.approx(
        [0.1, 0.05, 0.25, 0.125])
    assert rates(lambda o: s.OneCycleLR(o, 1.0, total_steps=8), 8)[2] == pytest.approx(0.954272232, rel=0.1)


def test_plateau():
    optimizer = optim.SGD([leaf()], lr=1.0)
    schedule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, factor=0.5)
    for loss in (1.0, 0.9, 0.9, 0.9, 0.95):
        schedule.step(loss)
    assert optimizer.param_groups[0]["lr"] == 0.5 and schedule.get_last_lr() == [0.5]


def test_a_schedule_continues_after_loading():
    def pair():
        optimizer = optim.SGD([leaf()], lr=1.0, momentum=0.9)
        return optimizer, optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=10)

    (o1, s1), (o2, s2) = pair(), pair()
    for _ in range(4):
        o1.step(), s1.step()
    s2.load_state_dict(copy.deepcopy(s1.state_dict()))
    o2.load_state_dict(copy.deepcopy(o1.state_dict()))
    for _ in range(3):
        o1.step(), s1.step(), o2.step(), s2.step()
    assert o1.param_groups[0]["lr"] == o2.param_groups[0]["lr"]


# ---- many tensors at once ----


def test_foreach_functions():
    a = [torch.tensor([1.0, 4.0]), torch.tensor([9.0])]
    assert [t.tolist() for t in torch._foreach_sqrt(a)] == [[1.0, 2.0], [3.0]]
    assert [t.tolist() for t in torch._foreach_add(a, [1.0, 2.0])] == [[2.0, 5.0], [11.0]]
    assert [t.tolist() for t in torch._foreach_add(a, a, alpha=2)] == [[3.0, 12.0], [27.0]]
    assert [t.tolist() for t in torch._foreach_addcmul(a, a, a, value=[1, 2])] == [[2.0, 20.0], [171.0]]
    assert [t.tolist() for t in torch._foreach_lerp(a, torch._foreach_neg(a), 0.5)] == [[0.0, 0.0], [0.0]]
    assert [t.tolist() for t in torch._foreach_maximum(a, 2.0)] == [[2.0, 4.0], [9.0]]
    assert [t.item() for t in torch._foreach_norm(a)] == pytest.approx([17**0.5, 9.0])
    b = [t.clone() for t in a]
    assert torch._foreach_mul_(b, torch.tensor(2.0)) is b and b[0].tolist() == [2.0, 8.0]
    torch._foreach_copy_(b, a)
    assert b[1].tolist() == [9.0]
    torch._foreach_zero_(b)
    assert b[0].tolist() == [0.0, 0.0]
    for bad, text in ((lambda: torch._foreach_add([], 1), "at least one tensor"),
                      (lambda: torch._foreach_add(a, a[:1]), "same number of tensors, got 2 and 1"),
                      (lambda: torch._foreach_add(a, [1.0]), "same number of elements as scalar list")):
        with pytest.raises(RuntimeError, match=text):
            bad()


def test_clipping_measures_all_gradients_in_one_pass():
    nn = pytest.importorskip("bolide.nn")
    params = [torch.ones(3, requires_grad=True), torch.ones(4, 5, requires_grad=True)]
    for p in params:
        p.grad = torch.full(p.shape, 2.0)
    assert nn.utils.clip_grad_norm_(params, 1.0).item() == pytest.approx(92**0.5)
    assert params[0].grad[0].item() == pytest.approx(2 / 92**0.5, rel=1e-5)
    assert nn.utils.clip_grad_norm_(params, 5.0, norm_type=float("inf")).item() == pytest.approx(2 / 92**0.5, rel=1e-5)
    assert [n.item() for n in torch._foreach_norm([torch.ones(3), torch.ones(2)], 1)] == [3.0, 2.0]
