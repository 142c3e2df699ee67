// AutogradMeta: what only tensors with a part in a graph carry.
#pragma once
#include "autograd/node.h"

namespace bolide {

struct MetaExtra {
  std::vector<TensorHook> hooks;  // of a leaf
  std::vector<std::pair<uint64_t, std::function<void(const Tensor&)>>> post_accumulate;
  std::shared_ptr<void> python_hooks, python_post_hooks;  // the dictionaries behind Python's handles
  int grad_dtype = kSameDType;                            // a DType, or:
  static constexpr int kSameDType = -1, kAnyDType = -2;
};

struct AutogradMeta {
  Ref<Node> grad_fn;
  uint32_t slot = 0;
  Tensor grad;
  std::atomic<AccumulateGrad*> accumulator{nullptr};  // owned
  MetaExtra* extra_ = nullptr;
  bool retains_grad = false;

  AutogradMeta() = default;
  ~AutogradMeta();
  AutogradMeta(const AutogradMeta&) = delete;
  AutogradMeta& operator=(const AutogradMeta&) = delete;
  MetaExtra& extra() { return extra_ ? *extra_ : *(extra_ = new MetaExtra); }
  static void* operator new(size_t n) { return allocate(n); }
  static void operator delete(void* p, size_t n) { deallocate(p, n); }
};
static_assert(sizeof(AutogradMeta) <= 64);

AutogradMeta& make_meta(TensorImpl* t);
/// The tensor's AutogradMeta, made when missing.
inline AutogradMeta& meta_of(TensorImpl* t) { return t->autograd ? *t->autograd : make_meta(t); }
void delete_meta(TensorImpl* t);
uint64_t next_hook_id();

/// The gradient of `t` also goes to `t.grad`, after all hooks.
void move_retain(TensorImpl* t, Node* from, Node* to, uint32_t slot);

}  // namespace bolide
