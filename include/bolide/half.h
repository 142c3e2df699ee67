// Map: conversions of 16-bit floats | Half | BFloat16 | operators through float | numeric_limits
//
// Both types are plain two-byte storage. All arithmetic is done in float and rounded back to nearest, ties to
// even. The conversions are branch-free in effect (selects only), so loops over them vectorise.
#pragma once

#include <cstdint>
#include <limits>

namespace bolide {

inline float half_bits_to_float(uint16_t bits) {
  const uint32_t sign = uint32_t(bits & 0x8000u) << 16;
  const uint32_t rest = bits & 0x7fffu;
  const uint32_t normal = (rest << 13) + (112u << 23);
  const uint32_t special = (rest << 13) | 0x7f800000u;
  // A subnormal is an integer times 2^-24; converted, not multiplied as a float subnormal, so that
  // flush-to-zero modes do not lose it.
  const uint32_t subnormal = __builtin_bit_cast(uint32_t, float(int32_t(rest)) * 0x1p-24f);
  const uint32_t finite = rest < 0x400u ? subnormal : normal;
  return __builtin_bit_cast(float, sign | (rest >= 0x7c00u ? special : finite));
}

inline uint16_t float_to_half_bits(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t rest = bits & 0x7fffffffu;
  const uint32_t normal = ((rest + 0xfffu + ((rest >> 13) & 1u)) >> 13) - (112u << 10);
  // Below 2^-14 the spacing is 2^-24, which is the spacing of floats in [0.5, 1): let the adder round.
  const float shifted = __builtin_bit_cast(float, rest) + 0.5f;
  const uint32_t subnormal = __builtin_bit_cast(uint32_t, shifted) - 0x3f000000u;
  uint32_t result = rest < 0x38800000u ? subnormal : normal;
  result = rest >= 0x477ff000u ? 0x7c00u : result;
  result = rest > 0x7f800000u ? 0x7e00u : result;
  return uint16_t(sign | result);
}

inline float bfloat16_bits_to_float(uint16_t bits) { return __builtin_bit_cast(float, uint32_t(bits) << 16); }

inline uint16_t float_to_bfloat16_bits(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return uint16_t((bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded);
}

struct Half {
  uint16_t bits;

  Half() = default;
  Half(float value) : bits(float_to_half_bits(value)) {}
  operator float() const { return half_bits_to_float(bits); }
  static Half from_bits(uint16_t bits) { return __builtin_bit_cast(Half, bits); }
};

struct BFloat16 {
  uint16_t bits;

  BFloat16() = default;
  BFloat16(float value) : bits(float_to_bfloat16_bits(value)) {}
  operator float() const { return bfloat16_bits_to_float(bits); }
  static BFloat16 from_bits(uint16_t bits) { return __builtin_bit_cast(BFloat16, bits); }
};

static_assert(sizeof(Half) == 2 && sizeof(BFloat16) == 2);

// Binary + - * / and comparisons of two 16-bit values are float's, through the conversion. Only the compound
// forms and negation (a sign flip, exact for NaN too) need a word of their own.
#define BOLIDE_HALF_OPERATORS(T)                                                    \
  inline T& operator+=(T& a, float b) { return a = T(float(a) + b); }               \
  inline T& operator-=(T& a, float b) { return a = T(float(a) - b); }               \
  inline T& operator*=(T& a, float b) { return a = T(float(a) * b); }               \
  inline T& operator/=(T& a, float b) { return a = T(float(a) / b); }               \
  inline T operator-(T a) { return T::from_bits(uint16_t(a.bits ^ 0x8000u)); }
BOLIDE_HALF_OPERATORS(Half)
BOLIDE_HALF_OPERATORS(BFloat16)
#undef BOLIDE_HALF_OPERATORS

}  // namespace bolide

template <>
struct std::numeric_limits<bolide::Half> {
  static constexpr bool is_specialized = true, is_signed = true, is_integer = false, is_exact = false;
  static constexpr bool has_infinity = true, has_quiet_NaN = true;
  static constexpr int digits = 11, max_exponent = 16, min_exponent = -13, radix = 2;
  static bolide::Half min() { return bolide::Half::from_bits(0x0400); }
  static bolide::Half max() { return bolide::Half::from_bits(0x7bff); }
  static bolide::Half lowest() { return bolide::Half::from_bits(0xfbff); }
  static bolide::Half epsilon() { return bolide::Half::from_bits(0x1400); }
  static bolide::Half denorm_min() { return bolide::Half::from_bits(0x0001); }
  static bolide::Half infinity() { return bolide::Half::from_bits(0x7c00); }
  static bolide::Half quiet_NaN() { return bolide::Half::from_bits(0x7e00); }
};

template <>
struct std::numeric_limits<bolide::BFloat16> {
  static constexpr bool is_specialized = true, is_signed = true, is_integer = false, is_exact = false;
  static constexpr bool has_infinity = true, has_quiet_NaN = true;
  static constexpr int digits = 8, max_exponent = 128, min_exponent = -125, radix = 2;
  static bolide::BFloat16 min() { return bolide::BFloat16::from_bits(0x0080); }
  static bolide::BFloat16 max() { return bolide::BFloat16::from_bits(0x7f7f); }
  static bolide::BFloat16 lowest() { return bolide::BFloat16::from_bits(0xff7f); }
  static bolide::BFloat16 epsilon() { return bolide::BFloat16::from_bits(0x3c00); }
  static bolide::BFloat16 denorm_min() { return bolide::BFloat16::from_bits(0x0001); }
  static bolide::BFloat16 infinity() { return bolide::BFloat16::from_bits(0x7f80); }
  static bolide::BFloat16 quiet_NaN() { return bolide::BFloat16::from_bits(0x7fc0); }
};
