// nn::functional: what the modules compute, as functions. Options are those of the modules where these have the same
// fields; functions with few arguments take them plainly.
// Map: options | linear, convolutions | activations | pooling | normalisation, embedding | dropout | losses |
// distances | padding, resizing | attention
#pragma once
#include "bolide/nn/activation.h"
#include "bolide/nn/conv.h"
#include "bolide/nn/dropout.h"
#include "bolide/nn/embedding.h"
#include "bolide/nn/linear.h"
#include "bolide/nn/loss.h"
#include "bolide/nn/normalization.h"
#include "bolide/nn/padding.h"
#include "bolide/nn/pooling.h"
#include "bolide/nn/vision.h"

namespace bolide::nn::functional {

using OptDType = std::optional<DType>;

// ---- options -----------------------------------------------------------------------------------
template <size_t D>
struct ConvFuncOptions {
  BOLIDE_ARG(Tensor, bias);
  BOLIDE_ARG(Sizes<D>, stride) = 1;
  BOLIDE_ARG(Padding<D>, padding) = 0;
  BOLIDE_ARG(Sizes<D>, dilation) = 1;
  BOLIDE_ARG(int64_t, groups) = 1;
};
template <size_t D>
struct ConvTransposeFuncOptions {
  BOLIDE_ARG(Tensor, bias);
  BOLIDE_ARG(Sizes<D>, stride) = 1;
  BOLIDE_ARG(Sizes<D>, padding) = 0;
  BOLIDE_ARG(Sizes<D>, output_padding) = 0;
  BOLIDE_ARG(int64_t, groups) = 1;
  BOLIDE_ARG(Sizes<D>, dilation) = 1;
};
using Conv1dFuncOptions = ConvFuncOptions<1>;
using Conv2dFuncOptions = ConvFuncOptions<2>;
using Conv3dFuncOptions = ConvFuncOptions<3>;
using ConvTranspose1dFuncOptions = ConvTransposeFuncOptions<1>;
using ConvTranspose2dFuncOptions = ConvTransposeFuncOptions<2>;
using ConvTranspose3dFuncOptions = ConvTransposeFuncOptions<3>;

using ReLUFuncOptions = ReLUOptions;
using ReLU6FuncOptions = ReLU6Options;
using ELUFuncOptions = ELUOptions;
using SELUFuncOptions = SELUOptions;
using CELUFuncOptions = CELUOptions;
using GELUFuncOptions = GELUOptions;
using GLUFuncOptions = GLUOptions;
using HardtanhFuncOptions = HardtanhOptions;
using HardshrinkFuncOptions = HardshrinkOptions;
using SoftshrinkFuncOptions = SoftshrinkOptions;
using LeakyReLUFuncOptions = LeakyReLUOptions;
using SoftplusFuncOptions = SoftplusOptions;
using ThresholdFuncOptions = ThresholdOptions;
struct RReLUFuncOptions {
  BOLIDE_ARG(double, lower) = 1.0 / 8.0;
  BOLIDE_ARG(double, upper) = 1.0 / 3.0;
  BOLIDE_ARG(bool, training) = false;
  BOLIDE_ARG(bool, inplace) = false;
};
struct SoftmaxFuncOptions {
  SoftmaxFuncOptions(int64_t dim) : dim_(dim) {}
  BOLIDE_ARG(int64_t, dim);
  BOLIDE_ARG(OptDType, dtype);
};
using SoftminFuncOptions = SoftmaxFuncOptions;
using LogSoftmaxFuncOptions = SoftmaxFuncOptions;
struct GumbelSoftmaxFuncOptions {
  BOLIDE_ARG(double, tau) = 1.0;
  BOLIDE_ARG(bool, hard) = false;
  BOLIDE_ARG(int64_t, dim) = -1;
};
struct NormalizeFuncOptions {
  BOLIDE_ARG(double, p) = 2.0;
  BOLIDE_ARG(int64_t, dim) = 1;
  BOLIDE_ARG(double, eps) = 1e-12;
};

using MaxPool1dFuncOptions = MaxPool1dOptions;
using MaxPool2dFuncOptions = MaxPool2dOptions;
using MaxPool3dFuncOptions = MaxPool3dOptions;
using AvgPool1dFuncOptions = AvgPool1dOptions;
using AvgPool2dFuncOptions = AvgPool2dOptions;
using AvgPool3dFuncOptions = AvgPool3dOptions;
using AdaptiveMaxPool1dFuncOptions = AdaptivePoolOptions<1>;
using AdaptiveMaxPool2dFuncOptions = AdaptivePoolOptions<2>;
using AdaptiveMaxPool3dFuncOptions = AdaptivePoolOptions<3>;
using AdaptiveAvgPool1dFuncOptions = AdaptivePoolOptions<1>;
using AdaptiveAvgPool2dFuncOptions = AdaptivePoolOptions<2>;
using AdaptiveAvgPool3dFuncOptions = AdaptivePoolOptions<3>;
using FractionalMaxPool2dFuncOptions = FractionalMaxPool2dOptions;
using FractionalMaxPool3dFuncOptions = FractionalMaxPool3dOptions;
using LPPool1dFuncOptions = LPPool1dOptions;
using LPPool2dFuncOptions = LPPool2dOptions;
using LPPool3dFuncOptions = LPPool3dOptions;
template <size_t D>
struct MaxUnpoolFuncOptions {
  using SizeList = std::vector<int64_t>;
  MaxUnpoolFuncOptions(Sizes<D> kernel_size) : kernel_size_(kernel_size), stride_(kernel_size) {}
  template <std::integral N>
  MaxUnpoolFuncOptions(N kernel_size) : MaxUnpoolFuncOptions(Sizes<D>(kernel_size)) {}
  BOLIDE_ARG(Sizes<D>, kernel_size);
  BOLIDE_ARG(Sizes<D>, stride);
  BOLIDE_ARG(Sizes<D>, padding) = 0;
  BOLIDE_ARG(std::optional<SizeList>, output_size);
};
using MaxUnpool1dFuncOptions = MaxUnpoolFuncOptions<1>;
using MaxUnpool2dFuncOptions = MaxUnpoolFuncOptions<2>;
using MaxUnpool3dFuncOptions = MaxUnpoolFuncOptions<3>;

struct BatchNormFuncOptions {
  BOLIDE_ARG(Tensor, weight);
  BOLIDE_ARG(Tensor, bias);
  BOLIDE_ARG(bool, training) = false;
  BOLIDE_ARG(double, momentum) = 0.1;
  BOLIDE_ARG(double, eps) = 1e-5;
};
struct InstanceNormFuncOptions {
  BOLIDE_ARG(Tensor, running_mean);
  BOLIDE_ARG(Tensor, running_var);
  BOLIDE_ARG(Tensor, weight);
  BOLIDE_ARG(Tensor, bias);
  BOLIDE_ARG(bool, use_input_stats) = true;
  BOLIDE_ARG(double, momentum) = 0.1;
  BOLIDE_ARG(double, eps) = 1e-5;
};
struct LayerNormFuncOptions {
  using SizeList = std::vector<int64_t>;
  LayerNormFuncOptions(SizeList normalized_shape) : normalized_shape_(std::move(normalized_shape)) {}
  BOLIDE_ARG(SizeList, normalized_shape);
  BOLIDE_ARG(Tensor, weight);
  BOLIDE_ARG(Tensor, bias);
  BOLIDE_ARG(double, eps) = 1e-5;
};
struct RMSNormFuncOptions {
  using SizeList = std::vector<int64_t>;
  RMSNormFuncOptions(SizeList normalized_shape) : normalized_shape_(std::move(normalized_shape)) {}
  BOLIDE_ARG(SizeList, normalized_shape);
  BOLIDE_ARG(Tensor, weight);
  BOLIDE_ARG(std::optional<double>, eps);
};
struct GroupNormFuncOptions {
  GroupNormFuncOptions(int64_t num_groups) : num_groups_(num_groups) {}
  BOLIDE_ARG(int64_t, num_groups);
  BOLIDE_ARG(Tensor, weight);
  BOLIDE_ARG(Tensor, bias);
  BOLIDE_ARG(double, eps) = 1e-5;
};
using LocalResponseNormFuncOptions = LocalResponseNormOptions;
struct EmbeddingFuncOptions {
  BOLIDE_ARG(std::optional<int64_t>, padding_idx);
  BOLIDE_ARG(std::optional<double>, max_norm);
  BOLIDE_ARG(double, norm_type) = 2.0;
  BOLIDE_ARG(bool, scale_grad_by_freq) = false;
  BOLIDE_ARG(bool, sparse) = false;
};
struct EmbeddingBagFuncOptions {
  BOLIDE_ARG(Tensor, offsets);
  BOLIDE_ARG(std::optional<double>, max_norm);
  BOLIDE_ARG(double, norm_type) = 2.0;
  BOLIDE_ARG(bool, scale_grad_by_freq) = false;
  BOLIDE_ARG(std::string, mode) = kMean;
  BOLIDE_ARG(bool, sparse) = false;
  BOLIDE_ARG(Tensor, per_sample_weights);
  BOLIDE_ARG(bool, include_last_offset) = false;
  BOLIDE_ARG(std::optional<int64_t>, padding_idx);
};

struct DropoutFuncOptions {
  BOLIDE_ARG(double, p) = 0.5;
  BOLIDE_ARG(bool, training) = true;
  BOLIDE_ARG(bool, inplace) = false;
};
using Dropout1dFuncOptions = DropoutFuncOptions;
using Dropout2dFuncOptions = DropoutFuncOptions;
using Dropout3dFuncOptions = DropoutFuncOptions;
struct AlphaDropoutFuncOptions {
  BOLIDE_ARG(double, p) = 0.5;
  BOLIDE_ARG(bool, training) = false;
  BOLIDE_ARG(bool, inplace) = false;
};
using FeatureAlphaDropoutFuncOptions = AlphaDropoutFuncOptions;

using L1LossFuncOptions = L1LossOptions;
using MSELossFuncOptions = MSELossOptions;
using SmoothL1LossFuncOptions = SmoothL1LossOptions;
using HuberLossFuncOptions = HuberLossOptions;
using KLDivFuncOptions = KLDivLossOptions;
using CrossEntropyFuncOptions = CrossEntropyLossOptions;
using NLLLossFuncOptions = NLLLossOptions;
using BinaryCrossEntropyFuncOptions = BCELossOptions;
using BinaryCrossEntropyWithLogitsFuncOptions = BCEWithLogitsLossOptions;
using SoftMarginLossFuncOptions = SoftMarginLossOptions;
using MultilabelMarginLossFuncOptions = MultiLabelMarginLossOptions;
using MultilabelSoftMarginLossFuncOptions = MultiLabelSoftMarginLossOptions;
using MultiMarginLossFuncOptions = MultiMarginLossOptions;
using HingeEmbeddingLossFuncOptions = HingeEmbeddingLossOptions;
using MarginRankingLossFuncOptions = MarginRankingLossOptions;
using CosineEmbeddingLossFuncOptions = CosineEmbeddingLossOptions;
using PoissonNLLLossFuncOptions = PoissonNLLLossOptions;
using GaussianNLLLossFuncOptions = GaussianNLLLossOptions;
using TripletMarginLossFuncOptions = TripletMarginLossOptions;
using TripletMarginWithDistanceLossFuncOptions = TripletMarginWithDistanceLossOptions;
using CTCLossFuncOptions = CTCLossOptions;
using CosineSimilarityFuncOptions = CosineSimilarityOptions;
using PairwiseDistanceFuncOptions = PairwiseDistanceOptions;

struct PadFuncOptions {
  using SizeList = std::vector<int64_t>;
  PadFuncOptions(SizeList pad) : pad_(std::move(pad)) {}
  /// {left, right, top, bottom, ...}: the last dimension first.
  BOLIDE_ARG(SizeList, pad);
  /// kConstant, kReflect, kReplicate or kCircular.
  BOLIDE_ARG(std::string, mode) = kConstant;
  BOLIDE_ARG(double, value) = 0;
};
struct InterpolateFuncOptions {
  using SizeList = std::vector<int64_t>;
  using FactorList = std::vector<double>;
  BOLIDE_ARG(std::optional<SizeList>, size);
  BOLIDE_ARG(std::optional<FactorList>, scale_factor);
  BOLIDE_ARG(std::string, mode) = kNearest;
  BOLIDE_ARG(std::optional<bool>, align_corners);
  BOLIDE_ARG(std::optional<bool>, recompute_scale_factor);
  BOLIDE_ARG(bool, antialias) = false;
};
struct GridSampleFuncOptions {
  BOLIDE_ARG(std::string, mode) = kBilinear;
  BOLIDE_ARG(std::string, padding_mode) = kZeros;
  BOLIDE_ARG(bool, align_corners) = false;
};
using PixelShuffleFuncOptions = PixelShuffleOptions;
using PixelUnshuffleFuncOptions = PixelUnshuffleOptions;
using FoldFuncOptions = FoldOptions;
using UnfoldFuncOptions = UnfoldOptions;

struct MultiheadAttentionForwardFuncOptions {
  int64_t embed_dim = 0, num_heads = 1;
  Tensor in_proj_weight, in_proj_bias, bias_k, bias_v, out_proj_weight, out_proj_bias;
  Tensor q_proj_weight, k_proj_weight, v_proj_weight;  // instead of in_proj_weight
  Tensor key_padding_mask, attn_mask, static_k, static_v;
  double dropout_p = 0;
  bool add_zero_attn = false, training = true, need_weights = true, average_attn_weights = true, is_causal = false;
};

// ---- linear, convolutions ----------------------------------------------------------------------
Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias = {});
Tensor bilinear(const Tensor& input1, const Tensor& input2, const Tensor& weight, const Tensor& bias = {});
Tensor conv1d(const Tensor& input, const Tensor& weight, const Conv1dFuncOptions& options = {});
Tensor conv2d(const Tensor& input, const Tensor& weight, const Conv2dFuncOptions& options = {});
Tensor conv3d(const Tensor& input, const Tensor& weight, const Conv3dFuncOptions& options = {});
Tensor conv_transpose1d(const Tensor& input, const Tensor& weight, const ConvTranspose1dFuncOptions& options = {});
Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const ConvTranspose2dFuncOptions& options = {});
Tensor conv_transpose3d(const Tensor& input, const Tensor& weight, const ConvTranspose3dFuncOptions& options = {});
Tensor fold(const Tensor& input, const FoldFuncOptions& options);
Tensor unfold(const Tensor& input, const UnfoldFuncOptions& options);

