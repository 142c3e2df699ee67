// Losses of pairs, element by element: mse, smooth l1, huber, l1, soft margin, binary cross entropy, kl divergence.
// Each has a backward op of its own, which is differentiable again. `reduction`: 0 none, 1 mean, 2 sum.
#include "iter/functions.h"
#include "ops/nn.h"

namespace bolide {

namespace {

/// A loss F(x, t) of each pair, reduced.
template <template <class> class F, class... P>
Tensor pair_loss(const char* kernel, const Tensor& x, const Tensor& t, int64_t reduction, P... parameters) {
  const Operand both[] = {x, t};
  const DType type = iter::result_type(both);
  return reduced(iter::map<F, Floats>(kernel, {}, type, type, {x, t}, parameters...), reduction);
}

/// The slope F(g, x, t) of each pair.
template <template <class> class F, class... P>
Tensor pair_slope(const char* kernel, const Tensor& g, const Tensor& x, const Tensor& t, P... parameters) {
  const Operand all[] = {g, x, t};
  const DType type = iter::result_type(all);
  return iter::map<F, Floats>(kernel, {}, type, type, {g, x, t}, parameters...);
}

/// What a slope is multiplied by: one over the number of pairs for means.
double pair_scale(const Tensor& x, const Tensor& t, int64_t reduction) {
  return reduction_scale(reduction, checked_numel(iter::broadcast(x.sizes(), t.sizes())));
}

}  // namespace

// ---- squares ----------------------------------------------------------------------------------

// 2 (x - t) g
struct MseLossBackward {
  static constexpr auto schema =
      "mse_loss_backward(Tensor grad_output, Tensor self, Tensor target, int reduction) -> Tensor";
  static constexpr auto kind = Kind::Pointwise;
  static constexpr uint8_t home = kInternal, variants = 0;
  BOLIDE_EXPR(At, T scale;
    T operator()(T g, T x, T t) const { return scale * (x - t) * g; })
  static Tensor forward(const Tensor& g, const Tensor& x, const Tensor& t, int64_t reduction) {
    const double scale = 2 * pair_scale(x, t, reduction);
    return pair_slope<At>("mse_backward_cpu", g, x, t, scale);
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<2>);
  static Grads backward(const Call& c, const Tensor& gg) {
    const Tensor x = c.in(1), t = c.in(2);
    Grads r;
    if (c.needs(0)) r.of[0] = mse_loss_backward(gg, x, t, c.integer(3));
    if (c.needs(1) || c.needs(2)) r.of[1] = mul(mul(gg, c.in(0)), 2 * pair_scale(x, t, c.integer(3)));
    if (c.needs(2)) r.of[2] = neg(r.of[1]);
    return r;
  }
};
Tensor mse_loss_backward(const Tensor& g, const Tensor& x, const Tensor& t, int64_t reduction) {
  return call<MseLossBackward>(g, x, t, reduction);
}
const Register<MseLossBackward> mse_loss_backward_op;

struct MseLoss {
  static constexpr auto schema = "mse_loss(Tensor self, Tensor target, int reduction=1) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  BOLIDE_EXPR(At, T operator()(T x, T t) const { return (x - t) * (x - t); })
  static Tensor forward(const Tensor& x, const Tensor& t, int64_t reduction) {
    return pair_loss<At>("mse_cpu", x, t, reduction);
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor dx = mse_loss_backward(g, c.in(0), c.in(1), c.integer(2));
    return Grads(dx, c.needs(1) ? neg(dx) : Tensor());
  }
};
Tensor mse_loss(const Tensor& x, const Tensor& t, int64_t reduction) { return call<MseLoss>(x, t, reduction); }
const Register<MseLoss> mse_loss_op;

// ---- absolute differences -----------------------------------------------------------------------

struct L1Loss {
  static constexpr auto schema = "l1_loss(Tensor self, Tensor target, int reduction=1) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& x, const Tensor& t, int64_t reduction) {
    return reduced(abs(sub(x, t)), reduction);
  }
};
Tensor l1_loss(const Tensor& x, const Tensor& t, int64_t reduction) { return L1Loss::forward(x, t, reduction); }
const Register<L1Loss> l1_loss_op;

// The slope of both smooth forms: `outer` times the sign outside [-width, width], `inner` (x - t) inside.
namespace {
BOLIDE_EXPR(BentSlope, T width, inner, outer;
  T operator()(T g, T x, T t) const {
    const T z = x - t;
    return (z <= -width ? -outer : z >= width ? outer : inner * z) * g;
  })
Tensor inside(const Tensor& x, const Tensor& t, double width) { return lt(abs(sub(x, t)), width); }
}  // namespace

