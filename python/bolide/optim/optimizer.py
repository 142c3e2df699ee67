"""The base class of all optimizers: parameter groups, state, hooks, saving.

Map: scopes (grad mode around a step) | small helpers the optimizers share | hooks of all optimizers | Optimizer.
"""

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import bolide

from .. import _C
from ..utils.hooks import RemovableHandle

__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook"]

ParamsT = Iterable
_params_t = ParamsT
StateDict = dict
DeviceDict = dict

_is_grad_enabled, _set_grad_enabled = _C.is_grad_enabled, _C._set_grad_enabled


class _RequiredParameter:
    """The default of a group option that has no default."""

    def __repr__(self):
        return "<required parameter>"


required = _RequiredParameter()

# ---- grad mode around a step ---------------------------------------------------------------------------------------


def _without_grad(step):
    """Runs a step unrecorded; cheaper than a context manager, and steps run often."""

    @functools.wraps(step)
    def run(self, *args, **kwargs):
        before = _is_grad_enabled()
        _set_grad_enabled(False)
        try:
            return step(self, *args, **kwargs)
        finally:
            _set_grad_enabled(before)

    return run


def _use_grad_for_differentiable(step):
    """Runs a step unrecorded, unless the optimizer was made with ``differentiable=True``."""

    @functools.wraps(step)
    def run(self, *args, **kwargs):
        before = _is_grad_enabled()
        _set_grad_enabled(self.defaults["differentiable"])
        try:
            return step(self, *args, **kwargs)
        finally:
            _set_grad_enabled(before)

    return run


def _loss_of(closure):
    """The closure's loss, computed with recording on; None without a closure."""
    if closure is None:
        return None
    before = _is_grad_enabled()
    _set_grad_enabled(True)
    try:
        return closure()
    finally:
        _set_grad_enabled(before)


# ---- helpers -------------------------------------------------------------------------------------------------------


def _get_value(x):
    """A Python number from a number or a one-element tensor."""
    return x.item() if isinstance(x, bolide.Tensor) else x


_to_scalar = _get_value


def _view_as_real(params, *state_and_grads):
    """Replaces complex entries of the lists by views of (real, imaginary) pairs."""
    for i, p in enumerate(params):
        if p.is_complex():
            params[i] = bolide.view_as_real(p)
            for s in state_and_grads:
                s[i] = bolide.view_as_real(s[i])


def _real(*tensors):
    """The tensors, complex ones as views of (real, imaginary) pairs; None stays None."""
    return tuple(bolide.view_as_real(t) if t is not None and t.is_complex() else t for t in tensors)


def _get_scalar_dtype(is_fused=None):
    if is_fused:
        return bolide.float32
    return bolide.float64 if bolide.get_default_dtype() == bolide.float64 else bolide.float32


def _get_capturable_supported_devices(supports_xla=True):
    return ["cuda", "xpu", "hpu", "privateuseone"] + ["xla"] * supports_xla


def _check_capturable(group, what="params and state_steps", supports_xla=True):
    """Throws AssertionError where ``capturable`` is asked for parameters whose steps no graph can capture."""
    if not group["capturable"]:
        return
    devices = _get_capturable_supported_devices(supports_xla)
    if any(p.device.type not in devices for p in group["params"] if p.grad is not None):
        raise AssertionError(f"If capturable=True, {what} must be on supported devices: {devices}.")


def _default_to_fused_or_foreach(params, differentiable, use_fused=False):
    """(fused, foreach): steps here are fused wherever they can be, so there is nothing to choose."""
    return False, False


def _dispatch_sqrt(x):
    return x.sqrt() if isinstance(x, bolide.Tensor) else x**0.5


def _check_lr(lr, text="Invalid learning rate: {}"):
    """Throws ValueError where ``lr`` is negative or a tensor of several elements."""
    if isinstance(lr, bolide.Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not lr >= 0.0:
        raise ValueError(text.format(lr))


def _check_nonnegative(name, value):
    if not value >= 0.0:
        raise ValueError(f"Invalid {name} value: {value}")


def _check_betas(betas):
    for i in (0, 1):
        if not 0.0 <= betas[i] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")


def _check_fused(fused, foreach, differentiable):
    if fused:
        if differentiable:
            raise RuntimeError("`fused` does not support `differentiable`")
        if foreach:
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def _zero_step(param, on_device=False, fused=None):
    """A step counter: a 0-d tensor, on the CPU unless the parameter's device must count itself."""
    device = param.device if on_device else "cpu"
    return bolide.zeros((), dtype=_get_scalar_dtype(fused), device=device)


def _no_sparse(name, grad, instead=None):
    if getattr(grad, "is_sparse", False):
        raise RuntimeError(f"{name} does not support sparse gradients" + (f", please consider {instead} instead" if instead else ""))


# ---- hooks of all optimizers ---------------------------------------------------------------------------------------

_global_optimizer_pre_hooks: dict[int, Callable] = OrderedDict()
_global_optimizer_post_hooks: dict[int, Callable] = OrderedDict()


def _add_hook(hooks, hook, prepend=False):
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook):
    """Calls ``hook(optimizer, args, kwargs)`` before every step of every optimizer; returns a removable handle."""
    return _add_hook(_global_optimizer_pre_hooks, hook)


