// Reading and writing along a dimension by an index of the result's shape: gather, scatter and their reductions; writing a
// slice of a copy.
#include "ops/index.h"

namespace bolide {

namespace {

/// Index, self and source (when there is one) must agree in all dimensions but `dim`.
void check_along(const char* op, const Tensor& self, int64_t dim, const Tensor& index, const Tensor* src) {
  if (!index.numel()) return;
  BOLIDE_CHECK(index.dtype() == DType::Int64 || index.dtype() == DType::Int32, op, "(): Expected dtype int32/int64 for index");
  auto rank = [](const Tensor& t) { return std::max<int64_t>(t.dim(), 1); };
  BOLIDE_CHECK(rank(self) == rank(index), "Index tensor must have the same number of dimensions as ", src ? "self" : "input", " tensor");
  BOLIDE_CHECK(!src || rank(*src) == rank(index), "Index tensor must have the same number of dimensions as src tensor");
  bool fits = true;
  for (int64_t d = 0; d < index.dim(); ++d) {
    const int64_t n = index.size(d);
    const bool in_self = d == dim || n <= (self.dim() ? self.size(d) : 1);
    BOLIDE_CHECK(in_self || src, "Size does not match at dimension ", d, " expected index ", index.sizes(), " to be no larger than self ",
                 self.sizes(), " apart from dimension ", dim);
    fits &= in_self && (!src || n <= (src->dim() ? src->size(d) : 1));
  }
  BOLIDE_CHECK(fits, "Expected index ", index.sizes(), " to be no larger than self ", self.sizes(), " apart from dimension ", dim,
               src ? str(" and to be no larger size than src ", src->sizes()) : std::string());
}

void check_source(const char* op, const Tensor& self, const Tensor& src) {
  BOLIDE_CHECK(self.dtype() == src.dtype(), op, "(): Expected self.dtype to be equal to src.dtype");
}

/// The common body of all scatters with a source.
Tensor scatter_into(const char* op, ScatterOp how, Out out, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
  dim = wrap_dim(dim, self.dim());
  if (index.numel()) check_source(op, self, src);
  check_along(op, self, dim, index, &src);
  const Tensor r = writable(op, out, self);
  check_apart(r, index), check_apart(r, src);
  if (index.numel()) kernels(r).scatter(how, r, dim, cast(index, DType::Int64), src);
  return r;
}
/// The same with one number for a source.
Tensor scatter_number(ScatterOp how, Out out, const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value) {
  BOLIDE_CHECK(!value.is_complex() || is_complex(self.dtype()), "value cannot be converted to type ", name(self.dtype()), " without overflow");
  dim = wrap_dim(dim, self.dim());
  check_along("scatter", self, dim, index, nullptr);
  const Tensor r = writable("scatter", out, self);
  check_apart(r, index);
  if (index.numel()) kernels(r).scatter(how, r, dim, cast(index, DType::Int64), expand(full({}, value, self.dtype(), self.device()), index.sizes()));
  return r;
}
ScatterOp old_reduce(Str reduce) {
  BOLIDE_CHECK(reduce == "add" || reduce == "multiply", "reduce argument must be either add or multiply.");
  return reduce == "add" ? ScatterOp::Add : ScatterOp::Mul;
}

}  // namespace

struct GatherOp {
  static constexpr auto schema = "gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static Tensor forward(Out out, const Tensor& self, int64_t dim, const Tensor& index, bool) {
    dim = wrap_dim(dim, self.dim());
    check_along("gather", self, dim, index, nullptr);
    if (out.tensor) check_apart(*out.tensor, self), check_apart(*out.tensor, index);
    const ReadResult r("gather", out, index.sizes(), self.dtype(), self.device());
    kernels(self).gather(self, dim, cast(index, DType::Int64), r.dense());
    return r.finish();
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
  static Tensor forward(Out out, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
    return scatter_into("scatter", ScatterOp::Add, out, self, dim, index, src);
  }
  static constexpr auto saved = saves(in<2>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    r.of[0] = g;
    if (c.needs(3)) r.of[3] = source_gradient(c, g);
    return r;
  }
  /// What a source element hands back; those beyond the index have none.
  static Tensor source_gradient(const Call& c, const Tensor& g) { return padded(gather(g, c.integer(1), c.in(2)), c.sizes(3)); }
  /// g in the corner of zeros of `sizes`.
  static Tensor padded(const Tensor& g, const Dims& sizes) {
    if (g.sizes() == sizes || g.dim() != static_cast<int64_t>(sizes.size())) return g;
    Tensor r = g;
    for (int64_t d = 0; d < r.dim(); ++d) {
      if (r.size(d) == sizes[static_cast<size_t>(d)]) continue;
      Dims more = r.sizes();
      more[static_cast<size_t>(d)] = sizes[static_cast<size_t>(d)] - r.size(d);
      const Tensor parts[] = {r, zeros(more, r.dtype(), r.device())};
      r = cat(parts, d);
    }
    return r;
  }
};
Tensor scatter_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) { return call<ScatterAdd>(self, dim, index, src); }
const Register<ScatterAdd> scatter_add_op;

