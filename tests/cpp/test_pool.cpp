// Map: coverage of ranges | nesting and callers | exceptions | modes | fork
#include <doctest/doctest.h>
#include <immintrin.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "bolide/error.h"
#include "cpu/isa.h"
#include "cpu/pool.h"

using namespace bolide;

namespace {

struct Threads {
  int before = num_threads();
  explicit Threads(int threads) { set_num_threads(threads); }
  ~Threads() { set_num_threads(before); }
};

}  // namespace

TEST_CASE("parallel_for covers every index once and cuts evenly") {
  for (int threads : {1, 2, 3, 7}) {
    Threads use(threads);
    for (int64_t length : {0, 1, 2, 5, 64, 1000, 1001}) {
      for (int64_t grain : {-1, 0, 1, 3, 500, 5000}) {
        std::vector<std::atomic<int>> hits(size_t(length) + 1);
        std::atomic<int> calls{0};
        std::atomic<int64_t> shortest{length}, longest{0};
        parallel_for(10, 10 + length, grain, [&](int64_t b, int64_t e) {
          ++calls;
          for (int64_t i = b; i < e; ++i) ++hits[size_t(i - 10)];
          int64_t seen = shortest;
          while (e - b < seen && !shortest.compare_exchange_weak(seen, e - b)) {}
          seen = longest;
          while (e - b > seen && !longest.compare_exchange_weak(seen, e - b)) {}
        });
        for (int64_t i = 0; i < length; ++i) CHECK(hits[size_t(i)] == 1);
        CHECK(calls <= threads);
        const int64_t fitting = length / std::max<int64_t>(grain, 1);
        CHECK(calls == (length == 0 ? 0 : std::clamp<int64_t>(fitting, 1, threads)));
        CHECK(longest - shortest <= 1);
        if (calls > 1) CHECK(shortest >= grain);
      }
    }
  }
}

TEST_CASE("cuts depend on the thread count only") {
  Threads use(4);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::atomic<int64_t>> starts(4);
    std::atomic<int> count{0};
    parallel_for(0, 103, 1, [&](int64_t b, int64_t) { starts[size_t(count++)] = b; });
    std::set<int64_t> seen(starts.begin(), starts.end());
    CHECK(seen == std::set<int64_t>{0, 26, 52, 78});
  }
}

TEST_CASE("ranges near the ends of int64 do not overflow") {
  Threads use(3);
  const int64_t end = INT64_MAX, begin = INT64_MAX - 10;
  std::atomic<int64_t> total{0};
  parallel_for(begin, end, 1, [&](int64_t b, int64_t e) { total += e - b; });
  CHECK(total == 10);
}

TEST_CASE("a region inside a region runs in its caller") {
  Threads use(3);
  CHECK_FALSE(in_parallel_region());
  std::atomic<int> inner_calls{0};
  std::atomic<bool> same_thread{true};
  parallel_for(0, 3, 1, [&](int64_t, int64_t) {
    CHECK(in_parallel_region());
    const auto self = std::this_thread::get_id();
    parallel_for(0, 1000, 1, [&](int64_t b, int64_t e) {
      ++inner_calls;
      if (e - b != 1000 || std::this_thread::get_id() != self) same_thread = false;
    });
  });
  CHECK(inner_calls == 3);
  CHECK(same_thread);
  CHECK_FALSE(in_parallel_region());
}

