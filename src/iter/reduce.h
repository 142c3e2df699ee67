// Reductions: sets of dimensions and the shapes they leave | Reducer: what a reduction does to 2-d pieces, type-erased |
// reduce(): the walk that feeds it, threaded.
#pragma once
#include "core/kernels.h"
#include "iter/plan.h"

namespace bolide::iter {

/// The dimensions `dims` names, wrapped and unique; all of them where the list is missing or empty.
DimSet dim_set(const std::optional<IntList>& dims, int64_t ndim);
/// The dimensions of `self` after those of `set` became 1 (keepdim) or went.
Dims reduced_sizes(const Tensor& self, DimSet set, bool keepdim);
/// How many elements make one result.
int64_t reduced_count(const Tensor& self, DimSet set);
/// The output of a reduction: allocated, or the caller's out= after the usual checks.
Tensor reduce_output(const char* op, Out out, const Dims& sizes, DType dtype, Device device);

/// A reduction's arithmetic. Results build up in dense accumulators of `size` bytes; strides are in bytes.
struct Reducer {
  int64_t size;
  void (*init)(char* acc, int64_t n);
  // Takes `rows` inputs (`row_stride` apart) into each of n accumulators (their inputs `column_stride` apart).
  // `first` is the ordinal of the first row within the reduced dimension.
  void (*add)(char* acc, int64_t n, const char* in, int64_t rows, int64_t row_stride, int64_t column_stride, int64_t first,
              const void* params);
  // One accumulator of `count` that covered consecutive parts of the input.
  void (*merge)(char* acc, const char* parts, int64_t count);
  // Writes n results; an output that is not wanted is null.
  void (*finish)(const char* acc, int64_t n, char* out, int64_t out_stride, char* second, int64_t second_stride, const void* params);
};
inline constexpr int64_t kMaxAccumulator = 24;

/// Reduces `self` over `set`. Outputs have any strides, the reduced dimensions of size 1 or absent; either may be
/// undefined. `params` reaches add() and finish().
void reduce(const Reducer& r, const Tensor& self, DimSet set, const Tensor& out, const Tensor& second = {}, const void* params = nullptr);

}  // namespace bolide::iter
