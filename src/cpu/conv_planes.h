// Map: channels copied into padded planes
//
// A zero-padded copy of each channel, its columns sorted by their remainder modulo the stride: then for every
// tap the input pixels of an output row lie side by side, and nothing needs a bounds check. 16-bit types are
// widened here, once for each pixel instead of once for each tap.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "cpu/conv.h"

namespace bolide::detail {

class Planes {
 public:
  explicit Planes(const ConvShape& s) : s_(s), step_(s.stride[2]) {
    const int64_t padded = (s.out[2] - 1) * step_ + (s.kernel[2] - 1) * s.dilation[2] + 1;
    phase_ = (padded + step_ - 1) / step_;
    pitch_ = phase_ * step_;
    for (int i = 0; i < 2; ++i)
      size_[i] = (s.out[i] - 1) * s.stride[i] + (s.kernel[i] - 1) * s.dilation[i] + 1;
    for (int64_t d = 0; d < s.kernel[0]; ++d) {
      for (int64_t h = 0; h < s.kernel[1]; ++h) {
        for (int64_t w = 0; w < s.kernel[2]; ++w) {
          const int64_t row = d * s.dilation[0] * size_[1] + h * s.dilation[1], column = w * s.dilation[2];
          taps_.push_back(row * pitch_ + column % step_ * phase_ + column / step_);
        }
      }
    }
  }

  int64_t size() const { return size_[0] * size_[1] * pitch_; }
  int64_t row_step() const { return s_.stride[1] * pitch_; }
  const std::vector<int64_t>& taps() const { return taps_; }

  // Where the first tap of the first pixel of an output row (depth * height + row) is read.
  int64_t row(int64_t index) const {
    return (index / s_.out[1] * s_.stride[0] * size_[1] + index % s_.out[1] * s_.stride[1]) * pitch_;
  }

  // Copies a channel, always to the same places; the padding must hold zeros already.
  template <class T, class S>
  void fill(const S* x, T* plane) const {
    const int64_t pad = s_.pad[2], begin = std::max<int64_t>(0, -pad), end = std::min(s_.in[2], pitch_ - pad);
    if (end <= begin) return;
    for (int64_t d = 0; d < s_.in[0]; ++d) {
      if (d + s_.pad[0] < 0 || d + s_.pad[0] >= size_[0]) continue;
      for (int64_t h = 0; h < s_.in[1]; ++h) {
        if (h + s_.pad[1] < 0 || h + s_.pad[1] >= size_[1]) continue;
        const S* from = x + (d * s_.in[1] + h) * s_.in[2];
        T* to = plane + ((d + s_.pad[0]) * size_[1] + h + s_.pad[1]) * pitch_;
        if (std::is_same_v<T, S> && step_ == 1) {
          std::memcpy(to + begin + pad, from + begin, size_t(end - begin) * sizeof(T));
        } else if (step_ == 1) {
          for (int64_t w = begin; w < end; ++w) to[w + pad] = T(from[w]);
        } else {
          spread(from, begin, end, to);
        }
      }
    }
  }

 private:
  template <class T, class S>
  void spread(const S* from, int64_t begin, int64_t end, T* to) const {
    int64_t phase = (begin + s_.pad[2]) % step_, column = (begin + s_.pad[2]) / step_;
    for (int64_t w = begin; w < end; ++w) {
      to[phase * phase_ + column] = T(from[w]);
      if (++phase == step_) phase = 0, ++column;
    }
  }

  const ConvShape& s_;
  int64_t step_, phase_ = 0, pitch_ = 0, size_[2];
  std::vector<int64_t> taps_;
};

}  // namespace bolide::detail
