"""Trees of Python containers: taking them apart into leaves and a description, and putting them together again.

A node is an instance of a registered type (list, tuple, dict, OrderedDict, defaultdict, deque, named tuples, and what
`register_pytree_node` adds); everything else is a leaf. Subclasses are leaves unless registered themselves. None is a leaf.

Map: keys of paths | registry | built-in types | TreeSpec | flatten, unflatten, map | paths. Descriptions as JSON are in
_pytree_json.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Iterable, Iterator
from typing import Any, Callable, NamedTuple

__all__ = [
    "Context", "DumpableContext", "FlattenFn", "FromDumpableContextFn", "GetAttrKey", "KeyEntry", "KeyPath", "LeafSpec",
    "MappingKey", "PyTree", "PyTreeSpec", "SequenceKey", "ToDumpableContextFn", "TreeSpec", "UnflattenFn", "key_get",
    "keystr", "register_constant", "register_dataclass", "register_pytree_node", "tree_all", "tree_all_only", "tree_any",
    "tree_any_only", "tree_flatten", "tree_flatten_with_path", "tree_is_leaf", "tree_iter", "tree_leaves",
    "tree_leaves_with_path", "tree_map", "tree_map_", "tree_map_only", "tree_map_only_", "tree_map_with_path",
    "tree_structure", "tree_unflatten", "treespec_dict", "treespec_dumps", "treespec_leaf", "treespec_loads",
    "treespec_pprint", "treespec_tuple"]

PyTree = Context = DumpableContext = KeyEntry = Any
FlattenFn = UnflattenFn = ToDumpableContextFn = FromDumpableContextFn = FlattenWithKeysFn = Callable[..., Any]
KeyPath = tuple
DEFAULT_TREESPEC_SERIALIZATION_PROTOCOL = 1
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


def register_pytree_node(cls: type, flatten_fn: Callable, unflatten_fn: Callable, *, serialized_type_name: str | None = None,
                         to_dumpable_context: Callable | None = None, from_dumpable_context: Callable | None = None,
                         flatten_with_keys_fn: Callable | None = None) -> None:
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
    _private_register_pytree_node(cls, flatten_fn, unflatten_fn, serialized_type_name=serialized_type_name,
                                  to_dumpable_context=to_dumpable_context, from_dumpable_context=from_dumpable_context,
                                  flatten_with_keys_fn=flatten_with_keys_fn)


def _private_register_pytree_node(cls: Any, flatten_fn: Callable, unflatten_fn: Callable, *,
                                  serialized_type_name: str | None = None, to_dumpable_context: Callable | None = None,
                                  from_dumpable_context: Callable | None = None,
                                  flatten_with_keys_fn: Callable | None = None) -> None:
    if (to_dumpable_context is None) != (from_dumpable_context is None):
        raise ValueError(f"Both to_dumpable_context and from_dumpable_context for {cls} must be None or registered.")
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn, flatten_with_keys_fn)
    name = NO_SERIALIZED_TYPE_NAME_FOUND if serialized_type_name is None else serialized_type_name
    SUPPORTED_SERIALIZED_TYPES[cls] = _SerializeNodeDef(cls, name, to_dumpable_context, from_dumpable_context)
    SERIALIZED_TYPE_TO_PYTHON_TYPE[name] = cls


def _register_pytree_node(cls: type, flatten_fn: Callable, unflatten_fn: Callable, to_str_fn: Any = None,
                          maybe_from_str_fn: Any = None, **options: Any) -> None:
    """The old name of `register_pytree_node`."""
    import warnings

    warnings.warn("`torch.utils._pytree._register_pytree_node` is deprecated. Please use "
                  "`torch.utils._pytree.register_pytree_node` instead.", FutureWarning, stacklevel=2)
    _private_register_pytree_node(cls, flatten_fn, unflatten_fn, **options)


def _deregister_pytree_node(cls: type) -> None:
    del SUPPORTED_NODES[cls]
    name = SUPPORTED_SERIALIZED_TYPES.pop(cls).serialized_type_name
    SERIALIZED_TYPE_TO_PYTHON_TYPE.pop(name, None)
    CONSTANT_NODES.discard(cls)


def register_dataclass(cls: type, *, field_names: list[str] | None = None, drop_field_names: list[str] | None = None,
                       serialized_type_name: str | None = None) -> None:
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
            raise ValueError("field_names must be specified with a list of all fields used to initialize the class when it is "
                             "not a dataclass.")
        field_names = [f.name for f in dataclasses.fields(cls) if f.init and f.name not in (drop_field_names or ())]

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

    _private_register_pytree_node(cls, flatten, unflatten, serialized_type_name=serialized_type_name,
                                  flatten_with_keys_fn=flatten_with_keys)


class ConstantNode:
    """The context of a constant, equal to that of an equal constant."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConstantNode) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)


