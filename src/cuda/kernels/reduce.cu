// Reductions over any dimensions of any strided tensor.
//
// The host defines SCALAR (elements read), OUT (elements written), ACC (what sums are kept in), REDUCTION (one of the names
// below), NORM_KIND (0 counts non-zeros, 1 |x|, 2 largest, 3 smallest, 4 squares, 5 powers), and launches one of three kernels by how the elements lie; each takes part `blockIdx.y` of `gridDim.y` parts of the
// reduced elements. With one part the result is written, else partial states are, and reduce_parts finishes them.
//
// Map: what a reduction is | reading | the kernels

#define SUM 0
#define NANSUM 1
#define PROD 2
#define MAX 3
#define MIN 4
#define ALL 5
#define ANY 6
#define COUNT 7
#define MEAN 8
#define NORM 9
#define VAR 10
#define ARGMAX 11
#define ARGMIN 12

// ---- what a reduction is: a state, one more element, two states together, the result -----------------------

struct Extra {
  double p;        // the norm's order; the variance's correction
  int64_t count;   // elements of one result
  int32_t root;    // variance: its root
};

#if REDUCTION == ARGMAX || REDUCTION == ARGMIN
struct State { SCALAR value; int64_t at; };
DEVICE float comparable(Half h) { return half_to_float(h); }
DEVICE float comparable(BFloat16 b) { return bfloat_to_float(b); }
template <class T> DEVICE T comparable(T x) { return x; }
/// Whether a replaces b: better, or as good and earlier; NaN is best.
DEVICE bool replaces(const State& a, const State& b) {
  if (b.at < 0) return a.at >= 0;
  if (a.at < 0) return false;
  const auto x = comparable(a.value), y = comparable(b.value);
  const bool xn = x != x, yn = y != y;
  if (xn || yn) return xn && (!yn || a.at < b.at);
  if (x == y) return a.at < b.at;
#if REDUCTION == ARGMAX
  return x > y;
#else
  return x < y;
#endif
}
DEVICE State first() { State s; s.at = -1; return s; }
DEVICE void take(State& s, SCALAR x, int64_t at, const Extra&) { State o; o.value = x, o.at = at; if (replaces(o, s)) s = o; }
DEVICE State merge(const State& a, const State& b) { return replaces(b, a) ? b : a; }
#elif REDUCTION == VAR
struct State { ACC mean, m2; int64_t n; };
DEVICE State first() { State s; s.mean = 0, s.m2 = 0, s.n = 0; return s; }
DEVICE void take(State& s, SCALAR v, int64_t, const Extra&) {
  const ACC x = convert<ACC>(v), d = x - s.mean;
  s.mean += d / (ACC)(++s.n);
  s.m2 += d * (x - s.mean);
}
DEVICE State merge(const State& a, const State& b) {
  if (b.n == 0) return a;
  if (a.n == 0) return b;
  State s;
  s.n = a.n + b.n;
  const ACC d = b.mean - a.mean, share = (ACC)b.n / (ACC)s.n;
  s.mean = a.mean + d * share;
  s.m2 = a.m2 + b.m2 + d * d * (ACC)a.n * share;
  return s;
}
#else
typedef ACC State;
DEVICE State first() {
#if REDUCTION == PROD || REDUCTION == ALL
  return ACC(1);
#elif REDUCTION == MAX
  return LOWEST;
#elif REDUCTION == MIN || (REDUCTION == NORM && NORM_KIND == 3)
  return HIGHEST;
#else
  return ACC(0);
#endif
}
DEVICE State merge(const State& a, const State& b) {
#if REDUCTION == PROD
  return a * b;
#elif REDUCTION == MAX
  return b > a || b != b ? b : a;
#elif REDUCTION == MIN
  return b < a || b != b ? b : a;
#elif REDUCTION == ALL
  return a && b;
#elif REDUCTION == ANY
  return a || b;
#elif REDUCTION == NORM && NORM_KIND == 2
  return b > a || b != b ? b : a;
#elif REDUCTION == NORM && NORM_KIND == 3
  return b < a || b != b ? b : a;
#else
  return a + b;
#endif
}
DEVICE void take(State& s, SCALAR v, int64_t, const Extra& e) {
#if REDUCTION == NANSUM
  const ACC x = convert<ACC>(v);
  s = x != x ? s : s + x;
#elif REDUCTION == COUNT
  s += (ACC)convert<bool>(v);
#elif REDUCTION == ALL || REDUCTION == ANY
  s = merge(s, (ACC)convert<bool>(v));
#elif REDUCTION == NORM
  const ACC x = (ACC)fn::abs(convert<ABSOLUTE>(v));
#if NORM_KIND == 0
  s += (ACC)(x != 0);
#elif NORM_KIND == 1
  s += x;
#elif NORM_KIND == 2 || NORM_KIND == 3
  s = merge(s, x);
#elif NORM_KIND == 4
  s += x * x;
#else
  s += fn::pow(x, (ACC)e.p);
#endif
#else
  s = merge(s, convert<ACC>(v));
#endif
  (void)e;
}
#endif

