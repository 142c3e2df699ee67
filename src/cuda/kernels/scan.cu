// Running results along a dimension: a block a row when rows lie dense, else a thread a row (neighbouring threads read
// neighbouring rows). SCALAR: elements; WIDE: what is kept; SCAN: Sum 0, Prod 1, LogSumExp 2, Max 3, Min 4.

struct State { WIDE v; int64_t at; };
DEVICE State merge(const State& a, const State& b) {
  if (a.at == -2) return b;  // nothing yet
  if (b.at == -2) return a;
  State r = b;
#if SCAN == 0
  r.v = a.v + b.v;
#elif SCAN == 1
  r.v = a.v * b.v;
#elif SCAN == 2
  r.v = fn::logaddexp(a.v, b.v);
#else
  const bool take = b.v != b.v || (a.v == a.v && (SCAN == 3 ? b.v >= a.v : b.v <= a.v));
  r = take ? b : a;
#endif
  return r;
}

struct Rows {
  Layout x, y, places;   // of the dimensions that are not scanned
  int64_t rows, n, x_step, y_step, places_step;
  int32_t reverse;
};
DEVICE State load(const SCALAR* x, const Rows& r, int64_t base, int64_t k) {
  const int64_t i = r.reverse ? r.n - 1 - k : k;
  State s = {convert<WIDE>(x[base + i * r.x_step]), i};
  return s;
}
DEVICE void store(const State& s, SCALAR* y, int64_t* places, const Rows& r, int64_t row, int64_t k) {
  const int64_t i = r.reverse ? r.n - 1 - k : k;
  y[offset_of(r.y, row) + i * r.y_step] = convert<SCALAR>(s.v);
  if (places) places[offset_of(r.places, row) + i * r.places_step] = s.at;
}

extern "C" __global__ void scan_threads(const SCALAR* x, SCALAR* y, int64_t* places, const __grid_constant__ Rows r) {
  for (int64_t row = global_index(); row < r.rows; row += global_count()) {
    const int64_t base = offset_of(r.x, row);
    State s = {WIDE(0), -2};
    for (int64_t k = 0; k < r.n; ++k) {
      s = merge(s, load(x, r, base, k));
      store(s, y, places, r, row, k);
    }
  }
}

/// 256 elements at a time: within warps by shuffles, across them through shared memory, the running state carried on.
extern "C" __global__ void scan_blocks(const SCALAR* x, SCALAR* y, int64_t* places, const __grid_constant__ Rows r) {
  __shared__ State warps[8];
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  for (int64_t row = blockIdx.x; row < r.rows; row += gridDim.x) {
    const int64_t base = offset_of(r.x, row);
    State carry = {WIDE(0), -2};
    for (int64_t k0 = 0; k0 < r.n; k0 += 256) {
      const int64_t k = k0 + threadIdx.x;
      State s = {WIDE(0), -2};
      if (k < r.n) s = load(x, r, base, k);
      for (int d = 1; d < 32; d <<= 1) {
        const State o = shuffle_up(s, d);
        if (lane >= d) s = merge(o, s);
      }
      if (lane == 31) warps[warp] = s;
      __syncthreads();
      State before = carry;
      for (int w = 0; w < warp; ++w) before = merge(before, warps[w]);
      State all = carry;
      for (int w = 0; w < 8; ++w) all = merge(all, warps[w]);
      __syncthreads();
      if (k < r.n) store(merge(before, s), y, places, r, row, k);
      carry = all;
    }
  }
}

/// y[k] = x[k] + factor[k] * y[k - 1], or in reverse y[k] = x[k] + factor[k + 1] * y[k + 1].
extern "C" __global__ void recurrence(const SCALAR* x, const SCALAR* factor, SCALAR* y, const __grid_constant__ Rows r) {
  for (int64_t row = global_index(); row < r.rows; row += global_count()) {
    const int64_t bx = offset_of(r.x, row), by = offset_of(r.y, row), bf = offset_of(r.places, row);
    WIDE v = WIDE(0);
    for (int64_t k = 0; k < r.n; ++k) {
      const int64_t i = r.reverse ? r.n - 1 - k : k, f = r.reverse ? i + 1 : i;
      const WIDE one = convert<WIDE>(x[bx + i * r.x_step]);
      v = k == 0 ? one : one + convert<WIDE>(factor[bf + f * r.places_step]) * v;
      y[by + i * r.y_step] = convert<SCALAR>(v);
    }
  }
}
