// Map: the buffers of a thread
#include "cpu/scratch.h"

namespace bolide::detail {

void* scratch_bytes(Scratch purpose, size_t bytes) {
  static thread_local ScratchBuffer buffers[int(Scratch::kCount)];
  return buffers[int(purpose)].get(bytes);
}

}  // namespace bolide::detail
