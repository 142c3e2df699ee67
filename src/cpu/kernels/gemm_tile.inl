// Map: the register tile | rows of tiles: direct, half_direct, block | packing | skinny products |
// conversions
//
// Included once for each instruction set, inside its namespace and its target pragma, after it has defined
//   Vec<float>, Vec<double>: V, kWidth, Mask; zero load store load_part store_part part set1 fma add max sum
//   load_wide(const Half*), load_wide(const BFloat16*): kWidth elements as floats
//   kRows (of a packed panel; a panel has two vectors of columns) and the blocking of each type.

// ---- the register tile -------------------------------------------------------------------------

template <class T, int R, int NV, bool Part>
[[gnu::always_inline]] inline void store_tile(typename Vec<T>::V (&acc)[R][NV], T* c, int64_t ldc,
                                              typename Vec<T>::Mask mask, const GemmEnd<T>& end) {
  using X = Vec<T>;
  const auto put = [&](T* at, int v, typename X::V value) __attribute__((always_inline)) {
    if (Part && v == NV - 1)
      X::store_part(at, value, mask);
    else
      X::store(at, value);
  };
  const auto get = [&](const T* at, int v) __attribute__((always_inline)) {
    return Part && v == NV - 1 ? X::load_part(at, mask) : X::load(at);
  };
  if (end.plain()) [[likely]] {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) put(c + i * ldc + v * X::kWidth, v, acc[i][v]);
    }
    return;
  }
  const auto alpha = X::set1(end.alpha), beta = X::set1(end.beta);
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) {
    const auto row_bias = end.row_bias ? X::set1(end.row_bias[i]) : X::zero();
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      T* at = c + i * ldc + v * X::kWidth;
      auto value = X::fma(acc[i][v], alpha, row_bias);
      if (end.beta != 0) value = X::fma(get(at, v), beta, value);
      if (end.bias) value = X::add(value, get(end.bias + v * X::kWidth, v));
      if (end.relu) value = X::relu(value);
      put(at, v, value);
    }
  }
}

// R rows times NV vectors of columns. Packed: row i of A stands at a[i], the next k at a[R].
template <class T, int R, int NV, bool Part, bool Packed>
void tile(int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t ldb, T* c, int64_t ldc,
          int64_t columns, const GemmEnd<T>& end) {
  using X = Vec<T>;
  const auto mask = X::part(Part ? int(columns) - (NV - 1) * X::kWidth : X::kWidth);
  typename X::V acc[R][NV];
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) acc[i][v] = X::zero();
  }
  const auto step = [&](const T* ap, const T* bp) __attribute__((always_inline)) {
    typename X::V row[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      row[v] = Part && v == NV - 1 ? X::load_part(bp + v * X::kWidth, mask) : X::load(bp + v * X::kWidth);
    }
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const auto factor = X::set1(Packed ? ap[i] : ap[i * a_row]);
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[i][v] = X::fma(factor, row[v], acc[i][v]);
    }
  };
  const int64_t next = Packed ? R : a_col;
#pragma GCC unroll kUnroll
  for (int64_t p = 0; p < k; ++p) {
    step(a, b);
    a += next;
    b += ldb;
  }
  store_tile<T, R, NV, Part>(acc, c, ldc, mask, end);
}

template <class T>
using Tile = void (*)(int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t ldb, T* c,
                      int64_t ldc, int64_t columns, const GemmEnd<T>& end);

template <class T, int R, bool Packed>
inline constexpr Tile<T> kTilesOf[4] = {tile<T, R, 1, false, Packed>, tile<T, R, 1, true, Packed>,
                                        tile<T, R, 2, false, Packed>, tile<T, R, 2, true, Packed>};

