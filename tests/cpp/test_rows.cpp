// Map: helpers | softmax and cross entropy | normalisations | selections | embedding | optimizers
//
// Kernels against plain double-precision loops, ragged sizes, every instruction set of the processor.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "cpu/isa.h"
#include "cpu/kernels/rows.h"
#include "cpu/pool.h"

using namespace bolide;
namespace k = bolide::cpu;

namespace {

template <class F>
void each_isa(F f) {
  const Isa before = isa();
  for (Isa i : {Isa::Baseline, Isa::Avx2, Isa::Avx512}) {
    if (int(i) > int(best_isa())) continue;
    set_isa_for_test(i);
    INFO("instruction set " << isa_name(i));
    f();
  }
  set_isa_for_test(before);
}

std::mt19937 engine(5);
template <class T>
std::vector<T> random_values(int64_t n, double scale = 1) {
  std::normal_distribution<double> normal(0, scale);
  std::vector<T> v(static_cast<size_t>(n));
  for (T& x : v) x = T(float(normal(engine)));
  return v;
}
template <class T> double tolerance() { return sizeof(T) == 8 ? 1e-12 : sizeof(T) == 4 ? 2e-5 : std::is_same_v<T, Half> ? 2e-3 : 1.6e-2; }

template <class T>
void near(const std::vector<T>& got, const std::vector<double>& want, double slack = 1) {
  REQUIRE(got.size() == want.size());
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double d = std::fabs(double(got[i]) - want[i]) / std::max(1.0, std::fabs(want[i]));
    worst = d <= worst ? worst : d;  // NaN becomes the worst
  }
  CHECK(worst <= slack * tolerance<T>());
}

#define EACH_TYPE(f) f(float()), f(double()), f(Half()), f(BFloat16())

}  // namespace

TEST_CASE("softmax, log_softmax and their gradients, along the last and an inner dimension") {
  auto check = [](auto zero) {
    using T = decltype(zero);
    for (int64_t outer : {1, 3})
      for (int64_t n : {1, 2, 7, 33, 515})
        for (int64_t inner : {1, 3, 130})
          for (bool log : {false, true}) {
            const auto x = random_values<T>(outer * n * inner, 3), g = random_values<T>(outer * n * inner);
            std::vector<T> y(x.size()), dx(x.size());
            if (inner == 1) {
              k::softmax_rows(x.data(), y.data(), outer, n, log);
              k::softmax_backward_rows(g.data(), y.data(), dx.data(), outer, n, log);
            } else {
              k::softmax_inner(x.data(), y.data(), outer, n, inner, log);
              k::softmax_backward_inner(g.data(), y.data(), dx.data(), outer, n, inner, log);
            }
            std::vector<double> want(x.size()), want_dx(x.size());
            for (int64_t o = 0; o < outer; ++o)
              for (int64_t c = 0; c < inner; ++c) {
                auto at = [&](int64_t i) { return size_t((o * n + i) * inner + c); };
                double total = 0, dot = 0;
                for (int64_t i = 0; i < n; ++i) total += std::exp(double(x[at(i)]));
                for (int64_t i = 0; i < n; ++i) {
                  const double p = std::exp(double(x[at(i)])) / total;
                  want[at(i)] = log ? std::log(p) : p;
                  dot += log ? double(g[at(i)]) : double(g[at(i)]) * double(y[at(i)]);
                }
                for (int64_t i = 0; i < n; ++i)
                  want_dx[at(i)] = log ? double(g[at(i)]) - std::exp(double(y[at(i)])) * dot
                                       : (double(g[at(i)]) - dot) * double(y[at(i)]);
              }
            near(y, want, 4);
            near(dx, want_dx, 4);
          }
  };
  each_isa([&] { EACH_TYPE(check); });
}

TEST_CASE("softmax of infinities") {
  each_isa([] {
    std::vector<float> x = {-INFINITY, 0, 0, -INFINITY, -INFINITY, INFINITY}, y(6);
    k::softmax_rows(x.data(), y.data(), 1, 3, false);
    CHECK(y[0] == 0.0f);
    CHECK(y[1] == 0.5f);
    k::softmax_rows(x.data() + 3, y.data(), 1, 2, false);
    CHECK(std::isnan(y[0]));
    k::softmax_rows(x.data() + 3, y.data(), 1, 3, false);
    CHECK(std::isnan(y[2]));
  });
}

