"""Normalisations and embeddings that the core lacks, built from sums and lookups."""

from __future__ import annotations

from typing import Any

import bolide

from ._ops import ops


def _wide(x: Any) -> Any:
    return x.float() if x.dtype in (bolide.float16, bolide.bfloat16) else x


def _along(vector: Any, dims: int) -> Any:
    """A vector of channels laid along dimension 1."""
    return vector.reshape([-1 if i == 1 else 1 for i in range(dims)])


def _check_channels(input: Any, named: dict) -> None:
    for name, t in named.items():
        if t is not None and t.numel() != input.shape[1]:
            raise RuntimeError(f"{name} should contain {input.shape[1]} elements not {t.numel()}")


def batch_norm(input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float,
               eps: float, cudnn_enabled: bool = True) -> Any:
    if input.dim() < 2:
        raise RuntimeError(f"batch_norm: expected at least a 2-d input, got {input.dim()} dimensions")
    _check_channels(input, {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var})
    x = _wide(input)
    if training:
        dims = [d for d in range(x.dim()) if d != 1]
        count = x.numel() // x.shape[1]
        mean = x.mean(dims, True)
        centred = x - mean
        var = (centred * centred).mean(dims, True)
        with bolide.no_grad():
            if running_mean is not None:
                running_mean.mul_(1 - momentum).add_(mean.detach().flatten().to(running_mean.dtype), alpha=momentum)
            if running_var is not None:
                unbiased = var.detach().flatten() * (count / max(count - 1, 1))
                running_var.mul_(1 - momentum).add_(unbiased.to(running_var.dtype), alpha=momentum)
    else:
        if running_mean is None or running_var is None:
            raise RuntimeError("Expected running_mean and running_var to be defined when training=False")
        centred, var = x - _along(running_mean, x.dim()), _along(running_var, x.dim())
    out = centred * bolide.rsqrt(var + eps)
    if weight is not None:
        out = out * _along(weight, x.dim())
    if bias is not None:
        out = out + _along(bias, x.dim())
    return out.to(input.dtype)


def instance_norm(input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, use_input_stats: bool,
                  momentum: float, eps: float, cudnn_enabled: bool = True) -> Any:
    """Batch normalisation in which every sample's channels count as channels of their own."""
    n, c = input.shape[0], input.shape[1]
    if input.dim() < 3:
        raise RuntimeError(f"instance_norm: expected at least a 3-d input, got {input.dim()} dimensions")
    means = None if running_mean is None else running_mean.repeat(n)
    variances = None if running_var is None else running_var.repeat(n)
    flat = input.contiguous().reshape(1, n * c, *input.shape[2:])
    out = ops.batch_norm(flat, None if weight is None else weight.repeat(n), None if bias is None else bias.repeat(n),
                         means, variances, use_input_stats, momentum, eps, cudnn_enabled)
    if use_input_stats:
        with bolide.no_grad():
            if running_mean is not None:
                running_mean.copy_(means.reshape(n, c).mean(0))
            if running_var is not None:
                running_var.copy_(variances.reshape(n, c).mean(0))
    return out.reshape(input.shape)


