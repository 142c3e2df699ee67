// Map: one row | rows | backward | an inner dimension | cross entropy
#include "cpu/kernels/vec.inl"

#pragma GCC push_options
#pragma GCC optimize("fp-contract=fast")  // exp and log are polynomials: nobody relies on their last bit

template <class A>
inline A sum_exp(const A* x, int64_t n, A top) {
  constexpr int64_t kBlock = 512;
  A e[kBlock], total = 0;
  for (int64_t i = 0; i < n; i += kBlock) {
    const int64_t m = std::min(kBlock, n - i);
    for (int64_t j = 0; j < m; ++j) e[j] = math::exp_nonpositive(x[i + j] - top);
    total += sum_of<A>(m, [&](auto at) { return at(e); });
  }
  return total;
}

template <class T, class A>
inline A round_to(A x) {
  return A(T(x));
}

template <class T, class A>
inline void softmax_row(const A* x, A* y, int64_t n, bool log) {
  const A top = max_of(x, n);
  if (log) {
    const A lse = round_to<T>(math::log(round_to<T>(sum_exp(x, n, top))));
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - top) - lse;
    return;
  }
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = math::exp_nonpositive(x[i] - top);
  const A scale = A(1) / sum_of<A>(n, [&](auto at) { return at(y); });
  for (int64_t i = 0; i < n; ++i) y[i] *= scale;
}

template <class T>
void softmax_rows(const T* x, T* y, int64_t rows, int64_t n, bool log) {
  parallel_for(0, rows, row_grain(n), [&](int64_t begin, int64_t end) {
    ReadRow<T> read(n);
    WriteRow<T> write(n, rows * n);
    for (int64_t r = begin; r < end; ++r) {
      softmax_row<T>(read(x + r * n, n), write.start(y + r * n), n, log);
      write.finish(y + r * n, n);
    }
  });
}

template <class T>
void softmax_backward_rows(const T* g, const T* y, T* dx, int64_t rows, int64_t n, bool log) {
  using A = Compute<T>;
  parallel_for(0, rows, row_grain(n), [&](int64_t begin, int64_t end) {
    ReadRow<T> read_g(n), read_y(n);
    WriteRow<T> write(n, rows * n);
    for (int64_t r = begin; r < end; ++r) {
      const A *gr = read_g(g + r * n, n), *yr = read_y(y + r * n, n);
      A* out = write.start(dx + r * n);
      if (log) {
        const A total = sum_of<A>(n, [&](auto at) { return at(gr); });
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) out[i] = gr[i] - math::exp_nonpositive(yr[i]) * total;
      } else {
        const A total = sum_of<A>(n, [&](auto at) { return at(gr) * at(yr); });
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) out[i] = (gr[i] - total) * yr[i];
      }
      write.finish(dx + r * n, n);
    }
  });
}

// [outer, dim, inner]: a block of neighbouring columns at a time, with their maxima and sums beside it.
inline constexpr int64_t kColumns = 128;

template <class T>
inline Compute<T>* wide(const T* p, Compute<T>* buffer, int64_t m) {
  if constexpr (sizeof(T) == 2) {
    widen(p, buffer, m);
    return buffer;
  } else {
    return const_cast<T*>(p);
  }
}

template <class T>
void softmax_block(const T* x, T* y, int64_t dim, int64_t inner, int64_t m, bool log) {
  using A = Compute<T>;
  A top[kColumns], total[kColumns], a[kColumns], b[kColumns];
  for (int64_t c = 0; c < m; ++c) top[c] = -math::detail::kInfinity<A>, total[c] = 0;
  for (int64_t d = 0; d < dim; ++d) {
    const A* v = wide(x + d * inner, a, m);
    for (int64_t c = 0; c < m; ++c) top[c] = v[c] > top[c] ? v[c] : top[c];
  }
  for (int64_t d = 0; d < dim; ++d) {
    const A* v = wide(x + d * inner, a, m);
    for (int64_t c = 0; c < m; ++c) total[c] += math::exp_nonpositive(v[c] - top[c]);
  }
  for (int64_t c = 0; c < m; ++c) total[c] = log ? math::log(total[c]) : A(1) / total[c];
  for (int64_t d = 0; d < dim; ++d) {
    const A* v = wide(x + d * inner, a, m);
    if (log)
      for (int64_t c = 0; c < m; ++c) b[c] = (v[c] - top[c]) - total[c];
    else
      for (int64_t c = 0; c < m; ++c) b[c] = math::exp_nonpositive(v[c] - top[c]) * total[c];
    if constexpr (sizeof(T) == 2) narrow(b, y + d * inner, m);
    else std::copy(b, b + m, y + d * inner);
  }
}

