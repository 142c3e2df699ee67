// Running sums, products, extremes along a dimension.
#include "ops/reduce.h"

namespace bolide {

namespace {

/// A scan of self, as `dtype`; integers and bools become int64 where none is asked for.
Tensor scan(const char* op, ScanOp which, Out out, const Tensor& self, int64_t dim, OptDType dtype, bool reverse = false) {
  const DType natural = is_differentiable(self.dtype()) || which == ScanOp::LogSumExp ? self.dtype() : DType::Int64;
  const DType t = dtype ? *dtype : out.tensor ? out.tensor->dtype() : natural;
  dim = wrap_dim(dim, self.dim());
  const Tensor x = cast(self, t);
  const Tensor r = iter::reduce_output(op, out, self.sizes(), t, self.device());
  kernels(x).scan(which, x, dim, reverse, r, {});
  return r;
}
std::tuple<Tensor, Tensor> scan_extreme(const char* op, ScanOp which, const Tensor& self, int64_t dim) {
  BOLIDE_CHECK(!is_complex(self.dtype()), op, "(): does not support complex input");
  dim = wrap_dim(dim, self.dim());
  const Tensor v = Tensor::make(self.sizes(), self.dtype(), self.device()), i = Tensor::make(self.sizes(), DType::Int64, self.device());
  kernels(self).scan(which, self, dim, false, v, i);
  return {v, i};
}

}  // namespace

struct Cumsum {
  static constexpr auto schema = "cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(Out out, const Tensor& self, int64_t dim, OptDType dtype) { return scan("cumsum", ScanOp::Sum, out, self, dim, dtype); }
  static Grads backward(const Call& c, const Tensor& g) { return _reverse_cumsum(g, c.integer(1)); }
};
Tensor cumsum(const Tensor& self, int64_t dim, OptDType dtype) { return call<Cumsum>(self, dim, dtype); }
const Register<Cumsum> cumsum_op;

// From the last element on.
struct ReverseCumsum {
  static constexpr auto schema = "_reverse_cumsum(Tensor self, int dim) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(Out out, const Tensor& self, int64_t dim) { return scan("cumsum", ScanOp::Sum, out, self, dim, self.dtype(), true); }
  static Grads backward(const Call& c, const Tensor& g) { return cumsum(g, c.integer(1)); }
};
Tensor _reverse_cumsum(const Tensor& self, int64_t dim) { return call<ReverseCumsum>(self, dim); }
const Register<ReverseCumsum> reverse_cumsum_op;

// y[k] = x[k] + factor[k] * y[k - 1]; reverse: y[k] = x[k] + factor[k + 1] * y[k + 1]. Each is the other's adjoint. What
// derivatives of running products and log-sums need where dividing is not safe.
struct LinearRecurrence {
  static constexpr auto schema = "_linear_recurrence(Tensor self, Tensor factor, int dim, bool reverse=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr uint8_t home = kInternal;
  static constexpr uint8_t variants = 0;
  static Tensor forward(const Tensor& x, const Tensor& factor, int64_t dim, bool reverse) {
    BOLIDE_CHECK(x.sizes() == factor.sizes() && x.dtype() == factor.dtype(), "_linear_recurrence(): self and factor differ in shape or dtype");
    dim = wrap_dim(dim, x.dim());
    const Tensor y = Tensor::make(x.sizes(), x.dtype(), x.device());
    kernels(x).recurrence(x, factor, dim, reverse, y);
    return y;
  }
  static constexpr auto saved = saves(in<1>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor factor = c.in(1), y = c.out();
    const int64_t dim = c.integer(2);
    const bool reverse = c.flag(3);
    const Tensor dx = _linear_recurrence(g, conj(factor), dim, !reverse);
    if (!c.needs(1) || factor.dim() == 0 || !factor.numel()) return Grads(dx, zeros_like(factor));
    const int64_t n = factor.size(dim);
    const Tensor inner = reverse ? mul(narrow(dx, dim, 0, n - 1), conj(narrow(y, dim, 1, n - 1)))
                                 : mul(narrow(dx, dim, 1, n - 1), conj(narrow(y, dim, 0, n - 1)));
    const Tensor parts[] = {zeros_like(narrow(factor, dim, 0, 1)), inner};
    return Grads(dx, cat(parts, dim));
  }
};
Tensor _linear_recurrence(const Tensor& self, const Tensor& factor, int64_t dim, bool reverse) {
  return call<LinearRecurrence>(self, factor, dim, reverse);
}
const Register<LinearRecurrence> linear_recurrence_op;

namespace {

/// The products of all earlier elements.
Tensor products_before(const Tensor& x, int64_t dim) {
  const Tensor parts[] = {ones_like(narrow(x, dim, 0, 1)), narrow(x, dim, 0, x.size(dim) - 1)};
  return cumprod(cat(parts, dim), dim);
}
Tensor cumprod_backward(const Tensor& g, const Tensor& x, const Tensor& result, int64_t dim) {
  if (x.dim() == 0 || x.numel() == 0) return g;
  dim = wrap_dim(dim, x.dim());
  const Tensor cx = conj(x);
  const bool zeros = !x.device().is_meta() && any(eq(x.detach(), 0)).item().to<bool>();
  if (!zeros) return div(_reverse_cumsum(mul(g, conj(result)), dim), cx);
  return mul(products_before(cx, dim), _linear_recurrence(g, cx, dim, true));
}

}  // namespace

struct Cumprod {
  static constexpr auto schema = "cumprod(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(Out out, const Tensor& self, int64_t dim, OptDType dtype) { return scan("cumprod", ScanOp::Prod, out, self, dim, dtype); }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return cumprod_backward(g, c.in(0), c.out(), c.integer(1)); }
};
Tensor cumprod(const Tensor& self, int64_t dim, OptDType dtype) { return call<Cumprod>(self, dim, dtype); }
const Register<Cumprod> cumprod_op;

struct ReverseCumprod {
  static constexpr auto schema = "_reverse_cumprod(Tensor self, int dim) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(Out out, const Tensor& self, int64_t dim) { return scan("cumprod", ScanOp::Prod, out, self, dim, self.dtype(), true); }
  static constexpr auto saved = saves(in<0>);
  // by the forward form on the elements in reverse
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor x = c.in(0);
    if (x.dim() == 0 || x.numel() == 0) return g;
    const int64_t dim = wrap_dim(c.integer(1), x.dim()), n = x.size(dim);
    const Tensor turn = arange(n - 1, -1, -1, DType::Int64, x.device());
    const Tensor turned = index_select(x, dim, turn);
    return index_select(cumprod_backward(index_select(g, dim, turn), turned, cumprod(turned, dim), dim), dim, turn);
  }
};
Tensor _reverse_cumprod(const Tensor& self, int64_t dim) { return call<ReverseCumprod>(self, dim); }
const Register<ReverseCumprod> reverse_cumprod_op;

