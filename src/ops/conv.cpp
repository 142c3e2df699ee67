// Convolutions of one to three dimensions and their transposes. Map: checks | geometry | convolution and its
// derivatives | conv1d, conv2d, conv3d | conv_transpose1d, 2d, 3d | relatives
//
// A convolution is linear in each of its two arguments, so the derivatives of its derivatives are convolutions again:
// `convolution_backward` is differentiated with `convolution` and itself.
#include "core/conv_shape.h"
#include "ops/nn.h"

namespace bolide {

namespace {

struct ConvArgs {
  Dims stride, padding, dilation, output_padding;
  bool transposed = false;
  int64_t groups = 1;
};

// ---- checks ---------------------------------------------------------------------------------------

constexpr int64_t kLargest = int64_t{1} << 31;

/// A list of one or `n` numbers as n numbers.
Dims per_dimension(IntList v, size_t n, const char* name) {
  BOLIDE_CHECK(v.size() == 1 || v.size() == n, "expected ", name, " to be a single integer value or a list of ", n,
               " values to match the convolution dimensions, but got ", name, "=", v);
  Dims r(v);
  while (r.size() < n) r.push_back(v[0]);
  for (int64_t x : r) BOLIDE_CHECK(x <= kLargest && x >= -kLargest, "convolution: ", name, "=", v, " is too large");
  return r;
}

template <class Bad>
bool any_of(const Dims& v, Bad bad) {
  return std::any_of(v.begin(), v.end(), bad);
}
bool negative(int64_t v) { return v < 0; }
bool non_positive(int64_t v) { return v <= 0; }

void check_types(const Tensor& x, const Tensor& w, const Tensor& bias) {
  const Operand all[] = {x, w};
  iter::check_same_device("convolution", all);
  if (bias.defined())
    BOLIDE_CHECK(bias.dtype() == x.dtype(), "Input type (", cpp_name(x.dtype()), ") and bias type (", cpp_name(bias.dtype()),
                 ") should be the same");
  BOLIDE_CHECK(x.dtype() == w.dtype() || is_complex(x.dtype()) || is_complex(w.dtype()), "expected scalar type ",
               legacy_name(x.dtype()), " but found ", legacy_name(w.dtype()));
  BOLIDE_CHECK(x.dtype() == w.dtype(), "Input type (", legacy_name(x.dtype()), ") and weight type (", legacy_name(w.dtype()),
               ") should be the same");
}

void check_numbers(const ConvArgs& a) {
  BOLIDE_CHECK(!any_of(a.padding, negative), "negative padding is not supported");
  BOLIDE_CHECK(!any_of(a.output_padding, negative), "negative output_padding is not supported");
  BOLIDE_CHECK(!any_of(a.stride, non_positive), "non-positive stride is not supported");
  BOLIDE_CHECK(!any_of(a.dilation, non_positive), "dilation should be greater than zero");
}

void check_channels(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvArgs& a) {
  const int64_t k = w.dim(), g = a.groups;
  BOLIDE_CHECK(k == x.dim(), "Expected ", k, "-dimensional input for ", k, "-dimensional weight ", w.sizes(), ", but got ", x.dim(),
               "-dimensional input of size ", x.sizes(), " instead");
  BOLIDE_CHECK(w.size(0) >= g, "Given groups=", g, ", expected weight to be at least ", g,
               " at dimension 0, but got weight of size ", w.sizes(), " instead");
  BOLIDE_CHECK(w.size(0) % g == 0, "Given groups=", g, ", expected weight to be divisible by ", g,
               " at dimension 0, but got weight of size [", w.sizes(), "] instead");
  if (!a.transposed) {
    int64_t channels;
    BOLIDE_CHECK(!__builtin_mul_overflow(w.size(1), g, &channels) && x.size(1) == channels, "Given groups=", g, ", weight of size ",
                 w.sizes(), ", expected input", x.sizes(), " to have ", w.size(1) * g, " channels, but got ", x.size(1),
                 " channels instead");
    BOLIDE_CHECK(!bias.defined() || (bias.dim() == 1 && bias.size(0) == w.size(0)), "Given weight of size ", w.sizes(),
                 ", expected bias to be 1-dimensional with ", w.size(0), " elements, but got bias of size ",
                 bias.defined() ? bias.sizes() : Dims(), " instead");
    return;
  }
  BOLIDE_CHECK(x.size(1) == w.size(0), "Given transposed=1, weight of size ", w.sizes(), ", expected input", x.sizes(), " to have ",
               w.size(0), " channels, but got ", x.size(1), " channels instead");
  BOLIDE_CHECK(!bias.defined() || (bias.dim() == 1 && bias.size(0) == w.size(1) * g), "Given transposed=1, weight of size ",
               w.sizes(), ", expected bias to be 1-dimensional with ", w.size(1) * g, " elements, but got bias of size ",
               bias.defined() ? bias.sizes() : Dims(), " instead");
}

std::string by_x(const Dims& v) {  // (6 x 6)
  std::string s = "(";
  for (size_t i = 0; i < v.size(); ++i) s += (i ? " x " : "") + std::to_string(v[i]);
  return s + ")";
}

// ---- geometry -------------------------------------------------------------------------------------

Dims spatial(const Dims& sizes) { return Dims(IntList(sizes.data() + 2, sizes.size() - 2)); }

/// The spatial sizes of the result.
Dims output_sizes(const Tensor& x, const Tensor& w, const ConvArgs& a) {
  const Dims in = spatial(x.sizes()), kernel = spatial(w.sizes());
  BOLIDE_CHECK(!any_of(kernel, non_positive), "convolution: the kernel's sizes must be positive, got a weight of size ", w.sizes());
  Dims out = in, extent = kernel, padded = in;
  bool fits = true;
  for (size_t i = 0; i < in.size(); ++i) {
    BOLIDE_CHECK(kernel[i] <= kLargest && in[i] <= kLargest, "convolution: sizes over 2^31 are not supported");
    const __int128 wide = static_cast<__int128>(a.dilation[i]) * (kernel[i] - 1) + 1;
    BOLIDE_CHECK(wide <= (int64_t{1} << 60), "convolution: dilation ", a.dilation, " is too large");
    extent[i] = static_cast<int64_t>(wide);
    if (a.transposed) {
      const __int128 size = static_cast<__int128>(in[i] - 1) * a.stride[i] - 2 * a.padding[i] + extent[i] + a.output_padding[i];
      BOLIDE_CHECK(size <= (int64_t{1} << 60), "convolution: the result is too large");
      out[i] = static_cast<int64_t>(size);
    } else {
      padded[i] = in[i] + 2 * a.padding[i];
      fits &= padded[i] >= extent[i];
      out[i] = (padded[i] - extent[i]) / a.stride[i] + 1;
    }
  }
  BOLIDE_CHECK(fits, "Calculated padded input size per channel: ", by_x(padded), ". Kernel size: ", by_x(extent),
               ". Kernel size can't be greater than actual input size");
  BOLIDE_CHECK(!any_of(out, non_positive) || x.numel() == 0, "Given input size per channel: ", by_x(in),
               ". Calculated output size per channel: ", by_x(out), ". Output size is too small");
  for (auto& n : out) n = std::max<int64_t>(n, 0);
  return out;
}

/// What the kernels take: of a transposed convolution, the convolution that leads the other way.
ConvShape shape_of(const Dims& x, const Dims& w, const Dims& y, const ConvArgs& a) {
  const Dims &from = a.transposed ? y : x, &to = a.transposed ? x : y;
  ConvShape s;
  s.n = x[0], s.groups = a.groups, s.ci = from[1], s.co = to[1];
  const size_t n = x.size() - 2, first = 3 - n;
  for (size_t i = 0; i < n; ++i) {
    s.in[first + i] = from[2 + i], s.out[first + i] = to[2 + i], s.kernel[first + i] = w[2 + i];
    s.stride[first + i] = a.stride[i], s.pad[first + i] = a.padding[i], s.dilation[first + i] = a.dilation[i];
  }
  return s;
}

ConvArgs args_of(const Tensor& w, IntList stride, IntList padding, IntList dilation, bool transposed, IntList output_padding,
                 int64_t groups) {
  BOLIDE_CHECK(groups > 0, "non-positive groups is not supported");
  BOLIDE_CHECK(w.dim() >= 3, "weight should have at least three dimensions");
  BOLIDE_CHECK(w.dim() <= 5, "convolution: only one to three spatial dimensions are supported, got a weight of size ", w.sizes());
  const auto n = static_cast<size_t>(w.dim() - 2);
  ConvArgs a;
  a.stride = per_dimension(stride, n, "stride"), a.padding = per_dimension(padding, n, "padding");
  a.dilation = per_dimension(dilation, n, "dilation");
  a.output_padding = per_dimension(output_padding, n, "output_padding");
  a.transposed = transposed, a.groups = groups;
  return a;
}

const char* kernel_name(const Tensor& w) { return w.dim() == 5 ? "slow_conv3d_cpu" : "slow_conv2d_cpu"; }
using ConvTypes = Join<Ints, Floats, Halves, Complexes>;

}  // namespace

// ---- convolution and its derivatives ----------------------------------------------------------------

// The gradients (of input, weight, bias) that output_mask asks for.
struct ConvolutionBackward {
  static constexpr auto schema =
      "convolution_backward(Tensor grad_output, Tensor input, Tensor weight, int[]? bias_sizes, int[] stride, int[] padding, "
      "int[] dilation, bool transposed, int[] output_padding, int groups, bool[3] output_mask) -> (Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  static std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& grad, const Tensor& input, const Tensor& weight,
                                                    std::optional<IntList>, IntList stride, IntList padding, IntList dilation,
                                                    bool transposed, IntList output_padding, int64_t groups, IntList mask) {
    const ConvArgs a = args_of(weight, stride, padding, dilation, transposed, output_padding, groups);
    check_types(input, weight, {}), check_numbers(a), check_channels(input, weight, {}, a);
    Dims sizes{input.size(0), transposed ? weight.size(1) * groups : weight.size(0)};
    for (int64_t n : output_sizes(input, weight, a)) sizes.push_back(n);
    BOLIDE_CHECK(grad.sizes() == sizes && grad.dtype() == input.dtype(), "convolution_backward: expected a gradient of ", input.dtype(),
                 " and size ", sizes, ", got ", grad.dtype(), " and size ", grad.sizes());
    BOLIDE_CHECK(mask.size() == 3, "convolution_backward: output_mask must have three values");
    const ConvShape s = shape_of(input.sizes(), weight.sizes(), sizes, a);
    const bool last = is_channels_last(input) || is_channels_last(weight);
    const Tensor g = contiguous(grad);
    Tensor dx, dw, db;
    if (mask[2]) db = Tensor::make({sizes[1]}, g.dtype(), g.device());
    if (mask[0]) dx = input_gradient(s, g, input, contiguous(conj(weight)), transposed);
    if (mask[1]) dw = weight_gradient(s, g, contiguous(conj(input)), weight, db, transposed);
    else if (mask[2]) kernels(g).conv_bias_grad(g, db);
    return {mask[0] ? as_channels_last(dx, last) : dx, mask[1] ? as_channels_last(dw, last) : dw, db};
  }
  static Tensor input_gradient(const ConvShape& s, const Tensor& g, const Tensor& x, const Tensor& w, bool transposed) {
    const Tensor dx = Tensor::make(x.sizes(), x.dtype(), x.device());
    if (transposed) kernels(dx).conv_forward(s, g, w, {}, dx);
    else kernels(dx).conv_backward_data(s, g, w, {}, dx);
    return dx;
  }
  static Tensor weight_gradient(const ConvShape& s, const Tensor& g, const Tensor& x, const Tensor& w, const Tensor& db,
                                bool transposed) {
    const Tensor dw = Tensor::make(w.sizes(), w.dtype(), w.device());
    if (!transposed) {
      kernels(dw).conv_backward_weights(s, x, g, dw, db);
      return dw;
    }
    kernels(dw).conv_backward_weights(s, g, x, dw, {});
    if (db.defined()) kernels(g).conv_bias_grad(g, db);
    return dw;
  }
  static constexpr auto saved = saves(in<0>, in<1>, in<2>);
  static Grads backward(const Call& c, std::span<const Tensor> gg) {
    const Tensor g = c.in(0), x = c.in(1), w = c.in(2);
    const bool transposed = c.flag(7);
    const auto convolve = [&](const Tensor& a, const Tensor& b) {
      return convolution(a, b, {}, c.ints(4), c.ints(5), c.ints(6), transposed, c.ints(8), c.integer(9));
    };
    const auto slope = [&](const Tensor& a, const Tensor& b, std::array<int64_t, 3> mask) {
      return convolution_backward(g, a, b, {}, c.ints(4), c.ints(5), c.ints(6), transposed, c.ints(8), c.integer(9),
                                  IntList(mask.data(), 3));
    };
    const auto plus = [](const Tensor& a, const Tensor& b) { return a.defined() ? b.defined() ? add(a, b) : a : b; };
    Grads r;
    if (c.needs(0)) {
      if (gg[0].defined()) r.of[0] = convolve(gg[0], w);
      if (gg[1].defined()) r.of[0] = plus(r.of[0], convolve(x, gg[1]));
      if (gg[2].defined()) {
        Dims ones(static_cast<size_t>(x.dim()), 1);
        ones[1] = gg[2].numel();
        const Tensor b = expand(reshape(gg[2], ones), c.sizes(0));
        r.of[0] = plus(r.of[0], b);
      }
    }
    if (c.needs(1)) r.of[1] = gg[1].defined() ? std::get<0>(slope(x, gg[1], std::array<int64_t, 3>{1, 0, 0})) : zeros_like(x);
    if (c.needs(2)) r.of[2] = gg[0].defined() ? std::get<1>(slope(gg[0], w, std::array<int64_t, 3>{0, 1, 0})) : zeros_like(w);
    return r;
  }
};
std::tuple<Tensor, Tensor, Tensor> convolution_backward(const Tensor& grad, const Tensor& input, const Tensor& weight,
                                                        std::optional<IntList> bias_sizes, IntList stride, IntList padding,
                                                        IntList dilation, bool transposed, IntList output_padding, int64_t groups,
                                                        IntList output_mask) {
  return call<ConvolutionBackward>(grad, input, weight, bias_sizes, stride, padding, dilation, transposed, output_padding, groups,
                                   output_mask);
}
const Register<ConvolutionBackward> convolution_backward_op;

