// Map: forward | backward data | backward weights
//
// Forward: columns (channel x tap, pixel) are copied from padded planes straight into the packed panels that
// the product's tile reads, a block of pixels at a time, so they never leave the L2 cache; the weights are
// packed once. Backward data: forward passes with the kernel turned round, one for each class of pixels that
// meet the same taps. Backward weights: products of gradients with columns, summed over images in a fixed
// order.
#include "cpu/conv_own.h"

#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "cpu/conv_columns.h"
#include "cpu/conv_planes.h"
#include "cpu/gemm.h"
#include "cpu/gemm_table.h"
#include "cpu/pool.h"
#include "cpu/scratch.h"

namespace bolide::detail {

namespace {

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
const GemmKernels<T>& kernels_now() {
  if constexpr (std::is_same_v<T, double>)
    return gemm_table().f64;
  else
    return gemm_table().f32;
}

template <class S>
const auto& readers_now() {
  if constexpr (std::is_same_v<S, double>)
    return gemm_table().read_f64;
  else if constexpr (std::is_same_v<S, float>)
    return gemm_table().read_f32;
  else if constexpr (std::is_same_v<S, Half>)
    return gemm_table().read_f16;
  else
    return gemm_table().read_bf16;
}

// Work that a weight matrix given as W[row * w_row + depth * w_col] does on images; rows are output channels.
template <class T, class S>
class ForwardPass {
 public:
  ForwardPass(const ConvShape& s, const S* x, const S* w, const S* bias, S* y, bool relu)
      : s_(s),
        planes_(s),
        x_(x),
        bias_(bias),
        y_(y),
        relu_(relu),
        rows_(s.co / s.groups),
        depth_(s.ci / s.groups * s.taps()) {
    const auto& k = kernels_now<T>();
    depth_step_ = std::min<int64_t>(depth_, ceil_div(depth_, ceil_div(depth_, k.kc)));
    // A block of columns of this depth fills a quarter of a megabyte.
    const int64_t fitting = kBlockBytes / int64_t(sizeof(T)) / depth_step_ / k.nr * k.nr;
    block_ = std::clamp<int64_t>(fitting, k.nr, ceil_div(s.out_pixels(), k.nr) * k.nr);
    row_offsets_.reserve(size_t(depth_));
    for (int64_t channel = 0; channel < s.ci / s.groups; ++channel) {
      for (const int64_t tap : planes_.taps()) row_offsets_.push_back(channel * planes_.size() + tap);
    }
    pack_weights(w);
  }

  // Images in groups whose planes fill some megabytes: first all threads make planes, then all multiply.
  void run() {
    const int64_t plane = planes_.size(), image = s_.ci * plane;
    const int64_t at_once = std::clamp<int64_t>(kPlaneBytes / int64_t(sizeof(T)) / image, 1, s_.n);
    padded_ = scratch<T>(Scratch::Plane, at_once * image + kSlack);
    std::fill_n(padded_, at_once * image + kSlack, T(0));
    for (first_image_ = 0; first_image_ < s_.n; first_image_ += at_once) {
      const int64_t images = std::min(at_once, s_.n - first_image_);
      const S* x = x_ + first_image_ * s_.ci * s_.in_pixels();
      parallel_for(0, images * s_.ci, ceil_div(32 * 1024, plane), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) planes_.fill(x + i * s_.in_pixels(), padded_ + i * plane);
      });
      multiply(images);
    }
  }

 private:
  static constexpr int64_t kBlockBytes = 256 * 1024, kPlaneBytes = 4 << 20, kShare = 256 * 1024;
  static constexpr int64_t kSlack = 64;  // copies of whole vectors read and write past the end

