// Binary arithmetic: + - * / and their relatives, with broadcasting and type promotion.
#include "ops/binary.h"

namespace bolide {

inline void check_alpha(const char* op, DType t, const Scalar& alpha) {
  BOLIDE_CHECK(!alpha.is_bool() || t == DType::Bool, "Boolean alpha only supported for Boolean results.");
  BOLIDE_CHECK(is_floating(t) || is_complex(t) || alpha.is_int(), "For integral input tensors, argument alpha must not be a floating "
               "point number.");
  BOLIDE_CHECK(is_complex(t) || !alpha.is_complex(), "For non-complex input tensors, argument alpha must not be a complex number.");
  (void)op;
}

// self + alpha * other.
struct Add {
  static constexpr auto schema = "add(Tensor self, Operand other, *, Scalar alpha=1) -> Tensor";
  BOLIDE_EXPR(Plain, T operator()(T a, T b) const { if constexpr (fn::is_bool_v<T>) return a | b; else return static_cast<T>(a + b); })
  BOLIDE_EXPR(Scaled, T alpha;
    T operator()(T a, T b) const {
      if constexpr (fn::is_bool_v<T>) return a | (alpha & b);
      else return static_cast<T>(a + alpha * b);
    })
  static Tensor forward(Out out, const Tensor& self, const Operand& other, const Scalar& alpha) {
    const Operand both[] = {self, other};
    const DType t = other.tensor && self.dtype() == other.tensor->dtype() ? self.dtype() : iter::result_type(both);
    if (alpha.is_int() && !alpha.is_bool() && alpha.to_int() == 1)
      return iter::map<Plain, Join<Ints, Floats, Complexes, Bools>>("add", out, t, t, {self, other});
    check_alpha("add", t, alpha);
    return iter::map<Scaled, Join<Ints, Floats, Complexes, Bools>>("add", out, t, t, {self, other}, alpha);
  }
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(g, c.needs(1) ? (c.number(2).equal(1) ? g : mul(g, conj_scalar(c.number(2)))) : Tensor());
  }
};
Tensor add(const Tensor& self, const Operand& other, const Scalar& alpha) { return call<Add>(self, other, alpha); }
const Tensor& add_(const Tensor& self, const Operand& other, const Scalar& alpha) { return call_<Add>(self, other, alpha); }
const Register<Add> add_op;

// self - alpha * other.
struct Sub {
  static constexpr auto schema = "sub(Tensor self, Operand other, *, Scalar alpha=1) -> Tensor";
  BOLIDE_EXPR(Plain, T operator()(T a, T b) const { return static_cast<T>(a - b); })
  BOLIDE_EXPR(Scaled, T alpha; T operator()(T a, T b) const { return static_cast<T>(a - alpha * b); })
  static Tensor forward(Out out, const Tensor& self, const Operand& other, const Scalar& alpha) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    const bool other_bool = other.tensor ? other.tensor->dtype() == DType::Bool : other.number.is_bool();
    BOLIDE_CHECK(self.dtype() != DType::Bool || !other_bool, "Subtraction, the `-` operator, with two bool tensors is not supported. "
                 "Use the `^` or `logical_xor()` operator instead.");
    BOLIDE_CHECK(self.dtype() != DType::Bool && !other_bool, "Subtraction, the `-` operator, with a bool tensor is not supported. If "
                 "you are trying to invert a mask, use the `~` or `logical_not()` operator instead.");
    if (alpha.is_int() && !alpha.is_bool() && alpha.to_int() == 1)
      return iter::map<Plain, Join<Ints, Floats, Complexes>>("sub", out, t, t, {self, other});
    check_alpha("sub", t, alpha);
    return iter::map<Scaled, Join<Ints, Floats, Complexes>>("sub", out, t, t, {self, other}, alpha);
  }
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(g, c.needs(1) ? (c.number(2).equal(1) ? neg(g) : mul(g, -conj_scalar(c.number(2)))) : Tensor());
  }
};
Tensor sub(const Tensor& self, const Operand& other, const Scalar& alpha) { return call<Sub>(self, other, alpha); }
const Register<Sub> sub_op;
const Alias<Sub> subtract_op("subtract");

// other - alpha * self.
struct Rsub {
  static constexpr auto schema = "rsub(Tensor self, Operand other, *, Scalar alpha=1) -> Tensor";
  BOLIDE_EXPR(At, T alpha; T operator()(T a, T b) const { return static_cast<T>(b - alpha * a); })
  static Tensor forward(Out out, const Tensor& self, const Operand& other, const Scalar& alpha) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    BOLIDE_CHECK(self.dtype() != DType::Bool, "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
                 "invert a mask, use the `~` or `logical_not()` operator instead.");
    check_alpha("rsub", t, alpha);
    return iter::map<At, Join<Ints, Floats, Complexes>>("rsub", out, t, t, {self, other}, alpha);
  }
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(c.needs(0) ? mul(g, -conj_scalar(c.number(2))) : Tensor(), g);
  }
};
Tensor rsub(const Tensor& self, const Operand& other, const Scalar& alpha) { return call<Rsub>(self, other, alpha); }
const Register<Rsub> rsub_op;

