"""Padding, resizing, sampling on grids, and shuffles of pixels and channels."""

from __future__ import annotations

import math
from typing import Any

from bolide import Tensor

from ._ops import direct
from ._ops import ops as _ops

__all__ = ["affine_grid", "channel_shuffle", "grid_sample", "interpolate", "native_channel_shuffle", "pad", "pixel_shuffle",
           "pixel_unshuffle", "upsample", "upsample_bilinear", "upsample_nearest"]

pixel_shuffle = direct("pixel_shuffle")
pixel_unshuffle = direct("pixel_unshuffle")
channel_shuffle = direct("channel_shuffle")


def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The same as `channel_shuffle`."""
    return _ops.channel_shuffle(input, groups)


def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """Adds borders: `pad` is (left, right) of the last dimension, then of the one before it, and so on.

    Args:
        mode: 'constant', 'reflect', 'replicate' or 'circular'. Negative constant borders cut.
    """
    return _ops.pad(input, pad, mode, value)


def _resize_to(input: Tensor, size: Any, scale_factor: Any, recompute: bool | None) -> tuple[list[int], Any]:
    """(output size, scale factors to compute with or None)."""
    n = input.dim() - 2
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        if isinstance(size, (list, tuple)):
            if len(size) != n:
                raise ValueError(f"Input and output must have the same number of spatial dimensions, but got input with "
                                 f"spatial dimensions of {list(input.shape[2:])} and output size of {size}. Please provide "
                                 f"input tensor in (N, C, d1, d2, ...,dK) format and output size in (o1, o2, ...,oK) format.")
            return [int(s) for s in size], None
        return [int(size)] * n, None
    if scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    factors = list(scale_factor) if isinstance(scale_factor, (list, tuple)) else [scale_factor] * n
    if len(factors) != n:
        raise ValueError(f"Input and scale_factor must have the same number of spatial dimensions, but got input with spatial "
                         f"dimensions of {list(input.shape[2:])} and scale_factor of shape {scale_factor}. Please provide "
                         f"input tensor in (N, C, d1, d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format.")
    out = [math.floor(float(s) * f) for s, f in zip(input.shape[2:], factors, strict=True)]
    return out, None if recompute else [float(f) for f in factors]


def interpolate(input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
                align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
                antialias: bool = False) -> Tensor:
    """Resizes (N, C, ...) to `size`, or by `scale_factor`.

    Args:
        mode: 'nearest', 'nearest-exact', 'linear' (3-d), 'bilinear', 'bicubic' (4-d), 'trilinear' (5-d) or 'area'.
        align_corners: whether the centres of the corner pixels keep their places.
        antialias: widen the filter when shrinking ('bilinear' and 'bicubic').
    """
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError("align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic "
                             "| lanczos | trilinear")
    align = bool(align_corners)
    if recompute_scale_factor and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    out, scales = _resize_to(input, size, scale_factor, recompute_scale_factor or mode == "area")
    if antialias and not (mode in ("bilinear", "bicubic") and input.dim() == 4):
        raise ValueError("Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as "
                         "input")
    n = input.dim() - 2
    if mode in ("nearest", "nearest-exact") and 1 <= n <= 3:
        prefix = "upsample_nearest" if mode == "nearest" else "_upsample_nearest_exact"
        return getattr(_ops, f"{prefix}{n}d")(input, out, scales)
    if mode == "area" and 1 <= n <= 3:
        return getattr(_ops, f"adaptive_avg_pool{n}d")(input, out)
    name = {("linear", 1): "upsample_linear1d", ("bilinear", 2): "upsample_bilinear2d", ("bicubic", 2): "upsample_bicubic2d",
            ("trilinear", 3): "upsample_trilinear3d"}.get((mode, n))
    if name is not None:
        return getattr(_ops, f"_{name}_aa" if antialias else name)(input, out, align, scales)
    dims = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}
    if mode in dims and 1 <= n <= 3:
        raise NotImplementedError(f"Got {input.dim()}D input, but {mode} mode needs {dims[mode]}D input")
    raise NotImplementedError("Input Error: Only 3D, 4D and 5D input Tensors supported (got {}D) for the modes: nearest | linear "
                              "| bilinear | bicubic | lanczos | trilinear | area | nearest-exact (got {})".format(input.dim(), mode))


def upsample(input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
             align_corners: bool | None = None) -> Tensor:
    """The old name of `interpolate`."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` with mode='nearest'."""
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` with mode='bilinear' and aligned corners."""
    return interpolate(input, size, scale_factor, "bilinear", True)


def grid_sample(input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros",
                align_corners: bool | None = None) -> Tensor:
    """Values of (N, C, H, W) (or 5-d) at the places `grid` (N, OH, OW, 2): x and y from -1 to 1.

    Args:
        mode: 'bilinear', 'nearest' or 'bicubic'.
        padding_mode: what stands outside: 'zeros', 'border' or 'reflection'.
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
                         f"'{padding_mode}'")
    if align_corners is None:
        import warnings

        warnings.warn("Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please "
                      "specify align_corners=True if the old behavior is desired.", stacklevel=2)
    return _ops.grid_sampler(input, grid, ("bilinear", "nearest", "bicubic").index(mode),
                             ("zeros", "border", "reflection").index(padding_mode), bool(align_corners))


def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """The places that the affine maps `theta` (N, 2, 3) or (N, 3, 4) give the pixels of an image of `size`."""
    if align_corners is None:
        import warnings

        warnings.warn("Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please "
                      "specify align_corners=True if the old behavior is desired.", stacklevel=2)
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    n = len(size) - 2
    if n not in (2, 3):
        raise NotImplementedError("affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. "
                                  f"Got size {size}.")
    if theta.dim() != 3 or tuple(theta.shape[1:]) != (n, n + 1):
        raise ValueError(f"Expected a batch of {n}D affine matrices of shape Nx{n}x{n + 1} for size {size}. Got {theta.shape}.")
    if min(size) <= 0:
        raise ValueError("Expected non-zero, positive output size. Got {}".format(size))
    return _ops.affine_grid_generator(theta, list(size), bool(align_corners))
