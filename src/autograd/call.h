// Call: what a backward function sees of the recorded call. Grads: what it returns. OpNode: the one node of all ops.
#pragma once
#include "autograd/node.h"

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

struct SavedTensor {
  Tensor tensor;
  uint32_t version = 0;
  bool is_output = false;
  uint32_t slot = 0;
  bool saved = false;
};

struct OpNode final : Node {
  const OpInfo& op;
  int arg_count;
  std::unique_ptr<Value[]> args;          // numbers, lists (owned copies); tensors only as presence
  std::unique_ptr<SavedTensor[]> saved;   // one for each entry of op.saved
  std::vector<SavedTensor> lists;         // elements of saved list arguments
  std::vector<int8_t> edge_of;            // schema argument of each entry of `next`
  std::vector<TensorMeta> inputs;         // of each entry of `next`
  std::vector<std::pair<int8_t, TensorMeta>> metas;  // argument -> meta of every tensor argument
  bool released = false;

  OpNode(const OpInfo& op, const Value* args);
  ~OpNode() override;
  std::string name() const override { return op.node_name; }
  void apply(std::span<const Tensor> grads, std::vector<Tensor>& result) override;
  void release() override;
  bool wants_zeros() const override { return false; }
};

class Call {
 public:
  explicit Call(const OpNode& n) : n_(n) {}
  /// Saved input or output; an error names the op when it was modified since.
  Tensor in(int arg) const { return unpack(SaveSpec::In, arg); }
  Tensor out(int index = 0) const { return unpack(SaveSpec::Output, index); }
  /// Element of a saved list argument (one list an op).
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
  /// Sizes and dtype of any tensor argument, saved or not (the first one of a list).
  const TensorMeta& meta(int arg, int element = 0) const;
  const Dims& sizes(int arg = 0) const { return meta(arg).sizes; }
  const TensorMeta& out_meta(int i = 0) const { return n_.outputs[static_cast<size_t>(i)]; }
  int list_size(int arg) const { return static_cast<int>(n_.args[arg].n); }
  /// Whether the gradient of argument `arg` (element of a list) is wanted.
  bool needs(int arg, int element = -1) const;

 private:
  Tensor unpack(SaveSpec::What what, int index) const;
  const OpNode& n_;
};

}  // namespace bolide
