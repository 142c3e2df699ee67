// Optimizer steps over flat arrays for every instruction set.
#include <immintrin.h>

#include <algorithm>
#include <vector>

#include "core/math.h"
#include "cpu/kernels/copy.h"
#include "cpu/kernels/rows.h"
#include "cpu/pool.h"

#define BOLIDE_KERNELS "cpu/kernels/optimizer.inl"
#include "cpu/kernels/each_isa.inl"

namespace bolide::cpu {

template <class T> void adam_step(T* p, const T* g, T* first, T* second, T* max_second, int64_t n, const AdamStep& s) {
  BOLIDE_PICK(adam_step(p, g, first, second, max_second, n, s));
}
template <class T> void sgd_step(T* p, const T* g, T* buffer, int64_t n, const SgdStep& s) {
  BOLIDE_PICK(sgd_step(p, g, buffer, n, s));
}
template <class T> double sum_of_squares(const T* x, int64_t n) { return BOLIDE_PICK(sum_of_squares(x, n)); }
template <class T> void scale_in_place(T* x, double factor, int64_t n) { BOLIDE_PICK(scale_in_place(x, factor, n)); }

#define BOLIDE_FOR(T)                                                          \
  template void adam_step(T*, const T*, T*, T*, T*, int64_t, const AdamStep&); \
  template void sgd_step(T*, const T*, T*, int64_t, const SgdStep&);
#define BOLIDE_FOR_ALL(T)                              \
  template double sum_of_squares(const T*, int64_t);   \
  template void scale_in_place(T*, double, int64_t);
BOLIDE_FOR(float)
BOLIDE_FOR(double)
BOLIDE_FOR_ALL(float)
BOLIDE_FOR_ALL(double)
BOLIDE_FOR_ALL(Half)
BOLIDE_FOR_ALL(BFloat16)

}  // namespace bolide::cpu
