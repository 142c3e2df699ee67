// Map: transposed copies | fill | stores past the caches | rows by index
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "bolide/error.h"
#include "core/math.h"
#include "cpu/kernels/copy.h"
#include "cpu/pool.h"

namespace bolide::cpu {
struct Bytes16 {
  uint64_t low, high;
};
}  // namespace bolide::cpu

#define BOLIDE_KERNELS "cpu/kernels/transpose.inl"
#include "cpu/kernels/each_isa.inl"

namespace bolide::cpu {

namespace {

[[noreturn]] [[gnu::cold]] void bad_size(const char* kernel, int64_t size) {
  throw Error(std::string(kernel) + ": elements of " + std::to_string(size) + " bytes; expected 1, 2, 4, 8 or 16");
}

template <class F>
void with_size(const char* kernel, int64_t size, F&& f) {
  if (size == 1) return f(uint8_t());
  if (size == 2) return f(uint16_t());
  if (size == 4) return f(uint32_t());
  if (size == 8) return f(uint64_t());
  if (size == 16) return f(Bytes16());
  bad_size(kernel, size);
}

}  // namespace

void transpose(void* dst, int64_t dst_stride, const void* src, int64_t src_stride, int64_t rows, int64_t columns, int64_t size) {
  with_size("transpose", size, [&](auto zero) {
    using T = decltype(zero);
    BOLIDE_PICK(transpose_typed<T>(dst, dst_stride, src, src_stride, rows, columns));
  });
}

void fill(void* dst, const void* element, int64_t size, int64_t n) {
  with_size("fill", size, [&](auto value) {
    using T = decltype(value);
    std::memcpy(&value, element, sizeof(T));
    T* d = static_cast<T*>(dst);
    parallel_for(0, n, int64_t(131072 / sizeof(T)), [=](int64_t begin, int64_t end) { std::fill(d + begin, d + end, value); });
  });
}

void stream(void* dst, const void* src, int64_t bytes) {
  char* d = static_cast<char*>(dst);
  const char* s = static_cast<const char*>(src);
  const int64_t head = std::min<int64_t>(bytes, -reinterpret_cast<intptr_t>(d) & 63);
  std::memcpy(d, s, size_t(head));
  int64_t i = head;
  for (; i + 64 <= bytes; i += 64)
    for (int k = 0; k < 64; k += 16)  // one line: the processor writes it whole
      _mm_stream_si128(reinterpret_cast<__m128i*>(d + i + k), _mm_loadu_si128(reinterpret_cast<const __m128i*>(s + i + k)));
  std::memcpy(d + i, s + i, size_t(bytes - i));
}
void stream_end() { _mm_sfence(); }

void gather_rows(void* dst, const void* src, const int64_t* indices, int64_t count, int64_t row_bytes) {
  char* d = static_cast<char*>(dst);
  const char* s = static_cast<const char*>(src);
  const int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(row_bytes, 1));
  parallel_for(0, count, grain, [=](int64_t begin, int64_t end) {
    constexpr int64_t kAhead = 8;  // rows are far apart: ask for them early
    for (int64_t i = begin; i < end; ++i) {
      if (i + kAhead < end) {
        const char* next = s + indices[i + kAhead] * row_bytes;
        for (int64_t b = 0; b < std::min<int64_t>(row_bytes, 512); b += 64) __builtin_prefetch(next + b);
      }
      std::memcpy(d + i * row_bytes, s + indices[i] * row_bytes, size_t(row_bytes));
    }
  });
}

}  // namespace bolide::cpu
