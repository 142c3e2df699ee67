// Pooling by averages: strided windows and adaptive ones, with backward ops that are differentiable again.
#include "ops/pool.h"

namespace bolide {

// ---- strided windows ------------------------------------------------------------------------------------

namespace {

const Dims kOnes[] = {{}, {1}, {1, 1}, {1, 1, 1}};

PoolArgs avg_args(int64_t n, IntList kernel, std::optional<IntList> stride, IntList padding, bool ceil_mode) {
  const char* names[] = {"", "avg_pool1d", "avg_pool2d", "avg_pool3d"};
  return pool_args(names[n], n, kernel, stride, padding, kOnes[n], ceil_mode);
}
const char* avg_kernel(int64_t n) { return n == 3 ? "avg_pool3d_out_frame" : "avg_pool2d"; }

Tensor avg_pool_of(int64_t n, Out out, const Tensor& self, IntList kernel, std::optional<IntList> stride, IntList padding, bool ceil_mode,
                   bool count_pad, std::optional<int64_t> divisor) {
  BOLIDE_CHECK(!divisor || *divisor != 0, "divisor must be not zero");
  if (n == 1)
    BOLIDE_CHECK(self.dim() == 2 || self.dim() == 3, "Expected 2 to 3 dimensions, but got ", self.dim(),
                 "-dimensional tensor for argument #1 'self' (while checking arguments for avg_pool1d)");
  if (n == 2) wrap_dim(-3, self.dim());
  const PoolShape s = pool_shape(avg_args(n, kernel, stride, padding, ceil_mode), self);
  dispatch<Join<Floats, Halves, Types<int64_t>>>(avg_kernel(n), self.dtype(), [](auto) {});
  const Tensor x = contiguous(self);
  const Tensor y = into(out, pooled_sizes(self.sizes(), s, n), x.dtype(), x.device(),
                        [&](const Tensor& t) { kernels(t).avg_pool(s, x, count_pad, divisor.value_or(0), t); });
  return out.tensor ? y : as_channels_last(y, is_channels_last(self));
}

Tensor avg_pool_slope(int64_t n, const Tensor& g, const Tensor& self, IntList kernel, std::optional<IntList> stride, IntList padding,
                      bool ceil_mode, bool count_pad, std::optional<int64_t> divisor) {
  BOLIDE_CHECK(!divisor || *divisor != 0, "divisor must be not zero");
  const PoolShape s = pool_shape(avg_args(n, kernel, stride, padding, ceil_mode), self);
  BOLIDE_CHECK(g.sizes() == pooled_sizes(self.sizes(), s, n) && g.dtype() == self.dtype(), "avg_pool", n, "d_backward: expected a gradient of ",
               self.dtype(), " and shape ", pooled_sizes(self.sizes(), s, n), ", got ", g.dtype(), " and shape ", g.sizes());
  dispatch<Join<Floats, Halves, Types<int64_t>>>(avg_kernel(n), g.dtype(), [](auto) {});
  const Tensor dx = Tensor::make(self.sizes(), g.dtype(), g.device());
  kernels(dx).avg_pool_backward(s, contiguous(g), count_pad, divisor.value_or(0), dx);
  return as_channels_last(dx, is_channels_last(self));
}

}  // namespace

#define BOLIDE_AVG_POOL(N, NODE)                                                                                             \
  struct AvgPool##N##dBackward {                                                                                             \
    static constexpr auto schema = "avg_pool" #N "d_backward(Tensor grad_output, Tensor self, int[" #N "] kernel_size, "     \
                                   "int[" #N "]? stride, int[" #N "] padding, bool ceil_mode, bool count_include_pad, "      \
                                   "int? divisor_override) -> Tensor";                                                       \
    static constexpr auto kind = Kind::Layer;                                                                                \
    static constexpr uint8_t home = kInternal;                                                                               \
    static Tensor forward(const Tensor& g, const Tensor& x, IntList kernel, std::optional<IntList> stride, IntList padding,  \
                          bool ceil_mode, bool count_pad, std::optional<int64_t> divisor) {                                  \
      return avg_pool_slope(N, g, x, kernel, stride, padding, ceil_mode, count_pad, divisor);                                \
    }                                                                                                                        \
    static Grads backward(const Call& c, const Tensor& gg) {                                                                 \
      return Grads(c.needs(0) ? avg_pool##N##d(gg, c.ints(2), c.value<std::optional<IntList>>(3), c.ints(4), c.flag(5), c.flag(6), \
                                               c.value<std::optional<int64_t>>(7)) : Tensor(),                               \
                   c.needs(1) ? zeros_like(gg) : Tensor());                                                                  \
    }                                                                                                                        \
  };                                                                                                                         \
  const Register<AvgPool##N##dBackward> avg_pool##N##d_backward_op;                                                          \
  struct AvgPool##N##d {                                                                                                     \
    static constexpr auto schema = "avg_pool" #N "d(Tensor self, int[" #N "] kernel_size, int[" #N "]? stride=None, "        \
                                   "int[" #N "] padding=0, bool ceil_mode=False, bool count_include_pad=True, "              \
                                   "int? divisor_override=None) -> Tensor";                                                  \
    static constexpr auto kind = Kind::Layer;                                                                                \
    static constexpr uint8_t home = N == 1 ? kFunction : kInternal, variants = kOut;                                         \
    static constexpr auto node = NODE;                                                                                       \
    static Tensor forward(Out out, const Tensor& x, IntList kernel, std::optional<IntList> stride, IntList padding,          \
                          bool ceil_mode, bool count_pad, std::optional<int64_t> divisor) {                                  \
      return avg_pool_of(N, out, x, kernel, stride, padding, ceil_mode, count_pad, divisor);                                 \
    }                                                                                                                        \
    static constexpr auto saved = saves(in<0>);                                                                              \
    static Grads backward(const Call& c, const Tensor& g) {                                                                  \
      return call<AvgPool##N##dBackward>(g, c.in(0), c.ints(1), c.value<std::optional<IntList>>(2), c.ints(3), c.flag(4), c.flag(5), \
                                         c.value<std::optional<int64_t>>(6));                                                \
    }                                                                                                                        \
  };                                                                                                                         \
  Tensor avg_pool##N##d(const Tensor& x, IntList kernel, std::optional<IntList> stride, IntList padding, bool ceil_mode,     \
                        bool count_include_pad, std::optional<int64_t> divisor_override) {                                   \
    return call<AvgPool##N##d>(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override);                  \
  }                                                                                                                          \
  const Register<AvgPool##N##d> avg_pool##N##d_op;
