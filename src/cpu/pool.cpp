// Map: futex and spinning | Worker and Pool | a region | threads | fork | thread counts
//
// One word per worker carries the whole hand-off: Idle -> Work (the caller), Idle -> Asleep (the worker,
// after spinning), Asleep -> Work (the caller, who then wakes it). `pending_` counts the parts that other
// threads still run; its top bit says that the caller sleeps on it. Pools are never destroyed: at exit the
// workers sleep in, or spin on, memory that stays valid, and end with the process.
#include "cpu/pool.h"

#include <immintrin.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "bolide/error.h"

namespace bolide {

namespace {

constexpr int kMostThreads = 1024;
constexpr uint64_t kSpinCycles = 100'000;  // 25 to 50 us at the clocks of time-stamp counters
constexpr uint64_t kPatientCycles = 5'000;

using Word = std::atomic<uint32_t>;

void futex_wait(Word& word, uint32_t expected) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

void futex_wake(Word& word) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

// Spins until ready() or until the time is up; says whether it is ready. After the first microseconds it
// yields in between: the thread waited for may have been put on this very processor.
template <class Ready>
bool spin_until(Ready ready) {
  const uint64_t start = __rdtsc();
  uint64_t spent = 0;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      _mm_pause();
    }
    spent = __rdtsc() - start;
    if (spent > kPatientCycles) sched_yield();
  } while (spent < kSpinCycles);
  return ready();
}

enum WorkerState : uint32_t { kIdle, kWork, kAsleep };

struct alignas(64) Worker {
  Word state{kIdle};
  int index = 0;
  uint64_t last_move = 0;
  std::exception_ptr error;
};

struct Region {
  int64_t begin = 0, end = 0;
  int parts = 0;
  int processor = 0;        // the caller's
  unsigned float_mode = 0;  // rounding and flush-to-zero of the caller hold in every part
  detail::PartFunction function = nullptr;
  void* context = nullptr;

  // Even parts: the first (length mod parts) are one longer. Written so that nothing overflows.
  int64_t bound(int part) const {
    const int64_t length = end - begin, each = length / parts, extra = length % parts;
    return begin + each * part + std::min<int64_t>(part, extra);
  }
  void run(int part) const { function(context, bound(part), bound(part + 1)); }
};

class Pool {
 public:
  // False when another thread's region is running, or no thread could be made.
  bool try_run(const Region& region);

 private:
  static constexpr uint32_t kCallerSleeps = 1u << 31;

  bool grow(int workers);
  void work(Worker& self);
  void start_others();
  void finish_part();
  void wait_for_others();
  static void* thread_main(void* argument);

  std::atomic<bool> busy_{false};
  Region region_;
  std::vector<Worker*> workers_;  // changed only by the thread that holds busy_
  alignas(64) Word pending_{0};
};

std::atomic<Pool*> current_pool{nullptr};

constexpr unsigned kFloatModeBits = 0xffc0;  // MXCSR without its sticky exception flags

void adopt_float_mode(unsigned mode) {
  const unsigned now = _mm_getcsr();
  if ((now & kFloatModeBits) != mode) _mm_setcsr((now & ~kFloatModeBits) | mode);
}

// Some schedulers keep a woken thread on its waker's processor for long, where the two take turns. A worker
// that finds itself there steps aside: it forbids itself that processor for a moment, and then takes the ban
// back.
void leave_processor(int processor, uint64_t& last_move) {
  constexpr uint64_t kBetweenMoves = 5'000'000;
  if (sched_getcpu() != processor || processor < 0 || processor >= CPU_SETSIZE) return;
  const uint64_t now = __rdtsc();
  if (now - last_move < kBetweenMoves) return;
  last_move = now;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  cpu_set_t others = allowed;
  CPU_CLR(processor, &others);
  if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;
  sched_setaffinity(0, sizeof allowed, &allowed);
}

// ---- a region --------------------------------------------------------------------------------

class RegionFlag {
 public:
  RegionFlag() { detail::in_region = true; }
  ~RegionFlag() { detail::in_region = false; }
};

bool Pool::try_run(const Region& region) {
  if (busy_.exchange(true, std::memory_order_acquire)) return false;
  struct Release {
    std::atomic<bool>& busy;
    ~Release() { busy.store(false, std::memory_order_release); }
  } release{busy_};
  if (!grow(region.parts - 1)) return false;
  region_ = region;
  region_.processor = sched_getcpu();
  region_.float_mode = _mm_getcsr() & kFloatModeBits;
  start_others();
  std::exception_ptr error;
  {
    RegionFlag flag;
    try {
      region.run(0);
    } catch (...) {
      error = std::current_exception();
    }
  }
  wait_for_others();
  for (int i = 1; i < region.parts; ++i) {
    std::exception_ptr other = std::exchange(workers_[i - 1]->error, nullptr);
    if (other && !error) error = std::move(other);
  }
  if (error) std::rethrow_exception(std::move(error));
  return true;
}

