// Map: bits | Huffman tables | blocks | inflate | gunzip
#include "io/inflate.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "io/crc32.h"

namespace bolide::io {
namespace {

[[noreturn]] void bad(const char* what) { throw InflateError(std::string("damaged deflate data: ") + what); }

/// Bits, lowest first. Past the end it gives zeros and remembers; take() checks.
class Bits {
 public:
  Bits(const uint8_t* p, size_t n) : begin_(p), p_(p), end_(p + n) {}
  // At least 32 valid bits unless the input ends.
  void refill() {
    if (end_ - p_ >= 8) [[likely]] {
      uint64_t word;
      std::memcpy(&word, p_, 8);
      hold_ |= word << count_;
      p_ += (63 - count_) >> 3;
      count_ |= 56;
      return;
    }
    while (count_ <= 56 && p_ != end_) {
      hold_ |= uint64_t{*p_++} << count_;
      count_ += 8;
    }
  }
  uint32_t peek(unsigned n) const { return static_cast<uint32_t>(hold_ & ((uint64_t{1} << n) - 1)); }
  void drop(unsigned n) {
    if (n > count_) bad("it ends too early");
    hold_ >>= n;
    count_ -= n;
  }
  uint32_t take(unsigned n) {
    refill();
    const uint32_t v = peek(n);
    drop(n);
    return v;
  }
  // Back to a byte boundary; whole bytes that were read ahead are given back.
  const uint8_t* align() {
    p_ -= count_ >> 3;
    hold_ = 0;
    count_ = 0;
    return p_;
  }
  void move_to(const uint8_t* p) { p_ = p; }
  const uint8_t* end() const { return end_; }
  size_t used() { return static_cast<size_t>(align() - begin_); }

 private:
  const uint8_t *begin_, *p_, *end_;
  uint64_t hold_ = 0;
  unsigned count_ = 0;
};

/// Canonical code: one look-up for codes up to kFast bits, a walk over lengths for longer ones.
class Huffman {
 public:
  static constexpr int kFast = 10, kLongest = 15;

  void build(const uint8_t* lengths, int n, bool may_be_incomplete) {
    count_.fill(0);
    for (int i = 0; i < n; ++i) ++count_[lengths[i]];
    const bool empty = count_[0] == n;
    count_[0] = 0;
    int left = 1, used = 0;
    std::array<uint16_t, kLongest + 2> offset{};
    for (int len = 1; len <= kLongest; ++len) {
      left = 2 * left - count_[len];
      if (left < 0) bad("a code has too many words");
      offset[len + 1] = static_cast<uint16_t>(offset[len] + count_[len]);
      used += count_[len];
    }
    // A single distance code of one bit, or none, is legal.
    if (left > 0 && !(may_be_incomplete && (empty || (used == 1 && count_[1] == 1)))) bad("a code has too few words");
    for (int i = 0; i < n; ++i)
      if (lengths[i]) symbol_[offset[lengths[i]]++] = static_cast<uint16_t>(i);
    fill_fast(lengths, n);
  }

  int decode(Bits& in) const {
    const uint16_t e = fast_[in.peek(kFast)];
    if (e) [[likely]] {
      in.drop(e & 15);
      return e >> 4;
    }
    return decode_slow(in);
  }

 private:
  // Entries hold symbol << 4 | length; zero means "longer, or no code".
  void fill_fast(const uint8_t* lengths, int n) {
    fast_.fill(0);
    std::array<uint32_t, kLongest + 2> next{};
    for (int len = 1; len <= kLongest; ++len) next[len + 1] = (next[len] + count_[len]) << 1;
    for (int i = 0; i < n; ++i) {
      const int len = lengths[i];
      if (len == 0) continue;
      const uint32_t code = next[len]++;
      if (len > kFast) continue;
      uint32_t reversed = 0;
      for (int b = 0; b < len; ++b) reversed |= ((code >> b) & 1) << (len - 1 - b);
      for (uint32_t k = reversed; k < (1u << kFast); k += 1u << len) fast_[k] = static_cast<uint16_t>(i << 4 | len);
    }
  }

