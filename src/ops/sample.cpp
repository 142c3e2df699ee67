// Random draws whose parameters are tensors: bernoulli, normal, multinomial, poisson, binomial, gamma, dirichlet.
#include "autograd/call.h"
#include "bolide/ops.h"
#include "core/kernels.h"
#include "iter/plan.h"

namespace bolide {

namespace {

void check_probabilities(const char* op, const Tensor& p) {
  if (!p.numel() || p.device().is_meta()) return;
  const auto [low, high] = aminmax(p.detach());
  BOLIDE_CHECK(low.item<double>() >= 0 && high.item<double>() <= 1, op, ": expected all elements to be >= 0 and <= 1");
}
Tensor zero_gradient(const Tensor& g) { return zeros_like(g); }

}  // namespace

// ---- bernoulli -----------------------------------------------------------------------------------

struct BernoulliTensor_ {
  static constexpr auto schema = "bernoulli_.Tensor(Tensor self, Tensor p, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, const Tensor& p, Generator* g) {
    BOLIDE_CHECK(is_floating(p.dtype()), "expected probabilities tensor to have floating type, got ", legacy_name(p.dtype()));
    check_probabilities("bernoulli_", p);
    const Tensor each = contiguous(expand(p, self.sizes())), r = self.is_contiguous() ? self : Tensor::make(self.sizes(), self.dtype(), self.device());
    if (r.numel()) kernels(self).random_draw(Draw::Bernoulli, each, {}, r, g);
    if (!r.is_same(self)) copy_(self, r);
    return self;
  }
  static Grads backward(const Call&, const Tensor& g) { return zero_gradient(g); }
};
const Register<BernoulliTensor_> bernoulli_tensor__op;

struct Bernoulli {
  static constexpr auto schema = "bernoulli(Tensor self, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, Generator* g) { return BernoulliTensor_::forward(Tensor::make(self.sizes(), self.dtype(), self.device()), self, g); }
  static Grads backward(const Call&, const Tensor& g) { return zero_gradient(g); }
};
const Register<Bernoulli> bernoulli_op;
struct BernoulliP {
  static constexpr auto schema = "bernoulli.p(Tensor self, float p, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static Tensor forward(const Tensor& self, double p, Generator* g) { return bernoulli_(empty_like(self), p, g); }
  static Grads backward(const Call&, const Tensor& g) { return zero_gradient(g); }
};
const Register<BernoulliP> bernoulli_p_op;

// ---- normal ------------------------------------------------------------------------------------

struct NormalTensors {
  static constexpr auto schema = "normal(Tensor mean, Operand std=1, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& mean, const Operand& std, Generator* g) {
    if (!std.tensor) return add(normal_(Tensor::make(mean.sizes(), mean.dtype(), mean.device()), 0, std.number.to_double(), g), mean);
    const Tensor& s = *std.tensor;
    BOLIDE_CHECK(!is_complex(s.dtype()), "normal expects standard deviation to be non-complex");
    BOLIDE_CHECK(!s.numel() || s.device().is_meta() || bolide::min(s.detach()).item<double>() >= 0, "normal expects all elements of std >= 0.0");
    const Operand both[] = {mean, s};
    const Tensor r = Tensor::make(iter::broadcast(mean.sizes(), s.sizes()), iter::result_type(both), mean.device());
    return add(mul(normal_(r, 0, 1, g), s), mean);
  }
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(c.needs(0) ? zeros(c.sizes(0), g.dtype(), g.device()) : Tensor(), c.needs(1) ? zeros(c.sizes(1), g.dtype(), g.device()) : Tensor());
  }
};
const Register<NormalTensors> normal_tensors_op;
struct NormalFloatTensor {
  static constexpr auto schema = "normal.float_Tensor(float mean, Tensor std, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(double mean, const Tensor& std, Generator* g) {
    return NormalTensors::forward(full({}, mean, std.dtype(), std.device()), std, g);
  }
  static Grads backward(const Call& c, const Tensor& g) { return Grads(Tensor(), zeros(c.sizes(1), g.dtype(), g.device())); }
};
const Register<NormalFloatTensor> normal_float_tensor_op;
struct NormalSize {
  static constexpr auto schema =
      "normal.float_float(float mean, float std, int[] size, *, Generator? generator=None, ScalarType? dtype=None, Layout? layout=None, "
      "Device? device=None, bool? pin_memory=False, bool? requires_grad=False) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(double mean, double std, IntList size, Generator* g, OptDType dtype, std::optional<LayoutKind>, std::optional<Device> device,
                        std::optional<bool>, std::optional<bool> grad) {
    Tensor t = normal_(empty(size, dtype, device), mean, std, g);
    if (grad.value_or(false)) t.set_requires_grad(true);
    return t;
  }
};
const Register<NormalSize> normal_size_op;

// ---- multinomial ---------------------------------------------------------------------------------

