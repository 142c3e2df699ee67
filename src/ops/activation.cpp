// Activation functions with their derivatives.
#include "ops/unary.h"

namespace bolide {

struct ReluOp : SameUnary<ReluOp> {
  static constexpr auto schema = "relu(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return x <= T(0) ? T(0) : x; })
  static constexpr auto saved = saves(out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return threshold_backward(g, c.out(), 0); }
};
Tensor relu(const Tensor& self) { return call<ReluOp>(self); }
const Register<ReluOp> relu_op;

struct TanhOp : FloatUnary<TanhOp> {
  static constexpr auto schema = "tanh(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::tanh(x); })
  static constexpr auto saved = saves(out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, conj(add(neg(square(c.out())), 1))); }
};
Tensor tanh(const Tensor& self) { return call<TanhOp>(self); }
const Register<TanhOp> tanh_op;

struct SigmoidOp : FloatUnary<SigmoidOp> {
  static constexpr auto schema = "sigmoid(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { return fn::sigmoid(x); })
  static constexpr auto saved = saves(out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, conj(mul(c.out(), add(neg(c.out()), 1)))); }
};
Tensor sigmoid(const Tensor& self) { return call<SigmoidOp>(self); }
const Register<SigmoidOp> sigmoid_op;

// grad where x > threshold, else 0.
struct ThresholdBackward {
  static constexpr auto schema = "threshold_backward(Tensor grad_output, Tensor self, Scalar threshold) -> Tensor";
  static constexpr auto home = kInternal;
  BOLIDE_EXPR(At, T threshold;
    T operator()(T g, T x) const { return x <= threshold ? T(0) : g; })
  static Tensor forward(Out out, const Tensor& grad, const Tensor& self, const Scalar& threshold) {
    const DType t = promote(grad.dtype(), self.dtype());
    return iter::map<At, Join<Ints, Floats>>("threshold_backward", out, t, t, {grad, self}, threshold);
  }
  static constexpr auto saved = saves(in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(threshold_backward(g, c.in(1), c.number(2)), Tensor());
  }
};
Tensor threshold_backward(const Tensor& grad, const Tensor& self, const Scalar& threshold) {
  return call<ThresholdBackward>(grad, self, threshold);
}
const Register<ThresholdBackward> threshold_backward_op;

