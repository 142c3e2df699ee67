// Linear maps, convolutions, sliding blocks, padding, resizing.
#include <cmath>

#include "bolide/nn/functional.h"
#include "bolide/ops.h"
#include "nn/conv_padding.h"
#include "core/named_op.h"

namespace bolide::nn::functional {

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) { return bolide::linear(x, weight, bias); }
Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias) {
  static constexpr NamedOp op("bilinear");
  return op(x1, x2, weight, bias);
}

// ---- convolutions ------------------------------------------------------------------------------
namespace {

constexpr NamedOp kConv[] = {NamedOp("conv1d"), NamedOp("conv2d"), NamedOp("conv3d")};
constexpr NamedOp kConvTranspose[] = {NamedOp("conv_transpose1d"), NamedOp("conv_transpose2d"), NamedOp("conv_transpose3d")};

}  // namespace

// 'same' is half the kernel's reach on each side; an odd rest stands on the right.
Tensor detail::convolve(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, const std::string& word, IntList padding,
                        IntList dilation, int64_t groups) {
  const size_t d = stride.size();
  if (word.empty() || word == kValid) {
    const Dims none(d, 0);
    const IntList pad = word.empty() ? padding : IntList(none);
    return kConv[d - 1](x, weight, bias, stride, pad, dilation, groups);
  }
  BOLIDE_CHECK(word == kSame, "Invalid padding string: '", word, "'");
  Dims each(d, 0);
  std::vector<int64_t> rest(2 * d, 0);
  bool uneven = false;
  for (size_t i = 0; i < d; ++i) {
    BOLIDE_CHECK(stride[i] == 1, "padding='same' is not supported for strided convolutions");
    const int64_t total = dilation[i] * (weight.size(static_cast<int64_t>(i) + 2) - 1);
    each[i] = total / 2;
    rest[2 * (d - 1 - i) + 1] = total % 2;
    uneven = uneven || total % 2;
  }
  return convolve(uneven ? functional::pad(x, PadFuncOptions(rest)) : x, weight, bias, stride, {}, each, dilation, groups);
}

Tensor detail::convolve_transposed(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, IntList padding,
                                   IntList output_padding, int64_t groups, IntList dilation) {
  return kConvTranspose[stride.size() - 1](x, weight, bias, stride, padding, output_padding, groups, dilation);
}

namespace {
template <size_t D>
Tensor conv(const Tensor& x, const Tensor& w, const ConvFuncOptions<D>& o) {
  return detail::convolve(x, w, o.bias(), o.stride(), o.padding().word(), o.padding().sizes(), o.dilation(), o.groups());
}
template <size_t D>
Tensor conv_transpose(const Tensor& x, const Tensor& w, const ConvTransposeFuncOptions<D>& o) {
  return detail::convolve_transposed(x, w, o.bias(), o.stride(), o.padding(), o.output_padding(), o.groups(), o.dilation());
}
}  // namespace

Tensor conv1d(const Tensor& x, const Tensor& w, const Conv1dFuncOptions& o) { return conv(x, w, o); }
Tensor conv2d(const Tensor& x, const Tensor& w, const Conv2dFuncOptions& o) { return conv(x, w, o); }
Tensor conv3d(const Tensor& x, const Tensor& w, const Conv3dFuncOptions& o) { return conv(x, w, o); }
Tensor conv_transpose1d(const Tensor& x, const Tensor& w, const ConvTranspose1dFuncOptions& o) { return conv_transpose(x, w, o); }
Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const ConvTranspose2dFuncOptions& o) { return conv_transpose(x, w, o); }
Tensor conv_transpose3d(const Tensor& x, const Tensor& w, const ConvTranspose3dFuncOptions& o) { return conv_transpose(x, w, o); }

Tensor fold(const Tensor& x, const FoldFuncOptions& o) {
  static constexpr NamedOp op("col2im");
  return op(x, IntList(o.output_size()), IntList(o.kernel_size()), IntList(o.dilation()), IntList(o.padding()), IntList(o.stride()));
}
Tensor unfold(const Tensor& x, const UnfoldFuncOptions& o) {
  static constexpr NamedOp op("im2col");
  return op(x, IntList(o.kernel_size()), IntList(o.dilation()), IntList(o.padding()), IntList(o.stride()));
}

// ---- padding, resizing -------------------------------------------------------------------------
Tensor pad(const Tensor& x, const PadFuncOptions& o) {
  static constexpr NamedOp op("pad");
  if (o.mode() == kConstant) return op(x, o.pad(), o.mode(), o.value());
  return op(x, o.pad(), o.mode());
}

