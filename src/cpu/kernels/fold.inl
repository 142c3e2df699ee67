// Map: steps | folding a row, columns | the reducers of products, extremes, counts and norms | truth
//
// Folds whose order does not matter: many lanes at once.
#include "cpu/kernels/vec.inl"

template <class T> inline constexpr bool kComplex = std::is_same_v<T, complex64> || std::is_same_v<T, complex128>;
template <class T> struct RealPart { using type = T; };
template <class R> struct RealPart<std::complex<R>> { using type = R; };
template <class T> using RealOf = typename RealPart<T>::type;

// ---- steps: Acc is what builds up, load() what an input counts for, step() one addition, Result what is written

struct Keep {  // an input counts for itself
  template <class A, class T> [[gnu::always_inline]] static A load(T x, double) { return A(x); }
};
struct ProdStep : Keep {
  template <class T> using Acc = std::conditional_t<std::is_integral_v<T>, uint64_t, Compute<T>>;
  template <class T> using Result = std::conditional_t<std::is_integral_v<T>, int64_t, T>;
  template <class A> static A identity() { return A(1); }
  template <class A> [[gnu::always_inline]] static A step(A a, A x) { return a * x; }
};
struct MaxStep : Keep {
  template <class T> using Acc = Compute<T>;
  template <class T> using Result = T;
  template <class A> static A identity() {
    if constexpr (std::is_floating_point_v<A>) return -std::numeric_limits<A>::infinity();
    else return std::numeric_limits<A>::lowest();
  }
  template <class A> [[gnu::always_inline]] static A step(A a, A x) { return (x > a) | (x != x) ? x : a; }
};
struct MinStep : Keep {
  template <class T> using Acc = Compute<T>;
  template <class T> using Result = T;
  template <class A> static A identity() {
    if constexpr (std::is_floating_point_v<A>) return std::numeric_limits<A>::infinity();
    else return std::numeric_limits<A>::max();
  }
  template <class A> [[gnu::always_inline]] static A step(A a, A x) { return (x < a) | (x != x) ? x : a; }
};
struct CountStep {
  template <class T> using Acc = int64_t;
  template <class T> using Result = int64_t;
  template <class A> static A identity() { return 0; }
  template <class A, class T> [[gnu::always_inline]] static A load(T x, double) { return x != T(0); }
  template <class A> [[gnu::always_inline]] static A step(A a, A x) { return a + x; }
};

// Norms build up in double.
template <class T> [[gnu::always_inline]] inline double magnitude(T x) {
  if constexpr (kComplex<T>) return std::hypot(double(x.real()), double(x.imag()));
  else return std::fabs(double(x));
}
struct NormStep {
  template <class T> using Acc = double;
  template <class T> using Result = RealOf<T>;
  template <class A> static A identity() { return 0; }
  template <class A> [[gnu::always_inline]] static A step(A a, A x) { return a + x; }
  static double root(double a, double) { return a; }
};
struct NormZero : NormStep {
  template <class A, class T> [[gnu::always_inline]] static A load(T x, double) { return x != T(0) ? 1.0 : 0.0; }
};
struct NormOne : NormStep {
  template <class A, class T> [[gnu::always_inline]] static A load(T x, double) { return magnitude(x); }
};
struct NormTwo : NormStep {
  template <class A, class T> [[gnu::always_inline]] static A load(T x, double) {
    if constexpr (kComplex<T>) return double(x.real()) * double(x.real()) + double(x.imag()) * double(x.imag());
    else return double(x) * double(x);
  }
  static double root(double a, double) { return std::sqrt(a); }
};
struct NormAny : NormStep {
  template <class A, class T> static A load(T x, double p) { return std::pow(magnitude(x), p); }
  static double root(double a, double p) { return std::pow(a, 1 / p); }
};
struct NormMax : NormOne {
  template <class A> [[gnu::always_inline]] static A step(A a, A x) { return MaxStep::step(a, x); }
};
struct NormMin : NormOne {
  template <class A> static A identity() { return MinStep::identity<A>(); }
  template <class A> [[gnu::always_inline]] static A step(A a, A x) { return MinStep::step(a, x); }
};

