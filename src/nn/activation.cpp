// Activation modules.
#include "bolide/nn/activation.h"

#include "bolide/nn/functional.h"
#include "bolide/ops.h"
#include "nn/text.h"

namespace bolide::nn {

namespace F = functional;
using detail::py;

namespace {
std::string in_place(bool on) { return on ? "inplace=True" : ""; }
std::string in_place_too(bool on) { return on ? ", inplace=True" : ""; }
}  // namespace

Tensor ReLUImpl::forward(const Tensor& x) const { return F::relu(x, options); }
std::string ReLUImpl::extra_repr() const { return in_place(options.inplace()); }
Tensor ReLU6Impl::forward(const Tensor& x) const { return F::relu6(x, options); }
std::string ReLU6Impl::extra_repr() const { return in_place(options.inplace()); }
Tensor SELUImpl::forward(const Tensor& x) const { return F::selu(x, options); }
std::string SELUImpl::extra_repr() const { return in_place(options.inplace()); }
Tensor SiLUImpl::forward(const Tensor& x) const { return F::silu(x, options); }
std::string SiLUImpl::extra_repr() const { return in_place(options.inplace()); }
Tensor MishImpl::forward(const Tensor& x) const { return F::mish(x, options); }
std::string MishImpl::extra_repr() const { return in_place(options.inplace()); }
Tensor HardsigmoidImpl::forward(const Tensor& x) const { return F::hardsigmoid(x, options); }
std::string HardsigmoidImpl::extra_repr() const { return ""; }
Tensor HardswishImpl::forward(const Tensor& x) const { return F::hardswish(x, options); }
std::string HardswishImpl::extra_repr() const { return ""; }

Tensor ELUImpl::forward(const Tensor& x) const { return F::elu(x, options); }
std::string ELUImpl::extra_repr() const { return "alpha=" + py(options.alpha()) + in_place_too(options.inplace()); }
Tensor CELUImpl::forward(const Tensor& x) const { return F::celu(x, options); }
std::string CELUImpl::extra_repr() const { return "alpha=" + py(options.alpha()) + in_place_too(options.inplace()); }
Tensor LeakyReLUImpl::forward(const Tensor& x) const { return F::leaky_relu(x, options); }
std::string LeakyReLUImpl::extra_repr() const { return "negative_slope=" + py(options.negative_slope()) + in_place_too(options.inplace()); }
Tensor RReLUImpl::forward(const Tensor& x) const {
  return F::rrelu(x, F::RReLUFuncOptions().lower(options.lower()).upper(options.upper()).training(is_training()).inplace(options.inplace()));
}
std::string RReLUImpl::extra_repr() const {
  return "lower=" + py(options.lower()) + ", upper=" + py(options.upper()) + in_place_too(options.inplace());
}
Tensor HardtanhImpl::forward(const Tensor& x) const { return F::hardtanh(x, options); }
std::string HardtanhImpl::extra_repr() const {
  return "min_val=" + py(options.min_val()) + ", max_val=" + py(options.max_val()) + in_place_too(options.inplace());
}
Tensor ThresholdImpl::forward(const Tensor& x) const { return F::threshold(x, options); }
std::string ThresholdImpl::extra_repr() const {
  return "threshold=" + py(options.threshold()) + ", value=" + py(options.value()) + in_place_too(options.inplace());
}

Tensor GELUImpl::forward(const Tensor& x) const { return F::gelu(x, options); }
std::string GELUImpl::extra_repr() const { return "approximate=" + py(options.approximate()); }
Tensor GLUImpl::forward(const Tensor& x) const { return F::glu(x, options); }
std::string GLUImpl::extra_repr() const { return "dim=" + py(options.dim()); }
Tensor HardshrinkImpl::forward(const Tensor& x) const { return F::hardshrink(x, options); }
std::string HardshrinkImpl::extra_repr() const { return py(options.lambda()); }
Tensor SoftshrinkImpl::forward(const Tensor& x) const { return F::softshrink(x, options); }
std::string SoftshrinkImpl::extra_repr() const { return py(options.lambda()); }
Tensor SoftplusImpl::forward(const Tensor& x) const { return F::softplus(x, options); }
std::string SoftplusImpl::extra_repr() const { return "beta=" + py(options.beta()) + ", threshold=" + py(options.threshold()); }

Tensor SigmoidImpl::forward(const Tensor& x) const { return sigmoid(x); }
std::string SigmoidImpl::extra_repr() const { return ""; }
Tensor LogSigmoidImpl::forward(const Tensor& x) const { return F::logsigmoid(x); }
std::string LogSigmoidImpl::extra_repr() const { return ""; }
Tensor TanhImpl::forward(const Tensor& x) const { return tanh(x); }
std::string TanhImpl::extra_repr() const { return ""; }
Tensor TanhshrinkImpl::forward(const Tensor& x) const { return F::tanhshrink(x); }
std::string TanhshrinkImpl::extra_repr() const { return ""; }
Tensor SoftsignImpl::forward(const Tensor& x) const { return F::softsign(x); }
std::string SoftsignImpl::extra_repr() const { return ""; }

Tensor SoftmaxImpl::forward(const Tensor& x) const { return softmax(x, options.dim()); }
std::string SoftmaxImpl::extra_repr() const { return "dim=" + py(options.dim()); }
Tensor SoftminImpl::forward(const Tensor& x) const { return F::softmin(x, options.dim()); }
std::string SoftminImpl::extra_repr() const { return "dim=" + py(options.dim()); }
Tensor LogSoftmaxImpl::forward(const Tensor& x) const { return log_softmax(x, options.dim()); }
std::string LogSoftmaxImpl::extra_repr() const { return "dim=" + py(options.dim()); }
Tensor Softmax2dImpl::forward(const Tensor& x) const {
  BOLIDE_CHECK_AS(ValueError, x.dim() == 3 || x.dim() == 4, "Softmax2d: expected input to be 3D or 4D, got ", x.dim(), "D instead");
  return softmax(x, -3);
}
std::string Softmax2dImpl::extra_repr() const { return ""; }

PReLUImpl::PReLUImpl(const PReLUOptions& o) : options(o) { reset(); }
void PReLUImpl::reset() { weight = register_parameter("weight", full({options.num_parameters()}, options.init(), default_dtype())); }
Tensor PReLUImpl::forward(const Tensor& x) const { return F::prelu(x, weight); }
std::string PReLUImpl::extra_repr() const { return "num_parameters=" + py(options.num_parameters()); }

}  // namespace bolide::nn
