// Map: comparing | a row | columns | the reducer
//
// Extremes along one dimension with their positions. NaN is above (below) all; the first of equals wins.
#include "cpu/kernels/vec.inl"

template <class A> [[gnu::always_inline]] inline bool beats(A a, A b, bool smallest) {
  if constexpr (std::is_floating_point_v<A>) {
    if (b != b) return false;
    if (a != a) return true;
  }
  return smallest ? a < b : a > b;
}

// The position of the best of n elements.
template <class T, class A, bool Smallest>
inline int64_t first_best(const T* x, int64_t stride, int64_t n) {
  int64_t best = 0, i = 1;
  A top = A(x[0]);
  constexpr int64_t kBlock = 64;
  if (stride == 1) {
    for (; i + kBlock <= n; i += kBlock) {
      int any = 0;  // does the block hold anything better? rarely, so look closely only then
      for (int64_t j = 0; j < kBlock; ++j) {
        const A v = A(x[i + j]);
        any |= Smallest ? !(v >= top) : !(v <= top);
      }
      if (!any) continue;
      for (int64_t j = i; j < i + kBlock; ++j)
        if (beats(A(x[j]), top, Smallest)) top = A(x[j]), best = j;
      if constexpr (std::is_floating_point_v<A>)
        if (top != top) return best;
    }
  }
  for (; i < n; ++i)
    if (beats(A(x[i * stride]), top, Smallest)) top = A(x[i * stride]), best = i;
  return best;
}

template <class T, bool Smallest>
struct Extreme {
  using A = Compute<T>;
  struct Best {
    A value;
    int64_t index;  // below zero: nothing seen
  };
  static void init(char* acc, int64_t n) { std::fill_n(reinterpret_cast<Best*>(acc), n, Best{A(0), -1}); }
  static void take(Best& b, A value, int64_t index) {
    if (b.index < 0 || beats(value, b.value, Smallest)) b = {value, index};
  }

  static void columns(Best* acc, const T* x, int64_t n, int64_t rows, int64_t stride, int64_t first) {
    constexpr int64_t kBlock = 128;
    using Index = std::conditional_t<sizeof(A) == 8, int64_t, int32_t>;  // as wide as A, so that lanes match
    A top[kBlock];
    Index where[kBlock];
    for (int64_t c = 0; c < n; c += kBlock) {
      const int64_t m = std::min(kBlock, n - c);
      for (int64_t j = 0; j < m; ++j) top[j] = A(x[c + j]), where[j] = 0;
      for (int64_t r = 1; r < rows; ++r) {
        const T* row = x + r * stride + c;
        const Index at = Index(r);
        for (int64_t j = 0; j < m; ++j) {
          const A v = A(row[j]), t = top[j];
          const bool better = (Smallest ? v < t : v > t) | ((v != v) & (t == t));
          top[j] = better ? v : t;
          where[j] = better ? at : where[j];
        }
      }
      for (int64_t j = 0; j < m; ++j) take(acc[c + j], top[j], first + int64_t(where[j]));
    }
  }

  static void add(char* to, int64_t n, const char* in, int64_t rows, int64_t row_stride, int64_t column_stride, int64_t first, const void*) {
    Best* acc = reinterpret_cast<Best*>(to);
    const T* x = reinterpret_cast<const T*>(in);
    const int64_t rs = row_stride / int64_t(sizeof(T)), cs = column_stride / int64_t(sizeof(T));
    if (cs == 1 && n >= 8 && rows < (int64_t(1) << 31)) return columns(acc, x, n, rows, rs, first);
    for (int64_t j = 0; j < n; ++j) {
      const int64_t at = first_best<T, A, Smallest>(x + j * cs, rs, rows);
      take(acc[j], A(x[j * cs + at * rs]), first + at);
    }
  }
  static void merge(char* to, const char* parts, int64_t count) {
    Best& acc = *reinterpret_cast<Best*>(to);
    for (int64_t k = 0; k < count; ++k) {
      const Best& p = reinterpret_cast<const Best*>(parts)[k];
      if (p.index >= 0) take(acc, p.value, p.index);
    }
  }
  static void finish(const char* from, int64_t n, char* out, int64_t stride, char* second, int64_t second_stride, const void*) {
    const Best* acc = reinterpret_cast<const Best*>(from);
    if (out)
      for (int64_t i = 0; i < n; ++i) *reinterpret_cast<T*>(out + i * stride) = T(acc[i].value);
    if (second)
      for (int64_t i = 0; i < n; ++i) *reinterpret_cast<int64_t*>(second + i * second_stride) = acc[i].index;
  }
};

inline iter::Reducer extreme_reducer(const char* op, bool largest, DType t) {
  iter::Reducer r{};
  dispatch<RealTypes>(op, t, [&]<class T>(Tag<T>) {
    using S = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;
    const auto make = [&]<class E>(Tag<E>) { r = {sizeof(typename E::Best), E::init, E::add, E::merge, E::finish}; };
    if (largest) make(Tag<Extreme<S, false>>{});
    else make(Tag<Extreme<S, true>>{});
  });
  return r;
}
