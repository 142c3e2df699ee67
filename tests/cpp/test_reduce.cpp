// Map: helpers | sums | folds | extremes | variances | scans
//
// Reductions and scans over strided layouts against plain loops in double, on every instruction set.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "bolide/ops.h"
#include "cpu/isa.h"
#include "cpu/kernels/rows.h"
#include "cpu/pool.h"

using namespace bolide;

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

std::mt19937 engine(11);
Tensor random_tensor(IntList sizes, DType t = DType::Float32) {
  Tensor x = Tensor::make(sizes, DType::Float64);
  std::normal_distribution<double> normal;
  for (int64_t i = 0; i < x.numel(); ++i) x.data<double>()[i] = t == DType::Int64 ? double(engine() % 100) - 50 : normal(engine);
  return x.to(t);
}
double value(const Tensor& t, int64_t i) { return t.contiguous().flatten().select(0, i).item<double>(); }

/// x's elements as [kept, reduced] in double, for reducing dimension `dim`.
std::vector<std::vector<double>> lines(const Tensor& x, int64_t dim) {
  std::vector<int64_t> order;
  for (int64_t d = 0; d < x.dim(); ++d)
    if (d != dim) order.push_back(d);
  order.push_back(dim);
  const Tensor y = x.permute(order).to(DType::Float64).contiguous();
  const int64_t n = x.size(dim);
  std::vector<std::vector<double>> out(static_cast<size_t>(y.numel() / n));
  for (size_t i = 0; i < out.size(); ++i) out[i].assign(y.data<double>() + int64_t(i) * n, y.data<double>() + int64_t(i + 1) * n);
  return out;
}
void matches(const Tensor& got, const Tensor& x, int64_t dim, const std::function<double(const std::vector<double>&)>& f, double tolerance) {
  const auto in = lines(x, dim);
  REQUIRE(got.numel() == int64_t(in.size()));
  const Tensor g = got.to(DType::Float64).contiguous();
  double worst = 0;
  for (size_t i = 0; i < in.size(); ++i) {
    const double want = f(in[i]), d = std::fabs(g.data<double>()[i] - want) / std::max(1.0, std::fabs(want));
    worst = d <= worst ? worst : d;
  }
  CHECK(worst <= tolerance);
}
/// Layouts of one 3-d shape: dense, permuted, stepped.
std::vector<Tensor> layouts(DType t) {
  const Tensor a = random_tensor({6, 70, 37}, t);
  return {a, random_tensor({70, 37, 6}, t).permute({2, 0, 1}), random_tensor({6, 140, 74}, t).slice(1, 0, {}, 2).slice(2, 1, {}, 2),
          random_tensor({1, 70, 1}, t).expand({6, 70, 37})};
}

}  // namespace

TEST_CASE("sums over any layout and dimension") {
  each_isa([] {
    for (DType t : {DType::Float32, DType::Float64, DType::Float16, DType::BFloat16, DType::Int64, DType::Int8, DType::Bool})
      for (const Tensor& x : layouts(t))
        for (int64_t dim : {0, 1, 2}) {
          const double tolerance = t == DType::Float64 ? 1e-13 : t == DType::Float32 ? 1e-5 : is_half(t) ? 1e-2 : 0;
          auto add = [](const std::vector<double>& v) { double s = 0; for (double e : v) s += e; return s; };
          matches(sum(x, IntList{dim}), x, dim, add, tolerance);
          if (is_differentiable(t)) matches(mean(x, IntList{dim}), x, dim, [&](const auto& v) { return add(v) / double(v.size()); }, tolerance);
          CHECK(value(sum(sum(x, IntList{dim}, true, DType::Float64)), 0) == doctest::Approx(value(sum(x, DType::Float64), 0)));
        }
  });
}

TEST_CASE("sums have the same bits for every instruction set, by rows, columns and whole") {
  const int before = num_threads();
  for (int threads : {1, 2}) {
    set_num_threads(threads);
    for (int64_t rows : {1, 5, 16, 100, 1000})
      for (int64_t columns : {1, 3, 4, 8, 31, 32, 45, 1100}) {
        const Tensor x = random_tensor({rows, columns});
        std::vector<Tensor> seen;
        each_isa([&] { seen.push_back(cat(std::vector<Tensor>{sum(x, IntList{0}), sum(x, IntList{1}), sum(x).reshape({1})})); });
        for (const Tensor& s : seen) CHECK(all(eq(s, seen[0])).item<bool>());
      }
  }
  set_num_threads(before);
  CHECK(sum(ones({4000}, DType::Float16)).item<double>() == 4000);
  const Tensor x = random_tensor({100000});
  CHECK(cpu::sum_all(x.data<float>(), x.numel()) == sum(x).item<float>());
}

