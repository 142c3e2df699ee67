// Layer, root-mean-square and group normalisation for every instruction set.
#include <immintrin.h>

#include <algorithm>
#include <vector>

#include "core/math.h"
#include "cpu/kernels/copy.h"
#include "cpu/kernels/rows.h"
#include "cpu/pool.h"

#define BOLIDE_KERNELS "cpu/kernels/norm.inl"
#include "cpu/kernels/each_isa.inl"

namespace bolide::cpu {

template <class T>
void layer_norm_rows(const T* x, const T* weight, const T* bias, int64_t rows, int64_t n, double eps, T* y,
                     Compute<T>* mean, Compute<T>* rstd) {
  BOLIDE_PICK(layer_norm_rows(x, weight, bias, rows, n, eps, y, mean, rstd));
}
template <class T>
void layer_norm_backward_rows(const T* g, const T* x, const Compute<T>* mean, const Compute<T>* rstd, const T* weight,
                              int64_t rows, int64_t n, T* dx, T* dweight, T* dbias) {
  BOLIDE_PICK(layer_norm_backward_rows(g, x, mean, rstd, weight, rows, n, dx, dweight, dbias));
}
template <class T>
void rms_norm_rows(const T* x, const T* weight, int64_t rows, int64_t n, double eps, T* y, Compute<T>* rstd) {
  BOLIDE_PICK(rms_norm_rows(x, weight, rows, n, eps, y, rstd));
}
template <class T>
void rms_norm_backward_rows(const T* g, const T* x, const Compute<T>* rstd, const T* weight, int64_t rows, int64_t n,
                            T* dx, T* dweight) {
  BOLIDE_PICK(rms_norm_backward_rows(g, x, rstd, weight, rows, n, dx, dweight));
}
template <class T>
void group_norm(const T* x, const T* weight, const T* bias, int64_t batch, int64_t channels, int64_t plane, int64_t groups,
                double eps, T* y, Compute<T>* mean, Compute<T>* rstd) {
  BOLIDE_PICK(group_norm(x, weight, bias, batch, channels, plane, groups, eps, y, mean, rstd));
}
template <class T>
void group_norm_backward(const T* g, const T* x, const Compute<T>* mean, const Compute<T>* rstd, const T* weight,
                         int64_t batch, int64_t channels, int64_t plane, int64_t groups, T* dx, T* dweight, T* dbias) {
  BOLIDE_PICK(group_norm_backward(g, x, mean, rstd, weight, batch, channels, plane, groups, dx, dweight, dbias));
}

#define BOLIDE_FOR(T)                                                                                               \
  template void layer_norm_rows(const T*, const T*, const T*, int64_t, int64_t, double, T*, Compute<T>*,            \
                                Compute<T>*);                                                                       \
  template void layer_norm_backward_rows(const T*, const T*, const Compute<T>*, const Compute<T>*, const T*,        \
                                         int64_t, int64_t, T*, T*, T*);                                             \
  template void rms_norm_rows(const T*, const T*, int64_t, int64_t, double, T*, Compute<T>*);                       \
  template void rms_norm_backward_rows(const T*, const T*, const Compute<T>*, const T*, int64_t, int64_t, T*, T*);  \
  template void group_norm(const T*, const T*, const T*, int64_t, int64_t, int64_t, int64_t, double, T*,            \
                           Compute<T>*, Compute<T>*);                                                               \
  template void group_norm_backward(const T*, const T*, const Compute<T>*, const Compute<T>*, const T*, int64_t,    \
                                    int64_t, int64_t, int64_t, T*, T*, T*);
BOLIDE_FOR(float)
BOLIDE_FOR(double)
BOLIDE_FOR(Half)
BOLIDE_FOR(BFloat16)

}  // namespace bolide::cpu
