// Comparisons, logic, bits, the larger and the smaller.
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
const Alias<NeOp> not_equal_op("not_equal");

struct LtOp : BoolBinary<LtOp, Join<Ints, Floats, Bools>> {
  static constexpr auto schema = "lt(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a < b; })
};
Tensor lt(const Tensor& self, const Operand& other) { return call<LtOp>(self, other); }
const Register<LtOp> lt_op;
const Alias<LtOp> less_op("less");

struct LeOp : BoolBinary<LeOp, Join<Ints, Floats, Bools>> {
  static constexpr auto schema = "le(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a <= b; })
};
Tensor le(const Tensor& self, const Operand& other) { return call<LeOp>(self, other); }
const Register<LeOp> le_op;
const Alias<LeOp> less_equal_op("less_equal");

struct GtOp : BoolBinary<GtOp, Join<Ints, Floats, Bools>> {
  static constexpr auto schema = "gt(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a > b; })
};
Tensor gt(const Tensor& self, const Operand& other) { return call<GtOp>(self, other); }
const Register<GtOp> gt_op;
const Alias<GtOp> greater_op("greater");

struct GeOp : BoolBinary<GeOp, Join<Ints, Floats, Bools>> {
  static constexpr auto schema = "ge(Tensor self, Operand other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a >= b; })
};
Tensor ge(const Tensor& self, const Operand& other) { return call<GeOp>(self, other); }
const Register<GeOp> ge_op;
const Alias<GeOp> greater_equal_op("greater_equal");

/// Of the elements' truth, which needs no common dtype.
template <class Op>
struct LogicalBinary {
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Tensor& self, const Tensor& other) {
    return iter::map<Op::template At, Bools>(op_name<Op>(), out, DType::Bool, DType::Bool, {self, other});
  }
};

struct LogicalAndOp : LogicalBinary<LogicalAndOp> {
  static constexpr auto schema = "logical_and(Tensor self, Tensor other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a & b; })
};
Tensor logical_and(const Tensor& self, const Tensor& other) { return call<LogicalAndOp>(self, other); }
const Register<LogicalAndOp> logical_and_op;

struct LogicalOrOp : LogicalBinary<LogicalOrOp> {
  static constexpr auto schema = "logical_or(Tensor self, Tensor other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a | b; })
};
Tensor logical_or(const Tensor& self, const Tensor& other) { return call<LogicalOrOp>(self, other); }
const Register<LogicalOrOp> logical_or_op;

struct LogicalXorOp : LogicalBinary<LogicalXorOp> {
  static constexpr auto schema = "logical_xor(Tensor self, Tensor other) -> Tensor";
  BOLIDE_EXPR(At, bool operator()(T a, T b) const { return a != b; })
};
Tensor logical_xor(const Tensor& self, const Tensor& other) { return call<LogicalXorOp>(self, other); }
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

}  // namespace bolide
