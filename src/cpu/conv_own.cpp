// Map: forward | backward data: flipped, scattered | backward weights
//
// Forward: columns (channel x tap, pixel) are copied from padded planes straight into the packed panels that the
// product's tile reads, a block of pixels at a time, so they never leave the L2 cache; the weights are packed once.
// Backward data: with stride 1 it is a forward pass with the kernel turned round; otherwise a product gives columns,
// which are added to the pixels they belong to.
// Backward weights: products of gradients with columns, summed over images in a fixed order.
#include "cpu/conv_own.h"

#include <cstring>
#include <memory>
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
  if constexpr (std::is_same_v<T, double>) return gemm_table().f64; else return gemm_table().f32;
}

template <class S>
const auto& readers_now() {
  if constexpr (std::is_same_v<S, double>) return gemm_table().read_f64;
  else if constexpr (std::is_same_v<S, float>) return gemm_table().read_f32;
  else if constexpr (std::is_same_v<S, Half>) return gemm_table().read_f16;
  else return gemm_table().read_bf16;
}

// Work that a weight matrix given as W[row * w_row + depth * w_col] does on images; rows are output channels.
template <class T, class S>
class ForwardPass {
 public:
  ForwardPass(const ConvShape& s, const S* x, const S* w, const S* bias, S* y, bool relu)
      : s_(s), planes_(s), x_(x), bias_(bias), y_(y), relu_(relu), rows_(s.co / s.groups), depth_(s.ci / s.groups * s.taps()) {
    const auto& k = kernels_now<T>();
    depth_step_ = std::min<int64_t>(depth_, ceil_div(depth_, ceil_div(depth_, k.kc)));
    // A block of columns of this depth fills a quarter of a megabyte.
    const int64_t fitting = kBlockBytes / int64_t(sizeof(T)) / depth_step_ / k.nr * k.nr;
    block_ = std::clamp<int64_t>(fitting, k.nr, ceil_div(s.out_pixels(), k.nr) * k.nr);
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

  // One panel: nr pixels from `first` on, rows (channel, tap) [from, from + deep). The pixels are a few stretches of
  // output rows; each is copied as kLanes elements, and what is too much is overwritten by the next one.
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
    const int64_t taps = s_.taps(), plane = planes_.size();
    int64_t tap = from % taps;
    const T* channel = planes + from / taps * plane;
    for (int64_t i = 0; i < deep; ++i, to += kLanes) {
      const T* at = channel + planes_.taps()[size_t(tap)];
      for (int q = 0; q < count; ++q) std::memcpy(to + stretches[q].lane, at + stretches[q].offset, sizeof(T) * kLanes);
      if (++tap == taps) tap = 0, channel += plane;
    }
  }

