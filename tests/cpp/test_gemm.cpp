// Map: operands and the plain reference | shapes, strides, ends | types | batches | edges
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "cpu/dnnl_table.h"
#include "cpu/gemm.h"
#include "cpu/isa.h"
#include "cpu/pool.h"

using namespace bolide;

namespace {

template <class T>
struct Widened {
  using type = double;
};
template <>
struct Widened<std::complex<float>> {
  using type = std::complex<double>;
};
template <>
struct Widened<std::complex<double>> {
  using type = std::complex<double>;
};
template <class T>
using Wide = typename Widened<T>::type;

// Exactly as many elements as the strides reach: a read past the end shows under the address sanitizer.
enum class Order { Rows, Columns, Padded, Spread, Broadcast };

template <class T>
struct Matrix {
  int64_t row, col;
  std::unique_ptr<T[]> data;
  Matrix(int64_t rows, int64_t cols, Order order, std::mt19937& random) {
    switch (order) {
      case Order::Rows:
        row = cols, col = 1;
        break;
      case Order::Columns:
        row = 1, col = rows;
        break;
      case Order::Padded:
        row = cols + 3, col = 1;
        break;
      case Order::Spread:
        row = 2 * cols + 1, col = 2;
        break;
      case Order::Broadcast:
        row = 0, col = 1;
        break;
    }
    const int64_t size = rows && cols ? (rows - 1) * row + (cols - 1) * col + 1 : 0;
    data = std::make_unique<T[]>(size_t(size));
    for (int64_t i = 0; i < size; ++i) {
      // What stands between the elements is NaN.
      const bool used = (col == 1 ? row == 0 || i % row < cols : row == 1 || (i % row) % col == 0);
      data[size_t(i)] = used ? T(float(int(random() % 9) - 4)) : T(std::numeric_limits<float>::quiet_NaN());
      if constexpr (std::is_integral_v<T>) data[size_t(i)] = T(int(random() % 9) - 4);
    }
  }
  Wide<T> at(int64_t i, int64_t j) const { return Wide<T>(data[size_t(i * row + j * col)]); }
};

struct Ends {
  float alpha = 1, beta = 0;
  bool bias = false, row_bias = false, relu = false;
};

// Small integers: every sum is exact in every type, so results must be equal whatever the order of the sums.
template <class T>
void check(int64_t m, int64_t n, int64_t k, Order oa, Order ob, const Ends& ends, int seed = 0) {
  std::mt19937 random{unsigned(seed + 1)};
  const Matrix<T> a(m, k, oa, random), b(k, n, ob, random);
  const int64_t ldc = n + seed % 3;
  const T poison =
      ends.beta == 0 && !std::is_integral_v<T> ? T(std::numeric_limits<float>::quiet_NaN()) : T(2);
  std::vector<T> c(size_t(std::max<int64_t>(m * ldc, 1)), poison), bias(size_t(n) + 1),
      row_bias(size_t(m) + 1);
  for (int64_t j = 0; j < n; ++j) bias[size_t(j)] = T(float(int(random() % 5) - 2));
  for (int64_t i = 0; i < m; ++i) row_bias[size_t(i)] = T(float(int(random() % 5) - 2));
  using Compute = typename GemmCompute<T>::type;
  gemm(GemmArgs<T>{.m = m,
                   .n = n,
                   .k = k,
                   .a = a.data.get(),
                   .a_row = a.row,
                   .a_col = a.col,
                   .b = b.data.get(),
                   .b_row = b.row,
                   .b_col = b.col,
                   .c = c.data(),
                   .ldc = ldc,
                   .alpha = Compute(ends.alpha),
                   .beta = Compute(ends.beta),
                   .bias = ends.bias ? bias.data() : nullptr,
                   .row_bias = ends.row_bias ? row_bias.data() : nullptr,
                   .relu = ends.relu});
  int64_t wrong = 0;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < ldc; ++j) {
      const T got = c[size_t(i * ldc + j)];
      if (j >= n) {
        if constexpr (std::is_integral_v<T>)
          wrong += got != poison;
        else
          wrong += !(got == poison || (poison != poison && got != got));
        continue;
      }
      Wide<T> sum = 0;
      for (int64_t p = 0; p < k; ++p) sum += a.at(i, p) * b.at(p, j);
      Wide<T> value = Wide<T>(ends.alpha) * sum;
      if (ends.beta != 0) value += Wide<T>(ends.beta) * Wide<T>(2);
      if (ends.bias) value += Wide<T>(bias[size_t(j)]);
      if (ends.row_bias) value += Wide<T>(row_bias[size_t(i)]);
      if constexpr (std::is_arithmetic_v<Wide<T>>) {
        if constexpr (std::is_integral_v<T>) value = double(T(int64_t(value)));  // wraps, then relu
        if (ends.relu) value = std::max<Wide<T>>(value, 0);
      }
      if constexpr (std::is_integral_v<T>) {
        wrong += got != T(int64_t(value));
      } else if constexpr (sizeof(T) == 2) {
        wrong += float(got) != float(T(float(value)));
      } else {
        wrong += Wide<T>(got) != value;
      }
    }
  }
  CHECK_MESSAGE(wrong == 0, isa_name(isa()), " ", m, "x", n, "x", k, " orders ", int(oa), " ", int(ob),
                " alpha ", ends.alpha, " beta ", ends.beta, " bias ", ends.bias, ends.row_bias, " relu ",
                ends.relu);
}

