"""Collation: from a list of samples to one batch.

Map: functions by type | collate (general, with a table) | default_collate (the same, with a short way for usual samples) |
default_convert.
"""

import collections.abc
import contextlib
import copy
import re
import sys

import bolide
from bolide import _C

__all__ = ["collate", "default_collate", "default_convert"]

np_str_obj_array_pattern = re.compile(r"[SaUO]")
default_collate_err_msg_format = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"


_TRANSPORT = "bolide.utils.data._utils.transport"


def _numpy():
    """NumPy if the program has loaded it: without it there are no arrays to collate."""
    return sys.modules.get("numpy")


# ---- functions by type ---------------------------------------------------------------------------------------------


def _stack(batch):
    """Plain rows of one size stacked, in a worker into memory that the loader sees too; None for other batches."""
    worker = sys.modules.get(_TRANSPORT)
    if worker is not None and worker.blocks is not None:
        size = _C._batch_bytes(batch)
        if size >= worker.INLINE_BYTES:
            return _C._stack_rows(batch, worker.blocks.take(size))
    return _C._stack_rows(batch)


def collate_tensor_fn(batch, *, collate_fn_map=None):
    """Tensors of one size: stacked along a new first dimension."""
    out = _stack(batch)
    return bolide.stack(batch, 0) if out is None else out


def collate_float_fn(batch, *, collate_fn_map=None):
    """Numbers: a float64 tensor."""
    return bolide.tensor(batch, dtype=bolide.float64)


def collate_int_fn(batch, *, collate_fn_map=None):
    """Integers (or bools): a tensor of the dtype that goes with them."""
    return bolide.tensor(batch)


def collate_str_fn(batch, *, collate_fn_map=None):
    """Strings stay as they are."""
    return batch


def collate_numpy_array_fn(batch, *, collate_fn_map=None):
    """NumPy arrays: stacked as tensors. Throws TypeError for arrays of strings or objects."""
    if batch[0].dtype.kind in "SUO":
        raise TypeError(default_collate_err_msg_format.format(batch[0].dtype))
    out = _stack(batch)
    if out is not None:
        return out
    return collate([bolide.as_tensor(b) for b in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch, *, collate_fn_map=None):
    """NumPy numbers: a tensor of their dtype."""
    return bolide.as_tensor(_numpy().asarray(batch))


default_collate_fn_map = {bolide.Tensor: collate_tensor_fn, float: collate_float_fn, int: collate_int_fn, str: collate_str_fn,
                          bytes: collate_str_fn}
_initial_map = dict(default_collate_fn_map)


# ---- collate -------------------------------------------------------------------------------------------------------


def _with_numpy(table):
    """The table with NumPy's types, when NumPy is there and the table is the default one."""
    np = _numpy()
    if np is None or np.ndarray in table:
        return table
    extra = {np.ndarray: collate_numpy_array_fn, (np.bool_, np.number, np.object_): collate_numpy_scalar_fn}
    first = {bolide.Tensor: table[bolide.Tensor]} if bolide.Tensor in table else {}
    return {**first, **extra, **table}  # before float: a np.float64 is a float too


def collate(batch, *, collate_fn_map=None):
    """Collates samples by the type of the first: by ``collate_fn_map`` (type or tuple of types to function), or, for dicts,
    named tuples, tuples and sequences, field by field.

    Throws TypeError for other types and RuntimeError for sequences of different lengths.
    """
    elem = batch[0]
    elem_type = type(elem)
    if collate_fn_map is not None:
        if elem_type in collate_fn_map:
            return collate_fn_map[elem_type](batch, collate_fn_map=collate_fn_map)
        for types, function in collate_fn_map.items():
            if isinstance(elem, types):
                return function(batch, collate_fn_map=collate_fn_map)
    if isinstance(elem, collections.abc.Mapping):
        return _collate_mapping(batch, elem, collate_fn_map)
    if isinstance(elem, tuple) and hasattr(elem, "_fields"):
        return elem_type(*(collate(samples, collate_fn_map=collate_fn_map) for samples in zip(*batch)))
    if isinstance(elem, collections.abc.Sequence):
        return _collate_sequence(batch, elem, collate_fn_map)
    raise TypeError(default_collate_err_msg_format.format(elem_type))


def _collate_mapping(batch, elem, table):
    fields = {key: collate([d[key] for d in batch], collate_fn_map=table) for key in elem}
    with contextlib.suppress(TypeError):  # classes that cannot be made or filled this way become plain dicts
        if isinstance(elem, collections.abc.MutableMapping):
            clone = copy.copy(elem)
            clone.update(fields)
            return clone
        return type(elem)(fields)
    return fields


def _collate_sequence(batch, elem, table):
    size = len(elem)
    if not all(len(e) == size for e in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    columns = [collate(samples, collate_fn_map=table) for samples in zip(*batch)]
    if isinstance(elem, tuple):
        return columns
    with contextlib.suppress(TypeError):
        if isinstance(elem, collections.abc.MutableSequence):
            clone = copy.copy(elem)
            for i, column in enumerate(columns):
                clone[i] = column
            return clone
        return type(elem)(columns)
    return columns


# ---- default_collate -----------------------------------------------------------------------------------------------


def _quick_rows(batch):
    size = len(batch[0])
    for row in batch:
        if len(row) != size:
            raise RuntimeError("each element in list of batch should be of equal size")
    return [_quick(column) for column in zip(*batch)]


def _quick_dicts(batch):
    return {key: _quick([d[key] for d in batch]) for key in batch[0]}


_QUICK = {bolide.Tensor: collate_tensor_fn, float: collate_float_fn, int: bolide.tensor, bool: bolide.tensor, str: collate_str_fn,
          bytes: collate_str_fn, tuple: _quick_rows, list: _quick_rows, dict: _quick_dicts}


def _quick(batch):
    """Collates usual samples with one look at the first one's type."""
    function = _QUICK.get(type(batch[0]))
    if function is not None:
        return function(batch)
    return collate(batch, collate_fn_map=_with_numpy(default_collate_fn_map))


def default_collate(batch):
    """One batch of a list of samples: tensors are stacked, numbers become tensors, dicts and sequences are taken field by
    field (tuples give lists), strings stay. Throws TypeError for anything else."""
    if default_collate_fn_map == _initial_map:
        return _quick(batch)
    return collate(batch, collate_fn_map=_with_numpy(default_collate_fn_map))


# ---- default_convert -----------------------------------------------------------------------------------------------


def default_convert(data):
    """One sample with its NumPy arrays as tensors; the rest as it is (tuples become lists)."""
    kind = type(data)
    if isinstance(data, bolide.Tensor):
        return data
    np = _numpy()
    if np is not None and isinstance(data, (np.ndarray, np.generic)):
        if isinstance(data, np.ndarray) and data.dtype.kind in "SUO":
            return data
        return bolide.as_tensor(data)
    if isinstance(data, collections.abc.Mapping):
        fields = {key: default_convert(data[key]) for key in data}
        with contextlib.suppress(TypeError):
            if isinstance(data, collections.abc.MutableMapping):
                clone = copy.copy(data)
                clone.update(fields)
                return clone
            return kind(fields)
        return fields
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return kind(*(default_convert(d) for d in data))
    if isinstance(data, tuple):
        return [default_convert(d) for d in data]
    if isinstance(data, collections.abc.Sequence) and not isinstance(data, (str, bytes)):
        items = [default_convert(d) for d in data]
        with contextlib.suppress(TypeError):
            if isinstance(data, collections.abc.MutableSequence):
                clone = copy.copy(data)
                clone[:] = items
                return clone
            return kind(items)
        return items
    return data
