// Softmax and cross entropy for every instruction set.
#include <immintrin.h>

#include <algorithm>
#include <vector>

#include "core/math.h"
#include "cpu/kernels/copy.h"
#include "cpu/kernels/rows.h"
#include "cpu/pool.h"

#define BOLIDE_KERNELS "cpu/kernels/softmax.inl"
#include "cpu/kernels/each_isa.inl"

namespace bolide::cpu {

template <class T> void softmax_rows(const T* x, T* y, int64_t rows, int64_t n, bool log) {
  if (n > 0) BOLIDE_PICK(softmax_rows(x, y, rows, n, log));
}
template <class T> void softmax_backward_rows(const T* g, const T* y, T* dx, int64_t rows, int64_t n, bool log) {
  BOLIDE_PICK(softmax_backward_rows(g, y, dx, rows, n, log));
}
template <class T> void softmax_inner(const T* x, T* y, int64_t outer, int64_t dim, int64_t inner, bool log) {
  BOLIDE_PICK(softmax_inner(x, y, outer, dim, inner, log));
}
template <class T> void softmax_backward_inner(const T* g, const T* y, T* dx, int64_t outer, int64_t dim, int64_t inner, bool log) {
  BOLIDE_PICK(softmax_backward_inner(g, y, dx, outer, dim, inner, log));
}
template <class T>
void cross_entropy_rows(const T* x, const int64_t* target, const Compute<T>* weight, int64_t ignore_index, int64_t rows,
                        int64_t n, Compute<T>* loss, Compute<T>* lse) {
  if (n > 0) BOLIDE_PICK(cross_entropy_rows<T>(x, target, weight, ignore_index, rows, n, loss, lse));
}
template <class T>
void cross_entropy_backward_rows(const T* x, const Compute<T>* lse, const int64_t* target, const Compute<T>* scale,
                                 int64_t rows, int64_t n, T* dx) {
  BOLIDE_PICK(cross_entropy_backward_rows<T>(x, lse, target, scale, rows, n, dx));
}

#define BOLIDE_FOR(T)                                                                                               \
  template void softmax_rows(const T*, T*, int64_t, int64_t, bool);                                                 \
  template void softmax_backward_rows(const T*, const T*, T*, int64_t, int64_t, bool);                              \
  template void softmax_inner(const T*, T*, int64_t, int64_t, int64_t, bool);                                       \
  template void softmax_backward_inner(const T*, const T*, T*, int64_t, int64_t, int64_t, bool);                    \
  template void cross_entropy_rows<T>(const T*, const int64_t*, const Compute<T>*, int64_t, int64_t, int64_t,       \
                                      Compute<T>*, Compute<T>*);                                                    \
  template void cross_entropy_backward_rows<T>(const T*, const Compute<T>*, const int64_t*, const Compute<T>*,      \
                                               int64_t, int64_t, T*);
BOLIDE_FOR(float)
BOLIDE_FOR(double)
BOLIDE_FOR(Half)
BOLIDE_FOR(BFloat16)

}  // namespace bolide::cpu
