// Resizing and rearranging images: Upsample, pixel shuffles, sliding blocks.
#pragma once
#include "bolide/nn/plain.h"

namespace bolide::nn {

struct UpsampleOptions {
  using SizeList = std::vector<int64_t>;
  using FactorList = std::vector<double>;
  /// Either the new spatial sizes or how much larger they are; a list of one stands for all dimensions.
  BOLIDE_ARG(std::optional<SizeList>, size);
  BOLIDE_ARG(std::optional<FactorList>, scale_factor);
  /// kNearest, kLinear, kBilinear, kBicubic or kTrilinear.
  BOLIDE_ARG(std::string, mode) = kNearest;
  BOLIDE_ARG(std::optional<bool>, align_corners);
};
struct PixelShuffleOptions {
  PixelShuffleOptions(int64_t upscale_factor) : upscale_factor_(upscale_factor) {}
  BOLIDE_ARG(int64_t, upscale_factor);
};
struct PixelUnshuffleOptions {
  PixelUnshuffleOptions(int64_t downscale_factor) : downscale_factor_(downscale_factor) {}
  BOLIDE_ARG(int64_t, downscale_factor);
};
struct ChannelShuffleOptions {
  ChannelShuffleOptions(int64_t groups) : groups_(groups) {}
  BOLIDE_ARG(int64_t, groups);
};
struct FoldOptions {
  FoldOptions(Sizes<2> output_size, Sizes<2> kernel_size) : output_size_(output_size), kernel_size_(kernel_size) {}
  BOLIDE_ARG(Sizes<2>, output_size);
  BOLIDE_ARG(Sizes<2>, kernel_size);
  BOLIDE_ARG(Sizes<2>, dilation) = 1;
  BOLIDE_ARG(Sizes<2>, padding) = 0;
  BOLIDE_ARG(Sizes<2>, stride) = 1;
};
struct UnfoldOptions {
  UnfoldOptions(Sizes<2> kernel_size) : kernel_size_(kernel_size) {}
  template <std::integral N>
  UnfoldOptions(N kernel_size) : UnfoldOptions(Sizes<2>(kernel_size)) {}
  BOLIDE_ARG(Sizes<2>, kernel_size);
  BOLIDE_ARG(Sizes<2>, dilation) = 1;
  BOLIDE_ARG(Sizes<2>, padding) = 0;
  BOLIDE_ARG(Sizes<2>, stride) = 1;
};

BOLIDE_PLAIN_MODULE(Upsample, UpsampleOptions);
/// Upsample with mode kNearest, kBilinear and aligned corners, for 4-d inputs.
BOLIDE_PLAIN_MODULE(UpsamplingNearest2d, UpsampleOptions);
BOLIDE_PLAIN_MODULE(UpsamplingBilinear2d, UpsampleOptions);
BOLIDE_PLAIN_MODULE(PixelShuffle, PixelShuffleOptions);
BOLIDE_PLAIN_MODULE(PixelUnshuffle, PixelUnshuffleOptions);
BOLIDE_PLAIN_MODULE(ChannelShuffle, ChannelShuffleOptions);
BOLIDE_PLAIN_MODULE(Fold, FoldOptions);
BOLIDE_PLAIN_MODULE(Unfold, UnfoldOptions);

}  // namespace bolide::nn
