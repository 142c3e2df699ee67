"""The part of Module that registers hooks and calls a module that has some.

The core knows whether a hook on the calls of all modules is set (`_follow_globals`) and looks into the
module's own dictionaries; only when there is one, the call takes the way through here. Backward hooks stand
on two identity functions of autograd: one around the inputs, whose backward sees the gradients of the inputs,
and one around the outputs.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from bolide import _C, Tensor
from bolide.utils.hooks import BackwardHook, RemovableHandle

_global_backward_pre_hooks: OrderedDict = OrderedDict()
_global_backward_hooks: OrderedDict = OrderedDict()
_global_is_full_backward_hook: bool | None = None
_global_forward_pre_hooks: OrderedDict = OrderedDict()
_global_forward_hooks: OrderedDict = OrderedDict()
_global_forward_hooks_always_called: OrderedDict = OrderedDict()
_global_forward_hooks_with_kwargs: OrderedDict = OrderedDict()
_global_buffer_registration_hooks: OrderedDict = OrderedDict()
_global_module_registration_hooks: OrderedDict = OrderedDict()
_global_parameter_registration_hooks: OrderedDict = OrderedDict()


def _has_any_global_hook() -> bool:
    """Whether a hook on the calls of all modules is set."""
    return bool(
        _global_backward_pre_hooks
        or _global_backward_hooks
        or _global_forward_pre_hooks
        or _global_forward_hooks
    )


def _follow_globals() -> None:
    """Tells the core whether calls have to come here."""
    _C._set_module_hooks(_has_any_global_hook())


class _GlobalHandle(RemovableHandle):
    """Tells the core when the hook goes."""

    def remove(self) -> None:
        super().remove()
        _follow_globals()


def _add_global(hooks: OrderedDict, hook: Any, *extra: Any) -> RemovableHandle:
    handle = _GlobalHandle(hooks, extra_dict=list(extra) or None)
    hooks[handle.id] = hook
    _follow_globals()
    return handle


def register_module_buffer_registration_hook(hook: Any) -> RemovableHandle:
    """Call `hook(module, name, buffer)` whenever any module gets a buffer;
    a value it returns is taken instead.
    """
    return _add_global(_global_buffer_registration_hooks, hook)


def register_module_module_registration_hook(hook: Any) -> RemovableHandle:
    """Call `hook(module, name, submodule)` whenever any module gets a submodule;
    a value it returns is taken instead.
    """
    return _add_global(_global_module_registration_hooks, hook)


def register_module_parameter_registration_hook(hook: Any) -> RemovableHandle:
    """Call `hook(module, name, param)` whenever any module gets a parameter;
    a value it returns is taken instead.
    """
    return _add_global(_global_parameter_registration_hooks, hook)


def register_module_forward_pre_hook(hook: Any) -> RemovableHandle:
    """Call `hook(module, args)` before the forward of every module."""
    return _add_global(_global_forward_pre_hooks, hook)


def register_module_forward_hook(
    hook: Any, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, args, output)` after the forward of every module."""
    handle = _add_global(
        _global_forward_hooks, hook, _global_forward_hooks_with_kwargs, _global_forward_hooks_always_called
    )
    if with_kwargs:
        _global_forward_hooks_with_kwargs[handle.id] = True
    if always_call:
        _global_forward_hooks_always_called[handle.id] = True
    return handle


def _set_global_full(full: bool) -> None:
    global _global_is_full_backward_hook
    if _global_is_full_backward_hook is (not full):
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module hook. Please "
            "use only one of them."
        )
    _global_is_full_backward_hook = full


def register_module_backward_hook(hook: Any) -> RemovableHandle:
    """The old form of `register_module_full_backward_hook`."""
    _set_global_full(False)
    return _add_global(_global_backward_hooks, hook)


def register_module_full_backward_pre_hook(hook: Any) -> RemovableHandle:
    """Call `hook(module, grad_output)` before the backward of every module."""
    return _add_global(_global_backward_pre_hooks, hook)


