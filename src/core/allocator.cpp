// Map: size classes | poisoning | memory limits | small blocks: slabs and the shared lists | large blocks |
//      per-thread lists | fork | the public functions
//
// Locks: `SmallHeap::mutex_`, `LargeHeap::mutex_` and the list of thread caches; none is held while another is
// taken, but for fork, which takes all three in that order.
#include "core/allocator.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <new>
#include <vector>

#include "bolide/error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace bolide {

namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kSmallest = 64, kLargestSmall = 4096;
constexpr size_t kMapped = size_t(2) << 20;  // from here on blocks are mapped, in huge pages
constexpr size_t kHugePage = size_t(2) << 20;
constexpr size_t kSmallClasses = kLargestSmall / kSmallest;
constexpr size_t kLargest = size_t(1) << 47;

// ---- size classes ----------------------------------------------------------------------------

size_t small_class(size_t bytes) { return (bytes - 1) / kSmallest; }
size_t small_size(size_t index) { return (index + 1) * kSmallest; }

// Eight steps per doubling: at most an eighth is wasted.
constexpr int kStepBits = 3;
size_t large_size(size_t bytes) {
  const int top = 63 - __builtin_clzll(bytes);
  const size_t step = size_t(1) << (top - kStepBits);
  return (bytes + step - 1) & ~(step - 1);
}

// The class of a size that large_size() returned.
size_t large_class(size_t size) {
  const int top = 63 - __builtin_clzll(size);
  const size_t step = (size >> (top - kStepBits)) & ((1u << kStepBits) - 1);
  return (size_t(top - 12) << kStepBits) + step;
}
constexpr size_t kLargeClasses = size_t(47 - 12 + 1) << kStepBits;

// ---- poisoning: kept blocks are out of bounds for the address sanitizer, but for the link ------

struct Link {
  Link* next;
};

void hide(void* block, size_t size) {
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(block) + sizeof(Link), size - sizeof(Link));
}
void show(void* block, size_t size) { ASAN_UNPOISON_MEMORY_REGION(block, size); }

// ---- memory limits ---------------------------------------------------------------------------

// Memory this process may use: the machine's, or a cgroup's when that is less.
size_t usable_memory() {
  size_t usable = size_t(sysconf(_SC_PHYS_PAGES)) * size_t(sysconf(_SC_PAGESIZE));
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    size_t limit = 0;
    if (file >> limit && limit > 0) usable = std::min(usable, limit);
  }
  return usable;
}

size_t initial_cache_limit() {
  const char* text = std::getenv("BOLIDE_CPU_CACHE_MB");
  if (text != nullptr && *text != '\0') return size_t(std::strtoull(text, nullptr, 10)) << 20;
  return usable_memory() / 2;
}

std::atomic<int64_t> system_requests{0};

// nullptr when the system refuses.
void* map_aligned(size_t size, size_t alignment) {
  system_requests.fetch_add(1, std::memory_order_relaxed);
  const size_t whole = size + alignment;
  void* mapped = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  const uintptr_t start = reinterpret_cast<uintptr_t>(mapped);
  const uintptr_t aligned = (start + alignment - 1) & ~(uintptr_t(alignment) - 1);
  const size_t before = aligned - start, after = whole - before - size;
  if (before > 0) munmap(mapped, before);
  if (after > 0) munmap(reinterpret_cast<void*>(aligned + size), after);
  return reinterpret_cast<void*>(aligned);
}

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

size_t SmallHeap::take(size_t index, size_t want, Link** chain) {
  const std::lock_guard lock(mutex_);
  if (lists_[index] == nullptr && !add_slab(index)) {
    *chain = nullptr;
    return 0;
  }
  Link* last = lists_[index];
  size_t taken = 1;
  for (; taken < want && last->next != nullptr; ++taken) last = last->next;
  *chain = lists_[index];
  lists_[index] = last->next;
  last->next = nullptr;
  counts_[index] -= taken;
  return taken;
}

void SmallHeap::give(size_t index, Link* first, Link* last, size_t count) {
  const std::lock_guard lock(mutex_);
  last->next = lists_[index];
  lists_[index] = first;
  counts_[index] += count;
}

bool SmallHeap::add_slab(size_t index) {
  if (free_slabs_.empty()) {
    void* region = map_aligned(kRegion, kSlab);
    if (region == nullptr) return false;
    for (size_t at = kRegion; at > 0; at -= kSlab) free_slabs_.push_back(static_cast<char*>(region) + at - kSlab);
  }
  char* memory = static_cast<char*>(free_slabs_.back());
  free_slabs_.pop_back();
  show(memory, kSlab);
  const size_t size = small_size(index), capacity = (kSlab - sizeof(Slab)) / size;
  new (memory) Slab{capacity, 0};
  for (size_t i = capacity; i > 0; --i) {  // so that the list ascends in memory
    void* block = memory + sizeof(Slab) + (i - 1) * size;
    lists_[index] = new (block) Link{lists_[index]};
    hide(block, size);
  }
  counts_[index] += capacity;
  return true;
}

void SmallHeap::release_unused() {
  const std::lock_guard lock(mutex_);
  for (size_t index = 0; index < kSmallClasses; ++index) release_class(index);
}

