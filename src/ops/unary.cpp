// Unary arithmetic: signs, rounding, squares, tests of single values.
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
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
Tensor sgn(const Tensor& self) { return call<SgnOp>(self); }
const Register<SgnOp> sgn_op;

struct SquareOp : SameUnary<SquareOp, Join<Ints, Floats, Complexes>> {
  static constexpr auto schema = "square(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return static_cast<T>(x * x); })
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

}  // namespace bolide
