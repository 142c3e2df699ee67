"""Handles of registered hooks, and the probes behind a module's backward hooks."""

from __future__ import annotations

import weakref
from typing import Any

import bolide

__all__ = ["BackwardHook", "RemovableHandle", "unserializable_hook", "warn_if_has_hooks"]


class RemovableHandle:
    """What registering a hook returns; `remove()`, or leaving a `with` block, undoes the registration.

    The dictionary is held weakly: a handle does not keep its module alive.
    """

    next_id = 0

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        extras = [] if extra_dict is None else extra_dict if isinstance(extra_dict, list) else [extra_dict]
        self.extra_dict_ref = tuple(weakref.ref(d) for d in extras)

    def remove(self) -> None:
        """Forget the hook; a second call does nothing."""
        for ref in (self.hooks_dict_ref, *self.extra_dict_ref):
            hooks = ref()
            if hooks is not None and self.id in hooks:
                del hooks[self.id]

    def __getstate__(self) -> tuple:
        return self.hooks_dict_ref(), self.id, [ref() for ref in self.extra_dict_ref]

    def __setstate__(self, state: tuple) -> None:
        from collections import OrderedDict

        hooks, self.id = state[0], state[1]
        extras = state[2] if len(state) > 2 else []
        self.hooks_dict_ref = weakref.ref(OrderedDict() if hooks is None else hooks)
        self.extra_dict_ref = tuple(weakref.ref(OrderedDict() if d is None else d) for d in extras)
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.remove()


def unserializable_hook(f: Any) -> Any:
    """Mark a tensor's hook as one that is left behind when the tensor is pickled."""
    f.__torch_unserializable__ = True
    return f


def warn_if_has_hooks(tensor: Any) -> None:
    """Warn that pickling drops the tensor's hooks."""
    for hook in (getattr(tensor, "_backward_hooks", None) or {}).values():
        if not hasattr(hook, "__torch_unserializable__"):
            import warnings

            warnings.warn(
                f"backward hook {hook!r} on tensor will not be serialized.  If this is expected, you can "
                "decorate the function with @torch.utils.hooks.unserializable_hook to suppress this warning",
                stacklevel=3,
            )


_probe_class: Any = None


def _probe() -> Any:
    """The identity function of autograd that hands gradients on to a callback (made at first use)."""
    global _probe_class
    if _probe_class is None:

        class BackwardHookFunction(bolide.autograd.Function):
            @staticmethod
            def forward(ctx: Any, callback: Any, materialize: bool, *tensors: Any) -> Any:
                ctx.callback = callback
                ctx.set_materialize_grads(materialize)
                ctx.mark_non_differentiable(*[t for t in tensors if not t.requires_grad])
                return tensors

            @staticmethod
            def backward(ctx: Any, *grads: Any) -> Any:
                return (None, None, *ctx.callback(grads))

        _probe_class = BackwardHookFunction
    return _probe_class


class BackwardHook:
    """Surrounds one call of a module, so that its hooks see the gradients of its outputs and inputs.

    Args:
        module: passed on to the hooks.
        user_hooks: called as `hook(module, grad_input, grad_output)`; a result replaces `grad_input`.
        user_pre_hooks: called as `hook(module, grad_output)`; a result replaces `grad_output`.
    """

    def __init__(self, module: Any, user_hooks: list, user_pre_hooks: list) -> None:
        self.module, self.user_hooks, self.user_pre_hooks = module, user_hooks, user_pre_hooks
        self.grad_outputs: Any = None
        self.n_inputs = 0
        self.n_outputs = 0
        self.input_places: list[int] | None = None
        self.output_places: list[int] | None = None

    def setup_input_hook(self, args: tuple) -> tuple:
        """The arguments, with a probe around their tensors when one of them requires a gradient."""
        self.n_inputs = len(args)
        places = [i for i, a in enumerate(args) if isinstance(a, bolide.Tensor)]
        if not (bolide.is_grad_enabled() and any(args[i].requires_grad for i in places)):
            return args
        self.input_places = places
        out = _probe().apply(self._on_grad_input, True, *[args[i] for i in places])
        return _replace(args, places, out)

    def setup_output_hook(self, result: Any) -> Any:
        """The result, with a probe around its tensors."""
        single = not isinstance(result, tuple)
        values = (result,) if single else result
        places = [i for i, v in enumerate(values) if isinstance(v, bolide.Tensor)]
        self.n_outputs = len(values)
        if bolide.is_grad_enabled() and any(values[i].requires_grad for i in places):
            self.output_places = places
            out = _probe().apply(self._on_grad_output, False, *[values[i] for i in places])
            values = _replace(values, places, out)
        return values[0] if single else values

    def _on_grad_output(self, grads: tuple) -> tuple:
        full: list[Any] = [None] * self.n_outputs
        for place, grad in zip(self.output_places, grads, strict=True):
            full[place] = grad
        gradients = tuple(full)
        for hook in self.user_pre_hooks:
            changed = hook(self.module, gradients)
            if changed is None:
                continue
            changed = changed if isinstance(changed, tuple) else (changed,)
            if len(changed) != len(gradients):
                raise RuntimeError(
                    f"Backward pre hook returned an invalid number of grad_output, got {len(changed)}, but "
                    f"expected {len(gradients)}"
                )
            gradients = changed
        self.grad_outputs = gradients
        if self.input_places is None:  # no input has a gradient to wait for
            if self.user_hooks:
                import warnings

                warnings.warn(
                    "Full backward hook is firing when gradients are computed with respect to module "
                    "outputs since no inputs require gradients.",
                    stacklevel=5,
                )
            nothing = (None,) * self.n_inputs
            for hook in self.user_hooks:
                changed = hook(self.module, nothing, gradients)
                if changed is not None and not (
                    isinstance(changed, tuple) and all(g is None for g in changed)
                ):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always return "
                        "None or None for all gradients."
                    )
            self.grad_outputs = None
        return tuple(gradients[i] for i in self.output_places)

    def _on_grad_input(self, grads: tuple) -> tuple:
        if self.grad_outputs is None:  # the outputs took no part in this backward
            return grads
        full: list[Any] = [None] * self.n_inputs
        for place, grad in zip(self.input_places, grads, strict=True):
            full[place] = grad
        gradients = tuple(full)
        for hook in self.user_hooks:
            changed = hook(self.module, gradients, self.grad_outputs)
            if changed is None:
                continue
            changed = changed if isinstance(changed, tuple) else (changed,)
            if len(changed) != len(gradients):
                raise RuntimeError(
                    f"Backward hook returned an invalid number of grad_input, got {len(changed)}, but "
                    f"expected {len(gradients)}"
                )
            gradients = changed
        self.grad_outputs = None
        return tuple(gradients[i] for i in self.input_places)


def _replace(values: tuple, places: list[int], new: tuple) -> tuple:
    out = list(values)
    for place, value in zip(places, new, strict=True):
        out[place] = value
    return tuple(out)
