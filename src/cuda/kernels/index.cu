// Indexing: rows by index, gather and scatter, positions of non-zeros. SCALAR: elements (for moving only, any type of the
// same size); WIDE: what they are combined in; COMBINE: Set 0, Add 1, Mul 2, Max 3, Min 4.
//
// Map: judging indices | index, index_put | gather, scatter | non-zeros | atomics on 16-bit and 64-bit elements

struct Indexed {
  Layout before, after;         // self's dimensions before and after the indexed ones; strides in elements
  int32_t count, from_end;      // indexed dimensions; whether negative indices count from the end
  int64_t size[8], stride[8];
  const int64_t* index[8];      // contiguous, `rows` each
  int64_t outer, rows, inner;
};

// ---- judging indices ------------------------------------------------------------------------------------

/// The offset of row r, or -1 after a report.
DEVICE int64_t row_offset(const Indexed& j, int64_t r, const FaultSite& fault) {
  int64_t at = 0;
#pragma unroll 1
  for (int d = 0; d < j.count; ++d) {
    int64_t i = j.index[d][r];
    const int64_t given = i;
    if (i < 0 && j.from_end) i += j.size[d];
    if (i < 0 || i >= j.size[d]) {
      report(fault, given, j.size[d]);
      return -1;
    }
    at += i * j.stride[d];
  }
  return at;
}

// ---- atomics: the element's own type where the hardware has it, else compare and swap -------------------------

#if COMBINE
DEVICE SCALAR combined(SCALAR a, SCALAR b) {
  const WIDE x = convert<WIDE>(a), y = convert<WIDE>(b);
#if COMBINE == 1
  return convert<SCALAR>((WIDE)(x + y));
#elif COMBINE == 2
  return convert<SCALAR>((WIDE)(x * y));
#elif COMBINE == 3
  return y > x || y != y ? b : a;
#else
  return y < x || y != y ? b : a;
#endif
}
template <class S, int SIZE> struct Swap;
template <class S> struct Swap<S, 8> {
  static DEVICE void run(S* p, S v) {
    unsigned long long* q = (unsigned long long*)p;
    unsigned long long old = *q, seen;
    do {
      seen = old;
      union { unsigned long long w; S s; } now, next;
      now.w = seen;
      next.s = combined(now.s, v);
      old = atomicCAS(q, seen, next.w);
    } while (old != seen);
  }
};
template <class S> struct Swap<S, 4> {
  static DEVICE void run(S* p, S v) {
    unsigned* q = (unsigned*)p;
    unsigned old = *q, seen;
    do {
      seen = old;
      union { unsigned w; S s; } now, next;
      now.w = seen;
      next.s = combined(now.s, v);
      old = atomicCAS(q, seen, next.w);
    } while (old != seen);
  }
};
/// One or two bytes: the aligned word around them is swapped.
template <class S> DEVICE void swap_small(S* p, S v) {
  const uint64_t address = (uint64_t)p;
  unsigned* q = (unsigned*)(address & ~3ull);
  const unsigned shift = (unsigned)(address & 3) * 8, mask = (sizeof(S) == 1 ? 0xffu : 0xffffu) << shift;
  unsigned old = *q, seen;
  do {
    seen = old;
    union { unsigned short w; S s; } now, next;
    now.w = (unsigned short)((seen & mask) >> shift);
    next.w = 0;
    next.s = combined(now.s, v);
    old = atomicCAS(q, seen, (seen & ~mask) | ((unsigned)next.w << shift));
  } while (old != seen);
}
template <class S> struct Swap<S, 2> { static DEVICE void run(S* p, S v) { swap_small(p, v); } };
template <class S> struct Swap<S, 1> { static DEVICE void run(S* p, S v) { swap_small(p, v); } };
/// 16 bytes, complex: only sums, part by part.
DEVICE void add_double(double* p, double v) {
  unsigned long long *q = (unsigned long long*)p, old = *q, seen;
  do {
    seen = old;
    old = atomicCAS(q, seen, (unsigned long long)__double_as_longlong(__longlong_as_double((long long)seen) + v));
  } while (old != seen);
}
template <class S> struct Swap<S, 16> { static DEVICE void run(S* p, S v) { add_double(&p->re, v.re), add_double(&p->im, v.im); } };
DEVICE void put(SCALAR* p, SCALAR v) { Swap<SCALAR, sizeof(SCALAR)>::run(p, v); }
#else
DEVICE void put(SCALAR* p, SCALAR v) { *p = v; }
#endif

