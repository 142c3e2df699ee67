// Losses and distances.
#include <cmath>
#include <numbers>

#include "bolide/autograd.h"
#include "bolide/nn/functional.h"
#include "bolide/ops.h"
#include "core/named_op.h"

namespace bolide::nn::functional {
namespace {

int64_t code_of(const std::string& reduction) {
  if (reduction == kNone) return 0;
  if (reduction == kMean) return 1;
  if (reduction == kSum) return 2;
  fail<ValueError>(reduction, " is not a valid value for reduction");
}
Tensor reduced(const Tensor& loss, const std::string& reduction) {
  const int64_t code = code_of(reduction);
  return code == 0 ? loss : code == 1 ? mean(loss) : sum(loss);
}
Tensor at_least(const Tensor& x, double low) { return clamp(x, Scalar(low), {}); }

/// Both at their common shape.
std::pair<Tensor, Tensor> together(const Tensor& a, const Tensor& b) {
  if (a.sizes() == b.sizes()) return {a, b};
  const size_t n = std::max(a.sizes().size(), b.sizes().size());
  Dims shape(n, 1);
  for (const Tensor* t : {&a, &b})
    for (size_t i = 0, shift = n - t->sizes().size(); i < t->sizes().size(); ++i)
      if (t->sizes()[i] != 1) shape[shift + i] = t->sizes()[i];
  return {expand(a, shape), expand(b, shape)};
}

}  // namespace

Tensor l1_loss(const Tensor& x, const Tensor& target, const L1LossFuncOptions& o) {
  static constexpr NamedOp op("l1_loss");
  const auto [a, b] = together(x, target);
  return op(a, b, code_of(o.reduction()));
}
Tensor mse_loss(const Tensor& x, const Tensor& target, const MSELossFuncOptions& o) {
  const auto [a, b] = together(x, target);
  return bolide::mse_loss(a, b, code_of(o.reduction()));
}
Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, const SmoothL1LossFuncOptions& o) {
  static constexpr NamedOp op("smooth_l1_loss");
  if (o.beta() == 0) return l1_loss(x, target, o.reduction());
  const auto [a, b] = together(x, target);
  return op(a, b, code_of(o.reduction()), o.beta());
}
Tensor huber_loss(const Tensor& x, const Tensor& target, const HuberLossFuncOptions& o) {
  static constexpr NamedOp op("huber_loss");
  const auto [a, b] = together(x, target);
  return op(a, b, code_of(o.reduction()), o.delta());
}

Tensor kl_div(const Tensor& x, const Tensor& target, const KLDivFuncOptions& o) {
  const bool batch_mean = o.reduction() == kBatchMean;
  Tensor loss;
  if (o.log_target()) {
    loss = mul(exp(target), sub(target, x));
  } else {
    const Tensor positive = gt(target, 0), logs = log(where(positive, target, ones_like(target)));
    loss = where(positive, mul(target, sub(logs, x)), mul(neg(target), x));
  }
  loss = reduced(loss, batch_mean ? kSum : o.reduction());
  return batch_mean && x.dim() ? div(loss, x.size(0)) : loss;
}

Tensor cross_entropy(const Tensor& x, const Tensor& target, const CrossEntropyFuncOptions& o) {
  static constexpr NamedOp op("cross_entropy_loss");
  return op(x, target, o.weight(), code_of(o.reduction()), o.ignore_index(), o.label_smoothing());
}
Tensor nll_loss(const Tensor& x, const Tensor& target, const NLLLossFuncOptions& o) {
  static constexpr NamedOp op("nll_loss_nd");
  return op(x, target, o.weight(), code_of(o.reduction()), o.ignore_index());
}

Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, const BinaryCrossEntropyFuncOptions& o) {
  static constexpr NamedOp op("binary_cross_entropy");
  BOLIDE_CHECK_AS(ValueError, x.sizes() == target.sizes(), "Using a target size (torch.Size(", target.sizes(),
                  ")) that is different to the input size (torch.Size(", x.sizes(), ")) is deprecated. Please ensure they have the same size.");
  return op(x, target, o.weight().defined() ? expand(o.weight(), target.sizes()) : Tensor(), code_of(o.reduction()));
}
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, const BinaryCrossEntropyWithLogitsFuncOptions& o) {
  static constexpr NamedOp op("binary_cross_entropy_with_logits");
  BOLIDE_CHECK_AS(ValueError, x.sizes() == target.sizes(), "Target size (torch.Size(", target.sizes(), ")) must be the same as input size (torch.Size(",
                  x.sizes(), "))");
  return op(x, target, o.weight(), o.pos_weight(), code_of(o.reduction()));
}

