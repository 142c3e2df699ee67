// Activations as modules, with their options.
#pragma once
#include "bolide/nn/plain.h"

namespace bolide::nn {

// ---- options -----------------------------------------------------------------------------------
struct InplaceOptions {
  InplaceOptions(bool inplace = false) : inplace_(inplace) {}
  BOLIDE_ARG(bool, inplace) = false;
};
using ReLUOptions = InplaceOptions;
using ReLU6Options = InplaceOptions;
using SELUOptions = InplaceOptions;
using SiLUOptions = InplaceOptions;
using MishOptions = InplaceOptions;
using HardsigmoidOptions = InplaceOptions;
using HardswishOptions = InplaceOptions;

/// alpha * (exp(x) - 1) below zero.
struct ELUOptions {
  ELUOptions(double alpha = 1.0) : alpha_(alpha) {}
  BOLIDE_ARG(double, alpha) = 1.0;
  BOLIDE_ARG(bool, inplace) = false;
};
using CELUOptions = ELUOptions;
struct LeakyReLUOptions {
  LeakyReLUOptions(double negative_slope = 0.01) : negative_slope_(negative_slope) {}
  BOLIDE_ARG(double, negative_slope) = 0.01;
  BOLIDE_ARG(bool, inplace) = false;
};
/// Slopes are drawn from [lower, upper) in training.
struct RReLUOptions {
  BOLIDE_ARG(double, lower) = 1.0 / 8.0;
  BOLIDE_ARG(double, upper) = 1.0 / 3.0;
  BOLIDE_ARG(bool, inplace) = false;
};
struct PReLUOptions {
  PReLUOptions(int64_t num_parameters = 1) : num_parameters_(num_parameters) {}
  BOLIDE_ARG(int64_t, num_parameters) = 1;
  BOLIDE_ARG(double, init) = 0.25;
};
struct HardtanhOptions {
  BOLIDE_ARG(double, min_val) = -1.0;
  BOLIDE_ARG(double, max_val) = 1.0;
  BOLIDE_ARG(bool, inplace) = false;
};
struct LambdaOptions {
  LambdaOptions(double lambda = 0.5) : lambda_(lambda) {}
  BOLIDE_ARG(double, lambda) = 0.5;
};
using HardshrinkOptions = LambdaOptions;
using SoftshrinkOptions = LambdaOptions;
struct SoftplusOptions {
  BOLIDE_ARG(double, beta) = 1.0;
  BOLIDE_ARG(double, threshold) = 20.0;
};
/// x above `threshold`, else `value`.
struct ThresholdOptions {
  ThresholdOptions(double threshold, double value) : threshold_(threshold), value_(value) {}
  BOLIDE_ARG(double, threshold);
  BOLIDE_ARG(double, value);
  BOLIDE_ARG(bool, inplace) = false;
};
/// kNone, or kTanh for the approximation by tanh.
struct GELUOptions {
  BOLIDE_ARG(std::string, approximate) = kNone;
};
struct GLUOptions {
  GLUOptions(int64_t dim = -1) : dim_(dim) {}
  BOLIDE_ARG(int64_t, dim) = -1;
};
struct SoftmaxOptions {
  SoftmaxOptions(int64_t dim) : dim_(dim) {}
  BOLIDE_ARG(int64_t, dim);
};
using SoftminOptions = SoftmaxOptions;
using LogSoftmaxOptions = SoftmaxOptions;

// ---- modules -----------------------------------------------------------------------------------
BOLIDE_PLAIN_MODULE(ReLU, ReLUOptions);
BOLIDE_PLAIN_MODULE(ReLU6, ReLU6Options);
BOLIDE_PLAIN_MODULE(ELU, ELUOptions);
BOLIDE_PLAIN_MODULE(SELU, SELUOptions);
BOLIDE_PLAIN_MODULE(CELU, CELUOptions);
BOLIDE_PLAIN_MODULE(GELU, GELUOptions);
BOLIDE_PLAIN_MODULE(SiLU, SiLUOptions);
BOLIDE_PLAIN_MODULE(Mish, MishOptions);
BOLIDE_PLAIN_MODULE(GLU, GLUOptions);
BOLIDE_PLAIN_MODULE(LeakyReLU, LeakyReLUOptions);
BOLIDE_PLAIN_MODULE(RReLU, RReLUOptions);
BOLIDE_PLAIN_MODULE(Hardtanh, HardtanhOptions);
BOLIDE_PLAIN_MODULE(Hardsigmoid, HardsigmoidOptions);
BOLIDE_PLAIN_MODULE(Hardswish, HardswishOptions);
BOLIDE_PLAIN_MODULE(Hardshrink, HardshrinkOptions);
BOLIDE_PLAIN_MODULE(Softshrink, SoftshrinkOptions);
BOLIDE_PLAIN_MODULE(Softplus, SoftplusOptions);
BOLIDE_PLAIN_MODULE(Threshold, ThresholdOptions);
BOLIDE_PLAIN_MODULE(Sigmoid, NoOptions);
BOLIDE_PLAIN_MODULE(LogSigmoid, NoOptions);
BOLIDE_PLAIN_MODULE(Tanh, NoOptions);
BOLIDE_PLAIN_MODULE(Tanhshrink, NoOptions);
BOLIDE_PLAIN_MODULE(Softsign, NoOptions);
BOLIDE_PLAIN_MODULE(Softmax, SoftmaxOptions);
BOLIDE_PLAIN_MODULE(Softmin, SoftminOptions);
BOLIDE_PLAIN_MODULE(LogSoftmax, LogSoftmaxOptions);
/// Over the channels of (N, C, H, W).
BOLIDE_PLAIN_MODULE(Softmax2d, NoOptions);

/// ReLU with a slope below zero that is learned, one for all channels or one for each.
class PReLUImpl : public Cloneable<PReLUImpl> {
 public:
  explicit PReLUImpl(const PReLUOptions& options = {});
  Tensor forward(const Tensor& input) const;
  void reset() override;
  std::string extra_repr() const override;
  PReLUOptions options;
  Tensor weight;
};
BOLIDE_MODULE(PReLU);

}  // namespace bolide::nn
