// Module. Map: names and printing | registering | walking | train, zero_grad, to | state dicts | cloning
#include "bolide/nn/module.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <unordered_map>
#include <unordered_set>

#include "bolide/autograd.h"
#include "bolide/ops.h"
#include "nn/text.h"

namespace bolide::nn {

namespace {
thread_local bool t_skip_init = false;
}
detail::SkipInit::SkipInit() : saved_(std::exchange(t_skip_init, true)) {}
detail::SkipInit::~SkipInit() { t_skip_init = saved_; }
void detail::fail_empty_holder() { fail("Accessing empty ModuleHolder"); }
bool detail::SkipInit::active() { return t_skip_init; }

Module::~Module() = default;

// ---- names and printing ------------------------------------------------------------------------
namespace {

std::string demangled(const char* mangled) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(mangled, nullptr, nullptr, &status), std::free);
  return status == 0 ? text.get() : mangled;
}

/// "a::(anonymous namespace)::Net<b::C>" -> "Net<b::C>".
std::string without_namespaces(const std::string& full) {
  int depth = 0;
  size_t start = 0;
  for (size_t i = 0; i < full.size(); ++i) {
    if (full[i] == '<' || full[i] == '(') ++depth;
    if (full[i] == '>' || full[i] == ')') --depth;
    if (depth == 0 && full.compare(i, 2, "::") == 0) start = i + 2;
  }
  return full.substr(start);
}

std::string indented(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += "  ";
  }
  return out;
}

}  // namespace

std::string detail::class_name(const std::type_info& type) {
  std::string n = without_namespaces(demangled(type.name()));
  if (n.size() > 4 && n.ends_with("Impl")) n.resize(n.size() - 4);
  return n;
}

std::string Module::name() const {
  if (!name_.empty()) return name_;
  return detail::class_name(typeid(*this));
}

std::string detail::module_text(const std::string& name, const std::string& extra, const std::vector<std::string>& children) {
  if (extra.empty() && children.empty()) return name + "()";
  if (children.empty() && extra.find('\n') == extra.npos) return name + "(" + extra + ")";
  std::string out = name + "(";
  if (!extra.empty()) out += "\n  " + indented(extra);
  for (const std::string& c : children) out += "\n  " + c;
  return out + "\n)";
}

std::string detail::repr(const Module& module) {
  std::ostringstream s;
  module.pretty_print(s);
  return s.str();
}

std::string detail::child_text(const std::string& name, const Module& child) {
  return "(" + name + "): " + indented(repr(child));
}

void Module::pretty_print(std::ostream& stream) const {
  std::vector<std::string> lines;
  for (const auto& [name, child] : children_) lines.push_back(detail::child_text(name, *child));
  stream << detail::module_text(this->name(), extra_repr(), lines);
}

std::ostream& operator<<(std::ostream& stream, const Module& module) {
  module.pretty_print(stream);
  return stream;
}

// ---- registering -------------------------------------------------------------------------------
void Module::check_name(const char* kind, const std::string& name) const {
  BOLIDE_CHECK(!name.empty(), kind, " name can't be empty string \"\"");
  BOLIDE_CHECK(name.find('.') == name.npos, kind, " name can't contain \".\", got: '", name, "'");
  BOLIDE_CHECK(!parameters_.contains(name) && !buffers_.contains(name) && !children_.contains(name), kind, " '", name,
               "' already exists in ", this->name());
}

Tensor& Module::register_parameter(std::string name, Tensor tensor, bool requires_grad) {
  check_name("parameter", name);
  if (tensor.defined()) {
    BOLIDE_CHECK(!requires_grad || is_differentiable(tensor.dtype()), "Only Tensors of floating point and complex dtype can require gradients (parameter '",
                 name, "' is ", tensor.dtype(), "); pass requires_grad = false");
    BOLIDE_CHECK(tensor.is_leaf(), "parameter '", name, "' must be created explicitly: it has a grad_fn");
    tensor.set_requires_grad(requires_grad);
  }
  return parameters_.emplace_back(std::move(name), std::move(tensor));
}

