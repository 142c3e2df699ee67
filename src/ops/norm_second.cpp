// The derivative of every normalisation's derivative.
//
// With xhat = (x - mean) rstd, a = w grad, and M the mean over the reduced dimensions (N elements),
//   dx = rstd (a - M(a) - xhat M(a xhat)) = rstd P(a),   dw = sum(grad xhat),   db = sum(grad).
// P is symmetric. For cotangents v of dx, s of dw, t of db:
//   with respect to grad   w rstd P(v) + s xhat + t
//   with respect to w      sum(grad rstd P(v))
//   with respect to x      -rstd^2 (xhat (S - 3 p q N) + q (v - M(v)) + p (a - M(a))) + rstd P(s grad)
// where p = M(v xhat), q = M(a xhat), S N = sum(v a) - sum(v) sum(a) / N. Without a mean the M(..) that centre vanish.
#include "ops/norm.h"

namespace bolide {

namespace {

Tensor plus(const Tensor& a, const Tensor& b) { return !a.defined() ? b : !b.defined() ? a : add(a, b); }

struct Derivative {
  const Normalised& n;
  Tensor xhat;
  explicit Derivative(const Normalised& norm) : n(norm) { xhat = mul(n.mean.defined() ? sub(n.x, n.mean) : n.x, n.rstd); }

  Tensor average(const Tensor& t) const { return mean(t, std::optional<IntList>(n.reduced), true); }
  Tensor centred(const Tensor& t) const { return n.centred ? sub(t, average(t)) : t; }
  Tensor project(const Tensor& t) const {
    if (n.fixed) return t;
    return sub(centred(t), mul(xhat, average(mul(t, xhat))));
  }
  Tensor scaled(const Tensor& t) const { return n.weight.defined() ? mul(t, n.weight) : t; }
  Tensor to_weight(const Tensor& t) const { return n.shared.empty() ? t : sum(t, std::optional<IntList>(n.shared), true); }

  Tensor bend(const Tensor& v) const {  // of dx in x
    const Tensor a = scaled(n.grad), p = average(mul(v, xhat)), q = average(mul(a, xhat));
    Tensor s = average(mul(v, a));
    if (n.centred) s = sub(s, mul(average(v), average(a)));
    const Tensor inner = add(mul(xhat, sub(s, mul(mul(p, q), 3))), add(mul(q, centred(v)), mul(p, centred(a))));
    return neg(mul(square(n.rstd), inner));
  }
};

}  // namespace

std::tuple<Tensor, Tensor, Tensor> norm_double_backward(const Normalised& n, const Tensor& gdx, const Tensor& gdw, const Tensor& gdb) {
  const Derivative d(n);
  Tensor grad, x, weight;
  if (gdx.defined()) {
    const Tensor turned = mul(d.project(gdx), n.rstd);
    grad = d.scaled(turned);
    if (n.weight.defined()) weight = d.to_weight(mul(n.grad, turned));
    if (!n.fixed) x = d.bend(gdx);
  }
  if (gdw.defined()) {
    grad = plus(grad, mul(gdw, d.xhat));
    x = plus(x, mul(d.project(mul(n.grad, gdw)), n.rstd));
  }
  if (gdb.defined()) grad = plus(grad, expand(gdb, n.x.sizes()));
  if (!x.defined()) x = zeros_like(n.x);
  if (!grad.defined()) grad = zeros_like(n.x);
  if (!weight.defined() && n.weight.defined()) weight = zeros_like(n.weight);
  return {grad, x, weight};
}

void check_parameter_type(const Tensor& x, const Tensor& parameter) {
  BOLIDE_CHECK(!parameter.defined() || parameter.dtype() == x.dtype() || (is_half(x.dtype()) && parameter.dtype() == DType::Float32),
               "mixed dtype (CPU): expect parameter to have scalar type of Float");
}

}  // namespace bolide
