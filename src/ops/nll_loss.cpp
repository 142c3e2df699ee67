// Losses of classes: negative log-likelihood of any dimensions, and cross entropy of class indices (one fused pass
// over rows of logits) and of probabilities. `reduction`: 0 none, 1 mean (over the targets' weights), 2 sum.
#include "ops/nn.h"

namespace bolide {

namespace {

/// Targets as the kernels take them.
Tensor class_indices(const Tensor& target) {
  BOLIDE_CHECK(target.dtype() == DType::Int64 || target.dtype() == DType::UInt8,
               "expected target dtype to be Long or Byte, but got ", legacy_name(target.dtype()));
  return contiguous(cast(target, DType::Int64));
}

void check_weight(const Tensor& weight, const Tensor& x, int64_t classes) {
  if (!weight.defined()) return;
  BOLIDE_CHECK(weight.dim() == 1 && weight.numel() == classes, "weight tensor should be defined either for all ", classes,
               " classes or no classes but got weight tensor of shape: ", weight.sizes());
  BOLIDE_CHECK(weight.dtype() == x.dtype(), "expected scalar type ", legacy_name(x.dtype()), " but found ",
               legacy_name(weight.dtype()));
}

void check_likelihoods(const Tensor& x, const Tensor& target, const Tensor& weight) {
  BOLIDE_CHECK(x.dim() == 1 || x.dim() == 2, "input tensor should be 1D or 2D");
  BOLIDE_CHECK(target.dim() <= 1, "0D or 1D target tensor expected, multi-target not supported");
  const bool single = x.dim() == 1 && target.dim() == 0;
  BOLIDE_CHECK(single || x.size(0) == (target.dim() ? target.size(0) : 1), "size mismatch (got input: ", x.sizes(),
               ", target: ", target.sizes(), ")");
  check_weight(weight, x, x.size(-1));
}

void check_likelihood_images(const Tensor& x, const Tensor& target, const Tensor& weight) {
  BOLIDE_CHECK(target.dim() == 3, "only batches of spatial targets supported (3D tensors) but got targets of dimension: ",
               target.dim());
  BOLIDE_CHECK(x.dim() == 4, "only batches of spatial inputs supported (4D tensors), but got input of dimension: ", x.dim());
  BOLIDE_CHECK(x.size(0) == target.size(0) && x.size(2) == target.size(1) && x.size(3) == target.size(2),
               "size mismatch (got input: ", x.sizes(), " , target: ", target.sizes());
  check_weight(weight, x, x.size(1));
}

Tensor weight_or_none(const Tensor& w) { return w.defined() ? contiguous(w) : w; }

std::tuple<Tensor, Tensor> nll_forward(const Tensor& self, const Tensor& target, const Tensor& weight, int64_t reduction,
                                       int64_t ignore_index) {
  const Tensor t = class_indices(target), x = contiguous(self);
  dispatch<Join<Floats, Halves>>("nll_loss_out_frame", x.dtype(), [](auto) {});
  const Tensor loss = Tensor::make(reduction == kNone ? IntList(t.sizes()) : IntList(), x.dtype(), x.device());
  const Tensor total = Tensor::make({}, x.dtype(), x.device());
  kernels(x).nll_loss(x, t, weight_or_none(weight), reduction, ignore_index, loss, total);
  return {loss, total};
}

}  // namespace

struct NllLossBackward {
  static constexpr auto schema =
      "nll_loss_backward(Tensor grad_output, Tensor self, Tensor target, Tensor? weight, int reduction, int ignore_index, "
      "Tensor total_weight) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& g, const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction,
                        int64_t ignore_index, const Tensor& total_weight) {
    const Tensor t = class_indices(target), dx = Tensor::make(x.sizes(), x.dtype(), x.device());
    kernels(dx).nll_loss_backward(contiguous(g), t, weight_or_none(weight), reduction, ignore_index, total_weight, dx);
    return dx;
  }
  static constexpr auto saved = saves(in<2>, in<3>);
  static Grads backward(const Call& c, const Tensor& gg) {
    Grads r;
    if (c.needs(0)) r.of[0] = nll_loss(gg, c.in(2), c.has_tensor(3) ? c.in(3) : Tensor(), c.integer(4), c.integer(5));
    if (c.needs(1)) r.of[1] = zeros_like(gg);
    return r;
  }
};
Tensor nll_loss_backward(const Tensor& g, const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction,
                         int64_t ignore_index, const Tensor& total_weight) {
  return call<NllLossBackward>(g, x, target, weight, reduction, ignore_index, total_weight);
}
const Register<NllLossBackward> nll_loss_backward_op;