struct ScatterSource {
  static constexpr auto schema = "scatter.src(Tensor self, int dim, Tensor index, Tensor src) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(Out out, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
    return scatter_into("scatter", ScatterOp::Set, out, self, dim, index, src);
  }
  static constexpr auto saved = saves(in<2>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    if (c.needs(0)) r.of[0] = scatter(g, c.integer(1), c.in(2), Scalar(0));
    if (c.needs(3)) r.of[3] = ScatterAdd::source_gradient(c, g);
    return r;
  }
};
Tensor scatter(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) { return call<ScatterSource>(self, dim, index, src); }
const Register<ScatterSource> scatter_source_op;

struct ScatterValue {
  static constexpr auto schema = "scatter.value(Tensor self, int dim, Tensor index, Scalar value) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kInPlace | kOut;
  static constexpr auto node = "ScatterBackward1";
  static Tensor forward(Out out, const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value) {
    return scatter_number(ScatterOp::Set, out, self, dim, index, value);
  }
  static constexpr auto saved = saves(in<2>);
  static Grads backward(const Call& c, const Tensor& g) { return scatter(g, c.integer(1), c.in(2), Scalar(0)); }
};
Tensor scatter(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value) { return call<ScatterValue>(self, dim, index, value); }
const Register<ScatterValue> scatter_value_op;

// The forms with reduce= have no derivative, as in PyTorch: scatter_reduce has.
struct ScatterSourceReduce {
  static constexpr auto schema = "scatter.reduce(Tensor self, int dim, Tensor index, Tensor src, *, str reduce) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(Out out, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src, Str reduce) {
    return scatter_into("scatter", old_reduce(reduce), out, self, dim, index, src);
  }
};
const Register<ScatterSourceReduce> scatter_source_reduce_op;

struct ScatterValueReduce {
  static constexpr auto schema = "scatter.value_reduce(Tensor self, int dim, Tensor index, Scalar value, *, str reduce) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(Out out, const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value, Str reduce) {
    return scatter_number(old_reduce(reduce), out, self, dim, index, value);
  }
};
const Register<ScatterValueReduce> scatter_value_reduce_op;

// ---- scatter_reduce ------------------------------------------------------------------------------

