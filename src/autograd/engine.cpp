// The engine: walks the graph from the roots, newest step first, adding up gradients. Tasks (what one walk knows of the
// nodes) | Walk (counting, choosing, visiting) | deep reentrance | backward and grad.
#include "autograd/engine.h"

#include <algorithm>
#include <mutex>
#include <thread>

#include "autograd/meta.h"
#include "bolide/ops.h"

namespace bolide {

namespace {
std::atomic<bool> g_anomaly{false}, g_check_nan{true};
}
bool anomaly_enabled() { return g_anomaly.load(std::memory_order_relaxed); }
void set_anomaly(bool on, bool check_nan) { g_anomaly = on, g_check_nan = check_nan; }

}  // namespace bolide

namespace bolide::autograd {

void (*anomaly_note)(Node&) = nullptr;
void (*anomaly_report)(Node&) = nullptr;
bool anomaly_checks_nan() { return g_check_nan; }

namespace {

constexpr uint32_t kNone = ~0u;

struct Task {
  Node* node;              // alive: the roots hold the whole graph
  uint32_t waits = 0;      // gradients that have not arrived
  uint32_t kids = 0;       // where the tasks of its edges stand in Tasks::kids
  uint32_t slot = 0;       // where its gradients stand in Tasks::grads
  bool needed = true;      // it runs
  bool captured = false;   // its gradients are results
  bool visited() const { return needed || captured; }
};
struct Ready {
  uint64_t sequence;
  uint32_t task;
  bool operator<(const Ready& o) const { return sequence < o.sequence; }
};
struct Capture {
  uint32_t task, slot;
  size_t index;
};

/// All that a walk knows of the nodes; kept by the thread from one walk to the next, for its memory.
struct Tasks {
  std::vector<Task> tasks;
  std::vector<uint32_t> kids, todo;
  std::vector<Tensor> grads;
  std::vector<Ready> ready;
  std::vector<Capture> captures;

  void clear() {
    tasks.clear(), kids.clear(), todo.clear(), grads.clear(), ready.clear(), captures.clear();
  }
  uint32_t find(const Node* n) const { return n->hint < tasks.size() && tasks[n->hint].node == n ? n->hint : kNone; }
  uint32_t add(Node* n) {
    const auto at = static_cast<uint32_t>(tasks.size());
    n->hint = at;
    tasks.push_back({.node = n});
    todo.push_back(at);
    return at;
  }
};

class Borrowed {
 public:
  Borrowed() : t(spare() ? spare().release() : new Tasks) {}
  ~Borrowed() {
    t->clear();
    if (!spare() && t->tasks.capacity() < 4096) spare() = std::move(t);
  }
  Tasks* operator->() { return t.get(); }

 private:
  static std::unique_ptr<Tasks>& spare() {
    thread_local std::unique_ptr<Tasks> s;
    return s;
  }
  std::unique_ptr<Tasks> t;
};

/// The gradients a step returns: few of them in place.
class Results {
 public:
  explicit Results(uint32_t n) : n_(n), heap_(n > kInline ? new Tensor[n] : nullptr) {}
  std::span<Tensor> all() { return {heap_ ? heap_.get() : inline_, n_}; }

