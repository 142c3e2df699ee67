// Map: Mt19937 | Generator | the default generator
//
// The stream of PyTorch's CPU generator, bit for bit: the reference MT19937, its 5056-byte saved state, and
// one cached normal value. Whole blocks of 624 words are made and tempered at once, in vectors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace bolide {

class Mt19937 {
 public:
  static constexpr int kWords = 624;

  explicit Mt19937(uint32_t seed = 0) { reseed(seed); }
  void reseed(uint32_t seed);

  uint32_t word() {
    if (--left_ == 0) [[unlikely]] regenerate();
    return tempered_[size_t(next_++)];
  }

  // The next n words of the stream.
  void words(uint32_t* out, int64_t n);
  void skip(int64_t n);

  // The state in the terms of the saved form: raw words, words left in the block plus one, next index.
  const std::array<uint32_t, kWords>& raw() const { return raw_; }
  int left() const { return left_; }
  int next() const { return next_; }
  void restore(const std::array<uint32_t, kWords>& raw, int left, int next);

 private:
  void regenerate();

  int left_ = 1, next_ = 0;
  alignas(64) std::array<uint32_t, kWords> raw_;
  alignas(64) std::array<uint32_t, kWords> tempered_;
};

// A source of random numbers. Draws are not synchronised: hold mutex() over a whole operation. The functions
// that seed, save and restore take it themselves.
class Generator {
 public:
  static constexpr uint64_t kDefaultSeed = 67280421310721;
  static constexpr size_t kStateBytes = 5056;

  explicit Generator(uint64_t seed = kDefaultSeed) : engine_(uint32_t(seed)), seed_(seed) {}

  // Only the low 32 bits reach the engine; initial_seed() gives back all 64.
  void manual_seed(uint64_t seed);
  // Seeds from the operating system and returns the seed (53 bits, exact in a double).
  uint64_t seed();
  uint64_t initial_seed() const;

  // Writes, reads kStateBytes bytes. set_state throws Error for a wrong size or an impossible state, and then
  // changes nothing.
  void get_state(uint8_t* out) const;
  void set_state(const uint8_t* state, size_t bytes);
  void copy_state(const Generator& from);

  std::mutex& mutex() const { return mutex_; }

  // ---- draws: hold mutex() ----
  Mt19937& engine() { return engine_; }
  uint32_t word() { return engine_.word(); }
  uint64_t word64() {
    const uint64_t high = engine_.word();
    return high << 32 | engine_.word();
  }
  // In [0, 1), multiples of 2^-53.
  double uniform53() { return double(word64() & ((uint64_t(1) << 53) - 1)) * 0x1p-53; }
  // Standard normal by Box and Muller in double; every second one comes from the cache.
  double normal();

 private:
  mutable std::mutex mutex_;
  Mt19937 engine_;
  uint64_t seed_;
  bool has_cached_ = false;
  double cached_ = 0;
};

// The generator of calls that name none; seeded from the operating system at first use.
Generator& default_generator();

// While one lives, default_generator() of this thread is `g`: worker threads have streams of their own.
class UseGenerator {
 public:
  explicit UseGenerator(Generator& g);
  ~UseGenerator();
  UseGenerator(const UseGenerator&) = delete;

 private:
  Generator* saved_;
};

// A seed from the operating system, 53 bits.
uint64_t entropy_seed();

}  // namespace bolide
