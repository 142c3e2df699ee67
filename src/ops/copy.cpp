// Making tensors, copying, casting, filling, resizing.
#include <cmath>

#include "autograd/call.h"
#include "bolide/ops.h"
#include "cpu/pool.h"
#include "iter/plan.h"
#include "ops/binary.h"

namespace bolide {

bool has_zero(const Tensor& t) {
  const Tensor c = t.is_contiguous() ? t : clone(t);
  bool found = false;
  AllTypes::visit(t.dtype(), [&]<class T>(Tag<T>) {
    const T* p = c.data<T>();
    for (int64_t i = 0; i < c.numel() && !found; ++i) found = p[i] == T(0);
  });
  return found;
}

namespace {

/// Raw strided copy with conversion; shapes already broadcast-compatible.
void copy_values(const Tensor& dst, const Tensor& src) {
  if (dst.device().is_meta() || dst.numel() == 0) return;
  BOLIDE_CHECK_AS(NotImplementedError, !src.device().is_meta(), "Cannot copy out of meta tensor; no data!");
  if (dst.dtype() == src.dtype() && dst.sizes() == src.sizes() && dst.strides() == src.strides() && (dst.is_contiguous() ||
      dst.is_contiguous(MemoryFormat::ChannelsLast))) {
    const int64_t item = dst.itemsize();
    parallel_for(0, dst.numel(), 1 << 16, [&](int64_t b, int64_t e) {
      std::memmove(dst.raw() + b * item, src.raw() + b * item, static_cast<size_t>((e - b) * item));
    });
    return;
  }
  const Operand in[] = {src};
  iter::Plan plan("copy_", Out{&dst, true}, dst.dtype(), in);
  // the loop copies in the source's dtype; the plan converts at the destination
  AllTypes::visit(src.dtype(), [&]<class T>(Tag<T>) {
    plan.run([](char* const* p, const int64_t* s, int64_t n, const void*) {
      char *o = p[0], *a = p[1];
      for (int64_t i = 0; i < n; ++i, o += s[0], a += s[1]) *reinterpret_cast<T*>(o) = *reinterpret_cast<const T*>(a);
    }, nullptr, src.dtype(), src.dtype());
  });
}

}  // namespace

// Copies src into self, broadcasting and converting.
struct Copy_ {
  static constexpr auto schema = "copy_(Tensor self, Tensor src, bool non_blocking=False) -> Tensor";
  static constexpr auto node = "CopyBackwards";
  static Tensor forward(const Tensor& self, const Tensor& src, bool) {
    if (self.is_same(src)) return self;
    const Dims shape = iter::broadcast(self.sizes(), src.sizes());
    BOLIDE_CHECK(shape == self.sizes(), "output with shape ", self.sizes(), " doesn't match the broadcast shape ", shape);
    // overlapping views of one storage: through a copy of the source
    const bool alias = self.storage() == src.storage() && self.storage() && !self.device().is_meta();
    Tensor s = src;
    if (alias && !(self.strides() == src.strides() && self.storage_offset() == src.storage_offset())) {
      s = Tensor::make(src.sizes(), src.dtype(), src.device());
      copy_values(s, src);
    }
    copy_values(self, s);
    return self;
  }
  static Grads backward(const Call&, const Tensor& g) { return Grads(zeros_like(g), g); }
};
const Tensor& copy_(const Tensor& self, const Tensor& src, bool non_blocking) {
  call<Copy_>(self, src, non_blocking);
  return self;
}
const Register<Copy_> copy__op;

struct Fill_ {
  static constexpr auto schema = "fill_(Tensor self, Operand value) -> Tensor";
  static Tensor forward(const Tensor& self, const Operand& value) {
    Scalar v = value.number;
    if (value.tensor) {
      BOLIDE_CHECK(value.tensor->dim() == 0, "fill_ only supports 0-dimension value tensor but got tensor with ", value.tensor->dim(),
                   " dimensions.");
      v = value.tensor->item();
    }
    if (self.device().is_meta() || self.numel() == 0) return self;
    if (v.is_complex() && !is_complex(self.dtype())) fail("value cannot be converted to type ", name(self.dtype()), " without overflow");
    AllTypes::visit(self.dtype(), [&]<class T>(Tag<T>) {
      const T x = v.to<T>();
      if (self.is_contiguous()) {
        T* p = self.data<T>();
        parallel_for(0, self.numel(), 1 << 16, [&](int64_t b, int64_t e) { std::fill(p + b, p + e, x); });
        return;
      }
      iter::Plan plan("fill_", Out{&self, true}, self.dtype(), {});
      plan.run([](char* const* p, const int64_t* s, int64_t n, const void* f) {
        char* o = p[0];
        for (int64_t i = 0; i < n; ++i, o += s[0]) *reinterpret_cast<T*>(o) = *static_cast<const T*>(f);
      }, &x, self.dtype(), self.dtype());
    });
    return self;
  }
  static Grads backward(const Call& c, const Tensor& g) { return Grads(zeros_like(g), c.needs(1) ? sum(g) : Tensor()); }
};
const Tensor& fill_(const Tensor& self, const Scalar& value) {
  call<Fill_>(self, Operand(value));
  return self;
}
const Register<Fill_> fill__op;

struct Zero_ {
  static constexpr auto schema = "zero_(Tensor self) -> Tensor";
  static Tensor forward(const Tensor& self) {
    if (self.is_contiguous() && self.numel() && self.device().is_cpu()) {
      const int64_t n = self.numel() * self.itemsize();
      parallel_for(0, n, 1 << 18, [&](int64_t b, int64_t e) { std::memset(self.raw() + b, 0, static_cast<size_t>(e - b)); });
      return self;
    }
    return Fill_::forward(self, Scalar(0));
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
  static constexpr auto schema = "resize_(Tensor self, int[] size) -> Tensor";
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, IntList size) {
    const int64_t n = checked_numel(size);
    BOLIDE_CHECK(!self.requires_grad() || !state().grad, "cannot resize variables that require grad");
    const size_t bytes = static_cast<size_t>((n + self.storage_offset()) * self.itemsize());
    if (n && bytes > self.storage()->bytes) self.storage()->resize(bytes);
    self->strides = contiguous_strides(size);
    self->sizes.assign(size);
    self->refresh();
    return self;
  }
};
const Tensor& resize_(const Tensor& self, IntList size) {
  Resize_::forward(self, size);
  return self;
}
const Register<Resize_> resize__op;

namespace {
DType or_default(OptDType t) { return t ? *t : default_dtype(); }
Device or_cpu(std::optional<Device> d) { return d ? *d : Device(); }
Tensor finish(Tensor t, std::optional<bool> requires_grad) {
  if (requires_grad.value_or(false)) t.set_requires_grad(true);
  return t;
}
DType dtype_for(const Scalar& s) { return s.dtype(); }
}  // namespace

#define FACTORY_TAIL "*, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=False, bool? requires_grad=False"
using OptLayout = std::optional<LayoutKind>;
using OptDevice = std::optional<Device>;
using OptBool = std::optional<bool>;

struct Empty {
  static constexpr auto schema = "empty(int[] size, " FACTORY_TAIL ", MemoryFormat? memory_format=None) -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static Tensor forward(IntList size, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, std::optional<MemoryFormat> f) {
    if (f && *f != MemoryFormat::Contiguous)
      return finish(Tensor::make_strided(size, format_strides(size, *f), or_default(dtype), or_cpu(device)), grad);
    return finish(Tensor::make(size, or_default(dtype), or_cpu(device)), grad);
  }
};
Tensor empty(IntList size, OptDType dtype, OptDevice device) { return Tensor::make(size, or_default(dtype), or_cpu(device)); }
const Register<Empty> empty_op;

