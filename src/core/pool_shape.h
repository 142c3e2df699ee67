// PoolShape: the geometry of pooling over one to three dimensions, the same for every device.
#pragma once
#include <cstdint>

namespace bolide {

struct PoolShape {
  int64_t planes = 1;  // batch * channels
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1};
  // of windows; adaptive and fractional pooling use in and out (and the kernel) only
  int64_t kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1}, pad[3] = {0, 0, 0}, dilation[3] = {1, 1, 1};
  int64_t in_pixels() const { return in[0] * in[1] * in[2]; }
  int64_t out_pixels() const { return out[0] * out[1] * out[2]; }
};

}  // namespace bolide
