// Map: embedding's backward | dropout
//
// Backward sorts positions by index (a counting sort), so that every row of the gradient is written once, by one
// thread, adding in the order of the positions: the same bits whatever the number of threads.
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/math.h"
#include "cpu/kernels/copy.h"
#include "cpu/kernels/rows.h"
#include "cpu/pool.h"

#define BOLIDE_KERNELS "cpu/kernels/embedding.inl"
#include "cpu/kernels/each_isa.inl"

namespace bolide::cpu {

template <class T>
void embedding_backward(const T* g, const int64_t* indices, int64_t count, int64_t vocabulary, int64_t n, int64_t padding, T* dweight) {
  std::vector<int32_t> start(size_t(vocabulary + 2), 0), order(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i)
    if (indices[i] != padding) ++start[size_t(indices[i] + 2)];
  for (int64_t v = 0; v < vocabulary; ++v) start[size_t(v + 2)] += start[size_t(v + 1)];
  for (int64_t i = 0; i < count; ++i)
    if (indices[i] != padding) order[size_t(start[size_t(indices[i] + 1)]++)] = int32_t(i);
  BOLIDE_PICK(gather_add(g, start.data(), order.data(), vocabulary, n, dweight));
}
template <class T> void dropout(const T* x, const uint8_t* mask, double scale, int64_t n, T* y) {
  BOLIDE_PICK(dropout(x, mask, scale, n, y));
}

#define BOLIDE_FOR(T)                                                                                      \
  template void embedding_backward(const T*, const int64_t*, int64_t, int64_t, int64_t, int64_t, T*);     \
  template void dropout(const T*, const uint8_t*, double, int64_t, T*);
BOLIDE_FOR(float)
BOLIDE_FOR(double)
BOLIDE_FOR(Half)
BOLIDE_FOR(BFloat16)

}  // namespace bolide::cpu
