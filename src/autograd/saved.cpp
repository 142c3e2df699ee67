// Saved tensors: keeping, checking, unpacking; the thread's stack of pack and unpack hooks.
#include "autograd/saved.h"

#include "autograd/meta.h"
#include "bolide/ops.h"

namespace bolide {

// ---- the thread's hooks ------------------------------------------------------------------------

namespace {
struct HookStack {
  std::vector<std::shared_ptr<SavedTensorHooks>> hooks;
  std::optional<std::string> disabled;
  void refresh() {
    if (hooks.empty()) state().modes &= ~static_cast<uint32_t>(State::kSavedHooks);
    else state().modes |= State::kSavedHooks;
  }
};
HookStack& stack() {
  thread_local HookStack s;
  return s;
}
}  // namespace

void push_saved_hooks(std::shared_ptr<SavedTensorHooks> hooks) {
  if (stack().disabled) fail(*stack().disabled);
  stack().hooks.push_back(std::move(hooks));
  stack().refresh();
}
void pop_saved_hooks() {
  BOLIDE_CHECK(!stack().hooks.empty(), "no saved tensor hooks are in force");
  stack().hooks.pop_back();
  stack().refresh();
}
std::shared_ptr<SavedTensorHooks> top_saved_hooks() {
  return stack().hooks.empty() ? nullptr : stack().hooks.back();
}
std::optional<std::string> saved_hooks_disabled() { return stack().disabled; }
std::optional<std::string> disable_saved_hooks(std::optional<std::string> message) {
  if (message && !stack().hooks.empty()) fail(*message);
  return std::exchange(stack().disabled, std::move(message));
}

// ---- one value ---------------------------------------------------------------------------------

struct SavedTensor::Packed {
  std::shared_ptr<SavedTensorHooks> hooks;
  std::shared_ptr<void> data;
  Edge edge;            // of an input: where its gradient goes
};

void SavedTensor::swap(SavedTensor& o) noexcept {
  std::swap(tensor_, o.tensor_), std::swap(packed_, o.packed_), std::swap(version_, o.version_);
  std::swap(slot_, o.slot_), std::swap(is_output_, o.is_output_);
}
void SavedTensor::reset() {
  tensor_ = {};
  delete std::exchange(packed_, nullptr);
}
const std::shared_ptr<void>& SavedTensor::packed_data() const { return packed_->data; }

void SavedTensor::save(const Tensor& t, bool is_output, uint32_t slot) {
  if (t->has(TensorImpl::kInference)) [[unlikely]]
    fail("Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in computation "
         "tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it in autograd, or use "
         "`torch.no_grad()` instead of `torch.inference_mode()`.");
  version_ = t.version();
  slot_ = static_cast<uint16_t>(slot);
  is_output_ = is_output;
  if (state().modes & State::kSavedHooks) [[unlikely]] {
    pack(top_saved_hooks(), is_output ? t.alias() : t);  // an output with its history would close a cycle
    return;
  }
  tensor_ = is_output ? t.alias() : t;
}

void SavedTensor::pack(std::shared_ptr<SavedTensorHooks> hooks, const Tensor& t) {
  auto p = std::make_unique<Packed>();
  if (!is_output_) p->edge = gradient_edge(t);
  p->hooks = std::move(hooks);
  const uint32_t before = t.version();
  {
    NoGrad off;
    p->data = p->hooks->pack(t);
  }
  BOLIDE_CHECK(t.version() == before, "A saved tensor pack hook is modifying its input in place. Tensors provided as input to "
               "pack hook can not be modified by in-place operations as this can lead to unexpected side-effects. Please open an "
               "issue if you need to perform in-place operations on the input to a pack hook.");
  packed_ = p.release();
}

void SavedTensor::set_hooks(std::shared_ptr<SavedTensorHooks> hooks) {
  BOLIDE_CHECK(!packed_, "Calling register_hooks on a saved tensor with hooks already registered is forbidden.");
  const Tensor t = std::move(tensor_);
  tensor_ = {};
  try {
    pack(std::move(hooks), t);
  } catch (...) {
    tensor_ = t;
    throw;
  }
}

Tensor SavedTensor::with_history(Tensor t, Node& owner) const {
  if (!is_differentiable(t.dtype())) return t;
  Edge e = is_output_ ? Edge{Ref<Node>(&owner), slot_} : packed_->edge;
  if (!e.node) return t;
  set_history(t, std::move(e.node), e.slot);
  return t;
}

Tensor SavedTensor::unpack(Node& owner, const Edge* made_by, bool history) const {
  if (packed_) [[unlikely]] {
    Tensor t = packed_->hooks->unpack(packed_->data);
    return with_history(t.alias(), owner);
  }
  if (tensor_.version() != version_) [[unlikely]] fail_modified(owner, made_by);
  if (!is_output_ || !history) return tensor_;
  return with_history(tensor_.alias(), owner);
}

void SavedTensor::fail_modified(Node& owner, const Edge* made_by) const {
  const Ref<Node> now = is_output_ ? Ref<Node>(&owner) : tensor_.grad_fn();
  std::string maker = now ? now->name() : "";
  maker.resize(std::min(maker.size(), maker.rfind("Backward")));
  const uint32_t slot = is_output_ ? slot_ : tensor_->autograd ? tensor_->autograd->slot : 0;
  const Node* first = is_output_ ? &owner : made_by && made_by->node ? made_by->node.get() : nullptr;
  const Site made = first ? first->site : Site{}, changed{tensor_.storage()->writer, tensor_.storage()->writer_at};
  std::string where;
  if (made && describe_site) where += str(" The value was made at ", describe_site(made));
  if (changed && describe_site) where += str(made ? " and" : " The value was", " changed in place at ", describe_site(changed));
  if (!where.empty()) where += ".";
  fail("one of the variables needed for gradient computation has been modified by an inplace operation: [torch.",
       tensor_.device().is_cuda() ? "cuda." : "", legacy_name(tensor_.dtype()), "Tensor ", tensor_.sizes(), "]",
       maker.empty() ? std::string() : str(", which is output ", slot, " of ", maker, ","), " is at version ", tensor_.version(),
       "; expected version ", version_, " instead. ",
       anomaly_enabled() ? "Hint: the backtrace further above shows the operation that failed to compute its gradient. The variable in "
                           "question was changed in there or anywhere later. Good luck!"
                         : "Hint: enable anomaly detection to find the operation that failed to compute its gradient, with "
                           "torch.autograd.set_detect_anomaly(True, check_nan=False).",
       where);
}

}  // namespace bolide
