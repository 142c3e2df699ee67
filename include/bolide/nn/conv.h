// Convolutions and transposed convolutions over one, two and three dimensions.
#pragma once
#include "bolide/nn/plain.h"

namespace bolide::nn {

template <size_t D>
struct ConvOptions {
  ConvOptions(int64_t in_channels, int64_t out_channels, Sizes<D> kernel_size)
      : in_channels_(in_channels), out_channels_(out_channels), kernel_size_(kernel_size) {}
  BOLIDE_ARG(int64_t, in_channels);
  BOLIDE_ARG(int64_t, out_channels);
  BOLIDE_ARG(Sizes<D>, kernel_size);
  BOLIDE_ARG(Sizes<D>, stride) = 1;
  BOLIDE_ARG(Padding<D>, padding) = 0;
  BOLIDE_ARG(Sizes<D>, dilation) = 1;
  BOLIDE_ARG(int64_t, groups) = 1;
  BOLIDE_ARG(bool, bias) = true;
  /// kZeros, kReflect, kReplicate or kCircular.
  BOLIDE_ARG(std::string, padding_mode) = kZeros;
};
template <size_t D>
struct ConvTransposeOptions {
  ConvTransposeOptions(int64_t in_channels, int64_t out_channels, Sizes<D> kernel_size)
      : in_channels_(in_channels), out_channels_(out_channels), kernel_size_(kernel_size) {}
  BOLIDE_ARG(int64_t, in_channels);
  BOLIDE_ARG(int64_t, out_channels);
  BOLIDE_ARG(Sizes<D>, kernel_size);
  BOLIDE_ARG(Sizes<D>, stride) = 1;
  BOLIDE_ARG(Sizes<D>, padding) = 0;
  BOLIDE_ARG(Sizes<D>, output_padding) = 0;
  BOLIDE_ARG(int64_t, groups) = 1;
  BOLIDE_ARG(bool, bias) = true;
  BOLIDE_ARG(Sizes<D>, dilation) = 1;
  BOLIDE_ARG(std::string, padding_mode) = kZeros;
};
using Conv1dOptions = ConvOptions<1>;
using Conv2dOptions = ConvOptions<2>;
using Conv3dOptions = ConvOptions<3>;
using ConvTranspose1dOptions = ConvTransposeOptions<1>;
using ConvTranspose2dOptions = ConvTransposeOptions<2>;
using ConvTranspose3dOptions = ConvTransposeOptions<3>;

template <size_t D>
class ConvNdImpl : public Module {
 public:
  explicit ConvNdImpl(const ConvOptions<D>& options) : options(options) {}
  Tensor forward(const Tensor& input) const;
  void reset_parameters();
  std::string extra_repr() const override;
  ConvOptions<D> options;
  Tensor weight, bias;

 protected:
  void register_all();
};
template <size_t D>
class ConvTransposeNdImpl : public Module {
 public:
  explicit ConvTransposeNdImpl(const ConvTransposeOptions<D>& options) : options(options) {}
  /// `output_size`, its spatial sizes, chooses among the shapes that a stride leaves open.
  Tensor forward(const Tensor& input, std::optional<IntList> output_size = {}) const;
  void reset_parameters();
  std::string extra_repr() const override;
  ConvTransposeOptions<D> options;
  Tensor weight, bias;

 protected:
  void register_all();
};

#define BOLIDE_CONV_MODULE(Name, Base, OptionsType, D)                             \
  class Name##Impl : public Cloneable<Name##Impl, Base<D>> {                       \
   public:                                                                         \
    Name##Impl(int64_t in_channels, int64_t out_channels, Sizes<D> kernel_size);   \
    explicit Name##Impl(const OptionsType<D>& options);                            \
    void reset() override;                                                         \
  };                                                                               \
  BOLIDE_MODULE(Name)

BOLIDE_CONV_MODULE(Conv1d, ConvNdImpl, ConvOptions, 1);
BOLIDE_CONV_MODULE(Conv2d, ConvNdImpl, ConvOptions, 2);
BOLIDE_CONV_MODULE(Conv3d, ConvNdImpl, ConvOptions, 3);
BOLIDE_CONV_MODULE(ConvTranspose1d, ConvTransposeNdImpl, ConvTransposeOptions, 1);
BOLIDE_CONV_MODULE(ConvTranspose2d, ConvTransposeNdImpl, ConvTransposeOptions, 2);
BOLIDE_CONV_MODULE(ConvTranspose3d, ConvTransposeNdImpl, ConvTransposeOptions, 3);

}  // namespace bolide::nn
