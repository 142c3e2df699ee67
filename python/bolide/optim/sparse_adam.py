"""Adam for sparse gradients."""

import bolide

from .optimizer import Optimizer, _check_betas, _check_lr, _get_value, _loss_of, _without_grad

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam that touches only the rows for which a sparse gradient has entries.

    Gradients must be sparse COO tensors; RuntimeError names what to use for dense ones.
    State of a parameter: ``step`` (int), ``exp_avg``, ``exp_avg_sq``.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, maximize=False):
        _check_lr(lr)
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        _check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        every = [p for group in self.param_groups for p in group["params"]]
        if any(getattr(p, "is_sparse", False) for p in every):
            raise ValueError("SparseAdam requires dense parameter tensors")
        if any(p.is_complex() for p in every):
            raise ValueError("SparseAdam does not support complex parameters")

    @_without_grad
    def step(self, closure=None):
        """One update of all parameters that have a gradient; returns the closure's loss, if there is a closure."""
        loss = _loss_of(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    if not getattr(p.grad, "is_sparse", False):
                        raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
                    self._update(group, p, self.state[p])
        return loss

    @staticmethod
    def _update(group, param, state):
        if not state:
            state["step"] = 0
            state["exp_avg"] = bolide.zeros_like(param, memory_format=bolide.preserve_format)
            state["exp_avg_sq"] = bolide.zeros_like(param, memory_format=bolide.preserve_format)
        state["step"] += 1
        grad = param.grad.coalesce()
        if group["maximize"]:
            grad = -grad
        where, values = grad._indices(), grad._values()
        if values.numel() == 0:
            return
        (beta1, beta2), step = group["betas"], _get_value(state["step"])

        def sparse(x):
            return bolide.sparse_coo_tensor(where, x, grad.shape)

        old_mean = state["exp_avg"].sparse_mask(grad)._values()
        old_square = state["exp_avg_sq"].sparse_mask(grad)._values()
        mean_step = values.sub(old_mean).mul_(1 - beta1)
        square_step = values.pow(2).sub_(old_square).mul_(1 - beta2)
        state["exp_avg"].add_(sparse(mean_step))
        state["exp_avg_sq"].add_(sparse(square_step))
        root = square_step.add_(old_square).sqrt_().add_(group["eps"])
        rate = float(group["lr"]) * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
        param.add_(sparse(mean_step.add_(old_mean).div_(root).mul_(-rate)))
