// Automatic differentiation for C++ users: grad modes, backward, grad, hooks, user-defined functions.
#pragma once
#include <functional>
#include <map>

#include "bolide/tensor.h"

namespace bolide {

using GradHook = std::function<Tensor(const Tensor&)>;  // returns a replacement, or an undefined tensor

bool grad_enabled();
void set_grad_enabled(bool on);
bool inference_mode_enabled();

/// Scopes: nothing is recorded / recording again.
class NoGradGuard {
 public:
  NoGradGuard() : saved_(grad_enabled()) { set_grad_enabled(false); }
  ~NoGradGuard() { set_grad_enabled(saved_); }
 private:
  bool saved_;
};
class EnableGradGuard {
 public:
  EnableGradGuard() : saved_(grad_enabled()) { set_grad_enabled(true); }
  ~EnableGradGuard() { set_grad_enabled(saved_); }
 private:
  bool saved_;
};

namespace autograd {

struct BackwardOptions {
  bool retain_graph = false;
  bool create_graph = false;
  bool allow_unused = false;
};
/// Accumulates into `.grad` of the leaves that `outputs` depend on. Undefined entries of `grads` mean ones for scalars.
void backward(TensorList outputs, TensorList grads, bool retain_graph, bool create_graph, TensorList inputs = {});
/// The gradients of `outputs` with respect to `inputs`; undefined where unused and allowed.
std::vector<Tensor> grad(TensorList outputs, TensorList inputs, TensorList grads = {}, BackwardOptions options = {});

/// Calls `hook` with the gradient of `t`; returns an id for remove_hook.
uint64_t register_hook(const Tensor& t, GradHook hook);
void remove_hook(const Tensor& t, uint64_t id);
/// Called after the gradient of leaf `t` was accumulated.
uint64_t register_post_accumulate_hook(const Tensor& t, std::function<void(const Tensor&)> hook);

/// What a user-defined function keeps between forward and backward.
struct FunctionContext {
  std::vector<Tensor> to_save;
  std::map<std::string, Scalar> numbers;
  void save_for_backward(std::vector<Tensor> t) { to_save = std::move(t); }
  std::vector<Tensor> get_saved_variables() const;
  std::shared_ptr<void> saved_state;
};
/// Runs forward without recording and records a node that calls backward.
using FunctionForward = std::function<std::vector<Tensor>(FunctionContext&, std::vector<Tensor>)>;
using FunctionBackward = std::function<std::vector<Tensor>(FunctionContext&, std::vector<Tensor>)>;
std::vector<Tensor> apply_function(const char* name, FunctionForward f, FunctionBackward b, std::vector<Tensor> inputs);

/// struct Exp : Function<Exp> { static std::vector<Tensor> forward(FunctionContext&, std::vector<Tensor>);
///                              static std::vector<Tensor> backward(FunctionContext&, std::vector<Tensor> grads); };
template <class F>
struct Function {
  static std::vector<Tensor> apply(std::vector<Tensor> inputs) {
    return apply_function("CppFunctionBackward", &F::forward, &F::backward, std::move(inputs));
  }
};

}  // namespace autograd
}  // namespace bolide
