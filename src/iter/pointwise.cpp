// Running expressions. Map: small contiguous calls | Walk: one thread's blocks | cutting for threads | run
#include "iter/pointwise.h"

#include <algorithm>
#include <cstring>

#include "core/kernels.h"
#include "cpu/pool.h"
#include "iter/walk.h"

namespace bolide::iter {

namespace detail {
void fail_dtype(const char* op, DType t) { fail<NotImplementedError>('"', op, "\" not implemented for '", legacy_name(t), "'"); }
}  // namespace detail

namespace {

/// The common case: contiguous CPU tensors of one shape, nothing to convert. False when the call is another one.
bool run_small(const Expression& e, Out out, DType result, std::span<const Operand> in, Tensor& made) {
  constexpr int64_t kMost = kGrain, kMostNumbers = 256;
  constexpr int kMaxNumbers = 2;
  const Typed& t = *e.typed;
  if (result != t.written || !in[0].tensor) return false;
  const TensorImpl& first = *in[0].tensor->impl();
  const int64_t n = first.numel;
  if (n > kMost) return false;
  char* p[kMaxOperands];
  alignas(16) char numbers[kMaxNumbers][kMostNumbers * 16];
  int used = 0;
  auto fits = [&](const TensorImpl& x, DType want) {
    return x.dtype == want && x.has(TensorImpl::kContiguous) && x.device.is_cpu() && (&x == &first || IntList(x.sizes) == IntList(first.sizes));
  };
  for (size_t k = 0; k < in.size(); ++k) {
    if (in[k].tensor) {
      const TensorImpl& x = *in[k].tensor->impl();
      if (!fits(x, t.reads[k])) return false;
      p[k + 1] = x.data();
    } else {
      if (n > kMostNumbers || used == kMaxNumbers) return false;
      p[k + 1] = numbers[used++];
    }
  }
  if (out.tensor) {
    const TensorImpl& o = *out.tensor->impl();
    if (!fits(o, result)) return false;
    p[0] = o.data();
    for (size_t k = 0; k < in.size(); ++k)
      if (in[k].tensor && in[k].tensor->storage() == o.storage && p[k + 1] != p[0]) return false;
    made = *out.tensor;
  } else {
    made = Tensor::make(first.sizes, result, first.device);
    p[0] = made.raw();
  }
  for (size_t k = 0; k < in.size() && used; ++k)
    if (!in[k].tensor) {
      store_scalar(t.reads[k], p[k + 1], in[k].number);
      repeat(p[k + 1], n, item_size(t.reads[k]));
    }
  if (n) t.loops[static_cast<int>(isa())](p, n, e.parameters);
  return true;
}

}  // namespace

Tensor run(const Expression& e, Out out, DType result, std::span<const Operand> inputs) {
  Tensor made;
  if (run_small(e, out, result, inputs, made)) return made;
  Plan plan(e.op, out, result, inputs);
  if (plan.output.numel() == 0 || plan.output.device().is_meta()) return plan.output;
  plan.lay_out(e.typed->reads);
  if (plan.output.device().is_cpu()) walk(plan, *e.typed, e.parameters, !out.in_place);
  else kernels(plan.output).pointwise(plan, e);
  return plan.output;
}

}  // namespace bolide::iter
