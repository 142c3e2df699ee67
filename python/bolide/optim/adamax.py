"""Adamax."""

import bolide

from .optimizer import (Optimizer, _check_betas, _check_capturable, _check_lr, _check_nonnegative, _get_value,
                        _loss_of, _no_sparse, _real, _use_grad_for_differentiable, _zero_step)

__all__ = ["Adamax"]


class Adamax(Optimizer):
    """Adam with a decaying maximum in place of the running square. State of a parameter: ``step``, ``exp_avg``, ``exp_inf``."""

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *, maximize=False,
                 differentiable=False, capturable=False):
        _check_lr(lr)
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        _check_betas(betas)
        _check_nonnegative("weight_decay", weight_decay)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
                                  "maximize": maximize, "differentiable": differentiable, "capturable": capturable})

    def __setstate__(self, state):
        super().__setstate__(state)
        self._fill_groups(foreach=None, maximize=False, differentiable=False, capturable=False)

    @_use_grad_for_differentiable
    def step(self, closure=None):
        """One update of all parameters that have a gradient; returns the closure's loss, if there is a closure."""
        loss = _loss_of(closure)
        for group in self.param_groups:
            _check_capturable(group)
            for p in group["params"]:
                if p.grad is not None:
                    self._update(group, p, self.state[p])
        return loss

    @staticmethod
    def _update(group, owner, state):
        _no_sparse("Adamax", owner.grad, "SparseAdam")
        if not state:
            state["step"] = _zero_step(owner, group["capturable"])
            state["exp_avg"] = bolide.zeros_like(owner, memory_format=bolide.preserve_format)
            state["exp_inf"] = bolide.zeros_like(owner, memory_format=bolide.preserve_format)
        beta1, beta2 = group["betas"]
        state["step"] += 1
        param, grad, mean, top = _real(owner, owner.grad, state["exp_avg"], state["exp_inf"])
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"]:
            grad = grad.add(param, alpha=group["weight_decay"])
        mean.lerp_(grad, 1 - beta1)
        top.copy_(bolide.maximum(top.mul(beta2), grad.abs().add_(group["eps"])))
        rate = float(group["lr"]) / (1 - beta1 ** _get_value(state["step"]))
        param.addcdiv_(mean, top.clone() if group["differentiable"] else top, value=-rate)