Tensor soft_margin_loss(const Tensor& x, const Tensor& target, const SoftMarginLossFuncOptions& o) {
  static constexpr NamedOp op("soft_margin_loss");
  return op(x, target, code_of(o.reduction()));
}
Tensor multilabel_margin_loss(const Tensor& x, const Tensor& target, const MultilabelMarginLossFuncOptions& o) {
  static constexpr NamedOp op("multilabel_margin_loss");
  return op(x, target, code_of(o.reduction()));
}
Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& target, const MultilabelSoftMarginLossFuncOptions& o) {
  Tensor loss = neg(add(mul(target, logsigmoid(x)), mul(add(neg(target), 1), logsigmoid(neg(x)))));
  if (o.weight().defined()) loss = mul(loss, o.weight());
  return reduced(div(sum(loss, -1), x.size(-1)), o.reduction());
}
Tensor multi_margin_loss(const Tensor& x, const Tensor& target, const MultiMarginLossFuncOptions& o) {
  static constexpr NamedOp op("multi_margin_loss");
  BOLIDE_CHECK_AS(ValueError, o.p() == 1 || o.p() == 2, "only p == 1 and p == 2 supported");
  BOLIDE_CHECK_AS(ValueError, !o.weight().defined() || o.weight().dim() == 1, "weight must be one-dimensional");
  return op(x, target, o.p(), o.margin(), o.weight(), code_of(o.reduction()));
}

Tensor hinge_embedding_loss(const Tensor& x, const Tensor& target, const HingeEmbeddingLossFuncOptions& o) {
  const Tensor none = zeros_like(x), below = at_least(add(neg(x), o.margin()), 0);
  return reduced(add(where(ne(target, 1), below, none), where(ne(target, -1), x, none)), o.reduction());
}
Tensor margin_ranking_loss(const Tensor& x1, const Tensor& x2, const Tensor& target, const MarginRankingLossFuncOptions& o) {
  BOLIDE_CHECK(x1.dim() == x2.dim() && x2.dim() == target.dim(), "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: torch.Size(",
               x1.sizes(), "), input2: torch.Size(", x2.sizes(), "), target: torch.Size(", target.sizes(), ") ");
  return reduced(at_least(add(mul(neg(target), sub(x1, x2)), o.margin()), 0), o.reduction());
}
Tensor cosine_embedding_loss(const Tensor& x1, const Tensor& x2, const Tensor& target, const CosineEmbeddingLossFuncOptions& o) {
  const int64_t d = target.dim();
  BOLIDE_CHECK(d == 0 || d == 1, "0D or 1D target tensor expected, multi-target not supported");
  BOLIDE_CHECK(x1.dim() == d + 1 && x2.dim() == d + 1, d, "D target tensor expects ", d + 1, "D input tensors, but found inputs with sizes ",
               x1.sizes(), " and ", x2.sizes(), ".");
  const double eps = 1e-12;
  const Tensor norms = mul(add(sum(mul(x1, x1), d), eps), add(sum(mul(x2, x2), d), eps));
  const Tensor cosine = div(sum(mul(x1, x2), d), sqrt(norms)), none = zeros_like(cosine);
  return reduced(add(where(eq(target, 1), add(neg(cosine), 1), none), where(eq(target, -1), at_least(sub(cosine, o.margin()), 0), none)), o.reduction());
}

