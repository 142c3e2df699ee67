// The process's view of CUDA: whether it is there and why not, devices, the current device, errors.
//
// Map: availability | devices | current device | errors | reading the driver's tables
#pragma once
#include <string>

#include "bolide/dtype.h"
#include "cuda/driver.h"

namespace bolide::cuda {

// ---- availability --------------------------------------------------------------------------------

/// Whether a driver and at least one device are there. Opens the driver at the first call; never throws.
bool available();
/// The number of devices (0 when CUDA is not available).
int device_count();
/// Why CUDA cannot be used, with what would help; empty when it can.
std::string why();
/// Throws RuntimeError with why() when CUDA is not available.
void require();

// ---- devices -------------------------------------------------------------------------------------

struct DeviceInfo {
  DeviceHandle handle = 0;
  Context context = nullptr;  // the primary one; retained at first use
  std::string name;
  int major = 0, minor = 0, multiprocessors = 0, warp_size = 32, max_threads_per_block = 1024;
  int threads_per_multiprocessor = 0, registers_per_multiprocessor = 0;
  int shared_per_block = 48 << 10, shared_per_block_optin = 48 << 10, shared_per_multiprocessor = 0, l2_bytes = 0;
  bool integrated = false, multi_gpu_board = false;
  size_t total_memory = 0;
  int architecture() const { return major * 10 + minor; }  // 90 for sm_90
};
/// Its properties; the context exists and is current afterwards. Throws for a bad index.
const DeviceInfo& device_info(int index);
bool can_access_peer(int device, int peer);

// ---- current device --------------------------------------------------------------------------------

/// The calling thread's device (0 at first); a thread has its own.
int current_device();
void set_device(int index);
/// Makes `index` (or the current device for -1) current for a scope.
class DeviceGuard {
 public:
  explicit DeviceGuard(int index) : before_(current_device()) { if (index >= 0 && index != before_) set_device(index); else before_ = -1; }
  ~DeviceGuard() { if (before_ >= 0) set_device(before_); }
  DeviceGuard(const DeviceGuard&) = delete;

 private:
  int before_;
};

// ---- errors ----------------------------------------------------------------------------------------

/// Throws for a status that is not success; `doing` names what was tried ("cuMemAlloc", the op of a kernel).
[[gnu::cold]] void fail_status(Status status, const char* doing);
inline void check(Status status, const char* doing) {
  if (status != kSuccess) [[unlikely]] fail_status(status, doing);
}
/// The device's memory is gone after a fault or at exit: freeing is then silent.
bool shutting_down();

// ---- the driver's tables -----------------------------------------------------------------------------

/// The driver, with the primary context of the current device current on this thread. Throws when unavailable.
const Driver& driver();
/// NVRTC; throws an error that names the package to install when it is missing.
const Nvrtc& nvrtc();
bool has_nvrtc();
int driver_version();  // 13000 for 13.0

}  // namespace bolide::cuda
