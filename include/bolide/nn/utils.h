// nn::utils: clipping gradients, parameters as one vector, fusing and reparametrising modules.
#pragma once
#include "bolide/nn/conv.h"
#include "bolide/nn/linear.h"
#include "bolide/nn/normalization.h"
#include "bolide/nn/utils_rnn.h"

namespace bolide::nn::utils {

/// The norm of all tensors as if they were one vector; infinity gives the largest magnitude.
Tensor get_total_norm(TensorList tensors, double norm_type = 2.0, bool error_if_nonfinite = false);
/// Scales the gradients by max_norm / total_norm where that is below 1.
void clip_grads_with_norm_(TensorList parameters, double max_norm, const Tensor& total_norm);
/// Scales the gradients of `parameters` in place so that their norm is at most `max_norm`; returns the norm before.
double clip_grad_norm_(TensorList parameters, double max_norm, double norm_type = 2.0, bool error_if_nonfinite = false);
double clip_grad_norm_(const Tensor& parameter, double max_norm, double norm_type = 2.0, bool error_if_nonfinite = false);
/// Clamps each gradient to [-clip_value, clip_value].
void clip_grad_value_(TensorList parameters, double clip_value);

Tensor parameters_to_vector(TensorList parameters);
void vector_to_parameters(const Tensor& vector, TensorList parameters);

/// A convolution that does what `conv` followed by `norm`, both in evaluation mode, do.
Conv1d fuse_conv_bn_eval(const Conv1d& conv, const BatchNorm1d& norm);
Conv2d fuse_conv_bn_eval(const Conv2d& conv, const BatchNorm2d& norm);
Conv3d fuse_conv_bn_eval(const Conv3d& conv, const BatchNorm3d& norm);
Linear fuse_linear_bn_eval(const Linear& linear, const BatchNorm1d& norm);

/// Makes modules without drawing their initial values: `skip_init<nn::Linear>(784, 64)`.
template <class M, class... A>
M skip_init(A&&... args) {
  const detail::SkipInit no_draws;
  return M(std::forward<A>(args)...);
}

}  // namespace bolide::nn::utils
