// What every kernel text may use, put before it. No header is included: NVRTC and the host's compiler both take it as it is.
//
// Map: plain types | 16-bit floats | complex numbers | type facts | fn: what expressions use | indices | warps | errors
#define DEVICE __device__ __forceinline__

typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
#ifdef SOFTGPU
typedef long int64_t;
typedef unsigned long uint64_t;
#else
typedef long long int64_t;
typedef unsigned long long uint64_t;
#endif

// ---- 16-bit floats: storage only; all arithmetic is in float ------------------------------------------

struct Half { uint16_t bits; };
struct BFloat16 { uint16_t bits; };

DEVICE float bits_to_float(uint32_t u) { return __uint_as_float(u); }
DEVICE uint32_t float_to_bits(float f) { return __float_as_uint(f); }

#ifdef SOFTGPU
DEVICE float half_to_float(Half h) {
  const uint32_t sign = (h.bits & 0x8000u) << 16, rest = h.bits & 0x7fffu;
  if (rest >= 0x7c00u) return bits_to_float(sign | 0x7f800000u | rest << 13);
  if (rest < 0x400u) { const float f = (float)rest * 5.9604644775390625e-8f; return sign ? -f : f; }
  return bits_to_float(sign | ((rest << 13) + (112u << 23)));
}
DEVICE Half float_to_half(float f) {
  const uint32_t u = float_to_bits(f), sign = u >> 16 & 0x8000u, rest = u & 0x7fffffffu;
  uint32_t r;
  if (rest > 0x7f800000u) r = 0x7e00u;
  else if (rest >= 0x477ff000u) r = 0x7c00u;
  else if (rest < 0x38800000u) r = float_to_bits(bits_to_float(rest) + 0.5f) - 0x3f000000u;
  else r = ((rest + 0xfffu + (rest >> 13 & 1u)) >> 13) - (112u << 10);
  Half h = {(uint16_t)(sign | r)};
  return h;
}
#else
DEVICE float half_to_float(Half h) { float r; asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(h.bits)); return r; }
DEVICE Half float_to_half(float f) { Half h; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h.bits) : "f"(f)); return h; }
#endif
DEVICE float bfloat_to_float(BFloat16 b) { return bits_to_float((uint32_t)b.bits << 16); }
DEVICE BFloat16 float_to_bfloat(float f) {
  const uint32_t u = float_to_bits(f);
  BFloat16 b = {(uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : (u + 0x7fffu + (u >> 16 & 1u)) >> 16)};
  return b;
}

// ---- complex numbers ------------------------------------------------------------------------------------

