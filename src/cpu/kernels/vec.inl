// Map: 32-byte vectors | sums and maxima over a row | rows of halves as floats
//
// What the row kernels of one instruction set share; included inside its namespace.

template <class T> using Vec __attribute__((vector_size(32))) = T;
template <class T> inline constexpr int64_t kLanes = 32 / sizeof(T);
// Halves are computed in float.
template <class T> using Compute = std::conditional_t<sizeof(T) == 2, float, T>;

template <class T> [[gnu::always_inline]] inline Vec<T> load(const T* p) {
  Vec<T> v;
  __builtin_memcpy(&v, p, 32);
  return v;
}
template <class T> [[gnu::always_inline]] inline void store(T* p, Vec<T> v) { __builtin_memcpy(p, &v, 32); }

// What an expression over rows is applied to: at(p) is p's vector, or p's element.
template <class T> struct AtVector {
  int64_t i;
  [[gnu::always_inline]] Vec<T> operator()(const T* p) const { return load(p + i); }
};
template <class T> struct AtElement {
  int64_t i;
  [[gnu::always_inline]] T operator()(const T* p) const { return p[i]; }
};

template <class T> [[gnu::always_inline]] inline T across(Vec<T> v) {
  T total = 0;
  for (int64_t l = 0; l < kLanes<T>; ++l) total += v[l];
  return total;
}

// The sum of term(at) over 0..n-1, in four interleaved vectors.
template <class T, class Term>
[[gnu::always_inline]] inline T sum_of(int64_t n, Term term) {
  constexpr int64_t W = kLanes<T>;
  Vec<T> a{}, b{}, c{}, d{};
  int64_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W) {
    a += term(AtVector<T>{i});
    b += term(AtVector<T>{i + W});
    c += term(AtVector<T>{i + 2 * W});
    d += term(AtVector<T>{i + 3 * W});
  }
  for (; i + W <= n; i += W) a += term(AtVector<T>{i});
  T rest = 0;
  for (; i < n; ++i) rest += term(AtElement<T>{i});
  return across<T>((a + b) + (c + d)) + rest;
}

// The sums of a and of a * b in one pass.
template <class T> struct TwoSums { T first, second; };
template <class T, class A, class B>
[[gnu::always_inline]] inline TwoSums<T> two_sums_of(int64_t n, A a, B b) {
  constexpr int64_t W = kLanes<T>;
  Vec<T> s0{}, s1{}, t0{}, t1{};
  int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    const Vec<T> a0 = a(AtVector<T>{i}), a1 = a(AtVector<T>{i + W});
    s0 += a0;
    s1 += a1;
    t0 += a0 * b(AtVector<T>{i});
    t1 += a1 * b(AtVector<T>{i + W});
  }
  T s = 0, t = 0;
  for (; i < n; ++i) {
    const T v = a(AtElement<T>{i});
    s += v;
    t += v * b(AtElement<T>{i});
  }
  return {across<T>(s0 + s1) + s, across<T>(t0 + t1) + t};
}

// The largest element; NaN may or may not be seen.
template <class T>
inline T max_of(const T* x, int64_t n) {
  constexpr int64_t W = kLanes<T>;
  T top = x[0];
  int64_t i = 0;
  if (n >= 4 * W) {
    Vec<T> a = load(x), b = a, c = a, d = a;
    for (; i + 4 * W <= n; i += 4 * W) {
      const Vec<T> p = load(x + i), q = load(x + i + W), r = load(x + i + 2 * W), s = load(x + i + 3 * W);
      a = p > a ? p : a;
      b = q > b ? q : b;
      c = r > c ? r : c;
      d = s > d ? s : d;
    }
    a = b > a ? b : a;
    c = d > c ? d : c;
    a = c > a ? c : a;
    for (int64_t l = 0; l < W; ++l) top = a[l] > top ? a[l] : top;
  }
  for (; i < n; ++i) top = x[i] > top ? x[i] : top;
  return top;
}

// Halves <-> float, both through the hardware's conversion where it exists.
inline void widen(const Half* x, float* y, int64_t n) {
  int64_t i = 0;
#if BOLIDE_HAS_AVX2
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(x + i))));
#endif
  for (; i < n; ++i) y[i] = half_bits_to_float(x[i].bits);
}
inline void widen(const BFloat16* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = bfloat16_bits_to_float(x[i].bits);
}
inline void narrow(const float* x, Half* y, int64_t n) {
  int64_t i = 0;
#if BOLIDE_HAS_AVX2
  for (; i + 8 <= n; i += 8) _mm_storeu_si128((__m128i*)(y + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), 0));
#endif
  for (; i < n; ++i) y[i].bits = float_to_half_bits(x[i]);
}
inline void narrow(const float* x, BFloat16* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i].bits = float_to_bfloat16_bits(x[i]);
}

// A row to read as Compute<T>: itself, or a float copy of a row of halves.
template <class T>
struct ReadRow {
  explicit ReadRow(int64_t n) {
    if constexpr (sizeof(T) == 2) copy.resize(size_t(n));
  }
  const Compute<T>* operator()(const T* p, int64_t n) {
    if constexpr (sizeof(T) == 2) {
      widen(p, copy.data(), n);
      return copy.data();
    } else {
      return p;
    }
  }
  std::vector<Compute<T>> copy;
};

// A row to write: start(p) gives where to put Compute<T>, finish() rounds into p. Rows of a result of `all` elements that is
// too large for the caches go past them.
template <class T>
struct WriteRow {
  explicit WriteRow(int64_t n, int64_t all = 0)
      : past(sizeof(T) > 2 && all * int64_t(sizeof(T)) >= kStreamBytes && n * int64_t(sizeof(T)) <= 262144) {
    if (sizeof(T) == 2 || past) copy.resize(size_t(n));
  }
  WriteRow(const WriteRow&) = delete;
  ~WriteRow() {
    if (past) stream_end();
  }
  Compute<T>* start(T* p) {
    if constexpr (sizeof(T) == 2) return copy.data();
    else return past ? copy.data() : p;
  }
  void finish(T* p, int64_t n) {
    if constexpr (sizeof(T) == 2) narrow(copy.data(), p, n);
    else if (past) stream(p, copy.data(), n * int64_t(sizeof(T)));
  }
  const bool past;
  std::vector<Compute<T>> copy;
};

// Rows worth one thread's while.
inline int64_t row_grain(int64_t n) { return std::max<int64_t>(1, 16384 / std::max<int64_t>(n, 1)); }