namespace {

struct Resize {
  std::vector<int64_t> size;
  std::vector<double> factors;  // empty: computed from the sizes
};

Resize resize_of(const Tensor& x, const InterpolateFuncOptions& o) {
  const size_t n = static_cast<size_t>(x.dim() - 2);
  BOLIDE_CHECK_AS(ValueError, !(o.size() && o.scale_factor()), "only one of size or scale_factor should be defined");
  BOLIDE_CHECK_AS(ValueError, o.size() || o.scale_factor(), "either size or scale_factor should be defined");
  Resize r;
  if (o.size()) {
    r.size = *o.size();
    if (r.size.size() == 1) r.size.resize(n, r.size[0]);
    BOLIDE_CHECK_AS(ValueError, r.size.size() == n, "Input and output must have the same number of spatial dimensions, but got input with ",
                    n, " spatial dimensions and output size of ", IntList(r.size));
    return r;
  }
  r.factors = *o.scale_factor();
  if (r.factors.size() == 1) r.factors.resize(n, r.factors[0]);
  BOLIDE_CHECK_AS(ValueError, r.factors.size() == n, "Input and scale_factor must have the same number of spatial dimensions, but got input with ",
                  n, " spatial dimensions and ", r.factors.size(), " scale factors");
  for (size_t i = 0; i < n; ++i)
    r.size.push_back(static_cast<int64_t>(std::floor(static_cast<double>(x.size(static_cast<int64_t>(i) + 2)) * r.factors[i])));
  if (o.recompute_scale_factor().value_or(false) || o.mode() == kArea) r.factors.clear();
  return r;
}

std::string resize_op(const InterpolateFuncOptions& o, int64_t n) {
  const std::string& mode = o.mode();
  const std::string dims = std::to_string(n) + "d";
  if (mode == kNearest) return "upsample_nearest" + dims;
  if (mode == kNearestExact) return "_upsample_nearest_exact" + dims;
  if (mode == kArea) return "adaptive_avg_pool" + dims;
  const struct { const char* mode; int64_t n; } smooth[] = {{kLinear, 1}, {kBilinear, 2}, {kBicubic, 2}, {kTrilinear, 3}};
  for (const auto& s : smooth) {
    if (mode != s.mode) continue;
    BOLIDE_CHECK_AS(NotImplementedError, n == s.n, "Got ", n + 2, "D input, but ", mode, " mode needs ", s.n + 2, "D input");
    const std::string name = "upsample_" + mode + dims;
    return o.antialias() ? "_" + name + "_aa" : name;
  }
  fail<NotImplementedError>("Input Error: Only 3D, 4D and 5D input Tensors supported (got ", n + 2, "D) for the modes: nearest | linear | "
                            "bilinear | bicubic | trilinear | area | nearest-exact (got ", mode, ")");
}

}  // namespace

Tensor interpolate(const Tensor& x, const InterpolateFuncOptions& o) {
  const int64_t n = x.dim() - 2;
  const bool plain = o.mode() == kNearest || o.mode() == kNearestExact || o.mode() == kArea;
  BOLIDE_CHECK_AS(ValueError, !(plain && o.align_corners()), "align_corners option can only be set with the interpolating modes: "
                  "linear | bilinear | bicubic | trilinear");
  BOLIDE_CHECK_AS(NotImplementedError, n >= 1 && n <= 3, "Input Error: Only 3D, 4D and 5D input Tensors supported (got ", x.dim(), "D)");
  BOLIDE_CHECK_AS(ValueError, !o.antialias() || ((o.mode() == kBilinear || o.mode() == kBicubic) && n == 2),
                  "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as input");
  BOLIDE_CHECK_AS(ValueError, !(o.recompute_scale_factor().value_or(false) && o.size()),
                  "recompute_scale_factor is not meaningful with an explicit size.");
  const std::string name = resize_op(o, n);
  const Resize r = resize_of(x, o);
  const NamedOp op(name.c_str());
  if (o.mode() == kArea) return op(x, r.size);
  const auto factors = r.factors.empty() ? std::nullopt : std::optional(std::span<const double>(r.factors));
  if (plain) return op(x, r.size, factors);
  return op(x, r.size, o.align_corners().value_or(false), factors);
}

Tensor grid_sample(const Tensor& x, const Tensor& grid, const GridSampleFuncOptions& o) {
  const auto choice = [](const char* what, const std::string& v, std::initializer_list<const char*> all) {
    int64_t i = 0;
    for (const char* one : all) {
      if (v == one) return i;
      ++i;
    }
    fail<ValueError>("nn.functional.grid_sample(): expected ", what, " to be one of the known ones, but got: '", v, "'");
  };
  static constexpr NamedOp op("grid_sampler");
  return op(x, grid, choice("mode", o.mode(), {kBilinear, kNearest, kBicubic}),
            choice("padding_mode", o.padding_mode(), {kZeros, kBorder, kReflection}), o.align_corners());
}
Tensor affine_grid(const Tensor& theta, IntList size, bool align_corners) {
  static constexpr NamedOp op("affine_grid_generator");
  return op(theta, size, align_corners);
}
Tensor pixel_shuffle(const Tensor& x, const PixelShuffleFuncOptions& o) {
  static constexpr NamedOp op("pixel_shuffle");
  return op(x, o.upscale_factor());
}
Tensor pixel_unshuffle(const Tensor& x, const PixelUnshuffleFuncOptions& o) {
  static constexpr NamedOp op("pixel_unshuffle");
  return op(x, o.downscale_factor());
}
Tensor channel_shuffle(const Tensor& x, int64_t groups) {
  static constexpr NamedOp op("channel_shuffle");
  return op(x, groups);
}

}  // namespace bolide::nn::functional