template <class T>
void softmax_backward_block(const T* g, const T* y, T* dx, int64_t dim, int64_t inner, int64_t m, bool log) {
  using A = Compute<T>;
  A total[kColumns], a[kColumns], b[kColumns], out[kColumns];
  for (int64_t c = 0; c < m; ++c) total[c] = 0;
  for (int64_t d = 0; d < dim; ++d) {
    const A *gv = wide(g + d * inner, a, m), *yv = wide(y + d * inner, b, m);
    for (int64_t c = 0; c < m; ++c) total[c] += log ? gv[c] : gv[c] * yv[c];
  }
  for (int64_t d = 0; d < dim; ++d) {
    const A *gv = wide(g + d * inner, a, m), *yv = wide(y + d * inner, b, m);
    if (log)
      for (int64_t c = 0; c < m; ++c) out[c] = gv[c] - math::exp_nonpositive(yv[c]) * total[c];
    else
      for (int64_t c = 0; c < m; ++c) out[c] = (gv[c] - total[c]) * yv[c];
    if constexpr (sizeof(T) == 2) narrow(out, dx + d * inner, m);
    else std::copy(out, out + m, dx + d * inner);
  }
}

template <class F>
void each_column_block(int64_t outer, int64_t dim, int64_t inner, F f) {
  const int64_t blocks = (inner + kColumns - 1) / kColumns;
  parallel_for(0, outer * blocks, row_grain(dim * std::min(inner, kColumns)), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const int64_t c = k % blocks * kColumns;
      f(k / blocks * dim * inner + c, std::min(kColumns, inner - c));
    }
  });
}

template <class T>
void softmax_inner(const T* x, T* y, int64_t outer, int64_t dim, int64_t inner, bool log) {
  each_column_block(outer, dim, inner, [&](int64_t at, int64_t m) { softmax_block(x + at, y + at, dim, inner, m, log); });
}

template <class T>
void softmax_backward_inner(const T* g, const T* y, T* dx, int64_t outer, int64_t dim, int64_t inner, bool log) {
  each_column_block(outer, dim, inner,
                    [&](int64_t at, int64_t m) { softmax_backward_block(g + at, y + at, dx + at, dim, inner, m, log); });
}

template <class T>
void cross_entropy_rows(const T* x, const int64_t* target, const Compute<T>* weight, int64_t ignore_index,
                        int64_t rows, int64_t n, Compute<T>* loss, Compute<T>* lse) {
  using A = Compute<T>;
  parallel_for(0, rows, row_grain(n), [&](int64_t begin, int64_t end) {
    ReadRow<T> read(n);
    for (int64_t r = begin; r < end; ++r) {
      const A* v = read(x + r * n, n);
      const A top = max_of(v, n);
      lse[r] = top + math::log(sum_exp(v, n, top));
      const int64_t t = target[r];
      loss[r] = t == ignore_index ? A(0) : (lse[r] - v[t]) * (weight ? weight[t] : A(1));
    }
  });
}

template <class T>
void cross_entropy_backward_rows(const T* x, const Compute<T>* lse, const int64_t* target, const Compute<T>* scale,
                                 int64_t rows, int64_t n, T* dx) {
  using A = Compute<T>;
  parallel_for(0, rows, row_grain(n), [&](int64_t begin, int64_t end) {
    ReadRow<T> read(n);
    WriteRow<T> write(n, rows * n);
    for (int64_t r = begin; r < end; ++r) {
      const A s = scale[r], shift = lse[r];
      A* out = write.start(dx + r * n);
      if (s == A(0)) {
        std::fill(out, out + n, A(0));
      } else {
        const A* v = read(x + r * n, n);
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) out[i] = math::exp_nonpositive(v[i] - shift) * s;
        out[target[r]] -= s;
      }
      write.finish(dx + r * n, n);
    }
  });
}

#pragma GCC pop_options
