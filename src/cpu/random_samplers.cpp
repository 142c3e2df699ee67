// Map: inverse transforms | poisson | binomial | gamma | multinomial
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "cpu/random.h"

namespace bolide::random {

namespace {

using Lock = std::lock_guard<std::mutex>;
constexpr double kPi = 3.14159265358979323846;

}  // namespace

// ---- inverse transforms: one 53-bit uniform per element, in double ------------------------------

template <class T>
void exponential(Generator& generator, T* out, int64_t n, double lambda) {
  const Lock lock(generator.mutex());
  for (int64_t i = 0; i < n; ++i) out[i] = T(-1.0 / lambda * std::log1p(-generator.uniform53()));
}

template <class T>
void geometric(Generator& generator, T* out, int64_t n, double p) {
  const Lock lock(generator.mutex());
  const double scale = std::log1p(-p);
  for (int64_t i = 0; i < n; ++i) out[i] = T(std::ceil(std::log(generator.uniform53()) / scale));
}

template <class T>
void cauchy(Generator& generator, T* out, int64_t n, double median, double sigma) {
  const Lock lock(generator.mutex());
  for (int64_t i = 0; i < n; ++i) {
    out[i] = T(std::fma(sigma, std::tan(kPi * (generator.uniform53() - 0.5)), median));
  }
}

template <class T>
void log_normal(Generator& generator, T* out, int64_t n, double mean, double std) {
  const Lock lock(generator.mutex());
  for (int64_t i = 0; i < n; ++i) out[i] = T(std::exp(std::fma(generator.normal(), std, mean)));
}

// ---- poisson: products of uniforms, or Hoermann's transformed rejection --------------------------

double sample_poisson(Generator& generator, double rate) {
  if (rate == 0) return 0;
  if (rate < 10) {
    const double limit = std::exp(-rate);
    double product = 1.0;
    for (int64_t count = 0;; ++count) {
      product *= generator.uniform53();
      if (product <= limit) return double(count);
    }
  }
  const double root = std::sqrt(rate), log_rate = std::log(rate);
  const double b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), limit = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const double u = generator.uniform53() - 0.5, v = generator.uniform53();
    const double us = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= limit) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    const double left = std::log(v) + std::log(inverse_alpha) - std::log(a / (us * us) + b);
    if (left <= -rate + k * log_rate - std::lgamma(k + 1)) return k;
  }
}

// ---- binomial: sums of geometrics, or transformed rejection ---------------------------------------

namespace {

// The error of Stirling's formula for log k!.
double stirling_tail(double k) {
  static constexpr double kTable[] = {0.0810614667953272,  0.0413406959554092,  0.0276779256849983,
                                      0.02079067210376509, 0.0166446911898211,  0.0138761288230707,
                                      0.0118967099458917,  0.0104112652619720,  0.00925546218271273,
                                      0.00833056343336287};
  if (k <= 9) return kTable[int(k)];
  const double square = (k + 1) * (k + 1);
  return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1);
}

double binomial_by_waiting(Generator& generator, double count, double p) {
  double waited = 0, successes = 0;
  for (;;) {
    waited += std::ceil(std::log(generator.uniform53()) / std::log1p(-p));
    if (waited > count) return successes;
    ++successes;
  }
}

double binomial_by_rejection(Generator& generator, double n, double p) {
  const double deviation = std::sqrt(n * p * (1 - p));
  const double b = 1.15 + 2.53 * deviation, a = -0.0873 + 0.0248 * b + 0.01 * p;
  const double center = n * p + 0.5, limit = 0.92 - 4.2 / b, odds = p / (1 - p);
  const double alpha = (2.83 + 5.1 / b) * deviation, m = std::floor((n + 1) * p);
  for (;;) {
    const double u = generator.uniform53() - 0.5;
    double v = generator.uniform53();
    const double us = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / us + b) * u + center);
    if (us >= 0.07 && v <= limit) return k;
    if (k < 0 || k > n) continue;
    v = std::log(v * alpha / (a / (us * us) + b));
    const double bound = (m + 0.5) * std::log((m + 1) / (odds * (n - m + 1))) +
                         (n + 1) * std::log((n - m + 1) / (n - k + 1)) +
                         (k + 0.5) * std::log(odds * (n - k + 1) / (k + 1)) + stirling_tail(m) +
                         stirling_tail(n - m) - stirling_tail(k) - stirling_tail(n - k);
    if (v <= bound) return k;
  }
}

}  // namespace

