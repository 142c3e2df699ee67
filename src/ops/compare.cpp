// Comparisons, logic, bits, the larger and the smaller, and the elementwise choice.
#include "ops/binary.h"

namespace bolide {

struct EqOp : BoolBinary<EqOp> {
  static constexpr auto schema = "eq(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a == b; })
};
Tensor eq(const Tensor& self, const Operand& other) { return call<EqOp>(self, other); }
const Register<EqOp> eq_op;

struct NeOp : BoolBinary<NeOp> {
  static constexpr auto schema = "ne(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a != b; })
};
Tensor ne(const Tensor& self, const Operand& other) { return call<NeOp>(self, other); }
const Register<NeOp> ne_op;

struct LtOp : BoolBinary<LtOp, Join<Ints, Floats, Bools>> {
  static constexpr auto schema = "lt(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a < b; })
};
Tensor lt(const Tensor& self, const Operand& other) { return call<LtOp>(self, other); }
const Register<LtOp> lt_op;

struct LeOp : BoolBinary<LeOp, Join<Ints, Floats, Bools>> {
  static constexpr auto schema = "le(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a <= b; })
};
Tensor le(const Tensor& self, const Operand& other) { return call<LeOp>(self, other); }
const Register<LeOp> le_op;

struct GtOp : BoolBinary<GtOp, Join<Ints, Floats, Bools>> {
  static constexpr auto schema = "gt(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a > b; })
};
Tensor gt(const Tensor& self, const Operand& other) { return call<GtOp>(self, other); }
const Register<GtOp> gt_op;

struct GeOp : BoolBinary<GeOp, Join<Ints, Floats, Bools>> {
  static constexpr auto schema = "ge(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a >= b; })
};
Tensor ge(const Tensor& self, const Operand& other) { return call<GeOp>(self, other); }
const Register<GeOp> ge_op;

struct LogicalAndOp : BoolBinary<LogicalAndOp> {
  static constexpr auto schema = "logical_and(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a != T(0) && b != T(0); })
};
Tensor logical_and(const Tensor& self, const Operand& other) { return call<LogicalAndOp>(self, other); }
const Register<LogicalAndOp> logical_and_op;

struct LogicalOrOp : BoolBinary<LogicalOrOp> {
  static constexpr auto schema = "logical_or(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a != T(0) || b != T(0); })
};
Tensor logical_or(const Tensor& self, const Operand& other) { return call<LogicalOrOp>(self, other); }
const Register<LogicalOrOp> logical_or_op;

struct LogicalXorOp : BoolBinary<LogicalXorOp> {
  static constexpr auto schema = "logical_xor(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return (a != T(0)) != (b != T(0)); })
};
Tensor logical_xor(const Tensor& self, const Operand& other) { return call<LogicalXorOp>(self, other); }
const Register<LogicalXorOp> logical_xor_op;

struct BitwiseAndOp : SameBinary<BitwiseAndOp, Join<Ints, Bools>> {
  static constexpr auto schema = "bitwise_and(Tensor self, Operand other) -> Tensor";
  static constexpr bool differentiable = false;
  BOLIDE_EXPR(At, T operator()(T a, T b) const { return static_cast<T>(a & b); })
};
Tensor bitwise_and(const Tensor& self, const Operand& other) { return call<BitwiseAndOp>(self, other); }
const Register<BitwiseAndOp> bitwise_and_op;

struct BitwiseOrOp : SameBinary<BitwiseOrOp, Join<Ints, Bools>> {
  static constexpr auto schema = "bitwise_or(Tensor self, Operand other) -> Tensor";
  static constexpr bool differentiable = false;
  BOLIDE_EXPR(At, T operator()(T a, T b) const { return static_cast<T>(a | b); })
};
Tensor bitwise_or(const Tensor& self, const Operand& other) { return call<BitwiseOrOp>(self, other); }
const Register<BitwiseOrOp> bitwise_or_op;

struct BitwiseXorOp : SameBinary<BitwiseXorOp, Join<Ints, Bools>> {
  static constexpr auto schema = "bitwise_xor(Tensor self, Operand other) -> Tensor";
  static constexpr bool differentiable = false;
  BOLIDE_EXPR(At, T operator()(T a, T b) const { return static_cast<T>(a ^ b); })
};
Tensor bitwise_xor(const Tensor& self, const Operand& other) { return call<BitwiseXorOp>(self, other); }
const Register<BitwiseXorOp> bitwise_xor_op;

// Bits moved up; counts outside the width give 0.
struct ShiftLeft : SameBinary<ShiftLeft, Ints> {
  static constexpr auto schema = "bitwise_left_shift(Tensor self, Operand other) -> Tensor";
  static constexpr bool differentiable = false;
  BOLIDE_EXPR(At, T operator()(T a, T b) const {
      using U = fn::unsigned_of<T>;
      return b < 0 || b >= static_cast<T>(sizeof(T) * 8) ? T(0) : static_cast<T>(static_cast<U>(a) << b);
    })
};
const Register<ShiftLeft> bitwise_left_shift_op;

// Bits moved down; signed values keep their sign.
struct ShiftRight : SameBinary<ShiftRight, Ints> {
  static constexpr auto schema = "bitwise_right_shift(Tensor self, Operand other) -> Tensor";
  static constexpr bool differentiable = false;
  BOLIDE_EXPR(At, T operator()(T a, T b) const {
      constexpr T most = static_cast<T>(sizeof(T) * 8 - 1);
      const bool over = b < 0 || b > most;
      if constexpr (fn::is_signed_v<T>) return static_cast<T>(a >> (over ? most : b));
      else return over ? T(0) : static_cast<T>(a >> b);
    })
};
const Register<ShiftRight> bitwise_right_shift_op;

// The larger of both; NaN wins. Where they tie each gets half the gradient.
struct MaximumOp {
  static constexpr auto schema = "maximum(Tensor self, Tensor other) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T a, T b) const { return fn::is_nan(a) || a > b ? a : b; })
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    return iter::map<At, Join<Ints, Floats, Bools>>("maximum", out, t, t, {self, other});
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor a = c.in(0), b = c.in(1), half = where(eq(a, b), div(g, 2), g);
    return Grads(masked_fill(half, logical_not(ge(a, b)), 0), masked_fill(half, logical_not(le(a, b)), 0));
  }
};
Tensor maximum(const Tensor& self, const Tensor& other) { return call<MaximumOp>(self, other); }
const Register<MaximumOp> maximum_op;

