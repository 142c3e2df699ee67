// Conversion of elements between all dtypes, and of single numbers.
#include "iter/plan.h"

namespace bolide::iter {

namespace {

/// PyTorch's conversions: floats truncate, out of range and NaN give the smallest integer (bytes go through int64),
/// complex drops its imaginary part, anything but zero is true.
template <class To, class From>
inline To cast(From v) {
  constexpr bool from_complex = std::is_same_v<From, complex64> || std::is_same_v<From, complex128>;
  constexpr bool to_complex = std::is_same_v<To, complex64> || std::is_same_v<To, complex128>;
  constexpr bool from_half = std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>;
  if constexpr (std::is_same_v<To, From>) return v;
  else if constexpr (from_half) return cast<To, float>(static_cast<float>(v));
  else if constexpr (to_complex && from_complex) return To(v);
  else if constexpr (to_complex) return To(static_cast<typename To::value_type>(v));
  else if constexpr (from_complex && std::is_same_v<To, bool>) return v != From(0);
  else if constexpr (from_complex) return cast<To>(v.real());
  else if constexpr (std::is_same_v<To, bool>) return v != From(0);
  else if constexpr (std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>) return To(static_cast<float>(v));
  else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if constexpr (sizeof(To) == 8) return v >= From(-9223372036854775808.0) && v < From(9223372036854775808.0) ? static_cast<To>(v) : INT64_MIN;
    else if constexpr (sizeof(To) == 4) return v >= From(-2147483648.0) && v < From(2147483648.0) ? static_cast<To>(v) : INT32_MIN;
    else return static_cast<To>(cast<int32_t>(v));
  } else return static_cast<To>(v);
}

template <class To, class From>
void loop(char* d, int64_t ds, const char* s, int64_t ss, int64_t n) {
  if (ds == sizeof(To) && ss == sizeof(From)) {
    To* o = reinterpret_cast<To*>(d);
    const From* a = reinterpret_cast<const From*>(s);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) o[i] = cast<To>(a[i]);
    return;
  }
  for (int64_t i = 0; i < n; ++i, d += ds, s += ss) *reinterpret_cast<To*>(d) = cast<To>(*reinterpret_cast<const From*>(s));
}

}  // namespace

void convert(DType to, char* d, int64_t ds, DType from, const char* s, int64_t ss, int64_t n) {
  AllTypes::visit(to, [&]<class To>(Tag<To>) {
    AllTypes::visit(from, [&]<class From>(Tag<From>) { loop<To, From>(d, ds, s, ss, n); });
  });
}
void store_scalar(DType t, char* dst, const Scalar& v) {
  AllTypes::visit(t, [&]<class T>(Tag<T>) { *reinterpret_cast<T*>(dst) = v.to<T>(); });
}
Scalar load_scalar(DType t, const char* src) {
  Scalar s;
  AllTypes::visit(t, [&]<class T>(Tag<T>) {
    const T v = *reinterpret_cast<const T*>(src);
    if constexpr (std::is_same_v<T, bool>) s = Scalar(v);
    else if constexpr (std::is_integral_v<T>) s = Scalar(static_cast<int64_t>(v));
    else if constexpr (std::is_same_v<T, complex64> || std::is_same_v<T, complex128>) s = Scalar(complex128(v));
    else if constexpr (std::is_same_v<T, double>) s = Scalar(v);
    else s = Scalar(static_cast<double>(static_cast<float>(v)));
  });
  return s;
}

}  // namespace bolide::iter
