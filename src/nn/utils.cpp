// nn::utils: clipping, vectors of parameters, fusing with batch norm.
#include "bolide/nn/utils.h"

#include <cmath>

#include "bolide/autograd.h"
#include "bolide/ops.h"
#include "core/named_op.h"

namespace bolide::nn::utils {
namespace {

std::vector<Tensor> gradients(TensorList parameters) {
  std::vector<Tensor> grads;
  for (const Tensor& p : parameters)
    if (Tensor g = p.grad(); g.defined()) grads.push_back(std::move(g));
  return grads;
}

Tensor norm_of(const Tensor& t, double norm_type) {
  static constexpr NamedOp norm("linalg_vector_norm");
  return norm(t, Scalar(norm_type));
}

}  // namespace

Tensor get_total_norm(TensorList tensors, double norm_type, bool error_if_nonfinite) {
  if (tensors.empty()) return zeros({});
  const NoGradGuard no_grad;
  std::vector<Tensor> norms;
  for (const Tensor& t : tensors) norms.push_back(bolide::to(norm_of(t, norm_type), {}, tensors[0].device()));
  const Tensor total = norm_of(stack(norms), norm_type);
  BOLIDE_CHECK(!error_if_nonfinite || isfinite(total).item<bool>(), "The total norm of order ", norm_type, " for gradients from `parameters` is non-finite, "
               "so it cannot be clipped. To disable this error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`");
  return total;
}

void clip_grads_with_norm_(TensorList parameters, double max_norm, const Tensor& total_norm) {
  const NoGradGuard no_grad;
  const Tensor factor = clamp(div(full({}, max_norm, total_norm.dtype(), total_norm.device()), add(total_norm, 1e-6)), {}, Scalar(1.0));
  for (const Tensor& g : gradients(parameters)) mul_(g, bolide::to(factor, {}, g.device()));
}

double clip_grad_norm_(TensorList parameters, double max_norm, double norm_type, bool error_if_nonfinite) {
  const Tensor total = get_total_norm(gradients(parameters), norm_type, error_if_nonfinite);
  clip_grads_with_norm_(parameters, max_norm, total);
  return total.item<double>();
}
double clip_grad_norm_(const Tensor& parameter, double max_norm, double norm_type, bool error_if_nonfinite) {
  return clip_grad_norm_(TensorList(&parameter, 1), max_norm, norm_type, error_if_nonfinite);
}

void clip_grad_value_(TensorList parameters, double clip_value) {
  const NoGradGuard no_grad;
  for (const Tensor& g : gradients(parameters)) copy_(g, clamp(g, Scalar(-clip_value), Scalar(clip_value)));
}

Tensor parameters_to_vector(TensorList parameters) {
  std::vector<Tensor> flat;
  for (const Tensor& p : parameters) flat.push_back(reshape(p, {-1}));
  return cat(flat);
}
void vector_to_parameters(const Tensor& vector, TensorList parameters) {
  int64_t at = 0;
  for (const Tensor& p : parameters) {
    p.set_data(view(narrow(vector, 0, at, p.numel()), p.sizes()).detach());
    at += p.numel();
  }
}

// ---- fusing with batch norm --------------------------------------------------------------------
namespace {

/// weight and bias (or none) with the normalisation in them.
std::pair<Tensor, Tensor> fused(const Tensor& weight, const Tensor& bias, const BatchNormImplBase& norm) {
  BOLIDE_CHECK(!norm.is_training() && norm.running_mean.defined(), "Fusion only for eval!");
  const NoGradGuard no_grad;
  const Tensor b = bias.defined() ? bias : zeros_like(norm.running_mean);
  const Tensor scale = rsqrt(add(norm.running_var, norm.options.eps()));
  const Tensor gain = norm.weight.defined() ? mul(norm.weight, scale) : scale;
  Dims shape(static_cast<size_t>(weight.dim()), 1);
  shape[0] = -1;
  const Tensor shift = norm.bias.defined() ? norm.bias : zeros_like(norm.running_mean);
  return {mul(weight, reshape(gain, shape)), add(mul(sub(b, norm.running_mean), gain), shift)};
}

template <class Layer, class Norm>
Layer fuse(const Layer& layer, const Norm& norm) {
  BOLIDE_CHECK(!layer->is_training() && !norm->is_training(), "Fusion only for eval!");
  auto options = layer->options;
  Layer made = skip_init<Layer>(options.bias(true));
  auto [weight, bias] = fused(layer->weight, layer->bias, *norm);
  made->weight.set_data(weight), made->bias.set_data(bias);
  made->eval();
  return made;
}

}  // namespace

Conv1d fuse_conv_bn_eval(const Conv1d& conv, const BatchNorm1d& norm) { return fuse(conv, norm); }
Conv2d fuse_conv_bn_eval(const Conv2d& conv, const BatchNorm2d& norm) { return fuse(conv, norm); }
Conv3d fuse_conv_bn_eval(const Conv3d& conv, const BatchNorm3d& norm) { return fuse(conv, norm); }
Linear fuse_linear_bn_eval(const Linear& linear, const BatchNorm1d& norm) { return fuse(linear, norm); }

}  // namespace bolide::nn::utils
