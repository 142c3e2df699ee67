// Map: chunks | uniform | normal: float32 blocks, C library blocks, scalar | integers | randperm | bernoulli
#include "cpu/random.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "cpu/random_loops.h"

namespace bolide::random {

namespace {

using Lock = std::lock_guard<std::mutex>;
using loops::dispatch;
using loops::Draw;

constexpr int64_t kChunkWords = 2048;

// Draws the words of n values in chunks and calls f(words, first value, count).
template <class F>
void in_chunks(Mt19937& engine, int64_t n, int words_per_value, F f) {
  alignas(64) uint32_t words[kChunkWords];
  const int64_t most = kChunkWords / words_per_value;
  for (int64_t first = 0; first < n; first += most) {
    const int64_t count = std::min(most, n - first);
    engine.words(words, count * words_per_value);
    f(static_cast<const uint32_t*>(words), first, count);
  }
}

}  // namespace

// ---- uniform ---------------------------------------------------------------------------------

template <class T>
void uniform(Generator& generator, T* out, int64_t n, double from, double to) {
  const Lock lock(generator.mutex());
  if constexpr (sizeof(T) == 2) {
    const float low = float(from), width = float(float(to) - low);
    in_chunks(generator.engine(), n, 1, [&](const uint32_t* words, int64_t first, int64_t count) {
      dispatch<loops::UniformHalf<T>>(words, out + first, count, low, width, T(low), T(float(to)));
    });
  } else {
    const T low = T(from), width = T(T(to) - low);
    constexpr int kWords = Draw<T>::kWords;
    in_chunks(generator.engine(), n, kWords, [&](const uint32_t* words, int64_t first, int64_t count) {
      dispatch<loops::Uniform<T>>(words, out + first, count, low, width);
    });
  }
}

// ---- normal: groups of 16, the first half cosines, the second sines --------------------------------

namespace {

void transform_groups(const uint32_t* words, float* out, int64_t groups, double mean, double std) {
  dispatch<loops::NormalGroups>(words, out, groups, float(mean), float(std));
}

void transform_groups(const uint32_t* words, double* out, int64_t groups, double mean, double std) {
  constexpr double kTwoPi = 6.283185307179586476925286766559;
  dispatch<loops::Uniform<double>>(words, out, 16 * groups, 0.0, 1.0);
  for (double* group = out; group < out + 16 * groups; group += 16) {
    for (int j = 0; j < 8; ++j) {
      const double radius = std::sqrt(-2.0 * std::log(1.0 - group[j])), angle = kTwoPi * group[j + 8];
      group[j] = std::fma(radius * std::cos(angle), std, mean);
      group[j + 8] = std::fma(radius * std::sin(angle), std, mean);
    }
  }
}

// The 16-bit types are float's normals, rounded.
template <class T>
void transform_groups(const uint32_t* words, T* out, int64_t groups, double mean, double std) {
  float values[kChunkWords];
  transform_groups(words, values, groups, mean, std);
  dispatch<loops::Narrow<T>>(static_cast<const float*>(values), out, 16 * groups);
}

template <class T>
constexpr int kDrawWords = std::is_same_v<T, double> ? 2 : 1;

// Full groups first; what remains is covered by 16 fresh values at the end of the buffer. float and double
// draw the words of what remains before that, and drop them.
template <class T>
void normal_blocks(Mt19937& engine, T* out, int64_t n, double mean, double std) {
  const int64_t groups = n / 16, rest = n % 16;
  in_chunks(engine, groups, 16 * kDrawWords<T>, [&](const uint32_t* words, int64_t first, int64_t count) {
    transform_groups(words, out + 16 * first, count, mean, std);
  });
  if (rest == 0) return;
  if constexpr (sizeof(T) > 2) engine.skip(rest * kDrawWords<T>);
  in_chunks(engine, 1, 16 * kDrawWords<T>, [&](const uint32_t* words, int64_t, int64_t) {
    transform_groups(words, out + n - 16, 1, mean, std);
  });
}

}  // namespace

template <class T>
void normal(Generator& generator, T* out, int64_t n, double mean, double std) {
  if (n < 16) return normal_scalar(generator, out, n, mean, std);
  const Lock lock(generator.mutex());
  normal_blocks(generator.engine(), out, n, mean, std);
}

template <class T>
void normal_scalar(Generator& generator, T* out, int64_t n, double mean, double std) {
  const Lock lock(generator.mutex());
  for (int64_t i = 0; i < n; ++i) out[i] = T(std::fma(generator.normal(), std, mean));
}

// ---- integers --------------------------------------------------------------------------------

namespace {

constexpr uint64_t kWideRange = uint64_t(1) << 28;

template <class T>
constexpr int mantissa_digits() {
  return std::numeric_limits<T>::digits;
}

// x mod d by two multiplications, for 32-bit x and d (Lemire, Kaser, Kurz: Faster remainder by direct
// computation).
class Remainder {
 public:
  explicit Remainder(uint32_t divisor) : divisor_(divisor), inverse_(UINT64_MAX / divisor + 1) {}
  uint32_t operator()(uint32_t x) const {
    return uint32_t((static_cast<unsigned __int128>(inverse_ * x) * divisor_) >> 64);
  }

