// The engine: walks the graph from the roots, newest node first, adding up gradients. Also hooks and
// user-defined C++ functions.
#include <algorithm>
#include <unordered_map>

#include "autograd/call.h"
#include "autograd/meta.h"
#include "bolide/ops.h"

namespace bolide::autograd {

namespace {

struct Pending {
  std::vector<Tensor> grads;
  int dependencies = 0;
  bool needed = true;
};
struct Capture {
  Node* node;
  uint32_t slot;
  size_t index;
};

struct Run {
  std::unordered_map<Node*, Pending> nodes;
  std::vector<Ref<Node>> heap;
  std::vector<Capture> captures;
  std::vector<Tensor> captured;
  bool keep = false;
  bool create = false;

  static bool older(const Ref<Node>& a, const Ref<Node>& b) { return a->sequence < b->sequence; }
  void push(Ref<Node> n) {
    heap.push_back(std::move(n));
    std::push_heap(heap.begin(), heap.end(), older);
  }
  Ref<Node> pop() {
    std::pop_heap(heap.begin(), heap.end(), older);
    Ref<Node> n = std::move(heap.back());
    heap.pop_back();
    return n;
  }

  /// Counts for every reachable node how many gradients it waits for.
  void count(const std::vector<Edge>& roots) {
    std::vector<Node*> stack;
    for (const Edge& e : roots)
      if (e.node && nodes.try_emplace(e.node.get()).second) stack.push_back(e.node.get());
    while (!stack.empty()) {
      Node* n = stack.back();
      stack.pop_back();
      for (const Edge& e : n->next) {
        if (!e.node) continue;
        auto [it, fresh] = nodes.try_emplace(e.node.get());
        ++it->second.dependencies;
        if (fresh) stack.push_back(e.node.get());
      }
    }
  }

  /// With captures, only nodes on a way to one of them run.
  void mark_needed(const std::vector<Edge>& roots) {
    for (auto& [n, p] : nodes) p.needed = false;
    std::unordered_map<Node*, size_t> position;  // iterative post-order walk
    std::vector<Node*> stack;
    for (const Edge& r : roots) {
      if (!r.node || position.contains(r.node.get())) continue;
      stack.push_back(r.node.get());
      position[r.node.get()] = 0;
      while (!stack.empty()) {
        Node* n = stack.back();
        size_t& at = position[n];
        if (at < n->next.size()) {
          Node* child = n->next[at++].node.get();
          if (child && !position.contains(child)) {
            position[child] = 0;
            stack.push_back(child);
          }
          continue;
        }
        bool needed = std::any_of(captures.begin(), captures.end(), [&](const Capture& c) { return c.node == n; });
        for (const Edge& e : n->next) needed = needed || (e.node && nodes[e.node.get()].needed);
        nodes[n].needed = needed;
        stack.pop_back();
      }
    }
  }

  void accumulate(const Edge& e, Tensor g) {
    Pending& p = nodes[e.node.get()];
    if (p.grads.size() < e.node->outputs.size()) p.grads.resize(e.node->outputs.size());
    if (p.grads.size() <= e.slot) p.grads.resize(e.slot + 1);
    Tensor& slot = p.grads[e.slot];
    if (!slot.defined()) slot = std::move(g);
    else if (!create && slot->refs.load() == 1 && slot->storage->refs.load() == 1 && slot.is_contiguous() &&
             slot.dtype() == g.dtype() && slot.sizes() == g.sizes()) add_(slot, g);
    else slot = add(slot, g);
  }

  void run_hooks(std::vector<Hook>& hooks, std::vector<Tensor>& grads) {
    for (size_t i = 0; i < hooks.size(); ++i) {
      const Hook h = hooks[i];
      if (h.slot >= grads.size() || !grads[h.slot].defined()) continue;
      Tensor replaced = h.call(grads[h.slot]);
      if (replaced.defined()) grads[h.slot] = std::move(replaced);
    }
  }

