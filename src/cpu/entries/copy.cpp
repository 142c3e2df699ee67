// The kernel table's copy on the CPU: one block as it lies, a transposed plane, or the general walk.
#include <cstring>

#include "core/kernels.h"
#include "cpu/kernels/copy.h"
#include "cpu/pool.h"
#include "iter/walk.h"

namespace bolide {
namespace {

/// Both have the same order of dimensions and no holes: elements lie alike.
bool lie_alike(const Tensor& dst, const Tensor& src) {
  if (dst.is_contiguous() && src.is_contiguous()) return true;
  int64_t reach = 1;
  for (size_t d = 0; d < dst.sizes().size(); ++d) {
    if (dst.sizes()[d] == 1) continue;
    if (dst.strides()[d] != src.strides()[d]) return false;
    reach += (dst.sizes()[d] - 1) * dst.strides()[d];
  }
  return reach == dst.numel();
}

/// Copies or converts n elements that lie one after another; large results go past the caches.
void copy_block(const Tensor& dst, const Tensor& src, int64_t n) {
  const int64_t to = dst.itemsize(), from = src.itemsize();
  char* d = dst.raw();
  const char* s = src.raw();
  const bool large = n * to >= cpu::kStreamBytes;
  const cpu::CastLoop cast = dst.dtype() == src.dtype() ? nullptr : cpu::cast_loop(dst.dtype(), src.dtype());
  parallel_for(0, n, iter::kGrain, [=](int64_t b, int64_t e) {
    if (!large) {
      if (cast) cast(d + b * to, s + b * from, e - b);
      else std::memmove(d + b * to, s + b * from, static_cast<size_t>((e - b) * to));
      return;
    }
    if (!cast) {
      cpu::stream(d + b * to, s + b * from, (e - b) * to);
    } else {
      constexpr int64_t kBlock = 1024;
      alignas(64) char buffer[kBlock * 16];
      for (int64_t i = b; i < e; i += kBlock) {
        const int64_t m = std::min(kBlock, e - i);
        cast(buffer, s + i * from, m);
        cpu::stream(d + i * to, buffer, m * to);
      }
    }
    cpu::stream_end();
  });
}

void copy_entry(const Tensor& dst, const Tensor& src) {
  if (lie_alike(dst, src)) return copy_block(dst, src, dst.numel());
  iter::copy(dst, src);
}
const Provide provide_copy(DeviceType::CPU, &Kernels::copy, &copy_entry);

}  // namespace
}  // namespace bolide