  void gather_panel(const T* planes, int64_t first, int64_t last, int64_t from, int64_t deep, T* to) const {
    switch (kernels_now<T>().nr) {
      case 4: return gather<4>(planes, first, last, from, deep, to);
      case 8: return gather<8>(planes, first, last, from, deep, to);
      case 16: return gather<16>(planes, first, last, from, deep, to);
      default: return gather<32>(planes, first, last, from, deep, to);
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
          readers_now<S>().pack(w + (group * rows_ + i) * depth_ + from, depth_, 1, taken, deep, to + i * deep, taken);
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
      k.block(rows_, pixels, deep, weights_ + group * rows_ * depth_ + rows_ * from, columns, result, pitch, end);
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

namespace {

bool has_unit_stride(const ConvShape& s) { return s.stride[0] == 1 && s.stride[1] == 1 && s.stride[2] == 1; }

// dx = conv(dy, w turned round, with its channels exchanged).
template <class S>
void flipped(const ConvShape& s, const S* dy, const S* w, S* dx, const S* bias) {
  ConvShape back = s;
  back.ci = s.co;
  back.co = s.ci;
  for (int i = 0; i < 3; ++i) {
    back.in[i] = s.out[i];
    back.out[i] = s.in[i];
    back.pad[i] = s.dilation[i] * (s.kernel[i] - 1) - s.pad[i];
  }
  const int64_t taps = s.taps(), ci = s.ci / s.groups, co = s.co / s.groups;
  const auto turned = std::make_unique_for_overwrite<S[]>(size_t(s.groups * ci * co * taps));
  S* to = turned.get();
  for (int64_t g = 0; g < s.groups; ++g) {
    for (int64_t c = 0; c < ci; ++c) {
      for (int64_t o = 0; o < co; ++o) {
        const S* from = w + ((g * co + o) * ci + c) * taps;
        for (int64_t t = 0; t < taps; ++t) *to++ = from[taps - 1 - t];
      }
    }
  }
  own_forward(back, dy, turned.get(), bias, dx, false);
}

// One image's channels [first, last) of a group.
template <class T, class S>
void scatter_channels(const ConvShape& s, int64_t image, int64_t group, int64_t first, int64_t last, const S* dy,
                      const S* w, S* dx, const S* bias) {
  const int64_t taps = s.taps(), ci = s.ci / s.groups, co = s.co / s.groups, rows = (last - first) * taps;
  const int64_t plane = s.in_pixels(), pixels = s.out_pixels();
  S* result = dx + (image * s.ci + group * ci + first) * plane;
  T* sums;
  if constexpr (std::is_same_v<T, S>) sums = result; else sums = scratch<T>(Scratch::Gradient, (last - first) * plane);
  for (int64_t c = 0; c < last - first; ++c) {
    std::fill_n(sums + c * plane, plane, bias ? T(bias[group * ci + first + c]) : T(0));
  }
  const int64_t block = std::clamp<int64_t>(64 * 1024 / rows / 16 * 16, 16, pixels);
  T* columns = scratch<T>(Scratch::Columns, rows * block);
  const S* gradients = dy + (image * s.co + group * co) * pixels;
  T* wide = nullptr;  // a block of dy in floats
  if constexpr (!std::is_same_v<T, S>) wide = scratch<T>(Scratch::Widened, co * block + rows * co);
  const S* weights = w + (group * co * ci + first) * taps;
  T* wide_weights = wide + (wide ? co * block : 0);
  if constexpr (!std::is_same_v<T, S>) {
    for (int64_t o = 0; o < co; ++o) readers_now<S>().widen(weights + o * ci * taps, wide_weights + o * rows, rows);
  }
  for (int64_t from = 0; from < pixels; from += block) {
    const int64_t count = std::min(block, pixels - from);
    GemmArgs<T> g{.m = rows, .n = count, .k = co, .a_row = 1, .c = columns, .ldc = count};
    if constexpr (std::is_same_v<T, S>) {
      g.a = weights, g.a_col = ci * taps, g.b = gradients + from, g.b_row = pixels;
    } else {
      for (int64_t o = 0; o < co; ++o) readers_now<S>().widen(gradients + o * pixels + from, wide + o * count, count);
      g.a = wide_weights, g.a_col = rows, g.b = wide, g.b_row = count;
    }
    gemm(g);
    scatter_columns(s, columns, count, 0, rows, from, from + count, sums);
  }
  if constexpr (!std::is_same_v<T, S>) readers_now<S>().narrow(sums, result, (last - first) * plane);
}

template <class S>
void scattered(const ConvShape& s, const S* dy, const S* w, S* dx, const S* bias) {
  const int64_t ci = s.ci / s.groups;
  // Channels are split only where images and groups do not feed all threads; their sums do not depend on it.
  const int64_t pieces = std::clamp<int64_t>(ceil_div(num_threads(), s.n * s.groups), 1, ci);
  const int64_t size = ceil_div(ci, pieces), per_group = ceil_div(ci, size);
  parallel_for(0, s.n * s.groups * per_group, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % per_group * size, group = task / per_group % s.groups;
      scatter_channels<Sum<S>, S>(s, task / per_group / s.groups, group, first, std::min(first + size, ci), dy, w, dx,
                                  bias);
    }
  });
}

}  // namespace

template <class S>
void own_backward_data(const ConvShape& s, const S* dy, const S* w, S* dx, const S* bias) {
  if (s.n * s.ci * s.in_pixels() <= 0) return;
  if (s.co * s.out_pixels() * s.taps() <= 0) return fill_channels(bias, s.n * s.ci, s.ci, s.in_pixels(), dx, false);
  if (has_unit_stride(s)) return flipped(s, dy, w, dx, bias);
  scattered(s, dy, w, dx, bias);
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
      GemmArgs<T> g{.m = co, .n = rows, .k = count, .b = columns, .b_row = 1, .b_col = count, .c = to, .ldc = depth,
                    .beta = 1};
      if constexpr (std::is_same_v<T, S>) {
        g.a = gradients + from, g.a_row = pixels;
      } else {
        for (int64_t o = 0; o < co; ++o) readers_now<S>().widen(gradients + o * pixels + from, wide + o * count, count);
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
  if constexpr (std::is_same_v<T, S>) to = sums.empty() ? dw : sums.data(); else to = sums.data();
  const int64_t per_group = ceil_div(depth, piece);
  parallel_for(0, pieces * parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t part = task / pieces, group = task % pieces / per_group, first = task % per_group * piece;
      weight_sums<T, S>(s, group, first, std::min(first + piece, depth), part * s.n / parts, (part + 1) * s.n / parts,
                        x, dy, to + part * size);
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

#define BOLIDE_CONV(S)                                                                                          \
  template void own_forward(const ConvShape&, const S*, const S*, const S*, S*, bool);                          \
  template void own_backward_data(const ConvShape&, const S*, const S*, S*, const S*);                          \
  template void own_backward_weights(const ConvShape&, const S*, const S*, S*);
BOLIDE_CONV(float)
BOLIDE_CONV(double)
BOLIDE_CONV(Half)
BOLIDE_CONV(BFloat16)
#undef BOLIDE_CONV

}  // namespace bolide::detail
