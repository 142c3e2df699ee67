// Ref: the intrusive pointer every shared object uses. Storage: a block of memory on a device, shared by the
// tensors that view it, with the version that writes count up.
#pragma once
#include <atomic>
#include <cstddef>
#include <utility>

#include "bolide/dtype.h"

namespace bolide {

/// Intrusive pointer: T has `std::atomic<uint32_t> refs` (starting at 0) and `static void destroy(T*)`.
template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  explicit Ref(T* p) : p_(p) { retain(); }
  Ref(const Ref& o) : p_(o.p_) { retain(); }
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  ~Ref() { drop(); }
  Ref& operator=(const Ref& o) { Ref(o).swap(*this); return *this; }
  Ref& operator=(Ref&& o) noexcept { Ref(std::move(o)).swap(*this); return *this; }
  static Ref adopt(T* p) { Ref r; r.p_ = p; return r; }  // takes over one reference
  T* release() { return std::exchange(p_, nullptr); }    // hands over its reference
  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_; }
  bool operator==(const Ref& o) const { return p_ == o.p_; }
  void swap(Ref& o) noexcept { std::swap(p_, o.p_); }

 private:
  void retain() { if (p_) p_->refs.fetch_add(1, std::memory_order_relaxed); }
  void drop() { if (p_ && p_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) T::destroy(p_); }
  T* p_ = nullptr;
};

struct Storage {
  std::atomic<uint32_t> refs{0};
  std::atomic<uint32_t> version{0};
  void* data = nullptr;
  size_t bytes = 0;
  Device device;
  bool resizable = true;
  /// Called with `context` when memory that Bolide does not own is no longer needed; null for its own memory.
  void (*deleter)(void* context) = nullptr;
  void* context = nullptr;
  /// Where in the user's program the last write was made, when known (see autograd/node.h).
  const void* writer = nullptr;
  int32_t writer_at = 0;

  void written();
  /// `bytes` of uninitialised memory, 64-byte aligned (none on the meta device). Throws OutOfMemoryError.
  static Ref<Storage> allocate(size_t bytes, Device device);
  /// Memory of somebody else, kept alive until the last tensor is gone.
  static Ref<Storage> borrow(void* data, size_t bytes, Device device, void (*deleter)(void*), void* context);
  static void destroy(Storage* s);
  static void* operator new(size_t bytes);
  static void operator delete(void* p) noexcept;
  /// Grows or shrinks own memory, keeping what fits. Throws when the memory is borrowed.
  void resize(size_t bytes);
};

}  // namespace bolide
