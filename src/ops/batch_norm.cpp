// Batch and instance normalisation. Map: checks | backward | batch norm | the native forms | instance norm
//
// Channels are dimension 1. Statistics are kept in the compute type; pictures may be in channels-last order.
#include "ops/norm.h"

namespace bolide {

namespace {

Dims per_channel(const Tensor& x) {
  Dims s(static_cast<size_t>(std::max<int64_t>(x.dim(), 2)), 1);
  s[1] = x.size(1);
  return s;
}
Dims all_but_channels(const Tensor& x) {
  Dims d{0};
  for (int64_t i = 2; i < x.dim(); ++i) d.push_back(i);
  return d;
}

void check_channels(const Tensor& x, const char* name, const Tensor& t) {
  const int64_t channels = x.dim() > 1 ? x.size(1) : 0;
  BOLIDE_CHECK(!t.defined() || (t.numel() == channels && t.dim() == 1), name, " should contain ", channels, " elements not ",
               t.defined() ? t.numel() : 0);
}

/// As it lies when dense in one of the two orders, else a contiguous copy.
Tensor dense(const Tensor& x) { return is_channels_last(x) ? x : contiguous(x); }
Tensor dense_like(const Tensor& t, const Tensor& x) {
  return is_channels_last(x) ? as_channels_last(t, true) : contiguous(t);
}
Tensor make_like(const Tensor& x) {
  return is_channels_last(x) ? Tensor::make_strided(x.sizes(), x.strides(), x.dtype(), x.device()) : Tensor::make(x.sizes(), x.dtype(), x.device());
}

}  // namespace

// ---- backward -----------------------------------------------------------------------------------------------

struct BatchNormBackward {
  static constexpr auto schema =
      "_batch_norm_backward(Tensor grad_out, Tensor input, Tensor? weight, Tensor mean, Tensor rstd, bool train, bool[3] output_mask) "
      "-> (Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  static std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& grad, const Tensor& input, const Tensor& weight, const Tensor& mean,
                                                    const Tensor& rstd, bool train, IntList mask) {
    BOLIDE_CHECK(input.dim() >= 2 && grad.sizes() == input.sizes() && mean.numel() == input.size(1) && rstd.numel() == mean.numel() &&
                     mask.size() == 3, "batch_norm's backward: sizes do not fit");
    check_channels(input, "weight", weight);
    const DType t = input.dtype(), stats = compute_dtype(t);
    const Tensor x = dense(input), g = dense_like(cast(grad, t), x), mu = contiguous(cast(mean, stats)), r = contiguous(cast(rstd, stats));
    const Tensor sum_g = Tensor::make(mu.sizes(), stats, x.device()), sum_gx = Tensor::make(mu.sizes(), stats, x.device());
    kernels(x).batch_norm_sums(g, x, mu, sum_g, sum_gx);
    Tensor dx;
    if (mask[0]) {
      const Tensor scale = contiguous(weight.defined() ? mul(r, cast(weight, stats)) : r);
      const double n = x.size(1) ? static_cast<double>(x.numel()) / static_cast<double>(x.size(1)) : 1.0;
      const Tensor mean_g = train ? div(sum_g, n) : zeros_like(sum_g);
      const Tensor slope = train ? div(mul(sum_gx, square(r)), n) : zeros_like(sum_g);
      dx = make_like(x);
      kernels(x).batch_norm_dx(g, x, mu, mean_g, slope, scale, dx);
    }
    const DType p = weight.defined() ? weight.dtype() : t;
    return {dx, mask[1] ? cast(mul(sum_gx, r), p) : Tensor(), mask[2] ? cast(sum_g, p) : Tensor()};
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<2>, in<3>, in<4>);
  static Grads backward(const Call& c, std::span<const Tensor> gg) {
    const Tensor x = c.in(1), w = c.has_tensor(2) ? c.in(2) : Tensor();
    const DType t = compute_dtype(x.dtype());
    const Dims channels = per_channel(x);
    const auto wide = [&](const Tensor& v, const Dims& shape) { return v.defined() ? reshape(cast(v, t), shape) : v; };
    const auto whole = [&](const Tensor& v) { return v.defined() ? cast(v, t) : v; };
    Normalised n{whole(c.in(0)), whole(x), wide(w, channels), wide(c.in(3).detach(), channels), wide(c.in(4).detach(), channels),
                 all_but_channels(x), all_but_channels(x)};
    n.fixed = !c.flag(5);
    auto [dg, dx, dw] = norm_double_backward(n, whole(gg[0]), wide(gg[1], channels), wide(gg[2], channels));
    Grads r;
    r.of[0] = dg, r.of[1] = dx;
    if (w.defined()) r.of[2] = reshape(dw, w.sizes());
    return r;
  }
};
const Register<BatchNormBackward> batch_norm_backward_op;

