// Variances, deviations, norms and distances; covariances; differences.
#include <cmath>

#include "ops/index.h"
#include "ops/reduce.h"

namespace bolide {

namespace {

using OptDims = std::optional<IntList>;
using OptScalar = std::optional<Scalar>;
using Pair = std::tuple<Tensor, Tensor>;

// ---- variances ---------------------------------------------------------------------------------

/// Variance (or its root) and mean; what is not wanted stays undefined.
Pair moments(const char* op, const Tensor& self, const OptDims& dims, const OptScalar& correction, bool keepdim, bool root, bool want_mean) {
  BOLIDE_CHECK(is_differentiable(self.dtype()), op, " only support floating point and complex dtypes");
  const double c = correction ? correction->to_double() : 1;
  if (is_complex(self.dtype())) {
    const auto [re, re_mean] = moments(op, contiguous(real(self)), dims, c, keepdim, false, want_mean);
    const auto [im, im_mean] = moments(op, contiguous(imag(self)), dims, c, keepdim, false, want_mean);
    const Tensor v = add(re, im);
    return {root ? sqrt(v) : v, want_mean ? mean(self, dims, keepdim) : Tensor()};
  }
  const DimSet set = iter::dim_set(dims, self.dim());
  const Dims sizes = iter::reduced_sizes(self, set, keepdim);
  const Tensor v = Tensor::make(sizes, self.dtype(), self.device()), m = want_mean ? Tensor::make(sizes, self.dtype(), self.device()) : Tensor();
  kernels(self).reduce_var(self, set, c, root, v, m);
  return {v, m};
}

int64_t count_of(const Tensor& x, const OptDims& dims) { return iter::reduced_count(x, iter::dim_set(dims, x.dim())); }

Tensor var_backward(const Tensor& x, const Tensor& g, const OptDims& dims, const OptScalar& correction, bool keepdim) {
  const double divisor = std::max(0.0, static_cast<double>(count_of(x, dims)) - (correction ? correction->to_double() : 1));
  const Tensor share = keep_dims(mul(g, 2.0 / divisor), x.sizes(), dims, keepdim);
  return mul(share, sub(x, mean(x, dims, true)));
}
Tensor std_backward(const Tensor& x, const Tensor& result, const Tensor& g, const OptDims& dims, const OptScalar& correction, bool keepdim) {
  const Tensor by = masked_fill(div(g, mul(result, 2)), eq(result, 0), 0);
  return var_backward(x, by, dims, correction, keepdim);
}
Tensor mean_backward(const Tensor& x, const Tensor& g, const OptDims& dims, bool keepdim) {
  return restore_dims(div(g, static_cast<double>(count_of(x, dims))), x.sizes(), dims, keepdim);
}
OptScalar correction_of(bool unbiased) { return Scalar(unbiased ? 1 : 0); }

}  // namespace

struct Var {
  static constexpr auto schema = "var.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static Tensor forward(const Tensor& self, OptDims dim, OptScalar correction, bool keepdim) {
    return std::get<0>(moments("std and var", self, dim, correction, keepdim, false, false));
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return var_backward(c.in(0), g, c.value<OptDims>(1), c.value<OptScalar>(2), c.flag(3)); }
};
Tensor var(const Tensor& self, OptDims dim, OptScalar correction, bool keepdim) { return call<Var>(self, dim, correction, keepdim); }
struct VarAll {
  static constexpr auto schema = "var(Tensor self, bool unbiased=True) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, bool unbiased) { return var(self, {}, correction_of(unbiased)); }
};
struct VarDim {
  static constexpr auto schema = "var.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, OptDims dim, bool unbiased, bool keepdim) { return var(self, dim, correction_of(unbiased), keepdim); }
};
const Register<VarAll> var_all_op;
const Register<VarDim> var_dim_op;
const Register<Var> var_op;