// ---- activations -------------------------------------------------------------------------------
Tensor relu(const Tensor& input, const ReLUFuncOptions& options = {});
Tensor relu6(const Tensor& input, const ReLU6FuncOptions& options = {});
Tensor elu(const Tensor& input, const ELUFuncOptions& options = {});
Tensor selu(const Tensor& input, const SELUFuncOptions& options = {});
Tensor celu(const Tensor& input, const CELUFuncOptions& options = {});
Tensor gelu(const Tensor& input, const GELUFuncOptions& options = {});
Tensor silu(const Tensor& input, const SiLUOptions& options = {});
Tensor mish(const Tensor& input, const MishOptions& options = {});
Tensor glu(const Tensor& input, const GLUFuncOptions& options = {});
Tensor leaky_relu(const Tensor& input, const LeakyReLUFuncOptions& options = {});
Tensor prelu(const Tensor& input, const Tensor& weight);
Tensor rrelu(const Tensor& input, const RReLUFuncOptions& options = {});
Tensor hardtanh(const Tensor& input, const HardtanhFuncOptions& options = {});
Tensor hardsigmoid(const Tensor& input, const HardsigmoidOptions& options = {});
Tensor hardswish(const Tensor& input, const HardswishOptions& options = {});
Tensor hardshrink(const Tensor& input, const HardshrinkFuncOptions& options = {});
Tensor softshrink(const Tensor& input, const SoftshrinkFuncOptions& options = {});
Tensor softplus(const Tensor& input, const SoftplusFuncOptions& options = {});
Tensor threshold(const Tensor& input, const ThresholdFuncOptions& options);
Tensor logsigmoid(const Tensor& input);
Tensor sigmoid(const Tensor& input);
Tensor tanh(const Tensor& input);
Tensor tanhshrink(const Tensor& input);
Tensor softsign(const Tensor& input);
Tensor softmax(const Tensor& input, const SoftmaxFuncOptions& options);
Tensor softmin(const Tensor& input, const SoftminFuncOptions& options);
Tensor log_softmax(const Tensor& input, const LogSoftmaxFuncOptions& options);
Tensor gumbel_softmax(const Tensor& logits, const GumbelSoftmaxFuncOptions& options = {});
Tensor normalize(const Tensor& input, const NormalizeFuncOptions& options = {});