 private:
  static constexpr uint32_t kInline = 4;
  uint32_t n_;
  Tensor inline_[kInline];
  std::unique_ptr<Tensor[]> heap_;
};

// ---- gradients ---------------------------------------------------------------------------------

bool is_private(const Tensor& t) {
  return t->refs.load(std::memory_order_acquire) == 1 && t->storage->refs.load(std::memory_order_acquire) == 1;
}

void add_up(Tensor& sum, Tensor g) {
  if (!sum.defined()) sum = std::move(g);
  else if (!state().grad && is_private(sum) && sum.dtype() == g.dtype() && is_dense(sum)) add_(sum, g);
  else if (!state().grad && is_private(g) && sum.dtype() == g.dtype() && is_dense(g)) add_(g, sum), sum = std::move(g);
  else sum = add(sum, g);
}

[[noreturn, gnu::cold, gnu::noinline]] void fail_shape(const Node& n, size_t i, const Tensor& g, const TensorMeta& m) {
  fail("Function ", n.name(), " returned an invalid gradient at index ", i, " - got ", g.sizes(), " but expected shape compatible with ",
       m.sizes);
}
bool expands_to(const Dims& from, const Dims& to) {
  if (from.size() > to.size()) return false;
  const size_t more = to.size() - from.size();
  for (size_t i = 0; i < from.size(); ++i)
    if (from[i] != 1 && from[i] != to[i + more]) return false;
  return true;
}

/// A gradient has its value's sizes, dtype and device: broadcast ones are summed, others converted.
[[gnu::noinline]] void adapt(const Node& n, size_t i, Tensor& g, const TensorMeta& m) {
  BOLIDE_CHECK(g.device() == m.device, "Function ", n.name(), " returned an invalid gradient at index ", i, " - expected device ",
               m.device.str(), " but got ", g.device().str());
  if (is_complex(g.dtype()) && !is_complex(m.dtype)) g = real(g);
  if (!(g.sizes() == m.sizes)) {
    if (!expands_to(m.sizes, g.sizes())) fail_shape(n, i, g, m);
    g = sum_to_size(g, m.sizes);
  }
  if (g.dtype() != m.dtype) g = g.to(m.dtype);
}

void validate(const Node& n, std::span<Tensor> result) {
  for (size_t i = 0; i < result.size(); ++i) {
    const Edge& e = n.next_[i];
    Tensor& g = result[i];
    if (!g.defined()) continue;
    if (!e.node) {
      g = {};
      continue;
    }
    const TensorMeta& m = e.node->outputs_[e.slot];
    if (g.dtype() != m.dtype || !(g.sizes() == m.sizes) || !(g.device() == m.device)) [[unlikely]] adapt(n, i, g, m);
  }
}

void check_nan(const Node& n, std::span<Tensor> result) {
  NoGrad off;
  for (size_t i = 0; i < result.size(); ++i)
    BOLIDE_CHECK(!result[i].defined() || !any(isnan(result[i])).item<bool>(), "Function '", n.name(), "' returned nan values in its ", i,
                 "th output.");
}

// ---- one walk ----------------------------------------------------------------------------------

std::mutex g_count_mutex;  // Node::hint belongs to the walk that holds it
std::atomic<int64_t> g_runs{0};

class Walk;
constinit thread_local Walk* t_walk [[gnu::tls_model("initial-exec")]] = nullptr;
constinit thread_local int t_depth [[gnu::tls_model("initial-exec")]] = 0;
constexpr int kMaxDepth = 60;  // walks within walks on one stack

class Walk {
 public:
  explicit Walk(Request& r) : request_(r), outer_(t_walk), state_(state()), site_(t_engine_site) {
    t_walk = this;
    ++t_depth;
    state().grad = r.create_graph;
    state().caller = State::Caller::Engine;
  }
  ~Walk() {
    t_walk = outer_;
    --t_depth;
    state() = state_;
    t_engine_site = site_;
  }

  std::vector<Tensor> go() {
    count();
    results_.resize(request_.accumulate ? 0 : request_.inputs.size());
    if (!request_.inputs.empty()) choose();
    start();
    while (!t_->ready.empty()) visit(pop());
    for (size_t i = 0; i < callbacks_.size(); ++i) callbacks_[i]();
    return std::move(results_);
  }

  const int64_t id = g_runs.fetch_add(1, std::memory_order_relaxed);
  Node* current = nullptr;
  void at_end(std::function<void()> f) { callbacks_.push_back(std::move(f)); }
  bool will_run(const Node& n) {
    for (const Task& t : t_->tasks)
      if (t.node == &n) return t.visited();
    return false;
  }

 private:
  /// Finds every reachable node, and how many gradients each waits for.
  void count() {
    const std::lock_guard lock(g_count_mutex);
    for (const Edge& e : request_.roots)
      if (e.node && t_->find(e.node.get()) == kNone) t_->add(e.node.get());
    uint32_t slots = 0;
    while (!t_->todo.empty()) {
      const uint32_t at = t_->todo.back();
      t_->todo.pop_back();
      const Node& n = *t_->tasks[at].node;
      t_->tasks[at].kids = static_cast<uint32_t>(t_->kids.size());
      t_->tasks[at].slot = slots;
      slots += n.output_count;
      for (const Edge& e : n.next()) {
        uint32_t kid = kNone;
        if (e.node) {
          kid = t_->find(e.node.get());
          if (kid == kNone) kid = t_->add(e.node.get());
          ++t_->tasks[kid].waits;
        }
        t_->kids.push_back(kid);
      }
    }
    t_->grads.resize(slots);
    for (size_t i = 0; i < request_.inputs.size(); ++i) {
      const Edge& e = request_.inputs[i];
      const uint32_t task = e.node ? t_->find(e.node.get()) : kNone;
      if (task != kNone) t_->captures.push_back({task, e.slot, i});
    }
  }

