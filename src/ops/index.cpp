// Reading and writing by index: advanced indexing, gather, scatter, nonzero, embedding.
#include <algorithm>

#include "autograd/call.h"
#include "bolide/ops.h"
#include "cpu/pool.h"
#include "iter/plan.h"

namespace bolide {

namespace {

/// Advanced indices made uniform: masks became positions, all integer ones broadcast to one shape.
struct Gather {
  Tensor self;                   // dimensions with an index first brought together
  std::vector<Tensor> index;     // contiguous int64, of shape `shape`
  Dims shape, before, after, strides;
  int64_t rows = 1, outer = 1, inner = 1;
  std::vector<int64_t> sizes, index_strides;
  Dims result;
  int64_t first = 0;
};

Gather prepare(const Tensor& self, TensorList given) {
  Gather g;
  std::vector<Tensor> index;
  for (const Tensor& t : given) {
    if (!t.defined()) { index.emplace_back(); continue; }
    BOLIDE_CHECK_AS(IndexError, is_integral(t.dtype()) || t.dtype() == DType::Bool, "tensors used as indices must be long, int, byte or bool tensors");
    if (t.dtype() != DType::Bool && t.dtype() != DType::UInt8) { index.push_back(cast(t, DType::Int64)); continue; }
    for (int64_t d = 0; d < t.dim(); ++d) {
      const int64_t at = static_cast<int64_t>(index.size()) + d;
      BOLIDE_CHECK_AS(IndexError, at < self.dim() && t.size(d) == self.size(at), "The shape of the mask ", t.sizes(), " at index ", d,
                      " does not match the shape of the indexed tensor ", self.sizes(), " at index ", at);
    }
    const Tensor where = nonzero(t);
    for (int64_t d = 0; d < t.dim(); ++d) index.push_back(select(where, 1, d));
  }
  BOLIDE_CHECK_AS(IndexError, static_cast<int64_t>(index.size()) <= self.dim(), "too many indices for tensor of dimension ", self.dim(), " (got ",
                  index.size(), ")");
  index.resize(static_cast<size_t>(self.dim()));
  bool some = false;
  for (const Tensor& t : index) {
    if (!t.defined()) continue;
    try {
      g.shape = some ? iter::broadcast(g.shape, t.sizes()) : t.sizes();
    } catch (const Error&) {
      fail<IndexError>("shape mismatch: indexing tensors could not be broadcast together with shapes ", g.shape, ", ", t.sizes());
    }
    some = true;
  }
  // the indexed dimensions stay in place when they are neighbours, else they come first
  int64_t first = -1, last = -1, count = 0;
  for (int64_t d = 0; d < self.dim(); ++d)
    if (index[static_cast<size_t>(d)].defined()) first = first < 0 ? d : first, last = d, ++count;
  const bool together = last - first + 1 == count;
  std::vector<int64_t> order;
  g.first = together ? first : 0;
  if (together) for (int64_t d = 0; d < first; ++d) order.push_back(d);
  for (int64_t d = 0; d < self.dim(); ++d) if (index[static_cast<size_t>(d)].defined()) order.push_back(d);
  for (int64_t d = 0; d < self.dim(); ++d)
    if (!index[static_cast<size_t>(d)].defined() && (!together || d > last)) order.push_back(d);
  for (int64_t d : order) {
    const auto u = static_cast<size_t>(d);
    if (index[u].defined()) {
      g.index.push_back(contiguous(expand(index[u], g.shape)));
      g.sizes.push_back(self.sizes()[u]);
      g.index_strides.push_back(self.strides()[u]);
    } else if (g.index.empty()) {
      g.before.push_back(self.sizes()[u]);
    } else {
      g.after.push_back(self.sizes()[u]);
    }
  }
  g.self = permute(self, order);
  for (int64_t s : g.before) g.result.push_back(s), g.outer *= s;
  for (int64_t s : g.shape) g.result.push_back(s), g.rows *= s;
  for (int64_t s : g.after) g.result.push_back(s), g.inner *= s;
  for (size_t k = 0; k < g.index.size(); ++k) {
    const int64_t* p = g.index[k].data<int64_t>();
    for (int64_t i = 0; i < g.rows; ++i)
      BOLIDE_CHECK_AS(IndexError, p[i] >= -g.sizes[k] && p[i] < g.sizes[k], "index ", p[i], " is out of bounds for dimension ",
                      order[g.before.size() + k], " with size ", g.sizes[k]);
  }
  return g;
}

int64_t row_offset(const Gather& g, int64_t i) {
  int64_t at = 0;
  for (size_t k = 0; k < g.index.size(); ++k) {
    int64_t v = g.index[k].data<int64_t>()[i];
    at += (v < 0 ? v + g.sizes[k] : v) * g.index_strides[k];
  }
  return at;
}
int64_t plain_offset(const Dims& sizes, const int64_t* strides, int64_t i) {
  int64_t at = 0;
  for (size_t d = sizes.size(); d-- > 0;) at += (i % sizes[d]) * strides[d], i /= sizes[d];
  return at;
}

/// Calls f(place in self, place in the dense result) for every element.
template <class F>
void each_element(const Gather& g, F&& f) {
  const size_t nb = g.before.size(), ni = g.index.size();
  const int64_t* strides = g.self.strides().data();
  std::vector<int64_t> rows(static_cast<size_t>(g.rows)), tail(static_cast<size_t>(g.inner));
  for (int64_t i = 0; i < g.rows; ++i) rows[static_cast<size_t>(i)] = row_offset(g, i);
  for (int64_t i = 0; i < g.inner; ++i) tail[static_cast<size_t>(i)] = plain_offset(g.after, strides + nb + ni, i);
  for (int64_t o = 0; o < g.outer; ++o) {
    const int64_t base = plain_offset(g.before, strides, o);
    for (int64_t r = 0; r < g.rows; ++r)
      for (int64_t i = 0; i < g.inner; ++i)
        f(base + rows[static_cast<size_t>(r)] + tail[static_cast<size_t>(i)], (o * g.rows + r) * g.inner + i);
  }
}

template <class T> struct Bytes { char b[sizeof(T)]; };
template <class F>
void by_size(int64_t item, F&& f) {
  switch (item) {
    case 1: return f(Tag<uint8_t>{});
    case 2: return f(Tag<uint16_t>{});
    case 4: return f(Tag<uint32_t>{});
    case 8: return f(Tag<uint64_t>{});
    default: return f(Tag<complex128>{});
  }
}

}  // namespace

struct Index {
  static constexpr auto schema = "index(Tensor self, Tensor?[] indices) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(Out out, const Tensor& self, TensorList indices) {
    const Gather g = prepare(self, indices);
    Tensor r = out.tensor ? *out.tensor : Tensor::make(g.result, self.dtype(), self.device());
    if (out.tensor) resize_(r, g.result);
    if (!r.numel() || self.device().is_meta()) return r;
    by_size(self.itemsize(), [&]<class T>(Tag<T>) {
      const T* src = self.data<T>();
      T* dst = r.data<T>();
      if (g.outer == 1 && g.inner > 1 && g.self.strides().back() == 1 && g.after.size() == 1) {  // whole rows
        parallel_for(0, g.rows, std::max<int64_t>(1, 16384 / g.inner), [&](int64_t b, int64_t e) {
          for (int64_t i = b; i < e; ++i) std::memcpy(dst + i * g.inner, src + row_offset(g, i), static_cast<size_t>(g.inner) * sizeof(T));
        });
        return;
      }
      each_element(g, [&](int64_t from, int64_t to) { dst[to] = src[from]; });
    });
    return r;
  }
  static Grads backward(const Call& c, const Tensor& g) {
    std::vector<Tensor> idx;
    for (int i = 0; i < c.list_size(1); ++i) idx.push_back(c.element(1, i));
    return index_put_(zeros(c.sizes(), g.dtype(), g.device()), idx, g, true);
  }
  static constexpr auto saved = saves(in_list<1>);
};
Tensor index(const Tensor& self, TensorList indices) { return call<Index>(self, indices); }
const Register<Index> index_op;

