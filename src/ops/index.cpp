// Advanced indexing: reading and writing the elements that masks and integer tensors name; positions of non-zeros.
#include "ops/index.h"

#include <algorithm>

namespace bolide {

Tensor writable(const char* op, Out out, const Tensor& self) {
  if (!out.tensor) return clone(self);
  const Tensor& t = *out.tensor;
  iter::check_no_internal_overlap(t);
  if (out.in_place) return t;
  BOLIDE_CHECK(t.dtype() == self.dtype(), op, "(): Expected self.dtype to be equal to out.dtype, but got ", legacy_name(self.dtype()), " and ",
               legacy_name(t.dtype()));
  if (!(t.sizes() == self.sizes())) resize_(t, self.sizes());
  copy_(t, self);
  return t;
}

ReadResult::ReadResult(const char* op, Out out, IntList sizes, DType dtype, Device device) {
  if (!out.tensor) {
    dense_ = Tensor::make(sizes, dtype, device);
    return;
  }
  target_ = *out.tensor;
  BOLIDE_CHECK(target_.dtype() == dtype, op, "(): Expected out tensor to have dtype ", dtype, ", but got ", target_.dtype(), " instead");
  iter::check_no_internal_overlap(target_);
  if (!(IntList(target_.sizes()) == sizes)) resize_(target_, sizes);
  dense_ = target_.is_contiguous() ? target_ : Tensor::make(sizes, dtype, device);
}
Tensor ReadResult::finish() const {
  if (!target_.defined() || dense_.is_same(target_)) return dense_;
  copy_(target_, dense_);
  return target_;
}

void check_apart(const Tensor& a, const Tensor& b) {
  if (!(a.storage() == b.storage()) || a.device().is_meta() || !a.is_contiguous() || !b.is_contiguous()) return;
  const char *p = a.raw(), *q = b.raw();
  BOLIDE_CHECK(p + a.numel() * a.itemsize() <= q || q + b.numel() * b.itemsize() <= p || !a.numel() || !b.numel(),
               "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory location. "
               "Please clone() the tensor before performing the operation.");
}

Tensor index_values(const Tensor& index) { return contiguous(cast(index, DType::Int64)); }

namespace {

bool is_mask(const Tensor& t) { return t.defined() && (t.dtype() == DType::Bool || t.dtype() == DType::UInt8); }

/// self with dimensions d ... d + n - 1 as one, where their strides allow it; undefined where not.
Tensor merged(const Tensor& self, size_t d, size_t n) {
  Dims sizes = self.sizes(), strides = self.strides();
  for (size_t k = 1; k < n; ++k) {
    if (strides[d] != strides[d + 1] * sizes[d + 1]) return {};
    sizes[d] *= sizes[d + 1], strides[d] = strides[d + 1];
    sizes.erase(d + 1), strides.erase(d + 1);
  }
  return self.view_as_layout(sizes, strides, self.storage_offset());
}

/// Indices made uniform: masks became positions, integers one shape, and the indexed dimensions neighbours.
struct Indexed {
  Tensor self;                // a view, with the indexed dimensions together
  std::vector<Tensor> index;  // of self's dimensions first, first + 1, ...; contiguous int64 of one shape
  int64_t first = 0;
  Dims result;                // the shape of what is read

  Indexed(const Tensor& self, TensorList given);

