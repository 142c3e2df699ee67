// Making tensors for C++ users: with options, from values in braces, on memory of their own.
#include "bolide/factories.h"

#include "core/named_op.h"

namespace bolide {

// ---- random numbers ----------------------------------------------------------------------------
namespace {
Tensor moved(const Tensor& t, const TensorOptions& o) { return with_options(to(t, {}, o.device()), o); }
}  // namespace
Tensor rand(IntList size, const TensorOptions& o) { return moved(rand(size, o.dtype()), o); }
Tensor randn(IntList size, const TensorOptions& o) { return moved(randn(size, o.dtype()), o); }
Tensor randint(int64_t low, int64_t high, IntList size, const TensorOptions& o) {
  static constexpr NamedOp random_("random_");
  const Tensor t = empty(size, o.dtype().value_or(DType::Int64));
  random_(t, low, high);
  return moved(t, o);
}
Tensor randint(int64_t high, IntList size, const TensorOptions& o) { return randint(0, high, size, o); }
Tensor rand_like(const Tensor& t) { return uniform_(empty_like(t)); }
Tensor randn_like(const Tensor& t) { return normal_(empty_like(t)); }

// ---- values ------------------------------------------------------------------------------------
void Values::collect(Dims& sizes, size_t depth, std::vector<Scalar>& flat) const {
  if (!list_) {
    BOLIDE_CHECK_AS(ValueError, depth == sizes.size(), "tensor(): expected a list at dimension ", depth, ", but got a number");
    flat.push_back(scalar_);
    return;
  }
  BOLIDE_CHECK_AS(ValueError, depth < sizes.size(), "tensor(): expected a number, but got a list at dimension ", depth);
  BOLIDE_CHECK_AS(ValueError, static_cast<int64_t>(items_.size()) == sizes[depth], "expected sequence of length ", sizes[depth],
                  " at dim ", depth, " (got ", items_.size(), ")");
  for (const Values& v : items_) v.collect(sizes, depth + 1, flat);
}

Tensor Values::tensor(const TensorOptions& o) const {
  Dims sizes;
  for (const Values* v = this; v->list_; v = &v->items_[0]) {
    sizes.push_back(static_cast<int64_t>(v->items_.size()));
    if (v->items_.empty()) break;
  }
  std::vector<Scalar> flat;
  collect(sizes, 0, flat);
  DType dtype = flat.empty() ? default_dtype() : flat[0].dtype();
  for (const Scalar& s : flat) dtype = promote(dtype, s.dtype());
  dtype = o.dtype().value_or(dtype);
  const Tensor t = Tensor::make(sizes, dtype);
  dispatch<AllTypes>("tensor", dtype, [&]<class T>(Tag<T>) {
    for (size_t i = 0; i < flat.size(); ++i) t.data<T>()[i] = flat[i].to<T>();
  });
  return with_options(to(t, {}, o.device()), o);
}

// ---- memory of the caller's --------------------------------------------------------------------
namespace {

Tensor on_memory(void* data, IntList sizes, IntList strides, std::function<void(void*)> deleter, const TensorOptions& o) {
  const DType dtype = o.dtype().value_or(default_dtype());
  int64_t last = 0;
  const int64_t numel = checked_numel(sizes);
  for (size_t i = 0; i < sizes.size() && numel; ++i) {
    BOLIDE_CHECK_AS(ValueError, strides[i] >= 0, "from_blob: negative strides are not supported, got ", strides);
    last += (sizes[i] - 1) * strides[i];
  }
  struct Owner { void* data; std::function<void(void*)> deleter; };
  auto* owner = deleter ? new Owner{data, std::move(deleter)} : nullptr;
  const auto release = [](void* p) {
    auto* own = static_cast<Owner*>(p);
    own->deleter(own->data);
    delete own;
  };
  const size_t bytes = numel ? static_cast<size_t>((last + 1) * item_size(dtype)) : 0;
  Tensor t(new TensorImpl);
  t->storage = Storage::borrow(data, bytes, o.device().value_or(Device()), owner ? +release : nullptr, owner);
  t->dtype = dtype, t->device = t->storage->device;
  t->sizes.assign(sizes), t->strides.assign(strides);
  t->refresh();
  return with_options(t, o);
}

}  // namespace

Tensor from_blob(void* data, IntList sizes, const TensorOptions& o) { return on_memory(data, sizes, contiguous_strides(sizes), {}, o); }
Tensor from_blob(void* data, IntList sizes, std::function<void(void*)> deleter, const TensorOptions& o) {
  return on_memory(data, sizes, contiguous_strides(sizes), std::move(deleter), o);
}
Tensor from_blob(void* data, IntList sizes, IntList strides, const TensorOptions& o) {
  BOLIDE_CHECK_AS(ValueError, sizes.size() == strides.size(), "from_blob: ", sizes.size(), " sizes, but ", strides.size(), " strides");
  return on_memory(data, sizes, strides, {}, o);
}

}  // namespace bolide
