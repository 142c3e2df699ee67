// Numbers in order. Map: arange, range | linspace, logspace | eye | windows
#include <cmath>

#include "core/kernels.h"
#include "iter/functions.h"
#include "iter/pointwise.h"
#include "ops/creation.h"

namespace bolide {

namespace {

using Numbers = Join<Ints, Floats>;
using AllNumbers = Join<Ints, Floats, Complexes>;

/// The places 0, 1, ..., n - 1, which the expressions below turn into values.
Tensor places(int64_t n, Device device) {
  const Tensor t = Tensor::make({n}, DType::Int64, device);
  if (n) kernels(device).iota(t);
  return t;
}
/// Fills `r` with F of the places.
template <template <class> class F, class List, class... P>
Tensor fill_by_place(const char* op, const Tensor& r, P... parameters) {
  if (r.numel()) iter::map<F, List>(op, Out{&r, false}, r.dtype(), r.dtype(), {places(r.numel(), r.device())}, parameters...);
  return r;
}

BOLIDE_EXPR(RampInt, int64_t start, step; T operator()(int64_t i) const { return static_cast<T>(start + step * i); })
BOLIDE_EXPR(Ramp, double start, step; T operator()(int64_t i) const { return static_cast<T>(start + step * double(i)); })

}  // namespace

// ---- arange, range ---------------------------------------------------------------------------------

// start, start + step, ... below end.
struct Arange {
  static constexpr auto schema = "arange.start_step(Scalar start, Scalar end, Scalar step=1, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(Out out, const Scalar& start, const Scalar& end, const Scalar& step, OptDType dtype, OptLayout, OptDevice device,
                        OptBool, OptBool grad) {
    const bool whole = start.is_int() && end.is_int() && step.is_int();
    const DType t = factory_dtype(out, dtype, whole ? DType::Int64 : default_dtype());
    for (const Scalar& s : {start, end, step})
      BOLIDE_CHECK(!s.is_complex() || s.to<complex128>().imag() == 0, "value cannot be converted to type double without overflow");
    BOLIDE_CHECK_AS(NotImplementedError, is_integral(t) || is_floating(t), "\"arange_cpu\" not implemented for '", legacy_name(t), "'");
    const double s = start.to_double(), e = end.to_double(), d = step.to_double();
    BOLIDE_CHECK(d != 0, "step must be nonzero");
    BOLIDE_CHECK(std::isfinite(s) && std::isfinite(e), "unsupported range: ", start, " -> ", end);
    BOLIDE_CHECK((d > 0 && e >= s) || (d < 0 && e <= s), "upper bound and lower bound inconsistent with step sign");
    double count = std::ceil((e - s) / d);
    if (is_integral(t)) {
      const int64_t a = start.to_int(), b = end.to_int(), c = step.to_int();
      BOLIDE_CHECK_AS(ValueError, c != 0, "step must be nonzero");
      count = std::ceil((static_cast<double>(b) - static_cast<double>(a)) / static_cast<double>(c));
      if (whole && std::fabs(count) < 9e15) count = static_cast<double>(exact_count(a, b, c));
    }
    BOLIDE_CHECK(count >= 0 && count < 9e18, "invalid size, possible overflow?");
    const Tensor r = factory_target(out, {static_cast<int64_t>(count)}, t, device);
    if (is_integral(t)) {
      if (t == DType::Int64 && start.to_int() == 0 && step.to_int() == 1 && r.is_contiguous()) return finish(ramp_from_zero(r), grad);
      return finish(fill_by_place<RampInt, Ints>("arange_cpu", r, start.to_int(), step.to_int()), grad);
    }
    return finish(fill_by_place<Ramp, Floats>("arange_cpu", r, s, d), grad);
  }
  static int64_t exact_count(int64_t a, int64_t b, int64_t c) {
    const __int128 span = static_cast<__int128>(b) - a, sign = c > 0 ? 1 : -1;
    return static_cast<int64_t>((span + c - sign) / c);
  }
  static Tensor ramp_from_zero(const Tensor& r) {
    if (r.numel()) kernels(r).iota(r);
    return r;
  }
};
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, OptDType dtype, OptDevice device) {
  return Arange::forward({}, start, end, step, dtype, {}, device, {}, {});
}
const Register<Arange> arange_op;

struct ArangeEnd {
  static constexpr auto schema = "arange(Scalar end, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(Out out, const Scalar& end, OptDType dtype, OptLayout l, OptDevice device, OptBool p, OptBool grad) {
    return Arange::forward(out, Scalar(0), end, Scalar(1), dtype, l, device, p, grad);
  }
};
const Register<ArangeEnd> arange_end_op;

