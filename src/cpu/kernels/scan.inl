// Map: steps | lines side by side | running extremes | linear recurrences | choosing
#include "cpu/kernels/vec.inl"

template <class T> struct RunningOf { using type = std::make_unsigned_t<T>; };  // integers wrap
template <> struct RunningOf<float> { using type = double; };
template <> struct RunningOf<double> { using type = double; };
template <> struct RunningOf<Half> { using type = float; };
template <> struct RunningOf<BFloat16> { using type = float; };
template <> struct RunningOf<complex64> { using type = complex128; };
template <> struct RunningOf<complex128> { using type = complex128; };
template <class T> using Running = typename RunningOf<T>::type;

struct SumStep {
  template <class A> static A start() { return A(0); }
  template <class A> [[gnu::always_inline]] static A step(A a, A x) { return a + x; }
};
struct ProdStep {
  template <class A> static A start() { return A(1); }
  template <class A> [[gnu::always_inline]] static A step(A a, A x) { return A(a * x); }
};
struct LogSumExpStep {
  template <class A> static A start() { return A(-std::numeric_limits<double>::infinity()); }
  template <class A> static A step(A a, A x) {
    if constexpr (std::is_same_v<A, complex128>) {
      if (a.real() < x.real()) std::swap(a, x);
      if (x.real() == -std::numeric_limits<double>::infinity()) return a;
      return a + std::log(1.0 + std::exp(x - a));
    } else {
      if (a != a || x != x) return a + x;
      const A low = std::min(a, x), high = std::max(a, x);
      return low == high && std::isinf(low) ? low : high + std::log1p(std::exp(low - high));
    }
  }
};

// K lines at once: their chains of additions hide each other's latency.
template <class Op, class T, int K>
[[gnu::always_inline]] inline void scan_some(const T* x, int64_t apart, int64_t xs, T* y, int64_t y_apart, int64_t ys, int64_t n) {
  using A = Running<T>;
  A total[K];
  for (int k = 0; k < K; ++k) total[k] = Op::template start<A>();
  for (int64_t i = 0; i < n; ++i)
    for (int k = 0; k < K; ++k) {
      total[k] = Op::step(total[k], A(x[k * apart + i * xs]));
      y[k * y_apart + i * ys] = T(total[k]);
    }
}
// Up to 64 lines whose elements are neighbours, row by row.
template <class Op, class T>
inline void scan_columns(const T* x, int64_t xs, T* y, int64_t ys, int64_t n, int64_t m) {
  using A = Running<T>;
  A total[64];
  std::fill_n(total, m, Op::template start<A>());
  for (int64_t i = 0; i < n; ++i) {
    const T* in = x + i * xs;
    T* out = y + i * ys;
#pragma GCC ivdep
    for (int64_t j = 0; j < m; ++j) {
      total[j] = Op::step(total[j], A(in[j]));
      out[j] = T(total[j]);
    }
  }
}

template <class Op, class T>
void scan(char* const* p, const int64_t* step, int64_t lines, const int64_t* stride, int64_t n) {
  constexpr int64_t kItem = sizeof(T);
  const T* x = reinterpret_cast<const T*>(p[0]);
  T* y = reinterpret_cast<T*>(p[1]);
  const int64_t xs = stride[0] / kItem, ys = stride[1] / kItem, apart = step[0] / kItem, y_apart = step[1] / kItem;
  int64_t i = 0;
  if (apart == 1 && y_apart == 1 && lines >= 8) {
    for (; i < lines; i += 64) scan_columns<Op>(x + i, xs, y + i, ys, n, std::min<int64_t>(64, lines - i));
    return;
  }
  if (xs == 1 && ys == 1) {
    for (; i + 4 <= lines; i += 4) scan_some<Op, T, 4>(x + i * apart, apart, 1, y + i * y_apart, y_apart, 1, n);
    for (; i < lines; ++i) scan_some<Op, T, 1>(x + i * apart, 0, 1, y + i * y_apart, 0, 1, n);
    return;
  }
  for (; i < lines; ++i) scan_some<Op, T, 1>(x + i * apart, 0, xs, y + i * y_apart, 0, ys, n);
}

// The last of equals wins; from the first NaN on every NaN does.
template <bool Largest, class T>
void scan_extreme(char* const* p, const int64_t* step, int64_t lines, const int64_t* stride, int64_t n) {
  using A = Compute<T>;
  constexpr int64_t kItem = sizeof(T);
  for (int64_t l = 0; l < lines && n; ++l) {
    const T* x = reinterpret_cast<const T*>(p[0] + l * step[0]);
    T* y = reinterpret_cast<T*>(p[1] + l * step[1]);
    int64_t* at = p[2] ? reinterpret_cast<int64_t*>(p[2] + l * step[2]) : nullptr;
    const int64_t xs = stride[0] / kItem, ys = stride[1] / kItem, as = stride[2] / 8;
    A top = A(x[0]);
    int64_t where = 0;
    for (int64_t i = 0; i < n; ++i) {
      const A v = A(x[i * xs]);
      if (v != v || (top == top && (Largest ? v >= top : v <= top))) top = v, where = i;
      y[i * ys] = T(top);
      if (at) at[i * as] = where;
    }
  }
}

template <class T>
void recurrence(char* const* p, const int64_t* step, int64_t lines, const int64_t* stride, int64_t n) {
  constexpr int64_t kItem = sizeof(T);
  for (int64_t l = 0; l < lines; ++l) {
    const T* x = reinterpret_cast<const T*>(p[0] + l * step[0]);
    const T* f = reinterpret_cast<const T*>(p[1] + l * step[1]);
    T* y = reinterpret_cast<T*>(p[2] + l * step[2]);
    const int64_t xs = stride[0] / kItem, fs = stride[1] / kItem, ys = stride[2] / kItem;
    Running<T> total = 0;
    for (int64_t i = 0; i < n; ++i) {
      total = Running<T>(x[i * xs]) + (i ? Running<T>(f[i * fs]) * total : Running<T>(0));
      y[i * ys] = T(total);
    }
  }
}

inline ScanLines recurrence_lines(DType t) {
  ScanLines f = nullptr;
  dispatch<Join<Floats, Halves, Complexes>>("_linear_recurrence", t, [&]<class T>(Tag<T>) { f = &recurrence<T>; });
  return f;
}

inline ScanLines scan_lines(const char* op, ScanOp which, DType t) {
  ScanLines f = nullptr;
  switch (which) {
    case ScanOp::Sum: dispatch<Join<Ints, Floats, Halves, Complexes>>(op, t, [&]<class T>(Tag<T>) { f = &scan<SumStep, T>; }); break;
    case ScanOp::Prod: dispatch<Join<Ints, Floats, Halves, Complexes>>(op, t, [&]<class T>(Tag<T>) { f = &scan<ProdStep, T>; }); break;
    case ScanOp::LogSumExp:
      dispatch<Join<Floats, Halves, Complexes>>(op, t, [&]<class T>(Tag<T>) { f = &scan<LogSumExpStep, T>; });
      break;
    case ScanOp::Max: dispatch<RealTypes>(op, t, [&]<class T>(Tag<T>) { f = &scan_extreme<true, T>; }); break;
    case ScanOp::Min: dispatch<RealTypes>(op, t, [&]<class T>(Tag<T>) { f = &scan_extreme<false, T>; }); break;
  }
  return f;
}
