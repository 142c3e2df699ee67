// Reductions: which dimensions go, where the result lives, and a walk that calls a 1-d kernel for each result.
#pragma once
#include "cpu/pool.h"
#include "iter/plan.h"

namespace bolide::iter {

/// How a tensor is cut by the dimensions that are reduced.
struct ReducePlan {
  Dims kept_sizes, kept_strides;        // of the input, in elements
  Dims reduced_sizes, reduced_strides;  // merged where they continue each other, fastest last
  Dims out_sizes;                       // with keepdim applied
  int64_t results = 1, count = 1;
  ReducePlan(const Tensor& self, std::optional<IntList> dims, bool keepdim);
  /// Offset in elements of the first input of result `i`.
  int64_t offset(int64_t i) const;
};

/// Calls row(pointer, n, stride) for every innermost run of result `i`'s inputs, in order.
template <class T, class F>
void for_runs(const ReducePlan& p, const T* base, F&& run) {
  const size_t n = p.reduced_sizes.size();
  if (n == 0) return run(base, int64_t{1}, int64_t{0});
  if (p.count == 0) return;
  if (n == 1) return run(base, p.reduced_sizes[0], p.reduced_strides[0]);
  Dims index(n, 0);
  while (true) {
    run(base, p.reduced_sizes[n - 1], p.reduced_strides[n - 1]);
    size_t d = n - 1;
    while (true) {
      if (d == 0) return;
      --d;
      base += p.reduced_strides[d];
      if (++index[d] < p.reduced_sizes[d]) break;
      base -= p.reduced_strides[d] * p.reduced_sizes[d];
      index[d] = 0;
    }
  }
}

/// The output of a reduction: allocated, or the caller's out= after the usual checks.
Tensor reduce_output(const char* op, Out out, const Dims& sizes, DType dtype, Device device);

}  // namespace bolide::iter
