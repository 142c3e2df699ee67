// Map: the instruction sets kernels are built for, and which one this process uses
//
// Every kernel is built for each Isa and picked at run time. Avx2 means AVX2 + FMA + F16C + BMI2 (x86-64-v3),
// Avx512 means F + BW + DQ + VL + CD on top (x86-64-v4). BOLIDE_ISA=baseline|avx2|avx512 asks for a lower
// one.
#pragma once

#include <atomic>

// Target strings for [[gnu::target(...)]]; they match what isa() promises.
#define BOLIDE_TARGET_AVX2 "avx2,fma,f16c,bmi,bmi2,lzcnt,popcnt"
#define BOLIDE_TARGET_AVX512 BOLIDE_TARGET_AVX2 ",avx512f,avx512bw,avx512dq,avx512vl,avx512cd"

namespace bolide {

enum class Isa : int { Baseline = 0, Avx2 = 1, Avx512 = 2 };

namespace detail {
extern std::atomic<int> chosen_isa;  // -1 until first asked
Isa choose_isa();
}  // namespace detail

// The instruction set in use: the best of the CPU and the operating system, or a lower one on request.
inline Isa isa() {
  const int chosen = detail::chosen_isa.load(std::memory_order_relaxed);
  return chosen >= 0 ? Isa(chosen) : detail::choose_isa();
}

// The best the CPU and the operating system offer, whatever BOLIDE_ISA says.
Isa best_isa();

// Changes isa() for tests; throws std::runtime_error when the CPU cannot run it.
void set_isa_for_test(Isa isa);

const char* isa_name(Isa isa);

// Tile matrix units (AMX tiles with bf16), with the kernel's permission to use them obtained. False when
// isa() is below Avx512.
bool has_amx();

// Dot products of bf16 pairs (AVX512_BF16) and of bytes (AVX512_VNNI); false when isa() is below Avx512.
bool has_avx512_bf16();
bool has_avx512_vnni();

}  // namespace bolide
