// Map: the cascade | a contiguous row | columns | maxima
//
// Sums add in PyTorch's order, so float and double results are equal to the bit: rows of lanes go through a
// cascade of four levels, four rows interleaved.
#include "cpu/kernels/vec.inl"

// What a lane is: a vector or one element of A, read from T.
template <class T, class A> struct LoadVector {
  using Value = Vec<A>;
  [[gnu::always_inline]] static Value zero() { return Value{}; }
  [[gnu::always_inline]] static Value get(const T* p) {
    if constexpr (sizeof(T) == 2) {
      A buffer[kLanes<A>];
      widen(p, buffer, kLanes<A>);
      return load(buffer);
    } else {
      return load(p);
    }
  }
};
template <class T, class A> struct LoadElement {
  using Value = A;
  [[gnu::always_inline]] static Value zero() { return 0; }
  [[gnu::always_inline]] static Value get(const T* p) { return A(*p); }
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

template <class T>
inline Compute<T> sum_contiguous(const T* x, int64_t n) {
  using A = Compute<T>;
  constexpr int64_t W = kLanes<A>;
  if (n < W) return A(0) + rowsum<LoadElement<T, A>>(x, 1, n);
  const Vec<A> v = rowsum<LoadVector<T, A>>(x, W, n / W);
  A total = 0;
  for (int64_t i = n / W * W; i < n; ++i) total += A(x[i]);
  for (int64_t l = 0; l < W; ++l) total += v[l];
  return total;
}

template <class T>
Compute<T> sum_all(const T* x, int64_t n) {
  using A = Compute<T>;
  const int threads = num_threads();
  if (threads == 1 || n < 32768 || in_parallel_region()) return sum_contiguous(x, n);
  const int64_t pieces = std::min<int64_t>(threads, (n + 32767) / 32768), length = (n + pieces - 1) / pieces;
  std::vector<A> partial(size_t(threads), A(0));
  parallel_for(0, pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const int64_t first = p * length, last = std::min(n, first + length);
      if (first < last) partial[size_t(p)] = sum_contiguous(x + first, last - first);
    }
  });
  return sum_contiguous(partial.data(), threads);
}

template <class T>
void sum_rows(const T* x, int64_t rows, int64_t n, T* y) {
  parallel_for(0, rows, row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) y[r] = T(sum_contiguous(x + r * n, n));
  });
}

// multirow for many columns at once, with the levels in the first-level cache: reads whole stretches of rows.
inline constexpr int64_t kWide = 512;
template <class T>
void cascade_columns(const T* x, int64_t stride, int64_t rows, int64_t m, T* y) {
  using A = Compute<T>;
  A level[4][kWide] = {};
  const int log2 = rows <= 2 ? 1 : 64 - __builtin_clzll(uint64_t(rows - 1));
  const int power = std::max(4, log2 / 4);
  const int64_t step = int64_t(1) << power, mask = step - 1;
  int64_t r = 0;
  for (; r + step <= rows; r += step) {
    for (int64_t j = r; j < r + step; j += 4) {
      const T *p0 = x + j * stride, *p1 = p0 + stride, *p2 = p1 + stride, *p3 = p2 + stride;
#pragma GCC ivdep
      for (int64_t c = 0; c < m; ++c) level[0][c] = (((level[0][c] + A(p0[c])) + A(p1[c])) + A(p2[c])) + A(p3[c]);
    }
    for (int j = 1; j < 4; ++j) {
      for (int64_t c = 0; c < m; ++c) level[j][c] += level[j - 1][c], level[j - 1][c] = 0;
      if ((r + step) & (mask << (j * power))) break;
    }
  }
  for (; r < rows; ++r)
    for (int64_t c = 0; c < m; ++c) level[0][c] += A(x[r * stride + c]);
  for (int64_t c = 0; c < m; ++c) y[c] = T(A(0) + (((level[0][c] + level[1][c]) + level[2][c]) + level[3][c]));
}

template <class T>
void sum_columns(const T* x, int64_t rows, int64_t columns, T* y) {
  using A = Compute<T>;
  constexpr int64_t W = kLanes<A>;
  if (columns == 1) return sum_rows(x, 1, rows, y);  // contiguous after all
  const int64_t whole = columns / (4 * W) * (4 * W);
  const int64_t blocks = (whole + kWide - 1) / kWide;
  parallel_for(0, blocks, std::max<int64_t>(1, row_grain(rows * kWide)), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b)
      cascade_columns(x + b * kWide, columns, rows, std::min(kWide, whole - b * kWide), y + b * kWide);
  });
  int64_t c = whole;
  for (; c + W <= columns; c += W) {
    const Vec<A> v = rowsum<LoadVector<T, A>>(x + c, columns, rows);
    for (int64_t l = 0; l < W; ++l) y[c + l] = T(A(0) + v[l]);
  }
  if (c < columns && columns < W) {
    for (; c + 4 <= columns; c += 4) {
      A s[4];
      multirow<LoadElement<T, A>, 4>(x + c, columns, 1, rows, s);
      for (int k = 0; k < 4; ++k) y[c + k] = T(A(0) + s[k]);
    }
  }
  for (; c < columns; ++c) y[c] = T(A(0) + rowsum<LoadElement<T, A>>(x + c, columns, rows));
}