 private:
  void spread(TensorList given);
  void add_mask(const Tensor& mask);
  void unite();
  void gather_together();
};

Indexed::Indexed(const Tensor& t, TensorList given) : self(t) {
  spread(given);
  BOLIDE_CHECK_AS(IndexError, static_cast<int64_t>(index.size()) <= self.dim(), "too many indices for tensor of dimension ", self.dim(),
                  " (got ", index.size(), ")");
  index.resize(static_cast<size_t>(self.dim()));
  unite();
  gather_together();
}

/// One index per dimension, undefined where the whole dimension is meant.
void Indexed::spread(TensorList given) {
  for (const Tensor& t : given) {
    if (!t.defined()) index.emplace_back();
    else if (is_mask(t)) add_mask(t);
    else {
      BOLIDE_CHECK_AS(IndexError, t.dtype() == DType::Int64 || t.dtype() == DType::Int32,
                      "tensors used as indices must be long, int, byte or bool tensors");
      index.push_back(cast(t, DType::Int64));
    }
  }
}

void Indexed::add_mask(const Tensor& mask) {
  const size_t at = index.size(), n = static_cast<size_t>(mask.dim());
  for (size_t d = 0; d < n; ++d)
    BOLIDE_CHECK_AS(IndexError, at + d < self.sizes().size() && mask.sizes()[d] == self.sizes()[at + d], "The shape of the mask ", mask.sizes(),
                    " at index ", d, " does not match the shape of the indexed tensor ", self.sizes(), " at index ", at + d);
  if (n > 1) {
    if (const Tensor flat = merged(self, at, n); flat.defined()) {  // a mask of many dimensions is one of fewer
      self = flat;
      index.push_back(select(nonzero(reshape(mask, {-1})), 1, 0));
      return;
    }
  }
  const Tensor where = nonzero(mask);
  for (size_t d = 0; d < n; ++d) index.push_back(select(where, 1, static_cast<int64_t>(d)));
}

/// All indices in one shape.
void Indexed::unite() {
  Dims shape;
  bool some = false, same = true;
  for (const Tensor& t : index) {
    if (!t.defined()) continue;
    if (!some) shape = t.sizes();
    else if (!(t.sizes() == shape)) {
      same = false;
      try {
        shape = iter::broadcast(shape, t.sizes());
      } catch (const Error&) {
        std::ostringstream s;
        for (const Tensor& i : index)
          if (i.defined()) s << (s.tellp() > 0 ? ", " : "") << i.sizes();
        fail<IndexError>("shape mismatch: indexing tensors could not be broadcast together with shapes ", s.str());
      }
    }
    some = true;
  }
  for (Tensor& t : index)
    if (t.defined()) t = contiguous(same ? t : expand(t, shape));
}

/// The indexed dimensions stay in place when they are neighbours, else they come first.
void Indexed::gather_together() {
  std::vector<int64_t> order, rest;
  std::vector<Tensor> used;
  int64_t last = -1;
  bool together = true;
  for (int64_t d = 0; d < self.dim(); ++d) {
    Tensor& t = index[static_cast<size_t>(d)];
    if (!t.defined()) { rest.push_back(d); continue; }
    if (used.empty()) first = d;
    else together &= last + 1 == d;
    last = d;
    order.push_back(d);
    used.push_back(std::move(t));
  }
  index = std::move(used);
  BOLIDE_CHECK_AS(ValueError, !index.empty(), "at least one index is needed");
  if (!together) {
    first = 0;
    order.insert(order.end(), rest.begin(), rest.end());
    self = permute(self, order);
  }
  const auto f = static_cast<size_t>(first);
  for (size_t d = 0; d < f; ++d) result.push_back(self.sizes()[d]);
  for (int64_t s : index[0].sizes()) result.push_back(s);
  for (size_t d = f + index.size(); d < self.sizes().size(); ++d) result.push_back(self.sizes()[d]);
}

std::vector<Tensor> saved_list(const Call& c, int arg) {
  std::vector<Tensor> l;
  for (int i = 0; i < c.list_size(arg); ++i) l.push_back(c.element(arg, i));
  return l;
}
bool all_undefined(TensorList l) { return std::none_of(l.begin(), l.end(), [](const Tensor& t) { return t.defined(); }); }

}  // namespace

struct Index {
  static constexpr auto schema = "index(Tensor self, Tensor?[] indices) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(Out out, const Tensor& self, TensorList indices) {
    if (all_undefined(indices)) return clone(self);
    const Indexed x(self, indices);
    const ReadResult r("index", out, x.result, self.dtype(), self.device());
    kernels(self).index(x.self, x.index, x.first, Bounds::Advanced, r.dense());
    return r.finish();
  }
  static constexpr auto saved = saves(in_list<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    return index_put(zeros(c.sizes(), g.dtype(), g.device()), saved_list(c, 1), g, true);
  }
};
Tensor index(const Tensor& self, TensorList indices) { return call<Index>(self, indices); }
const Register<Index> index_op;

