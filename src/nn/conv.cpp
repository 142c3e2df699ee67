// Convolution modules.
#include "bolide/nn/conv.h"

#include <cmath>

#include "bolide/nn/functional.h"
#include "bolide/nn/init.h"
#include "bolide/ops.h"
#include "nn/conv_padding.h"
#include "nn/text.h"

namespace bolide::nn {

using detail::py;

namespace {

template <class Options>
void check_options(const Options& o) {
  BOLIDE_CHECK_AS(ValueError, o.groups() > 0, "groups must be a positive integer");
  BOLIDE_CHECK_AS(ValueError, o.in_channels() % o.groups() == 0, "in_channels must be divisible by groups");
  BOLIDE_CHECK_AS(ValueError, o.out_channels() % o.groups() == 0, "out_channels must be divisible by groups");
}

void init_parameters(const Tensor& weight, const Tensor& bias) {
  init::kaiming_uniform_(weight, std::sqrt(5.0));
  if (!bias.defined()) return;
  int64_t fan_in = weight.size(1);
  for (int64_t d = 2; d < weight.dim(); ++d) fan_in *= weight.size(d);
  if (fan_in == 0) return;
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  init::uniform_(bias, -bound, bound);
}

template <size_t D>
bool all(const Sizes<D>& s, int64_t value) {
  for (const int64_t v : s)
    if (v != value) return false;
  return true;
}

/// What both kinds print; `padding` is what to print of it, or nothing.
template <class Options>
std::string conv_text(const Options& o, const std::string& padding, const std::string& output_padding) {
  std::string s = py(o.in_channels()) + ", " + py(o.out_channels()) + ", kernel_size=" + py(IntList(o.kernel_size())) + ", stride=" + py(IntList(o.stride()));
  if (!padding.empty()) s += ", padding=" + padding;
  if (!all(o.dilation(), 1)) s += ", dilation=" + py(IntList(o.dilation()));
  if (!output_padding.empty()) s += ", output_padding=" + output_padding;
  if (o.groups() != 1) s += ", groups=" + py(o.groups());
  if (!o.bias()) s += ", bias=False";
  if (o.padding_mode() != kZeros) s += ", padding_mode=" + o.padding_mode();
  return s;
}

template <size_t D>
Dims weight_sizes(int64_t first, int64_t second, const Sizes<D>& kernel) {
  Dims sizes{first, second};
  for (const int64_t k : kernel) sizes.push_back(k);
  return sizes;
}

}  // namespace

// ---- convolutions ------------------------------------------------------------------------------
template <size_t D>
void ConvNdImpl<D>::register_all() {
  check_options(options);
  const std::string& word = options.padding().word();
  BOLIDE_CHECK_AS(ValueError, word.empty() || word == kSame || word == kValid, "Invalid padding string '", word, "', should be one of {'valid', 'same'}");
  BOLIDE_CHECK_AS(ValueError, word != kSame || all(options.stride(), 1), "padding='same' is not supported for strided convolutions");
  const std::string& mode = options.padding_mode();
  BOLIDE_CHECK_AS(ValueError, mode == kZeros || mode == kReflect || mode == kReplicate || mode == kCircular,
                  "padding_mode must be one of {'zeros', 'reflect', 'replicate', 'circular'}, but got padding_mode='", mode, "'");
  weight = register_parameter("weight", empty(weight_sizes(options.out_channels(), options.in_channels() / options.groups(), options.kernel_size())));
  bias = register_parameter("bias", options.bias() ? empty({options.out_channels()}) : Tensor());
  reset_parameters();
}
template <size_t D>
void ConvNdImpl<D>::reset_parameters() { init_parameters(weight, bias); }

namespace {
/// Borders for functional::pad, the last dimension first.
template <size_t D>
std::vector<int64_t> borders(const ConvOptions<D>& o) {
  std::vector<int64_t> sides;
  for (size_t i = D; i-- > 0;) {
    if (o.padding().word() == kSame) {
      const int64_t total = o.dilation()[i] * (o.kernel_size()[i] - 1);
      sides.push_back(total / 2), sides.push_back(total - total / 2);
    } else {
      const int64_t each = o.padding().word() == kValid ? 0 : o.padding().sizes()[i];
      sides.push_back(each), sides.push_back(each);
    }
  }
  return sides;
}
}  // namespace

template <size_t D>
Tensor ConvNdImpl<D>::forward(const Tensor& x) const {
  const ConvOptions<D>& o = options;
  if (o.padding_mode() == kZeros) [[likely]]
    return functional::detail::convolve(x, weight, bias, o.stride(), o.padding().word(), o.padding().sizes(), o.dilation(), o.groups());
  const Tensor padded = functional::pad(x, functional::PadFuncOptions(borders(o)).mode(o.padding_mode()));
  return functional::detail::convolve(padded, weight, bias, o.stride(), kValid, {}, o.dilation(), o.groups());
}
template <size_t D>
std::string ConvNdImpl<D>::extra_repr() const {
  const Padding<D>& p = options.padding();
  return conv_text(options, !p.word().empty() ? p.word() : all(p.sizes(), 0) ? "" : py(IntList(p.sizes())), "");
}

// ---- transposed convolutions -------------------------------------------------------------------
template <size_t D>
void ConvTransposeNdImpl<D>::register_all() {
  check_options(options);
  BOLIDE_CHECK_AS(ValueError, options.padding_mode() == kZeros, "Only \"zeros\" padding mode is supported for ConvTranspose", D, "d");
  weight = register_parameter("weight", empty(weight_sizes(options.in_channels(), options.out_channels() / options.groups(), options.kernel_size())));
  bias = register_parameter("bias", options.bias() ? empty({options.out_channels()}) : Tensor());
  reset_parameters();
}
template <size_t D>
void ConvTransposeNdImpl<D>::reset_parameters() { init_parameters(weight, bias); }

namespace {
/// The padding that makes the output have `size`.
template <size_t D>
Sizes<D> output_padding_for(const Tensor& x, IntList size, const ConvTransposeOptions<D>& o) {
  const size_t lead = static_cast<size_t>(x.dim()) - D;
  if (size.size() == D + lead) size = IntList(size.data() + lead, D);
  BOLIDE_CHECK_AS(ValueError, size.size() == D, "ConvTranspose", D, "D: for ", x.dim(), "D input, output_size must have ", D, " or ", D + lead,
                  " elements (got ", size.size(), ")");
  Sizes<D> extra = 0;
  for (size_t i = 0; i < D; ++i) {
    const int64_t low = (x.size(static_cast<int64_t>(lead + i)) - 1) * o.stride()[i] - 2 * o.padding()[i] + o.dilation()[i] * (o.kernel_size()[i] - 1) + 1;
    const int64_t high = low + o.stride()[i] - 1;
    BOLIDE_CHECK_AS(ValueError, size[i] >= low && size[i] <= high, "requested an output size of ", size, ", but valid sizes range from ", low,
                    " to ", high, " in dimension ", i, " (for an input of ", x.sizes(), ")");
    extra[i] = size[i] - low;
  }
  return extra;
}
}  // namespace

template <size_t D>
Tensor ConvTransposeNdImpl<D>::forward(const Tensor& x, std::optional<IntList> output_size) const {
  const ConvTransposeOptions<D>& o = options;
  const Sizes<D> extra = output_size ? output_padding_for(x, *output_size, o) : o.output_padding();
  return functional::detail::convolve_transposed(x, weight, bias, o.stride(), o.padding(), extra, o.groups(), o.dilation());
}
template <size_t D>
std::string ConvTransposeNdImpl<D>::extra_repr() const {
  const auto unless_zero = [](const Sizes<D>& s) { return all(s, 0) ? std::string() : py(IntList(s)); };
  return conv_text(options, unless_zero(options.padding()), unless_zero(options.output_padding()));
}

template class ConvNdImpl<1>;
template class ConvNdImpl<2>;
template class ConvNdImpl<3>;
template class ConvTransposeNdImpl<1>;
template class ConvTransposeNdImpl<2>;
template class ConvTransposeNdImpl<3>;

#define CONV(Name, Base, OptionsType, D)                                                                 \
  Name##Impl::Name##Impl(int64_t in_channels, int64_t out_channels, Sizes<D> kernel_size)                \
      : Name##Impl(OptionsType<D>(in_channels, out_channels, kernel_size)) {}                            \
  Name##Impl::Name##Impl(const OptionsType<D>& o) : Cloneable<Name##Impl, Base<D>>(o) { register_all(); } \
  void Name##Impl::reset() { register_all(); }
CONV(Conv1d, ConvNdImpl, ConvOptions, 1)
CONV(Conv2d, ConvNdImpl, ConvOptions, 2)
CONV(Conv3d, ConvNdImpl, ConvOptions, 3)
CONV(ConvTranspose1d, ConvTransposeNdImpl, ConvTransposeOptions, 1)
CONV(ConvTranspose2d, ConvTransposeNdImpl, ConvTransposeOptions, 2)
CONV(ConvTranspose3d, ConvTransposeNdImpl, ConvTransposeOptions, 3)

}  // namespace bolide::nn
