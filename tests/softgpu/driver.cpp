// The software GPU's driver: the cu* functions that Bolide uses, on host memory and fibers. Test-only.
//
// Environment: SOFTGPU_DEVICES (1), SOFTGPU_MEMORY (bytes a device, 4 GiB), SOFTGPU_ARCH (90), SOFTGPU_ORDER (low|high|random),
// SOFTGPU_STREAMS (lazy|eager): lazy streams run their work only when something waits for it.
//
// Map: state and counters | streams and events | memory | modules and launches | graphs | the rest
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "engine.h"

#define API extern "C" __attribute__((visibility("default")))

namespace softgpu {
namespace {

using Status = int;
enum : Status { kOk = 0, kInvalid = 1, kNoMemory = 2, kNotInit = 3, kNoDevice = 100, kBadImage = 200, kNotFound = 500, kNotReady = 600, kIllegal = 700,
                kLaunchFailed = 719, kCaptureUnsupported = 900 };

size_t number(const char* variable, size_t otherwise) {
  const char* v = std::getenv(variable);
  return v && *v ? std::strtoull(v, nullptr, 10) : otherwise;
}

// ---- state and counters ------------------------------------------------------------------------------

struct Counts { int64_t launches, allocations, bytes_to_device, bytes_to_host, bytes_on_device, synchronizations, graph_launches; };
Counts g_counts;

using Task = std::function<Status()>;
struct Stream {
  int device = 0;
  std::deque<Task> work;
  uint64_t enqueued = 0, done = 0;
  std::vector<Task>* capture = nullptr;
};
struct Event {
  Stream* stream = nullptr;
  uint64_t position = 0;
  bool recorded = false;
};
struct Device {
  size_t used = 0;
  std::map<uint64_t, size_t> blocks;
  Stream null_stream;
};
struct Graph { std::vector<Task> tasks; };
struct Context { int device; };

struct World {
  std::recursive_mutex lock;
  bool ready = false;
  Status sticky = kOk;
  std::vector<std::unique_ptr<Device>> devices;
  std::vector<std::unique_ptr<Context>> contexts;
  std::vector<Stream*> streams;
  std::map<char*, size_t> pinned;
  bool lazy = true;
  Order order = Order::Low;
  size_t memory = 0;
};
World& world() {
  static auto* w = new World;
  return *w;
}
thread_local Context* t_context = nullptr;

using Guard = std::lock_guard<std::recursive_mutex>;
#define ENTER                                         \
  World& w = world();                                 \
  Guard guard(w.lock);                                \
  if (!w.ready) return kNotInit;                      \
  if (w.sticky) return w.sticky

// ---- streams and events --------------------------------------------------------------------------------

Stream* stream_of(void* s) { return s ? static_cast<Stream*>(s) : &world().devices[static_cast<size_t>(t_context ? t_context->device : 0)]->null_stream; }

Status drain(Stream* s, uint64_t upto) {
  World& w = world();
  while (s->done < upto && !s->work.empty()) {
    Task t = std::move(s->work.front());
    s->work.pop_front();
    ++s->done;
    if (const Status status = t()) return w.sticky = status;
  }
  return w.sticky;
}
Status drain(Stream* s) { return drain(s, s->enqueued); }
Status drain_all() {
  World& w = world();
  for (auto& d : w.devices)
    if (const Status s = drain(&d->null_stream)) return s;
  for (Stream* s : w.streams)
    if (const Status status = drain(s)) return status;
  return kOk;
}
Status submit(void* handle, Task t) {
  Stream* s = stream_of(handle);
  if (s->capture) return s->capture->push_back(std::move(t)), kOk;
  s->work.push_back(std::move(t));
  ++s->enqueued;
  return world().lazy ? kOk : drain(s);
}
bool any_capture() {
  for (Stream* s : world().streams)
    if (s->capture) return true;
  return false;
}

bool is_pinned(const void* p, size_t bytes) {
  World& w = world();
  auto it = w.pinned.upper_bound(static_cast<char*>(const_cast<void*>(p)));
  if (it == w.pinned.begin()) return false;
  --it;
  return static_cast<const char*>(p) + bytes <= it->first + it->second;
}
bool is_device(uint64_t p, size_t bytes) {
  for (auto& d : world().devices) {
    auto it = d->blocks.upper_bound(p);
    if (it != d->blocks.begin() && (--it, p + bytes <= it->first + it->second)) return true;
  }
  return false;
}

// ---- modules -------------------------------------------------------------------------------------------

struct Function;
struct ModuleObject {
  Image image;
  std::map<std::string, std::unique_ptr<Function>> functions;
};
struct Function {
  std::string name;
  ModuleObject* module;
  void (*call)(void**);
  int count = 0, sizes[64];
};

size_t elf_size(const void* image) {
  Elf64_Ehdr h;
  std::memcpy(&h, image, sizeof h);
  if (std::memcmp(h.e_ident, ELFMAG, SELFMAG)) return 0;
  return h.e_shoff + static_cast<size_t>(h.e_shentsize) * h.e_shnum;
}

}  // namespace

// ---- the API: devices and contexts ------------------------------------------------------------------------

API void softgpu_counts(Counts* out) { *out = g_counts; }
API void softgpu_reset_counts() { g_counts = {}; }
/// Forgets a sticky error, as a new process would.
API void softgpu_recover() { world().sticky = kOk; }

API Status cuInit(unsigned) {
  World& w = world();
  Guard guard(w.lock);
  if (w.ready) return kOk;
  const size_t n = number("SOFTGPU_DEVICES", 1);
  if (n == 0) return kNoDevice;
  for (size_t i = 0; i < n; ++i) {
    w.devices.push_back(std::make_unique<Device>());
    w.devices.back()->null_stream.device = static_cast<int>(i);
    w.contexts.push_back(std::make_unique<Context>(Context{static_cast<int>(i)}));
  }
  const char* streams = std::getenv("SOFTGPU_STREAMS");
  w.lazy = !streams || std::strcmp(streams, "eager");
  w.order = order_from_environment();
  w.memory = number("SOFTGPU_MEMORY", size_t{4} << 30);
  w.ready = true;
  return kOk;
}
API Status cuDriverGetVersion(int* v) { return *v = 13000, kOk; }
API Status cuGetErrorName(Status s, const char** text) {
  switch (s) {
    case kOk: *text = "CUDA_SUCCESS"; break;
    case kInvalid: *text = "CUDA_ERROR_INVALID_VALUE"; break;
    case kNoMemory: *text = "CUDA_ERROR_OUT_OF_MEMORY"; break;
    case kNoDevice: *text = "CUDA_ERROR_NO_DEVICE"; break;
    case kNotReady: *text = "CUDA_ERROR_NOT_READY"; break;
    case kIllegal: *text = "CUDA_ERROR_ILLEGAL_ADDRESS"; break;
    case kLaunchFailed: *text = "CUDA_ERROR_LAUNCH_FAILED"; break;
    default: *text = "CUDA_ERROR"; break;
  }
  return kOk;
}
API Status cuGetErrorString(Status s, const char** text) { return *text = s == kLaunchFailed ? "unspecified launch failure" : s == kNoMemory ? "out of memory" : "error of the software GPU", kOk; }
API Status cuDeviceGetCount(int* n) { return *n = static_cast<int>(world().devices.size()), kOk; }
API Status cuDeviceGet(int* d, int ordinal) { return *d = ordinal, ordinal < static_cast<int>(world().devices.size()) ? kOk : 101; }
API Status cuDeviceGetName(char* name, int n, int) { return std::snprintf(name, static_cast<size_t>(n), "Software GPU"), kOk; }
API Status cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = world().memory, kOk; }
API Status cuDeviceGetAttribute(int* v, int attribute, int) {
  const int arch = static_cast<int>(number("SOFTGPU_ARCH", 90));
  switch (attribute) {
    case 1: *v = 1024; break;
    case 8: *v = 48 << 10; break;
    case 10: *v = 32; break;
    case 16: *v = 4; break;
    case 38: *v = 4 << 20; break;
    case 39: *v = 2048; break;
    case 41: *v = 1; break;
    case 75: *v = arch / 10; break;
    case 76: *v = arch % 10; break;
    case 81: *v = 228 << 10; break;
    case 82: *v = 65536; break;
    case 97: *v = 227 << 10; break;
    default: *v = 0;
  }
  return kOk;
}
API Status cuDeviceCanAccessPeer(int* yes, int, int) { return *yes = 1, kOk; }
API Status cuDevicePrimaryCtxRetain(Context** c, int d) { return *c = world().contexts[static_cast<size_t>(d)].get(), kOk; }
API Status cuCtxSetCurrent(Context* c) { return t_context = c, kOk; }
API Status cuCtxGetCurrent(Context** c) { return *c = t_context, kOk; }
API Status cuCtxSynchronize() {
  ENTER;
  if (any_capture()) return kCaptureUnsupported;
  ++g_counts.synchronizations;
  return drain_all();
}