// What both forms share. The forward result is (loss, sum of the targets' weights).
struct NllForward {
  static constexpr auto kind = Kind::Layer;
  static constexpr uint32_t no_grad = 1u << 2;
  static constexpr uint8_t home = kInternal;
  static constexpr auto saved = saves(in<0>, in<1>, in<2>, out<1>);
  static Grads backward(const Call& c, std::span<const Tensor> g) {
    if (!g[0].defined()) return {};
    return nll_loss_backward(g[0], c.in(0), c.in(1), c.has_tensor(2) ? c.in(2) : Tensor(), c.integer(3), c.integer(4), c.out(1));
  }
};

struct NllLoss : NllForward {
  static constexpr auto schema =
      "nll_loss_forward(Tensor self, Tensor target, Tensor? weight, int reduction, int ignore_index) -> (Tensor, Tensor)";
  static constexpr auto node = "NllLossBackward0";
  static std::tuple<Tensor, Tensor> forward(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction,
                                            int64_t ignore_index) {
    check_likelihoods(x, target, weight);
    return nll_forward(x, target, weight, reduction, ignore_index);
  }
};
const Register<NllLoss> nll_loss_op;

struct NllLoss2d : NllForward {
  static constexpr auto schema =
      "nll_loss2d_forward(Tensor self, Tensor target, Tensor? weight, int reduction, int ignore_index) -> (Tensor, Tensor)";
  static constexpr auto node = "NllLoss2DBackward0";
  static std::tuple<Tensor, Tensor> forward(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction,
                                            int64_t ignore_index) {
    check_likelihood_images(x, target, weight);
    return nll_forward(x, target, weight, reduction, ignore_index);
  }
};
const Register<NllLoss2d> nll_loss2d_op;

// Minus the log-probabilities x (N, C, ...) of the classes `target` (N, ...).
struct NllLossNd {
  static constexpr auto schema =
      "nll_loss_nd(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, int ignore_index=-100) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction, int64_t ignore_index) {
    BOLIDE_CHECK_AS(ValueError, x.dim() >= 1, "Expected 1 or more dimensions (got ", x.dim(), ")");
    BOLIDE_CHECK_AS(ValueError, x.dim() == 1 || (target.dim() && x.size(0) == target.size(0)), "Expected input batch_size (",
                    x.size(0), ") to match target batch_size (", target.dim() ? target.size(0) : 0, ").");
    if (x.dim() <= 2) return std::get<0>(call<NllLoss>(x, target, weight, reduction, ignore_index));
    if (x.dim() == 4) return std::get<0>(call<NllLoss2d>(x, target, weight, reduction, ignore_index));
    Dims shape = x.sizes();
    shape.erase(1);
    BOLIDE_CHECK(target.sizes() == shape, "Expected target size ", shape, ", got ", target.sizes());
    const int64_t n = x.size(0), classes = x.size(1), rest = n ? target.numel() / n : 0;
    const Tensor loss = std::get<0>(call<NllLoss2d>(reshape(x, {n, classes, 1, rest}), reshape(target, {n, 1, rest}), weight,
                                                    reduction, ignore_index));
    return reduction == kNone ? reshape(loss, shape) : loss;
  }
};
Tensor nll_loss(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction, int64_t ignore_index) {
  return NllLossNd::forward(x, target, weight, reduction, ignore_index);
}
const Register<NllLossNd> nll_loss_nd_op;

// ---- cross entropy of logits, fused ---------------------------------------------------------------

