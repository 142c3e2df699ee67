"""User-defined differentiable functions."""

import functools
import inspect
import itertools
import warnings

from .. import _C
from .._modes import no_grad

__all__ = ["BackwardCFunction", "Function", "FunctionCtx", "FunctionMeta", "InplaceFunction", "NestedIOFunction", "once_differentiable"]

_numbers = itertools.count()


class FunctionCtx:
    """What forward and backward of a function share: ``ctx``."""

    def save_for_backward(self, *tensors):
        """Keeps tensors for backward (``ctx.saved_tensors``); they are checked for writes in between."""
        self.to_save = tensors

    def save_for_forward(self, *tensors):
        """Keeps tensors for ``jvp``."""
        for t in tensors:
            assert isinstance(t, _C.Tensor) or t is None, ("save_for_forward expects all arguments to be tensors; you should save non-tensors as "
                                                           "attributes on ctx.")
        self.saved_for_forward = tensors

    def mark_dirty(self, *args):
        """Declares inputs that forward wrote in place; they must be returned, too."""
        self.dirty_tensors = args

    def mark_shared_storage(self, *pairs):
        """Does nothing: tensors that share memory are known."""
        warnings.warn("`mark_shared_storage` is deprecated. Tensors with shared storages are automatically tracked. Note that calls to `set_()` "
                      "are not tracked", FutureWarning, stacklevel=2)

    def mark_non_differentiable(self, *args):
        """Declares outputs that have no gradient."""
        self.non_differentiable = args

    def set_materialize_grads(self, value):
        """Whether gradients that did not arrive come to backward as zeros (the default) or as None."""
        self.materialize_grads = value


_ContextMethodMixin = FunctionCtx


class _HookMixin:
    @staticmethod
    def _register_hook(backward_hooks, hook):
        from collections import OrderedDict

        from ..utils.hooks import RemovableHandle

        if backward_hooks is None:
            backward_hooks = OrderedDict()
        handle = RemovableHandle(backward_hooks)
        backward_hooks[handle.id] = hook
        return backward_hooks, handle


class BackwardCFunction(_C._FunctionBase, FunctionCtx, _HookMixin):
    """The base of the classes that stand for a function's backward in the graph."""

    def apply(self, *args):
        """Calls the function's backward."""
        backward, vjp = self._forward_cls.backward, self._forward_cls.vjp
        if backward is not Function.backward and vjp is not Function.vjp:
            raise RuntimeError("Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement one of them.")
        return (vjp if vjp is not Function.vjp else backward)(self, *args)

    def apply_jvp(self, *args):
        """Calls the function's jvp."""
        return self._forward_cls.jvp(self, *args)


class FunctionMeta(type(_C._FunctionBase)):
    """Makes the backward class of each function."""

    def __init__(cls, name, bases, attrs):
        cls._backward_cls = type(name + "Backward", (BackwardCFunction,), {"_forward_cls": cls, "__module__": "torch.autograd.function"})
        cls._autograd_function_id = cls._backward_cls._autograd_function_id = next(_numbers)
        super().__init__(name, bases, attrs)


class _SingleLevelFunction(_C._FunctionBase, FunctionCtx, _HookMixin, metaclass=FunctionMeta):
    @staticmethod
    def forward(*args, **kwargs):
        """``forward(ctx, *args)``, or ``forward(*args)`` beside a ``setup_context``: computes the result."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Fills ``ctx`` after ``forward(*args)``."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx, *grad_outputs):
        """The gradients of forward's arguments (None for those without) from those of its results."""
        raise NotImplementedError("You must implement either the backward or vjp method for your custom autograd.Function to use it with backward "
                                  "mode AD.")

    vjp = backward

    @staticmethod
    def jvp(ctx, *grad_inputs):
        """The tangents of forward's results from those of its arguments."""
        raise NotImplementedError("You must implement the jvp function for custom autograd.Function to use it with forward mode AD.")


class Function(_SingleLevelFunction):
    """Base of user-defined functions: subclass it with static ``forward`` and ``backward``, and call ``apply``."""

    generate_vmap_rule = False

    def __init__(self, *args, **kwargs):
        warnings.warn(f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you should invoke them on the "
                      "class itself. Instantiating an autograd function will raise an error in a future version of PyTorch.", DeprecationWarning,
                      stacklevel=2)

    def __call__(self, *args, **kwargs):
        raise RuntimeError("Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd function with "
                           "static forward method. (Example: https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)")

    @staticmethod
    def vmap(info, in_dims, *args):
        """How the function maps over a batch dimension."""
        raise NotImplementedError("To use autograd.Function with vmap, you must either override the vmap staticmethod or set "
                                  "generate_vmap_rule=True.")

    @classmethod
    def apply(cls, *args, **kwargs):
        """Calls the function and records it."""
        if kwargs or cls.setup_context is not _SingleLevelFunction.setup_context:
            args = _bind(cls, args, kwargs)
        return super().apply(*args)


def _bind(cls, args, kwargs):
    """All arguments of forward by position, with its defaults."""
    own_context = cls.setup_context is _SingleLevelFunction.setup_context
    bound = inspect.signature(cls.forward).bind(*((None,) if own_context else ()), *args, **kwargs)
    bound.apply_defaults()
    return bound.args[1:] if own_context else bound.args


def _is_setup_context_defined(function):
    return function != _SingleLevelFunction.setup_context


def once_differentiable(fn):
    """Decorates a backward that cannot be differentiated itself: doing so raises an error."""

    @functools.wraps(fn)
    def wrapper(ctx, *args):
        with no_grad():
            outputs = fn(ctx, *args)
        if not _C.is_grad_enabled() or not any(isinstance(a, _C.Tensor) and a.requires_grad for a in args):
            return outputs
        many = outputs if isinstance(outputs, tuple) else (outputs,)
        tensors = [o.detach().requires_grad_() for o in many if isinstance(o, _C.Tensor)]
        marked = iter(_DelayedError.apply("trying to differentiate twice a function that was marked with @once_differentiable", *tensors))
        result = tuple(next(marked) if isinstance(o, _C.Tensor) else o for o in many)
        return result if isinstance(outputs, tuple) else result[0]

    return wrapper


class _DelayedError(Function):
    """The identity, whose backward raises."""

    @staticmethod
    def forward(ctx, message, *tensors):
        ctx.message = message
        return tuple(t.detach() for t in tensors)

    @staticmethod
    def backward(ctx, *grads):
        raise RuntimeError(ctx.message)


class InplaceFunction(Function):
    """A function with an ``inplace`` flag."""

    def __init__(self, inplace=False):
        self.inplace = inplace


class NestedIOFunction(Function):
    """Kept for programs that name it; a Function."""
