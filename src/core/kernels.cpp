// The kernel tables of all devices, and what an empty entry does.
#include "core/kernels.h"

namespace bolide {

constinit Kernels g_kernels[3];

void missing_kernel(const char* name, const void* entry) {
  const char* p = static_cast<const char*>(entry);
  for (DeviceType d : {DeviceType::CPU, DeviceType::CUDA}) {
    const char* first = reinterpret_cast<const char*>(&g_kernels[static_cast<int>(d)]);
    if (p >= first && p < first + sizeof(Kernels))
      fail<NotImplementedError>("the kernel '", name, "' is not implemented for the '", bolide::name(d), "' device");
  }
}

}  // namespace bolide
