// Map: shared pieces | exp family | log family | tanh, sigmoid, hyperbolic | erf | normal distribution | sin, cos, tan | inverse
//      trigonometric | pow | activations
//
// Scalar functions without branches: inlined into a loop inside a function built for AVX2 or AVX-512 they
// vectorise. They use multiplications and additions only, never a fused step, so every instruction set gives
// the same bits, unless a loop lets the compiler fuse them (iter/pointwise.h). Polynomials are near-minimax on the reduced interval. Errors: float about 1 ulp (tanh, log1p,
// sinh: 2), double about 1 ulp for exp, expm1, log, log1p, 2 for tanh; what is missing here for double comes
// from the C library. Infinities, NaN, signed zeros and subnormal arguments and results are right.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/math_table.h"

#define BOLIDE_MATH [[gnu::always_inline]] inline

namespace bolide::math {

namespace detail {

BOLIDE_MATH int32_t bits(float x) { return __builtin_bit_cast(int32_t, x); }
BOLIDE_MATH int64_t bits(double x) { return __builtin_bit_cast(int64_t, x); }
BOLIDE_MATH float from_bits(int32_t x) { return __builtin_bit_cast(float, x); }
BOLIDE_MATH float from_bits(uint32_t x) { return __builtin_bit_cast(float, x); }
BOLIDE_MATH double from_bits(int64_t x) { return __builtin_bit_cast(double, x); }
BOLIDE_MATH double from_bits(uint64_t x) { return __builtin_bit_cast(double, x); }

// Added and subtracted again, these round to the nearest integer, which then sits in the low bits.
inline constexpr float kRoundF = 12582912.0f;           // 1.5 * 2^23
inline constexpr double kRoundD = 6755399441055744.0;   // 1.5 * 2^52

// 2^n for integral n of -126..127 (double: -1022..1023).
BOLIDE_MATH float power_of_two(float n) { return from_bits(uint32_t(bits(n + (kRoundF + 127.0f))) << 23); }
BOLIDE_MATH double power_of_two(double n) { return from_bits(uint64_t(bits(n + (kRoundD + 1023.0))) << 52); }
BOLIDE_MATH float round_even(float x) { return (x + kRoundF) - kRoundF; }
BOLIDE_MATH double round_even(double x) { return (x + kRoundD) - kRoundD; }

BOLIDE_MATH float absolute(float x) { return __builtin_fabsf(x); }
BOLIDE_MATH double absolute(double x) { return __builtin_fabs(x); }
BOLIDE_MATH float with_sign(float x, float sign) { return __builtin_copysignf(x, sign); }
BOLIDE_MATH double with_sign(double x, double sign) { return __builtin_copysign(x, sign); }
BOLIDE_MATH float square_root(float x) { return __builtin_sqrtf(x); }
BOLIDE_MATH double square_root(double x) { return __builtin_sqrt(x); }

template <class T> inline constexpr T kInfinity = T(__builtin_inf());
template <class T> inline constexpr T kNan = T(__builtin_nan(""));
// Below this log1p(x) and expm1(x) round to x.
template <class T> inline constexpr T kTiny = sizeof(T) == 4 ? T(2e-8) : T(5e-17);

// x = n ln 2 + r with |r| <= ln(2)/2; the first product is exact.
struct ReducedF { float n, r; };
struct ReducedD { double n, r; };
BOLIDE_MATH ReducedF reduce_exp(float x) {
  const float n = round_even(x * 1.44269504f);
  return {n, (x - n * 0.693145752f) - n * 1.42860677e-6f};
}
BOLIDE_MATH ReducedD reduce_exp(double x) {
  const double n = round_even(x * 1.4426950408889634);
  return {n, (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10};
}

// exp(r) - 1 - r on |r| <= ln(2)/2
BOLIDE_MATH float exp_tail(float r) {
  const float z = r * r;
  const float low = 0.166665763f * r + 0.5f;
  const float high = 0.00836323295f * r + 0.0416665524f;
  return ((0.00139262504f * z + high) * z + low) * z;
}
BOLIDE_MATH double exp_tail(double r) {
  const double z = r * r, z2 = z * z;
  const double a = 0.16666666666666671 * r + 0.5;
  const double b = 0.0083333333333260838 * r + 0.041666666666666671;
  const double c = 0.00019841269875002279 * r + 0.0013888888888883711;
  const double d = 2.7557255170000888e-06 * r + 2.4801587325677461e-05;
  const double e = 2.5105312729622103e-08 * r + 2.7557273478718582e-07;
  const double high = (2.0914755325893202e-09 * z + e) * z2 + (d * z + c);
  return ((high * z2) + (b * z + a)) * z;
}

// p 2^n in two steps, so that neither overflows early and a subnormal result is rounded once.
template <class T>
BOLIDE_MATH T scale(T p, T n) {
  const T half = round_even(n * T(0.5));
  return (p * power_of_two(half)) * power_of_two(n - half);
}

BOLIDE_MATH float clamp_exp(float x) {
  x = x > 90.0f ? 90.0f : x;
  return x < -104.0f ? -104.0f : x;
}
BOLIDE_MATH double clamp_exp(double x) {
  x = x > 711.0 ? 711.0 : x;
  return x < -746.0 ? -746.0 : x;
}

// exp(x) 2^shift
template <class T>
BOLIDE_MATH T exp_shifted(T x, T shift) {
  const auto [n, r] = reduce_exp(clamp_exp(x));
  return scale(exp_tail(r) + r + T(1), n + shift);
}

template <class T>
BOLIDE_MATH T expm1_any(T x) {
  constexpr T kTop = sizeof(T) == 4 ? T(89) : T(710);
  const auto [n, r] = reduce_exp(clamp_exp(x > kTop ? kTop : x));
  const T p = exp_tail(r) + r;
  const T half = power_of_two(n - T(1) < T(-64) ? T(-64) : n - T(1));  // half of 2^n: n may be one too large
  const T result = ((half * p) + (half - T(0.5))) * T(2);
  return absolute(x) < kTiny<T> ? x : result;
}

}  // namespace detail

// ---- exp family ----------------------------------------------------------------------------------------

BOLIDE_MATH float exp(float x) { return detail::exp_shifted(x, 0.0f); }
BOLIDE_MATH double exp(double x) { return detail::exp_shifted(x, 0.0); }

// exp(x) for x <= 0 with results below the smallest normal number flushed to 0: for softmax and its like, where
// they are added to 1. NaN passes.
BOLIDE_MATH float exp_nonpositive(float x) {
  const float c = x < -87.3365448f ? -87.3365448f : x;
  const auto [n, r] = detail::reduce_exp(c);
  const float e = (detail::exp_tail(r) + r + 1.0f) * detail::power_of_two(n);
  return x < -87.3365448f ? 0.0f : e;
}
BOLIDE_MATH double exp_nonpositive(double x) {
  const double c = x < -708.39641853226408 ? -708.39641853226408 : x;
  const auto [n, r] = detail::reduce_exp(c);
  const double e = (detail::exp_tail(r) + r + 1.0) * detail::power_of_two(n);
  return x < -708.39641853226408 ? 0.0 : e;
}

BOLIDE_MATH float exp2(float x) {
  x = x > 129.0f ? 129.0f : x;
  x = x < -151.0f ? -151.0f : x;
  const float n = detail::round_even(x), r = (x - n) * 0.693147181f;
  return detail::scale(detail::exp_tail(r) + r + 1.0f, n);
}
BOLIDE_MATH double exp2(double x) {
  x = x > 1025.0 ? 1025.0 : x;
  x = x < -1076.0 ? -1076.0 : x;
  const double n = detail::round_even(x), r = (x - n) * 0.69314718055994531;
  return detail::scale(detail::exp_tail(r) + r + 1.0, n);
}

BOLIDE_MATH float expm1(float x) { return detail::expm1_any(x); }
BOLIDE_MATH double expm1(double x) { return detail::expm1_any(x); }

// ---- log family ----------------------------------------------------------------------------------------

namespace detail {

// log of a positive number (subnormals included) that is neither infinite nor NaN
BOLIDE_MATH float log_finite(float x) {
  const bool tiny = x < 1.17549435e-38f;
  const int32_t b = bits(tiny ? x * 8388608.0f : x) - 0x3f3504f3;
  const float e = float(b >> 23) - (tiny ? 23.0f : 0.0f);
  const float f = from_bits((b & 0x7fffff) + 0x3f3504f3) - 1.0f;
  const float z = f * f;
  const float p0 = -0.24999997f * f + 0.333333313f, p1 = -0.166678026f * f + 0.200007156f;
  const float p2 = -0.124256872f * f + 0.142490581f, p3 = -0.114797339f * f + 0.116854198f;
  const float p = (((0.0697161183f * z + p3) * z + p2) * z + p1) * z + p0;
  const float tail = (p * f * z + e * 1.42860677e-6f) - 0.5f * z;
  return (f + tail) + e * 0.693145752f;
}
BOLIDE_MATH double log_finite(double x) {
  const bool tiny = x < 2.2250738585072014e-308;
  const uint64_t b = uint64_t(bits(tiny ? x * 18014398509481984.0 : x)) + (0x3ff0000000000000 - 0x3fe6a09e00000000);
  // The exponent as a double without a 64-bit conversion: set below 2^52 and subtracted again.
  const double biased = from_bits((b >> 52) | 0x4330000000000000u) - (4503599627370496.0 + 1023.0);
  const double e = biased - (tiny ? 54.0 : 0.0);
  const double f = from_bits((b & 0x000fffffffffffffu) + 0x3fe6a09e00000000u) - 1.0;
  const double s = f / (2.0 + f), z = s * s, w = z * z;
  const double even = (0.15331721600556042 * w + 0.22222211134795081) * w + 0.39999999999899505;
  const double odd = ((0.14616449685043406 * w + 0.18182889125261723) * w + 0.28571428625975487) * w + 0.66666666666666696;
  const double r = z * (odd + z * even), h = 0.5 * f * f;
  return e * 6.93147180369123816490e-01 - ((h - (s * (h + r) + e * 1.90821492927058770002e-10)) - f);
}

template <class T>
BOLIDE_MATH T log_special(T x, T result) {
  result = x > T(0) ? result : (x == T(0) ? -kInfinity<T> : kNan<T>);
  return x == kInfinity<T> ? x : result;
}

// The rounding error of 1 + x, over 1 + x, is what log(1 + x) misses.
template <class T>
BOLIDE_MATH T log1p_any(T x) {
  const T u = T(1) + x;
  const T missed = (x - (u - T(1))) / u;
  const T result = log_special(u, log_finite(u));
  return absolute(result) < kInfinity<T> ? (absolute(x) < kTiny<T> ? x : result + missed) : result;
}

}  // namespace detail

BOLIDE_MATH float log(float x) { return detail::log_special(x, detail::log_finite(x)); }
BOLIDE_MATH double log(double x) { return detail::log_special(x, detail::log_finite(x)); }
BOLIDE_MATH float log2(float x) { return float(log(double(x)) * 1.4426950408889634); }
BOLIDE_MATH float log10(float x) { return float(log(double(x)) * 0.43429448190325182); }
BOLIDE_MATH double log2(double x) { return __builtin_log2(x); }
BOLIDE_MATH double log10(double x) { return __builtin_log10(x); }
BOLIDE_MATH float log1p(float x) { return detail::log1p_any(x); }
BOLIDE_MATH double log1p(double x) { return detail::log1p_any(x); }

// ---- tanh, sigmoid, hyperbolic -------------------------------------------------------------------------

namespace detail {

template <class T>
BOLIDE_MATH T tanh_any(T x) {
  const T a = absolute(x), t = expm1_any(T(2) * (a > T(20) ? T(20) : a));
  return with_sign(t / (t + T(2)), x);
}
template <class T>
BOLIDE_MATH T sinh_any(T x) {
  const T a = absolute(x), t = expm1_any(a);
  const T small = T(0.5) * (t + t / (t + T(1)));
  return with_sign(a > T(20) ? exp_shifted(a, T(-1)) : small, x);
}
template <class T>
BOLIDE_MATH T cosh_any(T x) {
  const T half = exp_shifted(absolute(x), T(-1));
  return half + T(0.25) / half;
}

}  // namespace detail

BOLIDE_MATH float tanh(float x) { return detail::tanh_any(x); }
BOLIDE_MATH double tanh(double x) { return detail::tanh_any(x); }
BOLIDE_MATH float sinh(float x) { return detail::sinh_any(x); }
BOLIDE_MATH double sinh(double x) { return detail::sinh_any(x); }
BOLIDE_MATH float cosh(float x) { return detail::cosh_any(x); }
BOLIDE_MATH double cosh(double x) { return detail::cosh_any(x); }
BOLIDE_MATH float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }
BOLIDE_MATH double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }
BOLIDE_MATH float rsqrt(float x) { return 1.0f / __builtin_sqrtf(x); }
BOLIDE_MATH double rsqrt(double x) { return 1.0 / __builtin_sqrt(x); }

