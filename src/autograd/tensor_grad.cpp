// Tensor's methods that concern gradients, the thread's grad modes, and hooks on tensors.
#include <algorithm>

#include "autograd/meta.h"
#include "bolide/ops.h"

namespace bolide {

namespace {
/// The C++ type's name, as PyTorch prints it in a few messages.
const char* scalar_name(DType t) {
  static constexpr const char* names[kDTypeSlots] = {"unsigned char", "signed char", "short int", "int", "long int", "c10::Half", "float",
                                                     "double", "?", "c10::complex<float>", "c10::complex<double>", "bool", "?", "?", "?",
                                                     "c10::BFloat16"};
  return names[static_cast<int>(t)];
}
}  // namespace

Tensor& Tensor::set_requires_grad(bool v) {
  if (v == requires_grad()) return *this;
  if (v) {
    BOLIDE_CHECK(is_differentiable(dtype()), "only Tensors of floating point dtype can require gradients");
    BOLIDE_CHECK(!p_->has(TensorImpl::kInference) || inference_mode_enabled(),
                 "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
    p_->flags |= TensorImpl::kRequiresGrad;
  } else {
    BOLIDE_CHECK(is_leaf(), "you can only change requires_grad flags of leaf variables. If you want to use a computed variable "
                 "in a subgraph that doesn't require differentiation use var_no_grad = var.detach().");
    p_->flags &= static_cast<uint16_t>(~TensorImpl::kRequiresGrad);
  }
  return *this;
}

Tensor& Tensor::detach_() {
  BOLIDE_CHECK(!p_->base, "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for "
               "training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence detach_() cannot "
               "be called on these gradients. To fix this error, please refer to the Optimizer.zero_grad() function in "
               "torch/optim/optimizer.py as the solution.");
  p_->flags &= static_cast<uint16_t>(~TensorImpl::kRequiresGrad);
  if (!p_->autograd) return *this;
  AutogradMeta& m = *p_->autograd;
  if (m.retains_grad) {
    move_retain(impl(), m.grad_fn.get(), nullptr, 0);
    m.retains_grad = false;
  }
  m.grad_fn = {};
  m.slot = 0;
  return *this;
}

Tensor Tensor::grad() const { return p_->autograd ? p_->autograd->grad : Tensor(); }

void Tensor::set_grad(const Tensor& g) const {
  if (!g.defined()) {
    if (p_->autograd) p_->autograd->grad = {};
    return;
  }
  BOLIDE_CHECK(!g.is_same(*this), "can't assign Variable as its own grad");
  const int want = p_->autograd && p_->autograd->extra_ ? p_->autograd->extra_->grad_dtype : MetaExtra::kSameDType;
  const DType expected = want >= 0 ? static_cast<DType>(want) : dtype();
  BOLIDE_CHECK(want == MetaExtra::kAnyDType || g.dtype() == expected, "attempting to assign a gradient with dtype '", scalar_name(g.dtype()),
               "' to a tensor with grad_dtype '", legacy_name(expected), "'. The gradient must match the tensor's grad_dtype (defaults to "
               "the tensor's dtype). You can set the tensor's grad_dtype attribute with a specific dtype, or None to allow any dtype. Set "
               "grad_dtype with caution. Diverging the dtypes of a tensor and its gradient may break downstream systems that assume they "
               "match.");
  BOLIDE_CHECK(g.device().type == device().type, "attempting to assign a gradient with device type '", g.device().str(),
               "' to a tensor with device type '", device().str(), "'. Please ensure that the gradient and the tensor are on the same device");
  BOLIDE_CHECK(g.sizes() == sizes(), "attempting to assign a gradient of size '", g.sizes(), "' to a tensor of size '", sizes(),
               "'. Please ensure that the gradient and the tensor are the same size");
  meta_of(p_.get()).grad = g;
}

void Tensor::retain_grad() const {
  BOLIDE_CHECK(requires_grad(), "can't retain_grad on Tensor that has requires_grad=False");
  const Ref<Node> fn = grad_fn();
  if (!fn) return;
  AutogradMeta& m = meta_of(p_.get());
  if (m.retains_grad) return;
  m.retains_grad = true;
  move_retain(p_.get(), nullptr, fn.get(), m.slot);
}
bool Tensor::retains_grad() const { return p_->autograd && p_->autograd->retains_grad; }

void Tensor::backward(const Tensor& gradient, bool retain_graph, bool create_graph) const {
  autograd::backward({this, 1}, {&gradient, 1}, retain_graph, create_graph);
}

bool grad_enabled() { return state().grad; }
void set_grad_enabled(bool on) { state().grad = on; }
bool inference_mode_enabled() { return state().inference; }
void set_inference_mode(bool on) { state().inference = on; }

// ---- hooks -------------------------------------------------------------------------------------

namespace autograd {

std::string grad_fn_name(const Tensor& t) {
  const Ref<Node> fn = t.grad_fn();
  return fn ? fn->name() : "";
}

uint64_t register_hook(const Tensor& t, GradHook hook) {
  BOLIDE_CHECK(t.requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
  const uint64_t id = next_hook_id();
  auto run = [hook = std::move(hook)](Tensor& g) {
    if (!g.defined()) return;
    Tensor replaced = hook(g);
    if (replaced.defined()) g = std::move(replaced);
  };
  if (const Ref<Node> fn = t.grad_fn()) fn->extra().tensor_hooks.push_back({id, t->autograd->slot, std::move(run)});
  else meta_of(t.impl()).extra().hooks.push_back({id, 0, std::move(run)});
  return id;
}

void remove_hook(const Tensor& t, uint64_t id) {
  if (!t->autograd) return;
  const auto same = [&](const TensorHook& h) { return h.id == id; };
  if (MetaExtra* e = t->autograd->extra_) {
    std::erase_if(e->hooks, same);
    std::erase_if(e->post_accumulate, [&](const auto& h) { return h.first == id; });
  }
  if (Node* fn = t->autograd->grad_fn.get(); fn && fn->extra_) std::erase_if(fn->extra_->tensor_hooks, same);
}

uint64_t register_post_accumulate_hook(const Tensor& t, std::function<void(const Tensor&)> hook) {
  BOLIDE_CHECK(t.requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
  BOLIDE_CHECK(t.is_leaf(), "post accumulate grad hooks cannot be registered on non-leaf tensors");
  const uint64_t id = next_hook_id();
  meta_of(t.impl()).extra().post_accumulate.emplace_back(id, std::move(hook));
  return id;
}

}  // namespace autograd
}  // namespace bolide