template <class F>
void each_isa(F f) {
  const Isa before = isa();
  for (Isa one : {Isa::Baseline, Isa::Avx2, Isa::Avx512}) {
    if (one > best_isa()) continue;
    set_isa_for_test(one);
    f();
  }
  set_isa_for_test(before);
}

struct Threads {
  int before = num_threads();
  explicit Threads(int threads) { set_num_threads(threads); }
  ~Threads() { set_num_threads(before); }
};

const Ends kEnds[] = {{},
                      {2, 0},
                      {1, 1},
                      {-1, 3, true},
                      {1, 0, true, false, true},
                      {1, 1, false, true},
                      {2, -1, true, true, true}};

}  // namespace

TEST_CASE("gemm is exact over small shapes, strides and ends") {
  each_isa([] {
    int seed = 0;
    for (int64_t m : {1, 2, 3, 5, 6, 7, 9, 13, 17}) {
      for (int64_t n : {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 50}) {
        for (int64_t k : {1, 2, 3, 5, 8, 33}) {
          ++seed;
          const Order oa = Order(seed % 5), ob = Order((seed / 5) % 5);
          check<float>(m, n, k, oa, ob, kEnds[seed % 7], seed);
          check<double>(m, n, k, oa, ob, kEnds[(seed + 1) % 7], seed);
        }
      }
    }
  });
}

TEST_CASE("gemm is exact over blocked, skinny and threaded shapes") {
  struct Shape {
    int64_t m, n, k;
  };
  const Shape shapes[] = {{1, 3000, 70},  {8, 1100, 130}, {16, 333, 1029}, {17, 333, 517},
                          {3, 5, 4000},   {300, 1, 700},  {150, 70, 600},  {64, 130, 515},
                          {301, 259, 65}, {29, 2100, 40}, {700, 20, 300}};
  each_isa([&] {
    for (int threads : {1, 3}) {
      Threads use(threads);
      int seed = 0;
      for (const Shape& s : shapes) {
        for (Order oa : {Order::Rows, Order::Columns, Order::Spread}) {
          for (Order ob : {Order::Rows, Order::Columns, Order::Padded, Order::Spread}) {
            ++seed;
            check<float>(s.m, s.n, s.k, oa, ob, kEnds[seed % 7], seed);
            if (seed % 3 == 0) check<double>(s.m, s.n, s.k, oa, ob, kEnds[seed % 7], seed);
          }
        }
      }
    }
  });
}

TEST_CASE_TEMPLATE("gemm of other types", T, Half, BFloat16, uint8_t, int8_t, int16_t, int32_t, int64_t,
                   std::complex<float>, std::complex<double>) {
  each_isa([] {
    int seed = 0;
    for (int64_t m : {1, 4, 20, 45}) {
      for (int64_t n : {1, 6, 40, 77}) {
        for (int64_t k : {1, 7, 45, 300}) {
          ++seed;
          Ends ends = kEnds[seed % 7];
          if constexpr (!std::is_arithmetic_v<T> && sizeof(T) > 2) ends.relu = false;
          check<T>(m, n, k, Order(seed % 5), Order((seed / 2) % 5), ends, seed);
        }
      }
    }
  });
}

TEST_CASE("gemm of bools is or of ands") {
  const bool a[6] = {true, false, true, false, false, true}, b[6] = {false, true, false, false, true, false};
  bool c[4] = {};
  gemm(GemmArgs<bool>{
      .m = 2, .n = 2, .k = 3, .a = a, .a_row = 3, .b = b, .b_row = 2, .c = c, .ldc = 2, .alpha = true});
  CHECK(c[0] == true);
  CHECK(c[1] == true);
  CHECK(c[2] == true);
  CHECK(c[3] == false);
}

