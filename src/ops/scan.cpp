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

namespace {

/// r[k] = g[k] + x[k + 1] * r[k + 1], from the last on: what reaches x[k] through all later products. Without divisions,
/// for inputs that hold zeros.
Tensor products_that_follow(const Tensor& g, const Tensor& x, int64_t dim) {
  const int64_t n = x.size(dim);
  std::vector<Tensor> r(static_cast<size_t>(n));
  for (int64_t k = n; k-- > 0;) {
    const Tensor here = select(g, dim, k);
    r[static_cast<size_t>(k)] = k + 1 == n ? here : add(here, mul(select(x, dim, k + 1), r[static_cast<size_t>(k + 1)]));
  }
  return stack(r, dim);
}
/// The products of all earlier (reverse: later) elements.
Tensor products_before(const Tensor& x, int64_t dim, bool reverse) {
  const int64_t n = x.size(dim);
  const Tensor one = ones_like(narrow(x, dim, 0, 1));
  const Tensor rest = narrow(x, dim, reverse ? 1 : 0, n - 1);
  const Tensor parts[] = {reverse ? rest : one, reverse ? one : rest};
  return reverse ? _reverse_cumprod(cat(parts, dim), dim) : cumprod(cat(parts, dim), dim);
}
Tensor cumprod_backward(const Tensor& g, const Tensor& x, const Tensor& result, int64_t dim) {
  if (x.dim() == 0 || x.numel() == 0) return g;
  dim = wrap_dim(dim, x.dim());
  const Tensor cx = conj(x);
  const bool zeros = !x.device().is_meta() && any(eq(x.detach(), 0)).item().to<bool>();
  if (!zeros) return div(_reverse_cumsum(mul(g, conj(result)), dim), cx);
  return mul(products_before(cx, dim, false), products_that_follow(g, cx, dim));
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
    const int64_t dim = c.integer(1);
    if (is_complex(x.dtype())) {
      const Tensor by = conj(_reverse_logcumsumexp(sub(log(conj(g)), result), dim));
      return mul(exp(by), conj(exp(x)));
    }
    // positive and negative parts of the gradient apart, in logarithms
    const Tensor low = full({}, -std::numeric_limits<double>::infinity(), g.dtype(), g.device());
    auto part = [&](const Tensor& size, const Tensor& chosen) {
      const Tensor logs = where(chosen, log(size), low);
      return exp(add(_reverse_logcumsumexp(sub(logs, result), dim), x));
    };
    return sub(part(g, gt(g, 0)), part(neg(g), lt(g, 0)));
  }
};
Tensor logcumsumexp(const Tensor& self, int64_t dim) { return call<Logcumsumexp>(self, dim); }
const Register<Logcumsumexp> logcumsumexp_op;

struct ReverseLogcumsumexp {
  static constexpr auto schema = "_reverse_logcumsumexp(Tensor self, int dim) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& self, int64_t dim) {
    if (self.dim() == 0) return self;
    const Tensor turn = arange(self.size(dim) - 1, -1, -1, DType::Int64, self.device());
    return index_select(logcumsumexp(index_select(self, dim, turn), dim), dim, turn);
  }
};
Tensor _reverse_logcumsumexp(const Tensor& self, int64_t dim) { return ReverseLogcumsumexp::forward(self, dim); }
const Register<ReverseLogcumsumexp> reverse_logcumsumexp_op;

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
