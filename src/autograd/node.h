// The graph. Site (where in the user's program) | Edge, TensorMeta | Node (one recorded step) and what few nodes carry:
// NodeExtra | AccumulateGrad (the end at a leaf) | CopySlices (a write through a view) | history: how tensors join the
// graph. The node of ops is in call.h, the walk over the graph in engine.cpp.
#pragma once
#include <functional>
#include <memory>

#include "bolide/autograd.h"
#include "core/registry.h"

namespace bolide {

/// A place in the user's program, cheap to take and turned into text only for an error. Python's: a code object and a
/// position within it.
struct Site {
  const void* code = nullptr;
  int32_t at = 0;
  explicit operator bool() const { return code; }
};
/// Set by the Python front end: the line that is running, and "file.py:3 in f" for a Site.
extern Site (*caller_site)();
extern std::string (*describe_site)(Site);
/// The site that a step recorded now belongs to: the caller's line, or within backward that of the step being run.
Site current_site();

struct Node;
struct Edge {
  Ref<Node> node;
  uint32_t slot = 0;  // which of the node's outputs (that is, of the gradients it receives)
};

/// What the engine needs to know of a value to judge its gradient.
struct TensorMeta {
  Dims sizes;
  DType dtype = DType::Float32;
  Device device;
  static TensorMeta of(const Tensor& t) { return {t.sizes(), t.dtype(), t.device()}; }
};

// Hooks. A tensor hook may replace the gradient, which is undefined where none arrived; pre hooks see and may replace all
// gradients that a node receives, post hooks those that it returns (`result`), beside those it received.
struct TensorHook {
  uint64_t id;
  uint32_t slot;
  std::function<void(Tensor&)> call;
};
using PreHook = std::function<void(std::vector<Tensor>& grads)>;
using PostHook = std::function<void(std::vector<Tensor>& result, const std::vector<Tensor>& grads)>;

/// Which of a node's edges this backward wants a gradient for: a flag each, or null for all.
using Wanted = const uint8_t*;

struct NodeExtra {
  std::vector<TensorHook> tensor_hooks;
  std::vector<std::pair<uint32_t, TensorImpl*>> retain;  // retain_grad: slot, and the tensor, which unregisters itself
  std::vector<std::pair<uint64_t, PreHook>> pre;
  std::vector<std::pair<uint64_t, PostHook>> post;
  std::shared_ptr<void> python;    // what the Python front end hangs on the node
};

struct Node {
  std::atomic<uint32_t> refs{0};
  uint32_t hint = 0;                // where the engine's last count put this node; checked, never trusted
  uint64_t sequence;                // later nodes have larger numbers: the engine runs them first
  Edge* next_ = nullptr;            // one for each argument that could need a gradient, empty where none is needed
  TensorMeta* outputs_ = nullptr;   // of the values whose gradients it receives
  uint32_t next_count = 0, output_count = 0;
  NodeExtra* extra_ = nullptr;
  Site site;                        // where the step was recorded
  uint32_t bytes = 0;               // of the memory block, by make_node
  enum Flag : uint8_t { kOwnsArrays = 1, kLeaf = 2, kOrphan = 4 };
  uint8_t flags = 0;

  Node();
  virtual ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  virtual const char* name() const = 0;
  /// Gradients of the outputs (undefined ones mean zero; may be moved from) to `result`, one for each of `next`.
  virtual void apply(std::span<Tensor> grads, std::span<Tensor> result, Wanted wanted) = 0;
  /// Frees what only backward needs; a second backward then raises.
  virtual void release() {}
  /// Whether apply is to be called even when no gradient arrived.
  virtual bool wants_zeros() const { return false; }

  std::span<Edge> next() const { return {next_, next_count}; }
  std::span<TensorMeta> outputs() const { return {outputs_, output_count}; }
  NodeExtra& extra() { return extra_ ? *extra_ : *(extra_ = new NodeExtra); }
  /// Room for edges or outputs, for nodes that do not place them in their own block.
  void set_next(std::span<Edge> edges);
  void set_outputs(std::span<const TensorMeta> metas);
  static void destroy(Node* n);

 private:
  static void drain(Node* first);
};
static_assert(sizeof(Node) == 80);

/// Makes a node in one block of memory, with `room` bytes behind it.
template <class T, class... A>
T* make_node_with(size_t room, A&&... args);
template <class T, class... A>
T* make_node(A&&... args) { return make_node_with<T>(0, std::forward<A>(args)...); }

/// The end of the line: adds to a leaf's .grad. The leaf owns the node; while anything refers to the node, the node
/// keeps the leaf alive. So it is made once, and its identity lasts as long as the leaf.
struct AccumulateGrad final : Node {
  TensorImpl* variable;
  explicit AccumulateGrad(TensorImpl* v);
  const char* name() const override { return "AccumulateGrad"; }
  void apply(std::span<Tensor> grads, std::span<Tensor> result, Wanted wanted) override;

 private:
  std::atomic_flag busy_;
  TensorMeta meta_;
  friend Edge leaf_edge(TensorImpl*);
};

/// A write through a view: replaces that part of the base's gradient by what `fn` makes of it.
struct CopySlices final : Node {
  Ref<Node> fn;
  uint32_t self_edge;  // which of fn's edges is the written view
  TensorMeta base, part;
  Dims base_strides, part_strides;
  int64_t offset;      // of the part: in its own elements, from the base's start
  CopySlices(const Tensor& view, Ref<Node> fn, uint32_t self_edge);
  const char* name() const override { return "CopySlices"; }
  void apply(std::span<Tensor> grads, std::span<Tensor> result, Wanted wanted) override;
  void release() override;
};

// ---- history -----------------------------------------------------------------------------------

/// For a non-leaf its grad_fn and output number; for a leaf that requires grad its accumulator; else empty.
Edge gradient_edge(const Tensor& t);
/// Makes `t` output `slot` of `node`, whose outputs are already described.
void set_history(const Tensor& t, Ref<Node> node, uint32_t slot);
/// After an in-place write recorded as `node`: `t`, and the base it views, now come from it.
void rebase_history(const Tensor& t, Ref<Node> node, uint32_t slot = 0, uint32_t self_edge = 0);
/// Throws where PyTorch forbids a recorded in-place write (a leaf that requires grad, a view of one, ...).
void check_in_place(const Tensor& t);
/// The part of `base` (of a base's geometry, contiguous or not) that `view` is of its own base, recorded.
Tensor part_like(const Tensor& base, const TensorImpl& view);
/// Forgets what is known of a leaf's layout or dtype, after `t.data = ...`.
void layout_changed(TensorImpl* t);
/// Raised when a released graph is walked again.
[[noreturn]] void fail_released(const char* name);
/// Whether every element stands at its own place and no memory lies between them.
bool is_dense(const Tensor& t);

// ---- implementation ------------------------------------------------------------------------------

void* allocate(size_t bytes);
void deallocate(void* block, size_t bytes) noexcept;

template <class T, class... A>
T* make_node_with(size_t room, A&&... args) {
  const size_t bytes = sizeof(T) + room;
  void* block = allocate(bytes);
  try {
    T* n = new (block) T(std::forward<A>(args)...);
    n->bytes = static_cast<uint32_t>(bytes);
    return n;
  } catch (...) {
    deallocate(block, bytes);
    throw;
  }
}

}  // namespace bolide
