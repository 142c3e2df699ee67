// Conversion of elements between all dtypes, and of single numbers.
#include <cmath>

#include "cpu/kernels/copy.h"
#include "iter/plan.h"

namespace bolide::iter {

void convert(DType to, char* d, int64_t ds, DType from, const char* s, int64_t ss, int64_t n) {
  const cpu::CastLoop loop = cpu::cast_loop(to, from);
  if (ds == item_size(to) && ss == item_size(from)) return loop(d, s, n);
  for (int64_t i = 0; i < n; ++i) loop(d + i * ds, s + i * ss, 1);
}
static void fail_opaque(DType t) {
  BOLIDE_CHECK_AS(NotImplementedError, !is_opaque(t), "elements of dtype ", t, " cannot be read or written one by one");
}
void store_scalar(DType t, char* dst, const Scalar& v) {
  if (AllTypes::visit(t, [&]<class T>(Tag<T>) { *reinterpret_cast<T*>(dst) = v.to<T>(); })) return;
  fail_opaque(t);
  alignas(16) char plain[16];  // a type that is only stored
  store_scalar(plain_type(t), plain, v);
  cpu::cast_loop(t, plain_type(t))(dst, plain, 1);
}
Scalar load_scalar(DType t, const char* src) {
  Scalar s;
  if (plain_type(t) != t) {
    alignas(16) char plain[16];
    cpu::cast_loop(plain_type(t), t)(plain, src, 1);
    return load_scalar(plain_type(t), plain);
  }
  fail_opaque(t);
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

namespace {

template <class T>
bool fits(const Scalar& v) {
  if constexpr (std::is_same_v<T, bool>) return true;
  else if constexpr (std::is_same_v<T, complex64> || std::is_same_v<T, complex128>) {
    const complex128 c = v.to<complex128>();
    return fits<typename T::value_type>(c.real()) && fits<typename T::value_type>(c.imag());
  } else {
    if (v.is_complex()) return v.to<complex128>().imag() == 0 && fits<T>(v.to<complex128>().real());
    using Limits = std::numeric_limits<T>;
    if constexpr (std::is_integral_v<T>) {
      if (v.is_int()) return v.to_int() <= int64_t{Limits::max()} && v.to_int() >= (std::is_signed_v<T> ? int64_t{Limits::min()} : -int64_t{Limits::max()});
      const double d = v.to_double(), below = std::is_signed_v<T> ? double(Limits::min()) : -double(Limits::max());
      return d >= below && (sizeof(T) == 8 ? d < -double(INT64_MIN) : d <= double(Limits::max()));
    } else {
      const double d = v.to_double();
      return !std::isfinite(d) || std::fabs(d) <= double(Limits::max());
    }
  }
}
const char* cpp_name(DType t) {
  static constexpr const char* names[kDTypeSlots] = {"uint8_t", "int8_t", "int16_t", "int", "int64_t", "c10::Half", "float", "double",
                                                     "c10::complex<c10::Half>", "c10::complex<float>", "c10::complex<double>", "bool", "?", "?", "?", "c10::BFloat16"};
  return names[static_cast<int>(t)];
}

}  // namespace

void check_fits(DType t, const Scalar& v) {
  bool ok = true;
  AllTypes::visit(t, [&]<class T>(Tag<T>) { ok = fits<T>(v); });
  BOLIDE_CHECK(ok, "value cannot be converted to type ", cpp_name(t), " without overflow");
}

}  // namespace bolide::iter
