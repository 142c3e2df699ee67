// What blocks of reductions share: results, and gradients brought back to the input's shape.
#pragma once
#include "autograd/call.h"
#include "bolide/ops.h"
#include "iter/reduce.h"

namespace bolide {

/// Puts back the dimensions that a reduction over `dims` (all where missing or empty) took, as ones.
Tensor keep_dims(const Tensor& reduced, const Dims& sizes, const std::optional<IntList>& dims, bool keepdim);
/// The same, expanded to `sizes`.
Tensor restore_dims(const Tensor& reduced, const Dims& sizes, const std::optional<IntList>& dims, bool keepdim);
/// Gradient of values picked along `dim` by `indices`.
Tensor picked_backward(const Call& c, const Tensor& g, const Tensor& indices, int64_t dim, bool keepdim);

}  // namespace bolide
