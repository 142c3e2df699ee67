// The software GPU's compiler: nvrtc* functions that hand a kernel text to the host's C++ compiler. Test-only.
//
// Environment: SOFTGPU_CXX (g++), SOFTGPU_CACHE (a folder for compiled kernels; default /tmp/softgpu-cache-UID),
// SOFTGPU_FLAGS (more compiler flags).
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <regex>
#include <string>

#define API extern "C" __attribute__((visibility("default")))

__asm__(".section .rodata\nsoftgpu_shim_begin:\n.incbin \"" SOFTGPU_FOLDER "/shim.h\"\nsoftgpu_shim_end:\n.byte 0\n.previous\n");
extern "C" const char softgpu_shim_begin[] __attribute__((visibility("hidden")));
extern "C" const char softgpu_shim_end[] __attribute__((visibility("hidden")));

namespace {

struct Program {
  std::string source, name, log, image;
};

std::string setting(const char* variable, const std::string& otherwise) {
  const char* v = std::getenv(variable);
  return v && *v ? v : otherwise;
}
std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return in ? std::string(std::istreambuf_iterator<char>(in), {}) : std::string();
}
void write_file(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

/// One trampoline for each kernel of a preprocessed source: the driver's void** to the typed call, and the sizes of its arguments.
std::string trampolines(const std::string& source) {
  static const std::regex kernel(R"re(extern\s+"C"\s+__attribute__\(\(softgpu_kernel\)\)\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\()re");
  std::string s = "\n";
  for (std::sregex_iterator i(source.begin(), source.end(), kernel), end; i != end; ++i) {
    const std::string n = (*i)[1];
    s += "extern \"C\" __attribute__((visibility(\"default\"))) void softgpu_call_" + n + "(void** a) { softgpu::Kernel<decltype(&" + n +
         ")>::run(&" + n + ", a); }\n";
    s += "extern \"C\" __attribute__((visibility(\"default\"))) void softgpu_sizes_" + n + "(int* n, int* b) { softgpu::Kernel<decltype(&" + n +
         ")>::sizes(n, b); }\n";
  }
  return s;
}

uint64_t hash(const std::string& s) {
  uint64_t h = 14695981039346656037ull;
  for (const char c : s) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return h;
}

/// Runs a command, its errors into the program's log.
bool run(Program& p, const std::string& command, const std::string& log) {
  const int status = std::system((command + " 2> " + log).c_str());
  p.log += read_file(log);
  unlink(log.c_str());
  return status == 0;
}

int compile(Program& p, const std::string& arch) {
  const std::string shim(softgpu_shim_begin, static_cast<size_t>(softgpu_shim_end - softgpu_shim_begin));
  const std::string text = "#define __CUDA_ARCH__ " + arch + "0\n" + shim + p.source;
  const std::string flags = " -std=c++20 -O1 -w -fPIC -fvisibility=hidden -fno-strict-aliasing -ffp-contract=off " + setting("SOFTGPU_FLAGS", "");
  const std::string folder = setting("SOFTGPU_CACHE", "/tmp/softgpu-cache-" + std::to_string(getuid())), cxx = setting("SOFTGPU_CXX", "g++");
  mkdir(folder.c_str(), 0700);
  char key[40];
  std::snprintf(key, sizeof key, "%016llx", static_cast<unsigned long long>(hash(text + flags)));
  const std::string base = folder + "/" + key, ready = base + ".so", mine = base + "." + std::to_string(getpid()), log = mine + ".log";
  p.image = read_file(ready);
  if (!p.image.empty()) return 0;
  write_file(mine + ".cpp", text);
  bool ok = run(p, cxx + flags + " -E " + mine + ".cpp -o " + mine + ".ii", log);
  if (ok) {
    const std::string preprocessed = read_file(mine + ".ii");
    write_file(mine + ".ii", preprocessed + trampolines(preprocessed));
    ok = run(p, cxx + flags + " -shared -x c++-cpp-output " + mine + ".ii -o " + mine + ".so", log);
  }
  if (ok) {
    p.image = read_file(mine + ".so");
    std::rename((mine + ".so").c_str(), ready.c_str());
  }
  unlink((mine + ".cpp").c_str());
  unlink((mine + ".ii").c_str());
  return ok ? 0 : 6;
}

}  // namespace

API int nvrtcVersion(int* major, int* minor) { return *major = 13, *minor = 0, 0; }
API const char* nvrtcGetErrorString(int s) { return s ? "NVRTC_ERROR_COMPILATION" : "NVRTC_SUCCESS"; }
API int nvrtcGetNumSupportedArchs(int* n) { return *n = 5, 0; }
API int nvrtcGetSupportedArchs(int* a) {
  const int all[] = {75, 80, 90, 100, 120};
  return std::memcpy(a, all, sizeof all), 0;
}
API int nvrtcCreateProgram(Program** p, const char* source, const char* name, int, const char* const*, const char* const*) {
  *p = new Program{source, name ? name : "", {}, {}};
  return 0;
}
API int nvrtcDestroyProgram(Program** p) { return delete *p, *p = nullptr, 0; }
API int nvrtcCompileProgram(Program* p, int n, const char* const* options) {
  std::string arch = "90";
  for (int i = 0; i < n; ++i)
    if (const char* at = std::strstr(options[i], "architecture=")) arch = std::strchr(at, '_') + 1;
  return compile(*p, arch);
}
API int nvrtcGetProgramLogSize(Program* p, size_t* n) { return *n = p->log.size() + 1, 0; }
API int nvrtcGetProgramLog(Program* p, char* out) { return std::memcpy(out, p->log.c_str(), p->log.size() + 1), 0; }
API int nvrtcGetCUBINSize(Program* p, size_t* n) { return *n = p->image.size(), 0; }
API int nvrtcGetCUBIN(Program* p, char* out) { return std::memcpy(out, p->image.data(), p->image.size()), 0; }
API int nvrtcGetPTXSize(Program* p, size_t* n) { return *n = p->image.size(), 0; }
API int nvrtcGetPTX(Program* p, char* out) { return std::memcpy(out, p->image.data(), p->image.size()), 0; }
