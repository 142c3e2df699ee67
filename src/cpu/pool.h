// Map: thread counts | parallel_for | what it is made of
//
// One pool of threads for the whole library, made at the first use that needs it. A range is cut into equal
// parts, one per thread, always at the same places: results depend on the thread count at most, never on
// scheduling. Waiting threads spin for some tens of microseconds, then sleep. A region inside a region, and a
// region started while another thread's region runs, are executed by their caller alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace bolide {

namespace detail {
extern std::atomic<int> pool_threads;  // 0 until first asked
int init_pool_threads();

// Set while this thread executes a part; initial-exec keeps the read at one instruction.
extern constinit thread_local bool in_region __attribute__((tls_model("initial-exec")));

using PartFunction = void (*)(void* context, int64_t begin, int64_t end);
void run_parts(int64_t begin, int64_t end, int parts, PartFunction function, void* context);
}  // namespace detail

// Threads a region may use, the caller included. Initially BOLIDE_NUM_THREADS, else OMP_NUM_THREADS, else the
// processors this process may run on, at most the cgroup's CPU quota (rounded up).
inline int num_threads() {
  const int threads = detail::pool_threads.load(std::memory_order_relaxed);
  return threads > 0 ? threads : detail::init_pool_threads();
}

// Throws Error unless 1 <= threads <= 1024.
void set_num_threads(int threads);

// True inside a part of a region; parallel_for then runs serially.
inline bool in_parallel_region() { return detail::in_region; }

// Calls f(b, e) on disjoint pieces that cover [begin, end), none below `grain` long unless it is the only
// one. The first exception (in the order of the pieces) is thrown again here, after all pieces have ended.
template <class F>
inline void parallel_for(int64_t begin, int64_t end, int64_t grain, F&& f) {
  const int64_t length = end - begin;
  if (length <= 0) return;
  if (grain < 1) grain = 1;
  if (length <= grain || detail::in_region) return f(begin, end);
  const int threads = num_threads();
  if (threads == 1) return f(begin, end);
  const int64_t most = length / grain;
  const int parts = most < threads ? int(most) : threads;
  if (parts <= 1) return f(begin, end);
  using Function = std::remove_reference_t<F>;
  detail::run_parts(
      begin, end, parts,
      [](void* context, int64_t b, int64_t e) { (*static_cast<Function*>(context))(b, e); },
      const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

// What decides the initial number of threads; for tests and for `show_config`.
struct ThreadLimits {
  int affinity;      // processors of sched_getaffinity
  int cgroup_quota;  // rounded up; 0 when unlimited
  int environment;   // 0 when unset
};
ThreadLimits thread_limits();

}  // namespace bolide
