// Map: tables | one product: skinny, direct, packed | operands of 16 bits | gemm and gemm_batched
//
// Ways to multiply, chosen by shape (measured on a 2-core Zen 3, f32, PyTorch 2.13 with MKL beside it):
//   skinny  at most 16 rows: B is read once where it lies, whatever its orientation
//   direct  B small enough for the caches: nothing is packed, the tile reads both operands in place
//   packed  blocks of A and B are copied into panels, B by all threads together, A by each for its own rows
#include "cpu/gemm.h"

#include <algorithm>
#include <atomic>
#include <type_traits>
#include <utility>

#include "cpu/dnnl_table.h"
#include "cpu/gemm_table.h"
#include "cpu/isa.h"
#include "cpu/pool.h"
#include "cpu/scratch.h"

namespace bolide {

namespace detail {

const GemmTable& gemm_table() {
  switch (isa()) {
    case Isa::Avx512:
      return gemm_avx512;
    case Isa::Avx2:
      return gemm_avx2;
    default:
      return gemm_baseline;
  }
}

}  // namespace detail

namespace {

using namespace detail;

template <class T>
const GemmKernels<T>& kernels_for(const GemmTable& table) {
  if constexpr (std::is_same_v<T, double>)
    return table.f64;
  else
    return table.f32;
}

template <class S>
const auto& readers_for(const GemmTable& table) {
  if constexpr (std::is_same_v<S, double>)
    return table.read_f64;
  else if constexpr (std::is_same_v<S, float>)
    return table.read_f32;
  else if constexpr (std::is_same_v<S, Half>)
    return table.read_f16;
  else
    return table.read_bf16;
}

// Elements of S in, elements of T out.
template <class T, class S>
struct Product {
  int64_t m, n, k;
  const S* a;
  int64_t a_row, a_col;
  const S* b;
  int64_t b_row, b_col;
  T* c;
  int64_t ldc;
  GemmEnd<T> end;
};

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

// Multiply-adds worth a thread of their own: about 5 us.
constexpr int64_t kShare = 256 * 1024;

// B up to this size is multiplied where it lies.
constexpr int64_t kDirectBytes = 128 * 1024;

// Up to so many rows a larger B is too.
constexpr int64_t kFewRows = 96, kFewRowsBytes = 2 << 20;

template <class T>
GemmEnd<T> shifted(GemmEnd<T> end, int64_t i, int64_t j) {
  if (end.bias) end.bias += j;
  if (end.row_bias) end.row_bias += i;
  return end;
}

// ---- skinny ------------------------------------------------------------------------------------

// The rows of A as T with contiguous elements, and their pitch.
template <class T, class S>
std::pair<const T*, int64_t> dense_rows(const Product<T, S>& p, const GemmReaders<T, S>& read) {
  if constexpr (std::is_same_v<T, S>) {
    if (p.a_col == 1) return {p.a, p.a_row};
  }
  T* rows = scratch<T>(Scratch::Operand, p.m * p.k);
  for (int64_t i = 0; i < p.m; ++i) {
    const S* from = p.a + i * p.a_row;
    if (p.a_col == 1) {
      read.widen(from, rows + i * p.k, p.k);
    } else {
      for (int64_t q = 0; q < p.k; ++q) rows[i * p.k + q] = T(from[q * p.a_col]);
    }
  }
  return {rows, p.k};
}

template <class T, class S>
void skinny(const Product<T, S>& p, const GemmReaders<T, S>& read) {
  const auto [a, lda] = dense_rows(p, read);
  const T* rows = a;
  const int64_t pitch = lda;  // bindings cannot be captured
  const bool by_rows = p.b_col == 1;
  constexpr int64_t kUnit = 16;  // columns: whole cache lines of C and of B's rows
  const int64_t grain = ceil_div(kShare, p.m * p.k * kUnit);
  parallel_for(0, ceil_div(p.n, kUnit), grain, [&](int64_t begin, int64_t end) {
    const int64_t j = begin * kUnit, columns = std::min(end * kUnit, p.n) - j;
    const auto run = by_rows ? read.rows : read.dots;
    run(p.m, columns, p.k, rows, pitch, p.b + j * p.b_col, by_rows ? p.b_row : p.b_col, p.c + j, p.ldc,
        shifted(p.end, 0, j));
  });
}

// ---- direct ------------------------------------------------------------------------------------

template <class T>
void direct(const Product<T, T>& p, const GemmKernels<T>& kernels) {
  const int64_t work = p.m * p.n * p.k;
  if (work < 2 * kShare) {
    return kernels.direct(p.m, p.n, p.k, p.a, p.a_row, p.a_col, p.b, p.b_row, p.c, p.ldc, p.end);
  }
  const bool by_rows = p.m >= 4 * kernels.mr;
  const int64_t unit = by_rows ? kernels.mr : kernels.nr;
  const int64_t units = ceil_div(by_rows ? p.m : p.n, unit);
  parallel_for(0, units, ceil_div(kShare * units, work), [&](int64_t begin, int64_t end) {
    const int64_t from = begin * unit, count = std::min(end * unit, by_rows ? p.m : p.n) - from;
    const int64_t i = by_rows ? from : 0, j = by_rows ? 0 : from;
    kernels.direct(by_rows ? count : p.m, by_rows ? p.n : count, p.k, p.a + i * p.a_row, p.a_row, p.a_col,
                   p.b + j, p.b_row, p.c + i * p.ldc + j, p.ldc, shifted(p.end, i, j));
  });
}

// ---- packed ------------------------------------------------------------------------------------

template <class T, class S>
class Packed {
 public:
  Packed(const Product<T, S>& p, const GemmKernels<T>& kernels, const GemmReaders<T, S>& read)
      : p_(p), kernels_(kernels), read_(read) {}

