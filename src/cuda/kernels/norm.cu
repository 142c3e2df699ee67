// Normalisations. SCALAR: elements and parameters; WIDE: statistics and arithmetic.
//
// Map: layer and rms norm by rows | their gradients | group norm | batch norm | sums over columns

DEVICE WIDE get(const SCALAR* p, int64_t i, WIDE otherwise) { return p ? convert<WIDE>(p[i]) : otherwise; }

// ---- layer norm and rms norm: a block a row of n elements ---------------------------------------------------

extern "C" __global__ void layer_norm_forward(const SCALAR* x, const SCALAR* weight, const SCALAR* bias, int64_t rows, int64_t n, WIDE eps, SCALAR* y,
                                              WIDE* mean, WIDE* rstd) {
  __shared__ WIDE scratch[32];
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const SCALAR* row = x + r * n;
    WIDE sum = 0;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += convert<WIDE>(row[i]);
    const WIDE m = block_sum(sum, scratch) / (WIDE)n;
    WIDE squares = 0;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const WIDE d = convert<WIDE>(row[i]) - m;
      squares += d * d;
    }
    const WIDE s = WIDE(1) / fn::sqrt(block_sum(squares, scratch) / (WIDE)n + eps);
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x)
      y[r * n + i] = convert<SCALAR>((convert<WIDE>(row[i]) - m) * s * get(weight, i, 1) + get(bias, i, 0));
    if (threadIdx.x == 0) {
      if (mean) mean[r] = m;
      if (rstd) rstd[r] = s;
    }
  }
}

extern "C" __global__ void rms_norm_forward(const SCALAR* x, const SCALAR* weight, int64_t rows, int64_t n, WIDE eps, SCALAR* y, WIDE* rstd) {
  __shared__ WIDE scratch[32];
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    WIDE squares = 0;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const WIDE v = convert<WIDE>(x[r * n + i]);
      squares += v * v;
    }
    const WIDE s = WIDE(1) / fn::sqrt(block_sum(squares, scratch) / (WIDE)n + eps);
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) y[r * n + i] = convert<SCALAR>(convert<WIDE>(x[r * n + i]) * s * get(weight, i, 1));
    if (threadIdx.x == 0 && rstd) rstd[r] = s;
  }
}

/// dx of both: with mean, dx = (g - mean(g) - xhat * mean(g * xhat)) * rstd; without, the mean of g is left out.
extern "C" __global__ void norm_backward_x(const SCALAR* dy, const SCALAR* x, const WIDE* mean, const WIDE* rstd, const SCALAR* weight, int64_t rows,
                                           int64_t n, SCALAR* dx) {
  __shared__ WIDE scratch[32];
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const WIDE m = mean ? mean[r] : WIDE(0), s = rstd[r];
    WIDE sum = 0, dot = 0;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const WIDE g = convert<WIDE>(dy[r * n + i]) * get(weight, i, 1);
      sum += g;
      dot += g * (convert<WIDE>(x[r * n + i]) - m) * s;
    }
    sum = mean ? block_sum(sum, scratch) / (WIDE)n : WIDE(0);
    dot = block_sum(dot, scratch) / (WIDE)n;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const WIDE g = convert<WIDE>(dy[r * n + i]) * get(weight, i, 1), h = (convert<WIDE>(x[r * n + i]) - m) * s;
      dx[r * n + i] = convert<SCALAR>((g - sum - h * dot) * s);
    }
  }
}