// ---- erf -----------------------------------------------------------------------------------------------

// Below 0.9 an odd polynomial, above 1 - exp(-q) where q fits -log(erfc).
BOLIDE_MATH float erf(float x) {
  const float a = __builtin_fabsf(x), z = x * x;
  float p = 8.52940138e-05f;
  p = p * z - 0.000817963213f;
  p = p * z + 0.00520422682f;
  p = p * z - 0.0268606655f;
  p = p * z + 0.11283718f;
  p = p * z - 0.376126349f;
  p = p * z + 0.128379166f;
  const float t = a > 4.0f ? 4.0f : a;
  float q = -1.64306368e-06f;
  q = q * t + 4.61638592e-05f;
  q = q * t - 0.000597585749f;
  q = q * t + 0.00476262579f;
  q = q * t - 0.0264276378f;
  q = q * t + 0.110087164f;
  q = q * t + 0.631823897f;
  q = q * t + 1.13023102f;
  q = q * t - 0.000318539649f;
  // exp(-q) for q of 0..18 needs no care at the ends of the range
  const auto [n, r] = detail::reduce_exp(-q);
  const float tail = (detail::exp_tail(r) + r + 1.0f) * detail::power_of_two(n);
  return a < 0.9f ? x + x * p : detail::with_sign(1.0f - tail, x);
}
BOLIDE_MATH double erf(double x) { return __builtin_erf(x); }
BOLIDE_MATH float erfc(float x) { return float(__builtin_erfc(double(x))); }
BOLIDE_MATH double erfc(double x) { return __builtin_erfc(x); }

