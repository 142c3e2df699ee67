// Map: AVX-512 vectors | the kernels of products and depthwise convolutions on them
#include <immintrin.h>

#include "cpu/conv_table.h"
#include "cpu/gemm_table.h"

// GCC 12 warns of its own headers' undefined vectors.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,bmi,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512cd")

namespace bolide::detail {
namespace avx512 {

template <class T>
struct Vec;

template <>
struct Vec<float> {
  using V = __m512;
  using Mask = __mmask16;
  static constexpr int kWidth = 16;
  static V zero() { return _mm512_setzero_ps(); }
  static V set1(float x) { return _mm512_set1_ps(x); }
  static V load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, V x) { _mm512_storeu_ps(p, x); }
  static Mask part(int n) { return Mask((1u << n) - 1); }
  static V load_part(const float* p, Mask mask) { return _mm512_maskz_loadu_ps(mask, p); }
  static void store_part(float* p, V x, Mask mask) { _mm512_mask_storeu_ps(p, mask, x); }
  static V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static V add(V a, V b) { return _mm512_add_ps(a, b); }
  static V relu(V x) { return _mm512_max_ps(_mm512_setzero_ps(), x); }  // NaN stays
  static float sum(V x) { return _mm512_reduce_add_ps(x); }
  static V load_wide(const float* p) { return load(p); }
  static V load_wide(const Half* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static V load_wide(const BFloat16* p) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
};

template <>
struct Vec<double> {
  using V = __m512d;
  using Mask = __mmask8;
  static constexpr int kWidth = 8;
  static V zero() { return _mm512_setzero_pd(); }
  static V set1(double x) { return _mm512_set1_pd(x); }
  static V load(const double* p) { return _mm512_loadu_pd(p); }
  static void store(double* p, V x) { _mm512_storeu_pd(p, x); }
  static Mask part(int n) { return Mask((1u << n) - 1); }
  static V load_part(const double* p, Mask mask) { return _mm512_maskz_loadu_pd(mask, p); }
  static void store_part(double* p, V x, Mask mask) { _mm512_mask_storeu_pd(p, mask, x); }
  static V fma(V a, V b, V c) { return _mm512_fmadd_pd(a, b, c); }
  static V add(V a, V b) { return _mm512_add_pd(a, b); }
  static V relu(V x) { return _mm512_max_pd(_mm512_setzero_pd(), x); }
  static double sum(V x) { return _mm512_reduce_add_pd(x); }
  static V load_wide(const double* p) { return load(p); }
};

inline __m128 quad(const float* p) { return _mm_loadu_ps(p); }
inline __m128 quad(const Half* p) {
  return _mm_cvtph_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
inline __m128 quad(const BFloat16* p) {
  const __m128i bits = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), bits));
}

// 14 x 32 sums of floats: 28 of the 32 registers. Unpacked rows of A stay at six: more pointers do not fit.
constexpr int kUnroll = 2, kRows = 14, kDirectRows = 6, kDepth = 256, kBlockRows = 336, kBlockColumns = 2048;

#include "cpu/kernels/conv_tile.inl"
#include "cpu/kernels/gemm_tile.inl"

}  // namespace avx512

const GemmTable gemm_avx512 = avx512::kTable;
const DepthwiseKernels depthwise_avx512 = avx512::kDepthwise;

}  // namespace bolide::detail

#pragma GCC pop_options
