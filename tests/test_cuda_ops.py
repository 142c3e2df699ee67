"""The op table with device="cuda": every op gives on the device what it gives on the CPU, derivatives too.

Runs on the software GPU, or on a real one with BOLIDE_TEST_GPU=real. `pytest -m cuda` runs just these.
"""

from __future__ import annotations

import functools
import os

import softgpu_env

REAL = os.environ.get("BOLIDE_TEST_GPU") == "real"
if not REAL and softgpu_env.built():
    for _name, _value in softgpu_env.environment().items():
        os.environ.setdefault(_name, _value)

import bolide as torch  # noqa: E402
import pytest  # noqa: E402
from ops import TABLE  # noqa: E402
from ops.table import COMPLEX, HALVES, Make, Row  # noqa: E402
from test_ops import compare, describe, flatten, in_place_safe, main_dtype, run, weights  # noqa: E402

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not REAL and not softgpu_env.built(), reason="the software GPU is not built (it comes with the C++ tests)"),
]
ROWS = sorted((r for r in TABLE.values() if r.cuda), key=lambda r: r.op)
each_row = pytest.mark.parametrize("row", ROWS, ids=[r.op for r in ROWS])
TOLERANCE = {torch.float16: 5e-3, torch.bfloat16: 4e-2, torch.float32: 2e-5, torch.complex64: 2e-5}


def needs_kernels(test):
    """A test that meets an entry of the kernel table which CUDA does not fill is skipped, naming the entry."""

    @functools.wraps(test)
    def wrapped(row):
        try:
            test(row)
        except NotImplementedError as e:
            if "is not implemented for the 'cuda' device" not in str(e) and "_cuda\" not implemented for" not in str(e):
                raise
            pytest.skip(str(e))

    return wrapped


def on_device(kwargs):
    return {k: ("cuda" if k == "device" else v) for k, v in kwargs.items()}


def agree(row, got, want, what, dtype):
    assert len(got) == len(want), what
    for g, w in zip(got, want, strict=True):
        if isinstance(w, torch.Tensor):
            assert g.device.type == "cuda", f"{what}: result on {g.device}"
            assert (g.dtype, g.shape) == (w.dtype, w.shape), f"{what}: {g.dtype} {g.shape}, expected {w.dtype} {w.shape}"
            if row.random:
                continue
            compare(g.cpu(), w, max(TOLERANCE.get(w.dtype, 1e-9), TOLERANCE.get(dtype, 0)), what)
        else:
            assert g == w or (g != g and w != w), what


@each_row
@needs_kernels
def test_equals_cpu(row: Row):
    for dtype in dict.fromkeys([main_dtype(row), *(d for d in (torch.float32, torch.bfloat16, torch.int64) if d in row.dtypes)]):
        for layout in ("dense", "strided") if row.strided else ("dense",):
            cpu, gpu = Make(dtype, layout=layout), Make(dtype, device="cuda", layout=layout)
            for (a, ak), (b, bk) in zip(row.samples(cpu), row.samples(gpu), strict=True):
                what = f"{row.op}({describe(a, ak)}) {layout} on cuda"
                agree(row, run(row, b, on_device(bk)), run(row, a, ak), what, dtype)


def gradients(row, m, dtype):
    for args, kwargs in row.samples(m):
        leaves, m.leaves = m.leaves, []
        kwargs = on_device(kwargs) if m.device == "cuda" else kwargs
        outs = [r for r in flatten(run(row, in_place_safe(row, args), kwargs)) if isinstance(r, torch.Tensor) and r.requires_grad]
        if not outs or not leaves:
            yield None, None
            continue
        w = Make(dtype, device=m.device)
        total = sum(((r * weights(w, r)).real if r.dtype in COMPLEX else (r * weights(w, r))).sum() for r in outs)
        yield torch.autograd.grad(total, leaves, allow_unused=True), f"gradient of {row.op}({describe(args, kwargs)})"


@pytest.mark.parametrize("row", [r for r in ROWS if r.grad and not r.random], ids=[r.op for r in ROWS if r.grad and not r.random])
@needs_kernels
def test_gradient_equals_cpu(row: Row):
    dtype = torch.float32
    if dtype not in row.dtypes or dtype in HALVES:
        pytest.skip("not for float32")
    cpu = gradients(row, Make(dtype, requires_grad=True), dtype)
    gpu = gradients(row, Make(dtype, device="cuda", requires_grad=True), dtype)
    for (want, what), (got, _) in zip(cpu, gpu, strict=True):
        if want is None:
            continue
        for g, w in zip(got, want, strict=True):
            assert (g is None) == (w is None), what
            if g is not None:
                assert g.device.type == "cuda", what
                compare(g.cpu(), w, 1e-4, what)
