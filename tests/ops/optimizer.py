"""Rows of the fused optimizer steps: their lists are copied first and returned after, so that they compare as results."""

import numpy as np

import bolide as torch

from .table import ALL_FLOATS, Bad, calls, row


def _on_copies(op, written):
    """Calls an op on copies of its lists and returns the lists it writes."""

    def call(*args, **kwargs):
        lists = [[t.detach().clone() for t in a] if isinstance(a, list) else a for a in args]
        op(*lists, **kwargs)
        return [t for i in written for t in lists[i]]

    return call


def _lists(m, n):
    return [[m(2, 3), m(5), m(0)] for _ in range(n)]


_ADAM = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1, "eps": 1e-8, "maximize": False}


def _adam_sample(m):
    p, g, first = _lists(m, 3)
    second, top = ([m(*t.shape, low=0.5) for t in p] for _ in range(2))
    return (p, g, first, second, top, [torch.tensor(3.0)] * 3), {**_ADAM, "amsgrad": True}


def _adam_plain_sample(m):
    p, g, first = _lists(m, 3)
    return (p, g, first, [m(*t.shape, low=0.5) for t in p], [], [torch.tensor(3.0)] * 3), {**_ADAM, "amsgrad": False}


def _adam_reference(decoupled):
    def reference(p, g, first, second, top, steps, lr, beta1, beta2, weight_decay, eps, maximize, amsgrad):
        out = [[], [], [], []]
        for i in range(len(p)):
            x, grad = p[i], g[i]
            if decoupled:
                x = x * (1 - lr * weight_decay)
            else:
                grad = grad + weight_decay * x
            m1, m2 = beta1 * first[i] + (1 - beta1) * grad, beta2 * second[i] + (1 - beta2) * grad**2
            most = np.maximum(m2, top[i]) if amsgrad else m2
            scale = np.sqrt(most / (1 - beta2**3)) + eps
            for column, value in zip(out, (x - lr / (1 - beta1**3) * m1 / scale, m1, m2, most)):
                column.append(value)
        return [t for column in (out if amsgrad else out[:3]) for t in column]

    return reference


for _name in ("_fused_adam_", "_fused_adamw_"):
    _op = getattr(torch._C._ops, _name)
    row(
        _name,
        calls(_adam_sample, _adam_plain_sample),
        ALL_FLOATS,
        call=_on_copies(_op, (0, 2, 3, 4)),
        ref=_adam_reference(_name == "_fused_adamw_"),
        grad=False,
        tol=1e-4,
        errors=[
            Bad(
                lambda _, op=_op: op([torch.ones(2)], [], [], [], [], [], **_ADAM, amsgrad=False),
                RuntimeError,
                "expected 1 tensors in grads, got 0",
            ),
            Bad(
                lambda _, op=_op: op(*[[torch.ones(2, dtype=torch.int64)]] * 6, **_ADAM, amsgrad=False),
                RuntimeError,
                "expected floating-point parameters",
            ),
        ],
    )


def _sgd_sample(m, buffers=True, **how):
    p, g, b = _lists(m, 3)
    options = {"weight_decay": 0.1, "momentum": 0.9 if buffers else 0.0, "lr": 0.1, "dampening": 0.2, "nesterov": False,
               "maximize": False, "is_first_step": False, **how}
    return (p, g, b if buffers else []), options


def _sgd_reference(p, g, buffers, weight_decay, momentum, lr, dampening, nesterov, maximize, is_first_step):
    params, moved = [], []
    for i in range(len(p)):
        grad = (-g[i] if maximize else g[i]) + weight_decay * p[i]
        if buffers:
            b = grad if is_first_step else momentum * buffers[i] + (1 - dampening) * grad
            moved.append(b)
            grad = grad + momentum * b if nesterov else b
        params.append(p[i] - lr * grad)
    return params + moved


row(
    "_fused_sgd_",
    calls(
        _sgd_sample,
        lambda m: _sgd_sample(m, buffers=False),
        lambda m: _sgd_sample(m, is_first_step=True, maximize=True),
        lambda m: _sgd_sample(m, nesterov=True, dampening=0.0),
    ),
    ALL_FLOATS,
    call=_on_copies(torch._C._ops._fused_sgd_, (0, 2)),
    ref=_sgd_reference,
    grad=False,
    errors=[
        Bad(
            lambda _: torch._C._ops._fused_sgd_([torch.ones(2)], [torch.ones(3)], [], **_sgd_sample(lambda *s: None)[1]),
            RuntimeError,
            r"grads\[0\] has shape \[3\]",
        )
    ],
)
row(
    "_sums_of_squares",
    calls(lambda m: ([m(2, 3), m(0), m(40000)],)),
    ALL_FLOATS,
    ref=lambda x: np.array([(t.astype(np.float64) ** 2).sum() for t in x]),
    grad=False,
    errors=[Bad(lambda f: f([torch.ones(2, dtype=torch.int32)]), RuntimeError, "expected floating-point tensors")],
)