  void run() {
    const int64_t depth = std::min<int64_t>(round_up(ceil_div(p_.k, ceil_div(p_.k, kernels_.kc)), 4), p_.k);
    const int64_t width = std::min<int64_t>(kernels_.nc, round_up(p_.n, kernels_.nr));
    columns_ = scratch<T>(Scratch::PackedB, depth * width);
    for (j_ = 0; j_ < p_.n; j_ += width) {
      width_ = std::min(width, p_.n - j_);
      for (depth_begin_ = 0; depth_begin_ < p_.k; depth_begin_ += depth) {
        depth_ = std::min(depth, p_.k - depth_begin_);
        pack_columns();
        multiply();
      }
    }
  }

 private:
  void pack_columns() {
    const int64_t nr = kernels_.nr, panels = ceil_div(width_, nr);
    const S* from = p_.b + depth_begin_ * p_.b_row + j_ * p_.b_col;
    parallel_for(0, panels, ceil_div(32 * 1024, nr * depth_), [&](int64_t begin, int64_t end) {
      for (int64_t panel = begin; panel < end; ++panel) {
        const int64_t j = panel * nr;
        read_.pack(from + j * p_.b_col, p_.b_col, p_.b_row, std::min(nr, width_ - j), depth_,
                   columns_ + j * depth_, nr);
      }
    });
  }

  void pack_rows(int64_t begin, int64_t rows, T* to) const {
    const S* from = p_.a + begin * p_.a_row + depth_begin_ * p_.a_col;
    for (int64_t i = 0; i < rows;) {
      const int taken = panel_rows(rows - i, kernels_.mr);
      read_.pack(from + i * p_.a_row, p_.a_row, p_.a_col, taken, depth_, to + i * depth_, taken);
      i += taken;
    }
  }

  GemmEnd<T> end_here() const {
    GemmEnd<T> end = p_.end;
    if (depth_begin_ > 0) end.beta = 1;
    if (depth_begin_ + depth_ < p_.k) {
      end.bias = end.row_bias = nullptr;
      end.relu = false;
    }
    return end;
  }

  void multiply() {
    const int64_t work = p_.m * width_ * depth_;
    const int64_t threads = in_parallel_region() ? 1 : std::clamp<int64_t>(work / kShare, 1, num_threads());
    if (threads > 1 && p_.m < threads * 4 * kernels_.mr) return multiply_by_columns();
    // As many blocks as fit the cache, a multiple of the threads, all of the same height.
    const int64_t blocks = round_up(ceil_div(p_.m, kernels_.mc), threads);
    const int64_t height = round_up(ceil_div(p_.m, blocks), kernels_.mr);
    parallel_for(0, ceil_div(p_.m, height), ceil_div(ceil_div(p_.m, height), threads),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t block = begin; block < end; ++block)
                     multiply_rows(block * height, height, 0, width_);
                 });
  }

