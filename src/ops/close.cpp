// Whether tensors are equal or nearly so, and which elements occur in another tensor.
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

// Whether each element occurs among test_elements.
struct Isin {
  static constexpr auto schema = "isin(Operand elements, Operand test_elements, *, bool assume_unique=False, bool invert=False) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction, variants = kOut;
  static constexpr bool differentiable = false;
  static Tensor forward(const Operand& elements, const Operand& tests, bool, bool invert) {
    BOLIDE_CHECK_AS(TypeError, elements.tensor || tests.tensor, "isin() received an invalid combination of arguments - got two numbers");
    const Operand both[] = {elements, tests};
    const DType t = iter::result_type(both);
    BOLIDE_CHECK(!is_complex(t), "Unsupported input type encountered for isin(): ", legacy_name(t));
    auto as_tensor = [t](const Operand& o) { return o.tensor ? cast(*o.tensor, t) : scalar_tensor(o.number, t); };
    const Tensor x = as_tensor(elements), y = reshape(as_tensor(tests), {-1});
    Tensor found;
    if (y.numel() <= 16) found = among_few(x, y);
    else found = among_many(x, y);
    return invert ? logical_not(found) : found;
  }
  static Tensor among_few(const Tensor& x, const Tensor& y) {
    Tensor found = zeros(x.sizes(), DType::Bool, x.device());
    for (int64_t i = 0; i < y.numel(); ++i) found = logical_or(found, eq(x, select(y, 0, i)));
    return found;
  }
  /// All pairs, a few million at a time.
  static Tensor among_many(const Tensor& x, const Tensor& y) {
    const Tensor flat = reshape(x, {-1});
    const int64_t step = std::max<int64_t>(1, (1 << 22) / y.numel());
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < flat.numel(); i += step)
      parts.push_back(any(eq(unsqueeze(slice(flat, 0, i, std::min(flat.numel(), i + step)), 1), y), IntList{1}));
    return parts.empty() ? zeros(x.sizes(), DType::Bool, x.device()) : reshape(cat(parts), x.sizes());
  }
};
const Register<Isin> isin_op;

}  // namespace bolide
