"""User-defined functions: what forward and backward may do, what ctx keeps, and the errors."""

import gc
import weakref

import bolide as torch
import pytest
from bolide.autograd import Function

F64 = torch.float64


def leaf(*values, dtype=torch.float32):
    return torch.tensor(values, dtype=dtype, requires_grad=True)


class Exp(Function):
    @staticmethod
    def forward(ctx, x, k):
        y = x.exp() * k
        ctx.save_for_backward(y)
        ctx.k = k
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y, None


class Square(Function):
    @staticmethod
    def forward(x):
        return x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]


def make(forward, backward=None, **more):
    body = {"forward": staticmethod(forward), **{k: staticmethod(v) for k, v in more.items()}}
    if backward:
        body["backward"] = staticmethod(backward)
    return type("Made", (Function,), body)


def test_forward_and_backward():
    x = leaf(0.0, 1.0)
    y = Exp.apply(x, 3.0)
    assert type(y.grad_fn).__name__ == "ExpBackward" and y.grad_fn.name() == "ExpBackward" and y.grad_fn.k == 3.0
    assert y.grad_fn._forward_cls is Exp and y.grad_fn is y.grad_fn
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()


def test_double_backward_goes_through_saved_inputs_and_outputs():
    x = leaf(0.5, 1.0, dtype=F64)
    assert torch.autograd.gradcheck(lambda t: Exp.apply(t, 2.0), (x,)) and torch.autograd.gradgradcheck(lambda t: Exp.apply(t, 2.0), (x,))
    assert torch.autograd.gradcheck(Square.apply, (x,)) and torch.autograd.gradgradcheck(Square.apply, (x,))