BOLIDE_AVG_POOL(1, "AvgPool2DBackward0")
BOLIDE_AVG_POOL(2, "AvgPool2DBackward0")
BOLIDE_AVG_POOL(3, "AvgPool3DBackward0")
#undef BOLIDE_AVG_POOL

// ---- adaptive windows -------------------------------------------------------------------------------------

struct AdaptiveAvgPoolBackward {
  static constexpr auto schema = "_adaptive_avg_pool_backward(Tensor grad_output, Tensor self, int dims) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& g, const Tensor& self, int64_t dims) {
    BOLIDE_CHECK(dims >= 1 && dims <= 3 && g.dim() >= dims && self.dim() == g.dim(), "_adaptive_avg_pool_backward: expected one to three dimensions");
    for (int64_t d = 0; d < g.dim() - dims; ++d) BOLIDE_CHECK(g.size(d) == self.size(d), "_adaptive_avg_pool_backward: batches differ");
    dispatch<Join<Floats, Halves>>("adaptive_avg_pool2d_backward", g.dtype(), [](auto) {});
    const Tensor dx = Tensor::make(self.sizes(), g.dtype(), g.device());
    kernels(dx).adaptive_avg_pool_backward(pool_shape(dims, self.sizes(), g.sizes()), contiguous(g), dx);
    return as_channels_last(dx, is_channels_last(self));
  }
  static constexpr auto saved = saves(in_for<1, 1>);
  static Grads backward(const Call& c, const Tensor& gg);
};

