// Map: which input pixels a row of output pixels reads | columns
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/conv.h"

namespace bolide::detail {

// Taps of a kernel in the order of the weights.
struct Tap {
  int64_t d, h, w;
};
inline Tap tap_at(const ConvShape& s, int64_t index) {
  return {index / (s.kernel[1] * s.kernel[2]), index / s.kernel[2] % s.kernel[1], index % s.kernel[2]};
}

// Calls run(column, count, source) for the stretches of output pixels [begin, end) that share an output row,
// in order: `source` is the offset of the first one's input pixel within a channel, or -1 for a stretch of
// padding.
template <class F>
void for_stretches(const ConvShape& s, const Tap& tap, int64_t begin, int64_t end, F&& run) {
  const int64_t width = s.out[2], step = s.stride[2];
  const int64_t shift = tap.w * s.dilation[2] - s.pad[2];
  // Columns [low, high) of an output row read inside of the input row.
  const int64_t low = std::clamp<int64_t>(shift >= 0 ? 0 : (-shift + step - 1) / step, 0, width);
  const int64_t high =
      std::clamp<int64_t>(s.in[2] - shift <= 0 ? 0 : (s.in[2] - shift - 1) / step + 1, low, width);
  for (int64_t pixel = begin; pixel < end;) {
    const int64_t row = pixel / width, first = pixel % width, last = std::min(width, first + end - pixel);
    const int64_t d = row / s.out[1] * s.stride[0] + tap.d * s.dilation[0] - s.pad[0];
    const int64_t h = row % s.out[1] * s.stride[1] + tap.h * s.dilation[1] - s.pad[1];
    const int64_t start = pixel - begin;
    if (d < 0 || d >= s.in[0] || h < 0 || h >= s.in[1]) {
      run(start, last - first, int64_t(-1));
    } else {
      const int64_t a = std::clamp(low, first, last), b = std::clamp(high, a, last);
      const int64_t base = (d * s.in[1] + h) * s.in[2] + shift;
      if (a > first) run(start, a - first, int64_t(-1));
      if (b > a) run(start + a - first, b - a, base + a * step);
      if (last > b) run(start + b - first, last - b, int64_t(-1));
    }
    pixel += last - first;
  }
}

// to[(channel, tap)][pixel] = the input pixel that the tap meets, for rows [row_begin, row_end) of (channel,
// tap) and output pixels [begin, end).
template <class T, class S>
void gather_columns(const ConvShape& s, const S* x, int64_t row_begin, int64_t row_end, int64_t begin,
                    int64_t end, T* to, int64_t row_pitch) {
  const int64_t step = s.stride[2], taps = s.taps(), plane = s.in_pixels();
  for (int64_t row = row_begin; row < row_end; ++row, to += row_pitch) {
    const S* channel = x + row / taps * plane;
    for_stretches(s, tap_at(s, row % taps), begin, end, [&](int64_t at, int64_t count, int64_t source) {
      T* dst = to + at;
      if (source < 0) {
        for (int64_t i = 0; i < count; ++i) dst[i] = T(0);
      } else if (step == 1) {
        for (int64_t i = 0; i < count; ++i) dst[i] = T(channel[source + i]);
      } else {
        for (int64_t i = 0; i < count; ++i) dst[i] = T(channel[source + i * step]);
      }
    });
  }
}

}  // namespace bolide::detail
