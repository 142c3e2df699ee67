// Variances for every instruction set.
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/kernels/copy.h"
#include "cpu/kernels/reducers.h"

#define BOLIDE_KERNELS "cpu/kernels/variance.inl"
#include "cpu/kernels/each_isa.inl"

namespace bolide::cpu {

iter::Reducer variance_reducer(const char* op, DType t) { return BOLIDE_PICK(variance_reducer(op, t)); }

}  // namespace bolide::cpu
