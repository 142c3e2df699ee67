"""Losses that the core lacks, built from other ops. Reductions are numbers: 0 none, 1 mean, 2 sum."""

from __future__ import annotations

import math
from typing import Any

import bolide

from ._ops import has, ops


def _reduce(loss: Any, code: int) -> Any:
    return loss.mean() if code == 1 else loss.sum() if code == 2 else loss


def mse_loss(input: Any, target: Any, reduction: int = 1) -> Any:
    diff = input - target
    return _reduce(diff * diff, reduction)


def l1_loss(input: Any, target: Any, reduction: int = 1) -> Any:
    return _reduce((input - target).abs(), reduction)


def smooth_l1_loss(input: Any, target: Any, reduction: int = 1, beta: float = 1.0) -> Any:
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    z = (input - target).abs()
    return _reduce(bolide.where(z < beta, 0.5 * z * z / beta, z - 0.5 * beta), reduction)


def huber_loss(input: Any, target: Any, reduction: int = 1, delta: float = 1.0) -> Any:
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    z = (input - target).abs()
    return _reduce(bolide.where(z < delta, 0.5 * z * z, delta * (z - 0.5 * delta)), reduction)


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: int = 1) -> Any:
    if bool(((input < 0) | (input > 1)).any()):
        raise RuntimeError("all elements of input should be between 0 and 1")
    p = input.float() if input.dtype in (bolide.float16, bolide.bfloat16) else input
    # held at -100 by value only: at 0 and 1 the slope is that of x (1 - x) held above 1e-12
    loss = _Bce.apply(p, target) if not target.requires_grad else _bce_plain(p, target)
    if weight is not None:
        loss = loss * weight
    return _reduce(loss.to(input.dtype), reduction)


def _bce_plain(p: Any, target: Any) -> Any:
    return (target - 1) * bolide.log1p(-p).clamp_min(-100) - target * p.log().clamp_min(-100)


class _Bce(bolide.autograd.Function):
    @staticmethod
    def forward(ctx: Any, p: Any, target: Any) -> Any:
        ctx.save_for_backward(p, target)
        return _bce_plain(p, target)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        p, target = ctx.saved_tensors
        return grad * (p - target) / ((1 - p) * p).clamp_min(1e-12), None


def binary_cross_entropy_with_logits(input: Any, target: Any, weight: Any = None, pos_weight: Any = None,
                                     reduction: int = 1) -> Any:
    if pos_weight is None:
        loss = (1 - target) * input - ops.log_sigmoid(input)
    else:
        loss = (1 - target) * input - (1 + (pos_weight - 1) * target) * ops.log_sigmoid(input)
    if weight is not None:
        loss = loss * weight
    return _reduce(loss, reduction)


def soft_margin_loss(input: Any, target: Any, reduction: int = 1) -> Any:
    return _reduce(bolide.log1p(bolide.exp(-target * input)), reduction)


def nll_loss_nd(input: Any, target: Any, weight: Any = None, reduction: int = 1, ignore_index: int = -100) -> Any:
    if input.dim() < 1 or input.dim() - target.dim() != 1:
        if input.dim() < 1:
            raise RuntimeError("Expected 1 or more dimensions (got 0)")
        raise ValueError(f"Expected target dimension {input.dim() - 1} for an input of dimension {input.dim()}, got "
                         f"{target.dim()}") if input.dim() > 2 else RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if input.dim() > 1 and input.shape[0] != target.shape[0]:
        raise ValueError(f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({target.shape[0]}).")
    if has("nll_loss") and input.dim() <= 2:
        return ops.nll_loss(input, target, weight, reduction, ignore_index)
    dim = 1 if input.dim() > 1 else 0
    classes = input.shape[dim]
    if list(target.shape) != [s for i, s in enumerate(input.shape) if i != dim]:
        raise RuntimeError(f"Expected target size {[s for i, s in enumerate(input.shape) if i != dim]}, got "
                           f"{list(target.shape)}")
    if weight is not None and (weight.dim() != 1 or weight.numel() != classes):
        raise RuntimeError("weight tensor should be defined either for all or no classes")
    ignored = target == ignore_index
    safe = bolide.where(ignored, bolide.zeros_like(target), target)
    if safe.numel() and input.device.type != "meta" and bool(((safe < 0) | (safe >= classes)).any()):
        bad = safe[(safe < 0) | (safe >= classes)][0].item()
        raise IndexError(f"Target {bad} is out of bounds.")
    picked = -input.gather(dim, safe.long().unsqueeze(dim)).squeeze(dim)
    factor = bolide.ones_like(picked) if weight is None else weight.to(picked.dtype)[safe.long()]
    factor = factor * (~ignored).to(picked.dtype)
    loss = bolide.where(ignored, bolide.zeros_like(picked), picked * factor)
    if reduction == 0:
        return loss
    return loss.sum() if reduction == 2 else loss.sum() / factor.sum()


def cross_entropy_loss(input: Any, target: Any, weight: Any = None, reduction: int = 1, ignore_index: int = -100,
                       label_smoothing: float = 0.0) -> Any:
    dim = 0 if input.dim() == 1 else 1
    classes = input.shape[dim]
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    logp = ops.log_softmax(input, dim)
    if input.shape == target.shape and input.dim():
        return _soft_targets(logp, target, weight, reduction, label_smoothing, dim)
    if target.dtype.is_floating_point:
        raise RuntimeError(f"expected scalar type Long but found {str(target.dtype).rsplit('.', 1)[-1].capitalize()}")
    hard = ops.nll_loss_nd(logp, target, weight, reduction, ignore_index)
    if label_smoothing == 0:
        return hard
    shape = [-1 if i == dim else 1 for i in range(input.dim())]
    smooth = -(logp if weight is None else logp * weight.reshape(shape)).sum(dim)
    ignored = target == ignore_index
    smooth = bolide.where(ignored, bolide.zeros_like(smooth), smooth)
    if reduction == 1:
        safe = bolide.where(ignored, bolide.zeros_like(target), target).long()
        ones = (~ignored).to(smooth.dtype)
        smooth = smooth.sum() / (ones.sum() if weight is None else (weight[safe] * ones).sum())
    elif reduction == 2:
        smooth = smooth.sum()
    return (1 - label_smoothing) * hard + smooth * (label_smoothing / classes)


def _soft_targets(logp: Any, target: Any, weight: Any, reduction: int, smoothing: float, dim: int) -> Any:
    if not target.dtype.is_floating_point:
        raise RuntimeError("Expected floating point type for target with class probabilities, got "
                           f"{str(target.dtype).rsplit('.', 1)[-1].capitalize()}")
    if smoothing:
        target = target * (1 - smoothing) + smoothing / logp.shape[dim]
    products = logp * target
    if weight is not None:
        products = products * weight.reshape([-1 if i == dim else 1 for i in range(logp.dim())])
    loss = -products.sum(dim)
    if reduction == 1:
        return loss.sum() / max(1, logp.numel() // logp.shape[dim])
    return loss.sum() if reduction == 2 else loss


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