struct CrossEntropyRowsBackward {
  static constexpr auto schema =
      "_cross_entropy_rows_backward(Tensor grad_output, Tensor self, Tensor lse, Tensor target, Tensor? weight, int reduction, "
      "int ignore_index, Tensor total_weight) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& g, const Tensor& x, const Tensor& lse, const Tensor& target, const Tensor& weight,
                        int64_t reduction, int64_t ignore_index, const Tensor& total_weight) {
    dispatch<Join<Floats, Halves>>("_cross_entropy_rows_backward", x.dtype(), [](auto) {});
    check_likelihoods(x, target, weight);
    const bool each = reduction == kNone;
    BOLIDE_CHECK(x.dim() <= 2 && g.dtype() == x.dtype() && total_weight.dtype() == x.dtype() && total_weight.numel() == 1 &&
                     lse.dtype() == compute_dtype(x.dtype()) && lse.numel() == target.numel() && lse.is_contiguous() &&
                     g.numel() == (each ? target.numel() : 1),
                 "_cross_entropy_rows_backward: the gradient, lse and total_weight must be those of a forward call over input ",
                 x.sizes());
    const Tensor dx = Tensor::make(x.sizes(), x.dtype(), x.device());
    kernels(dx).cross_entropy_backward(contiguous(g), contiguous(x), lse, class_indices(target), weight_or_none(weight),
                                       reduction, ignore_index, total_weight, dx);
    return dx;
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<3>, in<4>, in<7>);
  // as the chain of log_softmax and nll_loss that it is
  static Grads backward(const Call& c, const Tensor& gg) {
    const Tensor x = c.in(1), target = c.in(3), w = c.has_tensor(4) ? c.in(4) : Tensor();
    const Tensor y = log_softmax(x, -1);
    Grads r;
    if (c.needs(0)) r.of[0] = nll_loss(log_softmax_backward_transposed(gg, y), target, w, c.integer(5), c.integer(6));
    if (c.needs(1)) {
      const Tensor inner = nll_loss_backward(c.in(0), y, target, w, c.integer(5), c.integer(6), c.in(7));
      const Tensor bend = neg(mul(mul(gg, exp(y)), sum(inner, std::optional<IntList>(IntList{-1}), true)));
      r.of[1] = log_softmax_backward(bend, y, -1, x.dtype());
    }
    return r;
  }
  static Tensor log_softmax_backward_transposed(const Tensor& gg, const Tensor& y) {
    return sub(gg, sum(mul(gg, exp(y)), std::optional<IntList>(IntList{-1}), true));
  }
};
const Register<CrossEntropyRowsBackward> cross_entropy_rows_backward_op;

// nll_loss(log_softmax(x, -1), target) of rows; the node has the name of the step that PyTorch ends with. The result is
// (loss, log-sum-exp of each row, sum of the targets' weights).
struct CrossEntropyRows {
  static constexpr auto schema =
      "_cross_entropy_rows(Tensor self, Tensor target, Tensor? weight, int reduction, int ignore_index) -> "
      "(Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  static constexpr auto node = "NllLossBackward0";
  static constexpr uint32_t no_grad = 1u << 2;
  static std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& self, const Tensor& target, const Tensor& weight,
                                                    int64_t reduction, int64_t ignore_index) {
    dispatch<Join<Floats, Halves>>("log_softmax_lastdim_kernel_impl", self.dtype(), [](auto) {});
    check_likelihoods(self, target, weight);
    const Tensor x = contiguous(self), t = class_indices(target);
    const Tensor loss = Tensor::make(reduction == kNone ? IntList(t.sizes()) : IntList(), x.dtype(), x.device());
    const Tensor lse = Tensor::make(t.sizes(), compute_dtype(x.dtype()), x.device());
    const Tensor total = Tensor::make({}, x.dtype(), x.device());
    kernels(x).cross_entropy(x, t, weight_or_none(weight), reduction, ignore_index, loss, lse, total);
    return {loss, lse, total};
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<2>, out<1>, out<2>);
  static Grads backward(const Call& c, std::span<const Tensor> g) {
    if (!g[0].defined()) return {};
    return call<CrossEntropyRowsBackward>(g[0], c.in(0), c.out(1).detach(), c.in(1), c.has_tensor(2) ? c.in(2) : Tensor(),
                                          c.integer(3), c.integer(4), c.out(2).detach());
  }
};
const Register<CrossEntropyRows> cross_entropy_rows_op;

