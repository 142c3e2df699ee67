"""Adagrad."""

import bolide

from .optimizer import (Optimizer, _check_fused, _check_lr, _check_nonnegative, _get_value, _loss_of, _no_sparse, _real,
                        _use_grad_for_differentiable, _zero_step)

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Steps scaled by the root of the sum of all squared gradients. State of a parameter: ``step``, ``sum``."""

    def __init__(self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, foreach=None, *,
                 maximize=False, differentiable=False, fused=None):
        _check_lr(lr)
        _check_nonnegative("lr_decay", lr_decay)
        _check_nonnegative("weight_decay", weight_decay)
        _check_nonnegative("initial_accumulator_value", initial_accumulator_value)
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        super().__init__(params, {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
                                  "initial_accumulator_value": initial_accumulator_value, "foreach": foreach,
                                  "maximize": maximize, "differentiable": differentiable, "fused": fused})
        _check_fused(fused, foreach, differentiable)
        for group in self.param_groups:
            for p in group["params"]:
                self._start(group, p, self.state[p])

    def __setstate__(self, state):
        super().__setstate__(state)
        self._fill_groups(foreach=None, maximize=False, differentiable=False, fused=None)

    def share_memory(self):
        """Moves the sums to shared memory."""
        for state in self.state.values():
            state["sum"].share_memory_()

    @staticmethod
    def _start(group, param, state):
        value = group["initial_accumulator_value"]
        state["step"] = _zero_step(param, bool(group["fused"]), group["fused"])
        state["sum"] = bolide.full_like(param, complex(value, value) if param.is_complex() else value,
                                        memory_format=bolide.preserve_format)

    @_use_grad_for_differentiable
    def step(self, closure=None):
        """One update of all parameters that have a gradient; returns the closure's loss, if there is a closure."""
        loss = _loss_of(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    state = self.state[p]
                    if not state:
                        self._start(group, p, state)
                    self._update(group, p, state)
        return loss

    @staticmethod
    def _update(group, owner, state):
        _no_sparse("Adagrad", owner.grad, "SparseAdam")
        state["step"] += 1
        rate = float(group["lr"]) / (1 + (_get_value(state["step"]) - 1) * group["lr_decay"])
        param, grad, total = _real(owner, owner.grad, state["sum"])
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"]:
            grad = grad.add(param, alpha=group["weight_decay"])
        total.addcmul_(grad, grad, value=1)
        root = total.sqrt() + group["eps"] if group["differentiable"] else total.sqrt().add_(group["eps"])
        param.addcdiv_(grad, root, value=-rate)