def register_optimizer_step_post_hook(hook):
    """Calls ``hook(optimizer, args, kwargs)`` after every step of every optimizer; returns a removable handle."""
    return _add_hook(_global_optimizer_post_hooks, hook)


def _run_pre_hooks(self, step, args, kwargs):
    for hook in (*_global_optimizer_pre_hooks.values(), *self._optimizer_step_pre_hooks.values()):
        result = hook(self, args, kwargs)
        if result is not None:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise RuntimeError(f"{step} must return None or a tuple of (new_args, new_kwargs), but got {result}.")
            args, kwargs = result
    return args, kwargs


# ---- Optimizer -----------------------------------------------------------------------------------------------------


class Optimizer:
    """Base class of optimizers.

    params: an iterable of tensors, of ``(name, tensor)`` pairs, or of dicts that define groups.
    defaults: options for the groups that do not name them.
    """

    OptimizerPreHook = Callable
    OptimizerPostHook = Callable

    _optimizer_step_pre_hooks: dict[int, Callable]
    _optimizer_step_post_hooks: dict[int, Callable]

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._make_hooks()
        self._patch_step_function()
        if isinstance(params, bolide.Tensor):
            raise TypeError("params argument given to the optimizer should be an iterable of Tensors or dicts, "
                            f"but got {bolide.typename(params)}")
        self.state = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(dict(group) if isinstance(group, dict) else group)
        self._warned_capturable_if_run_uncaptured = True

    def _make_hooks(self):
        for name in ("step_pre", "step_post", "state_dict_pre", "state_dict_post", "load_state_dict_pre", "load_state_dict_post"):
            self.__dict__.setdefault(f"_optimizer_{name}_hooks", OrderedDict())

    def __getstate__(self):
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._make_hooks()
        self._patch_step_function()
        self.defaults.setdefault("differentiable", False)
        self.__dict__.pop("_complex", None)

    def __repr__(self) -> str:
        lines = [self.__class__.__name__ + " ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])

    def _cuda_graph_capture_health_check(self) -> None:
        """Nothing to check: steps read their counters where they lie."""

    def _patch_step_function(self) -> None:
        """Lets this class's step run the hooks; once a class."""
        self._zero_grad_profile_name = f"Optimizer.zero_grad#{self.__class__.__name__}.zero_grad"
        step = self.__class__.step
        if not getattr(step, "hooked", None):
            self.__class__.step = self.profile_hook_step(step)
            self.__class__.step.hooked = True

    @staticmethod
    def profile_hook_step(func):
        """Wraps a step so that the hooks run around it."""

        @functools.wraps(func)
        def wrapper(self, *args, **kwargs):
            if not (self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks
                    or _global_optimizer_pre_hooks or _global_optimizer_post_hooks):
                return func(self, *args, **kwargs)
            args, kwargs = _run_pre_hooks(self, func, args, kwargs)
            out = func(self, *args, **kwargs)
            for hook in (*self._optimizer_step_post_hooks.values(), *_global_optimizer_post_hooks.values()):
                hook(self, args, kwargs)
            return out

        return wrapper

    def register_step_pre_hook(self, hook):
        """Calls ``hook(optimizer, args, kwargs)`` before each step; it may return ``(args, kwargs)`` to use instead."""
        return _add_hook(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook):
        """Calls ``hook(optimizer, args, kwargs)`` after each step."""
        return _add_hook(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook, prepend: bool = False):
        """Calls ``hook(optimizer)`` before ``state_dict`` collects."""
        return _add_hook(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend: bool = False):
        """Calls ``hook(optimizer, state_dict)`` on the result of ``state_dict``; a dict it returns replaces the result."""
        return _add_hook(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend: bool = False):
        """Calls ``hook(optimizer, state_dict)`` before loading; a dict it returns is loaded instead."""
        return _add_hook(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend: bool = False):
        """Calls ``hook(optimizer)`` after loading."""
        return _add_hook(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    def state_dict(self) -> dict[str, Any]:
        """``{"state": {index: {...}}, "param_groups": [{..., "params": [indices]}]}``; tensors are not copied."""
        for pre in self._optimizer_state_dict_pre_hooks.values():
            pre(self)
        index: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            packed = {k: v for k, v in group.items() if k != "params"}
            for p in group["params"]:
                index.setdefault(id(p), len(index))
            packed["params"] = [index[id(p)] for p in group["params"]]
            groups.append(packed)
        state = {index[id(k)] if isinstance(k, bolide.Tensor) else k: v for k, v in self.state.items()}
        result = {"state": state, "param_groups": groups}
        for post in self._optimizer_state_dict_post_hooks.values():
            changed = post(self, result)
            if changed is not None:
                result = changed
        return result

    def _cast(self, param, value, group, key=None):
        """A loaded value in the dtype and on the device that go with ``param``; step counters keep their own."""
        if isinstance(value, bolide.Tensor):
            if key == "step":
                if group.get("capturable") or group.get("fused"):
                    return value.to(dtype=bolide.float32, device=param.device)
                return value
            if param.is_floating_point():
                return value.to(dtype=param.dtype, device=param.device)
            return value.to(device=param.device)
        if isinstance(value, dict):
            return {k: self._cast(param, v, group, k) for k, v in value.items()}
        if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
            return type(value)(self._cast(param, v, group) for v in value)
        return value

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the state and the group options of ``state_dict``; parameters match by position.

        Throws ValueError where the numbers of groups or of parameters in a group differ.
        """
        state_dict = state_dict.copy()
        for pre in self._optimizer_load_state_dict_pre_hooks.values():
            changed = pre(self, state_dict)
            if changed is not None:
                state_dict = changed
        groups, saved = self.param_groups, deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(g["params"]) != len(s["params"]) for g, s in zip(groups, saved)):
            raise ValueError("loaded state dict contains a parameter group that doesn't match the size of optimizer's group")
        owner = {i: (p, s) for g, s in zip(groups, saved) for i, p in zip(s["params"], g["params"])}
        state: defaultdict = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in owner:
                param, group = owner[key]
                state[param] = self._cast(param, value, group)
            else:
                state[key] = value
        for group, new in zip(groups, saved):
            new["params"] = group["params"]
            if "param_names" in group and "param_names" not in new:
                new["param_names"] = group["param_names"]
        self.__setstate__({"state": state, "param_groups": saved})
        for post in self._optimizer_load_state_dict_post_hooks.values():
            post(self)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters (or fills them with zeros when ``set_to_none`` is false)."""
        if set_to_none:
            for group in self.param_groups:
                for p in group["params"]:
                    p.grad = None
            return
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    if p.grad.grad_fn is not None:
                        p.grad.detach_()
                    else:
                        p.grad.requires_grad_(False)
                    p.grad.zero_()

    def step(self, closure=None):
        """One update; subclasses define it."""
        raise NotImplementedError

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group: ``{"params": tensors, option: value, ...}``; options left out get the defaults.

        Throws TypeError for what is no dict or no tensor, ValueError for non-leaf tensors, for parameters of another
        group and where only some parameters have names.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, bolide.Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError("optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                            "will change between runs. Please use a list instead.")
        params, names = _split_names(list(params))
        param_group["params"] = params
        if names:
            param_group["param_names"] = names
        for p in params:
            if not isinstance(p, bolide.Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {bolide.typename(p)}")
            if not self.defaults.get("differentiable", None) and not (p.is_leaf or p.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        ids = {id(p) for p in params}
        if len(params) != len(ids):
            warnings.warn("optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; "
                          "see github.com/pytorch/pytorch/issues/40967 for more information", stacklevel=3)
        if any(id(p) in ids for group in self.param_groups for p in group["params"]):
            raise ValueError("some parameters appear in more than one parameter group")
        if self.param_groups and ("param_names" in param_group) != ("param_names" in self.param_groups[0]):
            kind = "with" if "param_names" in param_group else "without"
            raise ValueError("all optimizer param groups should be with/without names. "
                             f"cannot add param group {kind} names to the optimizer")
        self.param_groups.append(param_group)
        self.__dict__.pop("_complex", None)

    # What subclasses need --------------------------------------------------------------------------------------------

    def _is_complex(self) -> bool:
        """Whether any parameter is complex; looked up once, until the groups change."""
        found = self.__dict__.get("_complex")
        if found is None:
            found = self._complex = any(p.is_complex() for g in self.param_groups for p in g["params"])
        return found

    def _fill_groups(self, **defaults) -> None:
        """Completes groups that older versions saved, and turns their counters into tensors."""
        for group in self.param_groups:
            for name, value in defaults.items():
                group.setdefault(name, value)
            for p in group["params"]:
                state = self.state.get(p)
                for name in ("step", "mu_product", "eta", "mu"):
                    if state and name in state and not isinstance(state[name], bolide.Tensor):
                        state[name] = bolide.tensor(float(state[name]), dtype=_get_scalar_dtype())

    def _init_group(self, group, params, grads, *lists):
        raise NotImplementedError(f"{type(self).__name__} gathers its state inside step")


def _split_names(params):
    """(tensors, names) of a list of tensors or of (name, tensor) pairs; names are empty for plain tensors."""
    pairs = [isinstance(p, tuple) for p in params]
    if any(pairs):
        if not all(pairs):
            raise ValueError("all optimizer params should be with/without names. Some param names are missing")
        return [p[1] for p in params], [p[0] for p in params]
    return params, []
