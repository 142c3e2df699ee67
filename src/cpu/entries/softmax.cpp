// The kernel table's softmax and cross entropy on the CPU.
#include "core/kernels.h"
#include "cpu/entries/shared.h"
#include "cpu/kernels/rows.h"

namespace bolide {
namespace {

void softmax_entry(const Tensor& x, int64_t dim, bool log, const Tensor& y) {
  const Cut c = cut(x.sizes(), dim);
  if (!x.numel()) return;
  each_float("softmax", x.dtype(), [&]<class T>(Tag<T>) {
    if (c.inner == 1) cpu::softmax_rows(x.data<T>(), y.data<T>(), c.outer, c.size, log);
    else cpu::softmax_inner(x.data<T>(), y.data<T>(), c.outer, c.size, c.inner, log);
  });
}
const Provide provide_softmax(DeviceType::CPU, &Kernels::softmax, &softmax_entry);

void softmax_backward_entry(const Tensor& dy, const Tensor& y, int64_t dim, bool log, const Tensor& dx) {
  const Cut c = cut(y.sizes(), dim);
  if (!y.numel()) return;
  each_float("softmax_backward", y.dtype(), [&]<class T>(Tag<T>) {
    const T *g = dy.data<T>(), *v = y.data<T>();
    if (c.inner == 1) cpu::softmax_backward_rows(g, v, dx.data<T>(), c.outer, c.size, log);
    else cpu::softmax_backward_inner(g, v, dx.data<T>(), c.outer, c.size, c.inner, log);
  });
}
const Provide provide_softmax_backward(DeviceType::CPU, &Kernels::softmax_backward, &softmax_backward_entry);

}  // namespace
}  // namespace bolide