// ---- memory -------------------------------------------------------------------------------------------------

API Status cuMemGetInfo_v2(size_t* free, size_t* total) {
  ENTER;
  *total = w.memory;
  *free = w.memory - w.devices[static_cast<size_t>(t_context->device)]->used;
  return kOk;
}
API Status cuMemAlloc_v2(uint64_t* p, size_t bytes) {
  ENTER;
  if (!t_context) return 201;
  Device& d = *w.devices[static_cast<size_t>(t_context->device)];
  if (!bytes) return kInvalid;
  if (bytes > w.memory || d.used + bytes > w.memory) return kNoMemory;
  void* data = map_device(bytes);
  if (!data) return kNoMemory;
  d.used += bytes;
  d.blocks[reinterpret_cast<uint64_t>(data)] = bytes;
  ++g_counts.allocations;
  *p = reinterpret_cast<uint64_t>(data);
  return kOk;
}
API Status cuMemFree_v2(uint64_t p) {
  ENTER;
  if (const Status s = drain_all()) return s;
  for (auto& d : w.devices)
    if (auto it = d->blocks.find(p); it != d->blocks.end()) {
      unmap_device(reinterpret_cast<void*>(p), it->second);
      d->used -= it->second;
      d->blocks.erase(it);
      return kOk;
    }
  return kInvalid;
}
API Status cuMemHostAlloc(void** p, size_t bytes, unsigned) {
  ENTER;
  *p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (*p == MAP_FAILED) return kNoMemory;
  w.pinned[static_cast<char*>(*p)] = bytes;
  return kOk;
}
API Status cuMemFreeHost(void* p) {
  ENTER;
  if (const Status s = drain_all()) return s;
  const auto it = w.pinned.find(static_cast<char*>(p));
  if (it == w.pinned.end()) return kInvalid;
  munmap(p, it->second);
  w.pinned.erase(it);
  return kOk;
}