Tensor& Module::register_buffer(std::string name, Tensor tensor, bool persistent) {
  check_name("buffer", name);
  return buffers_.emplace_back(std::move(name), Buffer{std::move(tensor), persistent}).tensor;
}

void Module::add_child(std::string name, std::shared_ptr<Module> child) {
  check_name("module", name);
  BOLIDE_CHECK(child, "module '", name, "' of ", this->name(), " is empty: make it before it is registered");
  children_.emplace_back(std::move(name), std::move(child));
}

void Module::replace_child(const std::string& name, std::shared_ptr<Module> child) {
  BOLIDE_CHECK(child, "module '", name, "' of ", this->name(), " cannot be replaced by an empty one");
  children_[name] = std::move(child);
}

// ---- walking -----------------------------------------------------------------------------------
void Module::walk(const Visit& visit) const {
  std::unordered_set<const Module*> seen;
  const std::function<void(const Module&, const std::string&)> go = [&](const Module& m, const std::string& path) {
    if (!seen.insert(&m).second) return;
    visit(m, path);
    for (const auto& [name, child] : m.children_) go(*child, path.empty() ? name : path + "." + name);
  };
  go(*this, "");
}

TensorDict Module::named_tensors(bool recurse, bool buffers) const {
  TensorDict out;
  std::unordered_set<const TensorImpl*> seen;
  const Visit collect = [&](const Module& m, const std::string& path) {
    const auto add = [&](const std::string& name, const Tensor& t) {
      if (t.defined() && seen.insert(t.impl()).second) out.emplace_back(path.empty() ? name : path + "." + name, t);
    };
    if (buffers)
      for (const auto& [name, b] : m.buffers_) add(name, b.tensor);
    else
      for (const auto& [name, t] : m.parameters_) add(name, t);
  };
  if (recurse) walk(collect);
  else collect(*this, "");
  return out;
}

std::vector<Tensor> Module::parameters(bool recurse) const { return named_parameters(recurse).values(); }
TensorDict Module::named_parameters(bool recurse) const { return named_tensors(recurse, false); }
std::vector<Tensor> Module::buffers(bool recurse) const { return named_buffers(recurse).values(); }
TensorDict Module::named_buffers(bool recurse) const { return named_tensors(recurse, true); }

NamedList<std::shared_ptr<Module>> Module::named_modules(const std::string& prefix, bool include_self) const {
  NamedList<std::shared_ptr<Module>> out;
  walk([&](const Module& m, const std::string& path) {
    if (&m == this && !include_self) return;
    auto& self = const_cast<Module&>(m);
    std::shared_ptr<Module> pointer = self.weak_from_this().lock();
    BOLIDE_CHECK(pointer, "modules(): this ", m.name(), " is not held by a shared pointer (a variable of its own, or still in its "
                 "constructor); pass include_self = false, or make it with std::make_shared");
    out.emplace_back(prefix.empty() || path.empty() ? prefix + path : prefix + "." + path, std::move(pointer));
  });
  return out;
}
std::vector<std::shared_ptr<Module>> Module::modules(bool include_self) const { return named_modules("", include_self).values(); }

namespace {
/// "a.b.c" -> {"a.b", "c"}; without a dot the first is empty.
std::pair<std::string, std::string> split_path(const std::string& path) {
  const size_t dot = path.rfind('.');
  if (dot == path.npos) return {"", path};
  return {path.substr(0, dot), path.substr(dot + 1)};
}
}  // namespace

std::shared_ptr<Module> Module::get_submodule(const std::string& path) const {
  const Module* at = this;
  std::shared_ptr<Module> found;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    const auto* child = at->children_.find(name);
    BOLIDE_CHECK(child, at->name(), " has no attribute `", name, "`");
    found = *child;
    at = found.get();
    begin = end + 1;
  }
  return found;
}

