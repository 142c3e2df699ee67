// Special functions. Map: gamma family | error functions and the normal distribution | Bessel functions of imaginary
// argument | functions without derivatives | of two arguments
#include "ops/binary.h"
#include "ops/unary.h"

namespace bolide {

// The functions compute in double, whatever the dtype: one loop each.
using Doubles = Types<double>;

// ---- gamma family ----------------------------------------------------------------------------

// log |gamma(x)|.
struct Lgamma : FloatUnary<Lgamma, Doubles> {
  static constexpr auto schema = "lgamma(Tensor self) -> Tensor";
  BOLIDE_EXPR_ONCE(At, T operator()(T x) const { return fn::lgamma(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, digamma(c.in(0))); }
};
Tensor lgamma(const Tensor& self) { return call<Lgamma>(self); }
const Register<Lgamma> lgamma_op;

// The derivative of lgamma.
struct Digamma : FloatUnary<Digamma, Doubles> {
  static constexpr auto schema = "digamma(Tensor self) -> Tensor";
  BOLIDE_EXPR_ONCE(At, T operator()(T x) const { return fn::digamma(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, polygamma(1, c.in(0))); }
};
Tensor digamma(const Tensor& self) { return call<Digamma>(self); }
const Register<Digamma> digamma_op;

// The n-th derivative of digamma.
struct Polygamma {
  static constexpr auto schema = "polygamma(int n, Tensor self) -> Tensor";
  static constexpr uint8_t home = kFunction, variants = kOut;
  BOLIDE_EXPR_ONCE(At, int64_t n; T operator()(T x) const { return fn::polygamma(n, x); })
  static Tensor forward(Out out, int64_t n, const Tensor& self) {
    BOLIDE_CHECK(n >= 0, "polygamma(n, x) does not support negative n.");
    const DType t = iter::float_type(self.dtype());
    return iter::map<At, Doubles>("polygamma", out, t, t, {self}, n);
  }
  static constexpr auto saved = saves(in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(Tensor(), mul(g, polygamma(c.integer(0) + 1, c.in(1))));
  }
};
Tensor polygamma(int64_t n, const Tensor& self) { return call<Polygamma>(n, self); }
const Register<Polygamma> polygamma_op;

// log of the multivariate gamma function of dimension p.
struct Mvlgamma {
  static constexpr auto schema = "mvlgamma(Tensor self, int p) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(const Tensor& self, int64_t p) {
    BOLIDE_CHECK(p >= 1, "p has to be greater than or equal to 1");
    const DType t = iter::float_type(self.dtype());
    BOLIDE_CHECK(is_floating(t), "mvlgamma is not implemented for ", legacy_name(t));
    const double q = static_cast<double>(p);
    const Tensor halves = arange(Scalar(0.5 - q / 2), Scalar(0.5), Scalar(0.5), t, self.device());
    const Tensor each = lgamma(add(unsqueeze(cast(self, t), -1), halves));
    return add(sum(each, IntList{-1}), q * (q - 1) / 4 * std::log(M_PI));
  }
};
const Register<Mvlgamma> mvlgamma_op;

// ---- error functions and the normal distribution -----------------------------------------------

struct Erfinv : FloatUnary<Erfinv, Doubles> {
  static constexpr auto schema = "erfinv(Tensor self) -> Tensor";
  BOLIDE_EXPR_ONCE(At, T operator()(T x) const { return fn::erfinv(x); })
  static constexpr auto saved = saves(out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(mul(g, exp(square(c.out()))), std::sqrt(M_PI) / 2); }
};
Tensor erfinv(const Tensor& self) { return call<Erfinv>(self); }
const Register<Erfinv> erfinv_op;

// exp(x^2) erfc(x).
struct Erfcx : FloatUnary<Erfcx, Doubles> {
  static constexpr auto schema = "special_erfcx(Tensor self) -> Tensor";
  static constexpr uint8_t home = kInternal, variants = kOut;
  BOLIDE_EXPR_ONCE(At, T operator()(T x) const { return fn::erfcx(x); })
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, sub(mul(mul(c.in(0), 2), c.out()), M_2_SQRTPI)); }
};
Tensor special_erfcx(const Tensor& self) { return call<Erfcx>(self); }
const Register<Erfcx> erfcx_op;

