// Activation functions with their derivatives.
#include "ops/unary.h"

namespace bolide {

Tensor silu_backward(const Tensor& grad_output, const Tensor& self);

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
    return Grads(c.needs(0) ? threshold_backward(g, c.in(1), c.number(2)) : Tensor(), c.needs(1) ? zeros_like(g) : Tensor());
  }
};
Tensor threshold_backward(const Tensor& grad, const Tensor& self, const Scalar& threshold) {
  return call<ThresholdBackward>(grad, self, threshold);
}
const Register<ThresholdBackward> threshold_backward_op;

// g (s + x s (1 - s)) with s = sigmoid(x).
struct SiluBackward {
  static constexpr auto schema = "silu_backward(Tensor grad_output, Tensor self) -> Tensor";
  static constexpr auto home = kInternal;
  static constexpr uint8_t variants = 0;
  BOLIDE_EXPR(At, T operator()(T g, T x) const {
    const T s = fn::sigmoid(x);
    return g * s * (T(1) + x * (T(1) - s));
  })
  static Tensor forward(const Tensor& g, const Tensor& x) {
    const DType t = promote(g.dtype(), x.dtype());
    return iter::map<At, Join<Floats, Complexes>>("silu_backward", Out{}, t, t, {g, conj(x)});
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& gg) {
    const Tensor x = c.in(1), s = sigmoid(x), bend = mul(s, add(neg(s), 1));
    const Tensor second = mul(bend, add(mul(x, add(mul(s, -2), 1)), 2));
    return Grads(c.needs(0) ? silu_backward(gg, x) : Tensor(), c.needs(1) ? mul(mul(gg, c.in(0)), conj(second)) : Tensor());
  }
};
Tensor silu_backward(const Tensor& g, const Tensor& x) { return call<SiluBackward>(g, x); }
const Register<SiluBackward> silu_backward_op;

// x * sigmoid(x).
struct Silu : FloatUnary<Silu> {
  static constexpr auto schema = "silu(Tensor self) -> Tensor";
  static constexpr auto home = kInternal;
  BOLIDE_EXPR(At, T operator()(T x) const { return x / (T(1) + fn::exp(-x)); })
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return silu_backward(g, c.in(0)); }
};
Tensor silu(const Tensor& self) { return call<Silu>(self); }
const Register<Silu> silu_op;

