// Fused optimizer steps: one op updates all parameters of a group. Map: layout of the lists | Adam | SGD | norms.
#include <algorithm>

#include "bolide/ops.h"
#include "core/kernels.h"

namespace bolide {
namespace {

// ---- layout ------------------------------------------------------------------------------------

bool is_dense(const Tensor& t) {
  if (t.is_contiguous()) return true;
  Dims order;
  for (size_t d = 0; d < t.sizes().size(); ++d) order.push_back(static_cast<int64_t>(d));
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return t.strides()[size_t(a)] < t.strides()[size_t(b)]; });
  int64_t step = 1;
  for (int64_t d : order) {
    const auto i = static_cast<size_t>(d);
    if (t.sizes()[i] != 1 && t.strides()[i] != step) return false;
    step *= t.sizes()[i];
  }
  return true;
}

bool alike(const Tensor& a, const Tensor& b) { return a.dtype() == b.dtype() && a.strides() == b.strides(); }

/// The columns of a step (parameters, gradients, states) with the elements of a row in one order in memory, so that
/// kernels see flat arrays. What is not so is copied; finish() copies the results back.
class Columns {
 public:
  explicit Columns(std::initializer_list<TensorList> lists) {
    const size_t rows = lists.begin()->size();
    for (TensorList l : lists) columns_.emplace_back(l.begin(), l.end());
    for (size_t i = 0; i < rows; ++i) {
      const Tensor& p = columns_[0][i];
      bool flat = is_dense(p) && p.dtype() != DType::Float16 && p.dtype() != DType::BFloat16;
      for (auto& c : columns_) flat = flat && (c.empty() || !c[i].defined() || alike(c[i], p));
      if (!flat) copy_row(i);
    }
  }
  TensorList operator[](size_t c) const { return columns_[c]; }
  void finish() {
    for (auto& [column, row, original] : copied_) copy_(original, columns_[column][row]);
  }

 private:
  struct Copied { size_t column, row; Tensor original; };

  void copy_row(size_t i) {
    const DType wide = columns_[0][i].dtype() == DType::Float64 ? DType::Float64 : DType::Float32;
    for (size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].empty() || !columns_[c][i].defined()) continue;
      Tensor& t = columns_[c][i];
      Tensor flat = Tensor::make(t.sizes(), wide, t.device());
      copy_(flat, t);
      if (c != kGradients) copied_.push_back({c, i, t});
      t = flat;
    }
  }

  static constexpr size_t kGradients = 1;
  std::vector<std::vector<Tensor>> columns_;
  std::vector<Copied> copied_;
};

void check_column(const char* op, const char* name, TensorList column, TensorList self) {
  BOLIDE_CHECK(column.size() == self.size(), op, ": expected ", self.size(), " tensors in ", name, ", got ", column.size());
  for (size_t i = 0; i < self.size(); ++i)
    BOLIDE_CHECK(column[i].sizes() == self[i].sizes() && column[i].device() == self[i].device(), op, ": ", name, "[", i,
                 "] has shape ", column[i].sizes(), " on ", column[i].device().str(), ", the parameter ", self[i].sizes(), " on ",
                 self[i].device().str());
}

void check_parameters(const char* op, TensorList self) {
  for (const Tensor& p : self) {
    BOLIDE_CHECK(is_floating(p.dtype()), op, ": expected floating-point parameters, got ", p.dtype());
    BOLIDE_CHECK(!state().grad || !p.requires_grad() || !p.is_leaf(),
                 "a leaf Variable that requires grad is being used in an in-place operation.");
  }
}

void bump(TensorList list) {
  for (const Tensor& t : list) t->bump();
}

/// Mixed precision: whether to skip the step; gradients are divided by the scale in place.
bool unscale(TensorList grads, const Tensor& grad_scale, const Tensor& found_inf) {
  if (found_inf.defined() && found_inf.item<double>() == 1) return true;
  if (grad_scale.defined())
    for (const Tensor& g : grads) copy_(g, div(g, grad_scale));
  return false;
}

// ---- Adam --------------------------------------------------------------------------------------

struct AdamLists { TensorList self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps; };

void adam_group(const char* op, const AdamLists& l, Kernels::Adam s, bool amsgrad, const Tensor& grad_scale, const Tensor& found_inf) {
  check_parameters(op, l.self);
  check_column(op, "grads", l.grads, l.self);
  check_column(op, "exp_avgs", l.exp_avgs, l.self);
  check_column(op, "exp_avg_sqs", l.exp_avg_sqs, l.self);
  if (amsgrad) check_column(op, "max_exp_avg_sqs", l.max_exp_avg_sqs, l.self);
  BOLIDE_CHECK(l.steps.size() == l.self.size(), op, ": expected ", l.self.size(), " tensors in state_steps, got ", l.steps.size());
  if (l.self.empty() || l.self[0].device().is_meta() || unscale(l.grads, grad_scale, found_inf)) return;
  std::vector<double> steps;
  for (const Tensor& t : l.steps) steps.push_back(t.item<double>());
  Columns c({l.self, l.grads, l.exp_avgs, l.exp_avg_sqs, amsgrad ? l.max_exp_avg_sqs : TensorList()});
  kernels(l.self[0]).adam(c[0], c[1], c[2], c[3], c[4], steps, s);
  c.finish();
  for (TensorList column : {l.self, l.exp_avgs, l.exp_avg_sqs}) bump(column);
  if (amsgrad) bump(l.max_exp_avg_sqs);
}

