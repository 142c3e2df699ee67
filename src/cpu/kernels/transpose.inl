// Map: one tile | a block through a buffer | the whole
#include "cpu/kernels/vec.inl"

template <class T>
[[gnu::always_inline]] inline void transpose_any(T* dst, int64_t ds, const T* src, int64_t ss, int64_t rows, int64_t columns) {
  for (int64_t c = 0; c < columns; ++c)
    for (int64_t r = 0; r < rows; ++r) dst[c * ds + r] = src[r * ss + c];
}

// A tile of kTile x kTile: in registers for 4 and 8 bytes, else through the small loop.
template <class T> inline constexpr int64_t kTile = sizeof(T) >= 8 ? 4 : sizeof(T) == 4 ? 8 : 16;

template <class T>
[[gnu::always_inline]] inline void transpose_tile(T* dst, int64_t ds, const T* src, int64_t ss) {
  T tile[kTile<T>][kTile<T>];
  for (int64_t r = 0; r < kTile<T>; ++r) __builtin_memcpy(tile[r], src + r * ss, sizeof(tile[r]));
  for (int64_t c = 0; c < kTile<T>; ++c) {
    T line[kTile<T>];
    for (int64_t r = 0; r < kTile<T>; ++r) line[r] = tile[r][c];
    __builtin_memcpy(dst + c * ds, line, sizeof(line));
  }
}
#if BOLIDE_HAS_AVX2
[[gnu::always_inline]] inline void transpose_tile(uint32_t* dst, int64_t ds, const uint32_t* src, int64_t ss) {
  const float* s = reinterpret_cast<const float*>(src);
  float* d = reinterpret_cast<float*>(dst);
  __m256 half[8], pair[8];
  // Rows r and r + 4 side by side: what crosses the middle is done by the loads.
  for (int k = 0; k < 4; ++k)
    for (int h = 0; h < 2; ++h)
      half[2 * k + h] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(s + k * ss + 4 * h)),
                                             _mm_loadu_ps(s + (k + 4) * ss + 4 * h), 1);
  for (int h = 0; h < 2; ++h) {
    pair[0] = _mm256_unpacklo_ps(half[0 + h], half[2 + h]), pair[1] = _mm256_unpackhi_ps(half[0 + h], half[2 + h]);
    pair[2] = _mm256_unpacklo_ps(half[4 + h], half[6 + h]), pair[3] = _mm256_unpackhi_ps(half[4 + h], half[6 + h]);
    float* o = d + 4 * h * ds;
    _mm256_storeu_ps(o, _mm256_shuffle_ps(pair[0], pair[2], 0x44));
    _mm256_storeu_ps(o + ds, _mm256_shuffle_ps(pair[0], pair[2], 0xee));
    _mm256_storeu_ps(o + 2 * ds, _mm256_shuffle_ps(pair[1], pair[3], 0x44));
    _mm256_storeu_ps(o + 3 * ds, _mm256_shuffle_ps(pair[1], pair[3], 0xee));
  }
}
#endif

// A block of kBlock x kBlock through a small buffer: source lines are read once, whole; destination lines are
// written once, whole. (Rows a power of two apart share cache sets, so going tile by tile would evict lines
// between their halves. Stores past the caches were slower.)
template <class T> inline constexpr int64_t kBlock = sizeof(T) == 16 ? 32 : 64;
template <class T>
void transpose_block(T* dst, int64_t ds, const T* src, int64_t ss, int64_t rows, int64_t columns) {
  constexpr int64_t K = kTile<T>, B = kBlock<T>, S = B + 32 / sizeof(T);
  alignas(64) T buffer[B * S];
  int64_t r = 0;
  for (; r + K <= rows; r += K) {
    int64_t c = 0;
    for (; c + K <= columns; c += K) transpose_tile(buffer + c * S + r, S, src + r * ss + c, ss);
    transpose_any(buffer + c * S + r, S, src + r * ss + c, ss, K, columns - c);
  }
  transpose_any(buffer + r, S, src + r * ss, ss, rows - r, columns);
  for (int64_t c = 0; c < columns; ++c)
    __builtin_memcpy(static_cast<void*>(dst + c * ds), buffer + c * S, size_t(rows) * sizeof(T));
}

template <class T>
void transpose_typed(void* dst, int64_t ds, const void* src, int64_t ss, int64_t rows, int64_t columns) {
  constexpr int64_t B = kBlock<T>;
  T* d = static_cast<T*>(dst);
  const T* s = static_cast<const T*>(src);
  const int64_t blocks = (columns + B - 1) / B;
  parallel_for(0, blocks, std::max<int64_t>(1, 32768 / (B * std::max<int64_t>(rows, 1))), [=](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < rows; r += B)
      for (int64_t b = begin; b < end; ++b) {
        const int64_t c = b * B;
        transpose_block(d + c * ds + r, ds, s + r * ss + c, ss, std::min(B, rows - r), std::min(B, columns - c));
      }
  });
}
