// ConvShape: the geometry of a convolution of one to three dimensions, the same for every device.
#pragma once
#include <cstdint>

namespace bolide {

struct ConvShape {
  int64_t n = 1, groups = 1, ci = 1, co = 1;
  int64_t in[3] = {1, 1, 1}, kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1}, pad[3] = {0, 0, 0},
          dilation[3] = {1, 1, 1};
  int64_t out[3] = {1, 1, 1};  // what lies past in + pad is padding too, so any `out` is allowed

  // The usual out for symmetric padding; `out_padding` of a transposed convolution is part of `in`.
  void set_out() {
    for (int i = 0; i < 3; ++i)
      out[i] = (in[i] + 2 * pad[i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1;
  }
  int64_t in_pixels() const { return in[0] * in[1] * in[2]; }
  int64_t out_pixels() const { return out[0] * out[1] * out[2]; }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
};

}  // namespace bolide