TEST_CASE("cross entropy with weights and ignored rows") {
  each_isa([] {
    const int64_t rows = 5, n = 1037;
    const auto x = random_values<float>(rows * n, 2);
    const std::vector<int64_t> target = {0, 1036, -100, 7, 512};
    std::vector<float> weight(size_t(n), 0.5f), loss(5), lse(5), dx(x.size());
    weight[7] = 3;
    const std::vector<float> scale = {1, 0.5f, 0, 3, 0.25f};
    k::cross_entropy_rows(x.data(), target.data(), weight.data(), -100, rows, n, loss.data(), lse.data());
    k::cross_entropy_backward_rows(x.data(), lse.data(), target.data(), scale.data(), rows, n, dx.data());
    std::vector<double> want(5), want_dx(x.size());
    for (size_t r = 0; r < 5; ++r) {
      double total = 0;
      for (int64_t i = 0; i < n; ++i) total += std::exp(double(x[r * size_t(n) + size_t(i)]));
      const bool ignored = target[r] == -100;
      if (!ignored) want[r] = weight[size_t(target[r])] * (std::log(total) - x[r * size_t(n) + size_t(target[r])]);
      for (int64_t i = 0; i < n; ++i)
        want_dx[r * size_t(n) + size_t(i)] = scale[r] * (std::exp(double(x[r * size_t(n) + size_t(i)])) / total - (i == target[r]));
    }
    near(loss, want);
    near(dx, want_dx);
  });
}

TEST_CASE("layer norm and rms norm, forward and backward") {
  auto check = [](auto zero) {
    using T = decltype(zero);
    using A = k::Compute<T>;
    for (int64_t n : {1, 5, 64, 771}) {
      const int64_t rows = 37;
      const auto x = random_values<T>(rows * n, 2), g = random_values<T>(rows * n), w = random_values<T>(n), b = random_values<T>(n);
      std::vector<T> y(x.size()), dx(x.size()), dw(w.size()), db(w.size()), ry(x.size()), rdx(x.size()), rdw(w.size());
      std::vector<A> mean(37), rstd(37), rrstd(37);
      k::layer_norm_rows(x.data(), w.data(), b.data(), rows, n, 1e-5, y.data(), mean.data(), rstd.data());
      k::layer_norm_backward_rows(g.data(), x.data(), mean.data(), rstd.data(), w.data(), rows, n, dx.data(), dw.data(), db.data());
      k::rms_norm_rows(x.data(), w.data(), rows, n, 1e-5, ry.data(), rrstd.data());
      k::rms_norm_backward_rows(g.data(), x.data(), rrstd.data(), w.data(), rows, n, rdx.data(), rdw.data());
      std::vector<double> wy(x.size()), wdx(x.size()), wdw(w.size()), wdb(w.size()), wry(x.size()), wrdx(x.size()), wrdw(w.size());
      for (int64_t r = 0; r < rows; ++r) {
        auto X = [&](int64_t i) { return double(x[size_t(r * n + i)]); };
        auto G = [&](int64_t i) { return double(g[size_t(r * n + i)]); };
        auto W = [&](int64_t i) { return double(w[size_t(i)]); };
        double m = 0, v = 0, sq = 0;
        for (int64_t i = 0; i < n; ++i) m += X(i) / double(n);
        for (int64_t i = 0; i < n; ++i) v += (X(i) - m) * (X(i) - m) / double(n), sq += X(i) * X(i) / double(n);
        const double s = 1 / std::sqrt(v + 1e-5), q = 1 / std::sqrt(sq + 1e-5);
        double a = 0, c = 0, d = 0;
        for (int64_t i = 0; i < n; ++i) {
          a += G(i) * W(i) / double(n), c += G(i) * W(i) * (X(i) - m) * s / double(n), d += G(i) * W(i) * X(i) * q / double(n);
          wdw[size_t(i)] += G(i) * (X(i) - m) * s, wdb[size_t(i)] += G(i), wrdw[size_t(i)] += G(i) * X(i) * q;
        }
        for (int64_t i = 0; i < n; ++i) {
          const size_t at = size_t(r * n + i);
          wy[at] = (X(i) - m) * s * W(i) + double(b[size_t(i)]), wry[at] = X(i) * q * W(i);
          wdx[at] = s * (G(i) * W(i) - a - (X(i) - m) * s * c), wrdx[at] = q * (G(i) * W(i) - X(i) * q * d);
        }
      }
      near(y, wy, 4), near(dw, wdw, 4), near(db, wdb, 4), near(ry, wry, 4), near(rdw, wrdw, 4);
      if (n > 1) near(dx, wdx, 8);  // a single element has rstd 316 and no gradient
      near(rdx, wrdx, n == 1 ? 400 : 8);
    }
  };
  each_isa([&] { EACH_TYPE(check); });
}

