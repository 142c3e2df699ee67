"""backward and grad: what they compute, where gradients go, modes, and the errors."""

import threading
import warnings

import bolide as torch
import pytest

F64 = torch.float64


def leaf(*values, dtype=torch.float32):
    return torch.tensor(values, dtype=dtype, requires_grad=True)


# ---- backward and grad ---------------------------------------------------------------------------


def test_gradients_accumulate_until_cleared():
    x = leaf(1.0, 2.0)
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [5, 5]
    x.grad = None
    (x**3).sum().backward()
    assert x.grad.tolist() == [3, 12]


def test_backward_takes_a_gradient_for_outputs_of_several_elements():
    x = leaf(1.0, 2.0)
    (x * x).backward(torch.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [2, 40]
    x.grad = None
    torch.autograd.backward([x.sum(), x * 2], [None, torch.ones(2)])
    assert x.grad.tolist() == [3, 3]


def test_backward_into_given_inputs_only():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = x * w
    y.sum().backward(inputs=[w])
    assert x.grad is None and w.grad.tolist() == [1, 2]
    y = x * w
    z = y * y
    z.sum().backward(inputs=[y])
    assert y.grad.tolist() == [6, 16] and x.grad is None


def test_grad_returns_instead_of_accumulating():
    x, w, unused = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(0.0)
    gx, gw = torch.autograd.grad((x * w).sum(), [x, w])
    assert gx.tolist() == [3, 4] and gw.tolist() == [1, 2] and x.grad is None
    assert torch.autograd.grad(x.sum(), [x, unused], allow_unused=True)[1] is None
    assert torch.autograd.grad(x.sum(), [x, unused], materialize_grads=True)[1].tolist() == [0]


def test_grad_of_intermediate_values():
    x = leaf(1.0, 2.0)
    y = x * 2
    z = (y * y).sum()
    gy, gx = torch.autograd.grad(z, [y, x])
    assert gy.tolist() == [4, 8] and gx.tolist() == [8, 16]


def test_batched_grad_is_one_backward_for_each_row():
    x = leaf(1.0, 2.0, dtype=F64)
    y = x**2
    (g,) = torch.autograd.grad(y, x, torch.eye(2, dtype=F64), is_grads_batched=True)
    assert g.tolist() == [[2, 0], [0, 4]]
    with pytest.raises(RuntimeError, match="first dimension of each grad_output as the batch dimension"):
        torch.autograd.grad(x**2, x, torch.ones(2, 3, dtype=F64), is_grads_batched=True)


def test_higher_derivatives():
    x = leaf(1.0, 2.0)
    (g,) = torch.autograd.grad((x**4).sum(), x, create_graph=True)
    (g2,) = torch.autograd.grad(g.sum(), x, create_graph=True)
    (g3,) = torch.autograd.grad(g2.sum(), x)
    assert g.tolist() == [4, 32] and g2.tolist() == [12, 48] and g3.tolist() == [24, 48]


def test_diamonds_add_up_once_for_each_way():
    x = leaf(2.0)
    a = x * 3
    b, c = a * a, a + 1
    (b * c + a).sum().backward()
    assert x.grad.item() == 3 * (2 * 6 * 7 + 36 + 1)


def test_undefined_gradients_of_unused_outputs():
    x = leaf(3.0, 1.0, 2.0)
    a, b, c = (x * 2).unbind()
    b.backward()
    assert x.grad.tolist() == [0, 2, 0]


def test_broadcast_gradients_are_summed_and_converted():
    a, b = torch.ones(3, 1, requires_grad=True), torch.ones(4, requires_grad=True, dtype=F64)
    (a * b).sum().backward()
    assert a.grad.shape == (3, 1) and a.grad.tolist() == [[4], [4], [4]] and a.grad.dtype is torch.float32
    assert b.grad.tolist() == [3, 3, 3, 3]


def test_a_released_graph_raises_and_a_kept_one_does_not():
    x = leaf(1.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.backward()
    z = (x + 1).sum()  # saves nothing, so may be walked again
    z.backward()
    z.backward()


def test_long_chains_do_not_recurse():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    y.backward()
    assert x.grad.item() == 1
    del y
    z = x
    for _ in range(100_000):
        z = z + 1
    del z


# ---- .grad ---------------------------------------------------------------------------------------


def test_layout_of_accumulated_gradients():
    w = torch.rand(3, 4).t().requires_grad_()
    (w * 2).sum().backward()
    assert w.grad.stride() == w.stride()
    v = torch.rand(3, 4, requires_grad=True)
    v.t().contiguous().sum().backward()
    assert v.grad.stride() == v.stride()


def test_accumulating_in_place_keeps_the_tensor():
    x = leaf(1.0, 2.0)
    x.grad = torch.zeros(2)
    grad = x.grad
    x.sum().backward()
    assert x.grad is grad and grad.tolist() == [1, 1]
    shared = torch.zeros(2, 2)
    x.grad = shared[:, 0]
    x.sum().backward()
    assert shared.tolist() == [[1, 0], [1, 0]]


def test_gradients_are_never_shared_between_leaves():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (x + y).sum().backward()
    x.grad.zero_()
    assert y.grad.tolist() == [1, 1]


@pytest.mark.parametrize(("value", "error", "words"), [
    (lambda x: torch.ones(3), RuntimeError, r"attempting to assign a gradient of size '\[3\]' to a tensor of size '\[2\]'"),
    (lambda x: torch.ones(2, dtype=F64), RuntimeError, "gradient with dtype 'double' to a tensor with grad_dtype 'Float'"),
    (lambda x: torch.ones(2, device="meta"), RuntimeError, "device type 'meta' to a tensor with device type 'cpu'"),
    (lambda x: 1, TypeError, "assigned grad expected to be a Tensor or None but got grad of type int"),
    (lambda x: x, RuntimeError, "can't assign Variable as its own grad"),
])
def test_grad_assignment_is_checked(value, error, words):
    x = leaf(1.0, 2.0)
    with pytest.raises(error, match=words):
        x.grad = value(x)


def test_grad_of_non_leaf_warns():
    y = leaf(1.0) * 2
    with pytest.warns(UserWarning, match="not a leaf Tensor is being accessed"):
        assert y.grad is None
    y.retain_grad()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y.sum().backward()
        assert y.grad.tolist() == [1]


def test_grad_dtype_may_differ():
    x = leaf(1.0, 2.0)
    assert x.grad_dtype is torch.float32
    x.grad_dtype = None
    x.grad = torch.ones(2, dtype=F64)
    assert x.grad.dtype is F64


def test_create_graph_in_backward_warns_once():
    x = leaf(1.0)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(2):
            (x * x).sum().backward(create_graph=True)
    assert len([w for w in seen if "create a reference cycle" in str(w.message)]) <= 1
    assert x.grad.requires_grad
    x.grad = None


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda x: (x * 2).backward(), RuntimeError, "grad can be implicitly created only for scalar outputs"),
    (lambda x: torch.ones(2).sum().backward(), RuntimeError, "element 0 of tensors does not require grad and does not have a grad_fn"),
    (lambda x: x.sum().backward(inputs=[]), RuntimeError, r"`inputs` argument to `backward\(\)` cannot be empty."),
    (lambda x: torch.autograd.grad(x.sum(), []), RuntimeError, r"`inputs` argument to `grad\(\)` cannot be empty."),
    (lambda x: torch.autograd.grad(x.sum(), torch.ones(1)), RuntimeError, "One of the differentiated Tensors does not require grad"),
    (lambda x: torch.autograd.grad(x.sum(), leaf(1.0)), RuntimeError, "The differentiated Tensor at index 0 appears to not have been used"),
    (lambda x: torch.autograd.grad(x.sum(), x, torch.ones(2)), RuntimeError, r"grad_output\[0\] has a shape of torch.Size\(\[2\]\)"),
    (lambda x: torch.autograd.grad(x * 1, x, torch.ones(2, dtype=torch.complex64)), RuntimeError, "For complex Tensors, both grad_output"),
    (lambda x: torch.autograd.backward(x.sum(), "a"), TypeError, "gradients can be either Tensors or None, but got str"),
    (lambda x: torch.autograd.grad(x.sum(), [1]), RuntimeError, "all inputs have to be Tensors or GradientEdges, but got int"),
    (lambda x: torch.autograd.backward([x.sum(), x.sum()], [torch.tensor(1.0)]), RuntimeError, "got 2 tensors and 1 gradients"),
    (lambda x: torch.autograd.grad(x.sum(), x, allow_unused=False, materialize_grads=True), ValueError, "Expected allow_unused to be True"),
    (lambda x: torch.arange(3).requires_grad_(), RuntimeError, "only Tensors of floating point dtype can require gradients"),
    (lambda x: (x * 2).requires_grad_(False), RuntimeError, "you can only change requires_grad flags of leaf variables"),
    (lambda x: torch.ones(2).retain_grad(), RuntimeError, "can't retain_grad on Tensor that has requires_grad=False"),
    (lambda x: x.numpy(), RuntimeError, r"Can't call numpy\(\) on Tensor that requires grad"),
    (lambda x: torch.add(x, 1, out=torch.empty(2)), RuntimeError, "out=... arguments don't support automatic differentiation"),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call(leaf(1.0, 2.0))


def test_a_write_to_a_saved_value_says_where():
    x = leaf(1.0, 2.0)
    y = x.exp()  # made here
    y.add_(1)  # changed here
    with pytest.raises(RuntimeError, match="modified by an inplace operation") as error:
        y.sum().backward()
    text = str(error.value)
    first = test_a_write_to_a_saved_value_says_where.__code__.co_firstlineno
    assert "[torch.FloatTensor [2]], which is output 0 of Exp, is at version 1; expected version 0 instead" in text
    assert f"The value was made at {__file__}:{first + 2} in test_a_write" in text
    assert f"and changed in place at {__file__}:{first + 3} in test_a_write" in text


def test_a_write_without_recording_is_found_too():
    w = leaf(1.0, 2.0)
    y = (w * w).sum()
    with torch.no_grad():
        w -= 1
    with pytest.raises(RuntimeError, match="The value was changed in place at .*in test_a_write_without"):
        y.backward()


def test_writes_through_data_are_not_counted():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    x.data.add_(1)
    y.backward()
    assert x.grad.tolist() == [4, 6]


# ---- modes ---------------------------------------------------------------------------------------


def test_modes_as_scopes():
    x = leaf(1.0)
    with torch.no_grad():
        assert not torch.is_grad_enabled() and not (x * 2).requires_grad
        with torch.enable_grad():
            assert (x * 2).requires_grad
        assert not torch.is_grad_enabled()
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    with torch.inference_mode():
        y = x * 2
        assert torch.is_inference_mode_enabled() and y.is_inference() and not y.requires_grad
    assert not torch.is_inference_mode_enabled()


def test_modes_as_decorators():
    @torch.no_grad()
    def plain():
        return torch.is_grad_enabled()

    @torch.no_grad
    def bare():
        return torch.is_grad_enabled()

    @torch.inference_mode
    def inference():
        return torch.is_inference_mode_enabled()

    @torch.set_grad_enabled(False)
    def off():
        return torch.is_grad_enabled()

    assert (plain(), bare(), inference(), off(), torch.is_grad_enabled()) == (False, False, True, False, True)
    with pytest.warns(FutureWarning, match="Decorating classes is deprecated"):
        @torch.no_grad()
        class Made:
            def __init__(self):
                self.seen = torch.is_grad_enabled()
    assert Made().seen is False


def test_modes_of_generators_hold_inside_only():
    seen = []

    @torch.no_grad()
    def numbers():
        try:
            got = yield torch.is_grad_enabled()
            seen.append(got)
            yield torch.is_grad_enabled()
        except ValueError:
            seen.append(torch.is_grad_enabled())
            yield "caught"
        finally:
            seen.append(torch.is_grad_enabled())

    g = numbers()
    assert next(g) is False and torch.is_grad_enabled()
    assert g.send("in") is False and torch.is_grad_enabled()
    assert g.throw(ValueError) == "caught"
    g.close()
    assert seen == ["in", False, False] and torch.is_grad_enabled()


def test_modes_belong_to_the_thread():
    seen = []
    with torch.no_grad():
        thread = threading.Thread(target=lambda: seen.append(torch.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


@pytest.mark.parametrize(("call", "words"), [
    (lambda i, x: i * x, "Inference tensors cannot be saved for backward"),
    (lambda i, x: i._version, "Inference tensors do not track version counter"),
    (lambda i, x: i.requires_grad_(), "Setting requires_grad=True on inference tensor outside InferenceMode"),
    (lambda i, x: i.add_(1), "Inplace update to inference tensor outside InferenceMode is not allowed"),
])
def test_inference_tensors_stay_out(call, words):
    with torch.inference_mode():
        i = torch.ones(2)
    with pytest.raises(RuntimeError, match=words):
        call(i, leaf(1.0, 2.0))


def test_variable_is_the_tensor():
    v = torch.autograd.Variable(torch.ones(2), requires_grad=True)
    assert isinstance(v, torch.Tensor) and isinstance(v, torch.autograd.Variable) and v.requires_grad