namespace {

const char* const kAdaptive[] = {"", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"};

Tensor adaptive_avg_pool_of(int64_t n, Out out, const Tensor& self, IntList output_size) {
  const char* name = kAdaptive[n];
  if (n == 1) {
    BOLIDE_CHECK(self.dim() == 2 || self.dim() == 3, "Expected 2 to 3 dimensions, but got ", self.dim(),
                 "-dimensional tensor for argument #1 'self' (while checking arguments for adaptive_avg_pool1d)");
    BOLIDE_CHECK(output_size.size() == 1, "adaptive_avg_pool1d: 'output_size' should contain one int");
  }
  BOLIDE_CHECK(output_size.size() == static_cast<size_t>(n), name, ": output_size must be ", n);
  for (int64_t o : output_size) BOLIDE_CHECK(o >= 0, name, ": elements of output_size must be greater than or equal to 0 but received ", output_size);
  BOLIDE_CHECK(self.dim() == n + 1 || self.dim() == n + 2, name, "(): Expected ", n + 1, "D or ", n + 2, "D tensor, but got ", self.sizes());
  check_not_empty(name, self, self.dim() - n);
  dispatch<Join<Floats, Halves>>(n == 3 ? "adaptive_avg_pool3d_cpu" : "adaptive_avg_pool2d", self.dtype(), [](auto) {});
  const PoolShape s = pool_shape(n, self.sizes(), output_size);
  const Tensor x = contiguous(self);
  const Tensor y = into(out, pooled_sizes(self.sizes(), s, n), x.dtype(), x.device(),
                        [&](const Tensor& t) { kernels(t).adaptive_avg_pool(s, x, t); });
  return out.tensor ? y : as_channels_last(y, is_channels_last(self));
}

template <int N>
struct AdaptiveGradient {
  static constexpr auto kind = Kind::Layer;
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) { return call<AdaptiveAvgPoolBackward>(g, c.in(0), int64_t{N}); }
};

}  // namespace

#define BOLIDE_ADAPTIVE_AVG(N, NODE)                                                                                         \
  struct AdaptiveAvgPool##N##d : AdaptiveGradient<N> {                                                                       \
    static constexpr auto schema = "adaptive_avg_pool" #N "d(Tensor self, int[" #N "] output_size) -> Tensor";               \
    static constexpr uint8_t home = N == 1 ? kFunction : kInternal, variants = kOut;                                         \
    static constexpr auto node = NODE;                                                                                       \
    static Tensor forward(Out out, const Tensor& x, IntList output_size) { return adaptive_avg_pool_of(N, out, x, output_size); } \
  };                                                                                                                         \
  Tensor adaptive_avg_pool##N##d(const Tensor& x, IntList output_size) { return call<AdaptiveAvgPool##N##d>(x, output_size); } \
  const Register<AdaptiveAvgPool##N##d> adaptive_avg_pool##N##d_op;
BOLIDE_ADAPTIVE_AVG(1, "AdaptiveAvgPool2DBackward0")
BOLIDE_ADAPTIVE_AVG(2, "AdaptiveAvgPool2DBackward0")
BOLIDE_ADAPTIVE_AVG(3, "AdaptiveAvgPool3DBackward0")
#undef BOLIDE_ADAPTIVE_AVG

Grads AdaptiveAvgPoolBackward::backward(const Call& c, const Tensor& gg) {
  const Dims& s = c.sizes(0);
  const auto n = static_cast<size_t>(c.integer(2));
  const IntList out(s.data() + s.size() - n, n);
  Grads r;
  if (c.needs(0)) r.of[0] = n == 1 ? adaptive_avg_pool1d(gg, out) : n == 2 ? adaptive_avg_pool2d(gg, out) : adaptive_avg_pool3d(gg, out);
  if (c.needs(1)) r.of[1] = zeros_like(c.in(1));
  return r;
}
const Register<AdaptiveAvgPoolBackward> adaptive_avg_pool_backward_op;

}  // namespace bolide
