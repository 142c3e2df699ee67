// The pointwise engine: a scalar expression F<T> becomes 1-d loops for every instruction set, and map<F, Types>()
// runs it over broadcast, strided, mixed-dtype operands. Halves compute in float.
#pragma once
#include "cpu/isa.h"
#include "iter/plan.h"

namespace bolide::iter {

namespace detail {

template <class F, class R, class A>
[[gnu::always_inline]] inline void body(char* const* p, const int64_t* s, int64_t n, F f) {
  if (s[0] == sizeof(R) && s[1] == sizeof(A)) {
    R* o = reinterpret_cast<R*>(p[0]);
    const A* a = reinterpret_cast<const A*>(p[1]);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) o[i] = f(a[i]);
    return;
  }
  char *o = p[0], *a = p[1];
  for (int64_t i = 0; i < n; ++i, o += s[0], a += s[1]) *reinterpret_cast<R*>(o) = f(*reinterpret_cast<const A*>(a));
}

template <class F, class R, class A>
[[gnu::always_inline]] inline void body2(char* const* p, const int64_t* s, int64_t n, F f) {
  if (s[0] == sizeof(R)) {
    R* o = reinterpret_cast<R*>(p[0]);
    const A* a = reinterpret_cast<const A*>(p[1]);
    const A* b = reinterpret_cast<const A*>(p[2]);
    if (s[1] == sizeof(A) && s[2] == sizeof(A)) {
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) o[i] = f(a[i], b[i]);
      return;
    }
    if (s[1] == sizeof(A) && s[2] == 0) {
      const A y = *b;
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) o[i] = f(a[i], y);
      return;
    }
    if (s[1] == 0 && s[2] == sizeof(A)) {
      const A x = *a;
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) o[i] = f(x, b[i]);
      return;
    }
  }
  char *o = p[0], *a = p[1], *b = p[2];
  for (int64_t i = 0; i < n; ++i, o += s[0], a += s[1], b += s[2])
    *reinterpret_cast<R*>(o) = f(*reinterpret_cast<const A*>(a), *reinterpret_cast<const A*>(b));
}

template <class F, class R, class A>
[[gnu::always_inline]] inline void body3(char* const* p, const int64_t* s, int64_t n, F f) {
  if (s[0] == sizeof(R) && s[1] == sizeof(A) && s[2] == sizeof(A) && s[3] == sizeof(A)) {
    R* o = reinterpret_cast<R*>(p[0]);
    const A *a = reinterpret_cast<const A*>(p[1]), *b = reinterpret_cast<const A*>(p[2]), *c = reinterpret_cast<const A*>(p[3]);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) o[i] = f(a[i], b[i], c[i]);
    return;
  }
  char *o = p[0], *a = p[1], *b = p[2], *c = p[3];
  for (int64_t i = 0; i < n; ++i, o += s[0], a += s[1], b += s[2], c += s[3])
    *reinterpret_cast<R*>(o) =
        f(*reinterpret_cast<const A*>(a), *reinterpret_cast<const A*>(b), *reinterpret_cast<const A*>(c));
}

template <class F, class T> consteval int arity() {
  if constexpr (std::is_invocable_v<F, T>) return 1;
  else if constexpr (std::is_invocable_v<F, T, T>) return 2;
  else return 3;
}

template <class F, class T>
struct Loops {
  static constexpr int kArity = arity<F, T>();
  static auto result() {
    const F* f = nullptr;
    if constexpr (kArity == 1) return Tag<std::remove_cvref_t<decltype((*f)(T()))>>{};
    else if constexpr (kArity == 2) return Tag<std::remove_cvref_t<decltype((*f)(T(), T()))>>{};
    else return Tag<std::remove_cvref_t<decltype((*f)(T(), T(), T()))>>{};
  }
  using R = typename decltype(result())::type;
  [[gnu::always_inline]] static inline void any(char* const* p, const int64_t* s, int64_t n, const void* f) {
    const F e = *static_cast<const F*>(f);
    if constexpr (kArity == 1) body<F, R, T>(p, s, n, e);
    else if constexpr (kArity == 2) body2<F, R, T>(p, s, n, e);
    else body3<F, R, T>(p, s, n, e);
  }
  static void baseline(char* const* p, const int64_t* s, int64_t n, const void* f) { any(p, s, n, f); }
  [[gnu::target(BOLIDE_TARGET_AVX2)]] static void avx2(char* const* p, const int64_t* s, int64_t n, const void* f) { any(p, s, n, f); }
  [[gnu::target(BOLIDE_TARGET_AVX512 ",prefer-vector-width=512")]] static void avx512(char* const* p, const int64_t* s, int64_t n,
                                                                                      const void* f) {
    any(p, s, n, f);
  }
  static Loop pick() {
    constexpr Loop table[3] = {&baseline, &avx2, &avx512};
    return table[static_cast<int>(isa())];
  }
};

/// The element type a dtype computes in: halves in float.
inline DType compute_type(DType t) { return is_half(t) ? DType::Float32 : t; }

}  // namespace detail

/// Runs F<T> over `inputs` promoted to `compute`, with a result of dtype `result`. `make(Tag<T>)` gives the
/// expression with its parameters.
template <class List, class Make>
Tensor map(const char* op, Out out, DType compute, DType result, std::initializer_list<Operand> inputs, Make make) {
  Tensor made;
  const DType c = detail::compute_type(compute);
  dispatch<List>(op, compute == c ? compute : c, [&]<class T>(Tag<T> tag) {
    const auto f = make(tag);
    using L = detail::Loops<std::remove_cv_t<decltype(f)>, T>;
    // the common small case: contiguous, one shape, one dtype, nothing to convert
    const Operand* in = inputs.begin();
    if (!out.tensor && dtype_of<typename L::R> == result && in[0].tensor && in[0].tensor->dtype() == c && in[0].tensor->is_contiguous() &&
        !in[0].tensor->device().is_meta()) {
      const Tensor& a = *in[0].tensor;
      char* p[4];
      int64_t s[4] = {sizeof(typename L::R), sizeof(T), sizeof(T), sizeof(T)};
      T number[3];
      bool simple = true;
      for (int k = 0; k < L::kArity; ++k) {
        if (in[k].tensor) {
          const Tensor& t = *in[k].tensor;
          simple &= k == 0 || (t.dtype() == c && t.is_contiguous() && t.sizes() == a.sizes() && t.device() == a.device());
          p[k + 1] = t.raw();
        } else {
          number[k] = in[k].number.template to<T>();
          p[k + 1] = reinterpret_cast<char*>(&number[k]), s[k + 1] = 0;
        }
      }
      if (simple && a.numel() <= 32768) {
        made = Tensor::make(a.sizes(), result, a.device());
        p[0] = made.raw();
        if (a.numel()) L::pick()(p, s, a.numel(), &f);
        return;
      }
    }
    Plan plan(op, out, result, std::span<const Operand>(inputs.begin(), inputs.size()));
    plan.run(L::pick(), &f, dtype_of<typename L::R>, c);
    made = plan.output;
  });
  return made;
}

/// Integers and bools compute in the default dtype (division, exp, ...).
inline DType float_type(DType t) { return is_differentiable(t) ? t : default_dtype(); }

}  // namespace bolide::iter
