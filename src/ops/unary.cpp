// Unary arithmetic. Map: signs, squares, rounding | tests of single values | replacing and rescaling
#include "ops/unary.h"

namespace bolide {

// -x; bools have no negative.
struct NegOp : SameUnary<NegOp, Join<Ints, Floats, Complexes>> {
  static constexpr auto schema = "neg(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return static_cast<T>(-x); })
  static Tensor forward(Out out, const Tensor& self) {
    BOLIDE_CHECK(self.dtype() != DType::Bool, "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
                 "invert a mask, use the `~` or `logical_not()` operator instead.");
    return SameUnary::forward(out, self);
  }
  static Grads backward(const Call&, const Tensor& g) { return neg(g); }
};
Tensor neg(const Tensor& self) { return call<NegOp>(self); }
const Register<NegOp> neg_op;
const Alias<NegOp> negative_op("negative");

// +x: the tensor itself; bools have none.
struct Positive {
  static constexpr auto schema = "positive(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self) {
    BOLIDE_CHECK(self.dtype() != DType::Bool, "The `+` operator, on a bool tensor is not supported.");
    return self;
  }
};
Tensor positive(const Tensor& self) { return Positive::forward(self); }
const Register<Positive> positive_op;

// The absolute value; of complex numbers the modulus, in their real dtype.
struct AbsOp {
  static constexpr auto schema = "abs(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, fn::real_t<T> operator()(T x) const { return fn::abs(x); })
  static Tensor forward(Out out, const Tensor& self) {
    return iter::map<At, Join<Ints, Floats, Complexes, Bools>>("abs", out, self.dtype(), real_of(self.dtype()), {self});
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, sgn(c.in(0))); }
};
Tensor abs(const Tensor& self) { return call<AbsOp>(self); }
const Register<AbsOp> abs_op;
const Alias<AbsOp> absolute_op("absolute");

struct SignOp : SameUnary<SignOp, Join<Ints, Floats, Bools>> {
  static constexpr auto schema = "sign(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { if constexpr (fn::is_bool_v<T>) return x; else return static_cast<T>((T(0) < x) - (x < T(0))); })
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
Tensor sign(const Tensor& self) { return call<SignOp>(self); }
const Register<SignOp> sign_op;

struct SgnOp : SameUnary<SgnOp, Join<Ints, Floats, Complexes, Bools>> {
  static constexpr auto schema = "sgn(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const {
    if constexpr (fn::is_complex_v<T>) return x == T(0) ? T(0) : x / fn::abs(x);
    else if constexpr (fn::is_bool_v<T>) return x;
    else return static_cast<T>((T(0) < x) - (x < T(0)));
  })
  static constexpr auto saved = saves(in<0>, out<0>);
  // of complex numbers: what turns the direction, over the modulus
  static Grads backward(const Call& c, const Tensor& g) {
    if (!is_complex(g.dtype())) return zeros_like(g);
    const Tensor s = c.out(), size = abs(c.in(0));
    const Tensor across = sub(g, mul(real(mul(g, conj(s))), s));
    return masked_fill(div(across, size), eq(size, 0), 0);
  }
};
Tensor sgn(const Tensor& self) { return call<SgnOp>(self); }
const Register<SgnOp> sgn_op;

// x * x, and of bools an integer: pow(x, 2).
struct SquareOp {
  static constexpr auto schema = "square(Tensor self) -> Tensor";
  static constexpr auto node = "PowBackward0";
  BOLIDE_EXPR(At, T operator()(T x) const { return static_cast<T>(x * x); })
  static Tensor forward(Out out, const Tensor& self) {
    const DType t = self.dtype() == DType::Bool ? DType::Int64 : self.dtype();
    return iter::map<At, Join<Ints, Floats, Complexes>>("square", out, t, t, {self});
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(mul(g, 2), conj(c.in(0))); }
};
Tensor square(const Tensor& self) { return call<SquareOp>(self); }
const Register<SquareOp> square_op;

