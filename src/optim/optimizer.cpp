// Optimizer. Map: groups | parameters and state | options by name | state dicts | printing and files
#include "bolide/optim/optimizer.h"

#include <ostream>
#include <unordered_set>

#include "bolide/autograd.h"
#include "bolide/ops.h"
#include "nn/text.h"

namespace bolide::optim {

// ---- groups ------------------------------------------------------------------------------------
OptimizerParamGroup::OptimizerParamGroup(std::vector<Tensor> params) : params_(std::move(params)) {}
OptimizerParamGroup::OptimizerParamGroup(std::vector<Tensor> params, std::unique_ptr<OptimizerOptions> options)
    : params_(std::move(params)), options_(std::move(options)) {}
OptimizerParamGroup::OptimizerParamGroup(const OptimizerParamGroup& o)
    : extra(o.extra), params_(o.params_), options_(o.options_ ? o.options_->clone() : nullptr), columns_(o.columns_) {}

Optimizer::Optimizer(std::vector<OptimizerParamGroup> groups, std::unique_ptr<OptimizerOptions> defaults) : defaults_(std::move(defaults)) {
  BOLIDE_CHECK_AS(ValueError, !groups.empty(), "optimizer got an empty parameter list");
  for (OptimizerParamGroup& g : groups) add_param_group(std::move(g));
}
Optimizer::~Optimizer() = default;

void Optimizer::add_param_group(OptimizerParamGroup group) {
  BOLIDE_CHECK_AS(ValueError, !group.params_.empty(), "optimizer got an empty parameter list");
  std::unordered_set<const TensorImpl*> known;
  for (const OptimizerParamGroup& g : groups_)
    for (const Tensor& p : g.params_) known.insert(p.impl());
  for (const Tensor& p : group.params_) {
    BOLIDE_CHECK_AS(ValueError, p.defined(), "optimizer got an undefined parameter");
    BOLIDE_CHECK_AS(ValueError, p.is_leaf(), "can't optimize a non-leaf Tensor");
    BOLIDE_CHECK_AS(ValueError, known.insert(p.impl()).second, "some parameters appear in more than one parameter group");
  }
  if (!group.options_) group.options_ = defaults_->clone();
  // Names of the state are known to the derived class only once it is made; columns follow at the first step.
  groups_.push_back(std::move(group));
}

// ---- parameters and state ----------------------------------------------------------------------
Tensor Optimizer::step(const LossClosure& closure) {
  Tensor loss;
  if (closure) {
    const EnableGradGuard with_grad;
    loss = closure();
  }
  const NoGradGuard no_grad;
  for (OptimizerParamGroup& g : groups_) {
    if (g.columns_.empty()) g.columns_.assign(state_names().size(), std::vector<Tensor>(g.params_.size()));
    step_group(g);
  }
  return loss;
}

void Optimizer::zero_grad(bool set_to_none) {
  for (OptimizerParamGroup& g : groups_)
    for (const Tensor& p : g.params_) {
      const Tensor grad = p.grad();
      if (!grad.defined()) continue;
      if (set_to_none) p.set_grad({});
      else zero_(grad.requires_grad() ? grad.detach() : grad);
    }
}

std::vector<Tensor> Optimizer::parameters() const {
  std::vector<Tensor> all;
  for (const OptimizerParamGroup& g : groups_) all.insert(all.end(), g.params_.begin(), g.params_.end());
  return all;
}

Tensor Optimizer::state(const Tensor& parameter, std::string_view name) const {
  const auto names = state_names();
  for (const OptimizerParamGroup& g : groups_)
    for (size_t i = 0; i < g.params_.size(); ++i)
      if (g.params_[i].is_same(parameter))
        for (size_t c = 0; c < g.columns_.size(); ++c)
          if (name == names[c]) return g.columns_[c][i];
  return {};
}

// ---- options by name ---------------------------------------------------------------------------
namespace {

struct Writer final : OptionVisitor {
  IValue dict = IValue::dict();
  void number(const char* name, double& v) override { dict.insert(name, v); }
  void integer(const char* name, int64_t& v) override { dict.insert(name, v); }
  void flag(const char* name, bool& v) override { dict.insert(name, v); }
  void tuple(const char* name, std::initializer_list<double*> v) override {
    std::vector<IValue> items;
    for (const double* x : v) items.push_back(x ? IValue(*x) : IValue());
    dict.insert(name, IValue::tuple(std::move(items)));
  }
  void optional(const char* name, std::optional<double>& v) override { dict.insert(name, v); }
  void text(const char* name, std::string& v) override { dict.insert(name, v.empty() ? IValue() : IValue(v)); }
  void constant(const char* name, const IValue& v) override { dict.insert(name, v); }
};

/// Keys that the dictionary lacks keep their values: files of older versions.
struct Reader final : OptionVisitor {
  const IValue& dict;
  explicit Reader(const IValue& d) : dict(d) {}
  const IValue* find(const char* name) const {
    const IValue* v = dict.find(name);
    return v && !v->isNone() ? v : nullptr;
  }
  void number(const char* name, double& v) override { if (const IValue* x = find(name)) v = x->toDouble(); }
  void integer(const char* name, int64_t& v) override { if (const IValue* x = find(name)) v = x->toInt(); }
  void flag(const char* name, bool& v) override { if (const IValue* x = find(name)) v = x->toBool(); }
  void tuple(const char* name, std::initializer_list<double*> v) override {
    const IValue* x = find(name);
    if (!x) return;
    BOLIDE_CHECK_AS(ValueError, x->size() == v.size(), "loaded state dict: '", name, "' has ", x->size(), " values instead of ", v.size());
    size_t i = 0;
    for (double* target : v) {
      const IValue& one = x->toListRef()[i++];
      if (target && !one.isNone()) *target = one.toDouble();
    }
  }
  void optional(const char* name, std::optional<double>& v) override { if (const IValue* x = dict.find(name)) v = x->isNone() ? std::nullopt : std::optional(x->toDouble()); }
  void text(const char* name, std::string& v) override { if (const IValue* x = find(name)) v = x->toStringRef(); }
  void constant(const char*, const IValue&) override {}
};

}  // namespace

IValue options_dict(const OptimizerParamGroup& group) {
  Writer w;
  const_cast<OptimizerOptions&>(group.options()).each(w);
  for (const auto& [name, v] : group.extra) w.dict.insert(name, v);
  return w.dict;
}

void set_options(OptimizerParamGroup& group, const IValue& dict) {
  Reader r(dict);
  group.options().each(r);
  const IValue own = options_dict(group);
  for (const auto& [key, v] : dict.toGenericDict())
    if (key.isString() && (v.isDouble() || v.isInt()) && (!own.find(key.toStringRef()) || group.extra.contains(key.toStringRef())))
      group.extra[key.toStringRef()] = v.toDouble();
}

// ---- state dicts -------------------------------------------------------------------------------
IValue Optimizer::state_dict() const {
  const auto names = state_names();
  IValue states = IValue::dict(), groups = std::vector<IValue>();
  int64_t index = 0;
  for (const OptimizerParamGroup& g : groups_) {
    std::vector<IValue> indices;
    for (size_t i = 0; i < g.params_.size(); ++i, ++index) {
      indices.push_back(index);
      IValue one = IValue::dict();
      for (size_t c = 0; c < g.columns_.size(); ++c)
        if (g.columns_[c][i].defined()) one.insert(names[c], g.columns_[c][i]);
      if (one.size()) states.insert(index, one);
    }
    IValue group = options_dict(g);
    group.insert("params", indices);
    groups.toList().push_back(group);
  }
  IValue all = IValue::dict();
  all.insert("state", states);
  all.insert("param_groups", groups);
  return all;
}

namespace {
/// A state tensor as the parameter needs it: `step` stays as it is, the others take the parameter's dtype and device.
Tensor adopted(const IValue& v, const Tensor& param, std::string_view name) {
  if (!v.isTensor()) return full({}, v.toDouble(), DType::Float32);
  const Tensor& t = v.toTensor();
  if (name == "step" || t.dim() == 0) return t.clone();
  return bolide::to(t, is_floating(param.dtype()) ? param.dtype() : t.dtype(), param.device(), true);
}
}  // namespace

void Optimizer::load_state_dict(const IValue& state) {
  const std::vector<IValue>& saved = state.at("param_groups").toListRef();
  BOLIDE_CHECK_AS(ValueError, saved.size() == groups_.size(), "loaded state dict has a different number of parameter groups");
  for (size_t k = 0; k < saved.size(); ++k)
    BOLIDE_CHECK_AS(ValueError, saved[k].at("params").size() == groups_[k].params_.size(),
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group");
  const NoGradGuard no_grad;
  const auto names = state_names();
  const IValue& states = state.at("state");
  for (size_t k = 0; k < saved.size(); ++k) {
    OptimizerParamGroup& g = groups_[k];
    set_options(g, saved[k]);
    g.columns_.assign(names.size(), std::vector<Tensor>(g.params_.size()));
    for (size_t i = 0; i < g.params_.size(); ++i) {
      const IValue* one = states.find(saved[k].at("params").toListRef()[i].toInt());
      if (!one) continue;
      for (size_t c = 0; c < names.size(); ++c)
        if (const IValue* v = one->find(names[c]); v && !v->isNone()) g.columns_[c][i] = adopted(*v, g.params_[i], names[c]);
    }
  }
}

// ---- printing and files ------------------------------------------------------------------------
std::ostream& operator<<(std::ostream& s, const Optimizer& o) {
  std::string name = nn::detail::class_name(typeid(o));
  s << name << " (";
  for (size_t i = 0; i < o.param_groups().size(); ++i) {
    s << "\nParameter Group " << i << "\n";
    std::map<std::string, std::string> lines;
    const IValue options = options_dict(o.param_groups()[i]);
    for (const auto& [key, v] : options.toGenericDict()) lines[key.toStringRef()] = nn::detail::py(v);
    for (const auto& [key, text] : lines) s << "    " << key << ": " << text << "\n";
  }
  return s << ")";
}

}  // namespace bolide::optim

namespace bolide {
void save(const optim::Optimizer& optimizer, const std::string& path, const SaveOptions& options) { save(optimizer.state_dict(), path, options); }
void load(optim::Optimizer& optimizer, const std::string& path, const LoadOptions& options) { optimizer.load_state_dict(load_ivalue(path, options)); }
}  // namespace bolide
