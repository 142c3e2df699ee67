// Softmax and its logarithm over one dimension of a contiguous tensor [outer, n, inner], and the gradients.
// SCALAR: elements, WIDE: what they are computed in.

/// The largest element so far and the sum of exponentials relative to it.
struct Running { WIDE top, sum; };
DEVICE Running merge(const Running& a, const Running& b) {
  Running r;
  r.top = b.top > a.top || b.top != b.top ? b.top : a.top;
  // rows of -inf only: exp(-inf - -inf) would be NaN too early
  const WIDE fa = a.sum == 0 ? WIDE(0) : a.sum * fn::exp(a.top - r.top), fb = b.sum == 0 ? WIDE(0) : b.sum * fn::exp(b.top - r.top);
  r.sum = fa + fb;
  return r;
}
DEVICE Running warp_merge(Running r) {
  for (int k = 16; k; k >>= 1) r = merge(r, shuffle_xor(r, k));
  return r;
}

/// A block a row. `stride` between a row's elements: rows of the last dimension are 1 apart.
extern "C" __global__ void softmax_rows(const SCALAR* x, SCALAR* y, int64_t rows, int64_t n, int64_t inner, int32_t log) {
  __shared__ Running warps[32];
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const int64_t base = r / inner * n * inner + r % inner;
    Running run = {-fn::infinity<WIDE>(), WIDE(0)};
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const Running one = {convert<WIDE>(x[base + i * inner]), WIDE(1)};
      run = merge(run, one);
    }
    run = warp_merge(run);
    if ((threadIdx.x & 31) == 0) warps[threadIdx.x >> 5] = run;
    __syncthreads();
    run = warps[0];
    for (unsigned w = 1; w < blockDim.x / 32; ++w) run = merge(run, warps[w]);
    const WIDE shift = log ? run.top + fn::log(run.sum) : WIDE(0), scale = WIDE(1) / run.sum;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const WIDE v = convert<WIDE>(x[base + i * inner]);
      y[base + i * inner] = convert<SCALAR>(log ? v - shift : fn::exp(v - run.top) * scale);
    }
    __syncthreads();
  }
}

/// dx = y * (dy - sum(dy * y)), of the logarithm dx = dy - exp(y) * sum(dy).
extern "C" __global__ void softmax_backward_rows(const SCALAR* dy, const SCALAR* y, SCALAR* dx, int64_t rows, int64_t n, int64_t inner, int32_t log) {
  __shared__ WIDE scratch[32];
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const int64_t base = r / inner * n * inner + r % inner;
    WIDE sum = 0;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const WIDE g = convert<WIDE>(dy[base + i * inner]);
      sum += log ? g : g * convert<WIDE>(y[base + i * inner]);
    }
    sum = block_sum(sum, scratch);
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const WIDE g = convert<WIDE>(dy[base + i * inner]), v = convert<WIDE>(y[base + i * inner]);
      dx[base + i * inner] = convert<SCALAR>(log ? g - fn::exp(v) * sum : v * (g - sum));
    }
  }
}
