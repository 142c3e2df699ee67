// Capturing a step as a CUDA graph and replaying it: one launch for the whole step.
#pragma once
#include "cuda/stream.h"

namespace bolide::cuda {

class CapturedGraph {
 public:
  CapturedGraph() = default;
  CapturedGraph(const CapturedGraph&) = delete;
  ~CapturedGraph();
  /// Work of this thread on the current stream (not the default one) is recorded, not run, until end(). Its tensors come
  /// from memory pool `pool` (0: one of its own).
  void begin(uint64_t pool = 0);
  void end();
  /// Runs what was recorded on the current stream, on the same memory.
  void replay();
  void reset();
  uint64_t pool() const { return pool_; }

 private:
  Stream stream_;
  GraphExec exec_ = nullptr;
  uint64_t pool_ = 0, draws_ = 0;
  uint64_t* random_ = nullptr;  // device memory {seed, offset}
  bool capturing_ = false;
};

}  // namespace bolide::cuda
