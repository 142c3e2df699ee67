// Containers: AnyModule (a module of any kind with its forward) | Sequential | ModuleList, ModuleDict | ParameterList,
// ParameterDict | Functional (a function as a module).
#pragma once
#include <any>
#include <tuple>
#include <typeinfo>

#include "bolide/nn/module.h"

namespace bolide::nn {

// ---- AnyModule ---------------------------------------------------------------------------------
namespace detail {

/// How to call the forward of one class of modules without knowing the class.
struct ForwardCalls {
  const std::type_info* type;
  Tensor (*tensor)(Module&, const Tensor&);        // null where forward(tensor) gives no tensor
  std::any (*any)(Module&, std::span<std::any>);  // null where forward is overloaded
};
[[noreturn]] void fail_no_forward(const Module& m);
[[noreturn]] void fail_argument(size_t i, const std::type_info& expected, const std::type_info& found);
[[noreturn]] void fail_argument_count(const Module& m, size_t count);
[[noreturn]] void fail_result(const Module& m, const std::type_info& expected, const std::type_info& found);

template <class T>
T& any_argument(std::span<std::any> in, size_t i) {
  T* value = std::any_cast<T>(&in[i]);
  if (!value) fail_argument(i, typeid(T), in[i].type());
  return *value;
}

/// Calls forward with the first N of the parameters A; the others keep their defaults.
template <class M, class... A>
struct AnyCall {
  template <size_t... I>
  static bool try_call(M& m, std::span<std::any> in, std::any& out, std::index_sequence<I...>) {
    using List = std::tuple<std::decay_t<A>...>;
    if constexpr (requires { m.forward(std::declval<std::tuple_element_t<I, List>&>()...); }) {
      if (in.size() != sizeof...(I)) return false;
      using R = decltype(m.forward(std::declval<std::tuple_element_t<I, List>&>()...));
      if constexpr (std::is_void_v<R>) m.forward(any_argument<std::tuple_element_t<I, List>>(in, I)...);
      else out = std::decay_t<R>(m.forward(any_argument<std::tuple_element_t<I, List>>(in, I)...));
      return true;
    } else {
      return false;
    }
  }
  template <size_t... N>
  static std::any run(M& m, std::span<std::any> in, std::index_sequence<N...>) {
    std::any out;
    if (!(try_call(m, in, out, std::make_index_sequence<N>()) || ...)) fail_argument_count(m, in.size());
    return out;
  }
};
template <class M, class R, class C, class... A>
std::any call_any(M& m, std::span<std::any> in, R (C::*)(A...)) {
  return AnyCall<M, A...>::run(m, in, std::make_index_sequence<sizeof...(A) + 1>());
}
template <class M, class R, class C, class... A>
std::any call_any(M& m, std::span<std::any> in, R (C::*)(A...) const) {
  return AnyCall<M, A...>::run(m, in, std::make_index_sequence<sizeof...(A) + 1>());
}

template <class M>
constexpr ForwardCalls make_calls() {
  ForwardCalls c{&typeid(M), nullptr, nullptr};
  if constexpr (requires(M& m, const Tensor& x) { { m.forward(x) } -> std::convertible_to<Tensor>; })
    c.tensor = [](Module& m, const Tensor& x) -> Tensor { return static_cast<M&>(m).forward(x); };
  if constexpr (requires { &M::forward; })
    c.any = [](Module& m, std::span<std::any> in) { return call_any(static_cast<M&>(m), in, &M::forward); };
  return c;
}
template <class M>
inline constexpr ForwardCalls forward_calls = make_calls<M>();

}  // namespace detail

/// A module of any class together with its forward function.
class AnyModule {
 public:
  AnyModule() = default;
  template <class M>
    requires std::is_base_of_v<Module, M>
  AnyModule(std::shared_ptr<M> module) : module_(std::move(module)), calls_(&detail::forward_calls<M>) {}
  template <class M>
  AnyModule(const ModuleHolder<M>& module) : AnyModule(module.ptr()) {}
  template <class M>
    requires std::is_base_of_v<Module, std::remove_cvref_t<M>>
  explicit AnyModule(M&& module) : AnyModule(std::make_shared<std::remove_cvref_t<M>>(std::forward<M>(module))) {}

