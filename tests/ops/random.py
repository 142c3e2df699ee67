"""Rows of draws whose parameters are tensors, and of the rarer distributions; with PyTorch's numbers for a seed."""

import bolide as torch

from .table import ALL_FLOATS, FLOATS, Bad, calls, row, rows, unary

rows("cauchy_ log_normal_", unary(), ALL_FLOATS, random=True, strided=False)
row(
    "geometric_",
    calls(lambda m: (m(2, 3), 0.3)),
    ALL_FLOATS,
    random=True,
    strided=False,
    errors=[Bad(lambda f: f(torch.ones(2), 1.5), RuntimeError, "expects p to be in")],
)
rows("rand_like randn_like", calls(lambda m: (m(2, 3),)), FLOATS, random=True, strided=False)
row(
    "randint_like",
    calls(lambda m: (m(2, 3), 9), lambda m: (m(2, 3), 3, 9)),
    FLOATS,
    random=True,
    strided=False,
)
row(
    "bernoulli",
    calls(lambda m: (m(2, 3, low=0, high=1),), lambda m: (m(2, 3), 0.5)),
    FLOATS,
    random=True,
    strided=False,  # filled in the order of memory
    call=torch._C._ops.bernoulli,  # bernoulli_(p) is another op, not its in-place form
    errors=[Bad(lambda f: f(torch.tensor([2.0])), RuntimeError, "expected all elements")],
)
row(
    "normal",
    calls(
        lambda m: (m(2, 3), m(2, 3, low=0, high=1)),
        lambda m: (m(3), 2.0),
        lambda m: (1.0, m(3, low=0, high=1)),
    ),
    FLOATS,
    random=True,
    call=torch._C._ops.normal,  # as with bernoulli
    errors=[Bad(lambda f: f(torch.zeros(2), -torch.ones(2)), RuntimeError, "std >= 0")],
)
row(
    "multinomial",
    calls(lambda m: (m(5, low=1, high=2), 3), lambda m: (m(2, 5, low=1, high=2), 7, True)),
    FLOATS,
    random=True,
    errors=[
        Bad(lambda f: f(torch.ones(2), 3), RuntimeError, "without replacement"),
        Bad(lambda f: f(torch.zeros(2), 1), RuntimeError, "invalid multinomial"),
        Bad(lambda f: f(torch.tensor([1.0, -1.0]), 1), RuntimeError, "element < 0"),
    ],
)
row("poisson", calls(lambda m: (m(2, 3, low=1, high=20),)), FLOATS, random=True)
row("binomial", calls(lambda m: (m(5, low=3, high=9), m(5, low=0, high=1))), FLOATS, random=True)
row("_standard_gamma", calls(lambda m: (m(5, low=1, high=9),)), FLOATS, random=True)
