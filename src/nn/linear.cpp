// Linear, Bilinear, Flatten, Unflatten.
#include "bolide/nn/linear.h"

#include <cmath>

#include "bolide/nn/functional.h"
#include "bolide/nn/init.h"
#include "bolide/ops.h"
#include "nn/text.h"

namespace bolide::nn {

using detail::py;

LinearImpl::LinearImpl(const LinearOptions& o) : options(o) { reset(); }
void LinearImpl::reset() {
  weight = register_parameter("weight", empty({options.out_features(), options.in_features()}));
  bias = register_parameter("bias", options.bias() ? empty({options.out_features()}) : Tensor());
  reset_parameters();
}
void LinearImpl::reset_parameters() {
  init::kaiming_uniform_(weight, std::sqrt(5.0));
  if (!bias.defined()) return;
  const double bound = options.in_features() > 0 ? 1 / std::sqrt(static_cast<double>(options.in_features())) : 0;
  init::uniform_(bias, -bound, bound);
}
Tensor LinearImpl::forward(const Tensor& x) const { return linear(x, weight, bias); }
std::string LinearImpl::extra_repr() const {
  return "in_features=" + py(options.in_features()) + ", out_features=" + py(options.out_features()) + ", bias=" + py(options.bias());
}

BilinearImpl::BilinearImpl(const BilinearOptions& o) : options(o) {
  BOLIDE_CHECK_AS(ValueError, o.in1_features() > 0, "in1_features must be > 0, but got ", o.in1_features());
  reset();
}
void BilinearImpl::reset() {
  weight = register_parameter("weight", empty({options.out_features(), options.in1_features(), options.in2_features()}));
  bias = register_parameter("bias", options.bias() ? empty({options.out_features()}) : Tensor());
  reset_parameters();
}
void BilinearImpl::reset_parameters() {
  const double bound = 1 / std::sqrt(static_cast<double>(weight.size(1)));
  init::uniform_(weight, -bound, bound);
  if (bias.defined()) init::uniform_(bias, -bound, bound);
}
Tensor BilinearImpl::forward(const Tensor& x1, const Tensor& x2) const { return functional::bilinear(x1, x2, weight, bias); }
std::string BilinearImpl::extra_repr() const {
  return "in1_features=" + py(options.in1_features()) + ", in2_features=" + py(options.in2_features()) + ", out_features=" +
         py(options.out_features()) + ", bias=" + py(options.bias());
}

Tensor FlattenImpl::forward(const Tensor& x) const { return flatten(x, options.start_dim(), options.end_dim()); }
std::string FlattenImpl::extra_repr() const { return "start_dim=" + py(options.start_dim()) + ", end_dim=" + py(options.end_dim()); }

Tensor UnflattenImpl::forward(const Tensor& x) const {
  const int64_t d = wrap_dim(options.dim(), x.dim());
  Dims shape = x.sizes();
  shape.erase(static_cast<size_t>(d));
  size_t at = static_cast<size_t>(d);
  for (const int64_t n : options.sizes()) shape.insert(at++, n);
  return reshape(x, shape);
}
std::string UnflattenImpl::extra_repr() const { return "dim=" + py(options.dim()) + ", unflattened_size=" + py(IntList(options.sizes())); }

}  // namespace bolide::nn
