// Map: cgroup quotas (v2, v1) | affinity | environment
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cpu/pool.h"

namespace bolide {

namespace {

constexpr int kMostThreads = 1024;

// Processors that `quota` microseconds per `period` amount to; 0 when unlimited or unreadable.
int processors_of(double quota, double period) {
  if (!(quota > 0) || !(period > 0)) return 0;
  return std::clamp(int(std::ceil(quota / period)), 1, kMostThreads);
}

int read_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max") return 0;
  return processors_of(std::atof(quota.c_str()), period);
}

int read_v1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
  double quota = 0, period = 0;
  if (!(quota_file >> quota) || !(period_file >> period)) return 0;
  return processors_of(quota, period);
}

// A quota binds every group below it, so all ancestors count. In a container the path may name folders that
// are not mounted; those read as unlimited and the walk still ends at the mount itself.
template <class Read>
int smallest_quota(const std::string& mount, std::string path, Read read) {
  int smallest = 0;
  for (;;) {
    if (path == "/") path.clear();
    const int quota = read(mount + path);
    if (quota > 0 && (smallest == 0 || quota < smallest)) smallest = quota;
    const size_t slash = path.rfind('/');
    if (path.empty() || slash == std::string::npos) return smallest;
    path.resize(slash);
  }
}

int cgroup_quota() {
  std::ifstream file("/proc/self/cgroup");
  int smallest = 0;
  const auto take = [&](int quota) {
    if (quota > 0 && (smallest == 0 || quota < smallest)) smallest = quota;
  };
  for (std::string line; std::getline(file, line);) {  // hierarchy:controllers:path
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string controllers(1, ',');
    controllers.append(line, first + 1, second - first - 1).push_back(',');
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") {
      take(smallest_quota("/sys/fs/cgroup", path, read_v2));
      take(smallest_quota("/sys/fs/cgroup/unified", path, read_v2));
    } else if (controllers.find(",cpu,") != std::string::npos) {
      take(smallest_quota("/sys/fs/cgroup/cpu", path, read_v1));
      take(smallest_quota("/sys/fs/cgroup/cpu,cpuacct", path, read_v1));
    }
  }
  return smallest;
}

int affinity() {
  for (int processors = 1024; processors <= 1 << 20; processors *= 4) {
    cpu_set_t* set = CPU_ALLOC(processors);
    const size_t bytes = CPU_ALLOC_SIZE(processors);
    const int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return std::max(1, int(sysconf(_SC_NPROCESSORS_ONLN)));
}

// OMP_NUM_THREADS may be a list, one number per nesting level: the first counts.
int environment() {
  for (const char* name : {"BOLIDE_NUM_THREADS", "OMP_NUM_THREADS"}) {
    const char* text = std::getenv(name);
    const long value = text != nullptr ? std::strtol(text, nullptr, 10) : 0;
    if (value > 0) return int(std::min<long>(value, kMostThreads));
  }
  return 0;
}

}  // namespace

ThreadLimits thread_limits() { return {affinity(), cgroup_quota(), environment()}; }

}  // namespace bolide
