// Includes BOLIDE_KERNELS once per instruction set, in namespaces baseline, avx2 and avx512. No #pragma once: a
// .cpp defines BOLIDE_KERNELS, includes this file, and picks with BOLIDE_PICK. Standard headers must be
// included before, so that their templates are not built for the higher sets only.
#include "cpu/isa.h"

#ifndef BOLIDE_PICK
// The value of `call` in the namespace of the instruction set in use.
#define BOLIDE_PICK(...)                                            \
  (isa() == Isa::Avx512 ? avx512::__VA_ARGS__ : isa() == Isa::Avx2 ? avx2::__VA_ARGS__ : baseline::__VA_ARGS__)
#endif

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors never cross a function that is not inlined

// g++ reads all tokens before it acts on a #pragma, so __AVX2__ and its like say nothing here: code asks
// BOLIDE_HAS_AVX2 (with FMA and F16C) instead. A #pragma expands no macros either: the strings are
// BOLIDE_TARGET_AVX2 and BOLIDE_TARGET_AVX512 of cpu/isa.h spelled out.
#define BOLIDE_HAS_AVX2 0
namespace bolide::cpu::baseline {
#include BOLIDE_KERNELS
}
#undef BOLIDE_HAS_AVX2
#define BOLIDE_HAS_AVX2 1

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,bmi,bmi2,lzcnt,popcnt")
namespace bolide::cpu::avx2 {
#include BOLIDE_KERNELS
}
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,bmi,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512cd")
namespace bolide::cpu::avx512 {
#include BOLIDE_KERNELS
}
#pragma GCC pop_options
#undef BOLIDE_HAS_AVX2
#undef BOLIDE_KERNELS
