// Map: convolution | its transpose
//
// Images are [n, channels, depth, height, width], weights [co, ci / groups, depth, height, width], both
// contiguous. One- and two-dimensional convolutions have leading sizes of 1. Instantiated for float, double,
// Half and BFloat16; 16-bit types are summed in floats and rounded once.
//
// A transposed convolution is the backward-data pass of the convolution that leads the other way: `shape`
// describes that one, so its `in` and `ci` are the result's sizes, and the weights [its co, its ci / groups,
// ...] are just those of the transposed layer.
#pragma once

#include <cstdint>

#include "bolide/half.h"
#include "core/conv_shape.h"

namespace bolide {

// y = conv(x, w) + bias; bias [co] may be null.
template <class T>
void conv_forward(const ConvShape& shape, const T* x, const T* w, const T* bias, T* y, bool relu = false);

// dx from dy. As the transposed convolution's forward it may add a bias [ci].
template <class T>
void conv_backward_data(const ConvShape& shape, const T* dy, const T* w, T* dx, const T* bias = nullptr);

// dw, and db [co] when it is not null.
template <class T>
void conv_backward_weights(const ConvShape& shape, const T* x, const T* dy, T* dw, T* db);

// result[c] = sum over images and pixels of y [n, channels, pixels].
template <class T>
void conv_bias_grad(const T* y, int64_t n, int64_t channels, int64_t pixels, T* result);

template <class T>
inline void conv_transpose_forward(const ConvShape& shape, const T* x, const T* w, const T* bias, T* y) {
  conv_backward_data(shape, x, w, y, bias);
}
template <class T>
inline void conv_transpose_backward_data(const ConvShape& shape, const T* dy, const T* w, T* dx) {
  conv_forward<T>(shape, dy, w, nullptr, dx);
}
// The bias of the transposed layer belongs to its result: its gradient is conv_bias_grad(dy).
template <class T>
inline void conv_transpose_backward_weights(const ConvShape& shape, const T* x, const T* dy, T* dw, T* db) {
  conv_backward_weights<T>(shape, dy, x, dw, nullptr);
  if (db) conv_bias_grad(dy, shape.n, shape.ci, shape.in_pixels(), db);
}

}  // namespace bolide