struct FloorOp : SameUnary<FloorOp> {
  static constexpr auto schema = "floor(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { if constexpr (fn::is_integral_v<T>) return x; else return fn::floor(x); })
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
Tensor floor(const Tensor& self) { return call<FloorOp>(self); }
const Register<FloorOp> floor_op;

struct CeilOp : SameUnary<CeilOp> {
  static constexpr auto schema = "ceil(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { if constexpr (fn::is_integral_v<T>) return x; else return fn::ceil(x); })
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
Tensor ceil(const Tensor& self) { return call<CeilOp>(self); }
const Register<CeilOp> ceil_op;

struct TruncOp : SameUnary<TruncOp> {
  static constexpr auto schema = "trunc(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { if constexpr (fn::is_integral_v<T>) return x; else return fn::trunc(x); })
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
Tensor trunc(const Tensor& self) { return call<TruncOp>(self); }
const Register<TruncOp> trunc_op;
const Alias<TruncOp> fix_op("fix");

struct FracOp : SameUnary<FracOp, Floats> {
  static constexpr auto schema = "frac(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return x - fn::trunc(x); })
  static Grads backward(const Call&, const Tensor& g) { return g; }
};
Tensor frac(const Tensor& self) { return call<FracOp>(self); }
const Register<FracOp> frac_op;

struct IsnanOp : BoolUnary<IsnanOp> {
  static constexpr auto schema = "isnan(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T x) const { return fn::is_nan(x); })
};
Tensor isnan(const Tensor& self) { return call<IsnanOp>(self); }
const Register<IsnanOp> isnan_op;

struct LogicalNotOp : BoolUnary<LogicalNotOp> {
  static constexpr auto schema = "logical_not(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T x) const { return x == T(0); })
};
Tensor logical_not(const Tensor& self) { return call<LogicalNotOp>(self); }
const Register<LogicalNotOp> logical_not_op;

struct IsinfOp : BoolUnary<IsinfOp> {
  static constexpr auto schema = "isinf(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T x) const {
    if constexpr (fn::is_complex_v<T>) return fn::is_inf(x.real()) || fn::is_inf(x.imag());
    else if constexpr (fn::is_floating_v<T>) return fn::is_inf(x);
    else return (void)x, false;
  })
};
Tensor isinf(const Tensor& self) { return call<IsinfOp>(self); }
const Register<IsinfOp> isinf_op;

struct IsfiniteOp : BoolUnary<IsfiniteOp> {
  static constexpr auto schema = "isfinite(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T x) const {
    if constexpr (fn::is_complex_v<T>) return fn::is_finite(x.real()) && fn::is_finite(x.imag());
    else if constexpr (fn::is_floating_v<T>) return fn::is_finite(x);
    else return (void)x, true;
  })
};
Tensor isfinite(const Tensor& self) { return call<IsfiniteOp>(self); }
const Register<IsfiniteOp> isfinite_op;

// Bitwise complement; of bools the negation.
struct BitwiseNotOp : SameUnary<BitwiseNotOp, Join<Ints, Bools>> {
  static constexpr auto schema = "bitwise_not(Tensor self) -> Tensor";
  static constexpr bool differentiable = false;
  BOLIDE_EXPR(At, T operator()(T x) const {
      if constexpr (fn::is_bool_v<T>) return !x;
      else return static_cast<T>(~x);
    })
};
Tensor bitwise_not(const Tensor& self) { return call<BitwiseNotOp>(self); }
const Register<BitwiseNotOp> bitwise_not_op;

