// The optimizers: SGD, Adam, AdamW, NAdam, RAdam, Adamax, Adagrad, Adadelta, Adafactor, RMSprop, Rprop, ASGD, Muon, LBFGS.
#pragma once
#include "bolide/optim/optimizer.h"

namespace bolide::optim {

// ---- options: fields, defaults and names are Python's ------------------------------------------
struct SGDOptions : OptimizerCloneableOptions<SGDOptions> {
  SGDOptions(double lr = 1e-3);
  BOLIDE_ARG(double, lr);
  BOLIDE_ARG(double, momentum) = 0;
  BOLIDE_ARG(double, dampening) = 0;
  BOLIDE_ARG(double, weight_decay) = 0;
  BOLIDE_ARG(bool, nesterov) = false;
  BOLIDE_ARG(bool, maximize) = false;
 public:
  void each(OptionVisitor& v) override;
};
#define BOLIDE_ADAM_ARGS(decay)                  \
  BOLIDE_ARG(double, lr);                        \
  BOLIDE_ARG(Betas, betas) = {0.9, 0.999};       \
  BOLIDE_ARG(double, eps) = 1e-8;                \
  BOLIDE_ARG(double, weight_decay) = decay;      \
  BOLIDE_ARG(bool, amsgrad) = false;             \
  BOLIDE_ARG(bool, maximize) = false;            \
                                                 \
 public:                                         \
  void each(OptionVisitor& v) override

struct AdamOptions : OptimizerCloneableOptions<AdamOptions> {
  AdamOptions(double lr = 1e-3);
  BOLIDE_ADAM_ARGS(0);
};
/// Weight decay apart from the gradient.
struct AdamWOptions : OptimizerCloneableOptions<AdamWOptions> {
  AdamWOptions(double lr = 1e-3);
  BOLIDE_ADAM_ARGS(1e-2);
};
struct NAdamOptions : OptimizerCloneableOptions<NAdamOptions> {
  NAdamOptions(double lr = 2e-3);
  BOLIDE_ARG(double, lr);
  BOLIDE_ARG(Betas, betas) = {0.9, 0.999};
  BOLIDE_ARG(double, eps) = 1e-8;
  BOLIDE_ARG(double, weight_decay) = 0;
  BOLIDE_ARG(double, momentum_decay) = 4e-3;
  BOLIDE_ARG(bool, decoupled_weight_decay) = false;
  BOLIDE_ARG(bool, maximize) = false;
 public:
  void each(OptionVisitor& v) override;
};
struct RAdamOptions : OptimizerCloneableOptions<RAdamOptions> {
  RAdamOptions(double lr = 1e-3);
  BOLIDE_ARG(double, lr);
  BOLIDE_ARG(Betas, betas) = {0.9, 0.999};
  BOLIDE_ARG(double, eps) = 1e-8;
  BOLIDE_ARG(double, weight_decay) = 0;
  BOLIDE_ARG(bool, decoupled_weight_decay) = false;
  BOLIDE_ARG(bool, maximize) = false;
 public:
  void each(OptionVisitor& v) override;
};
struct AdamaxOptions : OptimizerCloneableOptions<AdamaxOptions> {
  AdamaxOptions(double lr = 2e-3);
  BOLIDE_ARG(double, lr);
  BOLIDE_ARG(Betas, betas) = {0.9, 0.999};
  BOLIDE_ARG(double, eps) = 1e-8;
  BOLIDE_ARG(double, weight_decay) = 0;
  BOLIDE_ARG(bool, maximize) = false;
 public:
  void each(OptionVisitor& v) override;
};
struct AdagradOptions : OptimizerCloneableOptions<AdagradOptions> {
  AdagradOptions(double lr = 1e-2);
  BOLIDE_ARG(double, lr);
  BOLIDE_ARG(double, lr_decay) = 0;
  BOLIDE_ARG(double, weight_decay) = 0;
  BOLIDE_ARG(double, initial_accumulator_value) = 0;
  BOLIDE_ARG(double, eps) = 1e-10;
  BOLIDE_ARG(bool, maximize) = false;
 public:
  void each(OptionVisitor& v) override;
};
struct AdadeltaOptions : OptimizerCloneableOptions<AdadeltaOptions> {
  AdadeltaOptions(double lr = 1.0);
  BOLIDE_ARG(double, lr);
  BOLIDE_ARG(double, rho) = 0.9;
  BOLIDE_ARG(double, eps) = 1e-6;
  BOLIDE_ARG(double, weight_decay) = 0;
  BOLIDE_ARG(bool, maximize) = false;
 public:
  void each(OptionVisitor& v) override;
};
struct AdafactorOptions : OptimizerCloneableOptions<AdafactorOptions> {
  AdafactorOptions(double lr = 1e-2);
  BOLIDE_ARG(double, lr);
  BOLIDE_ARG(double, beta2_decay) = -0.8;
  /// nullopt: the epsilon of the parameter's dtype.
  BOLIDE_ARG(std::optional<double>, eps1);
  BOLIDE_ARG(double, eps2) = 1e-3;
  BOLIDE_ARG(double, d) = 1.0;
  BOLIDE_ARG(double, weight_decay) = 0;
  BOLIDE_ARG(bool, maximize) = false;
 public:
  void each(OptionVisitor& v) override;
};
struct RMSpropOptions : OptimizerCloneableOptions<RMSpropOptions> {
  RMSpropOptions(double lr = 1e-2);
  BOLIDE_ARG(double, lr);
  BOLIDE_ARG(double, alpha) = 0.99;
  BOLIDE_ARG(double, eps) = 1e-8;
  BOLIDE_ARG(double, weight_decay) = 0;
  BOLIDE_ARG(double, momentum) = 0;
  BOLIDE_ARG(bool, centered) = false;
  BOLIDE_ARG(bool, maximize) = false;
 public:
  void each(OptionVisitor& v) override;
};
struct RpropOptions : OptimizerCloneableOptions<RpropOptions> {
  RpropOptions(double lr = 1e-2);
  BOLIDE_ARG(double, lr);
  BOLIDE_ARG(Betas, etas) = {0.5, 1.2};
  BOLIDE_ARG(Betas, step_sizes) = {1e-6, 50.0};
  BOLIDE_ARG(bool, maximize) = false;
 public:
  void each(OptionVisitor& v) override;
};
struct ASGDOptions : OptimizerCloneableOptions<ASGDOptions> {
  ASGDOptions(double lr = 1e-2);
  BOLIDE_ARG(double, lr);
  BOLIDE_ARG(double, lambd) = 1e-4;
  BOLIDE_ARG(double, alpha) = 0.75;
  BOLIDE_ARG(double, t0) = 1e6;
  BOLIDE_ARG(double, weight_decay) = 0;
  BOLIDE_ARG(bool, maximize) = false;
 public:
  void each(OptionVisitor& v) override;
};
struct MuonOptions : OptimizerCloneableOptions<MuonOptions> {
  using Coefficients = std::tuple<double, double, double>;
  MuonOptions(double lr = 1e-3);
  BOLIDE_ARG(double, lr);
  BOLIDE_ARG(double, weight_decay) = 0.1;
  BOLIDE_ARG(double, momentum) = 0.95;
  BOLIDE_ARG(bool, nesterov) = true;
  BOLIDE_ARG(Coefficients, ns_coefficients) = {3.4445, -4.7750, 2.0315};
  BOLIDE_ARG(double, eps) = 1e-7;
  BOLIDE_ARG(int64_t, ns_steps) = 5;
  /// "original" (also when empty) or "match_rms_adamw".
  BOLIDE_ARG(std::string, adjust_lr_fn);
 public:
  void each(OptionVisitor& v) override;
};
struct LBFGSOptions : OptimizerCloneableOptions<LBFGSOptions> {
  LBFGSOptions(double lr = 1);
  BOLIDE_ARG(double, lr);
  BOLIDE_ARG(int64_t, max_iter) = 20;
  BOLIDE_ARG(std::optional<int64_t>, max_eval);
  BOLIDE_ARG(double, tolerance_grad) = 1e-7;
  BOLIDE_ARG(double, tolerance_change) = 1e-9;
  BOLIDE_ARG(int64_t, history_size) = 100;
  /// Empty, or "strong_wolfe".
  BOLIDE_ARG(std::string, line_search_fn);
 public:
  void each(OptionVisitor& v) override;
  int64_t evaluations() const { return max_eval_.value_or(max_iter_ * 5 / 4); }
};

// ---- optimizers --------------------------------------------------------------------------------
#define BOLIDE_OPTIMIZER(Name, OptionsType)                                             \
  class Name : public Optimizer {                                                       \
   public:                                                                              \
    explicit Name(std::vector<OptimizerParamGroup> groups, OptionsType defaults = {});  \
    explicit Name(std::vector<Tensor> params, OptionsType defaults = {});               \
                                                                                        \
   protected:                                                                           \
    std::span<const char* const> state_names() const override;                          \
    void step_group(OptimizerParamGroup& group) override;                               \
    void check(OptimizerOptions& options) const override;                               \
  }

BOLIDE_OPTIMIZER(SGD, SGDOptions);
BOLIDE_OPTIMIZER(Adam, AdamOptions);
BOLIDE_OPTIMIZER(AdamW, AdamWOptions);
BOLIDE_OPTIMIZER(NAdam, NAdamOptions);
BOLIDE_OPTIMIZER(RAdam, RAdamOptions);
BOLIDE_OPTIMIZER(Adamax, AdamaxOptions);
BOLIDE_OPTIMIZER(Adagrad, AdagradOptions);
BOLIDE_OPTIMIZER(Adadelta, AdadeltaOptions);
BOLIDE_OPTIMIZER(Adafactor, AdafactorOptions);
BOLIDE_OPTIMIZER(RMSprop, RMSpropOptions);
BOLIDE_OPTIMIZER(Rprop, RpropOptions);
BOLIDE_OPTIMIZER(ASGD, ASGDOptions);
/// For matrices only.
BOLIDE_OPTIMIZER(Muon, MuonOptions);

/// Quasi-Newton steps from the last changes of weights and gradients. `step` needs a closure that clears the gradients,
/// computes the loss, calls backward and returns the loss; it is called several times a step. One group only.
class LBFGS : public Optimizer {
 public:
  explicit LBFGS(std::vector<OptimizerParamGroup> groups, LBFGSOptions defaults = {});
  explicit LBFGS(std::vector<Tensor> params, LBFGSOptions defaults = {});
  ~LBFGS() override;
  Tensor step(const LossClosure& closure = {}) override;
  IValue state_dict() const override;
  void load_state_dict(const IValue& state) override;
  struct Memory;

 protected:
  std::span<const char* const> state_names() const override;
  void step_group(OptimizerParamGroup& group) override;

 private:
  struct Point;
  Tensor flat_grad() const;
  void move(double t, const Tensor& direction) const;
  int64_t advance(const LossClosure& closure, int64_t iteration, bool& flat);
  int64_t search(const LossClosure& closure);
  std::unique_ptr<Memory> memory_;
};

}  // namespace bolide::optim
