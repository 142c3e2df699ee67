// Map: the depthwise kernels that each instruction set provides
#pragma once

#include <cstdint>

namespace bolide::detail {

// One channel of one image. `x` is padded, so that every tap of every output pixel lies inside: tap t of
// output pixel (row, column) is x[row * row_step + column + offsets[t]]. Reads up to kDepthwiseSlack past the
// last one.
inline constexpr int64_t kDepthwiseSlack = 64;
struct DepthwisePlane {
  const float* x;
  int64_t row_step;
  const int64_t* offsets;
  int64_t taps, rows, columns;
};

struct DepthwiseKernels {
  // y[rows][columns] = act(sum of w[t] * x + bias)
  void (*forward)(const DepthwisePlane& plane, const float* w, float bias, bool relu, float* y);
  // dw[t] += sum of dy * x
  void (*weights)(const DepthwisePlane& plane, const float* dy, float* dw);
};

extern const DepthwiseKernels depthwise_baseline, depthwise_avx2, depthwise_avx512;

}  // namespace bolide::detail
