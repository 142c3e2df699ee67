"""Losses that the core lacks, built from other ops. Reductions are numbers: 0 none, 1 mean, 2 sum."""

from __future__ import annotations

import math
from typing import Any

import bolide

from ._ops import ops


def _reduce(loss: Any, code: int) -> Any:
    return loss.mean() if code == 1 else loss.sum() if code == 2 else loss


def _classes_last(input: Any) -> Any:
    return input if input.dim() == 2 else input.reshape(1, -1)


def multi_margin_loss(input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: int = 1) -> Any:
    if input.numel() == 0 and (input.dim() < 2 or input.shape[1] == 0) or input.dim() > 2:
        raise RuntimeError("Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
                           f"{list(input.shape)}")
    x, t = _classes_last(input), target.reshape(-1)
    if t.numel() != x.shape[0] or target.dim() > 1:
        raise RuntimeError(f"inconsistent target size, expected {x.shape[0]} but got {list(target.shape)}")
    if weight is not None and weight.numel() != x.shape[1]:
        raise RuntimeError(f"inconsistent weight size, expected {x.shape[1]} but got {list(weight.shape)}")
    if t.numel() and bool(((t < 0) | (t >= x.shape[1])).any()):
        raise RuntimeError("target out of range")
    z = (margin - x.gather(1, t.unsqueeze(1)) + x).clamp_min(0)
    z = z * z if p == 2 else z
    if weight is not None:
        z = z * weight[t].unsqueeze(1)
    own = bolide.arange(x.shape[1], device=x.device) == t.unsqueeze(1)
    loss = bolide.where(own, bolide.zeros_like(z), z).sum(1) / x.shape[1]
    return _reduce(loss, reduction) if reduction or target.dim() else loss.squeeze(0)


def multilabel_margin_loss(input: Any, target: Any, reduction: int = 1) -> Any:
    if input.dim() > 2 or input.numel() == 0 and (input.dim() < 2 or input.shape[1] == 0):
        raise RuntimeError("Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
                           f"{list(input.shape)}")
    if input.shape != target.shape and not (input.dim() <= 1 and target.numel() == input.numel()):
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    x, t = _classes_last(input), _classes_last(target)
    valid = ((t < 0).to(bolide.int64).cumsum(1) == 0)
    safe = bolide.where(valid, t, bolide.zeros_like(t))
    if safe.numel() and bool((safe >= x.shape[1]).any()):
        raise RuntimeError("target out of range")
    is_target = bolide.zeros_like(x).scatter_add(1, safe, valid.to(x.dtype)) > 0
    z = (1 - x.gather(1, safe).unsqueeze(2) + x.unsqueeze(1)).clamp_min(0)
    keep = valid.unsqueeze(2) & ~is_target.unsqueeze(1)
    loss = bolide.where(keep, z, bolide.zeros_like(z)).sum((1, 2)) / x.shape[1]
    return _reduce(loss, reduction) if reduction or input.dim() == 2 else loss.squeeze(0)


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    if not x1.dtype.is_floating_point or not x2.dtype.is_floating_point:
        raise RuntimeError("expected common dtype to be floating point, yet common dtype is "
                           f"{str(bolide.promote_types(x1.dtype, x2.dtype)).rsplit('.', 1)[-1].capitalize()}")
    x1, x2 = bolide.broadcast_tensors(x1, x2)
    n1 = x1.norm(2, dim, keepdim=True)
    n2 = x2.norm(2, dim, keepdim=True)
    return ((x1 / n1.clamp_min(eps)) * (x2 / n2.clamp_min(eps))).sum(dim)


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)


def pdist(input: Any, p: float = 2.0) -> Any:
    if input.dim() != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.dim()}D")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    n = input.shape[0]
    first = [i for i in range(n) for _ in range(i + 1, n)]
    second = [j for i in range(n) for j in range(i + 1, n)]
    a, b = (bolide.tensor(v, dtype=bolide.int64, device=input.device) for v in (first, second))
    return (input.index_select(0, a) - input.index_select(0, b)).norm(p, 1)


