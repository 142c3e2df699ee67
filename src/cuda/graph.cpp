// CUDA graphs.
#include "cuda/graph.h"

#include "cuda/allocator.h"
#include "cuda/generator.h"

namespace bolide::cuda {

CapturedGraph::~CapturedGraph() {
  if (!shutting_down()) reset();
}

void CapturedGraph::begin(uint64_t pool) {
  BOLIDE_CHECK(!capturing_ && !exec_, "This CUDAGraph instance already owns a captured graph. To capture a new graph, create a new instance.");
  stream_ = current_stream();
  BOLIDE_CHECK(stream_.handle, "CUDA graphs must be captured on a non-default stream. (However, after capture, it's ok to replay them on the "
               "default stream.)");
  random_ = static_cast<uint64_t*>(allocate(16, stream_.device));
  pool_ = pool ? pool : new_pool();
  begin_pool(stream_.device, pool_);
  generator(stream_.device).begin_capture(random_);
  capturing_ = true;
  check(driver().cuStreamBeginCapture_v2(stream_.handle, kCaptureThreadLocal), "cuStreamBeginCapture");
}

void CapturedGraph::end() {
  BOLIDE_CHECK(capturing_, "capture_end() called without capture_begin()");
  capturing_ = false;
  end_pool(stream_.device);
  draws_ = generator(stream_.device).end_capture();
  Graph graph = nullptr;
  check(driver().cuStreamEndCapture(stream_.handle, &graph), "cuStreamEndCapture");
  BOLIDE_CHECK(graph, "the capture was invalidated: an operation that cannot be recorded (a synchronisation?) ran during it");
  const Status status = driver().cuGraphInstantiateWithFlags(&exec_, graph, 0);
  driver().cuGraphDestroy(graph);
  check(status, "cuGraphInstantiate");
}

void CapturedGraph::replay() {
  BOLIDE_CHECK(exec_, "Called CUDAGraph::replay without a preceding successful capture.");
  DeviceGuard guard(stream_.device);
  const StreamHandle s = current_stream().handle;
  if (draws_) {
    const Philox p = generator(stream_.device).draw(draws_);
    const uint64_t state[2] = {p.seed, p.offset};
    check(driver().cuMemcpyHtoDAsync_v2(reinterpret_cast<Pointer>(random_), state, sizeof state, s), "graph replay");
  }
  check(driver().cuGraphLaunch(exec_, s), "cuGraphLaunch");
}

void CapturedGraph::reset() {
  if (exec_) driver().cuGraphExecDestroy(exec_);
  exec_ = nullptr;
  if (random_) release(random_, stream_.device);
  random_ = nullptr;
  if (pool_) drop_pool(pool_);
  pool_ = 0;
}

}  // namespace bolide::cuda