struct EmptyStrided {
  static constexpr auto schema = "empty_strided(int[] size, int[] stride, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static Tensor forward(IntList size, IntList stride, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    BOLIDE_CHECK(size.size() == stride.size(), "mismatch in length of strides and shape");
    return finish(Tensor::make_strided(size, stride, or_default(dtype), or_cpu(device)), grad);
  }
};
Tensor empty_strided(const Dims& size, const Dims& stride, DType dtype, Device device) {
  return Tensor::make_strided(size, stride, dtype, device);
}
const Register<EmptyStrided> empty_strided_op;

/// Strides of a new tensor like `t`: the same order of dimensions, dense.
Dims like_strides(const Tensor& t, std::optional<MemoryFormat> f) {
  if (f && *f != MemoryFormat::Preserve) return format_strides(t.sizes(), *f);
  if (t.is_contiguous()) return t.strides();
  const size_t n = t.sizes().size();
  std::vector<size_t> order(n);
  for (size_t i = 0; i < n; ++i) order[i] = n - 1 - i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return t.strides()[a] < t.strides()[b]; });
  Dims s(n, 1);
  int64_t step = 1;
  bool dense = true;
  for (size_t d : order) {
    dense &= t.sizes()[d] == 1 || t.strides()[d] == step;
    s[d] = step;
    step *= std::max<int64_t>(t.sizes()[d], 1);
  }
  return dense ? t.strides() : s;
}