 private:
  uint64_t divisor_, inverse_;
};

template <class T>
void narrow_integers(Mt19937& engine, T* out, int64_t n, uint32_t range, int64_t base) {
  const Remainder remainder(range);
  in_chunks(engine, n, 1, [&](const uint32_t* words, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      out[first + i] = T(int64_t(uint64_t(remainder(words[i])) + uint64_t(base)));
    }
  });
}

template <class T>
void wide_integers(Mt19937& engine, T* out, int64_t n, uint64_t range, int64_t base) {
  in_chunks(engine, n, 2, [&](const uint32_t* words, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t draw = uint64_t(words[2 * i]) << 32 | words[2 * i + 1];
      out[first + i] = T(int64_t((range == 0 ? draw : draw % range) + uint64_t(base)));
    }
  });
}

}  // namespace

template <class T>
void integers(Generator& generator, T* out, int64_t n, uint64_t range, int64_t base) {
  const Lock lock(generator.mutex());
  if (range == 0 || range >= kWideRange) return wide_integers(generator.engine(), out, n, range, base);
  narrow_integers(generator.engine(), out, n, uint32_t(range), base);
}

template <class T>
void integers_full(Generator& generator, T* out, int64_t n) {
  const Lock lock(generator.mutex());
  Mt19937& engine = generator.engine();
  if constexpr (std::is_same_v<T, double>) {
    wide_integers(engine, out, n, (uint64_t(1) << 53) + 1, 0);
  } else if constexpr (std::is_same_v<T, int64_t>) {
    wide_integers(engine, out, n, uint64_t(1) << 63, 0);
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    wide_integers(engine, out, n, 0, 0);
  } else if constexpr (std::is_same_v<T, uint32_t>) {
    engine.words(out, n);
  } else if constexpr (std::is_integral_v<T>) {  // bool: mod 2
    narrow_integers(engine, out, n, uint32_t(std::numeric_limits<T>::max()) + 1, 0);
  } else {
    narrow_integers(engine, out, n, (1u << mantissa_digits<T>()) + 1, 0);
  }
}

template <class T>
Bounds fitting_bounds(int64_t from, int64_t to) {
  if constexpr (std::is_integral_v<T>) {
    return {from, to};
  } else {
    const auto rounded = [](int64_t x) {  // what does not fit counts as the lowest, as x86 converts it
      const double value = double(T(x));
      return std::fabs(value) < 0x1p63 ? int64_t(value) : INT64_MIN;
    };
    const auto step = [](int64_t x) {
      const uint64_t magnitude = x < 0 ? 0 - uint64_t(x) : uint64_t(x);  // above 2^digits, as it was rounded
      return int64_t(1) << (63 - __builtin_clzll(magnitude) - mantissa_digits<T>() + 1);
    };
    Bounds bounds{from, to};
    if (const int64_t up = rounded(from + 1); up < from) bounds.from = up + step(from + 1);
    if (const int64_t down = rounded(to - 1); down >= to) bounds.to = down - step(to - 1);
    return bounds;
  }
}

// ---- randperm --------------------------------------------------------------------------------

