// Map: buffers that a thread keeps between calls
//
// Packed blocks and column matrices are needed by every call and are large enough that fresh pages would cost
// more than the work. Each thread keeps one buffer for each purpose; a much too large one is given back after
// use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace bolide::detail {

enum class Scratch : int {
  PackedA,
  PackedB,
  Product,
  Operand,
  Accumulator,  // of matrix products
  Weights,
  Columns,
  Gradient,
  Widened,
  Plane,  // of convolutions
  kCount
};

class ScratchBuffer {
 public:
  ScratchBuffer() = default;
  ScratchBuffer(const ScratchBuffer&) = delete;
  ScratchBuffer& operator=(const ScratchBuffer&) = delete;
  ~ScratchBuffer() { std::free(data_); }

  void* get(size_t bytes) {
    if (bytes <= size_ && (size_ <= kKeep || bytes > kKeep)) return data_;
    std::free(data_);
    size_ = 0;
    const size_t rounded = (bytes + 4095) / 4096 * 4096;
    data_ = std::aligned_alloc(64, rounded);
    if (data_ == nullptr) throw std::bad_alloc();
    size_ = rounded;
    return data_;
  }

 private:
  static constexpr size_t kKeep = size_t(64) << 20;
  void* data_ = nullptr;
  size_t size_ = 0;
};

// Valid until the thread asks for the same purpose again. The contents are undefined.
void* scratch_bytes(Scratch purpose, size_t bytes);

template <class T>
T* scratch(Scratch purpose, int64_t count) {
  return static_cast<T*>(scratch_bytes(purpose, size_t(count) * sizeof(T) + 64));
}

}  // namespace bolide::detail