struct Convolution {
  static constexpr auto schema =
      "convolution(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, bool transposed, "
      "int[] output_padding, int groups) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& input, const Tensor& weight, const Tensor& bias, IntList stride, IntList padding,
                        IntList dilation, bool transposed, IntList output_padding, int64_t groups) {
    const ConvArgs a = args_of(weight, stride, padding, dilation, transposed, output_padding, groups);
    check_types(input, weight, bias), check_numbers(a), check_channels(input, weight, bias, a);
    if (transposed) check_output_padding(a);
    dispatch<ConvTypes>(kernel_name(weight), input.dtype(), [](auto) {});
    Dims sizes{input.size(0), transposed ? weight.size(1) * groups : weight.size(0)};
    for (int64_t n : output_sizes(input, weight, a)) sizes.push_back(n);
    const ConvShape s = shape_of(input.sizes(), weight.sizes(), sizes, a);
    const Tensor y = Tensor::make(sizes, input.dtype(), input.device());
    const Tensor x = contiguous(input), w = contiguous(weight), b = bias.defined() ? contiguous(bias) : bias;
    if (transposed) kernels(y).conv_backward_data(s, x, w, b, y);
    else kernels(y).conv_forward(s, x, w, b, y);
    return as_channels_last(y, is_channels_last(input) || is_channels_last(weight));
  }
  static void check_output_padding(const ConvArgs& a) {
    for (size_t i = 0; i < a.stride.size(); ++i)
      BOLIDE_CHECK(a.output_padding[i] < a.stride[i] || a.output_padding[i] < a.dilation[i],
                   "output padding must be smaller than either stride or dilation, but got output_padding=", a.output_padding,
                   ", stride=", a.stride, ", dilation=", a.dilation);
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const bool bias = c.has_tensor(2) && c.needs(2);
    const int64_t mask[] = {c.needs(0), c.needs(1), bias};
    auto [dx, dw, db] = convolution_backward(g, c.in(0), c.in(1), {}, c.ints(3), c.ints(4), c.ints(5), c.flag(6), c.ints(7),
                                             c.integer(8), mask);
    return Grads(dx, dw, db);
  }
};
Tensor convolution(const Tensor& input, const Tensor& weight, const Tensor& bias, IntList stride, IntList padding, IntList dilation,
                   bool transposed, IntList output_padding, int64_t groups) {
  return call<Convolution>(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups);
}
const Register<Convolution> convolution_op;

