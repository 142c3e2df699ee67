// Map: SSE2 vectors | the kernels of products and depthwise convolutions on them
#include <immintrin.h>

#include "cpu/conv_table.h"
#include "cpu/gemm_table.h"

namespace bolide::detail {
namespace baseline {

template <class T>
struct Vec;

template <>
struct Vec<float> {
  using V = __m128;
  using Mask = int;
  static constexpr int kWidth = 4;
  static V zero() { return _mm_setzero_ps(); }
  static V set1(float x) { return _mm_set1_ps(x); }
  static V load(const float* p) { return _mm_loadu_ps(p); }
  static void store(float* p, V x) { _mm_storeu_ps(p, x); }
  static Mask part(int n) { return n; }
  static V load_part(const float* p, Mask n) {
    float lanes[4] = {};
    for (int i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  static void store_part(float* p, V x, Mask n) {
    float lanes[4];
    store(lanes, x);
    for (int i = 0; i < n; ++i) p[i] = lanes[i];
  }
  static V fma(V a, V b, V c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }
  static V add(V a, V b) { return _mm_add_ps(a, b); }
  static V relu(V x) { return _mm_max_ps(_mm_setzero_ps(), x); }  // NaN stays
  static float sum(V x) {
    float lanes[4];
    store(lanes, x);
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
  }
  static V load_wide(const float* p) { return load(p); }
  static V load_wide(const Half* p) { return _mm_setr_ps(p[0], p[1], p[2], p[3]); }
  static V load_wide(const BFloat16* p) {
    const __m128i bits = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), bits));
  }
};

template <>
struct Vec<double> {
  using V = __m128d;
  using Mask = int;
  static constexpr int kWidth = 2;
  static V zero() { return _mm_setzero_pd(); }
  static V set1(double x) { return _mm_set1_pd(x); }
  static V load(const double* p) { return _mm_loadu_pd(p); }
  static void store(double* p, V x) { _mm_storeu_pd(p, x); }
  static Mask part(int n) { return n; }
  static V load_part(const double* p, Mask n) { return n == 2 ? load(p) : n == 1 ? _mm_load_sd(p) : zero(); }
  static void store_part(double* p, V x, Mask n) {
    if (n == 2) store(p, x);
    if (n == 1) _mm_store_sd(p, x);
  }
  static V fma(V a, V b, V c) { return _mm_add_pd(_mm_mul_pd(a, b), c); }
  static V add(V a, V b) { return _mm_add_pd(a, b); }
  static V relu(V x) { return _mm_max_pd(_mm_setzero_pd(), x); }
  static double sum(V x) { return _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x))); }
  static V load_wide(const double* p) { return load(p); }
};

inline __m128 quad(const float* p) { return _mm_loadu_ps(p); }
inline __m128 quad(const Half* p) { return Vec<float>::load_wide(p); }
inline __m128 quad(const BFloat16* p) { return Vec<float>::load_wide(p); }

// 4 x 8 sums of floats fill eight of the sixteen registers.
constexpr int kUnroll = 1, kRows = 4, kDirectRows = 4, kDepth = 256, kBlockRows = 128, kBlockColumns = 2048;

#include "cpu/kernels/conv_tile.inl"
#include "cpu/kernels/gemm_tile.inl"

}  // namespace baseline

const GemmTable gemm_baseline = baseline::kTable;
const DepthwiseKernels depthwise_baseline = baseline::kDepthwise;

}  // namespace bolide::detail
