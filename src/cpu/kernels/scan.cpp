// Scans for every instruction set.
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/kernels/copy.h"
#include "cpu/kernels/lines.h"

#define BOLIDE_KERNELS "cpu/kernels/scan.inl"
#include "cpu/kernels/each_isa.inl"

namespace bolide::cpu {

ScanLines scan_lines(const char* op, ScanOp which, DType t) { return BOLIDE_PICK(scan_lines(op, which, t)); }
ScanLines recurrence_lines(DType t) { return BOLIDE_PICK(recurrence_lines(t)); }

}  // namespace bolide::cpu