  /// With inputs, only nodes on a way to one of them run.
  void choose() {
    for (Task& t : t_->tasks) t.needed = false;
    for (const Capture& c : t_->captures) (request_.accumulate ? t_->tasks[c.task].needed : t_->tasks[c.task].captured) = true;
    // children first: an iterative walk in which a node is met a second time after all below it
    std::vector<uint8_t> opened(t_->tasks.size());
    for (const Edge& e : request_.roots)
      if (e.node) t_->todo.push_back(index_of(e));
    while (!t_->todo.empty()) {
      const uint32_t at = t_->todo.back();
      Task& t = t_->tasks[at];
      if (!opened[at]) {
        opened[at] = 1;
        for (const uint32_t kid : kids(t))
          if (kid != kNone && !opened[kid]) t_->todo.push_back(kid);
        continue;
      }
      t_->todo.pop_back();
      if (std::exchange(opened[at], 2) == 2) continue;
      for (const uint32_t kid : kids(t)) t.needed |= kid != kNone && t_->tasks[kid].visited();
    }
  }

  /// Puts the first gradients in place. (Hints may have passed to another walk since the count.)
  void start() {
    for (size_t i = 0; i < request_.roots.size(); ++i) {
      const Edge& e = request_.roots[i];
      if (!e.node) continue;
      const uint32_t at = index_of(e);
      add_up(t_->grads[t_->tasks[at].slot + e.slot], std::move(request_.grads[i]));
      const bool first = std::none_of(request_.roots.begin(), request_.roots.begin() + static_cast<ptrdiff_t>(i),
                                      [&](const Edge& o) { return o.node == e.node; });
      if (first && t_->tasks[at].waits == 0 && t_->tasks[at].visited()) push(at);
    }
  }
  uint32_t index_of(const Edge& root) const {  // roots were added first, in order
    for (uint32_t i = 0;; ++i)
      if (tasks_at(i).node == root.node.get()) return i;
  }
  const Task& tasks_at(uint32_t i) const { return const_cast<Walk*>(this)->t_->tasks[i]; }
  std::span<const uint32_t> kids(const Task& t) { return {t_->kids.data() + t.kids, t.node->next_count}; }

  void push(uint32_t task) {
    t_->ready.push_back({t_->tasks[task].node->sequence, task});
    std::push_heap(t_->ready.begin(), t_->ready.end());
  }
  uint32_t pop() {
    std::pop_heap(t_->ready.begin(), t_->ready.end());
    const uint32_t task = t_->ready.back().task;
    t_->ready.pop_back();
    return task;
  }

  void visit(uint32_t index) {
    const Task task = t_->tasks[index];
    Node& n = *task.node;
    const std::span<Tensor> grads(t_->grads.data() + task.slot, n.output_count);
    current = &n;
    t_engine_site = n.site;
    try {
      visit(task, index, n, grads);
    } catch (...) {
      if (anomaly_enabled() && anomaly_report) anomaly_report(n);
      throw;
    }
    for (Tensor& g : grads) g = {};
    current = nullptr;
  }

  void visit(const Task& task, uint32_t index, Node& n, std::span<Tensor> grads) {
    if (task.captured && task.needed) capture(index, grads);  // as they arrived, before hooks
    run_tensor_hooks(n, grads);
    if (task.captured && !task.needed) capture(index, grads);
    if (!task.needed) return;
    const bool has_hooks = n.extra_ && !(n.extra_->pre.empty() && n.extra_->post.empty());
    if (has_hooks) [[unlikely]] run_pre_hooks(n, grads);
    Results results(n.next_count);
    const std::span<Tensor> result = results.all();
    std::vector<Tensor> kept;  // apply may move from its gradients
    if (has_hooks) kept.assign(grads.begin(), grads.end());
    apply(task, n, grads, result);
    if (has_hooks) run_post_hooks(n, kept, result);
    if (!request_.keep_graph) n.release();
    send(task, n, result);
  }