// ---- the normal distribution ---------------------------------------------------------------------------

BOLIDE_MATH float normal_density(float x) { return 0.398942280f * exp_nonpositive(-0.5f * x * x); }
BOLIDE_MATH double normal_density(double x) { return 0.3989422804014327 * exp_nonpositive(-0.5 * x * x); }

// Its integral up to x: below 0 the density times Mills' ratio, a polynomial in 1 / (1 + 0.26 |x|) that is good to 3e-7 of
// the value, so small values keep their digits. The exponential is the density's: a loop that wants both has it once.
BOLIDE_MATH float normal_cdf(float x) {
  const float t = 1.0f / (1.0f + 0.26f * __builtin_fabsf(x));
  float p = 0.0309525579f;
  p = p * t - 0.155017138f;
  p = p * t + 0.256045014f;
  p = p * t - 0.156206548f;
  p = p * t + 0.164623633f;
  p = p * t + 0.0494374819f;
  p = p * t + 0.10344518f;
  p = p * t + 0.102957137f;
  p = p * t + 0.103762664f;
  const float below = exp_nonpositive(-0.5f * x * x) * (p * t);
  return x > 0.0f ? 1.0f - below : below;
}
BOLIDE_MATH double normal_cdf(double x) { return 0.5 * __builtin_erfc(x * -0.70710678118654752); }

