// Upsample, pixel shuffles, Fold, Unfold.
#include "bolide/nn/vision.h"

#include "bolide/nn/functional.h"
#include "nn/text.h"

namespace bolide::nn {

namespace F = functional;
using detail::py;

namespace {

std::string upsample_text(const UpsampleOptions& o, const std::string& mode) {
  std::string s;
  if (o.scale_factor()) {
    const auto& f = *o.scale_factor();
    s = "scale_factor=";
    if (f.size() == 1) s += py(f[0]);
    for (size_t i = 0; f.size() > 1 && i < f.size(); ++i) s += (i ? ", " : "(") + py(f[i]);
    if (f.size() > 1) s += ")";
  } else if (o.size()) {
    s = "size=" + (o.size()->size() == 1 ? py((*o.size())[0]) : py(IntList(*o.size())));
  } else {
    s = "size=None";
  }
  return s + ", mode=" + py(mode);
}

Tensor upsample(const Tensor& x, const UpsampleOptions& o, const std::string& mode, std::optional<bool> align) {
  return F::interpolate(x, F::InterpolateFuncOptions().size(o.size()).scale_factor(o.scale_factor()).mode(mode).align_corners(align));
}

}  // namespace

Tensor UpsampleImpl::forward(const Tensor& x) const { return upsample(x, options, options.mode(), options.align_corners()); }
std::string UpsampleImpl::extra_repr() const { return upsample_text(options, options.mode()); }
Tensor UpsamplingNearest2dImpl::forward(const Tensor& x) const { return upsample(x, options, kNearest, {}); }
std::string UpsamplingNearest2dImpl::extra_repr() const { return upsample_text(options, kNearest); }
Tensor UpsamplingBilinear2dImpl::forward(const Tensor& x) const { return upsample(x, options, kBilinear, true); }
std::string UpsamplingBilinear2dImpl::extra_repr() const { return upsample_text(options, kBilinear); }

Tensor PixelShuffleImpl::forward(const Tensor& x) const { return F::pixel_shuffle(x, options); }
std::string PixelShuffleImpl::extra_repr() const { return "upscale_factor=" + py(options.upscale_factor()); }
Tensor PixelUnshuffleImpl::forward(const Tensor& x) const { return F::pixel_unshuffle(x, options); }
std::string PixelUnshuffleImpl::extra_repr() const { return "downscale_factor=" + py(options.downscale_factor()); }
Tensor ChannelShuffleImpl::forward(const Tensor& x) const { return F::channel_shuffle(x, options.groups()); }
std::string ChannelShuffleImpl::extra_repr() const { return "groups=" + py(options.groups()); }

Tensor FoldImpl::forward(const Tensor& x) const { return F::fold(x, options); }
std::string FoldImpl::extra_repr() const {
  return "output_size=" + py(options.output_size()) + ", kernel_size=" + py(options.kernel_size()) + ", dilation=" + py(options.dilation()) +
         ", padding=" + py(options.padding()) + ", stride=" + py(options.stride());
}
Tensor UnfoldImpl::forward(const Tensor& x) const { return F::unfold(x, options); }
std::string UnfoldImpl::extra_repr() const {
  return "kernel_size=" + py(options.kernel_size()) + ", dilation=" + py(options.dilation()) + ", padding=" + py(options.padding()) + ", stride=" +
         py(options.stride());
}

}  // namespace bolide::nn
