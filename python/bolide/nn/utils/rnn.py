"""Batches of sequences of different lengths: padded, and packed step by step.

A PackedSequence holds, for each step, the data of the sequences that are that long, the longest first:
`batch_sizes[t]` says how many. So recurrent networks compute no padding.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import bolide
from bolide import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class PackedSequence_(NamedTuple):
    """The fields of a PackedSequence."""

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


def bind(optional: Any, fn: Any) -> Any:
    """fn(optional), or None for None."""
    return None if optional is None else fn(optional)


class PackedSequence(PackedSequence_):
    """Sequences of different lengths, packed; `pack_padded_sequence` and `pack_sequence` make it.

    Attributes:
        data: the elements, step by step.
        batch_sizes: on the CPU, how many sequences each step has.
        sorted_indices: how the sequences were ordered by length; None where they came in order.
        unsorted_indices: the way back.
    """

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        return super().__new__(
            cls, *_packed_sequence_init_args(data, batch_sizes, sorted_indices, unsorted_indices)
        )

    def pin_memory(self) -> PackedSequence:
        """The same in page-locked memory."""
        return type(self)(
            self.data.pin_memory(),
            self.batch_sizes,
            bind(self.sorted_indices, lambda t: t.pin_memory()),
            bind(self.unsorted_indices, lambda t: t.pin_memory()),
        )

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """`Tensor.to` of the data; indices follow to its device."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        where = {k: v for k, v in kwargs.items() if k not in ("device", "dtype")}
        return type(self)(
            data,
            self.batch_sizes,
            bind(self.sorted_indices, lambda t: t.to(data.device, **where)),
            bind(self.unsorted_indices, lambda t: t.to(data.device, **where)),
        )

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same on a CUDA device."""
        device = bolide.tensor((), dtype=self.data.dtype, device=self.data.device).to(*args, **kwargs)
        return self.to(*args, **kwargs) if device.is_cuda else self.to(*args, device="cuda", **kwargs)

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same in the computer's own memory."""
        device = bolide.tensor((), dtype=self.data.dtype, device=self.data.device).to(*args, **kwargs)
        return (
            self.to(*args, **kwargs)
            if device.device.type == "cpu"
            else self.to(*args, device="cpu", **kwargs)
        )

    def double(self) -> PackedSequence:
        """The data as float64."""
        return self.to(dtype=bolide.double)

    def float(self) -> PackedSequence:
        """The data as float32."""
        return self.to(dtype=bolide.float)

    def half(self) -> PackedSequence:
        """The data as float16."""
        return self.to(dtype=bolide.half)

    def long(self) -> PackedSequence:
        """The data as int64."""
        return self.to(dtype=bolide.long)

    def int(self) -> PackedSequence:
        """The data as int32."""
        return self.to(dtype=bolide.int)

    def short(self) -> PackedSequence:
        """The data as int16."""
        return self.to(dtype=bolide.short)

    def char(self) -> PackedSequence:
        """The data as int8."""
        return self.to(dtype=bolide.int8)

    def byte(self) -> PackedSequence:
        """The data as uint8."""
        return self.to(dtype=bolide.uint8)

    @property
    def is_cuda(self) -> bool:
        """Whether the data lies on a CUDA device."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether the data lies in page-locked memory."""
        return self.data.is_pinned()


def _packed_sequence_init_args(
    data: Any, batch_sizes: Any = None, sorted_indices: Any = None, unsorted_indices: Any = None
) -> tuple:
    if unsorted_indices is None:
        unsorted_indices = invert_permutation(sorted_indices)
    if batch_sizes is not None:
        if batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be created "
                "manually. They should be instantiated by functions like pack_sequence and "
                "pack_padded_sequences in nn.utils.rnn. "
                "https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
            )
        return data, batch_sizes, sorted_indices, unsorted_indices
    if not (isinstance(data, (list, tuple)) and len(data) == 2):
        raise AssertionError("Expected data to be a list or tuple of length 2 when batch_sizes is None")
    return data[0], data[1], sorted_indices, unsorted_indices


def _packed_sequence_init(
    data: Any, batch_sizes: Any = None, sorted_indices: Any = None, unsorted_indices: Any = None
) -> PackedSequence:
    return PackedSequence(*_packed_sequence_init_args(data, batch_sizes, sorted_indices, unsorted_indices))


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes the given one; None for None."""
    if permutation is None:
        return None
    inverse = bolide.empty_like(permutation, memory_format=bolide.contiguous_format)
    inverse[permutation] = bolide.arange(
        permutation.numel(), device=permutation.device, dtype=permutation.dtype
    )
    return inverse


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Packs a padded batch.

    Args:
        input: (T, N, *), or (N, T, *) with `batch_first`.
        lengths: the N lengths, as a list or a tensor on the CPU.
        enforce_sorted: whether the sequences come ordered by length, the longest first; False sorts them
            here.
    """
    if not isinstance(lengths, Tensor):
        lengths = bolide.as_tensor(lengths, dtype=bolide.int64, device="cpu")
    elif lengths.device.type != "cpu":
        raise RuntimeError(
            f"'lengths' argument should be a 1D CPU int64 tensor, but got {lengths.dim()}D {lengths.device} "
            f"{_type_name(lengths)} tensor"
        )
    else:
        lengths = lengths.to(dtype=bolide.int64)
    if enforce_sorted:
        sorted_indices = None
    else:
        lengths, sorted_indices = bolide.sort(lengths, descending=True)
        sorted_indices = sorted_indices.to(input.device)
        input = input.index_select(0 if batch_first else 1, sorted_indices)
    data, batch_sizes = _pack(input, lengths, batch_first)
    return _packed_sequence_init(data, batch_sizes, sorted_indices, None)


