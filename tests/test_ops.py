"""Generic tests: each runs on every row of the table in tests/ops.

Map: coverage | results against NumPy | layouts | dtypes | meta | in-place and out= | derivatives | expected
errors
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bolide as torch
from ops import TABLE
from ops.table import COMPLEX, HALVES, Make, Row

ROWS = sorted(TABLE.values(), key=lambda r: r.op)
NAMES = [r.op for r in ROWS]
each_row = pytest.mark.parametrize("row", ROWS, ids=NAMES)
HALF_TOLERANCE = {torch.float16: 2e-2, torch.bfloat16: 1e-1}


def registered() -> set[str]:
    return {text.split("(")[0].split(".")[0] for text in torch._C._list_ops()}


def test_every_op_has_a_row():
    missing = sorted(registered() - set(TABLE))
    assert not missing, f"{len(missing)} ops have no row in tests/ops: {' '.join(missing)}"


def test_every_row_names_an_op():
    assert not sorted(set(TABLE) - registered())


# ---- helpers ------------------------------------------------------------------------------------


def flatten(result: Any) -> list[Any]:
    if isinstance(result, (tuple, list)):
        return [x for r in result for x in flatten(r)]
    return [result]


def run(row: Row, args: Any, kwargs: Any) -> list[Any]:
    if row.random:
        torch.manual_seed(3)
    return flatten(row.function(*args, **kwargs))


def array(x: Any) -> Any:
    """The NumPy counterpart of an argument; halves as float32."""
    if isinstance(x, torch.Tensor):
        x = x.detach()
        return (x.float() if x.dtype in HALVES else x).cpu().numpy()
    if isinstance(x, (list, tuple)):
        return type(x)(array(v) for v in x)
    return x


def compare(got: Any, want: Any, rtol: float, what: str) -> None:
    if not isinstance(got, torch.Tensor):
        assert got == want or (got != got and want != want), what
        return
    a, b = array(got), np.asarray(array(want))
    assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}"
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol, equal_nan=True, err_msg=what)


def same(got: list[Any], want: list[Any], what: str, rtol: float = 1e-6) -> None:
    assert len(got) == len(want), what
    for g, w in zip(got, want, strict=True):
        if isinstance(g, torch.Tensor):
            assert g.dtype == w.dtype, f"{what}: {g.dtype}, expected {w.dtype}"
        compare(g, w, max(rtol, HALF_TOLERANCE.get(getattr(g, "dtype", None), 0)), what)


def describe(args: Any, kwargs: Any) -> str:
    def one(v: Any) -> str:
        if isinstance(v, torch.Tensor):
            return f"{str(v.dtype)[6:]}{list(v.shape)}"
        if isinstance(v, (list, tuple)):
            return "(" + ", ".join(map(one, v)) + ")"
        return repr(v)

    return ", ".join([*map(one, args), *(f"{k}={one(v)}" for k, v in kwargs.items())])


def main_dtype(row: Row) -> Any:
    for d in (torch.float64, torch.float32):
        if d in row.dtypes:
            return d
    return row.dtypes[0]


# ---- results ------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [r for r in ROWS if r.ref], ids=[r.op for r in ROWS if r.ref])
def test_result_equals_reference(row: Row):
    for dtype in row.dtypes:
        if dtype in HALVES:
            continue
        for args, kwargs in row.samples(Make(dtype)):
            with np.errstate(all="ignore"):
                want = flatten(row.ref(*map(array, args), **{k: array(v) for k, v in kwargs.items()}))
            got = run(row, args, kwargs)
            assert len(got) == len(want)
            for g, w in zip(got, want, strict=True):
                compare(
                    g,
                    w,
                    row.tol if g.dtype in (torch.float32, torch.complex64) else min(row.tol, 1e-6),
                    f"{row.op}({describe(args, kwargs)})",
                )


@each_row
def test_accepts_its_dtypes(row: Row):
    for dtype in row.dtypes:
        wide = Make(torch.float32 if dtype in HALVES else dtype)
        for (args, kwargs), (wargs, wkwargs) in zip(row.samples(Make(dtype)), row.samples(wide), strict=True):
            got = run(row, args, kwargs)
            if dtype not in HALVES or row.random:
                continue
            for g, w in zip(got, run(row, wargs, wkwargs), strict=True):
                if isinstance(g, torch.Tensor) and g.dtype == dtype:
                    compare(
                        g, w, HALF_TOLERANCE[dtype], f"{row.op}({describe(args, kwargs)}) against float32"
                    )


@each_row
def test_strided_inputs_give_the_same(row: Row):
    if not row.strided:
        pytest.skip("the op is about layout")
    dtype = main_dtype(row)
    for (a, ak), (b, bk) in zip(
        row.samples(Make(dtype)), row.samples(Make(dtype, layout="strided")), strict=True
    ):
        same(run(row, b, bk), run(row, a, ak), f"{row.op}({describe(a, ak)}) of strided tensors", 1e-5)


@each_row
def test_meta_gives_shape_and_dtype(row: Row):
    if not row.meta:
        pytest.skip("the result's shape depends on values")
    dtype = main_dtype(row)
    for (a, ak), (b, bk) in zip(
        row.samples(Make(dtype)), row.samples(Make(dtype, device="meta")), strict=True
    ):
        what = f"{row.op}({describe(a, ak)}) on meta"
        bk = {k: v for k, v in bk.items() if k != "device"}
        for real, meta in zip(run(row, a, ak), run(row, b, bk), strict=True):
            if isinstance(real, torch.Tensor):
                assert (real.shape, real.dtype, real.stride()) == (meta.shape, meta.dtype, meta.stride()), (
                    what
                )
                if any(isinstance(x, torch.Tensor) for x in flatten(list(b))):
                    assert meta.device.type == "meta", what


# ---- in place, out= -----------------------------------------------------------------------------


@each_row
def test_in_place_equals_functional(row: Row):
    in_place = getattr(torch._C._ops, row.op + "_", None)
    if row.op.endswith("_") or in_place is None or row.call or row.op + "_" in TABLE:
        pytest.skip("no in-place form, or one with a row of its own")
    tried = 0
    for args, kwargs in row.samples(Make(main_dtype(row))):
        want = run(row, args, kwargs)[0]
        if (
            not isinstance(args[0], torch.Tensor)
            or want.shape != args[0].shape
            or not torch.can_cast(want.dtype, args[0].dtype)
        ):
            continue
        target = args[0].clone()
        if row.random:
            torch.manual_seed(3)
        back = in_place(target, *args[1:], **kwargs)
        assert back is target
        same([target], [want.to(target.dtype)], f"{row.op}_({describe(args, kwargs)})")
        tried += 1
    assert tried, f"no sample of {row.op} fits its in-place form"


def accepts_out(row: Row, args: Any, kwargs: Any, out: Any) -> bool:
    try:
        row.function(*args, **kwargs, out=out)
    except TypeError as e:
        if "out" in str(e) or "invalid combination" in str(e) or "missing" in str(e):
            return False
        raise
    return True


@each_row
def test_out_equals_functional(row: Row):
    for args, kwargs in row.samples(Make(main_dtype(row))):
        want = run(row, args, kwargs)
        if not all(isinstance(w, torch.Tensor) for w in want) or any(
            isinstance(a, torch.Tensor) and w.data_ptr() == a.data_ptr() and w.numel()
            for w in want
            for a in args
        ):
            pytest.skip("a view")
        out = tuple(torch.empty([0], dtype=w.dtype) for w in want)
        if row.random:
            torch.manual_seed(3)
        if not accepts_out(row, args, kwargs, out[0] if len(out) == 1 else out):
            pytest.skip("no out= form")
        same(list(out), want, f"{row.op}({describe(args, kwargs)}, out=...)")


# ---- derivatives --------------------------------------------------------------------------------


def differentiable(results: list[Any]) -> list[Any]:
    return [r for r in results if isinstance(r, torch.Tensor) and r.requires_grad]


def weights(m: Make, t: Any) -> Any:
    return m(*t.shape, dtype=t.dtype, grad=False)


def check_directional(f: Any, leaves: list[Any], grads: list[Any], what: str) -> None:
    """Compares sum(grad * direction) with a central difference of f along random directions."""
    m = Make(torch.float64)
    h = 1e-6
    for k, (leaf, grad) in enumerate(zip(leaves, grads, strict=True)):
        if not leaf.numel():
            continue
        d = weights(m, leaf)
        with torch.no_grad():
            leaf.add_(d, alpha=h)
            up = f().item()
            leaf.add_(d, alpha=-2 * h)
            down = f().item()
            leaf.add_(d, alpha=h)
        numeric = (up - down) / (2 * h)
        analytic = (
            0.0
            if grad is None
            else (grad.conj() * d).real.sum().item()
            if grad.dtype in COMPLEX
            else (grad * d).sum().item()
        )
        assert abs(numeric - analytic) <= 2e-5 * max(1.0, abs(numeric), abs(analytic)), (
            f"{what}: argument {k}: derivative {analytic}, by differences {numeric}"
        )


def graph_inputs(row: Row, m: Make) -> Any:
    """Yields (leaves, args, kwargs) of each sample, leaves fresh for each."""
    for args, kwargs in row.samples(m):
        leaves, m.leaves = m.leaves, []
        yield leaves, args, kwargs


def in_place_safe(row: Row, args: Any) -> list[Any]:
    """In-place ops write a copy, so that leaves stay leaves."""
    return [args[0].clone(), *args[1:]] if row.op.endswith("_") and not row.call else list(args)


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.grad and not r.random], ids=[r.op for r in ROWS if r.grad and not r.random]
)
def test_derivatives_by_differences(row: Row):
    dtype = torch.float64
    if dtype not in row.dtypes:
        pytest.skip("not for float64")
    tried = 0
    for leaves, args, kwargs in graph_inputs(row, Make(dtype, requires_grad=True)):
        what = f"{row.op}({describe(args, kwargs)})"

        def scalar(args=args, kwargs=kwargs):
            m = Make(torch.float64)
            outs = [
                r
                for r in run(row, in_place_safe(row, args), kwargs)
                if isinstance(r, torch.Tensor) and (r.dtype.is_floating_point or r.dtype.is_complex)
            ]
            total = torch.zeros((), dtype=torch.float64)
            for r in outs:
                total = total + ((r * weights(m, r)).real if r.dtype.is_complex else r * weights(m, r)).sum()
            return total

        loss = scalar()
        if not leaves or not loss.requires_grad:
            continue
        grads = torch.autograd.grad(loss, leaves, create_graph=row.second, allow_unused=True)
        check_directional(scalar, leaves, grads, what)
        tried += 1
        if not row.second or not any(g is not None and g.requires_grad for g in grads):
            continue

        def second(scalar=scalar, leaves=leaves):
            m = Make(torch.float64)
            with torch.enable_grad():
                inner = torch.autograd.grad(scalar(), leaves, create_graph=True, allow_unused=True)
            return sum((g * weights(m, g)).sum() for g in inner if g is not None)

        again = torch.autograd.grad(second(), leaves, allow_unused=True)
        check_directional(second, leaves, again, f"second derivative of {what}")
    assert tried, f"no sample of {row.op} has a derivative (grad=False if that is right)"


# ---- errors -------------------------------------------------------------------------------------

BAD = [(r, b) for r in ROWS for b in r.errors]


@pytest.mark.parametrize("row,bad", BAD, ids=[f"{r.op}-{i}" for i, (r, _) in enumerate(BAD)])
def test_expected_errors(row: Row, bad: Any):
    with pytest.raises(bad.error, match=bad.match):
        bad.call(row.function)
