// Running a kernel: blocks one after another, the threads of a block as fibers on one processor.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace softgpu {

struct Dim { unsigned x, y, z; };
struct Thread { Dim thread; unsigned lane; };
struct Block { Dim block, block_dim, grid_dim; char* dynamic_shared; };
struct Runtime {
  void (*barrier)(void* site, int predicate, int* count);
  const char* (*exchange)(unsigned mask, const void* value, int bytes, void* site);
  void (*trap)(const char* why);
};

/// A loaded kernel library's ends (see shim.h).
struct Image {
  void* library = nullptr;
  Thread** thread = nullptr;
  Block* block = nullptr;
  char *shared_begin = nullptr, *shared_end = nullptr;
};
struct Launch {
  const Image* image = nullptr;
  void (*call)(void** args) = nullptr;
  std::string name;
  Dim grid, block;
  unsigned dynamic_shared = 0;
  std::vector<std::vector<char>> args;
};

/// In which order the threads of a block go on: SOFTGPU_ORDER = low, high, random.
enum class Order { Low, High, Random };
Order order_from_environment();

/// Runs the launch to its end. Returns an empty string, or what went wrong (a fault, a divergent barrier, a trap).
std::string run(const Launch& l, Order order);
/// The table that kernels call into.
const Runtime& runtime();

/// Access to device memory is open only inside such a scope, where the processor has protection keys.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
};
void* map_device(size_t bytes);
void unmap_device(void* p, size_t bytes);

}  // namespace softgpu