// The normal distribution's function.
struct Ndtr : FloatUnary<Ndtr, Doubles> {
  static constexpr auto schema = "special_ndtr(Tensor self) -> Tensor";
  static constexpr uint8_t home = kInternal, variants = kOut;
  BOLIDE_EXPR_ONCE(At, T operator()(T x) const { return T(0.5) * fn::erfc(-x * T(0.7071067811865476)); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    return mul(mul(g, exp(mul(square(c.in(0)), -0.5))), M_2_SQRTPI * M_SQRT1_2 / 2);
  }
};
Tensor special_ndtr(const Tensor& self) { return call<Ndtr>(self); }
const Register<Ndtr> ndtr_op;

struct LogNdtr : FloatUnary<LogNdtr, Doubles> {
  static constexpr auto schema = "special_log_ndtr(Tensor self) -> Tensor";
  static constexpr uint8_t home = kInternal, variants = kOut;
  BOLIDE_EXPR_ONCE(At, T operator()(T x) const { return fn::log_ndtr(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    return mul(div(g, special_erfcx(mul(c.in(0), -M_SQRT1_2))), M_2_SQRTPI * M_SQRT1_2);
  }
};
Tensor special_log_ndtr(const Tensor& self) { return call<LogNdtr>(self); }
const Register<LogNdtr> log_ndtr_op;

// The inverse of ndtr.
struct Ndtri : FloatUnary<Ndtri, Doubles> {
  static constexpr auto schema = "special_ndtri(Tensor self) -> Tensor";
  static constexpr uint8_t home = kInternal, variants = kOut;
  BOLIDE_EXPR_ONCE(At, T operator()(T x) const { return fn::ndtri(x); })
  static constexpr auto saved = saves(out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    return mul(mul(g, exp(mul(square(c.out()), 0.5))), std::sqrt(2 * M_PI));
  }
};
Tensor special_ndtri(const Tensor& self) { return call<Ndtri>(self); }
const Register<Ndtri> ndtri_op;

// -x log x; 0 at 0, -inf below.
struct Entr : FloatUnary<Entr, Floats> {
  static constexpr auto schema = "special_entr(Tensor self) -> Tensor";
  static constexpr uint8_t home = kInternal, variants = kOut;
  BOLIDE_EXPR(At, T operator()(T x) const { return x > T(0) || fn::is_nan(x) ? -x * fn::log(x) : x == T(0) ? T(0) : -fn::infinity<T>(); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, neg(add(log(c.in(0)), 1))); }
};
Tensor special_entr(const Tensor& self) { return call<Entr>(self); }
const Register<Entr> entr_op;

// ---- Bessel functions of imaginary argument -----------------------------------------------------

struct I0 : FloatUnary<I0, Doubles> {
  static constexpr auto schema = "i0(Tensor self) -> Tensor";
  BOLIDE_EXPR_ONCE(At, T operator()(T x) const { return fn::i0(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, special_i1(c.in(0))); }
};
Tensor i0(const Tensor& self) { return call<I0>(self); }
const Register<I0> i0_op;

// exp(-|x|) I0(x).
struct I0e : FloatUnary<I0e, Doubles> {
  static constexpr auto schema = "special_i0e(Tensor self) -> Tensor";
  static constexpr uint8_t home = kInternal, variants = kOut;
  BOLIDE_EXPR_ONCE(At, T operator()(T x) const { return fn::i0e(x); })
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    return mul(g, sub(special_i1e(c.in(0)), mul(sgn(c.in(0)), c.out())));
  }
};
Tensor special_i0e(const Tensor& self) { return call<I0e>(self); }
const Register<I0e> i0e_op;

namespace {
/// I1's derivative divides by x: at 0 it is 1/2.
struct AwayFromZero {
  Tensor far, x;
  explicit AwayFromZero(const Tensor& self)
      : far(gt(abs(self), self.dtype() == DType::Float64 ? 2.220446049250313e-16 : 1.1920929e-07)), x(where(far, self, 1e-6)) {}
};
}  // namespace

struct I1 : FloatUnary<I1, Doubles> {
  static constexpr auto schema = "special_i1(Tensor self) -> Tensor";
  static constexpr uint8_t home = kInternal, variants = kOut;
  BOLIDE_EXPR_ONCE(At, T operator()(T x) const { return fn::i1(x); })
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const AwayFromZero a(c.in(0));
    return mul(g, where(a.far, sub(i0(a.x), div(c.out(), a.x)), 0.5));
  }
};
Tensor special_i1(const Tensor& self) { return call<I1>(self); }
const Register<I1> i1_op;

// exp(-|x|) I1(x).
struct I1e : FloatUnary<I1e, Doubles> {
  static constexpr auto schema = "special_i1e(Tensor self) -> Tensor";
  static constexpr uint8_t home = kInternal, variants = kOut;
  BOLIDE_EXPR_ONCE(At, T operator()(T x) const { return fn::i1e(x); })
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const AwayFromZero a(c.in(0));
    const Tensor slope = sub(special_i0e(a.x), mul(c.out(), add(sgn(a.x), reciprocal(a.x))));
    return mul(g, where(a.far, slope, 0.5));
  }
};
Tensor special_i1e(const Tensor& self) { return call<I1e>(self); }
const Register<I1e> i1e_op;

// ---- functions without derivatives ---------------------------------------------------------------

template <class Op>
struct PlainSpecial : FloatUnary<Op, Doubles> {
  static constexpr uint8_t home = kInternal, variants = kOut;
  static constexpr bool differentiable = false;
};
#define SPECIAL_FUNCTION(Name, op, function)                              \
  struct Name : PlainSpecial<Name> {                                      \
    static constexpr auto schema = "special_" op "(Tensor self) -> Tensor"; \
    BOLIDE_EXPR_ONCE(At, T operator()(T x) const { return fn::function(x); }) \
  };                                                                      \
  const Register<Name> Name##_op;
SPECIAL_FUNCTION(BesselJ0, "bessel_j0", bessel_j0)
SPECIAL_FUNCTION(BesselJ1, "bessel_j1", bessel_j1)
SPECIAL_FUNCTION(BesselY0, "bessel_y0", bessel_y0)
SPECIAL_FUNCTION(BesselY1, "bessel_y1", bessel_y1)
SPECIAL_FUNCTION(ModifiedI0, "modified_bessel_i0", i0)
SPECIAL_FUNCTION(ModifiedI1, "modified_bessel_i1", i1)
SPECIAL_FUNCTION(ModifiedK0, "modified_bessel_k0", k0)
SPECIAL_FUNCTION(ModifiedK1, "modified_bessel_k1", k1)
SPECIAL_FUNCTION(ScaledK0, "scaled_modified_bessel_k0", k0e)
SPECIAL_FUNCTION(ScaledK1, "scaled_modified_bessel_k1", k1e)
SPECIAL_FUNCTION(SphericalJ0, "spherical_bessel_j0", spherical_bessel_j0)
SPECIAL_FUNCTION(AiryAi, "airy_ai", airy_ai)
#undef SPECIAL_FUNCTION

// ---- of two arguments ------------------------------------------------------------------------------

// x log y; 0 where x is 0, NaN where y is.
struct Xlogy {
  static constexpr auto schema = "xlogy(Operand self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x, T y) const { return fn::is_nan(y) ? y : x == T(0) ? T(0) : x * fn::log(y); })
  static Tensor forward(Out out, const Operand& self, const Operand& other) { return float_binary<At, Floats>("xlogy", out, self, other); }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Saved x(c, 0), y(c, 1);
    Grads r;
    if (c.needs(0)) r.of[0] = masked_fill(xlogy(g, y), logical_and(eq(x.t, 0), y.le(0)), 0);
    if (c.needs(1)) r.of[1] = div(mul(g, x), y.t);
    return r;
  }
};
Tensor xlogy(const Operand& self, const Operand& other) { return call<Xlogy>(self, other); }
const Register<Xlogy> xlogy_op;
const Alias<Xlogy> special_xlogy_op("special_xlogy");

