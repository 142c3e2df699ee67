// nn::init. The draws, their order and their bounds are PyTorch's.
#include "bolide/nn/init.h"

#include <cmath>

#include "bolide/autograd.h"
#include "bolide/nn/module.h"
#include "bolide/ops.h"
#include "core/named_op.h"

namespace bolide::nn::init {
namespace {

bool skip() { return nn::detail::SkipInit::active(); }

struct Fans { double in, out; };

Fans fans_of(const Tensor& t) {
  BOLIDE_CHECK_AS(ValueError, t.dim() >= 2, "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions");
  int64_t field = 1;
  for (int64_t d = 2; d < t.dim(); ++d) field *= t.size(d);
  return {static_cast<double>(t.size(1) * field), static_cast<double>(t.size(0) * field)};
}

double chosen_fan(const Tensor& t, const std::string& mode) {
  BOLIDE_CHECK_AS(ValueError, mode == kFanIn || mode == kFanOut, "Mode ", mode, " not supported, please use one of ['fan_in', 'fan_out']");
  const Fans f = fans_of(t);
  return mode == kFanIn ? f.in : f.out;
}

/// Runs `fill` unrecorded unless initialisation is off.
template <class F>
Tensor write(Tensor t, F&& fill) {
  if (skip()) return t;
  const NoGradGuard no_grad;
  fill(t);
  return t;
}

}  // namespace

double calculate_gain(const std::string& nonlinearity, double param) {
  const std::string& n = nonlinearity;
  if (n == kLinear || n.starts_with("conv") || n == kSigmoid) return 1;
  if (n == kTanh) return 5.0 / 3;
  if (n == kReLU) return std::sqrt(2.0);
  if (n == kLeakyReLU) return std::sqrt(2.0 / (1 + param * param));
  if (n == kSELU) return 3.0 / 4;
  fail<ValueError>("Unsupported nonlinearity ", n);
}

Tensor uniform_(Tensor t, double low, double high, Generator* g) {
  return write(t, [&](const Tensor& x) { bolide::uniform_(x, low, high, g); });
}
Tensor normal_(Tensor t, double mean, double std, Generator* g) {
  return write(t, [&](const Tensor& x) { bolide::normal_(x, mean, std, g); });
}

Tensor trunc_normal_(Tensor t, double mean, double std, double a, double b, Generator* g) {
  const auto cdf = [](double x) { return (1 + std::erf(x / std::sqrt(2.0))) / 2; };
  return write(t, [&](const Tensor& x) {
    const double low = cdf((a - mean) / std), high = cdf((b - mean) / std);
    bolide::uniform_(x, 2 * low - 1, 2 * high - 1, g);
    static constexpr NamedOp erfinv("erfinv");
    copy_(x, erfinv(x));
    mul_(x, std * std::sqrt(2.0));
    add_(x, mean);
    copy_(x, clamp(x, Scalar(a), Scalar(b)));
  });
}

Tensor constant_(Tensor t, const Scalar& value) {
  return write(t, [&](const Tensor& x) { fill_(x, value); });
}
Tensor ones_(Tensor t) { return constant_(std::move(t), 1.0); }
Tensor zeros_(Tensor t) { return constant_(std::move(t), 0.0); }

Tensor eye_(Tensor matrix) {
  BOLIDE_CHECK_AS(ValueError, matrix.dim() == 2, "Only tensors with 2 dimensions are supported");
  return write(matrix, [](const Tensor& x) { copy_(x, eye(x.size(0), x.size(1), x.dtype(), x.device())); });
}

Tensor dirac_(Tensor t, int64_t groups) {
  BOLIDE_CHECK_AS(ValueError, t.dim() >= 3 && t.dim() <= 5, "Only tensors with 3, 4, or 5 dimensions are supported");
  BOLIDE_CHECK_AS(ValueError, groups > 0 && t.size(0) % groups == 0, "dim 0 must be divisible by groups");
  return write(t, [&](const Tensor& x) {
    zero_(x);
    const int64_t out = x.size(0) / groups, kept = std::min(out, x.size(1));
    for (int64_t g = 0; g < groups; ++g)
      for (int64_t d = 0; d < kept; ++d) {
        Tensor kernel = x[g * out + d][d];
        while (kernel.dim()) kernel = kernel[kernel.size(0) / 2];
        fill_(kernel, 1);
      }
  });
}

Tensor xavier_uniform_(Tensor t, double gain, Generator* g) {
  const Fans f = fans_of(t);
  const double bound = std::sqrt(3.0) * (gain * std::sqrt(2.0 / (f.in + f.out)));
  return init::uniform_(std::move(t), -bound, bound, g);
}
Tensor xavier_normal_(Tensor t, double gain, Generator* g) {
  const Fans f = fans_of(t);
  return init::normal_(std::move(t), 0, gain * std::sqrt(2.0 / (f.in + f.out)), g);
}

Tensor kaiming_uniform_(Tensor t, double a, const std::string& mode, const std::string& nonlinearity, Generator* g) {
  if (t.numel() == 0) return t;
  const double std = calculate_gain(nonlinearity, a) / std::sqrt(chosen_fan(t, mode)), bound = std::sqrt(3.0) * std;
  return init::uniform_(std::move(t), -bound, bound, g);
}
Tensor kaiming_normal_(Tensor t, double a, const std::string& mode, const std::string& nonlinearity, Generator* g) {
  if (t.numel() == 0) return t;
  const double std = calculate_gain(nonlinearity, a) / std::sqrt(chosen_fan(t, mode));
  return init::normal_(std::move(t), 0, std, g);
}

Tensor orthogonal_(Tensor t, double gain, Generator* g) {
  BOLIDE_CHECK_AS(ValueError, t.dim() >= 2, "Only tensors with 2 or more dimensions are supported");
  if (t.numel() == 0) return t;
  return write(t, [&](const Tensor& x) {
    const int64_t rows = x.size(0), cols = x.numel() / rows;
    Tensor flat = empty({rows, cols}, x.dtype(), x.device());
    bolide::normal_(flat, 0, 1, g);
    if (rows < cols) flat = transpose(flat, 0, 1);
    static constexpr NamedOp qr("linalg_qr");
    auto [q, r] = qr.call<std::tuple<Tensor, Tensor>>(flat);
    q = mul(q, sign(diagonal(r)));
    if (rows < cols) q = transpose(q, 0, 1);
    copy_(x, reshape(q, x.sizes()));
    mul_(x, gain);
  });
}

Tensor sparse_(Tensor matrix, double sparsity, double std, Generator* g) {
  BOLIDE_CHECK_AS(ValueError, matrix.dim() == 2, "Only tensors with 2 dimensions are supported");
  return write(matrix, [&](const Tensor& x) {
    const int64_t rows = x.size(0), zeros = static_cast<int64_t>(std::ceil(sparsity * static_cast<double>(rows)));
    bolide::normal_(x, 0, std, g);
    for (int64_t c = 0; c < x.size(1); ++c) {
      const Tensor order = randperm(rows);
      for (int64_t i = 0; i < zeros; ++i) fill_(x[order.data<int64_t>()[i]][c], 0);
    }
  });
}

}  // namespace bolide::nn::init