  void multiply(int64_t images) {
    const int64_t blocks = ceil_div(s_.out_pixels(), block_), tasks = images * s_.groups * blocks;
    const int64_t work = rows_ * depth_ * std::min(block_, s_.out_pixels());
    parallel_for(0, tasks, ceil_div(kShare, work), [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        run_block(task / blocks / s_.groups, task / blocks % s_.groups, task % blocks * block_);
      }
    });
  }

  // One panel: nr pixels from `first` on, rows (channel, tap) [from, from + deep). The pixels are a few
  // stretches of output rows; each is copied as kLanes elements, and what is too much is overwritten by the
  // next one.
  template <int kLanes>
  void gather(const T* planes, int64_t first, int64_t last, int64_t from, int64_t deep, T* to) const {
    struct Stretch {
      int64_t lane, offset;
    };
    Stretch stretches[kLanes];
    int count = 0;
    for (int64_t pixel = first; pixel < last; ++count) {
      const int64_t column = pixel % s_.out[2];
      stretches[count] = {pixel - first, planes_.row(pixel / s_.out[2]) + column};
      pixel += s_.out[2] - column;
    }
    const int64_t* rows = row_offsets_.data() + from;
    if (count == 1) {
      const T* at = planes + stretches[0].offset;
      for (int64_t i = 0; i < deep; ++i) std::memcpy(to + i * kLanes, at + rows[i], sizeof(T) * kLanes);
      return;
    }
    for (int64_t i = 0; i < deep; ++i, to += kLanes) {
      const T* at = planes + rows[i];
      for (int q = 0; q < count; ++q)
        std::memcpy(to + stretches[q].lane, at + stretches[q].offset, sizeof(T) * kLanes);
    }
  }

  void gather_panel(const T* planes, int64_t first, int64_t last, int64_t from, int64_t deep, T* to) const {
    switch (kernels_now<T>().nr) {
      case 4:
        return gather<4>(planes, first, last, from, deep, to);
      case 8:
        return gather<8>(planes, first, last, from, deep, to);
      case 16:
        return gather<16>(planes, first, last, from, deep, to);
      default:
        return gather<32>(planes, first, last, from, deep, to);
    }
  }

  void pack_weights(const S* w) {
    const auto& k = kernels_now<T>();
    weights_ = scratch<T>(Scratch::Weights, s_.groups * rows_ * depth_);
    for (int64_t group = 0; group < s_.groups; ++group) {
      for (int64_t from = 0; from < depth_; from += depth_step_) {
        const int64_t deep = std::min(depth_step_, depth_ - from);
        T* to = weights_ + group * rows_ * depth_ + rows_ * from;
        for (int64_t i = 0; i < rows_;) {
          const int taken = panel_rows(rows_ - i, k.mr);
          readers_now<S>().pack(w + (group * rows_ + i) * depth_ + from, depth_, 1, taken, deep,
                                to + i * deep, taken);
          i += taken;
        }
      }
    }
  }

  void run_block(int64_t image, int64_t group, int64_t first) const {
    const auto& k = kernels_now<T>();
    const int64_t pixels = std::min(block_, s_.out_pixels() - first);
    const T* planes = padded_ + (image * s_.ci + group * (s_.ci / s_.groups)) * planes_.size();
    S* y = y_ + ((first_image_ + image) * s_.co + group * rows_) * s_.out_pixels() + first;
    T* columns = scratch<T>(Scratch::Columns, depth_step_ * ceil_div(pixels, k.nr) * k.nr + kSlack);
    T* result = nullptr;
    int64_t pitch = s_.out_pixels();
    if constexpr (std::is_same_v<T, S>) {
      result = y;
    } else {
      result = scratch<T>(Scratch::Product, rows_ * pixels + rows_);
      pitch = pixels;
    }
    for (int64_t from = 0; from < depth_; from += depth_step_) {
      const int64_t deep = std::min(depth_step_, depth_ - from);
      for (int64_t panel = 0; panel < pixels; panel += k.nr) {
        gather_panel(planes, first + panel, first + std::min<int64_t>(panel + k.nr, pixels), from, deep,
                     columns + panel * deep);
      }
      GemmEnd<T> end{.beta = T(from > 0 ? 1 : 0)};
      if (from + deep == depth_) {
        end.relu = relu_;
        end.row_bias = wide_bias(group, result + rows_ * pixels);
      }
      k.block(rows_, pixels, deep, weights_ + group * rows_ * depth_ + rows_ * from, columns, result, pitch,
              end);
    }
    if constexpr (!std::is_same_v<T, S>) {
      for (int64_t i = 0; i < rows_; ++i) {
        readers_now<S>().narrow(result + i * pixels, y + i * s_.out_pixels(), pixels);
      }
    }
  }

  const T* wide_bias(int64_t group, [[maybe_unused]] T* room) const {
    if (!bias_) return nullptr;
    if constexpr (std::is_same_v<T, S>) {
      return bias_ + group * rows_;
    } else {
      readers_now<S>().widen(bias_ + group * rows_, room, rows_);
      return room;
    }
  }

  const ConvShape& s_;
  const Planes planes_;
  const S* x_;
  const S* bias_;
  S* y_;
  bool relu_;
  int64_t rows_, depth_, depth_step_ = 0, block_ = 0;
  std::vector<int64_t> row_offsets_;  // of (channel, tap) in the padded planes
  T* weights_ = nullptr;
  T* padded_ = nullptr;
  int64_t first_image_ = 0;
};

