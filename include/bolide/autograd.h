// Automatic differentiation for C++ users. Grad modes | backward and grad | hooks | saved-tensor hooks | Function: steps with
// a backward of one's own.
#pragma once
#include <any>
#include <functional>
#include <map>
#include <string>

#include "bolide/tensor.h"

namespace bolide {

// ---- grad modes, of the thread -------------------------------------------------------------------

bool grad_enabled();
void set_grad_enabled(bool on);
bool inference_mode_enabled();
void set_inference_mode(bool on);

/// Recording on or off within a scope.
class AutoGradMode {
 public:
  explicit AutoGradMode(bool on) : saved_(grad_enabled()) { set_grad_enabled(on); }
  ~AutoGradMode() { set_grad_enabled(saved_); }
  AutoGradMode(const AutoGradMode&) = delete;

 private:
  bool saved_;
};
struct NoGradGuard : AutoGradMode { NoGradGuard() : AutoGradMode(false) {} };
struct EnableGradGuard : AutoGradMode { EnableGradGuard() : AutoGradMode(true) {} };

/// Nothing is recorded, and what is made can never take part in autograd.
class InferenceMode {
 public:
  explicit InferenceMode(bool on = true) : grad_(grad_enabled()), inference_(inference_mode_enabled()) {
    set_grad_enabled(!on), set_inference_mode(on);
  }
  ~InferenceMode() { set_grad_enabled(grad_), set_inference_mode(inference_); }
  InferenceMode(const InferenceMode&) = delete;

 private:
  bool grad_, inference_;
};

/// Backward checks every gradient for NaN and names the step that made one.
bool anomaly_enabled();
void set_anomaly(bool on, bool check_nan = true);

namespace autograd {

using Variable = Tensor;
using variable_list = std::vector<Tensor>;

// ---- backward and grad ---------------------------------------------------------------------------

/// Adds the gradients to `.grad` of the leaves that `outputs` depend on, or of `inputs` only. An undefined or missing
/// entry of `grads` means one, for an output of one element. Throws for outputs that have no history.
void backward(TensorList outputs, TensorList grads = {}, bool retain_graph = false, bool create_graph = false, TensorList inputs = {});

/// The gradients of `outputs` with respect to `inputs`; undefined where unused and allowed.
std::vector<Tensor> grad(TensorList outputs, TensorList inputs, TensorList grads = {}, bool retain_graph = false,
                         bool create_graph = false, bool allow_unused = false);

/// The name of the step that made `t`, such as "MulBackward0"; empty for a leaf.
std::string grad_fn_name(const Tensor& t);

// ---- hooks ---------------------------------------------------------------------------------------

using GradHook = std::function<Tensor(const Tensor&)>;  // returns a replacement, or an undefined tensor

/// Calls `hook` with the gradient of `t`; returns an id for remove_hook.
uint64_t register_hook(const Tensor& t, GradHook hook);
/// Calls `hook` after the gradient of leaf `t` was accumulated.
uint64_t register_post_accumulate_hook(const Tensor& t, std::function<void(const Tensor&)> hook);
void remove_hook(const Tensor& t, uint64_t id);

/// While it lives, what this thread saves for backward goes through `pack`, and through `unpack` when backward needs it.
class SavedTensorsHooks {
 public:
  SavedTensorsHooks(std::function<std::any(const Tensor&)> pack, std::function<Tensor(const std::any&)> unpack);
  ~SavedTensorsHooks();
  SavedTensorsHooks(const SavedTensorsHooks&) = delete;
};

// ---- Function ------------------------------------------------------------------------------------

/// A value that forward leaves for backward: `ctx->saved_data["k"] = 3; ... ctx->saved_data["k"].toInt()`.
class SavedValue {
 public:
  SavedValue() = default;
  template <class T> requires (!std::is_same_v<std::remove_cvref_t<T>, SavedValue>)
  SavedValue(T&& value) { set(std::forward<T>(value)); }
  template <class T> requires (!std::is_same_v<std::remove_cvref_t<T>, SavedValue>)
  SavedValue& operator=(T&& value) { set(std::forward<T>(value)); return *this; }
  /// The value as the type it was stored as; throws when it is another.
  template <class T>
  const T& to() const {
    const T* p = std::any_cast<T>(&value_);
    BOLIDE_CHECK_AS(TypeError, p, "the saved value has another type");
    return *p;
  }
  bool has_value() const { return value_.has_value(); }
  int64_t toInt() const { return to<int64_t>(); }
  double toDouble() const { return to<double>(); }
  bool toBool() const { return to<bool>(); }
  const std::string& toString() const { return to<std::string>(); }
  const Tensor& toTensor() const { return to<Tensor>(); }
  const std::vector<int64_t>& toIntVector() const { return to<std::vector<int64_t>>(); }
  const std::vector<double>& toDoubleVector() const { return to<std::vector<double>>(); }
  const std::vector<Tensor>& toTensorVector() const { return to<std::vector<Tensor>>(); }