#define LIKE_TAIL FACTORY_TAIL ", MemoryFormat? memory_format=None) -> Tensor"
Tensor new_like(const Tensor& self, OptDType dtype, OptDevice device, std::optional<MemoryFormat> f) {
  return Tensor::make_strided(self.sizes(), like_strides(self, f), dtype ? *dtype : self.dtype(), device ? *device : self.device());
}
struct EmptyLike {
  static constexpr auto schema = "empty_like(Tensor self, " LIKE_TAIL;
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t home = kFunction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, std::optional<MemoryFormat> f) {
    return finish(new_like(self, dtype, device, f), grad);
  }
};
Tensor empty_like(const Tensor& self, OptDType dtype, OptDevice device) { return new_like(self, dtype, device, {}); }
const Register<EmptyLike> empty_like_op;

struct FullLike {
  static constexpr auto schema = "full_like(Tensor self, Scalar fill_value, " LIKE_TAIL;
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t home = kFunction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, const Scalar& v, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad,
                        std::optional<MemoryFormat> f) {
    return finish(Fill_::forward(new_like(self, dtype, device, f), v), grad);
  }
};
Tensor full_like(const Tensor& self, const Scalar& v, OptDType dtype, OptDevice device) {
  return Fill_::forward(new_like(self, dtype, device, {}), v);
}
const Register<FullLike> full_like_op;

struct ZerosLike {
  static constexpr auto schema = "zeros_like(Tensor self, " LIKE_TAIL;
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t home = kFunction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, std::optional<MemoryFormat> f) {
    return finish(Zero_::forward(new_like(self, dtype, device, f)), grad);
  }
};
Tensor zeros_like(const Tensor& self, OptDType dtype, OptDevice device) { return Zero_::forward(new_like(self, dtype, device, {})); }
const Register<ZerosLike> zeros_like_op;

struct OnesLike {
  static constexpr auto schema = "ones_like(Tensor self, " LIKE_TAIL;
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t home = kFunction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, std::optional<MemoryFormat> f) {
    return finish(Fill_::forward(new_like(self, dtype, device, f), Scalar(1)), grad);
  }
};
Tensor ones_like(const Tensor& self, OptDType dtype, OptDevice device) { return full_like(self, 1, dtype, device); }
const Register<OnesLike> ones_like_op;

struct Zeros {
  static constexpr auto schema = "zeros(int[] size, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(IntList size, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return finish(Zero_::forward(empty(size, dtype, device)), grad);
  }
};
Tensor zeros(IntList size, OptDType dtype, OptDevice device) { return Zero_::forward(empty(size, dtype, device)); }
const Register<Zeros> zeros_op;

struct Ones {
  static constexpr auto schema = "ones(int[] size, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(IntList size, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return finish(Fill_::forward(empty(size, dtype, device), Scalar(1)), grad);
  }
};
Tensor ones(IntList size, OptDType dtype, OptDevice device) { return full(size, 1, or_default(dtype), device); }
const Register<Ones> ones_op;