// The name below convolution in PyTorch; its last four flags choose among implementations.
struct ConvolutionFlags {
  static constexpr auto schema =
      "_convolution(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, bool transposed, "
      "int[] output_padding, int groups, bool benchmark, bool deterministic, bool cudnn_enabled, bool allow_tf32) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& x, const Tensor& w, const Tensor& b, IntList stride, IntList padding, IntList dilation,
                        bool transposed, IntList output_padding, int64_t groups, bool, bool, bool, bool) {
    return convolution(x, w, b, stride, padding, dilation, transposed, output_padding, groups);
  }
};
const Register<ConvolutionFlags> convolution_flags_op;

// ---- by dimensions ------------------------------------------------------------------------------------

namespace {

const Dims kZeros[] = {{}, {0}, {0, 0}, {0, 0, 0}};

/// Runs `f` on a batch: a single input gets a leading dimension for the time.
template <class F>
Tensor batched(const Tensor& x, int64_t n, const char* name, F&& f) {
  BOLIDE_CHECK(x.dim() == n + 1 || x.dim() == n + 2, "Expected ", n + 1, "D (unbatched) or ", n + 2, "D (batched) input to ", name,
               ", but got input of size: ", x.sizes());
  return x.dim() == n + 2 ? f(x) : squeeze(f(unsqueeze(x, 0)), {0});
}

Tensor conv_nd(int64_t n, const char* name, const Tensor& x, const Tensor& w, const Tensor& b, IntList stride, IntList padding,
               IntList dilation, int64_t groups) {
  return batched(x, n, name, [&](const Tensor& t) {
    return convolution(t, w, b, stride, padding, dilation, false, kZeros[n], groups);
  });
}

/// padding='same': as much on both sides; an odd rest lies on the right.
Tensor conv_same(const Tensor& x, const Tensor& w, const Tensor& b, IntList stride, IntList dilation, int64_t groups) {
  BOLIDE_CHECK(groups > 0, "non-positive groups is not supported");
  BOLIDE_CHECK(w.dim() >= 3, "weight should have at least three dimensions");
  BOLIDE_CHECK(x.dim() == w.dim(), "Expected ", w.dim(), "-dimensional input for ", w.dim(), "-dimensional weight ", w.sizes(),
               ", but got ", x.dim(), "-dimensional input of size ", x.sizes(), " instead");
  const auto n = static_cast<size_t>(w.dim() - 2);
  const Dims s = per_dimension(stride, n, "stride"), d = per_dimension(dilation, n, "dilation");
  BOLIDE_CHECK(!any_of(s, [](int64_t v) { return v != 1; }), "padding='same' is not supported for strided convolutions");
  Dims padding(n, 0), rest(2 * n, 0);
  bool uneven = false;
  for (size_t i = 0; i < n; ++i) {
    const int64_t total = d[i] * (w.sizes()[2 + i] - 1);
    padding[i] = total / 2;
    rest[2 * (n - 1 - i) + 1] = total % 2;
    uneven |= total % 2 != 0;
  }
  return convolution(uneven ? constant_pad_nd(x, rest, 0) : x, w, b, s, padding, d, false, kZeros[n], groups);
}

Tensor conv_named(int64_t n, const char* name, const Tensor& x, const Tensor& w, const Tensor& b, IntList stride, Str padding,
                  IntList dilation, int64_t groups) {
  return batched(x, n, name, [&](const Tensor& t) {
    if (padding == "same") return conv_same(t, w, b, stride, dilation, groups);
    BOLIDE_CHECK(padding == "valid", "Invalid padding string: '", padding, "'");
    return convolution(t, w, b, stride, kZeros[n], dilation, false, kZeros[n], groups);
  });
}

Tensor conv_transpose_nd(int64_t n, const char* name, const Tensor& x, const Tensor& w, const Tensor& b, IntList stride,
                         IntList padding, IntList output_padding, int64_t groups, IntList dilation) {
  return batched(x, n, name, [&](const Tensor& t) {
    return convolution(t, w, b, stride, padding, dilation, true, output_padding, groups);
  });
}

}  // namespace

