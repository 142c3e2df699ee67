// Complex numbers: conjugate.
#include "ops/unary.h"

namespace bolide {

// The complex conjugate; of a real tensor the tensor itself.
struct ConjPhysical : SameUnary<ConjPhysical, Join<Complexes, Ints, Floats, Bools>> {
  static constexpr auto schema = "conj_physical(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { if constexpr (fn::is_complex_v<T>) return fn::conj(x); else return x; })
  static Grads backward(const Call&, const Tensor& g) { return conj(g); }
};
const Register<ConjPhysical> conj_physical_op;

struct Conj {
  static constexpr auto schema = "conj(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self) { return is_complex(self.dtype()) ? call<ConjPhysical>(self) : self; }
};
Tensor conj(const Tensor& self) { return is_complex(self.dtype()) ? call<ConjPhysical>(self) : self; }
const Register<Conj> conj_op;

}  // namespace bolide
