// Map: what the oneDNN plugin is asked | its table | the loader
//
// The plugin is the only part of Bolide that links oneDNN and, through it, an OpenMP runtime. It runs every
// call on the calling thread alone (one OpenMP thread, so no team exists that a fork could lose); work is
// divided among threads outside, by our own pool. Functions return 0, or another value when oneDNN has no
// implementation; then nothing was written.
#pragma once

#include <cstdint>

extern "C" {

enum BolideDnnlType : int32_t { kBolideDnnlF32 = 0, kBolideDnnlBf16 = 1 };

// Convolution over `dims` spatial dimensions. Channels and pixels are contiguous; images and output
// channels lie at the given strides, so that a slice of the channels can be passed.
struct BolideDnnlConv {
  int32_t type, dims;
  int64_t n, groups, ci, co;
  int64_t in[3], out[3], kernel[3], stride[3], pad[3], dilation[3];
  int64_t x_stride, y_stride,
      w_stride;  // elements between images, and between output channels of the weights
};

// C[m,n] = A[m,k] * B[k,n] + bias[n]; each operand has one stride of 1; the rows of C are contiguous.
struct BolideDnnlMatmul {
  int32_t type, has_bias;
  int64_t m, n, k, a_row, a_col, b_row, b_col, ldc;
};

struct BolideDnnlTable {
  int32_t version;
  int (*conv_forward)(const BolideDnnlConv*, const void* x, const void* w, const void* bias, void* y);
  int (*conv_backward_data)(const BolideDnnlConv*, const void* dy, const void* w, void* dx);
  int (*conv_backward_weights)(const BolideDnnlConv*, const void* x, const void* dy, void* dw, void* db);
  int (*matmul)(const BolideDnnlMatmul*, const void* a, const void* b, const void* bias, void* c);
};

inline constexpr int32_t kBolideDnnlVersion = 1;

// The one function that libbolide_dnnl.so exports: null unless it speaks `version`.
const BolideDnnlTable* bolide_dnnl_table(int32_t version);

}  // extern "C"

namespace bolide::detail {

// Null when the plugin is not installed, does not fit, or BOLIDE_DNNL=0. Opened at the first call.
const BolideDnnlTable* dnnl_table();

// For tests and for `show_config`: turns the plugin off and on again.
void set_dnnl_enabled(bool enabled);

}  // namespace bolide::detail