  // Few rows: every thread takes some of the columns, and packs the same rows for itself.
  void multiply_by_columns() {
    const int64_t nr = kernels_.nr, panels = ceil_div(width_, nr);
    parallel_for(0, panels, ceil_div(kShare, p_.m * nr * depth_), [&](int64_t begin, int64_t end) {
      const int64_t first = begin * nr, last = std::min(end * nr, width_);
      for (int64_t i = 0; i < p_.m; i += kernels_.mc) multiply_rows(i, kernels_.mc, first, last);
    });
  }

  void multiply_rows(int64_t begin, int64_t height, int64_t first, int64_t last) const {
    const int64_t rows = std::min(height, p_.m - begin), column = j_ + first;
    const GemmEnd<T> end = shifted(end_here(), begin, column);
    T* c = p_.c + begin * p_.ldc + column;
    const T* panels = columns_ + first * depth_;
    if constexpr (std::is_same_v<T, S>) {
      // Rows of A that meet few panels are not worth a copy.
      if (last - first <= kFewColumns) {
        const T* a = p_.a + begin * p_.a_row + depth_begin_ * p_.a_col;
        return kernels_.half_direct(rows, last - first, depth_, a, p_.a_row, p_.a_col, panels, c, p_.ldc,
                                    end);
      }
    }
    T* packed = scratch<T>(Scratch::PackedA, rows * depth_);
    pack_rows(begin, rows, packed);
    kernels_.block(rows, last - first, depth_, packed, panels, c, p_.ldc, end);
  }

  static constexpr int64_t kFewColumns = 64;

  const Product<T, S>& p_;
  const GemmKernels<T>& kernels_;
  const GemmReaders<T, S>& read_;
  T* columns_ = nullptr;
  int64_t j_ = 0, width_ = 0, depth_begin_ = 0, depth_ = 0;
};

// ---- choice ------------------------------------------------------------------------------------

template <class T, class S>
void multiply(const Product<T, S>& p);

// A matrix times a vector is the vector's row times the transposed matrix.
template <class T, class S>
void one_column(const Product<T, S>& p) {
  Product<T, S> turned{.m = 1,
                       .n = p.m,
                       .k = p.k,
                       .a = p.b,
                       .a_row = 1,
                       .a_col = p.b_row,
                       .b = p.a,
                       .b_row = p.a_col,
                       .b_col = p.a_row,
                       .c = p.c,
                       .ldc = p.m,
                       .end = p.end};
  std::swap(turned.end.bias, turned.end.row_bias);
  if (p.ldc == 1) return multiply(turned);
  turned.c = scratch<T>(Scratch::Accumulator, p.m);
  if (p.end.beta != 0) {
    for (int64_t i = 0; i < p.m; ++i) turned.c[i] = p.c[i * p.ldc];
  }
  multiply(turned);
  for (int64_t i = 0; i < p.m; ++i) p.c[i * p.ldc] = turned.c[i];
}

template <class T, class S>
void no_depth(const Product<T, S>& p) {
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      T value = p.end.beta != 0 ? p.end.beta * p.c[i * p.ldc + j] : T(0);
      if (p.end.row_bias) value += p.end.row_bias[i];
      if (p.end.bias) value += p.end.bias[j];
      p.c[i * p.ldc + j] = p.end.relu && value < 0 ? T(0) : value;
    }
  }
}

