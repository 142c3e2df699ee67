// Pooling by maxima. Map: geometry and checks | scatter and gather by places, each the other's derivative | max_pool1d,
// 2d, 3d | adaptive | fractional | max_unpool
#include "ops/pool.h"

namespace bolide {

// ---- geometry and checks ----------------------------------------------------------------------------------

namespace {

constexpr int64_t kLargest = int64_t{1} << 31;
const char* const kWords[] = {"", "one int", "two ints", "three ints"};

Dims pool_list(const PoolArgs& a, const char* what, IntList v) {
  const auto n = static_cast<size_t>(a.n);
  if (a.n == 1)
    BOLIDE_CHECK(v.size() == 1, a.name, "() ", what, " must be an int, list of ints or tuple of ints of size 1 but got size ", v.size());
  BOLIDE_CHECK(v.size() == 1 || v.size() == n, a.name, ": ", what, " must either be a single int, or a tuple of ", kWords[n]);
  Dims r(v);
  while (r.size() < n) r.push_back(v[0]);
  for (int64_t x : r) BOLIDE_CHECK(x <= kLargest && x >= -kLargest, a.name, ": ", what, "=", v, " is too large");
  return r;
}

std::string named(const char* letter, const Dims& v) {  // dH: 1 dW: 1
  std::string s;
  const char* axes[] = {"T", "H", "W"};
  for (size_t i = 0; i < v.size(); ++i) s += str(i ? " " : "", letter, axes[3 - v.size() + i], ": ", v[i]);
  return s;
}
bool positive(const Dims& v) {
  return std::all_of(v.begin(), v.end(), [](int64_t x) { return x > 0; });
}

void check_numbers(const PoolArgs& a) {
  if (a.n == 1) {
    BOLIDE_CHECK(a.kernel[0] > 0, a.name, "() kernel_size must be greater than zero, but got ", a.kernel[0]);
    BOLIDE_CHECK(a.stride[0] > 0, a.name, "() stride must be greater than zero, but got ", a.stride[0]);
    BOLIDE_CHECK(a.dilation[0] > 0, a.name, "() dilation must be greater than zero, but got ", a.dilation[0]);
  }
  for (int64_t s : a.stride) BOLIDE_CHECK(s != 0, "stride should not be zero");
  BOLIDE_CHECK(positive(a.kernel), "kernel size should be greater than zero, but got ", named("k", a.kernel));
  BOLIDE_CHECK(positive(a.stride), "stride should be greater than zero, but got ", named("d", a.stride));
  BOLIDE_CHECK(positive(a.dilation), "dilation should be greater than zero, but got ", named("dilation", a.dilation));
  for (size_t i = 0; i < a.padding.size(); ++i) {
    BOLIDE_CHECK(a.padding[i] >= 0, "pad must be non-negative, but got pad: ", a.padding[i]);
    BOLIDE_CHECK(a.padding[i] <= ((a.kernel[i] - 1) * a.dilation[i] + 1) / 2, "pad should be at most half of effective kernel size, but got "
                 "pad=", a.padding[i], ", kernel_size=", a.kernel[i], " and dilation=", a.dilation[i]);
  }
}

void check_input(const PoolArgs& a, const Tensor& x) {
  const int64_t n = a.n;
  BOLIDE_CHECK(n > 1 || x.dim() == 2 || x.dim() == 3, a.name, "() Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size "
               "for input, but got:", x.sizes());
  BOLIDE_CHECK(x.dim() == n + 1 || x.dim() == n + 2, "non-empty ", n + 1, "D or ", n + 2, "D (batch mode) tensor expected for input");
  for (int64_t d = x.dim() - n - 1; d < x.dim(); ++d) {
    if (n == 3)
      BOLIDE_CHECK(x.size(d) > 0, a.name, ": Expected input's non-batch dimensions to have positive length, but input has a shape of ",
                   x.sizes(), " and non-batch dimension ", d, " has length zero!");
    BOLIDE_CHECK(x.size(d) > 0, n == 1 ? str(a.name, "() ") : std::string(), "Expected ", n + 1, "D or ", n + 2,
                 "D (batch mode) tensor with optional 0 dim batch size for input, but got:", x.sizes());
  }
}

int64_t output_size(int64_t in, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation, bool ceil_mode) {
  const int64_t room = in + 2 * pad - dilation * (kernel - 1) - 1 + (ceil_mode ? stride - 1 : 0);
  const int64_t down = room >= 0 ? room / stride : -((-room + stride - 1) / stride);
  const int64_t out = down + 1;
  return ceil_mode && (out - 1) * stride >= in + pad ? out - 1 : out;  // the last window starts inside
}

}  // namespace

PoolArgs pool_args(const char* name, int64_t n, IntList kernel, std::optional<IntList> stride, IntList padding, IntList dilation,
                   bool ceil_mode) {
  PoolArgs a{name, n, {}, {}, {}, {}, ceil_mode};
  a.kernel = pool_list(a, "kernel_size", kernel);
  if (stride && n > 1 && !stride->empty() && stride->size() != 1)
    BOLIDE_CHECK(stride->size() == static_cast<size_t>(n), name, ": stride must either be omitted, a single int, or a tuple of ", kWords[n]);
  a.stride = stride && !stride->empty() ? pool_list(a, "stride", *stride) : a.kernel;
  a.padding = pool_list(a, "padding", padding);
  a.dilation = pool_list(a, "dilation", dilation);
  return a;
}

PoolShape pool_shape(const PoolArgs& a, const Tensor& x) {
  check_numbers(a), check_input(a, x);
  const auto n = static_cast<size_t>(a.n), lead = x.sizes().size() - n;
  PoolShape s;
  std::string in, out;
  bool fits = true;
  for (size_t d = 0; d < lead; ++d) s.planes *= x.sizes()[d];
  for (size_t i = 0; i < n; ++i) {
    const size_t at = 3 - n + i;
    s.in[at] = x.sizes()[lead + i];
    BOLIDE_CHECK(s.in[at] <= kLargest, a.name, ": sizes over 2^31 are not supported");
    s.kernel[at] = a.kernel[i], s.stride[at] = a.stride[i], s.pad[at] = a.padding[i], s.dilation[at] = a.dilation[i];
    s.out[at] = output_size(s.in[at], s.kernel[at], s.stride[at], s.pad[at], s.dilation[at], a.ceil_mode);
    fits &= s.out[at] >= 1;
    in += str('x', s.in[at]), out += str('x', s.out[at]);
  }
  BOLIDE_CHECK(fits || n > 1 || a.name[0] != 'm', a.name, "() Invalid computed output size: ", s.out[2]);
  const int64_t channels = x.size(-static_cast<int64_t>(n) - 1);
  BOLIDE_CHECK(fits, "Given input size: (", channels, in, "). Calculated output size: (", channels, out, "). Output size is too small");
  return s;
}

PoolShape pool_shape(int64_t n, IntList in, IntList out) {
  PoolShape s;
  const size_t k = static_cast<size_t>(n), lead = in.size() - k;
  for (size_t d = 0; d < lead; ++d) s.planes *= in[d];
  for (size_t i = 0; i < k; ++i) s.in[3 - k + i] = in[lead + i], s.out[3 - k + i] = out[out.size() - k + i];
  return s;
}

Dims pooled_sizes(IntList x, const PoolShape& s, int64_t n) {
  Dims r(x);
  for (int64_t i = 0; i < n; ++i) r[r.size() - static_cast<size_t>(n - i)] = s.out[3 - n + i];
  return r;
}

void check_not_empty(const char* name, const Tensor& x, int64_t first) {
  for (int64_t d = first; d < x.dim(); ++d)
    BOLIDE_CHECK(x.size(d) > 0, name, "(): Expected input to have non-zero size for non-batch dimensions, but input has sizes ", x.sizes(),
                 " with dimension ", d, " being empty");
}

// ---- by places ----------------------------------------------------------------------------------------------

// Gradients put at the places that `indices` name in images like `self`, sums where places repeat. `self` gives the sizes;
// nothing depends on its values.
struct PoolScatter {
  static constexpr auto schema = "_pool_scatter(Tensor grad_output, Tensor self, Tensor indices, int dims) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& g, const Tensor& self, const Tensor& indices, int64_t dims) {
    BOLIDE_CHECK(dims >= 1 && dims <= 3 && g.dim() >= dims && self.dim() == g.dim(), "_pool_scatter: expected one to three dimensions");
    BOLIDE_CHECK(indices.dtype() == DType::Int64 && indices.sizes() == g.sizes(), "_pool_scatter: expected int64 indices of shape ", g.sizes());
    for (int64_t d = 0; d < g.dim() - dims; ++d) BOLIDE_CHECK(g.size(d) == self.size(d), "_pool_scatter: batches differ");
    const Tensor r = Tensor::make(self.sizes(), g.dtype(), g.device());
    kernels(r).pool_scatter(pool_shape(dims, self.sizes(), g.sizes()), contiguous(g), contiguous(indices), true, r);
    return as_channels_last(r, is_channels_last(self));
  }
  static constexpr auto saved = saves(in_for<1, 1>, in<2>);
  static Grads backward(const Call& c, const Tensor& gg) {
    return Grads(c.needs(0) ? pool_gather(gg, c.in(2), c.integer(3)) : Tensor(), c.needs(1) ? zeros_like(c.in(1)) : Tensor());
  }
};
Tensor pool_scatter(const Tensor& g, const Tensor& self, const Tensor& indices, int64_t dims) {
  return call<PoolScatter>(g, self, indices, dims);
}
const Register<PoolScatter> pool_scatter_op;