// convN(input, weight, bias, stride, padding in numbers or by name, dilation, groups), and its transpose.
#define BOLIDE_CONV(N)                                                                                                     \
  struct Conv##N##d {                                                                                                      \
    static constexpr auto schema = "conv" #N "d(Tensor input, Tensor weight, Tensor? bias=None, int[" #N "] stride=1, "    \
                                   "int[" #N "] padding=0, int[" #N "] dilation=1, int groups=1) -> Tensor";               \
    static constexpr auto kind = Kind::Composed;                                                                           \
    static constexpr uint8_t home = kFunction;                                                                             \
    static Tensor forward(const Tensor& x, const Tensor& w, const Tensor& b, IntList stride, IntList padding,              \
                          IntList dilation, int64_t groups) {                                                              \
      return conv_nd(N, "conv" #N "d", x, w, b, stride, padding, dilation, groups);                                        \
    }                                                                                                                      \
  };                                                                                                                       \
  Tensor conv##N##d(const Tensor& x, const Tensor& w, const Tensor& b, IntList stride, IntList padding, IntList dilation,  \
                    int64_t groups) {                                                                                      \
    return Conv##N##d::forward(x, w, b, stride, padding, dilation, groups);                                                \
  }                                                                                                                        \
  const Register<Conv##N##d> conv##N##d_op;                                                                                \
  struct Conv##N##dNamed {                                                                                                 \
    static constexpr auto schema = "conv" #N "d.padding(Tensor input, Tensor weight, Tensor? bias=None, int[" #N "] "      \
                                   "stride=1, str padding='valid', int[" #N "] dilation=1, int groups=1) -> Tensor";       \
    static constexpr auto kind = Kind::Composed;                                                                           \
    static constexpr uint8_t home = kFunction;                                                                             \
    static Tensor forward(const Tensor& x, const Tensor& w, const Tensor& b, IntList stride, Str padding,                  \
                          IntList dilation, int64_t groups) {                                                              \
      return conv_named(N, "conv" #N "d", x, w, b, stride, padding, dilation, groups);                                     \
    }                                                                                                                      \
  };                                                                                                                       \
  const Register<Conv##N##dNamed> conv##N##d_named_op;                                                                     \
  struct ConvTranspose##N##d {                                                                                             \
    static constexpr auto schema = "conv_transpose" #N "d(Tensor input, Tensor weight, Tensor? bias=None, "                \
                                   "int[" #N "] stride=1, int[" #N "] padding=0, int[" #N "] output_padding=0, "           \
                                   "int groups=1, int[" #N "] dilation=1) -> Tensor";                                      \
    static constexpr auto kind = Kind::Composed;                                                                           \
    static constexpr uint8_t home = kFunction;                                                                             \
    static Tensor forward(const Tensor& x, const Tensor& w, const Tensor& b, IntList stride, IntList padding,              \
                          IntList output_padding, int64_t groups, IntList dilation) {                                      \
      return conv_transpose_nd(N, "conv_transpose" #N "d", x, w, b, stride, padding, output_padding, groups, dilation);    \
    }                                                                                                                      \
  };                                                                                                                       \
  Tensor conv_transpose##N##d(const Tensor& x, const Tensor& w, const Tensor& b, IntList stride, IntList padding,          \
                              IntList output_padding, int64_t groups, IntList dilation) {                                  \
    return ConvTranspose##N##d::forward(x, w, b, stride, padding, output_padding, groups, dilation);                       \
  }                                                                                                                        \
  const Register<ConvTranspose##N##d> conv_transpose##N##d_op;
