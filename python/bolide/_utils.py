"""The functions that files call to make tensors: `_rebuild_tensor_v2(storage, offset, ...)` and its kin.

Files name them `torch._utils._rebuild_tensor_v2`; bolide.serialization translates. All arguments come from
files, so everything is checked here or in the core, and nothing that a file names is called.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import bolide
from bolide import _C
from bolide.nn.parameter import Parameter
from bolide.storage import TypedStorage

__all__: list[str] = []


def _dtype(value: Any) -> Any:
    if not isinstance(value, bolide.dtype):
        raise TypeError(f"expected torch.dtype, but got {type(value).__name__}")
    return value


def _view(storage: Any, dtype: Any, offset: Any, size: Any, stride: Any) -> Any:
    if not isinstance(storage, TypedStorage):
        raise TypeError(f"a tensor's storage is no storage but {type(storage).__name__}")
    if not all(isinstance(x, (tuple, list)) for x in (size, stride)):
        raise TypeError("a tensor's sizes and strides must be tuples of ints")
    return _C._storage_view(storage._untyped._handle, _dtype(dtype), offset, size, stride, "the file")


def _lazy(tensor: Any, metadata: Any) -> Any:
    """Apply the conjugate and negative bits, which Bolide does at once."""
    if metadata:
        if metadata.get("conj"):
            tensor = tensor.conj()
        if metadata.get("neg"):
            tensor = -tensor
    return tensor


def _grad(tensor: Any, requires_grad: Any) -> Any:
    return tensor.requires_grad_() if requires_grad else tensor


def _rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any) -> Any:
    return _view(storage, getattr(storage, "dtype", None), offset, size, stride)


def _rebuild_tensor_v2(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, metadata: Any = None
) -> Any:
    return _grad(_lazy(_rebuild_tensor(storage, offset, size, stride), metadata), requires_grad)


def _rebuild_tensor_v3(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any,
    hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> Any:
    return _grad(_lazy(_view(storage, dtype, offset, size, stride), metadata), requires_grad)


def _tensor(value: Any) -> Any:
    if not isinstance(value, bolide.Tensor):
        raise TypeError(f"expected a tensor, but got {type(value).__name__}")
    return value


def _rebuild_parameter(data: Any, requires_grad: Any, hooks: Any) -> Any:
    return Parameter(_tensor(data), bool(requires_grad))


def _set_state(obj: Any, state: Any) -> Any:
    """Give an object the attributes of `state`: a dictionary, or a pair of it and a dictionary of slots."""
    slots = None
    if isinstance(state, tuple):
        state, slots = state
    for attributes in (state, slots):
        for name, value in (attributes or {}).items():
            setattr(obj, name, value)
    return obj


def _rebuild_parameter_with_state(data: Any, requires_grad: Any, hooks: Any, state: Any) -> Any:
    return _set_state(_rebuild_parameter(data, requires_grad, hooks), state)


def _rebuild_from_type_v2(func: Any, new_type: Any, args: Any, state: Any) -> Any:
    if getattr(func, "__module__", None) != __name__:
        raise TypeError(f"{func!r} makes no tensors")
    tensor = _tensor(func(*args))
    if not isinstance(new_type, type) or not issubclass(new_type, bolide.Tensor):
        raise TypeError(f"{new_type!r} is no class of tensors")
    if type(tensor) is not new_type:
        tensor = tensor.as_subclass(new_type)
    own = getattr(type(tensor), "__setstate__", None)
    if own is not None and own is not getattr(bolide.Tensor, "__setstate__", None):
        own(tensor, state)
        return tensor
    return _set_state(tensor, state) if state else tensor


def _rebuild_meta_tensor_no_storage(dtype: Any, size: Any, stride: Any, requires_grad: Any) -> Any:
    return _grad(bolide.empty_strided(size, stride, dtype=_dtype(dtype), device="meta"), requires_grad)


def _check_indices(indices: Any, values: Any, size: Any) -> None:
    """COO: one row of indices for each sparse dimension, inside of the sizes."""
    _tensor(indices), _tensor(values)
    if indices.dim() != 2 or indices.shape[0] > len(size) or values.shape[:1] != indices.shape[1:]:
        raise RuntimeError("damaged: indices and values of a sparse tensor do not fit together")
    for row, limit in zip(indices, size):
        if row.numel() and (int(row.min()) < 0 or int(row.max()) >= limit):
            raise RuntimeError(f"damaged: an index of a sparse tensor is outside of its size {tuple(size)}")


def _check_compressed(starts: Any, indices: Any, values: Any, size: Any, rows: int, columns: int) -> None:
    """CSR and CSC: starts rise from 0 to the number of values, indices are inside of the sizes."""
    _tensor(starts), _tensor(indices), _tensor(values)
    row, flat = starts.flatten().tolist(), indices.flatten().tolist()
    count = len(flat)
    ok = (
        len(row) == rows + 1
        and row[0] == 0
        and row[-1] == count
        and all(a <= b for a, b in zip(row, row[1:]))
    )
    if not ok or values.shape[0] != count or any(not 0 <= i < columns for i in flat):
        raise RuntimeError(f"damaged: the indices of a sparse tensor of size {tuple(size)} are not valid")


def _rebuild_sparse_tensor(layout: Any, data: Any) -> Any:
    kind = str(layout).rsplit(".", 1)[-1]
    if kind == "sparse_coo":
        indices, values, size, *coalesced = data
        _check_indices(indices, values, size)
        extra = {"is_coalesced": coalesced[0]} if coalesced and coalesced[0] is not None else {}
        return bolide.sparse_coo_tensor(indices, values, size, **extra)
    if kind in ("sparse_csr", "sparse_csc"):
        starts, indices, values, size = data
        if len(size) != 2:
            raise NotImplementedError(f"a {kind} tensor of {len(size)} dimensions cannot be loaded yet")
        rows, columns = size if kind == "sparse_csr" else reversed(size)
        _check_compressed(starts, indices, values, size, rows, columns)
        return getattr(bolide, f"{kind}_tensor")(starts, indices, values, size)
    raise NotImplementedError(f"a tensor of layout {layout} cannot be loaded")


def _rebuild_sparse_csr_tensor(layout: Any, data: Any) -> Any:
    return _rebuild_sparse_tensor(layout, data)


def _rebuild_device_tensor_from_cpu_tensor(data: Any, dtype: Any, device: Any, requires_grad: Any) -> Any:
    return _grad(_tensor(data).to(device=device, dtype=_dtype(dtype)), requires_grad)


def _unsupported(name: str) -> Any:
    def rebuild(*args: Any) -> Any:
        raise NotImplementedError(
            f"the file holds a tensor made by torch._utils.{name}, which Bolide does not have"
        )

    rebuild.__name__ = rebuild.__qualname__ = name
    return rebuild


for _name in (
    "_rebuild_qtensor",
    "_rebuild_nested_tensor",
    "_rebuild_wrapper_subclass",
    "_rebuild_device_tensor_from_numpy",
):
    globals()[_name] = _unsupported(_name)


def _get_layout(name: Any) -> Any:
    """`torch.strided` by its text."""
    layout = getattr(bolide, name.removeprefix("torch."), None) if isinstance(name, str) else None
    if not isinstance(layout, bolide.layout):
        raise KeyError(name)
    return layout


# ---- the way out: what a tensor is written as ---------------------------------------------------


def reduce_tensor(tensor: Any) -> tuple:
    """What plain `pickle` writes for a tensor."""
    return _reduce_tensor(tensor, lambda t: t.storage())


def _reduce_tensor(tensor: Any, storage_of: Any) -> tuple:
    """(function, arguments) for a tensor; `storage_of(tensor)` is what the pickler writes as its storage."""
    kind, state = (
        type(tensor),
        {k: v for k, v in (getattr(tensor, "__dict__", None) or {}).items() if k != "grad"},
    )
    is_parameter = isinstance(tensor, Parameter)
    plain = tensor if kind is bolide.Tensor and not is_parameter else tensor.detach().as_subclass(bolide.Tensor)
    if is_parameter:
        if kind is Parameter and not state:
            return _rebuild_parameter, (plain, tensor.requires_grad, OrderedDict())
        if kind is Parameter:
            return _rebuild_parameter_with_state, (plain, tensor.requires_grad, OrderedDict(), state)
    func, args = _reduce_plain(plain, tensor.requires_grad, storage_of)
    if kind is bolide.Tensor and not state:
        return func, args
    return _rebuild_from_type_v2, (func, kind, args, state)


def _reduce_plain(t: Any, requires_grad: bool, storage_of: Any) -> tuple:
    if requires_grad and not t.is_leaf:
        t = t.detach()
    kind = str(t.layout).rsplit(".", 1)[-1]
    if kind == "sparse_coo":
        return _rebuild_sparse_tensor, (t.layout, (t._indices(), t._values(), t.size(), t.is_coalesced()))
    if kind == "sparse_csr":
        return _rebuild_sparse_tensor, (t.layout, (t.crow_indices(), t.col_indices(), t.values(), t.size()))
    size, stride = tuple(t.size()), tuple(t.stride())
    if t.device.type == "meta":
        return _rebuild_meta_tensor_no_storage, (t.dtype, size, stride, requires_grad)
    args = (storage_of(t), t.storage_offset(), size, stride, requires_grad, OrderedDict())
    if _C._storage_class_of(str(t.dtype).removeprefix("torch.")) == "torch.storage.UntypedStorage":
        return _rebuild_tensor_v3, (*args, t.dtype)
    return _rebuild_tensor_v2, args
