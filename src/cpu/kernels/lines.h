// Map: scans
//
// Kernels over bundles of lines (iter/lines.h), for the instruction set in use.
#pragma once

#include "core/kernels.h"

namespace bolide::cpu {

// Running sums and the like over `lines` lines of n elements: p[0] is read, p[1] written, p[2] gets positions (int64,
// null when not wanted). Float sums and products build up in double, halves in float.
using ScanLines = void (*)(char* const* p, const int64_t* step, int64_t lines, const int64_t* stride, int64_t n);
ScanLines scan_lines(const char* op, ScanOp which, DType t);
// y[k] = x[k] + factor[k] * y[k - 1], with y written to p[2].
ScanLines recurrence_lines(DType t);

}  // namespace bolide::cpu
