// Eight-bit floats and pairs of halves: storage types that convert to and from float; nothing computes in them.
#pragma once
#include <complex>

#include "bolide/half.h"

namespace bolide {

/// E bits of exponent, M of mantissa. Fnuz: no infinities, no negative zero, and 0x80 is NaN; otherwise IEEE for e5m2 and
/// "finite only" for e4m3 (all ones is NaN). Rounds to nearest, ties to even; what is too large becomes infinity or NaN.
template <int E, int M, int Bias, bool Fnuz>
struct Float8 {
  uint8_t bits;
  static constexpr bool kInfinity = !Fnuz && E == 5;

  Float8() = default;
  Float8(float v) : bits(encode(v)) {}
  operator float() const { return decode(bits); }
  static Float8 from_bits(uint8_t b) { return __builtin_bit_cast(Float8, b); }

  static float decode(uint8_t b) {
    const int mantissa = b & ((1 << M) - 1), exponent = (b >> M) & ((1 << E) - 1);
    const float sign = b & 0x80 ? -1.f : 1.f;
    if (Fnuz && b == 0x80) return __builtin_nanf("");
    if (kInfinity && exponent == (1 << E) - 1) return mantissa ? __builtin_nanf("") : sign * __builtin_inff();
    if (!Fnuz && !kInfinity && (b & 0x7f) == 0x7f) return sign * __builtin_nanf("");
    if (exponent == 0) return sign * static_cast<float>(mantissa) * power(1 - Bias - M);
    return sign * static_cast<float>((1 << M) + mantissa) * power(exponent - Bias - M);
  }
  static uint8_t encode(float v) {
    uint32_t a = __builtin_bit_cast(uint32_t, v);
    const auto sign = static_cast<uint8_t>((a >> 24) & 0x80);
    a &= 0x7fffffffu;
    if (a > 0x7f800000u) return Fnuz ? 0x80 : static_cast<uint8_t>(sign | 0x7f);
    if (a >= kLimit) return Fnuz ? 0x80 : static_cast<uint8_t>(sign | (kInfinity ? 0x7c : 0x7f));
    uint32_t r;
    if (a >= uint32_t{128 - Bias} << 23) {
      r = (a - (uint32_t{127 - Bias} << 23) + ((1u << (22 - M)) - 1) + ((a >> (23 - M)) & 1)) >> (23 - M);
    } else {  // the float adder rounds at the spacing of the smallest numbers
      const uint32_t magic = uint32_t{127 - Bias + 23 - M + 1} << 23;
      r = __builtin_bit_cast(uint32_t, __builtin_bit_cast(float, a) + __builtin_bit_cast(float, magic)) - magic;
      if (Fnuz && r == 0) return 0;
    }
    return static_cast<uint8_t>(r | sign);
  }

 private:
  static float power(int n) { return __builtin_bit_cast(float, static_cast<uint32_t>(n + 127) << 23); }
  static constexpr uint32_t kLimit = !Fnuz && E == 4 ? 1087u << 20 : uint32_t{127 + (1 << E) - 1 - Bias + (Fnuz ? 1 : 0)} << 23;
};
using Float8_e5m2 = Float8<5, 2, 15, false>;
using Float8_e4m3fn = Float8<4, 3, 7, false>;
using Float8_e5m2fnuz = Float8<5, 2, 16, true>;
using Float8_e4m3fnuz = Float8<4, 3, 8, true>;

/// A power of two: 2^(bits - 127); 0xff is NaN. The sign of what is converted is lost.
struct Float8_e8m0fnu {
  uint8_t bits;
  Float8_e8m0fnu() = default;
  Float8_e8m0fnu(float v) {
    const uint32_t a = __builtin_bit_cast(uint32_t, v) & 0x7fffffffu, mantissa = a & 0x7fffffu;
    uint32_t e = a >> 23;
    if (e != 0xff && (mantissa > 0x400000u || (mantissa == 0x400000u && e > 0))) ++e;
    bits = static_cast<uint8_t>(e);
  }
  operator float() const {
    if (bits == 0xff) return __builtin_nanf("");
    return __builtin_bit_cast(float, bits ? uint32_t{bits} << 23 : 0x400000u);
  }
};

struct complex32 {
  Half re, im;
  complex32() = default;
  complex32(std::complex<float> c) : re(c.real()), im(c.imag()) {}
  operator std::complex<float>() const { return {re, im}; }
};

}  // namespace bolide
