// Normalisation, embedding, dropout.
#include "bolide/autograd.h"
#include "bolide/nn/functional.h"
#include "bolide/ops.h"
#include "core/named_op.h"

namespace bolide::nn::functional {

// ---- normalisation -----------------------------------------------------------------------------
namespace {
int64_t product(IntList sizes, size_t from) {
  int64_t n = 1;
  for (size_t i = from; i < sizes.size(); ++i) n *= sizes[i];
  return n;
}
}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const BatchNormFuncOptions& o) {
  static constexpr NamedOp op("batch_norm");
  if (o.training())
    BOLIDE_CHECK_AS(ValueError, x.dim() < 1 || x.size(0) * product(x.sizes(), 2) != 1,
                    "Expected more than 1 value per channel when training, got input size torch.Size(", x.sizes(), ")");
  return op(x, o.weight(), o.bias(), running_mean, running_var, o.training(), o.momentum(), o.eps(), true);
}
Tensor instance_norm(const Tensor& x, const InstanceNormFuncOptions& o) {
  static constexpr NamedOp op("instance_norm");
  if (o.use_input_stats())
    BOLIDE_CHECK_AS(ValueError, product(x.sizes(), 2) != 1, "Expected more than 1 spatial element when training, got input size torch.Size(", x.sizes(), ")");
  return op(x, o.weight(), o.bias(), o.running_mean(), o.running_var(), o.use_input_stats(), o.momentum(), o.eps(), true);
}
Tensor layer_norm(const Tensor& x, const LayerNormFuncOptions& o) {
  static constexpr NamedOp op("layer_norm");
  return op(x, o.normalized_shape(), o.weight(), o.bias(), o.eps());
}
Tensor rms_norm(const Tensor& x, const RMSNormFuncOptions& o) {
  static constexpr NamedOp op("rms_norm");
  return op(x, o.normalized_shape(), o.weight(), o.eps());
}
Tensor group_norm(const Tensor& x, const GroupNormFuncOptions& o) {
  static constexpr NamedOp op("group_norm");
  BOLIDE_CHECK(x.dim() >= 2, "Expected at least 2 dimensions for input tensor but received ", x.dim());
  const int64_t groups = o.num_groups();
  BOLIDE_CHECK_AS(ValueError, groups <= 0 || x.size(0) * x.size(1) / groups * product(x.sizes(), 2) != 1,
                  "Expected more than 1 value per channel when training, got input size torch.Size(", x.sizes(), ")");
  return op(x, groups, o.weight(), o.bias(), o.eps());
}
Tensor local_response_norm(const Tensor& x, const LocalResponseNormFuncOptions& o) {
  BOLIDE_CHECK_AS(ValueError, x.dim() >= 3, "Expected 3D or higher dimensionality input (got ", x.dim(), " dimensions)");
  if (x.numel() == 0) return x;
  const std::vector<int64_t> sides = {o.size() / 2, (o.size() - 1) / 2};
  const Tensor padded = transpose(pad(transpose(mul(x, x), 1, -1), PadFuncOptions(sides)), 1, -1);
  const Tensor total = sum(bolide::unfold(padded, 1, o.size(), 1), -1);
  return div(x, pow(add(mul(div(total, o.size()), o.alpha()), o.k()), o.beta()));
}

// ---- embedding ---------------------------------------------------------------------------------
namespace {
void renorm(const Tensor& weight, const Tensor& indices, const std::optional<double>& max_norm, double norm_type) {
  if (!max_norm) return;
  static constexpr NamedOp op("embedding_renorm_");
  const NoGradGuard no_grad;
  op(weight, contiguous(indices), *max_norm, norm_type);
}
}  // namespace

Tensor embedding(const Tensor& indices, const Tensor& weight, const EmbeddingFuncOptions& o) {
  static constexpr NamedOp op("embedding");
  int64_t padding = -1;
  if (o.padding_idx()) {
    padding = *o.padding_idx();
    BOLIDE_CHECK(padding < weight.size(0) && padding >= -weight.size(0), "Padding_idx must be within num_embeddings");
    if (padding < 0) padding += weight.size(0);
  }
  renorm(weight, indices, o.max_norm(), o.norm_type());
  return op(weight, indices, padding, o.scale_grad_by_freq(), o.sparse());
}