// Rounds half to even, at `decimals` digits after the point.
struct RoundOp {
  static constexpr auto schema = "round(Tensor self, *, int decimals=0) -> Tensor";
  BOLIDE_EXPR(At, double scale;
    bool up;
    T operator()(T x) const {
      if constexpr (fn::is_integral_v<T>) return x;
      else if (scale == 1) return fn::round_even(x);
      else return up ? fn::round_even(x * T(scale)) / T(scale) : fn::round_even(x / T(scale)) * T(scale);
    })
  static Tensor forward(Out out, const Tensor& self, int64_t decimals) {
    const double scale = std::pow(10.0, static_cast<double>(std::abs(decimals)));
    return iter::map<At, Join<Ints, Floats>>("round", out, self.dtype(), self.dtype(), {self}, scale, decimals >= 0);
  }
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
Tensor round(const Tensor& self, int64_t decimals) { return call<RoundOp>(self, decimals); }
const Register<RoundOp> round_op;

// ---- tests of single values ------------------------------------------------------------------

struct Isposinf : BoolUnary<Isposinf, Join<Ints, Floats, Bools>> {
  static constexpr auto schema = "isposinf(Tensor self) -> Tensor";
  static constexpr uint8_t variants = kOut;
  BOLIDE_EXPR(At, bool operator()(T x) const {
    if constexpr (fn::is_floating_v<T>) return x == fn::infinity<T>();
    else return (void)x, false;
  })
  static Tensor forward(Out out, const Tensor& self) {
    BOLIDE_CHECK(!is_complex(self.dtype()), "isposinf does not support complex inputs.");
    return BoolUnary::forward(out, self);
  }
};
Tensor isposinf(const Tensor& self) { return call<Isposinf>(self); }
const Register<Isposinf> isposinf_op;

struct Isneginf : BoolUnary<Isneginf, Join<Ints, Floats, Bools>> {
  static constexpr auto schema = "isneginf(Tensor self) -> Tensor";
  static constexpr uint8_t variants = kOut;
  BOLIDE_EXPR(At, bool operator()(T x) const {
    if constexpr (fn::is_floating_v<T>) return x == -fn::infinity<T>();
    else return (void)x, false;
  })
  static Tensor forward(Out out, const Tensor& self) {
    BOLIDE_CHECK(!is_complex(self.dtype()), "isneginf does not support complex inputs.");
    return BoolUnary::forward(out, self);
  }
};
Tensor isneginf(const Tensor& self) { return call<Isneginf>(self); }
const Register<Isneginf> isneginf_op;

// Whether the imaginary part is 0.
struct Isreal : BoolUnary<Isreal> {
  static constexpr auto schema = "isreal(Tensor self) -> Tensor";
  static constexpr uint8_t variants = 0;
  BOLIDE_EXPR(At, bool operator()(T x) const {
    if constexpr (fn::is_complex_v<T>) return x.imag() == 0;
    else return (void)x, true;
  })
};
Tensor isreal(const Tensor& self) { return call<Isreal>(self); }
const Register<Isreal> isreal_op;

// The sign bit: true of -0.0 and of negative NaN.
struct Signbit : BoolUnary<Signbit, Join<Ints, Floats, Bools>> {
  static constexpr auto schema = "signbit(Tensor self) -> Tensor";
  static constexpr uint8_t variants = kOut;
  BOLIDE_EXPR(At, bool operator()(T x) const { return fn::sign_bit(x); })
  static Tensor forward(Out out, const Tensor& self) {
    BOLIDE_CHECK_AS(NotImplementedError, !is_complex(self.dtype()), "signbit is not implemented for complex tensors.");
    return BoolUnary::forward(out, self);
  }
};
Tensor signbit(const Tensor& self) { return call<Signbit>(self); }
const Register<Signbit> signbit_op;

// ---- replacing and rescaling -------------------------------------------------------------------

// NaN becomes `nan` (0), the infinities `posinf` and `neginf` (the largest and the smallest number of the dtype).
struct NanToNum {
  static constexpr auto schema = "nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor";
  BOLIDE_EXPR(At, fn::real_t<T> nan, top, bottom;
    fn::real_t<T> one(fn::real_t<T> x) const {
      return fn::is_nan(x) ? nan : x == fn::infinity<fn::real_t<T>>() ? top : x == -fn::infinity<fn::real_t<T>>() ? bottom : x;
    }
    T operator()(T x) const {
      if constexpr (fn::is_complex_v<T>) return T(one(x.real()), one(x.imag()));
      else return one(x);
    })
  static double largest(DType t) {
    double v = 0;
    Join<Floats, Halves>::visit(real_of(t), [&]<class T>(Tag<T>) { v = static_cast<double>(std::numeric_limits<T>::max()); });
    return v;
  }
  static Tensor forward(Out out, const Tensor& self, std::optional<double> nan, std::optional<double> top, std::optional<double> bottom) {
    const DType t = self.dtype();
    if (!is_differentiable(t)) {
      if (!out.tensor) return clone(self);
      if (!out.in_place) resize_(*out.tensor, self.sizes());
      return copy_(*out.tensor, self);
    }
    return iter::map<At, Join<Floats, Complexes>>("nan_to_num", out, t, t, {self}, nan.value_or(0), top.value_or(largest(t)),
                                                  bottom.value_or(-largest(t)));
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, isfinite(c.in(0))); }
};
Tensor nan_to_num(const Tensor& self, std::optional<double> nan, std::optional<double> posinf, std::optional<double> neginf) {
  return call<NanToNum>(self, nan, posinf, neginf);
}
const Register<NanToNum> nan_to_num_op;

