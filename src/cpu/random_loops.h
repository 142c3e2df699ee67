// Map: dispatch | fused multiply-add | words to uniforms | the float32 normal | comparisons
//
// Loops from raw words to values. They are always inlined into one function per instruction set, where the
// compiler vectorises them; each is a struct with a `run` so that the dispatcher below can name it.
#pragma once

#include <cstdint>
#include <cstring>

#include "bolide/half.h"
#include "cpu/isa.h"

namespace bolide::random::loops {

#define BOLIDE_LOOP [[gnu::always_inline]] static inline

// ---- fused multiply-add: the same bits with and without the instruction --------------------------

struct HardFma {
  BOLIDE_LOOP float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
  BOLIDE_LOOP double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
};

struct SoftFma {
  // The product is exact in double; the sum is rounded to odd, after which rounding to float is as good as
  // one rounding of the exact value.
  BOLIDE_LOOP float fma(float a, float b, float c) {
    const double product = double(a) * double(b), addend = double(c);
    const double sum = product + addend;
    const double back = sum - product;
    const double error = (product - (sum - back)) + (addend - back);
    const int64_t bits = __builtin_bit_cast(int64_t, sum);
    const int64_t towards = (error < 0) == (sum < 0) ? 1 : -1;
    const bool fix = error != 0 && (bits & 1) == 0;
    return float(__builtin_bit_cast(double, fix ? bits + towards : bits));
  }
  BOLIDE_LOOP double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }  // the C library's
};

// ---- dispatch --------------------------------------------------------------------------------

template <class Loop, class... A>
void on_baseline(A... arguments) {
  Loop::template run<SoftFma>(arguments...);
}
template <class Loop, class... A>
[[gnu::target(BOLIDE_TARGET_AVX2)]] void on_avx2(A... arguments) {
  Loop::template run<HardFma>(arguments...);
}
template <class Loop, class... A>
[[gnu::target(BOLIDE_TARGET_AVX512)]] void on_avx512(A... arguments) {
  Loop::template run<HardFma>(arguments...);
}

template <class Loop, class... A>
void dispatch(A... arguments) {
  switch (isa()) {
    case Isa::Avx512: return on_avx512<Loop>(arguments...);
    case Isa::Avx2: return on_avx2<Loop>(arguments...);
    case Isa::Baseline: return on_baseline<Loop>(arguments...);
  }
}

// ---- words to uniforms in [0, 1) ---------------------------------------------------------------

template <class T>
struct Draw;  // words per value, and the value

template <>
struct Draw<float> {
  static constexpr int kWords = 1;
  BOLIDE_LOOP float value(const uint32_t* words, int64_t i) {
    return float(int32_t(words[i] & 0xffffff)) * 0x1p-24f;
  }
};

// The 53 bits of draw i: the first word of a pair is the high half.
BOLIDE_LOOP uint64_t bits53(const uint32_t* words, int64_t i) {
  uint64_t pair;
  std::memcpy(&pair, words + 2 * i, sizeof pair);
  return ((pair << 32) | (pair >> 32)) & ((uint64_t(1) << 53) - 1);
}

template <>
struct Draw<double> {
  static constexpr int kWords = 2;
  // Both halves become doubles through their place in the mantissa of 2^52: AVX2 converts no 64-bit integers.
  BOLIDE_LOOP double value(const uint32_t* words, int64_t i) {
    constexpr uint64_t kMagic = uint64_t(0x433) << 52;
    const uint64_t bits = bits53(words, i);
    const double high = __builtin_bit_cast(double, (bits >> 32) | kMagic) - 0x1p52;
    const double low = __builtin_bit_cast(double, (bits & 0xffffffffu) | kMagic) - 0x1p52;
    return (high * 0x1p32 + low) * 0x1p-53;
  }
};

template <class T>  // float, double
struct Uniform {
  template <class F>
  BOLIDE_LOOP void run(const uint32_t* words, T* out, int64_t n, T from, T width) {
    const uint32_t* __restrict in = words;
    T* __restrict to = out;
    if (from == 0 && width == 1) {
      for (int64_t i = 0; i < n; ++i) to[i] = Draw<T>::value(in, i);
    } else {
      for (int64_t i = 0; i < n; ++i) to[i] = F::fma(Draw<T>::value(in, i), width, from);
    }
  }
};

template <class T>  // Half, BFloat16
struct UniformHalf {
  template <class F>
  BOLIDE_LOOP void run(const uint32_t* words, T* out, int64_t n, float from, float width, T low, T high) {
    const uint32_t* __restrict in = words;
    T* __restrict to = out;
    for (int64_t i = 0; i < n; ++i) {
      const T value = T(F::fma(Draw<float>::value(in, i), width, from));
      to[i] = value.bits == high.bits ? low : value;
    }
  }
};

