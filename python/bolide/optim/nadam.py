"""NAdam: Adam with Nesterov momentum."""

import bolide

from .optimizer import (Optimizer, _check_betas, _check_capturable, _check_lr, _check_nonnegative,
                        _get_scalar_dtype, _get_value, _loss_of, _no_sparse, _real,
                        _use_grad_for_differentiable, _zero_step)

__all__ = ["NAdam"]


class NAdam(Optimizer):
    """Adam that looks ahead along a momentum whose weight warms up.

    State of a parameter: ``step``, ``mu_product`` (product of the momenta so far), ``exp_avg``, ``exp_avg_sq``.
    """

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3,
                 decoupled_weight_decay=False, *, foreach=None, maximize=False, capturable=False, differentiable=False):
        _check_lr(lr)
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        _check_betas(betas)
        _check_nonnegative("weight_decay", weight_decay)
        _check_nonnegative("momentum_decay", momentum_decay)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
                                  "maximize": maximize, "foreach": foreach, "capturable": capturable,
                                  "differentiable": differentiable})

    def __setstate__(self, state):
        super().__setstate__(state)
        self._fill_groups(maximize=False, foreach=None, capturable=False, differentiable=False, decoupled_weight_decay=False)

    @_use_grad_for_differentiable
    def step(self, closure=None):
        """One update of all parameters that have a gradient; returns the closure's loss, if there is a closure."""
        loss = _loss_of(closure)
        for group in self.param_groups:
            _check_capturable(group, "params, mu_products and state_steps")
            for p in group["params"]:
                if p.grad is not None:
                    self._update(group, p, self.state[p])
        return loss

    @staticmethod
    def _start(group, param, state):
        state["step"] = _zero_step(param, group["capturable"])
        state["mu_product"] = bolide.ones((), dtype=_get_scalar_dtype())
        state["exp_avg"] = bolide.zeros_like(param, memory_format=bolide.preserve_format)
        state["exp_avg_sq"] = bolide.zeros_like(param, memory_format=bolide.preserve_format)

    @classmethod
    def _update(cls, group, owner, state):
        _no_sparse("NAdam", owner.grad)
        if not state:
            cls._start(group, owner, state)
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
        mu = beta1 * (1.0 - 0.5 * 0.96 ** (step * group["momentum_decay"]))
        mu_next = beta1 * (1.0 - 0.5 * 0.96 ** ((step + 1) * group["momentum_decay"]))
        state["mu_product"] *= mu
        product = _get_value(state["mu_product"])
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        root = square.div(1 - beta2**step).sqrt_().add_(group["eps"])
        param.addcdiv_(grad, root, value=-lr * (1.0 - mu) / (1.0 - product))
        param.addcdiv_(mean, root, value=-lr * mu_next / (1.0 - product * mu_next))