  void apply(const Task& task, Node& n, std::span<Tensor> grads, std::span<Tensor> result) {
    const bool any = std::any_of(grads.begin(), grads.end(), [](const Tensor& t) { return t.defined(); });
    if (!any && !n.wants_zeros()) return;
    if (request_.inputs.empty()) {
      n.apply(grads, result, nullptr);
    } else {
      uint8_t few[16];
      const std::unique_ptr<uint8_t[]> many(n.next_count > std::size(few) ? new uint8_t[n.next_count] : nullptr);
      uint8_t* wanted = many ? many.get() : few;
      for (uint32_t i = 0; i < n.next_count; ++i) {
        const uint32_t kid = t_->kids[task.kids + i];
        wanted[i] = kid != kNone && t_->tasks[kid].visited();
      }
      n.apply(grads, result, wanted);
    }
    validate(n, result);
    if (anomaly_enabled() && anomaly_checks_nan()) [[unlikely]] check_nan(n, result);
  }

  void send(const Task& task, Node& n, std::span<Tensor> result) {
    for (uint32_t i = 0; i < n.next_count; ++i) {
      const uint32_t at = t_->kids[task.kids + i];
      if (at == kNone) continue;
      Task& kid = t_->tasks[at];
      if (!kid.visited()) continue;
      if (result[i].defined()) add_up(t_->grads[kid.slot + n.next_[i].slot], std::move(result[i]));
      if (--kid.waits == 0) push(at);
    }
  }

  void capture(uint32_t index, std::span<Tensor> grads) {
    for (const Capture& c : t_->captures)
      if (c.task == index) results_[c.index] = grads[c.slot];
  }

  // ---- hooks: lists are copied, since a hook may add or remove hooks

  static void run_tensor_hooks(Node& n, std::span<Tensor> grads) {
    if (n.flags & Node::kLeaf) {
      const AutogradMeta* m = static_cast<AccumulateGrad&>(n).variable->autograd;
      if (m && m->extra_ && !m->extra_->hooks.empty()) [[unlikely]] call(m->extra_->hooks, grads);
    }
    if (!n.extra_) [[likely]] return;
    if (!n.extra_->tensor_hooks.empty()) call(n.extra_->tensor_hooks, grads);
    const auto retain = n.extra_->retain;
    for (const auto& [slot, t] : retain) {
      if (!grads[slot].defined()) continue;
      Tensor& g = meta_of(t).grad;
      g = g.defined() ? add(g, grads[slot]) : clone(grads[slot]);
    }
  }
  static void call(const std::vector<TensorHook>& list, std::span<Tensor> grads) {
    const std::vector<TensorHook> hooks = list;
    for (const TensorHook& h : hooks) h.call(grads[h.slot]);
  }
  static void run_pre_hooks(Node& n, std::span<Tensor> grads) {
    const auto hooks = n.extra_->pre;
    std::vector<Tensor> all(grads.begin(), grads.end());
    for (const auto& [id, hook] : hooks) hook(all);
    std::move(all.begin(), all.begin() + static_cast<ptrdiff_t>(std::min(all.size(), grads.size())), grads.begin());
  }
  static void run_post_hooks(Node& n, const std::vector<Tensor>& grads, std::span<Tensor> result) {
    const auto hooks = n.extra_->post;
    std::vector<Tensor> all(result.begin(), result.end());
    for (const auto& [id, hook] : hooks) hook(all, grads);
    std::move(all.begin(), all.begin() + static_cast<ptrdiff_t>(std::min(all.size(), result.size())), result.begin());
  }