  /// `any.forward(x)`, `any.forward<std::tuple<Tensor, Tensor>>(x, y)`: argument types must be those of the module.
  template <class R = Tensor, class... A>
  R forward(A&&... args) const {
    if constexpr (std::is_same_v<R, Tensor> && sizeof...(A) == 1 && (std::is_same_v<std::remove_cvref_t<A>, Tensor> && ...))
      if (calls_ && calls_->tensor) return calls_->tensor(*module_, args...);
    std::any in[] = {std::any(std::decay_t<A>(std::forward<A>(args)))..., std::any()};
    std::any out = forward_any({in, sizeof...(A)});
    R* result = std::any_cast<R>(&out);
    if (!result) detail::fail_result(*module_, typeid(R), out.type());
    return std::move(*result);
  }
  std::any forward_any(std::span<std::any> in) const;
  bool is_empty() const { return !module_; }
  bool takes_tensor() const { return calls_ && calls_->tensor; }
  const std::type_info& type_info() const;
  const std::shared_ptr<Module>& ptr() const;
  template <class M>
  std::shared_ptr<typename detail::Held<M>::type> ptr() const {
    auto p = std::dynamic_pointer_cast<typename detail::Held<M>::type>(ptr());
    BOLIDE_CHECK(p, "Attempted to cast module of type ", ptr()->name(), " to another type");
    return p;
  }
  template <class M>
  typename detail::Held<M>::type& get() const { return *ptr<M>(); }
  AnyModule clone(std::optional<Device> device = {}) const;

 private:
  std::shared_ptr<Module> module_;
  const detail::ForwardCalls* calls_ = nullptr;
};

/// A name and a module, for Sequential({{"conv", nn::Conv2d(1, 8, 3)}, {"act", nn::ReLU()}}).
struct NamedAnyModule {
  template <class M>
  NamedAnyModule(std::string name, M&& module) : name(std::move(name)), module(std::forward<M>(module)) {}
  std::string name;
  AnyModule module;
};

// ---- Sequential --------------------------------------------------------------------------------
/// Modules that feed one another. The result of each, of whatever type, must be what the next one takes.
class SequentialImpl : public Cloneable<SequentialImpl> {
 public:
  using Iterator = std::vector<AnyModule>::iterator;
  using ConstIterator = std::vector<AnyModule>::const_iterator;
  SequentialImpl() = default;
  template <class... M>
    requires(sizeof...(M) > 0 && (std::is_constructible_v<AnyModule, M> && ...))
  explicit SequentialImpl(M&&... modules) { (push_back(AnyModule(std::forward<M>(modules))), ...); }
  SequentialImpl(std::initializer_list<NamedAnyModule> named) {
    for (const NamedAnyModule& m : named) push_back(m.name, m.module);
  }
  explicit SequentialImpl(const NamedList<AnyModule>& named) {
    for (const auto& [name, m] : named) push_back(name, m);
  }

  template <class R = Tensor, class... A>
  R forward(A&&... args) const {
    if constexpr (std::is_same_v<R, Tensor> && sizeof...(A) == 1 && (std::is_same_v<std::remove_cvref_t<A>, Tensor> && ...)) {
      if (all_tensors_) return run(args...);
    }
    std::any in[] = {std::any(std::decay_t<A>(std::forward<A>(args)))..., std::any()};
    std::any out = run_any({in, sizeof...(A)});
    R* result = std::any_cast<R>(&out);
    if (!result) detail::fail_result(*this, typeid(R), out.type());
    return std::move(*result);
  }

  void push_back(AnyModule module) { push_back(std::to_string(modules_.size()), std::move(module)); }
  void push_back(std::string name, AnyModule module);
  void push_back(NamedAnyModule named) { push_back(std::move(named.name), std::move(named.module)); }
  template <class Container>
  void extend(const Container& modules) {
    for (const auto& m : modules) push_back(m);
  }
  void extend(const SequentialImpl& other) {
    for (const AnyModule& m : other) push_back(m);
  }

