// What the core asks of a CUDA device: memory, and copies between devices.
#include "core/device.h"
#include "core/kernels.h"
#include "cuda/allocator.h"
#include "cuda/module.h"

namespace bolide::cuda {
namespace {

void move_within(void* to, const void* from, size_t bytes, int device) {
  DeviceGuard guard(device);
  check(driver().cuMemcpyDtoDAsync_v2(reinterpret_cast<Pointer>(to), reinterpret_cast<Pointer>(from), bytes, current_stream().handle), "copy");
}
int current() {
  require();
  return current_device();
}

void to_device(const Tensor& dst, const Tensor& src, size_t bytes, bool non_blocking) {
  DeviceGuard guard(dst.device().index);
  const Stream s = current_stream();
  count_transfer(true, bytes);
  check(driver().cuMemcpyHtoDAsync_v2(reinterpret_cast<Pointer>(dst.raw()), src.raw(), bytes, s.handle), "copy to the device");
  if (!is_pinned(src.raw())) return;  // the driver has read pageable memory when it returns
  if (non_blocking) return record_host(src.raw(), s);
  count_synchronization();
  synchronize(s);
}

void to_host(const Tensor& dst, const Tensor& src, size_t bytes, bool non_blocking) {
  DeviceGuard guard(src.device().index);
  const Stream s = current_stream();
  count_transfer(false, bytes);
  check(driver().cuMemcpyDtoHAsync_v2(dst.raw(), reinterpret_cast<Pointer>(src.raw()), bytes, s.handle), "copy to the host");
  if (non_blocking && is_pinned(dst.raw())) return record_host(dst.raw(), s);
  count_synchronization();
  synchronize(s);
}

/// Between two devices, on the source's stream; the destination's stream waits for it.
void across(const Tensor& dst, const Tensor& src, size_t bytes) {
  const int to = dst.device().index, from = src.device().index;
  Event ready, done;
  ready.record(current_stream(to));
  const Stream s = current_stream(from);
  ready.wait(s);
  {
    DeviceGuard guard(from);
    check(driver().cuMemcpyPeerAsync(reinterpret_cast<Pointer>(dst.raw()), device_info(to).context, reinterpret_cast<Pointer>(src.raw()),
                                     device_info(from).context, bytes, s.handle), "copy between devices");
  }
  done.record(s);
  done.wait(current_stream(to));
}

bool lie_alike(const Tensor& a, const Tensor& b) {
  return (a.is_contiguous() && b.is_contiguous()) ||
         (a.strides() == b.strides() && a.is_contiguous(MemoryFormat::ChannelsLast) && b.is_contiguous(MemoryFormat::ChannelsLast));
}

/// Dtype and layout change on the source's device, a layout with gaps on the destination's; what crosses is one block.
void transfer(const Tensor& dst, const Tensor& src, bool non_blocking) {
  const size_t bytes = static_cast<size_t>(dst.numel() * dst.itemsize());
  if (!bytes) return;
  if (dst.dtype() != src.dtype() || !lie_alike(dst, src)) {
    Tensor from = src, to = dst;
    if (dst.dtype() != src.dtype() || !src.is_contiguous()) {
      from = Tensor::make(src.sizes(), dst.dtype(), src.device());
      kernels(src).copy(from, src);
    }
    if (!dst.is_contiguous()) to = Tensor::make(dst.sizes(), dst.dtype(), dst.device());
    transfer(to, from, false);
    if (!dst.is_contiguous()) kernels(dst).copy(dst, to);
    return;
  }
  if (dst.device().is_cpu()) to_host(dst, src, bytes, non_blocking);
  else if (src.device().is_cpu()) to_device(dst, src, bytes, non_blocking);
  else across(dst, src, bytes);
}
const Provide provide_transfer(DeviceType::CUDA, &Kernels::transfer, &transfer);

const bool hooked = [] {
  g_device_hooks[static_cast<int>(DeviceType::CUDA)] = {
      &allocate, [](void* p, size_t, int device) noexcept { release(p, device); }, &move_within, &current};
  return true;
}();

}  // namespace
}  // namespace bolide::cuda