template <class T>
struct Narrow {
  template <class F>
  BOLIDE_LOOP void run(const float* values, T* out, int64_t n) {
    for (int64_t i = 0; i < n; ++i) out[i] = T(values[i]);
  }
};

// ---- the float32 normal: Box and Muller on groups of 16, polynomials throughout -------------------

template <class F>
BOLIDE_LOOP float log_poly(float x) {  // 2^-126 <= x <= 1
  const int32_t bits = __builtin_bit_cast(int32_t, x);
  float m = __builtin_bit_cast(float, (bits & 0x7fffff) | 0x3f000000);
  float e = float((bits >> 23) - 126);
  const bool low = m < 0.707106781186547524f;
  const float reduced = m - 1.0f;
  e = low ? e - 1.0f : e;
  m = low ? reduced + m : reduced;
  const float z = m * m;
  float p = 7.0376836292e-2f;
  p = F::fma(p, m, -1.1514610310e-1f);
  p = F::fma(p, m, 1.1676998740e-1f);
  p = F::fma(p, m, -1.2420140846e-1f);
  p = F::fma(p, m, 1.4249322787e-1f);
  p = F::fma(p, m, -1.6668057665e-1f);
  p = F::fma(p, m, 2.0000714765e-1f);
  p = F::fma(p, m, -2.4999993993e-1f);
  p = F::fma(p, m, 3.3333331174e-1f);
  p = p * m;
  p = F::fma(p, z, e * -2.12194440e-4f);
  p = p - 0.5f * z;
  m = m + p;
  return F::fma(e, 0.693359375f, m);
}

template <class F>
BOLIDE_LOOP void sincos_poly(float angle, float& sin, float& cos) {  // angle >= 0
  const int32_t j = (int32_t(angle * 1.27323954473516f) + 1) & ~1;
  const float y = float(j);
  float x = F::fma(y, -0.78515625f, angle);
  x = F::fma(y, -2.4187564849853515625e-4f, x);
  x = F::fma(y, -3.77489497744594108e-8f, x);
  const float z = x * x;
  float c = 2.443315711809948e-5f;
  c = F::fma(c, z, -1.388731625493765e-3f);
  c = F::fma(c, z, 4.166664568298827e-2f);
  c = c * z;
  c = F::fma(c, z, -(0.5f * z));
  c = c + 1.0f;
  float s = -1.9515295891e-4f;
  s = F::fma(s, z, 8.3321608736e-3f);
  s = F::fma(s, z, -1.6666654611e-1f);
  s = s * z;
  s = F::fma(s, x, x);
  const bool plain = (j & 2) == 0;
  const uint32_t sin_bits = __builtin_bit_cast(uint32_t, plain ? s : c) ^ (uint32_t(j & 4) << 29);
  const uint32_t cos_bits = __builtin_bit_cast(uint32_t, plain ? c : s) ^ (uint32_t(~(j - 2) & 4) << 29);
  sin = __builtin_bit_cast(float, sin_bits);
  cos = __builtin_bit_cast(float, cos_bits);
}

struct NormalGroups {
  template <class F>
  BOLIDE_LOOP void run(const uint32_t* words, float* out, int64_t groups, float mean, float std) {
    constexpr float kTwoPi = 6.283185307179586f;
    for (int64_t g = 0; g < groups; ++g) {
      const uint32_t* __restrict in = words + 16 * g;
      float* __restrict to = out + 16 * g;
      for (int j = 0; j < 8; ++j) {
        const float u1 = 1.0f - Draw<float>::value(in, j), u2 = Draw<float>::value(in, j + 8);
        const float radius = __builtin_sqrtf(-2.0f * log_poly<F>(u1));
        float sin, cos;
        sincos_poly<F>(kTwoPi * u2, sin, cos);
        to[j] = F::fma(radius * cos, std, mean);
        to[j + 8] = F::fma(radius * sin, std, mean);
      }
    }
  }
};

// ---- comparisons: uniform53 < p is an integer comparison with ceil(p * 2^53) ----------------------

template <class U>  // an unsigned type of the output's size
struct Below {
  template <class F>
  BOLIDE_LOOP void run(const uint32_t* words, U* out, int64_t n, int64_t threshold, U on) {
    const uint32_t* __restrict in = words;
    using Any [[gnu::may_alias]] = U;
    Any* __restrict to = out;
    for (int64_t i = 0; i < n; ++i) to[i] = int64_t(bits53(in, i)) < threshold ? on : U(0);
  }
};

#undef BOLIDE_LOOP

}  // namespace bolide::random::loops
