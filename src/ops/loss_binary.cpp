// Binary cross entropy of probabilities and of logits, with backward ops that are differentiable again.
#include "iter/functions.h"
#include "ops/nn.h"

namespace bolide {

namespace {

Tensor times(const Tensor& t, const Tensor& weight) { return weight.defined() ? mul(t, weight) : t; }
/// Times the weight, and over the number of elements for means.
Tensor weighted(const Tensor& t, const Tensor& weight, int64_t reduction) {
  const Tensor w = times(t, weight);
  return reduction == kMean ? div(w, static_cast<double>(std::max<int64_t>(t.numel(), 1))) : w;
}

}  // namespace

// ---- of probabilities -----------------------------------------------------------------------------

// (x - t) / max(x (1 - x), 1e-12)
struct BceBackward {
  static constexpr auto schema =
      "binary_cross_entropy_backward(Tensor grad_output, Tensor self, Tensor target, Tensor? weight=None, "
      "int reduction=1) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal, variants = 0;
  BOLIDE_EXPR(At, T scale;
    T operator()(T g, T x, T t) const {
      const T spread = (T(1) - x) * x;
      return scale * g * (x - t) / (spread < T(1e-12) ? T(1e-12) : spread);
    })
  static Tensor forward(const Tensor& g, const Tensor& x, const Tensor& t, const Tensor& weight, int64_t reduction) {
    const DType type = x.dtype();
    const double scale = reduction_scale(reduction, x.numel());
    return times(iter::map<At, Floats>("binary_cross_entropy_backward", {}, type, type, {g, x, t}, scale), weight);
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<2>, in<3>);
  static Grads backward(const Call& c, const Tensor& gg) {
    const Tensor g = c.in(0), x = c.in(1), t = c.in(2), w = c.has_tensor(3) ? c.in(3) : Tensor();
    const int64_t reduction = c.integer(4);
    Grads r;
    if (c.needs(0)) r.of[0] = binary_cross_entropy_backward(gg, x, t, w, reduction);
    const Tensor spread = add(mul(x, add(neg(x), 1)), 1e-12), both = mul(gg, g);
    if (c.needs(1)) {
      const Tensor top = add(sub(square(x), mul(mul(x, t), 2)), t);
      r.of[1] = weighted(mul(both, div(top, square(spread))), w, reduction);
    }
    if (c.needs(2)) r.of[2] = weighted(neg(div(both, spread)), w, reduction);
    return r;
  }
};
Tensor binary_cross_entropy_backward(const Tensor& g, const Tensor& x, const Tensor& t, const Tensor& w, int64_t reduction) {
  return call<BceBackward>(g, x, t, w, reduction);
}
const Register<BceBackward> bce_backward_op;

// -(t log x + (1 - t) log(1 - x)), logarithms held above -100.
struct Bce {
  static constexpr auto schema =
      "binary_cross_entropy(Tensor self, Tensor target, Tensor? weight=None, int reduction=1) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  // NaN marks what lies outside [0, 1]: one value to look for instead of a check in the loop
  BOLIDE_EXPR(At, T operator()(T x, T t) const {
      const T a = fn::log(x), b = fn::log1p(-x), low = T(-100);
      const T loss = (t - T(1)) * (b < low ? low : b) - t * (a < low ? low : a);
      const bool valid = (x >= T(0)) & (x <= T(1)) & (t >= T(0)) & (t <= T(1));
      return valid ? loss : fn::nan<T>();
    })
  static void check_range(const char* what, const Tensor& t) {
    const Tensor outside = logical_not(logical_and(ge(t, 0), le(t, 1)));
    BOLIDE_CHECK(!any(outside).item<bool>(), "all elements of ", what, " should be between 0 and 1");
  }
  static Tensor forward(const Tensor& x, const Tensor& t, const Tensor& weight, int64_t reduction) {
    BOLIDE_CHECK(x.dtype() == t.dtype(), "Found dtype ", legacy_name(t.dtype()), " but expected ", legacy_name(x.dtype()));
    BOLIDE_CHECK_AS(ValueError, x.sizes() == t.sizes(), "Using a target size (", t.sizes(),
                    ") that is different to the input size (", x.sizes(), ") is deprecated");
    const Tensor each = iter::map<At, Floats>("binary_cross_entropy", {}, x.dtype(), x.dtype(), {x, t});
    const Tensor total = reduced(each, reduction == kNone ? kSum : reduction);
    if (!x.device().is_meta() && x.numel() && std::isnan(total.item().to_double())) check_range("input", x), check_range("target", t);
    if (weight.defined()) return reduced(mul(each, weight), reduction);
    return reduction == kNone ? each : total;
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<2>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor x = c.in(0), t = c.in(1), w = c.has_tensor(2) ? c.in(2) : Tensor();
    Grads r;
    if (c.needs(0)) r.of[0] = binary_cross_entropy_backward(g, x, t, w, c.integer(3));
    if (c.needs(1)) {
      const auto held = [](const Tensor& v) { return clamp(v, Scalar(-100), {}); };
      r.of[1] = weighted(mul(g, sub(held(log(add(neg(x), 1))), held(log(x)))), w, c.integer(3));
    }
    return r;
  }
};
Tensor binary_cross_entropy(const Tensor& x, const Tensor& t, const Tensor& weight, int64_t reduction) {
  return call<Bce>(x, t, weight, reduction);
}
const Register<Bce> bce_op;

// ---- of logits --------------------------------------------------------------------------------------

// (p t + 1 - t) sigmoid(x) - p t with p = pos_weight.
struct BceLogitsBackward {
  static constexpr auto schema =
      "binary_cross_entropy_with_logits_backward(Tensor grad_output, Tensor self, Tensor target, Tensor? weight=None, "
      "Tensor? pos_weight=None, int reduction=1) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal, variants = 0;
  BOLIDE_EXPR(Plain, T scale;
    T operator()(T g, T x, T t) const { return scale * (fn::sigmoid(x) - t) * g; })
  BOLIDE_EXPR(Weighted, T scale;
    T operator()(T x, T t, T p) const { return scale * ((p * t + T(1) - t) * fn::sigmoid(x) - p * t); })
  static Tensor forward(const Tensor& g, const Tensor& x, const Tensor& t, const Tensor& weight, const Tensor& pos,
                        int64_t reduction) {
    const Operand both[] = {x, t};
    const DType type = iter::result_type(both);
    const char* name = "binary_cross_entropy_with_logits_backward";
    const double scale = reduction_scale(reduction, x.numel());
    if (!pos.defined())
      return times(iter::map<Plain, Floats>(name, {}, type, type, {g, x, t}, scale), weight);
    const Tensor slope = iter::map<Weighted, Floats>(name, {}, type, type, {x, t, pos}, scale);
    return times(mul(slope, g), weight);
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<2>, in<3>, in<4>);
  static Grads backward(const Call& c, const Tensor& gg) {
    const Tensor g = c.in(0), x = c.in(1), t = c.in(2);
    const Tensor w = c.has_tensor(3) ? c.in(3) : Tensor(), pos = c.has_tensor(4) ? c.in(4) : Tensor();
    const int64_t reduction = c.integer(5);
    const Tensor both = mul(gg, g), s = sigmoid(x);
    Grads r;
    if (c.needs(0)) r.of[0] = bce_with_logits_backward(gg, x, t, w, pos, reduction);
    if (c.needs(1)) {
      const Tensor bend = mul(s, add(neg(s), 1));
      r.of[1] = weighted(mul(both, pos.defined() ? mul(bend, add(mul(t, add(pos, -1)), 1)) : bend), w, reduction);
    }
    if (c.needs(2)) {
      const Tensor slope = pos.defined() ? sub(mul(add(pos, -1), s), pos) : neg(ones_like(t));
      r.of[2] = weighted(mul(both, slope), w, reduction);
    }
    return r;
  }
};
Tensor bce_with_logits_backward(const Tensor& g, const Tensor& x, const Tensor& t, const Tensor& w, const Tensor& pos,
                                int64_t reduction) {
  return call<BceLogitsBackward>(g, x, t, w, pos, reduction);
}
const Register<BceLogitsBackward> bce_logits_backward_op;

// (1 - t) x - ((p - 1) t + 1) log sigmoid(x)
struct BceLogits {
  static constexpr auto schema =
      "binary_cross_entropy_with_logits(Tensor self, Tensor target, Tensor? weight=None, Tensor? pos_weight=None, "
      "int reduction=1) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kFunction;
  BOLIDE_EXPR(Plain, T operator()(T x, T t) const { return (T(1) - t) * x - fn::log_sigmoid(x); })
  BOLIDE_EXPR(Weighted, T operator()(T x, T t, T p) const { return (T(1) - t) * x - ((p - T(1)) * t + T(1)) * fn::log_sigmoid(x); })
  static Tensor forward(const Tensor& x, const Tensor& t, const Tensor& weight, const Tensor& pos, int64_t reduction) {
    const Operand both[] = {x, t};
    const DType type = iter::result_type(both);
    BOLIDE_CHECK(is_floating(t.dtype()) || !is_floating(x.dtype()), "result type ", legacy_name(x.dtype()),
                 " can't be cast to the desired output type ", legacy_name(t.dtype()));
    const Tensor each = pos.defined()
        ? iter::map<Weighted, Floats>("log_sigmoid_cpu", {}, type, type, {x, t, pos})
        : iter::map<Plain, Floats>("log_sigmoid_cpu", {}, type, type, {x, t});
    return reduced(times(each, weight), reduction);
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<2>, in<3>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor x = c.in(0), t = c.in(1);
    const Tensor w = c.has_tensor(2) ? c.in(2) : Tensor(), pos = c.has_tensor(3) ? c.in(3) : Tensor();
    Grads r;
    if (c.needs(0)) r.of[0] = bce_with_logits_backward(g, x, t, w, pos, c.integer(4));
    if (c.needs(1)) {
      const Tensor low = bce_log_sigmoid(x);
      const Tensor slope = pos.defined() ? neg(add(x, mul(add(pos, -1), low))) : neg(x);
      r.of[1] = weighted(mul(g, slope), w, c.integer(4));
    }
    return r;
  }
  static Tensor bce_log_sigmoid(const Tensor& x) { return sub(clamp(x, {}, Scalar(0)), log1p(exp(neg(abs(x))))); }
};
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& t, const Tensor& weight, const Tensor& pos,
                                        int64_t reduction) {
  return call<BceLogits>(x, t, weight, pos, reduction);
}
const Register<BceLogits> bce_logits_op;

}  // namespace bolide