TEST_CASE("batch norm statistics, application and gradient in both layouts; group norm") {
  auto check = [](auto zero) {
    using T = decltype(zero);
    using A = k::Compute<T>;
    for (bool last : {false, true}) {
      const k::Images s{3, 6, 101, last};
      auto at = [&](int64_t b, int64_t c, int64_t i) {
        return size_t(last ? (b * s.plane + i) * s.channels + c : (b * s.channels + c) * s.plane + i);
      };
      auto x = random_values<T>(3 * 6 * 101, 2);
      const auto g = random_values<T>(3 * 6 * 101);
      std::vector<A> mean(6), var(6), scale(6), shift(6), sum_g(6), sum_gx(6);
      std::vector<T> y(x.size()), dx(x.size());
      k::batch_norm_stats(x.data(), s, mean.data(), var.data());
      k::batch_norm_sums(g.data(), x.data(), s, mean.data(), sum_g.data(), sum_gx.data());
      std::vector<double> wm(6), wv(6), wg(6), wgx(6), wy(x.size()), wdx(x.size());
      const double count = 303;
      for (int64_t c = 0; c < 6; ++c) {
        for (int64_t b = 0; b < 3; ++b) for (int64_t i = 0; i < 101; ++i) wm[size_t(c)] += double(x[at(b, c, i)]) / count;
        for (int64_t b = 0; b < 3; ++b)
          for (int64_t i = 0; i < 101; ++i) {
            const double d = double(x[at(b, c, i)]) - wm[size_t(c)];
            wv[size_t(c)] += d * d / count;
            wg[size_t(c)] += double(g[at(b, c, i)]), wgx[size_t(c)] += double(g[at(b, c, i)]) * d;
          }
        scale[size_t(c)] = A(0.5 + double(c)), shift[size_t(c)] = A(c);
      }
      near(mean, wm), near(var, wv), near(sum_g, wg, 4), near(sum_gx, wgx, 8);
      k::batch_norm_apply(x.data(), s, scale.data(), shift.data(), y.data());
      k::batch_norm_dx(g.data(), x.data(), s, mean.data(), shift.data(), var.data(), scale.data(), dx.data());
      for (int64_t c = 0; c < 6; ++c)
        for (int64_t b = 0; b < 3; ++b)
          for (int64_t i = 0; i < 101; ++i) {
            const size_t p = at(b, c, i), q = size_t(c);
            wy[p] = double(x[p]) * double(scale[q]) + double(shift[q]);
            wdx[p] = (double(g[p]) - double(shift[q]) - (double(x[p]) - double(mean[q])) * double(var[q])) * double(scale[q]);
          }
      near(y, wy), near(dx, wdx, 4);
    }
    // One group is layer norm over everything: compare with that, weights constant within a channel.
    const auto x = random_values<T>(2 * 4 * 25), g = random_values<T>(2 * 4 * 25), w = random_values<T>(4), b = random_values<T>(4);
    std::vector<T> wide_w(100), wide_b(100), y(200), ly(200), dx(200), ldx(200), dw(4), db(4), ldw(100), ldb(100);
    for (size_t i = 0; i < 100; ++i) wide_w[i] = w[i / 25], wide_b[i] = b[i / 25];
    std::vector<A> m(2), r(2), lm(2), lr(2);
    k::group_norm(x.data(), w.data(), b.data(), 2, 4, 25, 1, 1e-5, y.data(), m.data(), r.data());
    k::layer_norm_rows(x.data(), wide_w.data(), wide_b.data(), 2, 100, 1e-5, ly.data(), lm.data(), lr.data());
    near(y, std::vector<double>(ly.begin(), ly.end()), 2);
    k::group_norm_backward(g.data(), x.data(), m.data(), r.data(), w.data(), 2, 4, 25, 1, dx.data(), dw.data(), db.data());
    k::layer_norm_backward_rows(g.data(), x.data(), lm.data(), lr.data(), wide_w.data(), 2, 100, ldx.data(), ldw.data(), ldb.data());
    near(dx, std::vector<double>(ldx.begin(), ldx.end()), 4);
    std::vector<double> want_w(4), want_b(4);
    for (size_t i = 0; i < 100; ++i) want_w[i / 25] += double(ldw[i]), want_b[i / 25] += double(ldb[i]);
    near(dw, want_w, 8), near(db, want_b, 8);
  };
  each_isa([&] { EACH_TYPE(check); });
}

TEST_CASE("batch norm's variance survives a large mean") {
  each_isa([] {
    auto x = random_values<float>(4096);
    double m = 0, v = 0;
    for (float& f : x) f += 1000, m += f / 4096.0;
    for (float f : x) v += (f - m) * (f - m) / 4096.0;
    float mean, var;
    k::batch_norm_stats(x.data(), {1, 1, 4096, false}, &mean, &var);
    CHECK(std::fabs(var - v) < 1e-4 * v);
  });
}

