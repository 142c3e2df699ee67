// walk: the CPU's way over a plan, in blocks that stay in the first-level cache. What lies contiguous in the dtype a loop
// reads is used in place; everything else (strided, broadcast, transposed, of another dtype) is packed into a buffer first.
#pragma once
#include "iter/pointwise.h"

namespace bolide::iter {

/// Elements a thread should have to be worth waking.
inline constexpr int64_t kGrain = 32768;

/// Runs the loop over the whole plan, on all threads. `fresh`: the output's old values are in no cache, so large results
/// may go past the caches.
void walk(Plan& plan, const Typed& t, const void* parameters, bool fresh);
/// The same walk for copies (of one shape) and fills.
void copy(const Tensor& dst, const Tensor& src);
void fill(const Tensor& dst, const Scalar& value);
/// n copies of the element at the front of `p`.
void repeat(char* p, int64_t n, int64_t item);

}  // namespace bolide::iter
