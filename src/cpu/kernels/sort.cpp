// Map: keys that order as unsigned integers | short rows | radix sort | rows | top-k
//
// Every element becomes an unsigned key (NaN above all, -0 equal to 0, inverted for descending order). Rows are
// sorted as (key, position), so equal elements keep their order: long rows by radix, digits that are equal
// throughout left out; several threads share one long row.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <vector>

#include "core/allocator.h"
#include "cpu/isa.h"
#include "cpu/kernels/rows.h"
#include "cpu/pool.h"

namespace bolide::cpu {

namespace {

template <class T> using KeyBits = std::conditional_t<sizeof(T) <= 4, uint32_t, uint64_t>;

template <class T>
inline KeyBits<T> key_of(T x) {
  if constexpr (std::is_integral_v<T>) {
    constexpr KeyBits<T> kSign = std::is_signed_v<T> ? KeyBits<T>(1) << (8 * sizeof(KeyBits<T>) - 1) : 0;
    return KeyBits<T>(x) ^ kSign;
  } else if constexpr (sizeof(T) == 2) {
    return key_of(float(x));
  } else {
    using Bits = KeyBits<T>;
    using Signed = std::make_signed_t<Bits>;
    const Bits b = __builtin_bit_cast(Bits, x + T(0));  // -0 + 0 = 0
    const Bits mask = Bits(Signed(b) >> (8 * sizeof(T) - 1)) | (Bits(1) << (8 * sizeof(T) - 1));
    return x != x ? ~Bits(0) : b ^ mask;
  }
}

template <class K> struct Entry {
  K key;
  uint32_t position;
};
template <class K>
inline bool before(const Entry<K>& a, const Entry<K>& b) {
  return a.key < b.key || (a.key == b.key && a.position < b.position);
}

// Uninitialised memory from the caching allocator, whose large blocks cost no page faults.
template <class V>
class Buffer {
 public:
  explicit Buffer(int64_t n) : bytes_(size_t(n) * sizeof(V)), data_(static_cast<V*>(allocate(bytes_))) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { deallocate(data_, bytes_); }
  V* data() { return data_; }

 private:
  size_t bytes_;
  V* data_;
};

constexpr int kDigit = 8, kBuckets = 1 << kDigit;
constexpr int64_t kShort = 96;

// Stable counting passes over `data`, with `spare` as the other buffer; returns the buffer that holds the result.
// Pieces of the row belong to threads, at fixed places.
template <class K>
Entry<K>* radix_sort(Entry<K>* data, Entry<K>* spare, int64_t n) {
  const int64_t pieces = in_parallel_region() ? 1 : std::clamp<int64_t>(n / 65536, 1, num_threads());
  std::vector<uint32_t> counts(size_t(pieces * kBuckets));
  auto piece_begin = [&](int64_t p) { return n * p / pieces; };
  for (int shift = 0; shift < int(8 * sizeof(K)); shift += kDigit) {
    parallel_for(0, pieces, 1, [&](int64_t b, int64_t e) {
      for (int64_t p = b; p < e; ++p) {
        uint32_t* c = &counts[size_t(p * kBuckets)];
        std::memset(c, 0, kBuckets * sizeof(uint32_t));
        for (int64_t i = piece_begin(p), last = piece_begin(p + 1); i < last; ++i) ++c[(data[i].key >> shift) & (kBuckets - 1)];
      }
    });
    uint32_t place = 0;
    bool all_equal = false;
    for (int d = 0; d < kBuckets; ++d) {
      const uint32_t before_digit = place;
      for (int64_t p = 0; p < pieces; ++p) {
        const uint32_t c = counts[size_t(p * kBuckets + d)];
        counts[size_t(p * kBuckets + d)] = place;
        place += c;
      }
      all_equal |= int64_t(place - before_digit) == n;
    }
    if (all_equal) continue;
    parallel_for(0, pieces, 1, [&](int64_t b, int64_t e) {
      for (int64_t p = b; p < e; ++p) {
        uint32_t* c = &counts[size_t(p * kBuckets)];
        for (int64_t i = piece_begin(p), last = piece_begin(p + 1); i < last; ++i)
          spare[c[(data[i].key >> shift) & (kBuckets - 1)]++] = data[i];
      }
    });
    std::swap(data, spare);
  }
  return data;
}

template <class T>
struct RowSorter {
  using K = KeyBits<T>;
  explicit RowSorter(int64_t n) : entries(n), spare(n > kShort ? n : 0), original(n) {}

  void sort(const T* x, int64_t n, bool descending, T* values, int64_t* indices) {
    const K flip = descending ? ~K(0) : K(0);
    auto piece = [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) entries.data()[i] = {key_of(x[i]) ^ flip, uint32_t(i)}, original.data()[i] = x[i];
    };
    parallel_for(0, n, 65536, piece);
    Entry<K>* sorted = entries.data();
    if (n > kShort) sorted = radix_sort(entries.data(), spare.data(), n);
    else std::sort(sorted, sorted + n, before<K>);
    parallel_for(0, n, 65536, [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) {
        if (values) values[i] = original.data()[sorted[i].position];
        if (indices) indices[i] = int64_t(sorted[i].position);
      }
    });
  }

  Buffer<Entry<K>> entries, spare;
  Buffer<T> original;
};