struct IndexPut_ {
  static constexpr auto schema = "index_put_(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor";
  static Tensor forward(const Tensor& self, TensorList indices, const Tensor& values, bool accumulate) {
    BOLIDE_CHECK(self.dtype() == values.dtype(), "Index put requires the source and destination dtypes match, got ", legacy_name(self.dtype()),
                 " for the destination and ", legacy_name(values.dtype()), " for the source.");
    const Gather g = prepare(self, indices);
    Tensor v;
    try {
      v = contiguous(expand(values, g.result));
    } catch (const Error&) {
      fail("shape mismatch: value tensor of shape ", values.sizes(), " cannot be broadcast to indexing result of shape ", g.result);
    }
    if (self.device().is_meta()) return self;
    AllTypes::visit(self.dtype(), [&]<class T>(Tag<T>) {
      T* dst = self.data<T>();
      const T* src = v.data<T>();
      if (accumulate) each_element(g, [&](int64_t to, int64_t from) {
        if constexpr (std::is_same_v<T, bool>) dst[to] = dst[to] || src[from];
        else dst[to] = static_cast<T>(dst[to] + src[from]);
      });
      else each_element(g, [&](int64_t to, int64_t from) { dst[to] = src[from]; });
    });
    return self;
  }
  static constexpr auto saved = saves(in_list<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    std::vector<Tensor> idx;
    for (int i = 0; i < c.list_size(1); ++i) idx.push_back(c.element(1, i));
    Grads r;
    r.of[2] = c.needs(2) ? index(g, idx) : Tensor();
    r.of[0] = c.flag(3) ? g : index_put_(clone(g), idx, zeros({}, g.dtype()), false);
    return r;
  }
};
const Tensor& index_put_(const Tensor& self, TensorList indices, const Tensor& values, bool accumulate) {
  call<IndexPut_>(self, indices, values, accumulate);
  return self;
}
const Register<IndexPut_> index_put__op;