// The values at the places that `indices` name in images of `dims` dimensions.
struct PoolGather {
  static constexpr auto schema = "_pool_gather(Tensor self, Tensor indices, int dims) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& x, const Tensor& indices, int64_t dims) {
    BOLIDE_CHECK(dims >= 1 && dims <= 3 && x.dim() >= dims && indices.dim() == x.dim(), "_pool_gather: expected one to three dimensions");
    BOLIDE_CHECK(indices.dtype() == DType::Int64, "_pool_gather: expected int64 indices");
    for (int64_t d = 0; d < x.dim() - dims; ++d) BOLIDE_CHECK(x.size(d) == indices.size(d), "_pool_gather: batches differ");
    const Tensor r = Tensor::make(indices.sizes(), x.dtype(), x.device());
    kernels(r).pool_gather(pool_shape(dims, x.sizes(), indices.sizes()), contiguous(x), contiguous(indices), r);
    return r;
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& g) { return pool_scatter(g, c.in(0), c.in(1), c.integer(2)); }
};
Tensor pool_gather(const Tensor& x, const Tensor& indices, int64_t dims) { return call<PoolGather>(x, indices, dims); }
const Register<PoolGather> pool_gather_op;

// ---- max_pool -----------------------------------------------------------------------------------------------

namespace {

using MaxTypes = Join<Ints, Floats, Halves>;

std::tuple<Tensor, Tensor> max_pool_of(const PoolArgs& a, const Tensor& self, bool want_indices) {
  const PoolShape s = pool_shape(a, self);
  dispatch<MaxTypes>(a.n == 3 ? "max_pool3d" : "max_pool2d", self.dtype(), [](auto) {});
  const Dims sizes = pooled_sizes(self.sizes(), s, a.n);
  const Tensor x = contiguous(self), y = Tensor::make(sizes, x.dtype(), x.device());
  const Tensor indices = want_indices ? Tensor::make(sizes, DType::Int64, x.device()) : Tensor();
  kernels(y).max_pool(s, x, y, indices);
  const bool last = is_channels_last(self);
  return {as_channels_last(y, last), want_indices ? as_channels_last(indices, last) : indices};
}

// The slope of every op that gives (values, places): values' gradients go where they came from.
template <int N>
struct PlacesGradient {
  static constexpr auto kind = Kind::Layer;
  static constexpr auto saved = saves(in<0>, out<1>);
  static Grads backward(const Call& c, std::span<const Tensor> g) {
    if (!g[0].defined()) return {};
    return pool_scatter(g[0], c.in(0), c.out(1), N);
  }
};

}  // namespace