struct Deg2rad : FloatUnary<Deg2rad, Floats> {
  static constexpr auto schema = "deg2rad(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return x * T(0.017453292519943295); })
  static Tensor forward(Out out, const Tensor& self) {
    BOLIDE_CHECK(!is_complex(self.dtype()), "deg2rad is not supported for complex tensors.");
    return FloatUnary::forward(out, self);
  }
  static Grads backward(const Call&, const Tensor& g) { return deg2rad(g); }
};
Tensor deg2rad(const Tensor& self) { return call<Deg2rad>(self); }
const Register<Deg2rad> deg2rad_op;

struct Rad2deg : FloatUnary<Rad2deg, Floats> {
  static constexpr auto schema = "rad2deg(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return x * T(57.295779513082323); })
  static Tensor forward(Out out, const Tensor& self) {
    BOLIDE_CHECK(!is_complex(self.dtype()), "rad2deg is not supported for complex tensors.");
    return FloatUnary::forward(out, self);
  }
  static Grads backward(const Call&, const Tensor& g) { return rad2deg(g); }
};
Tensor rad2deg(const Tensor& self) { return call<Rad2deg>(self); }
const Register<Rad2deg> rad2deg_op;

// sin(pi x) / (pi x), 1 at 0.
struct Sinc : FloatUnary<Sinc> {
  static constexpr auto schema = "sinc(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const {
    const T y = x * fn::real_t<T>(3.141592653589793);
    return x == T(0) ? T(1) : fn::sin(y) / y;
  })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor y = mul(c.in(0), M_PI), bottom = mul(c.in(0), y);
    const Tensor slope = conj(div(sub(mul(y, cos(y)), sin(y)), bottom));
    return mul(g, masked_fill(slope, eq(bottom, 0), 0));
  }
};
Tensor sinc(const Tensor& self) { return call<Sinc>(self); }
const Register<Sinc> sinc_op;

// log(x / (1 - x)), x held in [eps, 1 - eps] where eps is given.
struct Logit {
  static constexpr auto schema = "logit(Tensor self, float? eps=None) -> Tensor";
  BOLIDE_EXPR(At, T lo, hi;
    T operator()(T x) const {
      const T z = x < lo ? lo : x > hi ? hi : x;
      return fn::log(z / (T(1) - z));
    })
  static Tensor forward(Out out, const Tensor& self, std::optional<double> eps) {
    const DType t = iter::float_type(self.dtype());
    const double lo = eps ? *eps : -INFINITY, hi = eps ? 1 - *eps : INFINITY;
    return iter::map<At, Floats>("logit", out, t, t, {self}, lo, hi);
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor x = c.in(0), slope = div(g, mul(x, add(neg(x), 1)));
    const double eps = c.has(1) ? c.real(1) : 0;
    const Tensor outside = logical_not(logical_and(ge(x, eps), le(x, 1 - eps)));
    return masked_fill(slope, outside, c.has(1) ? 0.0 : NAN);
  }
};
Tensor logit(const Tensor& self, std::optional<double> eps) { return call<Logit>(self, eps); }
const Register<Logit> logit_op;

// x = mantissa 2^exponent with |mantissa| in [0.5, 1).
struct Frexp {
  static constexpr auto schema = "frexp(Tensor self) -> (Tensor mantissa, Tensor exponent)";
  static constexpr uint8_t variants = kOut;
  BOLIDE_EXPR_ONCE(Mantissa, T operator()(T x) const { return fn::mantissa(x); })
  BOLIDE_EXPR_ONCE(Exponent, int32_t operator()(T x) const { return fn::exponent(x); })
  static std::tuple<Tensor, Tensor> forward(const Tensor& self) {
    const DType t = self.dtype();
    BOLIDE_CHECK(is_floating(t), "torch.frexp() only supports floating-point dtypes");
    return {iter::map<Mantissa, Floats>("frexp", {}, t, t, {self}), iter::map<Exponent, Floats>("frexp", {}, t, DType::Int32, {self})};
  }
  static constexpr auto saved = saves(out<1>);
  static Grads backward(const Call& c, std::span<const Tensor> g) {
    return g[0].defined() ? div(g[0], exp2(cast(c.out(1), g[0].dtype()))) : Tensor();
  }
};
std::tuple<Tensor, Tensor> frexp(const Tensor& self) { return call<Frexp>(self); }
const Register<Frexp> frexp_op;

}  // namespace bolide
