// The pointwise engine. BOLIDE_EXPR (a scalar expression, code and text at once) | Expression (one call of it, type-erased) |
// its CPU loops for every element type and instruction set | map: run an expression over operands.
//
//   struct Sigmoid { BOLIDE_EXPR(At, T operator()(T x) const { return fn::sigmoid(x); }) ... };
//   iter::map<Sigmoid::At, Floats>("sigmoid", out, compute, result, {self});
//
// Operands broadcast, may have any strides, and are converted to what the expression reads: its parameters' types. Types
// that the list given to map lacks are computed in the next one it has: halves in float, float in double, narrow integers
// in wide ones.
#pragma once
#include <string_view>

#include "cpu/isa.h"
#include "iter/plan.h"

/// `template <class T> struct Name { ... }` that also keeps its source text, for devices that compile at run time. It may
/// hold parameters (T or numbers), then operator() over T, or bool or an integer type where an operand is one. Only what
/// iter/functions.h offers may be used.
#define BOLIDE_EXPR(Name, ...)                           \
  template <class T> struct Name {                       \
    static constexpr const char* text = #__VA_ARGS__;    \
    __VA_ARGS__                                          \
  };
/// The same, built once and not for every instruction set: for expressions that wider vectors do not speed up.
#define BOLIDE_EXPR_ONCE(Name, ...)                      \
  template <class T> struct Name {                       \
    static constexpr const char* text = #__VA_ARGS__;    \
    static constexpr bool built_once = true;             \
    __VA_ARGS__                                          \
  };

namespace bolide::iter {

/// p[0] is the output, p[1..] the inputs, all contiguous; f is the expression with its parameters.
using Loop = void (*)(char* const* p, int64_t n, const void* f);

/// What is known of an expression for one dtype.
struct Typed {
  DType compute = DType::Float32, written = DType::Float32;
  DType reads[kMaxOperands - 1] = {};  // what each input is converted to
  int8_t arity = 0;                    // 0: not built for this dtype
  Loop loops[3] = {};                  // by Isa
};

/// One pointwise call: what the CPU's loops and a device's compiled kernel need besides the plan.
struct Expression {
  const char* op;          // for errors
  const char* text;        // the body of `template <class T> struct { ... }`
  const Typed* typed;
  const void* parameters;  // the bytes of that struct for T = typed->compute
  int parameter_bytes;
};

/// Runs an expression: finds shape, output and layout, then loops here or on the operands' device.
Tensor run(const Expression& e, Out out, DType result, std::span<const Operand> inputs);

namespace detail {

// ---- the CPU's loops -------------------------------------------------------------------------

template <class F, class R, class... A>
[[gnu::always_inline]] inline void loop(R* o, int64_t n, F f, const A*... a) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) o[i] = f(a[i]...);
}

/// Whether products and sums may be fused: where an expression is made of polynomials, whose last bit nobody relies on and
/// whose length fusing halves. Everything else rounds each step, as it is written.
constexpr bool may_fuse(std::string_view text) {
  for (const char* name : {"fn::exp", "fn::erf", "fn::log", "fn::tanh", "fn::sigmoid", "fn::sin", "fn::cos", "fn::normal"})
    if (text.find(name) != text.npos) return true;
  return false;
}

