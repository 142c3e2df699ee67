// What the optimizers' steps share: which parameters take part, and arithmetic in place.
#pragma once
#include <cmath>

#include "bolide/ops.h"
#include "bolide/optim/optimizers.h"
#include "core/named_op.h"

namespace bolide::optim {

/// In-place arithmetic, unrecorded.
inline void lerp_into(const Tensor& t, const Tensor& end, double weight) {
  static constexpr NamedOp op("lerp");
  op.in_place(t, end, Scalar(weight));
}
inline void addcmul_into(const Tensor& t, const Tensor& a, const Tensor& b, double value) {
  static constexpr NamedOp op("addcmul");
  op.in_place(t, a, b, Scalar(value));
}
inline void addcdiv_into(const Tensor& t, const Tensor& a, const Tensor& b, double value) {
  static constexpr NamedOp op("addcdiv");
  op.in_place(t, a, b, Scalar(value));
}

/// A tensor to compute with: complex ones as views of (real, imaginary) pairs.
inline Tensor real_view(const Tensor& t) {
  static constexpr NamedOp op("view_as_real");
  return t.defined() && is_complex(t.dtype()) ? op(t) : t;
}

/// The number of a step, counted up: a 0-d tensor, as in Python's files.
inline Tensor new_step() { return zeros({}, default_dtype() == DType::Float64 ? DType::Float64 : DType::Float32); }
inline double count(const Tensor& step) {
  if (step.dtype() == DType::Float32 && step.device().is_cpu()) {
    step->bump();
    return ++*step.data<float>();
  }
  add_(step, 1);
  return step.item<double>();
}

/// Calls update(param, grad, i) for every parameter that has a gradient; `decay` of the options, when not 0, is added to
/// the gradient, which `maximize` turns round.
template <class Options, class F>
void each_parameter(OptimizerParamGroup& group, const Options& o, double decay, F&& update) {
  for (size_t i = 0; i < group.params().size(); ++i) {
    const Tensor given = group.params()[i].grad();
    if (!given.defined()) continue;
    const Tensor p = real_view(group.params()[i]);
    Tensor g = real_view(given);
    if (o.maximize()) g = neg(g);
    if (decay != 0) g = add(g, p, decay);
    update(p, g, i);
  }
}
/// Constructors of an optimizer and of its options.
#define BOLIDE_MAKE_OPTIMIZER(Name)                                                                          \
  Name##Options::Name##Options(double lr) : lr_(lr) {}                                                       \
  Name::Name(std::vector<OptimizerParamGroup> groups, Name##Options defaults)                                \
      : Optimizer(std::move(groups), std::make_unique<Name##Options>(std::move(defaults))) {                 \
    for (OptimizerParamGroup& g : groups_) check(g.options());                                               \
  }                                                                                                          \
  Name::Name(std::vector<Tensor> params, Name##Options defaults) : Name(one_group(std::move(params)), std::move(defaults)) {}

inline std::vector<OptimizerParamGroup> one_group(std::vector<Tensor> params) {
  std::vector<OptimizerParamGroup> groups;
  groups.emplace_back(std::move(params));
  return groups;
}
inline void check_at_least(const char* what, double v, double least) {
  BOLIDE_CHECK_AS(ValueError, v >= least, "Invalid ", what, ": ", v);
}
inline void check_betas(const Betas& b) {
  BOLIDE_CHECK_AS(ValueError, std::get<0>(b) >= 0 && std::get<0>(b) < 1, "Invalid beta parameter at index 0: ", std::get<0>(b));
  BOLIDE_CHECK_AS(ValueError, std::get<1>(b) >= 0 && std::get<1>(b) < 1, "Invalid beta parameter at index 1: ", std::get<1>(b));
}

}  // namespace bolide::optim
