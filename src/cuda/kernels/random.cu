// Random numbers: Philox4x32-10, elements and threads paired as PyTorch pairs them, so that a seed gives its numbers.
// SCALAR: elements; DISTRIBUTION: one of the names below.
#define UNIFORM 0
#define NORMAL 1
#define BERNOULLI 2
#define EXPONENTIAL 3
#define INTEGERS 4
#define INTEGERS64 5
#define GEOMETRIC 6
#define CAUCHY 7
#define LOG_NORMAL 8

struct Philox {
  uint64_t seed, offset;
  const uint64_t* state;  // of a captured graph: {seed, offset}
};
struct Words { uint32_t w[4]; };

/// The block of four words of thread (subsequence) `thread` that is `block` blocks after the call's offset.
DEVICE Words philox(const Philox& p, uint64_t thread, uint64_t block) {
  const uint64_t seed = p.state ? p.state[0] : p.seed, offset = p.state ? p.state[1] + p.offset : p.offset;
  const uint64_t counter = offset / 4 + block;
  uint32_t c[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), (uint32_t)thread, (uint32_t)(thread >> 32)};
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint32_t h0 = __umulhi(0xD2511F53u, c[0]), l0 = 0xD2511F53u * c[0], h1 = __umulhi(0xCD9E8D57u, c[2]), l1 = 0xCD9E8D57u * c[2];
    c[0] = h1 ^ c[1] ^ k0, c[1] = l1, c[2] = h0 ^ c[3] ^ k1, c[3] = l0;
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  Words w = {{c[0], c[1], c[2], c[3]}};
  return w;
}

/// (0, 1]
DEVICE float uniform_float(uint32_t w) { return (float)w * 2.3283064365386963e-10f + 1.1641532182693481e-10f; }
DEVICE double uniform_double(uint32_t a, uint32_t b) {
  const uint64_t z = (uint64_t)a ^ (uint64_t)b << 21;
  return (double)z * 1.1102230246251565e-16 + 5.5511151231257827e-17;
}

struct Parameters { double a, b; int64_t from; uint64_t range; };

#if WORDS_PER_VALUE == 2
#define VALUES 2
typedef double Real;
DEVICE Real uniform(const Words& w, int k) { return uniform_double(w.w[2 * k], w.w[2 * k + 1]); }
DEVICE Real normal(const Words& w, int k) {
  const double u = uniform(w, 0), v = uniform(w, 1) * 6.283185307179586, r = ::sqrt(-2 * ::log(u));
  return r * (k ? ::cos(v) : ::sin(v));
}
#else
#define VALUES 4
typedef float Real;
DEVICE Real uniform(const Words& w, int k) { return uniform_float(w.w[k]); }
DEVICE Real normal(const Words& w, int k) {
  const float u = uniform_float(w.w[k & 2]), v = (float)w.w[(k & 2) + 1] * 1.4629180792671596e-09f + 7.3145903963357981e-10f;
  const float r = sqrtf(-2 * logf(u));
  return r * (k & 1 ? cosf(v) : sinf(v));
}
#endif

DEVICE SCALAR draw(const Words& w, int k, const Parameters& p) {
#if DISTRIBUTION == UNIFORM
  const Real range = (Real)p.b - (Real)p.a;
  const SCALAR v = convert<SCALAR>(uniform(w, k) * range + (Real)p.a), to = convert<SCALAR>((Real)p.b);
  return convert<Real>(v) == convert<Real>(to) ? convert<SCALAR>((Real)p.a) : v;
#elif DISTRIBUTION == NORMAL
  return convert<SCALAR>(normal(w, k) * (Real)p.b + (Real)p.a);
#elif DISTRIBUTION == LOG_NORMAL
  return convert<SCALAR>(fn::exp(normal(w, k) * (Real)p.b + (Real)p.a));
#elif DISTRIBUTION == BERNOULLI
  return convert<SCALAR>((Real)(uniform(w, k) < (Real)p.a));
#elif DISTRIBUTION == EXPONENTIAL
  const Real u = uniform(w, k), half = VALUES == 4 ? (Real)5.9604644775390625e-8 : (Real)1.1102230246251565e-16;
  return convert<SCALAR>(-(u >= 1 - half ? -half : fn::log(u)) / (Real)p.a);
#elif DISTRIBUTION == GEOMETRIC
  return convert<SCALAR>(fn::ceil(fn::log(uniform(w, k)) / fn::log(1 - (Real)p.a)));
#elif DISTRIBUTION == CAUCHY
  return convert<SCALAR>((Real)p.a + (Real)p.b * fn::tan((Real)3.141592653589793 * (uniform(w, k) - (Real)0.5)));
#elif DISTRIBUTION == INTEGERS
  return convert<SCALAR>((int64_t)(w.w[k] % (uint32_t)p.range) + p.from);
#else
  const uint64_t v = (uint64_t)w.w[2 * k] << 32 | w.w[2 * k + 1];
  return convert<SCALAR>((int64_t)((p.range ? v % p.range : v) + (uint64_t)p.from));
#endif
}

extern "C" __global__ void fill_random(SCALAR* x, const __grid_constant__ Layout layout, int64_t n, Philox philox_state, Parameters p) {
  const int64_t threads = global_count(), t = global_index();
  uint64_t block = 0;
  for (int64_t base = t; base < n; base += VALUES * threads, ++block) {
    const Words w = philox(philox_state, t, block);
    for (int k = 0; k < VALUES; ++k) {
      const int64_t i = base + k * threads;
      if (i < n) x[offset_of(layout, i)] = draw(w, k, p);
    }
  }
}

/// y = x / (1 - p) where a draw is below 1 - p, else 0; VECTOR neighbouring elements a thread.
extern "C" __global__ void dropout(const SCALAR* x, double p, SCALAR* y, bool* mask, int64_t n, Philox philox_state) {
  const float keep = (float)(1 - p);
  const WIDE scale = (WIDE)(1.0f / keep);
  const int64_t threads = global_count(), t = global_index();
  uint64_t block = 0;
#if VECTOR > 1
  for (int64_t base = t * VECTOR; base < n; base += VECTOR * threads, ++block) {
    const Words w = philox(philox_state, t, block);
    for (int k = 0; k < VECTOR; ++k) {
      const int64_t i = base + k;
#else
  for (int64_t base = t; base < n; base += 4 * threads, ++block) {
    const Words w = philox(philox_state, t, block);
    for (int k = 0; k < 4; ++k) {
      const int64_t i = base + k * threads;
#endif
      if (i >= n) continue;
      const bool kept = uniform_float(w.w[k]) < keep;
      mask[i] = kept;
      y[i] = convert<SCALAR>(kept ? convert<WIDE>(x[i]) * scale : WIDE(0));
    }
  }
}