// The smaller of both; NaN wins. Where they tie each gets half the gradient.
struct MinimumOp {
  static constexpr auto schema = "minimum(Tensor self, Tensor other) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T a, T b) const { return fn::is_nan(a) || a < b ? a : b; })
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    return iter::map<At, Join<Ints, Floats, Bools>>("minimum", out, t, t, {self, other});
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor a = c.in(0), b = c.in(1), half = where(eq(a, b), div(g, 2), g);
    return Grads(masked_fill(half, logical_not(le(a, b)), 0), masked_fill(half, logical_not(ge(a, b)), 0));
  }
};
Tensor minimum(const Tensor& self, const Tensor& other) { return call<MinimumOp>(self, other); }
const Register<MinimumOp> minimum_op;

// The angle of (other, self) in (-pi, pi].
struct Atan2 {
  static constexpr auto schema = "atan2(Tensor self, Tensor other) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T a, T b) const { return fn::atan2(a, b); })
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) {
    const Operand both[] = {self, other};
    const DType t = iter::float_type(iter::result_type(both));
    return iter::map<At, Floats>("atan2", out, t, t, {self, other});
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor a = c.in(0), b = c.in(1), r = div(g, add(square(a), square(b)));
    return Grads(mul(r, b), mul(neg(r), a));
  }
};
Tensor atan2(const Tensor& self, const Tensor& other) { return call<Atan2>(self, other); }
const Register<Atan2> atan2_op;