// log(cumsum(exp(x))).
struct Logcumsumexp {
  static constexpr auto schema = "logcumsumexp(Tensor self, int dim) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(Out out, const Tensor& self, int64_t dim) { return scan("logcumsumexp", ScanOp::LogSumExp, out, self, dim, {}); }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor x = c.in(0), result = c.out();
    if (x.dim() == 0 || x.numel() == 0) return g;
    // x[i] reaches all results from i on, by exp(x[i] - result[j]); results grow, so every factor is at most one
    const int64_t dim = c.integer(1), n = x.size(dim);
    const Tensor parts[] = {zeros_like(narrow(x, dim, 0, 1)), sub(narrow(result, dim, 0, n - 1), narrow(result, dim, 1, n - 1))};
    return mul(conj(exp(sub(x, result))), _linear_recurrence(g, conj(exp(cat(parts, dim))), dim, true));
  }
};
Tensor logcumsumexp(const Tensor& self, int64_t dim) { return call<Logcumsumexp>(self, dim); }
const Register<Logcumsumexp> logcumsumexp_op;

struct Cummax {
  static constexpr auto schema = "cummax(Tensor self, int dim) -> (Tensor values, Tensor indices)";
  static constexpr auto kind = Kind::Reduction;
  static std::tuple<Tensor, Tensor> forward(const Tensor& self, int64_t dim) { return scan_extreme("cummax", ScanOp::Max, self, dim); }
  static constexpr auto saved = saves(out<1>);
  static Grads backward(const Call& c, const Tensor& g) { return picked_backward(c, g, c.out(1), c.integer(1), true); }
};
std::tuple<Tensor, Tensor> cummax(const Tensor& self, int64_t dim) { return call<Cummax>(self, dim); }
const Register<Cummax> cummax_op;
struct Cummin {
  static constexpr auto schema = "cummin(Tensor self, int dim) -> (Tensor values, Tensor indices)";
  static constexpr auto kind = Kind::Reduction;
  static std::tuple<Tensor, Tensor> forward(const Tensor& self, int64_t dim) { return scan_extreme("cummin", ScanOp::Min, self, dim); }
  static constexpr auto saved = saves(out<1>);
  static Grads backward(const Call& c, const Tensor& g) { return picked_backward(c, g, c.out(1), c.integer(1), true); }
};
std::tuple<Tensor, Tensor> cummin(const Tensor& self, int64_t dim) { return call<Cummin>(self, dim); }
const Register<Cummin> cummin_op;

}  // namespace bolide
