"""The graph as users see it: steps and edges, saved tensors and their hooks, anomaly mode, threads."""

import threading
import warnings

import bolide as torch
import pytest
from bolide.autograd import graph


def leaf(*values, dtype=torch.float32):
    return torch.tensor(values, dtype=dtype, requires_grad=True)


# ---- steps ---------------------------------------------------------------------------------------


def test_names_and_edges():
    x = leaf(1.0, 2.0)
    y = x * 2 + x
    assert type(y.grad_fn).__name__ == y.grad_fn.name() == "AddBackward0"
    (mul, slot), (end, _) = y.grad_fn.next_functions
    assert mul.name() == "MulBackward0" and slot == 0 and end.name() == "AccumulateGrad" and end.variable is x
    assert mul.next_functions == ((end, 0), (None, 0)) and end.next_functions == ()
    assert y.grad_fn is y.grad_fn and isinstance(y.grad_fn, graph.Node) and repr(y.grad_fn).startswith("<AddBackward0 object at ")
    assert y.grad_fn._sequence_nr() > mul._sequence_nr() and y.grad_fn.requires_grad
    shape, dtype, device = y.grad_fn._input_metadata[0]
    assert shape == (2,) and dtype is torch.float32 and device.type == "cpu"


def test_metadata_is_kept():
    y = leaf(1.0) * 2
    y.grad_fn.metadata["note"] = 5
    assert y.grad_fn.metadata == {"note": 5}


def test_steps_can_be_called():
    y = leaf(3.0) * 2
    g, none = y.grad_fn(torch.ones(1))
    assert g.tolist() == [2] and none is None


def test_saved_values_are_visible():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = x * w
    assert y.grad_fn._saved_self is x and y.grad_fn._saved_other is w
    e = x.exp()
    saved = e.grad_fn._saved_result
    assert saved.tolist() == e.tolist() and saved.grad_fn is e.grad_fn
    assert (x + w).grad_fn._saved_alpha == 1
    assert e.grad_fn._raw_saved_result.data.tolist() == e.tolist()
    (y.sum() + e.sum()).backward()
    with pytest.raises(RuntimeError, match="after they have already been freed"):
        y.grad_fn._saved_self  # noqa: B018


def test_edges_stand_for_tensors():
    x = leaf(2.0)
    y = x * 3
    edge = graph.get_gradient_edge(y)
    assert edge.node is y.grad_fn and edge.output_nr == 0
    z = (y * y).sum()
    assert torch.autograd.grad(z, edge, retain_graph=True)[0].tolist() == [12]
    del y
    assert torch.autograd.grad(edge, x, torch.ones(1))[0].tolist() == [3]
    assert graph.get_gradient_edge(x).node.variable is x
    with pytest.raises(RuntimeError, match="does not require gradients"):
        graph.get_gradient_edge(torch.ones(1))


# ---- saved-tensor hooks --------------------------------------------------------------------------


def test_saved_tensors_pass_the_hooks():
    log = []

    def pack(t):
        log.append("pack")
        return t.detach().tolist()

    def unpack(packed):
        log.append("unpack")
        return torch.tensor(packed)

    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    with graph.saved_tensors_hooks(pack, unpack):
        y = (x * w).exp()
    y.log().sum().backward()
    assert log == ["pack"] * 3 + ["unpack"] * 3
    assert x.grad.tolist() == pytest.approx([3, 4]) and w.grad.tolist() == pytest.approx([1, 2])


def test_hooks_keep_double_backward_right():
    x = leaf(0.5, 1.0, dtype=torch.float64)

    def f(t):
        with graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
            return (t.exp() * t) ** 3

    assert torch.autograd.gradcheck(f, (x,)) and torch.autograd.gradgradcheck(f, (x,))


def test_save_on_cpu():
    x = leaf(1.0, 2.0)
    with graph.save_on_cpu():
        y = (x * x).sum()
    y.backward()
    assert x.grad.tolist() == [2, 4]


