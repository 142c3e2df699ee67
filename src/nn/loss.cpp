// Loss and distance modules.
#include "bolide/nn/loss.h"

#include <algorithm>
#include <cmath>

#include "bolide/nn/containers.h"
#include "bolide/nn/functional.h"
#include "bolide/ops.h"
#include "nn/text.h"

namespace bolide::nn {

namespace F = functional;

#define LOSS(Name, function)                                                                                          \
  Tensor Name##Impl::forward(const Tensor& a, const Tensor& b) const { return F::function(a, b, options); }           \
  std::string Name##Impl::extra_repr() const { return ""; }
#define LOSS_OF_THREE(Name, function)                                                                                 \
  Tensor Name##Impl::forward(const Tensor& a, const Tensor& b, const Tensor& c) const { return F::function(a, b, c, options); } \
  std::string Name##Impl::extra_repr() const { return ""; }

LOSS(L1Loss, l1_loss)
LOSS(MSELoss, mse_loss)
LOSS(SmoothL1Loss, smooth_l1_loss)
LOSS(HuberLoss, huber_loss)
LOSS(KLDivLoss, kl_div)
LOSS(SoftMarginLoss, soft_margin_loss)
LOSS(MultiLabelMarginLoss, multilabel_margin_loss)
LOSS(HingeEmbeddingLoss, hinge_embedding_loss)
LOSS(PoissonNLLLoss, poisson_nll_loss)
LOSS(CosineSimilarity, cosine_similarity)
LOSS(PairwiseDistance, pairwise_distance)
LOSS_OF_THREE(GaussianNLLLoss, gaussian_nll_loss)
LOSS_OF_THREE(MarginRankingLoss, margin_ranking_loss)
LOSS_OF_THREE(CosineEmbeddingLoss, cosine_embedding_loss)
LOSS_OF_THREE(TripletMarginLoss, triplet_margin_loss)

TripletMarginWithDistanceLossImpl::TripletMarginWithDistanceLossImpl(const TripletMarginWithDistanceLossOptions& o) : options(o) { reset(); }
void TripletMarginWithDistanceLossImpl::reset() {
  if (!options.distance_function()) register_module("distance_function", PairwiseDistance());
}
Tensor TripletMarginWithDistanceLossImpl::forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative) const {
  return F::triplet_margin_with_distance_loss(anchor, positive, negative, options);
}

Tensor CTCLossImpl::forward(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths) const {
  return F::ctc_loss(log_probs, targets, input_lengths, target_lengths, options);
}
std::string CTCLossImpl::extra_repr() const { return ""; }

#define WEIGHTED_LOSS(Name, function)                                                                   \
  Name##Impl::Name##Impl(const Name##Options& o) : options(o) { reset(); }                              \
  void Name##Impl::reset() { weight = register_buffer("weight", options.weight()); }                    \
  Tensor Name##Impl::forward(const Tensor& x, const Tensor& target) const {                             \
    auto o = options;                                                                                   \
    return F::function(x, target, o.weight(weight));                                                    \
  }                                                                                                     \
  std::string Name##Impl::extra_repr() const { return ""; }

WEIGHTED_LOSS(CrossEntropyLoss, cross_entropy)
WEIGHTED_LOSS(NLLLoss, nll_loss)
WEIGHTED_LOSS(BCELoss, binary_cross_entropy)
WEIGHTED_LOSS(MultiLabelSoftMarginLoss, multilabel_soft_margin_loss)
WEIGHTED_LOSS(MultiMarginLoss, multi_margin_loss)

BCEWithLogitsLossImpl::BCEWithLogitsLossImpl(const BCEWithLogitsLossOptions& o) : options(o) { reset(); }
void BCEWithLogitsLossImpl::reset() {
  weight = register_buffer("weight", options.weight());
  pos_weight = register_buffer("pos_weight", options.pos_weight());
}
Tensor BCEWithLogitsLossImpl::forward(const Tensor& x, const Tensor& target) const {
  auto o = options;
  return F::binary_cross_entropy_with_logits(x, target, o.weight(weight).pos_weight(pos_weight));
}
std::string BCEWithLogitsLossImpl::extra_repr() const { return ""; }

// ---- adaptive softmax --------------------------------------------------------------------------
AdaptiveLogSoftmaxWithLossImpl::AdaptiveLogSoftmaxWithLossImpl(const AdaptiveLogSoftmaxWithLossOptions& o) : options(o) { reset(); }

