// Map: sums per thread | layer norm | rms norm | group norm
#include "cpu/kernels/vec.inl"

// Column sums that several threads gather: one buffer for each of a fixed number of parts, added in order.
template <class A>
struct PartSums {
  PartSums(int64_t rows, int64_t n, int64_t grain)
      : parts(std::clamp<int64_t>(rows / std::max<int64_t>(grain, 1), 1, num_threads())), width(n), rows_(rows),
        data(size_t(parts * n), A(0)) {}
  template <class F>
  void run(F f) {  // f(part's buffer, begin, end)
    parallel_for(0, parts, 1, [&](int64_t b, int64_t e) {
      for (int64_t p = b; p < e; ++p) f(&data[size_t(p * width)], rows_ * p / parts, rows_ * (p + 1) / parts);
    });
  }
  const A* total() {
    for (int64_t p = 1; p < parts; ++p)
      for (int64_t i = 0; i < width; ++i) data[size_t(i)] += data[size_t(p * width + i)];
    return data.data();
  }
  int64_t parts, width, rows_;
  std::vector<A> data;
};

template <class T, class A>
inline void round_row(const A* x, T* y, int64_t n) {
  if constexpr (sizeof(T) == 2) narrow(x, y, n);
  else std::copy(x, x + n, y);
}

// A parameter row as Compute<T>, or `fill` throughout when there is none.
template <class T>
std::vector<Compute<T>> parameter_row(const T* p, int64_t n, Compute<T> fill) {
  std::vector<Compute<T>> row(size_t(n), fill);
  if (p) {
    if constexpr (sizeof(T) == 2) widen(p, row.data(), n);
    else std::copy(p, p + n, row.begin());
  }
  return row;
}

template <class A> struct Moments { A mean, rstd; };
template <class A>
inline Moments<A> moments(const A* x, int64_t n, double eps) {
  const A mean = sum_of<A>(n, [&](auto at) { return at(x); }) / A(n);
  const A squares = sum_of<A>(n, [&](auto at) { const auto d = at(x) - mean; return d * d; });
  return {mean, A(1) / math::detail::square_root(squares / A(n) + A(eps))};
}

template <class T>
void layer_norm_rows(const T* x, const T* weight, const T* bias, int64_t rows, int64_t n, double eps, T* y,
                     Compute<T>* mean, Compute<T>* rstd) {
  using A = Compute<T>;
  const auto w = parameter_row(weight, n, A(1)), b = parameter_row(bias, n, A(0));
  parallel_for(0, rows, row_grain(n), [&, w = w.data(), b = b.data()](int64_t begin, int64_t end) {
    ReadRow<T> read(n);
    WriteRow<T> write(n, rows * n);
    for (int64_t r = begin; r < end; ++r) {
      const A* v = read(x + r * n, n);
      A* out = write.start(y + r * n);
      const auto [m, s] = moments(v, n, eps);
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) out[i] = (v[i] - m) * s * w[i] + b[i];
      write.finish(y + r * n, n);
      if (mean) mean[r] = m;
      if (rstd) rstd[r] = s;
    }
  });
}

template <class T>
void layer_norm_backward_rows(const T* g, const T* x, const Compute<T>* mean, const Compute<T>* rstd, const T* weight,
                              int64_t rows, int64_t n, T* dx, T* dweight, T* dbias) {
  using A = Compute<T>;
  const auto weights = parameter_row(weight, n, A(1));
  const A* w = weights.data();
  PartSums<A> sums(rows, 2 * n, row_grain(n));
  sums.run([&](A* part, int64_t begin, int64_t end) {
    ReadRow<T> read_g(n), read_x(n);
    WriteRow<T> write(n, rows * n);
    A *dw = part, *db = part + n;
    for (int64_t r = begin; r < end; ++r) {
      const A *gr = read_g(g + r * n, n), *xr = read_x(x + r * n, n);
      const A m = mean[r], s = rstd[r];
      if (dx) {
        A* out = write.start(dx + r * n);
        const auto [plain, weighted] =
            two_sums_of<A>(n, [&](auto at) { return at(gr) * at(w); }, [&](auto at) { return at(xr) - m; });
        const A total = plain / A(n), along = weighted * s * s / A(n);
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) out[i] = (gr[i] * w[i] - total - (xr[i] - m) * along) * s;
        write.finish(dx + r * n, n);
      }
      if (dweight || dbias)
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) {
          dw[i] += gr[i] * ((xr[i] - m) * s);
          db[i] += gr[i];
        }
    }
  });
  const A* total = sums.total();
  if (dweight) round_row(total, dweight, n);
  if (dbias) round_row(total + n, dbias, n);
}

