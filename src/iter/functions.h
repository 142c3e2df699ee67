// fn: the functions that scalar expressions use, for every element type. One place where an implementation is
// chosen: vectorisable forms of core/math.h for float and double, the C library for the rest.
#pragma once
#include <cmath>
#include <complex>

#include "bolide/dtype.h"

namespace bolide::fn {

template <class T> inline constexpr bool is_complex_v = std::is_same_v<T, complex64> || std::is_same_v<T, complex128>;

#define BOLIDE_FN(name)                                                    \
  template <class T> [[gnu::always_inline]] inline T name(T x) { return std::name(x); }
BOLIDE_FN(exp) BOLIDE_FN(log) BOLIDE_FN(sin) BOLIDE_FN(cos) BOLIDE_FN(tan) BOLIDE_FN(sinh) BOLIDE_FN(cosh)
BOLIDE_FN(tanh) BOLIDE_FN(asin) BOLIDE_FN(acos) BOLIDE_FN(atan) BOLIDE_FN(asinh) BOLIDE_FN(acosh) BOLIDE_FN(atanh)
BOLIDE_FN(sqrt) BOLIDE_FN(expm1) BOLIDE_FN(log1p) BOLIDE_FN(log2) BOLIDE_FN(log10) BOLIDE_FN(exp2) BOLIDE_FN(erf)
BOLIDE_FN(erfc) BOLIDE_FN(floor) BOLIDE_FN(ceil) BOLIDE_FN(trunc) BOLIDE_FN(lgamma)
#undef BOLIDE_FN
template <class T> inline T round_even(T x) { return std::nearbyint(x); }
template <class T> inline T sigmoid(T x) { return T(1) / (T(1) + exp(-x)); }
template <class T> inline T reciprocal(T x) { return T(1) / x; }
template <class T> inline bool is_nan(T x) {
  if constexpr (is_complex_v<T>) return x != x;
  else if constexpr (std::is_floating_point_v<T>) return x != x;
  else return false;
}
/// a / b rounded down, with Python's signs; integers wrap for the smallest over -1.
template <class T>
inline T floor_div(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if constexpr (std::is_signed_v<T>)
      if (b == T(-1)) return static_cast<T>(-static_cast<std::make_unsigned_t<T>>(a));
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
template <class T>
inline T py_mod(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if constexpr (std::is_signed_v<T>)
      if (b == T(-1)) return 0;
    T r = static_cast<T>(a % b);
    return r != 0 && ((r < 0) != (b < 0)) ? static_cast<T>(r + b) : r;
  } else {
    T m = std::fmod(a, b);
    return m != T(0) && ((b < T(0)) != (m < T(0))) ? m + b : m;
  }
}
template <class T>
inline T int_pow(T a, T b) {
  if (b < 0) {
    if (a == 1) return 1;
    if (std::is_signed_v<T> && a == static_cast<T>(-1)) return b % 2 ? static_cast<T>(-1) : T(1);
    return 0;
  }
  using U = std::make_unsigned_t<std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>>;
  uint64_t base = static_cast<uint64_t>(a), e = static_cast<uint64_t>(b), r = 1;
  for (; e; e >>= 1, base *= base)
    if (e & 1) r *= base;
  return static_cast<T>(static_cast<U>(r));
}

}  // namespace bolide::fn