 private:
  template <class T>
  void set(T&& value) {  // numbers and texts in one form each
    using D = std::decay_t<T>;
    if constexpr (std::is_same_v<D, bool>) value_ = value;
    else if constexpr (std::is_integral_v<D>) value_ = static_cast<int64_t>(value);
    else if constexpr (std::is_floating_point_v<D>) value_ = static_cast<double>(value);
    else if constexpr (std::is_convertible_v<D, std::string_view>) value_ = std::string(std::string_view(value));
    else value_ = std::forward<T>(value);
  }
  std::any value_;
};

struct FunctionNode;

/// What a user-defined function keeps between forward and backward.
class AutogradContext {
 public:
  /// Numbers, texts, lists ... Tensors that are inputs or outputs belong into save_for_backward.
  std::map<std::string, SavedValue> saved_data;

  void save_for_backward(variable_list to_save) { to_save_ = std::move(to_save); }
  /// What was saved, with its history. Throws when a tensor was written to since, or the graph was freed.
  variable_list get_saved_variables() const;
  /// `inputs` were written in place by forward; each must also be returned.
  void mark_dirty(const variable_list& inputs) { dirty_ = inputs; }
  void mark_non_differentiable(const variable_list& outputs) { constant_ = outputs; }
  /// Whether gradients that did not arrive come to backward as zeros (the default) or undefined.
  void set_materialize_grads(bool value) { materialize_ = value; }
  /// In backward: whether the gradient of forward's tensor argument `i` is wanted.
  bool needs_input_grad(size_t i) const;

 private:
  friend struct FunctionNode;
  variable_list to_save_, dirty_, constant_;
  bool materialize_ = true;
  FunctionNode* node_ = nullptr;
};

namespace detail {

/// Calls forward without recording and records a step that calls backward. `variables` are forward's tensor arguments in
/// order, `positions` where they stand among all its arguments.
variable_list apply_function(const std::type_info& type, size_t arguments, variable_list variables, std::vector<size_t> positions,
                             const std::function<variable_list(AutogradContext*)>& forward,
                             variable_list (*backward)(AutogradContext*, variable_list));

struct Collector {
  variable_list variables;
  std::vector<size_t> positions;
  size_t count = 0;
  void add(const Tensor& t) { variables.push_back(t), positions.push_back(count++); }
  void add(const std::optional<Tensor>& t) { if (t) add(*t); else ++count; }
  void add(const variable_list& l) { for (const Tensor& t : l) add(t); }
  template <class T> void add(const T&) { ++count; }
};

}  // namespace detail

/// Base of a user-defined differentiable function:
///
///     struct Scale : autograd::Function<Scale> {
///       static Tensor forward(AutogradContext* ctx, const Tensor& x, double k) {
///         ctx->saved_data["k"] = k;
///         return x * k;
///       }
///       static variable_list backward(AutogradContext* ctx, variable_list grads) {
///         return {grads[0] * ctx->saved_data["k"].toDouble(), Tensor()};  // one for each argument of forward
///       }
///     };
///     Tensor y = Scale::apply(x, 2.0);
///
/// forward's arguments may be tensors, optional tensors, lists of tensors and anything else; it returns a Tensor or a
/// variable_list, and so does apply.
template <class T>
struct Function {
  template <class F = T, class... A>
  static auto apply(A&&... args) {
    using R = decltype(F::forward(static_cast<AutogradContext*>(nullptr), std::forward<A>(args)...));
    detail::Collector all;
    (all.add(args), ...);
    const auto forward = [&](AutogradContext* ctx) -> variable_list {
      if constexpr (std::is_same_v<R, Tensor>) return {F::forward(ctx, std::forward<A>(args)...)};
      else return F::forward(ctx, std::forward<A>(args)...);
    };
    variable_list out = detail::apply_function(typeid(F), all.count, std::move(all.variables), std::move(all.positions), forward,
                                               [](AutogradContext* ctx, variable_list g) { return F::backward(ctx, std::move(g)); });
    if constexpr (std::is_same_v<R, Tensor>) return std::move(out[0]);
    else return out;
  }
};

}  // namespace autograd
}  // namespace bolide