struct Multinomial {
  static constexpr auto schema = "multinomial(Tensor self, int num_samples, bool replacement=False, *, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t variants = kOut;
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Tensor& self, int64_t n, bool replacement, Generator* g) {
    BOLIDE_CHECK(!out.tensor || out.tensor->dtype() == DType::Int64, "multinomial expects Long tensor out, got: ", legacy_name(out.tensor->dtype()));
    BOLIDE_CHECK(self.dim() == 1 || self.dim() == 2, "prob_dist must be 1 or 2 dim");
    BOLIDE_CHECK(is_floating(self.dtype()), "multinomial only supports floating-point dtypes for input, got: ", legacy_name(self.dtype()));
    BOLIDE_CHECK(n > 0, "cannot sample n_sample <= 0 samples");
    BOLIDE_CHECK(replacement || n <= self.size(-1), "cannot sample n_sample > prob_dist.size(-1) samples without replacement");
    BOLIDE_CHECK(self.size(-1) <= (int64_t(1) << 24), "number of categories cannot exceed 2^24");
    check(self);
    const Tensor r = draw(contiguous(self), n, replacement, g);
    if (!out.tensor) return r;
    if (!(out.tensor->sizes() == r.sizes())) resize_(*out.tensor, r.sizes());
    copy_(*out.tensor, r);
    return *out.tensor;
  }

 private:
  static void check(const Tensor& p) {
    if (!p.numel() || p.device().is_meta()) return;
    const auto [low, high] = aminmax(p);
    BOLIDE_CHECK(low.item<double>() >= 0 && high.item<double>() <= std::numeric_limits<double>::max(),
                 "probability tensor contains either `inf`, `nan` or element < 0");
    BOLIDE_CHECK(bolide::min(sum(p, IntList{-1})).item<double>() > 0, "invalid multinomial distribution (sum of probabilities <= 0)");
  }
  static Tensor draw(const Tensor& p, int64_t n, bool replacement, Generator* g) {
    Dims sizes = p.sizes();
    sizes.back() = n;
    if (replacement && n > 1) {
      const Tensor r = Tensor::make(sizes, DType::Int64, p.device());
      if (r.numel()) kernels(p).multinomial(p, r, g);
      return r;
    }
    // the largest of p / exponential: one pass without replacement
    const Tensor q = Tensor::make(p.sizes(), p.dtype(), p.device());
    kernels(q).random_fill(Fill::Exponential, q, 1, 0, g);
    const Tensor race = div(p, q);
    return n == 1 ? argmax(race, -1, true) : std::get<1>(topk(race, n));
  }
};
const Register<Multinomial> multinomial_op;

// ---- counts, gammas ------------------------------------------------------------------------------

struct Poisson {
  static constexpr auto schema = "poisson(Tensor self, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& self, Generator* g) {
    BOLIDE_CHECK_AS(NotImplementedError, is_floating(self.dtype()), "\"poisson_cpu\" not implemented for '", legacy_name(self.dtype()), "'");
    BOLIDE_CHECK(!self.numel() || self.device().is_meta() || bolide::min(self.detach()).item<double>() >= 0, "invalid Poisson rate, expected rate to be non-negative");
    const Tensor r = Tensor::make(self.sizes(), self.dtype(), self.device());
    if (r.numel()) kernels(self).random_draw(Draw::Poisson, contiguous(self), {}, r, g);
    return r;
  }
  static Grads backward(const Call&, const Tensor& g) { return zero_gradient(g); }
};
const Register<Poisson> poisson_op;

struct Binomial {
  static constexpr auto schema = "binomial(Tensor count, Tensor prob, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& count, const Tensor& prob, Generator* g) {
    BOLIDE_CHECK(is_floating(count.dtype()), "binomial only supports floating-point dtypes for count, got: ", legacy_name(count.dtype()));
    BOLIDE_CHECK(is_floating(prob.dtype()), "binomial only supports floating-point dtypes for prob, got: ", legacy_name(prob.dtype()));
    const Dims sizes = iter::broadcast(count.sizes(), prob.sizes());
    const Tensor r = Tensor::make(sizes, count.dtype(), count.device());
    if (r.numel())
      kernels(count).random_draw(Draw::Binomial, contiguous(expand(count, sizes)), contiguous(expand(cast(prob, count.dtype()), sizes)), r, g);
    return r;
  }
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(zeros(c.sizes(0), g.dtype(), g.device()), zeros(c.sizes(1), g.dtype(), g.device()));
  }
};
const Register<Binomial> binomial_op;

struct StandardGamma {
  static constexpr auto schema = "_standard_gamma(Tensor self, Generator? generator=None) -> Tensor";
  static constexpr auto kind = Kind::Random;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& self, Generator* g) {
    BOLIDE_CHECK_AS(NotImplementedError, is_floating(self.dtype()), "\"gamma_cpu\" not implemented for '", legacy_name(self.dtype()), "'");
    const Tensor r = Tensor::make(self.sizes(), self.dtype(), self.device());
    if (r.numel()) kernels(self).random_draw(Draw::Gamma, contiguous(self), {}, r, g);
    return r;
  }
};
const Register<StandardGamma> standard_gamma_op;

}  // namespace bolide
