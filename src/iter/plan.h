// Plan: how a pointwise op walks its operands: broadcast shape, output layout, merged dimensions, strides. Devices read it;
// it knows dtypes only as numbers.
#pragma once
#include "core/registry.h"

namespace bolide::iter {

inline constexpr int kMaxDims = 64;
inline constexpr int kMaxOperands = 5;  // output first

/// The dtype all operands promote to (PyTorch's three groups: tensors with dimensions, 0-d tensors, numbers).
DType result_type(std::span<const Operand> operands);
/// Broadcast of two shapes; the error names both, in PyTorch's words.
Dims broadcast(IntList a, IntList b);

struct Plan {
  /// Finds the broadcast shape and makes (or checks and resizes) the output of dtype `result`.
  Plan(const char* op, Out out, DType result, std::span<const Operand> inputs);
  /// A plan that writes `target` as it is, with no checks: shapes agree.
  Plan(const Tensor& target, std::span<const Operand> inputs) : output(target), in_(inputs), shape_(target.sizes()) {}
  /// Fills in what follows below; `reads` gives the dtype that numbers are stored as, one for each input.
  void lay_out(const DType* reads);
  Tensor output;

  int ndim = 0, count = 0;                 // dimensions left after merging (at least 1); operands, the output first
  int64_t size[kMaxDims];                  // dimension 0 is the fastest
  int64_t stride[kMaxDims][kMaxOperands];  // in bytes
  char* base[kMaxOperands];
  DType dtype[kMaxOperands];
  bool on_host[kMaxOperands];              // a number, or a 0-d CPU tensor beside tensors of a device
  alignas(16) char number[kMaxOperands][16];

 private:
  void choose_output(const char* op, Out out, DType result);
  Dims strides_like_inputs() const;
  void merge_dimensions();

  std::span<const Operand> in_;
  Dims shape_;
};

/// Throws when the write target overlaps itself (an expanded tensor).
void check_no_internal_overlap(const Tensor& t);
/// Throws when an input shares some but not all of the write target's memory.
void check_no_partial_overlap(const Tensor& target, const Tensor& input);
void check_same_device(const char* op, std::span<const Operand> operands);

/// Elements from one dtype to another with C++'s conversions; strides in bytes.
void convert(DType to, char* dst, int64_t dst_stride, DType from, const char* src, int64_t src_stride, int64_t n);
/// Writes `v` as one element of `t`.
void store_scalar(DType t, char* dst, const Scalar& v);
Scalar load_scalar(DType t, const char* src);
/// Throws when `v` is out of the range of `t` ("value cannot be converted to type ... without overflow").
void check_fits(DType t, const Scalar& v);

}  // namespace bolide::iter