Tensor Module::get_parameter(const std::string& path) const {
  const auto [owner, name] = split_path(path);
  const std::shared_ptr<Module> held = owner.empty() ? nullptr : get_submodule(owner);
  const Module& m = held ? *held : *this;
  const Tensor* t = m.parameters_.find(name);
  BOLIDE_CHECK(t && t->defined(), m.name(), " has no parameter `", name, "`");
  return *t;
}

Tensor Module::get_buffer(const std::string& path) const {
  const auto [owner, name] = split_path(path);
  const std::shared_ptr<Module> held = owner.empty() ? nullptr : get_submodule(owner);
  const Module& m = held ? *held : *this;
  const Buffer* b = m.buffers_.find(name);
  BOLIDE_CHECK(b && b->tensor.defined(), m.name(), " has no buffer `", name, "`");
  return b->tensor;
}

Module& Module::apply(const ModuleApplyFunction& f) {
  for (auto& [name, child] : children_) child->apply(f);
  f(*this);
  return *this;
}
Module& Module::apply(const NamedModuleApplyFunction& f, const std::string& prefix) {
  for (auto& [name, child] : children_) child->apply(f, prefix.empty() ? name : prefix + "." + name);
  f(prefix, *this);
  return *this;
}
Module& Module::apply(const ModulePointerApplyFunction& f) {
  for (auto& [name, child] : children_) child->apply(f);
  f(shared_from_this());
  return *this;
}

// ---- train, zero_grad, to ----------------------------------------------------------------------
void Module::train(bool on) {
  training_ = on;
  for (auto& [name, child] : children_) child->train(on);
}

void Module::requires_grad_(bool on) {
  for (Tensor p : parameters()) p.set_requires_grad(on);
}

void Module::zero_grad(bool set_to_none) {
  for (const Tensor& p : parameters()) {
    const Tensor g = p.grad();
    if (!g.defined()) continue;
    if (set_to_none) p.set_grad({});
    else zero_(g.requires_grad() ? g.detach() : g);
  }
}

void Module::convert(const std::function<Tensor(const Tensor&)>& f) {
  const NoGradGuard no_grad;
  const auto change = [&](const Tensor& t) {
    if (const Tensor changed = f(t); !changed.is_same(t)) t.set_data(changed);
  };
  for (const Tensor& p : parameters()) {
    const Tensor g = p.grad();
    change(p);
    if (g.defined()) change(g);
  }
  for (const Tensor& b : buffers()) change(b);
}
void Module::to(Device device, DType dtype) {
  BOLIDE_CHECK_AS(TypeError, is_differentiable(dtype), "nn::Module::to only accepts floating point or complex dtypes, but got desired dtype=", dtype);
  convert([&](const Tensor& t) { return bolide::to(t, is_differentiable(t.dtype()) ? dtype : t.dtype(), device); });
}
void Module::to(Device device) {
  convert([&](const Tensor& t) { return bolide::to(t, t.dtype(), device); });
}
void Module::to(DType dtype) {
  BOLIDE_CHECK_AS(TypeError, is_differentiable(dtype), "nn::Module::to only accepts floating point or complex dtypes, but got desired dtype=", dtype);
  convert([&](const Tensor& t) { return is_differentiable(t.dtype()) ? bolide::to(t, dtype) : t; });
}

// ---- state dicts -------------------------------------------------------------------------------
void Module::add_state(TensorDict& state, const std::string& prefix) const {
  for (const auto& [name, t] : parameters_)
    if (t.defined()) state.emplace_back(prefix + name, t.detach());
  for (const auto& [name, b] : buffers_)
    if (b.persistent && b.tensor.defined()) state.emplace_back(prefix + name, b.tensor.detach());
  for (const auto& [name, child] : children_) child->add_state(state, prefix + name + ".");
}

TensorDict Module::state_dict(const std::string& prefix) const {
  TensorDict state;
  add_state(state, prefix);
  return state;
}