// ---- batch norm -----------------------------------------------------------------------------------------------

namespace {

/// running += momentum (new - running), in place.
void move_towards(const Tensor& running, const Tensor& fresh, double momentum) {
  mul_(running, 1 - momentum);
  add_(running, fresh, momentum);
}

}  // namespace

// Each channel with mean 0 and variance 1, times weight, plus bias; with the statistics that were used. In training they are
// the batch's, and the running ones move towards them, in place.
struct BatchNorm {
  static constexpr auto schema =
      "_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, "
      "float eps) -> (Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal, gradient_outputs = 1;
  static constexpr auto node = "NativeBatchNormBackward0";
  static constexpr uint32_t no_grad = 1u << 3 | 1u << 4;
  static std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
                                                    const Tensor& running_var, bool training, double momentum, double eps) {
    check(input, weight, bias, running_mean, running_var, training);
    const DType stats = compute_dtype(input.dtype());
    const Tensor x = dense(input);
    Tensor mean, rstd;
    if (training) {
      mean = Tensor::make({x.size(1)}, stats, x.device());
      const Tensor variance = Tensor::make({x.size(1)}, stats, x.device());
      kernels(x).batch_norm_stats(x, mean, variance);
      rstd = rsqrt(add(variance, eps));
      const double n = x.size(1) ? static_cast<double>(x.numel()) / static_cast<double>(x.size(1)) : 0.0;
      if (running_mean.defined()) move_towards(running_mean, cast(mean, running_mean.dtype()), momentum);
      if (running_var.defined()) move_towards(running_var, cast(mul(variance, n / (n - 1)), running_var.dtype()), momentum);
    } else {
      mean = contiguous(cast(running_mean, stats));
      rstd = rsqrt(add(cast(running_var, stats), eps));
    }
    const Tensor scale = contiguous(weight.defined() ? mul(rstd, cast(weight, stats)) : rstd);
    const Tensor moved = neg(mul(mean, scale)), shift = bias.defined() ? add(moved, cast(bias, stats)) : moved;
    const Tensor y = make_like(x);
    kernels(y).batch_norm_apply(x, scale, contiguous(shift), y);
    return {y, mean, rstd};
  }
  static void check(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& mean, const Tensor& var, bool training) {
    if (!training) {
      BOLIDE_CHECK(mean.defined(), "running_mean must be defined in evaluation mode");
      BOLIDE_CHECK(var.defined(), "running_var must be defined in evaluation mode");
    }
    check_channels(x, "running_mean", mean), check_channels(x, "running_var", var);
    check_channels(x, "weight", weight), check_channels(x, "bias", bias);
    BOLIDE_CHECK(x.dim() >= 2, "batch_norm: expected at least a 2-d input, got ", x.dim(), " dimensions");
    dispatch<Join<Floats, Halves>>("batch_norm", x.dtype(), [](auto) {});
    for (const Tensor* t : {&weight, &bias, &mean, &var}) check_parameter_type(x, *t);
  }
  static constexpr auto saved = saves(in<0>, in<1>, out<1>, out<2>);
  static Grads backward(const Call& c, std::span<const Tensor> g) {
    if (!g[0].defined()) return {};
    const Tensor w = c.has_tensor(1) ? c.in(1) : Tensor();
    const int64_t mask[] = {c.needs(0), c.has_tensor(1) && c.needs(1), c.has_tensor(2) && c.needs(2)};
    auto [dx, dw, db] = call<BatchNormBackward>(g[0], c.in(0), w, c.out(1).detach(), c.out(2).detach(), c.flag(5), IntList(mask, 3));
    return Grads(dx, dw, db);
  }
};
const Register<BatchNorm> batch_norm_op;

