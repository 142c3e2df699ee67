// Map: windows along an axis | max | average | scatter and gather by index | dispatch
//
// Every kind of pooling (strided, adaptive, fractional) is a list of windows for each axis. Planes go to threads. Halves
// compute in float.
#include "cpu/kernels/pooling.h"

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>
#include <vector>

#include "bolide/error.h"
#include "cpu/kernels/rows.h"
#include "cpu/pool.h"

namespace bolide::cpu {

namespace {

template <class T> using Wide = std::conditional_t<sizeof(T) == 2 && !std::is_integral_v<T>, float, T>;

int64_t plane_grain(const PoolShape& s) {
  return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, s.in_pixels() + s.out_pixels()));
}

// ---- windows along an axis ------------------------------------------------------------------------------

// Output position o sees first[o], first[o] + step, ... below last[o]; whole[o] counts padding too.
struct Axis {
  std::vector<int64_t> first, last, whole;
  int64_t step = 1;
};
using Windows = std::array<Axis, 3>;

Axis strided_axis(const PoolShape& s, int i, bool average) {
  Axis a;
  a.step = s.dilation[i];
  for (int64_t o = 0; o < s.out[i]; ++o) {
    const int64_t start = o * s.stride[i] - s.pad[i], end = start + (s.kernel[i] - 1) * a.step + 1;
    const int64_t skipped = start < 0 ? (-start + a.step - 1) / a.step * a.step : 0;
    a.first.push_back(start + skipped);
    a.last.push_back(std::min(end, s.in[i]));
    a.whole.push_back(average ? std::min(end, s.in[i] + s.pad[i]) - start : 0);
  }
  return a;
}
Windows strided_windows(const PoolShape& s, bool average) {
  return {strided_axis(s, 0, average), strided_axis(s, 1, average), strided_axis(s, 2, average)};
}

Windows adaptive_windows(const PoolShape& s) {
  Windows w;
  for (int i = 0; i < 3; ++i)
    for (int64_t o = 0; o < s.out[i]; ++o) {
      w[size_t(i)].first.push_back(o * s.in[i] / s.out[i]);
      w[size_t(i)].last.push_back(((o + 1) * s.in[i] + s.out[i] - 1) / s.out[i]);
    }
  return w;
}

// Starts follow floor((o + u) alpha) for one random number u.
Axis fractional_axis(int64_t in, int64_t out, int64_t kernel, auto u) {
  Axis a;
  using A = decltype(u);
  const A alpha = out > 1 ? A(in - kernel) / A(out - 1) : A(0);
  for (int64_t o = 0; o < out; ++o) {
    const int64_t start = o + 1 == out ? in - kernel : int64_t((A(o) + u) * alpha) - int64_t(u * alpha);
    a.first.push_back(start), a.last.push_back(start + kernel);
  }
  return a;
}

// ---- max ------------------------------------------------------------------------------------------------

template <class T> T lowest() {
  if constexpr (std::is_integral_v<T>) return std::numeric_limits<T>::lowest();
  else return -std::numeric_limits<T>::infinity();
}

// The largest of each window; NaN beats all, the last one's place counts. The place of a window of nothing but the
// lowest value is its first position.
template <bool Index, class T>
void max_plane(const T* x, const PoolShape& s, const Windows& w, T* y, int64_t* indices) {
  using A = Wide<T>;
  const auto& [d, h, v] = w;
  for (size_t od = 0; od < d.first.size(); ++od)
    for (size_t oh = 0; oh < h.first.size(); ++oh)
      for (size_t ow = 0; ow < v.first.size(); ++ow) {
        A top = lowest<A>();
        int64_t best = (d.first[od] * s.in[1] + h.first[oh]) * s.in[2] + v.first[ow];
        for (int64_t i = d.first[od]; i < d.last[od]; i += d.step)
          for (int64_t j = h.first[oh]; j < h.last[oh]; j += h.step) {
            const int64_t row = (i * s.in[1] + j) * s.in[2];
            for (int64_t k = v.first[ow]; k < v.last[ow]; k += v.step) {
              const A a = A(x[row + k]);
              const bool better = (a > top) | (a != a);
              top = better ? a : top;
              if constexpr (Index) best = better ? row + k : best;
            }
          }
        *y++ = T(top);
        if constexpr (Index) *indices++ = best;
      }
}

// The common 2x2, stride 2, no padding.
template <bool Index, class T>
void max_plane_2x2(const T* x, const PoolShape& s, T* y, int64_t* indices) {
  using A = Wide<T>;
  const int64_t width = s.in[2], count = s.out[2];
  for (int64_t oh = 0; oh < s.out[1]; ++oh, y += count) {
    const int64_t row = 2 * oh * width;
    for (int64_t ow = 0; ow < count; ++ow) {
      const int64_t at = row + 2 * ow;
      A top = A(x[at]);
      int64_t best = at;
      for (const int64_t next : {at + 1, at + width, at + width + 1}) {
        const A a = A(x[next]);
        const bool better = (a > top) | (a != a);
        top = better ? a : top;
        if constexpr (Index) best = better ? next : best;
      }
      y[ow] = T(top);
      if constexpr (Index) indices[ow] = best;
    }
    if constexpr (Index) indices += count;
  }
}