template <class S>
void fill_channels(const S* bias, int64_t planes, int64_t channels, int64_t pixels, S* y, bool relu) {
  for (int64_t i = 0; i < planes; ++i) {
    const S value = bias ? bias[i % channels] : S(0);
    std::fill_n(y + i * pixels, pixels, relu && value < S(0) ? S(0) : value);
  }
}

}  // namespace

// ---- forward -----------------------------------------------------------------------------------

template <class S>
void own_forward(const ConvShape& s, const S* x, const S* w, const S* bias, S* y, bool relu) {
  if (s.n * s.co * s.out_pixels() <= 0) return;
  if (s.ci <= 0 || s.taps() <= 0) return fill_channels(bias, s.n * s.co, s.co, s.out_pixels(), y, relu);
  if constexpr (std::is_same_v<S, float>) {
    if (is_depthwise(s)) return depthwise_forward(s, x, w, bias, y, relu);
  }
  ForwardPass<Sum<S>, S>(s, x, w, bias, y, relu).run();
}

// ---- backward data -----------------------------------------------------------------------------
//
// With stride s, input pixels fall into s classes by their position modulo s (in each dimension). Those of
// one class meet the same taps: they are a convolution of dy with these taps, turned round, and of stride 1.
// So no product is wasted and nothing is added up in memory. With stride 1 there is one class.

