// Normalisation over the last dimensions and over groups of channels. Map: layer norm | rms norm | group norm
//
// Statistics are kept in the compute type (float for halves); the native_* forms of PyTorch give them in the input's type.
#include "ops/norm.h"

namespace bolide {

namespace {

/// An input as rows of what is normalised together.
struct Rows {
  int64_t rows = 1, n = 1;
  Dims statistics;  // the leading sizes, then ones
};

Rows rows_of(const Tensor& x, IntList shape, const Tensor& weight, const Tensor& bias) {
  BOLIDE_CHECK(!shape.empty(), "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
               "normalized_shape = ", shape);
  BOLIDE_CHECK(!weight.defined() || IntList(weight.sizes()) == shape, "Expected weight to be of same shape as normalized_shape, but got "
               "weight of shape ", weight.defined() ? weight.sizes() : Dims(), " and normalized_shape = ", shape);
  BOLIDE_CHECK(!bias.defined() || IntList(bias.sizes()) == shape, "Expected bias to be of same shape as normalized_shape, but got bias of "
               "shape ", bias.defined() ? bias.sizes() : Dims(), " and normalized_shape = ", shape);
  const size_t k = shape.size(), lead = x.sizes().size() - std::min(x.sizes().size(), k);
  if (x.sizes().size() < k || !(IntList(x.sizes().data() + lead, k) == shape)) {
    std::string wanted = "[*";
    for (int64_t s : shape) wanted += ", " + std::to_string(s);
    fail("Given normalized_shape=", shape, ", expected input with shape ", wanted, "], but got input of size", x.sizes());
  }
  Rows r;
  for (size_t d = 0; d < lead; ++d) r.rows *= x.sizes()[d], r.statistics.push_back(x.sizes()[d]);
  for (int64_t s : shape) r.n *= s, r.statistics.push_back(1);
  return r;
}

Normalised as_rows(const Call& c, const Tensor& g, const Tensor& x, const Tensor& w, const Tensor& mean, const Tensor& rstd, int64_t n) {
  const DType t = compute_dtype(x.dtype());
  const int64_t rows = n ? x.numel() / n : 0;
  (void)c;
  Normalised r;
  r.grad = reshape(cast(g, t), {rows, n}), r.x = reshape(cast(x, t), {rows, n});
  if (w.defined()) r.weight = reshape(cast(w, t), {1, n});
  if (mean.defined()) r.mean = reshape(mean, {rows, 1});
  r.rstd = reshape(rstd, {rows, 1});
  r.reduced = {1}, r.shared = {0};
  return r;
}
Tensor in_shape(const Tensor& t, IntList shape) { return t.defined() ? reshape(t, shape) : t; }

}  // namespace

// ---- layer norm -------------------------------------------------------------------------------------------

struct LayerNormBackward {
  static constexpr auto schema =
      "native_layer_norm_backward(Tensor grad_out, Tensor input, int[] normalized_shape, Tensor mean, Tensor rstd, Tensor? weight, "
      "Tensor? bias, bool[3] output_mask) -> (Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  static std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& grad, const Tensor& input, IntList shape, const Tensor& mean,
                                                    const Tensor& rstd, const Tensor& weight, const Tensor& bias, IntList mask) {
    const Rows r = rows_of(input, shape, weight, bias);
    BOLIDE_CHECK(grad.sizes() == input.sizes() && mean.numel() == r.rows && rstd.numel() == r.rows && mask.size() == 3,
                 "native_layer_norm_backward: sizes do not fit");
    const DType t = input.dtype(), stats = compute_dtype(t);
    const Tensor x = contiguous(input), g = contiguous(cast(grad, t)), w = cast_or_none(weight, t);
    Tensor dx, dw, db;
    if (mask[0]) dx = Tensor::make(x.sizes(), t, x.device());
    if (mask[1] && weight.defined()) dw = Tensor::make(shape, t, x.device());
    if (mask[2] && bias.defined()) db = Tensor::make(shape, t, x.device());
    kernels(x).layer_norm_backward(g, x, contiguous(cast(mean, stats)), contiguous(cast(rstd, stats)), w, r.n, dx, dw, db);
    return {dx, dw.defined() ? cast(dw, weight.dtype()) : dw, db.defined() ? cast(db, bias.dtype()) : db};
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<3>, in<4>, in<5>);
  static Grads backward(const Call& c, std::span<const Tensor> gg) {
    const Tensor x = c.in(1), w = c.has_tensor(5) ? c.in(5) : Tensor();
    const int64_t n = checked_numel(c.ints(2));
    const Normalised rows = as_rows(c, c.in(0), x, w, c.in(3).detach(), c.in(4).detach(), n);
    const DType t = rows.x.dtype();
    const auto wide = [&](const Tensor& v, IntList s) { return v.defined() ? reshape(cast(v, t), s) : v; };
    auto [dg, dx, dw] = norm_double_backward(rows, wide(gg[0], {rows.x.size(0), n}), wide(gg[1], {1, n}), wide(gg[2], {1, n}));
    Grads r;
    r.of[0] = in_shape(dg, c.sizes(0)), r.of[1] = in_shape(dx, x.sizes());
    if (w.defined()) r.of[5] = in_shape(dw, w.sizes());
    return r;
  }
};
const Register<LayerNormBackward> layer_norm_backward_op;

