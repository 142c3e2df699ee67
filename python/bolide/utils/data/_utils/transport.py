"""How batches travel from a worker process: one stream socket, and blocks of shared memory for large tensors.

A message is a pickle with the bytes of small tensors and arrays behind it. A large tensor lies in a block of anonymous
shared memory that both sides map once; only its number travels. When the last tensor on a block dies in the receiver,
the worker uses the block again, so a running loader neither allocates nor takes page faults. No room in /dev/shm and no
open descriptors are needed.

Map: frames (a socket that carries objects and descriptors) | the worker's blocks | packing | unpacking.
"""

import io
import pickle
import socket
import struct
import sys
import threading
from multiprocessing.reduction import ForkingPickler

import bolide
from bolide import _C

__all__ = []

_HEADER = struct.Struct("<IIIQ")  # payloads, fresh blocks (their descriptors come along), dropped blocks, bytes of pickle
_MOST_DESCRIPTORS = 200  # a message of a socket carries at most 253
_ANCILLARY = socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS)
INLINE_BYTES = 16384  # tensors from this size on go through shared memory


class Closed(Exception):
    """The other side is gone."""


# ---- frames --------------------------------------------------------------------------------------------------------


def send_all(sock, parts):
    """Writes buffers one after the other; blocks. Throws Closed."""
    try:
        parts = [memoryview(p).cast("B") for p in parts]
        while parts:
            sent = sock.sendmsg(parts[:64])
            while parts and sent >= len(parts[0]):
                sent -= len(parts.pop(0))
            if sent:
                parts[0] = parts[0][sent:]
    except (BrokenPipeError, ConnectionResetError):
        raise Closed from None


