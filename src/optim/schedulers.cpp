// Schedules. Map: LRScheduler | by a factor | cosine | cyclic, one cycle | plateau | compositions | averages
#include "bolide/optim/schedulers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "bolide/autograd.h"
#include "bolide/ops.h"

namespace bolide::optim {

// ---- LRScheduler -------------------------------------------------------------------------------
LRScheduler::LRScheduler(Optimizer& optimizer) : optimizer_(optimizer) {
  for (OptimizerParamGroup& g : optimizer.param_groups()) base_.push_back(g.extra.try_emplace("initial_lr", g.options().get_lr()).first->second);
}
void LRScheduler::start() {
  initial_ = true;
  steps_ = 0;
  step();
  initial_ = false;
}
void LRScheduler::step() {
  ++steps_;
  ++epoch_;
  set_rates(get_lr());
}
void LRScheduler::restart() {
  set_rates(base_);
  go_to_start();
}
void LRScheduler::go_to_start() {
  epoch_ = 0;
  set_rates(get_lr());
}
std::vector<double> LRScheduler::rates() const {
  std::vector<double> lr;
  for (const OptimizerParamGroup& g : optimizer_.param_groups()) lr.push_back(g.options().get_lr());
  return lr;
}
std::vector<double> LRScheduler::scaled(double factor) const {
  std::vector<double> lr = rates();
  for (double& x : lr) x *= factor;
  return lr;
}
void LRScheduler::set_rates(const std::vector<double>& lr) {
  auto& groups = optimizer_.param_groups();
  for (size_t i = 0; i < groups.size() && i < lr.size(); ++i) groups[i].options().set_lr(lr[i]);
  last_lr_ = rates();
}
IValue LRScheduler::state_dict() const {
  IValue s = IValue::dict();
  s.insert("base_lrs", base_), s.insert("last_epoch", epoch_), s.insert("_step_count", steps_), s.insert("_last_lr", last_lr_);
  return s;
}
void LRScheduler::load_state_dict(const IValue& s) {
  base_ = s.at("base_lrs").toDoubleVector(), epoch_ = s.at("last_epoch").toInt(), steps_ = s.at("_step_count").toInt();
  last_lr_ = s.at("_last_lr").toDoubleVector();
}

// ---- by a factor -------------------------------------------------------------------------------
namespace {
template <class F>
void check_functions(const Optimizer& o, const std::vector<F>& f) {
  BOLIDE_CHECK_AS(ValueError, f.size() == o.param_groups().size(), "Expected ", o.param_groups().size(), " lr_lambdas, but got ", f.size());
}
}  // namespace

LambdaLR::LambdaLR(Optimizer& o, std::vector<Function> each) : LRScheduler(o), functions_(std::move(each)) {
  check_functions(o, functions_);
  start();
}
std::vector<double> LambdaLR::get_lr() {
  std::vector<double> lr;
  for (size_t i = 0; i < base_.size(); ++i) lr.push_back(base_[i] * functions_[i](epoch_));
  return lr;
}
MultiplicativeLR::MultiplicativeLR(Optimizer& o, std::vector<Function> each) : LRScheduler(o), functions_(std::move(each)) {
  check_functions(o, functions_);
  start();
}
std::vector<double> MultiplicativeLR::get_lr() {
  std::vector<double> lr = rates();
  for (size_t i = 0; !initial_ && i < lr.size(); ++i) lr[i] *= functions_[i](epoch_);
  return lr;
}

StepLR::StepLR(Optimizer& o, int64_t step_size, double gamma) : LRScheduler(o), step_size_(step_size), gamma_(gamma) {
  BOLIDE_CHECK_AS(ValueError, step_size > 0, "StepLR: step_size must be positive, but got ", step_size);
  start();
}
std::vector<double> StepLR::get_lr() { return epoch_ == 0 || epoch_ % step_size_ != 0 ? rates() : scaled(gamma_); }

MultiStepLR::MultiStepLR(Optimizer& o, std::vector<int64_t> milestones, double gamma) : LRScheduler(o), milestones_(std::move(milestones)), gamma_(gamma) { start(); }
std::vector<double> MultiStepLR::get_lr() {
  const auto times = std::count(milestones_.begin(), milestones_.end(), epoch_);
  return times ? scaled(std::pow(gamma_, static_cast<double>(times))) : rates();
}

ConstantLR::ConstantLR(Optimizer& o, double factor, int64_t total) : LRScheduler(o), factor_(factor), total_(total) {
  BOLIDE_CHECK_AS(ValueError, factor >= 0 && factor <= 1, "Constant multiplicative factor expected to be between 0 and 1.");
  start();
}
std::vector<double> ConstantLR::get_lr() { return epoch_ == 0 ? scaled(factor_) : epoch_ == total_ ? scaled(1.0 / factor_) : rates(); }

LinearLR::LinearLR(Optimizer& o, double from, double to, int64_t total) : LRScheduler(o), from_(from), to_(to), total_(total) {
  BOLIDE_CHECK_AS(ValueError, from > 0 && from <= 1, "Starting multiplicative factor expected to be greater than 0 and less or equal to 1.");
  BOLIDE_CHECK_AS(ValueError, to >= 0 && to <= 1, "Ending multiplicative factor expected to be between 0 and 1.");
  start();
}
std::vector<double> LinearLR::get_lr() {
  if (epoch_ == 0) return scaled(from_);
  if (epoch_ > total_) return rates();
  const double rise = to_ - from_, before = static_cast<double>(total_) * from_ + static_cast<double>(epoch_ - 1) * rise;
  return scaled(1.0 + rise / before);
}

ExponentialLR::ExponentialLR(Optimizer& o, double gamma) : LRScheduler(o), gamma_(gamma) { start(); }
std::vector<double> ExponentialLR::get_lr() { return epoch_ == 0 ? rates() : scaled(gamma_); }

PolynomialLR::PolynomialLR(Optimizer& o, int64_t total, double power) : LRScheduler(o), total_(total), power_(power) {
  BOLIDE_CHECK_AS(ValueError, total > 0, "PolynomialLR: total_iters must be positive, but got ", total);
  start();
}
std::vector<double> PolynomialLR::get_lr() {
  if (epoch_ == 0 || epoch_ > total_) return rates();
  const double total = static_cast<double>(total_), left = 1.0 - static_cast<double>(epoch_) / total, before = 1.0 - static_cast<double>(epoch_ - 1) / total;
  return scaled(std::pow(left / before, power_));
}

// ---- cosine ------------------------------------------------------------------------------------
CosineAnnealingLR::CosineAnnealingLR(Optimizer& o, int64_t T_max, double eta_min) : LRScheduler(o), period_(T_max), low_(eta_min) {
  BOLIDE_CHECK_AS(ValueError, T_max > 0, "CosineAnnealingLR: T_max must be positive, but got ", T_max);
  start();
}
std::vector<double> CosineAnnealingLR::get_lr() {
  std::vector<double> lr = rates();
  if (epoch_ == 0) return lr;
  const double pi = std::numbers::pi, period = static_cast<double>(period_), t = static_cast<double>(epoch_);
  for (size_t i = 0; i < lr.size(); ++i) {
    if ((epoch_ - 1 - period_) % (2 * period_) == 0)  // the turning point, where the recurrence would divide by zero
      lr[i] += (base_[i] - low_) * (1 - std::cos(pi / period)) / 2;
    else
      lr[i] = (1 + std::cos(pi * t / period)) / (1 + std::cos(pi * (t - 1) / period)) * (lr[i] - low_) + low_;
  }
  return lr;
}

CosineAnnealingWarmRestarts::CosineAnnealingWarmRestarts(Optimizer& o, int64_t T_0, int64_t T_mult, double eta_min)
    : LRScheduler(o), first_(T_0), mult_(T_mult), low_(eta_min), length_(static_cast<double>(T_0)) {
  BOLIDE_CHECK_AS(ValueError, T_0 > 0, "Expected positive integer T_0, but got ", T_0);
  BOLIDE_CHECK_AS(ValueError, T_mult >= 1, "Expected integer T_mult >= 1, but got ", T_mult);
  start();
}
std::vector<double> CosineAnnealingWarmRestarts::get_lr() {
  std::vector<double> lr;
  for (const double base : base_) lr.push_back(low_ + (base - low_) * (1 + std::cos(std::numbers::pi * at_ / length_)) / 2);
  return lr;
}
void CosineAnnealingWarmRestarts::step() {
  if (epoch_ < 0) return step(0.0);
  ++epoch_;
  at_ += 1;
  if (at_ >= length_) at_ -= length_, length_ *= static_cast<double>(mult_);
  set_rates(get_lr());
}
void CosineAnnealingWarmRestarts::step(double epoch) {
  BOLIDE_CHECK_AS(ValueError, epoch >= 0, "Expected non-negative epoch, but got ", epoch);
  const double first = static_cast<double>(first_), mult = static_cast<double>(mult_);
  if (epoch < first) {
    length_ = first, at_ = epoch;
  } else if (mult_ == 1) {
    at_ = std::fmod(epoch, first);
  } else {
    const double n = std::floor(std::log(epoch / first * (mult - 1) + 1) / std::log(mult));
    at_ = epoch - first * (std::pow(mult, n) - 1) / (mult - 1);
    length_ = first * std::pow(mult, n);
  }
  epoch_ = static_cast<int64_t>(std::floor(epoch));
  set_rates(get_lr());
}

// ---- cyclic, one cycle -------------------------------------------------------------------------
namespace {

/// Finds a group's momentum: `momentum`, or the first of `betas`.
struct MomentumFinder final : OptionVisitor {
  double* found = nullptr;
  void number(const char* name, double& v) override { if (std::string_view(name) == "momentum") found = &v; }
  void integer(const char*, int64_t&) override {}
  void flag(const char*, bool&) override {}
  void tuple(const char* name, std::initializer_list<double*> v) override { if (std::string_view(name) == "betas") found = *v.begin(); }
  void optional(const char*, std::optional<double>&) override {}
  void text(const char*, std::string&) override {}
  void constant(const char*, const IValue&) override {}
};
double& momentum_of(OptimizerParamGroup& g) {
  MomentumFinder f;
  g.options().each(f);
  BOLIDE_CHECK_AS(ValueError, f.found, "optimizer must support momentum or beta1 with `cycle_momentum` option enabled");
  return *f.found;
}
void start_momentum(Optimizer& o, double base, double most) {
  for (OptimizerParamGroup& g : o.param_groups()) {
    momentum_of(g) = most;
    g.extra["max_momentum"] = most, g.extra["base_momentum"] = base;
  }
}

}  // namespace

CyclicLR::CyclicLR(Optimizer& o, CyclicLROptions options) : LRScheduler(o), options_(std::move(options)) {
  const std::string& mode = options_.mode();
  BOLIDE_CHECK_AS(ValueError, options_.scale_fn() || mode == "triangular" || mode == "triangular2" || mode == "exp_range", "mode is invalid and scale_fn is None");
  if (!options_.scale_fn()) options_.scale_mode(mode == "exp_range" ? "iterations" : "cycle");
  for (OptimizerParamGroup& g : o.param_groups()) g.options().set_lr(options_.base_lr()), g.extra["initial_lr"] = options_.base_lr();
  base_.assign(o.param_groups().size(), options_.base_lr());
  if (options_.cycle_momentum()) start_momentum(o, options_.base_momentum(), options_.max_momentum());
  start();
}
double CyclicLR::scale(double x) const {
  if (options_.scale_fn()) return options_.scale_fn()(x);
  if (options_.mode() == "triangular") return 1;
  return options_.mode() == "triangular2" ? 1 / std::pow(2.0, x - 1) : std::pow(options_.gamma(), x);
}
std::vector<double> CyclicLR::get_lr() {
  const double up = options_.step_size_up(), total = up + options_.step_size_down().value_or(up), ratio = up / total;
  const double t = static_cast<double>(epoch_), cycle = std::floor(1 + t / total), x = 1 + t / total - cycle;
  const double height = x <= ratio ? x / ratio : (x - 1) / (ratio - 1);
  const double factor = height * scale(options_.scale_mode() == "cycle" ? cycle : t);
  std::vector<double> lr;
  for (const double base : base_) lr.push_back(base + (options_.max_lr() - base) * factor);
  if (options_.cycle_momentum())
    for (OptimizerParamGroup& g : optimizer_.param_groups()) {
      const double high = g.extra.at("max_momentum"), low = g.extra.at("base_momentum");
      momentum_of(g) = high - (high - low) * factor;
    }
  return lr;
}

OneCycleLR::OneCycleLR(Optimizer& o, OneCycleLROptions options) : LRScheduler(o), options_(std::move(options)) {
  const double total = static_cast<double>(options_.total_steps()), rise = options_.pct_start();
  BOLIDE_CHECK_AS(ValueError, options_.total_steps() > 0, "Expected positive integer total_steps, but got ", options_.total_steps());
  BOLIDE_CHECK_AS(ValueError, rise >= 0 && rise <= 1, "Expected float between 0 and 1 pct_start, but got ", rise);
  BOLIDE_CHECK_AS(ValueError, options_.anneal_strategy() == "cos" || options_.anneal_strategy() == "linear",
                  "anneal_strategy must be one of 'cos' or 'linear', instead got ", options_.anneal_strategy());
  phases_ = {{rise * total - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum"}};
  if (options_.three_phase()) {
    phases_.push_back({2 * rise * total - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"});
    phases_.push_back({total - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"});
  } else {
    phases_.push_back({total - 1, "max_lr", "min_lr", "base_momentum", "max_momentum"});
  }
  base_.clear();
  for (OptimizerParamGroup& g : o.param_groups()) {
    g.extra["initial_lr"] = options_.max_lr() / options_.div_factor();
    g.extra["max_lr"] = options_.max_lr();
    g.extra["min_lr"] = g.extra["initial_lr"] / options_.final_div_factor();
    base_.push_back(g.extra["initial_lr"]);
  }
  if (options_.cycle_momentum()) start_momentum(o, options_.base_momentum(), options_.max_momentum());
  start();
}
std::vector<double> OneCycleLR::get_lr() {
  BOLIDE_CHECK_AS(ValueError, epoch_ <= options_.total_steps(), "Tried to step ", epoch_, " times. The specified number of total steps is ", options_.total_steps());
  const double step = static_cast<double>(epoch_);
  size_t k = 0;
  while (k + 1 < phases_.size() && step > phases_[k].end) ++k;
  const double begin = k ? phases_[k - 1].end : 0, part = (step - begin) / (phases_[k].end - begin);
  const auto between = [&](double from, double to) {
    if (options_.anneal_strategy() == "linear") return (to - from) * part + from;
    return to + (from - to) / 2.0 * (std::cos(std::numbers::pi * part) + 1);
  };
  std::vector<double> lr;
  for (OptimizerParamGroup& g : optimizer_.param_groups()) {
    lr.push_back(between(g.extra.at(phases_[k].from_lr), g.extra.at(phases_[k].to_lr)));
    if (options_.cycle_momentum()) momentum_of(g) = between(g.extra.at(phases_[k].from_momentum), g.extra.at(phases_[k].to_momentum));
  }
  return lr;
}

// ---- plateau -----------------------------------------------------------------------------------
ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& o, ReduceLROnPlateauOptions options) : optimizer_(o), options_(std::move(options)) {
  BOLIDE_CHECK_AS(ValueError, options_.factor() < 1, "Factor should be < 1.0.");
  BOLIDE_CHECK_AS(ValueError, options_.mode() == "min" || options_.mode() == "max", "mode ", options_.mode(), " is unknown!");
  BOLIDE_CHECK_AS(ValueError, options_.threshold_mode() == "rel" || options_.threshold_mode() == "abs", "threshold mode ", options_.threshold_mode(), " is unknown!");
  best_ = options_.mode() == "min" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
  for (const OptimizerParamGroup& g : o.param_groups()) last_lr_.push_back(g.options().get_lr());
}
bool ReduceLROnPlateau::better(double metric) const {
  const bool relative = options_.threshold_mode() == "rel";
  const double by = options_.threshold();
  if (options_.mode() == "min") return metric < (relative ? best_ * (1 - by) : best_ - by);
  return metric > (relative ? best_ * (1 + by) : best_ + by);
}
void ReduceLROnPlateau::step(double metric) {
  ++epoch_;
  if (better(metric)) best_ = metric, bad_ = 0;
  else ++bad_;
  if (cooling_ > 0) --cooling_, bad_ = 0;
  if (bad_ > options_.patience()) {
    for (OptimizerParamGroup& g : optimizer_.param_groups()) {
      const double old = g.options().get_lr(), lower = std::max(old * options_.factor(), options_.min_lr());
      if (old - lower > options_.eps()) g.options().set_lr(lower);
    }
    cooling_ = options_.cooldown(), bad_ = 0;
  }
  last_lr_.clear();
  for (const OptimizerParamGroup& g : optimizer_.param_groups()) last_lr_.push_back(g.options().get_lr());
}
IValue ReduceLROnPlateau::state_dict() const {
  IValue s = IValue::dict();
  s.insert("best", best_), s.insert("num_bad_epochs", bad_), s.insert("cooldown_counter", cooling_), s.insert("last_epoch", epoch_);
  s.insert("_last_lr", last_lr_);
  return s;
}
void ReduceLROnPlateau::load_state_dict(const IValue& s) {
  best_ = s.at("best").toDouble(), bad_ = s.at("num_bad_epochs").toInt(), cooling_ = s.at("cooldown_counter").toInt();
  epoch_ = s.at("last_epoch").toInt(), last_lr_ = s.at("_last_lr").toDoubleVector();
}

// ---- compositions ------------------------------------------------------------------------------
namespace {
void check_members(const char* name, const std::vector<LRScheduler*>& all, const Optimizer& o) {
  BOLIDE_CHECK_AS(ValueError, !all.empty(), name, " expects at least one scheduler, but got no scheduler.");
  for (size_t i = 0; i < all.size(); ++i)
    BOLIDE_CHECK_AS(ValueError, &all[i]->optimizer() == &o, name, " expects all schedulers to belong to the same optimizer, but the one at index ", i, " does not");
}
IValue with_members(IValue own, const std::vector<LRScheduler*>& all) {
  std::vector<IValue> states;
  for (const LRScheduler* s : all) states.push_back(s->state_dict());
  own.insert("_schedulers", states);
  return own;
}
void load_members(const IValue& s, const std::vector<LRScheduler*>& all) {
  const auto& states = s.at("_schedulers").toListRef();
  BOLIDE_CHECK_AS(ValueError, states.size() == all.size(), "loaded state dict has ", states.size(), " schedulers instead of ", all.size());
  for (size_t i = 0; i < all.size(); ++i) all[i]->load_state_dict(states[i]);
}
}  // namespace

SequentialLR::SequentialLR(Optimizer& o, std::vector<LRScheduler*> schedulers, std::vector<int64_t> milestones)
    : LRScheduler(o), schedulers_(std::move(schedulers)), milestones_(std::move(milestones)) {
  check_members("SequentialLR", schedulers_, o);
  BOLIDE_CHECK_AS(ValueError, milestones_.size() + 1 == schedulers_.size(), "Sequential Schedulers expects number of schedulers provided to be one more than the "
                  "number of milestone points, but got number of schedulers ", schedulers_.size(), " and the number of milestones to be equal to ", milestones_.size());
  // undo what the members' constructors did; the first one begins
  set_rates(base_);
  epoch_ = 0;
  for (LRScheduler* s : schedulers_) --s->epoch_;
  schedulers_[0]->start();
  last_lr_ = schedulers_[0]->get_last_lr();
}
void SequentialLR::step() {
  ++epoch_;
  const auto past = static_cast<size_t>(std::upper_bound(milestones_.begin(), milestones_.end(), epoch_) - milestones_.begin());
  LRScheduler& s = *schedulers_[past];
  if (past > 0 && milestones_[past - 1] == epoch_) s.restart();
  else s.step();
  last_lr_ = s.get_last_lr();
}
IValue SequentialLR::state_dict() const { return with_members(LRScheduler::state_dict(), schedulers_); }
void SequentialLR::load_state_dict(const IValue& s) {
  LRScheduler::load_state_dict(s);
  load_members(s, schedulers_);
}

namespace {
Optimizer& common_optimizer(const std::vector<LRScheduler*>& all) {
  BOLIDE_CHECK_AS(ValueError, !all.empty(), "ChainedScheduler expects at least one scheduler to be chained, but got no scheduler.");
  check_members("ChainedScheduler", all, all[0]->optimizer());
  return all[0]->optimizer();
}
}  // namespace
ChainedScheduler::ChainedScheduler(std::vector<LRScheduler*> schedulers) : LRScheduler(common_optimizer(schedulers)), schedulers_(std::move(schedulers)) {
  last_lr_ = rates();
}
void ChainedScheduler::step() {
  for (LRScheduler* s : schedulers_) s->step();
  last_lr_ = rates();
}
IValue ChainedScheduler::state_dict() const { return with_members(LRScheduler::state_dict(), schedulers_); }
void ChainedScheduler::load_state_dict(const IValue& s) {
  LRScheduler::load_state_dict(s);
  load_members(s, schedulers_);
}

SWALR::SWALR(Optimizer& o, double swa_lr, int64_t anneal_epochs, std::string strategy) : LRScheduler(o), target_(swa_lr), epochs_(anneal_epochs), cosine_(strategy == "cos") {
  BOLIDE_CHECK_AS(ValueError, strategy == "cos" || strategy == "linear", "anneal_strategy must by one of 'cos' or 'linear', instead got ", strategy);
  BOLIDE_CHECK_AS(ValueError, anneal_epochs >= 0, "anneal_epochs must be equal or greater than 0, got ", anneal_epochs);
  for (OptimizerParamGroup& g : o.param_groups()) g.extra["swa_lr"] = swa_lr;
  start();
}
double SWALR::blend(int64_t step) const {
  const double t = std::clamp(static_cast<double>(step) / static_cast<double>(std::max<int64_t>(1, epochs_)), 0.0, 1.0);
  return cosine_ ? (1 - std::cos(std::numbers::pi * t)) / 2 : t;
}
std::vector<double> SWALR::get_lr() {
  const int64_t step = epochs_ == 0 ? std::max<int64_t>(1, steps_ - 1) : steps_ - 1;
  const double before = blend(step - 1), now = blend(step);
  std::vector<double> lr = rates();
  for (double& x : lr) {  // the rate to start from is recovered from the last blend
    const double from = before == 1 ? target_ : (x - before * target_) / (1 - before);
    x = target_ * now + from * (1 - now);
  }
  return lr;
}

// ---- averages ----------------------------------------------------------------------------------
AveragedModel::AveragedModel(const nn::Module& model, std::optional<double> decay, bool use_buffers)
    : module_(model.clone()), decay_(decay), buffers_(use_buffers) {}

void AveragedModel::update(const nn::Module& model) {
  const NoGradGuard no_grad;
  const auto average = [&](const std::vector<Tensor>& own, const std::vector<Tensor>& given) {
    BOLIDE_CHECK(own.size() == given.size(), "AveragedModel: the model given has ", given.size(), " tensors instead of ", own.size());
    for (size_t i = 0; i < own.size(); ++i) {
      const Tensor value = bolide::to(given[i].detach(), own[i].dtype(), own[i].device());
      if (count_ == 0 || !is_differentiable(own[i].dtype())) copy_(own[i], value);
      else add_(own[i], sub(value, own[i].detach()), decay_ ? 1 - *decay_ : 1.0 / static_cast<double>(count_ + 1));
    }
  };
  average(module_->parameters(), model.parameters());
  if (buffers_) average(module_->buffers(), model.buffers());
  ++count_;
}

}  // namespace bolide::optim
