// The graph: Edge, Node (one recorded step), Hooks, and the concrete nodes that are not ops: AccumulateGrad,
// CopySlices. The generic node of ops is in call.h.
#pragma once
#include <functional>

#include "bolide/autograd.h"
#include "core/registry.h"

namespace bolide {

struct Edge {
  Ref<Node> node;
  uint32_t slot = 0;  // which of the node's outputs (that is, of the gradients it receives)
};

struct TensorMeta {  // what the engine needs to know of a value to judge its gradient
  Dims sizes;
  DType dtype = DType::Float32;
  Device device;
  static TensorMeta of(const Tensor& t) { return {t.sizes(), t.dtype(), t.device()}; }
};

struct Hook {
  uint64_t id;
  uint32_t slot;
  GradHook call;
};

struct Node {
  std::atomic<uint32_t> refs{0};
  uint64_t sequence;          // later nodes have larger numbers: the engine runs them first
  std::vector<Edge> next;     // one for each differentiable input
  std::vector<TensorMeta> outputs;  // of the values whose gradients it receives
  std::vector<Hook> pre_hooks;      // tensor hooks on its outputs
  std::vector<Hook> retain;         // retain_grad, after the hooks
  /// Python-level hooks of this node: inputs are grads, may replace them.
  std::vector<std::pair<uint64_t, std::function<void(std::vector<Tensor>&)>>> node_pre_hooks;
  std::vector<std::pair<uint64_t, std::function<void(std::vector<Tensor>&, const std::vector<Tensor>&)>>> node_post_hooks;
  std::string where;          // anomaly mode: where the forward call was made
  void* python = nullptr;     // the Python object of a user-defined function, borrowed

  Node();
  virtual ~Node() = default;
  virtual std::string name() const = 0;
  /// Gradients of the outputs (undefined ones mean zero) to gradients of the inputs, one for each of `next`.
  virtual void apply(std::span<const Tensor> grads, std::vector<Tensor>& result) = 0;
  /// Frees what only backward needs; a second backward then raises.
  virtual void release() {}
  /// Whether undefined gradients of some outputs should be made zeros before apply.
  virtual bool wants_zeros() const { return true; }
  static void destroy(Node* n);
};

/// The end of the line: adds to a leaf's .grad.
struct AccumulateGrad final : Node {
  Tensor variable;
  explicit AccumulateGrad(const Tensor& v);
  ~AccumulateGrad() override;
  std::string name() const override { return "AccumulateGrad"; }
  void apply(std::span<const Tensor> grads, std::vector<Tensor>& result) override;
};

/// A write through a view: replaces that part of the base's gradient by what `fn` makes of it.
struct CopySlices final : Node {
  Ref<Node> fn;
  Dims base_sizes, base_strides, view_sizes, view_strides;
  int64_t base_offset, view_offset;
  std::string name() const override { return "CopySlices"; }
  void apply(std::span<const Tensor> grads, std::vector<Tensor>& result) override;
  void release() override { if (fn) fn->release(); fn = {}; }
};

/// For a non-leaf: its grad_fn and output number; for a leaf that requires grad: its accumulator; else nothing.
Edge gradient_edge(const Tensor& t);
/// Makes `t` the `slot`-th output of `node`.
void set_history(const Tensor& t, const Ref<Node>& node);
/// After an in-place op recorded as `node`: `t` (and the base it views) now come from it.
void rebase_history(const Tensor& t, const Ref<Node>& node);
/// Throws where PyTorch forbids an in-place write (a leaf that requires grad, a view of one, ...).
void check_in_place(const Tensor& t, const char* op);
/// Raised when a released graph is walked again.
[[noreturn]] void fail_released(const std::string& name);

}  // namespace bolide