// ---- index, index_put ----------------------------------------------------------------------------------------------

extern "C" __global__ void index_rows(const SCALAR* self, const __grid_constant__ Indexed j, SCALAR* out, FaultSite fault) {
  const int64_t n = j.outer * j.rows * j.inner;
  for (int64_t i = global_index(); i < n; i += global_count()) {
    int64_t rest = i;
    const int64_t inner = divide(rest, j.inner), row = divide(rest, j.rows), at = row_offset(j, row, fault);
    if (at >= 0) out[i] = self[at + offset_of(j.after, inner) + offset_of(j.before, rest)];
  }
}
/// step: 1, or 0 when one value goes everywhere
extern "C" __global__ void put_rows(SCALAR* self, const __grid_constant__ Indexed j, const SCALAR* values, int64_t step, FaultSite fault) {
  const int64_t n = j.outer * j.rows * j.inner;
  for (int64_t i = global_index(); i < n; i += global_count()) {
    int64_t rest = i;
    const int64_t inner = divide(rest, j.inner), row = divide(rest, j.rows), at = row_offset(j, row, fault);
    if (at >= 0) put(self + at + offset_of(j.after, inner) + offset_of(j.before, rest), values[i * step]);
  }
}

// ---- gather, scatter: the layouts run over index's dimensions; along `dim` self's stride is left out ---------------------

struct Along {
  Layout self, other, index;   // other: out of gather, src of scatter
  int64_t n, size, stride;
};
extern "C" __global__ void gather_along(const SCALAR* self, const __grid_constant__ Along a, const int64_t* index, SCALAR* out, FaultSite fault) {
  for (int64_t i = global_index(); i < a.n; i += global_count()) {
    const int64_t k = index[offset_of(a.index, i)];
    if (k < 0 || k >= a.size) report(fault, k, a.size);
    else out[offset_of(a.other, i)] = self[offset_of(a.self, i) + k * a.stride];
  }
}
extern "C" __global__ void scatter_along(SCALAR* self, const __grid_constant__ Along a, const int64_t* index, const SCALAR* src, FaultSite fault) {
  for (int64_t i = global_index(); i < a.n; i += global_count()) {
    const int64_t k = index[offset_of(a.index, i)];
    if (k < 0 || k >= a.size) report(fault, k, a.size);
    else put(self + offset_of(a.self, i) + k * a.stride, src[offset_of(a.other, i)]);
  }
}

// ---- non-zeros: counts of each block, their running sums, then the positions ----------------------------------------------

#define CHUNK 1024
extern "C" __global__ void count_nonzero(const SCALAR* x, int64_t n, int64_t* counts) {
  __shared__ int scratch[32];
  int mine = 0;
  for (int k = threadIdx.x; k < CHUNK; k += blockDim.x) {
    const int64_t i = (int64_t)blockIdx.x * CHUNK + k;
    if (i < n && convert<bool>(x[i])) ++mine;
  }
  const int total = block_sum(mine, scratch);
  if (threadIdx.x == 0) counts[blockIdx.x] = total;
}
/// starts[b] = the sum of counts before b, starts[blocks] = all
extern "C" __global__ void add_counts(const int64_t* counts, int64_t blocks, int64_t* starts) {
  if (global_index() != 0) return;
  int64_t at = 0;
  for (int64_t b = 0; b < blocks; ++b) starts[b] = at, at += counts[b];
  starts[blocks] = at;
}
struct Sizes { int32_t dims; int64_t size[12]; };
/// A warp keeps the order within its block's chunk.
extern "C" __global__ void write_nonzero(const SCALAR* x, int64_t n, const int64_t* starts, int64_t* out, Sizes s) {
  const int lane = threadIdx.x;
  int64_t at = starts[blockIdx.x];
  for (int k = lane; k < CHUNK; k += 32) {
    const int64_t i = (int64_t)blockIdx.x * CHUNK + k;
    const bool hit = i < n && convert<bool>(x[i]);
    const unsigned hits = __ballot_sync(0xffffffffu, hit);
    if (hit) {
      int64_t rest = i, row = (at + __popc(hits & ((1u << lane) - 1))) * s.dims;
#pragma unroll 1
      for (int d = s.dims - 1; d >= 0; --d) out[row + d] = divide(rest, s.size[d]);
    }
    at += __popc(hits);
  }
}