// x * sigmoid(x).
struct Silu : FloatUnary<Silu, Floats> {
  static constexpr auto schema = "silu(Tensor self) -> Tensor";
  static constexpr auto home = kInternal;
  BOLIDE_EXPR(At, T operator()(T x) const { return x / (T(1) + fn::exp(-x)); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor x = c.in(0), s = sigmoid(x);
    return mul(g, mul(s, add(mul(x, add(neg(s), 1)), 1)));
  }
};
Tensor silu(const Tensor& self) { return call<Silu>(self); }
const Register<Silu> silu_op;

// x * Phi(x), with the exact error function or its tanh approximation.
struct Gelu {
  static constexpr auto schema = "gelu(Tensor self, *, str approximate='none') -> Tensor";
  static constexpr auto home = kInternal;
  BOLIDE_EXPR(Exact, T operator()(T x) const { return x * T(0.5) * (T(1) + fn::erf(x * T(0.7071067811865476))); })
  BOLIDE_EXPR(Approximate, T operator()(T x) const { return T(0.5) * x * (T(1) + fn::tanh(T(0.7978845608028654) * (x + T(0.044715) * x * x * x))); })
  static Tensor forward(Out out, const Tensor& self, Str approximate) {
    const DType t = self.dtype();
    if (approximate == "tanh") return iter::map<Approximate, Floats>("gelu", out, t, t, {self});
    BOLIDE_CHECK(approximate == "none", "approximate argument must be either none or tanh.");
    return iter::map<Exact, Floats>("gelu", out, t, t, {self});
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return gelu_backward(g, c.in(0), c.text(1)); }
};
Tensor gelu(const Tensor& self, Str approximate) { return call<Gelu>(self, approximate); }
const Register<Gelu> gelu_op;

struct GeluBackward {
  static constexpr auto schema = "gelu_backward(Tensor grad_output, Tensor self, *, str approximate='none') -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr auto home = kInternal;
  static Tensor forward(const Tensor& g, const Tensor& x, Str approximate) {
    if (approximate == "tanh") {
      const double k = 0.7978845608028654, a = 0.044715;
      const Tensor x2 = square(x), u = tanh(mul(mul(x, add(mul(x2, a), 1)), k));
      const Tensor du = mul(add(neg(square(u)), 1), mul(add(mul(x2, 3 * a), 1), k));
      return mul(g, add(mul(add(u, 1), 0.5), mul(mul(x, du), 0.5)));
    }
    const Tensor cdf = mul(add(erf(mul(x, M_SQRT1_2)), 1), 0.5);
    const Tensor pdf = mul(exp(mul(square(x), -0.5)), 0.3989422804014327);
    return mul(g, add(cdf, mul(x, pdf)));
  }
};
Tensor gelu_backward(const Tensor& g, const Tensor& x, Str approximate) { return call<GeluBackward>(g, x, approximate); }
const Register<GeluBackward> gelu_backward_op;

// x above 0, negative_slope * x below.
struct LeakyRelu {
  static constexpr auto schema = "leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor";
  static constexpr auto home = kInternal;
  BOLIDE_EXPR(At, T slope;
    T operator()(T x) const { return x > T(0) ? x : x * slope; })
  static Tensor forward(Out out, const Tensor& self, const Scalar& slope) {
    return iter::map<At, Floats>("leaky_relu", out, self.dtype(), self.dtype(), {self}, slope);
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    return where(gt(c.in(0), 0), g, mul(g, c.number(1)));
  }
};
Tensor leaky_relu(const Tensor& self, const Scalar& slope) { return call<LeakyRelu>(self, slope); }
const Register<LeakyRelu> leaky_relu_op;

// scale * x above 0, scale * alpha * (exp(input_scale * x) - 1) below.
struct Elu {
  static constexpr auto schema = "elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor";
  static constexpr auto home = kInternal;
  BOLIDE_EXPR(At, T negative, positive, input;
    T operator()(T x) const { return x > T(0) ? x * positive : fn::expm1(x * input) * negative; })
  static Tensor forward(Out out, const Tensor& self, const Scalar& alpha, const Scalar& scale, const Scalar& input_scale) {
    return iter::map<At, Floats>("elu", out, self.dtype(), self.dtype(), {self}, alpha.to_double() * scale.to_double(), scale, input_scale);
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor x = c.in(0);
    const double a = c.number(1).to_double(), s = c.number(2).to_double(), i = c.number(3).to_double();
    return mul(g, where(gt(x, 0), s, mul(exp(mul(x, i)), a * s * i)));
  }
};
const Register<Elu> elu_op;

// log(1 + exp(beta x)) / beta, linear above threshold.
struct Softplus {
  static constexpr auto schema = "softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor";
  static constexpr auto home = kInternal;
  BOLIDE_EXPR(At, T beta, threshold;
    T operator()(T x) const { return x * beta > threshold ? x : fn::log1p(fn::exp(x * beta)) / beta; })
  static Tensor forward(Out out, const Tensor& self, const Scalar& beta, const Scalar& threshold) {
    return iter::map<At, Floats>("softplus", out, self.dtype(), self.dtype(), {self}, beta, threshold);
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor z = mul(c.in(0), c.number(1));
    return where(gt(z, c.number(2)), g, mul(g, sigmoid(z)));
  }
};
const Register<Softplus> softplus_op;

// x clipped to [min_val, max_val].
struct Hardtanh {
  static constexpr auto schema = "hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor";
  static constexpr auto home = kInternal;
  BOLIDE_EXPR(At, T lo, hi;
    T operator()(T x) const { return x < lo ? lo : x > hi ? hi : x; })
  static Tensor forward(Out out, const Tensor& self, const Scalar& lo, const Scalar& hi) {
    return iter::map<At, Join<Ints, Floats>>("hardtanh", out, self.dtype(), self.dtype(), {self}, lo, hi);
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor x = c.in(0);
    return masked_fill(g, logical_or(le(x, c.number(1)), ge(x, c.number(2))), 0);
  }
};
const Register<Hardtanh> hardtanh_op;

}  // namespace bolide