// Positions of the elements that are not zero, one row each.
struct Nonzero {
  static constexpr auto schema = "_nonzero(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::DataDependent;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self) {
    const Tensor c = contiguous(self);
    std::vector<int64_t> hits;
    AllTypes::visit(c.dtype(), [&]<class T>(Tag<T>) {
      const T* p = c.data<T>();
      for (int64_t i = 0; i < c.numel(); ++i) if (p[i] != T(0)) hits.push_back(i);
    });
    const int64_t n = self.dim();
    Tensor r = empty({static_cast<int64_t>(hits.size()), n}, DType::Int64);
    int64_t* out = r.data<int64_t>();
    for (size_t i = 0; i < hits.size(); ++i) {
      int64_t rest = hits[i];
      for (int64_t d = n; d-- > 0;) out[static_cast<int64_t>(i) * n + d] = rest % self.size(d), rest /= self.size(d);
    }
    return r;
  }
};
Tensor nonzero(const Tensor& self) { return call<Nonzero>(self); }
const Register<Nonzero> nonzero_op;

namespace {
/// Calls f(place in a, place in index) for gather-like ops; checks every index.
template <class F>
void along(const char* op, const Tensor& a, int64_t dim, const Tensor& index, F&& f) {
  const Tensor idx = contiguous(index);
  const int64_t* p = idx.data<int64_t>();
  const int64_t n = a.dim() ? a.size(dim) : 1, step = a.dim() ? a.stride(dim) : 1;
  Dims strides = a.strides();
  if (a.dim()) strides[static_cast<size_t>(dim)] = 0;
  for (int64_t i = 0; i < idx.numel(); ++i) {
    BOLIDE_CHECK(p[i] >= 0 && p[i] < n, "index ", p[i], " is out of bounds for dimension ", dim, " with size ", n, " (in ", op, ")");
    f(plain_offset(idx.sizes(), strides.data(), i) + p[i] * step, i);
  }
}
void check_along(const char* op, const Tensor& self, int64_t dim, const Tensor& index, const Tensor* src) {
  BOLIDE_CHECK(index.dtype() == DType::Int64, op, "(): Expected dtype int64 for index");
  BOLIDE_CHECK(std::max<int64_t>(self.dim(), 1) == std::max<int64_t>(index.dim(), 1) || !index.numel(), src ? "Index tensor must have the same number of dimensions as self tensor"
               : "Index tensor must have the same number of dimensions as input tensor");
  for (int64_t d = 0; d < index.dim() && index.numel(); ++d) {
    BOLIDE_CHECK(d == dim || self.dim() == 0 || index.size(d) <= self.size(d), "Size does not match at dimension ", d, " expected index ", index.sizes(),
                 " to be no larger than self ", self.sizes(), " apart from dimension ", dim);
    if (src) BOLIDE_CHECK(src->dim() == 0 || index.size(d) <= src->size(d), "Expected index ", index.sizes(), " to be no larger than src ", src->sizes());
  }
}
}  // namespace

