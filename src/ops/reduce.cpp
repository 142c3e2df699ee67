// Sums, means, products, counts, all and any, logsumexp.
#include "ops/reduce.h"

#include <cmath>

namespace bolide {

Tensor keep_dims(const Tensor& reduced, const Dims& sizes, const std::optional<IntList>& dims, bool keepdim) {
  if (keepdim || sizes.empty()) return reduced;
  const DimSet set = iter::dim_set(dims, static_cast<int64_t>(sizes.size()));
  Dims ones = sizes;
  for (size_t d = 0; d < ones.size(); ++d)
    if (set >> d & 1) ones[d] = 1;
  return view(reduced.is_contiguous() ? reduced : contiguous(reduced), ones);
}
Tensor restore_dims(const Tensor& reduced, const Dims& sizes, const std::optional<IntList>& dims, bool keepdim) {
  return expand(keep_dims(reduced, sizes, dims, keepdim), sizes);
}
Tensor picked_backward(const Call& c, const Tensor& g, const Tensor& indices, int64_t dim, bool keepdim) {
  const Dims& sizes = c.sizes(0);
  if (sizes.empty()) return g;
  const bool put_back = !keepdim;
  return scatter_add(zeros(sizes, g.dtype(), g.device()), dim, put_back ? unsqueeze(indices, dim) : indices, put_back ? unsqueeze(g, dim) : g);
}

namespace {

using OptDims = std::optional<IntList>;

/// The dtype of a sum: asked for, the output's, int64 for integers and bools, else the input's.
DType sum_dtype(const Tensor& self, Out out, OptDType dtype) {
  if (dtype) return *dtype;
  if (out.tensor) return out.tensor->dtype();
  return is_differentiable(self.dtype()) ? self.dtype() : DType::Int64;
}

Tensor add_up(const char* op, ReduceOp which, Out out, const Tensor& self, const OptDims& dims, bool keepdim, OptDType dtype) {
  const DType t = sum_dtype(self, out, dtype);
  // integers of any size add up in int64 without a copy
  const bool whole = !is_differentiable(self.dtype()) && !is_differentiable(t);
  const Tensor x = whole || self.dtype() == t ? self : cast(self, t);
  const DimSet set = iter::dim_set(dims, x.dim());
  const Tensor r = iter::reduce_output(op, out, iter::reduced_sizes(x, set, keepdim), t, x.device());
  if (!whole || t == DType::Int64) {
    kernels(x).reduce(which, x, set, r);
  } else {
    const Tensor wide = Tensor::make(r.sizes(), DType::Int64, x.device());
    kernels(x).reduce(which, x, set, wide);
    copy_(r, wide);
  }
  return r;
}

Tensor sum_backward(const Call& c, const Tensor& g, const OptDims& dims, bool keepdim) { return restore_dims(g, c.sizes(0), dims, keepdim); }

}  // namespace

struct Sum {
  static constexpr auto schema = "sum(Tensor self, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static Tensor forward(Out out, const Tensor& self, OptDType dtype) { return add_up("sum", ReduceOp::Sum, out, self, {}, false, dtype); }
  static Grads backward(const Call& c, const Tensor& g) { return sum_backward(c, g, {}, false); }
};
Tensor sum(const Tensor& self, OptDType dtype) { return call<Sum>(self, dtype); }
const Register<Sum> sum_op;

struct SumDim {
  static constexpr auto schema = "sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr auto node = "SumBackward1";
  static Tensor forward(Out out, const Tensor& self, OptDims dim, bool keepdim, OptDType dtype) {
    return add_up("sum", ReduceOp::Sum, out, self, dim, keepdim, dtype);
  }
  static Grads backward(const Call& c, const Tensor& g) { return sum_backward(c, g, c.value<OptDims>(1), c.flag(2)); }
};
Tensor sum(const Tensor& self, OptDims dim, bool keepdim, OptDType dtype) { return call<SumDim>(self, dim, keepdim, dtype); }
const Register<SumDim> sum_dim_op;

struct SumToSize {
  static constexpr auto schema = "sum_to_size(Tensor self, int[] size) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kMethod;
  static Tensor forward(const Tensor& self, IntList size) {
    if (size.empty()) return sum(self);
    if (IntList(self.sizes()) == size) return self;
    const int64_t extra = self.dim() - static_cast<int64_t>(size.size());
    bool ok = extra >= 0;
    Dims dims;
    for (int64_t d = 0; ok && d < self.dim(); ++d) {
      if (d < extra) dims.push_back(d);
      else if (size[static_cast<size_t>(d - extra)] == 1 && self.size(d) != 1) dims.push_back(d);
      else ok = size[static_cast<size_t>(d - extra)] == self.size(d);
    }
    BOLIDE_CHECK(ok, "size {", size, "} is not expandable to size {", self.sizes(), "}.");
    Tensor r = dims.empty() ? self : sum(self, IntList(dims), true);
    return extra ? reshape(r, size) : r;
  }
};
Tensor sum_to_size(const Tensor& self, IntList size) { return SumToSize::forward(self, size); }
const Register<SumToSize> sum_to_size_op;

// The sum of what is not NaN.
struct Nansum {
  static constexpr auto schema = "nansum(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static Tensor forward(Out out, const Tensor& self, OptDims dim, bool keepdim, OptDType dtype) {
    BOLIDE_CHECK(!is_complex(self.dtype()), "nansum does not support complex inputs");
    return add_up("nansum", ReduceOp::NanSum, out, self, dim, keepdim, dtype);
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    return mul(sum_backward(c, g, c.value<OptDims>(1), c.flag(2)), logical_not(isnan(c.in(0))));
  }
};
Tensor nansum(const Tensor& self, OptDims dim, bool keepdim, OptDType dtype) { return call<Nansum>(self, dim, keepdim, dtype); }
const Register<Nansum> nansum_op;