namespace {
Task copy_task(void* to, const void* from, size_t bytes) {
  return [=] {
    DeviceAccess open;
    std::memmove(to, from, bytes);
    return kOk;
  };
}
}  // namespace

API Status cuMemcpyHtoDAsync_v2(uint64_t dst, const void* src, size_t bytes, void* s) {
  ENTER;
  if (!is_device(dst, bytes)) return kInvalid;
  g_counts.bytes_to_device += static_cast<int64_t>(bytes);
  void* to = reinterpret_cast<void*>(dst);
  if (is_pinned(src, bytes)) return submit(s, copy_task(to, src, bytes));
  // pageable memory is read before the call returns
  auto staged = std::make_shared<std::vector<char>>(static_cast<const char*>(src), static_cast<const char*>(src) + bytes);
  return submit(s, [=] {
    DeviceAccess open;
    std::memcpy(to, staged->data(), staged->size());
    return kOk;
  });
}
API Status cuMemcpyDtoHAsync_v2(void* dst, uint64_t src, size_t bytes, void* s) {
  ENTER;
  if (!is_device(src, bytes)) return kInvalid;
  g_counts.bytes_to_host += static_cast<int64_t>(bytes);
  const bool pinned = is_pinned(dst, bytes);
  Stream* stream = stream_of(s);
  if (!pinned && stream->capture) return kCaptureUnsupported;
  if (const Status status = submit(s, copy_task(dst, reinterpret_cast<void*>(src), bytes))) return status;
  if (pinned) return kOk;
  ++g_counts.synchronizations;
  return drain(stream);
}
API Status cuMemcpyDtoDAsync_v2(uint64_t dst, uint64_t src, size_t bytes, void* s) {
  ENTER;
  if (!is_device(src, bytes) || !is_device(dst, bytes)) return kInvalid;
  g_counts.bytes_on_device += static_cast<int64_t>(bytes);
  return submit(s, copy_task(reinterpret_cast<void*>(dst), reinterpret_cast<void*>(src), bytes));
}
API Status cuMemcpyPeerAsync(uint64_t dst, Context*, uint64_t src, Context*, size_t bytes, void* s) { return cuMemcpyDtoDAsync_v2(dst, src, bytes, s); }
API Status cuMemsetD8Async(uint64_t p, unsigned char value, size_t bytes, void* s) {
  ENTER;
  if (!is_device(p, bytes)) return kInvalid;
  return submit(s, [=] {
    DeviceAccess open;
    std::memset(reinterpret_cast<void*>(p), value, bytes);
    return kOk;
  });
}