struct Std {
  static constexpr auto schema = "std.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static Tensor forward(const Tensor& self, OptDims dim, OptScalar correction, bool keepdim) {
    return std::get<0>(moments("std and var", self, dim, correction, keepdim, true, false));
  }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    return std_backward(c.in(0), c.out(), g, c.value<OptDims>(1), c.value<OptScalar>(2), c.flag(3));
  }
};
Tensor std(const Tensor& self, OptDims dim, OptScalar correction, bool keepdim) { return call<Std>(self, dim, correction, keepdim); }
struct StdAll {
  static constexpr auto schema = "std(Tensor self, bool unbiased=True) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, bool unbiased) { return bolide::std(self, {}, correction_of(unbiased)); }
};
struct StdDim {
  static constexpr auto schema = "std.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, OptDims dim, bool unbiased, bool keepdim) { return bolide::std(self, dim, correction_of(unbiased), keepdim); }
};
const Register<StdAll> std_all_op;
const Register<StdDim> std_dim_op;
const Register<Std> std_op;

struct VarMean {
  static constexpr auto schema =
      "var_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> (Tensor, Tensor)";
  static constexpr auto kind = Kind::Reduction;
  static constexpr uint8_t home = kFunction;
  static constexpr uint8_t variants = 0;
  static Pair forward(const Tensor& self, OptDims dim, OptScalar correction, bool keepdim) {
    return moments("var_mean", self, dim, correction, keepdim, false, true);
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, std::span<const Tensor> g) {
    const OptDims dims = c.value<OptDims>(1);
    Tensor r;
    if (g[0].defined()) r = var_backward(c.in(0), g[0], dims, c.value<OptScalar>(2), c.flag(3));
    if (g[1].defined()) r = r.defined() ? add(r, mean_backward(c.in(0), g[1], dims, c.flag(3))) : mean_backward(c.in(0), g[1], dims, c.flag(3));
    return r;
  }
};
struct StdMean {
  static constexpr auto schema =
      "std_mean.correction(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> (Tensor, Tensor)";
  static constexpr auto kind = Kind::Reduction;
  static constexpr uint8_t home = kFunction;
  static constexpr uint8_t variants = 0;
  static Pair forward(const Tensor& self, OptDims dim, OptScalar correction, bool keepdim) {
    return moments("std_mean", self, dim, correction, keepdim, true, true);
  }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, std::span<const Tensor> g) {
    const OptDims dims = c.value<OptDims>(1);
    Tensor r;
    if (g[0].defined()) r = std_backward(c.in(0), c.out(0), g[0], dims, c.value<OptScalar>(2), c.flag(3));
    if (g[1].defined()) r = r.defined() ? add(r, mean_backward(c.in(0), g[1], dims, c.flag(3))) : mean_backward(c.in(0), g[1], dims, c.flag(3));
    return r;
  }
};
struct VarMeanAll {
  static constexpr auto schema = "var_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Pair forward(const Tensor& self, bool unbiased) { return call<VarMean>(self, OptDims(), correction_of(unbiased), false); }
};
struct VarMeanDim {
  static constexpr auto schema = "var_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Pair forward(const Tensor& self, OptDims dim, bool unbiased, bool keepdim) { return call<VarMean>(self, dim, correction_of(unbiased), keepdim); }
};
struct StdMeanAll {
  static constexpr auto schema = "std_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Pair forward(const Tensor& self, bool unbiased) { return call<StdMean>(self, OptDims(), correction_of(unbiased), false); }
};
struct StdMeanDim {
  static constexpr auto schema = "std_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Pair forward(const Tensor& self, OptDims dim, bool unbiased, bool keepdim) { return call<StdMean>(self, dim, correction_of(unbiased), keepdim); }
};
const Register<VarMeanAll> var_mean_all_op;
const Register<VarMeanDim> var_mean_dim_op;
const Register<VarMean> var_mean_op;
const Register<StdMeanAll> std_mean_all_op;
const Register<StdMeanDim> std_mean_dim_op;
const Register<StdMean> std_mean_op;

// ---- norms ---------------------------------------------------------------------------------------

