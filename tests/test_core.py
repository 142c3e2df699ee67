"""The core seen from Python: creation, arithmetic, views, indexing, gradients, random numbers, errors."""

import math

import bolide as torch
import pytest


def test_creation_and_printing():
    assert str(torch.tensor([[1, 2], [3, 4]])) == "tensor([[1, 2],\n        [3, 4]])"
    assert list(torch.zeros(5, 3).shape) == [5, 3]
    assert torch.ones(2, 2).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert torch.arange(2, 10, 3).tolist() == [2, 5, 8]


def test_add_two_ways_gives_the_seed_s_numbers():
    torch.manual_seed(0)
    x, y = torch.rand(3, 3), torch.rand(3, 3)
    assert (x + y).tolist() == torch.add(x, y).tolist()
    assert math.isclose(x[0, 0].item(), 0.49625658988952637)


def test_square_s_gradient():
    x = torch.tensor(2.0, requires_grad=True)
    y = x**2
    y.backward()
    assert str(x.grad) == "tensor(4.)"


def test_linear_regression_by_hand():
    torch.manual_seed(7)
    w = torch.randn(1, 1, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    x = torch.tensor([[1.0], [2.0], [3.0]])
    first = last = None
    for _ in range(200):
        loss = ((x @ w.t() + b - 2 * x) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.05 * w.grad
            b -= 0.05 * b.grad
        w.grad = b.grad = None
        first, last = first or loss.item(), loss.item()
    assert last < first / 100


@pytest.mark.parametrize("name", ["exp", "log", "sin", "cos", "tanh", "sigmoid", "sqrt", "rsqrt", "erf", "abs", "square", "reciprocal"])
def test_unary_gradients_by_finite_differences(name):
    torch.manual_seed(1)
    x = (torch.rand(7, dtype=torch.float64) + 0.5).requires_grad_()
    f = getattr(torch, name)
    f(x).sum().backward()
    eps = 1e-6
    with torch.no_grad():
        want = (f(x + eps) - f(x - eps)) / (2 * eps)
    assert (x.grad - want).abs().max().item() < 1e-6


def test_views_share_memory_and_rebase_history():
    x = torch.ones(4, requires_grad=True)
    y = x * 2
    z = y[1:3]
    z.mul_(5)
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 10.0, 10.0, 2.0]
    assert y.detach().tolist() == [2.0, 10.0, 10.0, 2.0]
    assert type(y.grad_fn).__name__ == "CopySlices"


def test_indexing():
    a = torch.arange(24).reshape(2, 3, 4)
    assert a[1, 2, 3].item() == 23
    assert a[..., 1].tolist() == [[1, 5, 9], [13, 17, 21]]
    assert a[a > 20].tolist() == [21, 22, 23]
    assert a[[0, 1], :, [1, 2]].tolist() == [[1, 5, 9], [14, 18, 22]]
    b = a.clone()
    b[0, 1] = 7
    assert b[0, 1].tolist() == [7, 7, 7, 7]


def test_promotion():
    assert (torch.ones(2, dtype=torch.int32) + 1.5).dtype is torch.float32
    assert (torch.ones(2, dtype=torch.uint8) + torch.ones(2, dtype=torch.int8)).dtype is torch.int16
    assert (torch.ones(2, dtype=torch.int64) / 2).dtype is torch.float32


def test_numpy_shares_memory():
    np = pytest.importorskip("numpy")
    n = np.ones(3)
    t = torch.from_numpy(n)
    n[0] = 5
    assert t.tolist() == [5.0, 1.0, 1.0]
    t[1] = 7
    assert n[1] == 7
    assert t.numpy().sum() == 13


def test_deep_graphs_do_not_recurse():
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1
    del y


def test_identity_and_attributes_survive():
    class Mine(torch.Tensor):
        pass

    t = torch.ones(2, requires_grad=True).as_subclass(Mine)
    t.note = "kept"
    y = t * 2
    key = id(t)
    del t
    back = y.grad_fn
    assert back is not None and key


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: torch.ones(2) + torch.ones(3), RuntimeError, "must match the size of tensor b"),
    (lambda: torch.ones(2, 3) @ torch.ones(2, 3), RuntimeError, "mat1 and mat2 shapes cannot be multiplied"),
    (lambda: torch.ones(2).view(3), RuntimeError, "is invalid for input of size 2"),
    (lambda: torch.ones(2)[5], IndexError, "out of bounds"),
    (lambda: torch.add(torch.ones(2), "x"), TypeError, "must be"),
    (lambda: torch.ones(2).sum().backward(), RuntimeError, "does not require grad"),
    (lambda: torch.zeros(2**62, 2**62), RuntimeError, "overflow"),
    (lambda: torch.tensor([7]) // 0, RuntimeError, "ZeroDivisionError"),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_in_place_change_of_a_saved_value_is_an_error():
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
