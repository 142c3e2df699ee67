// History: how tensors join the graph, what in-place writes do to it, and writes through views (CopySlices).
#include "autograd/meta.h"
#include "bolide/ops.h"

namespace bolide {

void fail_released(const char*) {
  fail("Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
       "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
       "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors after "
       "calling backward.");
}

Edge leaf_edge(TensorImpl* t);

Edge gradient_edge(const Tensor& t) {
  TensorImpl* p = t.impl();
  if (!p->base) [[likely]] {
    if (p->autograd && p->autograd->grad_fn) return {p->autograd->grad_fn, p->autograd->slot};
    return p->flags & TensorImpl::kRequiresGrad ? leaf_edge(p) : Edge{};
  }
  if (Ref<Node> fn = t.grad_fn()) return {std::move(fn), p->autograd->slot};
  return p->flags & TensorImpl::kRequiresGrad ? leaf_edge(p) : Edge{};
}

void set_history(const Tensor& t, Ref<Node> node, uint32_t slot) {
  t->flags |= TensorImpl::kRequiresGrad;
  AutogradMeta& m = meta_of(t.impl());
  m.grad_fn = std::move(node);
  m.slot = slot;
  if (t->base) t->view_version = t.version();
}

// ---- in-place writes -----------------------------------------------------------------------------

namespace {

/// `indirect`: not the view itself but its base, or another view of it, was written to.
[[noreturn, gnu::cold]] void fail_view_write(const Tensor& t, bool indirect) {
  const uint16_t origin = t->flags & TensorImpl::kViewOrigin;
  const Node* fn = t->autograd ? t->autograd->grad_fn.get() : nullptr;
  std::string maker = fn ? fn->name() : "";
  maker.resize(std::min(maker.size(), maker.rfind("Backward")));
  const char* what = indirect ? " and its base or another view of its base has been modified inplace" : " and is being modified inplace";
  std::string text;
  if (fn) text = str("Output ", t->autograd->slot, " of ", maker, " is a view", what, ".");
  else if (origin & TensorImpl::kInferenceView) text = str("A view was created in inference mode", what, " in normal mode.");
  else text = str("A view was created in no_grad mode", what, " with grad mode enabled.");
  if (origin & TensorImpl::kMultiView)
    text += " This view is the output of a function that returns multiple views. Such functions do not allow the output views to be "
            "modified inplace. You should replace the inplace operation by an out-of-place one.";
  else if (origin & TensorImpl::kFunctionView)
    text += " This view was created inside a custom Function (or because an input was returned as-is) and the autograd logic to handle "
            "view+inplace would override the custom backward associated with the custom Function, leading to incorrect gradients. This "
            "behavior is forbidden. You can fix this by cloning the output of the custom Function.";
  else
    text += str(" Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the "
                "view and the inplace either both inside the ", origin & TensorImpl::kInferenceView ? "inference_mode" : "no_grad",
                " block (if you don't want the inplace to be tracked) or both outside (if you want the inplace to be tracked).");
  fail(text);
}

/// Hooks stay with the value they were registered for; retain_grad goes on with the tensor.
void change_history(const Tensor& t, Ref<Node> node, uint32_t slot) {
  AutogradMeta& m = meta_of(t.impl());
  if (m.extra_) {
    m.extra_->hooks.clear();
    m.extra_->python_hooks = nullptr;
  }
  if (m.retains_grad) move_retain(t.impl(), m.grad_fn.get(), node.get(), slot);
  set_history(t, std::move(node), slot);
}

}  // namespace

void check_in_place(const Tensor& t) {
  if (t->base) {
    if (t->flags & TensorImpl::kViewOrigin) fail_view_write(t, false);
    if (t.requires_grad() && Tensor(t->base).is_leaf())
      fail("a view of a leaf Variable that requires grad is being used in an in-place operation.");
  }
  if (t.requires_grad() && t.is_leaf()) fail("a leaf Variable that requires grad is being used in an in-place operation.");
}

/// A view whose memory was written to since: it is made anew from its base, whose history has the write.
static void remake_view(const Tensor& t) {
  if (t->flags & TensorImpl::kViewOrigin) fail_view_write(t, true);
  GradMode on(true);
  const Tensor fresh = part_like(Tensor(t->base), *t.impl());
  AutogradMeta& from = meta_of(fresh.impl());
  change_history(t, from.grad_fn, from.slot);
}

void rebase_history(const Tensor& t, Ref<Node> node, uint32_t slot, uint32_t self_edge) {
  if (!t->base) {
    change_history(t, std::move(node), slot);
    return;
  }
  BOLIDE_CHECK(slot == 0 && node->output_count == 1, "Functions which modify views in-place must return a single Variable");
  change_history(Tensor(t->base), Ref<Node>(make_node<CopySlices>(t, std::move(node), self_edge)), 0);
  remake_view(t);
}

// ---- writes through views --------------------------------------------------------------------------

CopySlices::CopySlices(const Tensor& view, Ref<Node> f, uint32_t edge)
    : fn(std::move(f)), self_edge(edge), part(TensorMeta::of(view)), part_strides(view.strides()), offset(view.storage_offset()) {
  const Tensor whole(view->base);
  base = TensorMeta::of(whole);
  base_strides = whole.strides();
  const int64_t ratio_up = whole.itemsize() / view.itemsize(), ratio_down = view.itemsize() / whole.itemsize();
  offset -= ratio_up > 1 ? whole.storage_offset() * ratio_up : whole.storage_offset() / std::max<int64_t>(ratio_down, 1);
  set_outputs({&base, 1});
  std::vector<Edge> edges(fn->next().begin(), fn->next().end());
  if (edges.size() <= self_edge) edges.resize(self_edge + 1);
  edges[self_edge] = gradient_edge(whole);
  set_next(edges);
}

void CopySlices::release() {
  if (fn) fn->release();
  fn = {};
}

namespace {

Tensor call_view(const char* op, const Tensor& t) {
  const Value args[] = {box(t), Value()};
  return call_boxed(find_op(op), args).tensors[0];
}

/// The strided part of `whole` with the given dtype: floats within complex numbers, or the reverse.
Tensor strided_part(const Tensor& whole, const Dims& sizes, const Dims& strides, int64_t offset, DType dtype) {
  if (dtype == whole.dtype()) return as_strided(whole, sizes, strides, offset);
  if (is_complex(whole.dtype())) return as_strided(call_view("view_as_real", whole), sizes, strides, offset);
  Dims s = sizes, t = strides;
  for (int64_t& x : t) x *= 2;
  s.push_back(2), t.push_back(1);
  return call_view("view_as_complex", as_strided(whole, s, t, offset * 2));
}

}  // namespace

Tensor part_like(const Tensor& base, const TensorImpl& view) {
  return strided_part(base, view.sizes, view.strides, view.offset, view.dtype);
}

void CopySlices::apply(std::span<Tensor> grads, std::span<Tensor> result, Wanted wanted) {
  if (!fn) fail_released(name());
  const Tensor& g = grads[0];
  if (!g.defined()) return;
  Tensor whole = empty_strided(base.sizes, base_strides, base.dtype, g.device());
  copy_(whole, g);
  const Tensor piece = strided_part(whole, part.sizes, part_strides, offset, part.dtype);
  std::array<Tensor, 1> in{clone(piece)};
  std::vector<Tensor> inner(fn->next_count);
  fn->apply(in, inner, wanted);
  for (size_t i = 0; i < result.size(); ++i) {
    if (i != self_edge) {
      if (i < inner.size()) result[i] = std::move(inner[i]);
      continue;
    }
    if (!next_[i].node) continue;
    if (i < inner.size() && inner[i].defined()) copy_(piece, inner[i]);
    else zero_(piece);
    result[i] = std::move(whole);
  }
}

// ---- Tensor's history ------------------------------------------------------------------------------

Ref<Node> Tensor::grad_fn() const {
  if (p_->base && p_->view_version != version()) [[unlikely]] {
    const bool joined = p_->autograd && p_->autograd->grad_fn;
    if ((joined || p_->base->requires_grad()) && is_differentiable(dtype())) remake_view(*this);
  }
  return p_->autograd ? p_->autograd->grad_fn : Ref<Node>();
}

bool Tensor::is_leaf() const { return !requires_grad() || !grad_fn(); }
Tensor Tensor::detach() const { return alias(); }

}  // namespace bolide