// Tiles for `rows` rows, in the order of shape_of().
template <class T, bool Packed>
[[gnu::always_inline]] inline const Tile<T>* tiles_of(int rows) {
  switch (rows) {
    case 1:
      return kTilesOf<T, 1, Packed>;
    case 2:
      return kTilesOf<T, 2, Packed>;
    case 3:
      return kTilesOf<T, 3, Packed>;
    case 4:
      return kTilesOf<T, 4, Packed>;
    case 5:
      if constexpr (kDirectRows >= 5)
        return kTilesOf<T, 5, Packed>;
      else
        return nullptr;
    case 6:
      if constexpr (kDirectRows >= 6)
        return kTilesOf<T, 6, Packed>;
      else
        return nullptr;
    case 8:
      if constexpr (Packed && kRows > 8)
        return kTilesOf<T, 8, true>;
      else
        return nullptr;
    default:
      if constexpr (Packed)
        return kTilesOf<T, kRows, true>;
      else
        return nullptr;
  }
}

template <class T>
int shape_of(int64_t columns) {
  constexpr int w = Vec<T>::kWidth;
  if (columns > w) return columns >= 2 * w ? 2 : 3;
  return columns == w ? 0 : 1;
}

template <class T>
GemmEnd<T> end_at(const GemmEnd<T>& end, int64_t i, int64_t j) {
  GemmEnd<T> here = end;
  if (here.bias) here.bias += j;
  if (here.row_bias) here.row_bias += i;
  return here;
}

// ---- rows of tiles -----------------------------------------------------------------------------

// A with any strides; B either with rows of pitch ldb, or (Panels) in packed panels.
template <class T, bool Panels>
void any_a(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t ldb,
           T* c, int64_t ldc, const GemmEnd<T>& end) {
  constexpr int nr = 2 * Vec<T>::kWidth;
  // Even shares: 8 rows are 4 + 4, not 6 + 2.
  const int64_t parts = (m + kDirectRows - 1) / kDirectRows;
  const bool biased = end.bias || end.row_bias;
  for (int64_t j = 0; j < n; j += nr) {
    const int64_t columns = n - j < nr ? n - j : nr;
    const int shape = shape_of<T>(columns);
    const T* panel = Panels ? b + j * k : b + j;
    for (int64_t part = 0, i = 0; part < parts; ++part) {
      const int rows = int(m / parts + (part < m % parts));
      const Tile<T> run = tiles_of<T, false>(rows)[shape];
      T* at = c + i * ldc + j;
      const T* ap = a + i * a_row;
      if (biased) {
        run(k, ap, a_row, a_col, panel, Panels ? nr : ldb, at, ldc, columns, end_at(end, i, j));
      } else {
        run(k, ap, a_row, a_col, panel, Panels ? nr : ldb, at, ldc, columns, end);
      }
      i += rows;
    }
  }
}

template <class T>
void direct(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b,
            int64_t ldb, T* c, int64_t ldc, const GemmEnd<T>& end) {
  any_a<T, false>(m, n, k, a, a_row, a_col, b, ldb, c, ldc, end);
}

template <class T>
void half_direct(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, T* c,
                 int64_t ldc, const GemmEnd<T>& end) {
  any_a<T, true>(m, n, k, a, a_row, a_col, b, 0, c, ldc, end);
}

template <class T>
void block(int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* c, int64_t ldc,
           const GemmEnd<T>& end) {
  constexpr int nr = 2 * Vec<T>::kWidth;
  for (int64_t j = 0; j < n; j += nr) {
    const int64_t columns = n - j < nr ? n - j : nr;
    const int shape = shape_of<T>(columns);
    for (int64_t i = 0; i < m;) {
      const int rows = panel_rows(m - i, kRows);
      const Tile<T> run = tiles_of<T, true>(rows)[shape];
      run(k, a + i * k, 0, 0, b + j * k, nr, c + i * ldc + j, ldc, columns, end_at(end, i, j));
      i += rows;
    }
  }
}

// ---- packing -----------------------------------------------------------------------------------

template <class T, class S>
[[gnu::always_inline]] inline void copy_row(const S* src, T* dst, int64_t n) {
  int64_t i = 0;
  for (; i + Vec<T>::kWidth <= n; i += Vec<T>::kWidth) Vec<T>::store(dst + i, Vec<T>::load_wide(src + i));
  for (; i < n; ++i) dst[i] = T(src[i]);
}

