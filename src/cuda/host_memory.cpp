// Page-locked host memory, cached by size.
#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "cuda/allocator.h"

namespace bolide::cuda {

namespace {

struct HostBlock {
  void* address;
  size_t size;
  std::vector<Stream> used_by;
  std::vector<Event> waiting;
};
struct Host {
  std::mutex lock;
  std::map<char*, HostBlock*> live;            // by address, to find the block a pointer lies in
  std::multimap<size_t, HostBlock*> free;
};
Host& host() {
  static auto* h = new Host;
  return *h;
}

size_t round_up(size_t bytes) {
  size_t size = 4096;
  while (size < bytes) size *= 2;
  return size;
}

bool passed(HostBlock& b) {
  for (Event& e : b.waiting)
    if (!e.finished()) return false;
  b.waiting.clear();
  return true;
}

HostBlock* block_of(Host& h, const void* p) {
  auto it = h.live.upper_bound(static_cast<char*>(const_cast<void*>(p)));
  if (it == h.live.begin()) return nullptr;
  HostBlock* b = std::prev(it)->second;
  return static_cast<const char*>(p) < static_cast<char*>(b->address) + b->size ? b : nullptr;
}

}  // namespace

void* allocate_host(size_t bytes) {
  if (!bytes) return nullptr;
  Host& h = host();
  std::lock_guard lock(h.lock);
  const size_t size = round_up(bytes);
  for (auto [it, end] = h.free.equal_range(size); it != end; ++it)
    if (passed(*it->second)) {
      HostBlock* b = it->second;
      h.free.erase(it);
      h.live[static_cast<char*>(b->address)] = b;
      return b->address;
    }
  void* p = nullptr;
  check(driver().cuMemHostAlloc(&p, size, kHostPortable), "cuMemHostAlloc");
  h.live[static_cast<char*>(p)] = new HostBlock{p, size, {}, {}};
  return p;
}

void release_host(void* p) noexcept {
  if (!p || shutting_down()) return;
  Host& h = host();
  std::lock_guard lock(h.lock);
  const auto it = h.live.find(static_cast<char*>(p));
  if (it == h.live.end()) return;
  HostBlock* b = it->second;
  h.live.erase(it);
  try {
    for (const Stream& s : b->used_by) b->waiting.emplace_back().record(s);
  } catch (const std::exception&) {
    return;  // the device has failed: its memory may still be written, so it is not handed out again
  }
  b->used_by.clear();
  h.free.emplace(b->size, b);
}

bool is_pinned(const void* p) {
  Host& h = host();
  std::lock_guard lock(h.lock);
  return block_of(h, p) != nullptr;
}

void record_host(const void* p, Stream s) {
  Host& h = host();
  std::lock_guard lock(h.lock);
  HostBlock* b = block_of(h, p);
  if (b && std::find(b->used_by.begin(), b->used_by.end(), s) == b->used_by.end()) b->used_by.push_back(s);
}

}  // namespace bolide::cuda
