// The caching allocator. Map: sizes | blocks and heaps | finding and splitting | releasing | limits | statistics | pools
#include "cuda/allocator.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <unordered_map>
#include <vector>

namespace bolide::cuda {

namespace {

// ---- sizes -----------------------------------------------------------------------------------------

constexpr size_t kAlign = 512, kSmall = 1 << 20, kSmallSegment = 2 << 20, kLarge = 10 << 20, kLargeSegment = 20 << 20, kRound = 2 << 20;

size_t block_size(size_t bytes) { return (std::max<size_t>(bytes, 1) + kAlign - 1) / kAlign * kAlign; }
size_t segment_size(size_t size) {
  if (size <= kSmall) return kSmallSegment;
  if (size < kLarge) return kLargeSegment;
  return (size + kRound - 1) / kRound * kRound;
}
/// Small blocks split down to the alignment; large ones leave at least a megabyte.
bool worth_splitting(size_t have, size_t want) { return want <= kSmall ? have - want >= kAlign : have - want > kSmall; }

bool caching() {
  static const bool off = std::getenv("PYTORCH_NO_CUDA_MEMORY_CACHING") || std::getenv("BOLIDE_NO_CUDA_MEMORY_CACHING");
  return !off;
}

// ---- blocks and heaps ------------------------------------------------------------------------------

struct Heap;
struct Block {
  Pointer address = 0;
  size_t size = 0, requested = 0;
  StreamHandle stream = nullptr;
  Heap* heap = nullptr;
  Block *left = nullptr, *right = nullptr;  // neighbours in the segment
  bool live = false;
  int list = 0;  // of its heap: 0 small, 1 large; one for a whole segment
  std::vector<StreamHandle> also_used_by;
  std::vector<Event> waiting;  // uses on other streams that must pass before it is free
};
struct BySize {
  bool operator()(const Block* a, const Block* b) const {
    if (a->stream != b->stream) return a->stream < b->stream;
    if (a->size != b->size) return a->size < b->size;
    return a->address < b->address;
  }
};
/// Free blocks of one kind: the shared small and large ones of a device, or those of a graph's pool.
struct Heap {
  std::set<Block*, BySize> free[2];  // small, large
  uint64_t pool = 0;
  bool dropped = false;
};

struct Memory {  // of one device
  std::mutex lock;
  Heap shared;
  std::map<uint64_t, std::unique_ptr<Heap>> pools;
  std::unordered_map<Pointer, Block*> live;
  std::vector<Block*> waiting;
  MemoryStats stats;
  size_t limit = SIZE_MAX;
  uint64_t active_pool = 0;
};
constexpr int kMaxDevices = 64;
/// Never destroyed: tensors may outlive static destruction.
Memory& memory(int device) {
  static auto* all = new Memory[kMaxDevices];
  return all[device];
}
thread_local uint64_t t_pool[kMaxDevices] = {};

int kind(size_t size) { return size <= kSmall ? 0 : 1; }

// ---- finding and splitting ---------------------------------------------------------------------------

Block* take_free(Heap& h, size_t size, StreamHandle stream) {
  auto& blocks = h.free[kind(size)];
  Block key;
  key.size = size, key.stream = stream;
  const auto found = blocks.lower_bound(&key);
  if (found == blocks.end() || (*found)->stream != stream) return nullptr;
  // a large block is not spent on a request far smaller than itself
  if (size > kSmall && (*found)->size > 2 * size + kLargeSegment) return nullptr;
  Block* b = *found;
  blocks.erase(found);
  return b;
}

Block* new_segment(Memory& m, Heap& h, size_t size, StreamHandle stream, int list) {
  if (m.stats.reserved + size > m.limit) return nullptr;
  Pointer p = 0;
  const Status status = driver().cuMemAlloc_v2(&p, size);
  if (status == kOutOfMemory) return nullptr;
  check(status, "cuMemAlloc");
  ++m.stats.driver_allocations, ++m.stats.segments;
  m.stats.reserved += static_cast<int64_t>(size);
  m.stats.peak_reserved = std::max(m.stats.peak_reserved, m.stats.reserved);
  auto* b = new Block;
  b->address = p, b->size = size, b->stream = stream, b->heap = &h, b->list = list;
  return b;
}

void split(Block* b, size_t size) {
  if (!worth_splitting(b->size, size)) return;
  auto* rest = new Block;
  rest->address = b->address + size, rest->size = b->size - size;
  rest->stream = b->stream, rest->heap = b->heap, rest->list = b->list;
  rest->left = b, rest->right = b->right;
  if (b->right) b->right->left = rest;
  b->right = rest, b->size = size;
  b->heap->free[b->list].insert(rest);
}

// ---- releasing -----------------------------------------------------------------------------------------

void merge(Block* into, Block* gone) {
  into->heap->free[into->list].erase(gone);
  if (gone == into->left) {
    into->address = gone->address, into->left = gone->left;
    if (gone->left) gone->left->right = into;
  } else {
    into->right = gone->right;
    if (gone->right) gone->right->left = into;
  }
  into->size += gone->size;
  delete gone;
}

bool is_free(const Block* b) { return b && !b->live && b->waiting.empty(); }

void make_free(Block* b) {
  b->live = false;
  if (is_free(b->left)) merge(b, b->left);
  if (is_free(b->right)) merge(b, b->right);
  b->heap->free[b->list].insert(b);
}

/// Blocks whose other streams have passed become free.
void settle(Memory& m, bool wait) {
  std::erase_if(m.waiting, [&](Block* b) {
    for (Event& e : b->waiting) {
      if (wait) e.synchronize();
      else if (!e.finished()) return false;
    }
    b->waiting.clear();
    make_free(b);
    return true;
  });
}

void return_segments(Memory& m, Heap& h) {
  for (auto& blocks : h.free)
    for (auto it = blocks.begin(); it != blocks.end();) {
      Block* b = *it;
      if (b->left || b->right) { ++it; continue; }
      it = blocks.erase(it);
      check(driver().cuMemFree_v2(b->address), "cuMemFree");
      m.stats.reserved -= static_cast<int64_t>(b->size);
      --m.stats.segments, ++m.stats.driver_frees;
      delete b;
    }
}

void return_all(Memory& m) {
  synchronize_device();
  settle(m, true);
  return_segments(m, m.shared);
  for (auto it = m.pools.begin(); it != m.pools.end();) {
    if (!it->second->dropped) { ++it; continue; }
    return_segments(m, *it->second);
    const bool empty = it->second->free[0].empty() && it->second->free[1].empty();
    bool used = false;
    for (auto& [p, b] : m.live) used |= b->heap == it->second.get();
    it = empty && !used ? m.pools.erase(it) : std::next(it);
  }
}

std::string human(double bytes) {
  std::ostringstream s;
  s.precision(2);
  s << std::fixed;
  if (bytes >= 1 << 30) s << bytes / (1 << 30) << " GiB";
  else if (bytes >= 1 << 20) s << bytes / (1 << 20) << " MiB";
  else s << bytes / 1024 << " KiB";
  return s.str();
}

std::string list_largest(Memory& m, int count) {
  std::vector<const Block*> blocks;
  for (auto& [p, b] : m.live) blocks.push_back(b);
  std::sort(blocks.begin(), blocks.end(), [](auto* a, auto* b) { return a->size != b->size ? a->size > b->size : a->address < b->address; });
  std::string s;
  for (size_t i = 0; i < blocks.size() && i < static_cast<size_t>(count);) {
    size_t same = 1;
    while (i + same < blocks.size() && blocks[i + same]->requested == blocks[i]->requested) ++same;
    s += str("\n  ", same, " x ", human(static_cast<double>(blocks[i]->requested)));
    i += same;
  }
  return s;
}

[[noreturn]] void fail_memory(Memory& m, size_t bytes, int device) {
  ++m.stats.ooms;
  size_t free = 0, total = 0;
  driver().cuMemGetInfo_v2(&free, &total);
  const std::string blocks = list_largest(m, 10);
  fail<OutOfMemoryError>("CUDA out of memory. Tried to allocate ", human(static_cast<double>(bytes)), ". GPU ", device, " has a total capacity of ",
                         human(static_cast<double>(total)), " of which ", human(static_cast<double>(free)), " is free. Of the allocated memory ",
                         human(static_cast<double>(m.stats.allocated)), " is allocated by Bolide, and ",
                         human(static_cast<double>(m.stats.reserved - m.stats.allocated)), " is reserved by Bolide but unallocated.",
                         m.limit == SIZE_MAX ? std::string() : str(" The process may reserve ", human(static_cast<double>(m.limit)), "."),
                         blocks.empty() ? std::string() : str(" The largest live tensors:", blocks));
}

Heap& heap_for(Memory& m, int device) {
  const uint64_t id = t_pool[device];
  if (!id) return m.shared;
  auto& h = m.pools[id];
  if (!h) h = std::make_unique<Heap>(), h->pool = id;
  return *h;
}

}  // namespace

void* allocate(size_t bytes, int device) {
  if (!bytes) return nullptr;
  DeviceGuard guard(device);
  const int d = device < 0 ? current_device() : device;
  driver();  // makes the context current, or says why it cannot
  Memory& m = memory(d);
  std::lock_guard lock(m.lock);
  const StreamHandle stream = current_stream(d).handle;
  const size_t size = block_size(bytes), segment = caching() ? segment_size(size) : size;
  Heap& heap = heap_for(m, d);
  settle(m, false);
  Block* b = take_free(heap, size, stream);
  if (!b) b = new_segment(m, heap, segment, stream, kind(size));
  if (!b) {
    ++m.stats.retries;
    return_all(m);
    b = new_segment(m, heap, segment, stream, kind(size));
    if (!b && segment > size) b = new_segment(m, heap, (size + kRound - 1) / kRound * kRound, stream, kind(size));
    if (!b) fail_memory(m, bytes, d);
  }
  split(b, size);
  b->live = true, b->requested = bytes;
  m.live[b->address] = b;
  MemoryStats& s = m.stats;
  ++s.allocations, ++s.live_blocks;
  s.allocated += static_cast<int64_t>(b->size), s.total_allocated += static_cast<int64_t>(b->size);
  s.peak_allocated = std::max(s.peak_allocated, s.allocated), s.peak_live_blocks = std::max(s.peak_live_blocks, s.live_blocks);
  return reinterpret_cast<void*>(b->address);
}

void release(void* p, int device) noexcept {
  if (!p || shutting_down()) return;
  Memory& m = memory(device);
  std::lock_guard lock(m.lock);
  const auto it = m.live.find(reinterpret_cast<Pointer>(p));
  if (it == m.live.end()) return;
  Block* b = it->second;
  m.live.erase(it);
  ++m.stats.frees, --m.stats.live_blocks;
  m.stats.allocated -= static_cast<int64_t>(b->size), m.stats.total_freed += static_cast<int64_t>(b->size);
  try {
    for (StreamHandle s : b->also_used_by) b->waiting.emplace_back().record({device, s});
    b->also_used_by.clear();
    if (b->waiting.empty()) make_free(b);
    else b->live = false, m.waiting.push_back(b);
    if (!caching()) {
      DeviceGuard guard(device);
      return_all(m);
    }
  } catch (const std::exception&) {  // the device has failed: its memory is gone with it
  }
}

void record_stream(void* p, Stream s) {
  Memory& m = memory(s.device);
  std::lock_guard lock(m.lock);
  const auto it = m.live.find(reinterpret_cast<Pointer>(p));
  if (it == m.live.end() || it->second->stream == s.handle) return;
  auto& used = it->second->also_used_by;
  if (std::find(used.begin(), used.end(), s.handle) == used.end()) used.push_back(s.handle);
}

void empty_cache() {
  for (int d = 0; d < device_count(); ++d) {
    Memory& m = memory(d);
    std::lock_guard lock(m.lock);
    if (!m.stats.segments) continue;
    DeviceGuard guard(d);
    return_all(m);
  }
}

void set_memory_fraction(double fraction, int device) {
  BOLIDE_CHECK_AS(ValueError, fraction > 0 && fraction <= 1, "Invalid fraction value: ", fraction, ". Allowed range: 0~1");
  Memory& m = memory(device);
  std::lock_guard lock(m.lock);
  m.limit = static_cast<size_t>(fraction * static_cast<double>(device_info(device).total_memory));
}

// ---- statistics ------------------------------------------------------------------------------------------

MemoryStats memory_stats(int device) {
  Memory& m = memory(device);
  std::lock_guard lock(m.lock);
  return m.stats;
}
void reset_peak_stats(int device) {
  Memory& m = memory(device);
  std::lock_guard lock(m.lock);
  m.stats.peak_allocated = m.stats.allocated, m.stats.peak_reserved = m.stats.reserved, m.stats.peak_live_blocks = m.stats.live_blocks;
}
void memory_info(int device, size_t& free, size_t& total) {
  DeviceGuard guard(device);
  check(driver().cuMemGetInfo_v2(&free, &total), "cuMemGetInfo");
}
std::string largest_blocks(int device, int count) {
  Memory& m = memory(device);
  std::lock_guard lock(m.lock);
  return list_largest(m, count);
}

// ---- pools -----------------------------------------------------------------------------------------------

uint64_t new_pool() {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1);
}
void begin_pool(int device, uint64_t id) { t_pool[device] = id; }
void end_pool(int device) { t_pool[device] = 0; }
void drop_pool(uint64_t id) {
  for (int d = 0; d < device_count(); ++d) {
    Memory& m = memory(d);
    std::lock_guard lock(m.lock);
    if (const auto it = m.pools.find(id); it != m.pools.end()) it->second->dropped = true;
  }
}

}  // namespace bolide::cuda
