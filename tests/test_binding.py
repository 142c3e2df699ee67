"""The binding: messages of argument errors, overrides, stored dtypes, limits, device scopes, identity of objects."""

import copy
import gc
import pickle
import weakref

import bolide as torch
import pytest

x = torch.ones(2, 3)


@pytest.mark.parametrize("call, message", [
    (lambda: torch.relu(x, 1), "relu() takes 1 positional argument but 2 were given"),
    (lambda: torch.relu(), 'relu() missing 1 required positional arguments: "input"'),
    (lambda: torch.relu(3), "relu(): argument 'input' (position 1) must be Tensor, not int"),
    (lambda: torch.relu(x, foo=1), "relu() got an unexpected keyword argument 'foo'"),
    (lambda: torch.relu(x, input=x), "relu() got multiple values for argument 'input'"),
    (lambda: x.add("a"), "add(): argument 'other' (position 1) must be Tensor, not str"),
    (lambda: torch.add(x, x, alpha="a"), "add(): argument 'alpha' must be Number, not str"),
    (lambda: torch.zeros("a"), "zeros(): argument 'size' (position 1) must be tuple of ints, not str"),
    (lambda: torch.zeros(2, 3.0), "failed to unpack the object at pos 2"),
    (lambda: torch.permute(x, 0, 1), "permute() takes 2 positional arguments but 3 were given"),
    (lambda: torch.cat([x, 3]), "expected Tensor as element 1 in argument 0, but got int"),
    (lambda: torch.full((2,), 'a'), "full(): argument 'fill_value' (position 2) must be Number, not str"),
    (lambda: x.item(3), "takes no arguments (1 given)"),
])
def test_argument_errors(call, message):
    with pytest.raises(TypeError) as info:
        call()
    assert message in str(info.value)


def test_only_methods_take_sizes_one_by_one():
    assert x.permute(1, 0).shape == (3, 2)
    assert x.view(3, 2).shape == x.view((3, 2)).shape == x.view(size=(3, 2)).shape


def test_numpy_names_of_arguments():
    assert torch.equal(torch.sum(x, axis=1, keepdims=True), x.sum(1, True)) if hasattr(torch, "equal") else True
    assert torch.add(x1=x, x2=x).tolist() == (x + x).tolist()


def test_named_results():
    r = torch.max(x, 1)
    assert repr(r).startswith("torch.return_types.max(\nvalues=tensor(")
    assert type(r) is torch.return_types.max and r.values is r[0]


class Logged(torch.Tensor):
    calls = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.calls.append(func)
        return super().__torch_function__(func, types, args, kwargs or {})


class Plain(torch.Tensor):
    pass


def test_subclass_results_keep_their_class():
    a = torch.ones(3).as_subclass(Plain)
    assert type(a + 1) is Plain and type(1 + a) is Plain and type(a[0]) is Plain and type(a.T) is Plain
    assert type(torch.stack([a, a])) is Plain
    assert all(type(v) is Plain for v in a.max(0))


def test_torch_function_sees_calls():
    a = torch.ones(3).as_subclass(Logged)
    Logged.calls.clear()
    assert type(torch.add(a, 1)) is Logged and type(a.add(1)) is Logged
    assert a.shape == (3,)
    assert Logged.calls[0] is torch.add and Logged.calls[1] is torch.Tensor.add
    assert Logged.calls[2] == torch.Tensor.shape.__get__
    with torch._C.DisableTorchFunctionSubclass():
        assert type(a + 1) is torch.Tensor


def test_torch_function_mode():
    from bolide.overrides import TorchFunctionMode

    class Count(TorchFunctionMode):
        seen = 0

        def __torch_function__(self, func, types, args=(), kwargs=None):
            self.seen += 1
            return func(*args, **(kwargs or {}))

    with Count() as mode:
        x + x
        torch.zeros(2)
    assert mode.seen == 2
    x + x
    assert mode.seen == 2


def test_no_implementation():
    class No:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return NotImplemented

    with pytest.raises(TypeError, match="no implementation found for 'add'"):
        torch.add(x, No())


def test_object_keeps_identity_and_attributes():
    a = torch.ones(2, requires_grad=True)
    a.note = "kept"
    y = a * 2
    found = y.grad_fn.next_functions[0][0].variable
    assert found is a
    del a, found
    gc.collect()
    assert y.grad_fn.next_functions[0][0].variable.note == "kept"


