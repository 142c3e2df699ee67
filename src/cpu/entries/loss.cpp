// The kernel table's class losses on the CPU: negative log-likelihood and fused cross entropy.
#include <cmath>
#include <cstring>
#include <vector>

#include "cpu/entries/shared.h"
#include "cpu/kernels/rows.h"
#include "cpu/pool.h"

namespace bolide {
namespace {

template <class T> using Wide = cpu::Compute<T>;

void check_targets(const int64_t* t, int64_t n, int64_t classes, int64_t ignore_index) {
  for (int64_t i = 0; i < n; ++i)
    if ((t[i] < 0 || t[i] >= classes) && t[i] != ignore_index) [[unlikely]]
      fail<IndexError>("Target ", t[i], " is out of bounds.");
}

/// [n, classes, inner] of log-probabilities by their targets.
struct Classes {
  int64_t n, classes, inner;
  Classes(const Tensor& x, const Tensor& target) {
    const int64_t dim = x.dim() > 1 ? 1 : 0;
    classes = x.size(dim);
    n = dim ? x.size(0) : 1;
    inner = n ? target.numel() / n : 0;
  }
  int64_t targets() const { return n * inner; }
};

template <class T>
std::vector<Wide<T>> widened(const Tensor& weight) {
  std::vector<Wide<T>> w;
  if (weight.defined())
    for (int64_t i = 0; i < weight.numel(); ++i) w.push_back(static_cast<Wide<T>>(weight.data<T>()[i]));
  return w;
}

/// What the weights of all targets add up to.
template <class A>
double total_of(const int64_t* t, int64_t n, const std::vector<A>& w, int64_t ignore_index) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i)
    if (t[i] != ignore_index) total += w.empty() ? 1.0 : static_cast<double>(w[static_cast<size_t>(t[i])]);
  return total;
}

/// Stores losses, one each or reduced, and the total weight.
template <class T>
void finish(const std::vector<Wide<T>>& each, int64_t reduction, double total, const Tensor& loss, const Tensor& total_weight) {
  const auto n = static_cast<int64_t>(each.size());
  *total_weight.data<T>() = T(static_cast<Wide<T>>(reduction == 0 ? 0 : total));
  if (reduction == 0) {
    for (int64_t i = 0; i < n; ++i) loss.data<T>()[i] = T(each[static_cast<size_t>(i)]);
    return;
  }
  const double sum = n ? static_cast<double>(cpu::sum_all(each.data(), n)) : 0;
  *loss.data<T>() = T(static_cast<Wide<T>>(reduction == 1 ? sum / total : sum));
}

void nll_entry(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction, int64_t ignore_index,
               const Tensor& loss, const Tensor& total_weight) {
  const Classes s(x, target);
  const int64_t* t = target.data<int64_t>();
  check_targets(t, s.targets(), s.classes, ignore_index);
  each_float("nll_loss_out_frame", x.dtype(), [&]<class T>(Tag<T>) {
    const auto w = widened<T>(weight);
    std::vector<Wide<T>> each(static_cast<size_t>(s.targets()));
    const T* p = x.data<T>();
    parallel_for(0, s.targets(), 16384, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        if (t[i] == ignore_index) continue;
        const auto v = static_cast<Wide<T>>(p[(i / s.inner * s.classes + t[i]) * s.inner + i % s.inner]);
        each[static_cast<size_t>(i)] = w.empty() ? -v : -v * w[static_cast<size_t>(t[i])];
      }
    });
    finish<T>(each, reduction, total_of(t, s.targets(), w, ignore_index), loss, total_weight);
  });
}
const Provide provide_nll(DeviceType::CPU, &Kernels::nll_loss, &nll_entry);

/// The gradient of each target's log-probability: minus dy times the weight, over the total weight for means.
template <class T>
std::vector<Wide<T>> target_scales(const Tensor& dy, const int64_t* t, int64_t n, const Tensor& weight, int64_t reduction,
                                   int64_t ignore_index, const Tensor& total_weight) {
  const auto w = widened<T>(weight);
  std::vector<Wide<T>> scale(static_cast<size_t>(n));
  const T* g = dy.data<T>();
  const Wide<T> over = reduction == 1 ? static_cast<Wide<T>>(*total_weight.data<T>()) : Wide<T>(1);
  for (int64_t i = 0; i < n; ++i) {
    if (t[i] == ignore_index) continue;
    const Wide<T> one = static_cast<Wide<T>>(g[reduction ? 0 : i]);
    scale[static_cast<size_t>(i)] = (w.empty() ? one : one * w[static_cast<size_t>(t[i])]) / over;
  }
  return scale;
}

void nll_backward_entry(const Tensor& dy, const Tensor& target, const Tensor& weight, int64_t reduction, int64_t ignore_index,
                        const Tensor& total_weight, const Tensor& dx) {
  const Classes s(dx, target);
  const int64_t* t = target.data<int64_t>();
  check_targets(t, s.targets(), s.classes, ignore_index);
  std::memset(dx.raw(), 0, static_cast<size_t>(dx.numel() * dx.itemsize()));
  each_float("nll_loss_backward_out_frame", dx.dtype(), [&]<class T>(Tag<T>) {
    const auto scale = target_scales<T>(dy, t, s.targets(), weight, reduction, ignore_index, total_weight);
    T* p = dx.data<T>();
    for (int64_t i = 0; i < s.targets(); ++i)
      if (t[i] != ignore_index)
        p[(i / s.inner * s.classes + t[i]) * s.inner + i % s.inner] = T(-scale[static_cast<size_t>(i)]);
  });
}
const Provide provide_nll_backward(DeviceType::CPU, &Kernels::nll_loss_backward, &nll_backward_entry);

void cross_entropy_entry(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction, int64_t ignore_index,
                         const Tensor& loss, const Tensor& lse, const Tensor& total_weight) {
  const Classes s(x, target);
  const int64_t* t = target.data<int64_t>();
  check_targets(t, s.n, s.classes, ignore_index);
  each_float("cross_entropy", x.dtype(), [&]<class T>(Tag<T>) {
    const auto w = widened<T>(weight);
    std::vector<Wide<T>> each(static_cast<size_t>(s.n));
    cpu::cross_entropy_rows(x.data<T>(), t, w.empty() ? nullptr : w.data(), ignore_index, s.n, s.classes, each.data(),
                                lse.data<Wide<T>>());
    finish<T>(each, reduction, total_of(t, s.n, w, ignore_index), loss, total_weight);
  });
}
const Provide provide_cross_entropy(DeviceType::CPU, &Kernels::cross_entropy, &cross_entropy_entry);

void cross_entropy_backward_entry(const Tensor& dy, const Tensor& x, const Tensor& lse, const Tensor& target,
                                  const Tensor& weight, int64_t reduction, int64_t ignore_index, const Tensor& total_weight,
                                  const Tensor& dx) {
  const Classes s(x, target);
  const int64_t* t = target.data<int64_t>();
  check_targets(t, s.n, s.classes, ignore_index);
  each_float("cross_entropy_backward", x.dtype(), [&]<class T>(Tag<T>) {
    const auto scale = target_scales<T>(dy, t, s.n, weight, reduction, ignore_index, total_weight);
    cpu::cross_entropy_backward_rows(x.data<T>(), lse.data<Wide<T>>(), t, scale.data(), s.n, s.classes, dx.data<T>());
  });
}
const Provide provide_cross_entropy_backward(DeviceType::CPU, &Kernels::cross_entropy_backward, &cross_entropy_backward_entry);

}  // namespace
}  // namespace bolide
