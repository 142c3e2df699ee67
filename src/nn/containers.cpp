// Containers. Map: AnyModule | Sequential | ModuleList, ModuleDict | ParameterList, ParameterDict
#include "bolide/nn/containers.h"

#include <cxxabi.h>

#include <cstdlib>
#include <sstream>

#include "nn/text.h"

namespace bolide::nn {

// ---- AnyModule ---------------------------------------------------------------------------------
namespace {
std::string type_name(const std::type_info& t) {
  if (t == typeid(void)) return "nothing";
  if (t == typeid(Tensor)) return "Tensor";
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(t.name(), nullptr, nullptr, &status), std::free);
  return status == 0 ? text.get() : t.name();
}
}  // namespace

void detail::fail_no_forward(const Module& m) {
  fail("the forward function of ", m.name(), " is overloaded or a template: it can be called with one tensor only where it gives one");
}
void detail::fail_argument(size_t i, const std::type_info& expected, const std::type_info& found) {
  fail("Expected argument #", i, " to be of type ", type_name(expected), ", but received value of type ", type_name(found));
}
void detail::fail_argument_count(const Module& m, size_t count) {
  fail(m.name(), "'s forward() method cannot be called with ", count, count == 1 ? " argument" : " arguments");
}
void detail::fail_result(const Module& m, const std::type_info& expected, const std::type_info& found) {
  fail("The type of the return value of ", m.name(), " is ", type_name(found), ", but you asked for type ", type_name(expected));
}

std::any AnyModule::forward_any(std::span<std::any> in) const {
  BOLIDE_CHECK(module_, "Cannot call forward() on an empty AnyModule");
  if (calls_->tensor && in.size() == 1)
    if (const Tensor* x = std::any_cast<Tensor>(&in[0])) return calls_->tensor(*module_, *x);
  if (!calls_->any) detail::fail_no_forward(*module_);
  return calls_->any(*module_, in);
}
const std::type_info& AnyModule::type_info() const {
  BOLIDE_CHECK(module_, "Cannot call type_info() on an empty AnyModule");
  return *calls_->type;
}
const std::shared_ptr<Module>& AnyModule::ptr() const {
  BOLIDE_CHECK(module_, "Cannot call ptr() on an empty AnyModule");
  return module_;
}
AnyModule AnyModule::clone(std::optional<Device> device) const {
  AnyModule copy = *this;
  if (module_) copy.module_ = module_->clone(device);
  return copy;
}

// ---- Sequential --------------------------------------------------------------------------------
void SequentialImpl::push_back(std::string name, AnyModule module) {
  all_tensors_ = all_tensors_ && module.takes_tensor();
  register_module(std::move(name), module.ptr());
  modules_.push_back(std::move(module));
}

const AnyModule& SequentialImpl::any(size_t i) const {
  BOLIDE_CHECK_AS(IndexError, i < size(), "index ", i, " is out of range");
  return modules_[i];
}

Tensor SequentialImpl::run(const Tensor& x) const {
  Tensor value = x;
  for (const AnyModule& m : modules_) value = m.forward(value);
  return value;
}

std::any SequentialImpl::run_any(std::span<std::any> in) const {
  BOLIDE_CHECK(!is_empty(), "Cannot call forward() on an empty Sequential");
  std::any value = modules_[0].forward_any(in);
  for (size_t i = 1; i < size(); ++i) value = modules_[i].forward_any({&value, 1});
  return value;
}

std::shared_ptr<Module> SequentialImpl::clone(std::optional<Device> device) const {
  auto copy = std::make_shared<SequentialImpl>();
  const auto& named = named_children();
  for (size_t i = 0; i < size(); ++i) copy->push_back(named[i].key(), modules_[i].clone(device));
  copy->train(is_training());
  return copy;
}

// ---- ModuleList, ModuleDict --------------------------------------------------------------------
void ModuleListImpl::insert(size_t i, std::shared_ptr<Module> module) {
  BOLIDE_CHECK_AS(IndexError, i <= size(), "index ", i, " is out of range");
  modules_.insert(modules_.begin() + static_cast<std::ptrdiff_t>(i), std::move(module));
  if (i + 1 == size()) {
    register_module(std::to_string(i), modules_[i]);
    return;
  }
  for (size_t k = i; k + 1 < size(); ++k) replace_module(std::to_string(k), modules_[k]);
  register_module(std::to_string(size() - 1), modules_.back());
}