template <class F, class Call> struct Loops;
template <class F, class R, class... A>
struct Loops<F, R (F::*)(A...) const> {
  template <size_t... I>
  [[gnu::always_inline]] static inline void any(char* const* p, int64_t n, const void* f, std::index_sequence<I...>) {
    loop<F, R, A...>(reinterpret_cast<R*>(p[0]), n, *static_cast<const F*>(f), reinterpret_cast<const A*>(p[I + 1])...);
  }
  static constexpr std::index_sequence_for<A...> kAll{};
  static void baseline(char* const* p, int64_t n, const void* f) { any(p, n, f, kAll); }
  [[gnu::target(BOLIDE_TARGET_AVX2)]] static void avx2(char* const* p, int64_t n, const void* f) { any(p, n, f, kAll); }
  [[gnu::target(BOLIDE_TARGET_AVX512 ",prefer-vector-width=512")]] static void avx512(char* const* p, int64_t n, const void* f) {
    any(p, n, f, kAll);
  }
  [[gnu::target(BOLIDE_TARGET_AVX2), gnu::optimize("fp-contract=fast")]]
  static void fused_avx2(char* const* p, int64_t n, const void* f) { any(p, n, f, kAll); }
  [[gnu::target(BOLIDE_TARGET_AVX512 ",prefer-vector-width=512"), gnu::optimize("fp-contract=fast")]]
  static void fused_avx512(char* const* p, int64_t n, const void* f) { any(p, n, f, kAll); }
  /// Integers and complex numbers stop at AVX2: what they do is bound by memory.
  template <class T>
  static constexpr Typed typed() {
    Typed t{dtype_of<T>, dtype_of<R>, {dtype_of<A>...}, sizeof...(A), {&baseline, &baseline, &baseline}};
    if constexpr (!requires { F::built_once; }) {
      if constexpr (!std::is_floating_point_v<T>) t.loops[1] = t.loops[2] = &avx2;
      else if constexpr (may_fuse(F::text)) t.loops[1] = &fused_avx2, t.loops[2] = &fused_avx512;
      else t.loops[1] = &avx2, t.loops[2] = &avx512;
    }
    return t;
  }
};

/// What a dtype is computed in when the list of types has no loops of its own for it.
template <class List>
constexpr DType computed_in(DType t) {
  auto has = [](DType x) { return List::has(x); };
  if (has(t)) return t;
  if (plain_type(t) != t) return computed_in<List>(plain_type(t));
  if (is_half(t)) return has(DType::Float32) ? DType::Float32 : DType::Float64;
  if (t == DType::Float32) return DType::Float64;
  if (t == DType::Complex64) return DType::Complex128;
  if (is_integral(t)) return has(DType::Int32) && t != DType::Int64 ? DType::Int32 : DType::Int64;
  return t;
}

template <template <class> class F, class List> struct Table;
template <template <class> class F, class First, class... More>
struct Table<F, Types<First, More...>> {
  using List = Types<First, More...>;
  static constexpr auto rows = [] {
    std::array<Typed, kDTypeSlots> r{};
    auto add = [&]<class T>(Tag<T>) { r[static_cast<size_t>(dtype_of<T>)] = Loops<F<T>, decltype(&F<T>::operator())>::template typed<T>(); };
    (add(Tag<First>{}), ..., add(Tag<More>{}));
    for (int i = 0; i < kDTypeSlots; ++i) r[static_cast<size_t>(i)] = r[static_cast<size_t>(computed_in<List>(static_cast<DType>(i)))];
    return r;
  }();
  static constexpr const char* text = F<First>::text;
};

[[noreturn]] void fail_dtype(const char* op, DType t);
inline const Typed& find(const char* op, const std::array<Typed, kDTypeSlots>& rows, DType t) {
  const Typed& row = rows[static_cast<size_t>(t)];
  if (!row.arity) [[unlikely]] fail_dtype(op, t);
  return row;
}

/// A number that becomes whatever type a parameter has.
struct Parameter {
  const Scalar& number;
  template <class T> operator T() const { return number.to<T>(); }
};

}  // namespace detail

/// Runs F<T> over `inputs` promoted to `compute`, with a result of dtype `result`; `parameters` are numbers, in the order
/// of F's members. NotImplementedError where `List` has no type for `compute`.
template <template <class> class F, class List, class... P>
Tensor map(const char* op, Out out, DType compute, DType result, std::initializer_list<Operand> inputs, const P&... parameters) {
  using Rows = detail::Table<F, List>;
  const Typed& typed = detail::find(op, Rows::rows, compute);
  const std::span<const Operand> in(inputs.begin(), inputs.size());
  if constexpr (sizeof...(P) == 0) {
    return run({op, Rows::text, &typed, "", 0}, out, result, in);
  } else {
    alignas(16) char bytes[sizeof...(P) * 16];
    int size = 0;
    List::visit(typed.compute, [&]<class T>(Tag<T>) {
      size = sizeof(F<T>);
      new (bytes) F<T>{detail::Parameter{Scalar(parameters)}...};
    });
    return run({op, Rows::text, &typed, bytes, size}, out, result, in);
  }
}

/// Integers and bools compute in the default dtype (division, exp, ...).
inline DType float_type(DType t) { return is_differentiable(t) ? t : default_dtype(); }

}  // namespace bolide::iter
