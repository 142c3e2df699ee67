// Losses and distances as modules, with their options. Reductions are kMean, kSum or kNone.
#pragma once
#include "bolide/nn/linear.h"

namespace bolide::nn {

// ---- options -----------------------------------------------------------------------------------
struct LossOptions {
  LossOptions(std::string reduction = kMean) : reduction_(std::move(reduction)) {}
  LossOptions(const char* reduction) : reduction_(reduction) {}
  BOLIDE_ARG(std::string, reduction) = kMean;
};
using L1LossOptions = LossOptions;
using MSELossOptions = LossOptions;
using SoftMarginLossOptions = LossOptions;
using MultiLabelMarginLossOptions = LossOptions;

struct CrossEntropyLossOptions {
  BOLIDE_ARG(Tensor, weight);
  BOLIDE_ARG(int64_t, ignore_index) = -100;
  BOLIDE_ARG(std::string, reduction) = kMean;
  BOLIDE_ARG(double, label_smoothing) = 0.0;
};
struct NLLLossOptions {
  BOLIDE_ARG(Tensor, weight);
  BOLIDE_ARG(int64_t, ignore_index) = -100;
  BOLIDE_ARG(std::string, reduction) = kMean;
};
struct BCELossOptions {
  BOLIDE_ARG(Tensor, weight);
  BOLIDE_ARG(std::string, reduction) = kMean;
};
using MultiLabelSoftMarginLossOptions = BCELossOptions;
struct BCEWithLogitsLossOptions {
  BOLIDE_ARG(Tensor, weight);
  BOLIDE_ARG(std::string, reduction) = kMean;
  BOLIDE_ARG(Tensor, pos_weight);
};
/// Reduction kBatchMean divides by the batch only.
struct KLDivLossOptions {
  KLDivLossOptions(std::string reduction = kMean) : reduction_(std::move(reduction)) {}
  KLDivLossOptions(const char* reduction) : reduction_(reduction) {}
  BOLIDE_ARG(std::string, reduction) = kMean;
  BOLIDE_ARG(bool, log_target) = false;
};
struct SmoothL1LossOptions {
  BOLIDE_ARG(std::string, reduction) = kMean;
  BOLIDE_ARG(double, beta) = 1.0;
};
struct HuberLossOptions {
  BOLIDE_ARG(std::string, reduction) = kMean;
  BOLIDE_ARG(double, delta) = 1.0;
};
struct HingeEmbeddingLossOptions {
  BOLIDE_ARG(double, margin) = 1.0;
  BOLIDE_ARG(std::string, reduction) = kMean;
};
struct MarginOptions {
  BOLIDE_ARG(double, margin) = 0.0;
  BOLIDE_ARG(std::string, reduction) = kMean;
};
using MarginRankingLossOptions = MarginOptions;
using CosineEmbeddingLossOptions = MarginOptions;
struct MultiMarginLossOptions {
  BOLIDE_ARG(int64_t, p) = 1;
  BOLIDE_ARG(double, margin) = 1.0;
  BOLIDE_ARG(Tensor, weight);
  BOLIDE_ARG(std::string, reduction) = kMean;
};
struct PoissonNLLLossOptions {
  BOLIDE_ARG(bool, log_input) = true;
  BOLIDE_ARG(bool, full) = false;
  BOLIDE_ARG(double, eps) = 1e-8;
  BOLIDE_ARG(std::string, reduction) = kMean;
};
struct GaussianNLLLossOptions {
  BOLIDE_ARG(bool, full) = false;
  BOLIDE_ARG(double, eps) = 1e-6;
  BOLIDE_ARG(std::string, reduction) = kMean;
};
struct TripletMarginLossOptions {
  BOLIDE_ARG(double, margin) = 1.0;
  BOLIDE_ARG(double, p) = 2.0;
  BOLIDE_ARG(double, eps) = 1e-6;
  BOLIDE_ARG(bool, swap) = false;
  BOLIDE_ARG(std::string, reduction) = kMean;
};
struct TripletMarginWithDistanceLossOptions {
  using Distance = std::function<Tensor(const Tensor&, const Tensor&)>;
  /// Empty: pairwise_distance.
  BOLIDE_ARG(Distance, distance_function);
  BOLIDE_ARG(double, margin) = 1.0;
  BOLIDE_ARG(bool, swap) = false;
  BOLIDE_ARG(std::string, reduction) = kMean;
};
struct CTCLossOptions {
  BOLIDE_ARG(int64_t, blank) = 0;
  BOLIDE_ARG(std::string, reduction) = kMean;
  BOLIDE_ARG(bool, zero_infinity) = false;
};
struct CosineSimilarityOptions {
  BOLIDE_ARG(int64_t, dim) = 1;
  BOLIDE_ARG(double, eps) = 1e-8;
};
struct PairwiseDistanceOptions {
  BOLIDE_ARG(double, p) = 2.0;
  BOLIDE_ARG(double, eps) = 1e-6;
  BOLIDE_ARG(bool, keepdim) = false;
};
struct AdaptiveLogSoftmaxWithLossOptions {
  AdaptiveLogSoftmaxWithLossOptions(int64_t in_features, int64_t n_classes, std::vector<int64_t> cutoffs)
      : in_features_(in_features), n_classes_(n_classes), cutoffs_(std::move(cutoffs)) {}
  BOLIDE_ARG(int64_t, in_features);
  BOLIDE_ARG(int64_t, n_classes);
  BOLIDE_ARG(std::vector<int64_t>, cutoffs);
  BOLIDE_ARG(double, div_value) = 4.0;
  BOLIDE_ARG(bool, head_bias) = false;
};

// ---- modules -----------------------------------------------------------------------------------
#define BOLIDE_LOSS_MODULE(Name, ...)                              \
  class Name##Impl : public PlainModule<Name##Impl, Name##Options> { \
   public:                                                         \
    using PlainModule::PlainModule;                                \
    Tensor forward(__VA_ARGS__) const;                             \
    std::string extra_repr() const override;                       \
  };                                                               \
  BOLIDE_MODULE(Name)

