// Map: casts | fill | stores past the caches | rows by index | transposed copies
//
// Kernels that move elements, threaded and built for every instruction set. Regions do not overlap.
#pragma once

#include <cstdint>

#include "bolide/dtype.h"

namespace bolide::cpu {

// n contiguous elements from one dtype to another: floats to integers truncate through int64 (NaN and values out
// of its range give its smallest value) and wrap to the narrow type, everything to bool tests for non-zero,
// complex to real drops the imaginary part.
void cast(DType to, void* dst, DType from, const void* src, int64_t n);
// The same on the calling thread only.
void cast_serial(DType to, void* dst, DType from, const void* src, int64_t n);
// The loop that does it, for those who cast block by block.
using CastLoop = void (*)(void* dst, const void* src, int64_t n);
CastLoop cast_loop(DType to, DType from);
// The same where one of the two is a type that is only stored; null for opaque types.
CastLoop storage_cast(DType to, DType from);

// n copies of one element of `size` bytes (1, 2, 4, 8 or 16).
void fill(void* dst, const void* element, int64_t size, int64_t n);

// Fresh results of at least this many bytes go past the caches: they would not stay there, and a line that is written
// whole need not be read first.
inline constexpr int64_t kStreamBytes = 1 << 24;
// memcpy past the caches. stream_end() makes what it wrote visible to other threads.
void stream(void* dst, const void* src, int64_t bytes);
void stream_end();

// dst row i = src row indices[i]; rows of `row_bytes`.
void gather_rows(void* dst, const void* src, const int64_t* indices, int64_t count, int64_t row_bytes);

// dst[c * dst_stride + r] = src[r * src_stride + c] for r < rows, c < columns; strides in elements of `size`
// bytes (1, 2, 4, 8 or 16).
void transpose(void* dst, int64_t dst_stride, const void* src, int64_t src_stride, int64_t rows, int64_t columns, int64_t size);

}  // namespace bolide::cpu