def _check_shape(what: str, input: Any, shape: list[int], weight: Any, bias: Any) -> None:
    if not shape:
        raise RuntimeError("Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, "
                           f"but got normalized_shape = {shape}")
    for name, t in (("weight", weight), ("bias", bias)):
        if t is not None and list(t.shape) != shape:
            raise RuntimeError(f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                               f"{list(t.shape)} and normalized_shape = {shape}")
    if list(input.shape[-len(shape):]) != shape:
        wanted = ", ".join(["*", *map(str, shape)])
        raise RuntimeError(f"Given normalized_shape={shape}, expected input with shape [{wanted}], but got input of size"
                           f"{list(input.shape)}")


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5,
               cudnn_enable: bool = True) -> Any:
    shape = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
    _check_shape("layer_norm", input, shape, weight, bias)
    x = _wide(input)
    dims = list(range(-len(shape), 0))
    centred = x - x.mean(dims, True)
    out = centred * bolide.rsqrt((centred * centred).mean(dims, True) + eps)
    out = out if weight is None else out * weight
    return (out if bias is None else out + bias).to(input.dtype)


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    shape = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
    _check_shape("rms_norm", input, shape, weight, None)
    x = _wide(input)
    eps = bolide.finfo(x.dtype).eps if eps is None else eps
    square = (x * x.conj() if x.is_complex() else x * x).mean(list(range(-len(shape), 0)), True)
    out = x * bolide.rsqrt(square + eps)
    return (out if weight is None else out * weight).to(input.dtype)


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5,
               cudnn_enabled: bool = True) -> Any:
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    n, c = input.shape[0], input.shape[1]
    if c % num_groups:
        raise RuntimeError(f"Expected number of channels in input to be divisible by num_groups, but got input of shape "
                           f"{list(input.shape)} and num_groups={num_groups}")
    for name, t in (("weight", weight), ("bias", bias)):
        if t is not None and (t.dim() != 1 or t.numel() != c):
            raise RuntimeError(f"Expected {name} to be a vector of size equal to the number of channels in input, but got "
                               f"{name} of shape {list(t.shape)} and input of shape {list(input.shape)}")
    x = _wide(input)
    grouped = x.reshape(n, num_groups, -1) if x.numel() else x.reshape(n, num_groups, 0)
    centred = grouped - grouped.mean(2, True)
    out = (centred * bolide.rsqrt((centred * centred).mean(2, True) + eps)).reshape(input.shape)
    out = out if weight is None else out * _along(weight, input.dim())
    return (out if bias is None else out + _along(bias, input.dim())).to(input.dtype)


def _check_indices(name: str, indices: Any) -> None:
    if indices.dtype not in (bolide.int64, bolide.int32):
        raise RuntimeError(f"Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; "
                           f"but got {indices.type()} instead (while checking arguments for {name})")


def embedding(weight: Any, indices: Any, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False) -> Any:
    if weight.dim() != 2:
        raise RuntimeError("'weight' must be 2-D")
    _check_indices("embedding", indices)
    if sparse or scale_grad_by_freq:
        raise NotImplementedError("embedding: sparse gradients and scale_grad_by_freq are not built")
    flat = indices.reshape(-1).long()
    if flat.numel() and weight.device.type != "meta" and not bool(((flat >= 0) & (flat < weight.shape[0])).all()):
        raise IndexError("index out of range in self")
    out = weight.index_select(0, flat).reshape([*indices.shape, weight.shape[1]])
    if padding_idx >= 0 and out.requires_grad:
        out = bolide.where((indices == padding_idx).unsqueeze(-1), out.detach(), out)
    return out


def embedding_renorm_(weight: Any, indices: Any, max_norm: float, norm_type: float) -> Any:
    for row in sorted(set(indices.reshape(-1).tolist())):
        norm = float(weight[row].norm(norm_type))
        if norm > max_norm:
            weight[row] *= max_norm / (norm + 1e-7)
    return weight


def embedding_bag(weight: Any, indices: Any, offsets: Any, scale_grad_by_freq: bool = False, mode: int = 0,
                  sparse: bool = False, per_sample_weights: Any = None, include_last_offset: bool = False,
                  padding_idx: int = -1) -> tuple:
    _check_indices("embedding_bag", indices)
    if sparse or scale_grad_by_freq:
        raise NotImplementedError("embedding_bag: sparse gradients and scale_grad_by_freq are not built")
    if padding_idx != -1 and padding_idx < 0:
        padding_idx += weight.shape[0]
    starts = offsets.tolist()
    if starts and starts[0] != 0:
        raise RuntimeError(f"offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
                           f"However, got {starts[0]}")
    if starts and starts[-1] > indices.numel():
        raise RuntimeError(f"offsets[-1] can not be greater than input's length {indices.numel()} but got offsets[-1] of "
                           f"{starts[-1]}")
    ends = starts[1:] + [indices.numel()]
    if include_last_offset:
        starts, ends = starts[:-1], ends[:-1]
    rows = embedding(weight, indices)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    keep = [i != padding_idx for i in indices.tolist()] if padding_idx >= 0 else None
    bags = []
    for a, b in zip(starts, ends, strict=True):
        members = rows[a:b]
        if keep is not None:
            members = members[[i for i in range(b - a) if keep[a + i]]]
        if members.shape[0] == 0:
            bags.append(rows.new_zeros(weight.shape[1]))
        else:
            bags.append((members.sum(0), members.mean(0), None)[mode] if mode < 2 else members.max(0)[0])
    return (bolide.stack(bags) if bags else rows.new_zeros(0, weight.shape[1]),)
