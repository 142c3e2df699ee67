// Map: the cascade | a contiguous row | columns | the reducers of sums and means
//
// Sums add in PyTorch's order, so float and double results are equal to the bit: rows of lanes go through a
// cascade of four levels, four rows interleaved.
#include "cpu/kernels/vec.inl"

// What a lane is: a vector or one element of A, read from T; with Skip, NaN counts as zero.
template <class T, class A, bool Skip> struct LoadVector {
  using Value = Vec<A>;
  [[gnu::always_inline]] static Value zero() { return Value{}; }
  [[gnu::always_inline]] static Value get(const T* p) {
    Value v;
    if constexpr (sizeof(T) == 2) {
      A buffer[kLanes<A>];
      widen(p, buffer, kLanes<A>);
      v = load(buffer);
    } else {
      v = load(p);
    }
    if constexpr (Skip) return v == v ? v : Value{};
    else return v;
  }
};
template <class T, class A, bool Skip> struct LoadElement {
  using Value = A;
  [[gnu::always_inline]] static Value zero() { return A(0); }
  [[gnu::always_inline]] static Value get(const T* p) {
    const A v = A(*p);
    if constexpr (Skip) return v == v ? v : A(0);
    else return v;
  }
};

// Sums `rows` rows of K values each into out[K]; values are `apart` elements from each other, rows `stride`.
template <class L, int K, class T>
[[gnu::always_inline]] inline void multirow(const T* p, int64_t stride, int64_t apart, int64_t rows, typename L::Value* out) {
  using V = typename L::Value;
  const int log2 = rows <= 2 ? 1 : 64 - __builtin_clzll(uint64_t(rows - 1));
  const int power = std::max(4, log2 / 4);
  const int64_t step = int64_t(1) << power, mask = step - 1;
  V level[3][K];
  for (auto& l : level)
    for (int k = 0; k < K; ++k) l[k] = L::zero();
  V acc[K];
  for (int k = 0; k < K; ++k) acc[k] = L::zero();
  int64_t i = 0;
  while (i + step <= rows) {
    for (int64_t j = 0; j < step; ++j, p += stride)
      for (int k = 0; k < K; ++k) acc[k] += L::get(p + k * apart);
    i += step;
    for (int k = 0; k < K; ++k) level[0][k] += acc[k], acc[k] = L::zero();
    if (i & (mask << power)) continue;
    for (int k = 0; k < K; ++k) level[1][k] += level[0][k], level[0][k] = L::zero();
    if (i & (mask << (2 * power))) continue;
    for (int k = 0; k < K; ++k) level[2][k] += level[1][k], level[1][k] = L::zero();
  }
  for (; i < rows; ++i, p += stride)
    for (int k = 0; k < K; ++k) acc[k] += L::get(p + k * apart);
  for (int k = 0; k < K; ++k) out[k] = ((acc[k] + level[0][k]) + level[1][k]) + level[2][k];
}

// Sums m values `stride` elements apart, four interleaved.
template <class L, class T>
[[gnu::always_inline]] inline typename L::Value rowsum(const T* p, int64_t stride, int64_t m) {
  const int64_t quads = m / 4;
  typename L::Value s[4];
  multirow<L, 4>(p, 4 * stride, stride, quads, s);
  for (int64_t i = 4 * quads; i < m; ++i) s[0] += L::get(p + i * stride);
  return ((s[0] + s[1]) + s[2]) + s[3];
}

template <class T, bool Skip>
inline Compute<T> sum_contiguous(const T* x, int64_t n) {
  using A = Compute<T>;
  constexpr int64_t W = kLanes<A>;
  if (n < W) return A(0) + rowsum<LoadElement<T, A, Skip>>(x, 1, n);
  const Vec<A> v = rowsum<LoadVector<T, A, Skip>>(x, W, n / W);
  A total = 0;
  for (int64_t i = n / W * W; i < n; ++i) total += LoadElement<T, A, Skip>::get(x + i);
  for (int64_t l = 0; l < W; ++l) total += v[l];
  return total;
}

