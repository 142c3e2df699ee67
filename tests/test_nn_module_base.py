"""What programs do to modules beside calling them:
their own attribute access, calls, bases, and errors with a path.
"""

import copy
import gc
import pickle
import traceback
import weakref
from typing import Generic, TypeVar

import pytest

import bolide as torch
from bolide import nn


class Affine(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("shift", torch.zeros(1))
        self.plain = 3

    def forward(self, x):
        return self.inner(x) * self.scale + self.shift


def test_attributes_come_from_the_instance_then_the_class_then_the_registered():
    m = Affine()
    assert m.plain == 3 and m.scale is m._parameters["scale"] and m.shift is m._buffers["shift"]
    assert m.inner is m._modules["inner"] and m.__getattr__("inner") is m.inner
    with pytest.raises(AttributeError, match="'Affine' object has no attribute 'nothing'"):
        m.nothing  # noqa: B018
    assert not hasattr(m, "nothing") and getattr(m, "nothing", 5) == 5
    m.__dict__["scale"] = "hides"
    assert m.scale == "hides"


def test_own_getattr_may_ask_the_base():
    class Wrapper(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def __getattr__(self, name):
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(self.inner, name)

    w = Wrapper(Affine())
    assert w.plain == 3 and w.inner.inner is w.inner._modules["inner"] and w.scale is w.inner.scale
    with pytest.raises(AttributeError, match="Affine.*nothing"):
        w.nothing  # noqa: B018


def test_getattr_and_getattribute_may_be_replaced_later():
    class Late(nn.Module):
        pass

    m = Late()
    Late.__getattr__ = lambda self, name: "late " + name
    assert m.anything == "late anything" and m.training is True
    del Late.__getattr__
    assert not hasattr(m, "anything")
    Late.__getattribute__ = lambda self, name: 7 if name == "seven" else object.__getattribute__(self, name)
    assert m.seven == 7 and m.training is True


def test_property_s_attribute_error_keeps_its_cause():
    class P(nn.Module):
        @property
        def broken(self):
            return self.missing

    with pytest.raises(AttributeError, match="'P' object has no attribute 'broken'") as error:
        P().broken  # noqa: B018
    assert "missing" in str(error.value.__context__)


def test_object_setattr_goes_past_registration():
    m = Affine()
    object.__setattr__(m, "hidden", nn.Linear(1, 1))
    assert "hidden" not in m._modules and isinstance(m.hidden, nn.Linear)
    object.__delattr__(m, "hidden")
    assert not hasattr(m, "hidden")


def test_own_setattr_may_ask_the_base():
    seen = []

    class Watching(nn.Module):
        def __setattr__(self, name, value):
            seen.append(name)
            super().__setattr__(name, value)

    m = Watching()
    m.layer = nn.ReLU()
    m.number = 1
    assert seen == ["layer", "number"] and list(m._modules) == ["layer"] and m.number == 1


def test_registered_names_change_kind():
    m = Affine()
    m.plain = nn.Parameter(torch.ones(2))
    assert "plain" in m._parameters and "plain" not in m.__dict__
    m.plain = None
    assert m.plain is None and m._parameters["plain"] is None
    with pytest.raises(TypeError, match="cannot assign 'torch.FloatTensor' as parameter 'plain'"):
        m.plain = torch.ones(1)
    m.shift = torch.ones(1)
    assert m._buffers["shift"].item() == 1
    with pytest.raises(TypeError, match="cannot assign 'int' as child module 'inner'"):
        m.inner = 3


def test_forward_may_be_replaced_on_an_instance():
    m = Affine()
    m.forward = lambda x: ("own", x)
    assert m(1) == ("own", 1)
    del m.forward
    assert m(torch.ones(1, 2)).shape == (1, 2)


def test_many_arguments_and_keywords_reach_forward():
    class Echo(nn.Module):
        def forward(self, *args, **kwargs):
            return args, kwargs

    assert Echo()(*range(12), a=1) == (tuple(range(12)), {"a": 1}) and Echo()() == ((), {})
    assert Echo()(*range(8)) == (tuple(range(8)), {})
    static = type("Static", (nn.Module,), {"forward": staticmethod(lambda x: x + 1)})
    assert static()(1) == 2


def test_call_may_be_replaced_for_all_modules():
    former, names = nn.Module.__call__, []

    def noting(self, *args, **kwargs):
        names.append(type(self).__name__)
        return former(self, *args, **kwargs)

    nn.Module.__call__ = noting
    try:
        nn.Sequential(nn.Identity())(1)
    finally:
        del nn.Module.__call__
    nn.Identity()(1)
    assert names == ["Sequential", "Identity"]


def test_other_bases_stand_beside_module():
    T = TypeVar("T")

    class Typed(nn.Module, Generic[T]):
        pass

    class Keyed(nn.Module, dict):
        pass

    assert Typed[int]().training and Keyed()._modules == {}


def test_modules_without_their_constructor_say_so():
    class Forgetful(nn.Module):
        def __init__(self):
            self.layer = nn.ReLU()

    with pytest.raises(AttributeError, match=r"cannot assign module before Module.__init__\(\) call"):
        Forgetful()
    bare = nn.Module.__new__(Affine)
    with pytest.raises(AttributeError, match="has no attribute '_backward_hooks'"):
        bare(1)


def test_modules_are_collected_copied_and_pickled():
    m = nn.Sequential(nn.Identity())
    m.cycle = [m]
    ref = weakref.ref(m)
    del m
    gc.collect()
    assert ref() is None
    s = nn.Sequential(nn.ReLU(), nn.Dropout(0.3))
    assert repr(copy.copy(s)) == repr(copy.deepcopy(s)) == repr(pickle.loads(pickle.dumps(s))) == repr(s)


def test_an_error_tells_which_module_it_left():
    model = nn.Sequential(nn.Sequential(nn.ReLU(), Affine()), nn.ReLU())
    with pytest.raises(RuntimeError) as error:
        model(torch.ones(1, 5))
    text = "".join(traceback.format_exception(error.value))
    assert "in 0.1.inner: Linear(in_features=2, out_features=2, bias=True)" in text
    assert str(error.value).startswith("mat1 and mat2")
