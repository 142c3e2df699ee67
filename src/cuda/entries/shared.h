// What the entries of the CUDA table share: type names in texts, launch shapes, layouts as kernels read them.
#pragma once
#include "core/kernels.h"
#include "cuda/module.h"

namespace bolide::cuda {

/// "float", "Half", "complex64": the name of a dtype in kernel texts.
const char* type_name(DType t);
/// What it is computed in there: halves in float.
inline DType wide_type(DType t) { return is_half(t) ? DType::Float32 : t; }
/// "SCALAR=Half;WIDE=float"
std::string scalar_macros(DType t);

/// Enough blocks for `n` items, at most what fills the device several times: kernels loop over the rest.
Grid blocks(int64_t n, int threads);

/// Sizes and strides of a tensor with neighbouring dimensions merged, the fastest first; strides in elements. As `Layout` in
/// the prelude.
struct Layout {
  int32_t dims = 0;
  int64_t size[12], stride[12];
};
Layout layout_of(const Tensor& t);
Layout layout_of(IntList sizes, IntList strides);
/// All dimensions but `dim`, not merged: the rows along `dim` of tensors of one shape are counted alike.
Layout other_dims(const Tensor& t, int64_t dim);
/// Where row number `i` begins, in elements.
int64_t row_offset(const Layout& l, int64_t i);

}  // namespace bolide::cuda
