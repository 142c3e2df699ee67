// Lines: the other dimensions in the order of the first tensor's strides, merged where they continue each other.
#include "iter/lines.h"

namespace bolide::iter {

Lines::Lines(std::initializer_list<Tensor> tensors, int64_t dim, IntList sizes) {
  tensors_ = static_cast<int>(tensors.size());
  const Tensor* t = tensors.begin();
  int64_t item[kMost];
  for (int k = 0; k < tensors_; ++k) {
    if (!t[k].defined()) continue;
    item[k] = t[k].itemsize();
    base_[k] = t[k].raw();
    stride_[k] = t[k].dim() ? t[k].strides()[static_cast<size_t>(dim)] * item[k] : item[k];
  }
  std::fill_n(outer_[0].step, kMost, 0);
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (static_cast<int64_t>(d) == dim) continue;
    count_ *= sizes[d];
    if (sizes[d] == 1) continue;
    Dim one{sizes[d], {}};
    for (int k = 0; k < tensors_; ++k) one.step[k] = t[k].defined() && t[k].dim() ? t[k].strides()[d] * item[k] : 0;
    int at = dims_++;
    for (; at > 0 && outer_[at - 1].step[0] >= one.step[0]; --at) outer_[at] = outer_[at - 1];
    outer_[at] = one;
  }
  int last = 0;
  for (int d = 1; d < dims_; ++d) {
    bool merge = true;
    for (int k = 0; k < tensors_; ++k) merge &= outer_[d].step[k] == outer_[last].step[k] * outer_[last].size;
    if (merge) outer_[last].size *= outer_[d].size;
    else outer_[++last] = outer_[d];
  }
  dims_ = dims_ ? last + 1 : 0;
}

void Lines::locate(int64_t outer, int64_t first, char** p) const {
  for (int k = 0; k < tensors_; ++k) p[k] = base_[k] + first * outer_[0].step[k];
  for (int d = 1; d < dims_; ++d) {
    const int64_t i = outer % outer_[d].size;
    outer /= outer_[d].size;
    for (int k = 0; k < tensors_; ++k) p[k] += i * outer_[d].step[k];
  }
}

}  // namespace bolide::iter
