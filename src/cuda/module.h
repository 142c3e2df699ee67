// Kernels: texts, compiled when first needed, kept in memory and on disk.
//
// A text (src/cuda/kernels/*.cu) holds plain extern "C" kernels that depend on macros (T, ACC, ...); a Recipe is a text
// with its macros. Look-up: this process, the pack of ready cubins, the disk cache, NVRTC.
#pragma once
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "cuda/stream.h"

namespace bolide::cuda {

/// A text of the registry. `extra` is put before it (an expression's own source); `macros` are "NAME=value" lines.
struct KernelText {
  const char* name;   // "softmax"
  const char* begin;  // embedded in the library
  const char* end;
  std::string_view text() const { return {begin, static_cast<size_t>(end - begin)}; }
};
/// All texts, in the order of registration.
const std::vector<const KernelText*>& kernel_texts();
const KernelText& kernel_text(std::string_view name);
struct RegisterText { explicit RegisterText(const KernelText* t); };

/// Declares and registers the text of src/cuda/kernels/NAME.cu, embedded by the assembler.
#define BOLIDE_KERNEL_TEXT(NAME)                                                                          \
  __asm__(".section .rodata\n"                                                                            \
          "bolide_text_" #NAME ":\n.incbin \"" BOLIDE_KERNEL_FOLDER "/" #NAME ".cu\"\n"                    \
          "bolide_text_end_" #NAME ":\n.byte 0\n.previous\n");                                            \
  extern "C" const char bolide_text_##NAME[] __attribute__((visibility("hidden")));                      \
  extern "C" const char bolide_text_end_##NAME[] __attribute__((visibility("hidden")));                  \
  const ::bolide::cuda::KernelText NAME##_text{#NAME, bolide_text_##NAME, bolide_text_end_##NAME};        \
  const ::bolide::cuda::RegisterText register_##NAME##_text(&NAME##_text)

/// The loaded kernel `function` of text + macros (+ extra) for the current device. Cached; a miss compiles.
/// Throws an error with the compiler's log when the text does not compile, with advice when there is no compiler.
Function get_function(const KernelText& text, const char* function, const std::string& macros, std::string_view extra = {});

/// The cubin for one architecture (90 = sm_90), as get_function would load it. For packs and compile-only tests.
std::string compile(const KernelText& text, const std::string& macros, std::string_view extra, int architecture, std::string* log = nullptr);
/// Every (text, macros, extra) asked for so far in this process, one a line; what a pack has to hold.
std::string asked_kernels();

struct Grid { unsigned x = 1, y = 1, z = 1; };
/// Launches on the current stream. `op` names the work in errors; with CUDA_LAUNCH_BLOCKING=1 waits for it.
void launch_raw(Function f, const char* op, Grid grid, Grid block, unsigned shared, void** args);
template <class... A>
void launch(Function f, const char* op, Grid grid, Grid block, unsigned shared, const A&... args) {
  static_assert((std::is_trivially_copyable_v<A> && ...), "kernel arguments are plain data");
  static_assert((sizeof(A) + ... + 0) <= 4096, "kernel arguments take at most 4 KB");
  void* list[] = {const_cast<void*>(static_cast<const void*>(&args))..., nullptr};
  launch_raw(f, op, grid, block, shared, list);
}

struct LaunchStats { int64_t launches, compiles, disk_hits, pack_hits, synchronizations, bytes_to_device, bytes_to_host; };
/// Counts since the start of the process.
LaunchStats launch_stats();
void count_transfer(bool to_device, size_t bytes);
void count_synchronization();

}  // namespace bolide::cuda
