// Map: errors against long double | edges | the same bits for every instruction set
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "core/math.h"
#include "cpu/isa.h"

using namespace bolide;

namespace {

// The error in units of the last place of the exact value; huge where one is NaN or infinite and the other not.
template <class T>
double ulps(T got, long double want) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : 1e9;
  if (std::isinf(T(want))) return got == T(want) ? 0 : 1e9;
  if (!std::isfinite(got)) return 1e9;
  int e = 0;
  std::frexp(want, &e);
  const int digits = std::numeric_limits<T>::digits, least = std::numeric_limits<T>::min_exponent - digits;
  return double(std::fabs(got - want) / std::ldexp(1.0L, std::max(e - digits, least)));
}

template <class T>
std::vector<T> arguments() {
  std::vector<T> x = {T(0), T(-0.0), T(1), T(-1), T(0.5), T(INFINITY), T(-INFINITY), T(NAN),
                      std::numeric_limits<T>::denorm_min(), std::numeric_limits<T>::min(), std::numeric_limits<T>::max(),
                      std::numeric_limits<T>::lowest()};
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> unit(-1, 1);
  for (int i = 0; i < 20000; ++i) {
    if constexpr (sizeof(T) == 4) x.push_back(__builtin_bit_cast(float, uint32_t(random())));
    else x.push_back(__builtin_bit_cast(double, uint64_t(random())));
    for (double scale : {1.0, 12.0, 100.0, 800.0}) x.push_back(T(unit(random) * scale));
    x.push_back(T(1 + unit(random) * 1e-3));
  }
  return x;
}

template <class T, class F, class R>
void check(const char* name, double limit, F f, R reference) {
  double worst = 0;
  T at = 0;
  for (T x : arguments<T>()) {
    const double u = ulps<T>(f(x), reference(static_cast<long double>(x)));
    if (u > worst) worst = u, at = x;
  }
  INFO(name << " at " << double(at) << ": " << double(f(at)));
  CHECK(worst < limit);
}

}  // namespace

