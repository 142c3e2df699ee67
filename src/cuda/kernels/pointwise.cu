// Pointwise expressions over up to four inputs. The host puts before this text
//   template <class T> struct Expression { ... };
// and defines ARITY, COMPUTE (its T), OUT (the output's element type), WRITTEN (what the expression gives), 
// KIND (0 vectors, 1 one run, 2 strided), and for each
// input k: INk (its element type) and READSk (what the expression reads).

struct Pointer5 { char* p[5]; };
struct Parameters { alignas(16) char bytes[96]; };
struct Numbers { alignas(16) char of[4][16]; };
struct Strides {
  int32_t dims;
  int64_t size[12];
  int64_t stride[12][5];  // in bytes, the output first
};

DEVICE const Expression<COMPUTE>& expression(const Parameters& p) { return *(const Expression<COMPUTE>*)p.bytes; }

#define READ(k, at) convert<READS##k>(*(const IN##k*)(at))
#if ARITY == 1
#define APPLY(f, a) f(READ(0, a[1]))
#elif ARITY == 2
#define APPLY(f, a) f(READ(0, a[1]), READ(1, a[2]))
#elif ARITY == 3
#define APPLY(f, a) f(READ(0, a[1]), READ(1, a[2]), READ(2, a[3]))
#else
#define APPLY(f, a) f(READ(0, a[1]), READ(1, a[2]), READ(2, a[3]), READ(3, a[4]))
#endif

/// Inputs whose number lies in the arguments have a stride of zero and no pointer.
DEVICE void place_numbers(Pointer5& p, const Numbers& n) {
  for (int k = 0; k < ARITY; ++k)
    if (!p.p[k + 1]) p.p[k + 1] = (char*)n.of[k];
}

#if KIND == 1
/// All operands one run of elements: step[k] is the size of an element, or 0 for a number.
extern "C" __global__ void pointwise_dense(const __grid_constant__ Pointer5 p0, const __grid_constant__ Numbers numbers, const __grid_constant__ Parameters parameters, int64_t n,
                                             const __grid_constant__ Strides s) {
  Pointer5 p = p0;
  place_numbers(p, numbers);
  const Expression<COMPUTE> f = expression(parameters);
  for (int64_t i = global_index(); i < n; i += global_count()) {
    const char* a[5];
    for (int k = 0; k <= ARITY; ++k) a[k] = p.p[k] + i * s.stride[0][k];
    *(OUT*)a[0] = convert<OUT>((WRITTEN)APPLY(f, a));
  }
}

#elif KIND == 2
extern "C" __global__ void pointwise_strided(const __grid_constant__ Pointer5 p0, const __grid_constant__ Numbers numbers, const __grid_constant__ Parameters parameters, int64_t n,
                                             const __grid_constant__ Strides s) {
  Pointer5 p = p0;
  place_numbers(p, numbers);
  const Expression<COMPUTE> f = expression(parameters);
  for (int64_t i = global_index(); i < n; i += global_count()) {
    const char* a[5];
    for (int k = 0; k <= ARITY; ++k) a[k] = p.p[k];
    int64_t rest = i;
#pragma unroll 1
    for (int d = 0; d < s.dims; ++d) {
      const int64_t at = d + 1 < s.dims ? divide(rest, s.size[d]) : rest;
      for (int k = 0; k <= ARITY; ++k) a[k] += at * s.stride[d][k];
    }
    *(OUT*)a[0] = convert<OUT>((WRITTEN)APPLY(f, a));
  }
}

#else
/// Four neighbouring elements a thread: all operands contiguous, aligned, of one size of element (or numbers).
extern "C" __global__ void pointwise_vector(const __grid_constant__ Pointer5 p0, const __grid_constant__ Numbers numbers, const __grid_constant__ Parameters parameters, int64_t n,
                                             const __grid_constant__ Strides s) {
  Pointer5 p = p0;
  place_numbers(p, numbers);
  const Expression<COMPUTE> f = expression(parameters);
  struct alignas(4 * sizeof(OUT)) Four { OUT v[4]; };
  for (int64_t i = global_index(); i * 4 < n; i += global_count()) {
    Four r;
#if ARITY >= 1
    struct alignas(4 * sizeof(IN0)) Four0 { IN0 v[4]; } x0;
    if (s.stride[0][1]) x0 = ((const Four0*)p.p[1])[i];
    else for (int k = 0; k < 4; ++k) x0.v[k] = *(const IN0*)p.p[1];
#endif
#if ARITY >= 2
    struct alignas(4 * sizeof(IN1)) Four1 { IN1 v[4]; } x1;
    if (s.stride[0][2]) x1 = ((const Four1*)p.p[2])[i];
    else for (int k = 0; k < 4; ++k) x1.v[k] = *(const IN1*)p.p[2];
#endif
#if ARITY >= 3
    struct alignas(4 * sizeof(IN2)) Four2 { IN2 v[4]; } x2;
    if (s.stride[0][3]) x2 = ((const Four2*)p.p[3])[i];
    else for (int k = 0; k < 4; ++k) x2.v[k] = *(const IN2*)p.p[3];
#endif
#if ARITY >= 4
    struct alignas(4 * sizeof(IN3)) Four3 { IN3 v[4]; } x3;
    if (s.stride[0][4]) x3 = ((const Four3*)p.p[4])[i];
    else for (int k = 0; k < 4; ++k) x3.v[k] = *(const IN3*)p.p[4];
#endif
    for (int k = 0; k < 4; ++k) {
#if ARITY == 1
      r.v[k] = convert<OUT>((WRITTEN)f(convert<READS0>(x0.v[k])));
#elif ARITY == 2
      r.v[k] = convert<OUT>((WRITTEN)f(convert<READS0>(x0.v[k]), convert<READS1>(x1.v[k])));
#elif ARITY == 3
      r.v[k] = convert<OUT>((WRITTEN)f(convert<READS0>(x0.v[k]), convert<READS1>(x1.v[k]), convert<READS2>(x2.v[k])));
#else
      r.v[k] = convert<OUT>((WRITTEN)f(convert<READS0>(x0.v[k]), convert<READS1>(x1.v[k]), convert<READS2>(x2.v[k]), convert<READS3>(x3.v[k])));
#endif
    }
    ((Four*)p.p[0])[i] = r;
  }
}
#endif
