// The kernel table's convolutions on the CPU: floats by cpu/conv.h, complex numbers as real parts, integers by plain
// loops.
#include "cpu/conv.h"

#include <cstring>
#include <vector>

#include "cpu/entries/shared.h"
#include "cpu/pool.h"

namespace bolide {
namespace {

bool nothing_to_sum(const ConvShape& s) { return s.n * s.ci * s.co * s.taps() * s.in_pixels() * s.out_pixels() == 0; }

// ---- integers: y[n, co, out] += x[n, ci, in] * w[co, ci, tap], in either direction ----------------------

/// Calls f(index of y, index of x, index of w) for every product of image `n` and output channel `co`.
template <class F>
void each_product(const ConvShape& s, int64_t n, int64_t co, F&& f) {
  const int64_t ci_per = s.ci / s.groups, first = co / (s.co / s.groups) * ci_per;
  for (int64_t o = 0; o < s.out_pixels(); ++o) {
    const int64_t at[3] = {o / (s.out[1] * s.out[2]), o / s.out[2] % s.out[1], o % s.out[2]};
    for (int64_t t = 0; t < s.taps(); ++t) {
      const int64_t tap[3] = {t / (s.kernel[1] * s.kernel[2]), t / s.kernel[2] % s.kernel[1], t % s.kernel[2]};
      int64_t pixel = 0;
      bool inside = true;
      for (int i = 0; i < 3; ++i) {
        const int64_t p = at[i] * s.stride[i] - s.pad[i] + tap[i] * s.dilation[i];
        inside &= p >= 0 && p < s.in[i];
        pixel = pixel * s.in[i] + p;
      }
      if (!inside) continue;
      for (int64_t c = 0; c < ci_per; ++c)
        f((n * s.co + co) * s.out_pixels() + o, (n * s.ci + first + c) * s.in_pixels() + pixel, (co * ci_per + c) * s.taps() + t);
    }
  }
}

template <class T> T wrapping(T a, T b, T c) {  // a + b * c, modulo the type
  return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b) * static_cast<uint64_t>(c));
}

template <class T>
void set_bias(const T* bias, int64_t n, int64_t channels, int64_t pixels, T* y) {
  for (int64_t i = 0; i < n * channels * pixels; ++i) y[i] = bias ? bias[i / pixels % channels] : T(0);
}

template <class T>
void integer_forward(const ConvShape& s, const T* x, const T* w, const T* bias, T* y) {
  set_bias(bias, s.n, s.co, s.out_pixels(), y);
  parallel_for(0, s.n * s.co, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      each_product(s, i / s.co, i % s.co, [&](int64_t at, int64_t from, int64_t tap) { y[at] = wrapping(y[at], x[from], w[tap]); });
  });
}

template <class T>
void integer_backward_data(const ConvShape& s, const T* dy, const T* w, const T* bias, T* dx) {
  set_bias(bias, s.n, s.ci, s.in_pixels(), dx);
  parallel_for(0, s.n, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * s.co; i < end * s.co; ++i)
      each_product(s, i / s.co, i % s.co, [&](int64_t at, int64_t to, int64_t tap) { dx[to] = wrapping(dx[to], dy[at], w[tap]); });
  });
}

template <class T>
void integer_backward_weights(const ConvShape& s, const T* x, const T* dy, T* dw) {
  std::memset(dw, 0, static_cast<size_t>(s.co * (s.ci / s.groups) * s.taps()) * sizeof(T));
  parallel_for(0, s.co, 1, [&](int64_t begin, int64_t end) {
    for (int64_t co = begin; co < end; ++co)
      for (int64_t n = 0; n < s.n; ++n)
        each_product(s, n, co, [&](int64_t at, int64_t from, int64_t tap) { dw[tap] = wrapping(dw[tap], dy[at], x[from]); });
  });
}

// ---- complex numbers: three real passes, (a + ib)(c + id) = ac - bd + i ((a + b)(c + d) - ac - bd) ---------

template <class R>
struct Parts {
  std::vector<R> real, imag, both;
  Parts(const std::complex<R>* p, int64_t n) {
    for (auto* v : {&real, &imag, &both}) v->resize(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
      const auto u = static_cast<size_t>(i);
      real[u] = p[i].real(), imag[u] = p[i].imag(), both[u] = real[u] + imag[u];
    }
  }
};

template <class R, class F>
void complex_pass(const std::complex<R>* a, int64_t na, const std::complex<R>* b, int64_t nb, std::complex<R>* result, int64_t n,
                  F&& pass) {
  const Parts<R> p(a, na), q(b, nb);
  std::vector<R> rr(static_cast<size_t>(n)), ii(rr.size()), all(rr.size());
  pass(p.real.data(), q.real.data(), rr.data());
  pass(p.imag.data(), q.imag.data(), ii.data());
  pass(p.both.data(), q.both.data(), all.data());
  for (size_t i = 0; i < rr.size(); ++i) result[i] = {rr[i] - ii[i], all[i] - rr[i] - ii[i]};
}

template <class R>
void add_bias(const std::complex<R>* bias, int64_t n, int64_t channels, int64_t pixels, std::complex<R>* y) {
  for (int64_t i = 0; bias && i < n * channels * pixels; ++i) y[i] += bias[i / pixels % channels];
}

