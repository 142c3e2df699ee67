"""Hooks on tensors, on leaves after accumulation and on steps of the graph; their order and their errors."""

import bolide as torch
import pytest


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def test_tensor_hooks_see_and_replace_gradients_in_order():
    x, log = leaf(1.0, 1.0), []
    first = x.register_hook(lambda g: g * 2)
    x.register_hook(lambda g: log.append(g.tolist()))
    y = x * 3
    y.register_hook(lambda g: log.append(("y", g.tolist())))
    y.sum().backward()
    assert x.grad.tolist() == [6, 6] and log == [("y", [1, 1]), [6, 6]]
    first.remove()
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_retain_grad_comes_after_all_hooks():
    x = leaf(1.0, 1.0)
    y = x * 1
    y.retain_grad()
    y.register_hook(lambda g: g * 2)
    y.sum().backward()
    assert y.grad.tolist() == [2, 2] and x.grad.tolist() == [2, 2]


def test_handles_work_as_scopes():
    x = leaf(1.0)
    with x.register_hook(lambda g: g * 5):
        x.sum().backward()
    x.sum().backward()
    assert x.grad.tolist() == [6]


def test_a_hook_may_remove_itself_and_add_others():
    x, log = leaf(1.0), []

    def hook(g):
        log.append("once")
        handle.remove()
        x.register_hook(lambda g: log.append("later"))

    handle = x.register_hook(hook)
    x.sum().backward()
    x.sum().backward()
    assert log == ["once", "later"]


def test_hooks_stay_with_the_value_they_were_registered_for():
    x, log = leaf(1.0), []
    y = x * 2
    y.register_hook(lambda g: log.append(("before", g.tolist())))
    y.mul_(3)
    assert y._backward_hooks is None
    y.register_hook(lambda g: log.append(("after", g.tolist())))
    y.sum().backward()
    assert log == [("after", [1]), ("before", [3])]


def test_hooks_meet_gradients_that_did_not_arrive():
    x, log = torch.ones(4, requires_grad=True), []
    a, b = (x * 1).split(2)
    b.register_hook(log.append)
    a.sum().backward()
    assert log == [None]


def test_grad_sees_hooks_of_its_inputs():
    x = leaf(1.0)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    z = (y * 3).sum()
    assert torch.autograd.grad(z, y, retain_graph=True)[0].tolist() == [30]
    x.register_hook(lambda g: g * 100)
    gx, gy = torch.autograd.grad(z, [x, y])
    assert gx.tolist() == [6000] and gy.tolist() == [3]  # what y's own step has yet to receive is captured as it came


def test_post_accumulate_hooks():
    x, seen = leaf(1.0), []
    handle = x.register_post_accumulate_grad_hook(lambda t: seen.append((t is x, t.grad.tolist())))
    x.sum().backward()
    (x * 2).sum().backward()
    handle.remove()
    x.sum().backward()
    assert seen == [(True, [1]), (True, [3])]


def test_optimizer_in_backward():
    w = leaf(1.0, 2.0)

    def step(t):
        with torch.no_grad():
            t -= 0.1 * t.grad
        t.grad = None

    w.register_post_accumulate_grad_hook(step)
    (w * w).sum().backward()
    assert w.grad is None and w.detach().tolist() == pytest.approx([0.8, 1.6])


def test_node_hooks():
    x, log = leaf(1.0, 1.0), []
    y = x * 1
    y.grad_fn.register_prehook(lambda out: log.append(("pre", out[0].tolist())))
    y.grad_fn.register_prehook(lambda out: (out[0] * 3,))
    y.grad_fn.register_hook(lambda inp, out: log.append(("post", inp[0].tolist(), out[0].tolist())))
    y.grad_fn.register_hook(lambda inp, out: (inp[0] * 5, None))
    y.sum().backward()
    assert log == [("pre", [1, 1]), ("post", [3, 3], [3, 3])] and x.grad.tolist() == [15, 15]