def register_constant(cls: type) -> None:
    """Makes instances of `cls` nodes without children, so that they belong to the description. They need == and hash."""
    if cls.__eq__ is object.__eq__:
        raise TypeError("register_constant(cls) expects `cls` to have a non-default `__eq__` implementation.")
    if cls.__hash__ is None:
        raise TypeError("register_constant(cls) expects `cls` to have a non-default `__hash__` implementation.")
    _private_register_pytree_node(cls, lambda x: ([], ConstantNode(x)), lambda _, context: context.value,
                                  flatten_with_keys_fn=lambda x: ([], ConstantNode(x)))
    CONSTANT_NODES.add(cls)


def is_constant_class(cls: Any) -> bool:
    """Whether `register_constant` knows the type."""
    return isinstance(cls, type) and cls in CONSTANT_NODES


def _is_constant_holder(spec: Any) -> bool:
    return isinstance(spec.context, ConstantNode)


def _retrieve_constant(spec: Any) -> Any:
    if not _is_constant_holder(spec):
        raise AssertionError("spec does not correspond to a registered constant pytree node")
    return tree_unflatten([], spec)


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
    return {"default_factory_module": factory.__module__, "default_factory_name": factory.__qualname__, "dict_context": keys}


def _defaultdict_deserialize(dumped: Any) -> Any:
    import importlib

    module = importlib.import_module(dumped["default_factory_module"])
    return [getattr(module, dumped["default_factory_name"]), dumped["dict_context"]]


def _namedtuple_flatten(d: Any) -> tuple[list, Any]:
    return list(d), type(d)


def _namedtuple_serialize(context: Any) -> str:
    if context not in SUPPORTED_SERIALIZED_TYPES:
        raise NotImplementedError(f"Can't serialize TreeSpec of namedtuple class {context} because we didn't register a "
                                  "serializated_type_name. Please register using `_register_namedtuple`.")
    name = SUPPORTED_SERIALIZED_TYPES[context].serialized_type_name
    if name == NO_SERIALIZED_TYPE_NAME_FOUND:
        raise NotImplementedError(f"Can't serialize TreeSpec of namedtuple class {context} because we couldn't find a "
                                  "serializated_type_name. Please register using `_register_namedtuple`.")
    return name


def _register_namedtuple(cls: type, *, serialized_type_name: str) -> None:
    """Gives a named tuple's class a name for `treespec_dumps`."""
    _private_register_pytree_node(cls, _namedtuple_flatten, lambda values, context: context(*values),
                                  serialized_type_name=serialized_type_name,
                                  to_dumpable_context=_namedtuple_serialize,
                                  from_dumpable_context=SERIALIZED_TYPE_TO_PYTHON_TYPE.__getitem__,
                                  flatten_with_keys_fn=_namedtuple_with_keys)


def _namedtuple_with_keys(d: Any) -> tuple[list, Any]:
    return [(GetAttrKey(name), v) for name, v in zip(d._fields, d, strict=True)], type(d)