double sample_binomial(Generator& generator, double count, double p) {
  if (count <= 0 || p <= 0) return 0;
  if (p >= 1) return count;
  if (p > 0.5) return count - sample_binomial(generator, count, 1 - p);
  if (std::isnan(count) || std::isnan(p)) return std::numeric_limits<double>::quiet_NaN();
  if (count * p < 10) return binomial_by_waiting(generator, count, p);
  return binomial_by_rejection(generator, count, p);
}

// ---- gamma: Marsaglia and Tsang ---------------------------------------------------------------

namespace {

template <class A>
double gamma_of(Generator& generator, A alpha) {
  double scale = 1.0;
  if (alpha < 1) {
    if (alpha == 0) return 0;
    scale = std::pow(1.0 - generator.uniform53(), double(A(1) / alpha));
    alpha += 1;
  }
  const double d = alpha - A(1.0f / 3.0f), c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    double x, y;
    do {
      x = generator.normal();
      y = 1.0 + c * x;
    } while (y <= 0);
    const double v = y * y * y, u = 1.0 - generator.uniform53(), square = x * x;
    if (u < 1.0 - double(0.0331f) * square * square ||
        std::log(u) < 0.5 * square + d * (1.0 - v + std::log(v))) {
      return scale * d * v;
    }
  }
}

}  // namespace

double sample_gamma(Generator& generator, float alpha) { return gamma_of(generator, alpha); }
double sample_gamma(Generator& generator, double alpha) { return gamma_of(generator, alpha); }

// ---- multinomial with replacement: binary search in the running sums -----------------------------

template <class P>
void multinomial_row(Generator& generator, const P* probabilities, int64_t n, int64_t* out, int64_t samples) {
  using Sum = std::conditional_t<std::is_same_v<P, double>, double, float>;
  std::vector<Sum> sums(static_cast<size_t>(n));
  Sum total = 0;
  for (int64_t i = 0; i < n; ++i) sums[size_t(i)] = total += Sum(probabilities[i]);
  for (Sum& sum : sums) sum /= total;
  if (n > 0) sums.back() = 1;
  const auto less = [](Sum entry, double x) { return double(entry) < x; };
  const Lock lock(generator.mutex());
  for (int64_t s = 0; s < samples; ++s) {
    const double u = generator.uniform53();
    out[s] = std::lower_bound(sums.begin(), sums.end(), u, less) - sums.begin();
  }
}

// ---- instances -------------------------------------------------------------------------------

#define BOLIDE_INSTANCE(T)                                                  \
  template void exponential<T>(Generator&, T*, int64_t, double);            \
  template void cauchy<T>(Generator&, T*, int64_t, double, double);         \
  template void log_normal<T>(Generator&, T*, int64_t, double, double);     \
  template void geometric<T>(Generator&, T*, int64_t, double);              \
  template void multinomial_row<T>(Generator&, const T*, int64_t, int64_t*, int64_t);
BOLIDE_INSTANCE(float)
BOLIDE_INSTANCE(double)
BOLIDE_INSTANCE(Half)
BOLIDE_INSTANCE(BFloat16)
#undef BOLIDE_INSTANCE

#define BOLIDE_INSTANCE(T) template void geometric<T>(Generator&, T*, int64_t, double);
BOLIDE_INSTANCE(uint8_t)
BOLIDE_INSTANCE(int8_t)
BOLIDE_INSTANCE(int16_t)
BOLIDE_INSTANCE(int32_t)
BOLIDE_INSTANCE(int64_t)
#undef BOLIDE_INSTANCE

}  // namespace bolide::random