struct Outputs {
  void* a;  // the result; the variance
  void* b;  // positions; the mean
};
DEVICE void finish(const State& s, const Outputs& o, int64_t at, int64_t at_b, const Extra& e) {
#if REDUCTION == ARGMAX || REDUCTION == ARGMIN
  if (o.a) ((SCALAR*)o.a)[at] = s.value;
  if (o.b) ((int64_t*)o.b)[at_b] = s.at;
#elif REDUCTION == VAR
  const ACC divisor = (ACC)e.count - (ACC)e.p;
  const ACC v = s.m2 / (divisor > 0 ? divisor : (ACC)0);
  if (o.a) ((OUT*)o.a)[at] = convert<OUT>(e.root ? fn::sqrt(v) : v);
  if (o.b) ((OUT*)o.b)[at_b] = convert<OUT>(s.mean);
#elif REDUCTION == MEAN
  ((OUT*)o.a)[at] = convert<OUT>(s / ACC(e.count));
#elif REDUCTION == NORM && NORM_KIND == 4
  ((OUT*)o.a)[at] = convert<OUT>(fn::sqrt(s));
#elif REDUCTION == NORM && NORM_KIND == 5
  ((OUT*)o.a)[at] = convert<OUT>(fn::pow(s, (ACC)(1 / e.p)));
#else
  ((OUT*)o.a)[at] = convert<OUT>(s);
#endif
  (void)at_b, (void)e;
}

// ---- reading -----------------------------------------------------------------------------------------------

struct Job {
  const SCALAR* x;
  Layout kept, reduced;          // of x
  Layout kept_a, kept_b;         // of the outputs, by the same kept dimensions
  int64_t results, count;
  Outputs out;
  State* parts;                  // [gridDim.y][results], or null when there is one part
  Extra extra;
};

DEVICE void store(const Job& j, const State& s, int64_t result) {
  if (j.parts) j.parts[(int64_t)blockIdx.y * j.results + result] = s;
  else finish(s, j.out, offset_of(j.kept_a, result), offset_of(j.kept_b, result), j.extra);
}
/// The part of [0, count) that this block's row takes.
DEVICE void part_of(const Job& j, int64_t& begin, int64_t& end) {
  const int64_t each = (j.count + gridDim.y - 1) / gridDim.y;
  begin = each * blockIdx.y;
  end = begin + each < j.count ? begin + each : j.count;
}
/// Reads every `step`-th element from `begin` on. One reduced dimension, the usual case, needs no division.
DEVICE State read(const Job& j, const SCALAR* x, int64_t begin, int64_t end, int64_t step) {
  State s = first();
  if (j.reduced.dims <= 1) {
    const int64_t stride = j.reduced.dims ? j.reduced.stride[0] : 0;
#pragma unroll 4
    for (int64_t i = begin; i < end; i += step) take(s, x[i * stride], i, j.extra);
  } else {
#pragma unroll 1
    for (int64_t i = begin; i < end; i += step) take(s, x[offset_in_many(j.reduced, i)], i, j.extra);
  }
  return s;
}
DEVICE State warp_merge(State s) {
  for (int k = 16; k; k >>= 1) {
    const State o = shuffle_xor(s, k);
    s = (threadIdx.x & k) ? merge(o, s) : merge(s, o);
  }
  return s;
}

// ---- the kernels ---------------------------------------------------------------------------------------------

/// A block a result: few results of many elements.
extern "C" __global__ void reduce_blocks(const __grid_constant__ Job j) {
  __shared__ State warps[32];
  for (int64_t r = blockIdx.x; r < j.results; r += gridDim.x) {
    int64_t begin, end;
    part_of(j, begin, end);
    State s = warp_merge(read(j, j.x + offset_of(j.kept, r), begin + threadIdx.x, end, blockDim.x));
    if ((threadIdx.x & 31) == 0) warps[threadIdx.x >> 5] = s;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (unsigned w = 1; w < blockDim.x / 32; ++w) s = merge(s, warps[w]);
      store(j, s, r);
    }
    __syncthreads();
  }
}

/// A warp a result: rows of some hundred elements.
extern "C" __global__ void reduce_warps(const __grid_constant__ Job j) {
  const int64_t warps = (int64_t)gridDim.x * (blockDim.x / 32);
  int64_t begin, end;
  part_of(j, begin, end);
  for (int64_t r = (int64_t)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; r < j.results; r += warps) {
    const State s = warp_merge(read(j, j.x + offset_of(j.kept, r), begin + (threadIdx.x & 31), end, 32));
    if ((threadIdx.x & 31) == 0) store(j, s, r);
  }
}

/// A thread a result: neighbouring threads read neighbouring elements when the kept dimension is the fast one.
extern "C" __global__ void reduce_threads(const __grid_constant__ Job j) {
  int64_t begin, end;
  part_of(j, begin, end);
  for (int64_t r = global_index(); r < j.results; r += global_count()) store(j, read(j, j.x + offset_of(j.kept, r), begin, end, 1), r);
}

/// Puts `parts` partial states of each result together.
extern "C" __global__ void reduce_parts(const __grid_constant__ Job j, int64_t parts) {
  for (int64_t r = global_index(); r < j.results; r += global_count()) {
    State s = j.parts[r];
    for (int64_t k = 1; k < parts; ++k) s = merge(s, j.parts[k * j.results + r]);
    finish(s, j.out, offset_of(j.kept_a, r), offset_of(j.kept_b, r), j.extra);
  }
}
