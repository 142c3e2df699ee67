"""Tensors exchanged with other libraries through DLPack, sharing memory.

`from_dlpack(x)` takes any object with `__dlpack__` (NumPy, CuPy, JAX, ...) or a capsule; tensors have
`__dlpack__` and `__dlpack_device__` for the other direction, and `to_dlpack` makes a capsule by hand.
"""

import enum

from .. import _C

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]


class DLDeviceType(enum.IntEnum):
    """DLPack's numbers of device types."""

    kDLCPU = 1
    kDLCUDA = 2
    kDLCUDAHost = 3
    kDLOpenCL = 4
    kDLVulkan = 7
    kDLMetal = 8
    kDLVPI = 9
    kDLROCM = 10
    kDLROCMHost = 11
    kDLExtDev = 12
    kDLCUDAManaged = 13
    kDLOneAPI = 14
    kDLWebGPU = 15
    kDLHexagon = 16
    kDLMAIA = 17


def to_dlpack(tensor):
    """A DLPack capsule on the tensor's memory; whoever takes it shares the memory. It serves once."""
    return _C._to_dlpack(tensor)


def _device_pair(device):
    """A device as DLPack's (type, index)."""
    device = _C.device(device)
    if device.type == "cpu":
        return (DLDeviceType.kDLCPU, 0)
    if device.type == "cuda":
        return (DLDeviceType.kDLCUDA, device.index or 0)
    raise ValueError(f"Unknown device type {device.type} for Dlpack")


def _foreign_stream(kind, index):
    """The stream on which another library shall make its data ready; None on the CPU."""
    if kind != DLDeviceType.kDLCUDA:
        return None
    from .. import cuda

    stream = cuda.current_stream(index).cuda_stream
    return stream or 1  # 1: the legacy default stream


def from_dlpack(ext_tensor, *, device=None, copy=None):
    """A tensor on the memory of `ext_tensor`: an object with `__dlpack__`, or a capsule.

    Args:
        ext_tensor: what is shared. A capsule can be used once.
        device: where the result shall be, when not where the data is.
        copy: True always copies, False raises where a copy is needed, None copies where it must.
    """
    if not hasattr(ext_tensor, "__dlpack__"):
        if device is not None or copy is not None:
            raise RuntimeError("from_dlpack: device and copy need an object with __dlpack__, not a capsule")
        return _C._from_dlpack(ext_tensor)
    wanted = None if device is None else _device_pair(device)
    kind, index = ext_tensor.__dlpack_device__()
    options = {"max_version": (1, 0)}
    if copy is not None:
        options["copy"] = copy
    if wanted is not None:
        options["dl_device"] = wanted
    stream = _foreign_stream(kind, index)
    if stream is not None:
        options["stream"] = stream
    try:
        capsule = ext_tensor.__dlpack__(**options)
    except TypeError:  # from before DLPack 1.0
        if copy is not None or (wanted is not None and wanted != (kind, index)):
            raise
        capsule = ext_tensor.__dlpack__() if stream is None else ext_tensor.__dlpack__(stream=stream)
    return _C._from_dlpack(capsule)


def _export(tensor, stream, max_version, dl_device, copy):
    """What Tensor.__dlpack__ does."""
    if tensor.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    own = tensor.device.type
    if own not in ("cpu", "cuda"):
        raise BufferError(f"Cannot pack tensors on {own}")
    if own == "cpu":
        assert stream is None, "stream should be None on cpu."
    elif stream != -1:  # the consumer may use any stream: what is queued here must have run
        from .. import cuda

        cuda.current_stream(tensor.device).synchronize()
    if dl_device is not None and tuple(dl_device) != tuple(_device_pair(tensor.device)):
        if copy is False:
            raise ValueError("cannot move tensors to a different device without copying")
        kind, index = dl_device
        tensor = tensor.to("cpu" if kind == DLDeviceType.kDLCPU else f"cuda:{index}")
    elif copy:
        tensor = tensor.clone()
    return _C._to_dlpack(tensor, max_version is not None and max_version[0] >= 1)
