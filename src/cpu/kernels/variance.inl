// Map: moments | a row | columns | the reducer
//
// Variances in one pass over memory: pieces that stay in the first-level cache get their own mean and sum of squared
// deviations (in double, two passes), and pieces join by Chan's formula.
#include "cpu/kernels/vec.inl"

struct Moments {
  double count, mean, squares;
  void join(double n, double m, double s) {
    const double total = count + n;
    if (total == 0) return;
    const double apart = m - mean;
    mean += apart * (n / total);
    squares += s + apart * apart * (count * n / total);
    count = total;
  }
};

template <class T>
struct MomentsOf {
  using A = Compute<T>;
  static constexpr int64_t kPiece = 1024;

  static void init(char* acc, int64_t n) { std::fill_n(reinterpret_cast<Moments*>(acc), n, Moments{0, 0, 0}); }

  static void piece(Moments& m, const A* p, int64_t n) {
    constexpr int L = 16;
    double lane[L] = {}, total = 0, squares = 0;
    int64_t i = 0;
    for (; i + L <= n; i += L)
      for (int k = 0; k < L; ++k) lane[k] += double(p[i + k]);
    for (int k = 0; k < L; ++k) total += lane[k], lane[k] = 0;
    for (; i < n; ++i) total += double(p[i]);
    const double mean = total / double(n);
    for (i = 0; i + L <= n; i += L)
      for (int k = 0; k < L; ++k) {
        const double d = double(p[i + k]) - mean;
        lane[k] += d * d;
      }
    for (int k = 0; k < L; ++k) squares += lane[k];
    for (; i < n; ++i) squares += (double(p[i]) - mean) * (double(p[i]) - mean);
    m.join(double(n), mean, squares);
  }
  static void row(Moments& m, const T* p, int64_t stride, int64_t n) {
    A copy[kPiece];
    for (int64_t i = 0; i < n; i += kPiece) {
      const int64_t size = std::min(kPiece, n - i);
      const A* q = copy;
      if constexpr (sizeof(T) == 2) {
        if (stride == 1) widen(p + i, copy, size);
        else for (int64_t k = 0; k < size; ++k) copy[k] = A(p[(i + k) * stride]);
      } else {
        if (stride == 1) q = p + i;
        else for (int64_t k = 0; k < size; ++k) copy[k] = p[(i + k) * stride];
      }
      piece(m, q, size);
    }
  }
  static void columns(Moments* acc, const T* x, int64_t n, int64_t rows, int64_t stride) {
    constexpr int64_t kRows = 64, kColumns = 128;
    double mean[kColumns], squares[kColumns];
    for (int64_t c = 0; c < n; c += kColumns) {
      const int64_t m = std::min(kColumns, n - c);
      for (int64_t r = 0; r < rows; r += kRows) {
        const int64_t h = std::min(kRows, rows - r);
        const T* p = x + r * stride + c;
        std::fill_n(mean, m, 0.0);
        std::fill_n(squares, m, 0.0);
        for (int64_t i = 0; i < h; ++i)
          for (int64_t j = 0; j < m; ++j) mean[j] += double(A(p[i * stride + j]));
        for (int64_t j = 0; j < m; ++j) mean[j] /= double(h);
        for (int64_t i = 0; i < h; ++i)
          for (int64_t j = 0; j < m; ++j) {
            const double d = double(A(p[i * stride + j])) - mean[j];
            squares[j] += d * d;
          }
        for (int64_t j = 0; j < m; ++j) acc[c + j].join(double(h), mean[j], squares[j]);
      }
    }
  }
  static void add(char* to, int64_t n, const char* in, int64_t rows, int64_t row_stride, int64_t column_stride, int64_t, const void*) {
    Moments* acc = reinterpret_cast<Moments*>(to);
    const T* x = reinterpret_cast<const T*>(in);
    const int64_t rs = row_stride / int64_t(sizeof(T)), cs = column_stride / int64_t(sizeof(T));
    if (cs == 1 && n >= 4) return columns(acc, x, n, rows, rs);
    for (int64_t j = 0; j < n; ++j) row(acc[j], x + j * cs, rs, rows);
  }
  static void merge(char* to, const char* parts, int64_t count) {
    Moments& acc = *reinterpret_cast<Moments*>(to);
    for (int64_t k = 0; k < count; ++k) {
      const Moments& p = reinterpret_cast<const Moments*>(parts)[k];
      acc.join(p.count, p.mean, p.squares);
    }
  }
  static void finish(const char* from, int64_t n, char* out, int64_t stride, char* second, int64_t second_stride, const void* params) {
    const Moments* acc = reinterpret_cast<const Moments*>(from);
    const Variance v = *static_cast<const Variance*>(params);
    for (int64_t i = 0; i < n; ++i) {
      const double variance = acc[i].squares / v.divisor, mean = acc[i].count == 0 ? std::numeric_limits<double>::quiet_NaN() : acc[i].mean;
      if (out) *reinterpret_cast<T*>(out + i * stride) = T(A(v.root ? std::sqrt(variance) : variance));
      if (second) *reinterpret_cast<T*>(second + i * second_stride) = T(A(mean));
    }
  }
};

inline iter::Reducer variance_reducer(const char* op, DType t) {
  iter::Reducer r{};
  dispatch<Join<Floats, Halves>>(op, t, [&]<class T>(Tag<T>) {
    using M = MomentsOf<T>;
    r = {sizeof(Moments), M::init, M::add, M::merge, M::finish};
  });
  return r;
}
