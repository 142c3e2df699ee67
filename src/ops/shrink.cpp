// Activations that cut: hardshrink, softshrink, threshold, log_sigmoid.
#include "ops/unary.h"

namespace bolide {

Tensor shrink_backward(const Tensor& grad_output, const Tensor& self, const Scalar& lambd);

// g outside [-lambd, lambd], else 0: the slope of both shrinking functions.
struct ShrinkBackward {
  static constexpr auto schema = "hardshrink_backward(Tensor grad_out, Tensor self, Scalar lambd) -> Tensor";
  static constexpr auto home = kInternal;
  static constexpr uint8_t variants = 0;
  BOLIDE_EXPR(At, T lambd;
    T operator()(T g, T x) const { return x >= -lambd && x <= lambd ? T(0) : g; })
  static Tensor forward(const Tensor& g, const Tensor& x, const Scalar& lambd) {
    const DType t = promote(g.dtype(), x.dtype());
    return iter::map<At, Floats>("shrink_backward_cpu", Out{}, t, t, {g, x}, lambd);
  }
  static constexpr auto saved = saves(in<1>);
  static Grads backward(const Call& c, const Tensor& gg) {
    return Grads(c.needs(0) ? shrink_backward(gg, c.in(1), c.number(2)) : Tensor(), c.needs(1) ? zeros_like(gg) : Tensor());
  }
};
Tensor shrink_backward(const Tensor& g, const Tensor& x, const Scalar& lambd) { return call<ShrinkBackward>(g, x, lambd); }
const Register<ShrinkBackward> shrink_backward_op;

// x outside [-lambd, lambd], else 0.
struct Hardshrink {
  static constexpr auto schema = "hardshrink(Tensor self, Scalar lambd=0.5) -> Tensor";
  static constexpr uint8_t variants = kOut;
  BOLIDE_EXPR(At, T lambd;
    T operator()(T x) const { return x >= -lambd && x <= lambd ? T(0) : x; })
  static Tensor forward(Out out, const Tensor& self, const Scalar& lambd) {
    return iter::map<At, Floats>("hardshrink_cpu", out, self.dtype(), self.dtype(), {self}, lambd);
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return shrink_backward(g, c.in(0), c.number(1)); }
};
const Register<Hardshrink> hardshrink_op;

// x moved towards 0 by lambd.
struct Softshrink {
  static constexpr auto schema = "softshrink(Tensor self, Scalar lambd=0.5) -> Tensor";
  static constexpr uint8_t home = kInternal, variants = kOut;
  BOLIDE_EXPR(At, T lambd;
    T operator()(T x) const { return x > lambd ? x - lambd : x < -lambd ? x + lambd : x * T(0); })
  static Tensor forward(Out out, const Tensor& self, const Scalar& lambd) {
    BOLIDE_CHECK(lambd.to_double() >= 0, "lambda must be in range [0, max] for input dtype ", legacy_name(self.dtype()), ", but found ",
                 lambd.to_double());
    return iter::map<At, Floats>("softshrink_cpu", out, self.dtype(), self.dtype(), {self}, lambd);
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return shrink_backward(g, c.in(0), c.number(1)); }
};
const Register<Softshrink> softshrink_op;

// x above `threshold`, else `value`.
struct Threshold {
  static constexpr auto schema = "threshold(Tensor self, Scalar threshold, Scalar value) -> Tensor";
  static constexpr uint8_t home = kFunction;
  BOLIDE_EXPR(At, T threshold, value;
    T operator()(T x) const { return x <= threshold ? value : x; })
  static Tensor forward(Out out, const Tensor& self, const Scalar& threshold, const Scalar& value) {
    return iter::map<At, Join<Ints, Floats>>("threshold_cpu", out, self.dtype(), self.dtype(), {self}, threshold, value);
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return threshold_backward(g, c.in(0), c.number(1)); }
};
const Register<Threshold> threshold_op;

// log(sigmoid(x)) without overflow.
struct LogSigmoid {
  static constexpr auto schema = "log_sigmoid(Tensor self) -> Tensor";
  static constexpr uint8_t home = kInternal, variants = kOut;
  BOLIDE_EXPR(At, T operator()(T x) const { return (x < T(0) ? x : T(0)) - fn::log1p(fn::exp(x < T(0) ? x : -x)); })
  static Tensor forward(Out out, const Tensor& self) {
    return iter::map<At, Floats>("log_sigmoid_cpu", out, self.dtype(), self.dtype(), {self});
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return mul(g, sigmoid(neg(c.in(0)))); }
};
const Register<LogSigmoid> log_sigmoid_op;

}  // namespace bolide