TEST_CASE("gemm without depth leaves beta * C and the biases") {
  for (float beta : {0.f, 1.f, 0.5f}) {
    float c[6] = {1, 2, 3, 4, 5, 6};
    const float bias[3] = {10, 20, -100};
    gemm(GemmArgs<float>{.m = 2, .n = 3, .k = 0, .c = c, .ldc = 3, .beta = beta, .bias = bias, .relu = true});
    for (int i = 0; i < 6; ++i) CHECK(c[i] == std::max(beta * float(i + 1) + bias[i % 3], 0.f));
  }
  gemm(GemmArgs<float>{.m = 0, .n = 3, .k = 2});
  gemm(GemmArgs<Half>{.m = 3, .n = 0, .k = 2});
  gemm(GemmArgs<std::complex<float>>{.m = 0, .n = 0, .k = 0});
}

TEST_CASE("gemm passes NaN and infinity on, through relu too") {
  each_isa([] {
    for (int64_t n : {3, 8, 40}) {
      for (int64_t m : {2, 30}) {
        std::vector<float> a(size_t(m * 4), 1.f), b(size_t(4 * n), 1.f), c(size_t(m * n));
        a[5] = std::numeric_limits<float>::quiet_NaN();
        b[size_t(n)] = std::numeric_limits<float>::infinity();
        gemm(GemmArgs<float>{.m = m,
                             .n = n,
                             .k = 4,
                             .a = a.data(),
                             .a_row = 4,
                             .b = b.data(),
                             .b_row = n,
                             .c = c.data(),
                             .ldc = n,
                             .relu = true});
        CHECK(std::isinf(c[0]));
        CHECK(c[1] == 4);
        CHECK(std::isnan(c[size_t(n)]));
        CHECK(std::isnan(c[size_t(n + 1)]));
      }
    }
  });
}

TEST_CASE("batched products equal single ones") {
  each_isa([] {
    for (int64_t batch : {0, 1, 2, 7}) {
      for (bool shared : {false, true}) {
        const int64_t m = 40, n = 33, k = 21;
        std::vector<float> a(size_t((batch + 1) * m * k)), b(size_t((batch + 1) * n * k)),
            c(size_t(batch * m * n + 1)), one(size_t(m * n));
        for (size_t i = 0; i < a.size(); ++i) a[i] = float(int(i * 7 % 11) - 5);
        for (size_t i = 0; i < b.size(); ++i) b[i] = float(int(i * 5 % 13) - 6);
        GemmArgs<float> g{.m = m,
                          .n = n,
                          .k = k,
                          .a = a.data(),
                          .a_row = k,
                          .b = b.data(),
                          .b_row = 1,
                          .b_col = k,
                          .c = c.data(),
                          .ldc = n};
        gemm_batched(g, batch, m * k, shared ? 0 : n * k, m * n);
        for (int64_t i = 0; i < batch; ++i) {
          GemmArgs<float> single = g;
          single.a = a.data() + i * m * k;
          single.b = b.data() + (shared ? 0 : i * n * k);
          single.c = one.data();
          gemm(single);
          CHECK(std::equal(one.begin(), one.end(), c.begin() + i * m * n));
        }
      }
    }
  });
}

TEST_CASE("the plugin's product equals ours") {
  const BolideDnnlTable* table = detail::dnnl_table();
  if (table == nullptr) return;
  std::mt19937 random{7};
  for (int64_t m : {3, 40}) {
    for (Order oa : {Order::Rows, Order::Columns}) {
      for (Order ob : {Order::Rows, Order::Columns, Order::Padded}) {
        const int64_t n = 37, k = 21;
        const Matrix<float> a(m, k, oa, random), b(k, n, ob, random);
        std::vector<float> own(size_t(m * n)), other(size_t(m * n)), bias(size_t(n), 3.f);
        gemm(GemmArgs<float>{.m = m,
                             .n = n,
                             .k = k,
                             .a = a.data.get(),
                             .a_row = a.row,
                             .a_col = a.col,
                             .b = b.data.get(),
                             .b_row = b.row,
                             .b_col = b.col,
                             .c = own.data(),
                             .ldc = n,
                             .bias = bias.data()});
        const BolideDnnlMatmul shape{.type = kBolideDnnlF32,
                                     .has_bias = 1,
                                     .m = m,
                                     .n = n,
                                     .k = k,
                                     .a_row = a.row,
                                     .a_col = a.col,
                                     .b_row = b.row,
                                     .b_col = b.col,
                                     .ldc = n};
        CHECK(table->matmul(&shape, a.data.get(), b.data.get(), bias.data(), other.data()) == 0);
        CHECK(own == other);
      }
    }
  }
}
