// Map: table version, sixteen bytes a step | carry-less multiplication, 64 bytes a step | the choice
#include "io/crc32.h"

#include <immintrin.h>

#include <array>
#include <cstring>

#include "cpu/isa.h"

namespace bolide::io {
namespace {

constexpr uint32_t kPolynomial = 0xEDB88320u;

using Tables = std::array<std::array<uint32_t, 256>, 16>;

// Row k: the effect of a byte that stands k bytes before the end of a block.
constexpr Tables make_tables() {
  Tables t{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) ? kPolynomial : 0);
    t[0][i] = c;
  }
  for (int k = 1; k < 16; ++k)
    for (int i = 0; i < 256; ++i) t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 255];
  return t;
}
constexpr Tables kTables = make_tables();

uint32_t by_tables(uint32_t c, const uint8_t* p, size_t n) {
  for (; n >= 16; p += 16, n -= 16) {
    uint32_t w[4];
    std::memcpy(w, p, 16);
    w[0] ^= c;
    c = 0;
    for (int i = 0; i < 4; ++i)
      for (int b = 0; b < 4; ++b) c ^= kTables[15 - 4 * i - b][(w[i] >> (8 * b)) & 255];
  }
  for (; n != 0; ++p, --n) c = (c >> 8) ^ kTables[0][(c ^ *p) & 255];
  return c;
}

// x^n modulo the polynomial, bit-reflected as the registers hold it: folding constants are such powers.
constexpr uint64_t power(int n) {
  uint32_t c = 0x80000000u;
  for (int i = 0; i < n; ++i) c = (c >> 1) ^ ((c & 1) ? kPolynomial : 0);
  return uint64_t{c} << 1;
}

[[gnu::target("pclmul,sse4.1")]] inline __m128i fold(__m128i x, __m128i k, __m128i next) {
  return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11)), next);
}

// Four lanes of 128 bits run ahead by 512 bits a step, then are folded into one, whose 16 bytes go through
// the tables.
[[gnu::target("pclmul,sse4.1")]] uint32_t by_multiplication(uint32_t c, const uint8_t* p, size_t n) {
  const __m128i far = _mm_set_epi64x(static_cast<int64_t>(power(512 - 32)), static_cast<int64_t>(power(512 + 32)));
  const __m128i near = _mm_set_epi64x(static_cast<int64_t>(power(128 - 32)), static_cast<int64_t>(power(128 + 32)));
  auto at = [&](size_t i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p) + i); };
  __m128i x[4] = {_mm_xor_si128(at(0), _mm_cvtsi32_si128(static_cast<int>(c))), at(1), at(2), at(3)};
  for (p += 64, n -= 64; n >= 64; p += 64, n -= 64)
    for (int i = 0; i < 4; ++i) x[i] = fold(x[i], far, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p) + i));
  __m128i sum = x[0];
  for (int i = 1; i < 4; ++i) sum = fold(sum, near, x[i]);
  uint8_t rest[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), sum);
  return by_tables(by_tables(0, rest, 16), p, n);
}

bool has_multiplication() {
  static const bool has = isa() >= Isa::Avx2 && __builtin_cpu_supports("pclmul");
  return has;
}

}  // namespace

uint32_t crc32(uint32_t before, const void* data, size_t n) {
  const uint8_t* p = static_cast<const uint8_t*>(data);
  const uint32_t c = ~before;
  return ~(n >= 128 && has_multiplication() ? by_multiplication(c, p, n) : by_tables(c, p, n));
}

}  // namespace bolide::io
