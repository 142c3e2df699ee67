"""Rows of matrix products and contractions."""

import numpy as np

import bolide as torch

from .table import ALL_FLOATS, BOOL, COMPLEX, FLOATS, INTS, Bad, Make, Samples, calls, row

_TYPES = ALL_FLOATS + COMPLEX + INTS


def _ones(*shape, **kw):
    return torch.ones(*shape, **kw)


row(
    "mm",
    calls(lambda m: (m(2, 3), m(3, 4)), lambda m: (m(2, 0), m(0, 4)), lambda m: (m(0, 3), m(3, 2))),
    _TYPES,
    ref=np.matmul,
    errors=[
        Bad(lambda f: f(_ones(2, 3), _ones(2, 3)), RuntimeError, r"cannot be multiplied \(2x3 and 2x3\)"),
        Bad(lambda f: f(_ones(2), _ones(2, 3)), RuntimeError, "self must be a matrix"),
        Bad(lambda f: f(_ones(2, 3), _ones(3, 2, dtype=torch.float64)), RuntimeError, "float != double"),
        Bad(
            lambda f: f(_ones(2, 2, dtype=torch.bool), _ones(2, 2, dtype=torch.bool)),
            NotImplementedError,
            "Bool",
        ),
        Bad(
            lambda f: f(_ones(2, 2), _ones(2, 2), out=_ones(2, 2, dtype=torch.float64)),
            RuntimeError,
            "Expected out",
        ),
    ],
)
row(
    "bmm",
    calls(lambda m: (m(2, 2, 3), m(2, 3, 4)), lambda m: (m(0, 2, 3), m(0, 3, 4))),
    _TYPES,
    ref=np.matmul,
    errors=[
        Bad(
            lambda f: f(_ones(2, 2, 3), _ones(1, 3, 4)),
            RuntimeError,
            r"batch2 tensor to be: \[2, 3\] but got",
        ),
        Bad(lambda f: f(_ones(2, 3), _ones(3, 4)), RuntimeError, "batch1 must be a 3D tensor"),
    ],
)
row(
    "matmul",
    calls(
        lambda m: (m(3), m(3)),
        lambda m: (m(2, 3), m(3)),
        lambda m: (m(3), m(3, 2)),
        lambda m: (m(3), m(2, 3, 2)),
        lambda m: (m(2, 4, 3), m(3)),
        lambda m: (m(2, 1, 2, 3), m(4, 3, 2)),
        lambda m: (m(2, 2, 3), m(3, 4)),
        lambda m: (m(0, 2, 3), m(3, 4)),
        lambda m: (m(2, 3, 2, 2), m(2, 3, 2, 4)),
    ),
    _TYPES,
    ref=np.matmul,
    errors=[
        Bad(
            lambda f: f(_ones(()), _ones(2)), RuntimeError, "both arguments to matmul need to be at least 1D"
        ),
        Bad(lambda f: f(_ones(2, 3, 4), _ones(3, 4, 5)), RuntimeError, "must match the size of tensor b"),
        Bad(lambda f: f(_ones(2, 3), _ones(2)), RuntimeError, r"size mismatch, got input \(2\), mat \(2x3\)"),
    ],
)


def _add(product):
    return lambda s, a, b, beta=1, alpha=1: beta * s + alpha * product(a, b)


def _sums(a, b, self_shapes):
    def samples(m: Make) -> Samples:
        for shape, kwargs in zip(self_shapes, ({}, {"beta": 2, "alpha": 3}, {"beta": 0}), strict=True):
            yield (m(*shape), m(*a), m(*b)), kwargs

    return samples


