// Largest and smallest elements and their positions.
#include "ops/reduce.h"

namespace bolide {

namespace {

using OptDim = std::optional<int64_t>;
using OptDims = std::optional<IntList>;

Tensor amax_of(const char* op, ReduceOp which, Out out, const Tensor& self, const OptDims& dims, bool keepdim) {
  const DimSet set = iter::dim_set(dims, self.dim());
  if (!self.numel()) {
    const bool all = !dims || dims->empty();
    BOLIDE_CHECK(!all, op, "(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.");
    for (size_t d = 0; d < self.sizes().size(); ++d)
      BOLIDE_CHECK_AS(IndexError, !(set >> d & 1) || self.sizes()[d], op, "(): Expected reduction dim ", d, " to have non-zero size.");
  }
  BOLIDE_CHECK(!out.tensor || out.tensor->dtype() == self.dtype(), "Expected the dtype for input and out to match, but got ",
               legacy_name(self.dtype()), " for input's dtype and ", legacy_name(out.tensor->dtype()), " for out's dtype.");
  const Tensor r = iter::reduce_output(op, out, iter::reduced_sizes(self, set, keepdim), self.dtype(), self.device());
  kernels(self).reduce(which, self, set, r);
  return r;
}

/// Values and positions along `dim`, or of all elements in row-major order; what is not wanted is null.
void positions(const char* op, bool largest, const Tensor& self, OptDim dim, bool keepdim, Tensor* values, Tensor* indices) {
  BOLIDE_CHECK(!is_complex(self.dtype()), op, "(): does not support complex input");
  if (!dim) BOLIDE_CHECK_AS(IndexError, self.numel(), op, "(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
                            "reduction dim with the 'dim' argument.");
  const int64_t d = dim ? wrap_dim(*dim, self.dim()) : 0;
  if (dim && self.dim()) BOLIDE_CHECK_AS(IndexError, self.size(d), op, "(): Expected reduction dim ", d, " to have non-zero size.");
  const DimSet set = dim ? DimSet(1) << d : iter::dim_set({}, self.dim());
  const Tensor x = dim ? self : contiguous(self);
  const Dims sizes = iter::reduced_sizes(self, set, keepdim);
  if (values) *values = Tensor::make(sizes, self.dtype(), self.device());
  if (indices) *indices = Tensor::make(sizes, DType::Int64, self.device());
  kernels(x).extreme(x, set, largest, values ? *values : Tensor(), indices ? *indices : Tensor());
}
std::tuple<Tensor, Tensor> extreme_along(const char* op, bool largest, const Tensor& self, int64_t dim, bool keepdim) {
  std::tuple<Tensor, Tensor> r;
  positions(op, largest, self, dim, keepdim, &std::get<0>(r), &std::get<1>(r));
  return r;
}

/// Gradient of extremes: shared evenly among the places that tie.
Tensor even_share(const Tensor& x, const Tensor& result, const Tensor& g, const OptDims& dims, bool keepdim) {
  const Tensor top = keep_dims(result, x.sizes(), dims, keepdim);
  const Tensor hit = logical_or(eq(x, top), logical_and(isnan(x), isnan(top)));
  const Tensor share = div(keep_dims(g, x.sizes(), dims, keepdim), sum(hit, dims, true));
  return mul(share, hit);
}
Tensor even_backward(const Call& c, const Tensor& g, const OptDims& dims, bool keepdim) {
  return even_share(c.in(0), c.out().detach(), g, dims, keepdim);
}

}  // namespace

struct Amax {
  static constexpr auto schema = "amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static Tensor forward(Out out, const Tensor& self, IntList dim, bool keepdim) { return amax_of("amax", ReduceOp::Max, out, self, dim, keepdim); }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return even_backward(c, g, c.ints(1), c.flag(2)); }
};
Tensor amax(const Tensor& self, IntList dim, bool keepdim) { return call<Amax>(self, dim, keepdim); }
const Register<Amax> amax_op;
struct Amin {
  static constexpr auto schema = "amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static Tensor forward(Out out, const Tensor& self, IntList dim, bool keepdim) { return amax_of("amin", ReduceOp::Min, out, self, dim, keepdim); }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return even_backward(c, g, c.ints(1), c.flag(2)); }
};
Tensor amin(const Tensor& self, IntList dim, bool keepdim) { return call<Amin>(self, dim, keepdim); }
const Register<Amin> amin_op;

// Both at once.
struct Aminmax {
  static constexpr auto schema = "aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)";
  static constexpr auto kind = Kind::Reduction;
  static OptDims dims_of(const OptDim& dim) { return dim ? OptDims(IntList(&*dim, 1)) : OptDims(); }
  static std::tuple<Tensor, Tensor> forward(const Tensor& self, OptDim dim, bool keepdim) {
    BOLIDE_CHECK(dim || self.numel(), "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.");
    const OptDims dims = dims_of(dim);
    return {amax_of("aminmax", ReduceOp::Min, {}, self, dims, keepdim), amax_of("aminmax", ReduceOp::Max, {}, self, dims, keepdim)};
  }
  static constexpr auto saved = saves(in<0>, out<0>, out<1>);
  static Grads backward(const Call& c, std::span<const Tensor> g) {
    const OptDim dim = c.value<OptDim>(1);
    const OptDims dims = dims_of(dim);
    const Tensor x = c.in(0);
    const Tensor low = g[0].defined() ? even_share(x, c.out(0).detach(), g[0], dims, c.flag(2)) : Tensor();
    const Tensor high = g[1].defined() ? even_share(x, c.out(1).detach(), g[1], dims, c.flag(2)) : Tensor();
    return low.defined() && high.defined() ? add(low, high) : low.defined() ? low : high;
  }
};
std::tuple<Tensor, Tensor> aminmax(const Tensor& self, OptDim dim, bool keepdim) { return call<Aminmax>(self, dim, keepdim); }
const Register<Aminmax> aminmax_op;

struct MaxAll {
  static constexpr auto schema = "max(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr auto node = "MaxBackward1";
  static Tensor forward(Out out, const Tensor& self) { return amax_of("max", ReduceOp::Max, out, self, {}, false); }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return even_backward(c, g, {}, false); }
};
Tensor max(const Tensor& self) { return call<MaxAll>(self); }
const Register<MaxAll> max_all_op;
// Before the form with a dimension: a 0-d tensor is a tensor first.
struct MaxOther {
  static constexpr auto schema = "max.other(Tensor self, Tensor other) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, const Tensor& other) { return maximum(self, other); }
};
const Register<MaxOther> max_other_op;
struct MaxDim {
  static constexpr auto schema = "max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)";
  static constexpr auto kind = Kind::Reduction;
  static std::tuple<Tensor, Tensor> forward(const Tensor& self, int64_t dim, bool keepdim) { return extreme_along("max", true, self, dim, keepdim); }
  static constexpr auto saved = saves(out<1>);
  static Grads backward(const Call& c, const Tensor& g) { return picked_backward(c, g, c.out(1), c.integer(1), c.flag(2)); }
};
std::tuple<Tensor, Tensor> max(const Tensor& self, int64_t dim, bool keepdim) { return call<MaxDim>(self, dim, keepdim); }
const Register<MaxDim> max_dim_op;

