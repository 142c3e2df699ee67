// Learning rate schedules: by a factor, cosine, cyclic, on a plateau, and compositions; averages of weights (SWA, EMA).
#pragma once
#include "bolide/nn/containers.h"
#include "bolide/optim/optimizer.h"

namespace bolide::optim {

/// Sets the groups' learning rates after each epoch (or batch) that `step` counts. Making one sets the first rates.
class LRScheduler {
 public:
  virtual ~LRScheduler() = default;
  LRScheduler(const LRScheduler&) = delete;
  virtual void step();
  /// The rates set last, one a group.
  const std::vector<double>& get_last_lr() const { return last_lr_; }
  int64_t last_epoch() const { return epoch_; }
  Optimizer& optimizer() const { return optimizer_; }
  /// What Python's state_dict() gives, as far as it concerns the schedule.
  virtual IValue state_dict() const;
  virtual void load_state_dict(const IValue& state);

 protected:
  friend class SequentialLR;
  explicit LRScheduler(Optimizer& optimizer);
  /// The rates of epoch_, from those of the epoch before (`now`) or from the initial ones (`base_`).
  virtual std::vector<double> get_lr() { return rates(); }
  /// Goes to epoch 0 from the initial rates: what a sequence does at a milestone.
  virtual void restart();
  void go_to_start();
  void start();
  std::vector<double> rates() const;
  void set_rates(const std::vector<double>& lr);
  /// The rates times a factor.
  std::vector<double> scaled(double factor) const;

  Optimizer& optimizer_;
  std::vector<double> base_, last_lr_;
  int64_t epoch_ = -1, steps_ = 0;
  bool initial_ = false;
};

/// Initial rate times f(epoch).
class LambdaLR : public LRScheduler {
 public:
  using Function = std::function<double(int64_t)>;
  LambdaLR(Optimizer& optimizer, Function f) : LambdaLR(optimizer, std::vector<Function>(optimizer.param_groups().size(), std::move(f))) {}
  LambdaLR(Optimizer& optimizer, std::vector<Function> each);

 protected:
  std::vector<double> get_lr() override;
  std::vector<Function> functions_;
};
/// The last rate times f(epoch).
class MultiplicativeLR : public LRScheduler {
 public:
  using Function = std::function<double(int64_t)>;
  MultiplicativeLR(Optimizer& optimizer, Function f) : MultiplicativeLR(optimizer, std::vector<Function>(optimizer.param_groups().size(), std::move(f))) {}
  MultiplicativeLR(Optimizer& optimizer, std::vector<Function> each);

 protected:
  void restart() override { go_to_start(); }
  std::vector<double> get_lr() override;
  std::vector<Function> functions_;
};
/// Times gamma every step_size epochs.
class StepLR : public LRScheduler {
 public:
  StepLR(Optimizer& optimizer, int64_t step_size, double gamma = 0.1);

 protected:
  std::vector<double> get_lr() override;
  int64_t step_size_;
  double gamma_;
};
/// Times gamma at each milestone.
class MultiStepLR : public LRScheduler {
 public:
  MultiStepLR(Optimizer& optimizer, std::vector<int64_t> milestones, double gamma = 0.1);

 protected:
  std::vector<double> get_lr() override;
  std::vector<int64_t> milestones_;
  double gamma_;
};
/// Initial rate times factor for total_iters epochs, then the full rate.
class ConstantLR : public LRScheduler {
 public:
  explicit ConstantLR(Optimizer& optimizer, double factor = 1.0 / 3, int64_t total_iters = 5);

 protected:
  std::vector<double> get_lr() override;
  double factor_;
  int64_t total_;
};
/// A factor that goes from start_factor to end_factor in a straight line over total_iters epochs.
class LinearLR : public LRScheduler {
 public:
  explicit LinearLR(Optimizer& optimizer, double start_factor = 1.0 / 3, double end_factor = 1.0, int64_t total_iters = 5);

