// Places and slabs of indexed tensors.
#include "cpu/kernels/places.h"

#include <atomic>

#include "cpu/pool.h"

namespace bolide::cpu {

namespace {

bool counts_from_end(Bounds b) { return b == Bounds::Advanced || b == Bounds::Fill || b == Bounds::Take; }

[[noreturn, gnu::cold]] void fail_bounds(Bounds bounds, int64_t value, int64_t position, int64_t dim, int64_t size, int64_t numel) {
  const std::string text = str("index ", value, " is out of bounds for dimension ", dim, " with size ", size);
  switch (bounds) {
    case Bounds::Select: fail<IndexError>("index out of range in self (", text, ")");
    case Bounds::Take: fail<IndexError>("out of range: tried to access index ", value, " on a tensor of ", numel, " elements.");
    case Bounds::Add: fail(text);
    case Bounds::Copy: fail<IndexError>("index_copy_(): ", text);
    case Bounds::Fill: fail<IndexError>(text);
    case Bounds::Advanced: break;
  }
  if (size == 0) fail<IndexError>("index is out of bounds for dimension with size 0");
  fail<IndexError>("index ", value, " is out of bounds for dimension ", position, " with size ", size);
}

}  // namespace

Places::Places(const Tensor& self, TensorList indices, int64_t first, Bounds bounds) : count_(indices[0].numel()) {
  if (count_ > kStack) heap_.reset(new int64_t[static_cast<size_t>(count_)]);
  int64_t* to = heap_ ? heap_.get() : stack_;
  const bool wrap = counts_from_end(bounds);
  std::atomic<bool> wrong{false};
  parallel_for(0, count_, 65536, [&](int64_t b, int64_t e) {
    bool bad = false;
    for (size_t k = 0; k < indices.size(); ++k) {
      const auto d = static_cast<size_t>(first) + k;
      const int64_t* index = indices[k].data<int64_t>();
      const int64_t size = self.sizes()[d], stride = self.strides()[d] * self.itemsize(), lowest = wrap ? -size : 0;
      auto place = [&](int64_t i) {
        const int64_t v = index[i];
        bad |= v < lowest || v >= size;
        return (v < 0 ? v + size : v) * stride;
      };
      if (k == 0) for (int64_t i = b; i < e; ++i) to[i] = place(i);
      else for (int64_t i = b; i < e; ++i) to[i] += place(i);
    }
    if (bad) wrong = true;
  });
  if (!wrong) return;
  for (size_t k = 0; k < indices.size(); ++k) {
    const int64_t dim = first + static_cast<int64_t>(k), size = self.sizes()[static_cast<size_t>(dim)];
    for (int64_t i = 0; i < count_; ++i) {
      const int64_t v = indices[k].data<int64_t>()[i];
      if (v < (wrap ? -size : 0) || v >= size) fail_bounds(bounds, v, static_cast<int64_t>(k), dim, size, self.numel());
    }
  }
}

Slab::Slab(const Tensor& self, int64_t first, int64_t indexed) : item(self.itemsize()) {
  auto add = [&](std::vector<Dim>& list, size_t d) {
    const int64_t size = self.sizes()[d], stride = self.strides()[d] * item;
    if (size == 1) return;
    if (!list.empty() && list.back().stride == stride * size) list.back() = {list.back().size * size, stride};
    else list.push_back({size, stride});
  };
  const auto begin = static_cast<size_t>(first), end = static_cast<size_t>(first + indexed);
  for (size_t d = 0; d < begin; ++d) add(before, d), outer *= self.sizes()[d];
  for (size_t d = end; d < self.sizes().size(); ++d) add(after, d), inner *= self.sizes()[d];
  dense = after.empty() || (after.size() == 1 && after[0].stride == item);
}

int64_t Slab::offset(int64_t o) const {
  int64_t at = 0;
  for (size_t d = before.size(); d-- > 0;) at += o % before[d].size * before[d].stride, o /= before[d].size;
  return at;
}

}  // namespace bolide::cpu