bool is_2x2(const PoolShape& s) {
  for (int i = 1; i < 3; ++i)
    if (s.kernel[i] != 2 || s.stride[i] != 2 || s.pad[i] != 0 || s.dilation[i] != 1 || 2 * s.out[i] > s.in[i]) return false;
  return s.in[0] == 1 && s.kernel[0] == 1 && s.pad[0] == 0;
}

// f(plane) for all planes, in parallel.
template <class F>
void each_plane(const PoolShape& s, F&& f) {
  parallel_for(0, s.planes, plane_grain(s), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) f(c);
  });
}

template <class T>
void max_planes(const T* x, const PoolShape& s, const Windows& w, T* y, int64_t* indices) {
  each_plane(s, [&](int64_t c) {
    const T* from = x + c * s.in_pixels();
    T* to = y + c * s.out_pixels();
    if (indices) max_plane<true>(from, s, w, to, indices + c * s.out_pixels());
    else max_plane<false>(from, s, w, to, nullptr);
  });
}

// ---- average --------------------------------------------------------------------------------------------

// f(output position, first, last of each axis, divisor) for every window.
template <class F>
void each_average(const Windows& w, bool count_padding, int64_t divisor, F&& f) {
  const auto& [d, h, v] = w;
  int64_t at = 0;
  const auto size = [&](const Axis& a, size_t o) { return count_padding ? a.whole[o] : a.last[o] - a.first[o]; };
  for (size_t i = 0; i < d.first.size(); ++i)
    for (size_t j = 0; j < h.first.size(); ++j)
      for (size_t k = 0; k < v.first.size(); ++k)
        f(at++, i, j, k, divisor ? divisor : size(d, i) * size(h, j) * size(v, k));
}

template <class T>
void average(const T* x, const PoolShape& s, const Windows& w, bool count_padding, int64_t divisor, T* y) {
  using A = Wide<T>;
  const auto& [d, h, v] = w;
  each_plane(s, [&](int64_t c) {
    const T* plane = x + c * s.in_pixels();
    T* out = y + c * s.out_pixels();
    each_average(w, count_padding, divisor, [&](int64_t at, size_t od, size_t oh, size_t ow, int64_t by) {
      A total = 0;
      for (int64_t i = d.first[od]; i < d.last[od]; ++i)
        for (int64_t j = h.first[oh]; j < h.last[oh]; ++j)
          for (int64_t k = v.first[ow]; k < v.last[ow]; ++k) total += A(plane[(i * s.in[1] + j) * s.in[2] + k]);
      if constexpr (std::is_integral_v<T>) out[at] = T(by ? total / by : 0);
      else out[at] = T(total / A(by));
    });
  });
}

template <class T>
void average_backward(const T* g, const PoolShape& s, const Windows& w, bool count_padding, int64_t divisor, T* dx) {
  using A = Wide<T>;
  const auto& [d, h, v] = w;
  each_plane(s, [&](int64_t c) {
    std::vector<A> wide(std::is_same_v<A, T> ? 0 : size_t(s.in_pixels()));
    A* plane = std::is_same_v<A, T> ? reinterpret_cast<A*>(dx + c * s.in_pixels()) : wide.data();
    std::fill(plane, plane + s.in_pixels(), A(0));
    const T* grad = g + c * s.out_pixels();
    each_average(w, count_padding, divisor, [&](int64_t at, size_t od, size_t oh, size_t ow, int64_t by) {
      const A share = A(grad[at]) / A(by);
      for (int64_t i = d.first[od]; i < d.last[od]; ++i)
        for (int64_t j = h.first[oh]; j < h.last[oh]; ++j)
          for (int64_t k = v.first[ow]; k < v.last[ow]; ++k) plane[(i * s.in[1] + j) * s.in[2] + k] += share;
    });
    if constexpr (!std::is_same_v<A, T>)
      for (int64_t i = 0; i < s.in_pixels(); ++i) dx[c * s.in_pixels() + i] = T(plane[i]);
  });
}

[[gnu::cold, gnu::noinline]] void bad_index(int64_t index, const PoolShape& s) {
  const std::string depth = s.in[0] == 1 ? "" : std::to_string(s.in[0]) + "x";
  fail("Found an invalid max index: ", index, " (output volumes are of size ", depth, s.in[1], "x", s.in[2], ")");
}

}  // namespace

// ---- what entries call ------------------------------------------------------------------------------------

