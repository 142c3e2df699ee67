// The kernel tables of all devices, and what an empty entry does.
#include "core/kernels.h"

namespace bolide {

constinit Kernels g_kernels[3];

void fail_devices(const char* name, Device a, Device b) {
  fail("Expected all tensors to be on the same device, but found at least two devices, ", a, " and ", b, "! (in the kernel '", name, "')");
}

void missing_kernel(const char* name, const void* entry) {
  const char* p = static_cast<const char*>(entry);
  for (DeviceType d : {DeviceType::CPU, DeviceType::CUDA}) {
    const char* first = reinterpret_cast<const char*>(&g_kernels[static_cast<int>(d)]);
    if (p >= first && p < first + sizeof(Kernels))
      fail<NotImplementedError>("the kernel '", name, "' is not implemented for the '", bolide::name(d), "' device");
  }
}

}  // namespace bolide