struct FusedAdam {
  static constexpr auto schema =
      "_fused_adam_(Tensor[] self, Tensor[] grads, Tensor[] exp_avgs, Tensor[] exp_avg_sqs, Tensor[] max_exp_avg_sqs, "
      "Tensor[] state_steps, *, float lr, float beta1, float beta2, float weight_decay, float eps, bool amsgrad, "
      "bool maximize, Tensor? grad_scale=None, Tensor? found_inf=None) -> ()";
  static constexpr Kind kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static void forward(TensorList self, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, TensorList max_exp_avg_sqs,
                      TensorList state_steps, double lr, double beta1, double beta2, double weight_decay, double eps, bool amsgrad,
                      bool maximize, const Tensor& grad_scale, const Tensor& found_inf) {
    adam_group("_fused_adam_", {self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps},
               {lr, beta1, beta2, eps, weight_decay, false, maximize}, amsgrad, grad_scale, found_inf);
  }
};
const Register<FusedAdam> fused_adam;

struct FusedAdamW {
  static constexpr auto schema =
      "_fused_adamw_(Tensor[] self, Tensor[] grads, Tensor[] exp_avgs, Tensor[] exp_avg_sqs, Tensor[] max_exp_avg_sqs, "
      "Tensor[] state_steps, *, float lr, float beta1, float beta2, float weight_decay, float eps, bool amsgrad, "
      "bool maximize, Tensor? grad_scale=None, Tensor? found_inf=None) -> ()";
  static constexpr Kind kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static void forward(TensorList self, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, TensorList max_exp_avg_sqs,
                      TensorList state_steps, double lr, double beta1, double beta2, double weight_decay, double eps, bool amsgrad,
                      bool maximize, const Tensor& grad_scale, const Tensor& found_inf) {
    adam_group("_fused_adamw_", {self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps},
               {lr, beta1, beta2, eps, weight_decay, true, maximize}, amsgrad, grad_scale, found_inf);
  }
};
const Register<FusedAdamW> fused_adamw;

// ---- SGD ---------------------------------------------------------------------------------------

struct FusedSgd {
  static constexpr auto schema =
      "_fused_sgd_(Tensor[] self, Tensor[] grads, Tensor[] momentum_buffer_list, *, float weight_decay, float momentum, "
      "float lr, float dampening, bool nesterov, bool maximize, bool is_first_step, Tensor? grad_scale=None, "
      "Tensor? found_inf=None) -> ()";
  static constexpr Kind kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static void forward(TensorList self, TensorList grads, TensorList momentum_buffer_list, double weight_decay, double momentum,
                      double lr, double dampening, bool nesterov, bool maximize, bool is_first_step, const Tensor& grad_scale,
                      const Tensor& found_inf) {
    const char* op = "_fused_sgd_";
    check_parameters(op, self);
    check_column(op, "grads", grads, self);
    const bool buffers = !momentum_buffer_list.empty();
    BOLIDE_CHECK(buffers || momentum == 0 || self.empty(), op, ": momentum needs momentum_buffer_list");
    if (buffers) check_column(op, "momentum_buffer_list", momentum_buffer_list, self);
    if (self.empty() || self[0].device().is_meta() || unscale(grads, grad_scale, found_inf)) return;
    Columns c({self, grads, momentum_buffer_list});
    kernels(self[0]).sgd(c[0], c[1], c[2], {lr, momentum, dampening, weight_decay, nesterov, maximize, is_first_step});
    c.finish();
    bump(self);
    bump(momentum_buffer_list);
  }
};
const Register<FusedSgd> fused_sgd;

// ---- norms -------------------------------------------------------------------------------------

struct SumsOfSquares {
  static constexpr auto schema = "_sums_of_squares(Tensor[] self) -> Tensor";
  static constexpr Kind kind = Kind::Reduction;
  static constexpr uint8_t home = kInternal, variants = 0;
  static constexpr bool differentiable = false;
  /// The sum of squares of each tensor, as float64.
  static Tensor forward(TensorList self) {
    const Tensor sums = Tensor::make({static_cast<int64_t>(self.size())}, DType::Float64, self.empty() ? Device() : self[0].device());
    std::vector<Tensor> dense;
    for (const Tensor& t : self) {
      BOLIDE_CHECK(is_floating(t.dtype()), "_sums_of_squares: expected floating-point tensors, got ", t.dtype());
      dense.push_back(is_dense(t) ? t : contiguous(t));
    }
    if (!self.empty()) kernels(sums).sums_of_squares(dense, sums);
    return sums;
  }
};
const Register<SumsOfSquares> sums_of_squares_op;

}  // namespace

void adam_step_(TensorList self, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, TensorList max_exp_avg_sqs,
                TensorList state_steps, const AdamStep& o) {
  adam_group("adam_step_", {self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps},
             {o.lr, o.beta1, o.beta2, o.eps, o.weight_decay, o.decoupled, o.maximize}, !max_exp_avg_sqs.empty(), {}, {});
}
void sgd_step_(TensorList self, TensorList grads, TensorList momentum_buffers, const SgdStep& o) {
  FusedSgd::forward(self, grads, momentum_buffers, o.weight_decay, o.momentum, o.lr, o.dampening, o.nesterov, o.maximize, o.first, {}, {});
}
Tensor sums_of_squares(TensorList self) { return SumsOfSquares::forward(self); }

}  // namespace bolide