BOLIDE_CONV(1)
BOLIDE_CONV(2)
BOLIDE_CONV(3)
#undef BOLIDE_CONV

// A convolution along time of (T, B, C) with weights (K, C, O).
struct ConvTbc {
  static constexpr auto schema = "conv_tbc(Tensor self, Tensor weight, Tensor bias, int pad=0) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction | kMethod;
  static Tensor forward(const Tensor& x, const Tensor& w, const Tensor& bias, int64_t pad) {
    BOLIDE_CHECK(x.dim() == 3, "Input must have 3 dims: time, batch, in_channel");
    BOLIDE_CHECK(w.dim() == 3, "Weight tensor must have 3 dims: kernel_width, in_channels, out_channels.");
    BOLIDE_CHECK(bias.dim() == 1, "Bias must be 1-D");
    BOLIDE_CHECK(x.size(2) == w.size(1), "Input dim 2 (input channels) is not == dim 1 in the weight tensor");
    BOLIDE_CHECK(w.size(2) == bias.size(0), "Bias size must equal dim 2 in the weight tensor (output channels).");
    return permute(conv1d(permute(x, {1, 2, 0}), permute(w, {2, 1, 0}), bias, {1}, {pad}, {1}, 1), {2, 0, 1});
  }
};
const Register<ConvTbc> conv_tbc_op;

}  // namespace bolide
