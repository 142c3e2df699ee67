// What the functions and the modules of convolution share.
#pragma once
#include "bolide/nn/options.h"

namespace bolide::nn::functional::detail {

/// A convolution over stride.size() dimensions; `word` is "same", "valid", or empty for `padding` in numbers.
Tensor convolve(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, const std::string& word, IntList padding,
                IntList dilation, int64_t groups);
Tensor convolve_transposed(const Tensor& x, const Tensor& weight, const Tensor& bias, IntList stride, IntList padding,
                           IntList output_padding, int64_t groups, IntList dilation);

}  // namespace bolide::nn::functional::detail
