"""RAdam: Adam with a rectified variance."""

import bolide

from .optimizer import (Optimizer, _check_betas, _check_capturable, _check_lr, _check_nonnegative, _get_value,
                        _loss_of, _no_sparse, _real, _use_grad_for_differentiable, _zero_step)

__all__ = ["RAdam"]


class RAdam(Optimizer):
    """Adam that steps without scaling until its running square is worth trusting.

    State of a parameter: ``step``, ``exp_avg``, ``exp_avg_sq``.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False, *,
                 foreach=None, maximize=False, capturable=False, differentiable=False):
        _check_lr(lr)
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        _check_betas(betas)
        _check_nonnegative("weight_decay", weight_decay)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
                                  "foreach": foreach, "capturable": capturable,
                                  "decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable})

    def __setstate__(self, state):
        super().__setstate__(state)
        self._fill_groups(foreach=None, maximize=False, differentiable=False, decoupled_weight_decay=False, capturable=False)

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
        _no_sparse("RAdam", owner.grad)
        if not state:
            state["step"] = _zero_step(owner, group["capturable"])
            state["exp_avg"] = bolide.zeros_like(owner, memory_format=bolide.preserve_format)
            state["exp_avg_sq"] = bolide.zeros_like(owner, memory_format=bolide.preserve_format)
        (beta1, beta2), lr, decay = group["betas"], float(group["lr"]), group["weight_decay"]
        state["step"] += 1
        step = _get_value(state["step"])
        param, grad, mean, square = _real(owner, owner.grad, state["exp_avg"], state["exp_avg_sq"])
        if group["maximize"]:
            grad = -grad
        if decay and group["decoupled_weight_decay"]:
            param.mul_(1 - lr * decay)
        elif decay:
            grad = grad.add(param, alpha=decay)
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        update = mean.div(1 - beta1**step).mul_(lr)
        correction2, rho_inf = 1 - beta2**step, 2 / (1 - beta2) - 1
        rho = rho_inf - 2 * step * beta2**step / correction2  # length of the average that the running square amounts to
        if rho > 5.0:
            rectified = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
            update.mul_(correction2**0.5 / square.sqrt().add_(group["eps"])).mul_(rectified)
        param.add_(update, alpha=-1.0)