namespace {

/// x[mask] = one value: no positions are needed. The mask brought to self's dimensions, or undefined.
Tensor as_masked_fill(const Tensor& self, TensorList indices, const Tensor& values) {
  if (values.numel() != 1 || !values.device().is_cpu()) return {};
  Tensor mask;
  int64_t before = 0;
  for (const Tensor& t : indices) {
    if (!t.defined()) { before += !mask.defined(); continue; }
    if (mask.defined() || t.dtype() != DType::Bool) return {};
    mask = t;
  }
  if (!mask.defined() || before + mask.dim() > self.dim()) return {};
  for (int64_t d = 0; d < mask.dim(); ++d)
    if (mask.size(d) != self.size(before + d)) return {};
  std::vector<int64_t> shape(mask.sizes().begin(), mask.sizes().end());
  shape.insert(shape.end(), static_cast<size_t>(self.dim() - before - mask.dim()), 1);
  return view(contiguous(mask), shape);
}

}  // namespace

// self with `values` at the elements that `indices` name.
struct IndexPut {
  static constexpr auto schema = "index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kInPlace;
  static Tensor forward(Out out, const Tensor& self, TensorList indices, const Tensor& values, bool accumulate) {
    if (!accumulate)
      if (const Tensor mask = as_masked_fill(self, indices, values); mask.defined()) {
        const Tensor r = out.in_place ? self : clone(self);
        masked_fill_(r, mask, reshape(values, {}));
        return r;
      }
    BOLIDE_CHECK(self.dtype() == values.dtype(), "Index put requires the source and destination dtypes match, got ", legacy_name(self.dtype()),
                 " for the destination and ", legacy_name(values.dtype()), " for the source.");
    const Tensor r = out.in_place ? self : clone(self);
    for (const Tensor& t : indices) if (t.defined()) check_apart(r, t);
    check_apart(r, values);
    BOLIDE_CHECK_AS(IndexError, !all_undefined(indices), "at least one index is needed");
    const Indexed x(r, indices);
    Tensor v = values;
    if (values.numel() != 1 || values.dim() > static_cast<int64_t>(x.result.size())) {
      try {
        v = contiguous(expand(values, x.result));
      } catch (const Error&) {
        fail("shape mismatch: value tensor of shape ", values.sizes(), " cannot be broadcast to indexing result of shape ", x.result);
      }
    }
    kernels(r).index_put(accumulate ? ScatterOp::Add : ScatterOp::Set, x.self, x.index, x.first, Bounds::Advanced, v);
    return r;
  }
  static constexpr auto saved = saves(in_list<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const std::vector<Tensor> at = saved_list(c, 1);
    Grads r;
    if (c.needs(0)) r.of[0] = c.flag(3) ? g : index_put(g, at, zeros({}, g.dtype(), g.device()));
    if (c.needs(2)) r.of[2] = index(g, at);
    return r;
  }
};
Tensor index_put(const Tensor& self, TensorList indices, const Tensor& values, bool accumulate) {
  return call<IndexPut>(self, indices, values, accumulate);
}
const Tensor& index_put_(const Tensor& self, TensorList indices, const Tensor& values, bool accumulate) {
  return call_<IndexPut>(self, indices, values, accumulate);
}
const Register<IndexPut> index_put_op;

// ---- masks ------------------------------------------------------------------------------------

