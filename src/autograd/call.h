// Call: what a backward function sees of the recorded call. Grads: what it returns. OpNode: the one node of all ops.
#pragma once
#include "autograd/saved.h"

namespace bolide {

/// Gradients of the op's arguments by schema position; of a tensor list by `list`. Undefined means none.
struct Grads {
  std::array<Tensor, 6> of;
  std::vector<Tensor> list;
  Grads() = default;
  template <class... T>
  Grads(Tensor first, T... rest) : of{std::move(first), Tensor(std::move(rest))...} {}
  static Grads of_list(std::vector<Tensor> l) { Grads g; g.list = std::move(l); return g; }
};

/// One recorded call of an op, in one block of memory: behind the node stand its edges, the outputs' metas, the
/// arguments, what is saved, and copies of the arguments' lists and texts.
struct OpNode final : Node {
  const OpInfo& op;
  Value* args = nullptr;           // numbers, lists (owned copies); of tensors only their presence
  SavedTensor* saved = nullptr;    // one for each entry of op.saved; of lists, one for each element, behind these
  TensorMeta* metas = nullptr;     // of tensor arguments without an edge, and of all elements of lists
  int8_t* meta_args = nullptr;     // the argument of each meta
  uint32_t saved_count = 0, meta_count = 0;
  bool released = false;

  /// The node of the call, with one reference; `self_before` stands for the written argument of an in-place op where
  /// that is saved.
  static OpNode* make(const OpInfo& op, const Value* args, uint32_t outputs, const Tensor* self_before = nullptr);
  explicit OpNode(const OpInfo& o) : op(o) {}
  ~OpNode() override;
  const char* name() const override { return op.node_name.c_str(); }
  void apply(std::span<Tensor> grads, std::span<Tensor> result, Wanted wanted) override;
  void release() override;
  /// The edge of an argument (of a list's first element).
  uint32_t edge_of(int arg) const;
  const SavedTensor* find_saved(SaveSpec::What what, int index) const;
  std::span<const SavedTensor> saved_list(int arg) const;
};

class Call {
 public:
  Call(OpNode& n, Wanted wanted) : n_(n), wanted_(wanted) {}
  /// Saved input or output; an error names the op when it was modified since.
  Tensor in(int arg) const { return unpack(SaveSpec::In, arg); }
  Tensor out(int index = 0) const { return unpack(SaveSpec::Output, index); }
  /// Element of a saved list argument.
  Tensor element(int arg, int i) const;
  /// An Operand argument: the saved tensor, or the number.
  bool is_tensor(int arg) const { return n_.args[arg].tag == Value::Tag::Tensor; }
  bool has(int arg) const { return !n_.args[arg].none(); }
  bool has_tensor(int arg) const { return n_.args[arg].tag == Value::Tag::Tensor; }
  Scalar number(int arg) const { return n_.args[arg].scalar(); }
  int64_t integer(int arg) const { return n_.args[arg].i; }
  double real(int arg) const { return n_.args[arg].number(); }
  bool flag(int arg) const { return n_.args[arg].i != 0; }
  IntList ints(int arg) const { return n_.args[arg].ints(); }
  Str text(int arg) const { return Unbox<Str>::from(n_.args[arg]); }
  template <class T> T value(int arg) const { return Unbox<T>::from(n_.args[arg]); }
  /// Sizes and dtype of any tensor argument, saved or not (of a list, one element's).
  const TensorMeta& meta(int arg, int element = 0) const;
  const Dims& sizes(int arg = 0) const { return meta(arg).sizes; }
  const TensorMeta& out_meta(int i = 0) const { return n_.outputs_[i]; }
  int list_size(int arg) const { return static_cast<int>(n_.args[arg].n); }
  /// Whether the gradient of argument `arg` (element of a list) is wanted.
  bool needs(int arg, int element = 0) const;

 private:
  Tensor unpack(SaveSpec::What what, int index) const;
  OpNode& n_;
  Wanted wanted_;
};

}  // namespace bolide