template <class T>
void randperm(Generator& generator, T* out, int64_t n) {
  // 32-bit remainders would be biased visibly from here on.
  constexpr int64_t kLong = int64_t(UINT32_MAX) / 20;
  const Lock lock(generator.mutex());
  if (n < kLong) {
    for (int64_t i = 0; i < n; ++i) out[i] = T(i);
    in_chunks(generator.engine(), n - 1, 1, [&](const uint32_t* words, int64_t first, int64_t count) {
      for (int64_t i = first; i < first + count; ++i) {
        const uint32_t offset = words[i - first] % uint32_t(n - i);
        std::swap(out[i], out[i + int64_t(offset)]);
      }
    });
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    const int64_t place = int64_t(generator.word64() % uint64_t(i + 1));
    out[i] = T(i);
    out[i] = out[place];
    out[place] = T(i);
  }
}

// ---- bernoulli -------------------------------------------------------------------------------

namespace {

template <size_t Bytes>
struct UnsignedOf;
template <>
struct UnsignedOf<1> { using type = uint8_t; };
template <>
struct UnsignedOf<2> { using type = uint16_t; };
template <>
struct UnsignedOf<4> { using type = uint32_t; };
template <>
struct UnsignedOf<8> { using type = uint64_t; };

// draw * 2^-53 < p exactly when draw < ceil(p * 2^53): the product is exact, and draws are integers.
int64_t threshold_of(double p) { return int64_t(std::ceil(std::clamp(p, 0.0, 1.0) * 0x1p53)); }

}  // namespace

template <class T>
void bernoulli(Generator& generator, T* out, int64_t n, double p, T on) {
  using U = typename UnsignedOf<sizeof(T)>::type;
  const Lock lock(generator.mutex());
  const int64_t threshold = threshold_of(p);
  const U bits = __builtin_bit_cast(U, on);
  in_chunks(generator.engine(), n, 2, [&](const uint32_t* words, int64_t first, int64_t count) {
    dispatch<loops::Below<U>>(words, reinterpret_cast<U*>(out) + first, count, threshold, bits);
  });
}

template <class T, class P>
void bernoulli_each(Generator& generator, T* out, const P* p, int64_t n) {
  using C = std::conditional_t<std::is_same_v<P, double>, double, float>;
  using D = Draw<C>;
  const Lock lock(generator.mutex());
  in_chunks(generator.engine(), n, D::kWords, [&](const uint32_t* words, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; ++i) out[first + i] = T(D::value(words, i) < C(p[first + i]) ? 1 : 0);
  });
}

// ---- instances -------------------------------------------------------------------------------

#define BOLIDE_FLOATS(X) X(float) X(double) X(Half) X(BFloat16)
#define BOLIDE_NUMBERS(X) \
  BOLIDE_FLOATS(X) X(uint8_t) X(int8_t) X(uint16_t) X(int16_t) X(uint32_t) X(int32_t) X(uint64_t) X(int64_t)
#define BOLIDE_ALL(X) BOLIDE_NUMBERS(X) X(bool)

#define BOLIDE_INSTANCE(T)                                                    \
  template void uniform<T>(Generator&, T*, int64_t, double, double);          \
  template void normal<T>(Generator&, T*, int64_t, double, double);           \
  template void normal_scalar<T>(Generator&, T*, int64_t, double, double);
BOLIDE_FLOATS(BOLIDE_INSTANCE)
#undef BOLIDE_INSTANCE

#define BOLIDE_INSTANCE(T) template void randperm<T>(Generator&, T*, int64_t);
BOLIDE_NUMBERS(BOLIDE_INSTANCE)
#undef BOLIDE_INSTANCE

#define BOLIDE_INSTANCE(T)                                                              \
  template void integers<T>(Generator&, T*, int64_t, uint64_t, int64_t);                \
  template void integers_full<T>(Generator&, T*, int64_t);                              \
  template Bounds fitting_bounds<T>(int64_t, int64_t);                                  \
  template void bernoulli<T>(Generator&, T*, int64_t, double, T);                       \
  template void bernoulli_each<T, float>(Generator&, T*, const float*, int64_t);        \
  template void bernoulli_each<T, double>(Generator&, T*, const double*, int64_t);      \
  template void bernoulli_each<T, Half>(Generator&, T*, const Half*, int64_t);          \
  template void bernoulli_each<T, BFloat16>(Generator&, T*, const BFloat16*, int64_t);
BOLIDE_ALL(BOLIDE_INSTANCE)
#undef BOLIDE_INSTANCE

}  // namespace bolide::random
