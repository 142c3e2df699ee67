"""Options of ``bolide.save`` and ``bolide.load`` that stay set."""

from mmap import MAP_PRIVATE

__all__ = ["load", "save"]


class _Load:
    """mmap: whether ``load`` maps files; endianness: the byte order of files that do not say theirs; mmap_flags: how to map.

    calculate_storage_offsets is accepted: offsets are read from the file either way.
    """

    mmap = False
    endianness = None
    mmap_flags = MAP_PRIVATE
    calculate_storage_offsets = False


class _Save:
    """compute_crc32: whether to write checksums; storage_alignment: of records, in bytes; use_pinned_memory_for_d2h is
    accepted and changes nothing on the CPU."""

    compute_crc32 = True
    use_pinned_memory_for_d2h = False
    storage_alignment = 64


load, save = _Load(), _Save()
