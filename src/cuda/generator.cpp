// The CUDA generators.
#include "cuda/generator.h"

#include <cstring>
#include <memory>
#include <vector>

#include "core/rng.h"

namespace bolide::cuda {

void PhiloxGenerator::manual_seed(uint64_t seed) {
  std::lock_guard lock(lock_);
  seed_ = seed, offset_ = 0;
}
uint64_t PhiloxGenerator::seed() {
  const uint64_t s = entropy_seed();
  manual_seed(s);
  return s;
}
void PhiloxGenerator::set_offset(uint64_t offset) {
  BOLIDE_CHECK(offset % 4 == 0, "offset must be a multiple of 4");
  std::lock_guard lock(lock_);
  offset_ = offset;
}
void PhiloxGenerator::get_state(uint8_t* out) const {
  std::lock_guard lock(lock_);
  std::memcpy(out, &seed_, 8);
  std::memcpy(out + 8, &offset_, 8);
}
void PhiloxGenerator::set_state(const uint8_t* state, size_t bytes) {
  BOLIDE_CHECK(bytes == kStateBytes || bytes == 8, "RNG state is wrong size");
  std::lock_guard lock(lock_);
  uint64_t offset = 0;
  if (bytes == kStateBytes) std::memcpy(&offset, state + 8, 8);
  BOLIDE_CHECK(offset % 4 == 0, "offset must be a multiple of 4");
  std::memcpy(&seed_, state, 8);
  offset_ = offset;
}

Philox PhiloxGenerator::draw(uint64_t count) {
  std::lock_guard lock(lock_);
  const uint64_t step = (count + 3) / 4 * 4;
  if (capture_state_) {
    const Philox p{seed_, captured_, capture_state_};
    captured_ += step;
    return p;
  }
  const Philox p{seed_, offset_, nullptr};
  offset_ += step;
  return p;
}
void PhiloxGenerator::begin_capture(const uint64_t* state) {
  std::lock_guard lock(lock_);
  capture_state_ = state, captured_ = 0;
}
uint64_t PhiloxGenerator::end_capture() {
  std::lock_guard lock(lock_);
  capture_state_ = nullptr;
  return captured_;
}

PhiloxGenerator& generator(int device) {
  static std::mutex lock;
  static auto* all = new std::vector<std::unique_ptr<PhiloxGenerator>>;
  std::lock_guard guard(lock);
  while (all->size() <= static_cast<size_t>(device)) all->push_back(std::make_unique<PhiloxGenerator>(static_cast<int>(all->size())));
  return *(*all)[static_cast<size_t>(device)];
}

}  // namespace bolide::cuda
