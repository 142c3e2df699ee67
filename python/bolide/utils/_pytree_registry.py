"""Which types are nodes of trees, how they are taken apart, and the keys of paths into them.

Map: keys of paths | registry | built-in types.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

NO_SERIALIZED_TYPE_NAME_FOUND = "NO_SERIALIZED_TYPE_NAME_FOUND"


# ---- keys of paths -----------------------------------------------------------------------------


class _Key:
    """One step of the way to a leaf; equal steps are equal keys."""

    _field: str

    def __init__(self, value: Any) -> None:
        self.__dict__[self._field] = value

    def _value(self) -> Any:
        return self.__dict__[self._field]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._field}={self._value()!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._value() == self._value()

    def __hash__(self) -> int:
        return hash((type(self), self._value()))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"cannot assign to field {name!r}")


class MappingKey(_Key):
    """A step into a mapping."""

    _field = "key"

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def get(self, mapping: Any) -> Any:
        """What the step leads to."""
        return mapping[self.key]


class SequenceKey(_Key):
    """A step into a sequence."""

    _field = "idx"

    def __str__(self) -> str:
        return f"[{self.idx!r}]"

    def get(self, sequence: Any) -> Any:
        """What the step leads to."""
        return sequence[self.idx]


class GetAttrKey(_Key):
    """A step to an attribute."""

    _field = "name"

    def __str__(self) -> str:
        return f".{self.name}"

    def get(self, obj: Any) -> Any:
        """What the step leads to."""
        return getattr(obj, self.name)


def keystr(kp: tuple) -> str:
    """A path as one would write it in Python."""
    return "".join(str(k) for k in kp)


def key_get(obj: Any, kp: tuple) -> Any:
    """What stands at the end of a path."""
    for k in kp:
        obj = k.get(obj)
    return obj


# ---- registry ----------------------------------------------------------------------------------


class NodeDef(NamedTuple):
    """How instances of a type are taken apart and put together."""

    type: Any
    flatten_fn: Callable[[Any], tuple[list, Any]]
    unflatten_fn: Callable[[Iterable, Any], Any]
    flatten_with_keys_fn: Callable[[Any], tuple[list, Any]] | None


class _SerializeNodeDef(NamedTuple):
    typ: Any
    serialized_type_name: str
    to_dumpable_context: Callable[[Any], Any] | None
    from_dumpable_context: Callable[[Any], Any] | None


SUPPORTED_NODES: dict[Any, NodeDef] = {}
SUPPORTED_SERIALIZED_TYPES: dict[Any, _SerializeNodeDef] = {}
SERIALIZED_TYPE_TO_PYTHON_TYPE: dict[str, Any] = {}
CONSTANT_NODES: set[type] = set()


def register_pytree_node(
    cls: type,
    flatten_fn: Callable,
    unflatten_fn: Callable,
    *,
    serialized_type_name: str | None = None,
    to_dumpable_context: Callable | None = None,
    from_dumpable_context: Callable | None = None,
    flatten_with_keys_fn: Callable | None = None,
) -> None:
    """Makes instances of `cls` nodes rather than leaves.

    Args:
        cls: the type; its subclasses are not included.
        flatten_fn: gives (children, context) of an instance.
        unflatten_fn: makes an instance of children and context.
        serialized_type_name: the type's name in `treespec_dumps`.
        to_dumpable_context, from_dumpable_context: the context to and from what JSON can hold.
        flatten_with_keys_fn: gives ([(key, child), ...], context), for functions with paths.
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    _private_register_pytree_node(
        cls,
        flatten_fn,
        unflatten_fn,
        serialized_type_name=serialized_type_name,
        to_dumpable_context=to_dumpable_context,
        from_dumpable_context=from_dumpable_context,
        flatten_with_keys_fn=flatten_with_keys_fn,
    )


