"""In-place writes and views: history follows the write, or an error says why it cannot."""

import bolide as torch
import pytest

F64 = torch.float64


def base():
    return torch.ones(2, 2, requires_grad=True) * 1


def test_a_write_through_a_view_rewrites_the_base_s_history():
    x = torch.ones(4, requires_grad=True)
    y = x * 2
    z = y[1:3]
    z.mul_(5)
    assert type(y.grad_fn).__name__ == "CopySlices" and type(z.grad_fn).__name__ == "AsStridedBackward0"
    y.sum().backward()
    assert x.grad.tolist() == [2, 10, 10, 2]


def test_a_write_to_the_base_reaches_older_views():
    x = torch.ones(2, 2, requires_grad=True)
    y = x * 1
    row = y[0]
    y.mul_(3)
    assert type(row.grad_fn).__name__ == "AsStridedBackward0"
    row.sum().backward()
    assert x.grad.tolist() == [[3, 3], [0, 0]]


def test_views_of_views_and_chains_of_writes():
    def f(x):
        y = x * 1
        v = y.view(-1)[1:5].view(2, 2)
        v[0].mul_(x[0, 0])
        v.t()[1].add_(x[1, 1])
        y[0].pow_(2)
        v[1, 0] = x.sum()
        return y

    x = torch.arange(1.0, 7, dtype=F64).reshape(2, 3).requires_grad_()
    assert torch.autograd.gradcheck(f, (x,))
    assert torch.autograd.gradgradcheck(f, (x,))


def test_writing_a_recorded_value_into_a_plain_buffer():
    a = torch.ones((), requires_grad=True)
    buffer = torch.zeros(4)
    before = buffer[3]
    part = buffer[:2]
    part.add_(a * 2)
    assert buffer.requires_grad and type(buffer.grad_fn).__name__ == "CopySlices"
    assert buffer.grad_fn.next_functions[0] == (None, 0)
    buffer[3] = a * 5
    (buffer * torch.arange(1.0, 5)).sum().backward()
    assert a.grad.item() == 2 * 3 + 5 * 4 and before.item() == 5


def test_in_place_ops_on_plain_values():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.mul_(3).add_(x)
    y.sum().backward()
    assert x.grad.tolist() == [7, 7]


def test_the_written_value_may_be_needed_by_its_own_gradient():
    x = torch.tensor([2.0, 3.0], dtype=F64, requires_grad=True)
    w = torch.tensor([5.0, 7.0], dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, w: (x * 1).mul_(w), (x, w))
    assert torch.autograd.gradgradcheck(lambda x, w: (x * 1).mul_(w), (x, w))


def test_detached_values_share_memory_and_versions_but_no_history():
    x = torch.ones(2, requires_grad=True)
    y = x * 1
    d = y.detach()
    assert not d._is_view() and d._base is None
    d.mul_(2)
    assert y._version == 1 and type(y.grad_fn).__name__ == "MulBackward0" and y.tolist() == [2, 2]


def test_views_of_leaves_made_without_recording_require_grad_without_a_step():
    b = base()
    with torch.no_grad():
        v = b[0]
    assert v.requires_grad and v.grad_fn is None and (v * 2).grad_fn.next_functions[0] == (None, 0)


NO_GRAD = "A view was created in no_grad mode and is being modified inplace with grad mode enabled. Given that this use case is ambiguous"
MULTI = "Output 0 of {} is a view and is being modified inplace. This view is the output of a function that returns multiple views."


def no_grad_view():
    b = base()
    with torch.no_grad():
        return b[0]


@pytest.mark.parametrize(("view", "words"), [
    (no_grad_view, NO_GRAD),
    (lambda: base().unbind()[0], MULTI.format("Unbind")),
    (lambda: base().split(1)[0], MULTI.format("Split")),
    (lambda: base().chunk(2)[0], MULTI.format("Split")),
    (lambda: torch.ones(2, requires_grad=True)[0], "a view of a leaf Variable that requires grad is being used in an in-place operation."),
    (lambda: torch.ones(2, requires_grad=True), "a leaf Variable that requires grad is being used in an in-place operation."),
    (lambda: torch.ones(2).view(2).requires_grad_(), "a view of a leaf Variable that requires grad"),
])
def test_writes_that_cannot_be_recorded(view, words):
    with pytest.raises(RuntimeError, match=words):
        view().mul_(2)


def test_views_of_inference_mode():
    b = base()
    with torch.inference_mode():
        v = b[0]
    with pytest.raises(RuntimeError, match="A view was created in inference mode and is being modified inplace in normal mode."):
        v.mul_(2)


def test_indirect_writes_to_several_views():
    b = base()
    u = b.unbind()
    b.add_(1)
    with pytest.raises(RuntimeError, match="Output 0 of Unbind is a view and its base or another view of its base has been modified inplace"):
        u[0].grad_fn  # noqa: B018


def test_detach_in_place():
    y = torch.ones(2, requires_grad=True) * 2
    y.detach_()
    assert y.is_leaf and not y.requires_grad and y.grad_fn is None
    with pytest.raises(RuntimeError, match="Can't detach views in-place. Use detach"):
        base()[0].detach_()


def test_versions_count_writes():
    x = torch.zeros(3)
    assert x._version == 0
    x.add_(1)
    x[0] = 2
    assert x._version == 2 and x.view(3)._version == 2
    torch.autograd.graph.increment_version(x)
    torch.autograd.graph.increment_version([x, x])
    assert x._version == 5


def test_complex_parts_are_views_that_can_be_written():
    z = torch.tensor([1 + 2j, 3 - 1j], dtype=torch.complex128, requires_grad=True)

    def f(z):
        y = z * 1
        y.real.mul_(2)
        return y

    assert torch.autograd.gradcheck(f, (z,))
    y = z * 1
    r = y.real
    r.mul_(2)
    assert type(y.grad_fn).__name__ == "CopySlices" and type(r.grad_fn).__name__ in ("AsStridedBackward0", "RealBackward0")
