// Making tensors: empty, constants, ranges.
#include <algorithm>
#include <cmath>

#include "core/kernels.h"
#include "iter/plan.h"
#include "ops/creation.h"

namespace bolide {

namespace {
Tensor filled(const Tensor& t, const Scalar& v) {
  iter::check_fits(t.dtype(), v);
  if (t.numel()) kernels(t).fill(t, v);
  return t;
}
Tensor zeroed(const Tensor& t) {
  if (t.numel()) kernels(t).fill(t, Scalar(0));
  return t;
}
}  // namespace

struct Empty {
  static constexpr auto schema = "empty(int[] size, " FACTORY_TAIL ", MemoryFormat? memory_format=None) -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static Tensor forward(IntList size, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, OptFormat f) {
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
Dims like_strides(const Tensor& t, OptFormat f) {
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

Tensor new_like(const Tensor& self, OptDType dtype, OptDevice device, OptFormat f) {
  return Tensor::make_strided(self.sizes(), like_strides(self, f), dtype ? *dtype : self.dtype(), device ? *device : self.device());
}
struct EmptyLike {
  static constexpr auto schema = "empty_like(Tensor self, " LIKE_TAIL;
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t home = kFunction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, OptFormat f) {
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
                        OptFormat f) {
    return finish(filled(new_like(self, dtype, device, f), v), grad);
  }
};
Tensor full_like(const Tensor& self, const Scalar& v, OptDType dtype, OptDevice device) {
  return filled(new_like(self, dtype, device, {}), v);
}
const Register<FullLike> full_like_op;

struct ZerosLike {
  static constexpr auto schema = "zeros_like(Tensor self, " LIKE_TAIL;
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t home = kFunction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, OptFormat f) {
    return finish(zeroed(new_like(self, dtype, device, f)), grad);
  }
};
Tensor zeros_like(const Tensor& self, OptDType dtype, OptDevice device) { return zeroed(new_like(self, dtype, device, {})); }
const Register<ZerosLike> zeros_like_op;

struct OnesLike {
  static constexpr auto schema = "ones_like(Tensor self, " LIKE_TAIL;
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t home = kFunction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, OptFormat f) {
    return finish(filled(new_like(self, dtype, device, f), Scalar(1)), grad);
  }
};
Tensor ones_like(const Tensor& self, OptDType dtype, OptDevice device) { return full_like(self, 1, dtype, device); }
const Register<OnesLike> ones_like_op;

struct Zeros {
  static constexpr auto schema = "zeros(int[] size, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(IntList size, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return finish(zeroed(empty(size, dtype, device)), grad);
  }
};
Tensor zeros(IntList size, OptDType dtype, OptDevice device) { return zeroed(empty(size, dtype, device)); }
const Register<Zeros> zeros_op;

struct Ones {
  static constexpr auto schema = "ones(int[] size, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(IntList size, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return finish(filled(empty(size, dtype, device), Scalar(1)), grad);
  }
};
Tensor ones(IntList size, OptDType dtype, OptDevice device) { return full(size, 1, or_default(dtype), device); }
const Register<Ones> ones_op;

struct Full {
  static constexpr auto schema = "full(int[] size, Scalar fill_value, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(IntList size, const Scalar& v, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return finish(filled(empty(size, dtype ? *dtype : v.dtype(), device), v), grad);
  }
};
Tensor full(IntList size, const Scalar& v, OptDType dtype, OptDevice device) {
  return filled(empty(size, dtype ? *dtype : v.dtype(), device), v);
}
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
    if (std::min(n, k)) filled(r.view_as_layout({std::min(n, k)}, {k + 1}, 0), Scalar(1));
    return finish(r, grad);
  }
};
Tensor eye(int64_t n, std::optional<int64_t> m, OptDType dtype, OptDevice device) { return Eye::forward(n, m, dtype, {}, device, {}, {}); }
const Register<Eye> eye_op;

}  // namespace bolide
