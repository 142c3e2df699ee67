// Map: memory limits | mapping | small blocks | large blocks
#include "core/allocator_heaps.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <new>

namespace bolide::detail {

// ---- memory limits ---------------------------------------------------------------------------

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

namespace {

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

}  // namespace

// ---- small blocks ------------------------------------------------------------------------------

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
    for (size_t at = kRegion; at > 0; at -= kSlab) free_slabs_.push_back(static_cast<char*>(region)
        + at - kSlab);
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

// ---- large blocks ------------------------------------------------------------------------------

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

}  // namespace bolide::detail