// self * other.
struct Mul : SameBinary<Mul> {
  static constexpr auto schema = "mul(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T a, T b) const { if constexpr (fn::is_bool_v<T>) return a & b; else return static_cast<T>(a * b); })
  static constexpr auto saved = saves(in_for<1, 0>, in_for<0, 1>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    if (c.needs(0)) r.of[0] = c.is_tensor(1) ? mul(g, conj(c.in(1))) : mul(g, conj_scalar(c.number(1)));
    if (c.needs(1)) r.of[1] = mul(g, conj(c.in(0)));
    return r;
  }
};
Tensor mul(const Tensor& self, const Operand& other) { return call<Mul>(self, other); }
const Tensor& mul_(const Tensor& self, const Operand& other) { return call_<Mul>(self, other); }
const Register<Mul> mul_op;
const Alias<Mul> multiply_op("multiply");

// self / other, true division; rounding_mode "trunc" or "floor" rounds and keeps integers.
struct Div {
  static constexpr auto schema = "div(Tensor self, Operand other, *, str? rounding_mode=None) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T a, T b) const { return a / b; })
  BOLIDE_EXPR(Trunc, T operator()(T a, T b) const {
      if constexpr (fn::is_integral_v<T>) return b == T(-1) ? static_cast<T>(0 - a) : static_cast<T>(a / b);
      else return fn::trunc(a / b);
    })
  BOLIDE_EXPR(Floor, T operator()(T a, T b) const { return fn::floor_div(a, b); })
  static Tensor forward(Out out, const Tensor& self, const Operand& other, std::optional<Str> mode) {
    const Operand both[] = {self, other};
    DType t = iter::result_type(both);
    if (!mode) {
      t = iter::float_type(t);
      return iter::map<At, Join<Floats, Complexes>>("div", out, t, t, {self, other});
    }
    check_zero(t, other);
    if (*mode == "trunc")
      return iter::map<Trunc, Join<Ints, Floats>>("div_trunc", out, t, t, {self, other});
    BOLIDE_CHECK(*mode == "floor", "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '", *mode, "'");
    return iter::map<Floor, Join<Ints, Floats>>("div_floor", out, t, t, {self, other});
  }
  /// Integers have no infinity: dividing by zero is an error, found before any result is written.
  static void check_zero(DType t, const Operand& other) {
    if (!is_integral(t)) return;
    const Tensor b = other.tensor ? cast(*other.tensor, t) : scalar_tensor(other.number, DType::Int64);
    BOLIDE_CHECK(!b.device().is_cpu() || all(cast(b, t)).item<bool>(), "ZeroDivisionError");
  }
  static constexpr auto saved = saves(in<1>, in_for<0, 1>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    if (c.has(2)) {
      if (c.needs(0)) r.of[0] = zeros_like(g);
      if (c.needs(1)) r.of[1] = zeros_like(g);
      return r;
    }
    const Saved b(c, 1);
    if (c.needs(0)) r.of[0] = b.t.defined() ? div(g, conj(b.t)) : div(g, conj_scalar(b.s));
    if (c.needs(1)) r.of[1] = neg(mul(g, conj(div(div(c.in(0), b.t), b.t))));
    return r;
  }
};
Tensor div(const Tensor& self, const Operand& other, std::optional<Str> mode) { return call<Div>(self, other, mode); }
Tensor div(const Tensor& self, const Operand& other) { return call<Div>(self, other, std::optional<Str>()); }
const Register<Div> div_op;
const Alias<Div> divide_op("divide");

struct TrueDivide {
  static constexpr auto schema = "true_divide(Tensor self, Operand other) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(const Tensor& self, const Operand& other) { return div(self, other); }
};
const Register<TrueDivide> true_divide_op;

// floor(self / other).
struct FloorDivide {
  static constexpr auto schema = "floor_divide(Tensor self, Operand other) -> Tensor";
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Tensor& self, const Operand& other) { return Div::forward(out, self, other, "floor"); }
};
Tensor floor_divide(const Tensor& self, const Operand& other) { return call<FloorDivide>(self, other); }
const Register<FloorDivide> floor_divide_op;

// Remainder with the sign of the divisor, as Python's %.
struct Remainder {
  static constexpr auto schema = "remainder(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T a, T b) const { return fn::py_mod(a, b); })
  static Tensor forward(Out out, const Tensor& self, const Operand& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    Div::check_zero(t, other);
    return iter::map<At, Join<Ints, Floats>>("remainder", out, t, t, {self, other});
  }
  static constexpr auto saved = saves(in_for<0, 1>, in_for<1, 1>);
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(g, c.needs(1) ? neg(mul(g, div(c.in(0), c.in(1), "floor"))) : Tensor());
  }
};
Tensor remainder(const Tensor& self, const Operand& other) { return call<Remainder>(self, other); }
const Register<Remainder> remainder_op;