// Counts the free blocks of every slab, then drops the slabs that are free as a whole.
void SmallHeap::release_class(size_t index) {
  for (Link* block = lists_[index]; block != nullptr; block = block->next) ++slab_of(block)->unused;
  std::vector<Slab*> empty;
  Link** place = &lists_[index];
  while (*place != nullptr) {
    Slab* slab = slab_of(*place);
    if (slab->unused >= slab->capacity) {
      // The last of a slab's blocks to be met takes the slab along.
      if (slab->unused == 2 * slab->capacity - 1) empty.push_back(slab);
      ++slab->unused;
      *place = (*place)->next;
      --counts_[index];
    } else {
      place = &(*place)->next;
    }
  }
  for (Link* block = lists_[index]; block != nullptr; block = block->next) slab_of(block)->unused = 0;
  for (Slab* slab : empty) {
    show(slab, kSlab);
    madvise(slab, kSlab, MADV_DONTNEED);
    free_slabs_.push_back(slab);
  }
}

int64_t SmallHeap::cached_bytes() {
  const std::lock_guard lock(mutex_);
  int64_t bytes = 0;
  for (size_t index = 0; index < kSmallClasses; ++index) bytes += int64_t(counts_[index] * small_size(index));
  return bytes;
}

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

void* LargeHeap::from_system(size_t size) {
  if (size >= kMapped) {
    void* block = map_aligned(size, kHugePage);
    if (block != nullptr) madvise(block, size, MADV_HUGEPAGE);
    return block;
  }
  system_requests.fetch_add(1, std::memory_order_relaxed);
  return std::aligned_alloc(kAlignment, size);
}

void LargeHeap::to_system(void* block, size_t size) {
  show(block, size);
  if (size >= kMapped) {
    munmap(block, size);
  } else {
    std::free(block);
  }
}

void* LargeHeap::take(size_t size) {
  {
    const std::lock_guard lock(mutex_);
    List& list = lists_[large_class(size)];
    if (list.head != nullptr) {
      Link* block = list.head;
      list.head = block->next;
      list.last_use = ++clock_;
      cached_.fetch_sub(int64_t(size), std::memory_order_relaxed);
      show(block, size);
      return block;
    }
  }
  make_room(size);
  void* block = from_system(size);
  if (block == nullptr) {
    release_all();
    block = from_system(size);
  }
  if (block != nullptr) held_.fetch_add(int64_t(size), std::memory_order_relaxed);
  return block;
}

void LargeHeap::give(void* block, size_t size) {
  Link* out = nullptr;
  {
    const std::lock_guard lock(mutex_);
    List& list = lists_[large_class(size)];
    list.head = new (block) Link{list.head};
    list.size = size;
    list.last_use = ++clock_;
    hide(block, size);
    const int64_t cached = cached_.fetch_add(int64_t(size), std::memory_order_relaxed) + int64_t(size);
    if (size_t(cached) > limit()) out = evict(limit());
  }
  release(out);
}

// Blocks nobody asked for lately make way before the process takes more than it may use.
void LargeHeap::make_room(size_t size) {
  const size_t budget = usable_ / 4 * 3;
  const size_t held = size_t(held_.load(std::memory_order_relaxed));
  if (held + size <= budget || cached_bytes() == 0) return;
  const size_t over = held + size - budget, cached = size_t(cached_bytes());
  shrink_to(cached > over ? cached - over : 0);
}

void LargeHeap::shrink_to(size_t bytes) {
  Link* out = nullptr;
  {
    const std::lock_guard lock(mutex_);
    out = evict(bytes);
  }
  release(out);
}

// Takes blocks out of the lists, the longest unused class first, until at most `bytes` are kept.
Link* LargeHeap::evict(size_t bytes) {
  Link* out = nullptr;
  while (size_t(cached_bytes()) > bytes) {
    List* oldest = nullptr;
    for (List& list : lists_) {
      if (list.head != nullptr && (oldest == nullptr || list.last_use < oldest->last_use)) oldest = &list;
    }
    if (oldest == nullptr) break;
    while (oldest->head != nullptr && size_t(cached_bytes()) > bytes) {
      Link* block = oldest->head;
      oldest->head = block->next;
      show(block, oldest->size);
      new (block) Evicted{{out}, oldest->size};
      out = block;
      cached_.fetch_sub(int64_t(oldest->size), std::memory_order_relaxed);
      held_.fetch_sub(int64_t(oldest->size), std::memory_order_relaxed);
    }
  }
  return out;
}

// System calls happen outside the lock.
void LargeHeap::release(Link* chain) {
  while (chain != nullptr) {
    const Evicted evicted = *reinterpret_cast<Evicted*>(chain);
    to_system(chain, evicted.size);
    chain = evicted.link.next;
  }
}

void LargeHeap::set_limit(size_t bytes) {
  limit_.store(bytes);
  shrink_to(bytes);
}

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
    for (size_t index = 0; index < kSmallClasses; ++index) give_back(index, size_t(lists_[index].count.get()));
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
  fail<OutOfMemoryError>("DefaultCPUAllocator: can't allocate memory: you tried to allocate ", bytes, " bytes.");
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