BOLIDE_LOSS_MODULE(L1Loss, const Tensor& input, const Tensor& target);
BOLIDE_LOSS_MODULE(MSELoss, const Tensor& input, const Tensor& target);
BOLIDE_LOSS_MODULE(SmoothL1Loss, const Tensor& input, const Tensor& target);
BOLIDE_LOSS_MODULE(HuberLoss, const Tensor& input, const Tensor& target);
BOLIDE_LOSS_MODULE(KLDivLoss, const Tensor& input, const Tensor& target);
BOLIDE_LOSS_MODULE(SoftMarginLoss, const Tensor& input, const Tensor& target);
BOLIDE_LOSS_MODULE(MultiLabelMarginLoss, const Tensor& input, const Tensor& target);
BOLIDE_LOSS_MODULE(HingeEmbeddingLoss, const Tensor& input, const Tensor& target);
BOLIDE_LOSS_MODULE(PoissonNLLLoss, const Tensor& input, const Tensor& target);
BOLIDE_LOSS_MODULE(GaussianNLLLoss, const Tensor& input, const Tensor& target, const Tensor& var);
BOLIDE_LOSS_MODULE(MarginRankingLoss, const Tensor& input1, const Tensor& input2, const Tensor& target);
BOLIDE_LOSS_MODULE(CosineEmbeddingLoss, const Tensor& input1, const Tensor& input2, const Tensor& target);
BOLIDE_LOSS_MODULE(TripletMarginLoss, const Tensor& anchor, const Tensor& positive, const Tensor& negative);
/// Lengths are int64 tensors.
BOLIDE_LOSS_MODULE(CTCLoss, const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths);
BOLIDE_LOSS_MODULE(CosineSimilarity, const Tensor& x1, const Tensor& x2);
BOLIDE_LOSS_MODULE(PairwiseDistance, const Tensor& x1, const Tensor& x2);

