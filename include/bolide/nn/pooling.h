// Pooling: maxima, means, adaptive, power means, fractional, and the way back from maxima.
#pragma once
#include "bolide/nn/plain.h"

namespace bolide::nn {

// ---- options -----------------------------------------------------------------------------------
template <size_t D>
struct MaxPoolOptions {
  MaxPoolOptions(Sizes<D> kernel_size) : kernel_size_(kernel_size), stride_(kernel_size) {}
  template <std::integral N>
  MaxPoolOptions(N kernel_size) : MaxPoolOptions(Sizes<D>(kernel_size)) {}
  BOLIDE_ARG(Sizes<D>, kernel_size);
  BOLIDE_ARG(Sizes<D>, stride);
  BOLIDE_ARG(Sizes<D>, padding) = 0;
  BOLIDE_ARG(Sizes<D>, dilation) = 1;
  BOLIDE_ARG(bool, ceil_mode) = false;
};
template <size_t D>
struct AvgPoolOptions {
  AvgPoolOptions(Sizes<D> kernel_size) : kernel_size_(kernel_size), stride_(kernel_size) {}
  template <std::integral N>
  AvgPoolOptions(N kernel_size) : AvgPoolOptions(Sizes<D>(kernel_size)) {}
  BOLIDE_ARG(Sizes<D>, kernel_size);
  BOLIDE_ARG(Sizes<D>, stride);
  BOLIDE_ARG(Sizes<D>, padding) = 0;
  BOLIDE_ARG(bool, ceil_mode) = false;
  BOLIDE_ARG(bool, count_include_pad) = true;
  BOLIDE_ARG(std::optional<int64_t>, divisor_override);
};
/// Sizes left open (nullopt) stay as in the input.
template <size_t D>
struct AdaptivePoolOptions {
  AdaptivePoolOptions(OptSizes<D> output_size) : output_size_(output_size) {}
  template <std::integral N>
  AdaptivePoolOptions(N output_size) : AdaptivePoolOptions(OptSizes<D>(output_size)) {}
  BOLIDE_ARG(OptSizes<D>, output_size);
};
template <size_t D>
struct MaxUnpoolOptions {
  MaxUnpoolOptions(Sizes<D> kernel_size) : kernel_size_(kernel_size), stride_(kernel_size) {}
  template <std::integral N>
  MaxUnpoolOptions(N kernel_size) : MaxUnpoolOptions(Sizes<D>(kernel_size)) {}
  BOLIDE_ARG(Sizes<D>, kernel_size);
  BOLIDE_ARG(Sizes<D>, stride);
  BOLIDE_ARG(Sizes<D>, padding) = 0;
};
template <size_t D>
struct LPPoolOptions {
  LPPoolOptions(double norm_type, Sizes<D> kernel_size) : norm_type_(norm_type), kernel_size_(kernel_size) {}
  BOLIDE_ARG(double, norm_type);
  BOLIDE_ARG(Sizes<D>, kernel_size);
  BOLIDE_ARG(std::optional<Sizes<D>>, stride);
  BOLIDE_ARG(bool, ceil_mode) = false;
};
/// Either the output's sizes or their ratio to the input's.
template <size_t D>
struct FractionalMaxPoolOptions {
  using Ratio = std::array<double, D>;
  FractionalMaxPoolOptions(Sizes<D> kernel_size) : kernel_size_(kernel_size) {}
  template <std::integral N>
  FractionalMaxPoolOptions(N kernel_size) : FractionalMaxPoolOptions(Sizes<D>(kernel_size)) {}
  BOLIDE_ARG(Sizes<D>, kernel_size);
  BOLIDE_ARG(std::optional<Sizes<D>>, output_size);
  BOLIDE_ARG(std::optional<Ratio>, output_ratio);
  BOLIDE_ARG(Tensor, _random_samples);
};
using MaxPool1dOptions = MaxPoolOptions<1>;
using MaxPool2dOptions = MaxPoolOptions<2>;
using MaxPool3dOptions = MaxPoolOptions<3>;
using AvgPool1dOptions = AvgPoolOptions<1>;
using AvgPool2dOptions = AvgPoolOptions<2>;
using AvgPool3dOptions = AvgPoolOptions<3>;
using AdaptiveMaxPool1dOptions = AdaptivePoolOptions<1>;
using AdaptiveMaxPool2dOptions = AdaptivePoolOptions<2>;
using AdaptiveMaxPool3dOptions = AdaptivePoolOptions<3>;
using AdaptiveAvgPool1dOptions = AdaptivePoolOptions<1>;
using AdaptiveAvgPool2dOptions = AdaptivePoolOptions<2>;
using AdaptiveAvgPool3dOptions = AdaptivePoolOptions<3>;
using MaxUnpool1dOptions = MaxUnpoolOptions<1>;
using MaxUnpool2dOptions = MaxUnpoolOptions<2>;
using MaxUnpool3dOptions = MaxUnpoolOptions<3>;
using LPPool1dOptions = LPPoolOptions<1>;
using LPPool2dOptions = LPPoolOptions<2>;
using LPPool3dOptions = LPPoolOptions<3>;
using FractionalMaxPool2dOptions = FractionalMaxPoolOptions<2>;
using FractionalMaxPool3dOptions = FractionalMaxPoolOptions<3>;

// ---- modules -----------------------------------------------------------------------------------
/// Pooling that can also tell where the maxima were.
#define BOLIDE_INDEXED_POOL_MODULE(Name, OptionsType)                                                     \
  class Name##Impl : public PlainModule<Name##Impl, OptionsType> {                                        \
   public:                                                                                                \
    using PlainModule::PlainModule;                                                                       \
    Tensor forward(const Tensor& input) const;                                                            \
    std::tuple<Tensor, Tensor> forward_with_indices(const Tensor& input) const;                           \
    std::string extra_repr() const override;                                                              \
  };                                                                                                      \
  BOLIDE_MODULE(Name)
