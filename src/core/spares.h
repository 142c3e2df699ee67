// Spares: memory of small objects that are made and freed all the time, kept by the thread that freed it.
#pragma once
#include <cstdint>
#include <new>

namespace bolide {

/// Freed objects of one type, kept by the thread that freed them and returned to the system when it ends. Constant-
/// initialised, so that using it needs no check; `arm` registers the return.
template <class T>
struct Spares {
  static constexpr uint32_t kMost = 256;
  void* head = nullptr;
  uint32_t count = 0;
  bool closed = false;  // the thread is ending

  void* take() {
    void* p = head;
    if (!p) [[unlikely]] return ::operator new(sizeof(T));
    head = *static_cast<void**>(p);
    --count;
    return p;
  }
  void give(void* p) noexcept {
    if (count >= kMost || closed) [[unlikely]] return ::operator delete(p);
    if (!head) [[unlikely]] arm();
    *static_cast<void**>(p) = head;
    head = p;
    ++count;
  }
  [[gnu::noinline]] void arm() noexcept {
    struct Guard {
      Spares* spares;
      ~Guard() {
        spares->closed = true;
        while (spares->head) ::operator delete(spares->take());
      }
    };
    static thread_local Guard guard{this};
    (void)guard;
  }
};

/// Defines T::operator new and T::operator delete (declared in the class) on spare memory.
#define BOLIDE_SPARES(T)                                                                          \
  static constinit thread_local Spares<T> t_spare_##T [[gnu::tls_model("initial-exec")]];         \
  void* T::operator new(size_t) { return t_spare_##T.take(); }                                    \
  void T::operator delete(void* p) noexcept { t_spare_##T.give(p); }

}  // namespace bolide
