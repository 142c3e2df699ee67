// Activations, softmax and their kin.
#include <cmath>

#include "bolide/nn/functional.h"
#include "bolide/ops.h"
#include "core/named_op.h"

namespace bolide::nn::functional {
namespace {

constexpr NamedOp kReluOp("relu"), kHardtanhOp("hardtanh"), kEluOp("elu"), kSeluOp("selu"), kCeluOp("celu"), kSiluOp("silu"),
    kMishOp("mish"), kGluOp("glu"), kLeakyReluOp("leaky_relu"), kPreluOp("prelu"), kRreluOp("rrelu"), kHardsigmoidOp("hardsigmoid"),
    kHardswishOp("hardswish"), kHardshrinkOp("hardshrink"), kSoftshrinkOp("softshrink"), kSoftplusOp("softplus"),
    kThresholdOp("threshold"), kLogSigmoidOp("log_sigmoid");

/// op(input, args...), into `input` itself when `inplace`.
template <class... A>
Tensor apply(const NamedOp& op, bool inplace, const Tensor& input, const A&... args) {
  return inplace ? op.in_place(input, args...) : op(input, args...);
}

}  // namespace

Tensor relu(const Tensor& x, const ReLUFuncOptions& o) { return o.inplace() ? kReluOp.in_place(x) : bolide::relu(x); }
Tensor relu6(const Tensor& x, const ReLU6FuncOptions& o) { return apply(kHardtanhOp, o.inplace(), x, 0, 6); }
Tensor elu(const Tensor& x, const ELUFuncOptions& o) { return apply(kEluOp, o.inplace(), x, o.alpha()); }
Tensor selu(const Tensor& x, const SELUFuncOptions& o) { return apply(kSeluOp, o.inplace(), x); }
Tensor celu(const Tensor& x, const CELUFuncOptions& o) { return apply(kCeluOp, o.inplace(), x, o.alpha()); }
Tensor gelu(const Tensor& x, const GELUFuncOptions& o) { return bolide::gelu(x, o.approximate()); }
Tensor silu(const Tensor& x, const SiLUOptions& o) { return o.inplace() ? kSiluOp.in_place(x) : bolide::silu(x); }
Tensor mish(const Tensor& x, const MishOptions& o) { return apply(kMishOp, o.inplace(), x); }
Tensor glu(const Tensor& x, const GLUFuncOptions& o) {
  BOLIDE_CHECK(x.dim() > 0, "glu does not support scalars because halving size must be even");
  return kGluOp(x, o.dim());
}
Tensor leaky_relu(const Tensor& x, const LeakyReLUFuncOptions& o) {
  return o.inplace() ? kLeakyReluOp.in_place(x, o.negative_slope()) : bolide::leaky_relu(x, o.negative_slope());
}
Tensor prelu(const Tensor& x, const Tensor& weight) { return kPreluOp(x, weight); }
Tensor rrelu(const Tensor& x, const RReLUFuncOptions& o) { return apply(kRreluOp, o.inplace(), x, o.lower(), o.upper(), o.training()); }
Tensor hardtanh(const Tensor& x, const HardtanhFuncOptions& o) {
  BOLIDE_CHECK_AS(ValueError, o.min_val() <= o.max_val(), "min_val cannot be greater than max_val");
  return apply(kHardtanhOp, o.inplace(), x, o.min_val(), o.max_val());
}
Tensor hardsigmoid(const Tensor& x, const HardsigmoidOptions& o) { return apply(kHardsigmoidOp, o.inplace(), x); }
Tensor hardswish(const Tensor& x, const HardswishOptions& o) { return apply(kHardswishOp, o.inplace(), x); }
Tensor hardshrink(const Tensor& x, const HardshrinkFuncOptions& o) { return kHardshrinkOp(x, o.lambda()); }
Tensor softshrink(const Tensor& x, const SoftshrinkFuncOptions& o) { return kSoftshrinkOp(x, o.lambda()); }
Tensor softplus(const Tensor& x, const SoftplusFuncOptions& o) { return kSoftplusOp(x, o.beta(), o.threshold()); }
Tensor threshold(const Tensor& x, const ThresholdFuncOptions& o) { return apply(kThresholdOp, o.inplace(), x, o.threshold(), o.value()); }
Tensor logsigmoid(const Tensor& x) { return kLogSigmoidOp(x); }
Tensor sigmoid(const Tensor& x) { return bolide::sigmoid(x); }
Tensor tanh(const Tensor& x) { return bolide::tanh(x); }
Tensor tanhshrink(const Tensor& x) { return sub(x, bolide::tanh(x)); }
Tensor softsign(const Tensor& x) { return div(x, add(abs(x), 1)); }

Tensor softmax(const Tensor& x, const SoftmaxFuncOptions& o) { return bolide::softmax(x, o.dim(), o.dtype()); }
Tensor softmin(const Tensor& x, const SoftminFuncOptions& o) { return bolide::softmax(neg(x), o.dim(), o.dtype()); }
Tensor log_softmax(const Tensor& x, const LogSoftmaxFuncOptions& o) { return bolide::log_softmax(x, o.dim(), o.dtype()); }

Tensor gumbel_softmax(const Tensor& logits, const GumbelSoftmaxFuncOptions& o) {
  static constexpr NamedOp exponential_("exponential_");
  const Tensor draws = empty(logits.sizes(), logits.dtype(), logits.device());
  exponential_(draws, 1.0);
  const Tensor soft = bolide::softmax(div(add(logits, neg(log(draws))), o.tau()), o.dim());
  if (!o.hard()) return soft;
  const Tensor index = argmax(soft, o.dim(), true);
  const Tensor hard = bolide::scatter_add(zeros(logits.sizes(), logits.dtype(), logits.device()), o.dim(), index,
                                          ones(index.sizes(), logits.dtype(), logits.device()));
  return add(sub(hard, soft.detach()), soft);
}

Tensor normalize(const Tensor& x, const NormalizeFuncOptions& o) {
  static constexpr NamedOp norm("norm");
  const int64_t dim[] = {o.dim()};
  const Tensor length = norm(x, Scalar(o.p()), IntList(dim, 1), true);
  return div(x, expand(clamp(length, Scalar(o.eps()), {}), x.sizes()));
}

}  // namespace bolide::nn::functional
