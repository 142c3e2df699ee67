// The loops of embedding.cpp.
#include "cpu/kernels/vec.inl"

// dweight[v] = sum of g[order[start[v]..start[v + 1]]]
template <class T>
void gather_add(const T* g, const int32_t* start, const int32_t* order, int64_t vocabulary, int64_t n, T* dweight) {
  using A = Compute<T>;
  const int64_t bytes = n * int64_t(sizeof(T));
  const bool past = vocabulary * bytes >= kStreamBytes;
  parallel_for(0, vocabulary, row_grain(n), [&](int64_t begin, int64_t end) {
    ReadRow<T> read(n);
    WriteRow<T> write(n, vocabulary * n);
    const std::vector<T> zeros(past ? size_t(n) : 0);
    for (int64_t v = begin; v < end; ++v) {
      T* row = dweight + v * n;
      const int32_t first = start[v], last = start[v + 1];
      if (first == last) {
        if (past) stream(row, zeros.data(), bytes);
        else std::memset(static_cast<void*>(row), 0, size_t(bytes));
        continue;
      }
      if (last - first == 1) {
        const T* only = g + int64_t(order[first]) * n;
        if (past) stream(row, only, bytes);
        else std::memcpy(static_cast<void*>(row), only, size_t(bytes));
        continue;
      }
      A* sum = write.start(row);
      std::fill(sum, sum + n, A(0));
      for (int32_t k = first; k < last; ++k) {
        const A* add = read(g + int64_t(order[k]) * n, n);
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) sum[i] += add[i];
      }
      write.finish(row, n);
    }
    if (past) stream_end();
  });
}

template <class T>
void dropout(const T* x, const uint8_t* mask, double scale, int64_t n, T* y) {
  using A = Compute<T>;
  const A s = A(scale);
  parallel_for(0, n, 32768, [=](int64_t begin, int64_t end) {
#pragma GCC ivdep
    for (int64_t i = begin; i < end; ++i) y[i] = T(A(x[i]) * (mask[i] ? s : A(0)));
  });
}