// Few rows times a matrix with contiguous columns (a linear layer's x * weight^T): packing the larger operand
// would cost as much as a tenth of the work, so the transposed product is computed, in which the larger one
// is read in place.
template <class T>
void turned_product(const Product<T, T>& p, const GemmKernels<T>& kernels, const GemmReaders<T, T>& read) {
  T* result = scratch<T>(Scratch::Accumulator, p.n * p.m);
  Product<T, T> turned{.m = p.n,
                       .n = p.m,
                       .k = p.k,
                       .a = p.b,
                       .a_row = p.b_col,
                       .a_col = p.b_row,
                       .b = p.a,
                       .b_row = p.a_col,
                       .b_col = p.a_row,
                       .c = result,
                       .ldc = p.m,
                       .end = p.end};
  std::swap(turned.end.bias, turned.end.row_bias);
  Packed<T, T>(turned, kernels, read).run();
  parallel_for(0, p.n, ceil_div(16 * 1024, p.m), [&](int64_t begin, int64_t end) {
    read.pack(result + begin * p.m, p.m, 1, end - begin, p.m, p.c + begin, p.ldc);
  });
}

// Where B is read in place (figures: us in place, packed; 64x784x512, 1.6 MB: 529, 606; 512x784x64: 625,
// 558). With few rows the packed copy would not be used often enough.
template <class T>
bool reads_in_place(const Product<T, T>& p) {
  const int64_t bytes = p.n * p.k * int64_t(sizeof(T));
  if (p.m <= kSkinnyRows) return bytes <= 64 * 1024;
  // Rows a page apart meet in the same sets of the cache: 32x1024x1024 takes 1477 in place, 943 packed.
  const bool pages = p.b_row * int64_t(sizeof(T)) % 4096 == 0;
  return bytes <= (p.m <= kFewRows && !pages ? kFewRowsBytes : kDirectBytes);
}

template <class T, class S>
void multiply(const Product<T, S>& p) {
  if (p.m <= 0 || p.n <= 0) return;
  const GemmTable& table = gemm_table();
  const auto& kernels = kernels_for<T>(table);
  const auto& read = readers_for<S>(table);
  if constexpr (std::is_same_v<T, S>) {
    if (p.b_col == 1 && p.k > 0 && p.n > 1 && reads_in_place(p)) return direct(p, kernels);
  }
  if (p.k <= 0) return no_depth(p);
  if (p.n == 1 && p.m > 1) return one_column(p);
  if (p.m <= kSkinnyRows && (p.b_col == 1 || p.b_row == 1)) return skinny(p, read);
  if constexpr (std::is_same_v<T, S>) {
    const bool turn = p.b_row == 1 && p.m <= kFewRows && p.n >= 2 * p.m && p.end.beta == 0 && p.k >= 64;
    if (turn) return turned_product(p, kernels, read);
  }
  Packed<T, S>(p, kernels, read).run();
}

// ---- the public functions ----------------------------------------------------------------------

template <class S, class T>
GemmEnd<T> end_of(const GemmArgs<S>& args) {
  GemmEnd<T> end{.alpha = args.alpha, .beta = args.beta, .relu = args.relu};
  if constexpr (std::is_same_v<S, T>) {
    end.bias = args.bias;
    end.row_bias = args.row_bias;
  }
  return end;
}

template <class T>
void full_width(const GemmArgs<T>& args) {
  multiply(Product<T, T>{args.m, args.n, args.k, args.a, args.a_row, args.a_col, args.b, args.b_row,
                         args.b_col, args.c, args.ldc, end_of<T, T>(args)});
}

// bf16 through oneDNN, which has the dot products and the tiles of AVX-512 and AMX (on one core 0.5 TFLOP/s
// and more, where floats reach 0.2). Each thread multiplies some of the columns. False when it has no such
// operation.
[[maybe_unused]] bool bf16_by_plugin(const GemmArgs<BFloat16>& g) {
  const bool plain = g.alpha == 1 && g.beta == 0 && !g.row_bias && !g.relu;
  const bool orders = (g.a_row == 1 || g.a_col == 1) && (g.b_row == 1 || g.b_col == 1);
  if (isa() != Isa::Avx512 || !plain || !orders || g.m * g.n * g.k < 2 * kShare) return false;
  const BolideDnnlTable* table = dnnl_table();
  if (table == nullptr) return false;
  constexpr int64_t kUnit = 64;
  std::atomic<bool> done{true};
  parallel_for(0, ceil_div(g.n, kUnit), ceil_div(kShare, g.m * g.k * kUnit), [&](int64_t begin, int64_t end) {
    const int64_t j = begin * kUnit;
    BolideDnnlMatmul d{.type = kBolideDnnlBf16,
                       .has_bias = g.bias != nullptr,
                       .m = g.m,
                       .n = std::min(end * kUnit, g.n) - j,
                       .k = g.k,
                       .a_row = g.a_row,
                       .a_col = g.a_col,
                       .b_row = g.b_row,
                       .b_col = g.b_col,
                       .ldc = g.ldc};
    const BFloat16* bias = g.bias ? g.bias + j : nullptr;
    if (table->matmul(&d, g.a, g.b + j * g.b_col, bias, g.c + j) != 0) done = false;
  });
  return done;
}