// condition ? self : other, elementwise.
struct Where {
  static constexpr auto schema = "where(Tensor condition, Operand self, Operand other) -> Tensor";
  static constexpr auto kind = Kind::Pointwise;
  static constexpr uint8_t variants = kOut;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(Out out, const Tensor& condition, const Operand& self, const Operand& other) {
    BOLIDE_CHECK(condition.dtype() == DType::Bool || condition.dtype() == DType::UInt8,
                 "where expected condition to be a boolean tensor, but got a tensor with dtype ", legacy_name(condition.dtype()));
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    return select(out, t, condition, self, other);
  }
  BOLIDE_EXPR(At, T operator()(bool c, T a, T b) const { return c ? a : b; })
  static Tensor select(Out out, DType t, const Tensor& c, const Operand& a, const Operand& b) {
    return iter::map<At, Join<Ints, Floats, Complexes, Bools>>("where", out, t, t, {c, a, b});
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor m = c.in(0);
    return Grads(Tensor(), c.needs(1) ? where(m, g, 0.0) : Tensor(), c.needs(2) ? where(m, 0.0, g) : Tensor());
  }
};
Tensor where(const Tensor& condition, const Operand& self, const Operand& other) { return call<Where>(condition, self, other); }
const Register<Where> where_op;

// self with `value` where mask is true.
struct MaskedFill {
  static constexpr auto schema = "masked_fill(Tensor self, Tensor mask, Operand value) -> Tensor";
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(Out out, const Tensor& self, const Tensor& mask, const Operand& value) {
    BOLIDE_CHECK(mask.dtype() == DType::Bool, "masked_fill_ only supports boolean masks, but got mask with dtype ", mask.dtype());
    BOLIDE_CHECK(!value.tensor || value.tensor->dim() == 0, "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
                 value.tensor ? value.tensor->dim() : 0, " dimension(s).");
    const DType v = value.tensor ? value.tensor->dtype() : value.number.dtype();
    BOLIDE_CHECK(can_cast(v, self.dtype()), "value cannot be converted to type ", legacy_name(self.dtype()), " without overflow");
    return Where::select(out, self.dtype(), mask, value, self);
  }
  static constexpr auto saved = saves(in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor m = c.in(1);
    return Grads(masked_fill(g, m, 0), Tensor(), c.needs(2) ? sum(where(m, g, 0.0)) : Tensor());
  }
};
Tensor masked_fill(const Tensor& self, const Tensor& mask, const Operand& value) { return call<MaskedFill>(self, mask, value); }
const Register<MaskedFill> masked_fill_op;

// self limited to [min, max]; NaN stays. With min > max everything is max.
struct Clamp {
  static constexpr auto schema = "clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor";
  BOLIDE_EXPR(At, T lo, hi;
    bool has_lo, has_hi;
    T operator()(T x) const {
      if (has_lo && x < lo) x = lo;
      if (has_hi && x > hi) x = hi;
      return x;
    })
  static Tensor forward(Out out, const Tensor& self, std::optional<Scalar> min, std::optional<Scalar> max) {
    BOLIDE_CHECK(min || max, "torch.clamp: At least one of 'min' or 'max' must not be None");
    std::vector<Operand> all{self};
    if (min) all.emplace_back(*min);
    if (max) all.emplace_back(*max);
    const DType t = iter::result_type(all);
    return iter::map<At, Join<Ints, Floats>>("clamp", out, t, t, {self}, min.value_or(0), max.value_or(0), bool(min), bool(max));
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor x = c.in(0);
    Tensor r = g;
    if (c.has(1)) r = masked_fill(r, lt(x, c.number(1)), 0);
    if (c.has(2)) r = masked_fill(r, gt(x, c.number(2)), 0);
    return r;
  }
};
Tensor clamp(const Tensor& self, std::optional<Scalar> min, std::optional<Scalar> max) { return call<Clamp>(self, min, max); }
const Register<Clamp> clamp_op;

