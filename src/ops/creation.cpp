// Making tensors: uninitialised, constant, like another.
#include "ops/creation.h"

#include <algorithm>

#include "core/kernels.h"
#include "iter/plan.h"

namespace bolide {

DType factory_dtype(Out out, OptDType dtype, DType other) {
  if (!out.tensor) return dtype.value_or(other);
  const DType have = out.tensor->dtype();
  BOLIDE_CHECK(!dtype || *dtype == have, "dtype ", legacy_name(dtype.value_or(have)), " does not match dtype of out parameter (", legacy_name(have), ")");
  return have;
}
Tensor factory_target(Out out, IntList size, DType dtype, OptDevice device) {
  if (!out.tensor) return Tensor::make(size, dtype, or_cpu(device));
  BOLIDE_CHECK(!device || device->type == out.tensor->device().type, "device type ", device ? name(device->type) : "",
               " does not match device type of out parameter (", name(out.tensor->device().type), ")");
  if (!(IntList(out.tensor->sizes()) == size)) resize_(*out.tensor, size);
  return *out.tensor;
}
Tensor filled(const Tensor& t, const Scalar& v) {
  iter::check_fits(t.dtype(), v);
  if (t.numel()) kernels(t).fill(t, v);
  return t;
}
static Tensor zeroed(const Tensor& t) {
  if (t.numel()) kernels(t).fill(t, Scalar(0));
  return t;
}

// ---- uninitialised ---------------------------------------------------------------------------------

struct Empty {
  static constexpr auto schema = "empty(int[] size, " FACTORY_TAIL ", MemoryFormat? memory_format=None) -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(Out out, IntList size, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, OptFormat f) {
    const DType t = factory_dtype(out, dtype, default_dtype());
    if (f && *f != MemoryFormat::Contiguous && !out.tensor)
      return finish(Tensor::make_strided(size, format_strides(size, *f), t, or_cpu(device)), grad);
    return finish(factory_target(out, size, t, device), grad);
  }
};
Tensor empty(IntList size, OptDType dtype, OptDevice device) { return Tensor::make(size, or_default(dtype), or_cpu(device)); }
const Register<Empty> empty_op;

struct EmptyStrided {
  static constexpr auto schema = "empty_strided(int[] size, int[] stride, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static Tensor forward(IntList size, IntList stride, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    BOLIDE_CHECK(size.size() == stride.size(), "dimensionality of sizes (", size.size(), ") must match dimensionality of strides (",
                 stride.size(), ")");
    return finish(Tensor::make_strided(size, stride, or_default(dtype), or_cpu(device)), grad);
  }
};
Tensor empty_strided(const Dims& size, const Dims& stride, DType dtype, Device device) {
  return Tensor::make_strided(size, stride, dtype, device);
}
const Register<EmptyStrided> empty_strided_op;

// Dimensions lie in memory in the order `physical_layout`, slowest first.
struct EmptyPermuted {
  static constexpr auto schema = "empty_permuted(int[] size, int[] physical_layout, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static Tensor forward(IntList size, IntList order, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    const size_t n = size.size();
    BOLIDE_CHECK(order.size() == n, "Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = ", n,
                 " is not equal to len(physical_layout) = ", order.size());
    std::vector<bool> seen(n);
    Dims strides(n, 1);
    int64_t step = 1;
    for (size_t i = n; i-- > 0;) {
      BOLIDE_CHECK(order[i] >= 0 && order[i] < static_cast<int64_t>(n), "Dimension out of range (expected to be between 0 and ", n - 1,
                   ", but got ", order[i], " at index ", i, ").  NB: negative dims not currently supported; file an issue if you want it.");
      const auto d = static_cast<size_t>(order[i]);
      BOLIDE_CHECK(!seen[d], "Duplicate dim not allowed");
      seen[d] = true;
      strides[d] = step;
      step *= std::max<int64_t>(size[d], 1);
    }
    return finish(Tensor::make_strided(size, strides, or_default(dtype), or_cpu(device)), grad);
  }
};
const Register<EmptyPermuted> empty_permuted_op;

