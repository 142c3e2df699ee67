// Functions of two tensors. Map: signs and steps | lengths and logarithmic sums | extremes that ignore NaN | powers of two,
// powers in double | integers
#include "ops/binary.h"

namespace bolide {

// ---- signs and steps ---------------------------------------------------------------------------

// self with the sign of other.
struct Copysign {
  static constexpr auto schema = "copysign(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T a, T b) const { return fn::copysign(a, b); })
  static Tensor forward(Out out, const Tensor& self, const Operand& other) { return float_binary<At, Floats>("copysign_cpu", out, self, other); }
  static constexpr auto saved = saves(in_for<0, 0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    if (c.needs(0)) r.of[0] = mul(g, masked_fill(div(c.out(), c.in(0)), eq(c.in(0), 0), 0));
    if (c.needs(1)) r.of[1] = zeros_like(g);
    return r;
  }
};
Tensor copysign(const Tensor& self, const Operand& other) { return call<Copysign>(self, other); }
const Register<Copysign> copysign_op;

// 0 below zero, 1 above, `values` at zero.
struct Heaviside {
  static constexpr auto schema = "heaviside(Tensor self, Tensor values) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x, T at_zero) const { return x == T(0) ? at_zero : static_cast<T>(x > T(0)); })
  static Tensor forward(Out out, const Tensor& self, const Tensor& values) {
    BOLIDE_CHECK(!is_complex(self.dtype()) && !is_complex(values.dtype()) && !(out.tensor && is_complex(out.tensor->dtype())),
                 "heaviside is not yet implemented for complex tensors.");
    BOLIDE_CHECK(self.dtype() == values.dtype() && !(out.tensor && out.tensor->dtype() != self.dtype()),
                 "heaviside is not yet implemented for tensors with different dtypes.");
    return iter::map<At, Join<Ints, Floats, Bools>>("heaviside", out, self.dtype(), self.dtype(), {self, values});
  }
  static Grads backward(const Call&, const Tensor&) {
    fail<NotImplementedError>("derivative for heaviside is not implemented");
  }
};
Tensor heaviside(const Tensor& self, const Tensor& values) { return call<Heaviside>(self, values); }
const Register<Heaviside> heaviside_op;

// The neighbour of self towards other.
struct Nextafter {
  static constexpr auto schema = "nextafter(Tensor self, Tensor other) -> Tensor";
  BOLIDE_EXPR_ONCE(At, T operator()(T a, T b) const { return fn::nextafter(a, b); })
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    return iter::map<At, Join<Floats, Halves>>("nextafter_cpu", out, t, t, {self, other});
  }
  static constexpr auto saved = saves(in_for<0, 0>, in_for<1, 0>);
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(c.needs(0) ? masked_fill(g, eq(c.in(0), c.in(1)), 0) : Tensor(), c.needs(1) ? zeros_like(g) : Tensor());
  }
};
Tensor nextafter(const Tensor& self, const Tensor& other) { return call<Nextafter>(self, other); }
const Register<Nextafter> nextafter_op;

// The angle of (other, self) in (-pi, pi].
struct Atan2 {
  static constexpr auto schema = "atan2(Tensor self, Tensor other) -> Tensor";
  BOLIDE_EXPR_ONCE(At, T operator()(T a, T b) const { return fn::atan2(a, b); })
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) { return float_binary<At, Floats>("atan2", out, self, other); }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor a = c.in(0), b = c.in(1);
    const Tensor r = masked_fill(reciprocal(add(square(a), square(b))), logical_and(eq(a, 0), eq(b, 0)), 0);
    return Grads(c.needs(0) ? mul(g, mul(b, r)) : Tensor(), c.needs(1) ? mul(g, mul(neg(a), r)) : Tensor());
  }
};
Tensor atan2(const Tensor& self, const Tensor& other) { return call<Atan2>(self, other); }
const Register<Atan2> atan2_op;
const Alias<Atan2> arctan2_op("arctan2");

// ---- lengths and logarithmic sums -----------------------------------------------------------------

// sqrt(self^2 + other^2) without overflow.
struct Hypot {
  static constexpr auto schema = "hypot(Tensor self, Tensor other) -> Tensor";
  BOLIDE_EXPR_ONCE(At, T operator()(T a, T b) const { return fn::hypot(a, b); })
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    return iter::map<At, Floats>("hypot_cpu", out, t, t, {self, other});
  }
  static constexpr auto saved = saves(in<0>, in<1>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(c.needs(0) ? mul(g, div(c.in(0), c.out())) : Tensor(), c.needs(1) ? mul(g, div(c.in(1), c.out())) : Tensor());
  }
};
Tensor hypot(const Tensor& self, const Tensor& other) { return call<Hypot>(self, other); }
const Register<Hypot> hypot_op;

// log(exp(self) + exp(other)) without overflow.
struct Logaddexp {
  static constexpr auto schema = "logaddexp(Tensor self, Tensor other) -> Tensor";
  static constexpr uint8_t variants = kOut;
  BOLIDE_EXPR(At, T operator()(T a, T b) const { return fn::logaddexp(a, b); })
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    return iter::map<At, Join<Floats, Complexes>>("logaddexp_cpu", out, t, t, {self, other});
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor a = c.in(0), b = c.in(1);
    return Grads(c.needs(0) ? div(g, conj(add(exp(sub(b, a)), 1))) : Tensor(), c.needs(1) ? div(g, conj(add(exp(sub(a, b)), 1))) : Tensor());
  }
};
Tensor logaddexp(const Tensor& self, const Tensor& other) { return call<Logaddexp>(self, other); }
const Register<Logaddexp> logaddexp_op;

