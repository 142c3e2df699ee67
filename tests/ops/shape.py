"""Rows of ops that move, repeat, join and cut."""

import numpy as np

import bolide as torch

from .table import ALL, ALL_FLOATS, FLOATS, INTS, NUMBERS, Bad, calls, row, rows, unary

# ---- dimensions moved
rows(
    "movedim moveaxis",
    calls(lambda m: (m(2, 3, 4), 0, -1), lambda m: (m(2, 3, 4), [0, 1], [2, 0])),
    ALL,
    ref=np.moveaxis,
    errors=[
        Bad(lambda f: f(torch.ones(2, 3), [0, 0], [0, 1]), RuntimeError, "repeated dim in `source`"),
        Bad(lambda f: f(torch.ones(2, 3), [0], [0, 1]), RuntimeError, "should contain the same number of dims"),
    ],
)
rows("swapaxes swapdims", calls(lambda m: (m(2, 3, 4), 0, -1)), ALL, ref=np.swapaxes)
_IN_PLACE_VIEW = {"strided": False, "meta": False, "grad": False}
rows("transpose_ swapaxes_ swapdims_", calls(lambda m: (m(2, 3).clone(), 0, 1)), ALL, **_IN_PLACE_VIEW)
row("t_", calls(lambda m: (m(2, 3).clone(),)), ALL, **_IN_PLACE_VIEW)
row("squeeze_", calls(lambda m: (m(2, 1, 1).clone(),), lambda m: (m(2, 1, 1).clone(), 1)), ALL, **_IN_PLACE_VIEW)
row("unsqueeze_", calls(lambda m: (m(2, 3).clone(), 1)), ALL, **_IN_PLACE_VIEW)
row("as_strided_", calls(lambda m: (m(6).clone(), [2, 2], [2, 1], 1)), ALL, **_IN_PLACE_VIEW)
row("resize_as_", calls(lambda m: (m(2, 3).zero_(), m(6))), ALL, grad=False, strided=False)

# ---- repeated
row(
    "repeat",
    calls(lambda m: (m(2, 3), [2, 2]), lambda m: (m(3), [2, 1, 3]), lambda m: (m(2), [0])),
    ALL,
    ref=lambda x, r: np.tile(x, r),
    errors=[Bad(lambda f: f(torch.ones(2, 3), [2]), RuntimeError, "can not be smaller than number of dimensions")],
)
row("tile", calls(lambda m: (m(2, 3), [2]), lambda m: (m(3), [2, 2])), ALL, ref=np.tile)
row(
    "repeat_interleave",
    calls(
        lambda m: (m(2, 3), 2),
        lambda m: (m(2, 3), 3, 1),
        lambda m: (m(3), torch.tensor([1, 0, 2], device=m.device)),
        lambda m: (m(2, 3), torch.tensor([2, 1], device=m.device), 0),
        lambda m: (torch.tensor([1, 0, 2], device=m.device),),
    ),
    ALL,
    meta=False,
    errors=[
        Bad(lambda f: f(torch.ones(3), -1), RuntimeError, "non-negative"),
        Bad(lambda f: f(torch.ones(3), torch.tensor([1, -1, 0])), RuntimeError, "repeats can not be negative"),
    ],
)

# ---- rolled and flipped
row(
    "roll",
    calls(lambda m: (m(2, 3), 1), lambda m: (m(2, 3), -2, 1), lambda m: (m(2, 3, 4), [1, 2], [0, 2])),
    ALL,
    ref=lambda x, s, d=None: np.roll(x, s, None if d is None else tuple(d) if isinstance(d, list) else d),
    errors=[
        Bad(lambda f: f(torch.ones(3), []), RuntimeError, "`shifts` required"),
        Bad(lambda f: f(torch.ones(3, 3), [1, 2], [0]), RuntimeError, "shifts and dimensions must align"),
    ],
)
row(
    "flip",
    calls(lambda m: (m(2, 3), [0]), lambda m: (m(2, 3, 4), [0, -1]), lambda m: (m(), [0]), lambda m: (m(40, 70), [1])),
    ALL,
    ref=lambda x, d: np.flip(x, tuple(d)) if x.ndim else x,
    errors=[Bad(lambda f: f(torch.ones(2), [0, 0]), RuntimeError, "appears multiple times")],
)
row("fliplr", calls(lambda m: (m(2, 3),)), ALL, ref=np.fliplr)
row("flipud", calls(lambda m: (m(2, 3),)), ALL, ref=np.flipud)
row(
    "rot90",
    calls(lambda m: (m(2, 3),), lambda m: (m(2, 3), 2), lambda m: (m(2, 3, 4), -1, [0, 2]), lambda m: (m(2, 3), 4)),
    ALL,
    ref=lambda x, k=1, d=(0, 1): np.rot90(x, k, d),
    errors=[Bad(lambda f: f(torch.ones(2, 2), 1, [0, 0]), RuntimeError, "rotation dims to be different")],
)