def _register_builtin_types() -> None:
    def add(cls: Any, flatten: Callable, unflatten: Callable, keyed: Callable, name: str, *context: Callable) -> None:
        to, back = context or (None, None)
        _private_register_pytree_node(cls, flatten, unflatten, serialized_type_name=name, to_dumpable_context=to,
                                      from_dumpable_context=back,
                                      flatten_with_keys_fn=lambda d: (keyed(d), flatten(d)[1]))

    add(tuple, _tuple_flatten, lambda values, _: tuple(values), _sequence_with_keys, "builtins.tuple")
    add(list, _list_flatten, lambda values, _: list(values), _sequence_with_keys, "builtins.list")
    add(dict, _dict_flatten, _dict_unflatten, _dict_with_keys, "builtins.dict")
    add(namedtuple, _namedtuple_flatten, lambda values, cls: cls(*values), lambda d: _namedtuple_with_keys(d)[0],
        "collections.namedtuple", _namedtuple_serialize, SERIALIZED_TYPE_TO_PYTHON_TYPE.__getitem__)
    add(OrderedDict, _dict_flatten, _ordereddict_unflatten, _dict_with_keys, "collections.OrderedDict")
    add(defaultdict, _defaultdict_flatten, _defaultdict_unflatten, _dict_with_keys, "collections.defaultdict",
        _defaultdict_serialize, _defaultdict_deserialize)
    add(deque, lambda d: (list(d), d.maxlen), lambda values, maxlen: deque(values, maxlen=maxlen), _sequence_with_keys,
        "collections.deque")


STANDARD_DICT_TYPES = frozenset((dict, OrderedDict, defaultdict))
BUILTIN_TYPES = frozenset((tuple, list, dict, namedtuple, OrderedDict, defaultdict, deque))
_register_builtin_types()


def is_namedtuple_class(cls: Any) -> bool:
    """Whether the class is a named tuple's."""
    return (isinstance(cls, type) and issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple)
            and all(type(f) is str for f in cls._fields) and callable(getattr(cls, "_make", None))
            and callable(getattr(cls, "_asdict", None)))


def is_namedtuple_instance(obj: Any) -> bool:
    """Whether the object is a named tuple."""
    return is_namedtuple_class(type(obj))


_is_namedtuple_instance = is_namedtuple_instance


def is_namedtuple(obj: Any) -> bool:
    """Whether the object is a named tuple or its class."""
    return is_namedtuple_class(obj if isinstance(obj, type) else type(obj))


def is_structseq_class(cls: Any) -> bool:
    """Whether the class is a C structure sequence, such as what `max` returns."""
    return (isinstance(cls, type) and issubclass(cls, tuple) and cls.__bases__ == (tuple,)
            and all(isinstance(getattr(cls, n, None), int) for n in ("n_fields", "n_sequence_fields", "n_unnamed_fields")))


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
    if cls.__module__.startswith("bolide.return_types") or cls.__module__ == "bolide" or is_structseq_class(cls):
        _register_tuple_class(cls)
    return cls


def _register_tuple_class(cls: Any) -> None:
    """The core's own tuples (sizes, results with names) are nodes like tuples, and come back as what they were."""
    _private_register_pytree_node(cls, _tuple_flatten, lambda values, _: cls(tuple(values)),
                                  serialized_type_name=f"{cls.__module__}.{cls.__name__}".replace("bolide", "torch", 1),
                                  flatten_with_keys_fn=lambda d: (_sequence_with_keys(d), None))


