// What blocks that index share: checks of index tensors and of results.
#pragma once
#include "autograd/call.h"
#include "bolide/ops.h"
#include "core/kernels.h"
#include "iter/plan.h"

namespace bolide {

/// Where a functional or in-place op writes: self itself, the caller's out=, or a copy; always with self's values.
Tensor writable(const char* op, Out out, const Tensor& self);
/// The result of a reading op: contiguous, allocated, or the caller's out= resized. `finish` copies into an out= that is
/// not contiguous.
class ReadResult {
 public:
  ReadResult(const char* op, Out out, IntList sizes, DType dtype, Device device);
  const Tensor& dense() const { return dense_; }
  Tensor finish() const;

 private:
  Tensor target_, dense_;
};
/// Raises when `written` and `read` are dense and share memory.
void check_apart(const Tensor& written, const Tensor& read);
/// int64 values of an int64 or int32 index, contiguous.
Tensor index_values(const Tensor& index);

}  // namespace bolide
