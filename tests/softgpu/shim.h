// What a kernel text sees of CUDA when it is compiled for the host. Put before every text by the stand-in for NVRTC.
//
// Map: types | where am I | barriers and warps | atomics | math | launching
#pragma once
#define SOFTGPU 1
#define __CUDACC_RTC__ 1
#define __global__ __attribute__((softgpu_kernel))  // a mark: the compiler ignores it, nvrtc.cpp finds it
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __restrict__ __restrict
#define __align__(n) __attribute__((aligned(n)))
#define __constant__ static
// Shared arrays live in one section, so that the device can fill them with NaN before each block.
#define __shared__ static __attribute__((section("softgpu_shared"), aligned(16)))
#define __noinline__ __attribute__((noinline))

namespace softgpu {

struct Dim { unsigned x, y, z; };
struct Thread {
  Dim thread;
  unsigned lane;
};
struct Block {
  Dim block, block_dim, grid_dim;
  char* dynamic_shared;
};
/// What the device offers a kernel; filled in when the module is loaded.
struct Runtime {
  void (*barrier)(void* site, int predicate, int* count);
  /// Posts `bytes` of `value` and waits for the lanes of `mask`; returns the values posted, 64 bytes a lane.
  const char* (*exchange)(unsigned mask, const void* value, int bytes, void* site);
  void (*trap)(const char* why);
};
extern "C" {
__attribute__((visibility("default"))) Thread* softgpu_thread = nullptr;
__attribute__((visibility("default"))) Block softgpu_block;
__attribute__((visibility("default"))) Runtime softgpu_runtime;
__attribute__((visibility("default"))) extern char softgpu_shared_begin[] __asm__("__start_softgpu_shared") __attribute__((weak));
__attribute__((visibility("default"))) extern char softgpu_shared_end[] __asm__("__stop_softgpu_shared") __attribute__((weak));
__attribute__((visibility("default"))) void softgpu_shared_range(char** begin, char** end) {
  *begin = softgpu_shared_begin, *end = softgpu_shared_end;
}
}

}  // namespace softgpu

#define threadIdx (softgpu::softgpu_thread->thread)
#define blockIdx (softgpu::softgpu_block.block)
#define blockDim (softgpu::softgpu_block.block_dim)
#define gridDim (softgpu::softgpu_block.grid_dim)
#define warpSize 32

// ---- barriers and warps ----------------------------------------------------------------------------

