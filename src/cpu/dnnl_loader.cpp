// Map: finding and opening the oneDNN plugin
#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "cpu/dnnl_table.h"
#include "cpu/isa.h"

namespace bolide::detail {

namespace {

std::atomic<bool> enabled{true};

// The plugin lies beside the library that holds this function.
std::string plugin_path() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&dnnl_table), &info) == 0 || info.dli_fname == nullptr) return {};
  const std::string library = info.dli_fname;
  const size_t slash = library.rfind('/');
  return (slash == std::string::npos ? std::string("./") : library.substr(0, slash + 1)) +
         "libbolide_dnnl.so";
}

const BolideDnnlTable* open_plugin() {
  const char* wish = std::getenv("BOLIDE_DNNL");
  if (wish != nullptr && std::strcmp(wish, "0") == 0) return nullptr;
  // A lower instruction set was asked for: oneDNN chooses its own, and must not exceed it.
  if (isa() != best_isa()) setenv("DNNL_MAX_CPU_ISA", isa() == Isa::Avx2 ? "AVX2" : "SSE41", 0);
  void* plugin = dlopen(plugin_path().c_str(), RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) return nullptr;
  const auto table = reinterpret_cast<decltype(&bolide_dnnl_table)>(dlsym(plugin, "bolide_dnnl_table"));
  return table != nullptr ? table(kBolideDnnlVersion) : nullptr;
}

}  // namespace

const BolideDnnlTable* dnnl_table() {
  if (isa() == Isa::Baseline || !enabled.load(std::memory_order_relaxed)) return nullptr;
  static const BolideDnnlTable* const table = open_plugin();
  return table;
}

void set_dnnl_enabled(bool on) { enabled.store(on); }

}  // namespace bolide::detail
