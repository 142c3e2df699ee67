"""The part of Module that moves it between devices and converts it between dtypes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bolide
from bolide import Tensor
from bolide.nn.parameter import Parameter, is_lazy


def _typename(value: Any) -> str:
    """How messages name an object's type: `int`, `torch.FloatTensor`, `pkg.mod.Class`."""
    if isinstance(value, Tensor):
        return value.type()
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _parse_to(args: tuple, kwargs: dict) -> tuple:
    """(device, dtype, non_blocking, memory_format) of a call like `to(...)`."""
    device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
    non_blocking, memory_format = kwargs.pop("non_blocking", False), kwargs.pop("memory_format", None)
    other = kwargs.pop("tensor", kwargs.pop("other", None))
    kwargs.pop("copy", None)
    if kwargs:
        name, value = next(iter(kwargs.items()))
        raise TypeError(
            f"to() received an invalid combination of arguments - got ({name}={_typename(value)}, )"
        )
    for value in (*args, other):
        if isinstance(value, Tensor):
            device, dtype = value.device, value.dtype
        elif isinstance(value, bool):
            non_blocking = value
        elif isinstance(value, bolide.dtype):
            dtype = value
        elif isinstance(value, (str, int, bolide.device)):
            device = value
        elif isinstance(value, float):
            dtype = bolide.float64
        elif value is not None:
            raise TypeError(f"to() received an invalid combination of arguments - got ({_typename(value)})")
    if dtype is not None and not isinstance(dtype, bolide.dtype):
        raise TypeError(
            f"to() received an invalid combination of arguments - got (dtype={_typename(dtype)}, )"
        )
    if isinstance(device, (str, int)):
        device = bolide.device(device)
    return device, dtype, bool(non_blocking), memory_format


def _same_kind(old: Tensor, new: Tensor) -> bool:
    """Whether `old.data = new` is possible, so that the parameter object can stay."""
    if is_lazy(old):
        return True
    return (old.device.type == "meta") == (new.device.type == "meta") and old.layout == new.layout


class ConvertMixin:
    """to, cuda, cpu, float, half and their like; all go through `_apply`."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Replace parameters, their gradients and buffers by `fn` of them;
        parameters keep their identity if they can.
        """
        if recurse:
            for module in self.children():
                module._apply(fn)
        for name, param in self._parameters.items():
            if param is None:
                continue
            with bolide.no_grad():
                changed = fn(param)
            if _same_kind(param, changed):
                param.data = changed
                target = param
            else:
                target = self._parameters[name] = Parameter(changed, param.requires_grad)
            if param.grad is not None:
                with bolide.no_grad():
                    target.grad = fn(param.grad).requires_grad_(param.grad.requires_grad)
        for name, buf in self._buffers.items():
            if buf is not None:
                self._buffers[name] = fn(buf)
        return self

    def cuda(self, device: Any = None) -> Any:
        """Move everything to a CUDA device; returns self."""
        return self._apply(lambda t: t.cuda(device))

    def cpu(self) -> Any:
        """Move everything to the CPU; returns self."""
        return self._apply(lambda t: t.cpu())

    def xpu(self, device: Any = None) -> Any:
        """Move everything to an XPU; raises, since there is no such device here."""
        return self._apply(lambda t: t.to("xpu" if device is None else device))

    def type(self, dst_type: Any) -> Any:
        """Convert everything, integer buffers too, to a dtype; returns self."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self) -> Any:
        """Convert floating-point parameters and buffers to float32."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self) -> Any:
        """Convert floating-point parameters and buffers to float64."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self) -> Any:
        """Convert floating-point parameters and buffers to float16."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self) -> Any:
        """Convert floating-point parameters and buffers to bfloat16."""
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Any:
        """Give all parameters and buffers memory on `device` without copying values."""
        return self._apply(lambda t: bolide.empty_like(t, device=device), recurse=recurse)

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """to(device), to(dtype), to(device, dtype), to(tensor), to(memory_format=...): in place; returns
        self.

        The dtype must be floating point or complex and applies to such tensors only.
        """
        device, dtype, non_blocking, memory_format = _parse_to(args, kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )
        if dtype is not None and dtype.is_complex:
            import warnings

            warnings.warn(
                "Complex modules are a new feature: some modules might not work as expected when using "
                "complex tensors as parameters or buffers.",
                stacklevel=2,
            )

        def convert(t: Tensor) -> Tensor:
            if t.device.type == "meta" and device is not None and device.type != "meta":
                raise NotImplementedError(
                    "Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty() instead "
                    "of torch.nn.Module.to() when moving module from meta to a different device."
                )
            own = dtype if t.is_floating_point() or t.is_complex() else None
            if memory_format is not None and t.dim() in (4, 5):
                return t.to(device=device, dtype=own, non_blocking=non_blocking, memory_format=memory_format)
            return t.to(device=device, dtype=own, non_blocking=non_blocking)

        return self._apply(convert)

    def share_memory(self) -> Any:
        """Move all memory to where other processes can map it; returns self."""
        return self._apply(lambda t: t.share_memory_())
