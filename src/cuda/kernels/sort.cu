// Sorting rows with their positions, stably. Rows of up to 2048 elements: one block, a bitonic network in shared memory on
// (key, position) pairs. Longer rows: a radix sort, 4 bits a pass, on keys that order as the values do.
// SCALAR: elements; KEY: unsigned integer of their size (at least 32 bits).
//
// Map: keys | short rows | radix passes

// ---- keys: unsigned integers in the order of the values, NaN last; inverted for descending -----------------

DEVICE uint64_t key_bits(double v) {
  if (v != v) return ~0ull;
  const uint64_t u = (uint64_t)__double_as_longlong(v == 0 ? 0.0 : v);
  return u >> 63 ? ~u : u | 1ull << 63;
}
DEVICE uint32_t key_bits(float v) {
  if (v != v) return ~0u;
  const uint32_t u = __float_as_uint(v == 0 ? 0.0f : v);
  return u >> 31 ? ~u : u | 1u << 31;
}
DEVICE uint32_t key_bits(Half v) { return key_bits(half_to_float(v)); }
DEVICE uint32_t key_bits(BFloat16 v) { return key_bits(bfloat_to_float(v)); }
DEVICE uint32_t key_bits(bool v) { return v; }
DEVICE uint32_t key_bits(uint8_t v) { return v; }
DEVICE uint32_t key_bits(int8_t v) { return (uint32_t)((int32_t)v + 128); }
DEVICE uint32_t key_bits(int16_t v) { return (uint32_t)((int32_t)v + 32768); }
DEVICE uint32_t key_bits(int32_t v) { return (uint32_t)v ^ 0x80000000u; }
DEVICE uint64_t key_bits(int64_t v) { return (uint64_t)v ^ 1ull << 63; }
DEVICE KEY key_of(SCALAR v, int descending) {
  const KEY k = (KEY)key_bits(v);
  return descending ? ~k : k;
}

struct Rows {
  Layout x, values, indices;   // of the dimensions that are not sorted
  int64_t rows, n, x_step, values_step, indices_step, keep;  // keep: how many of each row are written
};

// ---- short rows ------------------------------------------------------------------------------------------

extern "C" __global__ void sort_short(const SCALAR* x, SCALAR* values, int64_t* indices, const __grid_constant__ Rows r, int32_t width, int32_t descending) {
  DYNAMIC_SHARED(KEY, keys);
  int32_t* places = (int32_t*)(keys + width);
  for (int64_t row = blockIdx.x; row < r.rows; row += gridDim.x) {
    const int64_t base = offset_of(r.x, row);
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
      keys[i] = i < r.n ? key_of(x[base + i * r.x_step], descending) : ~(KEY)0;
      places[i] = i;
    }
    __syncthreads();
    for (int size = 2; size <= width; size <<= 1)
      for (int stride = size >> 1; stride; stride >>= 1) {
        for (int t = threadIdx.x; t < width / 2; t += blockDim.x) {
          const int a = 2 * t - (t & (stride - 1)), b = a + stride;
          const bool up = (a & size) == 0;
          const KEY ka = keys[a], kb = keys[b];
          const int32_t pa = places[a], pb = places[b];
          const bool after = ka > kb || (ka == kb && pa > pb);
          if (after == up) keys[a] = kb, keys[b] = ka, places[a] = pb, places[b] = pa;
        }
        __syncthreads();
      }
    const int64_t bv = offset_of(r.values, row), bi = offset_of(r.indices, row);
    for (int i = threadIdx.x; i < r.keep; i += blockDim.x) {
      if (values) values[bv + i * r.values_step] = x[base + places[i] * r.x_step];
      if (indices) indices[bi + i * r.indices_step] = places[i];
    }
    __syncthreads();
  }
}

// ---- radix passes over one row: keys and positions in buffers, 1024 elements a block -------------------------

#define CHUNK 1024
#define BINS 16
extern "C" __global__ void radix_keys(const SCALAR* x, int64_t n, int64_t step, int32_t descending, KEY* keys, int32_t* places) {
  for (int64_t i = global_index(); i < n; i += global_count()) keys[i] = key_of(x[i * step], descending), places[i] = (int32_t)i;
}
/// counts[bin][block]
extern "C" __global__ void radix_count(const KEY* keys, int64_t n, int32_t shift, int32_t* counts) {
  __shared__ int32_t bins[BINS];
  if (threadIdx.x < BINS) bins[threadIdx.x] = 0;
  __syncthreads();
  for (int k = threadIdx.x; k < CHUNK; k += blockDim.x) {
    const int64_t i = (int64_t)blockIdx.x * CHUNK + k;
    if (i < n) atomicAdd(&bins[(int)(keys[i] >> shift) & (BINS - 1)], 1);
  }
  __syncthreads();
  if (threadIdx.x < BINS) counts[threadIdx.x * gridDim.x + blockIdx.x] = bins[threadIdx.x];
}
/// counts become starts, in place: one block over all of them.
extern "C" __global__ void radix_starts(int32_t* counts, int64_t n) {
  __shared__ int32_t warps[32];
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  int32_t carry = 0;
  for (int64_t i0 = 0; i0 < n; i0 += blockDim.x) {
    const int64_t i = i0 + threadIdx.x;
    const int32_t mine = i < n ? counts[i] : 0;
    int32_t s = mine;
    for (int d = 1; d < 32; d <<= 1) {
      const int32_t o = shuffle_up(s, d);
      if (lane >= d) s += o;
    }
    if (lane == 31) warps[warp] = s;
    __syncthreads();
    int32_t before = carry, all = carry;
    for (int w = 0; w < (int)blockDim.x / 32; ++w) {
      if (w < warp) before += warps[w];
      all += warps[w];
    }
    __syncthreads();
    if (i < n) counts[i] = before + s - mine;
    carry = all;
  }
}
/// One warp a block walks its chunk in order, so that equal digits keep theirs.
extern "C" __global__ void radix_move(const KEY* keys, const int32_t* places, int64_t n, int32_t shift, const int32_t* starts, KEY* to_keys,
                                      int32_t* to_places, int32_t blocks) {
  __shared__ int32_t next[BINS];
  const int lane = threadIdx.x;
  if (lane < BINS) next[lane] = starts[lane * blocks + blockIdx.x];
  __syncwarp();
  for (int k = lane; k < CHUNK; k += 32) {
    const int64_t i = (int64_t)blockIdx.x * CHUNK + k;
    const KEY key = i < n ? keys[i] : (KEY)0;
    const int digit = i < n ? (int)(key >> shift) & (BINS - 1) : BINS;
    const unsigned same = match_any(digit);
    const int rank = __popc(same & ((1u << lane) - 1));
    int32_t at = 0;
    if (digit < BINS) at = next[digit] + rank;
    __syncwarp();
    if (digit < BINS && rank == 0) next[digit] += __popc(same);
    __syncwarp();
    if (digit < BINS) to_keys[at] = key, to_places[at] = places[i];
  }
}
extern "C" __global__ void radix_write(const SCALAR* x, int64_t step, const int32_t* places, int64_t keep, SCALAR* values, int64_t values_step,
                                       int64_t* indices, int64_t indices_step) {
  for (int64_t i = global_index(); i < keep; i += global_count()) {
    const int64_t p = places[i];
    if (values) values[i * values_step] = x[p * step];
    if (indices) indices[i * indices_step] = p;
  }
}
