// Recording: the registry's lists, the boxed door, and how a call becomes a node.
#include <algorithm>
#include <bit>

#include "autograd/call.h"
#include "autograd/meta.h"
#include "bolide/ops.h"

namespace bolide {

thread_local State t_state;

namespace {
std::vector<OpInfo*>& list() {
  static std::vector<OpInfo*> ops;
  return ops;
}
}  // namespace

const std::vector<OpInfo*>& all_ops() { return list(); }
void register_op(OpInfo* op) {
  for (int i = 0; i < op->schema.count; ++i) {
    const ArgType t = op->schema.args[static_cast<size_t>(i)].type;
    if (t == ArgType::Tensor || t == ArgType::OptTensor || t == ArgType::Operand) op->tensor_args |= 1u << i;
    if (t == ArgType::TensorList || t == ArgType::OptTensorList) op->list_args |= 1u << i;
  }
  list().push_back(op);
}
std::vector<const OpInfo*> find_ops(std::string_view name) {
  std::vector<const OpInfo*> found;
  for (const OpInfo* op : list())
    if (op->schema.name == name) found.push_back(op);
  return found;
}
const OpInfo& find_op(std::string_view full_name) {
  for (const OpInfo* op : list())
    if (op->schema.full_name == full_name) return *op;
  fail<NotImplementedError>("no op '", full_name, "' is built");
}
std::string node_name_of(std::string_view op) {
  while (!op.empty() && op.back() == '_') op.remove_suffix(1);
  std::string s;
  bool upper = true;
  for (char c : op) {
    if (c == '_') { upper = true; continue; }
    s += upper ? static_cast<char>(std::toupper(c)) : c;
    upper = false;
  }
  return s + "Backward0";
}

bool any_requires_grad(const OpInfo& op, const Value* args) {
  for (uint32_t left = op.tensor_args | op.list_args; left; left &= left - 1) {
    const Value& v = args[std::countr_zero(left)];
    if (v.tag == Value::Tag::Tensor && v.t->requires_grad()) return true;
    if (v.tag == Value::Tag::TensorList && detail::requires_grad(v.tensors())) return true;
  }
  return false;
}

void store_out(const OpInfo& op, Result& r, Out out) {
  BOLIDE_CHECK(r.all().size() <= out.count, op.name(), "(): out= has ", out.count, " tensor(s), but the result has ", r.all().size());
  for (Tensor& t : r.all()) {
    if (!t.defined()) continue;
    const Tensor& target = *out.tensor++;
    BOLIDE_CHECK(can_cast(t.dtype(), target.dtype()), "result type ", legacy_name(t.dtype()),
                 " can't be cast to the desired output type ", legacy_name(target.dtype()));
    if (!(target.sizes() == t.sizes())) {
      BOLIDE_CHECK(!out.in_place, "output with shape ", target.sizes(), " doesn't match the broadcast shape ", t.sizes());
      resize_(target, t.sizes());
    }
    copy_(target, t);
    t = target;
  }
}

namespace {

void save_outputs(OpNode& n, std::span<Tensor> outs) {
  for (int k = 0; k < n.op.saved.count; ++k) {
    const SaveSpec& s = n.op.saved.specs[static_cast<size_t>(k)];
    if (s.what != SaveSpec::Output) continue;
    const Tensor& t = outs[static_cast<size_t>(s.index)];
    if (t.defined()) n.saved[k].save(t, true, static_cast<uint32_t>(s.index));
  }
}

bool is_argument(const OpInfo& op, const Value* args, const Tensor& t) {
  for (int i = 0; i < op.schema.count; ++i)
    if (args[i].tag == Value::Tag::Tensor && args[i].t == t.impl()) return true;
  return false;
}

/// A result as the user gets it: a view only where the op is one, and no trace of the scope it was made in.
void settle(const OpInfo& op, const Value* args, const Tensor& t, bool one_of_several) {
  if (!t->base) return;
  uint16_t origin = 0;
  if (op.kind != Kind::View) {
    t->base = {};
    t->flags &= static_cast<uint16_t>(~TensorImpl::kIsView);
  } else {
    if (args[0].tag == Value::Tag::Tensor) origin = args[0].t->flags & TensorImpl::kViewOrigin;
    if (one_of_several) origin |= TensorImpl::kMultiView;
  }
  t->flags = static_cast<uint16_t>((t->flags & ~TensorImpl::kViewOrigin) | origin);
}

void record_results(const OpInfo& op, const Value* args, Result& r) {
  std::span<Tensor> outs = r.all();
  OpNode* node = OpNode::make(op, args, static_cast<uint32_t>(outs.size()));
  const Ref<Node> owner = Ref<Node>::adopt(node);
  for (uint32_t i = 0; i < outs.size(); ++i) {
    const Tensor& t = outs[i];
    if (!t.defined()) continue;
    node->outputs_[i] = TensorMeta::of(t);
    const bool has_gradient = i >= 32 || (op.gradient_outputs >> i & 1);
    if (!is_differentiable(t.dtype()) || !has_gradient || is_argument(op, args, t)) continue;
    settle(op, args, t, r.kind == Result::Kind::List);
    set_history(t, owner, i);
  }
  save_outputs(*node, outs);
}

/// The written value as it was, with the history it had, where backward wants it.
Tensor value_before(const OpInfo& op, const Value* args, const Tensor& self) {
  const auto specs = std::span(op.saved.specs).first(static_cast<size_t>(op.saved.count));
  const auto wants_self = [&](const SaveSpec& s) {
    if (s.what != SaveSpec::In || s.index != 0) return false;
    return s.needed_by < 0 || (args[s.needed_by].tag == Value::Tag::Tensor && args[s.needed_by].t->requires_grad());
  };
  if (std::none_of(specs.begin(), specs.end(), wants_self)) return {};
  Tensor before;
  {
    Below quiet;
    before = clone(self);
  }
  Edge e = gradient_edge(self);
  if (e.node) set_history(before, std::move(e.node), e.slot);
  return before;
}

Result record_in_place(const OpInfo& op, const Value* args, Out out) {
  const Tensor self(args[0].t);
  check_in_place(self);
  Ref<Node> owner;
  OpNode* node = nullptr;
  if (op.differentiable) {
    const Tensor before = value_before(op, args, self);
    node = OpNode::make(op, args, 1, before.defined() ? &before : nullptr);
    owner = Ref<Node>::adopt(node);
  }
  Result r;
  {
    Below below;
    op.invoke(op, args, out, r);
  }
  self->bump();
  if (!node) return r;
  node->outputs_[0] = TensorMeta::of(self);
  rebase_history(self, owner);
  std::array<Tensor, 1> outs{self};
  save_outputs(*node, outs);
  return r;
}

void check_no_grad(const OpInfo& op, const Value* args) {
  for (int i = 0; i < op.schema.count; ++i)
    if ((op.no_grad >> i & 1) && args[i].tag == Value::Tag::Tensor)
      BOLIDE_CHECK(!args[i].tensor().requires_grad(), "The function '", op.name(), "' is not differentiable with respect to argument '",
                   op.schema.args[static_cast<size_t>(i)].name, "'. This input cannot have requires_grad True.");
}

Result record(const OpInfo& op, const Value* args, Out out) {
  if (op.no_grad) [[unlikely]] check_no_grad(op, args);
  if (op.in_place || out.in_place) return record_in_place(op, args, out);
  Result r;
  {
    Below below;
    op.invoke(op, args, out, r);
  }
  if (op.differentiable) record_results(op, args, r);
  return r;
}

}  // namespace

Result call_boxed(const OpInfo& op, const Value* args, Out out) {
  State& s = state();
  const bool needs = s.grad && any_requires_grad(op, args);
  BOLIDE_CHECK(!needs || !out.tensor || out.in_place, op.name(),
               "(): functions with out=... arguments don't support automatic differentiation, but one of the arguments "
               "requires grad.");
  const bool in_place = op.in_place || out.in_place;
  BOLIDE_CHECK_AS(TypeError, !in_place || args[0].tag == Value::Tag::Tensor, op.name(), "_(): the first argument must be a Tensor");
  if (in_place && args[0].t->has(TensorImpl::kInference) && !s.inference)
    fail("Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal "
         "tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details.");
  if (needs && op.kind != Kind::Composed) return record(op, args, out);
  Result r;
  op.invoke(op, args, out, r);
  if (op.in_place) args[0].t->bump();
  else if (out.tensor && op.kind != Kind::Composed) out.tensor->impl()->bump();
  return r;
}

}  // namespace bolide