TEST_CASE("several callers at once") {
  Threads use(3);
  std::atomic<int64_t> total{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        std::vector<int> data(97, 0);  // plain ints: a race would show under the thread sanitizer
        parallel_for(0, 97, 4, [&](int64_t b, int64_t e) {
          for (int64_t i = b; i < e; ++i) ++data[size_t(i)];
        });
        int64_t sum = 0;
        for (int v : data) sum += v;
        total += sum;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  CHECK(total == 4 * 300 * 97);
}

TEST_CASE("sleeping workers wake up") {
  Threads use(2);
  for (int round = 0; round < 20; ++round) {
    usleep(300);  // longer than the spin, so that the worker sleeps
    std::atomic<int> calls{0};
    parallel_for(0, 2, 1, [&](int64_t b, int64_t) {
      ++calls;
      if (b == 1) usleep(300);  // and the caller
    });
    CHECK(calls == 2);
  }
}

TEST_CASE("the first exception by position reaches the caller, after all parts ended") {
  Threads use(3);
  for (int thrower : {0, 1, 2}) {
    std::atomic<int> ended{0};
    try {
      parallel_for(0, 3, 1, [&](int64_t b, int64_t) {
        ++ended;
        if (b >= thrower) throw std::runtime_error("part " + std::to_string(b));
      });
      FAIL("nothing was thrown");
    } catch (const std::runtime_error& error) {
      CHECK(std::string(error.what()) == "part " + std::to_string(thrower));
    }
    CHECK(ended == 3);
    CHECK_FALSE(in_parallel_region());
  }
  std::atomic<int> after{0};
  parallel_for(0, 3, 1, [&](int64_t, int64_t) { ++after; });
  CHECK(after == 3);
}

TEST_CASE("thread counts are checked and can change") {
  const int before = num_threads();
  CHECK(before >= 1);
  CHECK_THROWS_AS(set_num_threads(0), Error);
  CHECK_THROWS_AS(set_num_threads(-3), Error);
  CHECK_THROWS_AS(set_num_threads(100000), Error);
  CHECK(num_threads() == before);
  for (int threads : {5, 2, 6, 1, 4}) {
    Threads use(threads);
    std::atomic<int> calls{0};
    parallel_for(0, 100, 1, [&](int64_t, int64_t) { ++calls; });
    CHECK(calls == threads);
  }
  const ThreadLimits limits = thread_limits();
  CHECK(limits.affinity >= 1);
  CHECK(limits.cgroup_quota >= 0);
}

TEST_CASE("workers run in the caller's floating point mode") {
  Threads use(2);
  const auto flushed = [] {
    volatile float tiny = 1e-38f, scale = 1e-3f;
    return tiny * scale == 0.0f;
  };
  for (bool flush : {false, true, false}) {
    const unsigned before = _mm_getcsr();
    _mm_setcsr(flush ? before | 0x8040u : before & ~0x8040u);
    std::atomic<int> agreeing{0};
    parallel_for(0, 2, 1, [&](int64_t, int64_t) { agreeing += flushed() == flush; });
    _mm_setcsr(before);
    CHECK(agreeing == 2);
  }
}

// The thread sanitizer does not let a forked child start threads.
#ifndef __SANITIZE_THREAD__
TEST_CASE("a forked child has a pool of its own") {
  Threads use(3);
  std::atomic<int> warm{0};
  parallel_for(0, 3, 1, [&](int64_t, int64_t) { ++warm; });
  for (int round = 0; round < 3; ++round) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      alarm(20);  // a hang ends the child with a signal
      std::atomic<int64_t> sum{0};
      for (int i = 0; i < 50; ++i) {
        parallel_for(0, 300, 1, [&](int64_t b, int64_t e) { sum += e - b; });
      }
      _exit(sum == 50 * 300 ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
  std::atomic<int> after{0};
  parallel_for(0, 3, 1, [&](int64_t, int64_t) { ++after; });
  CHECK(after == 3);
}
#endif

TEST_CASE("the instruction set can be lowered, not raised") {
  const Isa before = isa();
  CHECK(before <= best_isa());
  set_isa_for_test(Isa::Baseline);
  CHECK(isa() == Isa::Baseline);
  CHECK_FALSE(has_amx());
  CHECK_FALSE(has_avx512_bf16());
  if (best_isa() < Isa::Avx512) CHECK_THROWS_AS(set_isa_for_test(Isa::Avx512), std::runtime_error);
  set_isa_for_test(before);
}
