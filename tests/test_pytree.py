"""Trees of containers: leaves, descriptions, paths, registration."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest

import bolide as torch
from bolide.utils import _pytree as pytree

Point = namedtuple("Point", ["x", "y"])
TREES = [
    5,
    None,
    [],
    {},
    [1, 2],
    (1, (2, 3)),
    {"b": 1, "a": [2]},
    OrderedDict([("b", 1), ("a", 2)]),
    defaultdict(list, {"x": 1}),
    Point(1, [2]),
    deque([1, 2], maxlen=3),
    [{"a": (1, None)}, 3],
]


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_there_and_back(tree):
    leaves, spec = pytree.tree_flatten(tree)
    back = pytree.tree_unflatten(leaves, spec)
    assert back == tree and type(back) is type(tree) and spec == pytree.tree_structure(back)
    assert leaves == pytree.tree_leaves(tree) == [v for _, v in pytree.tree_leaves_with_path(tree)]
    for path, leaf in pytree.tree_leaves_with_path(tree):
        assert pytree.key_get(tree, path) == leaf
    if not isinstance(tree, Point):
        assert pytree.treespec_loads(pytree.treespec_dumps(spec)) == spec


def test_map_over_several_trees():
    assert pytree.tree_map(lambda a, b: a + b, [1, {"k": 2}], [3, {"k": 4}]) == [4, {"k": 6}]
    assert pytree.tree_map(lambda a, b: (a, b), [1], [[2, 3]]) == [(1, [2, 3])]
    with pytest.raises(ValueError, match="Node arity mismatch; expected 2, but got 1"):
        pytree.tree_map(lambda a, b: a, [1, 2], [3])
    with pytest.raises(
        ValueError, match=r"Node keys mismatch; missing key\(s\): {'a'}; extra key\(s\): {'b'}"
    ):
        pytree.tree_map(lambda a, b: a, {"a": 1}, {"b": 1})
    assert pytree.tree_map_only(int, lambda x: x + 1, [1, "a", 2.0]) == [2, "a", 2.0]


def test_texts():
    spec = pytree.tree_structure([{"a": (1, None)}, 3])
    assert repr(spec) == (
        "TreeSpec(list, None, [TreeSpec(dict, ['a'], [TreeSpec(tuple, None, [*,\n      *])]),\n  *])"
    )
    assert pytree.treespec_pprint(spec) == "[{'a': (*, *)}, *]"
    paths = [pytree.keystr(p) for p, _ in pytree.tree_leaves_with_path({"a": [1, Point(2, 3)]})]
    assert paths == ["['a'][0]", "['a'][1].x", "['a'][1].y"]


def test_own_types():
    class Pair:
        def __init__(self, a, b):
            self.a, self.b = a, b

    assert pytree.tree_is_leaf(Pair(1, 2))
    pytree.register_pytree_node(Pair, lambda p: ((p.a, p.b), "ctx"), lambda c, ctx: Pair(*c))
    doubled = pytree.tree_map(lambda x: 2 * x, Pair(1, [2]))
    assert (doubled.a, doubled.b) == (2, [4])
    with pytest.raises(ValueError, match="is already registered as pytree node"):
        pytree.register_pytree_node(Pair, None, None)


def test_sizes_are_nodes_and_tensors_leaves():
    assert pytree.tree_map(lambda n: n + 1, torch.Size([1, 2])) == torch.Size([2, 3])
    t = torch.ones(2)
    assert pytree.tree_leaves({"t": t})[0] is t