struct Full {
  static constexpr auto schema = "full(int[] size, Scalar fill_value, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(IntList size, const Scalar& v, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return finish(Fill_::forward(empty(size, dtype ? *dtype : dtype_for(v), device), v), grad);
  }
};
Tensor full(IntList size, const Scalar& v, OptDType dtype, OptDevice device) {
  return Fill_::forward(empty(size, dtype ? *dtype : dtype_for(v), device), v);
}
const Register<Full> full_op;

struct ScalarTensor {
  static constexpr auto schema = "scalar_tensor(Scalar s, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static Tensor forward(const Scalar& s, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return finish(Fill_::forward(empty({}, dtype, device), s), grad);
  }
};
Tensor scalar_tensor(const Scalar& s, OptDType dtype, OptDevice device) { return full({}, s, dtype, device); }
const Register<ScalarTensor> scalar_tensor_op;

// start, start + step, ... below end.
struct Arange {
  static constexpr auto schema = "arange.start_step(Scalar start, Scalar end, Scalar step=1, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Scalar& start, const Scalar& end, const Scalar& step, OptDType dtype, OptLayout, OptDevice device, OptBool,
                        OptBool grad) {
    const bool whole = start.is_int() && end.is_int() && step.is_int();
    const DType t = dtype ? *dtype : whole ? DType::Int64 : default_dtype();
    const double s = start.to_double(), e = end.to_double(), d = step.to_double();
    BOLIDE_CHECK(d != 0, "step must be nonzero");
    BOLIDE_CHECK(std::isfinite(s) && std::isfinite(e), "unsupported range: ", s, " -> ", e);
    BOLIDE_CHECK((d > 0) == (e >= s) || e == s, "upper bound and lower bound inconsistent with step sign");
    double count = std::ceil((e - s) / d);
    if (whole) {
      const int64_t a = start.to_int(), b = end.to_int(), c = step.to_int();
      const int64_t sgn = (c > 0) - (c < 0);
      count = static_cast<double>((b - a + c - sgn) / c);
    }
    BOLIDE_CHECK(count >= 0 && count < 9e18, "invalid size, possible overflow?");
    Tensor r = empty({static_cast<int64_t>(count)}, t, device);
    if (r.device().is_meta()) return finish(r, grad);
    dispatch<Join<Ints, Floats, Halves>>("arange", t, [&]<class T>(Tag<T>) {
      T* p = r.data<T>();
      if constexpr (std::is_integral_v<T>) {
        const int64_t a = start.to_int(), c = step.to_int();
        for (int64_t i = 0; i < r.numel(); ++i) p[i] = static_cast<T>(a + c * i);
      } else {
        for (int64_t i = 0; i < r.numel(); ++i) p[i] = T(static_cast<float>(0) + static_cast<T>(s + d * static_cast<double>(i)));
      }
    });
    return finish(r, grad);
  }
};
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, OptDType dtype, OptDevice device) {
  return Arange::forward(start, end, step, dtype, {}, device, {}, {});
}
const Register<Arange> arange_op;

struct ArangeEnd {
  static constexpr auto schema = "arange(Scalar end, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Scalar& end, OptDType dtype, OptLayout l, OptDevice device, OptBool p, OptBool grad) {
    return Arange::forward(end.is_int() ? Scalar(0) : Scalar(0.0), end, Scalar(1), dtype ? dtype : OptDType(end.is_int() ? DType::Int64 : default_dtype()), l, device, p, grad);
  }
};
const Register<ArangeEnd> arange_end_op;

