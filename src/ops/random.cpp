// Random numbers: PyTorch's bits for the same seed.
#include <cmath>

#include "autograd/call.h"
#include "bolide/ops.h"
#include "core/kernels.h"
#include "core/rng.h"

namespace bolide {

using OptLayout = std::optional<LayoutKind>;
using OptDevice = std::optional<Device>;
using OptBool = std::optional<bool>;

namespace {

/// Fills self in place with a distribution over the floating types.
const Tensor& fill_floats(const char* op, Fill which, const Tensor& self, double a, double b, Generator* g) {
  if (!is_differentiable(self.dtype())) fail<NotImplementedError>('"', op, "\" not implemented for '", legacy_name(self.dtype()), "'");
  kernels(self).random_fill(which, self, a, b, g);
  return self;
}

}  // namespace

struct Uniform_ {
  static constexpr auto schema = "uniform_(Tensor self, float from=0, float to=1, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, double from, double to, Generator* g) {
    BOLIDE_CHECK(is_differentiable(self.dtype()), "\"check_uniform_bounds\" not implemented for '", legacy_name(self.dtype()), "'");
    BOLIDE_CHECK(from <= to, "uniform_ expects to return a [from, to) range, but found from=", from, " > to=", to);
    return fill_floats("uniform_", Fill::Uniform, self, from, to, g);
  }
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
const Tensor& uniform_(const Tensor& self, double from, double to, Generator* g) { call<Uniform_>(self, from, to, g); return self; }
const Register<Uniform_> uniform__op;

struct Normal_ {
  static constexpr auto schema = "normal_(Tensor self, float mean=0, float std=1, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, double mean, double std, Generator* g) {
    BOLIDE_CHECK(std >= 0, "normal expects std >= 0.0, but found std ", std);
    return fill_floats("normal_kernel_cpu", Fill::Normal, self, mean, std, g);
  }
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
const Tensor& normal_(const Tensor& self, double mean, double std, Generator* g) { call<Normal_>(self, mean, std, g); return self; }
const Register<Normal_> normal__op;

struct Bernoulli_ {
  static constexpr auto schema = "bernoulli_.float(Tensor self, float p=0.5, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, double p, Generator* g) {
    BOLIDE_CHECK(p >= 0 && p <= 1, "bernoulli_ expects p to be in [0, 1], but got p=", p);
    kernels(self).random_fill(Fill::Bernoulli, self, p, 0, g);
    return self;
  }
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
const Tensor& bernoulli_(const Tensor& self, double p, Generator* g) { call<Bernoulli_>(self, p, g); return self; }
const Register<Bernoulli_> bernoulli__op;

struct Exponential_ {
  static constexpr auto schema = "exponential_(Tensor self, float lambd=1, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, double lambda, Generator* g) {
    BOLIDE_CHECK(lambda > 0, "exponential_ expects lambda > 0.0, but found lambda=", lambda);
    return fill_floats("exponential_", Fill::Exponential, self, lambda, 0, g);
  }
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
const Register<Exponential_> exponential__op;

struct Geometric_ {
  static constexpr auto schema = "geometric_(Tensor self, float p, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, double p, Generator* g) {
    BOLIDE_CHECK(p > 0 && p < 1, "geometric_ expects p to be in (0, 1), but got p=", p);
    kernels(self).random_fill(Fill::Geometric, self, p, 0, g);
    return self;
  }
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
const Register<Geometric_> geometric__op;

struct Cauchy_ {
  static constexpr auto schema = "cauchy_(Tensor self, float median=0, float sigma=1, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, double median, double sigma, Generator* g) {
    BOLIDE_CHECK(sigma > 0, "cauchy_ expects sigma > 0.0, but found sigma=", sigma);
    return fill_floats("cauchy_", Fill::Cauchy, self, median, sigma, g);
  }
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
const Register<Cauchy_> cauchy__op;

struct LogNormal_ {
  static constexpr auto schema = "log_normal_(Tensor self, float mean=1, float std=2, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, double mean, double std, Generator* g) {
    BOLIDE_CHECK(std > 0, "log_normal_ expects std > 0.0, but found std=", std);
    return fill_floats("log_normal_", Fill::LogNormal, self, mean, std, g);
  }
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
const Register<LogNormal_> log_normal__op;

// ---- integers ------------------------------------------------------------------------------------

namespace {

struct IntRange {
  int64_t low, high;  // what the dtype holds exactly, both inclusive
  const char* name;
};
IntRange range_of(DType t) {
  switch (t) {
    case DType::UInt8: return {0, 255, "unsigned char"};
    case DType::Int8: return {-128, 127, "signed char"};
    case DType::Int16: return {-32768, 32767, "short"};
    case DType::Int32: return {INT32_MIN, INT32_MAX, "int"};
    case DType::Bool: return {0, 1, "bool"};
    case DType::Float16: return {-2048, 2048, "Half"};
    case DType::BFloat16: return {-256, 256, "BFloat16"};
    case DType::Float32: return {-(int64_t(1) << 24), int64_t(1) << 24, "float"};
    case DType::Float64: return {-(int64_t(1) << 53), int64_t(1) << 53, "double"};
    default: return {INT64_MIN, INT64_MAX, "long"};
  }
}
/// Moves the bounds of a floating dtype inwards, so that rounding cannot leave [from, to).
void fit(DType t, int64_t& from, int64_t& to) {
  dispatch<Join<Floats, Halves>>("random_", t, [&]<class T>(Tag<T>) {
    const int digits = t == DType::Float16 ? 11 : t == DType::BFloat16 ? 8 : t == DType::Float32 ? 24 : 53;
    auto rounded = [](int64_t v) { return static_cast<int64_t>(static_cast<double>(Scalar(v).to<T>())); };
    auto step = [&](int64_t v) { return int64_t(1) << std::max(0, static_cast<int>(std::log2(std::fabs(static_cast<double>(v)))) - digits + 1); };
    if (const int64_t p = rounded(from + 1); p < from) from = p + step(from + 1);
    if (const int64_t p = rounded(to - 1); p >= to) to = p - step(to - 1);
  });
}

}  // namespace

// Integers in [from, to); without an end up to the largest of the dtype.
struct Random_ {
  static constexpr auto schema = "random_.from(Tensor self, int from, int? to, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, int64_t from, std::optional<int64_t> end, Generator* g) {
    const IntRange all = range_of(self.dtype());
    const bool floating = is_floating(self.dtype());
    if (!end) {
      BOLIDE_CHECK(floating || from >= all.low, "from is out of bounds for ", all.name);
      kernels(self).random_range(self, from, static_cast<uint64_t>(all.high) - static_cast<uint64_t>(from) + 1, g);
      return self;
    }
    int64_t to = *end;
    BOLIDE_CHECK(from < to, "random_ expects 'from' to be less than 'to', but got from=", from, " >= to=", to);
    if (floating) fit(self.dtype(), from, to);
    BOLIDE_CHECK(from < to, "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got from=", from, " >= to=", to);
    BOLIDE_CHECK(floating || from >= all.low, "from is out of bounds for ", all.name);
    BOLIDE_CHECK(floating || to - 1 <= all.high, "to - 1 is out of bounds for ", all.name);
    kernels(self).random_range(self, from, static_cast<uint64_t>(to) - static_cast<uint64_t>(from), g);
    return self;
  }
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
const Register<Random_> random__op;
struct RandomTo_ {
  static constexpr auto schema = "random_.to(Tensor self, int to, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, int64_t to, Generator* g) { return Random_::forward(self, 0, to, g); }
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
const Register<RandomTo_> random_to_op;
struct RandomFull_ {
  static constexpr auto schema = "random_(Tensor self, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, Generator* g) {
    kernels(self).random_fill(Fill::Integers, self, 0, 0, g);
    return self;
  }
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
const Register<RandomFull_> random_full_op;

// ---- new tensors ---------------------------------------------------------------------------------

#define RANDOM_TAIL "*, Generator? generator=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=False, bool? requires_grad=False) -> Tensor"
namespace {
Tensor finish(Tensor t, OptBool grad) {
  if (grad.value_or(false)) t.set_requires_grad(true);
  return t;
}
}  // namespace

struct Rand {
  static constexpr auto schema = "rand(int[] size, " RANDOM_TAIL;
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(IntList size, Generator* g, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return finish(Uniform_::forward(empty(size, dtype, device), 0, 1, g), grad);
  }
};
Tensor rand(IntList size, OptDType dtype) { return Uniform_::forward(empty(size, dtype), 0, 1, nullptr); }
const Register<Rand> rand_op;
struct Randn {
  static constexpr auto schema = "randn(int[] size, " RANDOM_TAIL;
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(IntList size, Generator* g, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return finish(Normal_::forward(empty(size, dtype, device), 0, 1, g), grad);
  }
};
Tensor randn(IntList size, OptDType dtype) { return Normal_::forward(empty(size, dtype), 0, 1, nullptr); }
const Register<Randn> randn_op;
struct Randint {
  static constexpr auto schema = "randint.low(int low, int high, int[] size, " RANDOM_TAIL;
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(int64_t low, int64_t high, IntList size, Generator* g, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return finish(Random_::forward(empty(size, dtype.value_or(DType::Int64), device), low, high, g), grad);
  }
};
const Register<Randint> randint_op;
struct RandintHigh {
  static constexpr auto schema = "randint(int high, int[] size, " RANDOM_TAIL;
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(int64_t high, IntList size, Generator* g, OptDType dtype, OptLayout l, OptDevice device, OptBool p, OptBool grad) {
    return Randint::forward(0, high, size, g, dtype, l, device, p, grad);
  }
};
const Register<RandintHigh> randint_high_op;
struct Randperm {
  static constexpr auto schema = "randperm(int n, " RANDOM_TAIL;
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(int64_t n, Generator* g, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    BOLIDE_CHECK(n >= 0, "n must be non-negative, got", n);
    const Tensor t = empty({n}, DType::Int64, device);
    kernels(t).randperm(t, g);
    return finish(cast(t, dtype.value_or(DType::Int64)), grad);
  }
};
Tensor randperm(int64_t n) { return Randperm::forward(n, nullptr, {}, {}, {}, {}, {}); }
const Register<Randperm> randperm_op;

#define LIKE_TAIL "*, Generator? generator=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=False, bool? requires_grad=False, MemoryFormat? memory_format=None) -> Tensor"
using OptFormat = std::optional<MemoryFormat>;

struct RandLike {
  static constexpr auto schema = "rand_like(Tensor self, " LIKE_TAIL;
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t home = kFunction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, Generator* g, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, OptFormat) {
    return finish(Uniform_::forward(empty_like(self, dtype, device), 0, 1, g), grad);
  }
};
const Register<RandLike> rand_like_op;
struct RandnLike {
  static constexpr auto schema = "randn_like(Tensor self, " LIKE_TAIL;
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t home = kFunction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, Generator* g, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, OptFormat) {
    return finish(Normal_::forward(empty_like(self, dtype, device), 0, 1, g), grad);
  }
};
const Register<RandnLike> randn_like_op;
struct RandintLikeHigh {
  static constexpr auto schema = "randint_like(Tensor self, int high, " LIKE_TAIL;
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t home = kFunction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, int64_t high, Generator* g, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, OptFormat) {
    return finish(Random_::forward(empty_like(self, dtype, device), 0, high, g), grad);
  }
};
const Register<RandintLikeHigh> randint_like_high_op;
struct RandintLike {
  static constexpr auto schema = "randint_like.low_dtype(Tensor self, int low, int high, " LIKE_TAIL;
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t home = kFunction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, int64_t low, int64_t high, Generator* g, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad, OptFormat) {
    return finish(Random_::forward(empty_like(self, dtype, device), low, high, g), grad);
  }
};
const Register<RandintLike> randint_like_op;

// x with a share p of its elements zeroed and the rest scaled by 1 / (1 - p).
struct Dropout {
  static constexpr auto schema = "dropout(Tensor input, float p, bool train) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& x, double p, bool train) {
    BOLIDE_CHECK(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ", p);
    if (p == 0 || !train || x.numel() == 0) return x;
    if (p == 1) return mul(x, 0.0);
    const Tensor noise = empty_like(x);
    {
      NoGrad quiet;
      Bernoulli_::forward(noise, 1 - p, nullptr);
      call_boxed_div(noise, 1 - p);
    }
    return mul(x, noise);
  }
  static void call_boxed_div(const Tensor& t, double v) { copy_(t, div(t, v)); }
};
Tensor dropout(const Tensor& x, double p, bool train) { return Dropout::forward(x, p, train); }
const Register<Dropout> dropout_op;

void manual_seed(uint64_t seed) { default_generator().manual_seed(seed); }

}  // namespace bolide
