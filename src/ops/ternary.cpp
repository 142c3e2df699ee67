// Of three operands and more: the elementwise choice, bounds, and products added up.
#include "ops/binary.h"

namespace bolide {

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
    if (!value.tensor) iter::check_fits(self.dtype(), value.number);
    else if (is_complex(value.tensor->dtype())) iter::check_fits(self.dtype(), complex128(0, is_complex(self.dtype()) ? 0 : 1));
    return Where::select(out, self.dtype(), mask, value, self);
  }
  static constexpr auto saved = saves(in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor m = c.in(1);
    return Grads(masked_fill(g, m, 0), Tensor(), c.needs(2) ? sum(where(m, g, 0.0)) : Tensor());
  }
};
Tensor masked_fill(const Tensor& self, const Tensor& mask, const Operand& value) { return call<MaskedFill>(self, mask, value); }
const Tensor& masked_fill_(const Tensor& self, const Tensor& mask, const Operand& value) { return call_<MaskedFill>(self, mask, value); }
const Register<MaskedFill> masked_fill_op;

// self held between bounds; NaN anywhere gives NaN. With min > max everything is max.
struct ClampTensor {
  static constexpr auto schema = "clamp.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor";
  static constexpr auto node = "ClampBackward1";
  BOLIDE_EXPR(Both, T operator()(T x, T lo, T hi) const { return fn::at_most(fn::at_least(x, lo), hi); })
  BOLIDE_EXPR(Low, T operator()(T x, T lo) const { return fn::at_least(x, lo); })
  BOLIDE_EXPR(High, T operator()(T x, T hi) const { return fn::at_most(x, hi); })
  using List = Join<Ints, Floats, Bools>;
  static Tensor forward(Out out, const Tensor& self, const Tensor& min, const Tensor& max) {
    BOLIDE_CHECK(min.defined() || max.defined(), "torch.clamp: At least one of 'min' or 'max' must not be None");
    const Operand all[] = {self, min.defined() ? min : max, max.defined() ? max : min};
    const DType t = iter::result_type(all);
    BOLIDE_CHECK_AS(NotImplementedError, !is_complex(t), "clamp is not supported for complex types");
    if (!max.defined()) return iter::map<Low, List>("clamp_min", out, t, t, {self, min});
    if (!min.defined()) return iter::map<High, List>("clamp_max", out, t, t, {self, max});
    return iter::map<Both, List>("clamp", out, t, t, {self, min, max});
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<2>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor x = c.in(0), lo = c.has_tensor(1) ? c.in(1) : Tensor(), hi = c.has_tensor(2) ? c.in(2) : Tensor();
    Grads r;
    if (c.needs(0)) {
      const Tensor above = lo.defined() ? ge(x, lo) : Tensor(), below = hi.defined() ? le(x, hi) : Tensor();
      r.of[0] = where(!below.defined() ? above : !above.defined() ? below : logical_and(above, below), g, 0.0);
    }
    if (c.needs(1)) r.of[1] = where(hi.defined() ? logical_and(lt(x, lo), lt(lo, hi)) : lt(x, lo), g, 0.0);
    if (c.needs(2)) r.of[2] = where(lo.defined() ? logical_or(gt(x, hi), lt(hi, lo)) : gt(x, hi), g, 0.0);
    return r;
  }
};
Tensor clamp(const Tensor& self, const Tensor& min, const Tensor& max) { return call<ClampTensor>(self, min, max); }
const Register<ClampTensor> clamp_tensor_op;

struct Clamp {
  static constexpr auto schema = "clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor";
  BOLIDE_EXPR(Both, T lo, hi; T operator()(T x) const { return fn::at_most(fn::at_least(x, lo), hi); })
  BOLIDE_EXPR(Low, T lo; T operator()(T x) const { return fn::at_least(x, lo); })
  BOLIDE_EXPR(High, T hi; T operator()(T x) const { return fn::at_most(x, hi); })
  using List = Join<Ints, Floats>;
  static Tensor forward(Out out, const Tensor& self, std::optional<Scalar> min, std::optional<Scalar> max) {
    BOLIDE_CHECK(min || max, "torch.clamp: At least one of 'min' or 'max' must not be None");
    const Operand all[] = {self, min ? *min : *max, max ? *max : *min};
    const DType t = iter::result_type(all);
    BOLIDE_CHECK_AS(NotImplementedError, !is_complex(t), "clamp is not supported for complex types");
    if (!max) return iter::map<Low, List>("clamp_min", out, t, t, {self}, *min);
    if (!min) return iter::map<High, List>("clamp_max", out, t, t, {self}, *max);
    return iter::map<Both, List>("clamp", out, t, t, {self}, *min, *max);
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor x = c.in(0);
    if (!c.has(2)) return where(ge(x, c.number(1)), g, 0.0);
    if (!c.has(1)) return where(le(x, c.number(2)), g, 0.0);
    return where(logical_and(ge(x, c.number(1)), le(x, c.number(2))), g, 0.0);
  }
};
Tensor clamp(const Tensor& self, std::optional<Scalar> min, std::optional<Scalar> max) { return call<Clamp>(self, min, max); }
const Register<Clamp> clamp_op;
const Alias<ClampTensor> clip_tensor_op("clip");
const Alias<Clamp> clip_op("clip");

struct ClampMin {
  static constexpr auto schema = "clamp_min(Tensor self, Operand min) -> Tensor";
  static Tensor forward(Out out, const Tensor& self, const Operand& min) {
    return min.tensor ? ClampTensor::forward(out, self, *min.tensor, {}) : Clamp::forward(out, self, min.number, {});
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor x = c.in(0);
    const Saved lo(c, 1);
    return Grads(c.needs(0) ? where(ge(x, lo), g, 0.0) : Tensor(), c.needs(1) ? where(lt(x, lo), g, 0.0) : Tensor());
  }
};
Tensor clamp_min(const Tensor& self, const Operand& min) { return call<ClampMin>(self, min); }
const Register<ClampMin> clamp_min_op;

struct ClampMax {
  static constexpr auto schema = "clamp_max(Tensor self, Operand max) -> Tensor";
  static Tensor forward(Out out, const Tensor& self, const Operand& max) {
    return max.tensor ? ClampTensor::forward(out, self, {}, *max.tensor) : Clamp::forward(out, self, {}, max.number);
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor x = c.in(0);
    const Saved hi(c, 1);
    return Grads(c.needs(0) ? where(le(x, hi), g, 0.0) : Tensor(), c.needs(1) ? where(gt(x, hi), g, 0.0) : Tensor());
  }
};
Tensor clamp_max(const Tensor& self, const Operand& max) { return call<ClampMax>(self, max); }
const Register<ClampMax> clamp_max_op;

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
Tensor addcmul(const Tensor& self, const Tensor& t1, const Tensor& t2, const Scalar& value) { return call<Addcmul>(self, t1, t2, value); }
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
Tensor addcdiv(const Tensor& self, const Tensor& t1, const Tensor& t2, const Scalar& value) { return call<Addcdiv>(self, t1, t2, value); }
const Register<Addcdiv> addcdiv_op;

}  // namespace bolide
