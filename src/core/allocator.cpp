// Map: the process-wide part | per-thread lists | fork | the public functions
//
// Locks: `SmallHeap::mutex_`, `LargeHeap::mutex_` and the list of thread caches; none is held while another
// is taken, but for fork, which takes all three in that order.
#include "core/allocator.h"

#include <cstdlib>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <new>
#include <vector>

#include "bolide/error.h"
#include "core/allocator_heaps.h"

namespace bolide {

namespace {

using namespace detail;

// ---- the process-wide part -------------------------------------------------------------------

class ThreadCache;

struct Global {
  SmallHeap small;
  LargeHeap large;
  std::mutex threads_mutex;
  std::vector<ThreadCache*> threads;
  std::atomic<int64_t> allocated{0}, peak{0}, allocations{0}, deallocations{0};
  pthread_key_t key;

  Global();

  void add_allocated(int64_t bytes) {
    const int64_t now = allocated.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    int64_t seen = peak.load(std::memory_order_relaxed);
    while (now > seen && !peak.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {}
  }
};

// Never destroyed: tensors of static storage may be freed after everything else.
Global& global() {
  static Global* const instance = new Global;
  return *instance;
}

// ---- per-thread lists ------------------------------------------------------------------------

// A counter that its thread writes and statistics read.
class OwnCounter {
 public:
  void add(int64_t amount) { value_.store(get() + amount, std::memory_order_relaxed); }
  int64_t get() const { return value_.load(std::memory_order_relaxed); }
  int64_t reset() {
    const int64_t before = get();
    value_.store(0, std::memory_order_relaxed);
    return before;
  }

 private:
  std::atomic<int64_t> value_{0};
};

class ThreadCache {
 public:
  void* allocate(size_t bytes) {
    const size_t index = small_class(bytes), size = small_size(index);
    List& list = lists_[index];
    Link* block = list.head;
    if (block == nullptr) [[unlikely]] {
      block = refill(index);
      if (block == nullptr) return nullptr;
    }
    list.head = block->next;
    list.count.add(-1);
    show(block, size);
    allocations.add(1);
    allocated.add(int64_t(size));
    return block;
  }

  void deallocate(void* memory, size_t bytes) {
    const size_t index = small_class(bytes), size = small_size(index);
    List& list = lists_[index];
    list.head = new (memory) Link{list.head};
    hide(memory, size);
    deallocations.add(1);
    allocated.add(-int64_t(size));
    list.count.add(1);
    if (size_t(list.count.get()) > most(index)) [[unlikely]] spill(index);
  }

  void flush() {
    for (size_t index = 0; index < kSmallClasses; ++index) give_back(index,
        size_t(lists_[index].count.get()));
    publish();
  }

  // Hands the thread's counts to the process-wide ones.
  void publish() {
    Global& g = global();
    g.add_allocated(allocated.reset());
    g.allocations.fetch_add(allocations.reset(), std::memory_order_relaxed);
    g.deallocations.fetch_add(deallocations.reset(), std::memory_order_relaxed);
  }

  OwnCounter allocated, allocations, deallocations;

  int64_t cached_bytes() const {
    int64_t bytes = 0;
    for (size_t index = 0; index < kSmallClasses; ++index) {
      bytes += lists_[index].count.get() * int64_t(small_size(index));
    }
    return bytes;
  }

 private:
  struct List {
    Link* head = nullptr;
    OwnCounter count;
  };
  static size_t batch(size_t index) { return std::clamp<size_t>((16 << 10) / small_size(index), 4, 64); }
  static size_t most(size_t index) { return 4 * batch(index); }

  [[gnu::noinline]] Link* refill(size_t index) {
    Link* chain = nullptr;
    const size_t count = global().small.take(index, batch(index), &chain);
    lists_[index].head = chain;
    lists_[index].count.add(int64_t(count));
    publish();
    return chain;
  }

  [[gnu::noinline]] void spill(size_t index) {
    give_back(index, most(index) / 2);
    publish();
  }

  void give_back(size_t index, size_t count) {
    List& list = lists_[index];
    if (count == 0 || list.head == nullptr) return;
    Link *first = list.head, *last = first;
    for (size_t i = 1; i < count; ++i) last = last->next;
    list.head = last->next;
    list.count.add(-int64_t(count));
    global().small.give(index, first, last, count);
  }

