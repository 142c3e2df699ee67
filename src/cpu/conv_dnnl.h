// Map: convolutions through the oneDNN plugin, divided among our threads
#pragma once

#include "cpu/conv.h"

namespace bolide::detail {

// Each returns false, with nothing promised about the result, where the plugin is missing or has no such
// operation.
template <class T>
bool dnnl_forward(const ConvShape& shape, const T* x, const T* w, const T* bias, T* y, bool relu);
template <class T>
bool dnnl_backward_data(const ConvShape& shape, const T* dy, const T* w, T* dx, const T* bias);
template <class T>
bool dnnl_backward_weights(const ConvShape& shape, const T* x, const T* dy, T* dw, T* db);

}  // namespace bolide::detail