// The first `n` lanes.
[[gnu::always_inline]] inline void store_lanes(float* dst, __m128 x, int64_t n) {
  if (n >= 4) return _mm_storeu_ps(dst, x);
  if (n >= 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(dst), x);
    x = _mm_movehl_ps(x, x);
  }
  if (n & 1) _mm_store_ss(dst + (n & 2), x);
}

// Rows with contiguous depth: groups of four rows are transposed four deep; a short last group repeats its
// last row.
template <class S>
void pack_deep(const S* src, int64_t stride, int64_t width, int64_t depth, float* dst, int64_t pitch) {
  const int64_t deep = depth / 4 * 4;
  for (int64_t w = 0; w < width; w += 4) {
    const int64_t left = width - w;
    const S* rows[4];
    for (int64_t q = 0; q < 4; ++q) rows[q] = src + (w + (q < left ? q : left - 1)) * stride;
    float* out = dst + w;
    for (int64_t p = 0; p < deep; p += 4, out += 4 * pitch) {
      __m128 r0 = quad(rows[0] + p), r1 = quad(rows[1] + p), r2 = quad(rows[2] + p), r3 = quad(rows[3] + p);
      _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
      store_lanes(out, r0, left);
      store_lanes(out + pitch, r1, left);
      store_lanes(out + 2 * pitch, r2, left);
      store_lanes(out + 3 * pitch, r3, left);
    }
  }
  for (int64_t p = deep; p < depth; ++p) {
    for (int64_t w = 0; w < width; ++w) dst[p * pitch + w] = float(src[w * stride + p]);
  }
}

inline void pack_deep(const double* src, int64_t stride, int64_t width, int64_t depth, double* dst,
                      int64_t pitch) {
  int64_t p = 0;
  for (; p + 2 <= depth; p += 2) {
    int64_t w = 0;
    for (; w + 2 <= width; w += 2) {
      const __m128d r0 = _mm_loadu_pd(src + w * stride + p), r1 = _mm_loadu_pd(src + (w + 1) * stride + p);
      _mm_storeu_pd(dst + p * pitch + w, _mm_unpacklo_pd(r0, r1));
      _mm_storeu_pd(dst + (p + 1) * pitch + w, _mm_unpackhi_pd(r0, r1));
    }
    if (w < width) {
      dst[p * pitch + w] = src[w * stride + p];
      dst[(p + 1) * pitch + w] = src[w * stride + p + 1];
    }
  }
  for (; p < depth; ++p) {
    for (int64_t w = 0; w < width; ++w) dst[p * pitch + w] = src[w * stride + p];
  }
}

template <class T, class S>
void pack_panel(const S* src, int64_t width_stride, int64_t depth_stride, int64_t width, int64_t depth,
                T* dst, int64_t pitch) {
  if (width_stride == 1) {
    for (int64_t p = 0; p < depth; ++p) copy_row<T, S>(src + p * depth_stride, dst + p * pitch, width);
  } else if (depth_stride == 1) {
    if (width == 1 && pitch == 1) return copy_row<T, S>(src, dst, depth);
    pack_deep(src, width_stride, width, depth, dst, pitch);
  } else {
    for (int64_t p = 0; p < depth; ++p) {
      for (int64_t w = 0; w < width; ++w) dst[p * pitch + w] = T(src[w * width_stride + p * depth_stride]);
    }
  }
}

// ---- skinny products ---------------------------------------------------------------------------

template <class T>
void finish_rows(int64_t m, int64_t n, const T* acc, int64_t pitch, T* c, int64_t ldc,
                 const GemmEnd<T>& end) {
  for (int64_t i = 0; i < m; ++i) {
    const T row_bias = end.row_bias ? end.row_bias[i] : T(0);
    for (int64_t j = 0; j < n; ++j) {
      T value = end.alpha * acc[i * pitch + j] + row_bias;
      if (end.beta != 0) value += end.beta * c[i * ldc + j];
      if (end.bias) value += end.bias[j];
      c[i * ldc + j] = end.relu && value < 0 ? T(0) : value;
    }
  }
}

