// Map: shapes for the plugin | how work is divided | forward | backward data | backward weights
//
// Every thread runs a convolution of its own: some of the images, or, where the weights outweigh the images
// or the images do not divide evenly, some of the channels (or groups) of all images.
#include "cpu/conv_dnnl.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "cpu/dnnl_table.h"
#include "cpu/pool.h"

namespace bolide::detail {

namespace {

template <class T>
constexpr int32_t kTypeOf = kBolideDnnlF32;
template <>
constexpr int32_t kTypeOf<BFloat16> = kBolideDnnlBf16;

constexpr int64_t kShare = 256 * 1024;  // multiply-adds worth a thread

template <class T>
BolideDnnlConv plugin_shape(const ConvShape& s) {
  BolideDnnlConv d{};
  d.type = kTypeOf<T>;
  const bool flat = s.in[0] == 1 && s.kernel[0] == 1 && s.pad[0] == 0 && s.out[0] == 1;
  d.dims = flat ? 2 : 3;
  d.n = s.n, d.groups = s.groups, d.ci = s.ci, d.co = s.co;
  for (int i = 0; i < 3; ++i) {
    d.in[i] = s.in[i], d.out[i] = s.out[i], d.kernel[i] = s.kernel[i];
    d.stride[i] = s.stride[i], d.pad[i] = s.pad[i], d.dilation[i] = s.dilation[i];
  }
  d.x_stride = s.ci * s.in_pixels();
  d.y_stride = s.co * s.out_pixels();
  d.w_stride = s.ci / s.groups * s.taps();
  return d;
}

int64_t useful_threads(const ConvShape& s) {
  if (in_parallel_region()) return 1;
  const int64_t work = s.n * s.co * s.out_pixels() * (s.ci / s.groups) * s.taps();
  return std::clamp<int64_t>(work / kShare, 1, num_threads());
}

enum class Divide { Images, Channels, Groups };

// `channels` is the side (ci or co) whose slices are independent.
Divide divide(const ConvShape& s, int64_t threads, int64_t channels) {
  constexpr int64_t kLane = 16;
  const int64_t weights = s.co * s.ci / s.groups * s.taps();
  const int64_t images = s.n * (s.ci * s.in_pixels() + s.co * s.out_pixels());
  const bool uneven = (s.n + threads - 1) / threads * threads * 8 > s.n * 9;
  if (!uneven && weights <= images) return Divide::Images;
  if (s.groups > 1) return s.groups % threads == 0 ? Divide::Groups : Divide::Images;
  return channels % (kLane * threads) == 0 ? Divide::Channels : Divide::Images;
}

// Calls run(part's shape, offsets of its x, w, y) on each thread; run returns whether the plugin did it.
struct Offsets {
  int64_t x = 0, w = 0, y = 0;
};

template <class F>
bool divided(const ConvShape& s, const BolideDnnlConv& whole, Divide how, int64_t threads, bool by_input,
             F&& run) {
  const int64_t units = how == Divide::Images   ? s.n
                        : how == Divide::Groups ? s.groups
                        : by_input              ? s.ci
                                                : s.co;
  std::atomic<bool> done{true};
  parallel_for(0, std::min(units, threads), 1, [&](int64_t first, int64_t last) {
    const int64_t parts = std::min(units, threads);
    for (int64_t part = first; part < last; ++part) {
      const int64_t begin = units * part / parts, count = units * (part + 1) / parts - begin;
      BolideDnnlConv d = whole;
      Offsets at;
      if (how == Divide::Images) {
        d.n = count;
        at.x = begin * whole.x_stride, at.y = begin * whole.y_stride;
      } else if (how == Divide::Groups) {
        const int64_t ci = s.ci / s.groups, co = s.co / s.groups;
        d.groups = count, d.ci = count * ci, d.co = count * co;
        at.x = begin * ci * s.in_pixels(), at.y = begin * co * s.out_pixels(),
        at.w = begin * co * ci * s.taps();
      } else if (by_input) {
        d.ci = count;
        at.x = begin * s.in_pixels(), at.w = begin * s.taps();
      } else {
        d.co = count;
        at.y = begin * s.out_pixels(), at.w = begin * whole.w_stride;
      }
      if (!run(d, at, part)) done = false;
    }
  });
  return done;
}

// oneDNN's own relu turns NaN into 0.
template <class T>
void cut_off(T* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = y[i] < T(0) ? T(0) : y[i];
}

// Backward data knows no bias, but a transposed convolution has one.
template <class T>
void add_bias(const ConvShape& s, const BolideDnnlConv& d, const T* bias, T* dx) {
  for (int64_t n = 0; n < d.n; ++n) {
    for (int64_t c = 0; c < d.ci; ++c) {
      T* pixels = dx + n * d.x_stride + c * s.in_pixels();
      for (int64_t i = 0; i < s.in_pixels(); ++i) pixels[i] = T(pixels[i] + bias[c]);
    }
  }
}

}  // namespace

template <class T>
bool dnnl_forward(const ConvShape& s, const T* x, const T* w, const T* bias, T* y, bool relu) {
  const BolideDnnlTable* table = dnnl_table();
  if (!table) return false;
  const int64_t threads = useful_threads(s);
  const Divide how = divide(s, threads, s.co);
  return divided(s, plugin_shape<T>(s), how, threads, false,
                 [&](const BolideDnnlConv& d, const Offsets& at, int64_t) {
                   const int64_t channel = how == Divide::Images ? 0 : at.y / s.out_pixels();
                   const T* b = bias ? bias + channel : nullptr;
                   if (table->conv_forward(&d, x + at.x, w + at.w, b, y + at.y) != 0) return false;
                   for (int64_t i = 0; relu && i < d.n; ++i)
                     cut_off(y + at.y + i * d.y_stride, d.co * s.out_pixels());
                   return true;
                 });
}

template <class T>
bool dnnl_backward_data(const ConvShape& s, const T* dy, const T* w, T* dx, const T* bias) {
  const BolideDnnlTable* table = dnnl_table();
  if (!table) return false;
  const int64_t threads = useful_threads(s);
  const Divide how = divide(s, threads, s.ci);
  return divided(s, plugin_shape<T>(s), how, threads, true,
                 [&](const BolideDnnlConv& d, const Offsets& at, int64_t) {
                   if (table->conv_backward_data(&d, dy + at.y, w + at.w, dx + at.x) != 0) return false;
                   if (bias)
                     add_bias(s, d, bias + (how == Divide::Images ? 0 : at.x / s.in_pixels()), dx + at.x);
                   return true;
                 });
}

template <class T>
bool dnnl_backward_weights(const ConvShape& s, const T* x, const T* dy, T* dw, T* db) {
  const BolideDnnlTable* table = dnnl_table();
  if (!table) return false;
  const int64_t threads = useful_threads(s);
  const Divide how = divide(s, threads, s.co);
  const bool sums = how == Divide::Images && std::min(threads, s.n) > 1;
  if (sums && kTypeOf<T> != kBolideDnnlF32) return false;  // sums of rounded parts would lose precision
  const int64_t size = s.co * (s.ci / s.groups) * s.taps(), parts = std::min(threads, s.n);
  std::vector<T> others(sums ? size_t((parts - 1) * (size + s.co)) : 0);
  const bool done =
      divided(s, plugin_shape<T>(s), how, threads, false,
              [&](const BolideDnnlConv& d, const Offsets& at, int64_t part) {
                T* weights = dw + at.w;
                T* bias = db ? db + (how == Divide::Images ? 0 : at.y / s.out_pixels()) : nullptr;
                if (sums && part > 0) {
                  weights = others.data() + (part - 1) * (size + s.co);
                  if (db) bias = weights + size;
                }
                return table->conv_backward_weights(&d, x + at.x, dy + at.y, weights, bias) == 0;
              });
  if (!done || !sums) return done;
  for (int64_t part = 1; part < parts; ++part) {
    const T* other = others.data() + (part - 1) * (size + s.co);
    for (int64_t i = 0; i < size; ++i) dw[i] = T(dw[i] + other[i]);
    for (int64_t i = 0; db && i < s.co; ++i) db[i] = T(db[i] + other[size + i]);
  }
  return true;
}

template bool dnnl_forward(const ConvShape&, const float*, const float*, const float*, float*, bool);
template bool dnnl_forward(const ConvShape&, const BFloat16*, const BFloat16*, const BFloat16*, BFloat16*,
                           bool);
template bool dnnl_backward_data(const ConvShape&, const float*, const float*, float*, const float*);
template bool dnnl_backward_data(const ConvShape&, const BFloat16*, const BFloat16*, BFloat16*,
                                 const BFloat16*);
template bool dnnl_backward_weights(const ConvShape&, const float*, const float*, float*, float*);
template bool dnnl_backward_weights(const ConvShape&, const BFloat16*, const BFloat16*, BFloat16*, BFloat16*);

}  // namespace bolide::detail