// Keeps candidates above a threshold; when twice as many as wanted are in, drops the worse half.
template <class K>
struct Candidates {
  explicit Candidates(int64_t k) : wanted(size_t(k)), limit(std::max<size_t>(2 * size_t(k), 64)) { list.reserve(limit + 1); }
  void reset() {
    list.clear();
    threshold = 0;
    full = false;
  }
  void add(K key, int64_t position) {
    list.push_back({key, uint32_t(position)});
    if (list.size() >= limit) shrink();
  }
  void shrink() {
    std::nth_element(list.begin(), list.begin() + std::ptrdiff_t(wanted - 1), list.end(), better);
    list.resize(wanted);
    threshold = list[wanted - 1].key;
    full = true;
  }
  static bool better(const Entry<K>& a, const Entry<K>& b) {
    return a.key > b.key || (a.key == b.key && a.position < b.position);
  }
  size_t wanted, limit;
  std::vector<Entry<K>> list;
  K threshold = 0;
  std::vector<K> maxima, sorted;  // of blocks
  bool full = false;
};

// The k-th largest maximum of blocks bounds the k-th largest element from below, and is nearly equal to it where
// the order is random: few blocks are then looked at.
template <class T>
[[gnu::always_inline]] inline void topk_scan(const T* x, int64_t n, KeyBits<T> flip, Candidates<KeyBits<T>>& c) {
  using K = KeyBits<T>;
  constexpr int64_t kBlock = 128;
  const int64_t blocks = n / kBlock, k = int64_t(c.wanted);
  K bound = 0;
  c.maxima.resize(size_t(blocks));
  for (int64_t b = 0; b < blocks; ++b) {
    K keys[kBlock], top = 0;
    for (int64_t j = 0; j < kBlock; ++j) keys[j] = key_of(x[b * kBlock + j]) ^ flip;
    for (int64_t j = 0; j < kBlock; ++j) top = std::max(top, keys[j]);
    c.maxima[size_t(b)] = top;
  }
  if (blocks > k) {
    c.sorted = c.maxima;
    std::nth_element(c.sorted.begin(), c.sorted.begin() + (k - 1), c.sorted.end(), std::greater<K>());
    bound = c.sorted[size_t(k - 1)];
  }
  for (int64_t b = 0; b <= blocks; ++b) {
    if (b < blocks && (c.maxima[size_t(b)] < bound || (c.full && c.maxima[size_t(b)] <= c.threshold))) continue;
    for (int64_t j = b * kBlock, last = std::min(n, j + kBlock); j < last; ++j) {
      const K key = key_of(x[j]) ^ flip;
      if (key >= bound && (!c.full || key > c.threshold)) c.add(key, j);
    }
  }
}
template <class T> void topk_baseline(const T* x, int64_t n, KeyBits<T> flip, Candidates<KeyBits<T>>& c) { topk_scan(x, n, flip, c); }
template <class T>
[[gnu::target(BOLIDE_TARGET_AVX2)]] void topk_avx2(const T* x, int64_t n, KeyBits<T> flip, Candidates<KeyBits<T>>& c) {
  topk_scan(x, n, flip, c);
}

}  // namespace

template <class T>
void sort_rows(const T* x, int64_t rows, int64_t n, bool descending, T* values, int64_t* indices) {
  if (n == 0) return;
  const bool rows_in_parallel = rows > 1;
  auto some = [&](int64_t begin, int64_t end) {
    RowSorter<T> sorter(n);
    for (int64_t r = begin; r < end; ++r)
      sorter.sort(x + r * n, n, descending, values ? values + r * n : nullptr, indices ? indices + r * n : nullptr);
  };
  if (rows_in_parallel) parallel_for(0, rows, std::max<int64_t>(1, 1024 / n), some);
  else some(0, rows);
}

template <class T>
void topk_rows(const T* x, int64_t rows, int64_t n, int64_t k, bool largest, T* values, int64_t* indices) {
  using K = KeyBits<T>;
  const K flip = largest ? K(0) : ~K(0);
  parallel_for(0, rows, std::max<int64_t>(1, 8192 / std::max<int64_t>(n, 1)), [&](int64_t begin, int64_t end) {
    Candidates<K> c(k);
    for (int64_t r = begin; r < end; ++r) {
      c.reset();
      (isa() == Isa::Baseline ? topk_baseline<T> : topk_avx2<T>)(x + r * n, n, flip, c);
      if (c.list.size() > size_t(k)) c.shrink();
      std::sort(c.list.begin(), c.list.end(), Candidates<K>::better);
      for (int64_t j = 0; j < k; ++j) {
        const int64_t at = int64_t(c.list[size_t(j)].position);
        if (values) values[r * k + j] = x[r * n + at];
        if (indices) indices[r * k + j] = at;
      }
    }
  });
}

#define BOLIDE_FOR(T)                                                              \
  template void sort_rows(const T*, int64_t, int64_t, bool, T*, int64_t*);         \
  template void topk_rows(const T*, int64_t, int64_t, int64_t, bool, T*, int64_t*);
BOLIDE_FOR(float)
BOLIDE_FOR(double)
BOLIDE_FOR(Half)
BOLIDE_FOR(BFloat16)
BOLIDE_FOR(uint8_t)
BOLIDE_FOR(int8_t)
BOLIDE_FOR(int16_t)
BOLIDE_FOR(int32_t)
BOLIDE_FOR(int64_t)

}  // namespace bolide::cpu