// ---- means ------------------------------------------------------------------------------------

namespace {

void check_mean_dtype(const Tensor& self, OptDType dtype) {
  const DType t = dtype.value_or(self.dtype());
  BOLIDE_CHECK(is_differentiable(t), "mean(): could not infer output dtype. ", dtype ? "Optional" : "Input",
               " dtype must be either a floating point or complex dtype. Got: ", legacy_name(t));
}
Tensor mean_of(Out out, const Tensor& self, const OptDims& dims, bool keepdim, OptDType dtype) {
  check_mean_dtype(self, dtype);
  const Tensor x = dtype ? cast(self, *dtype) : self;
  const DimSet set = iter::dim_set(dims, x.dim());
  const Tensor r = iter::reduce_output("mean", out, iter::reduced_sizes(x, set, keepdim), x.dtype(), x.device());
  kernels(x).reduce_mean(x, set, r);
  return r;
}
/// The gradient's share of every element; divided before it is spread out.
Tensor mean_backward(const Call& c, const Tensor& g, const OptDims& dims, bool keepdim) {
  int64_t n = 1;
  const DimSet set = iter::dim_set(dims, static_cast<int64_t>(c.sizes(0).size()));
  for (size_t d = 0; d < c.sizes(0).size(); ++d)
    if (set >> d & 1) n *= c.sizes(0)[d];
  return restore_dims(div(g, static_cast<double>(n)), c.sizes(0), dims, keepdim);
}

}  // namespace

struct Mean {
  static constexpr auto schema = "mean(Tensor self, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static Tensor forward(Out out, const Tensor& self, OptDType dtype) { return mean_of(out, self, {}, false, dtype); }
  static Grads backward(const Call& c, const Tensor& g) { return mean_backward(c, g, {}, false); }
};
Tensor mean(const Tensor& self, OptDType dtype) { return call<Mean>(self, dtype); }
const Register<Mean> mean_op;

struct MeanDim {
  static constexpr auto schema = "mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr auto node = "MeanBackward1";
  static Tensor forward(Out out, const Tensor& self, OptDims dim, bool keepdim, OptDType dtype) { return mean_of(out, self, dim, keepdim, dtype); }
  static Grads backward(const Call& c, const Tensor& g) { return mean_backward(c, g, c.value<OptDims>(1), c.flag(2)); }
};
Tensor mean(const Tensor& self, OptDims dim, bool keepdim, OptDType dtype) { return call<MeanDim>(self, dim, keepdim, dtype); }
const Register<MeanDim> mean_dim_op;

