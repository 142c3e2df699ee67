// What unary op blocks share: a forward for expressions At<T> over the dtypes they accept.
#pragma once
#include "autograd/call.h"
#include "bolide/ops.h"
#include "iter/functions.h"
#include "iter/pointwise.h"

namespace bolide {

/// Integers are computed in, and give, the default dtype: exp, sin, sqrt, ...
template <class Op, class List = Join<Floats, Complexes>>
struct FloatUnary {
  static Tensor forward(Out out, const Tensor& self) {
    const DType t = iter::float_type(self.dtype());
    return iter::map<Op::template At, List>(op_name<Op>(), out, t, t, {self});
  }
};
/// The result has the dtype of the input: neg, abs, floor, ...
template <class Op, class List = Join<Ints, Floats>>
struct SameUnary {
  static Tensor forward(Out out, const Tensor& self) {
    return iter::map<Op::template At, List>(op_name<Op>(), out, self.dtype(), self.dtype(), {self});
  }
};
/// The result is bool: isnan, logical_not, ...
template <class Op, class List = Join<Ints, Floats, Complexes, Bools>>
struct BoolUnary {
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Tensor& self) {
    return iter::map<Op::template At, List>(op_name<Op>(), out, self.dtype(), DType::Bool, {self});
  }
};

}  // namespace bolide
