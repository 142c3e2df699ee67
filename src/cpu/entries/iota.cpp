// The kernel table's iota on the CPU.
#include "core/kernels.h"
#include "cpu/pool.h"

namespace bolide {
namespace {

void iota_entry(const Tensor& self) {
  int64_t* p = self.data<int64_t>();
  parallel_for(0, self.numel(), 65536, [=](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) p[i] = i;
  });
}
const Provide provide_iota(DeviceType::CPU, &Kernels::iota, &iota_entry);

}  // namespace
}  // namespace bolide
