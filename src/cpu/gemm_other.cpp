// Map: integers and bool | complex numbers
#include <algorithm>
#include <type_traits>

#include "cpu/gemm.h"
#include "cpu/pool.h"
#include "cpu/scratch.h"

namespace bolide::detail {

// ---- integers and bool -------------------------------------------------------------------------

namespace {

// Sums wrap: they are kept in the unsigned type of at least 32 bits, whose low bits are those of the result.
template <class T>
using Wrapping = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <class T>
void integer_row(const GemmArgs<T>& g, int64_t i, Wrapping<T>* sums) {
  using U = Wrapping<T>;
  std::fill(sums, sums + g.n, U(0));
  const T* a = g.a + i * g.a_row;
  for (int64_t p = 0; p < g.k; ++p) {
    const U factor = U(a[p * g.a_col]);
    const T* b = g.b + p * g.b_row;
    if (g.b_col == 1) {
      for (int64_t j = 0; j < g.n; ++j) sums[j] += factor * U(b[j]);
    } else {
      for (int64_t j = 0; j < g.n; ++j) sums[j] += factor * U(b[j * g.b_col]);
    }
  }
  T* c = g.c + i * g.ldc;
  for (int64_t j = 0; j < g.n; ++j) {
    U value = U(g.alpha) * sums[j];
    if (g.beta != T(0)) value += U(g.beta) * U(c[j]);
    if (g.bias) value += U(g.bias[j]);
    if (g.row_bias) value += U(g.row_bias[i]);
    const T result = T(value);
    c[j] = g.relu && result < T(0) ? T(0) : result;
  }
}

void bool_row(const GemmArgs<bool>& g, int64_t i) {
  for (int64_t j = 0; j < g.n; ++j) {
    bool any = false;
    for (int64_t p = 0; p < g.k && !any; ++p)
      any = g.a[i * g.a_row + p * g.a_col] && g.b[p * g.b_row + j * g.b_col];
    any = any && g.alpha;
    if (g.beta) any = any || g.c[i * g.ldc + j];
    if (g.bias) any = any || g.bias[j];
    if (g.row_bias) any = any || g.row_bias[i];
    g.c[i * g.ldc + j] = any;
  }
}

}  // namespace

template <class T>
void gemm_plain(const GemmArgs<T>& args) {
  if (args.m <= 0 || args.n <= 0) return;
  const int64_t row = std::max<int64_t>(args.n * args.k, 1);
  parallel_for(0, args.m, (64 * 1024 + row - 1) / row, [&](int64_t begin, int64_t end) {
    if constexpr (std::is_same_v<T, bool>) {
      for (int64_t i = begin; i < end; ++i) bool_row(args, i);
    } else {
      auto* sums = scratch<Wrapping<T>>(Scratch::Accumulator, args.n);
      for (int64_t i = begin; i < end; ++i) integer_row(args, i, sums);
    }
  });
}

template void gemm_plain(const GemmArgs<bool>&);
template void gemm_plain(const GemmArgs<uint8_t>&);
template void gemm_plain(const GemmArgs<int8_t>&);
template void gemm_plain(const GemmArgs<int16_t>&);
template void gemm_plain(const GemmArgs<int32_t>&);
template void gemm_plain(const GemmArgs<int64_t>&);

// ---- complex numbers ---------------------------------------------------------------------------

namespace {

template <class C>
void finish_complex(const GemmArgs<C>& g, int64_t i, int64_t j, C sum) {
  C& c = g.c[i * g.ldc + j];
  C value = g.alpha == C(1) ? sum : g.alpha * sum;
  if (g.beta != C(0)) value += g.beta * c;
  if (g.bias) value += g.bias[j];
  if (g.row_bias) value += g.row_bias[i];
  c = value;
}

// Written out: std::complex's operator* recovers infinities in a slow way that products do not need.
template <class C>
void complex_small(const GemmArgs<C>& g) {
  for (int64_t i = 0; i < g.m; ++i) {
    for (int64_t j = 0; j < g.n; ++j) {
      typename C::value_type re = 0, im = 0;
      for (int64_t p = 0; p < g.k; ++p) {
        const C x = g.a[i * g.a_row + p * g.a_col], y = g.b[p * g.b_row + j * g.b_col];
        re += x.real() * y.real() - x.imag() * y.imag();
        im += x.real() * y.imag() + x.imag() * y.real();
      }
      finish_complex(g, i, j, C(re, im));
    }
  }
}

// Four real products over the real and imaginary parts, which are real matrices with doubled strides.
template <class C>
void complex_large(const GemmArgs<C>& g) {
  using R = typename C::value_type;
  R* re = scratch<R>(Scratch::Product, 2 * g.m * g.n);
  R* im = re + g.m * g.n;
  const R* a = reinterpret_cast<const R*>(g.a);
  const R* b = reinterpret_cast<const R*>(g.b);
  const auto part = [&](int a_part, int b_part, R* c, R alpha, R beta) {
    gemm(GemmArgs<R>{.m = g.m,
                     .n = g.n,
                     .k = g.k,
                     .a = a + a_part,
                     .a_row = 2 * g.a_row,
                     .a_col = 2 * g.a_col,
                     .b = b + b_part,
                     .b_row = 2 * g.b_row,
                     .b_col = 2 * g.b_col,
                     .c = c,
                     .ldc = g.n,
                     .alpha = alpha,
                     .beta = beta});
  };
  part(0, 0, re, 1, 0);
  part(1, 1, re, -1, 1);
  part(0, 1, im, 1, 0);
  part(1, 0, im, 1, 1);
  for (int64_t i = 0; i < g.m; ++i) {
    for (int64_t j = 0; j < g.n; ++j) finish_complex(g, i, j, C(re[i * g.n + j], im[i * g.n + j]));
  }
}

}  // namespace

template <class T>
void gemm_complex(const GemmArgs<T>& args) {
  if (args.m <= 0 || args.n <= 0) return;
  if (args.m * args.n * args.k <= 4096)
    complex_small(args);
  else
    complex_large(args);
}

template void gemm_complex(const GemmArgs<std::complex<float>>&);
template void gemm_complex(const GemmArgs<std::complex<double>>&);

}  // namespace bolide::detail