// start + weight * (end - start).
struct Lerp {
  static constexpr auto schema = "lerp(Tensor self, Tensor end, Operand weight) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T a, T b, T w) const { return fn::abs(w) < 0.5 ? a + w * (b - a) : b - (b - a) * (T(1) - w); })
  static Tensor forward(Out out, const Tensor& self, const Tensor& end, const Operand& weight) {
    BOLIDE_CHECK(self.dtype() == end.dtype(), "expected dtype ", self.dtype(), " for `end` but got dtype ", end.dtype());
    const DType t = self.dtype();
    return iter::map<At, Join<Floats, Complexes>>("lerp", out, t, t, {self, end, weight});
  }
  static constexpr auto saved = saves(in<2>, in_for<0, 2>, in_for<1, 2>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Saved w(c, 2);
    const Tensor one_minus = w.t.defined() ? add(neg(w.t), 1) : Tensor();
    return Grads(one_minus.defined() ? mul(g, conj(one_minus)) : mul(g, 1 - w.s.to_double()),
                 w.t.defined() ? mul(g, conj(w.t)) : mul(g, w.s), c.needs(2) ? mul(g, conj(sub(c.in(1), c.in(0)))) : Tensor());
  }
};
Tensor lerp(const Tensor& self, const Tensor& end, const Operand& weight) { return call<Lerp>(self, end, weight); }
const Register<Lerp> lerp_op;

// self + value * tensor1 * tensor2.
struct Addcmul {
  static constexpr auto schema = "addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor";
  BOLIDE_EXPR(At, T value; T operator()(T a, T b, T c) const { return static_cast<T>(a + value * b * c); })
  static Tensor forward(Out out, const Tensor& self, const Tensor& t1, const Tensor& t2, const Scalar& value) {
    const Operand all[] = {self, t1, t2};
    const DType t = iter::result_type(all);
    return iter::map<At, Join<Ints, Floats, Complexes>>("addcmul", out, t, t, {self, t1, t2}, value);
  }
  static constexpr auto saved = saves(in_for<1, 2>, in_for<2, 1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor v = mul(g, conj_scalar(c.number(3)));
    return Grads(g, c.needs(1) ? mul(v, conj(c.in(2))) : Tensor(), c.needs(2) ? mul(v, conj(c.in(1))) : Tensor());
  }
};
const Register<Addcmul> addcmul_op;

// self + value * tensor1 / tensor2.
struct Addcdiv {
  static constexpr auto schema = "addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor";
  BOLIDE_EXPR(At, T value; T operator()(T a, T b, T c) const { return a + value * b / c; })
  static Tensor forward(Out out, const Tensor& self, const Tensor& t1, const Tensor& t2, const Scalar& value) {
    const Operand all[] = {self, t1, t2};
    const DType t = iter::result_type(all);
    BOLIDE_CHECK(is_differentiable(t1.dtype()) || is_differentiable(t2.dtype()), "Integer division with addcdiv is no longer supported, and "
                 "in a future  release addcdiv will perform a true division of tensor1 and tensor2.");
    return iter::map<At, Join<Floats, Complexes>>("addcdiv", out, t, t, {self, t1, t2}, value);
  }
  static constexpr auto saved = saves(in_for<1, 2>, in<2>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor v = mul(g, conj_scalar(c.number(3))), d = c.in(2);
    return Grads(g, c.needs(1) ? div(v, conj(d)) : Tensor(),
                 c.needs(2) ? neg(mul(v, conj(div(c.in(1), mul(d, d))))) : Tensor());
  }
};
const Register<Addcdiv> addcdiv_op;

}  // namespace bolide