// The mean of what is not NaN.
struct Nanmean {
  static constexpr auto schema = "nanmean(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, OptDims dim, bool keepdim, OptDType dtype) {
    BOLIDE_CHECK(is_differentiable(self.dtype()), "nanmean(): expected input to have floating point or complex dtype but got ", legacy_name(self.dtype()));
    const Tensor present = sum(logical_not(isnan(detached(self))), dim, keepdim);
    return div(nansum(self, dim, keepdim, dtype), present);
  }
  static Tensor detached(const Tensor& t) { return t.requires_grad() ? t.detach() : t; }
};
Tensor nanmean(const Tensor& self, OptDims dim, bool keepdim, OptDType dtype) { return Nanmean::forward(self, dim, keepdim, dtype); }
const Register<Nanmean> nanmean_op;

// ---- products -----------------------------------------------------------------------------------

namespace {

/// The product of all other elements along `dim`; safe where some are zero, and differentiable.
Tensor product_of_others(const Tensor& x, int64_t dim) {
  const int64_t n = x.size(dim);
  const Tensor one = ones_like(narrow(x, dim, 0, std::min<int64_t>(n, 1)));
  if (n <= 1) return one;
  const Tensor before[] = {one, narrow(x, dim, 0, n - 1)}, after[] = {narrow(x, dim, 1, n - 1), one};
  return mul(cumprod(cat(before, dim), dim), _reverse_cumprod(cat(after, dim), dim));
}
bool holds_zero(const Tensor& x) { return !x.device().is_meta() && any(eq(x, 0)).item().to<bool>(); }

Tensor prod_backward(const Call& c, const Tensor& g, std::optional<int64_t> dim, bool keepdim) {
  const Tensor x = c.in(0), result = c.out();
  if (x.dim() == 0) return g;
  const int64_t one_dim[] = {dim.value_or(0)};
  const OptDims dims = dim ? OptDims(IntList(one_dim)) : OptDims();
  const Tensor whole = restore_dims(g, x.sizes(), dims, keepdim);
  if (!holds_zero(x.detach())) return mul(whole, conj(div(restore_dims(result, x.sizes(), dims, keepdim), x)));
  const Tensor others = dim ? product_of_others(x, *dim) : reshape(product_of_others(reshape(x, {-1}), 0), x.sizes());
  return mul(whole, conj(others));
}

}  // namespace

struct Prod {
  static constexpr auto schema = "prod(Tensor self, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static Tensor forward(Out out, const Tensor& self, OptDType dtype) { return add_up("prod", ReduceOp::Prod, out, self, {}, false, dtype); }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return prod_backward(c, g, {}, false); }
};
Tensor prod(const Tensor& self, OptDType dtype) { return call<Prod>(self, dtype); }
const Register<Prod> prod_op;

struct ProdDim {
  static constexpr auto schema = "prod.dim_int(Tensor self, int dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr auto node = "ProdBackward1";
  static Tensor forward(Out out, const Tensor& self, int64_t dim, bool keepdim, OptDType dtype) {
    return add_up("prod", ReduceOp::Prod, out, self, IntList(&dim, 1), keepdim, dtype);
  }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return prod_backward(c, g, c.integer(1), c.flag(2)); }
};
Tensor prod(const Tensor& self, int64_t dim, bool keepdim, OptDType dtype) { return call<ProdDim>(self, dim, keepdim, dtype); }
const Register<ProdDim> prod_dim_op;

// ---- counts, all, any ----------------------------------------------------------------------------

