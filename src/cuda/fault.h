// Bad values met by a kernel: an index out of range, a target that is no class. The kernel leaves memory alone and notes
// the first one in page-locked host memory; the host looks there at every launch and after every wait, and raises.
// The context stays usable.
#pragma once
#include <cstdint>
#include <string>

namespace bolide::cuda {

/// As `Fault` in the prelude.
struct Fault {
  uint32_t set;
  int32_t code;
  int64_t index, limit;
};
/// The device's note, for a kernel of `op`; `what` words the error, with %i and %n for index and limit.
struct FaultSite {
  Fault* fault;
  int32_t code;
};
FaultSite fault_site(int device, const char* op, const std::string& what);
/// Throws IndexError when a kernel of any device has noted something.
void check_faults();

}  // namespace bolide::cuda