void AdaptiveLogSoftmaxWithLossImpl::reset() {
  const auto& c = options.cutoffs();
  bool good = !c.empty() && c.front() > 0 && c.back() < options.n_classes() && std::is_sorted(c.begin(), c.end());
  good = good && std::adjacent_find(c.begin(), c.end()) == c.end();
  BOLIDE_CHECK_AS(ValueError, good, "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                  "value is between 1 and n_classes-1");
  BOLIDE_CHECK_AS(ValueError, options.div_value() != 0, "div_value should not be equal to 0");
  cutoffs_ = c;
  cutoffs_.push_back(options.n_classes());
  shortlist_size_ = cutoffs_[0];
  n_clusters_ = static_cast<int64_t>(cutoffs_.size()) - 1;
  head_size_ = shortlist_size_ + n_clusters_;
  head = register_module("head", Linear(LinearOptions(options.in_features(), head_size_).bias(options.head_bias())));
  ModuleList clusters;
  for (int64_t i = 0; i < n_clusters_; ++i) {
    const auto hidden = static_cast<int64_t>(std::floor(static_cast<double>(options.in_features()) / std::pow(options.div_value(), i + 1)));
    const int64_t size = cutoffs_[static_cast<size_t>(i) + 1] - cutoffs_[static_cast<size_t>(i)];
    // braces: the first is made first, as in Python
    clusters->push_back(Sequential{Linear(LinearOptions(options.in_features(), hidden).bias(false)), Linear(LinearOptions(hidden, size).bias(false))});
  }
  tail = register_module("tail", clusters);
}

void AdaptiveLogSoftmaxWithLossImpl::reset_parameters() {
  head->reset_parameters();
  for (const auto& cluster : tail->children())
    for (const auto& part : cluster->children()) part->as<Linear>()->reset_parameters();
}

Tensor AdaptiveLogSoftmaxWithLossImpl::tail_scores(size_t cluster, const Tensor& x) const {
  return log_softmax(tail->as<ModuleList>()->at<Sequential>(cluster).forward(x), 1);
}

ASMoutput AdaptiveLogSoftmaxWithLossImpl::forward(const Tensor& input, const Tensor& given) const {
  const bool batched = given.dim() > 0;
  BOLIDE_CHECK(given.dim() <= 1, "0D or 1D target tensor expected, multi-target not supported");
  BOLIDE_CHECK(input.dim() == given.dim() + 1, given.dim(), "D target tensor expects ", given.dim() + 1, "D input tensors, but found inputs with size ", input.sizes());
  const Tensor x = batched ? input : unsqueeze(input, 0), target = batched ? given : unsqueeze(given, 0);
  BOLIDE_CHECK(x.size(0) == target.size(0), "Input and target should have the same size in the batch dimension.");
  BOLIDE_CHECK(!any(logical_or(lt(target, 0), ge(target, options.n_classes()))).item<bool>(), "Target values should be in [0, ", options.n_classes() - 1,
               "], but values out of it were found.");
  // what the head is asked for: the class itself, or its cluster
  Tensor head_target = target, from_tail;
  std::vector<std::pair<Tensor, Tensor>> clusters;  // rows, and their log-probabilities within the cluster
  for (int64_t i = 0; i < n_clusters_; ++i) {
    const int64_t low = cutoffs_[static_cast<size_t>(i)], high = cutoffs_[static_cast<size_t>(i) + 1];
    const Tensor in_cluster = logical_and(ge(target, low), lt(target, high));
    const Tensor rows = squeeze(nonzero(in_cluster), 1);
    if (rows.numel() == 0) continue;
    const Tensor scores = tail_scores(static_cast<size_t>(i), index_select(x, 0, rows));
    const Tensor relative = unsqueeze(sub(index_select(target, 0, rows), low), 1);
    clusters.emplace_back(rows, squeeze(gather(scores, 1, relative), 1));
    head_target = masked_fill(head_target, in_cluster, shortlist_size_ + i);
  }
  const Tensor head_scores = log_softmax(head->forward(x), 1);
  Tensor output = squeeze(gather(head_scores, 1, unsqueeze(head_target, 1)), 1);
  for (const auto& [rows, values] : clusters) output = scatter_add(output, 0, rows, values);
  const Tensor loss = mean(neg(output));
  return {batched ? output : squeeze(output, 0), loss};
}

Tensor AdaptiveLogSoftmaxWithLossImpl::log_prob(const Tensor& x) const {
  const Tensor scores = log_softmax(head->forward(x), 1);
  std::vector<Tensor> parts{narrow(scores, 1, 0, shortlist_size_)};
  for (int64_t i = 0; i < n_clusters_; ++i)
    parts.push_back(add(tail_scores(static_cast<size_t>(i), x), narrow(scores, 1, shortlist_size_ + i, 1)));
  return cat(parts, 1);
}

Tensor AdaptiveLogSoftmaxWithLossImpl::predict(const Tensor& x) const { return argmax(log_prob(x), 1); }

}  // namespace bolide::nn