// Four rows of B at a time are added, times their factors, into sums that stay in the L1 cache.
template <class T, class S>
void rows_product(int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const S* b, int64_t ldb, T* c,
                  int64_t ldc, const GemmEnd<T>& end) {
  using X = Vec<T>;
  constexpr int kDeep = 4, w = X::kWidth;
  constexpr int64_t kChunk = 8192 / sizeof(T);
  alignas(64) T sums[kChunk + w];
  alignas(64) T factors[kSkinnyRows * kDeep];
  const int64_t most = kChunk / (m < 2 ? 1 : m) / (2 * w) * (2 * w);
  for (int64_t j0 = 0; j0 < n; j0 += most) {
    const int64_t columns = n - j0 < most ? n - j0 : most;
    const int64_t pitch = (columns + w - 1) / w * w;
    for (int64_t i = 0; i < m * pitch; ++i) sums[i] = 0;
    for (int64_t p = 0; p < k; p += kDeep) {
      const int64_t deep = k - p < kDeep ? k - p : kDeep;
      for (int64_t i = 0; i < m; ++i) {
        for (int q = 0; q < kDeep; ++q) factors[i * kDeep + q] = q < deep ? a[i * lda + p + q] : T(0);
      }
      const S* row[kDeep];
      for (int q = 0; q < kDeep; ++q) row[q] = b + (p + (q < deep ? q : 0)) * ldb + j0;
      if (deep < kDeep) {
        // No padding with zero factors here: rows that do not exist must not add 0 * NaN.
        for (int64_t q = 0; q < deep; ++q) {
          for (int64_t i = 0; i < m; ++i) {
            const T factor = factors[i * kDeep + q];
            for (int64_t j = 0; j < columns; ++j) sums[i * pitch + j] += factor * T(row[q][j]);
          }
        }
        continue;
      }
      int64_t j = 0;
      for (; j + 2 * w <= columns; j += 2 * w) {
        typename X::V x[kDeep][2];
#pragma GCC unroll 4
        for (int q = 0; q < kDeep; ++q) {
          x[q][0] = X::load_wide(row[q] + j);
          x[q][1] = X::load_wide(row[q] + j + w);
          __builtin_prefetch(row[q] + j + kDeep * ldb);
        }
        T* at = sums + j;
        const T* f = factors;
        for (int64_t i = 0; i < m; ++i, at += pitch, f += kDeep) {
          auto s0 = X::load(at), s1 = X::load(at + w);
#pragma GCC unroll 4
          for (int q = 0; q < kDeep; ++q) {
            const auto factor = X::set1(f[q]);
            s0 = X::fma(factor, x[q][0], s0);
            s1 = X::fma(factor, x[q][1], s1);
          }
          X::store(at, s0);
          X::store(at + w, s1);
        }
      }
      for (; j < columns; ++j) {
        for (int64_t i = 0; i < m; ++i) {
          T s = sums[i * pitch + j];
          for (int q = 0; q < kDeep; ++q) s += factors[i * kDeep + q] * T(row[q][j]);
          sums[i * pitch + j] = s;
        }
      }
    }
    GemmEnd<T> here = end_at(end, 0, j0);
    finish_rows(m, columns, sums, pitch, c + j0, ldc, here);
  }
}