/// The distance is PairwiseDistance, unless a function is given.
class TripletMarginWithDistanceLossImpl : public Cloneable<TripletMarginWithDistanceLossImpl> {
 public:
  explicit TripletMarginWithDistanceLossImpl(const TripletMarginWithDistanceLossOptions& options = {});
  Tensor forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative) const;
  void reset() override;
  TripletMarginWithDistanceLossOptions options;
};
BOLIDE_MODULE(TripletMarginWithDistanceLoss);

/// Losses with weights of the classes, which are buffers of the module.
#define BOLIDE_WEIGHTED_LOSS_MODULE(Name)                                \
  class Name##Impl : public Cloneable<Name##Impl> {                      \
   public:                                                               \
    explicit Name##Impl(const Name##Options& options = {});              \
    Tensor forward(const Tensor& input, const Tensor& target) const;     \
    void reset() override;                                               \
    std::string extra_repr() const override;                             \
    Name##Options options;                                               \
    Tensor weight;                                                       \
  };                                                                     \
  BOLIDE_MODULE(Name)

BOLIDE_WEIGHTED_LOSS_MODULE(CrossEntropyLoss);
BOLIDE_WEIGHTED_LOSS_MODULE(NLLLoss);
BOLIDE_WEIGHTED_LOSS_MODULE(BCELoss);
BOLIDE_WEIGHTED_LOSS_MODULE(MultiLabelSoftMarginLoss);
BOLIDE_WEIGHTED_LOSS_MODULE(MultiMarginLoss);

class BCEWithLogitsLossImpl : public Cloneable<BCEWithLogitsLossImpl> {
 public:
  explicit BCEWithLogitsLossImpl(const BCEWithLogitsLossOptions& options = {});
  Tensor forward(const Tensor& input, const Tensor& target) const;
  void reset() override;
  std::string extra_repr() const override;
  BCEWithLogitsLossOptions options;
  Tensor weight, pos_weight;
};
BOLIDE_MODULE(BCEWithLogitsLoss);

/// What AdaptiveLogSoftmaxWithLoss gives: the log-probability of each target, and their mean with a minus.
struct ASMoutput {
  Tensor output;
  double loss_value() const { return loss.item<double>(); }
  Tensor loss;
};
/// An approximation of log_softmax for many classes of very different frequency (Grave et al.): frequent classes, up to
/// the first cutoff, stand in the head; the others in clusters with ever fewer features. Classes are ordered by frequency.
class AdaptiveLogSoftmaxWithLossImpl : public Cloneable<AdaptiveLogSoftmaxWithLossImpl> {
 public:
  AdaptiveLogSoftmaxWithLossImpl(int64_t in_features, int64_t n_classes, std::vector<int64_t> cutoffs)
      : AdaptiveLogSoftmaxWithLossImpl(AdaptiveLogSoftmaxWithLossOptions(in_features, n_classes, std::move(cutoffs))) {}
  explicit AdaptiveLogSoftmaxWithLossImpl(const AdaptiveLogSoftmaxWithLossOptions& options);
  ASMoutput forward(const Tensor& input, const Tensor& target) const;
  /// Log-probabilities of all classes, (N, n_classes).
  Tensor log_prob(const Tensor& input) const;
  /// The most probable class of each row.
  Tensor predict(const Tensor& input) const;
  void reset() override;
  void reset_parameters();
  AdaptiveLogSoftmaxWithLossOptions options;
  Linear head{nullptr};
  std::shared_ptr<Module> tail;

 private:
  Tensor tail_scores(size_t cluster, const Tensor& input) const;
  std::vector<int64_t> cutoffs_;  // with n_classes at the end
  int64_t shortlist_size_ = 0, n_clusters_ = 0, head_size_ = 0;
};
BOLIDE_MODULE(AdaptiveLogSoftmaxWithLoss);

}  // namespace bolide::nn
