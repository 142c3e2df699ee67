// The public C++ functions of bolide/cuda.h.
#include "bolide/cuda.h"

#include "cuda/allocator.h"
#include "cuda/generator.h"
#include "cuda/module.h"

namespace bolide::cuda {

namespace {
int index_of(int device) { return device < 0 ? current_device() : device; }
}  // namespace

bool is_available() { return available(); }
void synchronize(int device) {
  count_synchronization();
  synchronize_device(device);
}
void manual_seed_all(uint64_t seed) {
  for (int d = 0; d < std::max(device_count(), 1); ++d) generator(d).manual_seed(seed);
}
int64_t memory_allocated(int device) { return memory_stats(index_of(device)).allocated; }
int64_t memory_reserved(int device) { return memory_stats(index_of(device)).reserved; }

}  // namespace bolide::cuda