// ---- pooling -----------------------------------------------------------------------------------
using Indexed = std::tuple<Tensor, Tensor>;  // values, and where they were
Tensor max_pool1d(const Tensor& input, const MaxPool1dFuncOptions& options);
Tensor max_pool2d(const Tensor& input, const MaxPool2dFuncOptions& options);
Tensor max_pool3d(const Tensor& input, const MaxPool3dFuncOptions& options);
Indexed max_pool1d_with_indices(const Tensor& input, const MaxPool1dFuncOptions& options);
Indexed max_pool2d_with_indices(const Tensor& input, const MaxPool2dFuncOptions& options);
Indexed max_pool3d_with_indices(const Tensor& input, const MaxPool3dFuncOptions& options);
Tensor avg_pool1d(const Tensor& input, const AvgPool1dFuncOptions& options);
Tensor avg_pool2d(const Tensor& input, const AvgPool2dFuncOptions& options);
Tensor avg_pool3d(const Tensor& input, const AvgPool3dFuncOptions& options);
Tensor adaptive_max_pool1d(const Tensor& input, const AdaptiveMaxPool1dFuncOptions& options);
Tensor adaptive_max_pool2d(const Tensor& input, const AdaptiveMaxPool2dFuncOptions& options);
Tensor adaptive_max_pool3d(const Tensor& input, const AdaptiveMaxPool3dFuncOptions& options);
Indexed adaptive_max_pool1d_with_indices(const Tensor& input, const AdaptiveMaxPool1dFuncOptions& options);
Indexed adaptive_max_pool2d_with_indices(const Tensor& input, const AdaptiveMaxPool2dFuncOptions& options);
Indexed adaptive_max_pool3d_with_indices(const Tensor& input, const AdaptiveMaxPool3dFuncOptions& options);
Tensor adaptive_avg_pool1d(const Tensor& input, const AdaptiveAvgPool1dFuncOptions& options);
Tensor adaptive_avg_pool2d(const Tensor& input, const AdaptiveAvgPool2dFuncOptions& options);
Tensor adaptive_avg_pool3d(const Tensor& input, const AdaptiveAvgPool3dFuncOptions& options);
Tensor fractional_max_pool2d(const Tensor& input, const FractionalMaxPool2dFuncOptions& options);
Tensor fractional_max_pool3d(const Tensor& input, const FractionalMaxPool3dFuncOptions& options);
Indexed fractional_max_pool2d_with_indices(const Tensor& input, const FractionalMaxPool2dFuncOptions& options);
Indexed fractional_max_pool3d_with_indices(const Tensor& input, const FractionalMaxPool3dFuncOptions& options);
Tensor lp_pool1d(const Tensor& input, const LPPool1dFuncOptions& options);
Tensor lp_pool2d(const Tensor& input, const LPPool2dFuncOptions& options);
Tensor lp_pool3d(const Tensor& input, const LPPool3dFuncOptions& options);
Tensor max_unpool1d(const Tensor& input, const Tensor& indices, const MaxUnpool1dFuncOptions& options);
Tensor max_unpool2d(const Tensor& input, const Tensor& indices, const MaxUnpool2dFuncOptions& options);
Tensor max_unpool3d(const Tensor& input, const Tensor& indices, const MaxUnpool3dFuncOptions& options);

