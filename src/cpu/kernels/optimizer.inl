// Map: adam | sgd | norms and scaling. Elementwise loops in PyTorch's order of operations.
#include "cpu/kernels/vec.inl"

inline constexpr int64_t kStepGrain = 16384;

// PyTorch's vector code fuses these on every processor that can.
template <class T> [[gnu::always_inline]] inline T fused(T a, T b, T c) {
#if BOLIDE_HAS_AVX2
  if constexpr (sizeof(T) == 4) return __builtin_fmaf(a, b, c);
  else return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}

template <class T, bool kMax>
void adam_range(T* p, const T* g, T* first, T* second, T* top, int64_t begin, int64_t end, const AdamStep& s) {
  const T shrink = T(1 - s.lr * s.weight_decay), decay = T(s.weight_decay), sign = s.maximize ? T(-1) : T(1);
  const T rate = T(-(s.lr / s.correction1)), root = T(std::sqrt(s.correction2)), eps = T(s.eps);
  const T weight1 = T(1 - s.beta1), beta2 = T(s.beta2), weight2 = T(1 - s.beta2);
  const T coupled = s.decoupled ? T(0) : decay, kept = s.decoupled ? shrink : T(1);
#pragma GCC ivdep
  for (int64_t i = begin; i < end; ++i) {
    const T parameter = p[i] * kept;
    const T gradient = fused(coupled, parameter, sign * g[i]);
    const T m = fused(weight1, gradient - first[i], first[i]);
    const T v = fused(weight2 * gradient, gradient, second[i] * beta2);
    T largest = v;
    if constexpr (kMax) largest = top[i] = v > top[i] ? v : top[i];
    first[i] = m;
    second[i] = v;
    p[i] = parameter + rate * m / (math::detail::square_root(largest) / root + eps);
  }
}

template <class T>
void adam_step(T* p, const T* g, T* first, T* second, T* max_second, int64_t n, const AdamStep& s) {
  parallel_for(0, n, kStepGrain, [&](int64_t begin, int64_t end) {
    if (max_second) adam_range<T, true>(p, g, first, second, max_second, begin, end, s);
    else adam_range<T, false>(p, g, first, second, max_second, begin, end, s);
  });
}

template <class T>
void sgd_step(T* p, const T* g, T* buffer, int64_t n, const SgdStep& s) {
  const T decay = T(s.weight_decay), sign = s.maximize ? T(-1) : T(1), rate = T(-s.lr);
  const T momentum = T(s.momentum), fresh = T(1 - s.dampening);
  parallel_for(0, n, kStepGrain, [=](int64_t begin, int64_t end) {
    if (!buffer) {
#pragma GCC ivdep
      for (int64_t i = begin; i < end; ++i) p[i] += rate * (sign * g[i] + decay * p[i]);
      return;
    }
#pragma GCC ivdep
    for (int64_t i = begin; i < end; ++i) {
      const T gradient = sign * g[i] + decay * p[i];
      const T velocity = s.first ? gradient : buffer[i] * momentum + fresh * gradient;
      buffer[i] = velocity;
      p[i] += rate * (s.nesterov ? gradient + momentum * velocity : velocity);
    }
  });
}

template <class T>
double sum_of_squares(const T* x, int64_t n) {
  constexpr int64_t kBlock = 32768;
  using A = Compute<T>;
  const int64_t blocks = (n + kBlock - 1) / kBlock;
  std::vector<double> part(size_t(std::max<int64_t>(blocks, 1)), 0.0);
  parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    ReadRow<T> read(kBlock);
    for (int64_t b = begin; b < end; ++b) {
      for (int64_t i = b * kBlock, last = std::min(n, i + kBlock); i < last; i += 1024) {
        const int64_t m = std::min<int64_t>(1024, last - i);
        const A* v = read(x + i, m);
        part[size_t(b)] += double(sum_of<A>(m, [&](auto at) { return at(v) * at(v); }));
      }
    }
  });
  double total = 0;
  for (double v : part) total += v;
  return total;
}

template <class T>
void scale_in_place(T* x, double factor, int64_t n) {
  using A = Compute<T>;
  const A f = A(factor);
  parallel_for(0, n, kStepGrain, [=](int64_t begin, int64_t end) {
#pragma GCC ivdep
    for (int64_t i = begin; i < end; ++i) x[i] = T(A(x[i]) * f);
  });
}
