"""Averaged stochastic gradient descent."""

import bolide

from .optimizer import (Optimizer, _check_capturable, _check_lr, _check_nonnegative, _get_scalar_dtype,
                        _get_value, _loss_of, _no_sparse, _real, _use_grad_for_differentiable, _zero_step)

__all__ = ["ASGD"]


class ASGD(Optimizer):
    """SGD with a decaying step, and an average of the weights from step ``t0`` on.

    State of a parameter: ``step``, ``eta`` (the step size), ``mu`` (the average's weight), ``ax`` (the average).
    """

    def __init__(self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0, foreach=None, maximize=False,
                 differentiable=False, capturable=False):
        _check_lr(lr)
        _check_nonnegative("weight_decay", weight_decay)
        super().__init__(params, {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
                                  "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
                                  "capturable": capturable})

    def __setstate__(self, state):
        super().__setstate__(state)
        self._fill_groups(foreach=None, maximize=False, differentiable=False, capturable=False)

    @_use_grad_for_differentiable
    def step(self, closure=None):
        """One update of all parameters that have a gradient; returns the closure's loss, if there is a closure."""
        loss = _loss_of(closure)
        for group in self.param_groups:
            _check_capturable(group, "params, mus, etas, and state_steps")
            for p in group["params"]:
                if p.grad is not None:
                    self._update(group, p, self.state[p])
        return loss

    @staticmethod
    def _start(group, param, state):
        dtype = _get_scalar_dtype()
        state["step"] = _zero_step(param)
        state["eta"] = bolide.tensor(float(group["lr"]), dtype=dtype)
        state["mu"] = bolide.ones((), dtype=dtype)
        state["ax"] = bolide.zeros_like(param, memory_format=bolide.preserve_format)

    @classmethod
    def _update(cls, group, owner, state):
        _no_sparse("ASGD", owner.grad)
        if not state:
            cls._start(group, owner, state)
        lr, lambd = float(group["lr"]), group["lambd"]
        param, grad, average = _real(owner, owner.grad, state["ax"])
        if group["maximize"]:
            grad = -grad
        state["step"] += 1
        step, eta, mu = _get_value(state["step"]), _get_value(state["eta"]), _get_value(state["mu"])
        if group["weight_decay"]:
            grad = grad.add(param, alpha=group["weight_decay"])
        param.mul_(1 - lambd * eta)
        param.add_(grad, alpha=-eta)
        if mu == 1:
            average.copy_(param)
        else:
            average.add_(param.sub(average).mul_(mu))
        state["eta"].fill_(lr / (1 + lambd * lr * step) ** group["alpha"])
        state["mu"].fill_(1 / max(1, step - group["t0"]))
