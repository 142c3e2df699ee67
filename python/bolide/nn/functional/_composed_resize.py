"""Padding, resizing and sampling built from lookups. Resizing goes dimension by dimension, since its filters are products."""

from __future__ import annotations

import math
from typing import Any

import bolide


# ---- padding -------------------------------------------------------------------------------------


def pad(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    pad = [int(p) for p in pad]
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) // 2 > input.dim():
        raise RuntimeError(f"Padding length should be less than or equal to two times the input dimension but got padding "
                           f"length {len(pad)} and input of dimension {input.dim()}")
    if mode == "constant":
        return _constant_pad(input, pad, 0 if value is None else value)
    if value is not None and value != 0:
        raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    n = len(pad) // 2
    if n not in (1, 2, 3) or input.dim() not in (n + 1, n + 2):
        raise NotImplementedError("Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now")
    for i in range(n):
        dim = input.dim() - 1 - i
        input = _border(input, dim, pad[2 * i], pad[2 * i + 1], mode)
    return input


def _constant_pad(input: Any, pad: list[int], value: float) -> Any:
    x = input
    for i in range(len(pad) // 2):
        dim, (left, right) = input.dim() - 1 - i, pad[2 * i:2 * i + 2]
        size = x.shape[dim]
        if size + left + right < 0:
            raise RuntimeError(f"The input size {size}, plus negative padding {left} and {right} resulted in a negative output "
                               f"size, which is invalid. Check dimension {dim} of your input.")
        cut_left, cut_right = max(0, -left), max(0, -right)
        if cut_left or cut_right:
            x = x.narrow(dim, min(cut_left, size), max(0, size - cut_left - cut_right))
        parts = [x]
        for side, at in ((left, 0), (right, 1)):
            if side > 0:
                shape = list(x.shape)
                shape[dim] = side
                filler = bolide.full(shape, value, dtype=x.dtype, device=x.device)
                parts = [filler, *parts] if at == 0 else [*parts, filler]
        x = bolide.cat(parts, dim) if len(parts) > 1 else x
    return x.clone() if x is input or x._base is not None else x


def _border(x: Any, dim: int, left: int, right: int, mode: str) -> Any:
    size = x.shape[dim]
    if mode == "reflect" and (left >= size or right >= size):
        raise RuntimeError(f"Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
                           f"({left}, {right}) at dimension {dim} of input {list(x.shape)}")
    if mode == "circular" and (left > size or right > size):
        raise RuntimeError("Padding value causes wrapping around more than once.")
    places = range(-left, size + right)
    if mode == "reflect":
        index = [-i if i < 0 else 2 * size - 2 - i if i >= size else i for i in places]
    elif mode == "replicate":
        index = [min(max(i, 0), size - 1) for i in places]
    else:
        index = [i % size for i in places]
    return x.index_select(dim, bolide.tensor(index, dtype=bolide.int64, device=x.device))


# ---- shuffles ------------------------------------------------------------------------------------


def pixel_shuffle(input: Any, upscale_factor: int) -> Any:
    r = upscale_factor
    if input.dim() < 3:
        raise RuntimeError(f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {input.dim()} "
                           "dimension(s)")
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *lead, c, h, w = input.shape
    if c % (r * r):
        raise RuntimeError(f"pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of "
                           f"upscale_factor, but input.size(-3)={c} is not divisible by {r * r}")
    x = input.reshape(*lead, c // (r * r), r, r, h, w)
    n = len(lead)
    return x.permute(*range(n), n, n + 3, n + 1, n + 4, n + 2).reshape(*lead, c // (r * r), h * r, w * r)


def pixel_unshuffle(input: Any, downscale_factor: int) -> Any:
    r = downscale_factor
    if input.dim() < 3:
        raise RuntimeError(f"pixel_unshuffle expects input to have at least 3 dimensions, but got input with {input.dim()} "
                           "dimension(s)")
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *lead, c, h, w = input.shape
    for name, size, at in (("height", h, -2), ("width", w, -1)):
        if size % r:
            raise RuntimeError(f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({at})="
                               f"{size} is not divisible by {r}")
    x = input.reshape(*lead, c, h // r, r, w // r, r)
    n = len(lead)
    return x.permute(*range(n), n, n + 2, n + 4, n + 1, n + 3).reshape(*lead, c * r * r, h // r, w // r)


def channel_shuffle(input: Any, groups: int) -> Any:
    if input.dim() <= 2:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}")
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    n, c = input.shape[:2]
    if c % groups:
        raise RuntimeError(f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.")
    return input.reshape(n, groups, c // groups, -1).transpose(1, 2).reshape(input.shape)


# ---- resizing ------------------------------------------------------------------------------------


def _check(input: Any, size: list[int]) -> None:
    if any(s <= 0 for s in size) or any(s <= 0 for s in input.shape[2:]):
        raise RuntimeError(f"Input and output sizes should be greater than 0, but got input (H: {input.shape[2]}, W: "
                           f"{input.shape[-1]}) output (H: {size[0]}, W: {size[-1]})")


def _scale(old: int, new: int, factor: float | None, align: bool) -> float:
    if align:
        return (old - 1) / (new - 1) if new > 1 else 0.0
    return 1.0 / factor if factor else old / new


def _lookup(x: Any, dim: int, index: list[int]) -> Any:
    return x.index_select(dim, bolide.tensor(index, dtype=bolide.int64, device=x.device))


def _weighted(x: Any, dim: int, taps: list[tuple[list[int], list[float]]]) -> Any:
    """The sum over taps of looked-up elements times their weights along `dim`."""
    total = None
    for index, weights in taps:
        shape = [-1 if i == dim else 1 for i in range(x.dim())]
        w = bolide.tensor(weights, dtype=x.dtype, device=x.device).reshape(shape)
        part = _lookup(x, dim, index) * w
        total = part if total is None else total + part
    return total


def _nearest(input: Any, size: Any, scales: Any, exact: bool) -> Any:
    _check(input, size)
    x = input
    for d, new in enumerate(size):
        old = input.shape[2 + d]
        step = _scale(old, new, scales[d] if scales else None, False)
        shift = 0.5 if exact else 0.0
        x = _lookup(x, 2 + d, [min(int(_f32((i + shift) * _f32(step))), old - 1) for i in range(new)])
    return x


def _f32(value: float) -> float:
    """Rounded to float32, in which positions are computed."""
    import struct

    return struct.unpack("f", struct.pack("f", value))[0]


def upsample_nearest1d(input: Any, output_size: Any, scale_factors: Any = None) -> Any:
    return _nearest(input, output_size, scale_factors, False)


upsample_nearest2d = upsample_nearest3d = upsample_nearest1d


def _upsample_nearest_exact1d(input: Any, output_size: Any, scale_factors: Any = None) -> Any:
    return _nearest(input, output_size, scale_factors, True)


_upsample_nearest_exact2d = _upsample_nearest_exact3d = _upsample_nearest_exact1d


def _linear_taps(old: int, new: int, factor: float | None, align: bool) -> list:
    step = _scale(old, new, factor, align)
    low, high, first, second = [], [], [], []
    for i in range(new):
        at = i * step if align else max(0.0, (i + 0.5) * step - 0.5)
        a = min(int(at), old - 1)
        w = min(max(at - a, 0.0), 1.0)
        low.append(a), high.append(min(a + 1, old - 1)), first.append(1 - w), second.append(w)
    return [(low, first), (high, second)]


def _cubic(t: float, a: float = -0.75) -> list[float]:
    def near(x: float) -> float:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: float) -> float:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _cubic_taps(old: int, new: int, factor: float | None, align: bool) -> list:
    step = _scale(old, new, factor, align)
    taps: list = [([], []) for _ in range(4)]
    for i in range(new):
        at = i * step if align else (i + 0.5) * step - 0.5
        base = math.floor(at)
        for k, w in enumerate(_cubic(at - base)):
            taps[k][0].append(min(max(base - 1 + k, 0), old - 1)), taps[k][1].append(w)
    return taps


def _wide_taps(old: int, new: int, factor: float | None, align: bool, cubic: bool) -> list:
    """Filters that widen when shrinking: the weights of an output's whole support, made to add up to 1."""
    step = _scale(old, new, factor, align)
    reach = (2.0 if cubic else 1.0) * max(step, 1.0)
    inverse = 1.0 / step if step >= 1.0 else 1.0
    rows = []
    for i in range(new):
        centre = step * (i + 0.5)
        a, b = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), old)
        weights = [_filter((j + a - centre + 0.5) * inverse, cubic) for j in range(b - a)]
        total = sum(weights) or 1.0
        rows.append((a, [w / total for w in weights]))
    width = max(len(w) for _, w in rows)
    return [([min(a + k, old - 1) for a, _ in rows], [w[k] if k < len(w) else 0.0 for _, w in rows]) for k in range(width)]


def _filter(x: float, cubic: bool) -> float:
    x = abs(x)
    if not cubic:
        return max(0.0, 1.0 - x)
    if x < 1:
        return ((-0.5 + 2) * x - (-0.5 + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * -0.5 if x < 2 else 0.0


def _resize(input: Any, size: Any, align: bool, scales: Any, taps_of: Any) -> Any:
    _check(input, size)
    x = input.float() if input.dtype in (bolide.float16, bolide.bfloat16) else input
    for d, new in reversed(list(enumerate(size))):
        x = _weighted(x, 2 + d, taps_of(input.shape[2 + d], new, scales[d] if scales else None, align))
    return x.to(input.dtype)


def upsample_linear1d(input: Any, output_size: Any, align_corners: bool, scale_factors: Any = None) -> Any:
    return _resize(input, output_size, align_corners, scale_factors, _linear_taps)


upsample_bilinear2d = upsample_trilinear3d = upsample_linear1d


def upsample_bicubic2d(input: Any, output_size: Any, align_corners: bool, scale_factors: Any = None) -> Any:
    return _resize(input, output_size, align_corners, scale_factors, _cubic_taps)


def _upsample_bilinear2d_aa(input: Any, output_size: Any, align_corners: bool, scale_factors: Any = None) -> Any:
    return _resize(input, output_size, align_corners, scale_factors, lambda *a: _wide_taps(*a, False))


def _upsample_bicubic2d_aa(input: Any, output_size: Any, align_corners: bool, scale_factors: Any = None) -> Any:
    return _resize(input, output_size, align_corners, scale_factors, lambda *a: _wide_taps(*a, True))


# ---- sampling on grids ---------------------------------------------------------------------------


def affine_grid_generator(theta: Any, size: Any, align_corners: bool) -> Any:
    axes = []
    for s in size[2:]:
        line = bolide.linspace(-1, 1, s, dtype=theta.dtype, device=theta.device) if s > 1 else (
            bolide.zeros(s, dtype=theta.dtype, device=theta.device))
        axes.append(line if align_corners or s == 1 else line * (s - 1) / s)
    mesh = list(bolide.meshgrid(*axes, indexing="ij"))
    points = bolide.stack([*reversed(mesh), bolide.ones_like(mesh[0])], -1).reshape(-1, len(axes) + 1)
    return (points @ theta.transpose(1, 2)).reshape(theta.shape[0], *size[2:], len(axes))


def _reflect(x: Any, low2: int, high2: int) -> Any:
    """Coordinates folded back between low2 / 2 and high2 / 2."""
    if low2 == high2:
        return x * 0
    low, span = low2 / 2, (high2 - low2) / 2
    x = (x - low).abs()
    flips = (x.detach() / span).floor()
    rest = x - flips * span
    return bolide.where(flips % 2 == 0, rest + low, span - rest + low)


def _place(x: Any, size: int, padding: int, align: bool) -> Any:
    """Coordinates inside the image, for padding by border or reflection."""
    if padding == 1:
        return x.clamp(0, size - 1)
    if padding == 2:
        x = _reflect(x, 0, 2 * (size - 1)) if align else _reflect(x, -1, 2 * size - 1)
        return x.clamp(0, size - 1)
    return x


def grid_sampler(input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Any:
    n = input.dim() - 2
    if n not in (2, 3) or grid.dim() != input.dim():
        raise RuntimeError(f"grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input "
                           f"with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}")
    if grid.shape[0] != input.shape[0]:
        raise RuntimeError(f"grid_sampler(): expected grid and input to have same batch size, but got input with sizes "
                           f"{list(input.shape)} and grid with sizes {list(grid.shape)}")
    if grid.shape[-1] != n:
        raise RuntimeError(f"grid_sampler(): expected grid to have size {n} in last dimension, but got grid with sizes "
                           f"{list(grid.shape)}")
    if interpolation_mode == 2 and n == 3:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    sizes = list(input.shape[2:])
    at = []
    for d, size in enumerate(sizes):
        x = grid[..., n - 1 - d]
        at.append((x + 1) / 2 * (size - 1) if align_corners else ((x + 1) * size - 1) / 2)
    if interpolation_mode != 2:
        at = [_place(x, s, padding_mode, align_corners) for x, s in zip(at, sizes, strict=True)]
    if interpolation_mode == 1:
        return _pick(input, [_round_even(x) for x in at])
    taps = [_cubic_at(x) if interpolation_mode == 2 else _linear_at(x) for x in at]
    total = None
    for combo in _product(taps):
        places = [p for p, _ in combo]
        if interpolation_mode == 2:
            places = [_place(p, s, padding_mode, align_corners) for p, s in zip(places, sizes, strict=True)]
        weight = combo[0][1]
        for _, w in combo[1:]:
            weight = weight * w
        part = _pick(input, places) * weight.unsqueeze(1)
        total = part if total is None else total + part
    return total


def _round_even(x: Any) -> Any:
    return x.detach().round()


def _linear_at(x: Any) -> list:
    low = x.detach().floor()
    return [(low, low + 1 - x), (low + 1, x - low)]


def _cubic_at(x: Any) -> list:
    base = x.detach().floor()
    return [(base - 1 + k, w) for k, w in enumerate(_cubic(x - base))]


def _product(taps: list) -> list:
    combos: list = [[]]
    for options in taps:
        combos = [c + [o] for c in combos for o in options]
    return combos


def _pick(input: Any, places: list) -> Any:
    """input[n, :, places...], zero outside."""
    sizes = input.shape[2:]
    inside, flat = None, None
    for p, s in zip(places, sizes, strict=True):
        p = p.detach()
        ok = (p >= 0) & (p <= s - 1)
        inside = ok if inside is None else inside & ok
        index = bolide.where(ok, p, bolide.zeros_like(p)).to(bolide.int64)
        flat = index if flat is None else flat * s + index
    n, c = input.shape[:2]
    taken = input.reshape(n, c, -1).gather(2, flat.reshape(n, 1, -1).expand(n, c, -1)).reshape(n, c, *flat.shape[1:])
    return bolide.where(inside.unsqueeze(1), taken, bolide.zeros((), dtype=taken.dtype, device=taken.device))
