// Casts from and to the types that are only stored (eight-bit floats, pairs of halves, wide unsigned integers): each
// element passes through a plain type.
#include "cpu/kernels/copy.h"

namespace bolide::cpu {

namespace {

template <class T> constexpr bool is_complex_type = std::is_same_v<T, complex64> || std::is_same_v<T, complex128> || std::is_same_v<T, complex32>;
template <class T> constexpr bool is_small_float = std::is_class_v<T> && !is_complex_type<T>;

/// An element as C++ computes with it.
template <class T>
auto plain(T x) {
  if constexpr (std::is_same_v<T, complex32>) return complex64(x);
  else if constexpr (is_small_float<T>) return float(x);
  else return x;
}

template <class To>
To from_real(auto x) {
  if constexpr (std::is_same_v<To, bool>) return x != 0;
  else if constexpr (is_small_float<To>) return To(float(x));
  else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<decltype(x)>) {
    if (std::is_unsigned_v<To> && x >= decltype(x)(9223372036854775808.0) && x < decltype(x)(18446744073709551616.0)) return To(uint64_t(x));
    return To(x >= decltype(x)(-9223372036854775808.0) && x < decltype(x)(9223372036854775808.0) ? int64_t(x) : INT64_MIN);
  } else return To(x);
}

template <class To>
To convert(auto x) {
  using From = decltype(x);
  if constexpr (is_complex_type<From> && std::is_same_v<To, bool>) return x.real() != 0 || x.imag() != 0;
  else if constexpr (is_complex_type<From> && std::is_same_v<To, complex32>) return complex32(complex64(float(x.real()), float(x.imag())));
  else if constexpr (is_complex_type<From> && is_complex_type<To>) return To(typename To::value_type(x.real()), typename To::value_type(x.imag()));
  else if constexpr (is_complex_type<From>) return from_real<To>(x.real());
  else if constexpr (std::is_same_v<To, complex32>) return complex32(complex64(float(x), 0));
  else if constexpr (is_complex_type<To>) return To(typename To::value_type(x), 0);
  else return from_real<To>(x);
}

template <class To, class From>
void loop(void* dst, const void* src, int64_t n) {
  To* d = static_cast<To*>(dst);
  const From* s = static_cast<const From*>(src);
  for (int64_t i = 0; i < n; ++i) d[i] = convert<To>(plain(s[i]));
}

template <class To, class List>
CastLoop pick_from(DType from) {
  CastLoop found = nullptr;
  List::visit(from, [&](auto tag) { found = &loop<To, typename decltype(tag)::type>; });
  return found;
}

}  // namespace

CastLoop storage_cast(DType to, DType from) {
  using Everything = Join<AllTypes, StorageTypes>;
  CastLoop found = nullptr;
  StorageTypes::visit(to, [&](auto tag) { found = pick_from<typename decltype(tag)::type, Everything>(from); });
  if (!found) AllTypes::visit(to, [&](auto tag) { found = pick_from<typename decltype(tag)::type, StorageTypes>(from); });
  return found;
}

}  // namespace bolide::cpu