namespace {

/// x / |x|, 0 at 0, for real and complex.
Tensor direction(const Tensor& x) { return sgn(x); }
Tensor norm_backward(const Tensor& x, const Tensor& result, Tensor g, double p, const OptDims& dims, bool keepdim) {
  Tensor n = keep_dims(result, x.sizes(), dims, keepdim);
  g = keep_dims(g, x.sizes(), dims, keepdim);
  if (p == 0) return zeros_like(x);
  if (p == 1) return mul(direction(x), g);
  if (p == 2) return mul(x, masked_fill(div(g, n), eq(n, 0), 0));
  if (std::isinf(p)) {  // shared by the elements that reach it
    const Tensor hit = eq(abs(x.detach()), n.detach());
    return mul(mul(direction(x), div(g, sum(hit, dims, true))), hit);
  }
  const Tensor size = abs(x), scale = masked_fill(div(g, pow(n, p - 1)), eq(n, 0), 0);
  if (p < 1) return mul(mul(direction(x), masked_fill(pow(size, p - 1), eq(x, 0), 0)), scale);
  return mul(mul(direction(x), pow(size, p - 1)), scale);
}

}  // namespace

struct VectorNorm {
  static constexpr auto schema =
      "linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(Out out, const Tensor& self, const Scalar& ord, OptDims dim, bool keepdim, OptDType dtype) {
    BOLIDE_CHECK(is_differentiable(self.dtype()), "linalg.vector_norm: Expected a floating point or complex tensor as input. Got ", legacy_name(self.dtype()));
    BOLIDE_CHECK(!dtype || (is_differentiable(*dtype) && is_complex(*dtype) == is_complex(self.dtype())),
                 "linalg.vector_norm: dtype should be floating point (complex for complex input), but got ", legacy_name(dtype.value_or(DType::Float32)));
    const Tensor x = dtype ? cast(self, *dtype) : self;
    const double p = ord.to_double();
    const DimSet set = iter::dim_set(dim, x.dim());
    if (p < 0 || std::isinf(p)) {
      for (int64_t d = 0; d < x.dim(); ++d)
        BOLIDE_CHECK(!(set >> d & 1) || x.size(d) || !iter::reduced_sizes(x, set, true).size(), "linalg.vector_norm cannot compute the ", ord,
                     " norm on an empty tensor because the operation does not have an identity");
    }
    const Tensor r = iter::reduce_output("linalg_vector_norm", out, iter::reduced_sizes(x, set, keepdim), real_of(x.dtype()), x.device());
    kernels(x).reduce_norm(x, set, p, r);
    return r;
  }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    return norm_backward(c.in(0), c.out(), g, c.number(1).to_double(), c.value<OptDims>(2), c.flag(3));
  }
};
Tensor linalg_vector_norm(const Tensor& self, const Scalar& ord, OptDims dim, bool keepdim, OptDType dtype) {
  return call<VectorNorm>(self, ord, dim, keepdim, dtype);
}
const Register<VectorNorm> vector_norm_op;

struct Dist {
  static constexpr auto schema = "dist(Tensor self, Tensor other, Scalar p=2) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, const Tensor& other, const Scalar& p) { return linalg_vector_norm(sub(self, other), p); }
};
const Register<Dist> dist_op;

// Slices along dim whose p-norm exceeds maxnorm are scaled down to it.
struct Renorm {
  static constexpr auto schema = "renorm(Tensor self, Scalar p, int dim, Scalar maxnorm) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(const Tensor& self, const Scalar& p, int64_t dim, const Scalar& maxnorm) {
    BOLIDE_CHECK(p.to_double() > 0, "renorm: non-positive norm not supported");
    BOLIDE_CHECK(maxnorm.to_double() >= 0, "renorm: expected maxnorm to be >= 0 but got ", maxnorm);
    BOLIDE_CHECK(self.dim() > 1, "renorm: input needs at least 2 dimensions, got ", self.dim(), " dimensions");
    dim = wrap_dim(dim, self.dim());
    std::vector<int64_t> rest;
    for (int64_t d = 0; d < self.dim(); ++d) if (d != dim) rest.push_back(d);
    const Tensor n = linalg_vector_norm(self, p, IntList(rest), true);
    const Tensor factor = where(gt(n, maxnorm), div(full({}, maxnorm, n.dtype(), n.device()), add(n, 1e-7)), ones({}, n.dtype(), n.device()));
    return mul(self, factor);
  }
};
const Register<Renorm> renorm_op;

// ---- sums of special shape ---------------------------------------------------------------------------

