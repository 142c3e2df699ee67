// Finding, compiling, caching and launching kernels.
// Map: the registry of texts | keys | disk cache | compiling | loading | launching and counting
#include "cuda/module.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <vector>

#include "cuda/fault.h"

namespace bolide::cuda {

BOLIDE_KERNEL_TEXT(prelude);

namespace {

namespace fs = std::filesystem;

std::vector<const KernelText*>& texts() {
  static auto* all = new std::vector<const KernelText*>;
  return *all;
}
std::atomic<int64_t> g_launches{0}, g_compiles{0}, g_disk_hits{0}, g_pack_hits{0}, g_syncs{0}, g_to_device{0}, g_to_host{0};

// ---- keys --------------------------------------------------------------------------------------------

uint64_t fnv(std::string_view s, uint64_t h) {
  for (const char c : s) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return h;
}
std::string key_of(const std::string& source, int architecture, int compiler) {
  const std::string tail = str("|sm_", architecture, "|nvrtc", compiler);
  const uint64_t a = fnv(tail, fnv(source, 14695981039346656037ull)), b = fnv(source, fnv(tail, 0x9e3779b97f4a7c15ull));
  std::ostringstream s;
  s << std::hex << a << '-' << b;
  return s.str();
}

std::string full_source(const KernelText& text, const std::string& macros, std::string_view extra) {
  std::string s(prelude_text.text());
  s.append(extra).append("\n");
  std::istringstream lines(macros);
  for (std::string line; std::getline(lines, line, ';');) {
    if (const size_t eq = line.find('='); eq != line.npos) line[eq] = ' ';
    s.append("#define ").append(line).append("\n");
  }
  return s.append("#line 1 \"").append(text.name).append(".cu\"\n").append(text.text());
}

// ---- disk cache ----------------------------------------------------------------------------------------

fs::path cache_folder() {
  if (const char* chosen = std::getenv("BOLIDE_KERNEL_CACHE")) return chosen;
  if (const char* base = std::getenv("XDG_CACHE_HOME"); base && *base) return fs::path(base) / "bolide" / "kernels";
  if (const char* home = std::getenv("HOME"); home && *home) return fs::path(home) / ".cache" / "bolide" / "kernels";
  return {};
}
std::string read_cached(const std::string& key) {
  const fs::path folder = cache_folder();
  if (folder.empty()) return {};
  std::ifstream in(folder / (key + ".cubin"), std::ios::binary);
  return in ? std::string(std::istreambuf_iterator<char>(in), {}) : std::string();
}
/// Through a temporary file and a rename, so that a reader never sees half a file. A full disk is no error.
void write_cached(const std::string& key, const std::string& cubin) {
  const fs::path folder = cache_folder();
  if (folder.empty()) return;
  std::error_code ignored;
  fs::create_directories(folder, ignored);
  const fs::path part = folder / str(key, ".", getpid(), ".part");
  {
    std::ofstream out(part, std::ios::binary);
    out.write(cubin.data(), static_cast<std::streamsize>(cubin.size()));
    if (!out.flush()) {
      fs::remove(part, ignored);
      return;
    }
  }
  fs::rename(part, folder / (key + ".cubin"), ignored);
}

// ---- compiling -------------------------------------------------------------------------------------------

int compiler_version() {
  int major = 0, minor = 0;
  nvrtc().nvrtcVersion(&major, &minor);
  return major * 100 + minor;
}

/// The newest architecture NVRTC knows that is not newer than the device's.
int target_for(int architecture) {
  int count = 0;
  const Nvrtc& n = nvrtc();
  n.nvrtcGetNumSupportedArchs(&count);
  std::vector<int> known(static_cast<size_t>(count));
  if (count) n.nvrtcGetSupportedArchs(known.data());
  int best = 0;
  for (int a : known)
    if (a <= architecture && (a / 10 == architecture / 10 || a == architecture)) best = std::max(best, a);
  BOLIDE_CHECK(best || known.empty() || architecture >= known.front(), "NVRTC ", compiler_version() / 100, " does not support sm_", architecture,
               ": this GPU needs ", architecture < 75 ? "NVRTC of CUDA 12 (pip install nvidia-cuda-nvrtc-cu12)" : "a newer NVRTC");
  return best;
}

std::string run_compiler(const std::string& source, const char* name, int architecture, bool cubin, std::string* log) {
  const Nvrtc& n = nvrtc();
  Program program = nullptr;
  BOLIDE_CHECK(n.nvrtcCreateProgram(&program, source.c_str(), name, 0, nullptr, nullptr) == kSuccess, "nvrtcCreateProgram failed");
  const std::string target = str(cubin ? "--gpu-architecture=sm_" : "--gpu-architecture=compute_", architecture);
  std::vector<const char*> options = {target.c_str(), "--std=c++17", "--device-int128", "-default-device"};
  if (log) options.push_back("--ptxas-options=-v");
  const Status status = n.nvrtcCompileProgram(program, static_cast<int>(options.size()), options.data());
  size_t size = 0;
  n.nvrtcGetProgramLogSize(program, &size);
  std::string text(size, '\0');
  if (size) n.nvrtcGetProgramLog(program, text.data());
  if (log) *log = text;
  if (status != kSuccess) {
    n.nvrtcDestroyProgram(&program);
    fail("the kernel text '", name, "' does not compile for sm_", architecture, ": ", n.nvrtcGetErrorString(status), "\n", text.c_str());
  }
  cubin ? n.nvrtcGetCUBINSize(program, &size) : n.nvrtcGetPTXSize(program, &size);
  std::string result(size, '\0');
  cubin ? n.nvrtcGetCUBIN(program, result.data()) : n.nvrtcGetPTX(program, result.data());
  n.nvrtcDestroyProgram(&program);
  ++g_compiles;
  return result;
}

std::string compile_source(const std::string& source, const char* name, int architecture, std::string* log) {
  if (const int known = target_for(architecture)) return run_compiler(source, name, known, true, log);
  // a GPU newer than the compiler: PTX, which the driver finishes
  int count = 0;
  nvrtc().nvrtcGetNumSupportedArchs(&count);
  std::vector<int> archs(static_cast<size_t>(count));
  nvrtc().nvrtcGetSupportedArchs(archs.data());
  return run_compiler(source, name, archs.back(), false, log);
}

// ---- loading ---------------------------------------------------------------------------------------------

struct Loaded {
  Module module = nullptr;
  std::map<std::string, Function> functions;
};
struct Cache {
  std::mutex lock;
  std::map<std::pair<int, std::string>, Loaded> modules;  // device, text + macros + extra
  std::set<std::string> asked;
};
Cache& cache() {
  static auto* c = new Cache;
  return *c;
}

Module load(const KernelText& text, const std::string& macros, std::string_view extra, int device) {
  const int architecture = device_info(device).architecture();
  const std::string source = full_source(text, macros, extra), key = key_of(source, architecture, has_nvrtc() ? compiler_version() : 0);
  std::string image = read_cached(key);
  const bool cached = !image.empty();
  if (cached) ++g_disk_hits;
  else image = compile_source(source, text.name, architecture, nullptr);
  Module module = nullptr;
  Status status = driver().cuModuleLoadData(&module, image.c_str());
  if (status != kSuccess && cached) {  // a damaged file: compile anew
    image = compile_source(source, text.name, architecture, nullptr);
    status = driver().cuModuleLoadData(&module, image.c_str());
    write_cached(key, image);
  } else if (!cached && status == kSuccess) {
    write_cached(key, image);
  }
  if (status == kUnsupportedPtxVersion || status == kNoBinaryForGpu)
    fail("The GPU (sm_", architecture, ") is newer than what this driver or NVRTC can build for: update the driver, or pip install -U bolide[cuda]");
  check(status, text.name);
  return module;
}

}  // namespace

const std::vector<const KernelText*>& kernel_texts() { return texts(); }
RegisterText::RegisterText(const KernelText* t) { texts().push_back(t); }
const KernelText& kernel_text(std::string_view name) {
  for (const KernelText* t : texts())
    if (name == t->name) return *t;
  fail("there is no kernel text '", name, "'");
}

std::string compile(const KernelText& text, const std::string& macros, std::string_view extra, int architecture, std::string* log) {
  return compile_source(full_source(text, macros, extra), text.name, architecture, log);
}

Function get_function(const KernelText& text, const char* function, const std::string& macros, std::string_view extra) {
  driver();
  const int device = current_device();
  Cache& c = cache();
  std::lock_guard lock(c.lock);
  Loaded& l = c.modules[{device, str(text.name, '|', macros, '|', extra)}];
  if (!l.module) {
    c.asked.insert(str(text.name, '\t', macros, '\t', extra));
    l.module = load(text, macros, extra, device);
  }
  Function& f = l.functions[function];
  if (!f) check(driver().cuModuleGetFunction(&f, l.module, function), function);
  return f;
}

std::string asked_kernels() {
  Cache& c = cache();
  std::lock_guard lock(c.lock);
  std::string all;
  for (const std::string& one : c.asked) all += one + "\n";
  return all;
}

// ---- launching and counting --------------------------------------------------------------------------------

void launch_raw(Function f, const char* op, Grid grid, Grid block, unsigned shared, void** args) {
  static const bool blocking = [] { const char* v = std::getenv("CUDA_LAUNCH_BLOCKING"); return v && *v == '1'; }();
  check_faults();
  const Driver& cu = driver();
  const Stream s = current_stream();
  g_launches.fetch_add(1, std::memory_order_relaxed);
  check(cu.cuLaunchKernel(f, grid.x, grid.y, grid.z, block.x, block.y, block.z, shared, s.handle, args, nullptr), op);
  if (blocking) check(cu.cuStreamSynchronize(s.handle), op);
}

LaunchStats launch_stats() {
  return {g_launches, g_compiles, g_disk_hits, g_pack_hits, g_syncs, g_to_device, g_to_host};
}
void count_transfer(bool to_device, size_t bytes) {
  (to_device ? g_to_device : g_to_host).fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed);
}
void count_synchronization() { g_syncs.fetch_add(1, std::memory_order_relaxed); }

}  // namespace bolide::cuda