struct SmoothL1LossBackward {
  static constexpr auto schema =
      "smooth_l1_loss_backward(Tensor grad_output, Tensor self, Tensor target, int reduction, float beta) -> Tensor";
  static constexpr auto kind = Kind::Pointwise;
  static constexpr uint8_t home = kInternal, variants = 0;
  static Tensor forward(const Tensor& g, const Tensor& x, const Tensor& t, int64_t reduction, double beta) {
    const double scale = pair_scale(x, t, reduction);
    return pair_slope<BentSlope>("smooth_l1_backward_cpu", g, x, t, beta, scale / beta, scale);
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<2>);
  static Grads backward(const Call& c, const Tensor& gg) {
    const Tensor x = c.in(1), t = c.in(2);
    const double beta = c.real(4);
    Grads r;
    if (c.needs(0)) r.of[0] = smooth_l1_loss_backward(gg, x, t, c.integer(3), beta);
    if (c.needs(1) || c.needs(2))
      r.of[1] = mul(mul(mul(gg, c.in(0)), inside(x, t, beta)), pair_scale(x, t, c.integer(3)) / beta);
    if (c.needs(2)) r.of[2] = neg(r.of[1]);
    return r;
  }
};
Tensor smooth_l1_loss_backward(const Tensor& g, const Tensor& x, const Tensor& t, int64_t reduction, double beta) {
  return call<SmoothL1LossBackward>(g, x, t, reduction, beta);
}
const Register<SmoothL1LossBackward> smooth_l1_loss_backward_op;

// Half a square over beta below beta, |x - t| - beta / 2 above.
struct SmoothL1Loss {
  static constexpr auto schema =
      "smooth_l1_loss(Tensor self, Tensor target, int reduction=1, float beta=1.0) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  BOLIDE_EXPR(At, T beta;
    T operator()(T x, T t) const {
      const T z = x < t ? t - x : x - t;
      return z < beta ? T(0.5) * z * z / beta : z - T(0.5) * beta;
    })
  static Tensor forward(const Tensor& x, const Tensor& t, int64_t reduction, double beta) {
    BOLIDE_CHECK(beta >= 0, "smooth_l1_loss does not support negative values for beta.");
    return pair_loss<At>("smooth_l1_cpu", x, t, reduction, beta);
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor dx = smooth_l1_loss_backward(g, c.in(0), c.in(1), c.integer(2), c.real(3));
    return Grads(dx, c.needs(1) ? neg(dx) : Tensor());
  }
};
Tensor smooth_l1_loss(const Tensor& x, const Tensor& t, int64_t reduction, double beta) {
  return beta == 0 ? l1_loss(x, t, reduction) : call<SmoothL1Loss>(x, t, reduction, beta);
}
const Register<SmoothL1Loss> smooth_l1_loss_op;

struct HuberLossBackward {
  static constexpr auto schema =
      "huber_loss_backward(Tensor grad_output, Tensor self, Tensor target, int reduction, float delta) -> Tensor";
  static constexpr auto kind = Kind::Pointwise;
  static constexpr uint8_t home = kInternal, variants = 0;
  static Tensor forward(const Tensor& g, const Tensor& x, const Tensor& t, int64_t reduction, double delta) {
    const double scale = pair_scale(x, t, reduction);
    return pair_slope<BentSlope>("huber_backward_cpu", g, x, t, delta, scale, scale * delta);
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<2>);
  static Grads backward(const Call& c, const Tensor& gg) {
    const Tensor x = c.in(1), t = c.in(2);
    const double delta = c.real(4);
    Grads r;
    if (c.needs(0)) r.of[0] = huber_loss_backward(gg, x, t, c.integer(3), delta);
    if (c.needs(1) || c.needs(2))
      r.of[1] = mul(mul(mul(gg, c.in(0)), inside(x, t, delta)), pair_scale(x, t, c.integer(3)));
    if (c.needs(2)) r.of[2] = neg(r.of[1]);
    return r;
  }
};
Tensor huber_loss_backward(const Tensor& g, const Tensor& x, const Tensor& t, int64_t reduction, double delta) {
  return call<HuberLossBackward>(g, x, t, reduction, delta);
}
const Register<HuberLossBackward> huber_loss_backward_op;

