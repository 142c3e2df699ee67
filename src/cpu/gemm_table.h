// Map: what a tile stores | the kernels that each instruction set provides
#pragma once

#include <cstdint>

#include "bolide/half.h"

namespace bolide::detail {

// The last step of a tile: C = act(beta * C + alpha * acc + bias). The biases point at the tile's first
// column and row.
template <class T>
struct GemmEnd {
  T alpha = 1, beta = 0;
  const T* bias = nullptr;
  const T* row_bias = nullptr;
  bool relu = false;

  bool plain() const { return alpha == 1 && beta == 0 && !bias && !row_bias && !relu; }
};

// dst[p * pitch + w] = src[w * width_stride + p * depth_stride] for w < width, p < depth. Other lanes of dst
// are left alone.
template <class T, class S>
using PackPanel = void (*)(const S* src, int64_t width_stride, int64_t depth_stride, int64_t width,
                           int64_t depth, T* dst, int64_t pitch);

// Products with few rows (at most kSkinnyRows): reads B once and packs nothing.
template <class T, class S>
using SkinnyProduct = void (*)(int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const S* b,
                               int64_t ldb, T* c, int64_t ldc, const GemmEnd<T>& end);
inline constexpr int kSkinnyRows = 16;

// Rows of the next packed panel when `left` rows remain: kernels exist for mr, 8 and up to 6 rows.
inline int panel_rows(int64_t left, int mr) {
  if (left >= mr) return mr;
  if (left >= 8) return 8;
  return left == 7 ? 4 : int(left);
}

// For one element type T of the packed operands.
template <class T>
struct GemmKernels {
  int mr, nr;      // rows of a packed panel of A, columns of one of B
  int kc, mc, nc;  // depth, rows and columns of a block
  // A block from packed panels: every panel of A against every panel of B (depth k).
  void (*block)(int64_t m, int64_t n, int64_t k, const T* a, const T* b, T* c, int64_t ldc,
                const GemmEnd<T>& end);
  // Nothing packed: A with any strides, B with contiguous rows.
  void (*direct)(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b,
                 int64_t ldb, T* c, int64_t ldc, const GemmEnd<T>& end);
  // As above, B in packed panels, A with any strides.
  void (*half_direct)(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b,
                      T* c, int64_t ldc, const GemmEnd<T>& end);
};

// Reading elements of type S into T.
template <class T, class S>
struct GemmReaders {
  PackPanel<T, S> pack;
  SkinnyProduct<T, S> rows;  // B [k, n] with contiguous rows
  SkinnyProduct<T, S> dots;  // B [k, n] with contiguous columns (ldb between columns)
  void (*widen)(const S* src, T* dst, int64_t n);
  void (*narrow)(const T* src, S* dst, int64_t n);
};

struct GemmTable {
  GemmKernels<float> f32;
  GemmKernels<double> f64;
  GemmReaders<float, float> read_f32;
  GemmReaders<double, double> read_f64;
  GemmReaders<float, Half> read_f16;
  GemmReaders<float, BFloat16> read_bf16;
};

extern const GemmTable gemm_baseline, gemm_avx2, gemm_avx512;
const GemmTable& gemm_table();  // the one for isa()

}  // namespace bolide::detail
