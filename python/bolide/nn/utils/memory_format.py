"""Memory formats of convolution weights."""

from __future__ import annotations

from typing import Any

from ..modules.module import Module


def _convert(module: Module, memory_format: Any, kinds: tuple, dims: int) -> Module:
    for m in module.modules():
        if isinstance(m, kinds) and m.weight.dim() == dims:
            m.weight.data = m.weight.detach().clone(memory_format=memory_format)
    return module


def convert_conv2d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """Lays out the weights of all 2-d convolutions in `module` in a memory format; returns the module."""
    from ..modules.conv import Conv2d, ConvTranspose2d

    return _convert(module, memory_format, (Conv2d, ConvTranspose2d), 4)


def convert_conv3d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """Lays out the weights of all 3-d convolutions in `module` in a memory format; returns the module."""
    from ..modules.conv import Conv3d, ConvTranspose3d

    return _convert(module, memory_format, (Conv3d, ConvTranspose3d), 5)