struct Trace {
  static constexpr auto schema = "trace(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self) {
    BOLIDE_CHECK(self.dim() == 2, "trace: expected a matrix, but got tensor with dim ", self.dim());
    return sum(diagonal(self, 0, 0, 1));
  }
};
const Register<Trace> trace_op;

// n-th differences of neighbours, with parts put before and after.
struct Diff {
  static constexpr auto schema = "diff(Tensor self, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, int64_t n, int64_t dim, const Tensor& prepend, const Tensor& append) {
    BOLIDE_CHECK(self.dim() > 0, "diff expects input to be at least one-dimensional");
    BOLIDE_CHECK(n >= 0, "order must be non-negative but got ", n);
    dim = wrap_dim(dim, self.dim());
    std::vector<Tensor> parts;
    if (prepend.defined()) parts.push_back(prepend);
    parts.push_back(self);
    if (append.defined()) parts.push_back(append);
    Tensor x = parts.size() > 1 && n > 0 ? cat(parts, dim) : self;
    if (n == 0) return clone(x);
    for (int64_t k = std::min(n, x.size(dim)); k > 0; --k) {
      const int64_t m = x.size(dim) - 1;
      const Tensor a = narrow(x, dim, 1, m), b = narrow(x, dim, 0, m);
      x = x.dtype() == DType::Bool ? logical_xor(a, b) : sub(a, b);
    }
    return x;
  }
};
const Register<Diff> diff_op;

namespace {

/// PyTorch's covariance of rows, with counts and importances of the observations.
Tensor covariance(const Tensor& self, int64_t correction, const Tensor& fweights, const Tensor& aweights) {
  BOLIDE_CHECK(self.dim() <= 2, "cov(): expected input to have two or fewer dimensions but got an input with ", self.dim(), " dimensions");
  BOLIDE_CHECK(self.dtype() != DType::Bool, "cov(): bool dtype is not supported for input");
  const Tensor x = self.dim() < 2 ? reshape(self, {1, -1}) : self;
  const int64_t n = x.size(1);
  auto check_weights = [&](const Tensor& w, const char* name, bool whole) {
    BOLIDE_CHECK(w.dim() <= 1, "cov(): expected ", name, " to have one or fewer dimensions but got ", name, " with ", w.dim(), " dimensions");
    BOLIDE_CHECK(whole ? is_integral(w.dtype()) : is_floating(w.dtype()), "cov(): expected ", name, " to have ", whole ? "integral" : "floating point",
                 " dtype but got ", name, " with ", legacy_name(w.dtype()), " dtype");
    BOLIDE_CHECK(w.numel() == n, "cov(): expected ", name, " to have the same numel as there are observations in the input but got ", w.numel(), " != ", n);
    BOLIDE_CHECK(!w.numel() || w.device().is_meta() || min(w.detach()).item<double>() >= 0, "cov(): ", name, " cannot be negative");
  };
  Tensor w;
  if (fweights.defined()) check_weights(fweights, "fweights", true), w = fweights;
  if (aweights.defined()) check_weights(aweights, "aweights", false), w = w.defined() ? mul(w, aweights) : aweights;
  const Tensor total = w.defined() ? sum(w) : full({}, n, DType::Int64, x.device());
  BOLIDE_CHECK(!w.defined() || w.device().is_meta() || total.item<double>() != 0, "cov(): weights sum to zero, can't be normalized");
  const Tensor average = w.defined() ? div(sum(mul(x, w), IntList{1}), total) : mean(is_differentiable(x.dtype()) ? x : cast(x, default_dtype()), IntList{1});
  Tensor norm = sub(total, correction);
  if (w.defined() && aweights.defined() && correction)
    norm = sub(total, div(mul(sum(mul(w, aweights)), correction), total));
  norm = clamp(norm, Scalar(0), {});
  const Tensor d = sub(x, unsqueeze(average, 1));
  const Tensor c = matmul(d, conj(t(w.defined() ? mul(d, w) : d)));
  return squeeze(div(c, norm));
}

}  // namespace

