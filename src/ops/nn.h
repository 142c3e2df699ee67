// What the ops of neural networks share: results that kernels may write, checks, reductions of losses.
#pragma once
#include "autograd/call.h"
#include "bolide/ops.h"
#include "core/kernels.h"
#include "iter/pointwise.h"

namespace bolide {

/// What halves are accumulated in, and statistics are kept in.
inline DType compute_dtype(DType t) { return is_half(t) ? DType::Float32 : t; }

/// The name of an element type in C++, as some of PyTorch's messages have it.
inline const char* cpp_name(DType t) {
  switch (t) {
    case DType::UInt8: return "unsigned char";
    case DType::Int8: return "signed char";
    case DType::Int16: return "short";
    case DType::Int32: return "int";
    case DType::Int64: return "long";
    case DType::Float16: return "c10::Half";
    case DType::Float32: return "float";
    case DType::Float64: return "double";
    case DType::Complex64: return "c10::complex<float>";
    case DType::Complex128: return "c10::complex<double>";
    case DType::Bool: return "bool";
    case DType::BFloat16: return "c10::BFloat16";
  }
  return "?";
}

/// Makes the result (or resizes out=) and lets `compute` fill it through a dense tensor.
template <class F>
Tensor into(Out out, IntList sizes, DType dtype, Device device, F&& compute) {
  if (!out.tensor) {
    Tensor r = Tensor::make(sizes, dtype, device);
    compute(r);
    return r;
  }
  const Tensor& r = *out.tensor;
  BOLIDE_CHECK(r.dtype() == dtype, "Expected out tensor to have dtype ", dtype, ", but got ", r.dtype(), " instead");
  if (!(IntList(r.sizes()) == sizes)) resize_(r, sizes);
  if (r.is_contiguous()) {
    compute(r);
    return r;
  }
  const Tensor dense = Tensor::make(sizes, dtype, device);
  compute(dense);
  copy_(r, dense);
  return r;
}

/// Pictures in channels-last order give results in that order.
inline bool is_channels_last(const Tensor& t) {
  const MemoryFormat f = t.dim() == 5 ? MemoryFormat::ChannelsLast3d : MemoryFormat::ChannelsLast;
  return (t.dim() == 4 || t.dim() == 5) && t.is_contiguous(f) && !t.is_contiguous();
}
inline Tensor as_channels_last(const Tensor& t, bool last) {
  return last ? contiguous(t, t.dim() == 5 ? MemoryFormat::ChannelsLast3d : MemoryFormat::ChannelsLast) : t;
}

enum Reduction : int64_t { kNone = 0, kMean = 1, kSum = 2 };

/// A loss of each element as the reduction wants it.
inline Tensor reduced(const Tensor& loss, int64_t reduction) {
  return reduction == kMean ? mean(loss) : reduction == kSum ? sum(loss) : loss;
}
/// What the gradient of a reduced loss is multiplied by.
inline double reduction_scale(int64_t reduction, int64_t count) {
  return reduction == kMean ? 1.0 / static_cast<double>(count) : 1.0;
}

}  // namespace bolide