def tree_is_leaf(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether the object is a leaf; `is_leaf` may say so of nodes too."""
    return (is_leaf is not None and is_leaf(tree)) or _get_node_type(tree) not in SUPPORTED_NODES


def _is_leaf(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """The old name of `tree_is_leaf`."""
    import warnings

    warnings.warn("torch.utils._pytree._is_leaf is private and will be removed in a future release. Please use "
                  "torch.utils._pytree.tree_is_leaf instead.", FutureWarning, stacklevel=2)
    return tree_is_leaf(tree, is_leaf)


# ---- the description ---------------------------------------------------------------------------


class TreeSpec:
    """What a tree is without its leaves: a node's type, context and children; a leaf has the type None."""

    __slots__ = ("type", "_context", "_children", "num_nodes", "num_leaves", "num_children")

    def __init__(self, type: Any, context: Any, children_specs: list[TreeSpec]) -> None:
        self.type = type
        self._context = context
        self._children = list(children_specs)
        self.num_children = len(self._children)
        self.num_nodes = 1 + sum(c.num_nodes for c in self._children)
        self.num_leaves = 1 if type is None else sum(c.num_leaves for c in self._children)

    @property
    def context(self) -> Any:
        """What the node's type keeps beside children, such as a dictionary's keys."""
        return self._context

    @property
    def children_specs(self) -> list[TreeSpec]:
        """The children's descriptions."""
        return self._children

    def is_leaf(self) -> bool:
        """Whether this describes a leaf alone."""
        return self.type is None

    def children(self) -> list[TreeSpec]:
        """The children's descriptions, as a list of one's own."""
        return self._children.copy()

    def child(self, index: int) -> TreeSpec:
        """The description of one child."""
        return self._children[index]

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, TreeSpec):
            return NotImplemented
        return (self.type is other.type and self._context == other._context and self._children == other._children)

    def __hash__(self) -> int:
        if self.type is None:
            return hash((None, None, ()))
        context = self._context
        if self.type in (dict, OrderedDict):
            context = tuple(context)
        elif self.type is defaultdict:
            context = (context[0], tuple(context[1]))
        try:
            return hash((self.type, context, tuple(self._children)))
        except TypeError:  # a context that cannot be hashed
            return hash((self.type, tuple(self._children)))

    def __repr__(self, indent: int = 0) -> str:
        if self.type is None:
            return "*"
        children = f",\n{' ' * (indent + 2)}".join(c.__repr__(indent + 2) for c in self._children)
        return f"TreeSpec({self.type.__name__}, {self._context!r}, [{children}])"

    def flatten_up_to(self, tree: Any) -> list:
        """The parts of `tree` that stand where this description has leaves. ValueError where it has other nodes."""
        parts: list = []
        self._collect(tree, parts)
        return parts

    def _collect(self, tree: Any, parts: list) -> None:
        if self.type is None:
            parts.append(tree)
            return
        for spec, child in zip(self._children, self._children_of(tree), strict=True):
            spec._collect(child, parts)

    def _children_of(self, tree: Any) -> list:
        node_type = _get_node_type(tree)
        if self.type in STANDARD_DICT_TYPES:
            if node_type not in STANDARD_DICT_TYPES:
                raise ValueError(f"Node type mismatch; expected {self.type!r}, but got {node_type!r}.")
            if len(tree) != self.num_children:
                raise ValueError(f"Node arity mismatch; expected {self.num_children}, but got {len(tree)}.")
            keys = self._context[1] if self.type is defaultdict else self._context
            missing, extra = set(keys).difference(tree), set(tree).difference(keys)
            if missing or extra:
                text = (f"; missing key(s): {missing}" if missing else "") + (f"; extra key(s): {extra}" if extra else "")
                raise ValueError(f"Node keys mismatch{text}.")
            return [tree[k] for k in keys]
        if node_type is not self.type:
            raise ValueError(f"Node type mismatch; expected {self.type!r}, but got {node_type!r}.")
        children, context = SUPPORTED_NODES[node_type].flatten_fn(tree)
        children = list(children)
        if len(children) != self.num_children:
            raise ValueError(f"Node arity mismatch; expected {self.num_children}, but got {len(children)}.")
        if node_type is not deque and context != self._context:
            raise ValueError(f"Node context mismatch for custom node type {self.type!r}.")
        return children

    def unflatten(self, leaves: Iterable) -> Any:
        """The tree of this description with the given leaves."""
        leaves = leaves if isinstance(leaves, (list, tuple)) else list(leaves)
        if len(leaves) != self.num_leaves:
            raise ValueError(f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but the spec refers to a pytree that "
                             f"holds {self.num_leaves} items ({self}).")
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator) -> Any:
        if self.type is None:
            return next(leaves)
        return SUPPORTED_NODES[self.type].unflatten_fn([c._build(leaves) for c in self._children], self._context)

    def __reduce__(self) -> tuple:
        return TreeSpec, (self.type, self._context, self._children)


PyTreeSpec = TreeSpec
_LEAF_SPEC = TreeSpec(None, None, [])