/// Partial sums over rows of dy * xhat and dy for each column: a block takes 32 columns and every gridDim.y-th row group.
extern "C" __global__ void norm_backward_weights(const SCALAR* dy, const SCALAR* x, const WIDE* mean, const WIDE* rstd, int64_t rows, int64_t n,
                                                 WIDE* dw, WIDE* db) {
  __shared__ WIDE w[8][33], b[8][33];
  const int64_t column = (int64_t)blockIdx.x * 32 + threadIdx.x;
  WIDE sw = 0, sb = 0;
  if (column < n)
    for (int64_t r = (int64_t)blockIdx.y * 8 + threadIdx.y; r < rows; r += (int64_t)gridDim.y * 8) {
      const WIDE g = convert<WIDE>(dy[r * n + column]);
      sw += g * (convert<WIDE>(x[r * n + column]) - (mean ? mean[r] : WIDE(0))) * rstd[r];
      sb += g;
    }
  w[threadIdx.y][threadIdx.x] = sw, b[threadIdx.y][threadIdx.x] = sb;
  __syncthreads();
  if (threadIdx.y == 0 && column < n) {
    for (int k = 1; k < 8; ++k) sw += w[k][threadIdx.x], sb += b[k][threadIdx.x];
    dw[blockIdx.y * n + column] = sw;
    db[blockIdx.y * n + column] = sb;
  }
}
/// result[c] = the sum of parts[k][c]
extern "C" __global__ void add_parts(const WIDE* parts, int64_t count, int64_t n, SCALAR* result) {
  for (int64_t c = global_index(); c < n; c += global_count()) {
    WIDE s = 0;
    for (int64_t k = 0; k < count; ++k) s += parts[k * n + c];
    result[c] = convert<SCALAR>(s);
  }
}

// ---- group norm: x [batch, channels, plane], statistics [batch, groups]; a block a group ----------------------

extern "C" __global__ void group_norm_forward(const SCALAR* x, const SCALAR* weight, const SCALAR* bias, int64_t count, int64_t channels, int64_t groups,
                                              int64_t plane, WIDE eps, SCALAR* y, WIDE* mean, WIDE* rstd) {
  __shared__ WIDE scratch[32];
  const int64_t each = channels / groups, n = each * plane;
  for (int64_t g = blockIdx.x; g < count; g += gridDim.x) {
    const SCALAR* p = x + g * n;
    WIDE sum = 0;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += convert<WIDE>(p[i]);
    const WIDE m = block_sum(sum, scratch) / (WIDE)n;
    WIDE squares = 0;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const WIDE d = convert<WIDE>(p[i]) - m;
      squares += d * d;
    }
    const WIDE s = WIDE(1) / fn::sqrt(block_sum(squares, scratch) / (WIDE)n + eps);
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const int64_t c = g % groups * each + i / plane;
      y[g * n + i] = convert<SCALAR>((convert<WIDE>(p[i]) - m) * s * get(weight, c, 1) + get(bias, c, 0));
    }
    if (threadIdx.x == 0) mean[g] = m, rstd[g] = s;
  }
}
extern "C" __global__ void group_norm_backward_x(const SCALAR* dy, const SCALAR* x, const WIDE* mean, const WIDE* rstd, const SCALAR* weight,
                                                 int64_t count, int64_t channels, int64_t groups, int64_t plane, SCALAR* dx) {
  __shared__ WIDE scratch[32];
  const int64_t each = channels / groups, n = each * plane;
  for (int64_t g = blockIdx.x; g < count; g += gridDim.x) {
    const WIDE m = mean[g], s = rstd[g];
    WIDE sum = 0, dot = 0;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const WIDE v = convert<WIDE>(dy[g * n + i]) * get(weight, g % groups * each + i / plane, 1);
      sum += v;
      dot += v * (convert<WIDE>(x[g * n + i]) - m) * s;
    }
    sum = block_sum(sum, scratch) / (WIDE)n;
    dot = block_sum(dot, scratch) / (WIDE)n;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const WIDE v = convert<WIDE>(dy[g * n + i]) * get(weight, g % groups * each + i / plane, 1);
      dx[g * n + i] = convert<SCALAR>((v - sum - (convert<WIDE>(x[g * n + i]) - m) * s * dot) * s);
    }
  }
}
/// dw, db: a block a channel.
extern "C" __global__ void group_norm_backward_weights(const SCALAR* dy, const SCALAR* x, const WIDE* mean, const WIDE* rstd, int64_t batch,
                                                       int64_t channels, int64_t groups, int64_t plane, SCALAR* dw, SCALAR* db) {
  __shared__ WIDE scratch[32];
  const int64_t each = channels / groups;
  for (int64_t c = blockIdx.x; c < channels; c += gridDim.x) {
    WIDE w = 0, b = 0;
    for (int64_t i = threadIdx.x; i < batch * plane; i += blockDim.x) {
      const int64_t image = i / plane, at = (image * channels + c) * plane + i % plane, g = image * groups + c / each;
      const WIDE v = convert<WIDE>(dy[at]);
      w += v * (convert<WIDE>(x[at]) - mean[g]) * rstd[g];
      b += v;
    }
    w = block_sum(w, scratch);
    b = block_sum(b, scratch);
    if (threadIdx.x == 0) {
      if (dw) dw[c] = convert<SCALAR>(w);
      if (db) db[c] = convert<SCALAR>(b);
    }
  }
}

