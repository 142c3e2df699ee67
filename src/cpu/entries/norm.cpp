// The kernel table's normalisations on the CPU.
#include "cpu/entries/shared.h"
#include "cpu/kernels/rows.h"

namespace bolide {
namespace {

template <class T> using Wide = cpu::Compute<T>;
int64_t rows_of(const Tensor& x, int64_t n) { return n ? x.numel() / n : 0; }

void layer_norm_entry(const Tensor& x, int64_t n, const Tensor& w, const Tensor& b, double eps, const Tensor& y, const Tensor& mean,
                      const Tensor& rstd) {
  if (!n || !x.numel()) return;
  each_float("layer_norm", x.dtype(), [&]<class T>(Tag<T>) {
    cpu::layer_norm_rows(x.data<T>(), data_or_null<T>(w), data_or_null<T>(b), rows_of(x, n), n, eps, y.data<T>(), mean.data<Wide<T>>(),
                         rstd.data<Wide<T>>());
  });
}
const Provide provide_layer_norm(DeviceType::CPU, &Kernels::layer_norm, &layer_norm_entry);

/// Gradients of no rows are zeros.
template <class T>
void clear(T* p, int64_t n) {
  if (p) std::fill(p, p + n, T(0.0f));
}

void layer_norm_backward_entry(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& w, int64_t n,
                               const Tensor& dx, const Tensor& dw, const Tensor& db) {
  each_float("layer_norm_backward", x.dtype(), [&]<class T>(Tag<T>) {
    T *wp = data_or_null<T>(dw), *bp = data_or_null<T>(db);
    if (!x.numel()) return clear(wp, n), clear(bp, n);
    cpu::layer_norm_backward_rows(dy.data<T>(), x.data<T>(), mean.data<Wide<T>>(), rstd.data<Wide<T>>(), data_or_null<T>(w), rows_of(x, n),
                                  n, data_or_null<T>(dx), wp, bp);
  });
}
const Provide provide_layer_norm_backward(DeviceType::CPU, &Kernels::layer_norm_backward, &layer_norm_backward_entry);

void rms_norm_entry(const Tensor& x, int64_t n, const Tensor& w, double eps, const Tensor& y, const Tensor& rstd) {
  if (!x.numel()) return;
  each_float("rms_norm", x.dtype(), [&]<class T>(Tag<T>) {
    cpu::rms_norm_rows(x.data<T>(), data_or_null<T>(w), rows_of(x, n), n, eps, y.data<T>(), rstd.data<Wide<T>>());
  });
}
const Provide provide_rms_norm(DeviceType::CPU, &Kernels::rms_norm, &rms_norm_entry);

void rms_norm_backward_entry(const Tensor& dy, const Tensor& x, const Tensor& rstd, const Tensor& w, int64_t n, const Tensor& dx,
                             const Tensor& dw) {
  each_float("rms_norm_backward", x.dtype(), [&]<class T>(Tag<T>) {
    T* wp = data_or_null<T>(dw);
    if (!x.numel()) return clear(wp, n);
    cpu::rms_norm_backward_rows(dy.data<T>(), x.data<T>(), rstd.data<Wide<T>>(), data_or_null<T>(w), rows_of(x, n), n, data_or_null<T>(dx),
                                wp);
  });
}
const Provide provide_rms_norm_backward(DeviceType::CPU, &Kernels::rms_norm_backward, &rms_norm_backward_entry);

void group_norm_entry(const Tensor& x, int64_t groups, const Tensor& w, const Tensor& b, double eps, const Tensor& y, const Tensor& mean,
                      const Tensor& rstd) {
  if (!x.numel()) return;
  const int64_t batch = x.size(0), channels = x.size(1);
  each_float("group_norm", x.dtype(), [&]<class T>(Tag<T>) {
    cpu::group_norm(x.data<T>(), data_or_null<T>(w), data_or_null<T>(b), batch, channels, x.numel() / (batch * channels), groups, eps,
                    y.data<T>(), mean.data<Wide<T>>(), rstd.data<Wide<T>>());
  });
}
const Provide provide_group_norm(DeviceType::CPU, &Kernels::group_norm, &group_norm_entry);

void group_norm_backward_entry(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& w, int64_t groups,
                               const Tensor& dx, const Tensor& dw, const Tensor& db) {
  const int64_t batch = x.size(0), channels = x.size(1);
  each_float("group_norm_backward", x.dtype(), [&]<class T>(Tag<T>) {
    T *wp = data_or_null<T>(dw), *bp = data_or_null<T>(db);
    if (!x.numel()) return clear(wp, channels), clear(bp, channels);
    cpu::group_norm_backward(dy.data<T>(), x.data<T>(), mean.data<Wide<T>>(), rstd.data<Wide<T>>(), data_or_null<T>(w), batch, channels,
                             x.numel() / (batch * channels), groups, data_or_null<T>(dx), wp, bp);
  });
}
const Provide provide_group_norm_backward(DeviceType::CPU, &Kernels::group_norm_backward, &group_norm_backward_entry);

// ---- batch norm: dense in one of the two orders -----------------------------------------------------------

cpu::Images images_of(const Tensor& x) {
  const int64_t batch = x.size(0), channels = x.size(1);
  return {batch, channels, batch && channels ? x.numel() / (batch * channels) : 0, !x.is_contiguous()};
}

void stats_entry(const Tensor& x, const Tensor& mean, const Tensor& variance) {
  each_float("batch_norm_stats", x.dtype(), [&]<class T>(Tag<T>) {
    if (!x.numel()) return clear(mean.data<Wide<T>>(), mean.numel()), clear(variance.data<Wide<T>>(), variance.numel());
    cpu::batch_norm_stats(x.data<T>(), images_of(x), mean.data<Wide<T>>(), variance.data<Wide<T>>());
  });
}
const Provide provide_stats(DeviceType::CPU, &Kernels::batch_norm_stats, &stats_entry);

void apply_entry(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& y) {
  if (!x.numel()) return;
  each_float("batch_norm_apply", x.dtype(), [&]<class T>(Tag<T>) {
    cpu::batch_norm_apply(x.data<T>(), images_of(x), scale.data<Wide<T>>(), shift.data<Wide<T>>(), y.data<T>());
  });
}
const Provide provide_apply(DeviceType::CPU, &Kernels::batch_norm_apply, &apply_entry);

void sums_entry(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& sum_dy, const Tensor& sum_dy_x) {
  each_float("batch_norm_sums", x.dtype(), [&]<class T>(Tag<T>) {
    if (!x.numel()) return clear(sum_dy.data<Wide<T>>(), sum_dy.numel()), clear(sum_dy_x.data<Wide<T>>(), sum_dy_x.numel());
    cpu::batch_norm_sums(dy.data<T>(), x.data<T>(), images_of(x), mean.data<Wide<T>>(), sum_dy.data<Wide<T>>(), sum_dy_x.data<Wide<T>>());
  });
}
const Provide provide_sums(DeviceType::CPU, &Kernels::batch_norm_sums, &sums_entry);

void dx_entry(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& mean_dy, const Tensor& slope, const Tensor& scale,
              const Tensor& dx) {
  if (!x.numel()) return;
  each_float("batch_norm_dx", x.dtype(), [&]<class T>(Tag<T>) {
    cpu::batch_norm_dx(dy.data<T>(), x.data<T>(), images_of(x), mean.data<Wide<T>>(), mean_dy.data<Wide<T>>(), slope.data<Wide<T>>(),
                       scale.data<Wide<T>>(), dx.data<T>());
  });
}
const Provide provide_dx(DeviceType::CPU, &Kernels::batch_norm_dx, &dx_entry);

}  // namespace
}  // namespace bolide