namespace {

// One dimension of a class: input pixels first + j * stride for j < count, from taps tap + q * every.
struct Phase {
  int64_t first, count, tap, every, taps, pad, dilation;
};

Phase phase_of(const ConvShape& s, int i, int64_t remainder) {
  const int64_t stride = s.stride[i], dilation = s.dilation[i], common = std::gcd(stride, dilation);
  Phase p{.first = remainder,
          .count = std::max<int64_t>(ceil_div(s.in[i] - remainder, stride), 0),
          .tap = 0,
          .every = stride / common,
          .taps = 0,
          .pad = 0,
          .dilation = dilation / common};
  const auto distance = [&] { return remainder + s.pad[i] - p.tap * dilation; };
  while (p.tap < std::min(p.every, s.kernel[i]) && distance() % stride != 0) ++p.tap;
  if (p.tap >= std::min(p.every, s.kernel[i])) return p;
  p.taps = ceil_div(s.kernel[i] - p.tap, p.every);
  p.pad = (p.taps - 1) * p.dilation - distance() / stride;
  return p;
}

// The class's taps of the weights, turned round, with input and output channels exchanged.
template <class S>
void turn_weights(const ConvShape& s, const Phase (&phases)[3], const S* w, S* to) {
  const int64_t ci = s.ci / s.groups, co = s.co / s.groups, size = s.taps();
  std::vector<int64_t> taps;
  for (int64_t d = phases[0].taps; d-- > 0;) {
    for (int64_t h = phases[1].taps; h-- > 0;) {
      for (int64_t v = phases[2].taps; v-- > 0;) {
        const int64_t at[3] = {phases[0].tap + d * phases[0].every, phases[1].tap + h * phases[1].every,
                               phases[2].tap + v * phases[2].every};
        taps.push_back((at[0] * s.kernel[1] + at[1]) * s.kernel[2] + at[2]);
      }
    }
  }
  for (int64_t g = 0; g < s.groups; ++g) {
    for (int64_t c = 0; c < ci; ++c) {
      for (int64_t o = 0; o < co; ++o) {
        for (const int64_t tap : taps) *to++ = w[((g * co + o) * ci + c) * size + tap];
      }
    }
  }
}

// Puts the class's pixels, contiguous in `from`, to their places in dx; without `from`, the bias alone.
template <class S>
void place(const ConvShape& s, const Phase (&p)[3], const S* from, const S* bias, S* dx) {
  const int64_t pixels = p[0].count * p[1].count * p[2].count, step = s.stride[2], width = p[2].count;
  parallel_for(0, s.n * s.ci, ceil_div(32 * 1024, pixels), [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      const S alone = bias ? bias[plane % s.ci] : S(0);
      for (int64_t row = 0; row < p[0].count * p[1].count; ++row) {
        const int64_t d = p[0].first + row / p[1].count * s.stride[0];
        const int64_t h = p[1].first + row % p[1].count * s.stride[1];
        S* to = dx + plane * s.in_pixels() + (d * s.in[1] + h) * s.in[2] + p[2].first;
        const S* source = from ? from + plane * pixels + row * width : nullptr;
        for (int64_t i = 0; i < width; ++i) to[i * step] = source ? source[i] : alone;
      }
    }
  });
}

template <class S>
void backward_class(const ConvShape& s, const Phase (&phases)[3], const S* dy, const S* w, S* dx,
                    const S* bias) {
  ConvShape back{.n = s.n, .groups = s.groups, .ci = s.co, .co = s.ci};
  for (int i = 0; i < 3; ++i) {
    back.in[i] = s.out[i];
    back.kernel[i] = phases[i].taps, back.pad[i] = phases[i].pad, back.dilation[i] = phases[i].dilation;
    back.out[i] = phases[i].count;
  }
  if (back.out_pixels() <= 0) return;
  if (back.taps() <= 0) return place<S>(s, phases, nullptr, bias, dx);
  const auto weights = std::make_unique_for_overwrite<S[]>(size_t(s.ci / s.groups * s.co * back.taps()));
  turn_weights(s, phases, w, weights.get());
  if (back.out_pixels() == s.in_pixels()) return own_forward(back, dy, weights.get(), bias, dx, false);
  S* part = scratch<S>(Scratch::Gradient, s.n * s.ci * back.out_pixels());
  own_forward(back, dy, weights.get(), bias, part, false);
  place(s, phases, part, bias, dx);
}

}  // namespace

template <class S>
void own_backward_data(const ConvShape& s, const S* dy, const S* w, S* dx, const S* bias) {
  if (s.n * s.ci * s.in_pixels() <= 0) return;
  if (s.co * s.out_pixels() * s.taps() <= 0)
    return fill_channels(bias, s.n * s.ci, s.ci, s.in_pixels(), dx, false);
  for (int64_t d = 0; d < s.stride[0]; ++d) {
    for (int64_t h = 0; h < s.stride[1]; ++h) {
      for (int64_t v = 0; v < s.stride[2]; ++v) {
        const Phase phases[3] = {phase_of(s, 0, d), phase_of(s, 1, h), phase_of(s, 2, v)};
        backward_class(s, phases, dy, w, dx, bias);
      }
    }
  }
}

// ---- backward weights --------------------------------------------------------------------------

