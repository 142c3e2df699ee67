// Map: sizes | reuse | statistics | limits and errors | threads | fork
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <deque>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bolide/error.h"
#include "core/allocator.h"

using namespace bolide;

namespace {

struct Block {
  unsigned char* data;
  size_t bytes;
  unsigned char mark;
};

Block make(size_t bytes, unsigned char mark) {
  auto* data = static_cast<unsigned char*>(allocate(bytes));
  std::memset(data, mark, bytes);
  return {data, bytes, mark};
}

bool intact(const Block& block) {
  return std::all_of(block.data, block.data + block.bytes, [&](unsigned char c) { return c == block.mark; });
}

size_t resident_pages(const void* block, size_t bytes) {
  std::vector<unsigned char> pages((bytes + 4095) / 4096);
  if (mincore(const_cast<void*>(block), bytes, pages.data()) != 0) return 0;
  return size_t(std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return (p & 1) != 0; }));
}

}  // namespace

TEST_CASE("blocks are aligned, large enough and disjoint, at every size class edge") {
  std::vector<size_t> sizes;
  for (size_t base : {64, 128, 1024, 4032, 4096, 4608, 5120, 65536, 100000, 1 << 20, 2 << 20, 9 << 18,
                      5 << 20}) {
    for (size_t bytes : {base - 1, base, base + 1}) sizes.push_back(bytes);
  }
  sizes.push_back(1);
  std::vector<Block> blocks;
  for (size_t bytes : sizes) {
    CHECK(allocation_size(bytes) >= bytes);
    CHECK(allocation_size(bytes) <= std::max(bytes + 63, bytes + bytes / 8));
    CHECK(allocation_size(allocation_size(bytes)) == allocation_size(bytes));
    for (int i = 0; i < 3; ++i) blocks.push_back(make(bytes, static_cast<unsigned char>(blocks.size() + 1)));
    CHECK(reinterpret_cast<uintptr_t>(blocks.back().data) % 64 == 0);
  }
  for (const Block& block : blocks) {
    CHECK(intact(block));
    deallocate(block.data, block.bytes);
  }
  CHECK(allocate(0) == nullptr);
  CHECK(allocation_size(0) == 0);
  deallocate(nullptr, 0);
  deallocate(nullptr, 100);
}

TEST_CASE("a freed block is the next one handed out") {
  for (size_t bytes : {size_t(1), size_t(64), size_t(4000), size_t(4097), size_t(1) << 20,
                       size_t(32) << 20}) {
    void* first = allocate(bytes);
    deallocate(first, bytes);
    void* second = allocate(bytes);
    CHECK(first == second);
    deallocate(second, bytes);
  }
}

TEST_CASE("a kept 32 MB block keeps its pages; empty_cache gives them back") {
  const size_t bytes = size_t(32) << 20;
  empty_cache();
  Block block = make(bytes, 7);
  deallocate(block.data, bytes);
  CHECK(resident_pages(block.data, bytes) == bytes / 4096);
  const int64_t requests = allocator_stats().system_requests;
  for (int round = 0; round < 10; ++round) {
    void* again = allocate(bytes);
    CHECK(again == block.data);
    deallocate(again, bytes);
  }
  CHECK(allocator_stats().system_requests == requests);
  CHECK(allocator_stats().cached_bytes >= int64_t(bytes));
  empty_cache();
  CHECK(allocator_stats().cached_bytes < int64_t(bytes));
  CHECK(resident_pages(block.data, bytes) == 0);
}

TEST_CASE("empty_cache returns small blocks whose slab is free, and keeps the rest intact") {
  std::vector<Block> blocks;
  for (int i = 0; i < 20000; ++i) blocks.push_back(make(200, static_cast<unsigned char>(i)));
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i % 5000 != 0) deallocate(blocks[i].data, blocks[i].bytes);
  }
  CHECK(allocator_stats().cached_bytes > 3'000'000);
  empty_cache();
  CHECK(allocator_stats().cached_bytes < 1'000'000);
  for (size_t i = 0; i < blocks.size(); i += 5000) CHECK(intact(blocks[i]));
  std::vector<Block> again;
  for (int i = 0; i < 20000; ++i) again.push_back(make(200, static_cast<unsigned char>(i + 1)));
  for (size_t i = 0; i < blocks.size(); i += 5000) {
    CHECK(intact(blocks[i]));
    deallocate(blocks[i].data, blocks[i].bytes);
  }
  for (const Block& block : again) {
    REQUIRE(intact(block));
    deallocate(block.data, block.bytes);
  }
}

