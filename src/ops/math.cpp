// Unary mathematics: exponentials, logarithms, roots, trigonometry, each with its derivative.
#include "ops/unary.h"

namespace bolide {

struct ExpOp : FloatUnary<ExpOp> {
  static constexpr auto schema = "exp(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::exp(x); })
  static constexpr auto saved = saves(out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, conj(c.out())); }
};
Tensor exp(const Tensor& self) { return call<ExpOp>(self); }
const Register<ExpOp> exp_op;

struct Expm1Op : FloatUnary<Expm1Op> {
  static constexpr auto schema = "expm1(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::expm1(x); })
  static constexpr auto saved = saves(out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, conj(add(c.out(), 1))); }
};
Tensor expm1(const Tensor& self) { return call<Expm1Op>(self); }
const Register<Expm1Op> expm1_op;

struct Exp2Op : FloatUnary<Exp2Op> {
  static constexpr auto schema = "exp2(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::exp2(x); })
  static constexpr auto saved = saves(out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(mul(g, conj(c.out())), M_LN2); }
};
Tensor exp2(const Tensor& self) { return call<Exp2Op>(self); }
const Register<Exp2Op> exp2_op;

struct LogOp : FloatUnary<LogOp> {
  static constexpr auto schema = "log(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::log(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return div(g, conj(c.in(0))); }
};
Tensor log(const Tensor& self) { return call<LogOp>(self); }
const Register<LogOp> log_op;

struct Log1pOp : FloatUnary<Log1pOp> {
  static constexpr auto schema = "log1p(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::log1p(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return div(g, conj(add(c.in(0), 1))); }
};
Tensor log1p(const Tensor& self) { return call<Log1pOp>(self); }
const Register<Log1pOp> log1p_op;

struct Log2Op : FloatUnary<Log2Op> {
  static constexpr auto schema = "log2(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::log2(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return div(g, mul(conj(c.in(0)), M_LN2)); }
};
Tensor log2(const Tensor& self) { return call<Log2Op>(self); }
const Register<Log2Op> log2_op;

struct Log10Op : FloatUnary<Log10Op> {
  static constexpr auto schema = "log10(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::log10(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return div(g, mul(conj(c.in(0)), M_LN10)); }
};
Tensor log10(const Tensor& self) { return call<Log10Op>(self); }
const Register<Log10Op> log10_op;

struct SqrtOp : FloatUnary<SqrtOp> {
  static constexpr auto schema = "sqrt(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::sqrt(x); })
  static constexpr auto saved = saves(out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return div(g, mul(conj(c.out()), 2)); }
};
Tensor sqrt(const Tensor& self) { return call<SqrtOp>(self); }
const Register<SqrtOp> sqrt_op;

struct RsqrtOp : FloatUnary<RsqrtOp> {
  static constexpr auto schema = "rsqrt(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return T(1) / fn::sqrt(x); })
  static constexpr auto saved = saves(out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(mul(g, -0.5), pow(conj(c.out()), 3)); }
};
Tensor rsqrt(const Tensor& self) { return call<RsqrtOp>(self); }
const Register<RsqrtOp> rsqrt_op;

struct ReciprocalOp : FloatUnary<ReciprocalOp> {
  static constexpr auto schema = "reciprocal(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return T(1) / x; })
  static constexpr auto saved = saves(out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return neg(mul(g, square(conj(c.out())))); }
};
Tensor reciprocal(const Tensor& self) { return call<ReciprocalOp>(self); }
const Register<ReciprocalOp> reciprocal_op;

struct SinOp : FloatUnary<SinOp> {
  static constexpr auto schema = "sin(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::sin(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, conj(cos(c.in(0)))); }
};
Tensor sin(const Tensor& self) { return call<SinOp>(self); }
const Register<SinOp> sin_op;

struct CosOp : FloatUnary<CosOp> {
  static constexpr auto schema = "cos(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::cos(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, neg(conj(sin(c.in(0))))); }
};
Tensor cos(const Tensor& self) { return call<CosOp>(self); }
const Register<CosOp> cos_op;