// multirow for m <= 512 columns at once, with the levels in the first-level cache: reads whole stretches of rows.
inline constexpr int64_t kWide = 512;
template <class T, bool Skip>
void cascade_columns(const T* x, int64_t stride, int64_t rows, int64_t m, Compute<T>* acc) {
  using A = Compute<T>;
  using L = LoadElement<T, A, Skip>;
  A level[4][kWide];
  for (auto& l : level) std::fill(l, l + m, A(0));
  const int log2 = rows <= 2 ? 1 : 64 - __builtin_clzll(uint64_t(rows - 1));
  const int power = std::max(4, log2 / 4);
  const int64_t step = int64_t(1) << power, mask = step - 1;
  int64_t r = 0;
  for (; r + step <= rows; r += step) {
    for (int64_t j = r; j < r + step; j += 4) {
      const T *p0 = x + j * stride, *p1 = p0 + stride, *p2 = p1 + stride, *p3 = p2 + stride;
#pragma GCC ivdep
      for (int64_t c = 0; c < m; ++c)
        level[0][c] = (((level[0][c] + L::get(p0 + c)) + L::get(p1 + c)) + L::get(p2 + c)) + L::get(p3 + c);
    }
    for (int j = 1; j < 4; ++j) {
      for (int64_t c = 0; c < m; ++c) level[j][c] += level[j - 1][c], level[j - 1][c] = 0;
      if ((r + step) & (mask << (j * power))) break;
    }
  }
  for (; r < rows; ++r)
    for (int64_t c = 0; c < m; ++c) level[0][c] += L::get(x + r * stride + c);
  for (int64_t c = 0; c < m; ++c) acc[c] += ((level[0][c] + level[1][c]) + level[2][c]) + level[3][c];
}

template <class T, bool Skip>
void sum_columns(const T* x, int64_t rows, int64_t stride, int64_t columns, Compute<T>* acc) {
  using A = Compute<T>;
  constexpr int64_t W = kLanes<A>;
  int64_t c = 0;
  for (const int64_t whole = columns / (4 * W) * (4 * W); c < whole; c += std::min(kWide, whole - c))
    cascade_columns<T, Skip>(x + c, stride, rows, std::min(kWide, whole - c), acc + c);
  for (; c + W <= columns; c += W) {
    const Vec<A> v = rowsum<LoadVector<T, A, Skip>>(x + c, stride, rows);
    for (int64_t l = 0; l < W; ++l) acc[c + l] += v[l];
  }
  for (; c < columns; ++c) acc[c] += rowsum<LoadElement<T, A, Skip>>(x + c, stride, rows);
}

// All of x[n]; depends on the thread count as PyTorch's full sums do.
template <class T>
T sum_all(const T* x, int64_t n) {
  const int threads = num_threads();
  if (threads == 1 || n < 32768 || in_parallel_region()) return sum_contiguous<T, false>(x, n);
  const int64_t pieces = std::min<int64_t>(threads, (n + 32767) / 32768), length = (n + pieces - 1) / pieces;
  std::vector<T> partial(size_t(threads), T(0));
  parallel_for(0, pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const int64_t first = p * length, last = std::min(n, first + length);
      if (first < last) partial[size_t(p)] = sum_contiguous<T, false>(x + first, last - first);
    }
  });
  return sum_contiguous<T, false>(partial.data(), threads);
}

// ---- reducers --------------------------------------------------------------------------------------------

// Float types and, one element at a time, complex ones.
template <class T, bool Skip>
struct Sum {
  static constexpr bool kReal = std::is_floating_point_v<Compute<T>>;
  using A = std::conditional_t<kReal, Compute<T>, T>;
  using L = LoadElement<T, A, Skip>;

  static void init(char* acc, int64_t n) { std::fill_n(reinterpret_cast<A*>(acc), n, A(0)); }
  static void add(char* to, int64_t n, const char* in, int64_t rows, int64_t row_stride, int64_t column_stride, int64_t, const void*) {
    A* acc = reinterpret_cast<A*>(to);
    const T* x = reinterpret_cast<const T*>(in);
    const int64_t rs = row_stride / int64_t(sizeof(T)), cs = column_stride / int64_t(sizeof(T));
    if constexpr (kReal) {
      if (rs == 1 && rows >= kLanes<A>) {
        for (int64_t j = 0; j < n; ++j) acc[j] += sum_contiguous<T, Skip>(x + j * cs, rows);
        return;
      }
      if (cs == 1 && n >= kLanes<A>) return sum_columns<T, Skip>(x, rows, rs, n, acc);
    }
    int64_t j = 0;
    if (rs >= cs) {
      for (A s[4]; j + 4 <= n; j += 4) {
        multirow<L, 4>(x + j * cs, rs, cs, rows, s);
        for (int k = 0; k < 4; ++k) acc[j + k] += s[k];
      }
    }
    for (; j < n; ++j) acc[j] += rowsum<L>(x + j * cs, rs, rows);
  }
  static void merge(char* to, const char* parts, int64_t count) {
    A& acc = *reinterpret_cast<A*>(to);
    const A* p = reinterpret_cast<const A*>(parts);
    if constexpr (kReal) acc += sum_contiguous<A, false>(p, count);
    else acc += rowsum<LoadElement<A, A, false>>(p, 1, count);
  }
  static void finish(const char* from, int64_t n, char* out, int64_t stride, char*, int64_t, const void*) {
    const A* acc = reinterpret_cast<const A*>(from);
    for (int64_t i = 0; i < n; ++i) *reinterpret_cast<T*>(out + i * stride) = T(acc[i]);
  }
  static void finish_mean(const char* from, int64_t n, char* out, int64_t stride, char*, int64_t, const void* params) {
    const A* acc = reinterpret_cast<const A*>(from);
    const A count = A(*static_cast<const double*>(params));
    for (int64_t i = 0; i < n; ++i) *reinterpret_cast<T*>(out + i * stride) = T(acc[i] / count);
  }
};

