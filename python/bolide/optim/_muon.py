"""Muon: momentum whose matrices are made orthogonal."""

import bolide

from .optimizer import Optimizer, _check_lr, _loss_of, _without_grad

__all__ = ["Muon"]


class Muon(Optimizer):
    """Steps along the nearest semi-orthogonal matrix to the momentum, found by Newton-Schulz iterations in bfloat16.

    For matrices only; use AdamW for biases, norms and embeddings. State of a parameter: ``momentum_buffer``.
    ``adjust_lr_fn`` scales the step by shape: ``"original"`` (the default) or ``"match_rms_adamw"``.
    """

    def __init__(self, params, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True,
                 ns_coefficients=(3.4445, -4.7750, 2.0315), eps=1e-7, ns_steps=5, adjust_lr_fn=None):
        _check_lr(lr, "Learning rate should be >= 0 but is: {}")
        if not momentum >= 0.0:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
                                  "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
                                  "adjust_lr_fn": adjust_lr_fn})
        for group in self.param_groups:
            for p in group["params"]:
                if p.dim() != 2:
                    raise ValueError(f"Muon only supports 2D parameters whereas we found a parameter with size: {p.size()}")

    @_without_grad
    def step(self, closure=None):
        """One update of all parameters that have a gradient; returns the closure's loss, if there is a closure."""
        loss = _loss_of(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(group, p, self.state[p])
        return loss

    @staticmethod
    def _update(group, param, state):
        grad, momentum, lr = param.grad, group["momentum"], float(group["lr"])
        if param.is_complex():
            raise RuntimeError("Muon does not support complex parameters")
        if getattr(grad, "is_sparse", False):
            raise RuntimeError("Muon does not support sparse gradients")
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = bolide.zeros_like(grad, memory_format=bolide.preserve_format)
        buffer = state["momentum_buffer"]
        buffer.lerp_(grad, 1 - momentum)
        update = grad.lerp(buffer, momentum) if group["nesterov"] else buffer
        update = _orthogonal(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = param.shape
        factor = 0.2 * max(rows, columns) ** 0.5 if group["adjust_lr_fn"] == "match_rms_adamw" else max(1, rows / columns) ** 0.5
        param.mul_(1 - lr * group["weight_decay"])
        param.add_(update, alpha=-lr * factor)


def _orthogonal(x, coefficients, steps, eps):
    """About U V^T of x = U S V^T, in bfloat16: a quintic polynomial in x x^T, iterated, drives all S towards 1."""
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    x, tall = x.bfloat16(), x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        poly = bolide.addmm(gram, gram, gram, beta=b, alpha=c)
        x = bolide.addmm(x, poly, x, beta=a)
    return x.T if tall else x
