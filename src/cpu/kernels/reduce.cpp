// Sums, maxima and running sums for every instruction set.
#include <immintrin.h>

#include <algorithm>
#include <vector>

#include "core/math.h"
#include "cpu/kernels/rows.h"
#include "cpu/pool.h"

#define BOLIDE_KERNELS "cpu/kernels/reduce.inl"
#include "cpu/kernels/each_isa.inl"

namespace bolide::cpu {

template <class T> Compute<T> sum_all(const T* x, int64_t n) { return BOLIDE_PICK(sum_all(x, n)); }
template <class T> void sum_rows(const T* x, int64_t rows, int64_t n, T* y) { BOLIDE_PICK(sum_rows(x, rows, n, y)); }
template <class T> void sum_columns(const T* x, int64_t rows, int64_t columns, T* y) {
  BOLIDE_PICK(sum_columns(x, rows, columns, y));
}
template <class T> void max_rows(const T* x, int64_t rows, int64_t n, bool smallest, T* values, int64_t* indices) {
  BOLIDE_PICK(max_rows(x, rows, n, smallest, values, indices));
}
template <class T> void max_columns(const T* x, int64_t rows, int64_t columns, bool smallest, T* values, int64_t* indices) {
  BOLIDE_PICK(max_columns(x, rows, columns, smallest, values, indices));
}
template <class T> void cumsum_rows(const T* x, int64_t rows, int64_t n, T* y) { BOLIDE_PICK(cumsum_rows(x, rows, n, y)); }

#define BOLIDE_FOR_SUM(T)                                      \
  template Compute<T> sum_all(const T*, int64_t);              \
  template void sum_rows(const T*, int64_t, int64_t, T*);      \
  template void sum_columns(const T*, int64_t, int64_t, T*);
#define BOLIDE_FOR(T)                                                                \
  template void max_rows(const T*, int64_t, int64_t, bool, T*, int64_t*);            \
  template void max_columns(const T*, int64_t, int64_t, bool, T*, int64_t*);         \
  template void cumsum_rows(const T*, int64_t, int64_t, T*);
BOLIDE_FOR_SUM(float)
BOLIDE_FOR_SUM(double)
BOLIDE_FOR_SUM(Half)
BOLIDE_FOR_SUM(BFloat16)
BOLIDE_FOR(float)
BOLIDE_FOR(double)
BOLIDE_FOR(Half)
BOLIDE_FOR(BFloat16)
BOLIDE_FOR(int32_t)
BOLIDE_FOR(int64_t)

}  // namespace bolide::cpu
