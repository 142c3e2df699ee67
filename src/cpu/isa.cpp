// Map: detection | the choice and BOLIDE_ISA | AMX permission
#include "cpu/isa.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

namespace bolide {

namespace {

// __builtin_cpu_supports also checks that the operating system saves the wide registers.
Isa detect() {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("lzcnt") &&
                    __builtin_cpu_supports("popcnt");
  if (!avx2) return Isa::Baseline;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512cd");
  return avx512 ? Isa::Avx512 : Isa::Avx2;
}

Isa requested(Isa best) {
  const char* text = std::getenv("BOLIDE_ISA");
  if (text == nullptr || *text == '\0') return best;
  for (Isa isa : {Isa::Baseline, Isa::Avx2, Isa::Avx512}) {
    if (std::strcmp(text, isa_name(isa)) != 0) continue;
    if (isa <= best) return isa;
    std::fprintf(stderr, "bolide: BOLIDE_ISA=%s is more than this CPU offers; using %s\n", text,
        isa_name(best));
    return best;
  }
  std::fprintf(stderr, "bolide: BOLIDE_ISA=%s is not one of baseline, avx2, avx512; using %s\n", text,
               isa_name(best));
  return best;
}

// Linux hands out the 8 KB of tile state only on request (arch_prctl ARCH_REQ_XCOMP_PERM, feature 18).
bool request_amx() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
  const bool tiles = (edx >> 24) & 1, bf16 = (edx >> 22) & 1;
  if (!tiles || !bf16) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace

namespace detail {

std::atomic<int> chosen_isa{-1};

Isa choose_isa() {
  static const Isa chosen = requested(best_isa());
  int expected = -1;
  chosen_isa.compare_exchange_strong(expected, int(chosen));
  return Isa(chosen_isa.load());
}

}  // namespace detail

Isa best_isa() {
  static const Isa best = detect();
  return best;
}

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::Baseline: return "baseline";
    case Isa::Avx2: return "avx2";
    case Isa::Avx512: return "avx512";
  }
  return "unknown";
}

void set_isa_for_test(Isa isa) {
  if (isa > best_isa()) {
    throw std::runtime_error(std::string("set_isa_for_test: asked for ") + isa_name(isa) + ", this CPU has " +
                             isa_name(best_isa()));
  }
  detail::chosen_isa.store(int(isa));
}

bool has_amx() {
  static const bool available = request_amx();
  return available && isa() == Isa::Avx512;
}

bool has_avx512_bf16() { return isa() == Isa::Avx512 && __builtin_cpu_supports("avx512bf16"); }
bool has_avx512_vnni() { return isa() == Isa::Avx512 && __builtin_cpu_supports("avx512vnni"); }

}  // namespace bolide
