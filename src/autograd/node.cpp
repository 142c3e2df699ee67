// Nodes: birth, and death without recursion; AutogradMeta; the leaf's node and how it adds to .grad.
#include "autograd/node.h"

#include <algorithm>

#include "autograd/engine.h"
#include "autograd/meta.h"
#include "bolide/ops.h"

namespace bolide {

namespace {
constinit thread_local uint64_t t_sequence [[gnu::tls_model("initial-exec")]] = 0;
constinit thread_local Node* t_doomed [[gnu::tls_model("initial-exec")]] = nullptr;
constinit thread_local bool t_draining [[gnu::tls_model("initial-exec")]] = false;
std::atomic<uint64_t> g_hook{1};
}  // namespace

uint64_t next_hook_id() { return g_hook.fetch_add(1); }

// ---- sites -------------------------------------------------------------------------------------

Site (*caller_site)() = nullptr;
std::string (*describe_site)(Site) = nullptr;
thread_local Site t_engine_site;

Site current_site() {
  switch (state().caller) {
    case State::Caller::Python: return caller_site ? caller_site() : Site{};
    case State::Caller::Engine: return t_engine_site;
    default: return {};
  }
}
void Storage::written() {
  version.fetch_add(1, std::memory_order_relaxed);
  if (state().caller == State::Caller::Native) return;
  const Site s = current_site();
  writer = s.code, writer_at = s.at;
}

// ---- nodes -------------------------------------------------------------------------------------

Node::Node() : sequence(++t_sequence), site(current_site()) {
  if (anomaly_enabled() && autograd::anomaly_note) [[unlikely]] autograd::anomaly_note(*this);
}
Node::~Node() {
  delete extra_;
  if (flags & kOwnsArrays) {
    delete[] next_;
    delete[] outputs_;
  }
}

void Node::set_next(std::span<Edge> edges) {
  flags |= kOwnsArrays;
  delete[] std::exchange(next_, new Edge[edges.size()]);
  next_count = static_cast<uint32_t>(edges.size());
  std::move(edges.begin(), edges.end(), next_);
}
void Node::set_outputs(std::span<const TensorMeta> metas) {
  flags |= kOwnsArrays;
  delete[] std::exchange(outputs_, new TensorMeta[metas.size()]);
  output_count = static_cast<uint32_t>(metas.size());
  std::copy(metas.begin(), metas.end(), outputs_);
}

/// A chain of 100,000 nodes must not recurse: nodes whose last reference goes while another is being destroyed wait in
/// a list, linked through `sequence`, which nobody reads any more.
void Node::destroy(Node* n) {
  if (n->flags & kLeaf) {
    auto* leaf = static_cast<AccumulateGrad*>(n);
    const bool orphan = n->flags & kOrphan;
    if (n->extra_) delete std::exchange(n->extra_, nullptr);  // hooks on the node do not outlive the graph
    const Ref<TensorImpl> variable = Ref<TensorImpl>::adopt(leaf->variable);
    if (!orphan) return;  // the leaf owns the node
  }
  n->sequence = reinterpret_cast<uint64_t>(t_doomed);
  t_doomed = n;
  if (t_draining) return;
  t_draining = true;
  while (Node* one = t_doomed) {
    t_doomed = reinterpret_cast<Node*>(one->sequence);
    const size_t bytes = one->bytes;
    one->~Node();
    deallocate(one, bytes);
  }
  t_draining = false;
}

// ---- AutogradMeta ------------------------------------------------------------------------------

AutogradMeta& make_meta(TensorImpl* t) {
  std::atomic_ref<AutogradMeta*> place(t->autograd);
  auto* fresh = new AutogradMeta;
  AutogradMeta* existing = nullptr;
  if (place.compare_exchange_strong(existing, fresh)) return *fresh;
  delete fresh;
  return *existing;
}

AutogradMeta::~AutogradMeta() {
  if (AccumulateGrad* a = accumulator.load(std::memory_order_relaxed)) {
    a->~AccumulateGrad();
    deallocate(a, a->bytes);
  }
  delete extra_;
}

void delete_meta(TensorImpl* t) {
  AutogradMeta& m = *t->autograd;
  if (m.retains_grad && m.grad_fn) move_retain(t, m.grad_fn.get(), nullptr, 0);
  delete t->autograd;
  t->autograd = nullptr;
}

void move_retain(TensorImpl* t, Node* from, Node* to, uint32_t slot) {
  if (from && from->extra_) std::erase_if(from->extra_->retain, [&](const auto& r) { return r.second == t; });
  if (to) to->extra().retain.emplace_back(slot, t);
}

// ---- leaves ------------------------------------------------------------------------------------

AccumulateGrad::AccumulateGrad(TensorImpl* v) : variable(v), meta_{v->sizes, v->dtype, v->device} {
  sequence = UINT64_MAX;
  site = {};
  flags |= kLeaf;
  outputs_ = &meta_, output_count = 1;
}

Edge leaf_edge(TensorImpl* t) {
  AutogradMeta& m = meta_of(t);
  AccumulateGrad* a = m.accumulator.load(std::memory_order_acquire);
  if (!a) [[unlikely]] {
    auto* fresh = make_node<AccumulateGrad>(t);
    if (m.accumulator.compare_exchange_strong(a, fresh)) {
      a = fresh;
    } else {
      fresh->~AccumulateGrad();
      deallocate(fresh, fresh->bytes);
    }
  }
  // the first reference keeps the leaf alive as long as there are any
  if (a->refs.fetch_add(1, std::memory_order_acq_rel) == 0) t->refs.fetch_add(1, std::memory_order_relaxed);
  return {Ref<Node>::adopt(a), 0};
}

void layout_changed(TensorImpl* t) {
  AccumulateGrad* a = t->autograd ? t->autograd->accumulator.load() : nullptr;
  if (!a || (a->outputs_->sizes == t->sizes && a->outputs_->dtype == t->dtype && a->outputs_->device == t->device)) return;
  t->autograd->accumulator.store(nullptr);
  if (a->refs.load() == 0) {
    a->~AccumulateGrad();
    deallocate(a, a->bytes);
  } else {
    a->flags |= Node::kOrphan;  // older graphs still end in it
  }
}

bool is_dense(const Tensor& t) {
  if (t.is_contiguous()) return true;
  std::array<size_t, 16> order;
  const size_t n = t.sizes().size();
  if (n > order.size()) return false;
  for (size_t i = 0; i < n; ++i) order[i] = i;
  const Dims &sizes = t.sizes(), &strides = t.strides();
  std::sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(n), [&](size_t a, size_t b) {
    return sizes[a] < 2 ? false : sizes[b] < 2 ? true : strides[a] < strides[b];
  });
  int64_t expect = 1;
  for (size_t i = 0; i < n; ++i) {
    const size_t d = order[i];
    if (sizes[d] < 2) return true;
    if (strides[d] != expect) return false;
    expect *= sizes[d];
  }
  return true;
}