// self[mask], both broadcast.
struct MaskedSelect {
  static constexpr auto schema = "masked_select(Tensor self, Tensor mask) -> Tensor";
  static constexpr auto kind = Kind::DataDependent;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(Out out, const Tensor& self, const Tensor& mask) {
    BOLIDE_CHECK(mask.dtype() == DType::Bool, "masked_select: expected BoolTensor for mask");
    if (out.tensor) iter::check_no_internal_overlap(*out.tensor);
    const Dims shape = iter::broadcast(self.sizes(), mask.sizes());
    const Tensor x = reshape(expand(self, shape), {-1}), m = reshape(expand(mask, shape), {-1});
    return Index::forward(out, x, std::span<const Tensor>(&m, 1));
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor x = c.in(0), mask = c.in(1);
    const Dims shape = iter::broadcast(x.sizes(), mask.sizes());
    return masked_scatter(zeros(shape, g.dtype(), g.device()), expand(mask, shape), g);
  }
};
Tensor masked_select(const Tensor& self, const Tensor& mask) { return call<MaskedSelect>(self, mask); }
const Register<MaskedSelect> masked_select_op;

// self with the elements of source, in order, where mask is true.
struct MaskedScatter {
  static constexpr auto schema = "masked_scatter(Tensor self, Tensor mask, Tensor source) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kInPlace;
  static Tensor forward(Out out, const Tensor& self, const Tensor& mask, const Tensor& source) {
    BOLIDE_CHECK(self.dtype() == source.dtype(), "masked_scatter: expected self and source to have same dtypes but got ",
                 legacy_name(self.dtype()), " and ", legacy_name(source.dtype()));
    BOLIDE_CHECK(mask.dtype() == DType::Bool, "masked_scatter_ only supports boolean masks, but got mask with dtype ", legacy_name(mask.dtype()));
    const Dims shape = out.in_place ? self.sizes() : iter::broadcast(self.sizes(), mask.sizes());
    const Tensor r = out.in_place ? self : clone(expand(self, shape), MemoryFormat::Contiguous);
    const Tensor m = expand(mask, shape);
    if (r.device().is_meta()) return r;
    const Tensor where = select(nonzero(reshape(m, {-1})), 1, 0);
    BOLIDE_CHECK(where.numel() <= source.numel(), "Number of elements of source < number of ones in mask");
    const Tensor dense = contiguous(r), flat = view(dense, {-1}), values = narrow(reshape(source, {-1}), 0, 0, where.numel());
    const Tensor at[] = {contiguous(where)};
    if (where.numel()) kernels(r).index_put(ScatterOp::Set, flat, at, 0, Bounds::Advanced, contiguous(values));
    if (!dense.is_same(r)) copy_(r, dense);
    return r;
  }
  static constexpr auto saved = saves(in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor mask = c.in(1);
    Grads r;
    if (c.needs(0)) r.of[0] = masked_fill(g, mask, 0);
    if (!c.needs(2)) return r;
    const Dims& sizes = c.sizes(2);
    const Tensor taken = masked_select(g, mask);
    const Tensor parts[] = {taken, zeros({checked_numel(sizes) - taken.numel()}, g.dtype(), g.device())};
    r.of[2] = view(cat(parts), sizes);
    return r;
  }
};
Tensor masked_scatter(const Tensor& self, const Tensor& mask, const Tensor& source) { return call<MaskedScatter>(self, mask, source); }
const Register<MaskedScatter> masked_scatter_op;

// ---- non-zeros ----------------------------------------------------------------------------------

