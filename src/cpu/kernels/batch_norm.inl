// Map: planes of one channel | statistics | apply | backward; first by planes, then channels last
#include "cpu/kernels/vec.inl"

inline constexpr int64_t kPiece = 4096;  // elements that stay in the first-level cache between two passes

// Count, mean and sum of squared deviations, joined in double.
struct Welford {
  double n = 0, mean = 0, m2 = 0;
  void join(double count, double other_mean, double other_m2) {
    const double total = n + count, d = other_mean - mean;
    mean += d * count / total;
    m2 += other_m2 + d * d * n * count / total;
    n = total;
  }
};

// f(x as Compute<T>, count) over the pieces of one channel's planes.
template <class T, class F>
void each_piece(const T* x, const Images& s, int64_t channel, F f) {
  Compute<T> buffer[sizeof(T) == 2 ? kPiece : 1];
  for (int64_t b = 0; b < s.batch; ++b) {
    const T* p = x + (b * s.channels + channel) * s.plane;
    for (int64_t i = 0; i < s.plane; i += kPiece) {
      const int64_t m = std::min(kPiece, s.plane - i);
      if constexpr (sizeof(T) == 2) {
        widen(p + i, buffer, m);
        f(buffer, m);
      } else {
        f(p + i, m);
      }
    }
  }
}

inline int64_t channel_grain(const Images& s) { return row_grain(s.batch * s.plane); }

template <class T>
void stats_planes(const T* x, const Images& s, Compute<T>* mean, Compute<T>* variance) {
  using A = Compute<T>;
  parallel_for(0, s.channels, channel_grain(s), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      Welford all;
      each_piece(x, s, c, [&](const A* v, int64_t m) {
        const A mu = sum_of<A>(m, [&](auto at) { return at(v); }) / A(m);
        const A m2 = sum_of<A>(m, [&](auto at) { const auto d = at(v) - mu; return d * d; });
        all.join(double(m), double(mu), double(m2));
      });
      mean[c] = A(all.mean);
      variance[c] = A(all.m2 / all.n);
    }
  });
}

template <class T>
void apply_planes(const T* x, const Images& s, const Compute<T>* scale, const Compute<T>* shift, T* y) {
  using A = Compute<T>;
  parallel_for(0, s.batch * s.channels, row_grain(s.plane), [&](int64_t begin, int64_t end) {
    ReadRow<T> read(s.plane);
    WriteRow<T> write(s.plane);
    for (int64_t r = begin; r < end; ++r) {
      const A* v = read(x + r * s.plane, s.plane);
      A* out = write.start(y + r * s.plane);
      const A a = scale[r % s.channels], b = shift[r % s.channels];
#pragma GCC ivdep
      for (int64_t i = 0; i < s.plane; ++i) out[i] = v[i] * a + b;
      write.finish(y + r * s.plane, s.plane);
    }
  });
}

template <class T>
void sums_planes(const T* g, const T* x, const Images& s, const Compute<T>* mean, Compute<T>* sum_g, Compute<T>* sum_gx) {
  using A = Compute<T>;
  parallel_for(0, s.channels, channel_grain(s), [&](int64_t begin, int64_t end) {
    ReadRow<T> read_g(s.plane), read_x(s.plane);
    for (int64_t c = begin; c < end; ++c) {
      double total = 0, along = 0;
      const A m = mean[c];
      for (int64_t b = 0; b < s.batch; ++b) {
        const int64_t at_plane = (b * s.channels + c) * s.plane;
        const A *gp = read_g(g + at_plane, s.plane), *xp = read_x(x + at_plane, s.plane);
        for (int64_t i = 0; i < s.plane; i += kPiece) {
          const A *gv = gp + i, *xv = xp + i;
          const int64_t n = std::min(kPiece, s.plane - i);
          total += double(sum_of<A>(n, [&](auto at) { return at(gv); }));
          along += double(sum_of<A>(n, [&](auto at) { return at(gv) * (at(xv) - m); }));
        }
      }
      sum_g[c] = A(total);
      sum_gx[c] = A(along);
    }
  });
}

template <class T>
void dx_planes(const T* g, const T* x, const Images& s, const Compute<T>* mean, const Compute<T>* mean_g,
               const Compute<T>* slope, const Compute<T>* scale, T* dx) {
  using A = Compute<T>;
  parallel_for(0, s.batch * s.channels, row_grain(s.plane), [&](int64_t begin, int64_t end) {
    ReadRow<T> read_g(s.plane), read_x(s.plane);
    WriteRow<T> write(s.plane);
    for (int64_t r = begin; r < end; ++r) {
      const A *gr = read_g(g + r * s.plane, s.plane), *xr = read_x(x + r * s.plane, s.plane);
      A* out = write.start(dx + r * s.plane);
      const int64_t c = r % s.channels;
      const A m = mean[c], mg = mean_g[c], k = slope[c], w = scale[c];
#pragma GCC ivdep
      for (int64_t i = 0; i < s.plane; ++i) out[i] = (gr[i] - mg - (xr[i] - m) * k) * w;
      write.finish(dx + r * s.plane, s.plane);
    }
  });
}

// ---- channels last: rows of `channels` ------------------------------------------------------------------

inline constexpr int64_t kRowsPerPart = 256;