// (x - mean) / sqrt(var + eps) * weight + bias over the last dimensions, with the statistics.
struct LayerNorm {
  static constexpr auto schema =
      "_layer_norm(Tensor input, int[] normalized_shape, Tensor? weight, Tensor? bias, float eps) -> (Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal, gradient_outputs = 1;
  static constexpr auto node = "NativeLayerNormBackward0";
  static std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& input, IntList shape, const Tensor& weight, const Tensor& bias,
                                                    double eps) {
    const Rows r = rows_of(input, shape, weight, bias);
    dispatch<Join<Floats, Halves>>("LayerNormKernelImpl", input.dtype(), [](auto) {});
    check_parameter_type(input, weight), check_parameter_type(input, bias);
    const DType t = input.dtype(), stats = compute_dtype(t);
    const Tensor x = contiguous(input), y = Tensor::make(x.sizes(), t, x.device());
    const Tensor mean = Tensor::make(r.statistics, stats, x.device()), rstd = Tensor::make(r.statistics, stats, x.device());
    kernels(y).layer_norm(x, r.n, cast_or_none(weight, t), cast_or_none(bias, t), eps, y, mean, rstd);
    return {y, mean, rstd};
  }
  static constexpr auto saved = saves(in<0>, in<2>, in<3>, out<1>, out<2>);
  static Grads backward(const Call& c, std::span<const Tensor> g) {
    if (!g[0].defined()) return {};
    const Tensor w = c.has_tensor(2) ? c.in(2) : Tensor(), b = c.has_tensor(3) ? c.in(3) : Tensor();
    const int64_t mask[] = {c.needs(0), w.defined() && c.needs(2), b.defined() && c.needs(3)};
    auto [dx, dw, db] = call<LayerNormBackward>(g[0], c.in(0), c.ints(1), c.out(1).detach(), c.out(2).detach(), w, b, IntList(mask, 3));
    return Grads(dx, Tensor(), dw, db);
  }
};
const Register<LayerNorm> layer_norm_op;

struct LayerNormPlain {
  static constexpr auto schema =
      "layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, "
      "bool cudnn_enable=True) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& x, IntList shape, const Tensor& w, const Tensor& b, double eps, bool) {
    return std::get<0>(call<LayerNorm>(x, shape, w, b, eps));
  }
};
Tensor layer_norm(const Tensor& x, IntList shape, const Tensor& w, const Tensor& b, double eps) {
  return std::get<0>(call<LayerNorm>(x, shape, w, b, eps));
}
const Register<LayerNormPlain> layer_norm_plain_op;

struct NativeLayerNorm {
  static constexpr auto schema =
      "native_layer_norm(Tensor input, int[] normalized_shape, Tensor? weight, Tensor? bias, float eps) -> (Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction, variants = kOut;
  static std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& x, IntList shape, const Tensor& w, const Tensor& b, double eps) {
    auto [y, mean, rstd] = call<LayerNorm>(x, shape, w, b, eps);
    const DType t = w.defined() ? w.dtype() : x.dtype();
    return {y, cast(mean, t), cast(rstd, t)};
  }
};
const Register<NativeLayerNorm> native_layer_norm_op;

// ---- rms norm -----------------------------------------------------------------------------------------------