def test_weak_references():
    a = torch.ones(2)
    r = weakref.ref(a)
    assert r() is a
    del a
    assert r() is None


def test_methods_can_be_added():
    torch.Tensor.twice = lambda self: self + self
    try:
        assert x.twice().tolist() == (x * 2).tolist()
    finally:
        del torch.Tensor.twice


STORED = ["uint16", "uint32", "uint64", "complex32", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"]


@pytest.mark.parametrize("name", STORED)
def test_stored_dtypes(name):
    dtype = getattr(torch, name)
    a = torch.tensor([1.0, 2.0, 0.0]).to(dtype)
    assert a.dtype is dtype and a.element_size() == dtype.itemsize
    assert [abs(v) for v in a.tolist()] == [1, 2, 0]
    assert (a == a).tolist() == [True] * 3 and (a * a).tolist() == torch.tensor([1.0, 4.0, 0.0]).to(dtype).tolist()
    assert torch.cat([a, a]).shape == (6,) and a[1:].clone().tolist() == a.tolist()[1:]
    assert pickle.loads(pickle.dumps(dtype)) is dtype
    assert copy.deepcopy(a).tolist() == a.tolist()


def test_float8_rounding():
    f = torch.tensor([448.0, 460.0, 500.0, 1e-3, -0.0])
    assert repr(f.to(torch.float8_e4m3fn).float().tolist()) == "[448.0, 448.0, nan, 0.001953125, -0.0]"
    assert repr(f.to(torch.float8_e5m2).float().tolist()) == "[448.0, 448.0, 512.0, 0.0009765625, -0.0]"
    assert torch.tensor([float("inf"), 3.0]).to(torch.float8_e8m0fnu).float().tolist()[1] == 4.0


def test_promotion_of_stored_dtypes():
    with pytest.raises(RuntimeError, match="Promotion for uint16, uint32, uint64"):
        torch.promote_types(torch.uint16, torch.int32)
    assert torch.promote_types(torch.uint16, torch.float32) is torch.float32
    assert torch.promote_types(torch.float16, torch.complex64) is torch.complex64
    assert torch.float16.to_complex() is torch.complex32


def test_limits():
    assert str(torch.finfo(torch.float32)) == ("finfo(resolution=1e-06, min=-3.40282e+38, max=3.40282e+38, eps=1.19209e-07, "
                                               "smallest_normal=1.17549e-38, tiny=1.17549e-38, dtype=float32)")
    assert torch.iinfo(torch.uint8).max == 255 and torch.iinfo(torch.int64).min == -(2**63)
    with pytest.raises(TypeError, match="requires a floating point input type"):
        torch.finfo(torch.int32)


def test_device_scope():
    with torch.device("meta"):
        assert torch.zeros(2).is_meta and torch.tensor([1]).device.type in ("meta", "cpu")
    assert not torch.zeros(2).is_meta
    torch.set_default_device("meta")
    try:
        assert torch.ones(1).is_meta and torch.get_default_device().type == "meta"
    finally:
        torch.set_default_device(None)


def test_legacy_classes():
    a = torch.FloatTensor([1, 2])
    assert isinstance(a, torch.FloatTensor) and not isinstance(a, torch.LongTensor)
    assert torch.LongTensor(2, 3).shape == (2, 3) and a.type() == "torch.FloatTensor"
    assert a.type(torch.LongTensor).dtype is torch.int64 and a.type("torch.DoubleTensor").dtype is torch.float64


def test_assert_close():
    torch.testing.assert_close(x, x + 1e-7)
    with pytest.raises(AssertionError, match="Tensor-likes are not close!\n\nMismatched elements: 6 / 6"):
        torch.testing.assert_close(x, x + 1)
    with pytest.raises(AssertionError, match="'dtype' do not match"):
        torch.testing.assert_close(x, x.double())


def test_number_first():
    a = torch.tensor([1.0, 2.0, 3.0])
    assert torch.pow(2, a).tolist() == [2, 4, 8] and torch.remainder(7, torch.tensor([2, 4])).tolist() == [1, 3]


def test_size():
    s = torch.Size([2, 3])
    assert repr(s + (4,)) == repr((2, 3) + torch.Size([4])) == "torch.Size([2, 3, 4])"
    assert repr(s[1:]) == "torch.Size([3])" and s.numel() == 6 and hash(s) == hash((2, 3))


def test_hash_is_identity():
    assert hash(x) == id(x)