template <class R>
struct Complex {
  R re, im;
  Complex() = default;
  DEVICE Complex(R a, R b = R(0)) : re(a), im(b) {}
  template <class S> DEVICE explicit Complex(const Complex<S>& o) : re((R)o.re), im((R)o.im) {}
  DEVICE R real() const { return re; }
  DEVICE R imag() const { return im; }
  DEVICE Complex& operator+=(Complex o) { re += o.re, im += o.im; return *this; }
};
template <class R> DEVICE Complex<R> operator-(Complex<R> a) { return {-a.re, -a.im}; }
template <class R> DEVICE Complex<R> operator+(Complex<R> a, Complex<R> b) { return {a.re + b.re, a.im + b.im}; }
template <class R> DEVICE Complex<R> operator-(Complex<R> a, Complex<R> b) { return {a.re - b.re, a.im - b.im}; }
template <class R> DEVICE Complex<R> operator*(Complex<R> a, Complex<R> b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
template <class R> DEVICE Complex<R> operator*(Complex<R> a, R b) { return {a.re * b, a.im * b}; }
template <class R> DEVICE Complex<R> operator*(R b, Complex<R> a) { return {a.re * b, a.im * b}; }
template <class R> DEVICE Complex<R> operator/(Complex<R> a, R b) { return {a.re / b, a.im / b}; }
template <class R> DEVICE Complex<R> operator/(Complex<R> a, Complex<R> b) {
  // scaled by the larger part, so that squares neither overflow nor vanish
  if ((b.re < 0 ? -b.re : b.re) >= (b.im < 0 ? -b.im : b.im)) {
    const R r = b.im / b.re, d = b.re + b.im * r;
    return {(a.re + a.im * r) / d, (a.im - a.re * r) / d};
  }
  const R r = b.re / b.im, d = b.re * r + b.im;
  return {(a.re * r + a.im) / d, (a.im * r - a.re) / d};
}
template <class R> DEVICE bool operator==(Complex<R> a, Complex<R> b) { return a.re == b.re && a.im == b.im; }
template <class R> DEVICE bool operator!=(Complex<R> a, Complex<R> b) { return !(a == b); }
typedef Complex<float> complex64;
typedef Complex<double> complex128;

// ---- type facts -------------------------------------------------------------------------------------------

template <class A, class B> struct Same { static constexpr bool value = false; };
template <class A> struct Same<A, A> { static constexpr bool value = true; };
/// What a dtype is computed in: halves in float.
template <class S> struct Computed { typedef S type; };
template <> struct Computed<Half> { typedef float type; };
template <> struct Computed<BFloat16> { typedef float type; };

/// Conversions between all element types, as C++ does them.
template <class To, class From> struct Convert { static DEVICE To of(From x) { return (To)x; } };
template <class From> struct Convert<Half, From> { static DEVICE Half of(From x) { return float_to_half((float)x); } };
template <class From> struct Convert<BFloat16, From> { static DEVICE BFloat16 of(From x) { return float_to_bfloat((float)x); } };
template <class To> struct Convert<To, Half> { static DEVICE To of(Half x) { return Convert<To, float>::of(half_to_float(x)); } };
template <class To> struct Convert<To, BFloat16> { static DEVICE To of(BFloat16 x) { return Convert<To, float>::of(bfloat_to_float(x)); } };
template <class To, class R> struct Convert<To, Complex<R> > { static DEVICE To of(Complex<R> x) { return Convert<To, R>::of(x.re); } };
template <class R, class From> struct Convert<Complex<R>, From> { static DEVICE Complex<R> of(From x) { return Complex<R>(Convert<R, From>::of(x)); } };
template <class R, class S> struct Convert<Complex<R>, Complex<S> > { static DEVICE Complex<R> of(Complex<S> x) { return Complex<R>((R)x.re, (R)x.im); } };
template <> struct Convert<Half, Half> { static DEVICE Half of(Half x) { return x; } };
template <> struct Convert<BFloat16, BFloat16> { static DEVICE BFloat16 of(BFloat16 x) { return x; } };
template <> struct Convert<BFloat16, Half> { static DEVICE BFloat16 of(Half x) { return float_to_bfloat(half_to_float(x)); } };
template <> struct Convert<Half, BFloat16> { static DEVICE Half of(BFloat16 x) { return float_to_half(bfloat_to_float(x)); } };
template <class R> struct Convert<Half, Complex<R> > { static DEVICE Half of(Complex<R> x) { return float_to_half((float)x.re); } };
template <class R> struct Convert<BFloat16, Complex<R> > { static DEVICE BFloat16 of(Complex<R> x) { return float_to_bfloat((float)x.re); } };
template <class R> struct Convert<Complex<R>, Half> { static DEVICE Complex<R> of(Half x) { return Complex<R>((R)half_to_float(x)); } };
template <class R> struct Convert<Complex<R>, BFloat16> { static DEVICE Complex<R> of(BFloat16 x) { return Complex<R>((R)bfloat_to_float(x)); } };
template <class R> struct Convert<bool, Complex<R> > { static DEVICE bool of(Complex<R> x) { return x.re != 0 || x.im != 0; } };
template <class To, class From> DEVICE To convert(From x) { return Convert<To, From>::of(x); }

// ---- fn: what expressions use (iter/functions.h names the same) --------------------------------------------

namespace fn {
template <class T> struct IsComplex { static constexpr bool value = false; };
template <class R> struct IsComplex<Complex<R> > { static constexpr bool value = true; };
template <class T> constexpr bool is_complex_v = IsComplex<T>::value;
template <class T> constexpr bool is_bool_v = Same<T, bool>::value;
template <class T> constexpr bool is_floating_v = Same<T, float>::value || Same<T, double>::value;
template <class T> constexpr bool is_integral_v = !is_complex_v<T> && !is_floating_v<T>;
template <class T> constexpr bool is_signed_v = (T)(-1) < (T)0;
template <> constexpr bool is_signed_v<bool> = false;
template <class T> struct Unsigned { typedef T type; };
template <> struct Unsigned<int8_t> { typedef uint8_t type; };
template <> struct Unsigned<int16_t> { typedef uint16_t type; };
template <> struct Unsigned<int32_t> { typedef uint32_t type; };
template <> struct Unsigned<int64_t> { typedef uint64_t type; };
template <class T> using unsigned_of = typename Unsigned<T>::type;
template <class T> struct RealOf { typedef T type; };
template <class R> struct RealOf<Complex<R> > { typedef R type; };
template <class T> using real_t = typename RealOf<T>::type;
template <class T> using complex_t = Complex<T>;
template <class T, bool Whole> struct StepOf { typedef T type; };
template <class T> struct StepOf<T, true> { typedef double type; };
template <class T> using step_t = typename StepOf<T, is_integral_v<T> >::type;

#define FN_REAL(name)                                    \
  DEVICE float name(float x) { return ::name##f(x); }    \
  DEVICE double name(double x) { return ::name(x); }
FN_REAL(exp) FN_REAL(exp2) FN_REAL(expm1) FN_REAL(log) FN_REAL(log2) FN_REAL(log10) FN_REAL(log1p) FN_REAL(sin) FN_REAL(cos) FN_REAL(tan)
FN_REAL(asin) FN_REAL(acos) FN_REAL(atan) FN_REAL(sinh) FN_REAL(cosh) FN_REAL(tanh) FN_REAL(asinh) FN_REAL(acosh) FN_REAL(atanh)
FN_REAL(sqrt) FN_REAL(floor) FN_REAL(ceil) FN_REAL(trunc) FN_REAL(erf) FN_REAL(erfc)
#undef FN_REAL
template <class T> DEVICE T normal_cdf(T x) { return T(0.5) * erfc(x * T(-0.7071067811865476)); }
template <class T> DEVICE T normal_density(T x) { return T(0.3989422804014327) * exp(T(-0.5) * x * x); }
DEVICE float round_even(float x) { return rintf(x); }
DEVICE double round_even(double x) { return rint(x); }
#define FN_REAL2(name)                                                  \
  DEVICE float name(float a, float b) { return ::name##f(a, b); }       \
  DEVICE double name(double a, double b) { return ::name(a, b); }
FN_REAL2(pow) FN_REAL2(atan2) FN_REAL2(hypot) FN_REAL2(fmod) FN_REAL2(copysign)
#undef FN_REAL2

template <class R> DEVICE Complex<R> conj(Complex<R> x) { return {x.re, -x.im}; }
template <class T> DEVICE T conj(T x) { return x; }
template <class R> DEVICE R abs(Complex<R> x) { return hypot(x.re, x.im); }
DEVICE float abs(float x) { return fabsf(x); }
DEVICE double abs(double x) { return fabs(x); }
template <class T> DEVICE T abs(T x) { return (T)(x < (T)0 ? -x : x); }
template <class R> DEVICE R arg(Complex<R> x) { return atan2(x.im, x.re); }
template <class R> DEVICE Complex<R> exp(Complex<R> x) { const R e = exp(x.re); return {e * cos(x.im), e * sin(x.im)}; }
template <class R> DEVICE Complex<R> log(Complex<R> x) { return {log(abs(x)), arg(x)}; }
template <class R> DEVICE Complex<R> sqrt(Complex<R> x) {
  const R m = abs(x);
  if (m == 0) return {R(0), x.im};
  const R t = sqrt((abs(x.re) + m) / 2);
  return x.re >= 0 ? Complex<R>(t, x.im / (2 * t)) : Complex<R>(abs(x.im) / (2 * t), copysign(t, x.im));
}
template <class R> DEVICE Complex<R> exp2(Complex<R> x) { return exp(x * R(0.69314718055994531)); }
template <class R> DEVICE Complex<R> log2(Complex<R> x) { return log(x) * R(1.4426950408889634); }
template <class R> DEVICE Complex<R> log10(Complex<R> x) { return log(x) * R(0.43429448190325183); }
template <class R> DEVICE Complex<R> log1p(Complex<R> x) { return log(Complex<R>(1 + x.re, x.im)); }
template <class R> DEVICE Complex<R> expm1(Complex<R> x) {
  const R s = sin(x.im / 2);
  return {expm1(x.re) * cos(x.im) - 2 * s * s, exp(x.re) * sin(x.im)};
}
template <class R> DEVICE Complex<R> sinh(Complex<R> x) { return {sinh(x.re) * cos(x.im), cosh(x.re) * sin(x.im)}; }
template <class R> DEVICE Complex<R> cosh(Complex<R> x) { return {cosh(x.re) * cos(x.im), sinh(x.re) * sin(x.im)}; }
template <class R> DEVICE Complex<R> tanh(Complex<R> x) {
  const R d = cosh(2 * x.re) + cos(2 * x.im);
  return {x.re > 20 ? R(1) : x.re < -20 ? R(-1) : sinh(2 * x.re) / d, x.re > 20 || x.re < -20 ? R(0) : sin(2 * x.im) / d};
}
template <class R> DEVICE Complex<R> by_i(Complex<R> x) { return {-x.im, x.re}; }
template <class R> DEVICE Complex<R> by_minus_i(Complex<R> x) { return {x.im, -x.re}; }
template <class R> DEVICE Complex<R> sin(Complex<R> x) { return {sin(x.re) * cosh(x.im), cos(x.re) * sinh(x.im)}; }
template <class R> DEVICE Complex<R> cos(Complex<R> x) { return {cos(x.re) * cosh(x.im), -sin(x.re) * sinh(x.im)}; }
template <class R> DEVICE Complex<R> tan(Complex<R> x) { return by_minus_i(tanh(by_i(x))); }
template <class R> DEVICE Complex<R> asinh(Complex<R> x) { return log(x + sqrt(x * x + Complex<R>(1))); }
template <class R> DEVICE Complex<R> acosh(Complex<R> x) { return log(x + sqrt(x + Complex<R>(1)) * sqrt(x - Complex<R>(1))); }
template <class R> DEVICE Complex<R> atanh(Complex<R> x) { return (log(Complex<R>(1) + x) - log(Complex<R>(1) - x)) * R(0.5); }
template <class R> DEVICE Complex<R> asin(Complex<R> x) { return by_minus_i(asinh(by_i(x))); }
template <class R> DEVICE Complex<R> acos(Complex<R> x) { return Complex<R>(R(1.5707963267948966)) - asin(x); }
template <class R> DEVICE Complex<R> atan(Complex<R> x) { return by_minus_i(atanh(by_i(x))); }
template <class R> DEVICE Complex<R> pow(Complex<R> a, Complex<R> b) {
  if (b == Complex<R>(0)) return Complex<R>(1);
  if (a == Complex<R>(0)) return Complex<R>(0);
  return exp(b * log(a));
}

template <class T> DEVICE T reciprocal(T x) { return T(1) / x; }
template <class T> DEVICE T sigmoid(T x) { return T(1) / (T(1) + exp(-x)); }
template <class T> DEVICE T log_sigmoid(T x) { return (x < T(0) ? x : T(0)) - log1p(exp(x < T(0) ? x : -x)); }
template <class T> DEVICE T nan() { return T(bits_to_float(0x7fc00000u)); }
template <class T> DEVICE T infinity() { return T(bits_to_float(0x7f800000u)); }
template <class T> DEVICE bool is_nan(T x) { return x != x; }
template <class T> DEVICE bool is_inf(T x) { return x == infinity<T>() || x == -infinity<T>(); }
template <class T> DEVICE bool is_finite(T x) { return x - x == T(0); }
template <class T> DEVICE T at_least(T x, T lo) { return x >= lo || is_nan(x) ? x : lo; }
template <class T> DEVICE T at_most(T x, T hi) { return x <= hi || is_nan(x) ? x : hi; }
DEVICE bool sign_bit(float x) { return __float_as_uint(x) >> 31; }
DEVICE bool sign_bit(double x) { return (uint64_t)__double_as_longlong(x) >> 63; }
template <class T> DEVICE bool sign_bit(T x) { return x < T(0); }
DEVICE float nextafter(float a, float b) { return ::nextafterf(a, b); }
DEVICE double nextafter(double a, double b) { return ::nextafter(a, b); }
DEVICE float mantissa(float x) { int e; return ::frexpf(x, &e); }
DEVICE double mantissa(double x) { int e; return ::frexp(x, &e); }
template <class T> DEVICE int32_t exponent(T x) {
  int e = 0;
  if (is_finite(x)) ::frexp((double)x, &e);
  return e;
}
DEVICE float lgamma(float x) { return ::lgammaf(x); }
DEVICE double lgamma(double x) { return ::lgamma(x); }
DEVICE uint16_t neighbour(uint16_t bits, float x, float y) {
  if (x == 0) return y > 0 ? 1 : 0x8001;
  return (y > x) == (x > 0) ? bits + 1 : bits - 1;
}
template <class T> DEVICE T nextafter(T a, T b) {  // 16 bits: neighbours have neighbouring bit patterns
  const float x = convert<float>(a), y = convert<float>(b);
  if (x != x || y != y) return convert<T>(x + y);
  if (x == y) return b;
  T r = {neighbour(a.bits, x, y)};
  return r;
}
template <class T> DEVICE T logaddexp(T a, T b) {
  if constexpr (is_complex_v<T>) return a.re >= b.re ? a + log(T(1) + exp(b - a)) : b + log(T(1) + exp(a - b));
  else {
    if (is_inf(a) && a == b) return a;
    const T m = a > b ? a : b;
    return m + log1p(exp(-abs(a - b)));
  }
}
template <class T> DEVICE T gcd(T a, T b) {
  a = abs(a), b = abs(b);
  while (b != T(0)) { const T r = a % b; a = b, b = r; }
  return a;
}
template <class T> DEVICE T floor_div(T a, T b) {
  if constexpr (is_integral_v<T>) {
    if (b == (T)0) return (T)0;
    if constexpr (is_signed_v<T>) if (b == (T)-1) return (T)(-(unsigned_of<T>)a);
    const T q = (T)(a / b);
    return (T)(a % b != 0 && ((a < 0) != (b < 0)) ? q - 1 : q);
  } else {
    if (b == T(0)) return a / b;
    T m = fmod(a, b), d = (a - m) / b;
    if (m != T(0) && ((b < T(0)) != (m < T(0)))) d -= T(1);
    if (d == T(0)) return copysign(T(0), a / b);
    const T f = floor(d);
    return d - f > T(0.5) ? f + T(1) : f;
  }
}
template <class T> DEVICE T py_mod(T a, T b) {
  if constexpr (is_integral_v<T>) {
    if (b == (T)0) return (T)0;
    if constexpr (is_signed_v<T>) if (b == (T)-1) return (T)0;
    const T r = (T)(a % b);
    return r != 0 && ((r < 0) != (b < 0)) ? (T)(r + b) : r;
  } else {
    const T m = fmod(a, b);
    return m != T(0) && ((b < T(0)) != (m < T(0))) ? m + b : m;
  }
}
template <class T> DEVICE T int_pow(T a, T b) {
  if (b < 0) {
    if (a == 1) return 1;
    if (is_signed_v<T> && a == (T)-1) return b % 2 ? (T)-1 : (T)1;
    return 0;
  }
  uint64_t base = (uint64_t)a, e = (uint64_t)b, r = 1;
  for (; e; e >>= 1, base *= base)
    if (e & 1) r *= base;
  return (T)r;
}
}  // namespace fn

// ---- indices -------------------------------------------------------------------------------------------------

DEVICE int64_t global_index() { return (int64_t)blockIdx.x * blockDim.x + threadIdx.x; }
DEVICE int64_t global_count() { return (int64_t)gridDim.x * blockDim.x; }

/// Sizes and strides of a tensor of up to 12 merged dimensions, the fastest first; strides in elements.
struct Layout {
  int32_t dims;
  int64_t size[12], stride[12];
};
/// 64-bit division is a long piece of code: one copy of it, called where 32 bits do not do.
__device__ __noinline__ int64_t quotient_wide(int64_t i, int64_t n) { return i / n; }
/// Makes `i` the quotient by `n` and returns the remainder; both are not negative.
DEVICE int64_t divide(int64_t& i, int64_t n) {
  int64_t q;
  if (((i | n) >> 32) == 0) q = (uint32_t)i / (uint32_t)n;
  else q = quotient_wide(i, n);
  const int64_t r = i - q * n;
  i = q;
  return r;
}
/// Where element number `i` (in the order of the layout's dimensions) lies.
__device__ __noinline__ int64_t offset_in_many(const Layout& l, int64_t i) {
  int64_t at = 0;
#pragma unroll 1
  for (int d = 0; d < l.dims - 1; ++d) at += divide(i, l.size[d]) * l.stride[d];
  return at + i * l.stride[l.dims - 1];
}
DEVICE int64_t offset_of(const Layout& l, int64_t i) {
  if (l.dims <= 1) return l.dims ? i * l.stride[0] : 0;
  return offset_in_many(l, i);
}

// ---- warps and blocks ------------------------------------------------------------------------------------------

/// Any plain value of up to 64 bytes from the lane whose number differs by `k` in one bit. All lanes take part.
template <class A> DEVICE A shuffle_xor(A v, int k) {
#ifdef SOFTGPU
  return __shfl_xor_sync(0xffffffffu, v, k);
#else
  constexpr int words = (sizeof(A) + 3) / 4;
  union Words { uint32_t w[words]; A a; DEVICE Words() {} } u;
  u.a = v;
  for (int i = 0; i < words; ++i) u.w[i] = __shfl_xor_sync(0xffffffffu, u.w[i], k);
  return u.a;
#endif
}
/// The same from `by` lanes before; the first lanes keep their own.
template <class A> DEVICE A shuffle_up(A v, int by) {
#ifdef SOFTGPU
  return __shfl_up_sync(0xffffffffu, v, (unsigned)by);
#else
  constexpr int words = (sizeof(A) + 3) / 4;
  union Words { uint32_t w[words]; A a; DEVICE Words() {} } u;
  u.a = v;
  for (int i = 0; i < words; ++i) u.w[i] = __shfl_up_sync(0xffffffffu, u.w[i], by);
  return u.a;
#endif
}
/// The lanes whose value is mine.
DEVICE unsigned match_any(int v) { return __match_any_sync(0xffffffffu, v); }
template <class A> DEVICE A warp_sum(A v) {
  for (int k = 16; k; k >>= 1) v = v + shuffle_xor(v, k);
  return v;
}
template <class A> DEVICE A warp_max(A v) {
  for (int k = 16; k; k >>= 1) {
    const A o = shuffle_xor(v, k);
    v = o > v || o != o ? o : v;
  }
  return v;
}
/// The dynamic shared memory of the launch as an array of `type`.
#ifdef SOFTGPU
#define DYNAMIC_SHARED(type, name) type* name = (type*)softgpu::softgpu_block.dynamic_shared
#else
#define DYNAMIC_SHARED(type, name)                  \
  extern __shared__ __align__(16) char bolide_dynamic_shared[]; \
  type* name = (type*)bolide_dynamic_shared
#endif
/// The sum over a block of a multiple of 32 threads, in every thread. `scratch` has 32 places and is free afterwards.
template <class A> DEVICE A block_sum(A v, A* scratch) {
  v = warp_sum(v);
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = (blockDim.x + 31) >> 5;
  if (lane == 0) scratch[warp] = v;
  __syncthreads();
  A total = scratch[0];
  for (int i = 1; i < warps; ++i) total = total + scratch[i];
  __syncthreads();
  return total;
}
template <class A> DEVICE A block_max(A v, A* scratch) {
  v = warp_max(v);
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = (blockDim.x + 31) >> 5;
  if (lane == 0) scratch[warp] = v;
  __syncthreads();
  A best = scratch[0];
  for (int i = 1; i < warps; ++i) best = scratch[i] > best || scratch[i] != scratch[i] ? scratch[i] : best;
  __syncthreads();
  return best;
}

// ---- tensor cores: d += a * b on fragments of 16 x 16 and 16 x 8, as PTX lays them over a warp ------------------------

#ifdef SOFTGPU
template <class S> struct Fragments { uint32_t a[4], b[2]; };
template <class S> DEVICE float fragment_value(uint32_t word, int high) {
  S s;
  s.bits = (uint16_t)(high ? word >> 16 : word);
  return convert<float>(s);
}
template <class S> DEVICE void mma_16x8x16(float* d, const uint32_t* a, const uint32_t* b) {
  Fragments<S> mine;
  for (int i = 0; i < 4; ++i) mine.a[i] = a[i];
  for (int i = 0; i < 2; ++i) mine.b[i] = b[i];
  const char* all = softgpu_exchange(0xffffffffu, &mine, sizeof mine);
  const int group = (threadIdx.x & 31) / 4, quad = threadIdx.x & 3;
  for (int c = 0; c < 4; ++c) {
    const int row = group + 8 * (c / 2), col = 2 * quad + c % 2;
    for (int k = 0; k < 16; ++k) {
      const Fragments<S>& fa = *(const Fragments<S>*)(all + 64 * (row % 8 * 4 + k % 8 / 2));
      const Fragments<S>& fb = *(const Fragments<S>*)(all + 64 * (col * 4 + k % 8 / 2));
      d[c] += fragment_value<S>(fa.a[row / 8 + 2 * (k / 8)], k % 2) * fragment_value<S>(fb.b[k / 8], k % 2);
    }
  }
}
#elif __CUDA_ARCH__ >= 800
template <class S> DEVICE void mma_16x8x16(float* d, const uint32_t* a, const uint32_t* b);
template <> DEVICE void mma_16x8x16<BFloat16>(float* d, const uint32_t* a, const uint32_t* b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
template <> DEVICE void mma_16x8x16<Half>(float* d, const uint32_t* a, const uint32_t* b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

// ---- errors: a kernel that meets a bad index records the first one and goes on without touching memory ------------

struct Fault {
  uint32_t set;   // 0: none yet
  int32_t code;
  int64_t index, limit;
};
struct FaultSite {
  Fault* fault;
  int32_t code;
};
DEVICE void report(const FaultSite& s, int64_t index, int64_t limit) {
  if (atomicCAS(&s.fault->set, 0u, 1u) == 0u) s.fault->code = s.code, s.fault->index = index, s.fault->limit = limit;
}