std::shared_ptr<Module> ModuleListImpl::ptr(size_t i) const {
  BOLIDE_CHECK_AS(IndexError, i < size(), "index ", i, " is out of range");
  return modules_[i];
}

// Equal neighbours share a line: "(0-2): 3 x Linear(...)".
void ModuleListImpl::pretty_print(std::ostream& stream) const {
  std::vector<std::string> lines, texts;
  for (const auto& m : modules_) texts.push_back(detail::repr(*m));
  for (size_t i = 0; i < size();) {
    size_t end = i + 1;
    while (end < size() && texts[end] == texts[i]) ++end;
    std::string line = end - i == 1 ? str("(", i, "): ") : str("(", i, "-", end - 1, "): ", end - i, " x ");
    for (const char c : texts[i]) {
      line += c;
      if (c == '\n') line += "  ";
    }
    lines.push_back(std::move(line));
    i = end;
  }
  stream << detail::module_text(name(), extra_repr(), lines);
}

std::shared_ptr<Module> ModuleListImpl::clone(std::optional<Device> device) const {
  auto copy = std::make_shared<ModuleListImpl>();
  for (const auto& m : modules_) copy->push_back(m->clone(device));
  copy->train(is_training());
  return copy;
}

void ModuleDictImpl::insert(const std::string& name, std::shared_ptr<Module> module) {
  if (contains(name)) replace_module(name, std::move(module));
  else register_module(name, std::move(module));
}
std::shared_ptr<Module> ModuleDictImpl::operator[](const std::string& name) const {
  const auto* m = named_children().find(name);
  BOLIDE_CHECK_AS(IndexError, m, "ModuleDict: no module '", name, "'");
  return *m;
}
std::shared_ptr<Module> ModuleDictImpl::pop(const std::string& name) {
  auto m = (*this)[name];
  unregister_module(name);
  return m;
}
void ModuleDictImpl::clear() {
  for (const std::string& name : keys()) unregister_module(name);
}
std::shared_ptr<Module> ModuleDictImpl::clone(std::optional<Device> device) const {
  auto copy = std::make_shared<ModuleDictImpl>();
  for (const auto& [name, m] : named_children()) copy->insert(name, m->clone(device));
  copy->train(is_training());
  return copy;
}

// ---- ParameterList, ParameterDict --------------------------------------------------------------
namespace {
std::string parameter_lines(const Module& m, std::string (*type_of)(DType)) {
  std::string lines;
  for (const auto& [key, p] : m.named_parameters(false)) {
    std::string size;
    for (const int64_t n : p.sizes()) size += (size.empty() ? "" : "x") + std::to_string(n);
    lines += (lines.empty() ? "" : "\n") + str("  (", key, "): Parameter containing: [", type_of(p.dtype()), " of size ", size, "]");
  }
  return lines;
}
Tensor copied(const Tensor& t, std::optional<Device> device) {
  const Tensor value = t.detach();
  return (device ? value.to(*device) : value).clone();
}
}  // namespace

void ParameterListImpl::append(const Tensor& t) { register_parameter(std::to_string(count_++), t, t.requires_grad()); }
Tensor ParameterListImpl::at(size_t i) const {
  const TensorDict all = named_parameters(false);
  BOLIDE_CHECK_AS(IndexError, i < all.size(), "index ", i, " is out of range");
  return all[i].value();
}
std::string ParameterListImpl::extra_repr() const {
  return parameter_lines(*this, [](DType t) { return str(t); });
}
std::shared_ptr<Module> ParameterListImpl::clone(std::optional<Device> device) const {
  auto copy = std::make_shared<ParameterListImpl>();
  for (const Tensor& t : parameters(false)) copy->append(copied(t, device).requires_grad_(t.requires_grad()));
  return copy;
}

std::string ParameterDictImpl::extra_repr() const {
  return parameter_lines(*this, [](DType t) { return str("torch.", legacy_name(t), "Tensor"); });
}
std::shared_ptr<Module> ParameterDictImpl::clone(std::optional<Device> device) const {
  auto copy = std::make_shared<ParameterDictImpl>();
  for (const auto& [name, t] : named_parameters(false)) copy->insert(name, copied(t, device).requires_grad_(t.requires_grad()));
  return copy;
}

}  // namespace bolide::nn