  std::array<List, kSmallClasses> lists_{};
};

constinit thread_local ThreadCache* own_cache __attribute__((tls_model("initial-exec"))) = nullptr;

// Runs when a thread ends, after its thread_local objects are gone. A later call makes a new cache, which the
// system hands to this function again.
void retire(void* argument) {
  auto* cache = static_cast<ThreadCache*>(argument);
  Global& g = global();
  cache->flush();
  {
    const std::lock_guard lock(g.threads_mutex);
    g.threads.erase(std::find(g.threads.begin(), g.threads.end(), cache));
  }
  if (own_cache == cache) own_cache = nullptr;
  delete cache;
}

[[gnu::noinline]] ThreadCache& make_cache() {
  Global& g = global();
  auto* cache = new ThreadCache;
  {
    const std::lock_guard lock(g.threads_mutex);
    g.threads.push_back(cache);
  }
  pthread_setspecific(g.key, cache);
  own_cache = cache;
  return *cache;
}

ThreadCache& thread_cache() { return own_cache != nullptr ? *own_cache : make_cache(); }

// ---- fork: a child must find every lock free ---------------------------------------------------

void lock_all() {
  global().small.mutex().lock();
  global().large.mutex().lock();
  global().threads_mutex.lock();
}
void unlock_all() {
  global().threads_mutex.unlock();
  global().large.mutex().unlock();
  global().small.mutex().unlock();
}

Global::Global() {
  pthread_key_create(&key, retire);
  pthread_atfork(lock_all, unlock_all, unlock_all);
}

[[noreturn, gnu::cold, gnu::noinline]] void out_of_memory(size_t bytes) {
  fail<OutOfMemoryError>("DefaultCPUAllocator: can't allocate memory: you tried to allocate ", bytes,
      " bytes.");
}

[[gnu::noinline]] void* allocate_large(size_t bytes) {
  if (bytes > kLargest) out_of_memory(bytes);
  const size_t size = large_size(bytes);
  Global& g = global();
  void* block = g.large.take(size);
  if (block == nullptr) {
    empty_cache();
    block = g.large.take(size);
    if (block == nullptr) out_of_memory(bytes);
  }
  g.add_allocated(int64_t(size));
  g.allocations.fetch_add(1, std::memory_order_relaxed);
  return block;
}

[[gnu::noinline]] void deallocate_large(void* block, size_t bytes) {
  const size_t size = large_size(bytes);
  Global& g = global();
  g.add_allocated(-int64_t(size));
  g.deallocations.fetch_add(1, std::memory_order_relaxed);
  g.large.give(block, size);
}

}  // namespace

// ---- the public functions ----------------------------------------------------------------------

// Under the address sanitizer every block is malloc's own, so that it sees what happens around and after each.
#ifdef __SANITIZE_ADDRESS__
void* allocate(size_t bytes) {
  if (bytes == 0) return nullptr;
  void* block = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (block == nullptr) out_of_memory(bytes);
  return block;
}
void deallocate(void* block, size_t) noexcept { std::free(block); }
#else
void* allocate(size_t bytes) {
  if (bytes > kLargestSmall) return allocate_large(bytes);
  if (bytes == 0) return nullptr;
  ThreadCache& cache = thread_cache();
  void* block = cache.allocate(bytes);
  if (block != nullptr) [[likely]] return block;
  empty_cache();
  block = cache.allocate(bytes);
  if (block == nullptr) out_of_memory(bytes);
  return block;
}

void deallocate(void* block, size_t bytes) noexcept {
  if (block == nullptr) return;
  if (bytes > kLargestSmall) return deallocate_large(block, bytes);
  thread_cache().deallocate(block, bytes);
}
#endif

void empty_cache() {
  Global& g = global();
  if (own_cache != nullptr) own_cache->flush();
  g.small.release_unused();
  g.large.release_all();
}

void set_cache_limit(size_t bytes) { global().large.set_limit(bytes); }
size_t cache_limit() { return global().large.limit(); }

size_t allocation_size(size_t bytes) {
  if (bytes == 0) return 0;
  return bytes <= kLargestSmall ? small_size(small_class(bytes)) : large_size(bytes);
}

AllocatorStats allocator_stats() {
  Global& g = global();
  if (own_cache != nullptr) own_cache->publish();
  const int64_t shared = g.small.cached_bytes() + g.large.cached_bytes();
  AllocatorStats stats{};
  const std::lock_guard lock(g.threads_mutex);
  stats.allocated_bytes = g.allocated.load(std::memory_order_relaxed);
  stats.allocations = g.allocations.load(std::memory_order_relaxed);
  stats.deallocations = g.deallocations.load(std::memory_order_relaxed);
  stats.cached_bytes = shared;
  for (const ThreadCache* cache : g.threads) {
    stats.allocated_bytes += cache->allocated.get();
    stats.allocations += cache->allocations.get();
    stats.deallocations += cache->deallocations.get();
    stats.cached_bytes += cache->cached_bytes();
  }
  stats.peak_bytes = std::max(g.peak.load(std::memory_order_relaxed), stats.allocated_bytes);
  stats.system_requests = system_requests.load(std::memory_order_relaxed);
  return stats;
}

void reset_peak_stats() {
  Global& g = global();
  if (own_cache != nullptr) own_cache->publish();
  g.peak.store(g.allocated.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

}  // namespace bolide