#define CHECK_BOTH(name, float_limit, double_limit)                                                             \
  check<float>(#name, float_limit, [](float x) { return math::name(x); }, [](long double x) { return std::name(x); }); \
  check<double>(#name, double_limit, [](double x) { return math::name(x); }, [](long double x) { return std::name(x); })

TEST_CASE("errors stay within the stated units of the last place") {
  CHECK_BOTH(exp, 1.1, 1.1);
  CHECK_BOTH(exp2, 1.1, 1.1);
  CHECK_BOTH(expm1, 2, 2);
  CHECK_BOTH(log, 1, 1);
  CHECK_BOTH(log2, 1, 1.5);
  CHECK_BOTH(log10, 1, 2);
  CHECK_BOTH(log1p, 2, 2);
  CHECK_BOTH(tanh, 2.6, 2.6);
  CHECK_BOTH(sinh, 2.6, 2.6);
  CHECK_BOTH(cosh, 2, 2);
  CHECK_BOTH(erf, 1.5, 1.5);
  CHECK_BOTH(sin, 2, 1);
  CHECK_BOTH(cos, 2, 1);
  CHECK_BOTH(tan, 3.6, 1);
  CHECK_BOTH(asin, 2.6, 1);
  CHECK_BOTH(acos, 2, 1);
  CHECK_BOTH(atan, 2, 1);
}

TEST_CASE("sigmoid and exp_nonpositive, apart from results below the smallest normal number") {
  for (float x : arguments<float>()) {
    const long double want = 1 / (1 + std::exp(-static_cast<long double>(x)));
    if (!(want < 1.2e-38L)) CHECK(ulps(math::sigmoid(x), want) < 3);
    else CHECK(math::sigmoid(x) < 1.2e-38f);
    if (x > 0) continue;
    const long double e = std::exp(static_cast<long double>(x));
    if (!(e < 1.2e-38L)) CHECK(ulps(math::exp_nonpositive(x), e) < 1.1);
    else CHECK(math::exp_nonpositive(x) < 1.3e-38f);
  }
}

TEST_CASE("the normal distribution keeps the digits of small values") {
  for (float x = -13; x < 13; x += 0.0137f) {
    const long double want = std::erfc(-static_cast<long double>(x) / std::sqrt(2.0L)) / 2;
    CHECK(std::fabs(math::normal_cdf(x) / want - 1) < 4e-7 + 1.2e-7 * (x < -2 ? double(x) * x : 0));
    CHECK(ulps(math::normal_cdf(double(x)), want) < 400);
  }
  CHECK(math::normal_cdf(INFINITY) == 1.0f);
  CHECK(math::normal_cdf(-INFINITY) == 0.0f);
  CHECK(std::isnan(math::normal_cdf(NAN)));
  CHECK(math::normal_density(0.0f) == doctest::Approx(0.39894228f));
  CHECK(math::normal_density(INFINITY) == 0.0f);
}

TEST_CASE("signed zeros and limits") {
  for (float zero : {0.0f, -0.0f}) {
    const bool negative = std::signbit(zero);
    for (float y : {math::expm1(zero), math::log1p(zero), math::tanh(zero), math::sinh(zero), math::erf(zero),
                    math::sin(zero), math::tan(zero), math::asin(zero), math::atan(zero)}) {
      CHECK(y == 0.0f);
      CHECK(std::signbit(y) == negative);
    }
    CHECK(math::log(zero) == -INFINITY);
  }
  CHECK(math::tanh(INFINITY) == 1.0f);
  CHECK(math::tanh(-INFINITY) == -1.0f);
  CHECK(math::log1p(-1.0) == -INFINITY);
  CHECK(std::isnan(math::log1p(-1.5)));
  CHECK(std::isnan(math::sin(INFINITY)));
  CHECK(math::log10(1000.0f) == 3.0f);
  CHECK(math::log2(8.0f) == 3.0f);
  CHECK(math::logaddexp(INFINITY, INFINITY) == INFINITY);
  CHECK(math::logaddexp(-INFINITY, -INFINITY) == -INFINITY);
  CHECK(math::softplus(30.0f, 1.0f, 20.0f) == 30.0f);
}

TEST_CASE("pow is the C library's for special values and within a unit elsewhere") {
  const float special[] = {0,  -0.0f, 1,  -1,    2,     -2,   0.5f,       -0.5f,      3,          -3,     INFINITY,
                           -INFINITY, NAN, 1e30f, -1e30f, 1e-40f, -1e-40f, 16777215.0f, 16777216.0f, 8388607.0f};
  for (float x : special)
    for (float y : special) {
      const float got = math::pow(x, y), want = std::pow(x, y);
      INFO(x << " ** " << y << " = " << got << ", not " << want);
      if (std::isnan(want)) {
        CHECK(std::isnan(got));
      } else {
        CHECK(std::signbit(got) == std::signbit(want));
        CHECK(ulps<float>(got, static_cast<long double>(std::pow(double(x), double(y)))) < 1);
      }
    }
  std::mt19937 random(3);
  std::uniform_real_distribution<float> base(0, 50), exponent(-20, 20);
  for (int i = 0; i < 50000; ++i) {
    const float x = base(random), y = exponent(random);
    CHECK(ulps<float>(math::pow(x, y), std::pow(static_cast<long double>(x), static_cast<long double>(y))) < 1);
  }
}

namespace {

struct Results {
  std::vector<float> exp, log, tanh, erf, sin, pow;
};
[[gnu::always_inline]] inline void run(const std::vector<float>& x, Results& r) {
  const size_t n = x.size();
  r.exp.resize(n), r.log.resize(n), r.tanh.resize(n), r.erf.resize(n), r.sin.resize(n), r.pow.resize(n);
  for (size_t i = 0; i < n; ++i) r.exp[i] = math::exp(x[i]);
  for (size_t i = 0; i < n; ++i) r.log[i] = math::log(x[i]);
  for (size_t i = 0; i < n; ++i) r.tanh[i] = math::tanh(x[i]);
  for (size_t i = 0; i < n; ++i) r.erf[i] = math::erf(x[i]);
  for (size_t i = 0; i < n; ++i) r.sin[i] = math::sin(x[i]);
  for (size_t i = 0; i < n; ++i) r.pow[i] = math::pow(x[i], 1.7f);
}
[[gnu::noinline]] void run_baseline(const std::vector<float>& x, Results& r) { run(x, r); }
[[gnu::noinline, gnu::target(BOLIDE_TARGET_AVX2)]] void run_avx2(const std::vector<float>& x, Results& r) { run(x, r); }
[[gnu::noinline, gnu::target(BOLIDE_TARGET_AVX512)]] void run_avx512(const std::vector<float>& x, Results& r) { run(x, r); }

void same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (!(std::isnan(a[i]) && std::isnan(b[i]))) REQUIRE(__builtin_bit_cast(int, a[i]) == __builtin_bit_cast(int, b[i]));
}

}  // namespace

TEST_CASE("every instruction set gives the same bits") {
  const auto x = arguments<float>();
  Results base;
  run_baseline(x, base);
  for (auto [isa, f] : {std::pair(Isa::Avx2, &run_avx2), std::pair(Isa::Avx512, &run_avx512)}) {
    if (int(best_isa()) < int(isa)) continue;
    Results r;
    f(x, r);
    same_bits(r.exp, base.exp), same_bits(r.log, base.log), same_bits(r.tanh, base.tanh);
    same_bits(r.erf, base.erf), same_bits(r.sin, base.sin), same_bits(r.pow, base.pow);
  }
}