namespace {

// Adds the images' part to dw[rows of the group][(channel, tap) in [first, last)].
template <class T, class S>
void weight_sums(const ConvShape& s, int64_t group, int64_t first, int64_t last, int64_t image_begin,
                 int64_t image_end, const S* x, const S* dy, T* dw) {
  const int64_t ci = s.ci / s.groups, co = s.co / s.groups, rows = last - first, depth = ci * s.taps();
  const int64_t pixels = s.out_pixels();
  const int64_t block = std::clamp<int64_t>(64 * 1024 / rows / 16 * 16, 16, pixels);
  T* columns = scratch<T>(Scratch::Columns, rows * block);
  [[maybe_unused]] T* wide = nullptr;
  if constexpr (!std::is_same_v<T, S>) wide = scratch<T>(Scratch::Widened, co * block);
  T* to = dw + group * co * depth + first;
  for (int64_t o = 0; o < co; ++o) std::fill_n(to + o * depth, rows, T(0));
  for (int64_t image = image_begin; image < image_end; ++image) {
    const S* source = x + (image * s.ci + group * ci) * s.in_pixels();
    const S* gradients = dy + (image * s.co + group * co) * pixels;
    for (int64_t from = 0; from < pixels; from += block) {
      const int64_t count = std::min(block, pixels - from);
      gather_columns<T, S>(s, source, first, last, from, from + count, columns, count);
      GemmArgs<T> g{.m = co,
                    .n = rows,
                    .k = count,
                    .b = columns,
                    .b_row = 1,
                    .b_col = count,
                    .c = to,
                    .ldc = depth,
                    .beta = 1};
      if constexpr (std::is_same_v<T, S>) {
        g.a = gradients + from, g.a_row = pixels;
      } else {
        for (int64_t o = 0; o < co; ++o)
          readers_now<S>().widen(gradients + o * pixels + from, wide + o * count, count);
        g.a = wide, g.a_row = count;
      }
      gemm(g);
    }
  }
}

}  // namespace

template <class S>
void own_backward_weights(const ConvShape& s, const S* x, const S* dy, S* dw) {
  using T = Sum<S>;
  const int64_t depth = s.ci / s.groups * s.taps(), size = s.co * depth;
  if (size <= 0) return;
  if (s.n * s.out_pixels() <= 0) return (void)std::fill_n(dw, size, S(0));
  if constexpr (std::is_same_v<S, float>) {
    if (is_depthwise(s)) return depthwise_backward_weights(s, x, dy, dw);
  }
  // Rows of columns in pieces of about 64, so that a piece of 1024 pixels fits the L2 cache.
  const int64_t piece = std::min<int64_t>(depth, 64), pieces = ceil_div(depth, piece) * s.groups;
  // Few pieces: images are divided as well, each part with sums of its own.
  const int64_t parts = pieces >= 2 * num_threads() ? 1 : std::min<int64_t>(num_threads(), s.n);
  std::vector<T> sums;
  if (parts > 1 || !std::is_same_v<T, S>) sums.resize(size_t(parts * size));
  T* to = nullptr;
  if constexpr (std::is_same_v<T, S>)
    to = sums.empty() ? dw : sums.data();
  else
    to = sums.data();
  const int64_t per_group = ceil_div(depth, piece);
  parallel_for(0, pieces * parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t part = task / pieces, group = task % pieces / per_group, first = task % per_group * piece;
      weight_sums<T, S>(s, group, first, std::min(first + piece, depth), part * s.n / parts,
                        (part + 1) * s.n / parts, x, dy, to + part * size);
    }
  });
  if (sums.empty()) return;
  parallel_for(0, size, 16 * 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T sum = to[i];
      for (int64_t part = 1; part < parts; ++part) sum += to[part * size + i];
      dw[i] = S(sum);
    }
  });
}

#define BOLIDE_CONV(S)                                                                 \
  template void own_forward(const ConvShape&, const S*, const S*, const S*, S*, bool); \
  template void own_backward_data(const ConvShape&, const S*, const S*, S*, const S*); \
  template void own_backward_weights(const ConvShape&, const S*, const S*, S*);
BOLIDE_CONV(float)
BOLIDE_CONV(double)
BOLIDE_CONV(Half)
BOLIDE_CONV(BFloat16)
#undef BOLIDE_CONV

}  // namespace bolide::detail