struct RmsNormBackward {
  static constexpr auto schema =
      "_rms_norm_backward(Tensor grad_out, Tensor input, int[] normalized_shape, Tensor rstd, Tensor? weight, bool[2] output_mask) "
      "-> (Tensor, Tensor)";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  static std::tuple<Tensor, Tensor> forward(const Tensor& grad, const Tensor& input, IntList shape, const Tensor& rstd,
                                            const Tensor& weight, IntList mask) {
    const Rows r = rows_of(input, shape, weight, {});
    BOLIDE_CHECK(grad.sizes() == input.sizes() && rstd.numel() == r.rows && mask.size() == 2, "_rms_norm_backward: sizes do not fit");
    const DType t = input.dtype();
    const Tensor x = contiguous(input), g = contiguous(cast(grad, t)), w = cast_or_none(weight, t);
    Tensor dx, dw;
    if (mask[0]) dx = Tensor::make(x.sizes(), t, x.device());
    if (mask[1] && weight.defined()) dw = Tensor::make(shape, t, x.device());
    kernels(x).rms_norm_backward(g, x, contiguous(cast(rstd, compute_dtype(t))), w, r.n, dx, dw);
    return {dx, dw.defined() ? cast(dw, weight.dtype()) : dw};
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<3>, in<4>);
  static Grads backward(const Call& c, std::span<const Tensor> gg) {
    const Tensor x = c.in(1), w = c.has_tensor(4) ? c.in(4) : Tensor();
    const int64_t n = checked_numel(c.ints(2));
    Normalised rows = as_rows(c, c.in(0), x, w, {}, c.in(3).detach(), n);
    rows.centred = false;
    const DType t = rows.x.dtype();
    const auto wide = [&](const Tensor& v, IntList s) { return v.defined() ? reshape(cast(v, t), s) : v; };
    auto [dg, dx, dw] = norm_double_backward(rows, wide(gg[0], {rows.x.size(0), n}), wide(gg[1], {1, n}), {});
    Grads r;
    r.of[0] = in_shape(dg, c.sizes(0)), r.of[1] = in_shape(dx, x.sizes());
    if (w.defined()) r.of[4] = in_shape(dw, w.sizes());
    return r;
  }
};
const Register<RmsNormBackward> rms_norm_backward_op;

// x / sqrt(mean(x^2) + eps) * weight over the last dimensions, with 1 / sqrt.
struct RmsNorm {
  static constexpr auto schema = "_fused_rms_norm(Tensor input, int[] normalized_shape, Tensor? weight, float? eps) -> (Tensor, Tensor)";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kFunction, gradient_outputs = 1;
  static std::tuple<Tensor, Tensor> forward(const Tensor& input, IntList shape, const Tensor& weight, std::optional<double> eps) {
    const Rows r = rows_of(input, shape, weight, {});
    dispatch<Join<Floats, Halves>>("rms_norm", input.dtype(), [](auto) {});
    const DType t = input.dtype(), stats = compute_dtype(t);
    const double least = stats == DType::Float64 ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
    const Tensor x = contiguous(input), y = Tensor::make(x.sizes(), t, x.device()), rstd = Tensor::make(r.statistics, stats, x.device());
    kernels(y).rms_norm(x, r.n, cast_or_none(weight, t), eps.value_or(least), y, rstd);
    return {y, rstd};
  }
  static constexpr auto saved = saves(in<0>, in<2>, out<1>);
  static Grads backward(const Call& c, std::span<const Tensor> g) {
    if (!g[0].defined()) return {};
    const Tensor w = c.has_tensor(2) ? c.in(2) : Tensor();
    const int64_t mask[] = {c.needs(0), w.defined() && c.needs(2)};
    auto [dx, dw] = call<RmsNormBackward>(g[0], c.in(0), c.ints(1), c.out(1).detach(), w, IntList(mask, 2));
    return Grads(dx, Tensor(), dw);
  }
};
const Register<RmsNorm> rms_norm_op;

struct RmsNormPlain {
  static constexpr auto schema = "rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& x, IntList shape, const Tensor& w, std::optional<double> eps) {
    if (!is_complex(x.dtype())) {
      const Tensor y = std::get<0>(call<RmsNorm>(x, shape, w.defined() && w.dtype() != x.dtype() ? Tensor() : w, eps));
      return w.defined() && w.dtype() != x.dtype() ? mul(y, w) : y;
    }
    rows_of(x, shape, w, {});
    Dims dims;
    for (size_t i = 0; i < shape.size(); ++i) dims.push_back(-1 - static_cast<int64_t>(i));
    const double least = x.dtype() == DType::Complex128 ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
    const Tensor y = mul(x, rsqrt(add(mean(mul(x, x), std::optional<IntList>(dims), true), eps.value_or(least))));
    return w.defined() ? mul(y, w) : y;
  }
};
Tensor rms_norm(const Tensor& x, IntList shape, const Tensor& w, std::optional<double> eps) { return RmsNormPlain::forward(x, shape, w, eps); }
const Register<RmsNormPlain> rms_norm_plain_op;

// ---- group norm -----------------------------------------------------------------------------------------------

