// Map: one element | one pair of dtypes | the table
#include "cpu/kernels/vec.inl"

template <class To, class From>
[[gnu::always_inline]] inline To cast_element(From x) {
  constexpr bool from_complex = std::is_same_v<From, complex64> || std::is_same_v<From, complex128>;
  constexpr bool to_complex = std::is_same_v<To, complex64> || std::is_same_v<To, complex128>;
  if constexpr (std::is_same_v<To, From>) return x;
  else if constexpr (from_complex && to_complex) return To(typename To::value_type(x.real()), typename To::value_type(x.imag()));
  else if constexpr (from_complex && std::is_same_v<To, bool>) return x.real() != 0 || x.imag() != 0;
  else if constexpr (from_complex) return cast_element<To>(x.real());
  else if constexpr (to_complex) return To(cast_element<typename To::value_type>(x), 0);
  else if constexpr (sizeof(From) == 2 && std::is_class_v<From>) return cast_element<To>(float(x));
  else if constexpr (std::is_same_v<To, bool>) return x != From(0);
  else if constexpr (sizeof(To) == 2 && std::is_class_v<To>) return To(float(x));
  else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    // The hardware's conversions, which give the smallest value for what does not fit: 32 bits for int32 and
    // narrower signed types, 64 bits else.
    if constexpr (std::is_signed_v<To> && sizeof(To) <= 4) {
      constexpr From kTop = From(2147483648.0);
      const int32_t i = x >= -kTop && x < kTop ? int32_t(x) : INT32_MIN;
      return To(i);
    } else {
      constexpr From kTop = From(9223372036854775808.0);
      return To(x >= -kTop && x < kTop ? int64_t(x) : INT64_MIN);
    }
  } else return To(x);
}

template <class To, class From>
void cast_range(void* dst, const void* src, int64_t n) {
  To* d = static_cast<To*>(dst);
  const From* s = static_cast<const From*>(src);
  if constexpr (std::is_same_v<From, float> && std::is_class_v<To> && sizeof(To) == 2) narrow(s, d, n);
  else if constexpr (std::is_same_v<To, float> && std::is_class_v<From> && sizeof(From) == 2) widen(s, d, n);
  else
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) d[i] = cast_element<To>(s[i]);
}

template <class To>
CastLoop pick_from(DType from) {
  CastLoop loop = nullptr;
  AllTypes::visit(from, [&](auto tag) {  loop = &cast_range<To, typename decltype(tag)::type>; });
  return loop;
}
inline CastLoop pick_cast(DType to, DType from) {
  CastLoop loop = nullptr;
  AllTypes::visit(to, [&](auto tag) { loop = pick_from<typename decltype(tag)::type>(from); });
  return loop;
}
