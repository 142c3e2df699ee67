// Pooling kernels against direct loops; backward against forward as its transpose.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "cpu/kernels/pooling.h"

using namespace bolide;
namespace k = bolide::cpu;

namespace {

std::vector<double> values(int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> v(static_cast<size_t>(n));
  for (double& x : v) x = normal(random);
  return v;
}
double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}
// planes, in, out, kernel, stride, pad, dilation
const PoolShape kShapes[] = {{3, {1, 8, 10}, {1, 4, 5}, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}, {1, 1, 1}},
                             {2, {1, 7, 9}, {1, 3, 4}, {1, 3, 3}, {1, 2, 2}, {0, 0, 0}, {1, 1, 1}},
                             {2, {1, 7, 9}, {1, 4, 5}, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}, {1, 1, 1}},
                             {1, {1, 9, 9}, {1, 7, 5}, {1, 2, 3}, {1, 1, 1}, {0, 0, 1}, {1, 2, 3}},
                             {1, {1, 5, 5}, {1, 3, 3}, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}, {1, 1, 1}}};

}  // namespace

TEST_CASE("max pooling: values, positions, NaN, backward") {
  for (PoolShape p : kShapes) {
    if (p.in[1] == 5) p.out[1] = p.out[2] = 2;
    auto x = values(p.planes * p.in[1] * p.in[2], 1);
    x[5] = NAN;
    const auto g = values(p.planes * p.out[1] * p.out[2], 2);
    std::vector<double> y(g.size()), dx(x.size()), want_dx(x.size());
    std::vector<int64_t> at(g.size());
    k::max_pool(x.data(), p, y.data(), at.data());
    for (int64_t c = 0, o = 0; c < p.planes; ++c)
      for (int64_t oh = 0; oh < p.out[1]; ++oh)
        for (int64_t ow = 0; ow < p.out[2]; ++ow, ++o) {
          int64_t best = -1;
          double top = -INFINITY;
          for (int64_t a = 0; a < p.kernel[1]; ++a)
            for (int64_t b = 0; b < p.kernel[2]; ++b) {
              const int64_t i = oh * p.stride[1] - p.pad[1] + a * p.dilation[1], j = ow * p.stride[2] - p.pad[2] + b * p.dilation[2];
              if (i < 0 || j < 0 || i >= p.in[1] || j >= p.in[2]) continue;
              const double v = x[size_t((c * p.in[1] + i) * p.in[2] + j)];
              if (best < 0 || v > top || std::isnan(v)) top = v, best = i * p.in[2] + j;
            }
          CHECK(at[size_t(o)] == best);
          CHECK((y[size_t(o)] == top || std::isnan(top)));
          want_dx[size_t(c * p.in[1] * p.in[2] + best)] += g[size_t(o)];
        }
    k::pool_scatter(g.data(), at.data(), p, true, dx.data());
    CHECK(dx == want_dx);
  }
}

TEST_CASE("average pooling: padding counted or not, a divisor, ceiling windows, backward is the transpose") {
  for (const PoolShape& p : kShapes) {
    if (p.dilation[1] > 1) continue;
    for (bool count : {false, true})
      for (int64_t divisor : {0, 3}) {
        const auto x = values(p.planes * p.in[1] * p.in[2], 1), g = values(p.planes * p.out[1] * p.out[2], 2);
        std::vector<double> y(g.size()), dx(x.size());
        k::avg_pool(x.data(), p, count, divisor, y.data());
        k::avg_pool_backward(g.data(), p, count, divisor, dx.data());
        CHECK(std::fabs(dot(y, g) - dot(x, dx)) < 1e-10);
        // the last window of the first plane, which may hang over the edge
        const int64_t h0 = (p.out[1] - 1) * p.stride[1] - p.pad[1], w0 = (p.out[2] - 1) * p.stride[2] - p.pad[2];
        double total = 0, inside = 0, padded = 0;
        for (int64_t i = h0; i < h0 + p.kernel[1]; ++i)
          for (int64_t j = w0; j < w0 + p.kernel[2]; ++j) {
            padded += i < p.in[1] + p.pad[1] && j < p.in[2] + p.pad[2];
            if (i >= 0 && j >= 0 && i < p.in[1] && j < p.in[2]) total += x[size_t(i * p.in[2] + j)], inside += 1;
          }
        const double by = divisor ? double(divisor) : count ? padded : inside;
        CHECK(std::fabs(y[size_t(p.out[1] * p.out[2] - 1)] - total / by) < 1e-12);
      }
  }
}

TEST_CASE("adaptive average pooling") {
  const PoolShape p{2, {1, 7, 10}, {1, 3, 4}};
  const auto x = values(140, 1), g = values(24, 2);
  std::vector<double> y(24), dx(140);
  k::adaptive_avg_pool(x.data(), p, y.data());
  k::adaptive_avg_pool_backward(g.data(), p, dx.data());
  CHECK(std::fabs(dot(y, g) - dot(x, dx)) < 1e-11);
  double corner = 0;  // rows 0..2, columns 0..2
  for (int i = 0; i < 3; ++i) for (int j = 0; j < 3; ++j) corner += x[size_t(i * 10 + j)] / 9;
  CHECK(std::fabs(y[0] - corner) < 1e-12);
}