// The same with base two.
struct Logaddexp2 {
  static constexpr auto schema = "logaddexp2(Tensor self, Tensor other) -> Tensor";
  static constexpr uint8_t variants = kOut;
  BOLIDE_EXPR(At, T operator()(T a, T b) const {
    const T top = a > b ? a : b;
    const T other = a > b ? b : a;
    const T sum = top + fn::log1p(fn::exp2(other - top)) * T(1.4426950408889634);
    return a == b ? a + T(1) : sum;
  })
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    return iter::map<At, Floats>("logaddexp2_cpu", out, t, t, {self, other});
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor a = c.in(0), b = c.in(1);
    return Grads(c.needs(0) ? div(g, add(exp2(sub(b, a)), 1)) : Tensor(), c.needs(1) ? div(g, add(exp2(sub(a, b)), 1)) : Tensor());
  }
};
Tensor logaddexp2(const Tensor& self, const Tensor& other) { return call<Logaddexp2>(self, other); }
const Register<Logaddexp2> logaddexp2_op;

// ---- extremes that ignore NaN ------------------------------------------------------------------------

struct Fmax {
  static constexpr auto schema = "fmax(Tensor self, Tensor other) -> Tensor";
  static constexpr uint8_t variants = kOut;
  BOLIDE_EXPR(At, T operator()(T a, T b) const { return fn::is_nan(b) || a > b ? a : b; })
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    BOLIDE_CHECK(!is_complex(t), "fmax not implemented for complex tensors.");
    return iter::map<At, Join<Ints, Floats, Bools>>("fmax", out, t, t, {self, other});
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor first = logical_or(ge(c.in(0), c.in(1)), isnan(c.in(1)));
    return Grads(masked_fill(g, logical_not(first), 0), masked_fill(g, first, 0));
  }
};
Tensor fmax(const Tensor& self, const Tensor& other) { return call<Fmax>(self, other); }
const Register<Fmax> fmax_op;

struct Fmin {
  static constexpr auto schema = "fmin(Tensor self, Tensor other) -> Tensor";
  static constexpr uint8_t variants = kOut;
  BOLIDE_EXPR(At, T operator()(T a, T b) const { return fn::is_nan(b) || a < b ? a : b; })
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    BOLIDE_CHECK(!is_complex(t), "fmin not implemented for complex tensors.");
    return iter::map<At, Join<Ints, Floats, Bools>>("fmin", out, t, t, {self, other});
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor first = logical_or(le(c.in(0), c.in(1)), isnan(c.in(1)));
    return Grads(masked_fill(g, logical_not(first), 0), masked_fill(g, first, 0));
  }
};
Tensor fmin(const Tensor& self, const Tensor& other) { return call<Fmin>(self, other); }
const Register<Fmin> fmin_op;

// ---- powers of two, powers in double ----------------------------------------------------------------

// self * 2^other.
struct Ldexp {
  static constexpr auto schema = "ldexp(Tensor self, Tensor other) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(const Tensor& self, const Tensor& other) { return mul(self, rpow(other, 2.0)); }
};
Tensor ldexp(const Tensor& self, const Tensor& other) { return Ldexp::forward(self, other); }
const Register<Ldexp> ldexp_op;

// self ** exponent in float64 or complex128.
struct FloatPower {
  static constexpr auto schema = "float_power(Operand self, Operand exponent) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(const Operand& self, const Operand& exponent) {
    BOLIDE_CHECK_AS(TypeError, self.tensor || exponent.tensor, "float_power() received an invalid combination of arguments");
    auto complex = [](const Operand& o) { return o.tensor ? is_complex(o.tensor->dtype()) : o.number.is_complex(); };
    const DType t = complex(self) || complex(exponent) ? DType::Complex128 : DType::Float64;
    auto wide = [t](const Scalar& s) { return t == DType::Float64 ? Scalar(s.to_double()) : Scalar(s.to<complex128>()); };
    if (!self.tensor) return rpow(cast(*exponent.tensor, t), wide(self.number));
    if (!exponent.tensor) return pow(cast(*self.tensor, t), wide(exponent.number));
    return pow(cast(*self.tensor, t), cast(*exponent.tensor, t));
  }
};
Tensor float_power(const Operand& self, const Operand& exponent) { return FloatPower::forward(self, exponent); }
const Register<FloatPower> float_power_op;

// ---- integers --------------------------------------------------------------------------------------

// The greatest common divisor, never negative.
struct Gcd {
  static constexpr auto schema = "gcd(Tensor self, Tensor other) -> Tensor";
  static constexpr bool differentiable = false;
  BOLIDE_EXPR_ONCE(At, T operator()(T a, T b) const { return fn::gcd(a, b); })
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    return iter::map<At, Ints>("gcd_cpu", out, t, t, {self, other});
  }
};
Tensor gcd(const Tensor& self, const Tensor& other) { return call<Gcd>(self, other); }
const Register<Gcd> gcd_op;

// The least common multiple, never negative; 0 where either is.
struct Lcm {
  static constexpr auto schema = "lcm(Tensor self, Tensor other) -> Tensor";
  static constexpr bool differentiable = false;
  BOLIDE_EXPR_ONCE(At, T operator()(T a, T b) const {
    const T d = fn::gcd(a, b);
    return d == T(0) ? T(0) : fn::abs(static_cast<T>(a / d * b));
  })
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    return iter::map<At, Ints>("lcm_cpu", out, t, t, {self, other});
  }
};
Tensor lcm(const Tensor& self, const Tensor& other) { return call<Lcm>(self, other); }
const Register<Lcm> lcm_op;

}  // namespace bolide
