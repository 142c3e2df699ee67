// Sums and means for every instruction set.
#include <immintrin.h>

#include <algorithm>
#include <vector>

#include "cpu/kernels/copy.h"
#include "cpu/kernels/reducers.h"
#include "cpu/kernels/rows.h"
#include "cpu/pool.h"

#define BOLIDE_KERNELS "cpu/kernels/sum.inl"
#include "cpu/kernels/each_isa.inl"

namespace bolide::cpu {

iter::Reducer sum_reducer(const char* op, DType t, bool skip_nan) { return BOLIDE_PICK(sum_reducer(op, t, skip_nan)); }
iter::Reducer mean_reducer(const char* op, DType t) { return BOLIDE_PICK(mean_reducer(op, t)); }
template <class T> T sum_all(const T* x, int64_t n) { return BOLIDE_PICK(sum_all(x, n)); }
template float sum_all(const float*, int64_t);
template double sum_all(const double*, int64_t);

}  // namespace bolide::cpu
