// Opening the driver, finding devices, and saying in words what is missing.
#include "cuda/runtime.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda/library.h"

namespace bolide::cuda {

namespace {

const Recipe kDriverRecipe{"the CUDA driver", "BOLIDE_CUDA_DRIVER", {"libcuda.so.1", "libcuda.so"}, {}, {}};
const Recipe kNvrtcRecipe{"NVRTC, which compiles kernels,", "BOLIDE_NVRTC", {"libnvrtc.so.13", "libnvrtc.so.12"},
                          {"cu13/lib", "cuda_nvrtc/lib", "cu12/lib"}, {"libnvrtc-builtins.so"}};
constexpr int kOldestDriver = 12000;

struct State {
  std::unique_ptr<Library> library;
  Driver driver;
  int version = 0;
  std::string problem;  // empty when CUDA can be used
  std::vector<DeviceInfo> devices;
  std::mutex lock;
};

std::atomic<pid_t> g_process{0};
std::atomic<bool> g_forked{false};
thread_local int t_device = 0;
thread_local int t_bound = -1;  // the device whose context is current on this thread, as far as Bolide made it so

std::string text_of(const Driver& d, Status s) {
  const char *name = nullptr, *text = nullptr;
  if (d.cuGetErrorName) d.cuGetErrorName(s, &name);
  if (d.cuGetErrorString) d.cuGetErrorString(s, &text);
  return str(name ? name : "error", " (", s, text ? str("): ", text) : std::string(")"));
}

std::string advice(Status s) {
  switch (s) {
    case kNoDevice:
      return "The driver sees no GPU. Is CUDA_VISIBLE_DEVICES set to hide it? `nvidia-smi` should list it; in a container, start it "
             "with --gpus all.";
    case kSystemDriverMismatch:
      return "The kernel module and the driver library have different versions: restart the machine after the driver's update.";
    case kCompatNotSupported: return "The forward-compatibility library does not support this GPU: install a newer driver.";
    default: return "Run `nvidia-smi` to see whether the driver works.";
  }
}

std::string read_symbols(State& s) {
  std::string missing;
#define BOLIDE_READ(name, signature)                                                       \
  s.driver.name = reinterpret_cast<Driver::name##_type*>(s.library->symbol(#name));        \
  if (!s.driver.name) missing += missing.empty() ? #name : ", " #name;
  BOLIDE_CUDA_DRIVER(BOLIDE_READ)
#undef BOLIDE_READ
  return missing;
}

void read_device(const Driver& d, DeviceInfo& info) {
  char name[256] = {};
  d.cuDeviceGetName(name, sizeof name, info.handle);
  info.name = name;
  d.cuDeviceTotalMem_v2(&info.total_memory, info.handle);
  auto get = [&](Attribute a, auto& to) {
    int v = 0;
    if (d.cuDeviceGetAttribute(&v, a, info.handle) == kSuccess) to = static_cast<std::remove_reference_t<decltype(to)>>(v);
  };
  get(kMajor, info.major), get(kMinor, info.minor), get(kMultiprocessors, info.multiprocessors), get(kWarpSize, info.warp_size);
  get(kMaxThreadsPerBlock, info.max_threads_per_block), get(kThreadsPerMultiprocessor, info.threads_per_multiprocessor);
  get(kRegistersPerMultiprocessor, info.registers_per_multiprocessor), get(kMaxSharedPerBlock, info.shared_per_block);
  get(kMaxSharedOptin, info.shared_per_block_optin), get(kSharedPerMultiprocessor, info.shared_per_multiprocessor);
  get(kL2Bytes, info.l2_bytes), get(kIntegrated, info.integrated), get(kMultiGpuBoard, info.multi_gpu_board);
}

void open(State& s) {
  s.library = std::make_unique<Library>(kDriverRecipe);
  if (!*s.library) {
    s.problem = "No CUDA driver: " + s.library->problem() +
                "\nInstall NVIDIA's driver for this GPU (on Debian and Ubuntu: sudo apt-get install nvidia-driver), or use the CPU.";
    return;
  }
  if (const std::string missing = read_symbols(s); !missing.empty()) {
    s.problem = str("The CUDA driver ", s.library->path(), " is too old for Bolide: it lacks ", missing,
                    ". Install a driver for CUDA 12 or newer (525.60 or newer).");
    return;
  }
  if (const Status status = s.driver.cuInit(0); status != kSuccess) {
    s.problem = str("The CUDA driver ", s.library->path(), " does not start: ", text_of(s.driver, status), ". ", advice(status));
    return;
  }
  s.driver.cuDriverGetVersion(&s.version);
  if (s.version < kOldestDriver) {
    s.problem = str("The CUDA driver is too old: it supports CUDA ", s.version / 1000, ".", s.version % 1000 / 10,
                    ", Bolide needs 12.0. Install driver 525.60 or newer.");
    return;
  }
  int count = 0;
  s.driver.cuDeviceGetCount(&count);
  if (count == 0) {
    s.problem = str("The CUDA driver works, but there is no device. ", advice(kNoDevice));
    return;
  }
  s.devices.resize(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    s.driver.cuDeviceGet(&s.devices[static_cast<size_t>(i)].handle, i);
    read_device(s.driver, s.devices[static_cast<size_t>(i)]);
  }
  g_process = getpid();
  pthread_atfork(nullptr, nullptr, [] { g_forked = true; });
}

/// Never destroyed: tensors may be freed after static destruction has begun.
State& state() {
  static State* s = [] {
    auto* made = new State;
    open(*made);
    return made;
  }();
  return *s;
}

void check_fork() {
  BOLIDE_CHECK(!g_forked, "Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, you must use the 'spawn' "
               "start method");
}

void bind(State& s) {
  if (t_bound == t_device) return;
  check(s.driver.cuCtxSetCurrent(device_info(t_device).context), "cuCtxSetCurrent");
  t_bound = t_device;
}

}  // namespace

bool available() { return !g_forked && state().problem.empty(); }
int device_count() { return state().problem.empty() ? static_cast<int>(state().devices.size()) : 0; }
std::string why() {
  if (g_forked) return "This process was forked from one that used CUDA; start it with the 'spawn' method instead.";
  if (!state().problem.empty()) return state().problem;
  if (!has_nvrtc()) {
    try {
      nvrtc();
    } catch (const Error& e) {
      return e.what();
    }
  }
  return {};
}
void require() {
  check_fork();
  BOLIDE_CHECK(state().problem.empty(), "CUDA is not available. ", state().problem);
}

const DeviceInfo& device_info(int index) {
  require();
  State& s = state();
  BOLIDE_CHECK(index >= 0 && index < static_cast<int>(s.devices.size()), "CUDA error: invalid device ordinal: device ", index,
               " was asked for, this machine has ", s.devices.size());
  DeviceInfo& info = s.devices[static_cast<size_t>(index)];
  if (!info.context) {
    std::lock_guard guard(s.lock);
    if (!info.context) check(s.driver.cuDevicePrimaryCtxRetain(&info.context, info.handle), "cuDevicePrimaryCtxRetain");
  }
  return info;
}
bool can_access_peer(int device, int peer) {
  int yes = 0;
  return state().driver.cuDeviceCanAccessPeer(&yes, device_info(device).handle, device_info(peer).handle) == kSuccess && yes;
}

int current_device() { return t_device; }
void set_device(int index) {
  device_info(index);
  t_device = index;
}

void fail_status(Status s, const char* doing) {
  const Driver& d = state().driver;
  if (s == kOutOfMemory) fail<OutOfMemoryError>("CUDA out of memory in ", doing);
  std::string more;
  if (s == kIllegalAddress || s == kLaunchFailed)
    more = " A kernel failed; errors are reported at a later call than the one that caused them: set CUDA_LAUNCH_BLOCKING=1 to find it. "
           "The device cannot be used again in this process.";
  fail("CUDA error: ", text_of(d, s), ", in ", doing, ".", more);
}

namespace {
bool g_exiting = false;
struct AtExit { ~AtExit() { g_exiting = true; } } g_at_exit;
}  // namespace
bool shutting_down() { return g_exiting || g_forked; }

const Driver& driver() {
  State& s = state();
  if (g_forked || !s.problem.empty()) [[unlikely]] require();
  bind(s);
  return s.driver;
}
int driver_version() { return state().version; }

namespace {
struct Compiler {
  Library library{kNvrtcRecipe};
  Nvrtc table;
  std::string missing;
  Compiler() {
    if (!library) return;
#define BOLIDE_READ(name, signature)                                             \
  table.name = reinterpret_cast<Nvrtc::name##_type*>(library.symbol(#name));     \
  if (!table.name) missing += missing.empty() ? #name : ", " #name;
    BOLIDE_NVRTC(BOLIDE_READ)
#undef BOLIDE_READ
  }
};
Compiler& compiler() {
  static auto* c = new Compiler;
  return *c;
}
}  // namespace

bool has_nvrtc() { return compiler().library && compiler().missing.empty(); }
const Nvrtc& nvrtc() {
  Compiler& c = compiler();
  BOLIDE_CHECK(c.library, c.library.problem(), "\nInstall it with: pip install bolide[cuda] (or: pip install nvidia-cuda-nvrtc)");
  BOLIDE_CHECK(c.missing.empty(), "NVRTC in ", c.library.path(), " lacks ", c.missing, ": install a newer one with pip install bolide[cuda]");
  return c.table;
}

}  // namespace bolide::cuda