struct GatherOp {
  static constexpr auto schema = "gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static Tensor forward(Out out, const Tensor& self, int64_t dim, const Tensor& index, bool) {
    dim = wrap_dim(dim, self.dim());
    check_along("gather", self, dim, index, nullptr);
    Tensor r = out.tensor ? *out.tensor : Tensor::make(index.sizes(), self.dtype(), self.device());
    if (out.tensor) resize_(r, index.sizes());
    if (self.device().is_meta()) return r;
    by_size(self.itemsize(), [&]<class T>(Tag<T>) {
      along("gather", self, dim, index, [&](int64_t from, int64_t to) { r.data<T>()[to] = self.data<T>()[from]; });
    });
    return r;
  }
  static constexpr auto saved = saves(in<2>);
  static Grads backward(const Call& c, const Tensor& g) {
    return scatter_add(zeros(c.sizes(), g.dtype(), g.device()), c.integer(1), c.in(2), g);
  }
};
Tensor gather(const Tensor& self, int64_t dim, const Tensor& index) { return call<GatherOp>(self, dim, index, false); }
const Register<GatherOp> gather_op;

struct ScatterAdd {
  static constexpr auto schema = "scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
    dim = wrap_dim(dim, self.dim());
    check_along("scatter_add", self, dim, index, &src);
    BOLIDE_CHECK(self.dtype() == src.dtype(), "scatter(): Expected self.dtype to be equal to src.dtype");
    const Tensor r = contiguous(clone(self));
    if (self.device().is_meta()) return r;
    AllTypes::visit(self.dtype(), [&]<class T>(Tag<T>) {
      along("scatter_add", r, dim, index, [&](int64_t to, int64_t i) {
        const T v = src.data<T>()[plain_offset(index.sizes(), src.strides().data(), i)];
        if constexpr (std::is_same_v<T, bool>) r.data<T>()[to] |= v;
        else r.data<T>()[to] = static_cast<T>(r.data<T>()[to] + v);
      });
    });
    return r;
  }
  static constexpr auto saved = saves(in<2>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    r.of[0] = g;
    if (c.needs(3)) r.of[3] = gather(g, c.integer(1), c.in(2));
    return r;
  }
};
Tensor scatter_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) { return call<ScatterAdd>(self, dim, index, src); }
const Register<ScatterAdd> scatter_add_op;

struct IndexSelect {
  static constexpr auto schema = "index_select(Tensor self, int dim, Tensor index) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, int64_t dim, const Tensor& index_) {
    BOLIDE_CHECK_AS(IndexError, index_.dim() <= 1, "index_select(): Index is supposed to be a vector");
    BOLIDE_CHECK(index_.dtype() == DType::Int64 || index_.dtype() == DType::Int32, "index_select(): Expected dtype int32 or int64 for index");
    if (self.dim() == 0) return clone(self);
    dim = wrap_dim(dim, self.dim());
    std::vector<Tensor> all(static_cast<size_t>(dim));
    all.push_back(reshape(index_, {-1}));
    return index(self, all);
  }
};
Tensor index_select(const Tensor& self, int64_t dim, const Tensor& i) { return IndexSelect::forward(self, dim, i); }
const Register<IndexSelect> index_select_op;

struct MaskedSelect {
  static constexpr auto schema = "masked_select(Tensor self, Tensor mask) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, const Tensor& mask) {
    BOLIDE_CHECK(mask.dtype() == DType::Bool, "masked_select: expected BoolTensor for mask");
    const Dims shape = iter::broadcast(self.sizes(), mask.sizes());
    const std::vector<Tensor> one{expand(mask, shape)};
    if (shape.empty()) return index(unsqueeze(self, 0), std::vector<Tensor>{reshape(mask, {1})});
    return index(expand(self, shape), one);
  }
};
const Register<MaskedSelect> masked_select_op;

}  // namespace bolide
