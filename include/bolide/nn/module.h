// Module: the base of all networks and layers, as torch.nn.Module. Cloneable (deep copies) | ModuleHolder (what users
// hold: `nn::Linear` is a shared pointer to `nn::LinearImpl`) | BOLIDE_MODULE.
#pragma once
#include <functional>
#include <memory>

#include "bolide/io.h"

namespace bolide {

namespace nn {

class Module;
template <class Contained> class ModuleHolder;

namespace detail {
/// What all holders are: one class of shared pointer for all of them keeps compilers fast.
struct HolderBase {
  std::shared_ptr<Module> module;
};
[[noreturn]] void fail_empty_holder();
template <class M> inline constexpr bool is_holder = std::is_base_of_v<HolderBase, std::remove_cvref_t<M>>;
/// M itself, or what a holder M holds.
template <class M> struct Held { using type = M; };
template <class M> requires is_holder<M> struct Held<M> { using type = typename M::ContainedType; };

/// While one lives, the functions of nn::init leave tensors as they are in this thread (and draw no random numbers).
class SkipInit {
 public:
  SkipInit();
  ~SkipInit();
  SkipInit(const SkipInit&) = delete;
  static bool active();

 private:
  bool saved_;
};
}  // namespace detail

/// What load_state_dict found amiss where it was not strict.
struct IncompatibleKeys {
  std::vector<std::string> missing_keys, unexpected_keys;
};

class Module : public std::enable_shared_from_this<Module> {
 public:
  using ModuleApplyFunction = std::function<void(Module&)>;
  using NamedModuleApplyFunction = std::function<void(const std::string&, Module&)>;
  using ModulePointerApplyFunction = std::function<void(const std::shared_ptr<Module>&)>;

  Module() = default;
  /// `name` is printed instead of the class's name.
  explicit Module(std::string name) : name_(std::move(name)) {}
  Module(const Module&) = default;
  Module& operator=(const Module&) = default;
  virtual ~Module();

  /// The class's name without namespaces and without the ending Impl.
  std::string name() const;

  // ---- registering, in the constructor (or in reset(), for modules that can be cloned) ----
  /// An undefined tensor registers a parameter that is absent (bias(false)).
  Tensor& register_parameter(std::string name, Tensor tensor, bool requires_grad = true);
  /// A tensor that is state but is not trained. One that is not persistent stays out of state dicts.
  Tensor& register_buffer(std::string name, Tensor tensor, bool persistent = true);
  template <class M>
  std::shared_ptr<M> register_module(std::string name, std::shared_ptr<M> module) {
    add_child(std::move(name), module);
    return module;
  }
  template <class M>
  std::shared_ptr<M> register_module(std::string name, const ModuleHolder<M>& module) {
    return register_module(std::move(name), module.ptr());
  }
  template <class M>
  std::shared_ptr<M> replace_module(const std::string& name, std::shared_ptr<M> module) {
    replace_child(name, module);
    return module;
  }
  template <class M>
  std::shared_ptr<M> replace_module(const std::string& name, const ModuleHolder<M>& module) {
    return replace_module(name, module.ptr());
  }
  void unregister_module(const std::string& name) { children_.erase(name); }

  // ---- walking ----
  /// Each parameter once, also where modules share it; named by its first path ("layer.weight").
  std::vector<Tensor> parameters(bool recurse = true) const;
  TensorDict named_parameters(bool recurse = true) const;
  std::vector<Tensor> buffers(bool recurse = true) const;
  TensorDict named_buffers(bool recurse = true) const;
  /// This module and all below it, each once, parents first. With `include_self` it must be held by a shared pointer.
  std::vector<std::shared_ptr<Module>> modules(bool include_self = true) const;
  NamedList<std::shared_ptr<Module>> named_modules(const std::string& prefix = "", bool include_self = true) const;
  std::vector<std::shared_ptr<Module>> children() const { return children_.values(); }
  const NamedList<std::shared_ptr<Module>>& named_children() const { return children_; }
  /// By path, "encoder.layers.0"; "" is no path. Throws when there is none.
  std::shared_ptr<Module> get_submodule(const std::string& path) const;
  Tensor get_parameter(const std::string& path) const;
  Tensor get_buffer(const std::string& path) const;

  /// Calls `f` for every module below and then for this one.
  Module& apply(const ModuleApplyFunction& f);
  Module& apply(const NamedModuleApplyFunction& f, const std::string& prefix = "");
  Module& apply(const ModulePointerApplyFunction& f);

  // ---- changing all of it ----
  virtual void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }
  void requires_grad_(bool on = true);
  virtual void zero_grad(bool set_to_none = true);
  /// Moves parameters and buffers; a dtype changes only those of floating point or complex numbers.
  virtual void to(Device device, DType dtype);
  virtual void to(Device device);
  virtual void to(DType dtype);

  // ---- saving ----
  /// Parameters and persistent buffers by path, in the order and with the names that Python uses. The tensors share
  /// memory with the module and have no history.
  TensorDict state_dict(const std::string& prefix = "") const;
  /// Copies the values into this module's tensors. When strict, names that are missing or unexpected throw; tensors of
  /// another shape always do.
  IncompatibleKeys load_state_dict(const TensorDict& state, bool strict = true);
  /// What Python keeps as `_metadata` of state dicts.
  virtual int64_t state_version() const { return 1; }

  /// A deep copy, where the class derives from Cloneable.
  virtual std::shared_ptr<Module> clone(std::optional<Device> device = {}) const;

  // ---- printing, as in Python ----
  /// What stands between the parentheses.
  virtual std::string extra_repr() const { return {}; }
  virtual void pretty_print(std::ostream& stream) const;

