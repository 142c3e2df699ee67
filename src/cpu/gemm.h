// Map: GemmArgs | gemm | gemm_batched
//
// C[m,n] = act(beta * C + alpha * A[m,k] * B[k,n] + bias). A and B have any strides (a transpose needs no
// copy, a stride of 0 broadcasts); the rows of C are contiguous. Where beta is 0, C is never read, so it may
// hold NaN.
#pragma once

#include <complex>
#include <cstdint>

#include "bolide/half.h"

namespace bolide {

// What products of T are accumulated in.
template <class T>
struct GemmCompute {
  using type = T;
};
template <>
struct GemmCompute<Half> {
  using type = float;
};
template <>
struct GemmCompute<BFloat16> {
  using type = float;
};

template <class T>
struct GemmArgs {
  using Compute = typename GemmCompute<T>::type;
  int64_t m = 0, n = 0, k = 0;
  const T* a = nullptr;
  int64_t a_row = 0, a_col = 1;  // strides in elements
  const T* b = nullptr;
  int64_t b_row = 0, b_col = 1;
  T* c = nullptr;
  int64_t ldc = 0;
  Compute alpha = Compute(1), beta = Compute(0);
  const T* bias = nullptr;      // [n], added to every row
  const T* row_bias = nullptr;  // [m], added to every column
  bool relu = false;
};

// Instantiated for float, double, Half, BFloat16, bool (or of ands), the integers (wrapping) and complex.
// `relu` and complex or bool do not go together.
template <class T>
void gemm(const GemmArgs<T>& args);

// `batch` products; the pointers of `args` advance by these strides (0: shared). Biases are shared.
template <class T>
void gemm_batched(const GemmArgs<T>& args, int64_t batch, int64_t a_stride, int64_t b_stride,
                  int64_t c_stride);

}  // namespace bolide