TEST_CASE("products, extremes, counts, all and any") {
  each_isa([] {
    for (DType t : {DType::Float32, DType::Float64, DType::BFloat16, DType::Int64, DType::Int8, DType::UInt8, DType::Bool})
      for (const Tensor& x : layouts(t))
        for (int64_t dim : {0, 2}) {
          const IntList dims(&dim, 1);
          matches(amax(x, dims), x, dim, [](const auto& v) { return *std::max_element(v.begin(), v.end()); }, 0);
          matches(amin(x, dims), x, dim, [](const auto& v) { return *std::min_element(v.begin(), v.end()); }, 0);
          matches(count_nonzero(x, dim), x, dim, [](const auto& v) { return double(v.size()) - double(std::count(v.begin(), v.end(), 0.0)); }, 0);
          matches(any(x, dims), x, dim, [](const auto& v) { return std::count(v.begin(), v.end(), 0.0) < std::ptrdiff_t(v.size()); }, 0);
          matches(all(x, dims), x, dim, [](const auto& v) { return std::count(v.begin(), v.end(), 0.0) == 0; }, 0);
        }
    const Tensor x = random_tensor({6, 7, 9}, DType::Float64);
    matches(prod(x, 1), x, 1, [](const auto& v) { double p = 1; for (double e : v) p *= e; return p; }, 1e-12);
  });
  const Tensor x = random_tensor({100});
  x.slice(0, 50, 51).fill_(NAN);
  CHECK(std::isnan(max(x).item<double>()));
  CHECK(std::isnan(amin(x).item<double>()));
  CHECK(!std::isnan(nansum(x).item<double>()));
}

TEST_CASE("positions of extremes: ties, NaN, rows and columns") {
  each_isa([] {
    for (bool largest : {false, true})
      for (int64_t n : {1, 2, 63, 64, 65, 300}) {
        const Tensor x = Tensor::make({13, n}, DType::Float32);
        for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = float(engine() % 20);
        if (n > 64) x.data<float>()[n + 40] = x.data<float>()[n + 60] = NAN;
        for (const Tensor& y : {x, x.t().contiguous().t()}) {
          const auto [v, at] = largest ? max(y, 1) : min(y, 1);
          for (int64_t r = 0; r < 13; ++r) {
            const float* row = x.data<float>() + r * n;
            int64_t want = 0;
            for (int64_t i = 0; i < n; ++i)
              if (!std::isnan(row[want]) && (std::isnan(row[i]) || (largest ? row[i] > row[want] : row[i] < row[want]))) want = i;
            CHECK(at.data<int64_t>()[r] == want);
            CHECK((v.data<float>()[r] == row[want] || std::isnan(row[want])));
          }
        }
      }
    Tensor big = zeros({200000});
    big.data<float>()[150001] = big.data<float>()[199999] = 3;
    CHECK(argmax(big).item<int64_t>() == 150001);
    CHECK(argmin(big).item<int64_t>() == 0);
  });
}

TEST_CASE("scans along any dimension") {
  each_isa([] {
    for (DType t : {DType::Float32, DType::Int64, DType::BFloat16})
      for (const Tensor& x : layouts(t))
        for (int64_t dim : {0, 1, 2}) {
          const Tensor y = cumsum(x, dim);
          const auto in = lines(x, dim), got = lines(y, dim);
          double worst = 0;
          for (size_t l = 0; l < in.size(); ++l) {
            double total = 0;
            for (size_t i = 0; i < in[l].size(); ++i) {
              total += in[l][i];
              worst = std::max(worst, std::fabs(got[l][i] - (t == DType::Float32 ? double(float(total)) : total)));
            }
          }
          CHECK(worst <= (t == DType::BFloat16 ? 0.5 : 0));
        }
  });
  const Tensor x = tensor<float>({1, 3, 3, NAN, 5, 2});
  const auto [v, i] = cummax(x, 0);
  CHECK(i.to(DType::Float32).slice(0, 0, 4).eq(tensor<float>({0, 1, 2, 3})).sum().item<int64_t>() == 4);
  CHECK(std::isnan(v.data<float>()[5]));
}