// Runs f(part, first row, last row) over fixed parts of the rows.
template <class F>
int64_t each_part(const Images& s, F f) {
  const int64_t rows = s.batch * s.plane, parts = std::max<int64_t>(1, (rows + kRowsPerPart - 1) / kRowsPerPart);
  parallel_for(0, parts, std::max<int64_t>(1, row_grain(s.channels * kRowsPerPart)), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) f(p, p * kRowsPerPart, std::min(rows, (p + 1) * kRowsPerPart));
  });
  return parts;
}
inline int64_t part_count(const Images& s) {
  return std::max<int64_t>(1, (s.batch * s.plane + kRowsPerPart - 1) / kRowsPerPart);
}

template <class T>
void stats_last(const T* x, const Images& s, Compute<T>* mean, Compute<T>* variance) {
  using A = Compute<T>;
  const int64_t C = s.channels;
  std::vector<A> parts(size_t(2 * part_count(s) * C), A(0));
  each_part(s, [&](int64_t p, int64_t first, int64_t last) {
    ReadRow<T> read(C);
    A *mu = &parts[size_t(2 * p * C)], *m2 = mu + C;
    for (int64_t r = first; r < last; ++r) {
      const A* v = read(x + r * C, C);
#pragma GCC ivdep
      for (int64_t c = 0; c < C; ++c) mu[c] += v[c];
    }
    for (int64_t c = 0; c < C; ++c) mu[c] /= A(last - first);
    for (int64_t r = first; r < last; ++r) {
      const A* v = read(x + r * C, C);
#pragma GCC ivdep
      for (int64_t c = 0; c < C; ++c) m2[c] += (v[c] - mu[c]) * (v[c] - mu[c]);
    }
  });
  std::vector<Welford> all(static_cast<size_t>(C));
  const int64_t rows = s.batch * s.plane;
  for (int64_t p = 0; p < part_count(s); ++p)
    for (int64_t c = 0; c < C; ++c) {
      const double count = double(std::min(rows, (p + 1) * kRowsPerPart) - p * kRowsPerPart);
      all[size_t(c)].join(count, double(parts[size_t(2 * p * C + c)]), double(parts[size_t((2 * p + 1) * C + c)]));
    }
  for (int64_t c = 0; c < C; ++c) mean[c] = A(all[size_t(c)].mean), variance[c] = A(all[size_t(c)].m2 / double(rows));
}

template <class T>
void apply_last(const T* x, const Images& s, const Compute<T>* scale, const Compute<T>* shift, T* y) {
  using A = Compute<T>;
  const int64_t C = s.channels;
  parallel_for(0, s.batch * s.plane, row_grain(C), [&](int64_t begin, int64_t end) {
    ReadRow<T> read(C);
    WriteRow<T> write(C);
    for (int64_t r = begin; r < end; ++r) {
      const A* v = read(x + r * C, C);
      A* out = write.start(y + r * C);
#pragma GCC ivdep
      for (int64_t c = 0; c < C; ++c) out[c] = v[c] * scale[c] + shift[c];
      write.finish(y + r * C, C);
    }
  });
}

template <class T>
void sums_last(const T* g, const T* x, const Images& s, const Compute<T>* mean, Compute<T>* sum_g, Compute<T>* sum_gx) {
  using A = Compute<T>;
  const int64_t C = s.channels;
  std::vector<A> parts(size_t(2 * part_count(s) * C), A(0));
  each_part(s, [&](int64_t p, int64_t first, int64_t last) {
    ReadRow<T> read_g(C), read_x(C);
    A *total = &parts[size_t(2 * p * C)], *along = total + C;
    for (int64_t r = first; r < last; ++r) {
      const A *gr = read_g(g + r * C, C), *xr = read_x(x + r * C, C);
#pragma GCC ivdep
      for (int64_t c = 0; c < C; ++c) total[c] += gr[c], along[c] += gr[c] * (xr[c] - mean[c]);
    }
  });
  for (int64_t c = 0; c < C; ++c) {
    double total = 0, along = 0;
    for (int64_t p = 0; p < part_count(s); ++p)
      total += double(parts[size_t(2 * p * C + c)]), along += double(parts[size_t((2 * p + 1) * C + c)]);
    sum_g[c] = A(total), sum_gx[c] = A(along);
  }
}

template <class T>
void dx_last(const T* g, const T* x, const Images& s, const Compute<T>* mean, const Compute<T>* mean_g,
             const Compute<T>* slope, const Compute<T>* scale, T* dx) {
  using A = Compute<T>;
  const int64_t C = s.channels;
  parallel_for(0, s.batch * s.plane, row_grain(C), [&](int64_t begin, int64_t end) {
    ReadRow<T> read_g(C), read_x(C);
    WriteRow<T> write(C);
    for (int64_t r = begin; r < end; ++r) {
      const A *gr = read_g(g + r * C, C), *xr = read_x(x + r * C, C);
      A* out = write.start(dx + r * C);
#pragma GCC ivdep
      for (int64_t c = 0; c < C; ++c) out[c] = (gr[c] - mean_g[c] - (xr[c] - mean[c]) * slope[c]) * scale[c];
      write.finish(dx + r * C, C);
    }
  });
}