// 16-bit results are summed, biased and cut off in floats, and rounded once.
template <class S>
void half_width(const GemmArgs<S>& args) {
  if (args.m <= 0 || args.n <= 0) return;
  if constexpr (std::is_same_v<S, BFloat16>) {
    if (bf16_by_plugin(args)) return;
  }
  const auto& read = readers_for<S>(gemm_table());
  const int64_t m = args.m, n = args.n;
  float* sums = scratch<float>(Scratch::Product, m * n + n + m);
  GemmEnd<float> end = end_of<S, float>(args);
  if (args.bias) {
    float* bias = sums + m * n;
    read.widen(args.bias, bias, n);
    end.bias = bias;
  }
  if (args.row_bias) {
    float* bias = sums + m * n + n;
    read.widen(args.row_bias, bias, m);
    end.row_bias = bias;
  }
  if (end.beta != 0) {
    for (int64_t i = 0; i < m; ++i) read.widen(args.c + i * args.ldc, sums + i * n, n);
  }
  multiply(Product<float, S>{m, n, args.k, args.a, args.a_row, args.a_col, args.b, args.b_row, args.b_col,
                             sums, n, end});
  parallel_for(0, m, ceil_div(64 * 1024, n), [&](int64_t begin, int64_t stop) {
    for (int64_t i = begin; i < stop; ++i) read.narrow(sums + i * n, args.c + i * args.ldc, n);
  });
}

}  // namespace

namespace detail {

template <class T>
void gemm_plain(const GemmArgs<T>& args);  // integers and bool
template <class T>
void gemm_complex(const GemmArgs<T>& args);

}  // namespace detail

template <class T>
void gemm(const GemmArgs<T>& args) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>)
    full_width(args);
  else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>)
    half_width(args);
  else if constexpr (std::is_integral_v<T>)
    detail::gemm_plain(args);
  else
    detail::gemm_complex(args);
}

template <class T>
void gemm_batched(const GemmArgs<T>& args, int64_t batch, int64_t a_stride, int64_t b_stride,
                  int64_t c_stride) {
  const auto run = [&](int64_t begin, int64_t end) {
    GemmArgs<T> one = args;
    for (int64_t i = begin; i < end; ++i) {
      one.a = args.a + i * a_stride;
      one.b = args.b + i * b_stride;
      one.c = args.c + i * c_stride;
      gemm(one);
    }
  };
  // Fewer products than threads: each one uses all of them.
  if (batch < num_threads()) return run(0, batch);
  const int64_t work = std::max<int64_t>(args.m * args.n * args.k, 1);
  parallel_for(0, batch, ceil_div(kShare, work), run);
}

#define BOLIDE_GEMM(T)                    \
  template void gemm(const GemmArgs<T>&); \
  template void gemm_batched(const GemmArgs<T>&, int64_t, int64_t, int64_t, int64_t);
BOLIDE_GEMM(float)
BOLIDE_GEMM(double)
BOLIDE_GEMM(Half)
BOLIDE_GEMM(BFloat16)
BOLIDE_GEMM(bool)
BOLIDE_GEMM(uint8_t)
BOLIDE_GEMM(int8_t)
BOLIDE_GEMM(int16_t)
BOLIDE_GEMM(int32_t)
BOLIDE_GEMM(int64_t)
BOLIDE_GEMM(std::complex<float>)
BOLIDE_GEMM(std::complex<double>)
#undef BOLIDE_GEMM

}  // namespace bolide