TEST_CASE("statistics") {
  const AllocatorStats before = allocator_stats();
  reset_peak_stats();
  void* large = allocate(1'000'000);
  void* small = allocate(100);
  AllocatorStats now = allocator_stats();
  const int64_t expected = int64_t(allocation_size(1'000'000) + allocation_size(100));
  CHECK(now.allocated_bytes - before.allocated_bytes == expected);
  CHECK(now.allocations - before.allocations == 2);
  deallocate(large, 1'000'000);
  deallocate(small, 100);
  now = allocator_stats();
  CHECK(now.allocated_bytes == before.allocated_bytes);
  CHECK(now.deallocations - before.deallocations == 2);
  CHECK(now.peak_bytes - before.allocated_bytes >= int64_t(allocation_size(1'000'000)));
  reset_peak_stats();
  CHECK(allocator_stats().peak_bytes == allocator_stats().allocated_bytes);
}

TEST_CASE("the kept bytes are bounded, the longest unused go first") {
  empty_cache();
  const size_t before = cache_limit();
  set_cache_limit(10 << 20);
  void* old = allocate(3 << 20);
  void* middle = allocate(5 << 20);
  void* recent = allocate(4 << 20);
  deallocate(old, 3 << 20);
  deallocate(middle, 5 << 20);
  const int64_t two = allocator_stats().cached_bytes;
  CHECK(two >= (8 << 20));
  deallocate(recent, 4 << 20);  // 12 MB: the oldest goes
  CHECK(allocator_stats().cached_bytes - two == (4 << 20) - (3 << 20));
  CHECK(allocate(4 << 20) == recent);
  CHECK(allocate(5 << 20) == middle);
  deallocate(recent, 4 << 20);
  deallocate(middle, 5 << 20);
  set_cache_limit(0);
  CHECK(allocator_stats().cached_bytes < (1 << 20));
  set_cache_limit(before);
}

TEST_CASE("exhaustion is a typed error that names the bytes") {
  for (size_t bytes : {size_t(1) << 46, size_t(1) << 47, size_t(1) << 62, SIZE_MAX}) {
    try {
      allocate(bytes);
      FAIL("nothing was thrown");
    } catch (const OutOfMemoryError& error) {
      const std::string expected = "you tried to allocate " + std::to_string(bytes) + " bytes";
      CHECK(std::string(error.what()).find(expected) != std::string::npos);
    }
  }
  void* after = allocate(100);
  CHECK(after != nullptr);
  deallocate(after, 100);
}

TEST_CASE("blocks travel between threads, and threads end") {
  const int64_t before = allocator_stats().allocated_bytes;
  std::mutex mutex;
  std::deque<Block> shared;
  std::atomic<int> broken{0};
  for (int round = 0; round < 3; ++round) {
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(t);
        for (int i = 0; i < 3000; ++i) {
          const size_t bytes = size_t(1) << (random() % 14);
          const Block mine = make(bytes + random() % bytes, static_cast<unsigned char>(random()));
          Block other;
          {
            const std::lock_guard lock(mutex);
            shared.push_back(mine);
            if (shared.size() < 100) continue;
            other = shared.front();
            shared.pop_front();
          }
          if (!intact(other)) ++broken;
          deallocate(other.data, other.bytes);
        }
      });
    }
    for (auto& thread : threads) thread.join();
  }
  for (const Block& block : shared) {
    if (!intact(block)) ++broken;
    deallocate(block.data, block.bytes);
  }
  CHECK(broken == 0);
  CHECK(allocator_stats().allocated_bytes == before);
}

TEST_CASE("a forked child can allocate while other threads do") {
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) {
      void* block = allocate(10000);
      deallocate(block, 10000);
    }
  });
  for (int round = 0; round < 10; ++round) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      alarm(20);
      for (size_t bytes : {size_t(10), size_t(10000), size_t(3) << 20}) {
        void* block = allocate(bytes);
        std::memset(block, 1, bytes);
        deallocate(block, bytes);
      }
      empty_cache();
      _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
  stop = true;
  busy.join();
}