def test_nested_functions():
    class Outer(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            with torch.enable_grad():
                ctx.inner = Square.apply(x.detach().requires_grad_())
            return ctx.inner.detach()

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                y = Square.apply(x)
            return torch.autograd.grad(y, x, g)[0]

    x = leaf(3.0)
    Outer.apply(x).sum().backward()
    assert x.grad.tolist() == [6]


def test_outputs_of_all_kinds():
    def forward(ctx, x):
        mask = x > 0
        ctx.mark_non_differentiable(mask)
        return mask, x * 2, None, "text", x.long()

    seen = []

    def backward(ctx, *grads):
        seen.append(grads)
        return grads[1]

    x = leaf(1.0, -1.0)
    mask, y, none, text, whole = make(forward, backward).apply(x)
    assert none is None and text == "text" and not mask.requires_grad and not whole.requires_grad and y.requires_grad
    y.sum().backward()
    (grads,) = seen
    assert grads[0].dtype is torch.bool and grads[2] is None and grads[3] is None and x.grad.tolist() == [1, 1]


def test_gradients_that_do_not_arrive():
    seen = []

    def run(materialize):
        def forward(ctx, x):
            ctx.set_materialize_grads(materialize)
            return x * 2, x * 3

        def backward(ctx, a, b):
            seen.append(b if b is None else b.tolist())
            return a * 2

        make(forward, backward).apply(leaf(1.0))[0].sum().backward()

    run(True)
    run(False)
    assert seen == [[0.0], None]


def test_needs_input_grad():
    seen = []

    def forward(ctx, a, b, c):
        seen.append(ctx.needs_input_grad)
        return a + b

    def backward(ctx, g):
        seen.append(ctx.needs_input_grad)
        return g, None, None

    make(forward, backward).apply(leaf(1.0), torch.ones(1), 3).sum().backward()
    assert seen == [(True, False, False)] * 2


def test_inputs_returned_as_they_are_become_views():
    identity = make(lambda ctx, x: x, lambda ctx, g: g * 2)
    x = leaf(1.0)
    y = identity.apply(x)
    assert y is not x and y._is_view() and y._base is x
    y.sum().backward()
    assert x.grad.tolist() == [2]
    with pytest.raises(RuntimeError, match="Output 0 of Made is a view and is being modified inplace. This view was created inside a custom"):
        identity.apply(x * 1).add_(1)


def test_marked_inputs_are_rewritten():
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(3)

    f = make(forward, lambda ctx, g: g * 3)
    x = leaf(1.0, 2.0)
    y = x * 1
    z = f.apply(y)
    assert z is y and y._version == 2
    y.sum().backward()
    assert x.grad.tolist() == [3, 3]
    x.grad = None
    y = x * 1
    v = y[0:1]
    assert f.apply(v) is v and type(y.grad_fn).__name__ == "CopySlices"
    y.sum().backward()
    assert x.grad.tolist() == [3, 1]


def test_once_differentiable():
    f = make(lambda ctx, x: x * x, torch.autograd.function.once_differentiable(lambda ctx, g: g * 3))
    x = leaf(1.0)
    w = leaf(2.0)
    (g,) = torch.autograd.grad((f.apply(x) * w).sum(), x, create_graph=True)
    assert g.tolist() == [6]
    with pytest.raises(RuntimeError, match="differentiate twice a function that was marked with @once_differentiable"):
        g.sum().backward()


def test_keyword_arguments_and_defaults():
    class Scaled(Function):
        @staticmethod
        def forward(x, factor=2.0):
            return x * factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.factor = inputs[1]

        @staticmethod
        def backward(ctx, g):
            return g * ctx.factor, None

    x = leaf(1.0)
    Scaled.apply(x).sum().backward()
    Scaled.apply(x, factor=5.0).sum().backward()
    assert x.grad.tolist() == [7]


def test_vjp_in_place_of_backward():
    f = make(lambda ctx, x: x * 2, vjp=lambda ctx, g: g * 2)
    x = leaf(1.0)
    f.apply(x).sum().backward()
    assert x.grad.tolist() == [2]


def test_saved_tensors_are_checked_and_freed():
    y = Exp.apply(leaf(1.0), 1.0)
    y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation: .*output 0 of Exp, is at version 1"):
        y.sum().backward()
    y = Exp.apply(leaf(1.0), 1.0)
    fn = y.grad_fn
    y.sum().backward()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        fn.saved_tensors  # noqa: B018
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.sum().backward()


def raised(value):
    raise value


def marks(name, *args):
    def forward(ctx, x):
        getattr(ctx, name)(*args)
        return x * 2

    return forward


@pytest.mark.parametrize(("function", "error", "words"), [
    (make(lambda ctx, x: x * 2, lambda ctx, g: (g, g)), RuntimeError, r"returned an incorrect number of gradients \(expected 1, got 2\)"),
    (make(lambda ctx, x: x * 2, lambda ctx, g: torch.ones(3)), RuntimeError,
     r"Function MadeBackward returned an invalid gradient at index 0 - got \[3\] but expected shape compatible with \[2\]"),
    (make(lambda ctx, x: x * 2, lambda ctx, g: "a"), RuntimeError, r"expected Variable or None \(got str\)"),
    (make(lambda ctx, x: x * 2, lambda ctx, g: raised(ValueError("boo"))), ValueError, "boo"),
    (make(lambda ctx, x: raised(KeyError("early")), lambda ctx, g: g), KeyError, "early"),
    (make(lambda ctx, x: x * 2), NotImplementedError, "You must implement either the backward or vjp method"),
    (make(marks("save_for_backward", 3)), TypeError, "save_for_backward can only save variables, but argument 0 is of type int"),
    (make(marks("mark_dirty", 3)), RuntimeError, "mark_dirty can only accept variables"),
    (make(marks("mark_dirty", torch.ones(2))), RuntimeError, "Some elements marked as dirty during the forward method were not returned"),
    (make(marks("mark_non_differentiable", 3)), RuntimeError, "mark_non_differentiable only accepts variable arguments"),
    (make(marks("set_materialize_grads", 3)), TypeError, "set_materialize_grads received an invalid combination"),
    (make(lambda ctx, x: (ctx.mark_dirty(x), x.add_(1))[1], lambda ctx, g: g), RuntimeError,
     "a leaf Variable that requires grad has been used in an in-place operation."),
    (make(lambda ctx, x: x * 2, lambda ctx, g: g, vjp=lambda ctx, g: g), RuntimeError, "Implementing both 'backward' and 'vjp'"),
    (type("Empty", (Function,), {}), NotImplementedError, "You must implement the forward function for custom autograd.Function."),
])
def test_errors(function, error, words):
    with pytest.raises(error, match=words):
        function.apply(leaf(1.0, 2.0)).sum().backward()


def test_gradient_for_something_that_is_no_tensor():
    f = make(lambda ctx, x, k: x * k, lambda ctx, g: (g, g))
    with pytest.raises(RuntimeError, match="returned a gradient different than None at position 2"):
        f.apply(leaf(1.0), 2.0).sum().backward()


def test_instances_are_of_no_use():
    with pytest.warns(DeprecationWarning, match="should not be instantiated"):
        instance = Exp()
    with pytest.raises(RuntimeError, match="Legacy autograd function with non-static forward method is deprecated"):
        instance(leaf(1.0))


def test_backward_within_backward():
    class Again(Function):
        @staticmethod
        def forward(ctx, x):
            with torch.enable_grad():
                ctx.x = x.detach().requires_grad_()
                ctx.y = ctx.x - 1
            return ctx.y.detach()

        @staticmethod
        def backward(ctx, g):
            if ctx.x.item() <= 0:
                return g
            with torch.enable_grad():
                Again.apply(ctx.y).sum().backward()
            return g

    v = torch.tensor(400.0, requires_grad=True)
    Again.apply(v).sum().backward()
    assert v.grad.item() == 1


# ---- life and death ------------------------------------------------------------------------------


class Mark:
    pass


def test_contexts_die_with_the_graph():
    def run():
        y = Exp.apply(leaf(1.0), 1.0)
        y.grad_fn.mark = Mark()
        return weakref.ref(y.grad_fn.mark)

    assert run()() is None


def test_contexts_outlive_python_s_references():
    y = Exp.apply(leaf(1.0), 4.0)
    y.grad_fn.extra = [1]
    gc.collect()
    assert y.grad_fn.extra == [1] and (y * 2).grad_fn.next_functions[0][0].extra == [1]
    fn = y.grad_fn
    del y
    assert fn.k == 4.0 and fn.next_functions[0][0].name() == "AccumulateGrad"


@pytest.mark.parametrize("tie", [
    lambda y, mark: setattr(y.grad_fn, "loop", (y, mark)),
    lambda y, mark: setattr(y.grad_fn, "loop", ((y * 2 + 1).sum(), mark)),
    lambda y, mark: y.register_hook(lambda g: (y, mark)),
    lambda y, mark: (lambda z: y.register_hook(lambda g: (z, mark)))(y * 3),
    lambda y, mark: y.grad_fn.register_hook(lambda i, o: (y, mark)),
    lambda y, mark: y.grad_fn.metadata.update(loop=(y, mark)),
    lambda y, mark: setattr(y, "loop", (y.exp(), mark)),
])
def test_cycles_through_the_graph_are_collected(tie):
    def run():
        y = Exp.apply(leaf(1.0), 1.0)
        mark = Mark()
        tie(y, mark)
        return weakref.ref(mark)

    ref = run()
    gc.collect()
    assert ref() is None


def test_cycle_of_a_leaf_and_its_hook_is_collected():
    def run():
        x, mark = leaf(1.0), Mark()
        x.register_hook(lambda g: (x, mark))
        return weakref.ref(mark)

    ref = run()
    gc.collect()
    assert ref() is None