// ---- normalisation, embedding ------------------------------------------------------------------
/// In training the running statistics are updated in place.
Tensor batch_norm(const Tensor& input, const Tensor& running_mean, const Tensor& running_var, const BatchNormFuncOptions& options = {});
Tensor instance_norm(const Tensor& input, const InstanceNormFuncOptions& options = {});
Tensor layer_norm(const Tensor& input, const LayerNormFuncOptions& options);
Tensor rms_norm(const Tensor& input, const RMSNormFuncOptions& options);
Tensor group_norm(const Tensor& input, const GroupNormFuncOptions& options);
Tensor local_response_norm(const Tensor& input, const LocalResponseNormFuncOptions& options);
Tensor embedding(const Tensor& indices, const Tensor& weight, const EmbeddingFuncOptions& options = {});
Tensor embedding_bag(const Tensor& indices, const Tensor& weight, const EmbeddingBagFuncOptions& options = {});
Tensor one_hot(const Tensor& indices, int64_t num_classes = -1);

// ---- dropout -----------------------------------------------------------------------------------
Tensor dropout(const Tensor& input, const DropoutFuncOptions& options = {});
Tensor dropout1d(const Tensor& input, const Dropout1dFuncOptions& options = {});
Tensor dropout2d(const Tensor& input, const Dropout2dFuncOptions& options = {});
Tensor dropout3d(const Tensor& input, const Dropout3dFuncOptions& options = {});
Tensor alpha_dropout(const Tensor& input, const AlphaDropoutFuncOptions& options = {});
Tensor feature_alpha_dropout(const Tensor& input, const FeatureAlphaDropoutFuncOptions& options = {});