struct Cov {
  static constexpr auto schema = "cov(Tensor self, *, int correction=1, Tensor? fweights=None, Tensor? aweights=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, int64_t correction, const Tensor& fweights, const Tensor& aweights) {
    return covariance(self, correction, fweights, aweights);
  }
};
const Register<Cov> cov_op;

struct Corrcoef {
  static constexpr auto schema = "corrcoef(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self) {
    BOLIDE_CHECK(self.dim() <= 2, "corrcoef(): expected input to have two or fewer dimensions but got an input with ", self.dim(), " dimensions");
    Tensor c = covariance(self, 1, {}, {});
    if (c.dim() == 0) return div(c, c);
    const Tensor d = diagonal(c, 0, 0, 1), scale = sqrt(is_complex(d.dtype()) ? real(d) : d);
    c = div(div(c, unsqueeze(scale, -1)), unsqueeze(scale, 0));
    if (!is_complex(c.dtype())) return clamp(c, Scalar(-1), Scalar(1));
    return complex(clamp(real(c), Scalar(-1), Scalar(1)), clamp(imag(c), Scalar(-1), Scalar(1)));
  }
};
const Register<Corrcoef> corrcoef_op;

// The cross product along a dimension of three.
struct LinalgCross {
  static constexpr auto schema = "linalg_cross(Tensor self, Tensor other, *, int dim=-1) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& a, const Tensor& b, int64_t dim) {
    BOLIDE_CHECK(a.dim() == b.dim(), "linalg.cross: inputs must have the same number of dimensions.");
    const int64_t d = wrap_dim(dim, a.dim());
    BOLIDE_CHECK(a.dim() && a.size(d) == 3 && b.size(d) == 3, "linalg.cross: inputs dimension ", dim, " must have length 3. Got ",
                 a.dim() ? a.size(d) : 1, " and ", b.dim() ? b.size(d) : 1);
    const Tensor x = a, y = b;
    auto part = [&](const Tensor& t, int64_t i) { return narrow(t, d, i, 1); };
    auto term = [&](int64_t i, int64_t j) { return sub(mul(part(x, i), part(y, j)), mul(part(x, j), part(y, i))); };
    const Tensor parts[] = {term(1, 2), term(2, 0), term(0, 1)};
    return cat(parts, d);
  }
};
Tensor linalg_cross(const Tensor& self, const Tensor& other, int64_t dim) { return LinalgCross::forward(self, other, dim); }
const Register<LinalgCross> linalg_cross_op;

struct Cross {
  static constexpr auto schema = "cross(Tensor self, Tensor other, int? dim=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, const Tensor& other, std::optional<int64_t> dim) {
    if (dim) return linalg_cross(self, other, *dim);
    for (int64_t d = 0; d < self.dim(); ++d)
      if (self.size(d) == 3) return linalg_cross(self, other, d);
    fail("no dimension of size 3 in input");
  }
};
const Register<Cross> cross_op;

// Distances between all rows of x1 and all rows of x2.
struct Cdist {
  static constexpr auto schema = "cdist(Tensor x1, Tensor x2, float p=2, int? compute_mode=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& a, const Tensor& b, double p, std::optional<int64_t>) {
    BOLIDE_CHECK(a.dim() >= 2 && b.dim() >= 2, "cdist only supports at least 2D tensors, X1 got: ", a.dim(), "D, X2 got: ", b.dim(), "D");
    BOLIDE_CHECK(a.size(-1) == b.size(-1), "X1 and X2 must have the same number of columns. X1: ", a.size(-1), " X2: ", b.size(-1));
    BOLIDE_CHECK(is_floating(a.dtype()) && is_floating(b.dtype()), "cdist only supports floating-point dtypes, X1 got: ", legacy_name(a.dtype()));
    BOLIDE_CHECK(p >= 0, "cdist only supports non-negative p values");
    if (a.size(-1) == 0) {
      Dims sizes = sub(unsqueeze(a, -2), unsqueeze(b, -3)).sizes();
      sizes.erase(sizes.size() - 1);
      return zeros(sizes, a.dtype(), a.device());
    }
    return linalg_vector_norm(sub(unsqueeze(a, -2), unsqueeze(b, -3)), p, IntList{-1});
  }
};
const Register<Cdist> cdist_op;

}  // namespace bolide
