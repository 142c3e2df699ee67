"""Descriptions of trees as JSON text and for people to read."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

from . import _pytree
from ._pytree import TreeSpec


class _EnumEncoder(json.JSONEncoder):
    """Writes members of enumerations by name."""

    def default(self, obj: Any) -> Any:
        if isinstance(obj, Enum):
            return {
                "__enum__": True,
                "fqn": f"{type(obj).__module__}:{type(obj).__qualname__}",
                "name": obj.name,
            }
        return super().default(obj)


def _enum_hook(obj: dict) -> Any:
    if "__enum__" not in obj:
        return obj
    import importlib

    module, _, path = obj["fqn"].partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found[obj["name"]]


def _to_json(spec: TreeSpec) -> dict:
    if spec.is_leaf():
        return {"type": None, "context": None, "children_spec": []}
    entry = _pytree.SUPPORTED_SERIALIZED_TYPES.get(spec.type)
    if entry is None:
        raise NotImplementedError(f"Serializing {spec.type} in pytree is not registered.")
    if entry.serialized_type_name == _pytree.NO_SERIALIZED_TYPE_NAME_FOUND:
        raise NotImplementedError(
            f"No registered serialization name for {spec.type} found. Please update your "
            "_register_pytree_node call with a `serialized_type_name` kwarg."
        )
    if entry.to_dumpable_context is None:
        try:
            context: Any = json.dumps(spec.context, cls=_EnumEncoder)
        except TypeError as error:
            raise TypeError(
                "Unable to serialize context. Please make the context json dump-able, or register a custom "
                "serializer using _register_pytree_node."
            ) from error
    else:
        context = entry.to_dumpable_context(spec.context)
    return {
        "type": entry.serialized_type_name,
        "context": context,
        "children_spec": [_to_json(c) for c in spec.children()],
    }


def _from_json(data: dict) -> TreeSpec:
    if data["type"] is None and data["context"] is None and not data["children_spec"]:
        return _pytree.treespec_leaf()
    if data["type"] not in _pytree.SERIALIZED_TYPE_TO_PYTHON_TYPE:
        raise NotImplementedError(f"Deserializing {data['type']} in pytree is not registered.")
    cls = _pytree.SERIALIZED_TYPE_TO_PYTHON_TYPE[data["type"]]
    entry = _pytree.SUPPORTED_SERIALIZED_TYPES[cls]
    if entry.from_dumpable_context is None:
        context = json.loads(data["context"], object_hook=_enum_hook)
    else:
        context = entry.from_dumpable_context(data["context"])
    return TreeSpec(cls, context, [_from_json(c) for c in data["children_spec"]])


def treespec_dumps(treespec: TreeSpec, protocol: int | None = None) -> str:
    """A description as JSON text."""
    _pytree._as_spec(treespec)
    protocol = _pytree.DEFAULT_TREESPEC_SERIALIZATION_PROTOCOL if protocol is None else protocol
    if protocol != 1:
        raise ValueError(f"Unknown protocol {protocol}. Available protocols: [1]")
    return json.dumps((protocol, _to_json(treespec)), cls=_EnumEncoder)


def treespec_loads(serialized: str) -> TreeSpec:
    """The description of a JSON text."""
    protocol, data = json.loads(serialized)
    if protocol != 1:
        raise ValueError(f"Unknown protocol {protocol}. Available protocols: [1]")
    return _from_json(data)


class _Asterisk(str):
    """A leaf's stand-in, whose representation has no quotes."""

    def __new__(cls) -> _Asterisk:
        return super().__new__(cls, "*")

    def __repr__(self) -> str:
        return "*"


def treespec_pprint(treespec: TreeSpec) -> str:
    """The tree with * in the place of leaves, written over several lines if it is long."""
    from pprint import pformat

    return pformat(treespec.unflatten([_Asterisk() for _ in range(treespec.num_leaves)]))
