// Recording: the registry's lists, the boxed door, and how a call becomes a node.
#include <unordered_map>

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
bool is_result_differentiable(const Tensor& t) { return t.defined() && is_differentiable(t.dtype()); }
}  // namespace

const std::vector<OpInfo*>& all_ops() { return list(); }
void register_op(OpInfo* op) { list().push_back(op); }
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
  for (int i = 0; i < op.schema.count; ++i) {
    if (args[i].tag == Value::Tag::Tensor && args[i].t->requires_grad()) return true;
    if (args[i].tag == Value::Tag::TensorList && detail::requires_grad(args[i].tensors())) return true;
  }
  return false;
}

void store_out(const OpInfo& op, Result& r, Out out) {
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
  (void)op;
}

OpNode::OpNode(const OpInfo& o, const Value* values) : op(o), arg_count(o.schema.count), args(new Value[o.schema.count]) {
  auto add_input = [&](const Tensor& t, int arg) {
    if (!t.defined()) return;
    metas.emplace_back(static_cast<int8_t>(arg), TensorMeta::of(t));
    if (!t.requires_grad() || !is_differentiable(t.dtype())) return;
    next.push_back(gradient_edge(t));
    edge_of.push_back(static_cast<int8_t>(arg));
    inputs.push_back(metas.back().second);
  };
  for (int i = 0; i < arg_count; ++i) {
    Value v = values[i];
    switch (v.tag) {
      case Value::Tag::Tensor:
        add_input(v.tensor(), i);
        v.t = nullptr;
        break;
      case Value::Tag::TensorList: {
        for (const Tensor& t : v.tensors()) add_input(t, i);
        auto* present = new char[v.n ? v.n : 1];  // which elements have an edge, for Call::needs
        for (uint32_t k = 0; k < v.n; ++k) present[k] = detail::requires_grad(v.tensors()[k]);
        v.p = present;
        break;
      }
      case Value::Tag::IntList: {
        auto* p = new int64_t[v.n ? v.n : 1];
        std::copy(v.ints().begin(), v.ints().end(), p);
        v.p = p;
        break;
      }
      case Value::Tag::DoubleList: {
        auto* p = new double[v.n ? v.n : 1];
        std::copy_n(static_cast<const double*>(v.p), v.n, p);
        v.p = p;
        break;
      }
      case Value::Tag::Str: {
        auto* p = new char[v.n ? v.n : 1];
        std::copy_n(static_cast<const char*>(v.p), v.n, p);
        v.p = p;
        break;
      }
      default: break;
    }
    args[i] = v;
  }
  if (o.saved.count) saved.reset(new SavedTensor[static_cast<size_t>(o.saved.count)]);
}

OpNode::~OpNode() {
  for (int i = 0; i < arg_count; ++i) {
    const Value& v = args[i];
    switch (v.tag) {
      case Value::Tag::TensorList: case Value::Tag::Str: delete[] static_cast<const char*>(v.p); break;
      case Value::Tag::IntList: delete[] static_cast<const int64_t*>(v.p); break;
      case Value::Tag::DoubleList: delete[] static_cast<const double*>(v.p); break;
      default: break;
    }
  }
}

namespace {

bool wanted(const OpNode& n, const SaveSpec& s) {
  return s.needed_by < 0 || std::find(n.edge_of.begin(), n.edge_of.end(), s.needed_by) != n.edge_of.end();
}

void save_inputs(OpNode& n, const Value* args, bool in_place) {
  for (int k = 0; k < n.op.saved.count; ++k) {
    const SaveSpec& s = n.op.saved.specs[static_cast<size_t>(k)];
    if (s.what == SaveSpec::List)
      for (const Tensor& t : args[s.index].tensors()) n.lists.push_back({t, t.defined() ? t.version() : 0, false, 0, true});
    if (s.what != SaveSpec::In || args[s.index].tag != Value::Tag::Tensor || !wanted(n, s)) continue;
    SavedTensor& slot = n.saved[static_cast<size_t>(k)];
    slot.tensor = args[s.index].tensor();
    if (in_place && s.index == 0) {
      // the value before the write, with the history it has now
      Tensor before;
      {
        Below quiet;
        before = clone(slot.tensor);
      }
      const Edge e = gradient_edge(slot.tensor);
      if (e.node && slot.tensor.requires_grad()) {
        before->flags |= TensorImpl::kRequiresGrad;
        AutogradMeta& m = meta_of(before.impl());
        m.grad_fn = e.node, m.slot = e.slot, m.view_version = before.version();
      }
      slot.tensor = before;
    }
    slot.version = slot.tensor.version();
    slot.saved = true;
  }
}

void save_outputs(OpNode& n, std::span<Tensor> outs) {
  for (int k = 0; k < n.op.saved.count; ++k) {
    const SaveSpec& s = n.op.saved.specs[static_cast<size_t>(k)];
    if (s.what != SaveSpec::Output) continue;
    SavedTensor& slot = n.saved[static_cast<size_t>(k)];
    const Tensor& t = outs[static_cast<size_t>(s.index)];
    if (!t.defined()) continue;
    slot.tensor = t.alias();
    slot.is_output = true;
    slot.slot = static_cast<uint32_t>(s.index);
    slot.version = t.version();
    slot.saved = true;
  }
}

void check_no_grad(const OpInfo& op, const Value* args) {
  for (int i = 0; i < op.schema.count; ++i)
    if ((op.no_grad >> i & 1) && args[i].tag == Value::Tag::Tensor)
      BOLIDE_CHECK(!args[i].tensor().requires_grad(), "The function '", op.name(), "' is not differentiable with respect to argument '",
                   op.schema.args[static_cast<size_t>(i)].name, "'. This input cannot have requires_grad True.");
}

Result record(const OpInfo& op, const Value* args, Out out) {
  if (op.no_grad) check_no_grad(op, args);
  const bool in_place = op.in_place || out.in_place;
  if (in_place) check_in_place(args[0].tensor(), op.name().data());
  Ref<Node> owner;
  OpNode* node = nullptr;
  if (op.differentiable) {
    node = new OpNode(op, args);
    owner = Ref<Node>(node);
    save_inputs(*node, args, in_place);
  }
  Result r;
  {
    Below below;
    op.invoke(op, args, out, r);
  }
  if (in_place) args[0].t->bump();
  if (!node || node->next.empty()) return r;
  if (in_place) {
    const Tensor self(args[0].t);
    node->outputs.push_back(TensorMeta::of(self));
    std::array<Tensor, 1> outs{self};
    save_outputs(*node, outs);
    rebase_history(self, owner);
    return r;
  }
  std::span<Tensor> outs = r.all();
  node->outputs.reserve(outs.size());
  for (Tensor& t : outs) node->outputs.push_back(t.defined() ? TensorMeta::of(t) : TensorMeta{});
  uint32_t slot = 0;
  for (Tensor& t : outs) {
    if (is_result_differentiable(t)) {
      t->flags |= TensorImpl::kRequiresGrad;
      AutogradMeta& m = meta_of(t.impl());
      m.grad_fn = owner, m.slot = slot, m.view_version = t.version();
    }
    ++slot;
  }
  save_outputs(*node, outs);
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
  if (in_place && args[0].t->has(TensorImpl::kInference) && !(s.modes & State::kInference))
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
