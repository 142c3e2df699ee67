// Normalisation modules.
#include "bolide/nn/normalization.h"

#include "bolide/autograd.h"
#include "bolide/nn/functional.h"
#include "bolide/nn/init.h"
#include "bolide/ops.h"
#include "nn/text.h"

namespace bolide::nn {

namespace F = functional;
using detail::py;

// ---- running statistics ------------------------------------------------------------------------
namespace {

template <class M>
void register_statistics(M& m, int64_t features, bool track) {
  m.running_mean = m.register_buffer("running_mean", track ? zeros({features}) : Tensor());
  m.running_var = m.register_buffer("running_var", track ? ones({features}) : Tensor());
  m.num_batches_tracked = m.register_buffer("num_batches_tracked", track ? zeros({}, DType::Int64) : Tensor());
}
template <class M>
void reset_statistics(M& m) {
  if (!m.running_mean.defined()) return;
  zero_(m.running_mean);
  fill_(m.running_var, 1);
  zero_(m.num_batches_tracked);
}
template <class M>
void register_affine(M& m, IntList sizes, bool weight, bool bias) {
  m.weight = m.register_parameter("weight", weight ? empty(sizes) : Tensor());
  m.bias = m.register_parameter("bias", weight && bias ? empty(sizes) : Tensor());
}
template <class M>
void reset_affine(M& m) {
  if (m.weight.defined()) init::ones_(m.weight);
  if (m.bias.defined()) init::zeros_(m.bias);
}
template <class Options>
std::string statistics_text(const Options& o, const std::string& momentum) {
  return py(o.num_features()) + ", eps=" + py(o.eps()) + ", momentum=" + momentum + ", affine=" + py(o.affine()) + ", bias=" +
         py(o.affine() && o.bias()) + ", track_running_stats=" + py(o.track_running_stats());
}

}  // namespace

// ---- batch norm --------------------------------------------------------------------------------
void BatchNormImplBase::register_all() {
  register_affine(*this, {options.num_features()}, options.affine(), options.bias());
  register_statistics(*this, options.num_features(), options.track_running_stats());
  reset_parameters();
}
void BatchNormImplBase::reset_running_stats() { reset_statistics(*this); }
void BatchNormImplBase::reset_parameters() {
  reset_running_stats();
  reset_affine(*this);
}

Tensor BatchNormImplBase::forward(const Tensor& x) {
  check_input(x);
  const bool track = options.track_running_stats();
  double factor = options.momentum().value_or(0.0);
  if (is_training() && track) {
    const NoGradGuard no_grad;
    add_(num_batches_tracked, 1);
    if (!options.momentum()) factor = 1.0 / num_batches_tracked.item<double>();
  }
  // the batch's own statistics, in training or where there are no running ones
  const bool own = is_training() || !running_mean.defined();
  const bool pass = !is_training() || track;
  return F::batch_norm(x, pass ? running_mean : Tensor(), pass ? running_var : Tensor(),
                       F::BatchNormFuncOptions().weight(weight).bias(bias).training(own).momentum(factor).eps(options.eps()));
}
std::string BatchNormImplBase::extra_repr() const { return statistics_text(options, py(options.momentum())); }

// Files of before num_batches_tracked existed are complete without it.
void BatchNormImplBase::before_load(TensorDict& state, const std::string& prefix) const {
  if (num_batches_tracked.defined() && !state.contains(prefix + "num_batches_tracked") && state.contains(prefix + "running_mean"))
    state.emplace_back(prefix + "num_batches_tracked", num_batches_tracked);
}

void BatchNorm1dImpl::check_input(const Tensor& x) const {
  BOLIDE_CHECK_AS(ValueError, x.dim() == 2 || x.dim() == 3, "expected 2D or 3D input (got ", x.dim(), "D input)");
}
void BatchNorm2dImpl::check_input(const Tensor& x) const {
  BOLIDE_CHECK_AS(ValueError, x.dim() == 4, "expected 4D input (got ", x.dim(), "D input)");
}
void BatchNorm3dImpl::check_input(const Tensor& x) const {
  BOLIDE_CHECK_AS(ValueError, x.dim() == 5, "expected 5D input (got ", x.dim(), "D input)");
}

// ---- instance norm -----------------------------------------------------------------------------
void InstanceNormImplBase::register_all() {
  register_affine(*this, {options.num_features()}, options.affine(), options.bias());
  register_statistics(*this, options.num_features(), options.track_running_stats());
  reset_parameters();
}
void InstanceNormImplBase::reset_running_stats() { reset_statistics(*this); }
void InstanceNormImplBase::reset_parameters() {
  reset_running_stats();
  reset_affine(*this);
}
Tensor InstanceNormImplBase::forward(const Tensor& x) {
  const int64_t unbatched = unbatched_dim(x);
  const auto o = F::InstanceNormFuncOptions().running_mean(running_mean).running_var(running_var).weight(weight).bias(bias)
                     .use_input_stats(is_training() || !options.track_running_stats()).momentum(options.momentum()).eps(options.eps());
  if (x.dim() != unbatched) return F::instance_norm(x, o);
  return squeeze(F::instance_norm(unsqueeze(x, 0), o), 0);
}
std::string InstanceNormImplBase::extra_repr() const { return statistics_text(options, py(options.momentum())); }

namespace {
int64_t checked_unbatched(const Tensor& x, int64_t n) {
  BOLIDE_CHECK_AS(ValueError, x.dim() == n || x.dim() == n + 1, "expected ", n, "D or ", n + 1, "D input (got ", x.dim(), "D input)");
  return n;
}
}  // namespace
int64_t InstanceNorm1dImpl::unbatched_dim(const Tensor& x) const { return checked_unbatched(x, 2); }
int64_t InstanceNorm2dImpl::unbatched_dim(const Tensor& x) const { return checked_unbatched(x, 3); }
int64_t InstanceNorm3dImpl::unbatched_dim(const Tensor& x) const { return checked_unbatched(x, 4); }

#define STATISTICS_NORM(Name, OptionsType)                                          \
  Name##Impl::Name##Impl(const OptionsType& o) : Cloneable(o) { register_all(); }   \
  void Name##Impl::reset() { register_all(); }
STATISTICS_NORM(BatchNorm1d, BatchNormOptions)
STATISTICS_NORM(BatchNorm2d, BatchNormOptions)
STATISTICS_NORM(BatchNorm3d, BatchNormOptions)
STATISTICS_NORM(InstanceNorm1d, InstanceNormOptions)
STATISTICS_NORM(InstanceNorm2d, InstanceNormOptions)
STATISTICS_NORM(InstanceNorm3d, InstanceNormOptions)

// ---- layer, RMS, group norm --------------------------------------------------------------------
LayerNormImpl::LayerNormImpl(const LayerNormOptions& o) : options(o) { reset(); }
void LayerNormImpl::reset() {
  register_affine(*this, options.normalized_shape(), options.elementwise_affine(), options.bias());
  reset_parameters();
}
void LayerNormImpl::reset_parameters() { reset_affine(*this); }
Tensor LayerNormImpl::forward(const Tensor& x) const {
  return F::layer_norm(x, F::LayerNormFuncOptions(options.normalized_shape()).weight(weight).bias(bias).eps(options.eps()));
}
std::string LayerNormImpl::extra_repr() const {
  return py(IntList(options.normalized_shape())) + ", eps=" + py(options.eps()) + ", elementwise_affine=" + py(options.elementwise_affine()) +
         ", bias=" + py(options.elementwise_affine() && options.bias());
}

RMSNormImpl::RMSNormImpl(const RMSNormOptions& o) : options(o) { reset(); }
void RMSNormImpl::reset() {
  weight = register_parameter("weight", options.elementwise_affine() ? bolide::empty(options.normalized_shape()) : Tensor());
  reset_parameters();
}
void RMSNormImpl::reset_parameters() {
  if (weight.defined()) init::ones_(weight);
}
Tensor RMSNormImpl::forward(const Tensor& x) const {
  return F::rms_norm(x, F::RMSNormFuncOptions(options.normalized_shape()).weight(weight).eps(options.eps()));
}
std::string RMSNormImpl::extra_repr() const {
  return py(IntList(options.normalized_shape())) + ", eps=" + py(options.eps()) + ", elementwise_affine=" + py(options.elementwise_affine());
}

GroupNormImpl::GroupNormImpl(const GroupNormOptions& o) : options(o) {
  BOLIDE_CHECK_AS(ValueError, o.num_groups() > 0 && o.num_channels() % o.num_groups() == 0, "num_channels must be divisible by num_groups");
  reset();
}
void GroupNormImpl::reset() {
  register_affine(*this, {options.num_channels()}, options.affine(), options.bias());
  reset_parameters();
}
void GroupNormImpl::reset_parameters() { reset_affine(*this); }
Tensor GroupNormImpl::forward(const Tensor& x) const {
  return F::group_norm(x, F::GroupNormFuncOptions(options.num_groups()).weight(weight).bias(bias).eps(options.eps()));
}
std::string GroupNormImpl::extra_repr() const {
  return py(options.num_groups()) + ", " + py(options.num_channels()) + ", eps=" + py(options.eps()) + ", affine=" + py(options.affine()) +
         ", bias=" + py(options.affine() && options.bias());
}

// ---- over neighbouring channels ----------------------------------------------------------------
namespace {
std::string response_text(const LocalResponseNormOptions& o) {
  return py(o.size()) + ", alpha=" + py(o.alpha()) + ", beta=" + py(o.beta()) + ", k=" + py(o.k());
}
}  // namespace
Tensor LocalResponseNormImpl::forward(const Tensor& x) const { return F::local_response_norm(x, options); }
std::string LocalResponseNormImpl::extra_repr() const { return response_text(options); }

// Windows are cut off at the first and last channels; else as local_response_norm.
Tensor CrossMapLRN2dImpl::forward(const Tensor& x) const {
  BOLIDE_CHECK(x.dim() == 4, "CrossMapLRN2d: Expected input to be 4D, got ", x.dim(), "D instead.");
  const int64_t half = (options.size() - 1) / 2;
  const Tensor square = pow(x, 2);
  const std::vector<int64_t> sides = {0, 0, 0, 0, half, half};
  const Tensor total = sum(bolide::unfold(F::pad(square, F::PadFuncOptions(sides)), 1, 2 * half + 1, 1), -1);
  return mul(x, pow(add(mul(total, options.alpha() / static_cast<double>(options.size())), options.k()), -options.beta()));
}
std::string CrossMapLRN2dImpl::extra_repr() const { return response_text(options); }

}  // namespace bolide::nn
