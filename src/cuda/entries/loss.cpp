// Class losses.
#include <algorithm>

#include "cuda/entries/shared.h"
#include "cuda/fault.h"

namespace bolide::cuda {

BOLIDE_KERNEL_TEXT(loss);

namespace {

constexpr const char* kBadTarget = "Target %i is out of bounds.";
const void* data_or_null(const Tensor& t) { return t.defined() ? t.raw() : nullptr; }

struct Partial {
  Tensor sums;
  Grid grid;
  Partial(const Tensor& like, Grid g) : grid(g) {
    sums = Tensor::make({static_cast<int64_t>(g.x) * 2}, wide_type(like.dtype()), like.device());
  }
  void finish(const Tensor& loss, const Tensor& total_weight, int64_t reduction) const {
    launch(get_function(loss_text, "loss_total", scalar_macros(loss.dtype())), "loss", {1}, {32}, 0, static_cast<const void*>(sums.raw()),
           static_cast<int64_t>(grid.x), loss.raw(), total_weight.raw(), static_cast<int32_t>(reduction));
  }
};

void nll_entry(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction, int64_t ignore, const Tensor& loss,
               const Tensor& total_weight) {
  DeviceGuard guard(x.device().index);
  const int64_t classes = x.dim() > 1 ? x.size(1) : x.size(0), targets = target.numel(), batch = x.dim() > 1 ? x.size(0) : 1;
  const Partial p(x, reduction ? Grid{static_cast<unsigned>(std::clamp<int64_t>((targets + 255) / 256, 1, 256))} : blocks(targets, 256));
  launch(get_function(loss_text, "nll_forward", scalar_macros(x.dtype())), "nll_loss", p.grid, {256}, 0, static_cast<const void*>(x.raw()),
         static_cast<const void*>(target.raw()), data_or_null(weight), loss.raw(), p.sums.raw(), targets, classes,
         batch ? targets / batch : int64_t{1}, ignore, static_cast<int32_t>(reduction), fault_site(x.device().index, "nll_loss", kBadTarget));
  if (reduction) p.finish(loss, total_weight, reduction);
}
void nll_backward_entry(const Tensor& dy, const Tensor& target, const Tensor& weight, int64_t reduction, int64_t ignore, const Tensor& total_weight,
                        const Tensor& dx) {
  DeviceGuard guard(dx.device().index);
  kernels(dx).fill(dx, 0);
  const int64_t classes = dx.dim() > 1 ? dx.size(1) : dx.size(0), targets = target.numel(), batch = dx.dim() > 1 ? dx.size(0) : 1;
  launch(get_function(loss_text, "nll_backward", scalar_macros(dx.dtype())), "nll_loss_backward", blocks(targets, 256), {256}, 0,
         static_cast<const void*>(dy.raw()), static_cast<const void*>(target.raw()), data_or_null(weight), data_or_null(total_weight), dx.raw(),
         targets, classes, batch ? targets / batch : int64_t{1}, ignore, static_cast<int32_t>(reduction));
}

void cross_entropy_entry(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction, int64_t ignore, const Tensor& loss,
                         const Tensor& lse, const Tensor& total_weight) {
  DeviceGuard guard(x.device().index);
  const int64_t classes = x.size(-1), rows = target.numel();
  const Partial p(x, {static_cast<unsigned>(std::clamp<int64_t>(rows, 1, 4096))});
  launch(get_function(loss_text, "cross_entropy_forward", scalar_macros(x.dtype())), "cross_entropy", p.grid, {classes > 1024 ? 512u : 128u}, 0,
         static_cast<const void*>(x.raw()), static_cast<const void*>(target.raw()), data_or_null(weight), loss.raw(), lse.raw(), p.sums.raw(), rows,
         classes, ignore, static_cast<int32_t>(reduction), fault_site(x.device().index, "cross_entropy", kBadTarget));
  if (reduction) p.finish(loss, total_weight, reduction);
}
void cross_entropy_backward_entry(const Tensor& dy, const Tensor& x, const Tensor& lse, const Tensor& target, const Tensor& weight,
                                  int64_t reduction, int64_t ignore, const Tensor& total_weight, const Tensor& dx) {
  if (!x.numel()) return;
  DeviceGuard guard(x.device().index);
  const int64_t classes = x.size(-1), rows = target.numel();
  launch(get_function(loss_text, "cross_entropy_backward", scalar_macros(x.dtype())), "cross_entropy_backward",
         {static_cast<unsigned>(std::clamp<int64_t>(rows, 1, 1 << 16))}, {classes > 1024 ? 512u : 128u}, 0, static_cast<const void*>(dy.raw()),
         static_cast<const void*>(x.raw()), static_cast<const void*>(lse.raw()), static_cast<const void*>(target.raw()), data_or_null(weight),
         data_or_null(total_weight), dx.raw(), rows, classes, ignore, static_cast<int32_t>(reduction));
}

const Provide provide_nll(DeviceType::CUDA, &Kernels::nll_loss, &nll_entry);
const Provide provide_nll_backward(DeviceType::CUDA, &Kernels::nll_loss_backward, &nll_backward_entry);
const Provide provide_cross_entropy(DeviceType::CUDA, &Kernels::cross_entropy, &cross_entropy_entry);
const Provide provide_cross_entropy_backward(DeviceType::CUDA, &Kernels::cross_entropy_backward, &cross_entropy_backward_entry);

}  // namespace
}  // namespace bolide::cuda
