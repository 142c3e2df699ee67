"""RMSprop."""

import bolide

from .optimizer import (Optimizer, _check_capturable, _check_lr, _check_nonnegative, _loss_of, _no_sparse,
                        _real, _use_grad_for_differentiable, _zero_step)

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """Steps scaled by the root of the running squared gradient, less its mean where ``centered``.

    State of a parameter: ``step``, ``square_avg``, with ``momentum`` ``momentum_buffer``, with ``centered`` ``grad_avg``.
    """

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, capturable=False,
                 foreach=None, maximize=False, differentiable=False):
        _check_lr(lr)
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        _check_nonnegative("momentum", momentum)
        _check_nonnegative("weight_decay", weight_decay)
        _check_nonnegative("alpha", alpha)
        super().__init__(params, {"lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
                                  "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach,
                                  "maximize": maximize, "differentiable": differentiable})

    def __setstate__(self, state):
        super().__setstate__(state)
        self._fill_groups(momentum=0, centered=False, foreach=None, maximize=False, differentiable=False, capturable=False)

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
        state["step"] = _zero_step(param, group["capturable"])
        names = ["square_avg"] + ["momentum_buffer"] * (group["momentum"] > 0) + ["grad_avg"] * bool(group["centered"])
        for name in names:
            state[name] = bolide.zeros_like(param, memory_format=bolide.preserve_format)

    @classmethod
    def _update(cls, group, owner, state):
        _no_sparse("RMSprop", owner.grad)
        if not state:
            cls._start(group, owner, state)
        alpha, momentum, rate = group["alpha"], group["momentum"], -float(group["lr"])
        state["step"] += 1
        param, grad, square, buffer, mean = _real(owner, owner.grad, state["square_avg"], state.get("momentum_buffer"),
                                                  state.get("grad_avg"))
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"]:
            grad = grad.add(param, alpha=group["weight_decay"])
        square.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        if group["centered"]:
            mean.lerp_(grad, 1 - alpha)
            root = square.addcmul(mean, mean, value=-1).sqrt_()
        else:
            root = square.sqrt()
        root = root.add(group["eps"]) if group["differentiable"] else root.add_(group["eps"])
        if momentum > 0:
            buffer.mul_(momentum).addcdiv_(grad, root)
            param.add_(buffer, alpha=rate)
        else:
            param.addcdiv_(grad, root, value=rate)
