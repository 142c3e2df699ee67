// CUDA for C++ users: availability, devices, streams, memory. Tensors move with `t.to(Device("cuda"))`.
#pragma once
#include <string>

#include "bolide/dtype.h"

namespace bolide::cuda {

/// Whether a driver and at least one device are there; never throws.
bool is_available();
int device_count();
/// Why CUDA cannot be used and what would help; empty when it can.
std::string why();
/// Waits until all work of the device (-1: the current one) is done.
void synchronize(int device = -1);
/// Seeds the generators of all devices.
void manual_seed_all(uint64_t seed);
/// Bytes in live tensors, and bytes reserved from the driver, on `device`.
int64_t memory_allocated(int device = -1);
int64_t memory_reserved(int device = -1);
/// Gives unused memory back to the driver.
void empty_cache();

}  // namespace bolide::cuda