namespace {

struct Reduction {
  ScatterOp op;
  bool mean = false;
};
Reduction reduction_of(Str name) {
  if (name == "sum") return {ScatterOp::Add};
  if (name == "mean") return {ScatterOp::Add, true};
  if (name == "prod") return {ScatterOp::Mul};
  if (name == "amax") return {ScatterOp::Max};
  if (name == "amin") return {ScatterOp::Min};
  fail("reduce argument must be either sum, prod, mean, amax or amin, got ", name);
}
/// What leaves the other operand as it is.
Scalar neutral(ScatterOp op, DType t) {
  if (op == ScatterOp::Add) return 0;
  if (op == ScatterOp::Mul) return 1;
  const bool low = op == ScatterOp::Max;
  if (is_floating(t)) return low ? -INFINITY : INFINITY;
  if (t == DType::Bool) return !low;
  Scalar s = 0;
  Ints::visit(t, [&]<class T>(Tag<T>) { s = static_cast<int64_t>(low ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max()); });
  return s;
}
/// How many source elements meet in each element of self.
Tensor meetings(const Dims& sizes, int64_t dim, const Tensor& index, bool include_self, DType t) {
  const Tensor start = full(sizes, include_self ? 1 : 0, t, index.device());
  const Tensor n = scatter_add(start, dim, index, ones(index.sizes(), t, index.device()));
  return masked_fill(n, eq(n, 0), 1);
}

}  // namespace

struct ScatterReduce {
  static constexpr auto schema =
      "scatter_reduce.two(Tensor self, int dim, Tensor index, Tensor src, str reduce, *, bool include_self=True) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(Out out, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src, Str reduce, bool include_self) {
    const Reduction how = reduction_of(reduce);
    dim = wrap_dim(dim, self.dim());
    if (index.numel()) check_source("scatter", self, src);
    check_along("scatter", self, dim, index, &src);
    BOLIDE_CHECK_AS(NotImplementedError, !is_complex(self.dtype()) || how.op == ScatterOp::Add || how.op == ScatterOp::Mul,
                    "\"scatter_gather_tensor_cpu_reduce_", reduce, "\" not implemented for '", legacy_name(self.dtype()), "'");
    const Tensor r = writable("scatter_reduce", out, self), at = cast(index, DType::Int64);
    check_apart(r, index), check_apart(r, src);
    if (!index.numel()) return r;
    if (!include_self)
      kernels(r).scatter(ScatterOp::Set, r, dim, at, expand(full({}, neutral(how.op, r.dtype()), r.dtype(), r.device()), index.sizes()));
    kernels(r).scatter(how.op, r, dim, at, src);
    if (how.mean) {
      const bool whole = !is_differentiable(r.dtype());
      const Tensor n = meetings(r.sizes(), dim, at, include_self, r.dtype() == DType::Bool ? DType::Int64 : r.dtype());
      copy_(r, whole ? floor_divide(r, n) : div(r, n));
    }
    return r;
  }
  static constexpr auto saved = saves(in<0>, in<2>, in<3>, out<0>);

  static Grads backward(const Call& c, const Tensor& g) {
    const Str reduce = c.text(4);
    const int64_t dim = c.integer(1);
    const bool include_self = c.flag(5);
    const Tensor index = c.in(2);
    Grads r = reduce == "sum" ? Grads(g, Tensor(), Tensor(), gather(g, dim, index))
              : reduce == "mean" ? mean_backward(c, g, index) : reduce == "prod" ? prod_backward(c, g, index) : extreme_backward(c, g, index);
    if (!include_self && r.of[0].defined()) r.of[0] = scatter(r.of[0], dim, index, Scalar(0));
    if (r.of[3].defined()) r.of[3] = ScatterAdd::padded(r.of[3], c.sizes(3));
    return r;
  }

 private:
  /// The part of src that takes part.
  static Tensor source(const Call& c, const Tensor& index) {
    Tensor s = c.in(3);
    for (int64_t d = 0; d < s.dim(); ++d)
      if (s.size(d) != index.size(d)) s = narrow(s, d, 0, index.size(d));
    return s;
  }
  static Grads mean_backward(const Call& c, const Tensor& g, const Tensor& index) {
    const Tensor n = meetings(c.sizes(0), c.integer(1), index, c.flag(5), g.dtype());
    return Grads(div(g, n), Tensor(), Tensor(), div(gather(g, c.integer(1), index), gather(n, c.integer(1), index)));
  }
  static Grads prod_backward(const Call& c, const Tensor& g, const Tensor& index) {
    const int64_t dim = c.integer(1);
    const bool include_self = c.flag(5);
    const Tensor x = c.in(0), src = source(c, index), result = c.out();
    const Tensor x_zero = eq(x, 0), one_for_zero = masked_fill(x, x_zero, 1);
    const Tensor dx = div(mul(g, scatter_reduce(one_for_zero, dim, index, src, "prod", include_self)), one_for_zero);
    // a source element that is the only zero of its product gets the product of the others
    const Tensor zero = eq(src, 0);
    const Tensor zeros_met = gather(scatter_add(zeros(x.sizes(), g.dtype(), g.device()), dim, index, cast(zero, g.dtype())), dim, index);
    const Tensor only = logical_and(zero, eq(zeros_met, 1));
    const Tensor others = scatter_reduce(x, dim, index, masked_fill(src, only, 1), "prod", include_self);
    const Tensor plain = div(gather(mul(g, result), dim, index), masked_fill(src, zero, 1));
    return Grads(dx, Tensor(), Tensor(), where(only, gather(mul(g, others), dim, index), plain));
  }
  static Grads extreme_backward(const Call& c, const Tensor& g, const Tensor& index) {
    const int64_t dim = c.integer(1);
    const Tensor x = c.in(0).detach(), src = source(c, index).detach(), result = c.out().detach();
    const Tensor in_self = cast(eq(x, result), g.dtype()), in_src = cast(eq(src, gather(result, dim, index)), g.dtype());
    const Tensor share = div(g, scatter_add(in_self, dim, index, in_src));
    return Grads(mul(in_self, share), Tensor(), Tensor(), mul(in_src, gather(share, dim, index)));
  }
};
Tensor scatter_reduce(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src, Str reduce, bool include_self) {
  return call<ScatterReduce>(self, dim, index, src, reduce, include_self);
}
const Register<ScatterReduce> scatter_reduce_op;

