// Pooling over images of [planes, in] and [planes, out] on raw pointers; indices are positions in the input plane.
#pragma once
#include "bolide/half.h"
#include "core/pool_shape.h"

namespace bolide::cpu {

// NaN beats all numbers. indices may be null, but for fractional pooling. T also every integer type.
template <class T> void max_pool(const T* x, const PoolShape& s, T* y, int64_t* indices);
template <class T> void adaptive_max_pool(const T* x, const PoolShape& s, T* y, int64_t* indices);
// samples: `dims` random numbers for each plane, for planes and pictures the last dimension's first.
template <class T>
void fractional_max_pool(const T* x, const T* samples, int dims, const PoolShape& s, T* y, int64_t* indices);

// dx = 0; dx[indices[o]] += g[o], or = g[o] without `add`. An index outside raises.
template <class T> void pool_scatter(const T* g, const int64_t* indices, const PoolShape& s, bool add, T* dx);
// y[o] = x[indices[o]]
template <class T> void pool_gather(const T* x, const int64_t* indices, const PoolShape& s, T* y);

// divisor 0 means the window's size (with padding when count_padding). T also int64_t.
template <class T> void avg_pool(const T* x, const PoolShape& s, bool count_padding, int64_t divisor, T* y);
template <class T> void avg_pool_backward(const T* g, const PoolShape& s, bool count_padding, int64_t divisor, T* dx);
template <class T> void adaptive_avg_pool(const T* x, const PoolShape& s, T* y);
template <class T> void adaptive_avg_pool_backward(const T* g, const PoolShape& s, T* dx);

}  // namespace bolide::cpu