struct BatchNormPlain {
  static constexpr auto schema =
      "batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, "
      "float eps, bool cudnn_enabled) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& mean, const Tensor& var, bool training,
                        double momentum, double eps, bool) {
    return batch_norm(x, w, b, mean, var, training, momentum, eps);
  }
};
Tensor batch_norm(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& mean, const Tensor& var, bool training, double momentum,
                  double eps) {
  return std::get<0>(call<BatchNorm>(x, w, b, mean, var, training, momentum, eps));
}
const Register<BatchNormPlain> batch_norm_plain_op;

// ---- the native forms -------------------------------------------------------------------------------------------

namespace {

std::tuple<Tensor, Tensor, Tensor> native(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& mean, const Tensor& var,
                                          bool training, double momentum, double eps) {
  auto [y, m, r] = call<BatchNorm>(x, w, b, mean, var, training, momentum, eps);
  const DType t = w.defined() ? w.dtype() : mean.defined() ? mean.dtype() : x.dtype();
  if (!training) return {y, empty({0}, t, x.device()), empty({0}, t, x.device())};
  return {y, cast(m, t), cast(r, t)};
}

}  // namespace

struct NativeBatchNorm {
  static constexpr auto schema =
      "native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, "
      "float momentum, float eps) -> (Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction, variants = kOut;
  static std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& mean, const Tensor& var,
                                                    bool training, double momentum, double eps) {
    return native(x, w, b, mean, var, training, momentum, eps);
  }
};
const Register<NativeBatchNorm> native_batch_norm_op;

struct NativeBatchNormLegit {
  static constexpr auto schema =
      "_native_batch_norm_legit(Tensor input, Tensor? weight, Tensor? bias, Tensor running_mean, Tensor running_var, bool training, "
      "float momentum, float eps) -> (Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction, variants = kOut;
  static std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& mean, const Tensor& var,
                                                    bool training, double momentum, double eps) {
    return native(x, w, b, mean, var, training, momentum, eps);
  }
};
const Register<NativeBatchNormLegit> native_batch_norm_legit_op;

struct NativeBatchNormNoStats {
  static constexpr auto schema =
      "_native_batch_norm_legit.no_stats(Tensor input, Tensor? weight, Tensor? bias, bool training, float momentum, float eps) -> "
      "(Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction, variants = kOut;
  static std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& x, const Tensor& w, const Tensor& b, bool training, double momentum,
                                                    double eps) {
    return native(x, w, b, {}, {}, training, momentum, eps);
  }
};
const Register<NativeBatchNormNoStats> native_batch_norm_no_stats_op;

// ---- instance norm ------------------------------------------------------------------------------------------------

// Batch normalisation in which the channels of each sample are channels of their own.
struct InstanceNorm {
  static constexpr auto schema =
      "instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool use_input_stats, "
      "float momentum, float eps, bool cudnn_enabled) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& mean, const Tensor& var, bool use_input_stats,
                        double momentum, double eps, bool) {
    BOLIDE_CHECK(use_input_stats || (mean.defined() && var.defined()), "Expected running_mean and running_var to be defined when "
                 "use_input_stats is false");
    BOLIDE_CHECK(x.dim() >= 2, "instance_norm: expected at least a 2-d input, got ", x.dim(), " dimensions");
    const int64_t n = x.size(0), channels = x.size(1);
    Dims flat = x.sizes();
    flat[0] = 1, flat[1] = n * channels;
    const auto repeated = [&](const Tensor& t) {
      return t.defined() ? reshape(expand(unsqueeze(t, 0), {n, t.numel()}), {n * t.numel()}) : t;
    };
    Tensor means = repeated(mean), vars = repeated(var);
    if (means.defined() && n == 1) means = clone(means);  // written in place
    if (vars.defined() && n == 1) vars = clone(vars);
    const Tensor y = batch_norm(reshape(contiguous(x), flat), repeated(w), repeated(b), means, vars, use_input_stats, momentum, eps);
    if (use_input_stats) {
      NoGrad quiet;
      const auto averaged = [&](const Tensor& t) { return bolide::mean(reshape(t, {n, channels}), std::optional<IntList>(IntList{0})); };
      if (mean.defined()) copy_(mean, averaged(means));
      if (var.defined()) copy_(var, averaged(vars));
    }
    return reshape(y, x.sizes());
  }
};
const Register<InstanceNorm> instance_norm_op;

}  // namespace bolide
