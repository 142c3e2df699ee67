// Helpers of the CUDA entries.
#include "cuda/entries/shared.h"

#include <algorithm>

namespace bolide::cuda {

const char* type_name(DType t) {
  switch (t) {
    case DType::UInt8: return "uint8_t";
    case DType::Int8: return "int8_t";
    case DType::Int16: return "int16_t";
    case DType::Int32: return "int32_t";
    case DType::Int64: return "int64_t";
    case DType::Float16: return "Half";
    case DType::Float32: return "float";
    case DType::Float64: return "double";
    case DType::Complex64: return "complex64";
    case DType::Complex128: return "complex128";
    case DType::Bool: return "bool";
    case DType::BFloat16: return "BFloat16";
    default: break;
  }
  fail<NotImplementedError>("CUDA kernels are not implemented for ", t);
}
std::string scalar_macros(DType t) { return str("SCALAR=", type_name(t), ";WIDE=", type_name(wide_type(t))); }

Grid blocks(int64_t n, int threads) {
  const int64_t most = static_cast<int64_t>(device_info(current_device()).multiprocessors) * 32;
  return {static_cast<unsigned>(std::clamp<int64_t>((n + threads - 1) / threads, 1, most))};
}

Layout layout_of(IntList sizes, IntList strides) {
  Layout l;
  for (size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] == 1) continue;
    if (l.dims && strides[i] == l.stride[l.dims - 1] * l.size[l.dims - 1]) {
      l.size[l.dims - 1] *= sizes[i];
      continue;
    }
    BOLIDE_CHECK(l.dims < 12, "CUDA tensors of more than 12 dimensions that cannot be merged are not supported");
    l.size[l.dims] = sizes[i], l.stride[l.dims] = strides[i];
    ++l.dims;
  }
  return l;
}
Layout layout_of(const Tensor& t) { return layout_of(t.sizes(), t.strides()); }

Layout other_dims(const Tensor& t, int64_t dim) {
  Layout l;
  for (int64_t d = t.dim(); d-- > 0;) {
    if (d == dim || t.size(d) == 1) continue;
    BOLIDE_CHECK(l.dims < 12, "CUDA tensors of more than 12 dimensions are not supported here");
    l.size[l.dims] = t.size(d), l.stride[l.dims] = t.stride(d);
    ++l.dims;
  }
  return l;
}
int64_t row_offset(const Layout& l, int64_t i) {
  int64_t at = 0;
  for (int d = 0; d < l.dims; ++d) at += i % l.size[d] * l.stride[d], i /= l.size[d];
  return at;
}

}  // namespace bolide::cuda
