// Map: windows | max pooling | average pooling | adaptive average pooling
//
// Planes go to threads; rows of the output are built from whole rows of the input where that vectorises. Halves
// compute in float.
#include <algorithm>
#include <vector>

#include "cpu/kernels/rows.h"
#include "cpu/pool.h"

namespace bolide::cpu {

namespace {

int64_t plane_grain(const Pool2d& p) {
  return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, p.in_h * p.in_w + p.out_h * p.out_w));
}

// The part of one axis that output position `o` sees: first, first + step, ... below last.
struct Span {
  int64_t first, last;
};
Span clipped(int64_t start, int64_t kernel, int64_t dilation, int64_t size) {
  const int64_t first = start < 0 ? start + (-start + dilation - 1) / dilation * dilation : start;
  return {first, std::min(start + (kernel - 1) * dilation + 1, size)};
}

template <class T>
void max_plane(const T* x, const Pool2d& p, T* y, int64_t* indices) {
  using A = Compute<T>;
  for (int64_t oh = 0; oh < p.out_h; ++oh) {
    const Span h = clipped(oh * p.stride_h - p.pad_h, p.kernel_h, p.dilation_h, p.in_h);
    for (int64_t ow = 0; ow < p.out_w; ++ow) {
      const Span w = clipped(ow * p.stride_w - p.pad_w, p.kernel_w, p.dilation_w, p.in_w);
      int64_t best = h.first * p.in_w + w.first;
      A top = A(x[best]);
      for (int64_t i = h.first; i < h.last; i += p.dilation_h)
        for (int64_t j = w.first; j < w.last; j += p.dilation_w) {
          const A v = A(x[i * p.in_w + j]);
          const bool better = (v > top) | ((v != v) & (top == top));
          top = better ? v : top;
          best = better ? i * p.in_w + j : best;
        }
      y[oh * p.out_w + ow] = T(top);
      if (indices) indices[oh * p.out_w + ow] = best;
    }
  }
}

// The common 2x2, stride 2, no padding.
template <class T>
void max_plane_2x2(const T* x, const Pool2d& p, T* y, int64_t* indices) {
  using A = Compute<T>;
  for (int64_t oh = 0; oh < p.out_h; ++oh) {
    const int64_t row = 2 * oh * p.in_w;
    for (int64_t ow = 0; ow < p.out_w; ++ow) {
      const int64_t at = row + 2 * ow;
      const int64_t where[4] = {at, at + 1, at + p.in_w, at + p.in_w + 1};
      A top = A(x[at]);
      int64_t best = at;
      for (int k = 1; k < 4; ++k) {
        const A v = A(x[where[k]]);
        const bool better = (v > top) | ((v != v) & (top == top));
        top = better ? v : top;
        best = better ? where[k] : best;
      }
      y[oh * p.out_w + ow] = T(top);
      if (indices) indices[oh * p.out_w + ow] = best;
    }
  }
}

// The window before clipping to the image, and its divisor.
struct Window {
  Span h, w;
  double divisor;
};
Window average_window(const Pool2d& p, int64_t oh, int64_t ow, bool count_padding, int64_t divisor) {
  const int64_t h0 = oh * p.stride_h - p.pad_h, w0 = ow * p.stride_w - p.pad_w;
  const int64_t h1 = std::min(h0 + p.kernel_h, p.in_h + p.pad_h), w1 = std::min(w0 + p.kernel_w, p.in_w + p.pad_w);
  const Span h{std::max<int64_t>(h0, 0), std::min(h1, p.in_h)}, w{std::max<int64_t>(w0, 0), std::min(w1, p.in_w)};
  const int64_t all = (h1 - h0) * (w1 - w0), inside = (h.last - h.first) * (w.last - w.first);
  return {h, w, double(divisor ? divisor : count_padding ? all : inside)};
}
Window adaptive_window(const Pool2d& p, int64_t oh, int64_t ow) {
  const Span h{oh * p.in_h / p.out_h, ((oh + 1) * p.in_h + p.out_h - 1) / p.out_h};
  const Span w{ow * p.in_w / p.out_w, ((ow + 1) * p.in_w + p.out_w - 1) / p.out_w};
  return {h, w, double((h.last - h.first) * (w.last - w.first))};
}

// y of every window that `window(oh, ow)` gives.
template <class T, class F>
void average(const T* x, const Pool2d& p, T* y, F window) {
  using A = Compute<T>;
  parallel_for(0, p.planes, plane_grain(p), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const T* plane = x + c * p.in_h * p.in_w;
      T* out = y + c * p.out_h * p.out_w;
      for (int64_t oh = 0; oh < p.out_h; ++oh)
        for (int64_t ow = 0; ow < p.out_w; ++ow) {
          const Window v = window(oh, ow);
          A total = 0;
          for (int64_t i = v.h.first; i < v.h.last; ++i)
            for (int64_t j = v.w.first; j < v.w.last; ++j) total += A(plane[i * p.in_w + j]);
          *out++ = T(total / A(v.divisor));
        }
    }
  });
}

