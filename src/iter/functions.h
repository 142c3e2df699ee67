// fn: everything that scalar expressions may use besides T, casts, operators and literals. An expression is CPU code and
// the text of device code at once (BOLIDE_EXPR), so this list is what a device's prelude has to define: keep it short.
//
// Special functions compute in double. Map: what T is | powers, exponentials, logarithms, trigonometry | rounding, signs, tests | integers and remainders
#pragma once
#include <cmath>
#include <complex>

#include "bolide/dtype.h"
#include "core/math.h"
#include "core/special.h"

#define BOLIDE_FN template <class T> [[gnu::always_inline]] inline

namespace bolide::fn {

// ---- what T is -------------------------------------------------------------------------------

template <class T> inline constexpr bool is_complex_v = std::is_same_v<T, complex64> || std::is_same_v<T, complex128>;
template <class T> inline constexpr bool is_bool_v = std::is_same_v<T, bool>;
template <class T> inline constexpr bool is_integral_v = std::is_integral_v<T>;  // bool too
template <class T> inline constexpr bool is_floating_v = std::is_floating_point_v<T>;
template <class T> inline constexpr bool is_signed_v = std::is_signed_v<T>;
template <class T> using unsigned_of = std::make_unsigned_t<T>;

template <class T> struct RealOf { using type = T; };
template <class T> struct RealOf<std::complex<T>> { using type = T; };
template <class T> using real_t = typename RealOf<T>::type;
template <class T> using complex_t = std::complex<T>;

/// What T steps in: integers in double.
template <class T> using step_t = std::conditional_t<std::is_integral_v<T>, double, T>;

// ---- powers, exponentials, logarithms, trigonometry ------------------------------------------

// vectorisable forms (core/math.h) for reals, the C++ library's for complex numbers
#define BOLIDE_FN_BOTH(name)                                                \
  BOLIDE_FN T name(T x) {                                                   \
    if constexpr (is_complex_v<T>) return std::name(x);                     \
    else return math::name(x);                                              \
  }
BOLIDE_FN_BOTH(exp) BOLIDE_FN_BOTH(log) BOLIDE_FN_BOTH(log10) BOLIDE_FN_BOTH(tanh) BOLIDE_FN_BOTH(sinh) BOLIDE_FN_BOTH(cosh)
BOLIDE_FN_BOTH(sin) BOLIDE_FN_BOTH(cos) BOLIDE_FN_BOTH(tan) BOLIDE_FN_BOTH(asin) BOLIDE_FN_BOTH(acos) BOLIDE_FN_BOTH(atan)
#undef BOLIDE_FN_BOTH
#define BOLIDE_FN_STD(name) \
  BOLIDE_FN T name(T x) { return std::name(x); }
BOLIDE_FN_STD(sqrt) BOLIDE_FN_STD(asinh) BOLIDE_FN_STD(acosh) BOLIDE_FN_STD(atanh)
#undef BOLIDE_FN_STD

BOLIDE_FN T erf(T x) { return math::erf(x); }
BOLIDE_FN T erfc(T x) { return math::erfc(x); }
BOLIDE_FN T normal_cdf(T x) { return math::normal_cdf(x); }
BOLIDE_FN T normal_density(T x) { return math::normal_density(x); }
BOLIDE_FN T exp2(T x) {
  if constexpr (is_complex_v<T>) return std::exp(x * real_t<T>(0.69314718055994531));
  else return math::exp2(x);
}
BOLIDE_FN T log2(T x) {
  if constexpr (is_complex_v<T>) return std::log(x) * real_t<T>(1.4426950408889634);
  else return math::log2(x);
}
BOLIDE_FN T expm1(T x) {
  if constexpr (is_complex_v<T>) {
    using R = real_t<T>;  // without cancellation: exp(a) cos(b) - 1 = expm1(a) cos(b) - 2 sin(b/2)^2
    const R s = std::sin(x.imag() / 2);
    return T(std::expm1(x.real()) * std::cos(x.imag()) - 2 * s * s, std::exp(x.real()) * std::sin(x.imag()));
  } else return math::expm1(x);
}
BOLIDE_FN T log1p(T x) {
  if constexpr (is_complex_v<T>) {
    using R = real_t<T>;  // log|1 + x| from |1 + x|^2 - 1 where that is small
    const R a = x.real(), b = x.imag(), more = a * (R(2) + a) + b * b;
    const R size = more > R(-0.5) && more < R(1) ? std::log1p(more) / 2 : std::log(std::abs(R(1) + x));
    return T(size, std::atan2(b, R(1) + a));
  } else return math::log1p(x);
}
BOLIDE_FN T pow(T a, T b) {
  if constexpr (is_complex_v<T>) return std::pow(a, b);
  else return math::pow(a, b);
}
BOLIDE_FN T atan2(T a, T b) { return std::atan2(a, b); }
BOLIDE_FN T hypot(T a, T b) { return std::hypot(a, b); }
BOLIDE_FN T sigmoid(T x) { return T(1) / (T(1) + exp(-x)); }
BOLIDE_FN T log_sigmoid(T x) { return (x < T(0) ? x : T(0)) - log1p(exp(x < T(0) ? x : -x)); }
/// log(exp(a) + exp(b)); of complex numbers the one with the larger real part leads.
BOLIDE_FN T logaddexp(T a, T b) {
  if constexpr (is_complex_v<T>) {
    if (a.real() != a.real() || a.imag() != a.imag()) return a;
    if (b.real() != b.real() || b.imag() != b.imag()) return b;
    const bool first = a.real() > b.real();
    const T top = first ? a : b, other = first ? b : a;
    if (std::isinf(top.real()) && top.real() == other.real())
      return top.real() < 0 ? top : std::log(std::exp(a) + std::exp(b));
    return top + log1p(std::exp(other - top));
  } else return math::logaddexp(a, b);
}
BOLIDE_FN T reciprocal(T x) { return T(1) / x; }

// ---- rounding, signs, tests ------------------------------------------------------------------

BOLIDE_FN T floor(T x) { return std::floor(x); }
BOLIDE_FN T ceil(T x) { return std::ceil(x); }
BOLIDE_FN T trunc(T x) { return std::trunc(x); }
BOLIDE_FN T round_even(T x) { return std::nearbyint(x); }
BOLIDE_FN T conj(T x) {
  if constexpr (is_complex_v<T>) return std::conj(x);
  else return x;
}
/// The absolute value, of complex numbers the modulus; the smallest integer stays what it is.
BOLIDE_FN real_t<T> abs(T x) {
  if constexpr (is_complex_v<T>) return std::abs(x);
  else if constexpr (is_floating_v<T>) return std::fabs(x);
  else return static_cast<T>(x < T(0) ? -x : x);
}
BOLIDE_FN bool is_nan(T x) {
  if constexpr (is_integral_v<T>) return (void)x, false;
  else return x != x;
}
/// The larger (smaller) of both; NaN wins.
BOLIDE_FN T at_least(T x, T lo) { return x >= lo || is_nan(x) ? x : lo; }
BOLIDE_FN T at_most(T x, T hi) { return x <= hi || is_nan(x) ? x : hi; }
BOLIDE_FN T copysign(T x, T sign) { return std::copysign(x, sign); }
BOLIDE_FN T nan() { return T(__builtin_nan("")); }
BOLIDE_FN T infinity() { return T(__builtin_inf()); }
BOLIDE_FN bool is_inf(T x) { return __builtin_isinf(x); }
BOLIDE_FN bool is_finite(T x) { return __builtin_isfinite(x); }

/// The neighbour of a towards b, in T's own spacing.
BOLIDE_FN T nextafter(T a, T b) {
  if constexpr (is_floating_v<T>) return std::nextafter(a, b);
  else {  // 16 bits: neighbours have neighbouring bit patterns
    const float x = a, y = b;
    if (x != x || y != y) return T(x + y);
    if (x == y) return b;
    if (x == 0) return T::from_bits(static_cast<uint16_t>(y > 0 ? 1 : 0x8001));
    return T::from_bits(static_cast<uint16_t>((y > x) == (x > 0) ? a.bits + 1 : a.bits - 1));
  }
}
BOLIDE_FN bool sign_bit(T x) {
  if constexpr (is_floating_v<T>) return std::signbit(x);
  else return x < T(0);
}
/// x = mantissa 2^exponent with the mantissa in [0.5, 1).
BOLIDE_FN T mantissa(T x) { int e; return std::frexp(x, &e); }
BOLIDE_FN int32_t exponent(T x) {
  int e = 0;
  if (is_finite(x)) std::frexp(x, &e);
  return e;
}

// ---- special functions -----------------------------------------------------------------------

#define BOLIDE_FN_SPECIAL(name) \
  BOLIDE_FN T name(T x) { return T(special::name(double(x))); }
BOLIDE_FN_SPECIAL(lgamma) BOLIDE_FN_SPECIAL(digamma) BOLIDE_FN_SPECIAL(erfinv) BOLIDE_FN_SPECIAL(erfcx)
BOLIDE_FN_SPECIAL(ndtri) BOLIDE_FN_SPECIAL(log_ndtr) BOLIDE_FN_SPECIAL(i0) BOLIDE_FN_SPECIAL(i0e)
BOLIDE_FN_SPECIAL(i1) BOLIDE_FN_SPECIAL(i1e) BOLIDE_FN_SPECIAL(k0) BOLIDE_FN_SPECIAL(k0e) BOLIDE_FN_SPECIAL(k1)
BOLIDE_FN_SPECIAL(k1e) BOLIDE_FN_SPECIAL(bessel_j0) BOLIDE_FN_SPECIAL(bessel_j1) BOLIDE_FN_SPECIAL(bessel_y0)
BOLIDE_FN_SPECIAL(bessel_y1) BOLIDE_FN_SPECIAL(spherical_bessel_j0) BOLIDE_FN_SPECIAL(airy_ai)
#undef BOLIDE_FN_SPECIAL
BOLIDE_FN T polygamma(int64_t n, T x) { return T(special::polygamma(n, double(x))); }
BOLIDE_FN T zeta(T s, T q) { return T(special::zeta(double(s), double(q))); }
BOLIDE_FN T igamma(T a, T x) { return T(special::igamma(double(a), double(x))); }
BOLIDE_FN T igammac(T a, T x) { return T(special::igammac(double(a), double(x))); }
// orthogonal polynomials of degree n
#define BOLIDE_FN_POLYNOMIAL(name) \
  BOLIDE_FN T name(T x, T n) { return T(special::name(double(x), int64_t(n))); }
BOLIDE_FN_POLYNOMIAL(chebyshev_t) BOLIDE_FN_POLYNOMIAL(chebyshev_u) BOLIDE_FN_POLYNOMIAL(chebyshev_v)
BOLIDE_FN_POLYNOMIAL(chebyshev_w) BOLIDE_FN_POLYNOMIAL(hermite_h) BOLIDE_FN_POLYNOMIAL(hermite_he)
BOLIDE_FN_POLYNOMIAL(laguerre_l) BOLIDE_FN_POLYNOMIAL(legendre_p)
#undef BOLIDE_FN_POLYNOMIAL

// ---- integers and remainders -----------------------------------------------------------------

BOLIDE_FN T fmod(T a, T b) { return std::fmod(a, b); }
/// a / b rounded down, with Python's signs; integers wrap for the smallest over -1.
template <class T>
inline T floor_div(T a, T b) {
  if constexpr (is_integral_v<T>) {
    if constexpr (is_signed_v<T>)
      if (b == T(-1)) return static_cast<T>(-static_cast<unsigned_of<T>>(a));
    const T q = static_cast<T>(a / b);
    return static_cast<T>((a % b != 0) && ((a < 0) != (b < 0)) ? q - 1 : q);
  } else {
    if (b == T(0)) return a / b;
    T m = std::fmod(a, b), d = (a - m) / b;
    if (m != T(0) && ((b < T(0)) != (m < T(0)))) d -= T(1);
    if (d == T(0)) return std::copysign(T(0), a / b);
    T f = std::floor(d);
    return d - f > T(0.5) ? f + T(1) : f;
  }
}
/// The remainder with the divisor's sign, as Python's %.
template <class T>
inline T py_mod(T a, T b) {
  if constexpr (is_integral_v<T>) {
    if constexpr (is_signed_v<T>)
      if (b == T(-1)) return 0;
    T r = static_cast<T>(a % b);
    return r != 0 && ((r < 0) != (b < 0)) ? static_cast<T>(r + b) : r;
  } else {
    T m = std::fmod(a, b);
    return m != T(0) && ((b < T(0)) != (m < T(0))) ? m + b : m;
  }
}
BOLIDE_FN T gcd(T a, T b) {
  using U = unsigned_of<T>;
  U x = a < 0 ? U(0) - U(a) : U(a), y = b < 0 ? U(0) - U(b) : U(b);
  while (y) {
    const U r = x % y;
    x = y;
    y = r;
  }
  return static_cast<T>(x);
}
/// a ** b with wrap-around; a negative power of anything but 1 and -1 is 0.
template <class T>
inline T int_pow(T a, T b) {
  if (b < 0) {
    if (a == 1) return 1;
    if (is_signed_v<T> && a == static_cast<T>(-1)) return b % 2 ? static_cast<T>(-1) : T(1);
    return 0;
  }
  uint64_t base = static_cast<uint64_t>(a), e = static_cast<uint64_t>(b), r = 1;
  for (; e; e >>= 1, base *= base)
    if (e & 1) r *= base;
  return static_cast<T>(r);
}

}  // namespace bolide::fn

#undef BOLIDE_FN