  void visit(const Ref<Node>& n) {
    auto it = nodes.find(n.get());
    std::vector<Tensor> grads = std::move(it->second.grads);
    grads.resize(std::max<size_t>(n->outputs.size(), 1));
    const bool needed = it->second.needed;
    const auto* leaf = dynamic_cast<AccumulateGrad*>(n.get());
    if (leaf && leaf->variable->autograd) {
      run_hooks(leaf->variable->autograd->hooks, grads);
    } else {
      run_hooks(n->pre_hooks, grads);
      run_hooks(n->retain, grads);
    }
    for (auto& [id, hook] : n->node_pre_hooks) hook(grads);
    bool is_captured = false;
    for (const Capture& c : captures)
      if (c.node == n.get()) captured[c.index] = c.slot < grads.size() ? grads[c.slot] : Tensor(), is_captured = true;
    if (!needed || (is_captured && leaf)) return;
    std::vector<Tensor> result;
    const bool any = std::any_of(grads.begin(), grads.end(), [](const Tensor& t) { return t.defined(); });
    if (any || n->wants_zeros()) n->apply(grads, result);
    result.resize(n->next.size());
    for (auto& [id, hook] : n->node_post_hooks) hook(result, grads);
    if (!keep) n->release();
    for (size_t i = 0; i < n->next.size(); ++i) {
      const Edge& e = n->next[i];
      if (!e.node) continue;
      Pending& p = nodes[e.node.get()];
      if (result[i].defined() && p.needed) accumulate(e, std::move(result[i]));
      if (--p.dependencies == 0) push(e.node);
    }
  }

  void go(const std::vector<Edge>& roots, const std::vector<Tensor>& grads) {
    count(roots);
    if (!captures.empty()) mark_needed(roots);
    for (size_t i = 0; i < roots.size(); ++i)
      if (roots[i].node) accumulate(roots[i], grads[i]);
    std::vector<Node*> seen;
    for (const Edge& e : roots) {
      if (!e.node || nodes[e.node.get()].dependencies || std::find(seen.begin(), seen.end(), e.node.get()) != seen.end()) continue;
      seen.push_back(e.node.get());
      push(e.node);
    }
    GradMode mode(create);
    while (!heap.empty()) visit(pop());
  }
};

Tensor first_gradient(const Tensor& out, const Tensor& given, size_t i) {
  BOLIDE_CHECK(out.requires_grad(), "element ", i, " of tensors does not require grad and does not have a grad_fn");
  if (given.defined()) {
    BOLIDE_CHECK(given.sizes() == out.sizes(), "Mismatch in shape: grad_output[", i, "] has a shape of torch.Size(", given.sizes(),
                 ") and output[", i, "] has a shape of torch.Size(", out.sizes(), ").");
    BOLIDE_CHECK(is_complex(given.dtype()) == is_complex(out.dtype()), "For complex Tensors, both grad_output and output are required "
                 "to have the same dtype. Mismatch in dtype: grad_output[", i, "] has a dtype of ", given.dtype(), " and output[", i,
                 "] has a dtype of ", out.dtype(), ".");
    return given;
  }
  BOLIDE_CHECK(out.numel() == 1, "grad can be implicitly created only for scalar outputs");
  BOLIDE_CHECK(is_floating(out.dtype()), "grad can be implicitly created only for real scalar outputs but got ", out.dtype());
  return ones_like(out);
}

void prepare(TensorList outputs, TensorList grads, std::vector<Edge>& roots, std::vector<Tensor>& first) {
  BOLIDE_CHECK(grads.empty() || grads.size() == outputs.size(), "got ", outputs.size(), " tensors and ", grads.size(), " gradients");
  for (size_t i = 0; i < outputs.size(); ++i) {
    first.push_back(first_gradient(outputs[i], grads.empty() ? Tensor() : grads[i], i));
    roots.push_back(gradient_edge(outputs[i]));
  }
}

}  // namespace

void backward(TensorList outputs, TensorList grads, bool retain_graph, bool create_graph, TensorList inputs) {
  std::vector<Edge> roots;
  std::vector<Tensor> first;
  prepare(outputs, grads, roots, first);
  Run run;
  run.keep = retain_graph, run.create = create_graph;
  std::vector<Tensor> wanted;
  for (const Tensor& t : inputs) {
    BOLIDE_CHECK(t.requires_grad(), "One of the differentiated Tensors does not require grad");
    const Edge e = gradient_edge(t);
    run.captures.push_back({e.node.get(), e.slot, run.captures.size()});
    wanted.push_back(t);
  }
  run.captured.resize(wanted.size());
  run.go(roots, first);
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!run.captured[i].defined()) continue;
    const Tensor old = wanted[i].grad();
    wanted[i].set_grad(old.defined() ? add(old, run.captured[i]) : run.captured[i]);
  }
}

