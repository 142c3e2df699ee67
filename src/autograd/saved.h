// SavedTensor: a value kept from forward to backward. It is checked for writes in between, gets back its history, and may
// pass through the user's pack and unpack hooks (moved to disk, quantised, recomputed ...).
#pragma once
#include "autograd/node.h"

namespace bolide {

/// A pair of pack and unpack hooks.
struct SavedTensorHooks {
  virtual ~SavedTensorHooks() = default;
  virtual std::shared_ptr<void> pack(const Tensor& t) = 0;
  virtual Tensor unpack(const std::shared_ptr<void>& packed) = 0;
};

/// The hooks that are in force in this thread, the last one pushed first.
void push_saved_hooks(std::shared_ptr<SavedTensorHooks> hooks);
void pop_saved_hooks();
/// The hooks in force, or none.
std::shared_ptr<SavedTensorHooks> top_saved_hooks();
/// While set, pushing hooks raises this message. Returns the one before.
std::optional<std::string> disable_saved_hooks(std::optional<std::string> message);
std::optional<std::string> saved_hooks_disabled();

class SavedTensor {
 public:
  SavedTensor() = default;
  ~SavedTensor() { reset(); }
  SavedTensor(const SavedTensor&) = delete;
  SavedTensor& operator=(const SavedTensor&) = delete;
  SavedTensor(SavedTensor&& o) noexcept { swap(o); }

  /// Keeps `t`: an input as it is, an output without the history that would close a cycle.
  void save(const Tensor& t, bool is_output = false, uint32_t slot = 0);
  /// The value; `owner` is the node that saved it. An output gets its history back while recording, or when asked for.
  /// Throws when the value was written to since.
  Tensor unpack(Node& owner, const Edge* made_by = nullptr, bool history = state().grad) const;
  void reset();
  bool empty() const { return !tensor_.defined() && !packed_; }
  /// Hooks for this value alone: `pack` is called at once.
  void set_hooks(std::shared_ptr<SavedTensorHooks> hooks);
  bool has_hooks() const { return packed_; }
  const std::shared_ptr<void>& packed_data() const;
  const Tensor& raw() const { return tensor_; }

 private:
  struct Packed;
  [[noreturn]] void fail_modified(Node& owner, const Edge* made_by) const;
  Tensor with_history(Tensor t, Node& owner) const;
  void pack(std::shared_ptr<SavedTensorHooks> hooks, const Tensor& t);
  void swap(SavedTensor& o) noexcept;
  Tensor tensor_;
  Packed* packed_ = nullptr;
  uint32_t version_ = 0;
  uint16_t slot_ = 0;
  bool is_output_ = false;
};
static_assert(sizeof(SavedTensor) == 24);

}  // namespace bolide