namespace {

/// PyTorch's layout contract: a dense leaf's gradient has the leaf's strides, any other's is contiguous.
bool keeps_contract(const Tensor& g, const Tensor& v) {
  if (v.is_contiguous() && g.is_contiguous()) return true;
  if (!is_dense(v)) return g.is_contiguous();
  for (size_t i = 0; i < v.sizes().size(); ++i)
    if (v.sizes()[i] != 1 && g.strides()[i] != v.strides()[i]) return false;
  return true;
}

Tensor clone_in_contract(const Tensor& g, const Tensor& v) {
  if (keeps_contract(g, v) && is_dense(g)) return clone(g);
  const Tensor c = empty_strided(g.sizes(), is_dense(v) ? v.strides() : contiguous_strides(g.sizes()), g.dtype(), g.device());
  return copy_(c, g);
}

/// Whether nothing else refers to the gradient or its memory, so that it may become .grad as it is.
bool can_take(const Tensor& g) {
  if (g->refs.load(std::memory_order_acquire) != 1 || g->autograd || g->python || g->flags & TensorImpl::kInference) return false;
  const uint32_t users = g->base ? 2 : 1;
  return (!g->base || g->base->refs.load(std::memory_order_acquire) == 1) && g->storage->refs.load(std::memory_order_acquire) == users;
}

class Busy {
 public:
  explicit Busy(std::atomic_flag& f) : flag_(f) {
    while (flag_.test_and_set(std::memory_order_acquire)) flag_.wait(true, std::memory_order_relaxed);
  }
  ~Busy() {
    flag_.clear(std::memory_order_release);
    flag_.notify_one();
  }

 private:
  std::atomic_flag& flag_;
};

void accumulate(Tensor& grad, Tensor g, const Tensor& variable) {
  if (!grad.defined()) {
    if (grad_enabled() || !keeps_contract(g, variable) || !can_take(g)) {
      grad = clone_in_contract(g, variable);
      return;
    }
    g->base = {};
    g->flags &= static_cast<uint16_t>(~(TensorImpl::kIsView | TensorImpl::kViewOrigin));
    grad = std::move(g);
  } else if (grad_enabled()) {
    Tensor sum = add(grad, g);
    grad = keeps_contract(sum, variable) ? std::move(sum) : clone_in_contract(sum, variable);
  } else {
    add_(grad, g);
  }
}

}  // namespace

void AccumulateGrad::apply(std::span<Tensor> grads, std::span<Tensor>, Wanted) {
  Tensor g = std::move(grads[0]);
  if (!g.defined()) return;
  const Tensor v(variable);
  AutogradMeta& m = meta_of(variable);
  {
    const Busy lock(busy_);  // several threads may walk graphs that end here
    accumulate(m.grad, std::move(g), v);
  }
  if (!m.extra_) return;
  const auto hooks = m.extra_->post_accumulate;
  for (const auto& [id, hook] : hooks) hook(v);
}

}  // namespace bolide
