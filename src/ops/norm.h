// What normalisations share: checks of their parameters, and the derivative of their derivative.
#pragma once
#include "ops/nn.h"

namespace bolide {

/// Parameters have the input's dtype; those of halves may be float too.
void check_parameter_type(const Tensor& x, const Tensor& parameter);
inline Tensor cast_or_none(const Tensor& t, DType dtype) { return t.defined() ? contiguous(cast(t, dtype)) : t; }

/// A normalisation y = (x - mean) rstd w + b in shapes that broadcast: statistics have size 1 along `reduced`, w along
/// `shared`. `centred` is false where no mean is taken off, `fixed` where the statistics do not depend on x.
struct Normalised {
  Tensor grad, x, weight, mean, rstd;  // weight and mean may be undefined
  Dims reduced, shared;
  bool centred = true, fixed = false;
};
/// The gradients of (dx, dw, db) = backward(grad, x, weight), given theirs (any may be undefined), with respect to grad, x
/// and weight.
std::tuple<Tensor, Tensor, Tensor> norm_double_backward(const Normalised& n, const Tensor& gdx, const Tensor& gdw, const Tensor& gdb);

}  // namespace bolide