def test_innermost_hooks_apply_and_may_be_forbidden():
    log = []
    outer = graph.saved_tensors_hooks(lambda t: log.append("outer") or t, lambda t: t)
    inner = graph.saved_tensors_hooks(lambda t: log.append("inner") or t, lambda t: t)
    x = leaf(1.0)
    with outer:
        with inner:
            x * x  # noqa: B018
        x.exp()
    x.exp()
    assert log == ["inner", "inner", "outer"]
    with graph.disable_saved_tensors_hooks("not here"), pytest.raises(RuntimeError, match="not here"), outer:
        pass
    with outer:
        pass


def test_hooks_of_one_saved_value():
    x = leaf(2.0)
    y = x * x
    y.grad_fn._raw_saved_self.register_hooks(lambda t: 2, lambda p: torch.full((1,), 10.0))
    y.sum().backward()
    assert x.grad.tolist() == [12]
    with pytest.raises(RuntimeError, match="register_hooks on a saved tensor after it has been freed"):
        y = x * x
        raw = y.grad_fn._raw_saved_self
        y.sum().backward()
        raw.register_hooks(lambda t: t, lambda t: t)


@pytest.mark.parametrize(("pack", "unpack", "error", "words"), [
    (lambda t: t, lambda t: "a", TypeError, "Output of saved tensor unpack_hook expected to be a Tensor but got result of type str"),
    (lambda t: t.add_(1), lambda t: t, RuntimeError, "A saved tensor pack hook is modifying its input in place"),
    (lambda t: 1 / 0, lambda t: t, ZeroDivisionError, ""),
    (lambda t: t, lambda t: 1 / 0, ZeroDivisionError, ""),
])
def test_errors_of_saved_hooks(pack, unpack, error, words):
    a = leaf(1.0)
    x = a * 1
    with pytest.raises(error, match=words), graph.saved_tensors_hooks(pack, unpack):
        (x * x).sum().backward()
    (a * a).sum().backward()
    assert a.grad.tolist() == [2]


# ---- anomaly mode --------------------------------------------------------------------------------


class Broken(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        raise ValueError("broken")


def test_anomaly_mode_shows_the_forward_call():
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"), torch.autograd.detect_anomaly():
        y = Broken.apply(leaf(1.0))  # this line
        with pytest.warns(UserWarning, match="Error detected in BrokenBackward. Traceback of forward call") as seen, \
                pytest.raises(ValueError, match="broken"):
            y.sum().backward()
    assert any("# this line" in str(w.message) for w in seen)
    assert not torch.is_anomaly_enabled()


def test_anomaly_mode_finds_nan():
    x = leaf(0.0)
    with torch.autograd.set_detect_anomaly(True):
        y = (x.sqrt() * 0).sum()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(RuntimeError, match="Function 'SqrtBackward0' returned nan values in its 0th output."):
                y.backward()
    with torch.autograd.set_detect_anomaly(True, check_nan=False):
        (x.sqrt() * 0).sum().backward()


# ---- threads -------------------------------------------------------------------------------------


def test_threads_share_leaves():
    w = torch.ones(64, requires_grad=True)
    errors = []

    def work():
        try:
            for _ in range(50):
                (w * 2).sum().backward()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors and w.grad.tolist() == [400] * 64


def test_threads_walk_one_graph():
    x = torch.ones(4, requires_grad=True)
    y = x
    for _ in range(50):
        y = y * 1.0 + x
    total = y.sum()
    results = []
    threads = [threading.Thread(target=lambda: results.append(torch.autograd.grad(total, x, retain_graph=True)[0].tolist())) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [[51.0] * 4] * 4


def test_backward_in_a_hook():
    x, w = leaf(1.0), leaf(2.0)
    y = x * 3

    def hook(g):
        with torch.enable_grad():
            (w * w).sum().backward()
        return g * w.grad

    y.register_hook(hook)
    y.sum().backward()
    assert x.grad.tolist() == [12] and w.grad.tolist() == [4]


def test_leaves_live_as_long_as_the_graph():
    def build():
        x = leaf(1.0)
        seen = []
        x.register_hook(lambda g: seen.append(g.tolist()))
        return (x * 5).sum(), seen

    y, seen = build()
    y.backward()
    assert seen == [[5]]
