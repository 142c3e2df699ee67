// Optimizers: options (fields with the names that Python's param groups have) | OptimizerParamGroup (parameters, their
// options, their state) | Optimizer.
#pragma once
#include <functional>
#include <map>
#include <tuple>

#include "bolide/io.h"
#include "bolide/nn/options.h"

namespace bolide::optim {

using Betas = std::tuple<double, double>;

// ---- options -----------------------------------------------------------------------------------
/// Sees every field of some options by its Python name.
class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;
  virtual void number(const char* name, double& v) = 0;
  virtual void integer(const char* name, int64_t& v) = 0;
  virtual void flag(const char* name, bool& v) = 0;
  /// A tuple of numbers; null pointers stand for None and stay so.
  virtual void tuple(const char* name, std::initializer_list<double*> v) = 0;
  void pair(const char* name, Betas& v) { tuple(name, {&std::get<0>(v), &std::get<1>(v)}); }
  virtual void optional(const char* name, std::optional<double>& v) = 0;
  virtual void text(const char* name, std::string& v) = 0;
  /// A key that Python has and C++ needs not.
  virtual void constant(const char* name, const IValue& v) = 0;
};

class OptimizerOptions {
 public:
  virtual ~OptimizerOptions() = default;
  virtual std::unique_ptr<OptimizerOptions> clone() const = 0;
  /// All fields, in Python's order.
  virtual void each(OptionVisitor& v) = 0;
  virtual double get_lr() const = 0;
  virtual void set_lr(double lr) = 0;
};

template <class Derived>
class OptimizerCloneableOptions : public OptimizerOptions {
 public:
  std::unique_ptr<OptimizerOptions> clone() const override { return std::make_unique<Derived>(static_cast<const Derived&>(*this)); }
  double get_lr() const override { return static_cast<const Derived&>(*this).lr(); }
  void set_lr(double lr) override { static_cast<Derived&>(*this).lr(lr); }
};

// ---- groups ------------------------------------------------------------------------------------
/// Parameters that share options; those that the group does not set are the optimizer's.
class OptimizerParamGroup {
 public:
  OptimizerParamGroup(std::vector<Tensor> params);
  OptimizerParamGroup(std::vector<Tensor> params, std::unique_ptr<OptimizerOptions> options);
  OptimizerParamGroup(const OptimizerParamGroup& other);
  OptimizerParamGroup(OptimizerParamGroup&&) = default;
  OptimizerParamGroup& operator=(OptimizerParamGroup&&) = default;

  const std::vector<Tensor>& params() const { return params_; }
  std::vector<Tensor>& params() { return params_; }
  bool has_options() const { return options_ != nullptr; }
  OptimizerOptions& options() { return *options_; }
  const OptimizerOptions& options() const { return *options_; }
  void set_options(std::unique_ptr<OptimizerOptions> options) { options_ = std::move(options); }
  /// The state tensors of one name, one for each parameter; undefined where there is none yet.
  std::vector<Tensor>& column(size_t i) { return columns_[i]; }
  const std::vector<Tensor>& column(size_t i) const { return columns_[i]; }
  /// What schedulers keep with a group: "initial_lr", "max_lr", ...
  std::map<std::string, double> extra;

 private:
  friend class Optimizer;
  std::vector<Tensor> params_;
  std::unique_ptr<OptimizerOptions> options_;
  std::vector<std::vector<Tensor>> columns_;
};

// ---- the optimizer -----------------------------------------------------------------------------
class Optimizer {
 public:
  using LossClosure = std::function<Tensor()>;
  Optimizer(std::vector<OptimizerParamGroup> groups, std::unique_ptr<OptimizerOptions> defaults);
  Optimizer(const Optimizer&) = delete;
  virtual ~Optimizer();

  /// One update of all parameters that have a gradient; gives the closure's loss when there is a closure.
  virtual Tensor step(const LossClosure& closure = {});
  void zero_grad(bool set_to_none = true);
  void add_param_group(OptimizerParamGroup group);
  std::vector<OptimizerParamGroup>& param_groups() { return groups_; }
  const std::vector<OptimizerParamGroup>& param_groups() const { return groups_; }
  OptimizerOptions& defaults() { return *defaults_; }
  /// All parameters, of all groups.
  std::vector<Tensor> parameters() const;
  /// A state tensor of a parameter by its Python name ("exp_avg"), or an undefined one.
  Tensor state(const Tensor& parameter, std::string_view name) const;

  /// What Python's state_dict() gives: {'state': {index: {...}}, 'param_groups': [...]}.
  virtual IValue state_dict() const;
  /// Takes over a state dict whose groups have the same sizes; from C++ or Python.
  virtual void load_state_dict(const IValue& state);

 protected:
  /// The Python names of the state tensors, in Python's order; the first exists as soon as a parameter has state.
  virtual std::span<const char* const> state_names() const = 0;
  virtual void step_group(OptimizerParamGroup& group) = 0;
  /// Checks an option; throws ValueError in PyTorch's words.
  virtual void check(OptimizerOptions&) const {}

  std::vector<OptimizerParamGroup> groups_;
  std::unique_ptr<OptimizerOptions> defaults_;
};

/// Copies the options of `group` to and from a dictionary of Python's names.
IValue options_dict(const OptimizerParamGroup& group);
void set_options(OptimizerParamGroup& group, const IValue& dict);

/// "Adam (\nParameter Group 0\n    lr: 0.001 ...", as Python prints it.
std::ostream& operator<<(std::ostream& stream, const Optimizer& optimizer);

}  // namespace bolide::optim

namespace bolide {
void save(const optim::Optimizer& optimizer, const std::string& path, const SaveOptions& options = {});
void load(optim::Optimizer& optimizer, const std::string& path, const LoadOptions& options = {});
}  // namespace bolide