namespace {

struct StateIndex {
  explicit StateIndex(const TensorDict& state) {
    for (const auto& [name, t] : state) by_name.emplace(name, &t);
  }
  const Tensor* find(const std::string& name) const {
    const auto found = by_name.find(name);
    return found == by_name.end() ? nullptr : found->second;
  }
  std::unordered_map<std::string_view, const Tensor*> by_name;
};

std::string size_text(const Tensor& t) { return str("torch.Size(", t.sizes(), ")"); }

/// Copies one value; returns what is wrong, or nothing.
std::string load_tensor(const std::string& name, const Tensor& own, const Tensor& given) {
  // files of PyTorch 0.3 and before keep 0-d tensors as one element
  const Tensor value = own.dim() == 0 && given.dim() == 1 && given.numel() == 1 ? given[0] : given;
  if (!(own.sizes() == value.sizes()))
    return str("size mismatch for ", name, ": copying a param with shape ", size_text(value),
               " from checkpoint, the shape in current model is ", size_text(own), ".");
  copy_(own, value);
  return {};
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string s;
  for (const std::string& n : names) s += (s.empty() ? "\"" : ", \"") + n + "\"";
  return s + ". ";
}

}  // namespace

IncompatibleKeys Module::load_state_dict(const TensorDict& given, bool strict) {
  TensorDict state = given;
  walk([&](const Module& m, const std::string& path) { m.before_load(state, path.empty() ? "" : path + "."); });
  const StateIndex index(state);
  IncompatibleKeys keys;
  std::vector<std::string> errors;
  std::unordered_set<std::string> own_names;
  const NoGradGuard no_grad;
  for (const auto& [name, own] : state_dict()) {
    own_names.insert(name);
    if (const Tensor* value = index.find(name)) {
      if (std::string error = load_tensor(name, own, *value); !error.empty()) errors.push_back(std::move(error));
    } else {
      keys.missing_keys.push_back(name);
    }
  }
  for (const auto& [name, t] : state)
    if (!own_names.contains(name)) keys.unexpected_keys.push_back(name);
  if (strict && !keys.unexpected_keys.empty())
    errors.insert(errors.begin(), "Unexpected key(s) in state_dict: " + quoted_list(keys.unexpected_keys));
  if (strict && !keys.missing_keys.empty())
    errors.insert(errors.begin(), "Missing key(s) in state_dict: " + quoted_list(keys.missing_keys));
  if (!errors.empty()) {
    std::string all;
    for (const std::string& e : errors) all += "\n\t" + e;
    fail("Error(s) in loading state_dict for ", this->name(), ":", all);
  }
  return keys;
}

// ---- cloning -----------------------------------------------------------------------------------
std::shared_ptr<Module> Module::clone(std::optional<Device>) const {
  fail<NotImplementedError>("clone() has not been implemented for ", name(), ". Subclass nn::Cloneable<", name(),
                            "> instead of nn::Module to have it");
}

void Module::clear_registered() {
  parameters_.clear();
  buffers_.clear();
  children_.clear();
}

void Module::copy_values(const Module& from, std::optional<Device> device) {
  const NoGradGuard no_grad;
  const auto copy = [&](const Tensor& to, const Tensor& value) {
    BOLIDE_CHECK(to.defined() == value.defined(), "clone(): reset() of ", name(), " registers other tensors than this module has");
    if (!to.defined()) return;
    to.set_data(bolide::to(value.detach(), value.dtype(), device.value_or(value.device()), true));
    if (to.requires_grad() != value.requires_grad()) Tensor(to).set_requires_grad(value.requires_grad());
  };
  BOLIDE_CHECK(parameters_.size() == from.parameters_.size() && buffers_.size() == from.buffers_.size() &&
               children_.size() == from.children_.size(),
               "clone(): reset() of ", name(), " does not register all that the constructor did; register parameters, buffers and "
               "modules in reset()");
  for (const auto& [name, value] : from.parameters_) copy(parameters_[name], value);
  for (const auto& [name, value] : from.buffers_) copy(buffers_[name].tensor, value.tensor);
  for (const auto& [name, child] : from.children_) children_[name]->copy_values(*child, device);
  training_ = from.training_;
}

}  // namespace bolide::nn