TEST_CASE("sort and top-k are stable, NaN largest, signed zeros equal") {
  auto check = [](auto zero) {
    using T = decltype(zero);
    for (int64_t n : {1, 2, 50, 95, 97, 3000, 70000})
      for (bool descending : {false, true}) {
        std::vector<T> x(static_cast<size_t>(n));
        for (T& v : x) v = T(float(int(engine() % 2001) - 1000));
        if constexpr (!std::is_integral_v<T>) {
          if (n > 40) x[7] = T(float(NAN)), x[30] = T(-float(NAN)), x[31] = T(-0.0f), x[33] = T(float(-INFINITY));
        }
        auto less = [&](int64_t a, int64_t b) {  // NaN above all
          const double p = double(x[size_t(a)]), q = double(x[size_t(b)]);
          if (descending) return std::isnan(p) ? !std::isnan(q) : p > q;
          return std::isnan(q) ? !std::isnan(p) : p < q;
        };
        std::vector<int64_t> want(static_cast<size_t>(n)), at(want.size());
        std::iota(want.begin(), want.end(), 0);
        std::stable_sort(want.begin(), want.end(), less);
        std::vector<T> v(x.size());
        k::sort_rows(x.data(), 1, n, descending, v.data(), at.data());
        REQUIRE(at == want);
        for (size_t i = 0; i < v.size(); ++i) REQUIRE(std::signbit(float(v[i])) == std::signbit(float(x[size_t(want[i])])));
        for (int64_t count : {int64_t(1), std::min<int64_t>(n, 20), n}) {
          std::vector<int64_t> top(static_cast<size_t>(count));
          k::topk_rows(x.data(), 1, n, count, descending, v.data(), top.data());
          REQUIRE(std::equal(top.begin(), top.end(), want.begin()));
        }
      }
  };
  each_isa([&] { check(float()), check(double()), check(Half()), check(int16_t()), check(int64_t()); });
}

TEST_CASE("embedding's gradient: empty, single and repeated rows, padding") {
  each_isa([] {
    const std::vector<int64_t> index = {4, 1, 4, 2, 4, 2, 0};
    for (int64_t n : {1, 9, 40}) {
      const auto g = random_values<float>(7 * n);
      std::vector<float> dw(size_t(6 * n), 99.0f);
      k::embedding_backward(g.data(), index.data(), 7, 6, n, 2, dw.data());
      std::vector<double> want(size_t(6 * n), 0.0);
      for (size_t i = 0; i < 7; ++i)
        for (int64_t j = 0; j < n && index[i] != 2; ++j) want[size_t(index[i] * n + j)] += g[i * size_t(n) + size_t(j)];
      near(dw, want);
    }
  });
}

TEST_CASE("optimizer steps follow their formulas") {
  each_isa([] {
    const int64_t n = 1001;
    for (bool decoupled : {false, true})
      for (bool amsgrad : {false, true}) {
        auto p = random_values<double>(n), m = random_values<double>(n), v = random_values<double>(n), top = random_values<double>(n);
        for (double& x : v) x = std::fabs(x);
        for (double& x : top) x = std::fabs(x);
        const auto g = random_values<double>(n);
        std::vector<double> want = p;
        const double lr = 0.01, wd = 0.1, b1 = 0.9, b2 = 0.99, eps = 1e-8;
        for (size_t i = 0; i < size_t(n); ++i) {
          double grad = -g[i];
          if (decoupled) want[i] *= 1 - lr * wd;
          else grad += wd * want[i];
          const double nm = b1 * m[i] + (1 - b1) * grad, nv = b2 * v[i] + (1 - b2) * grad * grad;
          const double used = amsgrad ? std::max(nv, top[i]) : nv;
          want[i] -= lr / (1 - std::pow(b1, 3)) * nm / (std::sqrt(used / (1 - std::pow(b2, 3))) + eps);
        }
        k::adam_step(p.data(), g.data(), m.data(), v.data(), amsgrad ? top.data() : nullptr, n, {lr, b1, b2, eps, wd, decoupled, true, 1 - std::pow(b1, 3), 1 - std::pow(b2, 3)});
        near(p, want);
      }
    for (bool nesterov : {false, true}) {
      auto p = random_values<double>(n), buffer = random_values<double>(n);
      const auto g = random_values<double>(n);
      std::vector<double> want = p;
      for (size_t i = 0; i < size_t(n); ++i) {
        const double grad = g[i] + 0.1 * p[i], b = 0.9 * buffer[i] + 0.8 * grad;
        want[i] -= 0.05 * (nesterov ? grad + 0.9 * b : b);
      }
      k::sgd_step(p.data(), g.data(), buffer.data(), n, {0.05, 0.9, 0.2, 0.1, nesterov, false, false});
      near(p, want);
    }
    auto x = random_values<float>(100001);
    double squares = 0;
    for (float v : x) squares += double(v) * v;
    CHECK(std::fabs(k::sum_of_squares(x.data(), 100001) - squares) < 1e-5 * squares);
    const float first = x[0];
    k::scale_in_place(x.data(), 0.25, 100001);
    CHECK(x[0] == first * 0.25f);
  });
}
