// ReducePlan: cutting a layout by dimensions.
#include "iter/reduce.h"

#include "bolide/ops.h"

namespace bolide::iter {

ReducePlan::ReducePlan(const Tensor& self, std::optional<IntList> dims, bool keepdim) {
  const size_t n = self.sizes().size();
  std::vector<bool> gone(std::max<size_t>(n, 1), !dims || dims->empty());
  if (dims)
    for (int64_t d : *dims) {
      const auto u = static_cast<size_t>(wrap_dim(d, self.dim()));
      BOLIDE_CHECK(!gone[u] || dims->empty(), "dim ", u, " appears multiple times in the list of dims");
      gone[u] = true;
    }
  for (size_t d = 0; d < n; ++d) {
    const int64_t size = self.sizes()[d], stride = self.strides()[d];
    if (gone[d]) {
      count *= size;
      if (keepdim) out_sizes.push_back(1);
      if (size == 1) continue;
      if (!reduced_sizes.empty() && reduced_strides.back() == stride * size) reduced_sizes.back() *= size, reduced_strides.back() = stride;
      else reduced_sizes.push_back(size), reduced_strides.push_back(stride);
    } else {
      results *= size;
      out_sizes.push_back(size);
      kept_sizes.push_back(size), kept_strides.push_back(stride);
    }
  }
}

int64_t ReducePlan::offset(int64_t i) const {
  int64_t at = 0;
  for (size_t d = kept_sizes.size(); d-- > 0;) {
    at += (i % kept_sizes[d]) * kept_strides[d];
    i /= kept_sizes[d];
  }
  return at;
}

Tensor reduce_output(const char* op, Out out, const Dims& sizes, DType dtype, Device device) {
  if (!out.tensor) return Tensor::make(sizes, dtype, device);
  const Tensor& t = *out.tensor;
  BOLIDE_CHECK(t.dtype() == dtype, "Expected out tensor to have dtype ", dtype, ", but got ", t.dtype(), " instead (in ", op, ")");
  if (!(t.sizes() == sizes)) resize_(t, sizes);
  return t;
}

}  // namespace bolide::iter