  template <class M>
  typename detail::Held<M>::type& at(size_t i) const { return any(i).get<M>(); }
  std::shared_ptr<Module> ptr(size_t i) const { return any(i).ptr(); }
  template <class M>
  std::shared_ptr<typename detail::Held<M>::type> ptr(size_t i) const { return any(i).ptr<M>(); }
  std::shared_ptr<Module> operator[](size_t i) const { return ptr(i); }
  size_t size() const noexcept { return modules_.size(); }
  bool is_empty() const noexcept { return modules_.empty(); }
  Iterator begin() { return modules_.begin(); }
  Iterator end() { return modules_.end(); }
  ConstIterator begin() const { return modules_.begin(); }
  ConstIterator end() const { return modules_.end(); }

  void reset() override {}
  std::shared_ptr<Module> clone(std::optional<Device> device = {}) const override;

 private:
  const AnyModule& any(size_t i) const;
  Tensor run(const Tensor& x) const;
  std::any run_any(std::span<std::any> in) const;
  std::vector<AnyModule> modules_;
  bool all_tensors_ = true;
};
class Sequential : public ModuleHolder<SequentialImpl> {
 public:
  using ModuleHolder<SequentialImpl>::ModuleHolder;
  using Impl = SequentialImpl;
  Sequential() = default;
  Sequential(std::initializer_list<NamedAnyModule> named) : ModuleHolder(std::make_shared<SequentialImpl>(named)) {}
};

// ---- lists and dictionaries --------------------------------------------------------------------
/// Modules in a list; it has no forward of its own.
class ModuleListImpl : public Cloneable<ModuleListImpl> {
 public:
  ModuleListImpl() = default;
  template <class... M>
    requires(sizeof...(M) > 0)
  explicit ModuleListImpl(M&&... modules) { (push_back(std::forward<M>(modules)), ...); }

  template <class M>
    requires std::is_base_of_v<Module, M>
  void push_back(std::shared_ptr<M> module) { insert(size(), std::move(module)); }
  template <class M>
  void push_back(const ModuleHolder<M>& module) { push_back(module.ptr()); }
  template <class M>
    requires std::is_base_of_v<Module, std::remove_cvref_t<M>>
  void push_back(M&& module) { push_back(std::make_shared<std::remove_cvref_t<M>>(std::forward<M>(module))); }
  template <class Container>
  void extend(const Container& modules) {
    for (const auto& m : modules) push_back(m);
  }
  void insert(size_t i, std::shared_ptr<Module> module);
  template <class M>
  void insert(size_t i, const ModuleHolder<M>& module) { insert(i, std::shared_ptr<Module>(module.ptr())); }

  template <class M>
  typename detail::Held<M>::type& at(size_t i) const { return *ptr<M>(i); }
  std::shared_ptr<Module> ptr(size_t i) const;
  template <class M>
  std::shared_ptr<typename detail::Held<M>::type> ptr(size_t i) const {
    auto p = std::dynamic_pointer_cast<typename detail::Held<M>::type>(ptr(i));
    BOLIDE_CHECK(p, "Unable to cast module[", i, "] (", ptr(i)->name(), ") to another type");
    return p;
  }
  std::shared_ptr<Module> operator[](size_t i) const { return ptr(i); }
  size_t size() const { return modules_.size(); }
  bool is_empty() const { return modules_.empty(); }
  auto begin() const { return modules_.begin(); }
  auto end() const { return modules_.end(); }
  void pretty_print(std::ostream& stream) const override;
  void reset() override {}
  std::shared_ptr<Module> clone(std::optional<Device> device = {}) const override;

