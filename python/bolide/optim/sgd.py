"""Stochastic gradient descent."""

import bolide

from .. import _C
from .adam import _fits
from .optimizer import (Optimizer, _check_fused, _check_lr, _check_nonnegative, _loss_of, _no_sparse,
                        _use_grad_for_differentiable)

__all__ = ["SGD"]


class SGD(Optimizer):
    """Gradient descent with momentum, Nesterov momentum and weight decay.

    One fused call updates all parameters of a group; ``foreach`` and ``fused`` are accepted and change nothing.
    """

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False,
                 foreach=None, differentiable=False, fused=None):
        _check_lr(lr)
        _check_nonnegative("momentum", momentum)
        _check_nonnegative("weight_decay", weight_decay)
        defaults = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
                    "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused}
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, defaults)
        _check_fused(fused, foreach, differentiable)

    def __setstate__(self, state):
        super().__setstate__(state)
        self._fill_groups(nesterov=False, maximize=False, foreach=None, differentiable=False, fused=None)

    @_use_grad_for_differentiable
    def step(self, closure=None):
        """One update of all parameters that have a gradient; returns the closure's loss, if there is a closure."""
        loss = _loss_of(closure)
        for group in self.param_groups:
            if group["differentiable"] or not _C._sgd_group(
                    group["params"], self.state, group["lr"], group["momentum"], group["dampening"], group["weight_decay"],
                    group["nesterov"], group["maximize"]):
                self._step_group(group)
        return loss

    def _step_group(self, group):
        """The general way: a first step with momentum, halves, complex numbers, sparse gradients, recorded steps."""
        params = [p for p in group["params"] if p.grad is not None]
        fused = [p for p in params if _fits(group, p)]
        if fused:
            self._fused(group, fused)
        for p in params:
            if not _fits(group, p):
                self._single(group, p)

    def _fused(self, group, params):
        grads = [p.grad for p in params]
        options = {"weight_decay": float(group["weight_decay"]), "momentum": float(group["momentum"]), "lr": float(group["lr"]),
                   "dampening": float(group["dampening"]), "nesterov": bool(group["nesterov"]),
                   "maximize": bool(group["maximize"])}
        if not group["momentum"]:
            _C._ops._fused_sgd_(params, grads, [], is_first_step=False, **options)
            return
        states = [self.state[p] for p in params]
        buffers = [s.get("momentum_buffer") for s in states]
        fresh = [i for i, b in enumerate(buffers) if b is None]
        for i in fresh:
            buffers[i] = states[i]["momentum_buffer"] = bolide.empty_like(params[i])
        if fresh and len(fresh) < len(params):  # parameters whose first gradient came later
            old = sorted(set(range(len(params))) - set(fresh))
            for which, first in ((fresh, True), (old, False)):
                lists = [[x[i] for i in which] for x in (params, grads, buffers)]
                _C._ops._fused_sgd_(*lists, is_first_step=first, **options)
        else:
            _C._ops._fused_sgd_(params, grads, buffers, is_first_step=bool(fresh), **options)

    def _single(self, group, param):
        """The same update from plain ops: complex parameters (all of it is linear), and steps that are differentiated."""
        grad, momentum = param.grad, group["momentum"]
        _no_sparse("SGD", grad)
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"]:
            grad = grad.add(param, alpha=float(group["weight_decay"]))
        if momentum:
            state = self.state[param]
            buffer = state.get("momentum_buffer")
            if buffer is None:
                buffer = state["momentum_buffer"] = grad.detach().clone()
            else:
                buffer.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
            grad = grad.add(buffer, alpha=momentum) if group["nesterov"] else buffer
        if isinstance(group["lr"], bolide.Tensor) and group["differentiable"]:
            param.addcmul_(grad, group["lr"], value=-1)
        else:
            param.add_(grad, alpha=-float(group["lr"]))