// I rows of A against J columns of B, both contiguous along k; the sums stay vectors until the end.
template <class T, class S, int I, int J>
[[gnu::always_inline]] inline void dot_tile(int64_t k, const T* a, int64_t lda, const S* b, int64_t ldb,
                                            typename Vec<T>::V* sums) {
  using X = Vec<T>;
  typename X::V acc[I][J];
#pragma GCC unroll 4
  for (int i = 0; i < I; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) acc[i][j] = sums[i * J + j];
  }
  for (int64_t p = 0; p + X::kWidth <= k; p += X::kWidth) {
    typename X::V x[I];
#pragma GCC unroll 4
    for (int i = 0; i < I; ++i) x[i] = X::load(a + i * lda + p);
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) {
      const auto y = X::load_wide(b + j * ldb + p);
#pragma GCC unroll 4
      for (int i = 0; i < I; ++i) acc[i][j] = X::fma(x[i], y, acc[i][j]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < I; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) sums[i * J + j] = acc[i][j];
  }
}

template <class T, class S, int J>
void dot_columns(int64_t m, int64_t k, const T* a, int64_t lda, const S* b, int64_t ldb, T* out,
                 int64_t pitch) {
  using X = Vec<T>;
  constexpr int64_t kChunk = 512;
  typename X::V sums[kSkinnyRows * J];
  for (int64_t i = 0; i < m * J; ++i) sums[i] = X::zero();
  const int64_t whole = k / X::kWidth * X::kWidth;
  for (int64_t p = 0; p < whole; p += kChunk) {
    const int64_t deep = whole - p < kChunk ? whole - p : kChunk;
    int64_t i = 0;
    for (; i + 3 <= m; i += 3) dot_tile<T, S, 3, J>(deep, a + i * lda + p, lda, b + p, ldb, sums + i * J);
    if (m - i == 2) dot_tile<T, S, 2, J>(deep, a + i * lda + p, lda, b + p, ldb, sums + i * J);
    if (m - i == 1) dot_tile<T, S, 1, J>(deep, a + i * lda + p, lda, b + p, ldb, sums + i * J);
  }
  for (int64_t i = 0; i < m; ++i) {
    for (int j = 0; j < J; ++j) {
      T sum = X::sum(sums[i * J + j]);
      for (int64_t p = whole; p < k; ++p) sum += a[i * lda + p] * T(b[j * ldb + p]);
      out[i * pitch + j] = sum;
    }
  }
}

template <class T, class S>
void dots_product(int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const S* b, int64_t ldb, T* c,
                  int64_t ldc, const GemmEnd<T>& end) {
  T sums[kSkinnyRows * 4];
  for (int64_t j = 0; j < n; j += 4) {
    const int64_t columns = n - j < 4 ? n - j : 4;
    if (columns == 4) {
      dot_columns<T, S, 4>(m, k, a, lda, b + j * ldb, ldb, sums, 4);
    } else {
      for (int64_t q = 0; q < columns; ++q) {
        dot_columns<T, S, 1>(m, k, a, lda, b + (j + q) * ldb, ldb, sums + q, 4);
      }
    }
    finish_rows(m, columns, sums, 4, c + j, ldc, end_at(end, 0, j));
  }
}

// ---- conversions -------------------------------------------------------------------------------

template <class T, class S>
void widen(const S* src, T* dst, int64_t n) {
  copy_row<T, S>(src, dst, n);
}

template <class T, class S>
void narrow(const T* src, S* dst, int64_t n) {
  for (int64_t i = 0; i < n; ++i) dst[i] = S(src[i]);
}

template <class T, class S>
constexpr GemmReaders<T, S> readers() {
  return {pack_panel<T, S>, rows_product<T, S>, dots_product<T, S>, widen<T, S>, narrow<T, S>};
}

template <class T>
constexpr GemmKernels<T> kernels(int kc, int mc, int nc) {
  return {kRows, 2 * Vec<T>::kWidth, kc, mc, nc, block<T>, direct<T>, half_direct<T>};
}

inline constexpr GemmTable kTable = {
    .f32 = kernels<float>(kDepth, kBlockRows, kBlockColumns),
    .f64 = kernels<double>(kDepth, kBlockRows / 2 / kRows * kRows, kBlockColumns / 2),
    .read_f32 = readers<float, float>(),
    .read_f64 = readers<double, double>(),
    .read_f16 = readers<float, Half>(),
    .read_bf16 = readers<float, BFloat16>(),
};