 protected:
  std::vector<double> get_lr() override;
  double from_, to_;
  int64_t total_;
};
/// Times gamma every epoch.
class ExponentialLR : public LRScheduler {
 public:
  ExponentialLR(Optimizer& optimizer, double gamma);

 protected:
  std::vector<double> get_lr() override;
  double gamma_;
};
/// Falls to zero over total_iters epochs as (1 - epoch / total_iters) ^ power.
class PolynomialLR : public LRScheduler {
 public:
  explicit PolynomialLR(Optimizer& optimizer, int64_t total_iters = 5, double power = 1.0);

 protected:
  std::vector<double> get_lr() override;
  int64_t total_;
  double power_;
};
/// Half a cosine wave from the initial rate to eta_min over T_max epochs, and back.
class CosineAnnealingLR : public LRScheduler {
 public:
  CosineAnnealingLR(Optimizer& optimizer, int64_t T_max, double eta_min = 0);

 protected:
  std::vector<double> get_lr() override;
  int64_t period_;
  double low_;
};
/// Cosine decay that starts again after T_0 epochs, then T_0 * T_mult, and so on.
class CosineAnnealingWarmRestarts : public LRScheduler {
 public:
  CosineAnnealingWarmRestarts(Optimizer& optimizer, int64_t T_0, int64_t T_mult = 1, double eta_min = 0);
  void step() override;
  /// Goes to an epoch, which may be a fraction.
  void step(double epoch);

 protected:
  std::vector<double> get_lr() override;
  void restart() override { step(0.0); }
  int64_t first_, mult_;
  double low_, length_, at_ = 0;
};

struct CyclicLROptions {
  using Scale = std::function<double(double)>;
  CyclicLROptions(double base_lr, double max_lr) : base_lr_(base_lr), max_lr_(max_lr) {}
  BOLIDE_ARG(double, base_lr);
  BOLIDE_ARG(double, max_lr);
  BOLIDE_ARG(double, step_size_up) = 2000;
  BOLIDE_ARG(std::optional<double>, step_size_down);
  /// "triangular", "triangular2" (halved each cycle), "exp_range" (times gamma ^ batch).
  BOLIDE_ARG(std::string, mode) = "triangular";
  BOLIDE_ARG(double, gamma) = 1.0;
  /// Instead of the mode: the amplitude of a cycle, or of a batch when scale_mode is "iterations".
  BOLIDE_ARG(Scale, scale_fn);
  BOLIDE_ARG(std::string, scale_mode) = "cycle";
  BOLIDE_ARG(bool, cycle_momentum) = true;
  BOLIDE_ARG(double, base_momentum) = 0.8;
  BOLIDE_ARG(double, max_momentum) = 0.9;
};
/// Triangles between two rates, counted in batches; the momentum moves the other way.
class CyclicLR : public LRScheduler {
 public:
  CyclicLR(Optimizer& optimizer, CyclicLROptions options);

 protected:
  std::vector<double> get_lr() override;
  double scale(double x) const;
  CyclicLROptions options_;
};

struct OneCycleLROptions {
  OneCycleLROptions(double max_lr, int64_t total_steps) : max_lr_(max_lr), total_steps_(total_steps) {}
  OneCycleLROptions(double max_lr, int64_t epochs, int64_t steps_per_epoch) : OneCycleLROptions(max_lr, epochs * steps_per_epoch) {}
  BOLIDE_ARG(double, max_lr);
  BOLIDE_ARG(int64_t, total_steps);
  /// The part that rises.
  BOLIDE_ARG(double, pct_start) = 0.3;
  /// "cos" or "linear".
  BOLIDE_ARG(std::string, anneal_strategy) = "cos";
  BOLIDE_ARG(bool, cycle_momentum) = true;
  BOLIDE_ARG(double, base_momentum) = 0.85;
  BOLIDE_ARG(double, max_momentum) = 0.95;
  /// How far the start is below the maximum, and the end below the start.
  BOLIDE_ARG(double, div_factor) = 25.0;
  BOLIDE_ARG(double, final_div_factor) = 1e4;
  /// The fall first mirrors the rise.
  BOLIDE_ARG(bool, three_phase) = false;
};
/// One rise to the largest rate and a long fall far below the start, counted in batches; the momentum moves the other way.
class OneCycleLR : public LRScheduler {
 public:
  OneCycleLR(Optimizer& optimizer, OneCycleLROptions options);

