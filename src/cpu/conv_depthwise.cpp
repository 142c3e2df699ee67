// Map: planes of a thread | forward | backward weights
#include <algorithm>

#include "cpu/conv_own.h"
#include "cpu/conv_planes.h"
#include "cpu/conv_table.h"
#include "cpu/isa.h"
#include "cpu/pool.h"
#include "cpu/scratch.h"

namespace bolide::detail {

namespace {

const DepthwiseKernels& kernels_now() {
  switch (isa()) {
    case Isa::Avx512:
      return depthwise_avx512;
    case Isa::Avx2:
      return depthwise_avx2;
    default:
      return depthwise_baseline;
  }
}

// A plane of the calling thread, all zeros.
float* zero_plane(const Planes& planes) {
  const int64_t size = planes.size() + kDepthwiseSlack;
  float* plane = scratch<float>(Scratch::Plane, size);
  std::fill_n(plane, size, 0.f);
  return plane;
}

DepthwisePlane describe(const ConvShape& s, const Planes& planes, const float* plane) {
  return {plane, planes.row_step(), planes.taps().data(), s.taps(), s.out[1], s.out[2]};
}

int64_t planes_worth_a_thread(const ConvShape& s) {
  return std::max<int64_t>(1, 64 * 1024 / std::max<int64_t>(1, s.out_pixels() * s.taps()));
}

}  // namespace

bool is_depthwise(const ConvShape& s) {
  return s.groups == s.ci && s.groups > 1 && s.in[0] == 1 && s.kernel[0] == 1 && s.pad[0] == 0 &&
         s.out[0] == 1 && s.co > 0 && s.taps() > 0 && s.stride[2] <= 8;
}

void depthwise_forward(const ConvShape& s, const float* x, const float* w, const float* bias, float* y,
                       bool relu) {
  const Planes planes(s);
  const int64_t each = s.co / s.groups, taps = s.taps();
  parallel_for(0, s.n * s.groups, planes_worth_a_thread(s), [&](int64_t begin, int64_t end) {
    float* plane = zero_plane(planes);
    for (int64_t i = begin; i < end; ++i) {
      planes.fill(x + i * s.in_pixels(), plane);
      for (int64_t q = 0; q < each; ++q) {
        const int64_t channel = i % s.groups * each + q;
        kernels_now().forward(describe(s, planes, plane), w + channel * taps, bias ? bias[channel] : 0.f,
                              relu, y + (i * each + q) * s.out_pixels());
      }
    }
  });
}

void depthwise_backward_weights(const ConvShape& s, const float* x, const float* dy, float* dw) {
  const Planes planes(s);
  const int64_t each = s.co / s.groups, taps = s.taps();
  std::fill_n(dw, s.co * taps, 0.f);
  const int64_t grain = std::max<int64_t>(1, planes_worth_a_thread(s) / std::max<int64_t>(1, s.n));
  parallel_for(0, s.groups, grain, [&](int64_t begin, int64_t end) {
    float* plane = zero_plane(planes);
    for (int64_t group = begin; group < end; ++group) {
      for (int64_t image = 0; image < s.n; ++image) {
        const int64_t i = image * s.groups + group;
        planes.fill(x + i * s.in_pixels(), plane);
        for (int64_t q = 0; q < each; ++q) {
          kernels_now().weights(describe(s, planes, plane), dy + (i * each + q) * s.out_pixels(),
                                dw + (group * each + q) * taps);
        }
      }
    }
  });
}

}  // namespace bolide::detail
