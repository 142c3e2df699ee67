// Map: the CPU allocator | errors and limits | statistics
//
// All tensor memory on the CPU comes from here. Freed blocks are kept and handed out again, because a fresh
// large block costs several times the work done on it in page faults. Blocks up to 4 KB are kept per thread,
// larger ones in lists shared by all threads, blocks of 2 MB and more come from the system in huge pages. The
// kept bytes are bounded; they go back to the system when an allocation fails, when memory grows short, and
// on empty_cache().
#pragma once

#include <cstddef>
#include <cstdint>

namespace bolide {

// A block of at least `bytes` bytes, aligned to 64, contents undefined; nullptr for 0 bytes. Throws
// OutOfMemoryError when the system has no more.
void* allocate(size_t bytes);

// Gives a block back; `bytes` is what allocate() was asked for. Any thread may do so. nullptr is ignored.
void deallocate(void* block, size_t bytes) noexcept;

// Returns all kept blocks to the system, but for those small blocks that other threads keep for themselves.
void empty_cache();

// Bounds the bytes kept in shared lists. Initially BOLIDE_CPU_CACHE_MB, else half the memory this process may
// use.
void set_cache_limit(size_t bytes);
size_t cache_limit();

// What a request of `bytes` really takes: at most 63 bytes or an eighth more.
size_t allocation_size(size_t bytes);

struct AllocatorStats {
  int64_t allocated_bytes;   // in use now, in rounded sizes
  // The most in use since the start or reset_peak_stats(); small blocks count in batches.
  int64_t peak_bytes;
  int64_t cached_bytes;      // kept for reuse
  int64_t allocations;       // calls of allocate() so far
  int64_t deallocations;     // calls of deallocate() so far
  int64_t system_requests;   // blocks and regions asked of the system so far
};
AllocatorStats allocator_stats();
void reset_peak_stats();

}  // namespace bolide