def _private_register_pytree_node(
    cls: Any,
    flatten_fn: Callable,
    unflatten_fn: Callable,
    *,
    serialized_type_name: str | None = None,
    to_dumpable_context: Callable | None = None,
    from_dumpable_context: Callable | None = None,
    flatten_with_keys_fn: Callable | None = None,
) -> None:
    if (to_dumpable_context is None) != (from_dumpable_context is None):
        raise ValueError(
            f"Both to_dumpable_context and from_dumpable_context for {cls} must be None or registered."
        )
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn, flatten_with_keys_fn)
    name = NO_SERIALIZED_TYPE_NAME_FOUND if serialized_type_name is None else serialized_type_name
    SUPPORTED_SERIALIZED_TYPES[cls] = _SerializeNodeDef(cls, name, to_dumpable_context, from_dumpable_context)
    SERIALIZED_TYPE_TO_PYTHON_TYPE[name] = cls


def _register_pytree_node(
    cls: type,
    flatten_fn: Callable,
    unflatten_fn: Callable,
    to_str_fn: Any = None,
    maybe_from_str_fn: Any = None,
    **options: Any,
) -> None:
    """The old name of `register_pytree_node`."""
    import warnings

    warnings.warn(
        "`torch.utils._pytree._register_pytree_node` is deprecated. Please use "
        "`torch.utils._pytree.register_pytree_node` instead.",
        FutureWarning,
        stacklevel=2,
    )
    _private_register_pytree_node(cls, flatten_fn, unflatten_fn, **options)


def _deregister_pytree_node(cls: type) -> None:
    del SUPPORTED_NODES[cls]
    name = SUPPORTED_SERIALIZED_TYPES.pop(cls).serialized_type_name
    SERIALIZED_TYPE_TO_PYTHON_TYPE.pop(name, None)
    CONSTANT_NODES.discard(cls)


def register_dataclass(
    cls: type,
    *,
    field_names: list[str] | None = None,
    drop_field_names: list[str] | None = None,
    serialized_type_name: str | None = None,
) -> None:
    """Makes instances of a dataclass nodes, whose children are their fields.

    Args:
        cls: the dataclass.
        field_names: the fields, all those of the constructor when left out.
        drop_field_names: fields that are left out, hence take their defaults.
        serialized_type_name: the type's name in `treespec_dumps`.
    """
    import dataclasses

    if field_names is None:
        if not dataclasses.is_dataclass(cls):
            raise ValueError(
                "field_names must be specified with a list of all fields used to initialize the class when "
                "it is not a dataclass."
            )
        field_names = [
            f.name for f in dataclasses.fields(cls) if f.init and f.name not in (drop_field_names or ())
        ]

    def flatten(obj: Any) -> tuple[list, Any]:
        there = [name for name in field_names if getattr(obj, name) is not None]
        absent = [name for name in field_names if getattr(obj, name) is None]
        return [getattr(obj, name) for name in there], [there, absent]

    def unflatten(values: Iterable, context: Any) -> Any:
        there, absent = context
        return cls(**dict(zip(there, values, strict=True)), **dict.fromkeys(absent))

    def flatten_with_keys(obj: Any) -> tuple[list, Any]:
        children, context = flatten(obj)
        return [(GetAttrKey(k), v) for k, v in zip(context[0], children, strict=True)], context

    _private_register_pytree_node(
        cls,
        flatten,
        unflatten,
        serialized_type_name=serialized_type_name,
        flatten_with_keys_fn=flatten_with_keys,
    )


