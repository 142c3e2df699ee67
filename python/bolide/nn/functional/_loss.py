"""Losses and distances. `reduction` is 'none', 'mean' or 'sum'."""

from __future__ import annotations

import math
from typing import Any

import bolide
from bolide import Tensor

from .. import _reduction as _Reduction
from ._mismatch import strict_losses, warn_mismatch  # noqa: F401
from ._ops import direct
from ._ops import ops as _ops

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cosine_similarity", "cross_entropy",
    "ctc_loss", "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "linear_cross_entropy",
    "margin_ranking_loss", "mse_loss", "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss",
    "nll_loss", "one_hot", "pairwise_distance", "pdist", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss",
    "strict_losses", "triplet_margin_loss", "triplet_margin_with_distance_loss"]

cosine_similarity = direct("cosine_similarity")
pairwise_distance = direct("pairwise_distance")
pdist = direct("pdist")
one_hot = direct("one_hot")
_CODES = {"mean": 1, "none": 0, "sum": 2}


def _code(size_average: Any, reduce: Any, reduction: str) -> int:
    if size_average is not None or reduce is not None:
        return _Reduction.legacy_get_enum(size_average, reduce)
    code = _CODES.get(reduction)
    return _Reduction.get_enum(reduction) if code is None else code


def _reduce(loss: Tensor, code: int) -> Tensor:
    return loss.mean() if code == 1 else loss.sum() if code == 2 else loss