class _LeafMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, TreeSpec) and instance.is_leaf()

    def __call__(cls) -> TreeSpec:
        import warnings

        warnings.warn("`isinstance(treespec, LeafSpec)` is deprecated, use `isinstance(treespec, TreeSpec) and treespec.is_leaf()` "
                      "instead.", FutureWarning, stacklevel=2)
        return _LEAF_SPEC


class LeafSpec(metaclass=_LeafMeta):
    """The old way to name a leaf's description; `treespec.is_leaf()` is the new one."""


def treespec_leaf() -> TreeSpec:
    """The description of a leaf."""
    return _LEAF_SPEC


def treespec_tuple(iterable: Iterable[TreeSpec] = (), /) -> TreeSpec:
    """The description of a tuple of the described trees."""
    children = list(iterable)
    if any(not isinstance(c, TreeSpec) for c in children):
        raise ValueError(f"Expected a tuple of TreeSpec values, got: {children!r}.")
    return TreeSpec(tuple, None, children)


def treespec_dict(mapping: Any = (), /, **kwargs: TreeSpec) -> TreeSpec:
    """The description of a dictionary of the described trees."""
    items = dict(mapping, **kwargs)
    if any(not isinstance(c, TreeSpec) for c in items.values()):
        raise ValueError(f"Expected a dictionary of TreeSpec values, got: {items!r}.")
    return TreeSpec(dict, list(items), list(items.values()))


# ---- flatten, unflatten, map -------------------------------------------------------------------


def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list, TreeSpec]:
    """(leaves, description) of a tree. `is_leaf` may name further leaves."""
    leaves: list = []
    return leaves, _flatten(tree, leaves, is_leaf)


def _flatten(tree: Any, leaves: list, is_leaf: Any) -> TreeSpec:
    node_type = _get_node_type(tree)
    if node_type not in SUPPORTED_NODES or (is_leaf is not None and is_leaf(tree)):
        leaves.append(tree)
        return _LEAF_SPEC
    children, context = SUPPORTED_NODES[node_type].flatten_fn(tree)
    return TreeSpec(node_type, context, [_flatten(c, leaves, is_leaf) for c in children])


def _as_spec(treespec: Any) -> TreeSpec:
    if not isinstance(treespec, TreeSpec):
        raise TypeError(f"Expected `treespec` to be an instance of PyTreeSpec but got item of type {type(treespec)}.")
    return treespec


def tree_unflatten(leaves: Iterable, treespec: TreeSpec) -> Any:
    """The tree of a description and leaves."""
    return _as_spec(treespec).unflatten(leaves)


