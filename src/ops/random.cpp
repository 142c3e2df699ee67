// Random numbers: PyTorch's bits for the same seed.
#include "autograd/call.h"
#include "bolide/ops.h"
#include "cpu/random.h"
#include "iter/plan.h"

namespace bolide {

using OptLayout = std::optional<LayoutKind>;
using OptDevice = std::optional<Device>;
using OptBool = std::optional<bool>;

namespace {
Generator& generator_or_default(Generator* g) { return g ? *g : default_generator(); }

/// Fills `self` in the order of its memory; complex as pairs of reals.
template <class List, class F>
const Tensor& fill_random(const char* op, const Tensor& self, Generator* g, F&& fill) {
  if (self.device().is_meta() || !self.numel()) return self;
  Generator& gen = generator_or_default(g);
  Tensor target = self;
  DType t = self.dtype();
  // dense in some order of dimensions: the memory is filled as it lies
  bool dense = self.is_contiguous();
  if (!dense) {
    const Tensor like = empty_like(self);
    dense = like.strides() == self.strides();
    if (!dense) target = like;
  }
  dispatch<List>(op, real_of(t), [&]<class T>(Tag<T>) {
    fill(gen, target.data<T>(), target.numel() * (is_complex(t) ? 2 : 1), self.is_contiguous(), Tag<T>{});
  });
  if (!dense) copy_(self, target);
  return self;
}
}  // namespace

struct Uniform_ {
  static constexpr auto schema = "uniform_(Tensor self, float from=0, float to=1, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, double from, double to, Generator* g) {
    BOLIDE_CHECK(is_differentiable(self.dtype()), "\"check_uniform_bounds\" not implemented for '", legacy_name(self.dtype()), "'");
    BOLIDE_CHECK(from <= to, "uniform_ expects to return a [from, to) range, but found from=", from, " > to=", to);
    return fill_random<Join<Floats, Halves>>("uniform_", self, g, [&]<class T>(Generator& gen, T* p, int64_t n, bool, Tag<T>) {
      random::uniform<T>(gen, p, n, from, to);
    });
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
    BOLIDE_CHECK(is_differentiable(self.dtype()), "\"normal_kernel_cpu\" not implemented for '", legacy_name(self.dtype()), "'");
    return fill_random<Join<Floats, Halves>>("normal_", self, g, [&]<class T>(Generator& gen, T* p, int64_t n, bool contiguous, Tag<T>) {
      const double s = is_complex(self.dtype()) ? std / std::sqrt(2.0) : std;
      if (contiguous) random::normal<T>(gen, p, n, mean, s);
      else random::normal_scalar<T>(gen, p, n, mean, s);
    });
  }
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
const Tensor& normal_(const Tensor& self, double mean, double std, Generator* g) { call<Normal_>(self, mean, std, g); return self; }
const Register<Normal_> normal__op;

struct Bernoulli_ {
  static constexpr auto schema = "bernoulli_(Tensor self, float p=0.5, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, double p, Generator* g) {
    BOLIDE_CHECK(p >= 0 && p <= 1, "bernoulli_ expects p to be in [0, 1], but got p=", p);
    return fill_random<RealTypes>("bernoulli_", self, g, [&]<class T>(Generator& gen, T* out, int64_t n, bool, Tag<T>) {
      random::bernoulli<T>(gen, out, n, p, T(1));
    });
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
    return fill_random<Join<Floats, Halves>>("exponential_", self, g, [&]<class T>(Generator& gen, T* p, int64_t n, bool, Tag<T>) {
      random::exponential<T>(gen, p, n, lambda);
    });
  }
  static Grads backward(const Call&, const Tensor& g) { return zeros_like(g); }
};
const Register<Exponential_> exponential__op;

// Integers in [from, to); without bounds the whole range of the dtype.
struct Random_ {
  static constexpr auto schema = "random_.from(Tensor self, int from, int? to, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, int64_t from, std::optional<int64_t> to, Generator* g) {
    BOLIDE_CHECK(to, "random_(from, None) is not built yet");
    BOLIDE_CHECK(from < *to, "random_ expects 'from' to be less than 'to', but got from=", from, " >= to=", *to);
    return fill_random<RealTypes>("random_", self, g, [&]<class T>(Generator& gen, T* p, int64_t n, bool, Tag<T>) {
      int64_t lo = from, hi = *to;
      if constexpr (std::is_integral_v<T>) {
        BOLIDE_CHECK(lo >= static_cast<int64_t>(std::numeric_limits<T>::lowest()), "from is out of bounds for ", type_name(self.dtype()));
        BOLIDE_CHECK(hi - 1 <= static_cast<int64_t>(std::numeric_limits<T>::max()), "to - 1 is out of bounds for ", type_name(self.dtype()));
      } else {
        const auto b = random::fitting_bounds<T>(lo, hi);
        lo = b.from, hi = b.to;
      }
      random::integers<T>(gen, p, n, static_cast<uint64_t>(hi) - static_cast<uint64_t>(lo), lo);
    });
  }
  static const char* type_name(DType t) {
    switch (t) {
      case DType::UInt8: return "unsigned char";
      case DType::Int8: return "signed char";
      case DType::Int16: return "short";
      case DType::Int32: return "int";
      case DType::Bool: return "bool";
      default: return "long";
    }
  }
};
const Register<Random_> random__op;
struct RandomTo_ {
  static constexpr auto schema = "random_.to(Tensor self, int to, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, int64_t to, Generator* g) { return Random_::forward(self, 0, to, g); }
};
const Register<RandomTo_> random_to_op;
struct RandomFull_ {
  static constexpr auto schema = "random_(Tensor self, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, Generator* g) {
    return fill_random<RealTypes>("random_", self, g, [&]<class T>(Generator& gen, T* p, int64_t n, bool, Tag<T>) { random::integers_full<T>(gen, p, n); });
  }
};
const Register<RandomFull_> random_full_op;

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
    Generator& gen = generator_or_default(g);
    random::randperm<int64_t>(gen, t.data<int64_t>(), n);
    return finish(cast(t, dtype.value_or(DType::Int64)), grad);
  }
};
Tensor randperm(int64_t n) { return Randperm::forward(n, nullptr, {}, {}, {}, {}, {}); }
const Register<Randperm> randperm_op;

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
