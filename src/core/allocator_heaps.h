// Map: size classes | poisoning | SmallHeap: slabs and shared lists | LargeHeap
//
// What lies behind the per-thread lists of allocator.cpp: the blocks that all threads share.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace bolide::detail {

constexpr size_t kAlignment = 64;
constexpr size_t kSmallest = 64, kLargestSmall = 4096;
constexpr size_t kMapped = size_t(2) << 20;  // from here on blocks are mapped, in huge pages
constexpr size_t kHugePage = size_t(2) << 20;
constexpr size_t kSmallClasses = kLargestSmall / kSmallest;
constexpr size_t kLargest = size_t(1) << 47;

// ---- size classes ----------------------------------------------------------------------------

inline size_t small_class(size_t bytes) { return (bytes - 1) / kSmallest; }
inline size_t small_size(size_t index) { return (index + 1) * kSmallest; }

// Eight steps per doubling: at most an eighth is wasted.
constexpr int kStepBits = 3;
inline size_t large_size(size_t bytes) {
  const int top = 63 - __builtin_clzll(bytes);
  const size_t step = size_t(1) << (top - kStepBits);
  return (bytes + step - 1) & ~(step - 1);
}

// The class of a size that large_size() returned.
inline size_t large_class(size_t size) {
  const int top = 63 - __builtin_clzll(size);
  const size_t step = (size >> (top - kStepBits)) & ((1u << kStepBits) - 1);
  return (size_t(top - 12) << kStepBits) + step;
}
constexpr size_t kLargeClasses = size_t(47 - 12 + 1) << kStepBits;

// ---- poisoning: kept blocks are out of bounds for the address sanitizer, but for the link ------

struct Link {
  Link* next;
};

inline void hide(void* block, size_t size) {
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(block) + sizeof(Link), size - sizeof(Link));
}
inline void show(void* block, size_t size) { ASAN_UNPOISON_MEMORY_REGION(block, size); }

// Memory this process may use: the machine's, or a cgroup's when that is less.
size_t usable_memory();
size_t initial_cache_limit();

// Blocks and regions asked of the system so far.
extern std::atomic<int64_t> system_requests;

// ---- small blocks: slabs of one class, cut from larger regions, and the lists all threads share -----

class SmallHeap {
 public:
  // Takes up to `want` blocks of a class as a chain; at least one, or an empty chain without memory.
  size_t take(size_t index, size_t want, Link** chain);
  void give(size_t index, Link* first, Link* last, size_t count);
  void release_unused();
  int64_t cached_bytes();
  std::mutex& mutex() { return mutex_; }

 private:
  static constexpr size_t kSlab = 64 << 10;
  static constexpr size_t kRegion = size_t(1) << 20;

  struct alignas(kAlignment) Slab {  // at the head of its 64 KB
    size_t capacity;
    size_t unused;  // counted only while release_unused() runs
  };
  static Slab* slab_of(void* block) {
    return reinterpret_cast<Slab*>(reinterpret_cast<uintptr_t>(block) & ~(uintptr_t(kSlab) - 1));
  }
  bool add_slab(size_t index);
  void release_class(size_t index);

  std::mutex mutex_;
  std::array<Link*, kSmallClasses> lists_{};
  std::array<size_t, kSmallClasses> counts_{};
  std::vector<void*> free_slabs_;  // their pages are back with the system, or were never touched
};

// ---- large blocks ----------------------------------------------------------------------------

class LargeHeap {
 public:
  void* take(size_t size);  // nullptr without memory
  void give(void* block, size_t size);
  void release_all() { shrink_to(0); }
  void set_limit(size_t bytes);
  size_t limit() const { return limit_.load(std::memory_order_relaxed); }
  int64_t cached_bytes() const { return cached_.load(std::memory_order_relaxed); }
  std::mutex& mutex() { return mutex_; }

 private:
  struct List {
    Link* head = nullptr;
    size_t size = 0;
    uint64_t last_use = 0;
  };
  static void* from_system(size_t size);
  static void to_system(void* block, size_t size);
  void shrink_to(size_t bytes);
  void make_room(size_t size);
  Link* evict(size_t bytes);
  static void release(Link* chain);

  struct Evicted {  // written over the head of a block that is on its way out
    Link link;
    size_t size;
  };

  std::mutex mutex_;
  std::array<List, kLargeClasses> lists_{};
  uint64_t clock_ = 0;
  std::atomic<int64_t> cached_{0};
  std::atomic<int64_t> held_{0};  // from the system, in use or kept
  const size_t usable_ = usable_memory();
  std::atomic<size_t> limit_{initial_cache_limit()};
};

}  // namespace bolide::detail