template <class T>
void rms_norm_rows(const T* x, const T* weight, int64_t rows, int64_t n, double eps, T* y, Compute<T>* rstd) {
  using A = Compute<T>;
  const auto weights = parameter_row(weight, n, A(1));
  const A* w = weights.data();
  parallel_for(0, rows, row_grain(n), [&](int64_t begin, int64_t end) {
    ReadRow<T> read(n);
    WriteRow<T> write(n, rows * n);
    for (int64_t r = begin; r < end; ++r) {
      const A* v = read(x + r * n, n);
      A* out = write.start(y + r * n);
      const A squares = sum_of<A>(n, [&](auto at) { return at(v) * at(v); });
      const A s = A(1) / math::detail::square_root(squares / A(n) + A(eps));
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) out[i] = v[i] * s * w[i];
      write.finish(y + r * n, n);
      if (rstd) rstd[r] = s;
    }
  });
}

template <class T>
void rms_norm_backward_rows(const T* g, const T* x, const Compute<T>* rstd, const T* weight, int64_t rows, int64_t n,
                            T* dx, T* dweight) {
  using A = Compute<T>;
  const auto weights = parameter_row(weight, n, A(1));
  const A* w = weights.data();
  PartSums<A> sums(rows, n, row_grain(n));
  sums.run([&](A* dw, int64_t begin, int64_t end) {
    ReadRow<T> read_g(n), read_x(n);
    WriteRow<T> write(n, rows * n);
    for (int64_t r = begin; r < end; ++r) {
      const A *gr = read_g(g + r * n, n), *xr = read_x(x + r * n, n);
      const A s = rstd[r];
      if (dx) {
        A* out = write.start(dx + r * n);
        const A along = sum_of<A>(n, [&](auto at) { return at(gr) * at(w) * at(xr); }) * s * s / A(n);
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) out[i] = (gr[i] * w[i] - xr[i] * along) * s;
        write.finish(dx + r * n, n);
      }
      if (dweight)
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) dw[i] += gr[i] * (xr[i] * s);
    }
  });
  if (dweight) round_row(sums.total(), dweight, n);
}

template <class T>
void group_norm(const T* x, const T* weight, const T* bias, int64_t batch, int64_t channels, int64_t plane, int64_t groups,
                double eps, T* y, Compute<T>* mean, Compute<T>* rstd) {
  using A = Compute<T>;
  const int64_t per_group = channels / groups, n = per_group * plane;
  const auto w = parameter_row(weight, channels, A(1)), b = parameter_row(bias, channels, A(0));
  parallel_for(0, batch * groups, row_grain(n), [&](int64_t begin, int64_t end) {
    ReadRow<T> read(n);
    WriteRow<T> write(n);
    for (int64_t r = begin; r < end; ++r) {
      const A* v = read(x + r * n, n);
      A* out = write.start(y + r * n);
      const auto [m, s] = moments(v, n, eps);
      for (int64_t c = 0; c < per_group; ++c) {
        const size_t channel = size_t(r % groups * per_group + c);
        const A scale = s * w[channel], shift = b[channel] - m * scale;
#pragma GCC ivdep
        for (int64_t i = c * plane; i < (c + 1) * plane; ++i) out[i] = v[i] * scale + shift;
      }
      write.finish(y + r * n, n);
      if (mean) mean[r] = m;
      if (rstd) rstd[r] = s;
    }
  });
}

template <class T>
void group_norm_backward(const T* g, const T* x, const Compute<T>* mean, const Compute<T>* rstd, const T* weight,
                         int64_t batch, int64_t channels, int64_t plane, int64_t groups, T* dx, T* dweight, T* dbias) {
  using A = Compute<T>;
  const int64_t per_group = channels / groups, n = per_group * plane;
  const auto w = parameter_row(weight, channels, A(1));
  PartSums<A> sums(batch, 2 * channels, std::max<int64_t>(1, row_grain(n * groups)));
  sums.run([&](A* part, int64_t begin, int64_t end) {
    ReadRow<T> read_g(n), read_x(n);
    WriteRow<T> write(n);
    for (int64_t r = begin * groups; r < end * groups; ++r) {
      const A *gr = read_g(g + r * n, n), *xr = read_x(x + r * n, n);
      const A m = mean[r], s = rstd[r];
      A total = 0, along = 0;
      for (int64_t c = 0; c < per_group; ++c) {
        const size_t channel = size_t(r % groups * per_group + c);
        const A *gp = gr + c * plane, *xp = xr + c * plane;
        const A sum_g = sum_of<A>(plane, [&](auto at) { return at(gp); });
        const A sum_gx = sum_of<A>(plane, [&](auto at) { return at(gp) * (at(xp) - m); });
        total += sum_g * w[channel], along += sum_gx * w[channel];
        part[channel] += sum_gx * s, part[size_t(channels) + channel] += sum_g;
      }
      if (!dx) continue;
      total /= A(n), along *= s * s / A(n);
      A* out = write.start(dx + r * n);
      for (int64_t c = 0; c < per_group; ++c) {
        const A wc = w[size_t(r % groups * per_group + c)];
#pragma GCC ivdep
        for (int64_t i = c * plane; i < (c + 1) * plane; ++i) out[i] = (gr[i] * wc - total - (xr[i] - m) * along) * s;
      }
      write.finish(dx + r * n, n);
    }
  });
  const A* total = sums.total();
  if (dweight) round_row(total, dweight, channels);
  if (dbias) round_row(total + channels, dbias, channels);
}