struct MinAll {
  static constexpr auto schema = "min(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr auto node = "MinBackward1";
  static Tensor forward(Out out, const Tensor& self) { return amax_of("min", ReduceOp::Min, out, self, {}, false); }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return even_backward(c, g, {}, false); }
};
Tensor min(const Tensor& self) { return call<MinAll>(self); }
const Register<MinAll> min_all_op;
struct MinOther {
  static constexpr auto schema = "min.other(Tensor self, Tensor other) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, const Tensor& other) { return minimum(self, other); }
};
const Register<MinOther> min_other_op;
struct MinDim {
  static constexpr auto schema = "min.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)";
  static constexpr auto kind = Kind::Reduction;
  static std::tuple<Tensor, Tensor> forward(const Tensor& self, int64_t dim, bool keepdim) { return extreme_along("min", false, self, dim, keepdim); }
  static constexpr auto saved = saves(out<1>);
  static Grads backward(const Call& c, const Tensor& g) { return picked_backward(c, g, c.out(1), c.integer(1), c.flag(2)); }
};
std::tuple<Tensor, Tensor> min(const Tensor& self, int64_t dim, bool keepdim) { return call<MinDim>(self, dim, keepdim); }
const Register<MinDim> min_dim_op;

struct Argmax {
  static constexpr auto schema = "argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, OptDim dim, bool keepdim) {
    Tensor i;
    positions("argmax", true, self, dim, keepdim, nullptr, &i);
    return i;
  }
};
Tensor argmax(const Tensor& self, OptDim dim, bool keepdim) { return call<Argmax>(self, dim, keepdim); }
const Register<Argmax> argmax_op;
struct Argmin {
  static constexpr auto schema = "argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, OptDim dim, bool keepdim) {
    Tensor i;
    positions("argmin", false, self, dim, keepdim, nullptr, &i);
    return i;
  }
};
Tensor argmin(const Tensor& self, OptDim dim, bool keepdim) { return call<Argmin>(self, dim, keepdim); }
const Register<Argmin> argmin_op;


}  // namespace bolide
