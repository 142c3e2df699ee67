// Shared memory: storages that several processes map. Anonymous memory travels as a file descriptor, named memory
// as a name; leases let the maker use a block again when the other side has dropped it.
#pragma once
#include <string>

#include "bolide/storage.h"

namespace bolide::io {

/// What a shared storage stands on.
struct SharedBlock;

/// A storage of `bytes` in memory of its own that others can map: anonymous (a descriptor, no room in /dev/shm
/// needed), or under a name that open_shared() takes. Throws FileError when the system has no room.
Ref<Storage> make_shared(size_t bytes, bool named);
/// Moves the contents of a storage into shared memory, in place: all tensors on it follow.
/// Does nothing when they are there. Throws for memory that is not Bolide's own.
void share(Storage& storage, bool named);

/// Maps what another process made. attach_shared() takes over `descriptor`; `keep` says whether it stays open,
/// so that this process can hand the memory on.
Ref<Storage> attach_shared(int descriptor, size_t bytes, bool keep);
Ref<Storage> open_shared(const std::string& name, size_t bytes);

/// Whether a storage is shared; its descriptor (-1: none) and name (empty: none).
bool is_shared(const Storage& storage);
int shared_descriptor(const Storage& storage);
const std::string& shared_name(const Storage& storage);
/// Counts a user that will open_shared() the name: the file lives until all users are gone.
void expect_user(const Storage& storage);

/// Leases. The maker counts a block as lent for each time it sends it away; at the other side the end of lease(), a
/// storage on the first `bytes` of the same memory, counts down. A block that nobody holds can be used again. A process
/// that forks while it holds a lease keeps the block for good, as the child sees it too.
void lend(const Storage& storage, int change);
uint32_t times_lent(const Storage& storage);
Ref<Storage> lease(const Ref<Storage>& storage, size_t bytes);

}  // namespace bolide::io
