// Pooling.
#include "bolide/nn/functional.h"
#include "bolide/ops.h"
#include "core/named_op.h"

namespace bolide::nn::functional {
namespace {

constexpr NamedOp kMaxPool[] = {NamedOp("max_pool1d"), NamedOp("max_pool2d"), NamedOp("max_pool3d")};
constexpr NamedOp kMaxPoolIndices[] = {NamedOp("max_pool1d_with_indices"), NamedOp("max_pool2d_with_indices"), NamedOp("max_pool3d_with_indices")};
constexpr NamedOp kAvgPool[] = {NamedOp("avg_pool1d"), NamedOp("avg_pool2d"), NamedOp("avg_pool3d")};
constexpr NamedOp kAdaptiveAvg[] = {NamedOp("adaptive_avg_pool1d"), NamedOp("adaptive_avg_pool2d"), NamedOp("adaptive_avg_pool3d")};
constexpr NamedOp kAdaptiveMax[] = {NamedOp("adaptive_max_pool1d"), NamedOp("adaptive_max_pool2d"), NamedOp("adaptive_max_pool3d")};
constexpr NamedOp kFractional[] = {NamedOp("fractional_max_pool2d"), NamedOp("fractional_max_pool3d")};

template <size_t D>
Tensor max_pool(const Tensor& x, const MaxPoolOptions<D>& o) {
  return kMaxPool[D - 1](x, IntList(o.kernel_size()), IntList(o.stride()), IntList(o.padding()), IntList(o.dilation()), o.ceil_mode());
}
template <size_t D>
Indexed max_pool_indices(const Tensor& x, const MaxPoolOptions<D>& o) {
  return kMaxPoolIndices[D - 1].call<Indexed>(x, IntList(o.kernel_size()), IntList(o.stride()), IntList(o.padding()),
                                              IntList(o.dilation()), o.ceil_mode());
}
template <size_t D>
Tensor avg_pool(const Tensor& x, const AvgPoolOptions<D>& o) {
  if constexpr (D == 1)
    return kAvgPool[0](x, IntList(o.kernel_size()), IntList(o.stride()), IntList(o.padding()), o.ceil_mode(), o.count_include_pad());
  else
    return kAvgPool[D - 1](x, IntList(o.kernel_size()), IntList(o.stride()), IntList(o.padding()), o.ceil_mode(), o.count_include_pad(),
                           o.divisor_override());
}

template <size_t D>
Dims grid_of(const Tensor& x, const OptSizes<D>& size) {
  BOLIDE_CHECK_AS(ValueError, x.dim() > static_cast<int64_t>(D), "Input dimension should be at least ", D + 1);
  Dims grid(D, 0);
  for (size_t i = 0; i < D; ++i) grid[i] = size[i] ? *size[i] : x.size(static_cast<int64_t>(i) - static_cast<int64_t>(D));
  return grid;
}
template <size_t D>
Tensor adaptive_avg(const Tensor& x, const AdaptivePoolOptions<D>& o) { return kAdaptiveAvg[D - 1](x, grid_of(x, o.output_size())); }
template <size_t D>
Indexed adaptive_max(const Tensor& x, const AdaptivePoolOptions<D>& o) {
  return kAdaptiveMax[D - 1].template call<Indexed>(x, grid_of(x, o.output_size()));
}

template <size_t D>
Indexed fractional(const Tensor& x, const FractionalMaxPoolOptions<D>& o) {
  BOLIDE_CHECK_AS(ValueError, o.output_size() || o.output_ratio(), "fractional_max_pool", D,
                  "d requires specifying either an output_size or an output_ratio");
  const int64_t d = D;
  BOLIDE_CHECK(x.dim() == d + 1 || x.dim() == d + 2, "fractional_max_pool", D, "d(): Expected ", d + 1, "D or ", d + 2, "D tensor, but got ", x.dim(), "D");
  Dims size(D, 0);
  for (int64_t i = 0; i < d; ++i)
    size[static_cast<size_t>(i)] = o.output_size() ? (*o.output_size())[static_cast<size_t>(i)]
                                                   : static_cast<int64_t>(static_cast<double>(x.size(i - d)) * (*o.output_ratio())[static_cast<size_t>(i)]);
  Tensor samples = o._random_samples();
  if (!samples.defined()) samples = to(rand({x.dim() == d + 1 ? 1 : x.size(0), x.size(-d - 1), d}, x.dtype()), x.dtype(), x.device());
  return kFractional[D - 2].template call<Indexed>(x, IntList(o.kernel_size()), size, samples);
}

template <size_t D>
Tensor lp_pool(const Tensor& x, const LPPoolOptions<D>& o) {
  int64_t count = 1;
  for (const int64_t k : o.kernel_size()) count *= k;
  const Sizes<D> stride = o.stride().value_or(o.kernel_size());
  const Dims none(D, 0);
  const Tensor mean = kAvgPool[D - 1](pow(x, o.norm_type()), IntList(o.kernel_size()), IntList(stride), none, o.ceil_mode());
  return pow(mul(mul(sign(mean), bolide::relu(abs(mean))), count), 1.0 / o.norm_type());
}

/// The size before pooling: the smallest possible one, or the one asked for where that is possible.
template <size_t D>
std::vector<int64_t> unpooled_size(const Tensor& x, const MaxUnpoolFuncOptions<D>& o) {
  std::vector<int64_t> smallest(D);
  for (size_t i = 0; i < D; ++i)
    smallest[i] = (x.size(static_cast<int64_t>(i) - static_cast<int64_t>(D)) - 1) * o.stride()[i] - 2 * o.padding()[i] + o.kernel_size()[i];
  if (!o.output_size()) return smallest;
  std::vector<int64_t> size = *o.output_size();
  if (size.size() == D + 2) size.erase(size.begin(), size.begin() + 2);
  BOLIDE_CHECK_AS(ValueError, size.size() == D, "output_size should be a sequence containing ", D, " or ", D + 2,
                  " elements, but it has a length of '", size.size(), "'");
  for (size_t i = 0; i < D; ++i) {
    const int64_t low = smallest[i] - o.stride()[i], high = smallest[i] + o.stride()[i];
    BOLIDE_CHECK_AS(ValueError, low < size[i] && size[i] < high, "invalid output_size ", IntList(size), " (dim ", i, " must be between ", low,
                    " and ", high, ")");
  }
  return size;
}

}  // namespace

Tensor max_pool1d(const Tensor& x, const MaxPool1dFuncOptions& o) { return max_pool(x, o); }
Tensor max_pool2d(const Tensor& x, const MaxPool2dFuncOptions& o) { return max_pool(x, o); }
Tensor max_pool3d(const Tensor& x, const MaxPool3dFuncOptions& o) { return max_pool(x, o); }
Indexed max_pool1d_with_indices(const Tensor& x, const MaxPool1dFuncOptions& o) { return max_pool_indices(x, o); }
Indexed max_pool2d_with_indices(const Tensor& x, const MaxPool2dFuncOptions& o) { return max_pool_indices(x, o); }
Indexed max_pool3d_with_indices(const Tensor& x, const MaxPool3dFuncOptions& o) { return max_pool_indices(x, o); }
Tensor avg_pool1d(const Tensor& x, const AvgPool1dFuncOptions& o) { return avg_pool(x, o); }
Tensor avg_pool2d(const Tensor& x, const AvgPool2dFuncOptions& o) { return avg_pool(x, o); }
Tensor avg_pool3d(const Tensor& x, const AvgPool3dFuncOptions& o) { return avg_pool(x, o); }
Indexed adaptive_max_pool1d_with_indices(const Tensor& x, const AdaptiveMaxPool1dFuncOptions& o) { return adaptive_max(x, o); }
Indexed adaptive_max_pool2d_with_indices(const Tensor& x, const AdaptiveMaxPool2dFuncOptions& o) { return adaptive_max(x, o); }
Indexed adaptive_max_pool3d_with_indices(const Tensor& x, const AdaptiveMaxPool3dFuncOptions& o) { return adaptive_max(x, o); }
Tensor adaptive_max_pool1d(const Tensor& x, const AdaptiveMaxPool1dFuncOptions& o) { return std::get<0>(adaptive_max(x, o)); }
Tensor adaptive_max_pool2d(const Tensor& x, const AdaptiveMaxPool2dFuncOptions& o) { return std::get<0>(adaptive_max(x, o)); }
Tensor adaptive_max_pool3d(const Tensor& x, const AdaptiveMaxPool3dFuncOptions& o) { return std::get<0>(adaptive_max(x, o)); }
Tensor adaptive_avg_pool1d(const Tensor& x, const AdaptiveAvgPool1dFuncOptions& o) { return adaptive_avg(x, o); }
Tensor adaptive_avg_pool2d(const Tensor& x, const AdaptiveAvgPool2dFuncOptions& o) { return adaptive_avg(x, o); }
Tensor adaptive_avg_pool3d(const Tensor& x, const AdaptiveAvgPool3dFuncOptions& o) { return adaptive_avg(x, o); }
Indexed fractional_max_pool2d_with_indices(const Tensor& x, const FractionalMaxPool2dFuncOptions& o) { return fractional(x, o); }
Indexed fractional_max_pool3d_with_indices(const Tensor& x, const FractionalMaxPool3dFuncOptions& o) { return fractional(x, o); }
Tensor fractional_max_pool2d(const Tensor& x, const FractionalMaxPool2dFuncOptions& o) { return std::get<0>(fractional(x, o)); }
Tensor fractional_max_pool3d(const Tensor& x, const FractionalMaxPool3dFuncOptions& o) { return std::get<0>(fractional(x, o)); }
Tensor lp_pool1d(const Tensor& x, const LPPool1dFuncOptions& o) { return lp_pool(x, o); }
Tensor lp_pool2d(const Tensor& x, const LPPool2dFuncOptions& o) { return lp_pool(x, o); }
Tensor lp_pool3d(const Tensor& x, const LPPool3dFuncOptions& o) { return lp_pool(x, o); }

Tensor max_unpool1d(const Tensor& x, const Tensor& indices, const MaxUnpool1dFuncOptions& o) {
  static constexpr NamedOp op("max_unpool2d");
  const int64_t size[] = {unpooled_size(x, o)[0], 1};
  return squeeze(op(unsqueeze(x, -1), unsqueeze(indices, -1), IntList(size, 2)), -1);
}
Tensor max_unpool2d(const Tensor& x, const Tensor& indices, const MaxUnpool2dFuncOptions& o) {
  static constexpr NamedOp op("max_unpool2d");
  return op(x, indices, unpooled_size(x, o));
}
Tensor max_unpool3d(const Tensor& x, const Tensor& indices, const MaxUnpool3dFuncOptions& o) {
  static constexpr NamedOp op("max_unpool3d");
  return op(x, indices, unpooled_size(x, o), IntList(o.stride()), IntList(o.padding()));
}

}  // namespace bolide::nn::functional
