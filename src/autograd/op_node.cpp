// The node of ops: how a call becomes one block of memory, and what its backward function sees.
#include <bit>

#include "autograd/call.h"
#include "bolide/ops.h"

namespace bolide {

namespace {

bool is_tensor_arg(const OpInfo& op, int i) { return op.tensor_args >> i & 1; }
bool is_list_arg(const OpInfo& op, int i) { return op.list_args >> i & 1; }
bool has_own_edge(const Tensor& t) { return t->has(TensorImpl::kRequiresGrad) && is_differentiable(t.dtype()); }

/// Bytes that hold the copy of a list or text behind the node.
size_t payload(const Value& v) {
  switch (v.tag) {
    case Value::Tag::IntList: case Value::Tag::DoubleList: return size_t(v.n) * 8;
    case Value::Tag::Str: return (size_t(v.n) + 7) & ~size_t(7);
    default: return 0;
  }
}

struct Counts {
  uint32_t edges = 0, metas = 0, saved = 0;
  size_t payload = 0;
  Counts(const OpInfo& op, const Value* args) : saved(static_cast<uint32_t>(op.saved.count)) {
    for (int i = 0; i < op.schema.count; ++i) {
      const Value& v = args[i];
      if (is_tensor_arg(op, i)) {
        ++edges;
        metas += v.tag == Value::Tag::Tensor && !has_own_edge(v.tensor());
      } else if (is_list_arg(op, i)) {
        edges += static_cast<uint32_t>(v.tensors().size());
        for (const Tensor& t : v.tensors()) metas += t.defined();
      } else {
        payload += bolide::payload(v);
      }
    }
    for (int k = 0; k < op.saved.count; ++k) {
      const SaveSpec& s = op.saved.specs[static_cast<size_t>(k)];
      if (s.what == SaveSpec::List) saved += static_cast<uint32_t>(args[s.index].tensors().size());
    }
  }
};

/// Hands out the room behind the node piece by piece.
struct Carver {
  char* at;
  template <class T>
  T* take(size_t n) {
    T* p = reinterpret_cast<T*>(at);
    at += n * sizeof(T);
    for (size_t i = 0; i < n; ++i) new (p + i) T();
    return p;
  }
  const void* copy(const Value& v) {
    const size_t n = payload(v);
    char* p = at;
    at += n;
    if (v.n) std::memcpy(p, v.p, v.tag == Value::Tag::Str ? v.n : n);
    return p;
  }
};

void add_edge(OpNode& n, const Tensor& t, uint32_t edge) {
  if (t.defined() && t.requires_grad() && is_differentiable(t.dtype())) n.next_[edge] = gradient_edge(t);
}
void add_meta(OpNode& n, const Tensor& t, int arg) {
  n.metas[n.meta_count] = TensorMeta::of(t);
  n.meta_args[n.meta_count++] = static_cast<int8_t>(arg);
}

void take_arguments(OpNode& n, const Value* args, Carver& room) {
  uint32_t edge = 0;
  for (int i = 0; i < n.op.schema.count; ++i) {
    Value& v = n.args[i] = args[i];
    if (is_tensor_arg(n.op, i)) {
      if (v.tag == Value::Tag::Tensor) {
        add_edge(n, v.tensor(), edge);
        if (!has_own_edge(v.tensor())) add_meta(n, v.tensor(), i);
        v.t = nullptr;
      }
      ++edge;
    } else if (is_list_arg(n.op, i)) {
      for (const Tensor& t : args[i].tensors()) {
        add_edge(n, t, edge++);
        if (t.defined()) add_meta(n, t, i);
      }
      v = Value::of(v.tag, nullptr, args[i].tensors().size());
    } else if (payload(v)) {
      v.p = room.copy(v);
    }
  }
}

/// Whether a gradient is wanted that needs this value.
bool is_needed(const OpNode& n, const SaveSpec& s) {
  return s.needed_by < 0 || n.next_[n.edge_of(s.needed_by)].node;
}

void save_inputs(OpNode& n, const Value* args, const Tensor* self_before) {
  SavedTensor* element = n.saved + n.op.saved.count;
  for (int k = 0; k < n.op.saved.count; ++k) {
    const SaveSpec& s = n.op.saved.specs[static_cast<size_t>(k)];
    const Value& v = args[s.index];
    if (s.what == SaveSpec::List) {
      for (const Tensor& t : v.tensors()) {
        if (t.defined()) element->save(t);
        ++element;
      }
    } else if (s.what == SaveSpec::In && v.tag == Value::Tag::Tensor && is_needed(n, s)) {
      n.saved[k].save(self_before && s.index == 0 ? *self_before : v.tensor());
    }
  }
}

}  // namespace

OpNode* OpNode::make(const OpInfo& op, const Value* args, uint32_t outputs, const Tensor* self_before) {
  const Counts c(op, args);
  const size_t count = static_cast<size_t>(op.schema.count);
  const size_t room = c.edges * sizeof(Edge) + (outputs + c.metas) * sizeof(TensorMeta) + count * sizeof(Value) +
                      c.saved * sizeof(SavedTensor) + c.payload + c.metas;
  OpNode* n = make_node_with<OpNode>(room, op);
  Ref<Node> hold(n);
  Carver behind{reinterpret_cast<char*>(n) + sizeof(OpNode)};
  n->next_ = behind.take<Edge>(n->next_count = c.edges);
  n->outputs_ = behind.take<TensorMeta>(n->output_count = outputs);
  n->args = behind.take<Value>(count);
  n->saved = behind.take<SavedTensor>(n->saved_count = c.saved);
  n->metas = behind.take<TensorMeta>(c.metas);
  n->meta_args = reinterpret_cast<int8_t*>(behind.at + c.payload);
  take_arguments(*n, args, behind);
  save_inputs(*n, args, self_before);
  hold.release();  // the caller's reference
  return n;
}

OpNode::~OpNode() {
  std::destroy_n(next_, next_count);
  std::destroy_n(outputs_, output_count);
  std::destroy_n(saved, saved_count);
  std::destroy_n(metas, meta_count);
}

uint32_t OpNode::edge_of(int arg) const {
  const uint32_t before = (1u << arg) - 1;
  auto edge = static_cast<uint32_t>(std::popcount(op.tensor_args & before));
  for (uint32_t lists = op.list_args & before; lists; lists &= lists - 1) edge += args[std::countr_zero(lists)].n;
  return edge;
}

const SavedTensor* OpNode::find_saved(SaveSpec::What what, int index) const {
  for (int k = 0; k < op.saved.count; ++k) {
    const SaveSpec& s = op.saved.specs[static_cast<size_t>(k)];
    if (s.what == what && s.index == index && !saved[k].empty()) return &saved[k];
  }
  return nullptr;
}

std::span<const SavedTensor> OpNode::saved_list(int arg) const {
  const SavedTensor* at = saved + op.saved.count;
  for (int k = 0; k < op.saved.count; ++k) {
    const SaveSpec& s = op.saved.specs[static_cast<size_t>(k)];
    if (s.what != SaveSpec::List) continue;
    if (s.index == arg) return {at, args[arg].n};
    at += args[s.index].n;
  }
  return {};
}

void OpNode::release() {
  for (uint32_t k = 0; k < saved_count; ++k) saved[k].reset();
  if (saved_count) released = true;
}

void OpNode::apply(std::span<Tensor> grads, std::span<Tensor> result, Wanted wanted) {
  if (released) fail_released(name());
  if (!op.backward) fail<NotImplementedError>("derivative for bolide::", op.schema.full_name, " is not implemented");
  Grads g;
  op.backward(Call(*this, wanted), grads, g);
  size_t edge = 0;
  for (int i = 0; i < op.schema.count; ++i) {
    if (is_tensor_arg(op, i)) {
      if (i < static_cast<int>(g.of.size())) result[edge] = std::move(g.of[static_cast<size_t>(i)]);
      ++edge;
    } else if (is_list_arg(op, i)) {
      for (size_t k = 0; k < args[i].n; ++k, ++edge)
        if (k < g.list.size()) result[edge] = std::move(g.list[k]);
    }
  }
}

// ---- what backward sees ------------------------------------------------------------------------

const TensorMeta& Call::meta(int arg, int element) const {
  if (is_tensor_arg(n_.op, arg)) {
    const Edge& e = n_.next_[n_.edge_of(arg)];
    if (e.node) return e.node->outputs_[e.slot];
  }
  for (uint32_t i = 0; i < n_.meta_count; ++i)
    if (n_.meta_args[i] == arg && element-- == 0) return n_.metas[i];
  fail("internal: ", n_.op.schema.full_name, " has no tensor argument ", arg);
}

bool Call::needs(int arg, int element) const {
  const uint32_t edge = n_.edge_of(arg) + static_cast<uint32_t>(element);
  return n_.next_[edge].node && (!wanted_ || wanted_[edge]);
}

Tensor Call::unpack(SaveSpec::What what, int index) const {
  if (n_.released) fail_released(n_.name());
  const SavedTensor* s = n_.find_saved(what, index);
  if (!s) fail("internal: ", n_.op.schema.full_name, " did not save ", what == SaveSpec::In ? "input " : "output ", index);
  return s->unpack(n_, what == SaveSpec::In ? &n_.next_[n_.edge_of(index)] : nullptr);
}

Tensor Call::element(int arg, int i) const {
  if (n_.released) fail_released(n_.name());
  const SavedTensor& s = n_.saved_list(arg)[static_cast<size_t>(i)];
  return s.empty() ? Tensor() : s.unpack(n_, &n_.next_[n_.edge_of(arg) + static_cast<uint32_t>(i)]);
}

}  // namespace bolide
