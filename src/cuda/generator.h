// The CUDA generators: Philox4x32-10 by seed and offset, one a device, PyTorch's streams for the same seed.
//
// A kernel is given a Philox: the seed and an offset that is its own. While a graph is captured both come from device
// memory, which each replay advances, so that a replayed graph draws fresh numbers.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>

#include "cuda/stream.h"

namespace bolide::cuda {

/// Read by kernels; the prelude has the same struct.
struct Philox {
  uint64_t seed = 0, offset = 0;
  const uint64_t* state = nullptr;  // device memory {seed, offset} of a captured graph; null otherwise
};

class PhiloxGenerator {
 public:
  static constexpr uint64_t kDefaultSeed = 67280421310721;
  static constexpr size_t kStateBytes = 16;
  explicit PhiloxGenerator(int device) : device_(device) {}
  void manual_seed(uint64_t seed);
  uint64_t seed();
  uint64_t initial_seed() const { return seed_; }
  uint64_t offset() const { return offset_; }
  void set_offset(uint64_t offset);
  /// 16 bytes: seed, offset. 8 bytes are a seed with offset 0.
  void get_state(uint8_t* out) const;
  void set_state(const uint8_t* state, size_t bytes);
  int device() const { return device_; }

  /// Numbers for a kernel in which each thread draws `count` 32-bit words; advances by it, rounded up to four.
  Philox draw(uint64_t count);

  /// During capture: draws count from the graph's own start; end_capture gives how far a replay advances.
  void begin_capture(const uint64_t* state);
  uint64_t end_capture();

 private:
  mutable std::mutex lock_;
  int device_;
  uint64_t seed_ = kDefaultSeed, offset_ = 0, captured_ = 0;
  const uint64_t* capture_state_ = nullptr;
};

/// The default generator of a device. Exists without a driver, so that seeding never fails.
PhiloxGenerator& generator(int device);

}  // namespace bolide::cuda
