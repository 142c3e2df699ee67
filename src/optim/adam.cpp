// SGD, Adam, AdamW: one fused call for all parameters of a group.
#include "optim/steps.h"

namespace bolide::optim {
namespace {

/// The parameters of a group that have a gradient, with their states; the group's own lists where all have one.
class Active {
 public:
  explicit Active(OptimizerParamGroup& g) : group_(g) {
    grads_.reserve(g.params().size());
    for (size_t i = 0; i < g.params().size(); ++i) {
      const Tensor grad = g.params()[i].grad();
      if (!grad.defined()) continue;
      plain_ = plain_ && !is_complex(grad.dtype());
      grads_.push_back(real_view(grad));
      rows_.push_back(i);
    }
    plain_ = plain_ && rows_.size() == g.params().size();
    if (!plain_) params_ = gather(g.params());
  }
  bool empty() const { return rows_.empty(); }
  const std::vector<size_t>& rows() const { return rows_; }
  TensorList params() const { return plain_ ? group_.params() : params_; }
  TensorList grads() const { return grads_; }
  /// Only after all rows have that state; valid while this object lives.
  TensorList column(size_t c) {
    if (plain_) return group_.column(c);
    return gathered_[c] = gather(group_.column(c));
  }

 private:
  std::vector<Tensor> gather(const std::vector<Tensor>& all) const {
    std::vector<Tensor> some;
    for (const size_t i : rows_) some.push_back(real_view(all[i]));
    return some;
  }
  OptimizerParamGroup& group_;
  bool plain_ = true;
  std::vector<size_t> rows_;
  std::vector<Tensor> grads_, params_;
  std::array<std::vector<Tensor>, 4> gathered_;
};

}  // namespace

// ---- Adam --------------------------------------------------------------------------------------
namespace {

constexpr const char* kAdamStates[] = {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"};

template <class Options>
void adam_options(Options& o, OptionVisitor& v, bool decoupled) {
  v.number("lr", o.lr()), v.pair("betas", o.betas()), v.number("eps", o.eps()), v.number("weight_decay", o.weight_decay());
  v.flag("amsgrad", o.amsgrad()), v.flag("maximize", o.maximize());
  v.constant("foreach", {}), v.constant("capturable", false), v.constant("differentiable", false), v.constant("fused", {});
  v.constant("decoupled_weight_decay", decoupled);
}

template <class Options>
void adam_check(const Options& o) {
  check_at_least("learning rate", o.lr(), 0);
  check_at_least("epsilon value", o.eps(), 0);
  check_betas(o.betas());
  check_at_least("weight_decay value", o.weight_decay(), 0);
}

template <class Options>
void adam_group(OptimizerParamGroup& group, const Options& o, bool decoupled) {
  Active active(group);
  if (active.empty()) return;
  for (const size_t i : active.rows()) {
    if (!group.column(0)[i].defined()) {
      group.column(0)[i] = new_step();
      for (size_t c = 1; c < (o.amsgrad() ? 4 : 3); ++c) group.column(c)[i] = zeros_like(group.params()[i]);
    }
    count(group.column(0)[i]);
  }
  const AdamStep step{.lr = o.lr(), .beta1 = std::get<0>(o.betas()), .beta2 = std::get<1>(o.betas()), .eps = o.eps(),
                      .weight_decay = o.weight_decay(), .decoupled = decoupled, .maximize = o.maximize()};
  adam_step_(active.params(), active.grads(), active.column(1), active.column(2), o.amsgrad() ? active.column(3) : TensorList(),
             active.column(0), step);
}

}  // namespace

BOLIDE_MAKE_OPTIMIZER(Adam)
BOLIDE_MAKE_OPTIMIZER(AdamW)
void AdamOptions::each(OptionVisitor& v) { adam_options(*this, v, false); }
void AdamWOptions::each(OptionVisitor& v) { adam_options(*this, v, true); }
std::span<const char* const> Adam::state_names() const { return kAdamStates; }
std::span<const char* const> AdamW::state_names() const { return kAdamStates; }
void Adam::check(OptimizerOptions& o) const { adam_check(static_cast<const AdamOptions&>(o)); }
void AdamW::check(OptimizerOptions& o) const { adam_check(static_cast<const AdamWOptions&>(o)); }
void Adam::step_group(OptimizerParamGroup& g) { adam_group(g, static_cast<const AdamOptions&>(g.options()), false); }
void AdamW::step_group(OptimizerParamGroup& g) { adam_group(g, static_cast<const AdamWOptions&>(g.options()), true); }

// ---- SGD ---------------------------------------------------------------------------------------
BOLIDE_MAKE_OPTIMIZER(SGD)
void SGDOptions::each(OptionVisitor& v) {
  v.number("lr", lr_), v.number("momentum", momentum_), v.number("dampening", dampening_), v.number("weight_decay", weight_decay_);
  v.flag("nesterov", nesterov_), v.flag("maximize", maximize_);
  v.constant("foreach", {}), v.constant("differentiable", false), v.constant("fused", {});
}
std::span<const char* const> SGD::state_names() const {
  static constexpr const char* names[] = {"momentum_buffer"};
  return names;
}
void SGD::check(OptimizerOptions& options) const {
  const auto& o = static_cast<const SGDOptions&>(options);
  check_at_least("learning rate", o.lr(), 0);
  check_at_least("momentum value", o.momentum(), 0);
  check_at_least("weight_decay value", o.weight_decay(), 0);
  BOLIDE_CHECK_AS(ValueError, !o.nesterov() || (o.momentum() > 0 && o.dampening() == 0), "Nesterov momentum requires a momentum and zero dampening");
}

void SGD::step_group(OptimizerParamGroup& group) {
  const auto& o = static_cast<const SGDOptions&>(group.options());
  SgdStep step{.lr = o.lr(), .momentum = o.momentum(), .dampening = o.dampening(), .weight_decay = o.weight_decay(),
               .nesterov = o.nesterov(), .maximize = o.maximize(), .first = false};
  Active active(group);
  if (active.empty()) return;
  if (o.momentum() == 0) return sgd_step_(active.params(), active.grads(), {}, step);
  size_t fresh = 0;
  for (const size_t i : active.rows()) fresh += !group.column(0)[i].defined();
  if (fresh == 0 || fresh == active.rows().size()) {
    for (const size_t i : active.rows())
      if (fresh) group.column(0)[i] = empty_like(group.params()[i]);
    step.first = fresh > 0;
    return sgd_step_(active.params(), active.grads(), active.column(0), step);
  }
  for (const size_t i : active.rows()) {  // some got their first gradient only now
    step.first = !group.column(0)[i].defined();
    if (step.first) group.column(0)[i] = empty_like(group.params()[i]);
    const Tensor p = real_view(group.params()[i]), g = real_view(group.params()[i].grad()), b = real_view(group.column(0)[i]);
    sgd_step_({&p, 1}, {&g, 1}, {&b, 1}, step);
  }
}

}  // namespace bolide::optim