class Reader:
    """Reads frames. With ``wait`` no read blocks: ``wait()`` is called until there is something, and may throw."""

    def __init__(self, sock, wait=None):
        self.sock, self.wait, self.descriptors = sock, wait, []
        self.flags = socket.MSG_DONTWAIT if wait else 0

    def attempt(self, read, *args):
        while True:
            try:
                return read(*args, self.flags)
            except BlockingIOError:
                self.wait()
            except ConnectionResetError:
                raise Closed from None

    def header(self):
        """The next header; descriptors that come with it are added to ``descriptors``."""
        data = b""
        while len(data) < _HEADER.size:
            part, extra, _, _ = self.attempt(self.sock.recvmsg, _HEADER.size - len(data), _ANCILLARY)
            for level, kind, bits in extra:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    self.descriptors += struct.unpack(f"{len(bits) // 4}i", bits[:len(bits) // 4 * 4])
            if not part:
                raise Closed
            data += part
        return _HEADER.unpack(data)

    def fill(self, buffer):
        """Reads as many bytes as the buffer has."""
        view = memoryview(buffer).cast("B")
        while len(view):
            n = self.attempt(self.sock.recv_into, view, 0)
            if n == 0:
                raise Closed
            view = view[n:]

    def bytes(self, size):
        data = bytearray(size)
        self.fill(data)
        return data


def frame(data):
    """A message that is a pickle alone."""
    return _HEADER.pack(0, 0, 0, len(data)) + data


# ---- the worker's blocks -------------------------------------------------------------------------------------------


class Blocks:
    """Blocks of shared memory of one worker. One is free when no tensor stands on it, here or in the receiver."""

    MOST = 64  # of the rest only the receiver's tensors know

    def __init__(self):
        self.blocks = {}  # number -> bytes
        self.by_storage = {}  # id of a block's storage -> number
        self.unsent = []  # numbers whose descriptors the receiver lacks
        self.dropped = []  # numbers that the receiver may forget
        self.next = 0

    def take(self, size):
        """A free block of at least ``size`` bytes."""
        best, waste = None, size + 65536
        for block in self.blocks.values():
            more = block.numel() - size
            if 0 <= more <= waste and _C._shared_unused(block):
                best, waste = block, more
        return best if best is not None else self.make(size)

    def make(self, size):
        while len(self.blocks) >= self.MOST:
            self.drop(next(iter(self.blocks)))
        block = _C._shared_new(-(-(size + 64) // 4096) * 4096 - 64, False)  # whole pages with the control block
        self.blocks[self.next] = block
        self.by_storage[_C._storage_id(block)] = self.next
        self.unsent.append(self.next)
        self.next += 1
        return block

    def drop(self, number):
        del self.by_storage[_C._storage_id(self.blocks.pop(number))]
        if number in self.unsent:
            self.unsent.remove(number)
        else:
            self.dropped.append(number)


blocks = None  # of this process, when it is a worker


# ---- packing -------------------------------------------------------------------------------------------------------


class _Payloads:
    """Bytes that follow the pickle. Apart from the pickler: a cycle would keep batches alive, and their blocks lent."""

    def __init__(self):
        self.parts, self.sizes = [], []

    def add_buffer(self, view):
        raw = view.raw()
        self.parts.append(raw)
        self.sizes.append(-1 - raw.nbytes)

    def add_tensor(self, data, size):
        self.parts.append(data)
        self.sizes.append(size)
        return len(self.sizes) - 1


class _Packer(pickle.Pickler):
    """Pickles an object; tensors and large buffers are set aside."""

    dispatch_table = ForkingPickler(io.BytesIO()).dispatch_table

    def __init__(self, file, blocks):
        self.payloads = _Payloads()
        super().__init__(file, 5, buffer_callback=self.payloads.add_buffer)
        self.blocks, self.lent = blocks, []
        self.seen = {}  # id of a storage -> (number, first byte, one past the last) of what was copied to a block

    def reducer_override(self, obj):
        return self.tensor(obj) if isinstance(obj, bolide.Tensor) else NotImplemented

    def tensor(self, t):
        if t.requires_grad and not t.is_leaf:
            raise RuntimeError("Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not "
                               "support crossing process boundaries.  If you just want to transfer the data, call detach() "
                               "on the tensor before serializing (e.g., putting it on the queue).")
        parameter = type(t) is getattr(sys.modules.get("bolide.nn.parameter"), "Parameter", None)
        if not (parameter or type(t) is bolide.Tensor) or t.device.type != "cpu" or t.layout is not bolide.strided \
                or t.__dict__:
            return NotImplemented
        return _rebuild, (*self.place(t), t.dtype, tuple(t.shape), t.stride(), t.requires_grad, parameter)

    def place(self, t):
        """(number of a block or None, its bytes in use, offset in elements or position of the payload)."""
        key, first, span, size = _C._extent(t)
        number = self.blocks.by_storage.get(key)
        if number is not None:
            self.lend(number, first + span)
            return number, first + span, first // size
        if key in self.seen:  # another view of what stands in a block already
            number, start, end = self.seen[key]
            if (first - start) % size == 0 and start <= first and first + span <= end:
                return number, end - start, (first - start) // size
        data = _C._storage_view(t, bolide.uint8, first, (span,), (1,), "a batch")
        if span < INLINE_BYTES:
            return None, 0, self.payloads.add_tensor(_C._buffer_view(data), span)
        block = self.blocks.take(span)
        block[:span].copy_(data)
        number = self.blocks.by_storage[_C._storage_id(block)]
        self.lend(number, span)
        self.seen[key] = number, first, first + span
        return number, span, 0

    def lend(self, number, used):
        """Counts one storage in the receiver: the first ``used`` bytes of a block."""
        if (number, used) not in self.lent:
            self.lent.append((number, used))
            _C._shared_lend(self.blocks.blocks[number], 1)

    def take_back(self):
        for number, _ in self.lent:
            _C._shared_lend(self.blocks.blocks[number], -1)


def send(sock, obj, blocks):
    """Sends an object with its tensors. Throws what pickling throws, before anything is sent; Closed."""
    file = io.BytesIO()
    packer = _Packer(file, blocks)
    try:
        packer.dump(obj)
    except BaseException:
        packer.take_back()
        raise
    fresh, dropped = blocks.unsent, blocks.dropped
    descriptors = [_C._shared_info(blocks.blocks[n])[0] for n in fresh]
    table = [*packer.payloads.sizes, *(x for n in fresh for x in (n, blocks.blocks[n].numel())), *dropped]
    blocks.unsent, blocks.dropped = [], []
    data = file.getbuffer()
    header = _HEADER.pack(len(packer.payloads.sizes), len(fresh), len(dropped), len(data))
    try:
        while len(descriptors) > _MOST_DESCRIPTORS:  # a header without a pickle only brings descriptors
            socket.send_fds(sock, [_HEADER.pack(0, 0, 0, 0)], descriptors[:_MOST_DESCRIPTORS])
            del descriptors[:_MOST_DESCRIPTORS]
        if descriptors:
            socket.send_fds(sock, [header], descriptors)
            header = b""
    except (BrokenPipeError, ConnectionResetError):
        raise Closed from None
    parts = (header, struct.pack(f"<{len(table)}q", *table), data, *packer.payloads.parts)
    send_all(sock, [p for p in parts if len(memoryview(p))])


# ---- unpacking -----------------------------------------------------------------------------------------------------


class _Receiving(threading.local):
    receiver = None


_receiving = _Receiving()


def _rebuild(*args):
    return _receiving.receiver.rebuild(*args)


class Receiver:
    """Reads the messages of one worker and keeps its blocks mapped."""

    def __init__(self, sock, wait):
        self.reader, self.blocks, self.payloads = Reader(sock, wait), {}, ()

    def receive(self):
        """The next object. Throws Closed, and what ``wait`` and unpickling throw."""
        payloads, fresh, dropped, size = self.reader.header()
        while size == 0:
            payloads, fresh, dropped, size = self.reader.header()
        count = payloads + 2 * fresh + dropped
        data = self.reader.bytes(8 * count + size)
        table = struct.unpack_from(f"<{count}q", data)
        self.note_blocks(table[payloads:payloads + 2 * fresh], table[payloads + 2 * fresh:])
        self.payloads = [self.payload(n) for n in table[:payloads]]
        self.leases = {}  # (block, bytes) -> storage, for all tensors of the message on it
        buffers = iter([p for p in self.payloads if type(p) is bytearray])
        before, _receiving.receiver = _receiving.receiver, self
        try:
            return pickle.loads(memoryview(data)[8 * count:], buffers=buffers)
        finally:
            _receiving.receiver, self.payloads, self.leases = before, (), None

    def note_blocks(self, fresh, dropped):
        for number in dropped:
            del self.blocks[number]
        for number, size in zip(fresh[::2], fresh[1::2]):
            self.blocks[number] = _C._shared_attach(self.reader.descriptors.pop(0), size, False)

    def payload(self, size):
        if size < 0:
            return self.reader.bytes(-1 - size)
        t = bolide.empty(size, dtype=bolide.uint8)
        if size:
            self.reader.fill(_C._buffer_view(t))
        return t

    def rebuild(self, block, used, at, dtype, sizes, strides, requires_grad, parameter):
        if block is None:
            data, at = self.payloads[at], 0
        else:
            data = self.leases.get((block, used))
            if data is None:
                data = self.leases[block, used] = _C._shared_lease(self.blocks[block], used)
        t = _C._storage_view(data, dtype, at, sizes, strides, "a batch")
        if parameter:
            return bolide.nn.Parameter(t, requires_grad)
        return t.requires_grad_() if requires_grad else t
