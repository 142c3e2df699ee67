// Softmax and its gradient.
#include <algorithm>

#include "cuda/entries/shared.h"

namespace bolide::cuda {

BOLIDE_KERNEL_TEXT(softmax);

namespace {

/// A contiguous tensor as [outer, n, inner] around a dimension.
struct Cut {
  int64_t outer = 1, n = 1, inner = 1;
  Cut(const Tensor& t, int64_t dim) {
    for (int64_t d = 0; d < t.dim(); ++d) (d < dim ? outer : d == dim ? n : inner) *= t.size(d);
  }
  int64_t rows() const { return outer * inner; }
};
unsigned threads_for(int64_t n) { return n <= 64 ? 32 : n <= 512 ? 128 : n <= 4096 ? 256 : 512; }
Grid rows_grid(int64_t rows) { return {static_cast<unsigned>(std::clamp<int64_t>(rows, 1, 1 << 16))}; }

void softmax_entry(const Tensor& x, int64_t dim, bool log, const Tensor& y) {
  if (!x.numel()) return;
  DeviceGuard guard(x.device().index);
  const Cut c(x, dim);
  launch(get_function(softmax_text, "softmax_rows", scalar_macros(x.dtype())), "softmax", rows_grid(c.rows()), {threads_for(c.n)}, 0,
         static_cast<const char*>(x.raw()), y.raw(), c.rows(), c.n, c.inner, int32_t{log});
}
void backward_entry(const Tensor& dy, const Tensor& y, int64_t dim, bool log, const Tensor& dx) {
  if (!y.numel()) return;
  DeviceGuard guard(y.device().index);
  const Cut c(y, dim);
  launch(get_function(softmax_text, "softmax_backward_rows", scalar_macros(y.dtype())), "softmax_backward", rows_grid(c.rows()), {threads_for(c.n)}, 0,
         static_cast<const char*>(dy.raw()), static_cast<const char*>(y.raw()), dx.raw(), c.rows(), c.n, c.inner, int32_t{log});
}

const Provide provide_softmax(DeviceType::CUDA, &Kernels::softmax, &softmax_entry);
const Provide provide_backward(DeviceType::CUDA, &Kernels::softmax_backward, &backward_entry);

}  // namespace
}  // namespace bolide::cuda