/// Strides of a new tensor like `t`: the same order of dimensions, dense.
static Dims like_strides(const Tensor& t, OptFormat f) {
  if (f && *f != MemoryFormat::Preserve) return format_strides(t.sizes(), *f);
  if (t.is_contiguous()) return t.strides();
  const size_t n = t.sizes().size();
  std::vector<size_t> order(n);
  for (size_t i = 0; i < n; ++i) order[i] = n - 1 - i;
  // expanded dimensions have no place of their own: they stay where they are
  for (size_t i = 1; i < n; ++i)
    for (size_t j = i; j > 0; --j) {
      const int64_t a = t.strides()[order[j - 1]], b = t.strides()[order[j]];
      if (a == 0 || b == 0 || a <= b) break;
      std::swap(order[j - 1], order[j]);
    }
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
Tensor new_like(const Tensor& self, OptDType dtype, OptDevice device, OptFormat f) {
  return Tensor::make_strided(self.sizes(), like_strides(self, f), dtype ? *dtype : self.dtype(), device ? *device : self.device());
}

// ---- like another ------------------------------------------------------------------------------------

/// What the makers of tensors like another share.
struct LikeFactory {
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t home = kFunction, variants = kOut;
  static constexpr bool differentiable = false;
};

struct EmptyLike : LikeFactory {
  static constexpr auto schema = "empty_like(Tensor self, " LIKE_TAIL;
  static Tensor forward(const Tensor& self, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, OptFormat f) {
    return finish(new_like(self, dtype, device, f), grad);
  }
};
Tensor empty_like(const Tensor& self, OptDType dtype, OptDevice device) { return new_like(self, dtype, device, {}); }
const Register<EmptyLike> empty_like_op;

struct FullLike : LikeFactory {
  static constexpr auto schema = "full_like(Tensor self, Scalar fill_value, " LIKE_TAIL;
  static Tensor forward(const Tensor& self, const Scalar& v, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, OptFormat f) {
    return finish(filled(new_like(self, dtype, device, f), v), grad);
  }
};
Tensor full_like(const Tensor& self, const Scalar& v, OptDType dtype, OptDevice device) { return filled(new_like(self, dtype, device, {}), v); }
const Register<FullLike> full_like_op;

struct ZerosLike : LikeFactory {
  static constexpr auto schema = "zeros_like(Tensor self, " LIKE_TAIL;
  static Tensor forward(const Tensor& self, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, OptFormat f) {
    return finish(zeroed(new_like(self, dtype, device, f)), grad);
  }
};
Tensor zeros_like(const Tensor& self, OptDType dtype, OptDevice device) { return zeroed(new_like(self, dtype, device, {})); }
const Register<ZerosLike> zeros_like_op;

struct OnesLike : LikeFactory {
  static constexpr auto schema = "ones_like(Tensor self, " LIKE_TAIL;
  static Tensor forward(const Tensor& self, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, OptFormat f) {
    return finish(filled(new_like(self, dtype, device, f), Scalar(1)), grad);
  }
};
Tensor ones_like(const Tensor& self, OptDType dtype, OptDevice device) { return full_like(self, 1, dtype, device); }
const Register<OnesLike> ones_like_op;

// ---- constant -----------------------------------------------------------------------------------------

struct Zeros {
  static constexpr auto schema = "zeros(int[] size, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(Out out, IntList size, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return finish(zeroed(factory_target(out, size, factory_dtype(out, dtype, default_dtype()), device)), grad);
  }
};
Tensor zeros(IntList size, OptDType dtype, OptDevice device) { return zeroed(empty(size, dtype, device)); }
const Register<Zeros> zeros_op;

struct Ones {
  static constexpr auto schema = "ones(int[] size, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(Out out, IntList size, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return finish(filled(factory_target(out, size, factory_dtype(out, dtype, default_dtype()), device), Scalar(1)), grad);
  }
};
Tensor ones(IntList size, OptDType dtype, OptDevice device) { return filled(empty(size, dtype, device), Scalar(1)); }
const Register<Ones> ones_op;

// The dtype is the number's: bool, int64, the default one.
struct Full {
  static constexpr auto schema = "full(int[] size, Scalar fill_value, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(Out out, IntList size, const Scalar& v, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return finish(filled(factory_target(out, size, factory_dtype(out, dtype, v.dtype()), device), v), grad);
  }
};
Tensor full(IntList size, const Scalar& v, OptDType dtype, OptDevice device) { return filled(empty(size, dtype.value_or(v.dtype()), device), v); }
const Register<Full> full_op;

struct ScalarTensor {
  static constexpr auto schema = "scalar_tensor(Scalar s, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static Tensor forward(const Scalar& s, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return finish(filled(empty({}, dtype, device), s), grad);
  }
};
Tensor scalar_tensor(const Scalar& s, OptDType dtype, OptDevice device) { return full({}, s, dtype, device); }
const Register<ScalarTensor> scalar_tensor_op;

// The functional form of fill_.
struct FillOp {
  static constexpr auto schema = "fill(Tensor self, Operand value) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction, variants = kOut;
  static Tensor forward(const Tensor& self, const Operand& value) { return fill_(clone(self), value); }
};
const Register<FillOp> fill_op;

}  // namespace bolide