 private:
  std::vector<std::shared_ptr<Module>> modules_;
};
BOLIDE_MODULE(ModuleList);

/// Modules by name.
class ModuleDictImpl : public Cloneable<ModuleDictImpl> {
 public:
  using Pair = std::pair<std::string, std::shared_ptr<Module>>;
  ModuleDictImpl() = default;
  explicit ModuleDictImpl(const std::vector<Pair>& modules) { update(modules); }
  explicit ModuleDictImpl(const NamedList<std::shared_ptr<Module>>& modules) { update(modules); }
  void update(const auto& modules) {
    for (const auto& [name, m] : modules) insert(name, m);
  }
  /// Adds, or replaces.
  void insert(const std::string& name, std::shared_ptr<Module> module);
  template <class M>
  void insert(const std::string& name, const ModuleHolder<M>& module) { insert(name, std::shared_ptr<Module>(module.ptr())); }
  std::shared_ptr<Module> operator[](const std::string& name) const;
  template <class M>
  typename detail::Held<M>::type& at(const std::string& name) const {
    auto* m = (*this)[name]->template as<M>();
    BOLIDE_CHECK(m, "Unable to cast module '", name, "' to another type");
    return *m;
  }
  std::shared_ptr<Module> pop(const std::string& name);
  void clear();
  bool contains(const std::string& name) const { return named_children().contains(name); }
  std::vector<std::string> keys() const { return named_children().keys(); }
  std::vector<std::shared_ptr<Module>> values() const { return children(); }
  const NamedList<std::shared_ptr<Module>>& items() const { return named_children(); }
  auto begin() const { return named_children().begin(); }
  auto end() const { return named_children().end(); }
  size_t size() const { return named_children().size(); }
  bool empty() const { return size() == 0; }
  void reset() override {}
  std::shared_ptr<Module> clone(std::optional<Device> device = {}) const override;
};
BOLIDE_MODULE(ModuleDict);

/// Parameters in a list.
class ParameterListImpl : public Cloneable<ParameterListImpl> {
 public:
  ParameterListImpl() = default;
  template <class... T>
    requires(sizeof...(T) > 0 && (std::is_convertible_v<T, Tensor> && ...))
  explicit ParameterListImpl(T&&... tensors) { (append(tensors), ...); }
  void append(const Tensor& t);
  void extend(TensorList tensors) { for (const Tensor& t : tensors) append(t); }
  Tensor operator[](size_t i) const { return at(i); }
  Tensor at(size_t i) const;
  size_t size() const { return parameters(false).size(); }
  bool is_empty() const { return size() == 0; }
  std::string extra_repr() const override;
  void reset() override {}
  std::shared_ptr<Module> clone(std::optional<Device> device = {}) const override;

 private:
  size_t count_ = 0;
};
BOLIDE_MODULE(ParameterList);

/// Parameters by name.
class ParameterDictImpl : public Cloneable<ParameterDictImpl> {
 public:
  ParameterDictImpl() = default;
  explicit ParameterDictImpl(const TensorDict& tensors) {
    for (const auto& [name, t] : tensors) insert(name, t);
  }
  void insert(const std::string& name, const Tensor& t) { register_parameter(name, t, t.requires_grad()); }
  Tensor operator[](const std::string& name) const { return get_parameter(name); }
  Tensor get(const std::string& name) const { return get_parameter(name); }
  bool contains(const std::string& name) const { return named_parameters(false).contains(name); }
  std::vector<std::string> keys() const { return named_parameters(false).keys(); }
  std::vector<Tensor> values() const { return parameters(false); }
  size_t size() const { return keys().size(); }
  bool empty() const { return size() == 0; }
  std::string extra_repr() const override;
  void reset() override {}
  std::shared_ptr<Module> clone(std::optional<Device> device = {}) const override;
};
BOLIDE_MODULE(ParameterDict);

/// A function as a module: nn::Functional(bolide::relu), nn::Functional(bolide::leaky_relu, 0.2).
class FunctionalImpl : public Cloneable<FunctionalImpl> {
 public:
  using Function = std::function<Tensor(Tensor)>;
  explicit FunctionalImpl(Function f) : function_(std::move(f)) {}
  template <class F, class... A>
    requires(sizeof...(A) > 0)
  explicit FunctionalImpl(F f, A... args)
      : function_([f = std::move(f), ... args = std::move(args)](const Tensor& x) -> Tensor { return f(x, args...); }) {}
  Tensor forward(const Tensor& x) const { return function_(x); }
  Tensor operator()(const Tensor& x) const { return function_(x); }
  void reset() override {}

 private:
  Function function_;
};
BOLIDE_MODULE(Functional);

}  // namespace bolide::nn