// max_poolNd_with_indices gives maxima and their places; max_poolNd, without gradients, looks for maxima only.
#define BOLIDE_MAX_POOL(N, NODE)                                                                                             \
  struct MaxPool##N##dWithIndices : PlacesGradient<N> {                                                                      \
    static constexpr auto schema = "max_pool" #N "d_with_indices(Tensor self, int[" #N "] kernel_size, int[" #N "]? "        \
                                   "stride=None, int[" #N "] padding=0, int[" #N "] dilation=1, bool ceil_mode=False) -> "   \
                                   "(Tensor, Tensor)";                                                                       \
    static constexpr uint8_t home = N == 1 ? kFunction : kInternal, variants = kOut;                                         \
    static constexpr auto node = NODE;                                                                                       \
    static std::tuple<Tensor, Tensor> forward(const Tensor& x, IntList kernel, std::optional<IntList> stride, IntList padding, \
                                              IntList dilation, bool ceil_mode) {                                            \
      return max_pool_of(pool_args("max_pool" #N "d", N, kernel, stride, padding, dilation, ceil_mode), x, true);            \
    }                                                                                                                        \
  };                                                                                                                         \
  const Register<MaxPool##N##dWithIndices> max_pool##N##d_with_indices_op;                                                   \
  struct MaxPool##N##d {                                                                                                     \
    static constexpr auto schema = "max_pool" #N "d(Tensor self, int[" #N "] kernel_size, int[" #N "]? stride=None, "        \
                                   "int[" #N "] padding=0, int[" #N "] dilation=1, bool ceil_mode=False) -> Tensor";         \
    static constexpr auto kind = Kind::Composed;                                                                             \
    static constexpr uint8_t home = kFunction;                                                                               \
    static Tensor forward(const Tensor& x, IntList kernel, std::optional<IntList> stride, IntList padding, IntList dilation, \
                          bool ceil_mode) {                                                                                  \
      if (x.requires_grad() && grad_enabled())                                                                               \
        return std::get<0>(call<MaxPool##N##dWithIndices>(x, kernel, stride, padding, dilation, ceil_mode));                 \
      return std::get<0>(max_pool_of(pool_args("max_pool" #N "d", N, kernel, stride, padding, dilation, ceil_mode), x, false)); \
    }                                                                                                                        \
  };                                                                                                                         \
  Tensor max_pool##N##d(const Tensor& x, IntList kernel, IntList stride, IntList padding, IntList dilation, bool ceil_mode) { \
    return MaxPool##N##d::forward(x, kernel, stride, padding, dilation, ceil_mode);                                          \
  }                                                                                                                          \
  const Register<MaxPool##N##d> max_pool##N##d_op;
BOLIDE_MAX_POOL(1, "MaxPool2DWithIndicesBackward0")
BOLIDE_MAX_POOL(2, "MaxPool2DWithIndicesBackward0")
BOLIDE_MAX_POOL(3, "MaxPool3DWithIndicesBackward0")
#undef BOLIDE_MAX_POOL

// ---- adaptive and fractional -----------------------------------------------------------------------------------

namespace {

std::tuple<Tensor, Tensor> adaptive_max_pool_of(const char* name, int64_t n, const Tensor& self, IntList output_size) {
  if (n == 1) {
    BOLIDE_CHECK(self.dim() == 2 || self.dim() == 3, "Expected 2 to 3 dimensions, but got ", self.dim(),
                 "-dimensional tensor for argument #1 'self' (while checking arguments for adaptive_max_pool1d)");
    BOLIDE_CHECK(output_size.size() == 1, "adaptive_max_pool1d: 'output_size' should contain one int");
  }
  BOLIDE_CHECK(self.dim() == n + 1 || self.dim() == n + 2, name, "(): Expected ", n + 1, "D or ", n + 2, "D tensor, but got: ", self.sizes());
  check_not_empty(name, self, self.dim() - n - 1);
  BOLIDE_CHECK(output_size.size() == static_cast<size_t>(n), name, "(): internal error: output_size.size() must be ", n);
  for (int64_t o : output_size) BOLIDE_CHECK(o >= 0, "Trying to create tensor with negative dimension ", o, ": ", output_size);
  dispatch<Join<Floats, Halves>>(n == 3 ? "adaptive_max_pool3d_cpu" : "adaptive_max_pool2d", self.dtype(), [](auto) {});
  const PoolShape s = pool_shape(n, self.sizes(), output_size);
  const Dims sizes = pooled_sizes(self.sizes(), s, n);
  const Tensor x = contiguous(self), y = Tensor::make(sizes, x.dtype(), x.device()), at = Tensor::make(sizes, DType::Int64, x.device());
  kernels(y).adaptive_max_pool(s, x, y, at);
  const bool last = is_channels_last(self);
  return {as_channels_last(y, last), as_channels_last(at, last)};
}

std::tuple<Tensor, Tensor> fractional_max_pool_of(const char* name, int64_t n, const Tensor& self, IntList kernel, IntList output_size,
                                                  const Tensor& samples) {
  const char* axes[] = {"time", "height", "width"};
  wrap_dim(-n - 1, self.dim());
  BOLIDE_CHECK(self.dim() == n + 1 || self.dim() == n + 2, name, "(): Expected ", n + 1, "D or ", n + 2, "D tensor, but got: ", self.sizes());
  check_not_empty(name, self, self.dim() - n - 1);
  BOLIDE_CHECK(kernel.size() == static_cast<size_t>(n), name, ": kernel_size must either be a single Int or tuple of Ints");
  BOLIDE_CHECK(output_size.size() == static_cast<size_t>(n), name, ": output_size must either be a single Int or tuple of Ints");
  PoolShape s = pool_shape(n, self.sizes(), output_size);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = 3 - n + i, k = kernel[static_cast<size_t>(i)], o = output_size[static_cast<size_t>(i)];
    BOLIDE_CHECK(k > 0 && o > 0, name, ": kernel_size and output_size must be greater than zero");
    BOLIDE_CHECK(k <= s.in[at] && o <= s.in[at] && o + k - 1 <= s.in[at], name, "(): pool ", axes[at], " ", k,
                 " too large relative to input ", axes[at], " ", s.in[at]);
    s.kernel[at] = k;
  }
  dispatch<Join<Floats, Halves>>(name, self.dtype(), [](auto) {});
  const int64_t channels = self.size(-n - 1), batch = self.dim() == n + 2 ? self.size(0) : 1;
  BOLIDE_CHECK(samples.dtype() == self.dtype(), "Expect _random_samples to have the same dtype as input");
  BOLIDE_CHECK(samples.dim() == 3, "Expect _random_samples to have 3 dimensions, got ", samples.dim());
  BOLIDE_CHECK(samples.size(0) >= batch, "Expect _random_samples.size(0) no less then input batch size.");
  BOLIDE_CHECK(samples.size(1) == channels, "Expect _random_samples.size(1) equals to input channel size.");
  BOLIDE_CHECK(samples.size(2) == n, "Expect _random_samples.size(2) equals to ", n, "; got ", samples.size(2), ".");
  const Dims sizes = pooled_sizes(self.sizes(), s, n);
  const Tensor x = contiguous(self), y = Tensor::make(sizes, x.dtype(), x.device()), at = Tensor::make(sizes, DType::Int64, x.device());
  kernels(y).fractional_max_pool(s, x, contiguous(narrow(samples, 0, 0, batch)), y, at);
  return {y, at};
}

}  // namespace

#define BOLIDE_ADAPTIVE_MAX(N, NODE)                                                                                         \
  struct AdaptiveMaxPool##N##d : PlacesGradient<N> {                                                                         \
    static constexpr auto schema = "adaptive_max_pool" #N "d(Tensor self, int[" #N "] output_size) -> (Tensor, Tensor)";     \
    static constexpr uint8_t home = N == 1 ? kFunction : kInternal, variants = kOut;                                         \
    static constexpr auto node = NODE;                                                                                       \
    static std::tuple<Tensor, Tensor> forward(const Tensor& x, IntList output_size) {                                        \
      return adaptive_max_pool_of("adaptive_max_pool" #N "d", N, x, output_size);                                            \
    }                                                                                                                        \
  };                                                                                                                         \
  const Register<AdaptiveMaxPool##N##d> adaptive_max_pool##N##d_op;
BOLIDE_ADAPTIVE_MAX(1, "AdaptiveMaxPool2DBackward0")
BOLIDE_ADAPTIVE_MAX(2, "AdaptiveMaxPool2DBackward0")
BOLIDE_ADAPTIVE_MAX(3, "AdaptiveMaxPool3DBackward0")
#undef BOLIDE_ADAPTIVE_MAX

#define BOLIDE_FRACTIONAL_MAX(N, NODE)                                                                                       \
  struct FractionalMaxPool##N##d : PlacesGradient<N> {                                                                       \
    static constexpr auto schema = "fractional_max_pool" #N "d(Tensor self, int[" #N "] kernel_size, int[" #N "] "           \
                                   "output_size, Tensor random_samples) -> (Tensor, Tensor)";                                \
    static constexpr uint8_t home = kInternal, variants = kOut;                                                              \
    static constexpr auto node = NODE;                                                                                       \
    static std::tuple<Tensor, Tensor> forward(const Tensor& x, IntList kernel, IntList output_size, const Tensor& samples) { \
      return fractional_max_pool_of("fractional_max_pool" #N "d", N, x, kernel, output_size, samples);                       \
    }                                                                                                                        \
  };                                                                                                                         \
  const Register<FractionalMaxPool##N##d> fractional_max_pool##N##d_op;
BOLIDE_FRACTIONAL_MAX(2, "FractionalMaxPool2DBackward0")
BOLIDE_FRACTIONAL_MAX(3, "FractionalMaxPool3DBackward0")
#undef BOLIDE_FRACTIONAL_MAX

// ---- max_unpool ---------------------------------------------------------------------------------------------------

namespace {

Tensor max_unpool_of(int64_t n, const Tensor& x, const Tensor& indices, IntList output_size) {
  const char* name = n == 2 ? "max_unpooling2d_forward_out_cpu" : "max_unpooling3d_forward_out_cpu";
  BOLIDE_CHECK(output_size.size() == static_cast<size_t>(n), "There should be exactly ", n == 2 ? "two" : "three",
               " elements (", n == 2 ? "" : "depth, ", "height, width) in output_size, but got ", output_size.size(), " elements.");
  BOLIDE_CHECK(indices.dtype() == DType::Int64, "elements in indices should be type int64 but got: ", legacy_name(indices.dtype()));
  BOLIDE_CHECK(x.dim() == n + 1 || x.dim() == n + 2, "Input to max_unpooling", n, "d should be a ", n + 1, "d or ", n + 2,
               "d Tensor, but got a tensor with ", x.dim(), " dimensions.");
  BOLIDE_CHECK(x.sizes() == indices.sizes(), "Expected shape of indices to be same as that of the input tensor (", x.sizes(),
               ") but got indices tensor with shape: ", indices.sizes());
  for (int64_t d = x.dim() - n - 1; d < x.dim(); ++d)
    BOLIDE_CHECK(x.size(d) > 0, name, "(): Expected input to have non-zero size for non-batch dimensions, but got ", x.sizes(),
                 " with dimension ", d, " being empty.");
  Dims sizes = x.sizes();
  for (int64_t i = 0; i < n; ++i) sizes[sizes.size() - static_cast<size_t>(n - i)] = output_size[static_cast<size_t>(i)];
  dispatch<Join<Ints, Floats, Halves>>(n == 2 ? "max_unpool2d" : "max_unpool3d", x.dtype(), [](auto) {});
  const Tensor r = Tensor::make(sizes, x.dtype(), x.device());
  kernels(r).pool_scatter(pool_shape(n, sizes, x.sizes()), contiguous(x), contiguous(indices), false, r);
  return as_channels_last(r, is_channels_last(x));
}

}  // namespace

// Values back at the places where max pooling found them, zeros elsewhere.
struct MaxUnpool2d {
  static constexpr auto schema = "max_unpool2d(Tensor self, Tensor indices, int[2] output_size) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal, variants = kOut;
  static constexpr auto node = "MaxUnpool2DBackward0";
  static Tensor forward(const Tensor& x, const Tensor& indices, IntList output_size) { return max_unpool_of(2, x, indices, output_size); }
  static constexpr auto saved = saves(in<1>);
  static Grads backward(const Call& c, const Tensor& g) { return pool_gather(g, c.in(1), 2); }
};
const Register<MaxUnpool2d> max_unpool2d_op;

struct MaxUnpool3d {
  static constexpr auto schema =
      "max_unpool3d(Tensor self, Tensor indices, int[3] output_size, int[3] stride, int[3] padding) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal, variants = kOut;
  static constexpr auto node = "MaxUnpool3DBackward0";
  static Tensor forward(const Tensor& x, const Tensor& indices, IntList output_size, IntList stride, IntList padding) {
    BOLIDE_CHECK(stride.size() == 3, "There should be exactly three elements (depth, height, width) in stride, but got: ", stride.size(), " elements.");
    BOLIDE_CHECK(padding.size() == 3, "There should be exactly three elements (depth, height, width) in padding, but got: ", padding.size(),
                 " elements.");
    for (int64_t s : stride) BOLIDE_CHECK(s > 0, "strides should be greater than zero, but got stride: ", stride);
    return max_unpool_of(3, x, indices, output_size);
  }
  static constexpr auto saved = saves(in<1>);
  static Grads backward(const Call& c, const Tensor& g) { return pool_gather(g, c.in(1), 3); }
};
const Register<MaxUnpool3d> max_unpool3d_op;

}  // namespace bolide
