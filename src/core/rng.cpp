// Map: the engine's block, per instruction set | Mt19937 | entropy | Generator | the default generator
#include "core/rng.h"

#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <utility>

#include "bolide/error.h"
#include "cpu/isa.h"

namespace bolide {

namespace {

// ---- the engine's block ----------------------------------------------------------------------

constexpr int kN = Mt19937::kWords, kM = 397;

[[gnu::always_inline]] inline uint32_t twist(uint32_t current, uint32_t following) {
  const uint32_t mixed = (current & 0x80000000u) | (following & 0x7fffffffu);
  return (mixed >> 1) ^ ((0u - (following & 1u)) & 0x9908b0dfu);
}

[[gnu::always_inline]] inline uint32_t temper(uint32_t y) {
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

// The recurrence reads words 1 and 397 ahead (or 227 behind, already new): with `ivdep` the compiler may take
// whole vectors, as 227 is more than any vector holds and a load never follows the store that would spoil it.
[[gnu::always_inline]] inline void next_block(uint32_t* raw) {
#pragma GCC ivdep
  for (int i = 0; i < kN - kM; ++i) raw[i] = raw[i + kM] ^ twist(raw[i], raw[i + 1]);
#pragma GCC ivdep
  for (int i = kN - kM; i < kN - 1; ++i) raw[i] = raw[i + kM - kN] ^ twist(raw[i], raw[i + 1]);
  raw[kN - 1] = raw[kM - 1] ^ twist(raw[kN - 1], raw[0]);
}

[[gnu::always_inline]] inline void temper_block(const uint32_t* __restrict raw, uint32_t* __restrict out) {
  for (int i = 0; i < kN; ++i) out[i] = temper(raw[i]);
}

void block_baseline(uint32_t* raw, uint32_t* out) {
  next_block(raw);
  temper_block(raw, out);
}
[[gnu::target(BOLIDE_TARGET_AVX2)]] void block_avx2(uint32_t* raw, uint32_t* out) {
  next_block(raw);
  temper_block(raw, out);
}
[[gnu::target(BOLIDE_TARGET_AVX512)]] void block_avx512(uint32_t* raw, uint32_t* out) {
  next_block(raw);
  temper_block(raw, out);
}

}  // namespace

// ---- Mt19937 ---------------------------------------------------------------------------------

void Mt19937::reseed(uint32_t seed) {
  raw_[0] = seed;
  for (uint32_t j = 1; j < uint32_t(kWords); ++j) {
    raw_[j] = 1812433253u * (raw_[j - 1] ^ (raw_[j - 1] >> 30)) + j;
  }
  left_ = 1;
  next_ = 0;
}

void Mt19937::regenerate() {
  switch (isa()) {
    case Isa::Avx512: block_avx512(raw_.data(), tempered_.data()); break;
    case Isa::Avx2: block_avx2(raw_.data(), tempered_.data()); break;
    case Isa::Baseline: block_baseline(raw_.data(), tempered_.data()); break;
  }
  left_ = kWords;
  next_ = 0;
}

void Mt19937::words(uint32_t* out, int64_t n) {
  while (n > 0) {
    if (left_ == 1) {
      regenerate();
      ++left_;  // word() counts before it takes; here all 624 are still to be had
    }
    const int count = int(std::min<int64_t>(n, left_ - 1));
    std::memcpy(out, &tempered_[size_t(next_)], size_t(count) * sizeof(uint32_t));
    next_ += count;
    left_ -= count;
    out += count;
    n -= count;
  }
}

void Mt19937::skip(int64_t n) {
  while (n > 0) {
    if (left_ == 1) {
      regenerate();
      ++left_;
    }
    const int count = int(std::min<int64_t>(n, left_ - 1));
    next_ += count;
    left_ -= count;
    n -= count;
  }
}

void Mt19937::restore(const std::array<uint32_t, kWords>& raw, int left, int next) {
  raw_ = raw;
  left_ = left;
  next_ = next;
  temper_block(raw_.data(), tempered_.data());
}

// ---- entropy ---------------------------------------------------------------------------------

uint64_t entropy_seed() {
  uint64_t bits = 0;
  if (getrandom(&bits, sizeof bits, 0) != ssize_t(sizeof bits)) {
    std::random_device device;
    bits = uint64_t(device()) << 32 | device();
  }
  return bits & ((uint64_t(1) << 53) - 1);
}

// ---- Generator -------------------------------------------------------------------------------

void Generator::manual_seed(uint64_t seed) {
  const std::lock_guard lock(mutex_);
  engine_.reseed(uint32_t(seed));
  seed_ = seed;
  has_cached_ = false;
  cached_ = 0;
}

uint64_t Generator::seed() {
  const uint64_t value = entropy_seed();
  manual_seed(value);
  return value;
}

uint64_t Generator::initial_seed() const {
  const std::lock_guard lock(mutex_);
  return seed_;
}

double Generator::normal() {
  if (has_cached_) {
    has_cached_ = false;
    return std::exchange(cached_, 0.0);
  }
  constexpr double kTwoPi = 6.283185307179586476925286766559;
  const double u1 = uniform53(), u2 = uniform53();
  const double radius = std::sqrt(-2.0 * std::log1p(-u2)), angle = kTwoPi * u1;
  cached_ = radius * std::sin(angle);
  has_cached_ = true;
  return radius * std::cos(angle);
}

namespace {

// The saved form, as PyTorch writes it.
struct SavedState {
  uint64_t seed;
  int32_t left;
  int32_t seeded;
  uint64_t next;
  uint64_t raw[Mt19937::kWords];
  double unused_before;
  double cached;
  double unused_after;
  int32_t has_cached;
  int32_t padding;
  float float_cached;
  uint8_t has_float_cached;
  uint8_t padding_after[3];
};
static_assert(sizeof(SavedState) == Generator::kStateBytes);

}  // namespace

void Generator::get_state(uint8_t* out) const {
  SavedState saved{};
  {
    const std::lock_guard lock(mutex_);
    saved.seed = seed_;
    saved.left = engine_.left();
    saved.seeded = 1;
    saved.next = uint64_t(engine_.next());
    std::copy(engine_.raw().begin(), engine_.raw().end(), saved.raw);
    saved.cached = has_cached_ ? cached_ : 0;
    saved.has_cached = has_cached_;
  }
  std::memcpy(out, &saved, sizeof saved);
}

void Generator::set_state(const uint8_t* state, size_t bytes) {
  BOLIDE_CHECK(bytes == kStateBytes, "RNG state is wrong size: expected ", kStateBytes, " bytes, got ",
      bytes);
  SavedState saved;
  std::memcpy(&saved, state, sizeof saved);
  // left - 1 words, from index `next` on, are still to be had.
  const bool possible = saved.seeded == 1 && saved.left > 0 && saved.left <= Mt19937::kWords &&
                        saved.next <= uint64_t(Mt19937::kWords) &&
                        saved.next + uint64_t(saved.left) - 1 <= uint64_t(Mt19937::kWords);
  BOLIDE_CHECK(possible, "RNG state is invalid: seeded ", saved.seeded, ", left ", saved.left, ", next ",
      saved.next);
  std::array<uint32_t, Mt19937::kWords> raw;
  std::transform(std::begin(saved.raw), std::end(saved.raw), raw.begin(),
                 [](uint64_t word) { return uint32_t(word); });
  const std::lock_guard lock(mutex_);
  engine_.restore(raw, saved.left, int(saved.next));
  seed_ = saved.seed;
  has_cached_ = saved.has_cached != 0;
  cached_ = has_cached_ ? saved.cached : 0;
}

void Generator::copy_state(const Generator& from) {
  if (this == &from) return;
  const std::scoped_lock lock(mutex_, from.mutex_);
  engine_ = from.engine_;
  seed_ = from.seed_;
  has_cached_ = from.has_cached_;
  cached_ = from.cached_;
}

// ---- the default generator ---------------------------------------------------------------------

namespace {
thread_local Generator* t_generator = nullptr;
}
UseGenerator::UseGenerator(Generator& g) : saved_(std::exchange(t_generator, &g)) {}
UseGenerator::~UseGenerator() { t_generator = saved_; }

Generator& default_generator() {
  if (t_generator) [[unlikely]] return *t_generator;
  static Generator* const generator = [] {
    auto* made = new Generator(entropy_seed());  // never destroyed: usable during static destruction
    // A child must not inherit the mutex locked by a thread it does not have.
    pthread_atfork([] { default_generator().mutex().lock(); }, [] { default_generator().mutex().unlock(); },
                   [] { default_generator().mutex().unlock(); });
    return made;
  }();
  return *generator;
}

}  // namespace bolide