// self.gather(dim, indices), both broadcast in the other dimensions; without dim of the flat tensors.
struct TakeAlongDim {
  static constexpr auto schema = "take_along_dim(Tensor self, Tensor indices, int? dim=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, const Tensor& indices, std::optional<int64_t> dim) {
    BOLIDE_CHECK(indices.dtype() == DType::Int64, "torch.take_along_dim(): dtype of indices should be Long but got ", legacy_name(indices.dtype()));
    if (!dim) return gather(reshape(self, {-1}), 0, from_start(reshape(indices, {-1}), self.numel()));
    BOLIDE_CHECK(self.dim() == indices.dim(), "torch.take_along_dim(): input and indices should have the same number of dimensions, but got ",
                 self.dim(), " dimensions for input, and ", indices.dim(), " dimensions for indices");
    const auto d = static_cast<size_t>(wrap_dim(*dim, self.dim()));
    if (!self.dim()) return gather(self, 0, from_start(indices, 1));
    Dims a = self.sizes(), b = indices.sizes();
    a[d] = b[d] = 1;
    const Dims shape = iter::broadcast(a, b);
    a = b = shape;
    a[d] = self.sizes()[d], b[d] = indices.sizes()[d];
    return gather(expand(self, a), static_cast<int64_t>(d), from_start(expand(indices, b), a[d]));
  }
  /// Negative positions count from the end.
  static Tensor from_start(const Tensor& indices, int64_t n) { return where(lt(indices, 0), add(indices, n), indices); }
};
Tensor take_along_dim(const Tensor& self, const Tensor& indices, std::optional<int64_t> dim) { return TakeAlongDim::forward(self, indices, dim); }
const Register<TakeAlongDim> take_along_dim_op;

// ---- a copy with a slice written -------------------------------------------------------------------

namespace {
/// A copy of self whose part, chosen by `slice`, holds src.
template <class F>
Tensor with_slice(const Tensor& self, const Tensor& src, F&& slice) {
  const Tensor r = clone(self);
  const Tensor part = slice(r);
  BOLIDE_CHECK(part.sizes() == src.sizes(), "expected src to have a size equal to the slice of self. src size = ", src.sizes(),
               ", slice size = ", part.sizes());
  copy_(part, src);
  return r;
}
using OptInt = std::optional<int64_t>;
}  // namespace

