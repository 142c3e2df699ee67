// Class losses: negative log-likelihood of [n, classes, inner], and cross entropy of logits [n, classes] in one pass.
// SCALAR: elements; WIDE: what they are computed in. A target out of range is reported, not followed.
//
// Map: negative log-likelihood | cross entropy | putting partial sums together

DEVICE bool counts(int64_t target, int64_t classes, int64_t ignore, const FaultSite& fault) {
  if (target == ignore) return false;
  if (target >= 0 && target < classes) return true;
  report(fault, target, classes);
  return false;
}

// ---- negative log-likelihood ----------------------------------------------------------------------------

/// reduction 0: losses; else one partial (sum of losses, sum of weights) a block.
extern "C" __global__ void nll_forward(const SCALAR* x, const int64_t* target, const SCALAR* weight, SCALAR* loss, WIDE* partial, int64_t targets,
                                       int64_t classes, int64_t inner, int64_t ignore, int32_t reduction, FaultSite fault) {
  __shared__ WIDE scratch[32];
  WIDE sum = 0, total = 0;
  for (int64_t i = global_index(); i < targets; i += global_count()) {
    const int64_t t = target[i];
    WIDE one = 0;
    if (counts(t, classes, ignore, fault)) {
      const WIDE w = weight ? convert<WIDE>(weight[t]) : WIDE(1);
      one = -w * convert<WIDE>(x[(i / inner * classes + t) * inner + i % inner]);
      total += w;
    }
    if (reduction == 0) loss[i] = convert<SCALAR>(one);
    sum += one;
  }
  if (reduction == 0) return;
  sum = block_sum(sum, scratch);
  total = block_sum(total, scratch);
  if (threadIdx.x == 0) partial[2 * blockIdx.x] = sum, partial[2 * blockIdx.x + 1] = total;
}

/// dx is zero but at the targets; it was zeroed before.
extern "C" __global__ void nll_backward(const SCALAR* dy, const int64_t* target, const SCALAR* weight, const SCALAR* total_weight, SCALAR* dx,
                                        int64_t targets, int64_t classes, int64_t inner, int64_t ignore, int32_t reduction) {
  for (int64_t i = global_index(); i < targets; i += global_count()) {
    const int64_t t = target[i];
    if (t == ignore || t < 0 || t >= classes) continue;
    const WIDE w = weight ? convert<WIDE>(weight[t]) : WIDE(1);
    WIDE g = convert<WIDE>(dy[reduction == 0 ? i : 0]);
    if (reduction == 1) g = g / convert<WIDE>(*total_weight);
    dx[(i / inner * classes + t) * inner + i % inner] = convert<SCALAR>(-w * g);
  }
}

// ---- cross entropy: a block a row ---------------------------------------------------------------------------

extern "C" __global__ void cross_entropy_forward(const SCALAR* x, const int64_t* target, const SCALAR* weight, SCALAR* loss, WIDE* lse, WIDE* partial,
                                                 int64_t rows, int64_t classes, int64_t ignore, int32_t reduction, FaultSite fault) {
  __shared__ WIDE scratch[32];
  WIDE sum = 0, total = 0;
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const SCALAR* row = x + r * classes;
    WIDE top = -fn::infinity<WIDE>();
    for (int64_t i = threadIdx.x; i < classes; i += blockDim.x) {
      const WIDE v = convert<WIDE>(row[i]);
      top = v > top || v != v ? v : top;
    }
    top = block_max(top, scratch);
    WIDE s = 0;
    for (int64_t i = threadIdx.x; i < classes; i += blockDim.x) s += fn::exp(convert<WIDE>(row[i]) - top);
    s = block_sum(s, scratch);
    const WIDE all = top + fn::log(s);
    if (threadIdx.x == 0) {
      const int64_t t = target[r];
      WIDE one = 0;
      lse[r] = all;
      if (counts(t, classes, ignore, fault)) {
        const WIDE w = weight ? convert<WIDE>(weight[t]) : WIDE(1);
        one = w * (all - convert<WIDE>(row[t]));
        total += w;
      }
      if (reduction == 0) loss[r] = convert<SCALAR>(one);
      sum += one;
    }
  }
  if (reduction && threadIdx.x == 0) partial[2 * blockIdx.x] = sum, partial[2 * blockIdx.x + 1] = total;
}

extern "C" __global__ void cross_entropy_backward(const SCALAR* dy, const SCALAR* x, const WIDE* lse, const int64_t* target, const SCALAR* weight,
                                                  const SCALAR* total_weight, SCALAR* dx, int64_t rows, int64_t classes, int64_t ignore,
                                                  int32_t reduction) {
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const int64_t t = target[r];
    WIDE scale = 0;
    if (t != ignore && t >= 0 && t < classes) {
      scale = convert<WIDE>(dy[reduction == 0 ? r : 0]) * (weight ? convert<WIDE>(weight[t]) : WIDE(1));
      if (reduction == 1) scale = scale / convert<WIDE>(*total_weight);
    }
    const WIDE all = lse[r];
    for (int64_t i = threadIdx.x; i < classes; i += blockDim.x) {
      const WIDE p = scale == 0 ? WIDE(0) : fn::exp(convert<WIDE>(x[r * classes + i]) - all);
      dx[r * classes + i] = convert<SCALAR>(scale * (p - (i == t ? WIDE(1) : WIDE(0))));
    }
  }
}

// ---- putting partial sums together, in their order -----------------------------------------------------------

extern "C" __global__ void loss_total(const WIDE* partial, int64_t parts, SCALAR* loss, SCALAR* total_weight, int32_t reduction) {
  if (global_index() != 0) return;
  WIDE sum = 0, total = 0;
  for (int64_t i = 0; i < parts; ++i) sum += partial[2 * i], total += partial[2 * i + 1];
  *loss = convert<SCALAR>(reduction == 1 ? sum / total : sum);
  *total_weight = convert<SCALAR>(total);
}
