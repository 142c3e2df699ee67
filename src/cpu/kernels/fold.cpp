// Products, extremes, counts, norms, all and any for every instruction set.
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "cpu/kernels/copy.h"
#include "cpu/kernels/reducers.h"

#define BOLIDE_KERNELS "cpu/kernels/fold.inl"
#include "cpu/kernels/each_isa.inl"

namespace bolide::cpu {

iter::Reducer fold_reducer(const char* op, ReduceOp which, DType t) { return BOLIDE_PICK(fold_reducer(op, which, t)); }
iter::Reducer norm_reducer(const char* op, double p, DType t) { return BOLIDE_PICK(norm_reducer(op, p, t)); }

}  // namespace bolide::cpu
