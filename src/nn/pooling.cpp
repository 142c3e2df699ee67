// Pooling modules.
#include "bolide/nn/pooling.h"

#include "bolide/nn/functional.h"
#include "nn/text.h"

namespace bolide::nn {

namespace F = functional;
using detail::py;

namespace {
template <size_t D>
std::string text(const MaxPoolOptions<D>& o) {
  return "kernel_size=" + py(o.kernel_size()) + ", stride=" + py(o.stride()) + ", padding=" + py(o.padding()) + ", dilation=" + py(o.dilation()) +
         ", ceil_mode=" + py(o.ceil_mode());
}
template <size_t D>
std::string text(const AvgPoolOptions<D>& o) {
  return "kernel_size=" + py(o.kernel_size()) + ", stride=" + py(o.stride()) + ", padding=" + py(o.padding());
}
// a one-dimensional average pooling keeps tuples
std::string text(const AvgPoolOptions<1>& o) {
  return "kernel_size=" + py(IntList(o.kernel_size())) + ", stride=" + py(IntList(o.stride())) + ", padding=" + py(IntList(o.padding()));
}
template <size_t D>
std::string text(const AdaptivePoolOptions<D>& o) { return "output_size=" + py(o.output_size()); }
template <size_t D>
std::string text(const LPPoolOptions<D>& o) {
  return "norm_type=" + py(o.norm_type()) + ", kernel_size=" + py(o.kernel_size()) + ", stride=" + py(o.stride()) + ", ceil_mode=" + py(o.ceil_mode());
}
template <size_t D>
std::string text(const MaxUnpoolOptions<D>& o) {
  return "kernel_size=" + py(IntList(o.kernel_size())) + ", stride=" + py(IntList(o.stride())) + ", padding=" + py(IntList(o.padding()));
}
template <size_t D>
std::string text(const FractionalMaxPoolOptions<D>&) { return ""; }

template <size_t D>
F::MaxUnpoolFuncOptions<D> with_size(const MaxUnpoolOptions<D>& o, const std::optional<std::vector<int64_t>>& size) {
  return F::MaxUnpoolFuncOptions<D>(o.kernel_size()).stride(o.stride()).padding(o.padding()).output_size(size);
}
}  // namespace

#define POOL(Name, function)                                                          \
  Tensor Name##Impl::forward(const Tensor& x) const { return F::function(x, options); } \
  std::string Name##Impl::extra_repr() const { return text(options); }
#define INDEXED_POOL(Name, function)                                                  \
  POOL(Name, function)                                                                \
  std::tuple<Tensor, Tensor> Name##Impl::forward_with_indices(const Tensor& x) const { return F::function##_with_indices(x, options); }
#define UNPOOL(Name, function)                                                        \
  Tensor Name##Impl::forward(const Tensor& x, const Tensor& indices, const std::optional<std::vector<int64_t>>& size) const { \
    return F::function(x, indices, with_size(options, size));                         \
  }                                                                                   \
  std::string Name##Impl::extra_repr() const { return text(options); }

INDEXED_POOL(MaxPool1d, max_pool1d)
INDEXED_POOL(MaxPool2d, max_pool2d)
INDEXED_POOL(MaxPool3d, max_pool3d)
INDEXED_POOL(AdaptiveMaxPool1d, adaptive_max_pool1d)
INDEXED_POOL(AdaptiveMaxPool2d, adaptive_max_pool2d)
INDEXED_POOL(AdaptiveMaxPool3d, adaptive_max_pool3d)
INDEXED_POOL(FractionalMaxPool2d, fractional_max_pool2d)
INDEXED_POOL(FractionalMaxPool3d, fractional_max_pool3d)
POOL(AvgPool1d, avg_pool1d)
POOL(AvgPool2d, avg_pool2d)
POOL(AvgPool3d, avg_pool3d)
POOL(AdaptiveAvgPool1d, adaptive_avg_pool1d)
POOL(AdaptiveAvgPool2d, adaptive_avg_pool2d)
POOL(AdaptiveAvgPool3d, adaptive_avg_pool3d)
POOL(LPPool1d, lp_pool1d)
POOL(LPPool2d, lp_pool2d)
POOL(LPPool3d, lp_pool3d)
UNPOOL(MaxUnpool1d, max_unpool1d)
UNPOOL(MaxUnpool2d, max_unpool2d)
UNPOOL(MaxUnpool3d, max_unpool3d)

}  // namespace bolide::nn