// ---- streams, events ------------------------------------------------------------------------------------------

API Status cuStreamCreateWithPriority(Stream** s, unsigned, int) {
  ENTER;
  *s = new Stream;
  (*s)->device = t_context->device;
  w.streams.push_back(*s);
  return kOk;
}
API Status cuStreamDestroy_v2(Stream* s) {
  ENTER;
  drain(s);
  std::erase(w.streams, s);
  delete s;
  return kOk;
}
API Status cuStreamSynchronize(void* s) {
  ENTER;
  Stream* stream = stream_of(s);
  if (stream->capture) return kCaptureUnsupported;
  ++g_counts.synchronizations;
  return drain(stream);
}
API Status cuStreamQuery(void* s) {
  ENTER;
  Stream* stream = stream_of(s);
  if (stream->done == stream->enqueued) return kOk;
  if (w.lazy) return drain(stream, stream->done + 1), kNotReady;  // time passes between two questions
  return drain(stream);
}
API Status cuStreamWaitEvent(void* s, Event* e, unsigned) {
  ENTER;
  if (!e->recorded || !e->stream) return kOk;
  Stream* from = e->stream;
  const uint64_t upto = e->position;
  return submit(s, [=] { return drain(from, upto); });
}
API Status cuEventCreate(Event** e, unsigned) { return *e = new Event, kOk; }
API Status cuEventDestroy_v2(Event* e) { return delete e, kOk; }
API Status cuEventRecord(Event* e, void* s) {
  ENTER;
  e->stream = stream_of(s), e->position = e->stream->enqueued, e->recorded = true;
  if (e->stream->capture) e->position = 0;
  return kOk;
}
API Status cuEventQuery(Event* e) {
  ENTER;
  if (!e->recorded || e->stream->done >= e->position) return kOk;
  if (w.lazy) return drain(e->stream, e->stream->done + 1), kNotReady;
  return drain(e->stream, e->position);
}
API Status cuEventSynchronize(Event* e) {
  ENTER;
  ++g_counts.synchronizations;
  return e->recorded ? drain(e->stream, e->position) : kOk;
}
API Status cuEventElapsedTime(float* ms, Event* a, Event* b) {
  ENTER;
  if (!a->recorded || !b->recorded) return kInvalid;
  if (a->stream->done < a->position || b->stream->done < b->position) return kNotReady;
  *ms = 0.01f;
  return kOk;
}

// ---- modules and launches ----------------------------------------------------------------------------------------