def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    if tensor.dtype != bolide.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return bolide.zeros([*tensor.shape, num_classes], dtype=bolide.int64, device=tensor.device)
    if int(tensor.min()) < 0:
        raise RuntimeError("Class values must be non-negative.")
    top = int(tensor.max())
    if num_classes == -1:
        num_classes = top + 1
    elif num_classes < 1:
        raise RuntimeError("num_classes should be positive")
    elif top >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return (tensor.unsqueeze(-1) == bolide.arange(num_classes, device=tensor.device)).to(bolide.int64)


def _lengths(values: Any) -> list[int]:
    return values.reshape(-1).tolist() if isinstance(values, bolide.Tensor) else [int(v) for v in values]


def ctc_loss(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: int = 1,
             zero_infinity: bool = False) -> Any:
    """The recursion over labels with blanks between them, a sample at a time, in log space."""
    single = log_probs.dim() == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
    steps, batch, classes = log_probs.shape
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    ins, outs = _lengths(input_lengths), _lengths(target_lengths)
    if len(ins) != batch:
        raise RuntimeError("input_lengths must be of size batch_size")
    if len(outs) != batch:
        raise RuntimeError("target_lengths must be of size batch_size")
    flat = targets.reshape(-1).tolist()
    losses, at = [], 0
    for b in range(batch):
        if not 0 <= ins[b] <= steps:
            raise RuntimeError(f"Expected input_lengths to have value at most {steps}, but got value {ins[b]} (while checking "
                               "arguments for ctc_loss)")
        start = b * targets.shape[1] if targets.dim() == 2 else at
        losses.append(_ctc_one(log_probs[:ins[b], b], flat[start:start + outs[b]], blank))
        at += outs[b]
    loss = bolide.stack(losses)
    if zero_infinity:
        loss = bolide.where(loss == math.inf, bolide.zeros_like(loss), loss)
    if reduction == 1:
        lengths = bolide.tensor([max(n, 1) for n in outs], dtype=loss.dtype, device=loss.device)
        return (loss / lengths).mean()
    return loss.sum() if reduction == 2 else loss.squeeze(0) if single else loss


def _ctc_one(logp: Any, labels: list[int], blank: int) -> Any:
    states = [blank]
    for label in labels:
        states += [label, blank]
    if logp.shape[0] == 0:
        return logp.sum() if not labels else logp.sum() + math.inf
    emit = logp.index_select(1, bolide.tensor(states, device=logp.device))
    low = bolide.full([1], -math.inf, dtype=logp.dtype, device=logp.device)
    skip = [i >= 2 and states[i] != blank and states[i] != states[i - 2] for i in range(len(states))]
    jump = bolide.tensor(skip, device=logp.device)
    alpha = bolide.cat([emit[0, :2], low.expand(len(states) - min(2, len(states)))])
    for t in range(1, logp.shape[0]):
        one = bolide.cat([low, alpha])[:len(states)]
        two = bolide.where(jump, bolide.cat([low, low, alpha])[:len(states)], low)
        alpha = _log_add(alpha, one, two) + emit[t]
    end = alpha[-2:]
    loss = -_log_add(*end) if len(states) > 1 else -end[0]
    # the gradient is that of logits under a softmax: probabilities minus posteriors
    bend = (logp.exp() - logp.exp().detach()).sum()
    return bolide.where(loss == math.inf, loss.detach(), loss + bend)


def _log_add(*parts: Any) -> Any:
    """log of the sum of exponentials; -inf where all parts are, without a gradient there."""
    stacked = bolide.stack(parts)
    top = stacked.detach().amax(0)
    dead = top == -math.inf
    top = bolide.where(dead, bolide.zeros_like(top), top)
    total = bolide.exp(stacked - top).sum(0)
    safe = bolide.where(dead, bolide.ones_like(total), total)
    return bolide.where(dead, bolide.full_like(top, -math.inf), top + safe.log())