// Integers and bools (as bytes): the order of additions does not matter.
template <class T>
struct IntSum {
  using A = uint64_t;  // wraps
  static void init(char* acc, int64_t n) { std::fill_n(reinterpret_cast<A*>(acc), n, A(0)); }
  static A row(const T* p, int64_t stride, int64_t n) {
    A total = 0;
    if (stride == 1) {
      constexpr int64_t kShort = sizeof(T) == 1 ? 4096 : 1;  // bytes add up in 32 bits first
      if constexpr (kShort > 1) {
        for (; n >= kShort; n -= kShort, p += kShort) {
          int32_t part = 0;
          for (int64_t i = 0; i < kShort; ++i) part += p[i];
          total += A(int64_t(part));
        }
      }
      for (int64_t i = 0; i < n; ++i) total += A(int64_t(p[i]));
    } else {
      for (int64_t i = 0; i < n; ++i) total += A(int64_t(p[i * stride]));
    }
    return total;
  }
  static void add(char* to, int64_t n, const char* in, int64_t rows, int64_t row_stride, int64_t column_stride, int64_t, const void*) {
    A* acc = reinterpret_cast<A*>(to);
    const T* x = reinterpret_cast<const T*>(in);
    const int64_t rs = row_stride / int64_t(sizeof(T)), cs = column_stride / int64_t(sizeof(T));
    if (cs == 1 && n >= 8) {
      for (int64_t r = 0; r < rows; ++r) {
        const T* p = x + r * rs;
#pragma GCC ivdep
        for (int64_t j = 0; j < n; ++j) acc[j] += A(int64_t(p[j]));
      }
      return;
    }
    for (int64_t j = 0; j < n; ++j) acc[j] += row(x + j * cs, rs, rows);
  }
  static void merge(char* to, const char* parts, int64_t count) {
    for (int64_t k = 0; k < count; ++k) *reinterpret_cast<A*>(to) += reinterpret_cast<const A*>(parts)[k];
  }
  static void finish(const char* from, int64_t n, char* out, int64_t stride, char*, int64_t, const void*) {
    const A* acc = reinterpret_cast<const A*>(from);
    for (int64_t i = 0; i < n; ++i) *reinterpret_cast<A*>(out + i * stride) = acc[i];
  }
};

inline iter::Reducer sum_reducer(const char* op, DType t, bool skip_nan) {
  iter::Reducer r;
  dispatch<AllTypes>(op, t, [&]<class T>(Tag<T>) {
    if constexpr (std::is_integral_v<T>) {
      using S = IntSum<std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>>;
      r = {sizeof(typename S::A), S::init, S::add, S::merge, S::finish};
    } else if (skip_nan) {
      using S = Sum<T, true>;
      r = {sizeof(typename S::A), S::init, S::add, S::merge, S::finish};
    } else {
      using S = Sum<T, false>;
      r = {sizeof(typename S::A), S::init, S::add, S::merge, S::finish};
    }
  });
  return r;
}

inline iter::Reducer mean_reducer(const char* op, DType t) {
  iter::Reducer r;
  dispatch<Join<Floats, Halves, Complexes>>(op, t, [&]<class T>(Tag<T>) {
    using S = Sum<T, false>;
    r = {sizeof(typename S::A), S::init, S::add, S::merge, S::finish_mean};
  });
  return r;
}