def test_hooks_on_the_accumulating_step():
    x, log = leaf(1.0), []
    node = x.expand_as(x).grad_fn.next_functions[0][0]
    node.register_hook(lambda inp, out: log.append((inp, out[0].tolist(), x.grad.tolist())))
    (x * 2).sum().backward()
    assert log == [((), [2], [2])]


def test_hook_of_the_graph_s_end_dies_with_the_graph():
    x, log = leaf(1.0), []
    x.expand_as(x).grad_fn.next_functions[0][0].register_hook(lambda inp, out: log.append(1))
    x.sum().backward()
    assert log == []


@pytest.mark.parametrize(("hook", "error", "words"), [
    (lambda g: "a", TypeError, "expected Variable, but hook returned 'str'"),
    (lambda g: torch.ones(3), RuntimeError, "hook '<lambda>' has changed the size of value"),
    (lambda g: g.double(), RuntimeError, r"has changed the type of value \(was torch.FloatTensor got torch.DoubleTensor\)"),
    (lambda g: 1 / 0, ZeroDivisionError, "division"),
])
def test_errors_of_tensor_hooks_leave_a_usable_state(hook, error, words):
    x = leaf(1.0, 1.0)
    y = x * 1
    with y.register_hook(hook), pytest.raises(error, match=words):
        y.sum().backward()
    assert x.grad is None and torch.is_grad_enabled()
    y.sum().backward()
    assert x.grad.tolist() == [1, 1]


@pytest.mark.parametrize(("register", "hook", "error", "words"), [
    ("register_hook", lambda i, o: (i[0],), RuntimeError, r"incorrect number of values \(got 1, but expected 2\)"),
    ("register_hook", lambda i, o: i[0], TypeError, "expected tuple, but hook returned 'Tensor'"),
    ("register_prehook", lambda o: (o[0], o[0]), RuntimeError, r"incorrect number of values \(got 2, but expected 1\)"),
    ("register_prehook", lambda o: (3,), TypeError, "expected Variable, but hook returned 'int'"),
])
def test_errors_of_node_hooks(register, hook, error, words):
    y = leaf(1.0) * 1
    getattr(y.grad_fn, register)(hook)
    with pytest.raises(error, match=words):
        y.sum().backward()


@pytest.mark.parametrize(("call", "words"), [
    (lambda: torch.ones(1).register_hook(print), "cannot register a hook on a tensor that doesn't require gradient"),
    (lambda: torch.ones(1).register_post_accumulate_grad_hook(print), "cannot register a hook on a tensor that doesn't require gradient"),
    (lambda: (leaf(1.0) * 1).register_post_accumulate_grad_hook(print), "post accumulate grad hooks cannot be registered on non-leaf tensors"),
])
def test_registering_where_no_gradient_comes(call, words):
    with pytest.raises(RuntimeError, match=words):
        call()


def test_multi_grad_hooks():
    a, b = leaf(1.0), leaf(2.0)
    seen = []
    torch.autograd.graph.register_multi_grad_hook((a, b), lambda grads: seen.append([None if g is None else g.tolist() for g in grads]))
    (a * b).sum().backward()
    (a * 2).sum().backward()
    assert seen == [[[2], [1]], [[2], None]]
    first = []
    handle = torch.autograd.graph.register_multi_grad_hook((a, b), lambda g: first.append(1), mode="any")
    (a * b).sum().backward()
    handle.remove()
    (a * b).sum().backward()
    assert first == [1]


def test_callbacks_at_the_end_of_backward():
    x, log = leaf(1.0), []

    def hook(g):
        torch.autograd.Variable._execution_engine.queue_callback(lambda: log.append(x.grad.tolist()))

    x.register_hook(hook)
    x.sum().backward()
    assert log == [[1]]
    with pytest.raises(RuntimeError, match="only be installed during backward"):
        torch.autograd.Variable._execution_engine.queue_callback(print)
