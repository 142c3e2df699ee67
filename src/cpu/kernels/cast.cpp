// Casts between all dtypes for every instruction set.
#include <immintrin.h>

#include <algorithm>
#include <complex>
#include <cstring>
#include <vector>

#include "bolide/error.h"
#include "core/math.h"
#include "cpu/kernels/copy.h"
#include "cpu/pool.h"

#define BOLIDE_KERNELS "cpu/kernels/cast.inl"
#include "cpu/kernels/each_isa.inl"

namespace bolide::cpu {

CastLoop cast_loop(DType to, DType from) {
  const CastLoop loop = StorageTypes::has(to) || StorageTypes::has(from) ? storage_cast(to, from) : BOLIDE_PICK(pick_cast(to, from));
  if (!loop) throw Error(std::string("cast: no conversion from ") + name(from) + " to " + name(to));
  return loop;
}

void cast_serial(DType to, void* dst, DType from, const void* src, int64_t n) { cast_loop(to, from)(dst, src, n); }

void cast(DType to, void* dst, DType from, const void* src, int64_t n) {
  const CastLoop loop = cast_loop(to, from);
  char* d = static_cast<char*>(dst);
  const char* s = static_cast<const char*>(src);
  parallel_for(0, n, 32768, [=](int64_t begin, int64_t end) {
    loop(d + begin * item_size(to), s + begin * item_size(from), end - begin);
  });
}

}  // namespace bolide::cpu