// ---- folding ----------------------------------------------------------------------------------------------

template <class Op, class A, class T>
inline A fold_row(const T* p, int64_t n, A a, double param) {
  constexpr int L = 256 / sizeof(A);
  int64_t i = 0;
  if (n >= L) {
    A lane[L];
    for (int k = 0; k < L; ++k) lane[k] = Op::template load<A>(p[k], param);
    for (i = L; i + L <= n; i += L)
      for (int k = 0; k < L; ++k) lane[k] = Op::step(lane[k], Op::template load<A>(p[i + k], param));
    for (int k = 0; k < L; ++k) a = Op::step(a, lane[k]);
  }
  for (; i < n; ++i) a = Op::step(a, Op::template load<A>(p[i], param));
  return a;
}

template <class Op, class T>
struct Fold {
  using A = typename Op::template Acc<T>;
  using R = typename Op::template Result<T>;
  static constexpr bool kHalf = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
  static constexpr int64_t kBlock = 512;

  static void init(char* acc, int64_t n) { std::fill_n(reinterpret_cast<A*>(acc), n, Op::template identity<A>()); }

  static A row(const T* p, int64_t n, A a, double param) {
    if constexpr (kHalf) {
      float wide[kBlock];
      for (int64_t i = 0; i < n; i += kBlock) {
        const int64_t m = std::min(kBlock, n - i);
        widen(p + i, wide, m);
        a = fold_row<Op>(wide, m, a, param);
      }
      return a;
    } else {
      return fold_row<Op>(p, n, a, param);
    }
  }
  template <class V>
  [[gnu::always_inline]] static void across(A* acc, const V* p, int64_t n, double param) {
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) acc[j] = Op::step(acc[j], Op::template load<A>(p[j], param));
  }
  static void columns(A* acc, const T* x, int64_t n, int64_t rows, int64_t stride, double param) {
    for (int64_t r = 0; r < rows; ++r) {
      if constexpr (kHalf) {
        float wide[kBlock];
        for (int64_t j = 0; j < n; j += kBlock) {
          const int64_t m = std::min(kBlock, n - j);
          widen(x + r * stride + j, wide, m);
          across(acc + j, wide, m, param);
        }
      } else {
        across(acc, x + r * stride, n, param);
      }
    }
  }
  static void add(char* to, int64_t n, const char* in, int64_t rows, int64_t row_stride, int64_t column_stride, int64_t, const void* params) {
    A* acc = reinterpret_cast<A*>(to);
    const T* x = reinterpret_cast<const T*>(in);
    const double param = params ? *static_cast<const double*>(params) : 0;
    const int64_t rs = row_stride / int64_t(sizeof(T)), cs = column_stride / int64_t(sizeof(T));
    if (rs == 1) {
      for (int64_t j = 0; j < n; ++j) acc[j] = row(x + j * cs, rows, acc[j], param);
    } else if (cs == 1 && n >= 4) {
      columns(acc, x, n, rows, rs, param);
    } else {
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t j = 0; j < n; ++j) {
          using V = std::conditional_t<kHalf, float, T>;
          acc[j] = Op::step(acc[j], Op::template load<A>(V(x[r * rs + j * cs]), param));
        }
    }
  }
  static void merge(char* to, const char* parts, int64_t count) {
    A& acc = *reinterpret_cast<A*>(to);
    for (int64_t k = 0; k < count; ++k) acc = Op::step(acc, reinterpret_cast<const A*>(parts)[k]);
  }
  static void finish(const char* from, int64_t n, char* out, int64_t stride, char*, int64_t, const void* params) {
    const A* acc = reinterpret_cast<const A*>(from);
    for (int64_t i = 0; i < n; ++i) {
      R& r = *reinterpret_cast<R*>(out + i * stride);
      if constexpr (std::is_base_of_v<NormStep, Op>) {
        const double a = Op::root(acc[i], *static_cast<const double*>(params));
        if constexpr (kHalf) r = R(float(a));
        else r = R(a);
      } else {
        r = R(acc[i]);
      }
    }
  }
  static iter::Reducer reducer() { return {sizeof(A), init, add, merge, finish}; }
};