_WIDE = Bad(
    lambda f: f(_ones(4), _ones(2, 3), _ones(3, 5)), RuntimeError, r"expanded size of the tensor \(5\)"
)
_IN_PLACE = Bad(
    lambda f: torch.ones(5).addmm_(_ones(2, 3), _ones(3, 5)),
    RuntimeError,
    "Bad in-place call: input tensor size",
)
row(
    "addmm",
    _sums((2, 3), (3, 4), ((4,), (2, 4), (2, 4))),
    _TYPES,
    ref=_add(np.matmul),
    errors=[
        _WIDE,
        _IN_PLACE,
        Bad(lambda f: f(_ones(4), _ones(3), _ones(3, 5)), RuntimeError, "mat1 must be a matrix, got 1-D"),
    ],
)
row("baddbmm", _sums((2, 2, 3), (2, 3, 4), ((4,), (2, 2, 4), (2, 2, 4))), _TYPES, ref=_add(np.matmul))
row(
    "addbmm",
    _sums((2, 2, 3), (2, 3, 4), ((4,), (2, 4), (2, 4))),
    _TYPES,
    ref=_add(lambda a, b: (a @ b).sum(0, dtype=a.dtype)),
)
row("addmv", _sums((2, 3), (3,), ((), (2,), (2,))), _TYPES, ref=_add(np.matmul))
row("addr", _sums((2,), (3,), ((3,), (2, 3), (2, 3))), _TYPES, ref=_add(np.outer))
row(
    "mv",
    calls(lambda m: (m(2, 3), m(3)), lambda m: (m(2, 0), m(0))),
    _TYPES,
    ref=np.matmul,
    errors=[Bad(lambda f: f(_ones(2, 3), _ones(2)), RuntimeError, "size mismatch")],
)
_DOT_ERRORS = [
    Bad(lambda f: f(_ones(2), _ones(3)), RuntimeError, "inconsistent tensor size"),
    Bad(lambda f: f(_ones(2, 2), _ones(2)), RuntimeError, "1D tensors expected"),
    Bad(lambda f: f(_ones(2), _ones(2, dtype=torch.float16)), RuntimeError, "same dtype"),
]
row("dot", calls(lambda m: (m(5), m(5)), lambda m: (m(0), m(0))), _TYPES, ref=np.dot, errors=_DOT_ERRORS)
row("vdot", calls(lambda m: (m(5), m(5))), _TYPES, ref=np.vdot, errors=_DOT_ERRORS)


def _linear(x, w, b=None):
    y = x @ w.T
    return y if b is None else y + b


row(
    "linear",
    calls(
        lambda m: (m(2, 3), m(4, 3), m(4)),
        lambda m: (m(2, 2, 3), m(4, 3)),
        lambda m: (m(3), m(4, 3)),
        lambda m: (m(2, 3), m(4, 3), m(1)),
        lambda m: (m(2, 3), m(3)),
        lambda m: (m(0, 3), m(4, 3), m(4)),
    ),
    ALL_FLOATS + COMPLEX + INTS,
    ref=_linear,
    errors=[
        Bad(lambda f: f(_ones(2, 3), _ones(4, 2)), RuntimeError, "shapes cannot be multiplied"),
        Bad(lambda f: f(_ones(2, 3), _ones(4, 3), _ones(3)), RuntimeError, "expanded size of the tensor"),
        Bad(lambda f: f(_ones(()), _ones(4, 3)), RuntimeError, "need to be at least 1D"),
    ],
)

# ---- contractions ---------------------------------------------------------------------------------

_MORE = _TYPES + BOOL
_VECTORS = calls(lambda m: (m(3), m(4)), lambda m: (m(0), m(2)))
row(
    "outer",
    _VECTORS,
    _MORE,
    ref=np.outer,
    errors=[Bad(lambda f: f(_ones(2, 2), _ones(2)), RuntimeError, "1-D")],
)
row("ger", _VECTORS, _MORE, ref=np.outer)
row(
    "inner",
    calls(lambda m: (m(2, 3), m(4, 3)), lambda m: (m(3), m(3)), lambda m: (m(), m(2))),
    _TYPES,
    ref=np.inner,
)
row(
    "kron",
    calls(lambda m: (m(2, 3), m(4, 1)), lambda m: (m(2), m(2, 3)), lambda m: (m(), m(2))),
    _MORE,
    ref=np.kron,
)
row(
    "tensordot",
    calls(
        lambda m: (m(2, 3, 4), m(4, 3, 5), [2, 1], [0, 1]),
        lambda m: (m(2), m(3), [], []),
        lambda m: (m(2, 3), m(2, 3), [0, 1], [0, 1]),
    ),
    _TYPES,
    ref=lambda a, b, p, q: np.tensordot(a, b, (p, q)),
    errors=[
        Bad(
            lambda f: f(_ones(2, 3), _ones(2, 3), [1], [0]),
            RuntimeError,
            "contracted dimensions need to match",
        ),
        Bad(lambda f: f(_ones(2, 3), _ones(2, 3), [1], []), RuntimeError, "same length"),
        Bad(lambda f: f(_ones(3, 3), _ones(3, 3), [1, 1], [0, 1]), RuntimeError, "appears multiple times"),
    ],
)


