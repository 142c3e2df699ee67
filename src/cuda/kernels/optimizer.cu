// Optimizer steps and norms over many tensors in one launch. The host uploads a table of the tensors and a list of pieces;
// a block takes one piece. SCALAR is float or double in steps, any float in sums of squares; WIDE is computed in.

struct Row {
  SCALAR *p, *first, *second, *top;
  const SCALAR* g;
  int64_t n;
  double correction1, correction2;
};
struct Piece { int64_t row, begin; };

DEVICE int64_t end_of(const Row& r, const Piece& q, int64_t piece) { return q.begin + piece < r.n ? q.begin + piece : r.n; }

#if !HALF
struct Adam {
  double lr, beta1, beta2, eps, weight_decay;
  int32_t decoupled, maximize;
  int64_t piece;
};

extern "C" __global__ void adam(const Row* rows, const Piece* pieces, Adam s) {
  const Piece q = pieces[blockIdx.x];
  const Row r = rows[q.row];
  const WIDE rate = (WIDE)(-(s.lr / r.correction1)), root = (WIDE)::sqrt(r.correction2), eps = (WIDE)s.eps;
  const WIDE weight1 = (WIDE)(1 - s.beta1), beta2 = (WIDE)s.beta2, weight2 = (WIDE)(1 - s.beta2), sign = s.maximize ? WIDE(-1) : WIDE(1);
  const WIDE kept = s.decoupled ? (WIDE)(1 - s.lr * s.weight_decay) : WIDE(1), decay = s.decoupled ? WIDE(0) : (WIDE)s.weight_decay;
  for (int64_t i = q.begin + threadIdx.x, end = end_of(r, q, s.piece); i < end; i += blockDim.x) {
    const WIDE p = r.p[i] * kept, g = sign * r.g[i] + decay * p;
    const WIDE m = r.first[i] + weight1 * (g - r.first[i]), v = r.second[i] * beta2 + weight2 * g * g;
    WIDE largest = v;
    if (r.top) {
      largest = v > r.top[i] ? v : r.top[i];
      r.top[i] = largest;
    }
    r.first[i] = m, r.second[i] = v;
    r.p[i] = p + rate * m / (fn::sqrt(largest) / root + eps);
  }
}

struct Sgd {
  double lr, momentum, dampening, weight_decay;
  int32_t nesterov, maximize, fresh;
  int64_t piece;
};
extern "C" __global__ void sgd(const Row* rows, const Piece* pieces, Sgd s) {
  const Piece q = pieces[blockIdx.x];
  const Row r = rows[q.row];
  const WIDE rate = (WIDE)(-s.lr), decay = (WIDE)s.weight_decay, momentum = (WIDE)s.momentum, share = (WIDE)(1 - s.dampening);
  const WIDE sign = s.maximize ? WIDE(-1) : WIDE(1);
  for (int64_t i = q.begin + threadIdx.x, end = end_of(r, q, s.piece); i < end; i += blockDim.x) {
    const WIDE g = sign * r.g[i] + decay * r.p[i];
    WIDE step = g;
    if (r.first) {
      const WIDE v = s.fresh ? g : r.first[i] * momentum + share * g;
      r.first[i] = v;
      step = s.nesterov ? g + momentum * v : v;
    }
    r.p[i] += rate * step;
  }
}

#endif

/// One partial sum a piece; add_squares puts a row's partial sums together in their order.
extern "C" __global__ void squares(const Row* rows, const Piece* pieces, int64_t piece, double* partial) {
  __shared__ double scratch[32];
  const Piece q = pieces[blockIdx.x];
  const Row r = rows[q.row];
  double sum = 0;
  for (int64_t i = q.begin + threadIdx.x, end = end_of(r, q, piece); i < end; i += blockDim.x) {
    const double v = (double)convert<WIDE>(r.g[i]);
    sum += v * v;
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}
extern "C" __global__ void add_squares(const Piece* pieces, int64_t count, const double* partial, int64_t rows, double* sums) {
  for (int64_t r = global_index(); r < rows; r += global_count()) {
    double total = 0;
    for (int64_t i = 0; i < count; ++i)
      if (pieces[i].row == r) total += partial[i];
    sums[r] = total;
  }
}
