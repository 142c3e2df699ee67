// The caching allocator of device memory.
//
// Memory comes from the driver in segments (2 MB for small blocks, 20 MB or more for large ones), is cut into blocks and
// kept when freed. A free block belongs to the stream it was allocated on: reuse on that stream needs no waiting. A block
// used on another stream (record_stream) returns only when that stream has passed. While a CUDA graph is captured, blocks
// come from a pool of the graph's own, so that replays find their addresses untouched.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "cuda/stream.h"

namespace bolide::cuda {

/// Device memory on the current stream of `device`; null for 0 bytes. Throws OutOfMemoryError, which lists the largest
/// live blocks, after retrying with the cache emptied.
void* allocate(size_t bytes, int device);
void release(void* p, int device) noexcept;
/// The block is also used by work on `s` from now on.
void record_stream(void* p, Stream s);

/// Gives segments without live blocks back to the driver.
void empty_cache();
/// At most this share (0, 1] of the device's memory may be reserved.
void set_memory_fraction(double fraction, int device);

struct MemoryStats {
  int64_t allocated = 0, peak_allocated = 0;  // bytes in live blocks, as rounded
  int64_t reserved = 0, peak_reserved = 0;    // bytes in segments
  int64_t allocations = 0, frees = 0, segments = 0, driver_allocations = 0, driver_frees = 0, retries = 0, ooms = 0;
  int64_t total_allocated = 0, total_freed = 0, live_blocks = 0, peak_live_blocks = 0, inactive_split = 0;
};
MemoryStats memory_stats(int device);
void reset_peak_stats(int device);
/// Free and total bytes of the device, as the driver sees them.
void memory_info(int device, size_t& free, size_t& total);
/// A table of the largest live blocks, for people.
std::string largest_blocks(int device, int count);

/// Allocations of this thread on `device` come from pool `id` until the end; blocks already handed out stay valid until
/// the pool is dropped.
void begin_pool(int device, uint64_t id);
void end_pool(int device);
void drop_pool(uint64_t id);
uint64_t new_pool();

/// Page-locked host memory, which copies run through without staging. Cached by size; freed blocks wait for the copies
/// that were recorded on them.
void* allocate_host(size_t bytes);
void release_host(void* p) noexcept;
bool is_pinned(const void* p);
/// `p` (inside pinned memory) is read or written by work on `s`.
void record_host(const void* p, Stream s);

}  // namespace bolide::cuda
