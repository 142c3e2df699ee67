// DeviceHooks: what the core asks of a device besides kernels. The CPU's memory is the core's own (allocator.h); other
// devices fill their row in when their part of the library is loaded.
#pragma once
#include <cstddef>

#include "bolide/dtype.h"

namespace bolide {

struct DeviceHooks {
  void* (*allocate)(size_t bytes, int index) = nullptr;  // throws OutOfMemoryError
  void (*release)(void* p, size_t bytes, int index) noexcept = nullptr;
  void (*move)(void* to, const void* from, size_t bytes, int index) = nullptr;  // within the device's memory
  int (*current)() = nullptr;                            // the calling thread's current device
};
extern DeviceHooks g_device_hooks[3];  // by DeviceType

/// `d` with its index filled in: the current device of its type. CPU and meta stay as they are.
Device resolve(Device d);

}  // namespace bolide
