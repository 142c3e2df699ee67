// Map: our own convolutions, which take every shape and floating type
#pragma once

#include <type_traits>

#include "cpu/conv.h"

namespace bolide::detail {

template <class S>
using Sum = std::conditional_t<std::is_same_v<S, double>, double, float>;

template <class S>
void own_forward(const ConvShape& shape, const S* x, const S* w, const S* bias, S* y, bool relu);
template <class S>
void own_backward_data(const ConvShape& shape, const S* dy, const S* w, S* dx, const S* bias);
template <class S>
void own_backward_weights(const ConvShape& shape, const S* x, const S* dy, S* dw);

// Groups of one input channel each, in two dimensions, float.
bool is_depthwise(const ConvShape& shape);
void depthwise_forward(const ConvShape& shape, const float* x, const float* w, const float* bias, float* y,
                       bool relu);
void depthwise_backward_weights(const ConvShape& shape, const float* x, const float* dy, float* dw);

}  // namespace bolide::detail