// Half a square below delta, delta (|x - t| - delta / 2) above.
struct HuberLoss {
  static constexpr auto schema = "huber_loss(Tensor self, Tensor target, int reduction=1, float delta=1.0) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  BOLIDE_EXPR(At, T delta;
    T operator()(T x, T t) const {
      const T z = x < t ? t - x : x - t;
      return z < delta ? T(0.5) * z * z : delta * (z - T(0.5) * delta);
    })
  static Tensor forward(const Tensor& x, const Tensor& t, int64_t reduction, double delta) {
    BOLIDE_CHECK(delta > 0, "huber_loss does not support non-positive values for delta.");
    return pair_loss<At>("huber_cpu", x, t, reduction, delta);
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor dx = huber_loss_backward(g, c.in(0), c.in(1), c.integer(2), c.real(3));
    return Grads(dx, c.needs(1) ? neg(dx) : Tensor());
  }
};
Tensor huber_loss(const Tensor& x, const Tensor& t, int64_t reduction, double delta) {
  return call<HuberLoss>(x, t, reduction, delta);
}
const Register<HuberLoss> huber_loss_op;

// ---- soft margin ----------------------------------------------------------------------------------

struct SoftMarginLossBackward {
  static constexpr auto schema =
      "soft_margin_loss_backward(Tensor grad_output, Tensor self, Tensor target, int reduction) -> Tensor";
  static constexpr auto kind = Kind::Pointwise;
  static constexpr uint8_t home = kInternal, variants = 0;
  BOLIDE_EXPR(At, T scale;
    T operator()(T g, T x, T t) const { return -scale * t * g / (T(1) + fn::exp(t * x)); })
  static Tensor forward(const Tensor& g, const Tensor& x, const Tensor& t, int64_t reduction) {
    const double scale = pair_scale(x, t, reduction);
    return pair_slope<At>("soft_margin_loss_backward", g, x, t, scale);
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<2>);
  static Grads backward(const Call& c, const Tensor& gg) {
    const Tensor x = c.in(1), t = c.in(2);
    Grads r;
    if (c.needs(0)) r.of[0] = soft_margin_loss_backward(gg, x, t, c.integer(3));
    if (c.needs(1)) {  // t^2 s (1 - s) with s = sigmoid(t x)
      const Tensor s = sigmoid(mul(t, x));
      r.of[1] = mul(mul(mul(gg, c.in(0)), mul(mul(square(t), s), add(neg(s), 1))), pair_scale(x, t, c.integer(3)));
    }
    return r;
  }
};
Tensor soft_margin_loss_backward(const Tensor& g, const Tensor& x, const Tensor& t, int64_t reduction) {
  return call<SoftMarginLossBackward>(g, x, t, reduction);
}
const Register<SoftMarginLossBackward> soft_margin_loss_backward_op;

// log(1 + exp(-t x))
struct SoftMarginLoss {
  static constexpr auto schema = "soft_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  BOLIDE_EXPR(At, T operator()(T x, T t) const { return fn::log1p(fn::exp(-t * x)); })
  static Tensor forward(const Tensor& x, const Tensor& t, int64_t reduction) {
    if (is_half(x.dtype())) return reduced(log1p(exp(mul(neg(t), x))), reduction);  // each step is rounded, as PyTorch's
    return pair_loss<At>("soft_margin_loss", x, t, reduction);
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static constexpr uint32_t no_grad = 1u << 1;
  static Grads backward(const Call& c, const Tensor& g) {
    return soft_margin_loss_backward(g, c.in(0), c.in(1), c.integer(2));
  }
};
const Register<SoftMarginLoss> soft_margin_loss_op;

// ---- Kullback-Leibler divergence --------------------------------------------------------------------

// t (log t - x), or exp(t) (t - x) for logarithms t.
struct KlDiv {
  static constexpr auto schema = "kl_div(Tensor self, Tensor target, int reduction=1, *, bool log_target=False) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& x, const Tensor& t, int64_t reduction, bool log_target) {
    BOLIDE_CHECK(is_floating(x.dtype()) || is_floating(t.dtype()), "kl_div: Input and target must be of floating type");
    if (log_target) return reduced(mul(exp(t), sub(t, x)), reduction);
    const Tensor positive = logical_not(eq(t, 0));
    const Tensor entropy = where(positive, mul(t, log(where(positive, t, 1.0))), 0.0);
    return reduced(sub(entropy, mul(t, x)), reduction);
  }
};
const Register<KlDiv> kl_div_op;

}  // namespace bolide