def _einsums(m: Make) -> Samples:
    yield ("ij,jk->ik", [m(2, 3), m(3, 4)]), {}
    yield ("...ij,jk", [m(2, 2, 3), m(3, 4)]), {}
    yield ("ii->i", [m(3, 3)]), {}
    yield ("ij->", [m(2, 3)]), {}
    yield ("ba", [m(2, 3)]), {}
    yield ("bn,anm,bm->ba", [m(2, 3), m(4, 3, 2), m(2, 2)]), {}
    yield ("i,i,i", [m(3), m(3), m(3)]), {}
    yield ("ij,kj->jk", [m(2, 3), m(1, 3)]), {}
    yield ("i...,i...->...", [m(2, 3), m(2, 3)]), {}
    yield ("ij,jk->ik", [m(2, 0), m(0, 4)]), {}


row(
    "einsum",
    _einsums,
    ALL_FLOATS + COMPLEX + (torch.int64,),
    ref=lambda equation, operands: np.einsum(equation, *operands),
    errors=[
        Bad(lambda f: f("ij,jk", [_ones(2, 3)]), RuntimeError, "fewer operands were provided"),
        Bad(lambda f: f("ij", [_ones(2)]), RuntimeError, "does not match the number of dimensions"),
        Bad(lambda f: f("ij->ik", [_ones(2, 2)]), RuntimeError, "output subscript k does not appear"),
        Bad(lambda f: f("ij->ii", [_ones(2, 2)]), RuntimeError, "appears more than once in the output"),
        Bad(lambda f: f("i1", [_ones(2, 2)]), RuntimeError, "subscripts must be in"),
        Bad(
            lambda f: f("ij,jk", [_ones(2, 3), _ones(2, 3)]),
            RuntimeError,
            "does not broadcast with previously seen",
        ),
        Bad(lambda f: f("i.j", [_ones(2, 3)]), RuntimeError, "not part of any ellipsis"),
        Bad(lambda f: f("ii", [_ones(2, 3)]), RuntimeError, "is repeated for operand 0"),
    ],
)
row(
    "bilinear",
    calls(
        lambda m: (m(2, 3), m(2, 4), m(5, 3, 4), m(5)),
        lambda m: (m(2, 2, 3), m(2, 2, 4), m(5, 3, 4)),
        lambda m: (m(3), m(4), m(5, 3, 4)),
    ),
    _TYPES,
    ref=lambda a, b, w, c=0: np.einsum("...i,oij,...j->...o", a, w, b) + c,
    errors=[
        Bad(lambda f: f(_ones(2, 3), _ones(2, 3), _ones(5, 2, 3)), RuntimeError, "input1 size does not match")
    ],
)
_CHAINS = calls(
    lambda m: ([m(2, 3), m(3, 4), m(4, 1), m(1, 5)],),
    lambda m: ([m(2, 3), m(3, 4)],),
)
row("chain_matmul", _CHAINS, FLOATS + COMPLEX, ref=lambda a: np.linalg.multi_dot(a))
row(
    "linalg_multi_dot",
    calls(*[lambda m: ([m(3), m(3, 4), m(4)],), lambda m: ([m(2, 3), m(3, 4), m(4, 1)],)]),
    FLOATS + COMPLEX,
    ref=lambda a: np.linalg.multi_dot(a),
    errors=[Bad(lambda f: f([_ones(2, 2)]), RuntimeError, "expected at least 2 tensors but got 1")],
)
row(
    "linalg_vecdot",
    calls(lambda m: (m(2, 3), m(2, 3)), lambda m: ((m(2, 3), m(2, 3)), {"dim": 0}), lambda m: (m(3), m(3))),
    ALL_FLOATS + COMPLEX,
    ref=lambda x, y, dim=-1: (np.conj(x) * y).sum(dim),
)