// `steps` values from start to end, both included.
struct Linspace {
  static constexpr auto schema = "linspace(Scalar start, Scalar end, int steps, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Scalar& start, const Scalar& end, int64_t steps, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    BOLIDE_CHECK(steps >= 0, "number of steps must be non-negative");
    const DType t = dtype ? *dtype : start.is_complex() || end.is_complex() ? complex_of(default_dtype()) : default_dtype();
    Tensor r = empty({steps}, t, device);
    if (r.device().is_meta()) return finish(r, grad);
    dispatch<Join<Ints, Floats, Halves, Complexes>>("linspace", t, [&]<class T>(Tag<T>) {
      T* p = r.data<T>();
      using S = std::conditional_t<std::is_integral_v<T> || std::is_same_v<T, float>, std::conditional_t<std::is_same_v<T, float>, float, double>,
                                   std::conditional_t<std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>, float, T>>;
      const S a = start.to<S>(), b = end.to<S>(), step = steps > 1 ? (b - a) / S(static_cast<double>(steps - 1)) : S(0);
      for (int64_t i = 0; i < steps; ++i)
        p[i] = static_cast<T>(i < steps / 2 ? a + step * S(static_cast<double>(i)) : b - step * S(static_cast<double>(steps - 1 - i)));
      if (steps == 1) p[0] = static_cast<T>(a);
    });
    return finish(r, grad);
  }
};
Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps, OptDType dtype, OptDevice device) {
  return Linspace::forward(start, end, steps, dtype, {}, device, {}, {});
}
const Register<Linspace> linspace_op;

// Ones on the diagonal.
struct Eye {
  static constexpr auto schema = "eye(int n, int? m=None, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(int64_t n, std::optional<int64_t> m, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    BOLIDE_CHECK(n >= 0, "n must be greater or equal to 0, got ", n);
    BOLIDE_CHECK(!m || *m >= 0, "m must be greater or equal to 0, got ", m.value_or(0));
    const int64_t k = m.value_or(n);
    Tensor r = zeros({n, k}, dtype, device);
    if (std::min(n, k)) Fill_::forward(r.view_as_layout({std::min(n, k)}, {k + 1}, 0), Scalar(1));
    return finish(r, grad);
  }
};
Tensor eye(int64_t n, std::optional<int64_t> m, OptDType dtype, OptDevice device) { return Eye::forward(n, m, dtype, {}, device, {}, {}); }
const Register<Eye> eye_op;

// A copy with memory of its own.
struct Clone {
  static constexpr auto schema = "clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = 0;
  static Tensor forward(const Tensor& self, std::optional<MemoryFormat> f) {
    Tensor r = new_like(self, {}, {}, f);
    copy_values(r, self);
    return r;
  }
  static Grads backward(const Call&, const Tensor& g) { return g; }
};
Tensor clone(const Tensor& self, std::optional<MemoryFormat> f) { return call<Clone>(self, f); }
const Register<Clone> clone_op;

// self when it already has that layout, else a copy that does.
struct Contiguous {
  static constexpr auto schema = "contiguous(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kMethod;
  static Tensor forward(const Tensor& self, std::optional<MemoryFormat> f) {
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
  static Tensor forward(const Tensor& self, DType dtype, OptDevice device, std::optional<MemoryFormat> f) {
    Tensor r = new_like(self, dtype, device, f);
    copy_values(r, self);
    return r;
  }
  static Grads backward(const Call& c, const Tensor& g) { return cast(g, c.meta(0).dtype); }
};
Tensor to_copy(const Tensor& self, DType dtype, OptDevice device, std::optional<MemoryFormat> f) { return call<ToCopy>(self, dtype, device, f); }
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
  return iter::load_scalar(dtype(), raw());
}
Tensor Tensor::to(DType d) const { return cast(*this, d); }
Tensor Tensor::to(Device d) const { return bolide::to(*this, {}, d); }
Tensor Tensor::contiguous() const { return bolide::contiguous(*this); }
Tensor Tensor::clone() const { return bolide::clone(*this); }
Tensor& Tensor::copy_(const Tensor& src) { bolide::copy_(*this, src); return *this; }
Tensor& Tensor::zero_() { bolide::zero_(*this); return *this; }
Tensor& Tensor::fill_(const Scalar& v) { bolide::fill_(*this, v); return *this; }

}  // namespace bolide
