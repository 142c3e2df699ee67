// What the entries of the kernel table share on the CPU: cutting a dense layout at a dimension, picking types.
#pragma once
#include "core/kernels.h"

namespace bolide {

/// A dense tensor as [outer, size, inner] around dimension `dim`.
struct Cut {
  int64_t outer = 1, size = 1, inner = 1;
};
inline Cut cut(const Dims& sizes, int64_t dim) {
  Cut c;
  for (int64_t d = 0; d < static_cast<int64_t>(sizes.size()); ++d) {
    const int64_t n = sizes[static_cast<size_t>(d)];
    if (d < dim) c.outer *= n;
    else if (d == dim) c.size = n;
    else c.inner *= n;
  }
  return c;
}

/// f(Tag<T>{}) for a floating type, halves included.
template <class F>
void each_float(const char* op, DType t, F&& f) {
  dispatch<Join<Floats, Halves>>(op, t, f);
}

/// The values of a tensor that may be missing.
template <class T>
T* data_or_null(const Tensor& t) {
  return t.defined() ? t.data<T>() : nullptr;
}

}  // namespace bolide
