// What the makers of tensors share.
#pragma once
#include "autograd/call.h"
#include "bolide/ops.h"

namespace bolide {

/// The arguments every factory ends with, in schemas and in C++.
#define FACTORY_TAIL "*, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=False, bool? requires_grad=False"
#define LIKE_TAIL FACTORY_TAIL ", MemoryFormat? memory_format=None) -> Tensor"
using OptLayout = std::optional<LayoutKind>;
using OptDevice = std::optional<Device>;
using OptBool = std::optional<bool>;
using OptFormat = std::optional<MemoryFormat>;

inline DType or_default(OptDType t) { return t ? *t : default_dtype(); }
inline Device or_cpu(OptDevice d) { return d ? *d : Device(); }
inline Tensor finish(Tensor t, OptBool requires_grad) {
  if (requires_grad.value_or(false)) t.set_requires_grad(true);
  return t;
}
/// The dtype of a factory's result: the one asked for, out='s, or `other`. Throws where they disagree.
DType factory_dtype(Out out, OptDType dtype, DType other);
/// What a factory fills: out= resized, or a new tensor.
Tensor factory_target(Out out, IntList size, DType dtype, OptDevice device);
/// `t` with every element `v`, which has to fit.
Tensor filled(const Tensor& t, const Scalar& v);
/// An uninitialised tensor of `t`'s sizes and order of dimensions, dense, or in another format.
Tensor new_like(const Tensor& t, OptDType dtype, OptDevice device, OptFormat f);

}  // namespace bolide