// Remainder with the sign of the dividend, as C's fmod.
struct Fmod {
  static constexpr auto schema = "fmod(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T a, T b) const {
      if constexpr (fn::is_integral_v<T>) return b == T(-1) ? T(0) : static_cast<T>(a % b);
      else return fn::fmod(a, b);
    })
  static Tensor forward(Out out, const Tensor& self, const Operand& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    Div::check_zero(t, other);
    return iter::map<At, Join<Ints, Floats>>("fmod", out, t, t, {self, other});
  }
  static constexpr auto saved = saves(in_for<0, 1>, in_for<1, 1>);
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(g, c.needs(1) ? neg(mul(g, div(c.in(0), c.in(1), "trunc"))) : Tensor());
  }
};
Tensor fmod(const Tensor& self, const Operand& other) { return call<Fmod>(self, other); }
const Register<Fmod> fmod_op;

// self ** exponent; small whole exponents by multiplication.
struct Pow {
  static constexpr auto schema = "pow(Tensor self, Operand exponent) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T a, T b) const {
      if constexpr (fn::is_integral_v<T>) return fn::int_pow<T>(a, b);
      else return fn::pow(a, b);
    })
  BOLIDE_EXPR(Two, T operator()(T a) const { return a * a; })
  BOLIDE_EXPR(Three, T operator()(T a) const { return a * a * a; })
  BOLIDE_EXPR(Half_, T operator()(T a) const { return fn::sqrt(a); })
  static Tensor forward(Out out, const Tensor& self, const Operand& exponent) {
    const Operand both[] = {self, exponent};
    const DType t = iter::result_type(both);
    if (!exponent.tensor) {
      const Scalar& e = exponent.number;
      BOLIDE_CHECK(!is_integral(self.dtype()) || !e.is_int() || e.to_int() >= 0, "Integers to negative integer powers are not allowed.");
      using Real = Join<Floats, Complexes>;
      if (is_differentiable(t) && e.equal(2)) return iter::map<Two, Real>("pow", out, t, t, {self});
      if (is_differentiable(t) && e.equal(3)) return iter::map<Three, Real>("pow", out, t, t, {self});
      if (is_differentiable(t) && e.equal(0.5)) return iter::map<Half_, Real>("pow", out, t, t, {self});
    }
    BOLIDE_CHECK_AS(NotImplementedError, t != DType::Bool, "\"pow\" not implemented for 'Bool'");
    return iter::map<At, Join<Ints, Floats, Complexes>>("pow", out, t, t, {self, exponent});
  }
  static constexpr auto saved = saves(in<0>, in<1>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    const Tensor x = c.in(0);
    if (!c.is_tensor(1)) {
      const Scalar e = c.number(1);
      if (e.equal(0)) r.of[0] = zeros_like(x);
      else if (e.equal(1)) r.of[0] = g;
      else if (e.is_complex()) r.of[0] = mul(g, conj(mul(pow(x, Scalar(e.to<complex128>() - 1.0)), e)));
      else if (e.equal(2)) r.of[0] = mul(g, mul(conj(x), 2));
      else r.of[0] = mul(g, conj(mul(pow(x, e.is_int() ? Scalar(e.to_int() - 1) : Scalar(e.to_double() - 1)), e)));
      return r;
    }
    const Tensor e = c.in(1);
    if (c.needs(0)) r.of[0] = masked_fill(mul(g, conj(mul(pow(x, sub(e, 1)), e))), eq(e, 0), 0);
    if (c.needs(1)) r.of[1] = mul(g, conj(where(logical_and(eq(x, 0), ge(real(e), 0)), 0.0, mul(c.out(), log(x)))));
    return r;
  }
};
Tensor pow(const Tensor& self, const Operand& exponent) { return call<Pow>(self, exponent); }
const Register<Pow> pow_op;

// number ** exponent.
struct RPow {
  static constexpr auto schema = "_rpow(Tensor self, Scalar base) -> Tensor";
  static constexpr auto node = "PowBackward1";
  static Tensor forward(Out out, const Tensor& self, const Scalar& base) {
    const Operand both[] = {base, self};
    const DType t = iter::result_type(both);
    const Tensor b = scalar_tensor(base, t);
    return iter::map<Pow::At, Join<Ints, Floats, Complexes>>("pow", out, t, t, {b, self});
  }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Scalar b = c.number(1);
    if (b.equal(0)) return where(ge(real(c.in(0)), 0), zeros_like(g), mul(g, conj(mul(c.out(), -INFINITY))));
    if (b.is_complex()) return mul(g, conj(mul(c.out(), Scalar(std::log(b.to<complex128>())))));
    return mul(g, conj(mul(c.out(), std::log(b.to_double()))));
  }
};
Tensor rpow(const Tensor& self, const Scalar& base) { return call<RPow>(self, base); }
const Register<RPow> rpow_op;

}  // namespace bolide