// ---- sin, cos, tan -------------------------------------------------------------------------------------

namespace detail {

// x = (quadrant + part) pi/2 with part in [-1/2, 1/2]; good for every finite float.
struct Turn { double part; int32_t quadrant; };
BOLIDE_MATH Turn reduce_turn(float x) {
  int64_t e = ((bits(x) >> 23) & 0xff) - 150;
  e = e < 0 ? 0 : e;
  e = e > kTwoOverPiRows - 1 ? kTwoOverPiRows - 1 : e;
  const double m = double(x) * from_bits((1023 - e) << 52);  // at most 2^24
  const double high = m * kTwoOverPi[2 * e];
  const double rounded = high + kRoundD;
  const double part = (high - (rounded - kRoundD)) + m * kTwoOverPi[2 * e + 1];
  return {part, int32_t(bits(rounded))};
}

// On |r| <= pi/4, z = r^2
BOLIDE_MATH float sin_poly(float r, float z) {
  const float tail = ((2.72493139e-06f * z - 0.000198400827f) * z + 0.00833333191f) * z - 0.166666672f;
  return z == 0.0f ? r : r + r * z * tail;  // keeps -0
}
BOLIDE_MATH float cos_poly(float z) {
  const float tail = ((-2.73004503e-07f * z + 2.48005963e-05f) * z - 0.00138888881f) * z + 0.0416666679f;
  return (1.0f - 0.5f * z) + z * z * tail;
}
BOLIDE_MATH float sin_quadrant(float r, int32_t quadrant) {
  const float z = r * r;
  const float value = (quadrant & 1) ? cos_poly(z) : sin_poly(r, z);
  return from_bits(bits(value) ^ int32_t(uint32_t(quadrant & 2) << 30));
}

}  // namespace detail