namespace {

/// Sizes of an image as [batch, groups, channels of a group, pixels].
struct Groups {
  int64_t batch, groups, per_group, pixels;
  Dims whole() const { return {batch, groups, per_group, pixels}; }
  Dims statistics() const { return {batch, groups, 1, 1}; }
  Dims channels() const { return {1, groups, per_group, 1}; }
};
Groups groups_of(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias) {
  BOLIDE_CHECK(groups > 0, "Expected num groups to be greater than 0, got ", groups);
  BOLIDE_CHECK(x.dim() >= 2, "Expected at least 2 dimensions for input tensor but received ", x.dim());
  const int64_t n = x.size(0), channels = x.size(1);
  BOLIDE_CHECK(channels % groups == 0, "Expected number of channels in input to be divisible by num_groups, but got input of shape ",
               x.sizes(), " and num_groups=", groups);
  for (auto [name, t] : {std::pair("weight", &weight), std::pair("bias", &bias)})
    BOLIDE_CHECK(!t->defined() || (t->dim() == 1 && t->numel() == channels), "Expected ", name, " to be a vector of size equal to the number "
                 "of channels in input, but got ", name, " of shape ", t->defined() ? t->sizes() : Dims(), " and input of shape ", x.sizes());
  return {n, groups, channels / groups, n && channels ? x.numel() / (n * channels) : 0};
}

}  // namespace

struct GroupNormBackward {
  static constexpr auto schema =
      "_group_norm_backward(Tensor grad_out, Tensor input, Tensor mean, Tensor rstd, Tensor? weight, Tensor? bias, int group, "
      "bool[3] output_mask) -> (Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  static std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& grad, const Tensor& input, const Tensor& mean, const Tensor& rstd,
                                                    const Tensor& weight, const Tensor& bias, int64_t group, IntList mask) {
    const Groups s = groups_of(input, group, weight, bias);
    BOLIDE_CHECK(grad.sizes() == input.sizes() && mean.numel() == s.batch * group && rstd.numel() == mean.numel() && mask.size() == 3,
                 "group_norm's backward: sizes do not fit");
    const DType t = input.dtype(), stats = compute_dtype(t);
    const Tensor x = contiguous(input), g = contiguous(cast(grad, t)), w = cast_or_none(weight, t);
    Tensor dx, dw, db;
    if (mask[0]) dx = Tensor::make(x.sizes(), t, x.device());
    if (mask[1] && weight.defined()) dw = Tensor::make(weight.sizes(), t, x.device());
    if (mask[2] && bias.defined()) db = Tensor::make(bias.sizes(), t, x.device());
    kernels(x).group_norm_backward(g, x, contiguous(cast(mean, stats)), contiguous(cast(rstd, stats)), w, group, dx, dw, db);
    return {dx, dw.defined() ? cast(dw, weight.dtype()) : dw, db.defined() ? cast(db, bias.dtype()) : db};
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<2>, in<3>, in<4>);
  static Grads backward(const Call& c, std::span<const Tensor> gg) {
    const Tensor x = c.in(1), w = c.has_tensor(4) ? c.in(4) : Tensor();
    const Groups s = groups_of(x, c.integer(6), w, {});
    const DType t = compute_dtype(x.dtype());
    const auto wide = [&](const Tensor& v, const Dims& shape) { return v.defined() ? reshape(cast(v, t), shape) : v; };
    const Normalised n{wide(c.in(0), s.whole()), wide(x, s.whole()), wide(w, s.channels()), wide(c.in(2).detach(), s.statistics()),
                       wide(c.in(3).detach(), s.statistics()), {2, 3}, {0, 3}};
    auto [dg, dx, dw] = norm_double_backward(n, wide(gg[0], s.whole()), wide(gg[1], s.channels()), wide(gg[2], s.channels()));
    Grads r;
    r.of[0] = in_shape(dg, c.sizes(0)), r.of[1] = in_shape(dx, x.sizes());
    if (w.defined()) r.of[4] = in_shape(dw, w.sizes());
    return r;
  }
};
const Register<GroupNormBackward> group_norm_backward_op;