Tensor embedding_bag(const Tensor& indices, const Tensor& weight, const EmbeddingBagFuncOptions& o) {
  static constexpr NamedOp op("embedding_bag");
  const Tensor& weights = o.per_sample_weights();
  BOLIDE_CHECK_AS(ValueError, !weights.defined() || weights.sizes() == indices.sizes(), "embedding_bag: If per_sample_weights is given, then it "
                  "must have the same shape as the input (", indices.sizes(), "), but it has ", weights.defined() ? weights.sizes() : Dims());
  BOLIDE_CHECK_AS(ValueError, weight.dim() == 2, "weight has to be a 2D Tensor, but got Tensor of dimension ", weight.dim());
  BOLIDE_CHECK_AS(ValueError, indices.dim() == 1 || indices.dim() == 2, "input has to be 1D or 2D Tensor, but got Tensor of dimension ", indices.dim());
  Tensor offsets = o.offsets(), flat = indices;
  if (indices.dim() == 2) {
    BOLIDE_CHECK_AS(ValueError, !offsets.defined(), "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences.");
    const int64_t bags = indices.size(0), width = indices.size(1), ends = bags + (o.include_last_offset() ? 1 : 0);
    offsets = mul(arange(0, ends, 1, indices.dtype(), indices.device()), width);
    flat = reshape(indices, {-1});
  } else {
    BOLIDE_CHECK_AS(ValueError, offsets.defined(), "offsets has to be a 1D Tensor but got None");
    BOLIDE_CHECK_AS(ValueError, offsets.dim() == 1, "offsets has to be a 1D Tensor");
  }
  const std::string& mode = o.mode();
  const int64_t code = mode == kSum ? 0 : mode == kMean ? 1 : mode == kMax ? 2 : -1;
  BOLIDE_CHECK_AS(ValueError, code >= 0, "mode has to be one of sum, mean or max");
  BOLIDE_CHECK_AS(ValueError, code != 2 || !o.scale_grad_by_freq(), "max mode does not support scaling the gradient by the frequency");
  BOLIDE_CHECK_AS(ValueError, code != 2 || !o.sparse(), "max mode does not support sparse weights");
  BOLIDE_CHECK_AS(NotImplementedError, !weights.defined() || code == 0, "embedding_bag: per_sample_weights is only supported for mode='sum' (got mode='", mode, "')");
  renorm(weight, flat, o.max_norm(), o.norm_type());
  return std::get<0>(op.call<std::tuple<Tensor, Tensor, Tensor, Tensor>>(
      weight, flat, offsets, o.scale_grad_by_freq(), code, o.sparse(), weights.defined() ? reshape(weights, {-1}) : weights,
      o.include_last_offset(), o.padding_idx().value_or(-1)));
}

Tensor one_hot(const Tensor& indices, int64_t num_classes) {
  static constexpr NamedOp op("one_hot");
  return op(indices, num_classes);
}

// ---- dropout -----------------------------------------------------------------------------------
namespace {
constexpr NamedOp kDropout("dropout"), kDropoutInPlace("dropout_"), kFeature("feature_dropout"), kFeatureInPlace("feature_dropout_"),
    kAlpha("alpha_dropout"), kAlphaInPlace("alpha_dropout_"), kFeatureAlpha("feature_alpha_dropout"),
    kFeatureAlphaInPlace("feature_alpha_dropout_");

Tensor drop(const NamedOp& op, const NamedOp& in_place, const Tensor& x, const auto& o) {
  BOLIDE_CHECK_AS(ValueError, o.p() >= 0 && o.p() <= 1, "dropout probability has to be between 0 and 1, but got ", o.p());
  return o.inplace() ? in_place(x, o.p(), o.training()) : op(x, o.p(), o.training());
}
/// Whole channels; an input without a batch gets one.
Tensor drop_channels(const Tensor& x, const DropoutFuncOptions& o, int64_t unbatched) {
  if (x.dim() != unbatched) return drop(kFeature, kFeatureInPlace, x, o);
  return squeeze(drop(kFeature, kFeatureInPlace, unsqueeze(x, 0), o), 0);
}
}  // namespace

Tensor dropout(const Tensor& x, const DropoutFuncOptions& o) { return drop(kDropout, kDropoutInPlace, x, o); }
Tensor dropout1d(const Tensor& x, const Dropout1dFuncOptions& o) {
  BOLIDE_CHECK(x.dim() == 2 || x.dim() == 3, "dropout1d: Expected 2D or 3D input, but received a ", x.dim(), "D input. Note that dropout1d "
               "exists to provide channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional batch "
               "dimension (i.e. 2D or 3D inputs).");
  return drop_channels(x, o, 2);
}
Tensor dropout2d(const Tensor& x, const Dropout2dFuncOptions& o) { return drop(kFeature, kFeatureInPlace, x, o); }
Tensor dropout3d(const Tensor& x, const Dropout3dFuncOptions& o) { return drop_channels(x, o, 4); }
Tensor alpha_dropout(const Tensor& x, const AlphaDropoutFuncOptions& o) { return drop(kAlpha, kAlphaInPlace, x, o); }
Tensor feature_alpha_dropout(const Tensor& x, const FeatureAlphaDropoutFuncOptions& o) {
  return drop(kFeatureAlpha, kFeatureAlphaInPlace, x, o);
}

}  // namespace bolide::nn::functional