BOLIDE_MATH float sin(float x) {
  const auto [part, quadrant] = detail::reduce_turn(x);
  return detail::sin_quadrant(float(part * 1.5707963267948966), quadrant);
}
BOLIDE_MATH float cos(float x) {
  const auto [part, quadrant] = detail::reduce_turn(x);
  return detail::sin_quadrant(float(part * 1.5707963267948966), quadrant + 1);
}
BOLIDE_MATH float tan(float x) {
  const auto [part, quadrant] = detail::reduce_turn(x);
  const float r = float(part * 1.5707963267948966);
  return detail::sin_quadrant(r, quadrant) / detail::sin_quadrant(r, quadrant + 1);
}
BOLIDE_MATH double sin(double x) { return __builtin_sin(x); }
BOLIDE_MATH double cos(double x) { return __builtin_cos(x); }
BOLIDE_MATH double tan(double x) { return __builtin_tan(x); }

// ---- inverse trigonometric -----------------------------------------------------------------------------

namespace detail {

// asin(s) for 0 <= s <= 1/2, z = s^2
BOLIDE_MATH float asin_poly(float s, float z) {
  float p = 0.0336908475f;
  p = p * z + 0.0171492379f;
  p = p * z + 0.0311006624f;
  p = p * z + 0.0445994027f;
  p = p * z + 0.0750009418f;
  p = p * z + 0.166666657f;
  return s + s * z * p;
}

}  // namespace detail

BOLIDE_MATH float asin(float x) {
  const float a = __builtin_fabsf(x);
  const bool large = a > 0.5f;
  const float z = large ? 0.5f * (1.0f - a) : a * a;
  const float p = detail::asin_poly(large ? __builtin_sqrtf(z) : a, z);
  return detail::with_sign(large ? 1.57079633f - 2.0f * p : p, x);
}
BOLIDE_MATH float acos(float x) {
  const float a = __builtin_fabsf(x);
  const bool large = a > 0.5f;
  const float z = large ? 0.5f * (1.0f - a) : a * a;
  const float p = detail::asin_poly(large ? __builtin_sqrtf(z) : a, z);
  const float outer = x < 0.0f ? 3.14159265f - 2.0f * p : 2.0f * p;
  return large ? outer : 1.57079637f - (detail::with_sign(p, x) + 4.37113883e-08f);
}
BOLIDE_MATH float atan(float x) {
  const float a = __builtin_fabsf(x);
  const bool large = a > 1.0f;
  const float t = large ? 1.0f / a : a, z = t * t;
  float p = -0.00238699722f;
  p = p * z + 0.0135077713f;
  p = p * z - 0.0358715393f;
  p = p * z + 0.0625016913f;
  p = p * z - 0.0865688026f;
  p = p * z + 0.110337645f;
  p = p * z - 0.142785683f;
  p = p * z + 0.199997395f;
  p = p * z - 0.333333313f;
  p = t + t * z * p;
  return detail::with_sign(large ? 1.57079637f - (p + 4.37113883e-08f) : p, x);
}
BOLIDE_MATH double asin(double x) { return __builtin_asin(x); }
BOLIDE_MATH double acos(double x) { return __builtin_acos(x); }
BOLIDE_MATH double atan(double x) { return __builtin_atan(x); }

// ---- pow -----------------------------------------------------------------------------------------------

// Through double, so almost always correctly rounded.
BOLIDE_MATH float pow(float x, float y) {
  const float a = __builtin_fabsf(x), b = __builtin_fabsf(y);
  float r = float(exp(double(y) * log(double(a))));
  const float capped = b < 16777216.0f ? b : 16777216.0f;  // every float from here on is even
  const int32_t integer = int32_t(capped);
  const bool whole = float(integer) == capped;
  const bool odd = whole && (integer & 1) != 0;
  const bool negative = detail::bits(x) < 0;
  r = negative && !whole && a > 0.0f && a < detail::kInfinity<float> ? detail::kNan<float> : r;
  r = negative && odd ? -r : r;
  r = a == 1.0f && b == detail::kInfinity<float> ? 1.0f : r;
  return x == 1.0f || y == 0.0f ? 1.0f : r;
}
BOLIDE_MATH double pow(double x, double y) { return __builtin_pow(x, y); }

// ---- activations ---------------------------------------------------------------------------------------

template <class T> BOLIDE_MATH T softplus(T x, T beta, T threshold) {
  const T scaled = x * beta;
  return scaled > threshold ? x : log1p(exp(scaled)) / beta;
}
template <class T> BOLIDE_MATH T log_sigmoid(T x) {
  return (x < T(0) ? x : T(0)) - log1p(exp(-detail::absolute(x)));
}
template <class T> BOLIDE_MATH T logaddexp(T a, T b) {
  const T top = a > b ? a : b, other = a > b ? b : a;
  return a == b ? a + T(0.69314718055994531) : top + log1p(exp(other - top));
}

}  // namespace bolide::math