struct SelectScatter {
  static constexpr auto schema = "select_scatter(Tensor self, Tensor src, int dim, int index) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, const Tensor& src, int64_t dim, int64_t index) {
    return with_slice(self, src, [&](const Tensor& t) { return select(t, dim, index); });
  }
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(c.needs(0) ? select_scatter(g, zeros(c.sizes(1), g.dtype(), g.device()), c.integer(2), c.integer(3)) : Tensor(),
                 c.needs(1) ? select(g, c.integer(2), c.integer(3)) : Tensor());
  }
};
Tensor select_scatter(const Tensor& self, const Tensor& src, int64_t dim, int64_t index) { return call<SelectScatter>(self, src, dim, index); }
const Register<SelectScatter> select_scatter_op;

struct SliceScatter {
  static constexpr auto schema = "slice_scatter(Tensor self, Tensor src, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, const Tensor& src, int64_t dim, OptInt start, OptInt end, int64_t step) {
    return with_slice(self, src, [&](const Tensor& t) { return slice(t, dim, start, end, step); });
  }
  static Grads backward(const Call& c, const Tensor& g) {
    const int64_t dim = c.integer(2), step = c.integer(5);
    const OptInt start = c.value<OptInt>(3), end = c.value<OptInt>(4);
    return Grads(c.needs(0) ? slice_scatter(g, zeros(c.sizes(1), g.dtype(), g.device()), dim, start, end, step) : Tensor(),
                 c.needs(1) ? slice(g, dim, start, end, step) : Tensor());
  }
};
Tensor slice_scatter(const Tensor& self, const Tensor& src, int64_t dim, OptInt start, OptInt end, int64_t step) {
  return call<SliceScatter>(self, src, dim, start, end, step);
}
const Register<SliceScatter> slice_scatter_op;

struct DiagonalScatter {
  static constexpr auto schema = "diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, const Tensor& src, int64_t offset, int64_t dim1, int64_t dim2) {
    return with_slice(self, src, [&](const Tensor& t) { return diagonal(t, offset, dim1, dim2); });
  }
  static Grads backward(const Call& c, const Tensor& g) {
    const int64_t offset = c.integer(2), a = c.integer(3), b = c.integer(4);
    return Grads(c.needs(0) ? diagonal_scatter(g, zeros(c.sizes(1), g.dtype(), g.device()), offset, a, b) : Tensor(),
                 c.needs(1) ? diagonal(g, offset, a, b) : Tensor());
  }
};
Tensor diagonal_scatter(const Tensor& self, const Tensor& src, int64_t offset, int64_t dim1, int64_t dim2) {
  return call<DiagonalScatter>(self, src, offset, dim1, dim2);
}
const Register<DiagonalScatter> diagonal_scatter_op;

struct AsStridedScatter {
  static constexpr auto schema = "as_strided_scatter(Tensor self, Tensor src, int[] size, int[] stride, int? storage_offset=None) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, const Tensor& src, IntList size, IntList stride, OptInt offset) {
    return with_slice(contiguous(self), src, [&](const Tensor& t) { return as_strided(t, size, stride, offset.value_or(0)); });
  }
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor dense = contiguous(g);
    const OptInt offset = c.value<OptInt>(4);
    return Grads(c.needs(0) ? as_strided_scatter(dense, zeros(c.sizes(1), g.dtype(), g.device()), c.ints(2), c.ints(3), offset) : Tensor(),
                 c.needs(1) ? as_strided(dense, c.ints(2), c.ints(3), offset.value_or(0)) : Tensor());
  }
};
Tensor as_strided_scatter(const Tensor& self, const Tensor& src, IntList size, IntList stride, OptInt storage_offset) {
  return call<AsStridedScatter>(self, src, size, stride, storage_offset);
}
const Register<AsStridedScatter> as_strided_scatter_op;

}  // namespace bolide
