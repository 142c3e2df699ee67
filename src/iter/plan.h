// Plan: how a pointwise op walks its operands: broadcast shape, output layout, strides, conversions.
// The 1-d inner loop is the only thing that knows element types; everything here is type-erased.
#pragma once
#include "core/registry.h"

namespace bolide::iter {

inline constexpr int kMaxDims = 32;
inline constexpr int kMaxOperands = 5;  // output first

/// p[0] is the output, p[1..] the inputs; strides in bytes; f is the scalar expression with its parameters.
using Loop = void (*)(char* const* p, const int64_t* strides, int64_t n, const void* f);

/// The dtype all operands promote to (PyTorch's three groups: tensors with dimensions, 0-d tensors, numbers).
DType result_type(std::span<const Operand> operands);
/// Broadcast of two shapes; the error names both, in PyTorch's words.
Dims broadcast(IntList a, IntList b);

class Plan {
 public:
  /// Finds the broadcast shape and makes (or checks and resizes) the output of dtype `result`.
  Plan(const char* op, Out out, DType result, std::span<const Operand> inputs);
  /// Runs `loop`, which reads inputs as `compute` (one each) and writes `written`.
  void run(Loop loop, const void* f, DType written, DType compute);
  Tensor output;

 private:
  void choose_output(const char* op, Out out, DType result);
  void layout();
  void coalesce();
  void walk(Loop loop, const void* f, int64_t begin, int64_t end, bool convert, DType written, DType compute) const;
  void inner(Loop loop, const void* f, char* const* p, int64_t n, bool convert, DType written, DType compute) const;

  std::span<const Operand> in_;
  Dims shape_;
  int ndim_ = 0, count_ = 0;
  int64_t size_[kMaxDims];
  int64_t stride_[kMaxDims][kMaxOperands];
  char* base_[kMaxOperands];
  DType dtype_[kMaxOperands];
  alignas(16) char number_[kMaxOperands][16];
};

/// Elements from one dtype to another with C++'s conversions; strides in bytes.
void convert(DType to, char* dst, int64_t dst_stride, DType from, const char* src, int64_t src_stride, int64_t n);
/// Writes `v` as one element of `t`.
void store_scalar(DType t, char* dst, const Scalar& v);
Scalar load_scalar(DType t, const char* src);
/// Throws when the write target overlaps itself (an expanded tensor).
void check_no_internal_overlap(const Tensor& t);
void check_same_device(const char* op, std::span<const Operand> operands);

}  // namespace bolide::iter