// ---- losses ------------------------------------------------------------------------------------
Tensor l1_loss(const Tensor& input, const Tensor& target, const L1LossFuncOptions& options = {});
Tensor mse_loss(const Tensor& input, const Tensor& target, const MSELossFuncOptions& options = {});
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, const SmoothL1LossFuncOptions& options = {});
Tensor huber_loss(const Tensor& input, const Tensor& target, const HuberLossFuncOptions& options = {});
Tensor kl_div(const Tensor& input, const Tensor& target, const KLDivFuncOptions& options = {});
/// Logits (N, C, ...) and class indices (N, ...) or probabilities (N, C, ...).
Tensor cross_entropy(const Tensor& input, const Tensor& target, const CrossEntropyFuncOptions& options = {});
Tensor nll_loss(const Tensor& input, const Tensor& target, const NLLLossFuncOptions& options = {});
Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const BinaryCrossEntropyFuncOptions& options = {});
Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                        const BinaryCrossEntropyWithLogitsFuncOptions& options = {});
Tensor soft_margin_loss(const Tensor& input, const Tensor& target, const SoftMarginLossFuncOptions& options = {});
Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target, const MultilabelMarginLossFuncOptions& options = {});
Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target, const MultilabelSoftMarginLossFuncOptions& options = {});
Tensor multi_margin_loss(const Tensor& input, const Tensor& target, const MultiMarginLossFuncOptions& options = {});
Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, const HingeEmbeddingLossFuncOptions& options = {});
Tensor margin_ranking_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                           const MarginRankingLossFuncOptions& options = {});
Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                             const CosineEmbeddingLossFuncOptions& options = {});
Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, const PoissonNLLLossFuncOptions& options = {});
Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var, const GaussianNLLLossFuncOptions& options = {});
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletMarginLossFuncOptions& options = {});
Tensor triplet_margin_with_distance_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                                         const TripletMarginWithDistanceLossFuncOptions& options = {});
/// Lengths are int64 tensors.
Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths,
                const CTCLossFuncOptions& options = {});

