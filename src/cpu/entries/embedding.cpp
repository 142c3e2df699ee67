// The kernel table's embedding gradient on the CPU.
#include <algorithm>

#include "cpu/entries/shared.h"
#include "cpu/kernels/rows.h"

namespace bolide {
namespace {

void embedding_backward_entry(const Tensor& grad, const Tensor& indices, int64_t padding_idx, const Tensor& grad_weight) {
  const int64_t count = indices.numel(), vocabulary = grad_weight.size(0);
  const int64_t* at = indices.data<int64_t>();
  for (int64_t i = 0; i < count; ++i)
    if (at[i] < 0 || at[i] >= vocabulary) [[unlikely]] fail<IndexError>("index out of range in self");
  if (!grad_weight.numel()) return;
  each_float("embedding_backward", grad.dtype(), [&]<class T>(Tag<T>) {
    cpu::embedding_backward(grad.data<T>(), at, count, vocabulary, grad_weight.size(1), padding_idx, grad_weight.data<T>());
  });
}
const Provide provide_embedding_backward(DeviceType::CPU, &Kernels::embedding_backward, &embedding_backward_entry);

}  // namespace
}  // namespace bolide
