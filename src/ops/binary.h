// What binary op blocks share.
#pragma once
#include "autograd/call.h"
#include "bolide/ops.h"
#include "iter/functions.h"
#include "iter/pointwise.h"

namespace bolide {

/// The result has the promoted dtype.
template <class Op, class List = Join<Ints, Floats, Complexes, Bools>>
struct SameBinary {
  static Tensor forward(Out out, const Tensor& self, const Operand& other) {
    const Operand both[] = {self, other};
    const DType t = iter::result_type(both);
    return iter::map<Op::template At, List>(op_name<Op>(), out, t, t, {self, other});
  }
};
/// The result is bool, computed in the promoted dtype.
template <class Op, class List = Join<Ints, Floats, Complexes, Bools>>
struct BoolBinary {
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Tensor& self, const Operand& other) {
    const Operand both[] = {self, other};
    return iter::map<Op::template At, List>(op_name<Op>(), out, iter::result_type(both), DType::Bool, {self, other});
  }
};
/// F of two operands, at least one a tensor; integers compute in, and give, the default dtype.
template <template <class> class F, class List>
Tensor float_binary(const char* op, Out out, const Operand& self, const Operand& other) {
  BOLIDE_CHECK_AS(TypeError, self.tensor || other.tensor, op, "(): expected a tensor among the arguments");
  const Operand both[] = {self, other};
  const DType t = iter::float_type(iter::result_type(both));
  return iter::map<F, List>(op, out, t, t, {self, other});
}
inline Scalar conj_scalar(const Scalar& s) { return s.is_complex() ? Scalar(std::conj(s.to<complex128>())) : s; }
/// The saved tensor of an Operand argument, or its number.
struct Saved {
  Tensor t;
  Scalar s;
  Saved(const Call& c, int arg) { if (c.is_tensor(arg)) t = c.in(arg); else s = c.number(arg); }
  operator Operand() const { return t.defined() ? Operand(t) : Operand(s); }
  /// Where the value is at most `v`: a tensor for broadcasting.
  Tensor le(double v) const { return t.defined() ? bolide::le(t, v) : scalar_tensor(Scalar(s.to_double() <= v), DType::Bool); }
};

}  // namespace bolide