// x * Phi(x), with the exact error function or its tanh approximation.
struct Gelu {
  static constexpr auto schema = "gelu(Tensor self, *, str approximate='none') -> Tensor";
  static constexpr auto home = kInternal;
  BOLIDE_EXPR(Exact, T operator()(T x) const { return x * fn::normal_cdf(x); })
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

// g times Phi(x) + x phi(x), or the same of the approximation: one pass.
struct GeluBackward {
  static constexpr auto schema = "gelu_backward(Tensor grad_output, Tensor self, *, str approximate='none') -> Tensor";
  static constexpr auto home = kInternal;
  static constexpr uint8_t variants = 0;
  BOLIDE_EXPR(Exact, T operator()(T g, T x) const { return g * (fn::normal_cdf(x) + x * fn::normal_density(x)); })
  BOLIDE_EXPR(Approximate, T operator()(T g, T x) const {
    const T square = x * x;
    const T u = fn::tanh(T(0.7978845608028654) * x * (T(1) + T(0.044715) * square));
    const T du = (T(1) - u * u) * T(0.7978845608028654) * (T(1) + T(0.134145) * square);
    return g * T(0.5) * (T(1) + u + x * du);
  })
  static Tensor forward(const Tensor& g, const Tensor& x, Str approximate) {
    const DType t = promote(g.dtype(), x.dtype());
    if (approximate == "tanh") return iter::map<Approximate, Floats>("gelu_backward", Out{}, t, t, {g, x});
    BOLIDE_CHECK(approximate == "none", "approximate argument must be either none or tanh.");
    return iter::map<Exact, Floats>("gelu_backward", Out{}, t, t, {g, x});
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& gg) {
    const Tensor x = c.in(1);
    Grads r;
    if (c.needs(0)) r.of[0] = gelu_backward(gg, x, c.text(2));
    if (c.needs(1)) r.of[1] = mul(mul(gg, c.in(0)), c.text(2) == "tanh" ? bend_of_tanh(x) : bend_of_erf(x));
    return r;
  }
  static Tensor bend_of_erf(const Tensor& x) {  // phi(x) (2 - x^2)
    const Tensor square_x = square(x);
    return mul(mul(exp(mul(square_x, -0.5)), 0.3989422804014327), add(neg(square_x), 2));
  }
  static Tensor bend_of_tanh(const Tensor& x) {  // z = k (x + a x^3): (1 - u^2) (z' + x (z'' / 2 - u z'^2))
    const double k = 0.7978845608028654, a = 0.044715;
    const Tensor x2 = square(x), u = tanh(mul(mul(x, add(mul(x2, a), 1)), k));
    const Tensor z1 = mul(add(mul(x2, 3 * a), 1), k), half_z2 = mul(x, 3 * k * a);
    return mul(add(neg(square(u)), 1), add(z1, mul(x, sub(half_z2, mul(u, square(z1))))));
  }
};
Tensor gelu_backward(const Tensor& g, const Tensor& x, Str approximate) { return call<GeluBackward>(g, x, approximate); }
const Register<GeluBackward> gelu_backward_op;

// g above 0, negative_slope * g below.
struct LeakyReluBackward {
  static constexpr auto schema = "leaky_relu_backward(Tensor grad_output, Tensor self, Scalar negative_slope) -> Tensor";
  static constexpr auto home = kInternal;
  static constexpr uint8_t variants = 0;
  BOLIDE_EXPR(At, T slope;
    T operator()(T g, T x) const { return x > T(0) ? g : g * slope; })
  static Tensor forward(const Tensor& g, const Tensor& x, const Scalar& slope) {
    const DType t = promote(g.dtype(), x.dtype());
    return iter::map<At, Floats>("leaky_relu_backward", Out{}, t, t, {g, x}, slope);
  }
  static constexpr auto saved = saves(in<1>);
  static Grads backward(const Call& c, const Tensor& gg);
};
static Tensor leaky_relu_backward(const Tensor& g, const Tensor& x, const Scalar& slope) { return call<LeakyReluBackward>(g, x, slope); }
Grads LeakyReluBackward::backward(const Call& c, const Tensor& gg) {
  return Grads(c.needs(0) ? leaky_relu_backward(gg, c.in(1), c.number(2)) : Tensor(), c.needs(1) ? zeros_like(gg) : Tensor());
}
const Register<LeakyReluBackward> leaky_relu_backward_op;

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
    return leaky_relu_backward(g, c.in(0), c.number(1));
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

// g inside (min_val, max_val), else 0.
struct HardtanhBackward {
  static constexpr auto schema = "hardtanh_backward(Tensor grad_output, Tensor self, Scalar min_val, Scalar max_val) -> Tensor";
  static constexpr auto home = kInternal;
  static constexpr uint8_t variants = 0;
  BOLIDE_EXPR(At, T lo, hi;
    T operator()(T g, T x) const { return x <= lo || x >= hi ? T(0) : g; })
  static Tensor forward(const Tensor& g, const Tensor& x, const Scalar& lo, const Scalar& hi) {
    const DType t = promote(g.dtype(), x.dtype());
    return iter::map<At, Floats>("hardtanh_backward", Out{}, t, t, {g, x}, lo, hi);
  }
  static constexpr auto saved = saves(in<1>);
  static Grads backward(const Call& c, const Tensor& gg);
};
static Tensor hardtanh_backward(const Tensor& g, const Tensor& x, const Scalar& lo, const Scalar& hi) {
  return call<HardtanhBackward>(g, x, lo, hi);
}
Grads HardtanhBackward::backward(const Call& c, const Tensor& gg) {
  return Grads(c.needs(0) ? hardtanh_backward(gg, c.in(1), c.number(2), c.number(3)) : Tensor(), c.needs(1) ? zeros_like(gg) : Tensor());
}
const Register<HardtanhBackward> hardtanh_backward_op;

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
    return hardtanh_backward(g, c.in(0), c.number(1), c.number(2));
  }
};
const Register<Hardtanh> hardtanh_op;

}  // namespace bolide