// Each group of channels of each sample with mean 0 and variance 1, with the statistics [batch, groups].
struct GroupNorm {
  static constexpr auto schema = "_group_norm(Tensor input, int num_groups, Tensor? weight, Tensor? bias, float eps) -> (Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  static constexpr auto node = "NativeGroupNormBackward0";
  static std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& input, int64_t groups, const Tensor& weight, const Tensor& bias,
                                                    double eps) {
    const Groups s = groups_of(input, groups, weight, bias);
    dispatch<Join<Floats, Halves>>("GroupNormKernelImpl", input.dtype(), [](auto) {});
    check_parameter_type(input, weight), check_parameter_type(input, bias);
    const DType t = input.dtype(), stats = compute_dtype(t);
    const Tensor x = contiguous(input), y = Tensor::make(x.sizes(), t, x.device());
    const Tensor mean = Tensor::make({s.batch, groups}, stats, x.device()), rstd = Tensor::make({s.batch, groups}, stats, x.device());
    kernels(y).group_norm(x, groups, cast_or_none(weight, t), cast_or_none(bias, t), eps, y, mean, rstd);
    return {as_channels_last(y, is_channels_last(input)), mean, rstd};
  }
  static constexpr auto saved = saves(in<0>, in<2>, in<3>, out<1>, out<2>);
  static Grads backward(const Call& c, std::span<const Tensor> g) {
    const Tensor x = c.in(0), w = c.has_tensor(2) ? c.in(2) : Tensor(), b = c.has_tensor(3) ? c.in(3) : Tensor();
    const bool bias = b.defined() && c.needs(3), apart = bias && grad_enabled();  // the bias's gradient depends on g alone
    const int64_t groups = c.integer(1), mask[] = {c.needs(0), w.defined() && c.needs(2), bias && !apart};
    Grads r;
    if (g[0].defined()) {
      auto [dx, dw, db] = call<GroupNormBackward>(g[0], x, c.out(1).detach(), c.out(2).detach(), w, b, groups, IntList(mask, 3));
      r.of[0] = dx, r.of[2] = dw, r.of[3] = db;
      if (apart) {
        Dims others{0};
        for (int64_t d = 2; d < x.dim(); ++d) others.push_back(d);
        r.of[3] = sum(g[0], std::optional<IntList>(others));
      }
    }
    if (c.needs(0) && (g[1].defined() || g[2].defined())) add_statistics(r.of[0], c, x, g[1], g[2], groups);
    return r;
  }
  // The gradients of the statistics themselves: 1 / n of the mean's, -rstd^2 xhat / n of rstd's.
  static void add_statistics(Tensor& dx, const Call& c, const Tensor& x, const Tensor& gmean, const Tensor& grstd, int64_t groups) {
    const Groups s = groups_of(x, groups, {}, {});
    const DType t = compute_dtype(x.dtype());
    const Tensor v = reshape(cast(x, t), s.whole());
    const double n = static_cast<double>(s.per_group * s.pixels);
    const auto put = [&](const Tensor& part) {
      const Tensor whole = reshape(expand(part, s.whole()), x.sizes());
      dx = dx.defined() ? add(dx, whole) : whole;
    };
    if (gmean.defined()) put(div(reshape(gmean, s.statistics()), n));
    if (!grstd.defined()) return;
    const Tensor centred = sub(v, reshape(c.out(1), s.statistics())), rstd = reshape(c.out(2), s.statistics());
    put(div(neg(mul(mul(reshape(grstd, s.statistics()), pow(rstd, 3)), centred)), n));
  }
};
const Register<GroupNorm> group_norm_op;

struct GroupNormPlain {
  static constexpr auto schema =
      "group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enabled=True) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& x, int64_t groups, const Tensor& w, const Tensor& b, double eps, bool) {
    return std::get<0>(call<GroupNorm>(x, groups, w, b, eps));
  }
};
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& w, const Tensor& b, double eps) {
  return std::get<0>(call<GroupNorm>(x, groups, w, b, eps));
}
const Register<GroupNormPlain> group_norm_plain_op;

struct NativeGroupNorm {
  static constexpr auto schema =
      "native_group_norm(Tensor input, Tensor? weight, Tensor? bias, int N, int C, int HxW, int group, float eps) -> (Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction, variants = kOut;
  static std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& x, const Tensor& w, const Tensor& b, int64_t n, int64_t channels,
                                                    int64_t pixels, int64_t group, double eps) {
    BOLIDE_CHECK(n >= 0 && channels >= 0 && pixels >= 0 && checked_numel({n, channels, pixels}) == x.numel(),
                 "native_group_norm: N, C and HxW do not fit an input of size ", x.sizes());
    auto [y, mean, rstd] = call<GroupNorm>(reshape(x, {n, channels, pixels}), group, w, b, eps);
    const DType t = w.defined() ? w.dtype() : x.dtype();
    return {reshape(y, x.sizes()), cast(mean, t), cast(rstd, t)};
  }
};
const Register<NativeGroupNorm> native_group_norm_op;

}  // namespace bolide
