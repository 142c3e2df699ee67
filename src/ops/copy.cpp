// Copying, converting, filling and resizing tensors in place; clone and to.
#include "autograd/call.h"
#include "core/kernels.h"
#include "iter/plan.h"
#include "ops/creation.h"

namespace bolide {

namespace {

/// Copies with conversion; src broadcasts to dst.
void copy_values(const Tensor& dst, const Tensor& src, bool non_blocking = false) {
  BOLIDE_CHECK_AS(NotImplementedError, !src.device().is_meta() || dst.device().is_meta(), "Cannot copy out of meta tensor; no data!");
  if (dst.numel() == 0 || dst.device().is_meta()) return;
  if (!(dst.sizes() == src.sizes())) {
    Dims strides(dst.sizes().size(), 0);
    const size_t off = dst.sizes().size() - src.sizes().size();
    for (size_t d = 0; d < src.sizes().size(); ++d) strides[off + d] = src.sizes()[d] == 1 ? 0 : src.strides()[d];
    return copy_values(dst, src.view_as_layout(dst.sizes(), strides, src.storage_offset()), non_blocking);
  }
  if (dst.device() == src.device()) kernels(dst).copy(dst, src);
  else kernels(dst.device().is_cpu() ? src : dst).transfer(dst, src, non_blocking);
}

}  // namespace

// Copies src into self, broadcasting and converting.
struct Copy_ {
  static constexpr auto schema = "copy_(Tensor self, Tensor src, bool non_blocking=False) -> Tensor";
  static constexpr auto node = "CopyBackwards";
  static Tensor forward(const Tensor& self, const Tensor& src, bool non_blocking) {
    if (self.is_same(src)) return self;
    if (!(self.sizes() == src.sizes())) {
      const Dims shape = iter::broadcast(self.sizes(), src.sizes());
      BOLIDE_CHECK(shape == self.sizes(), "output with shape ", self.sizes(), " doesn't match the broadcast shape ", shape);
    }
    iter::check_no_internal_overlap(self);
    iter::check_no_partial_overlap(self, src);
    copy_values(self, src, non_blocking);
    return self;
  }
  static Grads backward(const Call&, const Tensor& g) { return Grads(zeros_like(g), g); }
};
const Tensor& copy_(const Tensor& self, const Tensor& src, bool non_blocking) {
  call<Copy_>(self, src, non_blocking);
  return self;
}
const Register<Copy_> copy__op;

// Every element becomes `value`, which has to fit.
struct Fill_ {
  static constexpr auto schema = "fill_(Tensor self, Operand value) -> Tensor";
  static Tensor forward(const Tensor& self, const Operand& value) {
    if (value.tensor) {
      BOLIDE_CHECK(value.tensor->dim() == 0, "fill_ only supports 0-dimension value tensor but got tensor with ", value.tensor->dim(),
                   " dimensions.");
      copy_values(self, *value.tensor);
      return self;
    }
    iter::check_fits(self.dtype(), value.number);
    if (self.numel()) kernels(self).fill(self, value.number);
    return self;
  }
  static Grads backward(const Call& c, const Tensor& g) { return Grads(zeros_like(g), c.needs(1) ? sum(g) : Tensor()); }
};
const Tensor& fill_(const Tensor& self, const Operand& value) {
  call<Fill_>(self, value);
  return self;
}
const Register<Fill_> fill__op;

struct Zero_ {
  static constexpr auto schema = "zero_(Tensor self) -> Tensor";
  static Tensor forward(const Tensor& self) {
    if (self.numel()) kernels(self).fill(self, Scalar(0));
    return self;
  }
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
const Tensor& zero_(const Tensor& self) {
  call<Zero_>(self);
  return self;
}
const Register<Zero_> zero__op;

// Changes the sizes in place, keeping the storage where it is large enough.
struct Resize_ {
  static constexpr auto schema = "resize_(Tensor self, int[] size, *, MemoryFormat? memory_format=None) -> Tensor";
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, IntList size, OptFormat f) {
    const int64_t n = checked_numel(size);
    BOLIDE_CHECK(!self.requires_grad() || !state().grad, "cannot resize variables that require grad");
    const Dims strides = format_strides(size, f.value_or(MemoryFormat::Contiguous));
    int64_t bytes;
    BOLIDE_CHECK(!__builtin_mul_overflow(n + self.storage_offset(), self.itemsize(), &bytes), "Storage size calculation overflowed with sizes=", size);
    if (n && static_cast<size_t>(bytes) > self.storage()->bytes) self.storage()->resize(static_cast<size_t>(bytes));
    self->strides = strides;
    self->sizes.assign(size);
    self->refresh();
    return self;
  }
};
const Tensor& resize_(const Tensor& self, IntList size) {
  Resize_::forward(self, size, {});
  return self;
}
const Register<Resize_> resize__op;

// A copy with memory of its own.
struct Clone {
  static constexpr auto schema = "clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = 0;
  static Tensor forward(const Tensor& self, OptFormat f) {
    Tensor r = new_like(self, {}, {}, f);
    copy_values(r, self);
    return r;
  }
  static Grads backward(const Call&, const Tensor& g) { return g; }
};
Tensor clone(const Tensor& self, OptFormat f) { return call<Clone>(self, f); }
const Register<Clone> clone_op;

// self when it already has that layout, else a copy that does.
struct Contiguous {
  static constexpr auto schema = "contiguous(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kMethod;
  static Tensor forward(const Tensor& self, OptFormat f) {
    const MemoryFormat want = f.value_or(MemoryFormat::Contiguous);
    BOLIDE_CHECK(want != MemoryFormat::Preserve, "preserve memory format is unsupported by the contiguous operator");
    return self.is_contiguous(want) ? self : clone(self, want);
  }
};
Tensor contiguous(const Tensor& self, MemoryFormat f) { return self.is_contiguous(f) ? self : clone(self, f); }
const Register<Contiguous> contiguous_op;

// Another dtype or device, always a copy.
struct ToCopy {
  static constexpr auto schema = "_to_copy(Tensor self, ScalarType dtype, Device? device=None, MemoryFormat? memory_format=None) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = 0;
  static constexpr uint8_t home = kInternal;
  static constexpr auto node = "ToCopyBackward0";
  static Tensor forward(const Tensor& self, DType dtype, OptDevice device, OptFormat f) {
    Tensor r = new_like(self, dtype, device, f);
    copy_values(r, self);
    return r;
  }
  static Grads backward(const Call& c, const Tensor& g) { return cast(g, c.meta(0).dtype); }
};
Tensor to_copy(const Tensor& self, DType dtype, OptDevice device, OptFormat f) { return call<ToCopy>(self, dtype, device, f); }
const Register<ToCopy> to_copy_op;

Tensor cast(const Tensor& self, DType dtype) { return self.dtype() == dtype ? self : to_copy(self, dtype, {}, {}); }
Tensor to(const Tensor& self, OptDType dtype, OptDevice device, bool copy) {
  const DType t = dtype ? *dtype : self.dtype();
  const bool moves = device && device->type != self.device().type;
  return !copy && t == self.dtype() && !moves ? self : to_copy(self, t, device, {});
}

Scalar Tensor::item() const {
  BOLIDE_CHECK(numel() == 1, "a Tensor with ", numel(), " elements cannot be converted to Scalar");
  BOLIDE_CHECK(!device().is_meta(), "Tensor.item() cannot be called on meta tensors");
  if (device().is_cpu()) return iter::load_scalar(dtype(), raw());
  const Tensor here = Tensor::make(sizes(), dtype());
  copy_values(here, *this);
  return iter::load_scalar(dtype(), here.raw());
}

}  // namespace bolide