std::vector<Tensor> grad(TensorList outputs, TensorList inputs, TensorList grads, BackwardOptions o) {
  std::vector<Edge> roots;
  std::vector<Tensor> first;
  prepare(outputs, grads, roots, first);
  Run run;
  run.keep = o.retain_graph || o.create_graph, run.create = o.create_graph;
  std::vector<Edge> held;
  for (const Tensor& t : inputs) {
    BOLIDE_CHECK(t.requires_grad(), "One of the differentiated Tensors does not require grad");
    held.push_back(gradient_edge(t));
    run.captures.push_back({held.back().node.get(), held.back().slot, run.captures.size()});
  }
  run.captured.resize(inputs.size());
  run.go(roots, first);
  for (const Tensor& g : run.captured)
    BOLIDE_CHECK(g.defined() || o.allow_unused, "One of the differentiated Tensors appears to not have been used in the graph. Set "
                 "allow_unused=True if this is the desired behavior.");
  return run.captured;
}

uint64_t register_hook(const Tensor& t, GradHook hook) {
  BOLIDE_CHECK(t.requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
  const uint64_t id = next_hook_id();
  if (Ref<Node> fn = t.grad_fn()) fn->pre_hooks.push_back({id, t->autograd->slot, std::move(hook)});
  else meta_of(t.impl()).hooks.push_back({id, 0, std::move(hook)});
  return id;
}
void remove_hook(const Tensor& t, uint64_t id) {
  auto match = [&](const auto& h) { if constexpr (requires { h.id; }) return h.id == id; else return h.first == id; };
  if (!t->autograd) return;
  std::erase_if(t->autograd->hooks, match);
  std::erase_if(t->autograd->post_accumulate, match);
  if (t->autograd->grad_fn) std::erase_if(t->autograd->grad_fn->pre_hooks, match);
}
uint64_t register_post_accumulate_hook(const Tensor& t, std::function<void(const Tensor&)> hook) {
  BOLIDE_CHECK(t.requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
  BOLIDE_CHECK(t.is_leaf(), "post accumulate grad hooks cannot be registered on non-leaf tensors");
  const uint64_t id = next_hook_id();
  meta_of(t.impl()).post_accumulate.emplace_back(id, std::move(hook));
  return id;
}

namespace {
struct CppFunctionNode final : Node {
  std::string label;
  FunctionBackward back;
  FunctionContext context;
  std::vector<SavedTensor> saved;
  bool released = false;
  std::string name() const override { return label; }
  void release() override { saved.clear(), released = true; }
  void apply(std::span<const Tensor> grads, std::vector<Tensor>& result) override {
    if (released) fail_released(label);
    context.to_save.clear();
    for (const SavedTensor& s : saved) {
      BOLIDE_CHECK(s.tensor.version() == s.version, "one of the variables needed for gradient computation has been modified by an "
                   "inplace operation: it was saved by ", label, " at version ", s.version, " and is at version ", s.tensor.version());
      context.to_save.push_back(s.tensor);
    }
    std::vector<Tensor> g(grads.begin(), grads.end());
    for (size_t i = 0; i < g.size(); ++i)
      if (!g[i].defined()) g[i] = zeros(outputs[i].sizes, outputs[i].dtype);
    std::vector<Tensor> all = back(context, std::move(g));
    BOLIDE_CHECK(all.size() >= inputs.size(), "function ", label, " returned an incorrect number of gradients (expected ", inputs.size(),
                 ", got ", all.size(), ")");
    for (size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i]) result.push_back(all[i]);
  }
  std::vector<bool> inputs;
};
}  // namespace

std::vector<Tensor> FunctionContext::get_saved_variables() const { return to_save; }

std::vector<Tensor> apply_function(const char* name, FunctionForward f, FunctionBackward b, std::vector<Tensor> inputs) {
  auto* node = new CppFunctionNode;
  Ref<Node> owner(node);
  node->label = name;
  bool needs = false;
  for (const Tensor& t : inputs) {
    node->inputs.push_back(grad_enabled() && t.requires_grad());
    if (!node->inputs.back()) continue;
    node->next.push_back(gradient_edge(t));
    needs = true;
  }
  std::vector<Tensor> outs;
  {
    Below below;
    outs = f(node->context, inputs);
  }
  if (!needs) return outs;
  node->back = std::move(b);
  for (const Tensor& t : node->context.to_save) node->saved.push_back({t.detach(), t.version(), false, 0, true});
  for (Tensor& t : outs) {
    if (std::any_of(inputs.begin(), inputs.end(), [&](const Tensor& i) { return i.is_same(t); })) t = t.detach();
    set_history(t, owner);
  }
  return outs;
}

}  // namespace bolide::autograd
