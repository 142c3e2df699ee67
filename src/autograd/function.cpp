// User-defined functions in C++: the node behind autograd::Function, its context; saved-tensor hooks for C++.
#include <cxxabi.h>

#include <algorithm>
#include <mutex>
#include <typeindex>
#include <unordered_map>

#include "autograd/engine.h"
#include "autograd/meta.h"
#include "autograd/saved.h"
#include "bolide/ops.h"

namespace bolide::autograd {

namespace {

/// "ScaleBackward" for a function type named Scale, whatever its namespace.
const char* node_name(const std::type_info& type) {
  static std::mutex mutex;
  static std::unordered_map<std::type_index, std::string> names;
  const std::lock_guard lock(mutex);
  std::string& name = names[type];
  if (!name.empty()) return name.c_str();
  int status = 0;
  char* text = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  name = status == 0 ? text : type.name();
  std::free(text);
  if (const size_t colon = name.rfind("::"); colon != name.npos && name.find('<') == name.npos) name.erase(0, colon + 2);
  name += "Backward";
  return name.c_str();
}

}  // namespace

struct FunctionNode final : Node {
  const char* label;
  AutogradContext context;
  variable_list (*back)(AutogradContext*, variable_list);
  size_t arguments;                // of forward
  std::vector<size_t> positions;   // of its tensors among them
  std::vector<SavedTensor> saved;
  std::vector<uint8_t> wanted_now; // during backward
  bool released = false;

  FunctionNode(const char* l, size_t n, std::vector<size_t> p, variable_list (*b)(AutogradContext*, variable_list))
      : label(l), back(b), arguments(n), positions(std::move(p)) {
    context.node_ = this;
  }
  const char* name() const override { return label; }
  bool wants_zeros() const override { return true; }
  void release() override {
    released = !saved.empty();
    saved.clear();
  }

  void apply(std::span<Tensor> grads, std::span<Tensor> result, Wanted wanted) override {
    variable_list in(std::make_move_iterator(grads.begin()), std::make_move_iterator(grads.end()));
    for (size_t i = 0; i < in.size(); ++i)
      if (!in[i].defined() && context.materialize_) in[i] = zeros(outputs_[i].sizes, outputs_[i].dtype, outputs_[i].device);
    if (wanted) wanted_now.assign(wanted, wanted + next_count);
    else wanted_now.clear();
    variable_list out = back(&context, std::move(in));
    while (out.size() > arguments && !out.back().defined()) out.pop_back();
    BOLIDE_CHECK(out.size() == arguments, "function ", label, " returned an incorrect number of gradients (expected ", arguments, ", got ",
                 out.size(), ")");
    for (size_t i = 0; i < arguments; ++i) {
      const auto at = std::find(positions.begin(), positions.end(), i);
      if (at != positions.end()) result[static_cast<size_t>(at - positions.begin())] = std::move(out[i]);
      else BOLIDE_CHECK(!out[i].defined(), "function ", label, " returned a gradient different than None at position ", i + 1,
                        ", but the corresponding forward input was not a Variable");
    }
  }