 protected:
  struct Phase { double end; const char *from_lr, *to_lr, *from_momentum, *to_momentum; };
  std::vector<double> get_lr() override;
  OneCycleLROptions options_;
  std::vector<Phase> phases_;
};

struct ReduceLROnPlateauOptions {
  /// "min" or "max".
  BOLIDE_ARG(std::string, mode) = "min";
  BOLIDE_ARG(double, factor) = 0.1;
  BOLIDE_ARG(int64_t, patience) = 10;
  BOLIDE_ARG(double, threshold) = 1e-4;
  /// "rel" to the best value, or "abs".
  BOLIDE_ARG(std::string, threshold_mode) = "rel";
  BOLIDE_ARG(int64_t, cooldown) = 0;
  BOLIDE_ARG(double, min_lr) = 0;
  BOLIDE_ARG(double, eps) = 1e-8;
};
/// Times factor once the metric has not improved for more than patience steps.
class ReduceLROnPlateau {
 public:
  explicit ReduceLROnPlateau(Optimizer& optimizer, ReduceLROnPlateauOptions options = {});
  void step(double metric);
  const std::vector<double>& get_last_lr() const { return last_lr_; }
  double best() const { return best_; }
  int64_t num_bad_epochs() const { return bad_; }
  IValue state_dict() const;
  void load_state_dict(const IValue& state);

 private:
  bool better(double metric) const;
  Optimizer& optimizer_;
  ReduceLROnPlateauOptions options_;
  double best_;
  int64_t bad_ = 0, cooling_ = 0, epoch_ = 0;
  std::vector<double> last_lr_;
};

/// One schedule after the other: the next one starts at each milestone. The schedules must outlive the sequence.
class SequentialLR : public LRScheduler {
 public:
  SequentialLR(Optimizer& optimizer, std::vector<LRScheduler*> schedulers, std::vector<int64_t> milestones);
  void step() override;
  IValue state_dict() const override;
  void load_state_dict(const IValue& state) override;

 protected:
  std::vector<LRScheduler*> schedulers_;
  std::vector<int64_t> milestones_;
};
/// Several schedules at once: each step steps them all.
class ChainedScheduler : public LRScheduler {
 public:
  explicit ChainedScheduler(std::vector<LRScheduler*> schedulers);
  void step() override;
  IValue state_dict() const override;
  void load_state_dict(const IValue& state) override;

 protected:
  std::vector<LRScheduler*> schedulers_;
};
/// Moves each group's rate to swa_lr over anneal_epochs epochs and keeps it there.
class SWALR : public LRScheduler {
 public:
  SWALR(Optimizer& optimizer, double swa_lr, int64_t anneal_epochs = 10, std::string anneal_strategy = "cos");

 protected:
  std::vector<double> get_lr() override;
  void restart() override { go_to_start(); }
  double blend(int64_t step) const;
  double target_;
  int64_t epochs_;
  bool cosine_;
};

// ---- averages of weights -----------------------------------------------------------------------
/// A copy of a module whose parameters are averages of those that `update` was given: plain means, or with a decay moving
/// ones (EMA). The module derives from nn::Cloneable.
class AveragedModel {
 public:
  explicit AveragedModel(const nn::Module& model, std::optional<double> decay = {}, bool use_buffers = false);
  void update(const nn::Module& model);
  nn::Module& module() const { return *module_; }
  int64_t n_averaged() const { return count_; }

 private:
  std::shared_ptr<nn::Module> module_;
  std::optional<double> decay_;
  bool buffers_;
  int64_t count_ = 0;
};

}  // namespace bolide::optim