// ---- batch norm: element i of channel c lies at (i / plane * channels + c) * plane + i % plane, or channels last at
// i * channels + c (then plane is 1 and batch counts pixels) ------------------------------------------------------

DEVICE int64_t place(int64_t i, int64_t c, int64_t channels, int64_t plane) { return (i / plane * channels + c) * plane + i % plane; }

extern "C" __global__ void batch_norm_stats(const SCALAR* x, int64_t count, int64_t channels, int64_t plane, WIDE* mean, WIDE* variance) {
  __shared__ WIDE scratch[32];
  for (int64_t c = blockIdx.x; c < channels; c += gridDim.x) {
    WIDE sum = 0;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) sum += convert<WIDE>(x[place(i, c, channels, plane)]);
    const WIDE m = block_sum(sum, scratch) / (WIDE)count;
    WIDE squares = 0;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
      const WIDE d = convert<WIDE>(x[place(i, c, channels, plane)]) - m;
      squares += d * d;
    }
    squares = block_sum(squares, scratch);
    if (threadIdx.x == 0) mean[c] = m, variance[c] = squares / (WIDE)count;
  }
}
extern "C" __global__ void batch_norm_apply(const SCALAR* x, const WIDE* scale, const WIDE* shift, int64_t n, int64_t channels, int64_t plane, SCALAR* y) {
  for (int64_t i = global_index(); i < n; i += global_count()) {
    const int64_t c = i / plane % channels;
    y[i] = convert<SCALAR>(convert<WIDE>(x[i]) * scale[c] + shift[c]);
  }
}
extern "C" __global__ void batch_norm_sums(const SCALAR* dy, const SCALAR* x, const WIDE* mean, int64_t count, int64_t channels, int64_t plane,
                                           WIDE* sum_dy, WIDE* sum_dy_x) {
  __shared__ WIDE scratch[32];
  for (int64_t c = blockIdx.x; c < channels; c += gridDim.x) {
    WIDE a = 0, b = 0;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
      const int64_t at = place(i, c, channels, plane);
      const WIDE g = convert<WIDE>(dy[at]);
      a += g;
      b += g * (convert<WIDE>(x[at]) - mean[c]);
    }
    a = block_sum(a, scratch);
    b = block_sum(b, scratch);
    if (threadIdx.x == 0) sum_dy[c] = a, sum_dy_x[c] = b;
  }
}
extern "C" __global__ void batch_norm_dx(const SCALAR* dy, const SCALAR* x, const WIDE* mean, const WIDE* mean_dy, const WIDE* slope, const WIDE* scale,
                                         int64_t n, int64_t channels, int64_t plane, SCALAR* dx) {
  for (int64_t i = global_index(); i < n; i += global_count()) {
    const int64_t c = i / plane % channels;
    dx[i] = convert<SCALAR>((convert<WIDE>(dy[i]) - mean_dy[c] - (convert<WIDE>(x[i]) - mean[c]) * slope[c]) * scale[c]);
  }
}