// A barrier is known by its line: the compiler may copy a call, so that its address says nothing.
inline __attribute__((noinline)) int softgpu_barrier(long line, int predicate) {
  int n = 0;
  softgpu::softgpu_runtime.barrier((void*)line, predicate != 0, &n);
  return n;
}
#define __syncthreads() ((void)softgpu_barrier(__LINE__, 0))
#define __syncthreads_count(p) softgpu_barrier(__LINE__, p)
#define __syncthreads_or(p) (softgpu_barrier(__LINE__, p) != 0)
#define __syncthreads_and(p) (softgpu_barrier(__LINE__, !(p)) == 0)
inline void __threadfence() {}
inline void __threadfence_block() {}
inline __attribute__((noinline)) void __syncwarp(unsigned mask = 0xffffffffu) {
  const char none = 0;
  softgpu::softgpu_runtime.exchange(mask, &none, 1, nullptr);
}
/// Every lane's value, 64 bytes apart.
inline __attribute__((noinline)) const char* softgpu_exchange(unsigned mask, const void* value, int bytes) {
  return softgpu::softgpu_runtime.exchange(mask, value, bytes, nullptr);
}
template <class T>
inline __attribute__((noinline)) T softgpu_shuffle(unsigned mask, T v, unsigned from) {
  const char* all = softgpu::softgpu_runtime.exchange(mask, &v, sizeof(T), nullptr);
  T r;
  __builtin_memcpy(&r, all + 64 * (from & 31), sizeof(T));
  return r;
}
template <class T> inline T __shfl_sync(unsigned mask, T v, int lane, int width = 32) {
  const unsigned me = softgpu::softgpu_thread->lane;
  return softgpu_shuffle(mask, v, (me & ~(width - 1u)) | (static_cast<unsigned>(lane) & (width - 1u)));
}
template <class T> inline T __shfl_xor_sync(unsigned mask, T v, int other, int width = 32) {
  const unsigned me = softgpu::softgpu_thread->lane, to = me ^ static_cast<unsigned>(other);
  return softgpu_shuffle(mask, v, (to & ~(width - 1u)) == (me & ~(width - 1u)) ? to : me);
}
template <class T> inline T __shfl_down_sync(unsigned mask, T v, unsigned by, int width = 32) {
  const unsigned me = softgpu::softgpu_thread->lane;
  return softgpu_shuffle(mask, v, (me & (width - 1u)) + by < static_cast<unsigned>(width) ? me + by : me);
}
template <class T> inline T __shfl_up_sync(unsigned mask, T v, unsigned by, int width = 32) {
  const unsigned me = softgpu::softgpu_thread->lane;
  return softgpu_shuffle(mask, v, (me & (width - 1u)) >= by ? me - by : me);
}
inline __attribute__((noinline)) unsigned __ballot_sync(unsigned mask, int p) {
  const int v = p != 0;
  const char* all = softgpu::softgpu_runtime.exchange(mask, &v, sizeof v, nullptr);
  unsigned r = 0;
  for (unsigned i = 0; i < 32; ++i)
    if (mask >> i & 1) {
      int one;
      __builtin_memcpy(&one, all + 64 * i, sizeof one);
      r |= static_cast<unsigned>(one) << i;
    }
  return r;
}
inline int __any_sync(unsigned mask, int p) { return __ballot_sync(mask, p) != 0; }
inline int __all_sync(unsigned mask, int p) { return __ballot_sync(mask, !p) == 0; }
template <class T> inline __attribute__((noinline)) unsigned __match_any_sync(unsigned mask, T v) {
  const char* all = softgpu::softgpu_runtime.exchange(mask, &v, sizeof v, nullptr);
  unsigned r = 0;
  for (unsigned i = 0; i < 32; ++i)
    if (mask >> i & 1 && !__builtin_memcmp(all + 64 * i, &v, sizeof v)) r |= 1u << i;
  return r;
}

// ---- atomics: blocks run one after another and threads switch only at barriers ---------------------------

template <class T> inline T atomicAdd(T* p, T v) { const T old = *p; *p = old + v; return old; }
template <class T> inline T atomicSub(T* p, T v) { const T old = *p; *p = old - v; return old; }
template <class T> inline T atomicMax(T* p, T v) { const T old = *p; *p = old > v ? old : v; return old; }
template <class T> inline T atomicMin(T* p, T v) { const T old = *p; *p = old < v ? old : v; return old; }
template <class T> inline T atomicOr(T* p, T v) { const T old = *p; *p = old | v; return old; }
template <class T> inline T atomicAnd(T* p, T v) { const T old = *p; *p = old & v; return old; }
template <class T> inline T atomicExch(T* p, T v) { const T old = *p; *p = v; return old; }
template <class T> inline T atomicCAS(T* p, T expected, T v) { const T old = *p; if (old == expected) *p = v; return old; }

// ---- math: the names that device code uses ---------------------------------------------------------------