def _broadcast(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both at their common shape, with a warning at the user's line when they differ."""
    if target.shape == input.shape:
        return input, target
    warn_mismatch(input, target)
    shape = bolide.broadcast_shapes(input.shape, target.shape)
    return input.expand(shape), target.expand(shape)


def cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
                  ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Tensor:
    """Cross entropy of logits (N, C, ...) and class indices (N, ...) or probabilities (N, C, ...)."""
    code = _code(size_average, reduce, reduction)
    return _ops.cross_entropy_loss(input, target, weight, code, ignore_index, label_smoothing)


def nll_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
             ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """Minus the log-probabilities (N, C, ...) of the classes (N, ...)."""
    return _ops.nll_loss_nd(input, target, weight, _code(size_average, reduce, reduction), ignore_index)


def _weighted(loss: Tensor, weight: Tensor, reduction: str) -> Tensor:
    loss = loss * weight
    if reduction == "none":
        return loss
    return loss.sum() if reduction == "sum" else loss.sum() / weight.sum()


def mse_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
             reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """(input - target) squared."""
    if target.shape != input.shape:
        input, target = _broadcast(input, target)
    code = _code(size_average, reduce, reduction)
    if weight is not None:
        return _weighted_mean(_ops.mse_loss(input, target, 0), weight, input, code)
    return _ops.mse_loss(input, target, code)


def l1_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
            reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """|input - target|."""
    input, target = _broadcast(input, target)
    code = _code(size_average, reduce, reduction)
    if weight is not None:
        return _weighted_mean(_ops.l1_loss(input, target, 0), weight, input, code)
    return _ops.l1_loss(input, target, code)


def _weighted_mean(loss: Tensor, weight: Tensor, input: Tensor, code: int) -> Tensor:
    if weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")
    loss = loss * weight
    return loss.sum() / weight.sum() if code == 1 else loss.sum() if code == 2 else loss


def smooth_l1_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
                   reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Half a square over `beta` for differences below `beta`, linear above."""
    input, target = _broadcast(input, target)
    code = _code(size_average, reduce, reduction)
    return _ops.l1_loss(input, target, code) if beta == 0 else _ops.smooth_l1_loss(input, target, code, beta)


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0,
               weight: Tensor | None = None) -> Tensor:
    """Half a square for differences below `delta`, linear above."""
    input, target = _broadcast(input, target)
    code = _Reduction.get_enum(reduction)
    if weight is not None:
        return _weighted_mean(_ops.huber_loss(input, target, 0, delta), weight, input, code)
    return _ops.huber_loss(input, target, code, delta)


def kl_div(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
           reduction: str = "mean", log_target: bool = False) -> Tensor:
    """Kullback-Leibler divergence of the log-probabilities `input` from `target`; 'batchmean' divides by the batch."""
    batchmean = reduction == "batchmean"
    if reduction == "mean":
        import warnings

        warnings.warn("reduction: 'mean' divides the total loss by both the batch size and the support size."
                      "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
                      "'mean' will be changed to behave the same as 'batchmean' in the next major release.", stacklevel=2)
    code = 2 if batchmean else _code(size_average, reduce, reduction)
    if target.shape != input.shape:
        warn_mismatch(input, target)
    loss = _ops.kl_div(input, target, code, log_target=log_target)
    return loss / input.shape[0] if batchmean and input.dim() else loss


def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
                         reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """-(t log p + (1 - t) log(1 - p)) of probabilities; logarithms are held above -100."""
    code = _code(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is "
                         "deprecated. Please ensure they have the same size.")
    if weight is not None:
        weight = weight.expand(bolide.broadcast_shapes(weight.shape, target.shape))
    return _ops.binary_cross_entropy(input, target, weight, code)


def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Tensor | None = None,
                                     size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
                                     pos_weight: Tensor | None = None) -> Tensor:
    """`binary_cross_entropy` of sigmoid(input), without loss of precision."""
    code = _code(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    return _ops.binary_cross_entropy_with_logits(input, target, weight, pos_weight, code)


def soft_margin_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
                     reduction: str = "mean") -> Tensor:
    """log(1 + exp(-target input)) for targets 1 and -1."""
    if target.shape != input.shape:
        warn_mismatch(input, target)
    return _ops.soft_margin_loss(input, target, _code(size_average, reduce, reduction))


def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Tensor | None = None,
                                size_average: bool | None = None, reduce: bool | None = None,
                                reduction: str = "mean") -> Tensor:
    """The mean over classes of binary cross entropies of logits."""
    code = _code(size_average, reduce, reduction)
    loss = -(target * _ops.log_sigmoid(input) + (1 - target) * _ops.log_sigmoid(-input))
    if weight is not None:
        loss = loss * weight
    dim = input.dim() - 1
    return _reduce(loss.sum(dim) / input.shape[dim], code)


def multi_margin_loss(input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
                      size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """How far other classes' scores come within `margin` of the right one's, to the power p."""
    code = _code(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    return _ops.multi_margin_loss(input, target, p, margin, weight, code)


def multilabel_margin_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
                           reduction: str = "mean") -> Tensor:
    """The margin loss of several right classes, listed at the start of each row of `target` and ended by -1."""
    return _ops.multilabel_margin_loss(input, target, _code(size_average, reduce, reduction))


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, size_average: bool | None = None,
                         reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """x for targets 1, max(0, margin - x) for targets -1."""
    code = _code(size_average, reduce, reduction)
    zeros = bolide.zeros_like(input)
    below = (margin - input).clamp_min(0)
    loss = bolide.where(target != 1, below, zeros) + bolide.where(target != -1, input, zeros)
    return _reduce(loss, code)


def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0,
                        size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """max(0, -target (x1 - x2) + margin)."""
    code = _code(size_average, reduce, reduction)
    if not input1.dim() == input2.dim() == target.dim():
        raise RuntimeError("margin_ranking_loss : All input tensors should have same dimension but got sizes: "
                           f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} ")
    return _reduce((-target * (input1 - input2) + margin).clamp_min(0), code)


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0,
                          size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """1 - cos for targets 1, max(0, cos - margin) for targets -1."""
    code = _code(size_average, reduce, reduction)
    if target.dim() not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if target.dim() == 1 and (input1.dim() != 2 or input2.dim() != 2):
        raise RuntimeError("1D target tensor expects 2D input tensors, but found inputs with sizes "
                           f"{list(input1.shape)} and {list(input2.shape)}.")
    if target.dim() == 0 and (input1.dim() != 1 or input2.dim() != 1):
        raise RuntimeError("0D target tensor expects 1D input tensors, but found inputs with sizes "
                           f"{list(input1.shape)} and {list(input2.shape)}.")
    dim, eps = target.dim(), 1e-12
    product = (input1 * input2).sum(dim)
    norms = ((input1 * input1).sum(dim) + eps) * ((input2 * input2).sum(dim) + eps)
    cos = product / norms.sqrt()
    zeros = bolide.zeros_like(cos)
    loss = bolide.where(target == 1, 1 - cos, zeros) + bolide.where(target == -1, (cos - margin).clamp_min(0), zeros)
    return _reduce(loss, code)


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool = True, full: bool = False,
                     size_average: bool | None = None, eps: float = 1e-8, reduce: bool | None = None,
                     reduction: str = "mean") -> Tensor:
    """Negative log-likelihood of counts with a Poisson distribution; `full` adds Stirling's term."""
    code = _code(size_average, reduce, reduction)
    if target.shape != input.shape:
        warn_mismatch(input, target)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + bolide.where(target <= 1, bolide.zeros_like(stirling), stirling)
    return _reduce(loss, code)


def gaussian_nll_loss(input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6,
                      reduction: str = "mean") -> Tensor:
    """Negative log-likelihood with a normal distribution of mean `input` and variance `var`."""
    if target.shape != input.shape:
        warn_mismatch(input, target)
    if isinstance(var, (int, float)):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * bolide.ones_like(input)
    elif bool((var < 0).any()):
        raise ValueError("var has negative entry/entries")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif not (input.shape[:-1] == var.shape[:-1] and var.shape[-1] == 1) and not _fits(input.shape, var.shape):
            raise ValueError("var is of incorrect size")
    if reduction not in _CODES:
        raise ValueError(reduction + " is not valid")
    var = var.clone()
    with bolide.no_grad():
        var.clamp_(min=eps)
    loss = 0.5 * (var.log() + (input - target) ** 2 / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return _reduce(loss, _CODES[reduction])


def _fits(shape: Any, other: Any) -> bool:
    """Whether `other` has the sizes of `shape`, or 1 in their place."""
    return len(shape) == len(other) and all(b in (a, 1) for a, b in zip(shape, other, strict=True))


def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2,
                        eps: float = 1e-6, swap: bool = False, size_average: bool | None = None, reduce: bool | None = None,
                        reduction: str = "mean") -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) with the p-norm as distance."""
    code = _code(size_average, reduce, reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    return _triplet(anchor, positive, negative, lambda a, b: _ops.pairwise_distance(a, b, p, eps), margin, swap, code)


def _triplet(anchor: Tensor, positive: Tensor, negative: Tensor, distance: Any, margin: float, swap: bool, code: int) -> Tensor:
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError("The anchor, positive, and negative tensors are expected to have the same number of dimensions, but "
                           f"got: anchor {anchor.dim()}D, positive {positive.dim()}D, and negative {negative.dim()}D inputs")
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = bolide.minimum(far, distance(positive, negative))
    return _reduce((margin + near - far).clamp_min(0), code)


def triplet_margin_with_distance_loss(anchor: Tensor, positive: Tensor, negative: Tensor, *, distance_function: Any = None,
                                      margin: float = 1.0, swap: bool = False, reduction: str = "mean") -> Tensor:
    """`triplet_margin_loss` with a distance of one's own."""
    if reduction not in _CODES:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    return _triplet(anchor, positive, negative, distance_function or _ops.pairwise_distance, margin, swap, _CODES[reduction])


def ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
             reduction: str = "mean", zero_infinity: bool = False) -> Tensor:
    """Connectionist temporal classification: minus the log-likelihood of `targets` over all alignments.

    Args:
        log_probs: (T, N, C) or (T, C) log-probabilities.
        targets: (N, S), or all targets one after the other.
    """
    return _ops.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, _Reduction.get_enum(reduction),
                         zero_infinity)


def _check_linear_cross_entropy(input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    if input.dim() not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if weight.dim() < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {weight.dim()}")
    if input.shape[-1] != weight.shape[-1]:
        raise RuntimeError(f"expected equal input and linear_weight last dimensions (in_features), got {input.shape[-1]} and "
                           f"{weight.shape[-1]}, respectively")
    if bias is not None and bias.shape != weight.shape[:-1]:
        raise RuntimeError(f"expected linear_bias shape {tuple(weight.shape[:-1])}, got {tuple(bias.shape)}")
    if input.dim() == 1 and weight.dim() > 2:
        raise RuntimeError(f"K-dimensional loss defined by linear_weight shape {tuple(weight.shape)} requires batched input, "
                           f"(N, {weight.shape[-1]}), got unbatched input with shape {tuple(input.shape)}")


def linear_cross_entropy(input: Tensor, linear_weight: Tensor, target: Tensor, *, linear_bias: Tensor | None = None,
                         weight: Tensor | None = None, reduction: str = "mean", ignore_index: int | None = None,
                         label_smoothing: float = 0.0, options: Any = None) -> Tensor:
    """`cross_entropy(linear(input, linear_weight, linear_bias), target)`; the logits' classes move to dimension 1.

    `linear_weight` is (classes, *further sizes of the target, features), `linear_bias` the same without features; `options`
    chooses how large the pieces of the computation are and does not change its result.
    """
    _check_linear_cross_entropy(input, linear_weight, linear_bias)
    if ignore_index is not None and target.is_floating_point():
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    outputs, features = linear_weight.shape[:-1], linear_weight.shape[-1]
    if ignore_index is None:
        ignore_index = -100
    flat_bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = _ops.linear(input, linear_weight.reshape(-1, features), flat_bias)
    if len(outputs) > 1:
        logits = logits.reshape(*input.shape[:-1], *outputs)
    return cross_entropy(logits, target, weight=weight, reduction=reduction, ignore_index=ignore_index,
                         label_smoothing=label_smoothing)