Tensor poisson_nll_loss(const Tensor& x, const Tensor& target, const PoissonNLLLossFuncOptions& o) {
  Tensor loss = o.log_input() ? sub(exp(x), mul(target, x)) : sub(x, mul(target, log(add(x, o.eps()))));
  if (o.full()) {
    const Tensor stirling = add(sub(mul(target, log(target)), target), mul(log(mul(target, 2 * std::numbers::pi)), 0.5));
    loss = add(loss, where(le(target, 1), zeros_like(stirling), stirling));
  }
  return reduced(loss, o.reduction());
}
Tensor gaussian_nll_loss(const Tensor& x, const Tensor& target, const Tensor& given, const GaussianNLLLossFuncOptions& o) {
  BOLIDE_CHECK_AS(ValueError, !any(lt(given, 0)).item<bool>(), "var has negative entry/entries");
  Tensor var = given;
  if (!(var.sizes() == x.sizes())) {
    const Dims &a = x.sizes(), &b = var.sizes();
    if (b.size() + 1 == a.size() && std::equal(b.begin(), b.end(), a.begin())) {
      var = unsqueeze(var, -1);
    } else {
      bool fits = a.size() == b.size();
      for (size_t i = 0; fits && i < a.size(); ++i) fits = b[i] == a[i] || b[i] == 1;
      BOLIDE_CHECK_AS(ValueError, fits, "var is of incorrect size");
    }
  }
  var = clone(var);
  {
    const NoGradGuard no_grad;
    copy_(var, at_least(var, o.eps()));
  }
  Tensor loss = mul(add(log(var), div(pow(sub(x, target), 2), var)), 0.5);
  if (o.full()) loss = add(loss, 0.5 * std::log(2 * std::numbers::pi));
  return reduced(loss, o.reduction());
}

// ---- triplets, distances -----------------------------------------------------------------------
namespace {
Tensor triplet(const Tensor& anchor, const Tensor& positive, const Tensor& negative, const TripletMarginWithDistanceLossOptions::Distance& distance,
               double margin, bool swap, const std::string& reduction) {
  BOLIDE_CHECK_AS(ValueError, margin > 0, "margin must be greater than 0, got ", margin);
  BOLIDE_CHECK(anchor.dim() == positive.dim() && positive.dim() == negative.dim(), "The anchor, positive, and negative tensors are expected to "
               "have the same number of dimensions, but got: anchor ", anchor.dim(), "D, positive ", positive.dim(), "D, and negative ",
               negative.dim(), "D inputs");
  const Tensor near = distance(anchor, positive);
  Tensor far = distance(anchor, negative);
  if (swap) far = minimum(far, distance(positive, negative));
  return reduced(at_least(sub(add(near, margin), far), 0), reduction);
}
}  // namespace

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative, const TripletMarginLossFuncOptions& o) {
  const auto distance = [&](const Tensor& a, const Tensor& b) { return pairwise_distance(a, b, PairwiseDistanceFuncOptions().p(o.p()).eps(o.eps())); };
  return triplet(anchor, positive, negative, distance, o.margin(), o.swap(), o.reduction());
}
Tensor triplet_margin_with_distance_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                                         const TripletMarginWithDistanceLossFuncOptions& o) {
  const auto plain = [](const Tensor& a, const Tensor& b) { return pairwise_distance(a, b); };
  return triplet(anchor, positive, negative, o.distance_function() ? o.distance_function() : plain, o.margin(), o.swap(), o.reduction());
}

Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths,
                const CTCLossFuncOptions& o) {
  static constexpr NamedOp op("ctc_loss");
  return op(log_probs, targets, input_lengths, target_lengths, o.blank(), code_of(o.reduction()), o.zero_infinity());
}

Tensor cosine_similarity(const Tensor& a, const Tensor& b, const CosineSimilarityFuncOptions& o) {
  static constexpr NamedOp op("cosine_similarity");
  return op(a, b, o.dim(), o.eps());
}
Tensor pairwise_distance(const Tensor& a, const Tensor& b, const PairwiseDistanceFuncOptions& o) {
  static constexpr NamedOp op("pairwise_distance");
  return op(a, b, o.p(), o.eps(), o.keepdim());
}
Tensor pdist(const Tensor& x, double p) {
  static constexpr NamedOp op("pdist");
  return op(x, p);
}

}  // namespace bolide::nn::functional
