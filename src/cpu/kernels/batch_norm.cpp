// Batch normalisation for every instruction set, planes first or channels last.
#include <immintrin.h>

#include <algorithm>
#include <vector>

#include "core/math.h"
#include "cpu/kernels/copy.h"
#include "cpu/kernels/rows.h"
#include "cpu/pool.h"

#define BOLIDE_KERNELS "cpu/kernels/batch_norm.inl"
#include "cpu/kernels/each_isa.inl"

namespace bolide::cpu {

template <class T> void batch_norm_stats(const T* x, Images s, Compute<T>* mean, Compute<T>* variance) {
  if (s.channels_last) BOLIDE_PICK(stats_last(x, s, mean, variance));
  else BOLIDE_PICK(stats_planes(x, s, mean, variance));
}
template <class T> void batch_norm_apply(const T* x, Images s, const Compute<T>* scale, const Compute<T>* shift, T* y) {
  if (s.channels_last) BOLIDE_PICK(apply_last(x, s, scale, shift, y));
  else BOLIDE_PICK(apply_planes(x, s, scale, shift, y));
}
template <class T>
void batch_norm_sums(const T* g, const T* x, Images s, const Compute<T>* mean, Compute<T>* sum_g, Compute<T>* sum_gx) {
  if (s.channels_last) BOLIDE_PICK(sums_last(g, x, s, mean, sum_g, sum_gx));
  else BOLIDE_PICK(sums_planes(g, x, s, mean, sum_g, sum_gx));
}
template <class T>
void batch_norm_dx(const T* g, const T* x, Images s, const Compute<T>* mean, const Compute<T>* mean_g,
                   const Compute<T>* slope, const Compute<T>* scale, T* dx) {
  if (s.channels_last) BOLIDE_PICK(dx_last(g, x, s, mean, mean_g, slope, scale, dx));
  else BOLIDE_PICK(dx_planes(g, x, s, mean, mean_g, slope, scale, dx));
}

#define BOLIDE_FOR(T)                                                                                             \
  template void batch_norm_stats(const T*, Images, Compute<T>*, Compute<T>*);                                     \
  template void batch_norm_apply(const T*, Images, const Compute<T>*, const Compute<T>*, T*);                     \
  template void batch_norm_sums(const T*, const T*, Images, const Compute<T>*, Compute<T>*, Compute<T>*);         \
  template void batch_norm_dx(const T*, const T*, Images, const Compute<T>*, const Compute<T>*, const Compute<T>*, \
                              const Compute<T>*, T*);
BOLIDE_FOR(float)
BOLIDE_FOR(double)
BOLIDE_FOR(Half)
BOLIDE_FOR(BFloat16)

}  // namespace bolide::cpu