namespace {

/// `weight` along the dimension of the classes of x.
Tensor along_classes(const Tensor& weight, const Tensor& x, int64_t dim) {
  Dims shape(static_cast<size_t>(x.dim()), 1);
  shape[static_cast<size_t>(dim)] = weight.numel();
  return reshape(weight, shape);
}

Tensor of_indices(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction, int64_t ignore_index) {
  if (x.dim() > 2) return nll_loss(log_softmax(x, 1), target, weight, reduction, ignore_index);
  BOLIDE_CHECK_AS(ValueError, x.dim() == 1 || (target.dim() && x.size(0) == target.size(0)), "Expected input batch_size (",
                  x.size(0), ") to match target batch_size (", target.dim() ? target.size(0) : 0, ").");
  return std::get<0>(call<CrossEntropyRows>(x, target, weight, reduction, ignore_index));
}

Tensor of_probabilities(const Tensor& x, const Tensor& given, const Tensor& weight, int64_t reduction, double smoothing,
                        int64_t dim) {
  const int64_t classes = x.size(dim);
  BOLIDE_CHECK(!weight.defined() || (weight.dim() == 1 && weight.numel() == classes),
               "cross_entropy: weight tensor should be defined either for all ", classes, " classes or no classes but got weight "
               "tensor of shape: ", weight.sizes());
  const Tensor target = smoothing > 0 ? add(mul(given, 1 - smoothing), smoothing / static_cast<double>(classes)) : given;
  Tensor products = mul(log_softmax(x, dim), target);
  if (weight.defined()) products = mul(products, along_classes(weight, x, dim));
  if (reduction == kNone) return neg(sum(products, std::optional<IntList>(IntList{dim})));
  const Tensor total = neg(sum(products));
  if (reduction == kSum) return total;
  return div(total, static_cast<double>(classes ? x.numel() / classes : 0));
}

// (1 - s) nll + s / C * (minus the sum of all classes' log-probabilities)
Tensor of_smoothed_indices(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction,
                           int64_t ignore_index, double smoothing, int64_t dim) {
  const Tensor logs = log_softmax(x, dim);
  const Tensor hard = nll_loss(logs, target, weight, reduction, ignore_index);
  const Tensor ignored = eq(target, ignore_index);
  const Tensor spread = weight.defined() ? mul(logs, along_classes(weight, x, dim)) : logs;
  Tensor smooth = masked_fill(neg(sum(spread, std::optional<IntList>(IntList{dim}))), ignored, 0.0);
  if (reduction == kSum) smooth = sum(smooth);
  if (reduction == kMean) {
    const Tensor kept = logical_not(ignored);
    const Tensor safe = masked_fill(cast(target, DType::Int64), ignored, 0);
    const Tensor count = weight.defined() ? sum(mul(reshape(index_select(weight, 0, reshape(safe, {-1})), target.sizes()), kept))
                                          : sum(cast(kept, x.dtype()));
    smooth = div(sum(smooth), count);
  }
  return add(mul(hard, 1 - smoothing), mul(smooth, smoothing / static_cast<double>(x.size(dim))));
}

}  // namespace

// Cross entropy of logits (N, C, ...) with class indices (N, ...) or with probabilities (N, C, ...).
struct CrossEntropyLoss {
  static constexpr auto schema =
      "cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, int ignore_index=-100, "
      "float label_smoothing=0.0) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction, int64_t ignore_index,
                        double label_smoothing) {
    BOLIDE_CHECK(label_smoothing >= 0 && label_smoothing <= 1, "label_smoothing must be between 0.0 and 1.0. Got: ",
                 label_smoothing);
    const int64_t dim = x.dim() == 1 ? 0 : 1;
    if (x.sizes() == target.sizes()) {
      BOLIDE_CHECK(is_floating(target.dtype()), "Expected floating point type for target with class probabilities, got ",
                   legacy_name(target.dtype()));
      BOLIDE_CHECK(ignore_index < 0, "ignore_index is not supported for floating point target");
      return of_probabilities(x, target, weight, reduction, label_smoothing, x.dim() ? dim : 0);
    }
    if (label_smoothing > 0) return of_smoothed_indices(x, target, weight, reduction, ignore_index, label_smoothing, dim);
    return of_indices(x, target, weight, reduction, ignore_index);
  }
};
Tensor cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction, int64_t ignore_index,
                     double label_smoothing) {
  return CrossEntropyLoss::forward(x, target, weight, reduction, ignore_index, label_smoothing);
}
const Register<CrossEntropyLoss> cross_entropy_loss_op;

}  // namespace bolide