def register_module_full_backward_hook(hook: Any) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` in the backward of every module."""
    _set_global_full(True)
    return _add_global(_global_backward_hooks, hook)


class HookMixin:
    """Registration of hooks, and the call of a module that has some."""

    def register_full_backward_pre_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` before the module's backward;
        what it returns replaces the gradients.
        """
        handle = RemovableHandle(self._backward_pre_hooks)
        self._backward_pre_hooks[handle.id] = hook
        if prepend:
            self._backward_pre_hooks.move_to_end(handle.id, last=False)
        return handle

    def register_backward_hook(self, hook: Any) -> RemovableHandle:
        """The old form of `register_full_backward_hook`: sees the gradients of the last operation only."""
        if self._is_full_backward_hook is True:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module. Please "
                "use only one of them."
            )
        self._is_full_backward_hook = False
        handle = RemovableHandle(self._backward_hooks)
        self._backward_hooks[handle.id] = hook
        return handle

    def register_full_backward_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are known."""
        if self._is_full_backward_hook is False:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module. Please "
                "use only one of them."
            )
        self._is_full_backward_hook = True
        handle = RemovableHandle(self._backward_hooks)
        self._backward_hooks[handle.id] = hook
        if prepend:
            self._backward_hooks.move_to_end(handle.id, last=False)
        return handle

    def register_forward_pre_hook(
        self, hook: Any, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` (or `hook(module, args, kwargs)`) before forward;
        it may return new arguments.
        """
        handle = RemovableHandle(self._forward_pre_hooks, extra_dict=self._forward_pre_hooks_with_kwargs)
        self._forward_pre_hooks[handle.id] = hook
        if with_kwargs:
            self._forward_pre_hooks_with_kwargs[handle.id] = True
        if prepend:
            self._forward_pre_hooks.move_to_end(handle.id, last=False)
        return handle

    def register_forward_hook(
        self, hook: Any, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` (or `(module, args, kwargs, output)`) after forward; it may
        return a new output.

        `always_call` hooks run even when forward raises.
        """
        handle = RemovableHandle(
            self._forward_hooks,
            extra_dict=[self._forward_hooks_with_kwargs, self._forward_hooks_always_called],
        )
        self._forward_hooks[handle.id] = hook
        if with_kwargs:
            self._forward_hooks_with_kwargs[handle.id] = True
        if always_call:
            self._forward_hooks_always_called[handle.id] = True
        if prepend:
            self._forward_hooks.move_to_end(handle.id, last=False)
        return handle

    # ---- the call with hooks -------------------------------------------------------------------

    def _call_hooked(self, args: tuple, kwargs: dict) -> Any:
        called: set = set()
        try:
            return self._run_hooks(args, kwargs, called)
        except Exception:
            self._run_always(args, kwargs, called)
            raise

    def _run_hooks(self, args: tuple, kwargs: dict, called: set) -> Any:
        args, kwargs = self._run_pre_hooks(args, kwargs)
        full, plain, pre = _backward_hooks_of(self)
        probe = None
        if full or pre:
            probe = BackwardHook(self, full, pre)
            args = probe.setup_input_hook(args)
        result = self.forward(*args, **kwargs)
        for key, hook, with_kwargs in _forward_hooks_of(self):
            if key[1] in self._forward_hooks_always_called or key[1] in _global_forward_hooks_always_called:
                called.add(key)
            changed = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
            if changed is not None:
                result = changed
        if probe is not None:
            if not isinstance(result, (Tensor, tuple)):
                import warnings

                warnings.warn(
                    "For backward hooks to be called, module output should be a Tensor or a tuple of "
                    f"Tensors but received {type(result)}",
                    stacklevel=4,
                )
            result = probe.setup_output_hook(result)
        if plain:
            _attach_plain(self, plain, args, result)
        return result

    def _run_pre_hooks(self, args: tuple, kwargs: dict) -> tuple:
        for key, hook in (*_global_forward_pre_hooks.items(), *self._forward_pre_hooks.items()):
            if key in self._forward_pre_hooks_with_kwargs:
                changed = hook(self, args, kwargs)
                if changed is None:
                    continue
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got "
                        f"{changed}."
                    )
                args, kwargs = changed
            else:
                changed = hook(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        return args, kwargs

    def _run_always(self, args: tuple, kwargs: dict, called: set) -> None:
        """After an error: the hooks that asked to run in any case and have not run yet."""
        for key, hook, with_kwargs in _forward_hooks_of(self):
            always = _global_forward_hooks_always_called if key[0] else self._forward_hooks_always_called
            if key[1] not in always or key in called:
                continue
            try:
                hook(self, args, kwargs, None) if with_kwargs else hook(self, args, None)
            except Exception as error:  # noqa: BLE001 - the first error is the one to report
                import warnings

                warnings.warn(
                    f"{'global ' if key[0] else ''}module forward hook with ``always_call=True`` raised an "
                    f"exception that was silenced as another error was raised in forward: {error}",
                    stacklevel=4,
                )

    def _get_backward_hooks(self) -> tuple[list, list]:
        full, plain, _ = _backward_hooks_of(self)
        return full, plain

    def _get_backward_pre_hooks(self) -> list:
        return _backward_hooks_of(self)[2]


def _forward_hooks_of(module: Any) -> list:
    """[((is global, id), hook, with_kwargs)] in the order of their calls."""
    everywhere = [
        ((True, k), h, k in _global_forward_hooks_with_kwargs) for k, h in _global_forward_hooks.items()
    ]
    own = [((False, k), h, k in module._forward_hooks_with_kwargs) for k, h in module._forward_hooks.items()]
    return everywhere + own


def _backward_hooks_of(module: Any) -> tuple[list, list, list]:
    """(full hooks, old-form hooks, hooks before backward), global ones first."""
    full: list = []
    plain: list = []
    if _global_is_full_backward_hook is not None:
        (full if _global_is_full_backward_hook else plain).extend(_global_backward_hooks.values())
    if module._is_full_backward_hook is not None:
        (full if module._is_full_backward_hook else plain).extend(module._backward_hooks.values())
    return full, plain, [*_global_backward_pre_hooks.values(), *module._backward_pre_hooks.values()]


def _attach_plain(module: Any, hooks: list, args: tuple, result: Any) -> None:
    """Hang old-form backward hooks on the node that made the (first) output."""
    var = result
    while not isinstance(var, Tensor):
        var = (
            next((v for v in var.values() if isinstance(v, Tensor)), None)
            if isinstance(var, dict)
            else var[0]
        )
    if var is None or var.grad_fn is None:
        return
    for hook in hooks:

        def call(grad_input: Any, grad_output: Any, hook: Any = hook) -> Any:
            return hook(module, grad_input, grad_output)

        var.grad_fn.register_hook(call)
    problem = _why_plain_misses(args, result, var.grad_fn)
    if problem:
        import warnings

        warnings.warn(
            f"{problem} This hook will be missing some grad_input. Please use register_full_backward_hook to "
            "get the documented behavior.",
            FutureWarning,
            stacklevel=5,
        )


def _why_plain_misses(args: Any, result: Any, node: Any) -> str:
    """Why an old-form hook does not see all gradients of this call; empty where it does."""
    end = "is deprecated and will be removed in future versions."
    values = result if isinstance(result, tuple) else (result,)
    for what, given in (("does not return", values), ("does not take as input", args)):
        if not all(isinstance(value, Tensor) for value in given):
            kinds = "a single Tensor or a tuple of Tensors"
            return f"Using non-full backward hooks on a Module that {what} {kinds} {end}"
    nodes = {value.grad_fn for value in values if value.grad_fn is not None}
    if len(nodes) > 1:
        return f"Using a non-full backward hook when outputs are generated by different autograd Nodes {end}"
    before = {value.grad_fn for value in args if value.grad_fn is not None}
    if before != {edge[0] for edge in node.next_functions}:
        return f"Using a non-full backward hook when the forward contains multiple autograd Nodes {end}"
    return ""
