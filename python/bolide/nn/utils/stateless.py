"""Calls of a module with other parameters than its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bolide import Tensor

from ..modules.module import Module

__all__ = ["functional_call"]

_ABSENT = object()


def _places(module: Module) -> dict[str, tuple[dict, str]]:
    """For each dotted name of a parameter or buffer: the dictionary that holds it and its key there.

    A submodule under two names appears twice.
    """
    found = {}
    for prefix, owner in module.named_modules(remove_duplicate=False):
        start = prefix + "." if prefix else ""
        for home in (owner._parameters, owner._buffers):
            for name in home:
                found[start + name] = (home, name)
    return found


def _tied_names(places: dict[str, tuple[dict, str]]) -> dict[str, set[str]]:
    """For each name all names of the same tensor."""
    by_tensor: dict[int, set[str]] = {}
    for name, (home, key) in places.items():
        if home[key] is not None:
            by_tensor.setdefault(id(home[key]), set()).add(name)
    return {name: group for group in by_tensor.values() for name in group}


def _untie_named_tensors_map(module: Module, parameters_and_buffers: dict[str, Tensor]) -> dict[str, Tensor]:
    """The given tensors under all names that are tied to the given ones."""
    tied = _tied_names(_places(module))
    groups = {frozenset(tied.get(name, {name})) for name in parameters_and_buffers}
    result = dict(parameters_and_buffers)
    for group in groups:
        given = {name for name in group if name in parameters_and_buffers}
        if len(given) > 1 and len({id(parameters_and_buffers[name]) for name in given}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(given)}, which are tied. Consider "
                "using tie_weights=False"
            )
        value = parameters_and_buffers[next(iter(given))]
        for name in group:
            result[name] = value
    return result


def _check_names(module: Module, given: dict[str, Tensor], places: dict) -> None:
    unexpected = [name for name in given if name not in places]
    missing = [name for name in places if name not in given and places[name][0][places[name][1]] is not None]
    problems = []
    if unexpected:
        problems.append("Unexpected key(s): " + ", ".join(map(repr, unexpected)) + ".")
    if missing:
        problems.append("Missing key(s): " + ", ".join(map(repr, missing)) + ".")
    if problems:
        raise RuntimeError(
            f"Error(s) in reparametrizing for {module._get_name()}:\n\t" + "\n\t".join(problems)
        )


@contextmanager
def _reparametrize_module(
    module: Module,
    parameters_and_buffers: dict[str, Tensor],
    tie_weights: bool = False,
    strict: bool = False,
    stack_weights: bool = False,
) -> Iterator[None]:
    """Inside, the module has the given tensors in the places of its own;
    buffers that forward replaces come back out.
    """
    given = (
        _untie_named_tensors_map(module, parameters_and_buffers) if tie_weights else parameters_and_buffers
    )
    places = _places(module)
    if strict:
        _check_names(module, given, places)
    saved: list[tuple[dict, str, Any]] = []
    used: list[tuple[str, dict, str]] = []
    try:
        for name, value in given.items():
            home, key = places[name] if name in places else _other_place(module, name)
            saved.append((home, key, home.get(key, _ABSENT)))
            home[key] = value
            used.append((name, home, key))
        yield
    finally:
        for name, home, key in used:
            # what forward put there in place of the tensor belongs to the caller
            if name in parameters_and_buffers and key in home:
                parameters_and_buffers[name] = home[key]
        for home, key, value in reversed(saved):
            if value is _ABSENT:
                home.pop(key, None)
            else:
                home[key] = value


def _other_place(module: Module, name: str) -> tuple[dict, str]:
    """Where a tensor goes that is neither a parameter nor a buffer: among the plain attributes."""
    path, _, key = name.rpartition(".")
    owner = module.get_submodule(path)
    if not isinstance(getattr(owner, key, _ABSENT), Tensor):
        raise AttributeError(f"{owner._get_name()} has no attribute `{key}`")
    return owner.__dict__, key


def _functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Tensor],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    with _reparametrize_module(module, parameters_and_buffers, tie_weights=tie_weights, strict=strict):
        return module(*args, **({} if kwargs is None else kwargs))


def functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Tensor],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Calls a module with the given tensors in the places of its parameters and buffers. Use
    `torch.func.functional_call`.

    Args:
        module: the module.
        parameters_and_buffers: names and tensors.
        args, kwargs: the arguments of forward.
        tie_weights: give a tensor to all names of the same parameter.
        strict: raise RuntimeError unless exactly the module's names are given.
    """
    import warnings

    warnings.warn(
        "This API is deprecated as of PyTorch 2.0 and will be removed in a future version of PyTorch. "
        "Please use torch.func.functional_call instead which is a drop-in replacement for this API.",
        FutureWarning,
        stacklevel=2,
    )
    return _functional_call(
        module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict
    )
