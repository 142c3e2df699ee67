// Nodes: life and death without recursion, saved values, accumulation into leaves, writes through views, history.
#include "autograd/call.h"
#include "autograd/meta.h"
#include "bolide/ops.h"

namespace bolide {

namespace {
std::atomic<uint64_t> g_sequence{0};
std::atomic<uint64_t> g_hook{1};
}  // namespace

uint64_t next_hook_id() { return g_hook.fetch_add(1); }
Node::Node() : sequence(g_sequence.fetch_add(1, std::memory_order_relaxed)) {}

/// A chain of 100,000 nodes must not recurse: nodes whose last reference goes while another is being
/// destroyed wait in a list.
void Node::destroy(Node* n) {
  thread_local std::vector<Node*>* waiting = nullptr;
  if (waiting) {
    waiting->push_back(n);
    return;
  }
  std::vector<Node*> work{n};
  waiting = &work;
  while (!work.empty()) {
    Node* one = work.back();
    work.pop_back();
    delete one;
  }
  waiting = nullptr;
}

AutogradMeta& meta_of(TensorImpl* t) {
  if (!t->autograd) t->autograd = new AutogradMeta;
  return *t->autograd;
}
void delete_meta(TensorImpl* t) {
  AutogradMeta& m = *t->autograd;
  if (m.retains_grad && m.grad_fn) std::erase_if(m.grad_fn->retain, [&](const Hook& h) { return h.id == m.retain_id; });
  delete t->autograd;
  t->autograd = nullptr;
}

void fail_released(const std::string& name) {
  fail("Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
       "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
       "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors after "
       "calling backward. The step that was walked again is ", name, ".");
}

// ---- the nodes of ops ------------------------------------------------------------------------

const TensorMeta& Call::meta(int arg, int element) const {
  for (const auto& [a, m] : n_.metas)
    if (a == arg && element-- == 0) return m;
  fail("internal: ", n_.op.schema.full_name, " has no tensor argument ", arg);
}

bool Call::needs(int arg, int element) const {
  if (element >= 0) return static_cast<const char*>(n_.args[arg].p)[element];
  return std::find(n_.edge_of.begin(), n_.edge_of.end(), arg) != n_.edge_of.end();
}

Tensor Call::unpack(SaveSpec::What what, int index) const {
  if (n_.released) fail_released(n_.name());
  for (int k = 0; k < n_.op.saved.count; ++k) {
    const SaveSpec& s = n_.op.saved.specs[static_cast<size_t>(k)];
    if (s.what != what || s.index != index) continue;
    const SavedTensor& slot = n_.saved[static_cast<size_t>(k)];
    if (!slot.saved) continue;
    const uint32_t now = slot.tensor.version();
    if (now != slot.version) {
      const Ref<Node> made_by = slot.is_output ? Ref<Node>(const_cast<OpNode*>(&n_)) : slot.tensor.grad_fn();
      const std::string maker = made_by ? made_by->name() : "";
      fail("one of the variables needed for gradient computation has been modified by an inplace operation: [torch.",
           legacy_name(slot.tensor.dtype()), "Tensor ", slot.tensor.sizes(), "]",
           made_by ? str(", which is output ", slot.is_output ? slot.slot : (slot.tensor->autograd ? slot.tensor->autograd->slot : 0), " of ",
                         maker.substr(0, maker.rfind("Backward")), ",") : std::string(),
           " is at version ", now, "; expected version ", slot.version,
           " instead. Hint: enable anomaly detection to find the operation that failed to compute its gradient, with "
           "torch.autograd.set_detect_anomaly(True).",
           made_by && !made_by->where.empty() ? str(" The value was made at ", made_by->where, ".") : std::string());
    }
    if (!slot.is_output) return slot.tensor;
    Tensor t = slot.tensor.alias();
    if (is_differentiable(t.dtype())) {
      t->flags |= TensorImpl::kRequiresGrad;
      AutogradMeta& m = meta_of(t.impl());
      m.grad_fn = Ref<Node>(const_cast<OpNode*>(&n_)), m.slot = slot.slot, m.view_version = t.version();
    }
    return t;
  }
  fail("internal: ", n_.op.schema.full_name, " did not save ", what == SaveSpec::In ? "input " : "output ", index);
}

Tensor Call::element(int, int i) const {
  if (n_.released) fail_released(n_.name());
  return n_.lists.at(static_cast<size_t>(i)).tensor;
}

void OpNode::release() {
  lists.clear();
  for (int k = 0; k < op.saved.count; ++k) saved[static_cast<size_t>(k)].tensor = {};
  if (op.saved.count) released = true;
}

void OpNode::apply(std::span<const Tensor> grads, std::vector<Tensor>& result) {
  if (released) fail_released(name());
  if (!op.backward)
    fail<NotImplementedError>("derivative for bolide::", op.schema.full_name, " is not implemented");
  Grads g;
  op.backward(Call(*this), grads, g);
  result.resize(next.size());
  size_t element[kMaxArgs] = {};
  // the position within a list counts its elements, with or without an edge
  for (size_t i = 0; i < next.size(); ++i) {
    const int arg = edge_of[i];
    Tensor t;
    if (args[arg].tag == Value::Tag::TensorList) {
      const char* present = static_cast<const char*>(args[arg].p);
      size_t& k = element[arg];
      while (k < args[arg].n && !present[k]) ++k;
      t = k < g.list.size() ? std::move(g.list[k]) : Tensor();
      ++k;
    } else {
      t = std::move(g.of[static_cast<size_t>(arg)]);
    }
    if (!t.defined()) continue;
    const TensorMeta& m = inputs[i];
    if (is_complex(t.dtype()) && !is_complex(m.dtype)) t = real(t);
    if (!(t.sizes() == m.sizes)) t = sum_to_size(t, m.sizes);
    if (t.dtype() != m.dtype) t = t.to(m.dtype);
    result[i] = std::move(t);
  }
}

// ---- leaves ----------------------------------------------------------------------------------

AccumulateGrad::AccumulateGrad(const Tensor& v) : variable(v) {
  sequence = UINT64_MAX;
  outputs.push_back(TensorMeta::of(v));
}
AccumulateGrad::~AccumulateGrad() {
  if (variable->autograd && variable->autograd->accumulator == this) variable->autograd->accumulator = nullptr;
}

void AccumulateGrad::apply(std::span<const Tensor> grads, std::vector<Tensor>&) {
  Tensor g = grads[0];
  if (!g.defined()) return;
  AutogradMeta& m = meta_of(variable.impl());
  if (!m.grad.defined()) {
    // take it over where nobody else holds it, else copy, so that later in-place adds stay private
    const bool own = !grad_enabled() && g->refs.load() <= 3 && g->storage->refs.load() == 1 && !g.requires_grad();
    if (own && g.strides() == variable.strides()) m.grad = g.detach();
    else if (grad_enabled()) m.grad = clone(g);
    else {
      Tensor c = empty_like(variable);
      if (c.dtype() != g.dtype()) c = empty_like(g);
      copy_(c, g);
      m.grad = c;
    }
  } else if (grad_enabled()) {
    m.grad = add(m.grad, g);
  } else {
    add_(m.grad, g);
  }
  for (auto& [id, hook] : m.post_accumulate) hook(variable);
}

Edge gradient_edge(const Tensor& t) {
  if (!t.requires_grad()) return {};
  AutogradMeta& m = meta_of(t.impl());
  if (Ref<Node> fn = t.grad_fn()) return {std::move(fn), m.slot};
  if (!m.accumulator) {
    Ref<Node> a(new AccumulateGrad(t));
    m.accumulator = a.get();
    return {std::move(a), 0};
  }
  return {Ref<Node>(m.accumulator), 0};
}

// ---- history ---------------------------------------------------------------------------------

void set_history(const Tensor& t, const Ref<Node>& node) {
  t->flags |= TensorImpl::kRequiresGrad;
  AutogradMeta& m = meta_of(t.impl());
  m.grad_fn = node;
  m.slot = static_cast<uint32_t>(node->outputs.size());
  m.view_version = t.version();
  node->outputs.push_back(TensorMeta::of(t));
}

void check_in_place(const Tensor& t, const char*) {
  if (!t.requires_grad()) {
    if (t->base && t->base->requires_grad() && !Tensor(t->base).grad_fn() && grad_enabled())
      fail("a view of a leaf Variable that requires grad is being used in an in-place operation.");
    return;
  }
  if (t.is_leaf()) fail("a leaf Variable that requires grad is being used in an in-place operation.");
  if (t->base && t->base->requires_grad() && !Tensor(t->base).grad_fn())
    fail("a view of a leaf Variable that requires grad is being used in an in-place operation.");
}

void rebase_history(const Tensor& t, const Ref<Node>& node) {
  t->flags |= TensorImpl::kRequiresGrad;
  AutogradMeta& m = meta_of(t.impl());
  if (!t->base) {
    m.grad_fn = node, m.slot = 0, m.view_version = t.version();
    return;
  }
  const Tensor base(t->base);
  auto* copy = new CopySlices;
  Ref<Node> owner(copy);
  copy->fn = node;
  copy->base_sizes = base.sizes(), copy->base_strides = base.strides(), copy->base_offset = base.storage_offset();
  copy->view_sizes = t.sizes(), copy->view_strides = t.strides(), copy->view_offset = t.storage_offset();
  copy->outputs.push_back(TensorMeta::of(base));
  // first the base's old history, then whatever the written values came from
  copy->next.push_back(base.requires_grad() ? gradient_edge(base) : Edge{});
  for (size_t i = 1; i < node->next.size(); ++i) copy->next.push_back(node->next[i]);
  const auto* op = dynamic_cast<const OpNode*>(node.get());
  const bool self_first = op && !op->edge_of.empty() && op->edge_of[0] == 0;
  if (!self_first) {
    copy->next.resize(1);
    for (const Edge& e : node->next) copy->next.push_back(e);
  }
  base->flags |= TensorImpl::kRequiresGrad;
  AutogradMeta& bm = meta_of(base.impl());
  bm.grad_fn = owner, bm.slot = 0, bm.view_version = base.version();
  m.grad_fn = {};  // made anew from the base when asked for
  m.view_version = t.version() - 1;
}

void CopySlices::apply(std::span<const Tensor> grads, std::vector<Tensor>& result) {
  if (!fn) fail_released(name());
  if (!grads[0].defined()) return;
  const Tensor& g = grads[0];
  Tensor whole = empty_strided(base_sizes, base_strides, g.dtype(), g.device());
  copy_(whole, g);
  const Tensor part = as_strided(whole, view_sizes, view_strides, view_offset - base_offset);
  std::array<Tensor, 1> in{clone(part)};
  std::vector<Tensor> inner;
  fn->apply(in, inner);
  const auto* op = dynamic_cast<const OpNode*>(fn.get());
  const bool self_first = op && !op->edge_of.empty() && op->edge_of[0] == 0;
  if (self_first && inner[0].defined()) copy_(part, inner[0]);
  else zero_(part);
  result.clear();
  result.push_back(whole);
  for (size_t i = self_first ? 1 : 0; i < inner.size(); ++i) result.push_back(inner[i]);
}

// ---- Tensor's autograd side ------------------------------------------------------------------

bool Tensor::is_leaf() const { return !requires_grad() || !grad_fn(); }

Ref<Node> Tensor::grad_fn() const {
  AutogradMeta* m = p_->autograd;
  if (p_->base && p_->requires_grad() && (!m || m->view_version != version()) && p_->base->requires_grad()) {
    const Tensor base(p_->base);
    if (base.grad_fn()) {  // written through another view since: a fresh view of the base
      GradMode on(true);
      const Tensor fresh = as_strided(base, sizes(), strides(), storage_offset());
      AutogradMeta& mine = meta_of(p_.get());
      mine.grad_fn = fresh->autograd->grad_fn, mine.slot = 0;
      mine.view_version = version();
      m = &mine;
    }
  }
  return m ? m->grad_fn : Ref<Node>();
}

Tensor& Tensor::set_requires_grad(bool v) {
  if (v == requires_grad()) return *this;
  if (v) {
    BOLIDE_CHECK(is_differentiable(dtype()), "only Tensors of floating point dtype can require gradients");
    p_->flags |= TensorImpl::kRequiresGrad;
  } else {
    BOLIDE_CHECK(is_leaf(), "you can only change requires_grad flags of leaf variables. If you want to use a computed variable "
                 "in a subgraph that doesn't require differentiation use var_no_grad = var.detach().");
    p_->flags &= static_cast<uint16_t>(~TensorImpl::kRequiresGrad);
  }
  return *this;
}

Tensor Tensor::grad() const { return p_->autograd ? p_->autograd->grad : Tensor(); }
void Tensor::set_grad(const Tensor& g) const {
  if (g.defined()) {
    BOLIDE_CHECK(g.device() == device(), "assigned grad has data located on a different device");
    BOLIDE_CHECK(g.sizes() == sizes(), "assigned grad has data of a different size");
    BOLIDE_CHECK(g.dtype() == dtype(), "attempting to assign a gradient with dtype '", g.dtype(), "' to a tensor with grad_dtype '",
                 dtype(), "'. The gradient must match the tensor's grad_dtype (defaults to the tensor's dtype).");
    BOLIDE_CHECK(!g.is_same(*this), "can't assign Variable as its own grad");
  } else if (!p_->autograd) {
    return;
  }
  meta_of(p_.get()).grad = g;
}

void Tensor::retain_grad() const {
  BOLIDE_CHECK(requires_grad(), "can't retain_grad on Tensor that has requires_grad=False");
  Ref<Node> fn = grad_fn();
  if (!fn) return;
  AutogradMeta& m = meta_of(p_.get());
  if (m.retains_grad) return;
  m.retains_grad = true;
  m.retain_id = next_hook_id();
  TensorImpl* self = p_.get();  // borrowed: a reference would be a cycle; delete_meta removes the hook
  fn->retain.push_back({m.retain_id, m.slot, [self](const Tensor& g) {
    AutogradMeta& mine = meta_of(self);
    mine.grad = mine.grad.defined() ? bolide::add(mine.grad, g) : bolide::clone(g);
    return Tensor();
  }});
}

Tensor Tensor::detach() const { return alias(); }

void Tensor::backward(const Tensor& gradient, bool retain_graph, bool create_graph) const {
  autograd::backward({this, 1}, {&gradient, 1}, retain_graph, create_graph);
}

bool grad_enabled() { return state().grad; }
void set_grad_enabled(bool on) { state().grad = on; }
bool inference_mode_enabled() { return state().modes & State::kInference; }

}  // namespace bolide