// x log(1 + y), likewise.
struct Xlog1py {
  static constexpr auto schema = "special_xlog1py(Operand self, Operand other) -> Tensor";
  static constexpr uint8_t home = kInternal, variants = kOut;
  BOLIDE_EXPR(At, T operator()(T x, T y) const { return fn::is_nan(y) ? y : x == T(0) ? T(0) : x * fn::log1p(y); })
  static Tensor forward(Out out, const Operand& self, const Operand& other) { return float_binary<At, Floats>("xlog1py", out, self, other); }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Saved x(c, 0), y(c, 1);
    Grads r;
    if (c.needs(0)) r.of[0] = masked_fill(special_xlog1py(g, y), logical_and(eq(x.t, 0), y.le(-1)), 0);
    if (c.needs(1)) r.of[1] = div(mul(g, x), add(y.t, 1));
    return r;
  }
};
Tensor special_xlog1py(const Operand& self, const Operand& other) { return call<Xlog1py>(self, other); }
const Register<Xlog1py> xlog1py_op;

// Hurwitz's zeta function of s and q.
struct Zeta {
  static constexpr auto schema = "special_zeta(Operand self, Operand other) -> Tensor";
  static constexpr uint8_t home = kInternal, variants = kOut;
  static constexpr auto node = "SpecialZetaBackward0";
  BOLIDE_EXPR_ONCE(At, T operator()(T s, T q) const { return fn::zeta(s, q); })
  static Tensor forward(Out out, const Operand& self, const Operand& other) { return float_binary<At, Doubles>("zeta", out, self, other); }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Saved s(c, 0), q(c, 1);
    BOLIDE_CHECK_AS(NotImplementedError, !c.needs(0), "the derivative for 'self' is not implemented");
    if (s.t.defined()) return Grads(Tensor(), mul(mul(g, neg(s.t)), special_zeta(add(s.t, 1), q)));
    return Grads(Tensor(), mul(mul(g, -s.s.to_double()), special_zeta(s.s.to_double() + 1, q)));
  }
};
Tensor special_zeta(const Operand& self, const Operand& other) { return call<Zeta>(self, other); }
const Register<Zeta> zeta_op;

