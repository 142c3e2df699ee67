// What the makers of tensors share.
#pragma once
#include "autograd/call.h"
#include "bolide/ops.h"

namespace bolide {

/// The arguments every factory ends with.
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
/// An uninitialised tensor of `t`'s sizes and order of dimensions, dense, or in another format.
Tensor new_like(const Tensor& t, OptDType dtype, OptDevice device, OptFormat f);

}  // namespace bolide
