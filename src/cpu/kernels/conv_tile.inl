// Map: depthwise rows | depthwise weight sums
//
// Included once for each instruction set after the vectors of its gemm file's kind (Vec<float>) are defined.

// Taps known when compiled stay in registers, as do the sums of four vectors of pixels.
template <int kTaps, int kVectors>
[[gnu::always_inline]] inline void depthwise_pixels(const float* x, const int64_t* offsets, int64_t taps,
                                                    const float* w, float bias, bool relu, float* y) {
  using X = Vec<float>;
  X::V acc[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) acc[v] = X::set1(bias);
  const int64_t count = kTaps ? kTaps : taps;
#pragma GCC unroll 9
  for (int64_t t = 0; t < count; ++t) {
    const auto factor = X::set1(w[t]);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v)
      acc[v] = X::fma(X::load(x + offsets[t] + v * X::kWidth), factor, acc[v]);
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) X::store(y + v * X::kWidth, relu ? X::relu(acc[v]) : acc[v]);
}

template <int kTaps>
void depthwise_rows(const DepthwisePlane& p, const float* w, float bias, bool relu, float* y) {
  constexpr int64_t width = Vec<float>::kWidth;
  for (int64_t row = 0; row < p.rows; ++row, y += p.columns) {
    const float* x = p.x + row * p.row_step;
    int64_t j = 0;
    for (; j + 4 * width <= p.columns; j += 4 * width) {
      depthwise_pixels<kTaps, 4>(x + j, p.offsets, p.taps, w, bias, relu, y + j);
    }
    for (; j + width <= p.columns; j += width) {
      depthwise_pixels<kTaps, 1>(x + j, p.offsets, p.taps, w, bias, relu, y + j);
    }
    if (j < p.columns) {
      float last[width];
      depthwise_pixels<kTaps, 1>(x + j, p.offsets, p.taps, w, bias, relu, last);
      for (int64_t i = 0; j + i < p.columns; ++i) y[j + i] = last[i];
    }
  }
}

// 3 x 3 taps where the next output row reads one input row further on: four output rows at once share the six
// input rows they read, so there are two multiply-adds for each load.
[[gnu::always_inline]] inline void depthwise_four_rows(const DepthwisePlane& p, const float* x,
                                                       const Vec<float>::V (&w)[9], Vec<float>::V bias,
                                                       bool relu, Vec<float>::V (&acc)[4]) {
  using X = Vec<float>;
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) acc[r] = bias;
#pragma GCC unroll 6
  for (int row = 0; row < 6; ++row) {
#pragma GCC unroll 3
    for (int tap = 0; tap < 3; ++tap) {
      const auto pixel = X::load(x + row * p.row_step + p.offsets[tap]);
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) {
        if (row - r >= 0 && row - r < 3) acc[r] = X::fma(pixel, w[(row - r) * 3 + tap], acc[r]);
      }
    }
  }
  if (relu) {
    for (int r = 0; r < 4; ++r) acc[r] = X::relu(acc[r]);
  }
}

inline void depthwise_3x3(const DepthwisePlane& p, const float* weights, float bias, bool relu, float* y) {
  using X = Vec<float>;
  X::V w[9], acc[4];
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t) w[t] = X::set1(weights[t]);
  const auto start = X::set1(bias);
  const int64_t whole = p.rows / 4 * 4;
  for (int64_t row = 0; row < whole; row += 4) {
    const float* x = p.x + row * p.row_step;
    float* to = y + row * p.columns;
    int64_t j = 0;
    for (; j + X::kWidth <= p.columns; j += X::kWidth) {
      depthwise_four_rows(p, x + j, w, start, relu, acc);
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) X::store(to + r * p.columns + j, acc[r]);
    }
    if (j == p.columns) continue;
    const auto mask = X::part(int(p.columns - j));
    depthwise_four_rows(p, x + j, w, start, relu, acc);
    for (int r = 0; r < 4; ++r) X::store_part(to + r * p.columns + j, acc[r], mask);
  }
  DepthwisePlane rest = p;
  rest.x += whole * p.row_step, rest.rows -= whole;
  depthwise_rows<9>(rest, weights, bias, relu, y + whole * p.columns);
}

inline void depthwise_forward(const DepthwisePlane& p, const float* w, float bias, bool relu, float* y) {
  const bool square = p.taps == 9 && p.offsets[3] == p.row_step && p.offsets[6] == 2 * p.row_step;
  if (square) return depthwise_3x3(p, w, bias, relu, y);
  if (p.taps == 9)
    depthwise_rows<9>(p, w, bias, relu, y);
  else
    depthwise_rows<0>(p, w, bias, relu, y);
}

// kTaps of the taps from `first` on.
template <int kTaps>
void depthwise_sums(const DepthwisePlane& p, int64_t first, const float* dy, float* dw) {
  using X = Vec<float>;
  X::V acc[kTaps];
#pragma GCC unroll 9
  for (int t = 0; t < kTaps; ++t) acc[t] = X::zero();
  const int64_t whole = p.columns / X::kWidth * X::kWidth;
  const auto mask = X::part(int(p.columns - whole));
  for (int64_t row = 0; row < p.rows; ++row, dy += p.columns) {
    const float* x = p.x + row * p.row_step;
    for (int64_t j = 0; j < whole; j += X::kWidth) {
      const auto gradient = X::load(dy + j);
#pragma GCC unroll 9
      for (int t = 0; t < kTaps; ++t)
        acc[t] = X::fma(X::load(x + j + p.offsets[first + t]), gradient, acc[t]);
    }
    if (whole == p.columns) continue;
    const auto gradient = X::load_part(dy + whole, mask);
#pragma GCC unroll 9
    for (int t = 0; t < kTaps; ++t) {
      acc[t] = X::fma(X::load_part(x + whole + p.offsets[first + t], mask), gradient, acc[t]);
    }
  }
  for (int t = 0; t < kTaps; ++t) dw[first + t] += X::sum(acc[t]);
}

inline void depthwise_weights(const DepthwisePlane& p, const float* dy, float* dw) {
  int64_t t = 0;
  for (; t + 9 <= p.taps; t += 9) depthwise_sums<9>(p, t, dy, dw);
  for (; t + 3 <= p.taps; t += 3) depthwise_sums<3>(p, t, dy, dw);
  for (; t < p.taps; ++t) depthwise_sums<1>(p, t, dy, dw);
}

inline constexpr DepthwiseKernels kDepthwise = {depthwise_forward, depthwise_weights};