  Request& request_;
  Borrowed t_;
  std::vector<Tensor> results_;
  std::vector<std::function<void()>> callbacks_;
  Walk* outer_;
  State state_;
  Site site_;
};

/// A walk inside many walks gets a stack of its own.
std::vector<Tensor> run_in_thread(Request& request) {
  std::vector<Tensor> result;
  std::exception_ptr error;
  const State inherited = state();
  std::thread([&] {
    state() = inherited;
    try {
      result = Walk(request).go();
    } catch (...) {
      error = std::current_exception();
    }
  }).join();
  if (error) std::rethrow_exception(error);
  return result;
}

}  // namespace

std::vector<Tensor> run(Request request) {
  if (t_depth >= kMaxDepth) [[unlikely]] return run_in_thread(request);
  return Walk(request).go();
}

int64_t current_run() { return t_walk ? t_walk->id : -1; }
Node* current_node() { return t_walk ? t_walk->current : nullptr; }
bool will_run(const Node& n) {
  BOLIDE_CHECK(t_walk, "_will_engine_execute_node should only be called during the backward pass");
  return t_walk->will_run(n);
}
void at_end(std::function<void()> f) {
  BOLIDE_CHECK(t_walk, "Final callbacks can only be installed during backward pass.");
  t_walk->at_end(std::move(f));
}

// ---- backward and grad -------------------------------------------------------------------------

Tensor first_gradient(const TensorMeta& out, const Tensor& given, size_t i) {
  if (given.defined()) {
    BOLIDE_CHECK(given.sizes() == out.sizes, "Mismatch in shape: grad_output[", i, "] has a shape of torch.Size(", given.sizes(),
                 ") and output[", i, "] has a shape of torch.Size(", out.sizes, ").");
    BOLIDE_CHECK(is_complex(given.dtype()) == is_complex(out.dtype), "For complex Tensors, both grad_output and output are required "
                 "to have the same dtype. Mismatch in dtype: grad_output[", i, "] has a dtype of ", given.dtype(), " and output[", i,
                 "] has a dtype of ", out.dtype, ".");
    return given.dtype() == out.dtype ? given : given.to(out.dtype);
  }
  int64_t n = 1;
  for (const int64_t s : out.sizes) n *= s;
  BOLIDE_CHECK(n == 1, "grad can be implicitly created only for scalar outputs");
  BOLIDE_CHECK(is_floating(out.dtype), "grad can be implicitly created only for real scalar outputs but got ", out.dtype);
  return ones(out.sizes, out.dtype, out.device);
}

namespace {

Request prepare(TensorList outputs, TensorList grads) {
  BOLIDE_CHECK(grads.empty() || grads.size() == outputs.size(), "got ", outputs.size(), " tensors and ", grads.size(), " gradients");
  Request r;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& out = outputs[i];
    Tensor g;
    if (out.requires_grad() || !grads.empty()) g = first_gradient(TensorMeta::of(out), grads.empty() ? Tensor() : grads[i], i);
    BOLIDE_CHECK(out.requires_grad(), "element ", i, " of tensors does not require grad and does not have a grad_fn");
    r.roots.push_back(gradient_edge(out));
    r.grads.push_back(std::move(g));
  }
  return r;
}

void add_inputs(Request& r, TensorList inputs) {
  for (const Tensor& t : inputs) {
    BOLIDE_CHECK(t.requires_grad(), "One of the differentiated Tensors does not require grad");
    r.inputs.push_back(gradient_edge(t));
  }
}

}  // namespace

void backward(TensorList outputs, TensorList grads, bool retain_graph, bool create_graph, TensorList inputs) {
  Request r = prepare(outputs, grads);
  add_inputs(r, inputs);
  for (const Tensor& t : inputs) t.retain_grad();
  r.accumulate = true, r.keep_graph = retain_graph, r.create_graph = create_graph;
  run(std::move(r));
}

std::vector<Tensor> grad(TensorList outputs, TensorList inputs, TensorList grads, bool retain_graph, bool create_graph, bool allow_unused) {
  BOLIDE_CHECK(!inputs.empty(), "`inputs` argument to `grad()` cannot be empty.");
  Request r = prepare(outputs, grads);
  add_inputs(r, inputs);
  r.keep_graph = retain_graph || create_graph, r.create_graph = create_graph;
  std::vector<Tensor> result = run(std::move(r));
  for (size_t i = 0; i < result.size(); ++i)
    BOLIDE_CHECK(result[i].defined() || allow_unused, "The differentiated Tensor at index ", i, " appears to not have been used in the "
                 "graph. Set allow_unused=True if this is the desired behavior.");
  return result;
}

}  // namespace bolide::autograd