def tree_iter(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> Iterator:
    """The leaves one after another."""
    node_type = _get_node_type(tree)
    if node_type not in SUPPORTED_NODES or (is_leaf is not None and is_leaf(tree)):
        yield tree
        return
    for child in SUPPORTED_NODES[node_type].flatten_fn(tree)[0]:
        yield from tree_iter(child, is_leaf)


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list:
    """The leaves as a list."""
    return list(tree_iter(tree, is_leaf))


def tree_structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> TreeSpec:
    """The description of a tree."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable, tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """The tree with `func` of each leaf in its place; `rests` give further arguments from trees of the same form."""
    leaves, spec = tree_flatten(tree, is_leaf)
    return spec.unflatten(list(map(func, leaves, *[spec.flatten_up_to(r) for r in rests])))


def tree_map_(func: Callable, tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Calls `func` on each leaf, for its effect; returns the tree."""
    leaves, spec = tree_flatten(tree, is_leaf)
    deque(map(func, leaves, *[spec.flatten_up_to(r) for r in rests]), maxlen=0)
    return tree


def map_only(type_or_types_or_pred: Any, /) -> Callable:
    """A decorator: the function applies to values of these types (or for which the predicate holds), others stay."""
    kinds = type_or_types_or_pred
    is_types = isinstance(kinds, (type, tuple)) or type(kinds).__name__ == "UnionType"
    if not is_types and not callable(kinds):
        raise TypeError("Argument must be a type, a tuple of types, or a callable.")

    def wrap(func: Callable) -> Callable:
        if is_types:
            return lambda x: func(x) if isinstance(x, kinds) else x
        return lambda x: func(x) if kinds(x) else x

    return wrap


def tree_map_only(type_or_types_or_pred: Any, /, func: Callable, tree: Any,
                  is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """`tree_map` of leaves of some types (or for which a predicate holds); others stay."""
    return tree_map(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_map_only_(type_or_types_or_pred: Any, /, func: Callable, tree: Any,
                   is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """`tree_map_` of leaves of some types (or for which a predicate holds)."""
    return tree_map_(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether the predicate holds for all leaves."""
    return all(map(pred, tree_iter(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether the predicate holds for a leaf."""
    return any(map(pred, tree_iter(tree, is_leaf)))


def tree_all_only(type_or_types: Any, /, pred: Callable[[Any], bool], tree: Any,
                  is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether the predicate holds for all leaves of some types."""
    return all(pred(x) for x in tree_iter(tree, is_leaf) if isinstance(x, type_or_types))


def tree_any_only(type_or_types: Any, /, pred: Callable[[Any], bool], tree: Any,
                  is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether the predicate holds for a leaf of some types."""
    return any(pred(x) for x in tree_iter(tree, is_leaf) if isinstance(x, type_or_types))


def arg_tree_leaves(*args: Any, **kwargs: Any) -> list:
    """The leaves of all arguments."""
    return [leaf for a in (*args, *kwargs.values()) for leaf in tree_iter(a)]


def _broadcast_to_and_flatten(tree: Any, treespec: TreeSpec, is_leaf: Callable[[Any], bool] | None = None) -> list | None:
    """A leaf for each leaf of the description, where a leaf of `tree` may stand for a whole part; None if they do not fit."""
    if tree_is_leaf(tree, is_leaf):
        return [tree] * treespec.num_leaves
    if treespec.is_leaf() or _get_node_type(tree) != treespec.type:
        return None
    children, context = SUPPORTED_NODES[treespec.type].flatten_fn(tree)
    children = list(children)
    if len(children) != treespec.num_children or context != treespec.context:
        return None
    result: list = []
    for child, spec in zip(children, treespec.children_specs, strict=True):
        part = _broadcast_to_and_flatten(child, spec, is_leaf)
        if part is None:
            return None
        result += part
    return result


# ---- paths -------------------------------------------------------------------------------------


def _generate_key_paths(key_path: tuple, tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> Iterator:
    if is_leaf is not None and is_leaf(tree):
        yield key_path, tree
        return
    node_type = _get_node_type(tree)
    node = SUPPORTED_NODES.get(node_type)
    if node is None:
        yield key_path, tree
        return
    if node.flatten_with_keys_fn is None:
        raise ValueError(f"Did not find a flatten_with_keys_fn for type: {node_type}. Please pass a flatten_with_keys_fn argument to "
                         "register_pytree_node.")
    for key, child in node.flatten_with_keys_fn(tree)[0]:
        yield from _generate_key_paths((*key_path, key), child, is_leaf)


def tree_leaves_with_path(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list:
    """Pairs of path and leaf."""
    return list(_generate_key_paths((), tree, is_leaf))


def tree_flatten_with_path(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list, TreeSpec]:
    """(pairs of path and leaf, description) of a tree."""
    return tree_leaves_with_path(tree, is_leaf), tree_structure(tree, is_leaf)


def tree_map_with_path(func: Callable, tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """`tree_map` of a function that gets each leaf's path first."""
    pairs, spec = tree_flatten_with_path(tree, is_leaf)
    paths, leaves = [p for p, _ in pairs], [v for _, v in pairs]
    return spec.unflatten(list(map(func, paths, leaves, *[spec.flatten_up_to(r) for r in rests])))


def __getattr__(name: str) -> Any:
    from . import _pytree_json

    if name in ("treespec_dumps", "treespec_loads", "treespec_pprint", "pytree_to_str", "str_to_pytree"):
        return getattr(_pytree_json, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


