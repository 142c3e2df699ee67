// What pooling ops share: reading kernel, stride, padding and dilation, checks in PyTorch's words, geometry.
#pragma once
#include "core/pool_shape.h"
#include "ops/nn.h"

namespace bolide {

/// The arguments of a pooling op over `n` dimensions.
struct PoolArgs {
  const char* name;  // "max_pool2d"
  int64_t n;
  Dims kernel, stride, padding, dilation;
  bool ceil_mode = false;
};

PoolArgs pool_args(const char* name, int64_t n, IntList kernel, std::optional<IntList> stride, IntList padding, IntList dilation,
                   bool ceil_mode);
/// The geometry of pooling `x`, all arguments checked.
PoolShape pool_shape(const PoolArgs& a, const Tensor& x);
/// The same from an input's sizes and a result's, for pooling by given places (adaptive, by indices).
PoolShape pool_shape(int64_t n, IntList in, IntList out);
/// Sizes of the result: those of `x` with the last n replaced.
Dims pooled_sizes(IntList x, const PoolShape& s, int64_t n);
/// Throws unless a dimension behind the batch is empty.
void check_not_empty(const char* name, const Tensor& x, int64_t first);

}  // namespace bolide