// Like arange, with `end` included.
struct Range {
  static constexpr auto schema = "range(Scalar start, Scalar end, Scalar step=1, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(Out out, const Scalar& start, const Scalar& end, const Scalar& step, OptDType dtype, OptLayout, OptDevice device,
                        OptBool, OptBool grad) {
    const DType t = factory_dtype(out, dtype, default_dtype());
    const double s = start.to_double(), e = end.to_double(), d = step.to_double();
    BOLIDE_CHECK(d != 0, "step must be nonzero");
    BOLIDE_CHECK(std::isfinite(s) && std::isfinite(e), "unsupported range: ", start, " -> ", end);
    BOLIDE_CHECK((d > 0 && e >= s) || (d < 0 && e <= s), "upper bound and lower bound inconsistent with step sign");
    const double count = std::floor((e - s) / d) + 1;
    BOLIDE_CHECK(count < 9e18, "invalid size, possible overflow?");
    const Tensor r = factory_target(out, {static_cast<int64_t>(count)}, t, device);
    return finish(fill_by_place<Ramp, Numbers>("range_cpu", r, s, d), grad);
  }
};
const Register<Range> range_op;

// ---- linspace, logspace ---------------------------------------------------------------------------------

namespace {

// Counted from the nearer end, so that both ends are exact. Integers step in double.
BOLIDE_EXPR(Line, fn::step_t<T> start, end, step;
  int64_t half, last;
  T operator()(int64_t i) const {
    return static_cast<T>(i < half ? start + step * fn::step_t<T>(double(i)) : end - step * fn::step_t<T>(double(last - i)));
  })
BOLIDE_EXPR(Powers, fn::step_t<T> start, end, step, base;
  int64_t half, last;
  T operator()(int64_t i) const {
    return static_cast<T>(fn::pow(base, i < half ? start + step * fn::step_t<T>(double(i)) : end - step * fn::step_t<T>(double(last - i))));
  })

/// (end - start) / (steps - 1), in the type that `t` steps in.
Scalar step_of(DType t, const Scalar& start, const Scalar& end, int64_t steps) {
  const double n = static_cast<double>(std::max<int64_t>(steps - 1, 1));
  if (t == DType::Complex64) return complex128((end.to<complex64>() - start.to<complex64>()) / static_cast<float>(n));
  if (is_complex(t)) return (end.to<complex128>() - start.to<complex128>()) / n;
  if (is_integral(t)) return (static_cast<double>(end.to_int()) - static_cast<double>(start.to_int())) / n;
  if (t == DType::Float64) return (end.to_double() - start.to_double()) / n;
  return (end.to<float>() - start.to<float>()) / static_cast<float>(n);
}
Scalar held(DType t, const Scalar& s) { return is_integral(t) ? Scalar(s.to_int()) : s; }
DType line_dtype(const char* op, Out out, OptDType dtype, bool complex) {
  const DType inferred = complex ? complex_of(default_dtype()) : default_dtype();
  const DType t = factory_dtype(out, dtype, inferred);
  BOLIDE_CHECK(!complex || is_complex(t), "torch.", op, "(): inferred dtype c10::complex<", default_dtype() == DType::Float64 ? "double" : "float",
               "> can't be safely cast to passed dtype ", legacy_name(t));
  BOLIDE_CHECK_AS(NotImplementedError, t != DType::Bool, '"', op, "_cpu\" not implemented for 'Bool'");
  return t;
}

}  // namespace

// `steps` values from start to end, both included.
struct Linspace {
  static constexpr auto schema = "linspace(Scalar start, Scalar end, int steps, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(Out out, const Scalar& start, const Scalar& end, int64_t steps, OptDType dtype, OptLayout, OptDevice device, OptBool,
                        OptBool grad) {
    BOLIDE_CHECK(steps >= 0, "number of steps must be non-negative");
    const DType t = line_dtype("linspace", out, dtype, start.is_complex() || end.is_complex());
    const Tensor r = factory_target(out, {steps}, t, device);
    return finish(fill_by_place<Line, AllNumbers>("linspace", r, held(t, start), held(t, steps == 1 ? start : end), step_of(t, start, end, steps),
                                                  steps / 2, steps - 1), grad);
  }
};
Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps, OptDType dtype, OptDevice device) {
  return Linspace::forward({}, start, end, steps, dtype, {}, device, {}, {});
}
const Register<Linspace> linspace_op;

// base ** linspace.
struct Logspace {
  static constexpr auto schema = "logspace(Scalar start, Scalar end, int steps, float base=10.0, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(Out out, const Scalar& start, const Scalar& end, int64_t steps, double base, OptDType dtype, OptLayout, OptDevice device,
                        OptBool, OptBool grad) {
    BOLIDE_CHECK(steps >= 0, "number of steps must be non-negative");
    const DType t = line_dtype("logspace", out, dtype, start.is_complex() || end.is_complex());
    const Tensor r = factory_target(out, {steps}, t, device);
    return finish(fill_by_place<Powers, AllNumbers>("logspace", r, held(t, start), held(t, steps == 1 ? start : end), step_of(t, start, end, steps),
                                                    base, steps / 2, steps - 1), grad);
  }
};
Tensor logspace(const Scalar& start, const Scalar& end, int64_t steps, double base, OptDType dtype, OptDevice device) {
  return Logspace::forward({}, start, end, steps, base, dtype, {}, device, {}, {});
}
const Register<Logspace> logspace_op;

