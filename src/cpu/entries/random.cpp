// The kernel table's random numbers on the CPU.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/kernels.h"
#include "cpu/random.h"

namespace bolide {
namespace {

Generator& chosen(Generator* g) { return g ? *g : default_generator(); }

/// The dimensions from the slowest to the fastest in memory.
std::vector<size_t> memory_order(const Tensor& t) {
  std::vector<size_t> order;
  for (size_t d = 0; d < t.sizes().size(); ++d)
    if (t.sizes()[d] != 1) order.push_back(d);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return t.strides()[a] > t.strides()[b]; });
  return order;
}
bool dense(const Tensor& t, const std::vector<size_t>& order) {
  int64_t step = 1;
  for (size_t k = order.size(); k-- > 0; step *= t.sizes()[order[k]])
    if (t.strides()[order[k]] != step) return false;
  return true;
}
/// Lays n elements out over t in the order of its memory.
void spread(const Tensor& t, const std::vector<size_t>& order, const char* from) {
  const auto item = static_cast<size_t>(t.itemsize());
  std::vector<int64_t> at(order.size(), 0);
  int64_t offset = 0;
  for (int64_t i = 0; i < t.numel(); ++i, from += item) {
    std::memcpy(t.raw() + offset * t.itemsize(), from, item);
    for (size_t k = order.size(); k-- > 0;) {
      offset += t.strides()[order[k]];
      if (++at[k] < t.sizes()[order[k]]) break;
      offset -= t.strides()[order[k]] * t.sizes()[order[k]];
      at[k] = 0;
    }
  }
}
/// fill(Tag<T>{}, pointer, count) for flat memory, t's own where it has no gaps.
template <class List, class F>
void fill_memory(const char* op, const Tensor& t, F&& fill) {
  if (!t.numel()) return;
  const int64_t n = t.numel() * (is_complex(t.dtype()) ? 2 : 1);
  dispatch<List>(op, real_of(t.dtype()), [&]<class T>(Tag<T> tag) {
    const auto order = memory_order(t);
    if (dense(t, order)) return fill(tag, t.data<T>(), n);
    const Tensor flat = Tensor::make({t.numel()}, t.dtype());
    fill(tag, flat.data<T>(), n);
    spread(t, order, flat.raw());
  });
}

void fill_entry(Fill which, const Tensor& self, double a, double b, Generator* generator) {
  using Reals = Join<Floats, Halves>;
  Generator& g = chosen(generator);
  switch (which) {
    case Fill::Uniform:
      return fill_memory<Reals>("uniform_", self, [&]<class T>(Tag<T>, T* p, int64_t n) { random::uniform<T>(g, p, n, a, b); });
    case Fill::Normal:
      return fill_memory<Reals>("normal_", self, [&]<class T>(Tag<T>, T* p, int64_t n) {
        const double std = is_complex(self.dtype()) ? b / std::sqrt(2.0) : b;
        if (self.is_contiguous()) random::normal<T>(g, p, n, a, std);
        else random::normal_scalar<T>(g, p, n, a, std);
      });
    case Fill::Bernoulli:
      return fill_memory<RealTypes>("bernoulli_", self, [&]<class T>(Tag<T>, T* p, int64_t n) { random::bernoulli<T>(g, p, n, a, T(1)); });
    case Fill::Exponential:
      return fill_memory<Reals>("exponential_", self, [&]<class T>(Tag<T>, T* p, int64_t n) { random::exponential<T>(g, p, n, a); });
    case Fill::Geometric:
      return fill_memory<Join<Ints, Reals>>("geometric_", self, [&]<class T>(Tag<T>, T* p, int64_t n) { random::geometric<T>(g, p, n, a); });
    case Fill::Cauchy:
      return fill_memory<Reals>("cauchy_", self, [&]<class T>(Tag<T>, T* p, int64_t n) { random::cauchy<T>(g, p, n, a, b); });
    case Fill::LogNormal:
      return fill_memory<Reals>("log_normal_", self, [&]<class T>(Tag<T>, T* p, int64_t n) { random::log_normal<T>(g, p, n, a, b); });
    case Fill::Integers:
      return fill_memory<RealTypes>("random_", self, [&]<class T>(Tag<T>, T* p, int64_t n) { random::integers_full<T>(g, p, n); });
  }
}
const Provide provide_fill(DeviceType::CPU, &Kernels::random_fill, &fill_entry);

void range_entry(const Tensor& self, int64_t from, uint64_t range, Generator* g) {
  fill_memory<RealTypes>("random_", self, [&]<class T>(Tag<T>, T* p, int64_t n) { random::integers<T>(chosen(g), p, n, range, from); });
}
const Provide provide_range(DeviceType::CPU, &Kernels::random_range, &range_entry);

/// A gamma of shape `alpha`, no smaller than the type's smallest normal number.
template <class T>
T gamma_draw(Generator& g, T alpha) {
  using A = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const A least = std::is_same_v<T, Half> ? A(6.103515625e-05) : A(std::numeric_limits<A>::min());
  return T(static_cast<A>(std::max(double(least), random::sample_gamma(g, A(alpha)))));
}

void draw_entry(Draw which, const Tensor& a, const Tensor& b, const Tensor& out, Generator* generator) {
  Generator& g = chosen(generator);
  const int64_t n = out.numel();
  dispatch<Join<Floats, Halves>>("random_draw", a.dtype(), [&]<class T>(Tag<T>) {
    const T* p = a.data<T>();
    if (which == Draw::Bernoulli) {
      dispatch<RealTypes>("bernoulli_tensor_cpu_self_", out.dtype(), [&]<class R>(Tag<R>) { random::bernoulli_each<R, T>(g, out.data<R>(), p, n); });
      return;
    }
    const std::lock_guard<std::mutex> lock(g.mutex());
    T* r = out.data<T>();
    for (int64_t i = 0; i < n; ++i) {
      if (which == Draw::Poisson) r[i] = T(random::sample_poisson(g, double(p[i])));
      else if (which == Draw::Gamma) r[i] = gamma_draw(g, p[i]);
      else r[i] = T(random::sample_binomial(g, double(p[i]), double(b.data<T>()[i])));
    }
  });
}
const Provide provide_draw(DeviceType::CPU, &Kernels::random_draw, &draw_entry);

void multinomial_entry(const Tensor& p, const Tensor& out, Generator* g) {
  const int64_t categories = p.size(-1), samples = out.size(-1), rows = p.numel() / std::max<int64_t>(categories, 1);
  dispatch<Join<Floats, Halves>>("multinomial", p.dtype(), [&]<class T>(Tag<T>) {
    for (int64_t r = 0; r < rows; ++r)
      random::multinomial_row(chosen(g), p.data<T>() + r * categories, categories, out.data<int64_t>() + r * samples, samples);
  });
}
const Provide provide_multinomial(DeviceType::CPU, &Kernels::multinomial, &multinomial_entry);

void randperm_entry(const Tensor& self, Generator* g) { random::randperm<int64_t>(chosen(g), self.data<int64_t>(), self.numel()); }
const Provide provide_randperm(DeviceType::CPU, &Kernels::randperm, &randperm_entry);

}  // namespace
}  // namespace bolide
