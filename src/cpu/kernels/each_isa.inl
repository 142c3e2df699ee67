// Includes BOLIDE_KERNELS once per instruction set, in namespaces baseline, avx2 and avx512. No #pragma once: a
// .cpp defines BOLIDE_KERNELS, includes this file, and picks with BOLIDE_PICK. Standard headers must be
// included before, so that their templates are not built for the higher sets only.
#include "cpu/isa.h"

#ifndef BOLIDE_PICK
#define BOLIDE_STRING(...) #__VA_ARGS__
#define BOLIDE_PRAGMA_TARGET(...) _Pragma(BOLIDE_STRING(GCC target(__VA_ARGS__)))
// The value of `call` in the namespace of the instruction set in use.
#define BOLIDE_PICK(...)                                            \
  (isa() == Isa::Avx512 ? avx512::__VA_ARGS__ : isa() == Isa::Avx2 ? avx2::__VA_ARGS__ : baseline::__VA_ARGS__)
#endif

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors never cross a function that is not inlined

namespace bolide::kernels::baseline {
#include BOLIDE_KERNELS
}

#pragma GCC push_options
BOLIDE_PRAGMA_TARGET(BOLIDE_TARGET_AVX2)
namespace bolide::kernels::avx2 {
#include BOLIDE_KERNELS
}
#pragma GCC pop_options

#pragma GCC push_options
BOLIDE_PRAGMA_TARGET(BOLIDE_TARGET_AVX512)
namespace bolide::kernels::avx512 {
#include BOLIDE_KERNELS
}
#pragma GCC pop_options
#undef BOLIDE_KERNELS