namespace {
Scalar end_value(const char* op, const Operand& o) {
  if (!o.tensor) return o.number;
  BOLIDE_CHECK(o.tensor->dim() == 0, op, " only supports 0-dimensional start and end tensors, but got ", o.tensor->dim(), "-dimensional tensor(s).");
  return o.tensor->item();
}
}  // namespace

// The ends in 0-d tensors.
struct LinspaceTensor {
  static constexpr auto schema = "linspace.Tensor(Operand start, Operand end, int steps, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Operand& start, const Operand& end, int64_t steps, OptDType dtype, OptLayout l, OptDevice device, OptBool p,
                        OptBool grad) {
    return Linspace::forward(out, end_value("linspace", start), end_value("linspace", end), steps, dtype, l, device, p, grad);
  }
};
const Register<LinspaceTensor> linspace_tensor_op;
struct LogspaceTensor {
  static constexpr auto schema = "logspace.Tensor(Operand start, Operand end, int steps, float base=10.0, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Operand& start, const Operand& end, int64_t steps, double base, OptDType dtype, OptLayout l, OptDevice device,
                        OptBool p, OptBool grad) {
    return Logspace::forward(out, end_value("logspace", start), end_value("logspace", end), steps, base, dtype, l, device, p, grad);
  }
};
const Register<LogspaceTensor> logspace_tensor_op;

// ---- eye ------------------------------------------------------------------------------------------------

// Ones on the diagonal.
struct Eye {
  static constexpr auto schema = "eye(int n, int? m=None, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(Out out, int64_t n, std::optional<int64_t> m, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    BOLIDE_CHECK(n >= 0, "n must be greater or equal to 0, got ", n);
    BOLIDE_CHECK(!m || *m >= 0, "m must be greater or equal to 0, got ", m.value_or(0));
    const int64_t k = m.value_or(n), least = std::min(n, k);
    const Tensor r = filled(factory_target(out, {n, k}, factory_dtype(out, dtype, default_dtype()), device), Scalar(0));
    if (least) filled(r.view_as_layout({least}, {r.strides()[0] + r.strides()[1]}, r.storage_offset()), Scalar(1));
    return finish(r, grad);
  }
};
Tensor eye(int64_t n, std::optional<int64_t> m, OptDType dtype, OptDevice device) { return Eye::forward({}, n, m, dtype, {}, device, {}, {}); }
const Register<Eye> eye_op;

// ---- windows ----------------------------------------------------------------------------------------------

namespace {
/// The values f(x) of a window at x = 0 .. n - 1 of a span of `last`; periodic windows leave the last one out.
template <class F>
Tensor window(const char* op, int64_t length, bool periodic, OptDType dtype, OptDevice device, OptBool grad, F&& f) {
  const DType t = or_default(dtype);
  BOLIDE_CHECK(is_floating(t), op, " expects floating point dtypes, got: ", legacy_name(t));
  BOLIDE_CHECK(length >= 0, op, " requires non-negative window_length, got window_length=", length);
  if (length <= 1) return finish(ones({length}, t, device), grad);
  const DType wide = is_half(t) ? DType::Float32 : t;
  const Tensor x = arange(0, length, 1, wide, device);
  return finish(cast(f(x, static_cast<double>(periodic ? length : length - 1)), t), grad);
}
Tensor cosine(const Tensor& x, double turns, double last) { return cos(mul(x, 2 * M_PI * turns / last)); }
Tensor hamming(const Tensor& x, double last, double alpha, double beta) { return add(mul(cosine(x, 1, last), -beta), alpha); }
}  // namespace

#define WINDOW_OP(Name, op, arguments, parameters, values)                                                                       \
  struct Name {                                                                                                                 \
    static constexpr auto schema = op "(int window_length, bool periodic=True, " arguments FACTORY_TAIL ") -> Tensor";          \
    static constexpr auto kind = Kind::Creation;                                                                                \
    static Tensor forward parameters { return window(op, length, periodic, dtype, device, grad, [&](const Tensor& x, double last) { return values; }); } \
  };                                                                                                                            \
  const Register<Name> Name##_op;
WINDOW_OP(HannWindow, "hann_window", "", (int64_t length, bool periodic, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad),
          hamming(x, last, 0.5, 0.5))
WINDOW_OP(HammingWindow, "hamming_window", "float alpha=0.54, float beta=0.46, ",
          (int64_t length, bool periodic, double alpha, double beta, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad),
          hamming(x, last, alpha, beta))
WINDOW_OP(BlackmanWindow, "blackman_window", "", (int64_t length, bool periodic, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad),
          add(mul(cosine(x, 2, last), 0.08), hamming(x, last, 0.42, 0.5)))
WINDOW_OP(BartlettWindow, "bartlett_window", "", (int64_t length, bool periodic, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad),
          add(neg(abs(add(mul(x, 2 / last), -1))), 1))
WINDOW_OP(KaiserWindow, "kaiser_window", "float beta=12.0, ",
          (int64_t length, bool periodic, double beta, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad),
          div(i0(mul(sqrt(add(neg(square(add(mul(x, 2 / last), -1))), 1)), beta)), i0(scalar_tensor(beta, x.dtype(), x.device()))))
#undef WINDOW_OP

}  // namespace bolide