def _type_name(t: Tensor) -> str:
    return {bolide.int64: "Long", bolide.int32: "Int", bolide.float32: "Float"}.get(t.dtype, str(t.dtype))


def _pack(input: Tensor, lengths: Tensor, batch_first: bool) -> tuple[Tensor, Tensor]:
    if lengths.dim() != 1:
        raise RuntimeError(
            f"'lengths' argument should be a 1D CPU int64 tensor, but got {lengths.dim()}D cpu Long tensor"
        )
    if input.dim() < 2 or input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    counts = lengths.tolist()
    steps, batch = (input.shape[1], input.shape[0]) if batch_first else (input.shape[0], input.shape[1])
    if len(counts) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(counts)} (batch_size={batch})"
        )
    if counts[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if any(a < b for a, b in zip(counts, counts[1:], strict=False)):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this "
            "requirement if you do not need ONNX exportability."
        )
    if counts[0] > steps:
        raise RuntimeError(
            f"Expected the longest length ({counts[0]}) to be at most the number of steps ({steps})"
        )
    if batch_first:
        input = input.transpose(0, 1)
    # runs of steps that have the same sequences are cut out at once
    pieces, sizes, start = [], [], 0
    for alive in range(batch, 0, -1):
        end = counts[alive - 1]
        if end > start:
            pieces.append(input[start:end, :alive].reshape(-1, *input.shape[2:]))
            sizes += [alive] * (end - start)
            start = end
    return bolide.cat(pieces), bolide.tensor(sizes, dtype=bolide.int64)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The padded batch of a PackedSequence, and the lengths.

    Args:
        sequence: what to unpack.
        batch_first: give (N, T, *) rather than (T, N, *).
        padding_value: what stands after the ends.
        total_length: pad to this length rather than to the longest one.
    """
    sizes = sequence.batch_sizes.tolist()
    steps, batch = len(sizes), sizes[0]
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    data, lengths, rows, offset, t = sequence.data, [0] * batch, [], 0, 0
    while t < len(sizes):
        end = t
        while end < len(sizes) and sizes[end] == sizes[t]:
            end += 1
        alive, count = sizes[t], end - t
        piece = data[offset : offset + alive * count].reshape(count, alive, *data.shape[1:])
        if alive < batch:
            missing = data.new_full((count, batch - alive, *data.shape[1:]), padding_value)
            piece = bolide.cat([piece, missing], 1)
        rows.append(piece)
        for i in range(alive):
            lengths[i] = end
        offset += alive * count
        t = end
    if steps > len(sizes):
        rows.append(data.new_full((steps - len(sizes), batch, *data.shape[1:]), padding_value))
    padded = bolide.cat(rows) if len(rows) > 1 else rows[0]
    if batch_first:
        padded = padded.transpose(0, 1)
    lengths = bolide.tensor(lengths, dtype=bolide.int64)
    unsorted = sequence.unsorted_indices
    if unsorted is not None:
        return padded.index_select(0 if batch_first else 1, unsorted), lengths[unsorted.cpu()]
    return padded, lengths


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """One tensor (T, N, *), or (N, T, *) with `batch_first`, of N tensors (length, *).

    Args:
        sequences: the tensors.
        batch_first: which of both forms.
        padding_value: what fills up shorter ones.
        padding_side: 'right' or 'left'.
    """
    if isinstance(sequences, Tensor):
        sequences = sequences.unbind(0)
    elif not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    sequences = tuple(sequences)
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    if not sequences:
        raise RuntimeError("Expected a non-empty list of tensors")
    longest = max(s.shape[0] for s in sequences)
    trailing = sequences[0].shape[1:]
    rows = []
    for s in sequences:
        if s.shape[1:] != trailing:
            raise RuntimeError(
                "pad_sequence: the sequences' sizes must agree after the first dimension, but got "
                f"{list(sequences[0].shape)} and {list(s.shape)}"
            )
        if s.shape[0] < longest:
            filler = s.new_full((longest - s.shape[0], *trailing), padding_value)
            s = bolide.cat([filler, s] if padding_side == "left" else [s, filler])
        rows.append(s)
    return bolide.stack(rows, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded batch, cut at their lengths."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [row[: int(length)] for row, length in zip(padded_sequences, lengths, strict=True)]


def pack_sequence(sequences: Any, enforce_sorted: bool = True) -> PackedSequence:
    """Packs tensors (length, *); `enforce_sorted=False` takes them in any order of length."""
    lengths = bolide.as_tensor([s.size(0) for s in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The tensors that were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
