// Matrix products: c = beta * c + alpha * a @ b (+ bias) (then relu), batched, with any strides of a and b.
// SCALAR: elements; WIDE: what products are summed in; REAL: 0 for complex numbers; TENSOR_CORES: 1 for
// 16-bit floats on sm_80 and newer.
//
// Map: what both kernels share | gemm_tiles: fused multiply-adds | gemm_tensor_cores: mma on 16-bit floats

struct Product {
  const SCALAR *a, *b;
  SCALAR* c;
  const SCALAR* bias;  // n values, or null
  int64_t m, n, k;
  int64_t a_row, a_col, b_row, b_col, ldc;
  int64_t batches, a_batch, b_batch, c_batch;
  WIDE alpha, beta;
  int32_t relu;
};

DEVICE void write(const Product& p, SCALAR* c, int64_t row, int64_t col, WIDE sum) {
  if (row >= p.m || col >= p.n) return;
  WIDE v = p.alpha * sum;
  if (p.beta != WIDE(0)) v = v + p.beta * convert<WIDE>(c[row * p.ldc + col]);
  if (p.bias) v = v + convert<WIDE>(p.bias[col]);
#if REAL
  if (p.relu) v = v > WIDE(0) ? v : (v != v ? v : WIDE(0));
#endif
  c[row * p.ldc + col] = convert<SCALAR>(v);
}

#if !TENSOR_CORES
// A block makes a 64 x 64 tile; each of 256 threads 4 x 4 of it, 16 apart, so that shared reads do not collide.
#define TILE 64
#define DEPTH 16
extern "C" __global__ void gemm_tiles(const __grid_constant__ Product p) {
  __shared__ WIDE sa[DEPTH][TILE + 1], sb[DEPTH][TILE + 1];
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  const int64_t row0 = (int64_t)blockIdx.y * TILE, col0 = (int64_t)blockIdx.x * TILE;
  for (int64_t batch = blockIdx.z; batch < p.batches; batch += gridDim.z) {
    const SCALAR *a = p.a + batch * p.a_batch, *b = p.b + batch * p.b_batch;
    WIDE sum[4][4];
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < 4; ++j) sum[i][j] = WIDE(0);
    for (int64_t k0 = 0; k0 < p.k; k0 += DEPTH) {
      for (int i = threadIdx.x; i < TILE * DEPTH; i += 256) {
        // neighbouring threads read neighbouring elements along whichever stride is 1
        const int ak = p.a_col == 1 ? i % DEPTH : i / TILE, am = p.a_col == 1 ? i / DEPTH : i % TILE;
        const int64_t r = row0 + am, ka = k0 + ak;
        sa[ak][am] = r < p.m && ka < p.k ? convert<WIDE>(a[r * p.a_row + ka * p.a_col]) : WIDE(0);
        const int bn = p.b_col == 1 ? i % TILE : i / DEPTH, bk = p.b_col == 1 ? i / TILE : i % DEPTH;
        const int64_t c = col0 + bn, kb = k0 + bk;
        sb[bk][bn] = c < p.n && kb < p.k ? convert<WIDE>(b[kb * p.b_row + c * p.b_col]) : WIDE(0);
      }
      __syncthreads();
      for (int k = 0; k < DEPTH; ++k) {
        WIDE x[4], y[4];
        for (int i = 0; i < 4; ++i) x[i] = sa[k][ty + 16 * i], y[i] = sb[k][tx + 16 * i];
        for (int i = 0; i < 4; ++i)
          for (int j = 0; j < 4; ++j) sum[i][j] = sum[i][j] + x[i] * y[j];
      }
      __syncthreads();
    }
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < 4; ++j) write(p, p.c + batch * p.c_batch, row0 + ty + 16 * i, col0 + tx + 16 * j, sum[i][j]);
  }
}

#else
// A block of 4 warps makes a 64 x 64 tile, a warp 32 x 32 of it by 2 x 4 products of 16 x 8 x 16.
#define TILE 64
#define DEPTH 32
#define PITCH (DEPTH + 8)

DEVICE uint32_t pair(const uint16_t* p) { return (uint32_t)p[0] | (uint32_t)p[1] << 16; }

extern "C" __global__ void gemm_tensor_cores(const __grid_constant__ Product p) {
  // both tiles with k as the fast dimension, as the fragments want it
  __shared__ uint16_t sa[TILE * PITCH], sb[TILE * PITCH];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = lane / 4, quad = lane % 4;
  const int wr = warp / 2 * 32, wc = warp % 2 * 32;
  const int64_t row0 = (int64_t)blockIdx.y * TILE, col0 = (int64_t)blockIdx.x * TILE;
  for (int64_t batch = blockIdx.z; batch < p.batches; batch += gridDim.z) {
    const uint16_t *a = (const uint16_t*)(p.a + batch * p.a_batch), *b = (const uint16_t*)(p.b + batch * p.b_batch);
    float sum[2][4][4];
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j)
#pragma unroll
        for (int k = 0; k < 4; ++k) sum[i][j][k] = 0;
    for (int64_t k0 = 0; k0 < p.k; k0 += DEPTH) {
      for (int i = threadIdx.x; i < TILE * DEPTH; i += 128) {
        const int ak = p.a_col == 1 ? i % DEPTH : i / TILE, am = p.a_col == 1 ? i / DEPTH : i % TILE;
        const int64_t r = row0 + am, ka = k0 + ak;
        sa[am * PITCH + ak] = r < p.m && ka < p.k ? a[r * p.a_row + ka * p.a_col] : (uint16_t)0;
        const int bn = p.b_col == 1 ? i % TILE : i / DEPTH, bk = p.b_col == 1 ? i / TILE : i % DEPTH;
        const int64_t c = col0 + bn, kb = k0 + bk;
        sb[bn * PITCH + bk] = c < p.n && kb < p.k ? b[kb * p.b_row + c * p.b_col] : (uint16_t)0;
      }
      __syncthreads();
      for (int k = 0; k < DEPTH; k += 16) {
        uint32_t fa[2][4], fb[4][2];
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const uint16_t* r = sa + (wr + 16 * i + group) * PITCH + k + 2 * quad;
          fa[i][0] = pair(r), fa[i][1] = pair(r + 8 * PITCH), fa[i][2] = pair(r + 8), fa[i][3] = pair(r + 8 * PITCH + 8);
        }
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const uint16_t* c = sb + (wc + 8 * j + group) * PITCH + k + 2 * quad;
          fb[j][0] = pair(c), fb[j][1] = pair(c + 8);
        }
#pragma unroll
        for (int i = 0; i < 2; ++i)
#pragma unroll
          for (int j = 0; j < 4; ++j) mma_16x8x16<SCALAR>(sum[i][j], fa[i], fb[j]);
      }
      __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j)
#pragma unroll
        for (int k = 0; k < 4; ++k)
          write(p, p.c + batch * p.c_batch, row0 + wr + 16 * i + group + 8 * (k / 2), col0 + wc + 8 * j + 2 * quad + k % 2, sum[i][j][k]);
  }
}
#endif
