"""Adadelta."""

import bolide

from .optimizer import (Optimizer, _check_capturable, _check_lr, _check_nonnegative, _loss_of, _no_sparse,
                        _real, _use_grad_for_differentiable, _zero_step)

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    """Steps scaled by the ratio of two running roots: of past updates and of past gradients.

    State of a parameter: ``step``, ``square_avg``, ``acc_delta``.
    """

    def __init__(self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *, capturable=False, maximize=False,
                 differentiable=False):
        _check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        _check_nonnegative("weight_decay", weight_decay)
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
                                  "capturable": capturable, "foreach": foreach, "differentiable": differentiable})

    def __setstate__(self, state):
        super().__setstate__(state)
        self._fill_groups(foreach=None, maximize=False, differentiable=False, capturable=False)

    @_use_grad_for_differentiable
    def step(self, closure=None):
        """One update of all parameters that have a gradient; returns the closure's loss, if there is a closure."""
        loss = _loss_of(closure)
        for group in self.param_groups:
            _check_capturable(group, supports_xla=False)
            for p in group["params"]:
                if p.grad is not None:
                    self._update(group, p, self.state[p])
        return loss

    @staticmethod
    def _update(group, owner, state):
        _no_sparse("Adadelta", owner.grad)
        if not state:
            state["step"] = _zero_step(owner, group["capturable"])
            state["square_avg"] = bolide.zeros_like(owner, memory_format=bolide.preserve_format)
            state["acc_delta"] = bolide.zeros_like(owner, memory_format=bolide.preserve_format)
        rho, eps = group["rho"], group["eps"]
        state["step"] += 1
        param, grad, square, moved = _real(owner, owner.grad, state["square_avg"], state["acc_delta"])
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"]:
            grad = grad.add(param, alpha=group["weight_decay"])
        square.mul_(rho).addcmul_(grad, grad, value=1 - rho)
        root, delta = square.add(eps).sqrt_(), moved.add(eps).sqrt_()
        if group["differentiable"]:
            delta = delta.clone()
        delta.div_(root).mul_(grad)
        moved.mul_(rho).addcmul_(delta, delta, value=1 - rho)
        param.add_(delta, alpha=-float(group["lr"]))
