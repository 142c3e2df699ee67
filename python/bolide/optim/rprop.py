"""Rprop: resilient backpropagation."""

import bolide

from .optimizer import (Optimizer, _check_capturable, _check_lr, _loss_of, _no_sparse, _real,
                        _use_grad_for_differentiable, _zero_step)

__all__ = ["Rprop"]


class Rprop(Optimizer):
    """Steps by the gradient's sign alone: larger while the sign stays, smaller (and none at all once) when it turns.

    State of a parameter: ``step``, ``prev`` (the last gradient), ``step_size``.
    """

    def __init__(self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *, capturable=False, foreach=None,
                 maximize=False, differentiable=False):
        _check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize,
                                  "differentiable": differentiable, "capturable": capturable})

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
    def _start(group, param, state):
        lr = float(group["lr"])
        state["step"] = _zero_step(param, group["capturable"])
        state["prev"] = bolide.zeros_like(param, memory_format=bolide.preserve_format)
        state["step_size"] = bolide.full_like(param.grad, complex(lr, lr) if param.is_complex() else lr)

    @classmethod
    def _update(cls, group, owner, state):
        _no_sparse("Rprop", owner.grad)
        if not state:
            cls._start(group, owner, state)
        (smaller, larger), (least, most) = group["etas"], group["step_sizes"]
        state["step"] += 1
        param, grad, before, size = _real(owner, owner.grad, state["prev"], state["step_size"])
        grad = -grad if group["maximize"] else grad
        agreement = grad.mul(before).sign_()
        turned = agreement.lt(0)
        factor = bolide.ones_like(agreement).masked_fill_(agreement.gt(0), larger).masked_fill_(turned, smaller)
        size.mul_(factor).clamp_(least, most)
        grad = grad.masked_fill(turned, 0)
        param.addcmul_(grad.sign(), size, value=-1)
        before.copy_(grad)
