// Notes of bad values.
#include "cuda/fault.h"

#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "cuda/allocator.h"

namespace bolide::cuda {

namespace {

constexpr int kMaxDevices = 64;
std::atomic<volatile Fault*> g_faults[kMaxDevices];
std::atomic<int> g_devices{0};  // one more than the highest device with a note

struct Site { std::string op, what; };
std::mutex g_lock;
std::vector<Site>& sites() {
  static auto* all = new std::vector<Site>;
  return *all;
}

int32_t code_of(const char* op, const std::string& what) {
  static auto* known = new std::map<std::pair<std::string, std::string>, int32_t>;
  std::lock_guard lock(g_lock);
  auto [it, fresh] = known->try_emplace({op, what}, static_cast<int32_t>(sites().size()));
  if (fresh) sites().push_back({op, what});
  return it->second;
}

std::string worded(const Site& s, int64_t index, int64_t limit) {
  std::string text;
  for (size_t i = 0; i < s.what.size(); ++i) {
    if (s.what[i] == '%' && i + 1 < s.what.size()) text += std::to_string(s.what[++i] == 'i' ? index : limit);
    else text += s.what[i];
  }
  return text + " (in " + s.op + ", on CUDA)";
}

}  // namespace

FaultSite fault_site(int device, const char* op, const std::string& what) {
  volatile Fault* f = g_faults[device].load();
  if (!f) {
    std::lock_guard lock(g_lock);
    if (!g_faults[device].load()) {
      void* p = allocate_host(sizeof(Fault));
      std::memset(p, 0, sizeof(Fault));
      g_faults[device].store(static_cast<volatile Fault*>(p));
      if (device >= g_devices.load()) g_devices.store(device + 1);
    }
    f = g_faults[device].load();
  }
  return {const_cast<Fault*>(f), code_of(op, what)};
}

void check_faults() {
  for (int d = 0; d < g_devices.load(std::memory_order_relaxed); ++d) {
    volatile Fault* f = g_faults[d].load(std::memory_order_relaxed);
    if (!f || !f->set) [[likely]] continue;
    synchronize_device(d);  // the note is complete when its kernel has ended
    Site site;
    {
      std::lock_guard lock(g_lock);
      site = sites()[static_cast<size_t>(f->code)];
    }
    const int64_t index = f->index, limit = f->limit;
    f->set = 0;
    fail<IndexError>(worded(site, index, limit));
  }
}

}  // namespace bolide::cuda