  int decode_slow(Bits& in) const {
    int code = 0, first = 0, index = 0;
    for (unsigned len = 1; len <= kLongest; ++len) {
      code |= static_cast<int>((in.peek(len) >> (len - 1)) & 1);
      if (code - count_[len] < first) {
        in.drop(len);
        return symbol_[index + code - first];
      }
      index += count_[len];
      first = (first + count_[len]) << 1;
      code <<= 1;
    }
    bad("a word is in no code");
  }

  std::array<uint16_t, kLongest + 1> count_{};
  std::array<uint16_t, 288> symbol_{};
  std::array<uint16_t, 1 << kFast> fast_{};
};

constexpr uint16_t kLengthBase[29] = {3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27,
                                      31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr uint8_t kLengthExtra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                      2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
constexpr uint16_t kDistanceBase[30] = {1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129,
                                        193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289,
                                        16385, 24577};
constexpr uint8_t kDistanceExtra[30] = {0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6,
                                        6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

/// What is written, and how to get room for more: the whole size at once, or piece by piece up to a limit.
struct Output {
  uint8_t* data = nullptr;
  size_t at = 0, room = 0;
  std::string* growing = nullptr;
  size_t limit = 0;

  void need(size_t n) {
    if (room - at >= n) [[likely]] return;
    if (!growing) bad("it is longer than declared");
    if (n > limit - at) bad("it is longer than allowed");
    growing->resize(std::min(limit, std::max(at + n, 2 * room + 65536)));
    data = reinterpret_cast<uint8_t*>(growing->data());
    room = growing->size();
  }
};

struct Codes { Huffman literals, distances; };

void fixed_codes(Codes& c) {
  uint8_t lengths[288];
  for (int i = 0; i < 288; ++i) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  c.literals.build(lengths, 288, false);
  std::memset(lengths, 5, 32);
  c.distances.build(lengths, 32, false);  // words 30 and 31 are refused where they occur
}

void dynamic_codes(Bits& in, Codes& c) {
  constexpr uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  const int literals = static_cast<int>(in.take(5)) + 257, distances = static_cast<int>(in.take(5)) + 1;
  const int count = static_cast<int>(in.take(4)) + 4;
  if (literals > 286 || distances > 30) bad("too many codes");
  uint8_t lengths[286 + 30] = {};
  for (int i = 0; i < count; ++i) lengths[order[i]] = static_cast<uint8_t>(in.take(3));
  c.distances.build(lengths, 19, false);  // borrowed for the code of code lengths
  std::memset(lengths, 0, sizeof lengths);
  for (int i = 0; i < literals + distances;) {
    in.refill();
    const int s = c.distances.decode(in);
    if (s < 16) {
      lengths[i++] = static_cast<uint8_t>(s);
      continue;
    }
    if (s == 16 && i == 0) bad("it repeats nothing");
    const uint8_t value = s == 16 ? lengths[i - 1] : 0;
    int times = s == 16 ? 3 + static_cast<int>(in.take(2)) : s == 17 ? 3 + static_cast<int>(in.take(3))
                                                              : 11 + static_cast<int>(in.take(7));
    if (i + times > literals + distances) bad("too many code lengths");
    while (times--) lengths[i++] = value;
  }
  if (lengths[256] == 0) bad("a block cannot end");
  c.literals.build(lengths, literals, true);
  c.distances.build(lengths + literals, distances, true);
}

void copy_back(Output& out, size_t distance, size_t n) {
  if (distance > out.at) bad("it refers to bytes before the beginning");
  out.need(n);
  uint8_t* to = out.data + out.at;
  const uint8_t* from = to - distance;
  if (distance >= n) std::memcpy(to, from, n);
  else for (size_t i = 0; i < n; ++i) to[i] = from[i];  // overlaps on purpose: a repeated pattern
  out.at += n;
}

void coded_block(Bits& in, const Codes& c, Output& out) {
  for (;;) {
    in.refill();  // 56 bits: a length and a distance with their extra bits need 48
    int s = c.literals.decode(in);
    if (s < 256) {
      out.need(1);
      out.data[out.at++] = static_cast<uint8_t>(s);
      continue;
    }
    if (s == 256) return;
    if ((s -= 257) >= 29) bad("a length is in no code");
    const size_t n = kLengthBase[s] + in.peek(kLengthExtra[s]);
    in.drop(kLengthExtra[s]);
    const int d = c.distances.decode(in);
    if (d >= 30) bad("a distance is in no code");
    const size_t distance = kDistanceBase[d] + in.peek(kDistanceExtra[d]);
    in.drop(kDistanceExtra[d]);
    copy_back(out, distance, n);
  }
}

void stored_block(Bits& in, Output& out) {
  const uint8_t* p = in.align();
  if (in.end() - p < 4) bad("it ends too early");
  const size_t n = p[0] | p[1] << 8, check = p[2] | p[3] << 8;
  if ((n ^ check) != 0xFFFF) bad("the length of a stored block");
  p += 4;
  if (static_cast<size_t>(in.end() - p) < n) bad("it ends too early");
  out.need(n);
  if (n) std::memcpy(out.data + out.at, p, n);
  out.at += n;
  in.move_to(p + n);
}

size_t expand(const uint8_t* in, size_t n, Output& out) {
  Bits bits(in, n);
  Codes codes;
  for (bool last = false; !last;) {
    last = bits.take(1);
    switch (bits.take(2)) {
      case 0: stored_block(bits, out); break;
      case 1: fixed_codes(codes); coded_block(bits, codes, out); break;
      case 2: dynamic_codes(bits, codes); coded_block(bits, codes, out); break;
      default: bad("a block of unknown kind");
    }
  }
  return bits.used();
}

// Bytes of a gzip member's header.
size_t gzip_header(const uint8_t* p, size_t n) {
  const auto cut = [] { throw InflateError("damaged gzip data: the header ends too early"); };
  if (n < 18 || p[0] != 0x1F || p[1] != 0x8B || p[2] != 8) throw InflateError("not gzip data");
  const uint8_t flags = p[3];
  size_t at = 10;
  if (flags & 4) {
    at += 2 + (p[10] | p[11] << 8);
    if (at > n) cut();
  }
  for (const int bit : {8, 16}) {  // name, comment
    if (!(flags & bit)) continue;
    while (at < n && p[at]) ++at;
    if (++at > n) cut();
  }
  if (flags & 2) at += 2;
  if (at > n || n - at < 8) cut();
  return at;
}

}  // namespace

size_t inflate(const uint8_t* in, size_t n, uint8_t* out, size_t size) {
  Output o{out, 0, size};
  const size_t used = expand(in, n, o);
  if (o.at != size) bad("it is shorter than declared");
  return used;
}

std::string gunzip(const uint8_t* in, size_t n, size_t limit) {
  std::string all;
  Output out;
  out.growing = &all;
  out.limit = limit;
  do {
    const size_t head = gzip_header(in, n), start = out.at;
    const size_t used = head + expand(in + head, n - head, out);
    if (n - used < 8) throw InflateError("damaged gzip data: the checksum is missing");
    uint32_t crc, size;
    std::memcpy(&crc, in + used, 4);
    std::memcpy(&size, in + used + 4, 4);
    if (size != static_cast<uint32_t>(out.at - start)) throw InflateError("damaged gzip data: wrong length");
    if (crc != crc32(0, all.data() + start, out.at - start)) throw InflateError("damaged gzip data: wrong checksum");
    in += used + 8;
    n -= used + 8;
  } while (n >= 2 && in[0] == 0x1F && in[1] == 0x8B);
  all.resize(out.at);
  return all;
}

}  // namespace bolide::io
