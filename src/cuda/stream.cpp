// Streams and events.
#include "cuda/stream.h"

#include <array>
#include <atomic>
#include <mutex>
#include <utility>

#include "cuda/fault.h"

namespace bolide::cuda {

namespace {

constexpr int kMaxDevices = 64, kPoolSize = 32, kPriorities = 2;
thread_local std::array<StreamHandle, kMaxDevices> t_streams{};

struct Pool {
  std::array<StreamHandle, kPoolSize> streams{};
  std::atomic<unsigned> next{0};
};
std::array<std::array<Pool, kPriorities>, kMaxDevices> g_pools;
std::mutex g_pools_lock;

int index_of(int device) { return device < 0 ? current_device() : device; }

}  // namespace

Stream current_stream(int device) {
  const int d = index_of(device);
  return {d, t_streams[static_cast<size_t>(d)]};
}
void set_stream(Stream s) {
  if (s.device != current_device()) set_device(s.device);
  t_streams[static_cast<size_t>(s.device)] = s.handle;
}

Stream new_stream(int device, int priority) {
  const int d = index_of(device);
  DeviceGuard guard(d);
  const Driver& cu = driver();
  Pool& pool = g_pools[static_cast<size_t>(d)][priority < 0 ? 1 : 0];
  const unsigned slot = pool.next.fetch_add(1) % kPoolSize;
  std::lock_guard lock(g_pools_lock);
  StreamHandle& s = pool.streams[slot];
  if (!s) check(cu.cuStreamCreateWithPriority(&s, kStreamNonBlocking, priority < 0 ? -1 : 0), "cuStreamCreateWithPriority");
  return {d, s};
}

void synchronize(Stream s) {
  DeviceGuard guard(s.device);
  check(driver().cuStreamSynchronize(s.handle), "cuStreamSynchronize");
  check_faults();
}
bool finished(Stream s) {
  DeviceGuard guard(s.device);
  const Status status = driver().cuStreamQuery(s.handle);
  if (status == kNotReady) return false;
  check(status, "cuStreamQuery");
  return true;
}
void synchronize_device(int device) {
  DeviceGuard guard(index_of(device));
  check(driver().cuCtxSynchronize(), "cuCtxSynchronize");
}
bool capturing(Stream s) {
  int status = 0;
  check(driver().cuStreamIsCapturing(s.handle, &status), "cuStreamIsCapturing");
  return status != 0;
}

Event::Event(Event&& o) noexcept
    : handle_(std::exchange(o.handle_, nullptr)), device_(o.device_), timing_(o.timing_), blocking_(o.blocking_) {}
Event& Event::operator=(Event&& o) noexcept {
  std::swap(handle_, o.handle_);
  std::swap(device_, o.device_);
  std::swap(timing_, o.timing_);
  std::swap(blocking_, o.blocking_);
  return *this;
}
Event::~Event() {
  if (handle_ && !shutting_down()) driver().cuEventDestroy_v2(handle_);
}
void Event::record(Stream s) {
  DeviceGuard guard(s.device);
  const Driver& cu = driver();
  if (!handle_) {
    check(cu.cuEventCreate(&handle_, (timing_ ? 0 : kEventDisableTiming) | (blocking_ ? kEventBlockingSync : 0)), "cuEventCreate");
    device_ = s.device;
  }
  BOLIDE_CHECK(device_ == s.device, "Event device ", device_, " does not match recording stream's device ", s.device, ".");
  check(cu.cuEventRecord(handle_, s.handle), "cuEventRecord");
}
void Event::wait(Stream s) const {
  if (!handle_) return;
  DeviceGuard guard(s.device);
  check(driver().cuStreamWaitEvent(s.handle, handle_, 0), "cuStreamWaitEvent");
}
bool Event::finished() const {
  if (!handle_) return true;
  DeviceGuard guard(device_);
  const Status status = driver().cuEventQuery(handle_);
  if (status == kNotReady) return false;
  check(status, "cuEventQuery");
  return true;
}
void Event::synchronize() const {
  if (!handle_) return;
  DeviceGuard guard(device_);
  check(driver().cuEventSynchronize(handle_), "cuEventSynchronize");
}
float Event::elapsed(const Event& end) const {
  BOLIDE_CHECK_AS(ValueError, timing_ && end.timing_, "Both events must be created with argument 'enable_timing=True'.");
  BOLIDE_CHECK_AS(ValueError, handle_ && end.handle_, "Both events must be recorded before calculating elapsed time.");
  DeviceGuard guard(device_);
  float ms = 0;
  const Status status = driver().cuEventElapsedTime(&ms, handle_, end.handle_);
  BOLIDE_CHECK_AS(ValueError, status != kNotReady, "Both events must be completed before calculating elapsed time.");
  check(status, "cuEventElapsedTime");
  return ms;
}

}  // namespace bolide::cuda
