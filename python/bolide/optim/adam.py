"""Adam, and AdamW through ``decoupled_weight_decay``."""

import bolide

from .. import _C
from .optimizer import (Optimizer, _check_betas, _check_capturable, _check_fused, _check_lr,
                        _check_nonnegative, _dispatch_sqrt, _get_value, _loss_of, _no_sparse, _real,
                        _use_grad_for_differentiable, _zero_step)

__all__ = ["Adam"]


class Adam(Optimizer):
    """Adam: steps along the running mean of the gradient, scaled by the root of its running square.

    State of a parameter: ``step`` (0-d), ``exp_avg``, ``exp_avg_sq``, with ``amsgrad`` also ``max_exp_avg_sq``.
    One fused call updates all parameters of a group. ``foreach``, ``fused`` and ``capturable`` are accepted and change
    nothing on the CPU.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *, foreach=None,
                 maximize=False, capturable=False, differentiable=False, fused=None, decoupled_weight_decay=False):
        if isinstance(lr, bolide.Tensor) and foreach and not capturable:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        _check_lr(lr)
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        _check_betas(betas)
        _check_nonnegative("weight_decay", weight_decay)
        if isinstance(betas[0], bolide.Tensor) != isinstance(betas[1], bolide.Tensor):
            raise ValueError("betas must be either both floats or both Tensors")
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize,
                    "foreach": foreach, "capturable": capturable, "differentiable": differentiable, "fused": fused,
                    "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, defaults)
        _check_fused(fused, foreach, differentiable)

    def __setstate__(self, state):
        super().__setstate__(state)
        self._fill_groups(amsgrad=False, maximize=False, foreach=None, capturable=False, differentiable=False, fused=None,
                          decoupled_weight_decay=False)

    @_use_grad_for_differentiable
    def step(self, closure=None):
        """One update of all parameters that have a gradient; returns the closure's loss, if there is a closure."""
        loss = _loss_of(closure)
        for group in self.param_groups:
            _check_capturable(group)
            if group["differentiable"] or not _C._adam_group(
                    group["params"], self.state, group["lr"], group["betas"], group["eps"], group["weight_decay"],
                    group["amsgrad"], group["maximize"], group["decoupled_weight_decay"]):
                self._step_group(group)
        return loss

    def _step_group(self, group):
        """The general way: a first step, layouts that differ, halves, complex numbers, steps that are differentiated."""
        params = [p for p in group["params"] if p.grad is not None]
        states = [self.state[p] for p in params]
        for p, s in zip(params, states):
            if not s:
                self._start(group, p, s)
        fused = [(p, s) for p, s in zip(params, states) if _fits(group, p)]
        if fused:
            self._fused(group, *zip(*fused))
        for p, s in zip(params, states):
            if not _fits(group, p):
                self._single(group, p, s)

    @staticmethod
    def _start(group, param, state):
        fused = group["fused"]
        state["step"] = _zero_step(param, bool(group["capturable"] or fused), fused)
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")
        for name in names:
            state[name] = bolide.zeros_like(param, memory_format=bolide.preserve_format)

    @staticmethod
    def _fused(group, params, states):
        beta1, beta2 = group["betas"]
        for s in states:
            s["step"] += 1
        op = _C._ops._fused_adamw_ if group["decoupled_weight_decay"] else _C._ops._fused_adam_
        op(list(params), [p.grad for p in params], [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states],
           [s["max_exp_avg_sq"] for s in states] if group["amsgrad"] else [], [s["step"] for s in states],
           lr=float(group["lr"]), beta1=float(beta1), beta2=float(beta2), weight_decay=float(group["weight_decay"]),
           eps=float(group["eps"]), amsgrad=bool(group["amsgrad"]), maximize=bool(group["maximize"]))

    @staticmethod
    def _single(group, owner, state):
        """The same update from plain ops: complex parameters, and steps that are differentiated."""
        _no_sparse("Adam", owner.grad, "SparseAdam")
        beta1, beta2 = group["betas"]
        lr, decay, differentiable = group["lr"], group["weight_decay"], group["differentiable"]
        param, grad, mean, square, top = _real(owner, owner.grad, state["exp_avg"], state["exp_avg_sq"], state.get("max_exp_avg_sq"))
        if group["maximize"]:
            grad = -grad
        state["step"] += 1
        if decay and group["decoupled_weight_decay"]:
            param.mul_(1 - lr * decay)
        elif decay:
            grad = grad.add(param, alpha=decay)
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - _get_value(beta2))
        step = state["step"] if differentiable else _get_value(state["step"])
        correction1, correction2 = 1 - beta1**step, 1 - beta2**step
        if group["amsgrad"]:
            top.copy_(bolide.maximum(top.clone() if differentiable else top, square))
            square = top
        denominator = (square.sqrt() / _dispatch_sqrt(correction2)).add_(group["eps"])
        if differentiable:
            param.addcdiv_(mean.clone(), denominator / (-lr / correction1))
        else:
            param.addcdiv_(mean, denominator, value=-float(lr) / _get_value(correction1))


def _fits(group, param):
    """Whether the fused step computes what plain ops would: float or double, not recorded."""
    return (not group["differentiable"] and param.dtype in (bolide.float32, bolide.float64)
            and param.grad.layout is bolide.strided and param.grad.dtype is param.dtype)