#define BOLIDE_UNPOOL_MODULE(Name, OptionsType)                                                           \
  class Name##Impl : public PlainModule<Name##Impl, OptionsType> {                                        \
   public:                                                                                                \
    using PlainModule::PlainModule;                                                                       \
    Tensor forward(const Tensor& input, const Tensor& indices,                                            \
                   const std::optional<std::vector<int64_t>>& output_size = {}) const;                    \
    std::string extra_repr() const override;                                                              \
  };                                                                                                      \
  BOLIDE_MODULE(Name)

BOLIDE_INDEXED_POOL_MODULE(MaxPool1d, MaxPool1dOptions);
BOLIDE_INDEXED_POOL_MODULE(MaxPool2d, MaxPool2dOptions);
BOLIDE_INDEXED_POOL_MODULE(MaxPool3d, MaxPool3dOptions);
BOLIDE_INDEXED_POOL_MODULE(AdaptiveMaxPool1d, AdaptiveMaxPool1dOptions);
BOLIDE_INDEXED_POOL_MODULE(AdaptiveMaxPool2d, AdaptiveMaxPool2dOptions);
BOLIDE_INDEXED_POOL_MODULE(AdaptiveMaxPool3d, AdaptiveMaxPool3dOptions);
BOLIDE_INDEXED_POOL_MODULE(FractionalMaxPool2d, FractionalMaxPool2dOptions);
BOLIDE_INDEXED_POOL_MODULE(FractionalMaxPool3d, FractionalMaxPool3dOptions);
BOLIDE_PLAIN_MODULE(AvgPool1d, AvgPool1dOptions);
BOLIDE_PLAIN_MODULE(AvgPool2d, AvgPool2dOptions);
BOLIDE_PLAIN_MODULE(AvgPool3d, AvgPool3dOptions);
BOLIDE_PLAIN_MODULE(AdaptiveAvgPool1d, AdaptiveAvgPool1dOptions);
BOLIDE_PLAIN_MODULE(AdaptiveAvgPool2d, AdaptiveAvgPool2dOptions);
BOLIDE_PLAIN_MODULE(AdaptiveAvgPool3d, AdaptiveAvgPool3dOptions);
BOLIDE_PLAIN_MODULE(LPPool1d, LPPool1dOptions);
BOLIDE_PLAIN_MODULE(LPPool2d, LPPool2dOptions);
BOLIDE_PLAIN_MODULE(LPPool3d, LPPool3dOptions);
BOLIDE_UNPOOL_MODULE(MaxUnpool1d, MaxUnpool1dOptions);
BOLIDE_UNPOOL_MODULE(MaxUnpool2d, MaxUnpool2dOptions);
BOLIDE_UNPOOL_MODULE(MaxUnpool3d, MaxUnpool3dOptions);

}  // namespace bolide::nn