// ---- entries ----------------------------------------------------------------------------------------------

template <class T> inline constexpr bool kComplex = std::is_same_v<T, complex64> || std::is_same_v<T, complex128>;

void forward_entry(const ConvShape& s, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y) {
  if (!y.numel()) return;
  dispatch<Join<Ints, Floats, Halves, Complexes>>("convolution", y.dtype(), [&]<class T>(Tag<T>) {
    const T *xp = x.data<T>(), *wp = w.data<T>(), *bp = data_or_null<T>(bias);
    T* yp = y.data<T>();
    if (nothing_to_sum(s)) return set_bias(bp, s.n, s.co, s.out_pixels(), yp);
    if constexpr (kComplex<T>) {
      using R = typename T::value_type;
      complex_pass(xp, x.numel(), wp, w.numel(), yp, y.numel(),
                   [&](const R* a, const R* b, R* c) { conv_forward<R>(s, a, b, nullptr, c); });
      add_bias(bp, s.n, s.co, s.out_pixels(), yp);
    } else if constexpr (std::is_integral_v<T>) {
      integer_forward(s, xp, wp, bp, yp);
    } else {
      conv_forward<T>(s, xp, wp, bp, yp);
    }
  });
}
const Provide provide_forward(DeviceType::CPU, &Kernels::conv_forward, &forward_entry);

void backward_data_entry(const ConvShape& s, const Tensor& dy, const Tensor& w, const Tensor& bias, const Tensor& dx) {
  if (!dx.numel()) return;
  dispatch<Join<Ints, Floats, Halves, Complexes>>("convolution", dx.dtype(), [&]<class T>(Tag<T>) {
    const T *gp = dy.data<T>(), *wp = w.data<T>(), *bp = data_or_null<T>(bias);
    T* xp = dx.data<T>();
    if (nothing_to_sum(s)) return set_bias(bp, s.n, s.ci, s.in_pixels(), xp);
    if constexpr (kComplex<T>) {
      using R = typename T::value_type;
      complex_pass(gp, dy.numel(), wp, w.numel(), xp, dx.numel(),
                   [&](const R* a, const R* b, R* c) { conv_backward_data<R>(s, a, b, c); });
      add_bias(bp, s.n, s.ci, s.in_pixels(), xp);
    } else if constexpr (std::is_integral_v<T>) {
      integer_backward_data(s, gp, wp, bp, xp);
    } else {
      conv_backward_data<T>(s, gp, wp, xp, bp);
    }
  });
}
const Provide provide_backward_data(DeviceType::CPU, &Kernels::conv_backward_data, &backward_data_entry);

template <class T>
void channel_sums(const T* y, int64_t n, int64_t channels, int64_t pixels, T* result) {
  if constexpr (std::is_integral_v<T> || kComplex<T>) {
    for (int64_t c = 0; c < channels; ++c) result[c] = T(0);
    for (int64_t i = 0; i < n * channels * pixels; ++i) {
      T& r = result[i / pixels % channels];
      r = static_cast<T>(r + y[i]);
    }
  } else {
    conv_bias_grad<T>(y, n, channels, pixels, result);
  }
}

void bias_grad_entry(const Tensor& y, const Tensor& db) {
  const int64_t n = y.size(0), channels = y.size(1);
  if (!channels) return;
  dispatch<Join<Ints, Floats, Halves, Complexes>>("convolution", y.dtype(), [&]<class T>(Tag<T>) {
    channel_sums(y.data<T>(), n, channels, n ? y.numel() / (n * channels) : 0, db.data<T>());
  });
}
const Provide provide_bias_grad(DeviceType::CPU, &Kernels::conv_bias_grad, &bias_grad_entry);

void backward_weights_entry(const ConvShape& s, const Tensor& x, const Tensor& dy, const Tensor& dw, const Tensor& db) {
  dispatch<Join<Ints, Floats, Halves, Complexes>>("convolution", dw.dtype(), [&]<class T>(Tag<T>) {
    const T *xp = x.data<T>(), *gp = dy.data<T>();
    T *wp = dw.data<T>(), *bp = data_or_null<T>(db);
    if (nothing_to_sum(s)) {
      if (dw.numel()) std::memset(static_cast<void*>(wp), 0, static_cast<size_t>(dw.numel() * dw.itemsize()));
    } else if constexpr (kComplex<T>) {
      using R = typename T::value_type;
      complex_pass(xp, x.numel(), gp, dy.numel(), wp, dw.numel(),
                   [&](const R* a, const R* b, R* c) { conv_backward_weights<R>(s, a, b, c, nullptr); });
    } else if constexpr (std::is_integral_v<T>) {
      integer_backward_weights(s, xp, gp, wp);
    } else {
      return conv_backward_weights<T>(s, xp, gp, wp, bp);
    }
    if (bp) channel_sums(gp, s.n, s.co, s.out_pixels(), bp);
  });
}
const Provide provide_backward_weights(DeviceType::CPU, &Kernels::conv_backward_weights, &backward_weights_entry);

}  // namespace
}  // namespace bolide
