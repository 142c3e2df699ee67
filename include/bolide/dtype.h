// Element types, devices, layouts and memory formats. The numbers are those that PyTorch's files use.
#pragma once
#include <complex>
#include <cstdint>
#include <string>
#include <string_view>

#include "bolide/error.h"
#include "bolide/float8.h"
#include "bolide/half.h"

namespace bolide {

enum class DType : int8_t {
  UInt8 = 0, Int8 = 1, Int16 = 2, Int32 = 3, Int64 = 4, Float16 = 5, Float32 = 6, Float64 = 7, Complex32 = 8,
  Complex64 = 9, Complex128 = 10, Bool = 11, QInt8 = 12, QUInt8 = 13, QInt32 = 14, BFloat16 = 15, QUInt4x2 = 16, QUInt2x4 = 17,
  Bits1x8 = 18, Bits2x4 = 19, Bits4x2 = 20, Bits8 = 21, Bits16 = 22, Float8_e5m2 = 23, Float8_e4m3fn = 24, Float8_e5m2fnuz = 25,
  Float8_e4m3fnuz = 26, UInt16 = 27, UInt32 = 28, UInt64 = 29, UInt1 = 30, UInt2, UInt3, UInt4, UInt5, UInt6, UInt7, Int1 = 37, Int2,
  Int3, Int4, Int5, Int6, Int7, Float8_e8m0fnu = 44, Float4_e2m1fn_x2 = 45,
};
inline constexpr int kDTypeSlots = 46;  // one more than the largest number

inline constexpr DType kUInt8 = DType::UInt8, kInt8 = DType::Int8, kInt16 = DType::Int16, kInt32 = DType::Int32,
                       kInt64 = DType::Int64, kFloat16 = DType::Float16, kFloat32 = DType::Float32,
                       kFloat64 = DType::Float64, kBFloat16 = DType::BFloat16, kBool = DType::Bool,
                       kComplexFloat = DType::Complex64, kComplexDouble = DType::Complex128;
// their other names
inline constexpr DType kByte = kUInt8, kChar = kInt8, kShort = kInt16, kInt = kInt32, kLong = kInt64, kHalf = kFloat16,
                       kFloat = kFloat32, kDouble = kFloat64, kComplex64 = kComplexFloat,
                       kComplex128 = kComplexDouble;

/// Bytes of one element.
constexpr int64_t item_size(DType t) {
  constexpr int8_t sizes[kDTypeSlots] = {1, 1, 2, 4, 8, 2, 4, 8, 4, 8, 16, 1, 1, 1, 4, 2, 1, 1, 1, 1, 1, 1, 2,
                                         1, 1, 1, 1, 2, 4, 8, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  return sizes[static_cast<int>(t)];
}
constexpr bool is_complex(DType t) { return static_cast<unsigned>(t) - 8u < 3u; }
constexpr bool is_float8(DType t) { return static_cast<unsigned>(t) - 23u < 4u || t == DType::Float8_e8m0fnu; }
constexpr bool is_half(DType t) { return t == DType::Float16 || t == DType::BFloat16; }
constexpr bool is_floating(DType t) {
  return is_half(t) || t == DType::Float32 || t == DType::Float64 || is_float8(t) || t == DType::Float4_e2m1fn_x2;
}
constexpr bool is_differentiable(DType t) { return is_floating(t) || is_complex(t); }
/// uint16, uint32, uint64: stored, converted and compared, but of little arithmetic.
constexpr bool is_wide_unsigned(DType t) { return static_cast<unsigned>(t) - 27u < 3u; }
constexpr bool is_integral(DType t) { return static_cast<int>(t) <= 4 || is_wide_unsigned(t); }  // without bool
/// Names of types that hold no numbers here: quantised ones, bits, integers of less than a byte.
constexpr bool is_opaque(DType t) {
  const int i = static_cast<int>(t);
  return (i >= 12 && i <= 14) || (i >= 16 && i <= 22) || (i >= 30 && i <= 43) || i == 45;
}
constexpr bool is_signed(DType t) { return t != DType::UInt8 && t != DType::Bool && !is_wide_unsigned(t); }
/// 0 bool, 1 integer, 2 float, 3 complex: the order of type promotion.
constexpr int category(DType t) { return t == DType::Bool ? 0 : is_integral(t) ? 1 : is_complex(t) ? 3 : 2; }
/// "float32", as in torch.float32.
const char* name(DType t);
/// "Float", PyTorch's legacy name in error messages and storage classes.
const char* legacy_name(DType t);
inline std::ostream& operator<<(std::ostream& s, DType t) { return s << "torch." << name(t); }

/// The dtype both may be converted to without loss of category (PyTorch's table).
DType promote(DType a, DType b);
/// Whether a result of `from` may be stored into `to` (in-place results, out=).
constexpr bool can_cast(DType from, DType to) {
  return category(from) <= category(to) || (category(from) == 2 && category(to) == 3);
}
constexpr DType real_of(DType t) {
  return t == DType::Complex32 ? DType::Float16 : t == DType::Complex64 ? DType::Float32 : t == DType::Complex128 ? DType::Float64 : t;
}
constexpr DType complex_of(DType t) {
  if (t == DType::Float16 || t == DType::Complex32) return DType::Complex32;
  return t == DType::Float64 || t == DType::Complex128 ? DType::Complex128 : DType::Complex64;
}

DType default_dtype();
void set_default_dtype(DType t);

using complex64 = std::complex<float>;
using complex128 = std::complex<double>;

template <class T> struct Tag { using type = T; };
template <class T> inline constexpr DType dtype_of = DType::Float32;
template <> inline constexpr DType dtype_of<uint8_t> = DType::UInt8;
template <> inline constexpr DType dtype_of<int8_t> = DType::Int8;
template <> inline constexpr DType dtype_of<int16_t> = DType::Int16;
template <> inline constexpr DType dtype_of<int32_t> = DType::Int32;
template <> inline constexpr DType dtype_of<int64_t> = DType::Int64;
template <> inline constexpr DType dtype_of<Half> = DType::Float16;
template <> inline constexpr DType dtype_of<BFloat16> = DType::BFloat16;
template <> inline constexpr DType dtype_of<float> = DType::Float32;
template <> inline constexpr DType dtype_of<double> = DType::Float64;
template <> inline constexpr DType dtype_of<complex64> = DType::Complex64;
template <> inline constexpr DType dtype_of<complex128> = DType::Complex128;
template <> inline constexpr DType dtype_of<bool> = DType::Bool;
template <> inline constexpr DType dtype_of<uint16_t> = DType::UInt16;
template <> inline constexpr DType dtype_of<uint32_t> = DType::UInt32;
template <> inline constexpr DType dtype_of<uint64_t> = DType::UInt64;
template <> inline constexpr DType dtype_of<complex32> = DType::Complex32;
template <> inline constexpr DType dtype_of<Float8_e5m2> = DType::Float8_e5m2;
template <> inline constexpr DType dtype_of<Float8_e4m3fn> = DType::Float8_e4m3fn;
template <> inline constexpr DType dtype_of<Float8_e5m2fnuz> = DType::Float8_e5m2fnuz;
template <> inline constexpr DType dtype_of<Float8_e4m3fnuz> = DType::Float8_e4m3fnuz;
template <> inline constexpr DType dtype_of<Float8_e8m0fnu> = DType::Float8_e8m0fnu;

/// A set of C++ element types; `visit` calls f(Tag<T>{}) for the one that `t` names.
template <class... T>
struct Types {
  static constexpr bool has(DType t) { return ((t == dtype_of<T>) || ...); }
  template <class F>
  static bool visit(DType t, F&& f) {
    return ((t == dtype_of<T> ? (f(Tag<T>{}), true) : false) || ...);
  }
};
template <class... L> struct JoinTypes;
template <class... A> struct JoinTypes<Types<A...>> { using type = Types<A...>; };
template <class... A, class... B, class... R>
struct JoinTypes<Types<A...>, Types<B...>, R...> { using type = typename JoinTypes<Types<A..., B...>, R...>::type; };
template <class... L> using Join = typename JoinTypes<L...>::type;

using Ints = Types<uint8_t, int8_t, int16_t, int32_t, int64_t>;
using Floats = Types<float, double>;
using Halves = Types<Half, BFloat16>;
using Complexes = Types<complex64, complex128>;
using Bools = Types<bool>;
using RealTypes = Join<Ints, Floats, Halves, Bools>;
using AllTypes = Join<Ints, Floats, Halves, Complexes, Bools>;  // what kernels compute in or through float
/// Stored and converted; kernels compute in a plain type in their place.
using StorageTypes = Types<uint16_t, uint32_t, uint64_t, complex32, Float8_e5m2, Float8_e4m3fn, Float8_e5m2fnuz, Float8_e4m3fnuz,
                           Float8_e8m0fnu>;
/// The plain type that computes in place of a stored one; other types stand for themselves.
constexpr DType plain_type(DType t) {
  if (is_wide_unsigned(t)) return DType::Int64;
  return t == DType::Complex32 ? DType::Complex64 : is_float8(t) ? DType::Float32 : t;
}

/// f(Tag<T>{}) for `t`, or a NotImplementedError that names the op: PyTorch's `"op" not implemented for 'X'`.
template <class List, class F>
void dispatch(const char* op, DType t, F&& f) {
  if (!List::visit(t, f)) fail<NotImplementedError>('"', op, "\" not implemented for '", legacy_name(t), "'");
}

enum class DeviceType : int8_t { CPU = 0, CUDA = 1, Meta = 2 };

struct Device {
  DeviceType type = DeviceType::CPU;
  int8_t index = -1;  // -1: the current one
  constexpr Device() = default;
  constexpr Device(DeviceType t, int i = -1) : type(t), index(static_cast<int8_t>(i)) {}
  /// "cpu", "cuda", "cuda:1", "meta".
  explicit Device(std::string_view text);
  bool operator==(const Device&) const = default;
  bool is_cpu() const { return type == DeviceType::CPU; }
  bool is_cuda() const { return type == DeviceType::CUDA; }
  bool is_meta() const { return type == DeviceType::Meta; }
  std::string str() const;
};
const char* name(DeviceType t);
inline std::ostream& operator<<(std::ostream& s, Device d) { return s << d.str(); }

enum class MemoryFormat : int8_t { Contiguous = 0, Preserve = 1, ChannelsLast = 2, ChannelsLast3d = 3 };
enum class LayoutKind : int8_t { Strided = 0, SparseCoo = 1, SparseCsr, SparseCsc, SparseBsr, SparseBsc, Mkldnn, Jagged };

}  // namespace bolide