class ConstantNode:
    """The context of a constant, equal to that of an equal constant."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConstantNode) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)


def register_constant(cls: type) -> None:
    """Makes instances of `cls` nodes without children, so that they belong to the description.

    They need == and hash.
    """
    if cls.__eq__ is object.__eq__:
        raise TypeError("register_constant(cls) expects `cls` to have a non-default `__eq__` implementation.")
    if cls.__hash__ is None:
        raise TypeError(
            "register_constant(cls) expects `cls` to have a non-default `__hash__` implementation."
        )
    _private_register_pytree_node(
        cls,
        lambda x: ([], ConstantNode(x)),
        lambda _, context: context.value,
        flatten_with_keys_fn=lambda x: ([], ConstantNode(x)),
    )
    CONSTANT_NODES.add(cls)


def is_constant_class(cls: Any) -> bool:
    """Whether `register_constant` knows the type."""
    return isinstance(cls, type) and cls in CONSTANT_NODES


# ---- built-in types ----------------------------------------------------------------------------


def _list_flatten(d: list) -> tuple[list, Any]:
    return d, None


def _tuple_flatten(d: tuple) -> tuple[list, Any]:
    return list(d), None


def _sequence_with_keys(d: Any) -> list:
    return [(SequenceKey(i), v) for i, v in enumerate(d)]


def _dict_flatten(d: dict) -> tuple[list, Any]:
    return list(d.values()), list(d.keys())


def _dict_with_keys(d: dict) -> list:
    return [(MappingKey(k), v) for k, v in d.items()]


def _dict_unflatten(values: Iterable, context: Any) -> dict:
    return dict(zip(context, values, strict=True))


def _ordereddict_unflatten(values: Iterable, context: Any) -> OrderedDict:
    return OrderedDict((k, v) for k, v in zip(context, values, strict=True))


def _defaultdict_flatten(d: defaultdict) -> tuple[list, Any]:
    return list(d.values()), [d.default_factory, list(d.keys())]


def _defaultdict_unflatten(values: Iterable, context: Any) -> defaultdict:
    return defaultdict(context[0], _dict_unflatten(values, context[1]))


def _defaultdict_serialize(context: Any) -> Any:
    factory, keys = context
    return {
        "default_factory_module": factory.__module__,
        "default_factory_name": factory.__qualname__,
        "dict_context": keys,
    }


def _defaultdict_deserialize(dumped: Any) -> Any:
    import importlib

    module = importlib.import_module(dumped["default_factory_module"])
    return [getattr(module, dumped["default_factory_name"]), dumped["dict_context"]]


def _namedtuple_flatten(d: Any) -> tuple[list, Any]:
    return list(d), type(d)


def _namedtuple_serialize(context: Any) -> str:
    if context not in SUPPORTED_SERIALIZED_TYPES:
        raise NotImplementedError(
            f"Can't serialize TreeSpec of namedtuple class {context} because we didn't register a "
            "serializated_type_name. Please register using `_register_namedtuple`."
        )
    name = SUPPORTED_SERIALIZED_TYPES[context].serialized_type_name
    if name == NO_SERIALIZED_TYPE_NAME_FOUND:
        raise NotImplementedError(
            f"Can't serialize TreeSpec of namedtuple class {context} because we couldn't find a "
            "serializated_type_name. Please register using `_register_namedtuple`."
        )
    return name


def _register_namedtuple(cls: type, *, serialized_type_name: str) -> None:
    """Gives a named tuple's class a name for `treespec_dumps`."""
    _private_register_pytree_node(
        cls,
        _namedtuple_flatten,
        lambda values, context: context(*values),
        serialized_type_name=serialized_type_name,
        to_dumpable_context=_namedtuple_serialize,
        from_dumpable_context=SERIALIZED_TYPE_TO_PYTHON_TYPE.__getitem__,
        flatten_with_keys_fn=_namedtuple_with_keys,
    )


def _namedtuple_with_keys(d: Any) -> tuple[list, Any]:
    return [(GetAttrKey(name), v) for name, v in zip(d._fields, d, strict=True)], type(d)


def _register_builtin_types() -> None:
    def add(
        cls: Any, flatten: Callable, unflatten: Callable, keyed: Callable, name: str, *context: Callable
    ) -> None:
        to, back = context or (None, None)
        _private_register_pytree_node(
            cls,
            flatten,
            unflatten,
            serialized_type_name=name,
            to_dumpable_context=to,
            from_dumpable_context=back,
            flatten_with_keys_fn=lambda d: (keyed(d), flatten(d)[1]),
        )

    add(tuple, _tuple_flatten, lambda values, _: tuple(values), _sequence_with_keys, "builtins.tuple")
    add(list, _list_flatten, lambda values, _: list(values), _sequence_with_keys, "builtins.list")
    add(dict, _dict_flatten, _dict_unflatten, _dict_with_keys, "builtins.dict")
    add(
        namedtuple,
        _namedtuple_flatten,
        lambda values, cls: cls(*values),
        lambda d: _namedtuple_with_keys(d)[0],
        "collections.namedtuple",
        _namedtuple_serialize,
        SERIALIZED_TYPE_TO_PYTHON_TYPE.__getitem__,
    )
    add(OrderedDict, _dict_flatten, _ordereddict_unflatten, _dict_with_keys, "collections.OrderedDict")
    add(
        defaultdict,
        _defaultdict_flatten,
        _defaultdict_unflatten,
        _dict_with_keys,
        "collections.defaultdict",
        _defaultdict_serialize,
        _defaultdict_deserialize,
    )
    add(
        deque,
        lambda d: (list(d), d.maxlen),
        lambda values, maxlen: deque(values, maxlen=maxlen),
        _sequence_with_keys,
        "collections.deque",
    )