#define SOFTGPU_MATH1(name) \
  inline float name##f(float x) { return __builtin_##name##f(x); } \
  inline double name(double x) { return __builtin_##name(x); }
#define SOFTGPU_MATH2(name) \
  inline float name##f(float x, float y) { return __builtin_##name##f(x, y); } \
  inline double name(double x, double y) { return __builtin_##name(x, y); }
#define SOFTGPU_BUILTIN1(name) \
  static inline float softgpu_##name(float x) { return __builtin_##name##f(x); } \
  static inline double softgpu_##name(double x) { return __builtin_##name(x); }
extern "C" {
SOFTGPU_MATH1(exp) SOFTGPU_MATH1(exp2) SOFTGPU_MATH1(expm1) SOFTGPU_MATH1(log) SOFTGPU_MATH1(log2) SOFTGPU_MATH1(log10) SOFTGPU_MATH1(log1p)
SOFTGPU_MATH1(sin) SOFTGPU_MATH1(cos) SOFTGPU_MATH1(tan) SOFTGPU_MATH1(asin) SOFTGPU_MATH1(acos) SOFTGPU_MATH1(atan)
SOFTGPU_MATH1(sinh) SOFTGPU_MATH1(cosh) SOFTGPU_MATH1(tanh) SOFTGPU_MATH1(asinh) SOFTGPU_MATH1(acosh) SOFTGPU_MATH1(atanh)
SOFTGPU_MATH1(sqrt) SOFTGPU_MATH1(cbrt) SOFTGPU_MATH1(floor) SOFTGPU_MATH1(ceil) SOFTGPU_MATH1(trunc) SOFTGPU_MATH1(rint)
SOFTGPU_MATH1(round) SOFTGPU_MATH1(fabs) SOFTGPU_MATH1(erf) SOFTGPU_MATH1(erfc) SOFTGPU_MATH1(lgamma) SOFTGPU_MATH1(tgamma)
SOFTGPU_MATH2(pow) SOFTGPU_MATH2(fmod) SOFTGPU_MATH2(atan2) SOFTGPU_MATH2(fmax) SOFTGPU_MATH2(fmin) SOFTGPU_MATH2(hypot)
SOFTGPU_MATH2(copysign) SOFTGPU_MATH2(nextafter) SOFTGPU_MATH2(remainder)
}
inline float frexpf(float x, int* e) { return __builtin_frexpf(x, e); }
inline double frexp(double x, int* e) { return __builtin_frexp(x, e); }
inline float rsqrtf(float x) { return 1 / __builtin_sqrtf(x); }
inline double rsqrt(double x) { return 1 / __builtin_sqrt(x); }
inline float fmaf(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline float __expf(float x) { return __builtin_expf(x); }
inline float __logf(float x) { return __builtin_logf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll(static_cast<unsigned long long>(x)) : 64; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __brev(unsigned x) {
  unsigned r = 0;
  for (int i = 0; i < 32; ++i) r |= (x >> i & 1u) << (31 - i);
  return r;
}
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}
inline int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
inline float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
inline long long __double_as_longlong(double x) { return __builtin_bit_cast(long long, x); }
inline double __longlong_as_double(long long x) { return __builtin_bit_cast(double, x); }
inline void __trap() { softgpu::softgpu_runtime.trap("__trap"); }

// ---- launching: a trampoline for each kernel unpacks the driver's argument list ---------------------------

namespace softgpu {
template <class... A> struct Types {};
template <class F> struct Kernel;
template <class... A>
struct Kernel<void (*)(A...)> {
  template <unsigned long... I> struct Index {};
  template <unsigned long N, unsigned long... I> struct Make : Make<N - 1, N - 1, I...> {};
  template <unsigned long... I> struct Make<0, I...> { using type = Index<I...>; };
  template <unsigned long... I>
  static void call(void (*f)(A...), void** args, Index<I...>) { f(*static_cast<A*>(args[I])...); }
  static void run(void (*f)(A...), void** args) { call(f, args, typename Make<sizeof...(A)>::type()); }
  static void sizes(int* n, int* bytes) {
    const int all[] = {static_cast<int>(sizeof(A))..., 0};
    *n = sizeof...(A);
    for (unsigned i = 0; i < sizeof...(A); ++i) bytes[i] = all[i];
  }
};
}  // namespace softgpu