// ---- all, any: rows stop early ------------------------------------------------------------------------------

template <bool All, class T>
struct Truth {
  static bool truth(T x) {
    if constexpr (sizeof(T) == 2 && !std::is_integral_v<T>) return (x.bits & 0x7fff) != 0;
    else return x != T(0);
  }
  static void init(char* acc, int64_t n) { std::memset(acc, All, size_t(n)); }
  static bool row(const T* p, int64_t stride, int64_t n) {
    constexpr int64_t kBlock = 256;
    int64_t i = 0;
    if (stride == 1) {
      for (; i + kBlock <= n; i += kBlock) {
        int32_t hits = 0;
        for (int64_t k = 0; k < kBlock; ++k) hits += truth(p[i + k]);
        if (All ? hits < kBlock : hits > 0) return !All;
      }
    }
    for (; i < n; ++i)
      if (truth(p[i * stride]) != All) return !All;
    return All;
  }
  static void add(char* to, int64_t n, const char* in, int64_t rows, int64_t row_stride, int64_t column_stride, int64_t, const void*) {
    uint8_t* acc = reinterpret_cast<uint8_t*>(to);
    const T* x = reinterpret_cast<const T*>(in);
    const int64_t rs = row_stride / int64_t(sizeof(T)), cs = column_stride / int64_t(sizeof(T));
    if (cs == 1 && n >= 8) {
      for (int64_t r = 0; r < rows; ++r) {
        const T* p = x + r * rs;
#pragma GCC ivdep
        for (int64_t j = 0; j < n; ++j) acc[j] = All ? acc[j] & truth(p[j]) : acc[j] | truth(p[j]);
      }
      return;
    }
    for (int64_t j = 0; j < n; ++j)
      if (acc[j] == All) acc[j] = row(x + j * cs, rs, rows);
  }
  static void merge(char* to, const char* parts, int64_t count) {
    for (int64_t k = 0; k < count; ++k) *to = All ? *to & parts[k] : *to | parts[k];
  }
  static void finish(const char* from, int64_t n, char* out, int64_t stride, char*, int64_t, const void*) {
    for (int64_t i = 0; i < n; ++i) out[i * stride] = from[i];
  }
  static iter::Reducer reducer() { return {1, init, add, merge, finish}; }
};

// ---- choosing ----------------------------------------------------------------------------------------------

template <class T> using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

inline iter::Reducer fold_reducer(const char* op, ReduceOp which, DType t) {
  iter::Reducer r{};
  const auto of = [&]<class T>(Tag<T>) {
    using S = Stored<T>;
    switch (which) {
      case ReduceOp::Prod: r = Fold<ProdStep, S>::reducer(); break;
      case ReduceOp::All: r = Truth<true, S>::reducer(); break;
      case ReduceOp::Any: r = Truth<false, S>::reducer(); break;
      case ReduceOp::Count: r = Fold<CountStep, S>::reducer(); break;
      case ReduceOp::Max: if constexpr (!kComplex<S>) r = Fold<MaxStep, S>::reducer(); break;
      case ReduceOp::Min: if constexpr (!kComplex<S>) r = Fold<MinStep, S>::reducer(); break;
      default: break;
    }
  };
  if (which == ReduceOp::Max || which == ReduceOp::Min) dispatch<RealTypes>(op, t, of);
  else dispatch<AllTypes>(op, t, of);
  return r;
}

inline iter::Reducer norm_reducer(const char* op, double p, DType t) {
  iter::Reducer r{};
  dispatch<Join<Floats, Halves, Complexes>>(op, t, [&]<class T>(Tag<T>) {
    if (p == 0) r = Fold<NormZero, T>::reducer();
    else if (p == 1) r = Fold<NormOne, T>::reducer();
    else if (p == 2) r = Fold<NormTwo, T>::reducer();
    else if (std::isinf(p)) r = p > 0 ? Fold<NormMax, T>::reducer() : Fold<NormMin, T>::reducer();
    else r = Fold<NormAny, T>::reducer();
  });
  return r;
}