namespace {

Tensor count(const Tensor& self, const OptDims& dims) {
  const DimSet set = iter::dim_set(dims, self.dim());
  const Tensor r = Tensor::make(iter::reduced_sizes(self, set, false), DType::Int64, self.device());
  kernels(self).reduce(ReduceOp::Count, self, set, r);
  return r;
}
/// A reduction to bool; of bytes to bytes, as ever.
Tensor truth(const char* op, ReduceOp which, Out out, const Tensor& self, const OptDims& dims, bool keepdim) {
  const DimSet set = iter::dim_set(dims, self.dim());
  const DType t = self.dtype() == DType::UInt8 ? DType::UInt8 : DType::Bool;
  BOLIDE_CHECK(!out.tensor || out.tensor->dtype() == DType::Bool || out.tensor->dtype() == DType::UInt8, op,
               " only supports bool tensor for result, got: ", legacy_name(out.tensor->dtype()));
  const Tensor r = iter::reduce_output(op, out, iter::reduced_sizes(self, set, keepdim), out.tensor ? out.tensor->dtype() : t, self.device());
  kernels(self).reduce(which, self, set, r);
  return r;
}

}  // namespace

struct CountNonzero {
  static constexpr auto schema = "count_nonzero.dim_IntList(Tensor self, int[] dim) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static constexpr uint8_t variants = 0;
  static Tensor forward(const Tensor& self, IntList dim) { return count(self, dim); }
};
const Register<CountNonzero> count_nonzero_dims_op;
struct CountNonzeroDim {
  static constexpr auto schema = "count_nonzero(Tensor self, int? dim=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static constexpr uint8_t variants = 0;
  static Tensor forward(const Tensor& self, std::optional<int64_t> dim) { return count(self, dim ? OptDims(IntList(&*dim, 1)) : OptDims()); }
};
Tensor count_nonzero(const Tensor& self, std::optional<int64_t> dim) { return call<CountNonzeroDim>(self, dim); }
const Register<CountNonzeroDim> count_nonzero_op;

struct All {
  static constexpr auto schema = "all(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Tensor& self) { return truth("all", ReduceOp::All, out, self, {}, false); }
};
Tensor all(const Tensor& self) { return call<All>(self); }
const Register<All> all_op;
struct AllDim {
  static constexpr auto schema = "all.dims(Tensor self, int[1]? dim=None, bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Tensor& self, OptDims dim, bool keepdim) { return truth("all", ReduceOp::All, out, self, dim, keepdim); }
};
Tensor all(const Tensor& self, OptDims dim, bool keepdim) { return call<AllDim>(self, dim, keepdim); }
const Register<AllDim> all_dim_op;
struct Any {
  static constexpr auto schema = "any(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Tensor& self) { return truth("any", ReduceOp::Any, out, self, {}, false); }
};
Tensor any(const Tensor& self) { return call<Any>(self); }
const Register<Any> any_op;
struct AnyDim {
  static constexpr auto schema = "any.dims(Tensor self, int[1]? dim=None, bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Tensor& self, OptDims dim, bool keepdim) { return truth("any", ReduceOp::Any, out, self, dim, keepdim); }
};
Tensor any(const Tensor& self, OptDims dim, bool keepdim) { return call<AnyDim>(self, dim, keepdim); }
const Register<AnyDim> any_dim_op;

// ---- logsumexp -----------------------------------------------------------------------------------

// log(sum(exp(x))), with the largest element taken out first.
struct Logsumexp {
  static constexpr auto schema = "logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, IntList dim, bool keepdim) {
    const Tensor x = is_differentiable(self.dtype()) ? self : cast(self, default_dtype());
    const OptDims dims = self.dim() ? OptDims(dim) : OptDims();
    if (x.numel() == 0) return log(sum(exp(x), dims, keepdim));
    const Tensor peak = amax(is_complex(x.dtype()) ? real(x) : x, dims.value_or(IntList()), true);
    const Tensor shift = masked_fill(peak, eq(abs(peak), INFINITY), 0);
    const Tensor total = log(sum(exp(sub(x, shift)), dims, keepdim));
    return add(total, view(shift, total.sizes()));
  }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const OptDims dims = c.sizes(0).empty() ? OptDims() : OptDims(c.ints(1));
    const bool keepdim = c.flag(2);
    const Tensor top = keep_dims(c.out(), c.sizes(0), dims, keepdim);
    return mul(keep_dims(g, c.sizes(0), dims, keepdim), conj(exp(sub(c.in(0), top))));
  }
};
Tensor logsumexp(const Tensor& self, IntList dim, bool keepdim) { return call<Logsumexp>(self, dim, keepdim); }
const Register<Logsumexp> logsumexp_op;


}  // namespace bolide