# ---- broadcast, atleast, unflatten
row("broadcast_to", calls(lambda m: (m(3, 1), [2, 3, 4])), ALL, ref=lambda x, s: np.broadcast_to(x, s))
row("broadcast_tensors", calls(lambda m: ([m(3, 1), m(2)],)), ALL)
row("atleast_1d", unary(), ALL, ref=np.atleast_1d)
row("atleast_2d", unary(), ALL, ref=np.atleast_2d)
row("atleast_3d", unary(), ALL, ref=np.atleast_3d)
row(
    "unflatten",
    calls(lambda m: (m(2, 6), 1, [2, -1]), lambda m: (m(4), 0, [2, 2])),
    ALL,
    strided=False,
    errors=[Bad(lambda f: f(torch.ones(4), 0, [3]), RuntimeError, "don't multiply up to the size of dim 0")],
)
row("ravel", unary(), ALL, ref=np.ravel)

# ---- joined
_PAIR = calls(lambda m: ([m(2, 3), m(2, 3)],), lambda m: ([m(3), m(3)],))
row("hstack", _PAIR, ALL, ref=np.hstack, errors=[Bad(lambda f: f([]), RuntimeError, "non-empty TensorList")])
rows("vstack row_stack", _PAIR, ALL, ref=np.vstack)
row("dstack", _PAIR, ALL, ref=np.dstack)
row("column_stack", calls(lambda m: ([m(2), m(2, 2)],), lambda m: ([m(), m()],)), ALL)
rows("concat concatenate", calls(lambda m: ([m(2, 3), m(1, 3)],), lambda m: ([m(2, 3), m(2, 1)], 1)), ALL)
row("block_diag", calls(lambda m: ([m(2, 3), m(2), m()],)), ALL)
row("_chunk_cat", calls(lambda m: ([m(3, 2), m(4, 2)], 0, 2)), ALL)

# ---- cut
row(
    "tensor_split",
    calls(lambda m: (m(7, 2), 3), lambda m: (m(2, 7), [1, 4], 1), lambda m: (m(7), torch.tensor([2, 3]))),
    ALL,
    errors=[Bad(lambda f: f(torch.ones(3), 0), RuntimeError, "number of sections must be larger than 0")],
)
row(
    "hsplit",
    calls(lambda m: (m(2, 4), 2), lambda m: (m(4), [1, 3])),
    ALL,
    errors=[Bad(lambda f: f(torch.ones(2, 3), 2), RuntimeError, "not divisible by the split_size 2")],
)
row("vsplit", calls(lambda m: (m(4, 2), 2), lambda m: (m(4, 2), [1])), ALL)
row("dsplit", calls(lambda m: (m(2, 2, 4), 2), lambda m: (m(2, 2, 4), [1, 3])), ALL)
row("unsafe_chunk", calls(lambda m: (m(5, 2), 2)), ALL)
row("unsafe_split", calls(lambda m: (m(5, 2), 2)), ALL)
row("unsafe_split_with_sizes", calls(lambda m: (m(5, 2), [2, 3])), ALL)

