// The kernel table's pooling on the CPU.
#include "cpu/entries/shared.h"
#include "cpu/kernels/pooling.h"

namespace bolide {
namespace {

using Numbers = Join<Ints, Floats, Halves>;

void max_entry(const PoolShape& s, const Tensor& x, const Tensor& y, const Tensor& indices) {
  dispatch<Numbers>("max_pool", x.dtype(), [&]<class T>(Tag<T>) {
    cpu::max_pool(x.data<T>(), s, y.data<T>(), data_or_null<int64_t>(indices));
  });
}
const Provide provide_max(DeviceType::CPU, &Kernels::max_pool, &max_entry);

void adaptive_max_entry(const PoolShape& s, const Tensor& x, const Tensor& y, const Tensor& indices) {
  each_float("adaptive_max_pool", x.dtype(), [&]<class T>(Tag<T>) {
    cpu::adaptive_max_pool(x.data<T>(), s, y.data<T>(), data_or_null<int64_t>(indices));
  });
}
const Provide provide_adaptive_max(DeviceType::CPU, &Kernels::adaptive_max_pool, &adaptive_max_entry);

void fractional_max_entry(const PoolShape& s, const Tensor& x, const Tensor& samples, const Tensor& y, const Tensor& indices) {
  each_float("fractional_max_pool", x.dtype(), [&]<class T>(Tag<T>) {
    cpu::fractional_max_pool(x.data<T>(), samples.data<T>(), static_cast<int>(samples.size(2)), s, y.data<T>(), indices.data<int64_t>());
  });
}
const Provide provide_fractional_max(DeviceType::CPU, &Kernels::fractional_max_pool, &fractional_max_entry);

void scatter_entry(const PoolShape& s, const Tensor& x, const Tensor& indices, bool add, const Tensor& y) {
  dispatch<Numbers>("pool_scatter", x.dtype(), [&]<class T>(Tag<T>) {
    cpu::pool_scatter(x.data<T>(), indices.data<int64_t>(), s, add, y.data<T>());
  });
}
const Provide provide_scatter(DeviceType::CPU, &Kernels::pool_scatter, &scatter_entry);

void gather_entry(const PoolShape& s, const Tensor& x, const Tensor& indices, const Tensor& y) {
  dispatch<Numbers>("pool_gather", x.dtype(), [&]<class T>(Tag<T>) {
    cpu::pool_gather(x.data<T>(), indices.data<int64_t>(), s, y.data<T>());
  });
}
const Provide provide_gather(DeviceType::CPU, &Kernels::pool_gather, &gather_entry);

void avg_entry(const PoolShape& s, const Tensor& x, bool count_pad, int64_t divisor, const Tensor& y) {
  dispatch<Join<Floats, Halves, Types<int64_t>>>("avg_pool", x.dtype(), [&]<class T>(Tag<T>) {
    cpu::avg_pool(x.data<T>(), s, count_pad, divisor, y.data<T>());
  });
}
const Provide provide_avg(DeviceType::CPU, &Kernels::avg_pool, &avg_entry);

void avg_backward_entry(const PoolShape& s, const Tensor& dy, bool count_pad, int64_t divisor, const Tensor& dx) {
  dispatch<Join<Floats, Halves, Types<int64_t>>>("avg_pool_backward", dy.dtype(), [&]<class T>(Tag<T>) {
    cpu::avg_pool_backward(dy.data<T>(), s, count_pad, divisor, dx.data<T>());
  });
}
const Provide provide_avg_backward(DeviceType::CPU, &Kernels::avg_pool_backward, &avg_backward_entry);

void adaptive_avg_entry(const PoolShape& s, const Tensor& x, const Tensor& y) {
  each_float("adaptive_avg_pool", x.dtype(), [&]<class T>(Tag<T>) { cpu::adaptive_avg_pool(x.data<T>(), s, y.data<T>()); });
}
const Provide provide_adaptive_avg(DeviceType::CPU, &Kernels::adaptive_avg_pool, &adaptive_avg_entry);

void adaptive_avg_backward_entry(const PoolShape& s, const Tensor& dy, const Tensor& dx) {
  each_float("adaptive_avg_pool_backward", dy.dtype(), [&]<class T>(Tag<T>) {
    cpu::adaptive_avg_pool_backward(dy.data<T>(), s, dx.data<T>());
  });
}
const Provide provide_adaptive_avg_backward(DeviceType::CPU, &Kernels::adaptive_avg_pool_backward, &adaptive_avg_backward_entry);

}  // namespace
}  // namespace bolide