STANDARD_DICT_TYPES = frozenset((dict, OrderedDict, defaultdict))
BUILTIN_TYPES = frozenset((tuple, list, dict, namedtuple, OrderedDict, defaultdict, deque))
_register_builtin_types()


def is_namedtuple_class(cls: Any) -> bool:
    """Whether the class is a named tuple's."""
    return (
        isinstance(cls, type)
        and issubclass(cls, tuple)
        and isinstance(getattr(cls, "_fields", None), tuple)
        and all(type(f) is str for f in cls._fields)
        and callable(getattr(cls, "_make", None))
        and callable(getattr(cls, "_asdict", None))
    )


def is_namedtuple_instance(obj: Any) -> bool:
    """Whether the object is a named tuple."""
    return is_namedtuple_class(type(obj))


_is_namedtuple_instance = is_namedtuple_instance


def is_namedtuple(obj: Any) -> bool:
    """Whether the object is a named tuple or its class."""
    return is_namedtuple_class(obj if isinstance(obj, type) else type(obj))


def is_structseq_class(cls: Any) -> bool:
    """Whether the class is a C structure sequence, such as what `max` returns."""
    return (
        isinstance(cls, type)
        and issubclass(cls, tuple)
        and cls.__bases__ == (tuple,)
        and all(
            isinstance(getattr(cls, n, None), int)
            for n in ("n_fields", "n_sequence_fields", "n_unnamed_fields")
        )
    )


def is_structseq_instance(obj: Any) -> bool:
    """Whether the object is a C structure sequence."""
    return is_structseq_class(type(obj))


def is_structseq(obj: Any) -> bool:
    """Whether the object is a C structure sequence or its class."""
    return is_structseq_class(obj if isinstance(obj, type) else type(obj))


def _get_node_type(tree: Any) -> Any:
    """The type under which the object is registered, if it is."""
    cls = type(tree)
    if cls in SUPPORTED_NODES or not issubclass(cls, tuple):
        return cls
    if is_namedtuple_class(cls):
        return namedtuple
    if (
        cls.__module__.startswith("bolide.return_types")
        or cls.__module__ == "bolide"
        or is_structseq_class(cls)
    ):
        _register_tuple_class(cls)
    return cls


def _register_tuple_class(cls: Any) -> None:
    """The core's own tuples (sizes, results with names) are nodes like tuples,
    and come back as what they were.
    """
    _private_register_pytree_node(
        cls,
        _tuple_flatten,
        lambda values, _: cls(tuple(values)),
        serialized_type_name=f"{cls.__module__}.{cls.__name__}".replace("bolide", "torch", 1),
        flatten_with_keys_fn=lambda d: (_sequence_with_keys(d), None),
    )


def tree_is_leaf(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether the object is a leaf; `is_leaf` may say so of nodes too."""
    return (is_leaf is not None and is_leaf(tree)) or _get_node_type(tree) not in SUPPORTED_NODES


def _is_leaf(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """The old name of `tree_is_leaf`."""
    import warnings

    warnings.warn(
        "torch.utils._pytree._is_leaf is private and will be removed in a future release. Please use "
        "torch.utils._pytree.tree_is_leaf instead.",
        FutureWarning,
        stacklevel=2,
    )
    return tree_is_leaf(tree, is_leaf)