  variable_list unpack() {
    if (released) fail_released(label);
    variable_list all;
    for (const SavedTensor& s : saved) all.push_back(s.empty() ? Tensor() : s.unpack(*this));
    return all;
  }
  /// Describes the outputs, gives them their history, keeps what forward saved.
  void finish(const variable_list& inputs, variable_list& outputs);
  void settle(const variable_list& inputs, Tensor& t, uint32_t slot);
  void save(const variable_list& outputs);
  static bool holds(const variable_list& list, const Tensor& t) {
    return std::any_of(list.begin(), list.end(), [&](const Tensor& x) { return x.is_same(t); });
  }
};

variable_list AutogradContext::get_saved_variables() const { return node_->unpack(); }
bool AutogradContext::needs_input_grad(size_t i) const {
  BOLIDE_CHECK_AS(IndexError, i < node_->next_count, "needs_input_grad: forward has ", node_->next_count, " tensor arguments, not ", i + 1);
  return node_->next_[i].node && (node_->wanted_now.empty() || node_->wanted_now[i]);
}

void FunctionNode::settle(const variable_list& inputs, Tensor& t, uint32_t slot) {
  if (!t.defined()) return;
  outputs_[slot] = TensorMeta::of(t);
  if (holds(context.constant_, t) || !is_differentiable(t.dtype())) return;
  const Ref<Node> self(this);
  if (holds(context.dirty_, t)) {
    check_in_place(t);
    t->bump();
    const auto at = std::find_if(inputs.begin(), inputs.end(), [&](const Tensor& i) { return i.is_same(t); }) - inputs.begin();
    rebase_history(t, self, slot, static_cast<uint32_t>(at));
    return;
  }
  if (holds(inputs, t)) t = t.view_as_layout(t.sizes(), t.strides(), t.storage_offset());  // an input as it is: a view
  set_history(t, self, slot);
  if (t->base) t->flags = static_cast<uint16_t>((t->flags & ~TensorImpl::kViewOrigin) | TensorImpl::kFunctionView);
}

void FunctionNode::finish(const variable_list& inputs, variable_list& outputs) {
  for (const Tensor& t : context.dirty_)
    BOLIDE_CHECK(holds(outputs, t), "Some elements marked as dirty during the forward method were not returned as output. The inputs that "
                 "are modified inplace must all be outputs of the Function.");
  const std::vector<TensorMeta> none(outputs.size());
  set_outputs(none);
  for (uint32_t i = 0; i < outputs.size(); ++i) settle(inputs, outputs[i], i);
  save(outputs);
}

void FunctionNode::save(const variable_list& outputs) {
  saved.resize(context.to_save_.size());
  for (size_t i = 0; i < saved.size(); ++i) {
    const Tensor& t = context.to_save_[i];
    if (!t.defined()) continue;
    const auto at = std::find_if(outputs.begin(), outputs.end(), [&](const Tensor& o) { return o.defined() && o.is_same(t); });
    saved[i].save(t, at != outputs.end(), static_cast<uint32_t>(at - outputs.begin()));
  }
  context.to_save_.clear(), context.dirty_.clear(), context.constant_.clear();
}

namespace detail {

variable_list apply_function(const std::type_info& type, size_t arguments, variable_list variables, std::vector<size_t> positions,
                             const std::function<variable_list(AutogradContext*)>& forward,
                             variable_list (*backward)(AutogradContext*, variable_list)) {
  auto* node = make_node<FunctionNode>(node_name(type), arguments, std::move(positions), backward);
  const Ref<Node> owner(node);
  bool needs = false;
  std::vector<Edge> edges;
  for (const Tensor& t : variables) {
    const bool one = grad_enabled() && t.defined() && t.requires_grad();
    edges.push_back(one ? gradient_edge(t) : Edge{});
    needs |= one;
  }
  node->set_next(edges);
  variable_list outputs;
  {
    NoGrad off;
    outputs = forward(&node->context);
  }
  if (needs) node->finish(variables, outputs);
  return outputs;
}

}  // namespace detail

// ---- saved-tensor hooks --------------------------------------------------------------------------

namespace {
struct NativeHooks final : SavedTensorHooks {
  std::function<std::any(const Tensor&)> pack_;
  std::function<Tensor(const std::any&)> unpack_;
  std::shared_ptr<void> pack(const Tensor& t) override { return std::make_shared<std::any>(pack_(t)); }
  Tensor unpack(const std::shared_ptr<void>& p) override { return unpack_(*static_cast<const std::any*>(p.get())); }
};
}  // namespace

SavedTensorsHooks::SavedTensorsHooks(std::function<std::any(const Tensor&)> pack, std::function<Tensor(const std::any&)> unpack) {
  auto h = std::make_shared<NativeHooks>();
  h->pack_ = std::move(pack), h->unpack_ = std::move(unpack);
  push_saved_hooks(std::move(h));
}
SavedTensorsHooks::~SavedTensorsHooks() { pop_saved_hooks(); }

}  // namespace bolide::autograd