// ---- distances ---------------------------------------------------------------------------------
Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, const CosineSimilarityFuncOptions& options = {});
Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, const PairwiseDistanceFuncOptions& options = {});
Tensor pdist(const Tensor& input, double p = 2.0);

// ---- padding, resizing -------------------------------------------------------------------------
Tensor pad(const Tensor& input, const PadFuncOptions& options);
Tensor interpolate(const Tensor& input, const InterpolateFuncOptions& options = {});
Tensor grid_sample(const Tensor& input, const Tensor& grid, const GridSampleFuncOptions& options = {});
Tensor affine_grid(const Tensor& theta, IntList size, bool align_corners = false);
Tensor pixel_shuffle(const Tensor& input, const PixelShuffleFuncOptions& options);
Tensor pixel_unshuffle(const Tensor& input, const PixelUnshuffleFuncOptions& options);
Tensor channel_shuffle(const Tensor& input, int64_t groups);

// ---- attention ---------------------------------------------------------------------------------
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& attn_mask = {},
                                    double dropout_p = 0.0, bool is_causal = false, std::optional<double> scale = {},
                                    bool enable_gqa = false);
std::tuple<Tensor, Tensor> multi_head_attention_forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                                        const MultiheadAttentionForwardFuncOptions& options);

}  // namespace bolide::nn::functional
