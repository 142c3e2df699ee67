"""Parameters that are computed from others.

`register_parametrization(module, "weight", f)` makes `module.weight` a property: its value is f of
`original`, a parameter that is trained in its place. The module gets a class of its own, in which the
properties live; a ParametrizationList for each parametrised tensor, in `module.parametrizations`, holds the
functions and the originals.
"""

from __future__ import annotations

import collections
import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import bolide
from bolide import Tensor

from ..modules.container import Module, ModuleDict, ModuleList
from ..parameter import Parameter
from .stateless import _reparametrize_module  # noqa: F401

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

_cache_enabled = 0
_cache: dict[tuple[int, str], Tensor | None] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Inside, each parametrised tensor is computed once and then reused."""
    global _cache, _cache_enabled
    _cache_enabled += 1
    try:
        yield
    finally:
        _cache_enabled -= 1
        if not _cache_enabled:
            _cache = {}


def _register_parameter_or_buffer(module: Module, name: str, X: Tensor) -> None:
    if isinstance(X, Parameter):
        module.register_parameter(name, X)
    else:
        module.register_buffer(name, X)


def _set_values(dest: Tensor, src: Tensor) -> None:
    """Gives `dest` the data of `src`, of any shape, while it stays the same object."""
    if dest.data_ptr() != src.data_ptr() or dest.shape != src.shape:
        dest.data = src.detach()


class ParametrizationList(ModuleList):
    """The functions that make one tensor, and the originals that they make it from.

    Args:
        modules: the functions, applied one after another; `right_inverse` of them, last first, gives the
            originals.
        original: the parameter or buffer that is parametrised.
        unsafe: allow results of another shape or dtype.
    """

    original: Tensor
    unsafe: bool

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        with bolide.no_grad():
            new = _inverse(self, original)
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            _check_one(original, new, "original", "right_inverse(original)")
            with bolide.no_grad():
                _set_values(original, new)
            _register_parameter_or_buffer(self, "original", original)
        else:
            for i, part in enumerate(new):
                if not isinstance(part, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                        f"Got element {i} of the sequence with type {type(part).__name__}."
                    )
                if isinstance(original, Parameter):
                    part = Parameter(part, original.requires_grad)
                part.requires_grad_(original.requires_grad)
                _register_parameter_or_buffer(self, f"original{i}", part)
        if not self.unsafe:
            self._check_result(shape, dtype)

    def _check_result(self, shape: Any, dtype: Any) -> None:
        Z = self()
        if not isinstance(Z, Tensor):
            raise ValueError(f"A parametrization must return a tensor. Got {type(Z).__name__}.")
        for what, before, after in (("dtype", dtype, Z.dtype), ("shape", shape, Z.shape)):
            if before != after:
                raise ValueError(
                    f"Registering a parametrization may not change the {what} of the tensor, unless `unsafe` "
                    "flag is "
                    f"enabled.\nunparametrized {what}: {before}\nparametrized {what}: {after}"
                )

    def right_inverse(self, value: Tensor) -> None:
        """Sets the originals so that the functions give `value`, as far as they have an inverse."""
        with bolide.no_grad():
            value = _inverse(self, value, required=True)
            if self.is_tensor:
                if not isinstance(value, Tensor):
                    raise ValueError(f"`right_inverse` should return a tensor. Got {type(value).__name__}")
                if value.dtype != self.original.dtype:
                    raise ValueError(
                        f"The tensor returned by `right_inverse` has dtype {value.dtype} while `original` "
                        f"has dtype {self.original.dtype}"
                    )
                _set_values(self.original, value)
                return
            if not isinstance(value, collections.abc.Sequence):
                raise ValueError(f"'right_inverse' must return a sequence of tensors. Got {type(value)}.")
            if len(value) != self.ntensors:
                raise ValueError(
                    f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. Got a "
                    f"sequence of length {len(value)}."
                )
            for i, part in enumerate(value):
                original = getattr(self, f"original{i}")
                if not isinstance(part, Tensor):
                    raise ValueError(
                        f"`right_inverse` must return a sequence of tensors. Got element {i} of type "
                        f"{type(part)}"
                    )
                if original.dtype != part.dtype:
                    raise ValueError(
                        f"Tensor {i} returned by `right_inverse` has dtype {part.dtype} while `original{i}` "
                        f"has dtype {original.dtype}"
                    )
                _set_values(original, part)

    def forward(self) -> Tensor:
        first, *others = self
        x = (
            first(self.original)
            if self.is_tensor
            else first(*(getattr(self, f"original{i}") for i in range(self.ntensors)))
        )
        for function in others:
            x = function(x)
        return x


def _inverse(functions: ParametrizationList, value: Any, required: bool = False) -> Any:
    """The originals for `value`: right inverses of the functions, the last one first."""
    for function in reversed(list(functions)):
        if not hasattr(function, "right_inverse"):
            if required:
                raise RuntimeError(
                    f"parametrization {type(function).__name__} does not implement right_inverse."
                )
            continue
        try:
            value = function.right_inverse(value)
        except NotImplementedError:
            if required:
                raise
    if not isinstance(value, (Tensor, collections.abc.Sequence)):
        raise ValueError(
            "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got "
            f"{type(value).__name__}"
        )
    return value


def _check_one(original: Tensor, new: Tensor, old_name: str, new_name: str) -> None:
    for what in ("dtype", "device"):
        before, after = getattr(original, what), getattr(new, what)
        if before != after:
            raise ValueError(
                f"When `right_inverse` outputs one tensor, it may not change the {what}.\n"
                f"{old_name}.{what}: {before}\n{new_name}.{what}: {after}"
            )


# ---- the class of a parametrised module --------------------------------------------------------


def _refuse_pickle(self: Any) -> Any:
    raise RuntimeError(
        "Serialization of parametrized modules is only supported through state_dict(). See:\n"
        "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
        "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
    )


def _copy_deeply(self: Any, memo: dict) -> Any:
    if id(self) in memo:
        return memo[id(self)]
    replica = self.__new__(type(self))
    memo[id(self)] = replica
    replica.__dict__ = copy.deepcopy(self.__dict__, memo)
    return replica


def _inject_new_class(module: Module) -> None:
    """Gives the module a class of its own, below its former one."""
    cls = type(module)
    members: dict[str, Any] = {"__getstate__": _refuse_pickle}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = _copy_deeply
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)


def _inject_property(module: Module, tensor_name: str) -> None:
    if hasattr(module, tensor_name):
        raise AssertionError(f"attribute '{tensor_name}' already exists on module")

    def get(self: Any) -> Tensor:
        if not _cache_enabled:
            return self.parametrizations[tensor_name]()
        key = (id(self), tensor_name)
        value = _cache.get(key)
        if value is None:
            value = _cache[key] = self.parametrizations[tensor_name]()
        return value

    def put(self: Any, value: Tensor) -> None:
        self.parametrizations[tensor_name].right_inverse(value)

    setattr(type(module), tensor_name, property(get, put))


# ---- registration ------------------------------------------------------------------------------


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Lets `parametrization` compute a parameter or buffer from an original that takes its place; returns the
    module.

    Args:
        module: the module.
        tensor_name: the name of the parameter or buffer.
        parametrization: a module whose forward computes the tensor; its `right_inverse`, if it has one, finds
            the original (or several) for a value, at registration and when the tensor is assigned to.
        unsafe: allow another shape or dtype than the tensor had.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        _add_to_list(module, tensor_name, parametrization, unsafe)
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        # made first: where it raises, the module stays as it was
        parametrizations = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _inject_new_class(module)
            module.parametrizations = ModuleDict()
        _inject_property(module, tensor_name)
        module.parametrizations[tensor_name] = parametrizations
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'"
        )
    return module


def _add_to_list(module: Module, tensor_name: str, parametrization: Module, unsafe: bool) -> None:
    functions = module.parametrizations[tensor_name]
    if not unsafe:
        Y = getattr(module, tensor_name)
        X = parametrization(Y)
        if not isinstance(X, Tensor):
            raise ValueError(f"A parametrization must return a tensor. Got {type(X).__name__}.")
        for what in ("dtype", "shape"):
            if getattr(X, what) != getattr(Y, what):
                raise ValueError(
                    f"Registering a parametrization may not change the {what} of the tensor, unless the "
                    "`unsafe` flag "
                    f"is enabled.\nmodule.{tensor_name}.{what}: {getattr(Y, what)}\n"
                    f"parametrization(module.{tensor_name}).{what}: {getattr(X, what)}"
                )
        if hasattr(parametrization, "right_inverse"):
            try:
                Z = parametrization.right_inverse(X)
            except NotImplementedError:
                pass
            else:
                if not isinstance(Z, Tensor):
                    raise ValueError(
                        f"parametrization.right_inverse must return a tensor. Got: {type(Z).__name__}"
                    )
                for what in ("dtype", "shape"):
                    if getattr(Z, what) != getattr(Y, what):
                        raise ValueError(
                            f"The tensor returned by parametrization.right_inverse must have the same {what} "
                            "as "
                            f"module.{tensor_name}, unless the `unsafe` flag is enabled.\n"
                            f"module.{tensor_name}.{what}: {getattr(Y, what)}\n"
                            f"returned {what}: {getattr(Z, what)}"
                        )
    functions.append(parametrization)
    functions.unsafe |= unsafe


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether the module has parametrised tensors, or whether that one is."""
    parametrizations = getattr(module, "parametrizations", None)
    if parametrizations is None or not isinstance(parametrizations, ModuleDict):
        return False
    return len(parametrizations) > 0 if tensor_name is None else tensor_name in parametrizations


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Makes a parametrised tensor an ordinary one again; returns the module.

    Args:
        module: the module.
        tensor_name: the tensor's name.
        leave_parametrized: keep the computed value; else the original's, which must be one tensor.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    functions = module.parametrizations[tensor_name]
    if functions.is_tensor:
        original = functions.original
        if leave_parametrized:
            with bolide.no_grad():
                value = getattr(module, tensor_name)
            # the original stays the same object, so that optimizers keep it
            _set_values(original, value)
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value) if value.requires_grad else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in "
            "terms of a sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register_parameter_or_buffer(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The module's class without parametrisations."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Gives `to_module` the parametrisations of `from_module`, with the values of their originals; returns
    it.

    Args:
        from_module: where they come from.
        to_module: where they go to.
        tensor_name: only those of this tensor.
    """
    if not is_parametrized(from_module):
        return to_module
    names = [tensor_name] if tensor_name is not None else list(from_module.parametrizations)
    for name in names:
        if name not in from_module.parametrizations:
            raise AssertionError(f"{name} is not parametrized in the from_module")
        functions = from_module.parametrizations[name]
        # a tensor that the receiver lacks begins as a copy
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach().clone()))
        for function in functions:
            register_parametrization(to_module, name, function, unsafe=True)
        own = to_module.parametrizations[name]
        with bolide.no_grad():
            for key in (
                ("original",) if functions.is_tensor else [f"original{i}" for i in range(functions.ntensors)]
            ):
                given = getattr(functions, key)
                if hasattr(own, key):
                    _set_values(getattr(own, key), given.detach().clone())
                else:
                    _register_parameter_or_buffer(own, key, given)
    return to_module
