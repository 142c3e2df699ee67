// Whether tensors are equal or nearly so.
#include "ops/binary.h"

namespace bolide {

// |self - other| <= atol + rtol |other|, or equal.
struct Isclose {
  static constexpr auto schema = "isclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> Tensor";
  static constexpr bool differentiable = false;
  static constexpr uint8_t variants = 0;
  BOLIDE_EXPR(At, double rtol, atol;
    bool equal_nan;
    bool operator()(T a, T b) const {
      if (a == b) return true;
      if constexpr (fn::is_integral_v<T>) {
        const double error = fn::abs(double(a) - double(b));
        return error <= atol + fn::abs(rtol * double(b));
      } else {
        if (equal_nan && a != a && b != b) return true;
        const double error = fn::abs(a - b);
        return fn::is_finite(error) && error <= atol + rtol * double(fn::abs(b)) && rtol + atol > 0;
      }
    })
  static Tensor forward(const Tensor& self, const Tensor& other, double rtol, double atol, bool equal_nan) {
    BOLIDE_CHECK(self.dtype() == other.dtype(), legacy_name(self.dtype()), " did not match ", legacy_name(other.dtype()));
    BOLIDE_CHECK(rtol >= 0, "rtol must be greater than or equal to zero, but got ", rtol);
    BOLIDE_CHECK(atol >= 0, "atol must be greater than or equal to zero, but got ", atol);
    return iter::map<At, Join<Ints, Floats, Complexes, Bools>>("isclose", {}, self.dtype(), DType::Bool, {self, other}, rtol, atol, equal_nan);
  }
};
Tensor isclose(const Tensor& self, const Tensor& other, double rtol, double atol, bool equal_nan) {
  return call<Isclose>(self, other, rtol, atol, equal_nan);
}
const Register<Isclose> isclose_op;

struct Allclose {
  static constexpr auto schema = "allclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> bool";
  static constexpr auto kind = Kind::DataDependent;
  static constexpr bool differentiable = false;
  static bool forward(const Tensor& self, const Tensor& other, double rtol, double atol, bool equal_nan) {
    return all(isclose(self, other, rtol, atol, equal_nan)).item<bool>();
  }
};
bool allclose(const Tensor& self, const Tensor& other, double rtol, double atol, bool equal_nan) {
  return call<Allclose>(self, other, rtol, atol, equal_nan);
}
const Register<Allclose> allclose_op;

// The same sizes and all elements equal.
struct EqualOp {
  static constexpr auto schema = "equal(Tensor self, Tensor other) -> bool";
  static constexpr auto kind = Kind::DataDependent;
  static constexpr bool differentiable = false;
  static bool forward(const Tensor& self, const Tensor& other) {
    BOLIDE_CHECK(self.device().type == other.device().type, "Expected all tensors to be on the same device, but found at least two devices, ",
                 self.device(), " and ", other.device(), "!");
    return self.sizes() == other.sizes() && all(eq(self, other)).item<bool>();
  }
};
bool equal(const Tensor& self, const Tensor& other) { return call<EqualOp>(self, other); }
const Register<EqualOp> equal_op;

}  // namespace bolide