struct TanOp : FloatUnary<TanOp> {
  static constexpr auto schema = "tan(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::tan(x); })
  static constexpr auto saved = saves(out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, conj(add(square(c.out()), 1))); }
};
Tensor tan(const Tensor& self) { return call<TanOp>(self); }
const Register<TanOp> tan_op;

struct AsinOp : FloatUnary<AsinOp> {
  static constexpr auto schema = "asin(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::asin(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, conj(rsqrt(add(neg(square(c.in(0))), 1)))); }
};
Tensor asin(const Tensor& self) { return call<AsinOp>(self); }
const Register<AsinOp> asin_op;
const Alias<AsinOp> arcsin_op("arcsin");

struct AcosOp : FloatUnary<AcosOp> {
  static constexpr auto schema = "acos(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::acos(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return neg(mul(g, conj(rsqrt(add(neg(square(c.in(0))), 1))))); }
};
Tensor acos(const Tensor& self) { return call<AcosOp>(self); }
const Register<AcosOp> acos_op;
const Alias<AcosOp> arccos_op("arccos");

struct AtanOp : FloatUnary<AtanOp> {
  static constexpr auto schema = "atan(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::atan(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return div(g, conj(add(square(c.in(0)), 1))); }
};
Tensor atan(const Tensor& self) { return call<AtanOp>(self); }
const Register<AtanOp> atan_op;
const Alias<AtanOp> arctan_op("arctan");

struct SinhOp : FloatUnary<SinhOp> {
  static constexpr auto schema = "sinh(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::sinh(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, conj(cosh(c.in(0)))); }
};
Tensor sinh(const Tensor& self) { return call<SinhOp>(self); }
const Register<SinhOp> sinh_op;

struct CoshOp : FloatUnary<CoshOp> {
  static constexpr auto schema = "cosh(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::cosh(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, conj(sinh(c.in(0)))); }
};
Tensor cosh(const Tensor& self) { return call<CoshOp>(self); }
const Register<CoshOp> cosh_op;

struct AsinhOp : FloatUnary<AsinhOp> {
  static constexpr auto schema = "asinh(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::asinh(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, conj(rsqrt(add(square(c.in(0)), 1)))); }
};
Tensor asinh(const Tensor& self) { return call<AsinhOp>(self); }
const Register<AsinhOp> asinh_op;
const Alias<AsinhOp> arcsinh_op("arcsinh");

struct AcoshOp : FloatUnary<AcoshOp> {
  static constexpr auto schema = "acosh(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::acosh(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, conj(rsqrt(sub(square(c.in(0)), 1)))); }
};
Tensor acosh(const Tensor& self) { return call<AcoshOp>(self); }
const Register<AcoshOp> acosh_op;
const Alias<AcoshOp> arccosh_op("arccosh");

struct AtanhOp : FloatUnary<AtanhOp> {
  static constexpr auto schema = "atanh(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::atanh(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return div(g, conj(add(neg(square(c.in(0))), 1))); }
};
Tensor atanh(const Tensor& self) { return call<AtanhOp>(self); }
const Register<AtanhOp> atanh_op;
const Alias<AtanhOp> arctanh_op("arctanh");

struct ErfOp : FloatUnary<ErfOp, Floats> {
  static constexpr auto schema = "erf(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::erf(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, mul(exp(neg(square(c.in(0)))), M_2_SQRTPI)); }
};
Tensor erf(const Tensor& self) { return call<ErfOp>(self); }
const Register<ErfOp> erf_op;

struct ErfcOp : FloatUnary<ErfcOp, Floats> {
  static constexpr auto schema = "erfc(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::erfc(x); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return neg(mul(g, mul(exp(neg(square(c.in(0)))), M_2_SQRTPI))); }
};
Tensor erfc(const Tensor& self) { return call<ErfcOp>(self); }
const Register<ErfcOp> erfc_op;

}  // namespace bolide
