// Map: AVX2 vectors | the kernels of products and depthwise convolutions on them
#include <immintrin.h>

#include "cpu/conv_table.h"
#include "cpu/gemm_table.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,bmi,bmi2,lzcnt,popcnt")  // BOLIDE_TARGET_AVX2

namespace bolide::detail {
namespace avx2 {

template <class T>
struct Vec;

// Masked stores are slow on AMD (some twenty operations), so short vectors are stored in pieces; masked loads
// are fast everywhere. The mask of the first n lanes is read at kLanes + 8 - n (of 32 bits) or kLanes64 + 4 -
// n (of 64).
alignas(64) inline constexpr int32_t kLanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
alignas(64) inline constexpr int64_t kLanes64[8] = {-1, -1, -1, -1};

template <>
struct Vec<float> {
  using V = __m256;
  struct Mask {
    __m256i lanes;
    int n;
  };
  static constexpr int kWidth = 8;
  static V zero() { return _mm256_setzero_ps(); }
  static V set1(float x) { return _mm256_set1_ps(x); }
  static V load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, V x) { _mm256_storeu_ps(p, x); }
  static Mask part(int n) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(kLanes + 8 - n)), n};
  }
  static V load_part(const float* p, Mask mask) { return _mm256_maskload_ps(p, mask.lanes); }
  static void store_part(float* p, V x, Mask mask) {
    if (mask.n == 8) return store(p, x);
    __m128 half = _mm256_castps256_ps128(x);
    int i = 0;
    if (mask.n & 4) {
      _mm_storeu_ps(p, half);
      half = _mm256_extractf128_ps(x, 1);
      i = 4;
    }
    if (mask.n & 2) {
      _mm_storel_pi(reinterpret_cast<__m64*>(p + i), half);
      half = _mm_movehl_ps(half, half);
      i += 2;
    }
    if (mask.n & 1) _mm_store_ss(p + i, half);
  }
  static V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static V add(V a, V b) { return _mm256_add_ps(a, b); }
  static V relu(V x) { return _mm256_max_ps(_mm256_setzero_ps(), x); }  // NaN stays
  static float sum(V x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
  }
  static V load_wide(const float* p) { return load(p); }
  static V load_wide(const Half* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static V load_wide(const BFloat16* p) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
};

template <>
struct Vec<double> {
  using V = __m256d;
  struct Mask {
    __m256i lanes;
    int n;
  };
  static constexpr int kWidth = 4;
  static V zero() { return _mm256_setzero_pd(); }
  static V set1(double x) { return _mm256_set1_pd(x); }
  static V load(const double* p) { return _mm256_loadu_pd(p); }
  static void store(double* p, V x) { _mm256_storeu_pd(p, x); }
  static Mask part(int n) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(kLanes64 + 4 - n)), n};
  }
  static V load_part(const double* p, Mask mask) { return _mm256_maskload_pd(p, mask.lanes); }
  static void store_part(double* p, V x, Mask mask) {
    if (mask.n == 4) return store(p, x);
    __m128d half = _mm256_castpd256_pd128(x);
    if (mask.n & 2) {
      _mm_storeu_pd(p, half);
      half = _mm256_extractf128_pd(x, 1);
    }
    if (mask.n & 1) _mm_store_sd(p + (mask.n & 2), half);
  }
  static V fma(V a, V b, V c) { return _mm256_fmadd_pd(a, b, c); }
  static V add(V a, V b) { return _mm256_add_pd(a, b); }
  static V relu(V x) { return _mm256_max_pd(_mm256_setzero_pd(), x); }
  static double sum(V x) {
    const __m128d half = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1));
    return _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)));
  }
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

// 6 x 16 sums of floats: 12 of the 16 registers, two for a row of B, one for a factor.
constexpr int kUnroll = 4, kRows = 6, kDirectRows = 6, kDepth = 256, kBlockRows = 144, kBlockColumns = 2048;

#include "cpu/kernels/conv_tile.inl"
#include "cpu/kernels/gemm_tile.inl"

}  // namespace avx2

const GemmTable gemm_avx2 = avx2::kTable;
const DepthwiseKernels depthwise_avx2 = avx2::kDepthwise;

}  // namespace bolide::detail

#pragma GCC pop_options