// Positions of the elements that are not zero, one row each.
struct Nonzero {
  static constexpr auto schema = "nonzero(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::DataDependent;
  static constexpr uint8_t variants = kOut;
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Tensor& self) {
    BOLIDE_CHECK(!out.tensor || out.tensor->dtype() == DType::Int64, "nonzero: Expected out tensor to have scalar type Long but got scalar type ",
                 legacy_name(out.tensor->dtype()));
    BOLIDE_CHECK_AS(NotImplementedError, !self.device().is_meta(), "nonzero(): the result's size depends on values, which meta tensors lack");
    const Tensor x = contiguous(self);
    const ReadResult r("nonzero", out, {count_nonzero(x).item<int64_t>(), self.dim()}, DType::Int64, self.device());
    kernels(x).nonzero(x, r.dense());
    return r.finish();
  }
};
Tensor nonzero(const Tensor& self) { return call<Nonzero>(self); }
const Register<Nonzero> nonzero_op;

// The same for each dimension.
struct NonzeroNumpy {
  static constexpr auto schema = "nonzero_numpy(Tensor self) -> Tensor[]";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static std::vector<Tensor> forward(const Tensor& self) { return unbind(nonzero(self.dim() ? self : unsqueeze(self, 0)), 1); }
};
const Register<NonzeroNumpy> nonzero_numpy_op;

struct WhereCondition {
  static constexpr auto schema = "where.condition(Tensor condition) -> Tensor[]";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static std::vector<Tensor> forward(const Tensor& condition) { return NonzeroNumpy::forward(condition); }
};
const Register<WhereCondition> where_condition_op;

struct Argwhere {
  static constexpr auto schema = "argwhere(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self) { return nonzero(self); }
};
const Register<Argwhere> argwhere_op;

// The first `size` positions, filled up with fill_value.
struct NonzeroStatic {
  static constexpr auto schema = "nonzero_static(Tensor self, *, int size, int fill_value=-1) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, int64_t size, int64_t fill_value) {
    BOLIDE_CHECK(size >= 0, "nonzero_static: 'size' must be an non-negative integer");
    const Tensor r = full({size, self.dim()}, fill_value, DType::Int64, self.device());
    if (self.device().is_meta()) return r;
    const Tensor found = nonzero(self);
    const int64_t n = std::min(size, found.size(0));
    copy_(narrow(r, 0, 0, n), narrow(found, 0, 0, n));
    return r;
  }
};
const Register<NonzeroStatic> nonzero_static_op;

// ---- for compiled graphs: indices of masked-out elements may lie outside --------------------------

namespace {
std::vector<Tensor> clamped(const Tensor& self, TensorList indices) {
  std::vector<Tensor> r;
  int64_t d = 0;
  for (const Tensor& t : indices) {
    r.push_back(t.defined() ? clamp(t, -self.size(d), self.size(d) - 1) : Tensor());
    ++d;
  }
  return r;
}
}  // namespace

struct UnsafeMaskedIndex {
  static constexpr auto schema = "_unsafe_masked_index(Tensor self, Tensor mask, Tensor?[] indices, Scalar fill) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& self, const Tensor& mask, TensorList indices, const Scalar& fill) {
    if (self.numel() == 0) return masked_fill(expand(zeros({}, self.dtype(), self.device()), iter::broadcast(mask.sizes(), {})), logical_not(mask), fill);
    return masked_fill(index(self, clamped(self, indices)), logical_not(mask), fill);
  }
};
const Register<UnsafeMaskedIndex> unsafe_masked_index_op;

struct UnsafeMaskedIndexPutAccumulate {
  static constexpr auto schema =
      "_unsafe_masked_index_put_accumulate(Tensor self, Tensor mask, Tensor?[] indices, Tensor values) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& self, const Tensor& mask, TensorList indices, const Tensor& values) {
    if (self.numel() == 0) return clone(self);
    return index_put(self, clamped(self, indices), masked_fill(values, logical_not(mask), values.dtype() == DType::Bool ? Scalar(false) : Scalar(0)), true);
  }
};
const Register<UnsafeMaskedIndexPutAccumulate> unsafe_masked_index_put_accumulate_op;

}  // namespace bolide