// ---- maxima ----------------------------------------------------------------------------------------------

// What is compared: the value, negated in order for minima; NaN above all.
template <class A> [[gnu::always_inline]] inline bool beats(A a, A b, bool smallest) {
  if constexpr (std::is_floating_point_v<A>) {
    if (b != b) return false;
    if (a != a) return true;
  }
  return smallest ? a < b : a > b;
}

template <class T, class A>
inline int64_t first_best(const T* x, int64_t n, bool smallest) {
  int64_t best = 0;
  A top = A(x[0]);
  constexpr int64_t kBlock = 64;
  int64_t i = 1;
  for (; i + kBlock <= n; i += kBlock) {
    int any = 0;  // does the block hold anything better? rarely, so look closely only then
    for (int64_t j = 0; j < kBlock; ++j) {
      const A v = A(x[i + j]);
      any |= smallest ? !(v >= top) : !(v <= top);
    }
    if (!any) continue;
    for (int64_t j = i; j < i + kBlock; ++j)
      if (beats(A(x[j]), top, smallest)) top = A(x[j]), best = j;
    if constexpr (std::is_floating_point_v<A>)
      if (top != top) return best;
  }
  for (; i < n; ++i)
    if (beats(A(x[i]), top, smallest)) top = A(x[i]), best = i;
  return best;
}

template <class T>
void max_rows(const T* x, int64_t rows, int64_t n, bool smallest, T* values, int64_t* indices) {
  parallel_for(0, rows, row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t best = first_best<T, Compute<T>>(x + r * n, n, smallest);
      if (values) values[r] = x[r * n + best];
      if (indices) indices[r] = best;
    }
  });
}

template <class T>
void max_columns(const T* x, int64_t rows, int64_t columns, bool smallest, T* values, int64_t* indices) {
  using A = Compute<T>;
  constexpr int64_t kBlock = 256;
  using Index = std::conditional_t<sizeof(A) == 8, int64_t, int32_t>;  // as wide as A, so that lanes match
  parallel_for(0, columns, std::max<int64_t>(kBlock, row_grain(rows)), [&](int64_t begin, int64_t end) {
    A top[kBlock];
    Index where[kBlock];
    for (int64_t c = begin; c < end; c += kBlock) {
      const int64_t m = std::min(kBlock, end - c);
      for (int64_t j = 0; j < m; ++j) top[j] = A(x[c + j]), where[j] = 0;
      for (int64_t r = 1; r < rows; ++r) {
        const T* row = x + r * columns + c;
        const Index at = Index(r);
        for (int64_t j = 0; j < m; ++j) {
          const A v = A(row[j]), t = top[j];
          const bool better = (smallest ? v < t : v > t) | ((v != v) & (t == t));
          top[j] = better ? v : t;
          where[j] = better ? at : where[j];
        }
      }
      for (int64_t j = 0; j < m; ++j) {
        if (values) values[c + j] = T(top[j]);
        if (indices) indices[c + j] = int64_t(where[j]);
      }
    }
  });
}

// ---- running sums: chains of eight rows at a time hide the additions' latency -------------------------------

template <class T>
using Running = std::conditional_t<std::is_integral_v<T>, T, std::conditional_t<sizeof(T) == 2, float, double>>;

template <class T, int K>
[[gnu::always_inline]] inline void cumsum_some(const T* x, int64_t n, T* y) {
  Running<T> total[K] = {};
  for (int64_t i = 0; i < n; ++i)
    for (int k = 0; k < K; ++k) {
      total[k] += Running<T>(x[k * n + i]);
      y[k * n + i] = T(total[k]);
    }
}

template <class T>
void cumsum_rows(const T* x, int64_t rows, int64_t n, T* y) {
  parallel_for(0, rows, std::max<int64_t>(row_grain(n), 4), [&](int64_t begin, int64_t end) {
    int64_t r = begin;
    for (; r + 4 <= end; r += 4) cumsum_some<T, 4>(x + r * n, n, y + r * n);
    for (; r < end; ++r) cumsum_some<T, 1>(x + r * n, n, y + r * n);
  });
}