  /// This module as an M (`as<nn::Linear>()` gives a LinearImpl*), or null.
  template <class M>
  typename detail::Held<M>::type* as() noexcept { return dynamic_cast<typename detail::Held<M>::type*>(this); }
  template <class M>
  const typename detail::Held<M>::type* as() const noexcept { return dynamic_cast<const typename detail::Held<M>::type*>(this); }

 protected:
  /// Called with what is to be loaded, before it is; may add what older files lack.
  virtual void before_load(TensorDict&, const std::string& /*prefix*/) const {}
  void clear_registered();
  /// Copies the values of `from`, whose structure is the same.
  void copy_values(const Module& from, std::optional<Device> device);

 private:
  struct Buffer { Tensor tensor; bool persistent; };
  using Visit = std::function<void(const Module&, const std::string&)>;
  void add_child(std::string name, std::shared_ptr<Module> child);
  void replace_child(const std::string& name, std::shared_ptr<Module> child);
  void check_name(const char* kind, const std::string& name) const;
  /// This module and all below, each once, parents first, with their paths ("", "layer", "layer.0").
  void walk(const Visit& visit) const;
  TensorDict named_tensors(bool recurse, bool buffers) const;
  void add_state(TensorDict& state, const std::string& prefix) const;
  void convert(const std::function<Tensor(const Tensor&)>& f);

  std::string name_;
  bool training_ = true;
  TensorDict parameters_;
  NamedList<Buffer> buffers_;
  NamedList<std::shared_ptr<Module>> children_;
};
std::ostream& operator<<(std::ostream& stream, const Module& module);

/// For modules that can be copied: put what the constructor registers into `reset()`, which the copy calls again.
///   struct NetImpl : nn::Cloneable<NetImpl> { NetImpl() { reset(); }  void reset() override { ... } };
template <class Derived, class Base = Module>
class Cloneable : public Base {
 public:
  using Base::Base;
  /// Registers parameters, buffers and modules, and initialises them.
  virtual void reset() = 0;
  std::shared_ptr<Module> clone(std::optional<Device> device = {}) const override {
    auto copy = std::make_shared<Derived>(static_cast<const Derived&>(*this));
    copy->clear_registered();
    {
      const detail::SkipInit no_draws;
      copy->reset();
    }
    copy->copy_values(*this, device);
    return copy;
  }
};

/// A shared pointer to a module, used like the module itself.
template <class Contained>
class ModuleHolder : detail::HolderBase {
 public:
  using ContainedType = Contained;
  /// A module made with its default options.
  ModuleHolder() : HolderBase{std::make_shared<Contained>()} {}
  /// No module yet: to be assigned.
  ModuleHolder(std::nullptr_t) {}
  ModuleHolder(std::shared_ptr<Contained> m) : HolderBase{std::move(m)} {}
  /// Makes the module from its arguments or options.
  template <class Head, class... Tail>
    requires(sizeof...(Tail) > 0 || !(std::is_base_of_v<ModuleHolder<Contained>, std::remove_cvref_t<Head>> ||
                                      std::is_convertible_v<Head, std::shared_ptr<Contained>>))
  explicit ModuleHolder(Head&& head, Tail&&... tail)
      : HolderBase{std::make_shared<Contained>(std::forward<Head>(head), std::forward<Tail>(tail)...)} {}

  explicit operator bool() const noexcept { return module != nullptr; }
  bool is_empty() const noexcept { return module == nullptr; }
  Contained* operator->() const { return get(); }
  Contained& operator*() const { return *get(); }
  Contained* get() const {
    if (!module) [[unlikely]] detail::fail_empty_holder();
    return static_cast<Contained*>(module.get());
  }
  std::shared_ptr<Contained> ptr() const { return std::static_pointer_cast<Contained>((get(), module)); }
  template <class... A>
  decltype(auto) operator()(A&&... args) const { return get()->forward(std::forward<A>(args)...); }
  template <class A>
  decltype(auto) operator[](A&& arg) const { return (*get())[std::forward<A>(arg)]; }
};
template <class M>
std::ostream& operator<<(std::ostream& stream, const ModuleHolder<M>& module) {
  return stream << static_cast<const Module&>(*module);
}

/// Defines `Name`, the holder of `NameImpl`.
#define BOLIDE_MODULE_IMPL(Name, ImplType)                        \
  class Name : public ::bolide::nn::ModuleHolder<ImplType> {      \
   public:                                                        \
    using ::bolide::nn::ModuleHolder<ImplType>::ModuleHolder;     \
    using Impl = ImplType;                                        \
  }
#define BOLIDE_MODULE(Name) BOLIDE_MODULE_IMPL(Name, Name##Impl)

}  // namespace nn

// Holders and shared pointers save and load what they hold: `save(net, "net.pth")`.
template <class M>
void save(const nn::ModuleHolder<M>& module, const std::string& path, const SaveOptions& options = {}) { save(static_cast<const nn::Module&>(*module), path, options); }
template <class M>
void load(const nn::ModuleHolder<M>& module, const std::string& path, const LoadOptions& options = {}) { load(static_cast<nn::Module&>(*module), path, options); }
template <class M>
  requires std::is_base_of_v<nn::Module, M>
void save(const std::shared_ptr<M>& module, const std::string& path, const SaveOptions& options = {}) { save(static_cast<const nn::Module&>(*module), path, options); }
template <class M>
  requires std::is_base_of_v<nn::Module, M>
void load(const std::shared_ptr<M>& module, const std::string& path, const LoadOptions& options = {}) { load(static_cast<nn::Module&>(*module), path, options); }

}  // namespace bolide