template <class T>
void max_pool(const T* x, const PoolShape& s, T* y, int64_t* indices) {
  if (!is_2x2(s)) return max_planes(x, s, strided_windows(s, false), y, indices);
  each_plane(s, [&](int64_t c) {
    const T* from = x + c * s.in_pixels();
    T* to = y + c * s.out_pixels();
    if (indices) max_plane_2x2<true>(from, s, to, indices + c * s.out_pixels());
    else max_plane_2x2<false>(from, s, to, nullptr);
  });
}
template <class T>
void adaptive_max_pool(const T* x, const PoolShape& s, T* y, int64_t* indices) {
  max_planes(x, s, adaptive_windows(s), y, indices);
}
template <class T>
void fractional_max_pool(const T* x, const T* samples, int dims, const PoolShape& s, T* y, int64_t* indices) {
  using A = Wide<T>;
  each_plane(s, [&](int64_t c) {
    const T* u = samples + c * dims;
    Windows w;
    w[0] = dims == 3 ? fractional_axis(s.in[0], s.out[0], s.kernel[0], A(u[0])) : adaptive_windows(s)[0];
    w[1] = fractional_axis(s.in[1], s.out[1], s.kernel[1], A(u[1]));
    w[2] = fractional_axis(s.in[2], s.out[2], s.kernel[2], A(u[dims == 3 ? 2 : 0]));
    max_plane<true>(x + c * s.in_pixels(), s, w, y + c * s.out_pixels(), indices + c * s.out_pixels());
  });
}

template <class T>
void pool_scatter(const T* g, const int64_t* indices, const PoolShape& s, bool add, T* dx) {
  using A = Wide<T>;
  const int64_t in = s.in_pixels(), out = s.out_pixels();
  each_plane(s, [&](int64_t c) {
    std::vector<A> wide(std::is_same_v<A, T> ? 0 : size_t(in));  // halves are added up in float
    A* plane = std::is_same_v<A, T> ? reinterpret_cast<A*>(dx + c * in) : wide.data();
    std::fill(plane, plane + in, A(0));
    for (int64_t o = c * out; o < (c + 1) * out; ++o) {
      const int64_t at = indices[o];
      if (at < 0 || at >= in) [[unlikely]] bad_index(at, s);
      plane[at] = add ? A(plane[at] + A(g[o])) : A(g[o]);
    }
    if constexpr (!std::is_same_v<A, T>)
      for (int64_t i = 0; i < in; ++i) dx[c * in + i] = T(plane[i]);
  });
}
template <class T>
void pool_gather(const T* x, const int64_t* indices, const PoolShape& s, T* y) {
  const int64_t in = s.in_pixels(), out = s.out_pixels();
  each_plane(s, [&](int64_t c) {
    for (int64_t o = c * out; o < (c + 1) * out; ++o) {
      const int64_t at = indices[o];
      if (at < 0 || at >= in) [[unlikely]] bad_index(at, s);
      y[o] = x[c * in + at];
    }
  });
}

template <class T>
void avg_pool(const T* x, const PoolShape& s, bool count_padding, int64_t divisor, T* y) {
  average(x, s, strided_windows(s, true), count_padding, divisor, y);
}
template <class T>
void avg_pool_backward(const T* g, const PoolShape& s, bool count_padding, int64_t divisor, T* dx) {
  average_backward(g, s, strided_windows(s, true), count_padding, divisor, dx);
}
template <class T>
void adaptive_avg_pool(const T* x, const PoolShape& s, T* y) {
  average(x, s, adaptive_windows(s), false, 0, y);
}
template <class T>
void adaptive_avg_pool_backward(const T* g, const PoolShape& s, T* dx) {
  average_backward(g, s, adaptive_windows(s), false, 0, dx);
}

#define BOLIDE_FOR(T)                                                        \
  template void max_pool(const T*, const PoolShape&, T*, int64_t*);          \
  template void pool_scatter(const T*, const int64_t*, const PoolShape&, bool, T*); \
  template void pool_gather(const T*, const int64_t*, const PoolShape&, T*);
BOLIDE_FOR(float)
BOLIDE_FOR(double)
BOLIDE_FOR(Half)
BOLIDE_FOR(BFloat16)
BOLIDE_FOR(uint8_t)
BOLIDE_FOR(int8_t)
BOLIDE_FOR(int16_t)
BOLIDE_FOR(int32_t)
BOLIDE_FOR(int64_t)
#undef BOLIDE_FOR
#define BOLIDE_FOR(T)                                                                       \
  template void avg_pool(const T*, const PoolShape&, bool, int64_t, T*);                    \
  template void avg_pool_backward(const T*, const PoolShape&, bool, int64_t, T*);
BOLIDE_FOR(float)
BOLIDE_FOR(double)
BOLIDE_FOR(Half)
BOLIDE_FOR(BFloat16)
BOLIDE_FOR(int64_t)
#undef BOLIDE_FOR
#define BOLIDE_FOR(T)                                                                       \
  template void adaptive_avg_pool(const T*, const PoolShape&, T*);                          \
  template void adaptive_avg_pool_backward(const T*, const PoolShape&, T*);                 \
  template void adaptive_max_pool(const T*, const PoolShape&, T*, int64_t*);                \
  template void fractional_max_pool(const T*, const T*, int, const PoolShape&, T*, int64_t*);
BOLIDE_FOR(float)
BOLIDE_FOR(double)
BOLIDE_FOR(Half)
BOLIDE_FOR(BFloat16)

}  // namespace bolide::cpu
