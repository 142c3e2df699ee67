// Python's indexing for C++. Numbers, slices and new dimensions make a view; tensors then pick from it.
#include "bolide/indexing.h"

#include <cstring>

#include "bolide/ops.h"

namespace bolide::indexing {

TensorIndex::TensorIndex(const char* dots) : kind_(Kind::Ellipsis) {
  BOLIDE_CHECK_AS(ValueError, std::strcmp(dots, "...") == 0, "Expected \"...\" to represent an ellipsis index, but got \"", dots, "\"");
}

namespace {

struct Indexed {
  Tensor view;
  std::vector<Tensor> tensors;  // of each dimension of the view; undefined ones mean the whole dimension
  bool any = false;
};

/// How many dimensions of self an index takes.
int64_t width(const TensorIndex& i) {
  switch (i.kind()) {
    case TensorIndex::Kind::Integer: case TensorIndex::Kind::Slice: return 1;
    case TensorIndex::Kind::Tensor: return i.tensor().dtype() == DType::Bool ? i.tensor().dim() : 1;
    default: return 0;
  }
}

void add_tensor(Indexed& r, const Tensor& t, int64_t& d) {
  const auto put = [&](Tensor one) {
    r.tensors.resize(static_cast<size_t>(d) + 1);
    r.tensors[static_cast<size_t>(d)] = std::move(one);
    ++d;
  };
  r.any = true;
  put(t);
  if (t.dtype() == DType::Bool) d += t.dim() - 1;  // a mask of several dimensions stands for as many
}

Indexed resolve(const Tensor& self, std::span<const TensorIndex> indices) {
  int64_t used = 0;
  bool ellipsis = false;
  for (const TensorIndex& i : indices) {
    used += width(i);
    BOLIDE_CHECK_AS(IndexError, !(ellipsis && i.kind() == TensorIndex::Kind::Ellipsis), "an index can only have a single ellipsis ('...')");
    ellipsis = ellipsis || i.kind() == TensorIndex::Kind::Ellipsis;
  }
  BOLIDE_CHECK_AS(IndexError, used <= self.dim(), "too many indices for tensor of dimension ", self.dim());
  Indexed r{self, {}, false};
  int64_t d = 0;
  for (const TensorIndex& i : indices) {
    switch (i.kind()) {
      case TensorIndex::Kind::None: r.view = r.view.unsqueeze(d++); break;
      case TensorIndex::Kind::Ellipsis: d += self.dim() - used; break;
      case TensorIndex::Kind::Integer: r.view = r.view.select(d, i.integer()); break;
      case TensorIndex::Kind::Slice: {
        BOLIDE_CHECK_AS(ValueError, i.slice().step() > 0, "step must be greater than zero");
        r.view = r.view.slice(d, i.slice().start(), i.slice().stop(), i.slice().step());
        ++d;
        break;
      }
      case TensorIndex::Kind::Boolean: {
        r.view = r.view.unsqueeze(d);
        add_tensor(r, full({1}, i.integer() != 0, DType::Bool, self.device()), d);
        break;
      }
      case TensorIndex::Kind::Tensor: {
        const Tensor& t = i.tensor();
        if (t.dim() == 0 && t.dtype() != DType::Bool && is_integral(t.dtype())) r.view = r.view.select(d, t.item<int64_t>());
        else add_tensor(r, t, d);
        break;
      }
    }
  }
  return r;
}

}  // namespace

Tensor get(const Tensor& self, std::span<const TensorIndex> indices) {
  const Indexed r = resolve(self, indices);
  return r.any ? index(r.view, r.tensors) : r.view;
}

void set(const Tensor& self, std::span<const TensorIndex> indices, const Operand& value) {
  const Indexed r = resolve(self, indices);
  const Tensor v = value.is_tensor() ? *value.tensor : scalar_tensor(value.number, self.dtype(), self.device());
  if (r.any) index_put_(r.view, r.tensors, v);
  else copy_(r.view, v);
}

}  // namespace bolide::indexing