void Pool::start_others() {
  const int others = region_.parts - 1;
  pending_.store(uint32_t(others), std::memory_order_relaxed);
  for (int i = 0; i < others; ++i) {
    Word& state = workers_[i]->state;
    if (state.exchange(kWork, std::memory_order_acq_rel) == kAsleep) futex_wake(state);
  }
}

void Pool::wait_for_others() {
  const auto done = [&] { return pending_.load(std::memory_order_acquire) == 0; };
  if (spin_until(done)) return;
  uint32_t seen = pending_.fetch_or(kCallerSleeps, std::memory_order_acq_rel) | kCallerSleeps;
  while (seen != kCallerSleeps) {
    futex_wait(pending_, seen);
    seen = pending_.load(std::memory_order_acquire);
  }
}

void Pool::finish_part() {
  if (pending_.fetch_sub(1, std::memory_order_acq_rel) == (kCallerSleeps | 1)) futex_wake(pending_);
}

// ---- threads ---------------------------------------------------------------------------------

struct Start {
  Pool* pool;
  Worker* worker;
};

void* Pool::thread_main(void* argument) {
  const Start start = *static_cast<Start*>(argument);
  delete static_cast<Start*>(argument);
  detail::in_region = true;
  start.pool->work(*start.worker);
  return nullptr;
}

void Pool::work(Worker& self) {
  for (;;) {
    const auto called = [&] { return self.state.load(std::memory_order_acquire) == kWork; };
    if (!spin_until(called)) {
      uint32_t expected = kIdle;
      if (self.state.compare_exchange_strong(expected, kAsleep, std::memory_order_acq_rel)) {
        while (!called()) futex_wait(self.state, kAsleep);
      }
    }
    self.state.store(kIdle, std::memory_order_relaxed);
    adopt_float_mode(region_.float_mode);
    leave_processor(region_.processor, self.last_move);
    try {
      region_.run(self.index);
    } catch (...) {
      self.error = std::current_exception();
    }
    finish_part();
  }
}

// Signals stay with the program's own threads, so the workers block all of them.
bool Pool::grow(int workers) {
  if (int(workers_.size()) >= workers) return true;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  workers_.reserve(size_t(workers));
  while (int(workers_.size()) < workers) {
    auto worker = std::make_unique<Worker>();
    worker->index = int(workers_.size()) + 1;
    auto start = std::make_unique<Start>(Start{this, worker.get()});
    pthread_t thread;
    if (pthread_create(&thread, &attributes, thread_main, start.get()) != 0) break;
    start.release();
    pthread_setname_np(thread, "bolide");
    workers_.push_back(worker.release());
  }
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return int(workers_.size()) >= workers;
}

// ---- fork ------------------------------------------------------------------------------------

// A child has none of the workers: it forgets the pool, which it must not touch, and makes a new one on
// demand.
void forget_pool() {
  current_pool.store(nullptr, std::memory_order_relaxed);
  detail::in_region = false;
}

Pool& pool() {
  Pool* existing = current_pool.load(std::memory_order_acquire);
  if (existing != nullptr) return *existing;
  static const int registered = pthread_atfork(nullptr, nullptr, forget_pool);
  (void)registered;
  auto made = std::make_unique<Pool>();
  if (current_pool.compare_exchange_strong(existing, made.get(), std::memory_order_acq_rel)) {
    return *made.release();
  }
  return *existing;
}

}  // namespace

namespace detail {

constinit thread_local bool in_region = false;
std::atomic<int> pool_threads{0};

void run_parts(int64_t begin, int64_t end, int parts, PartFunction function, void* context) {
  const Region region{.begin = begin, .end = end, .parts = parts, .function = function, .context = context};
  if (pool().try_run(region)) return;
  // The same parts as with threads, so that the result is the same.
  RegionFlag flag;
  for (int part = 0; part < parts; ++part) region.run(part);
}

int init_pool_threads() {
  const ThreadLimits limits = thread_limits();
  int threads = limits.environment;
  if (threads == 0) {
    threads = limits.affinity;
    if (limits.cgroup_quota > 0) threads = std::min(threads, limits.cgroup_quota);
  }
  int expected = 0;
  pool_threads.compare_exchange_strong(expected, std::clamp(threads, 1, kMostThreads));
  return pool_threads.load();
}

}  // namespace detail

// ---- thread counts ---------------------------------------------------------------------------

void set_num_threads(int threads) {
  BOLIDE_CHECK(threads >= 1 && threads <= kMostThreads,
      "set_num_threads: expected a number of threads from 1 to ",
               kMostThreads, ", got ", threads);
  detail::pool_threads.store(threads);
}

}  // namespace bolide
