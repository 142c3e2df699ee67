// Extremes with positions for every instruction set.
#include <immintrin.h>

#include <algorithm>
#include <vector>

#include "cpu/kernels/copy.h"
#include "cpu/kernels/reducers.h"

#define BOLIDE_KERNELS "cpu/kernels/extreme.inl"
#include "cpu/kernels/each_isa.inl"

namespace bolide::cpu {

iter::Reducer extreme_reducer(const char* op, bool largest, DType t) { return BOLIDE_PICK(extreme_reducer(op, largest, t)); }

}  // namespace bolide::cpu