template <class T, class F>
void average_backward(const T* g, const Pool2d& p, T* dx, F window) {
  using A = Compute<T>;
  parallel_for(0, p.planes, plane_grain(p), [&](int64_t begin, int64_t end) {
    std::vector<A> plane(size_t(p.in_h * p.in_w));
    for (int64_t c = begin; c < end; ++c) {
      std::fill(plane.begin(), plane.end(), A(0));
      const T* grad = g + c * p.out_h * p.out_w;
      for (int64_t oh = 0; oh < p.out_h; ++oh)
        for (int64_t ow = 0; ow < p.out_w; ++ow) {
          const Window v = window(oh, ow);
          const A share = A(*grad++) / A(v.divisor);
          for (int64_t i = v.h.first; i < v.h.last; ++i)
            for (int64_t j = v.w.first; j < v.w.last; ++j) plane[size_t(i * p.in_w + j)] += share;
        }
      T* out = dx + c * p.in_h * p.in_w;
      for (size_t i = 0; i < plane.size(); ++i) out[i] = T(plane[i]);
    }
  });
}

}  // namespace

template <class T>
void max_pool2d(const T* x, const Pool2d& p, T* y, int64_t* indices) {
  const bool simple = p.kernel_h == 2 && p.kernel_w == 2 && p.stride_h == 2 && p.stride_w == 2 && p.pad_h == 0 && p.pad_w == 0 &&
                      p.dilation_h == 1 && p.dilation_w == 1 && 2 * p.out_h <= p.in_h && 2 * p.out_w <= p.in_w;
  parallel_for(0, p.planes, plane_grain(p), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      int64_t* at = indices ? indices + c * p.out_h * p.out_w : nullptr;
      (simple ? max_plane_2x2<T> : max_plane<T>)(x + c * p.in_h * p.in_w, p, y + c * p.out_h * p.out_w, at);
    }
  });
}

template <class T>
void max_pool2d_backward(const T* g, const int64_t* indices, const Pool2d& p, T* dx) {
  using A = Compute<T>;
  const int64_t in = p.in_h * p.in_w, out = p.out_h * p.out_w;
  parallel_for(0, p.planes, plane_grain(p), [&](int64_t begin, int64_t end) {
    std::vector<A> wide(sizeof(T) == 2 ? size_t(in) : 0);  // halves are added up in float
    for (int64_t c = begin; c < end; ++c) {
      A* plane = sizeof(T) == 2 ? wide.data() : reinterpret_cast<A*>(dx + c * in);
      std::fill(plane, plane + in, A(0));
      for (int64_t o = c * out; o < (c + 1) * out; ++o) plane[indices[o]] += A(g[o]);
      if constexpr (sizeof(T) == 2)
        for (int64_t i = 0; i < in; ++i) dx[c * in + i] = T(plane[i]);
    }
  });
}

template <class T>
void avg_pool2d(const T* x, const Pool2d& p, bool count_padding, int64_t divisor, T* y) {
  average(x, p, y, [&](int64_t oh, int64_t ow) { return average_window(p, oh, ow, count_padding, divisor); });
}
template <class T>
void avg_pool2d_backward(const T* g, const Pool2d& p, bool count_padding, int64_t divisor, T* dx) {
  average_backward(g, p, dx, [&](int64_t oh, int64_t ow) { return average_window(p, oh, ow, count_padding, divisor); });
}
template <class T>
void adaptive_avg_pool2d(const T* x, const Pool2d& p, T* y) {
  average(x, p, y, [&](int64_t oh, int64_t ow) { return adaptive_window(p, oh, ow); });
}
template <class T>
void adaptive_avg_pool2d_backward(const T* g, const Pool2d& p, T* dx) {
  average_backward(g, p, dx, [&](int64_t oh, int64_t ow) { return adaptive_window(p, oh, ow); });
}

#define BOLIDE_FOR(T)                                                                   \
  template void max_pool2d(const T*, const Pool2d&, T*, int64_t*);                      \
  template void max_pool2d_backward(const T*, const int64_t*, const Pool2d&, T*);       \
  template void avg_pool2d(const T*, const Pool2d&, bool, int64_t, T*);                 \
  template void avg_pool2d_backward(const T*, const Pool2d&, bool, int64_t, T*);        \
  template void adaptive_avg_pool2d(const T*, const Pool2d&, T*);                       \
  template void adaptive_avg_pool2d_backward(const T*, const Pool2d&, T*);
BOLIDE_FOR(float)
BOLIDE_FOR(double)
BOLIDE_FOR(Half)
BOLIDE_FOR(BFloat16)

}  // namespace bolide::cpu