namespace {
/// The slope of the lower incomplete gamma function in x: x^(a-1) exp(-x) / gamma(a).
Tensor igamma_slope(const Call& c, const Tensor& g) {
  BOLIDE_CHECK_AS(NotImplementedError, !c.needs(0), "the derivative for 'self' is not implemented");
  const Tensor a = c.in(0), x = c.in(1);
  return mul(g, exp(sub(sub(mul(sub(a, 1), log(x)), x), lgamma(a))));
}
}  // namespace

struct Igamma {
  static constexpr auto schema = "igamma(Tensor self, Tensor other) -> Tensor";
  BOLIDE_EXPR_ONCE(At, T operator()(T a, T x) const { return fn::igamma(a, x); })
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    return iter::map<At, Doubles>("igamma_cpu", out, t, t, {self, other});
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) { return Grads(Tensor(), igamma_slope(c, g)); }
};
Tensor igamma(const Tensor& self, const Tensor& other) { return call<Igamma>(self, other); }
const Register<Igamma> igamma_op;

struct Igammac {
  static constexpr auto schema = "igammac(Tensor self, Tensor other) -> Tensor";
  BOLIDE_EXPR_ONCE(At, T operator()(T a, T x) const { return fn::igammac(a, x); })
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    return iter::map<At, Doubles>("igammac_cpu", out, t, t, {self, other});
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) { return Grads(Tensor(), neg(igamma_slope(c, g))); }
};
Tensor igammac(const Tensor& self, const Tensor& other) { return call<Igammac>(self, other); }
const Register<Igammac> igammac_op;

// Orthogonal polynomials of degree n at x; either may be a number.
#define POLYNOMIAL(Name, op, function, argument)                                               \
  struct Name {                                                                                \
    static constexpr auto schema = "special_" op "(Operand x, Operand n) -> Tensor";           \
    static constexpr uint8_t home = kInternal, variants = kOut;                                \
    static constexpr bool differentiable = false;                                              \
    BOLIDE_EXPR_ONCE(At, T operator()(T x, T n) const { return fn::function(argument, n); })   \
    static Tensor forward(Out out, const Operand& x, const Operand& n) {                       \
      return float_binary<At, Doubles>(op "_cpu", out, x, n);                                  \
    }                                                                                          \
  };                                                                                           \
  const Register<Name> Name##_op;
POLYNOMIAL(ChebyshevT, "chebyshev_polynomial_t", chebyshev_t, x)
POLYNOMIAL(ChebyshevU, "chebyshev_polynomial_u", chebyshev_u, x)
POLYNOMIAL(ChebyshevV, "chebyshev_polynomial_v", chebyshev_v, x)
POLYNOMIAL(ChebyshevW, "chebyshev_polynomial_w", chebyshev_w, x)
POLYNOMIAL(ShiftedT, "shifted_chebyshev_polynomial_t", chebyshev_t, x + x - T(1))
POLYNOMIAL(ShiftedU, "shifted_chebyshev_polynomial_u", chebyshev_u, x + x - T(1))
POLYNOMIAL(ShiftedV, "shifted_chebyshev_polynomial_v", chebyshev_v, x + x - T(1))
POLYNOMIAL(ShiftedW, "shifted_chebyshev_polynomial_w", chebyshev_w, x + x - T(1))
POLYNOMIAL(HermiteH, "hermite_polynomial_h", hermite_h, x)
POLYNOMIAL(HermiteHe, "hermite_polynomial_he", hermite_he, x)
POLYNOMIAL(LaguerreL, "laguerre_polynomial_l", laguerre_l, x)
POLYNOMIAL(LegendreP, "legendre_polynomial_p", legendre_p, x)
#undef POLYNOMIAL

}  // namespace bolide
