// The kernel table's fill on the CPU.
#include "core/kernels.h"
#include "cpu/kernels/copy.h"
#include "iter/walk.h"

namespace bolide {
namespace {

void fill_entry(const Tensor& self, const Scalar& value) {
  if (self.is_contiguous()) {
    alignas(16) char element[16];
    iter::store_scalar(self.dtype(), element, value);
    return cpu::fill(self.raw(), element, self.itemsize(), self.numel());
  }
  iter::fill(self, value);
}
const Provide provide_fill(DeviceType::CPU, &Kernels::fill, &fill_entry);

}  // namespace
}  // namespace bolide