# ---- triangles and diagonals
_TRIANGLE = calls(lambda m: (m(3, 4),), lambda m: (m(2, 3, 3), 1), lambda m: (m(4, 2), -1), lambda m: (m(0, 3),))
row("tril", _TRIANGLE, ALL, ref=np.tril, errors=[Bad(lambda f: f(torch.ones(2)), RuntimeError, "at least 2 dimensions")])
row("triu", _TRIANGLE, ALL, ref=np.triu)
row("tril_indices", calls(lambda m: ((3, 4, 1), {"device": m.device})), INTS, ref=lambda r, c, k, device: np.stack(np.tril_indices(r, k, c)), grad=False)
row("triu_indices", calls(lambda m: ((3, 4, -1), {"device": m.device})), INTS, ref=lambda r, c, k, device: np.stack(np.triu_indices(r, k, c)), grad=False)
row("diag", calls(lambda m: (m(3),), lambda m: (m(2, 3), 1), lambda m: (m(2), -2)), ALL, ref=np.diag)
row("diagflat", calls(lambda m: (m(2, 2),), lambda m: (m(3), 1)), ALL, ref=np.diagflat)
row("diag_embed", calls(lambda m: (m(2, 3),), lambda m: (m(2, 3), 1, 0, 2), lambda m: (m(2, 3), -1)), ALL)
row(
    "fill_diagonal_",
    calls(lambda m: (m(3, 4), 1), lambda m: (m(7, 3), 2, True), lambda m: (m(3, 3, 3), 1)),
    ALL,
    second=False,
)

# ---- copies of views
row("alias_copy", unary(), ALL)
row("detach_copy", unary(), ALL, grad=False)
row("as_strided_copy", calls(lambda m: (m(12), [2, 3], [1, 2], 1)), ALL, strided=False)
row("diagonal_copy", calls(lambda m: (m(3, 4), 1)), ALL)
row("expand_copy", calls(lambda m: (m(3, 1), [3, 4])), ALL)
row("narrow_copy", calls(lambda m: (m(5, 3), 0, 1, 3)), ALL)
row("permute_copy", calls(lambda m: (m(2, 3, 4), [2, 0, 1])), ALL)
row("select_copy", calls(lambda m: (m(2, 3), 1, -1)), ALL)
row("slice_copy", calls(lambda m: (m(5, 3), 0, 1, 4, 2)), ALL)
row("split_copy", calls(lambda m: (m(5, 2), 2)), ALL)
row("split_with_sizes_copy", calls(lambda m: (m(5, 2), [2, 3])), ALL)
row("squeeze_copy", calls(lambda m: (m(2, 1, 3),), lambda m: (m(2, 1, 3), 1)), ALL)
row("t_copy", calls(lambda m: (m(2, 3),)), ALL)
row("transpose_copy", calls(lambda m: (m(2, 3), 0, 1)), ALL)
row("unbind_copy", calls(lambda m: (m(2, 3), 1)), ALL)
row("unfold_copy", calls(lambda m: (m(7), 0, 3, 2)), FLOATS)
row("unsqueeze_copy", calls(lambda m: (m(2, 3), 1)), ALL)
row("view_copy", calls(lambda m: (m(2, 6), [3, 4])), ALL, strided=False)
row("view_as_real_copy", unary(), (torch.complex64, torch.complex128))
row("view_as_complex_copy", calls(lambda m: (m(3, 2),)), FLOATS, strided=False)

# ---- grids, products, sample points
row("meshgrid", calls(lambda m: ([m(2), m(3)],), lambda m: (([m(2), m(3), m()],), {"indexing": "xy"})), ALL)
row("cartesian_prod", calls(lambda m: ([m(2), m(3)],), lambda m: ([m(2)],)), ALL)
row(
    "combinations",
    calls(lambda m: (m(4),), lambda m: (m(3), 3, True), lambda m: (m(3), 0)),
    ALL,
    meta=False,
    errors=[Bad(lambda f: f(torch.ones(2, 2)), RuntimeError, "Expect a 1D vector")],
)
row("vander", calls(lambda m: (m(3),), lambda m: (m(3), 4, True)), ALL_FLOATS + INTS, ref=np.vander)
row("trapezoid", calls(lambda m: (m(2, 4),), lambda m: (m(2, 4), m(4)), lambda m: ((m(3, 2),), {"dx": 2, "dim": 0})), NUMBERS)
row("trapz", calls(lambda m: (m(2, 4),), lambda m: (m(2, 4), m(4))), NUMBERS)
row("cumulative_trapezoid", calls(lambda m: (m(2, 4),), lambda m: (m(2, 4), m(4))), NUMBERS)
row(
    "_gradient",
    calls(
        lambda m: (m(4, 5), [1.0, 0.5], [], None, 1),
        lambda m: (m(4, 5), [2.0], [], [1], 2),
        lambda m: (m(4), [], [torch.tensor([0.0, 1.0, 3.0, 4.0], dtype=torch.float64, device=m.device)], None, 2),
    ),
    FLOATS,
    second=False,
)