API Status cuModuleLoadData(ModuleObject** m, const void* image) {
  ENTER;
  const size_t size = elf_size(image);
  if (!size) return kBadImage;
  // a name that was never used: the loader hands back an older library for a known file
  static std::atomic<int> next{0};
  char path[96];
  std::snprintf(path, sizeof path, "/dev/shm/softgpu-%d-%d.so", getpid(), next++);
  FILE* f = std::fopen(path, "wb");
  if (!f) {
    std::snprintf(path, sizeof path, "/tmp/softgpu-%d-%d.so", getpid(), next++);
    f = std::fopen(path, "wb");
  }
  if (!f) return kNoMemory;
  const bool written = std::fwrite(image, 1, size, f) == size;
  std::fclose(f);
  void* library = written ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
  unlink(path);
  if (!library) {
    std::fprintf(stderr, "softgpu: %s\n", dlerror());
    return kBadImage;
  }
  auto made = std::make_unique<ModuleObject>();
  Image& i = made->image;
  i.library = library;
  i.thread = static_cast<Thread**>(dlsym(library, "softgpu_thread"));
  i.block = static_cast<Block*>(dlsym(library, "softgpu_block"));
  if (auto* table = static_cast<Runtime*>(dlsym(library, "softgpu_runtime"))) *table = runtime();
  if (auto* range = reinterpret_cast<void (*)(char**, char**)>(dlsym(library, "softgpu_shared_range"))) range(&i.shared_begin, &i.shared_end);
  *m = made.release();
  return kOk;
}
API Status cuModuleUnload(ModuleObject* m) {
  ENTER;
  drain_all();
  dlclose(m->image.library);
  delete m;
  return kOk;
}
API Status cuModuleGetFunction(Function** f, ModuleObject* m, const char* name) {
  ENTER;
  auto& slot = m->functions[name];
  if (!slot) {
    const std::string n = name;
    auto* call = reinterpret_cast<void (*)(void**)>(dlsym(m->image.library, ("softgpu_call_" + n).c_str()));
    auto* sizes = reinterpret_cast<void (*)(int*, int*)>(dlsym(m->image.library, ("softgpu_sizes_" + n).c_str()));
    if (!call || !sizes) return m->functions.erase(n), kNotFound;
    slot = std::make_unique<Function>();
    slot->name = n, slot->module = m, slot->call = call;
    sizes(&slot->count, slot->sizes);
  }
  *f = slot.get();
  return kOk;
}
API Status cuFuncSetAttribute(Function*, int, int value) { return value <= (227 << 10) ? kOk : kInvalid; }
API Status cuLaunchKernel(Function* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void* s,
                          void** args, void**) {
  ENTER;
  const uint64_t threads = static_cast<uint64_t>(bx) * by * bz;
  if (!gx || !gy || !gz || !threads || threads > 1024 || gy > 65535 || gz > 65535 || gx > 2147483647u) return kInvalid;
  auto l = std::make_shared<Launch>();
  l->image = &f->module->image, l->call = f->call, l->name = f->name;
  l->grid = {gx, gy, gz}, l->block = {bx, by, bz}, l->dynamic_shared = shared;
  for (int i = 0; i < f->count; ++i) l->args.emplace_back(static_cast<char*>(args[i]), static_cast<char*>(args[i]) + f->sizes[i]);
  ++g_counts.launches;
  return submit(s, [l, order = w.order]() -> Status {
    const std::string problem = run(*l, order);
    if (problem.empty()) return kOk;
    std::fprintf(stderr, "softgpu: %s\n", problem.c_str());
    return kLaunchFailed;
  });
}

// ---- graphs -------------------------------------------------------------------------------------------------------

API Status cuStreamBeginCapture_v2(Stream* s, int) {
  ENTER;
  if (!s || s->capture) return kInvalid;
  s->capture = new std::vector<Task>;
  return kOk;
}
API Status cuStreamEndCapture(Stream* s, Graph** g) {
  ENTER;
  if (!s || !s->capture) return kInvalid;
  *g = new Graph{std::move(*s->capture)};
  delete s->capture;
  s->capture = nullptr;
  return kOk;
}
API Status cuStreamIsCapturing(void* s, int* status) {
  ENTER;
  return *status = stream_of(s)->capture ? 1 : 0, kOk;
}
API Status cuGraphInstantiateWithFlags(Graph** exec, Graph* g, unsigned long long) { return *exec = new Graph(*g), kOk; }
API Status cuGraphLaunch(Graph* g, void* s) {
  ENTER;
  ++g_counts.graph_launches;
  for (const Task& t : g->tasks)
    if (const Status status = submit(s, t)) return status;
  return kOk;
}
API Status cuGraphDestroy(Graph* g) { return delete g, kOk; }
API Status cuGraphExecDestroy(Graph* g) { return delete g, kOk; }

}  // namespace softgpu
