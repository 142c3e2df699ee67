// Map: the plain reference | shapes | each type, instruction set, with and without the plugin | relu, NaN,
// fork
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "cpu/conv.h"
#include "cpu/dnnl_table.h"
#include "cpu/isa.h"
#include "cpu/pool.h"

using namespace bolide;

namespace {

ConvShape shape2d(int64_t n, int64_t groups, int64_t ci, int64_t co, int64_t h, int64_t w, int64_t kernel,
                  int64_t stride, int64_t pad, int64_t dilation) {
  ConvShape s{.n = n, .groups = groups, .ci = ci, .co = co};
  s.in[1] = h, s.in[2] = w;
  for (int i = 1; i < 3; ++i)
    s.kernel[i] = kernel, s.stride[i] = stride, s.pad[i] = pad, s.dilation[i] = dilation;
  s.set_out();
  return s;
}

std::vector<ConvShape> shapes() {
  std::vector<ConvShape> all = {
      shape2d(2, 1, 3, 5, 7, 9, 3, 1, 1, 1),     shape2d(3, 1, 16, 32, 12, 12, 3, 1, 1, 1),
      shape2d(1, 1, 4, 64, 10, 8, 3, 2, 1, 1),   shape2d(2, 2, 6, 8, 9, 9, 3, 1, 2, 2),
      shape2d(2, 6, 6, 6, 11, 13, 3, 1, 1, 1),   shape2d(2, 6, 6, 12, 11, 37, 3, 2, 1, 1),
      shape2d(2, 4, 4, 4, 9, 40, 5, 1, 2, 1),    shape2d(2, 5, 5, 5, 8, 8, 2, 3, 0, 2),
      shape2d(2, 1, 7, 3, 6, 6, 1, 1, 0, 1),     shape2d(2, 1, 7, 3, 6, 6, 1, 2, 0, 1),
      shape2d(2, 1, 3, 4, 5, 5, 5, 1, 4, 1),     shape2d(1, 1, 2, 2, 4, 4, 3, 1, 5, 1),
      shape2d(1, 1, 40, 20, 13, 13, 3, 1, 1, 1), shape2d(2, 1, 1, 9, 14, 14, 3, 1, 0, 1),
  };
  ConvShape line{.n = 2, .groups = 1, .ci = 3, .co = 4};  // one dimension
  line.in[2] = 50, line.kernel[2] = 4, line.stride[2] = 3, line.pad[2] = 2;
  line.set_out();
  all.push_back(line);
  ConvShape solid{.n = 2, .groups = 2, .ci = 4, .co = 6};  // three, all sizes different
  const int64_t in[3] = {5, 6, 7}, kernel[3] = {2, 3, 1}, stride[3] = {1, 2, 1}, pad[3] = {1, 0, 0};
  for (int i = 0; i < 3; ++i)
    solid.in[i] = in[i], solid.kernel[i] = kernel[i], solid.stride[i] = stride[i], solid.pad[i] = pad[i];
  solid.set_out();
  all.push_back(solid);
  ConvShape cut =
      shape2d(2, 1, 3, 4, 8, 8, 3, 2, 1, 1);  // as for a transposed convolution with output padding
  cut.in[1] += 1, cut.in[2] += 1;
  all.push_back(cut);
  return all;
}

template <class T>
std::vector<T> numbers(int64_t count, unsigned seed) {
  std::mt19937 random{seed};
  std::vector<T> values(size_t(count), T(0.f));
  for (T& v : values) v = T(float(int(random() % 7) - 3));
  return values;
}

// Calls f(image, group's output channel, input channel, y index, w index, x index) for every product.
template <class F>
void each_product(const ConvShape& s, F f) {
  const int64_t ci = s.ci / s.groups, co = s.co / s.groups;
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t o = 0; o < s.co; ++o)
      for (int64_t c = 0; c < ci; ++c)
        for (int64_t p = 0; p < s.out_pixels(); ++p)
          for (int64_t t = 0; t < s.taps(); ++t) {
            const int64_t out[3] = {p / (s.out[1] * s.out[2]), p / s.out[2] % s.out[1], p % s.out[2]};
            const int64_t tap[3] = {t / (s.kernel[1] * s.kernel[2]), t / s.kernel[2] % s.kernel[1],
                                    t % s.kernel[2]};
            int64_t at = 0;
            bool inside = true;
            for (int i = 0; i < 3; ++i) {
              const int64_t q = out[i] * s.stride[i] + tap[i] * s.dilation[i] - s.pad[i];
              inside = inside && q >= 0 && q < s.in[i];
              at = at * s.in[i] + q;
            }
            if (!inside) continue;
            f((n * s.co + o) * s.out_pixels() + p, (o * ci + c) * s.taps() + t,
              (n * s.ci + o / co * ci + c) * s.in_pixels() + at);
          }
}

template <class T>
int64_t differences(const std::vector<T>& got, const std::vector<double>& expected) {
  int64_t wrong = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double value = sizeof(T) == 2 ? double(float(T(float(expected[i])))) : expected[i];
    wrong += double(got[i]) != value;
  }
  return wrong;
}

// Small integers: exact in every type whatever the order of the sums, except where 16-bit results are
// rounded.
template <class T>
void check(const ConvShape& s, const std::string& label) {
  CAPTURE(label);
  CAPTURE(s.ci);
  CAPTURE(s.co);
  CAPTURE(s.groups);
  CAPTURE(s.kernel[2]);
  CAPTURE(s.stride[2]);
  CAPTURE(s.out[2]);
  const int64_t xs = s.n * s.ci * s.in_pixels(), ys = s.n * s.co * s.out_pixels();
  const int64_t ws = s.co * s.ci / s.groups * s.taps();
  const auto x = numbers<T>(xs, 1), w = numbers<T>(ws, 2), dy = numbers<T>(ys, 3), b = numbers<T>(s.co, 4),
             bx = numbers<T>(s.ci, 5);
  const auto zeros = [](int64_t count) { return std::vector<double>(static_cast<size_t>(count)); };
  std::vector<double> y = zeros(ys), dx = zeros(xs), dw = zeros(ws), db = zeros(s.co), tx = zeros(xs);
  for (int64_t i = 0; i < ys; ++i) y[size_t(i)] = double(b[size_t(i / s.out_pixels() % s.co)]);
  for (int64_t i = 0; i < xs; ++i) tx[size_t(i)] = double(bx[size_t(i / s.in_pixels() % s.ci)]);
  for (int64_t i = 0; i < ys; ++i) db[size_t(i / s.out_pixels() % s.co)] += double(dy[size_t(i)]);
  each_product(s, [&](int64_t yi, int64_t wi, int64_t xi) {
    y[size_t(yi)] += double(w[size_t(wi)]) * double(x[size_t(xi)]);
    dx[size_t(xi)] += double(w[size_t(wi)]) * double(dy[size_t(yi)]);
    tx[size_t(xi)] += double(w[size_t(wi)]) * double(dy[size_t(yi)]);
    dw[size_t(wi)] += double(x[size_t(xi)]) * double(dy[size_t(yi)]);
  });
  const T nan = T(std::numeric_limits<float>::quiet_NaN());
  std::vector<T> got_y(size_t(ys), nan), got_x(size_t(xs), nan), got_w(size_t(ws), nan),
      got_b(size_t(s.co), nan);
  conv_forward(s, x.data(), w.data(), b.data(), got_y.data());
  CHECK(differences(got_y, y) == 0);
  conv_forward(s, x.data(), w.data(), b.data(), got_y.data(), true);
  for (double& v : y) v = std::max(v, 0.0);
  CHECK(differences(got_y, y) == 0);
  conv_backward_data(s, dy.data(), w.data(), got_x.data());
  CHECK(differences(got_x, dx) == 0);
  conv_transpose_forward(s, dy.data(), w.data(), bx.data(), got_x.data());
  CHECK(differences(got_x, tx) == 0);
  conv_backward_weights(s, x.data(), dy.data(), got_w.data(), got_b.data());
  CHECK(differences(got_w, dw) == 0);
  CHECK(differences(got_b, db) == 0);
  // The transposed layer's view of the same: its input gradient and its weights' gradient.
  conv_transpose_backward_data(s, x.data(), w.data(), got_y.data());
  for (int64_t i = 0; i < ys; ++i) y[size_t(i)] = 0;
  each_product(s, [&](int64_t yi, int64_t wi, int64_t xi) {
    y[size_t(yi)] += double(w[size_t(wi)]) * double(x[size_t(xi)]);
  });
  CHECK(differences(got_y, y) == 0);
  std::vector<T> got_bx(size_t(s.ci), nan);
  conv_transpose_backward_weights(s, dy.data(), x.data(), got_w.data(), got_bx.data());
  CHECK(differences(got_w, dw) == 0);
}

struct Threads {
  int before = num_threads();
  explicit Threads(int threads) { set_num_threads(threads); }
  ~Threads() { set_num_threads(before); }
};

template <class F>
void each_way(F f) {
  const Isa before = isa();
  for (Isa one : {best_isa(), Isa::Avx2, Isa::Baseline}) {
    if (one > best_isa()) continue;
    set_isa_for_test(one);
    for (bool plugin : {true, false}) {
      detail::set_dnnl_enabled(plugin);
      if (plugin && !detail::dnnl_table()) continue;
      for (int threads : {1, 3}) {
        Threads use(threads);
        f(std::string(isa_name(one)) + (plugin ? " plugin " : " own ") + std::to_string(threads));
      }
    }
  }
  set_isa_for_test(before);
  detail::set_dnnl_enabled(true);
}

}  // namespace

TEST_CASE_TEMPLATE("convolutions, their gradients and transposes are exact", T, float, double, Half,
                   BFloat16) {
  each_way([](const std::string& label) {
    for (const ConvShape& s : shapes()) check<T>(s, label);
  });
}

TEST_CASE("convolutions of nothing give the bias or zeros") {
  ConvShape s = shape2d(2, 1, 3, 2, 5, 5, 3, 1, 1, 1);
  s.ci = 0;
  const float bias[2] = {1, -2};
  std::vector<float> y(size_t(2 * 2 * 25), 9.f);
  conv_forward<float>(s, nullptr, nullptr, bias, y.data());
  CHECK(y[0] == 1);
  CHECK(y[25] == -2);
  s.n = 0, s.ci = 3;
  std::vector<float> dw(size_t(2 * 3 * 9), 9.f), db(2, 9.f);
  conv_forward<float>(s, nullptr, dw.data(), bias, nullptr);
  conv_backward_weights<float>(s, nullptr, nullptr, dw.data(), db.data());
  for (float v : dw) CHECK(v == 0);
  CHECK(db[0] == 0);
}

TEST_CASE("NaN passes a convolution and its relu; padding hides none") {
  each_way([](const std::string& label) {
    CAPTURE(label);
    for (int64_t channels : {1, 16}) {
      const ConvShape s = shape2d(1, 1, channels, 16, 8, 8, 3, 1, 1, 1);
      std::vector<float> x(size_t(channels * 64), 1.f), w(size_t(16 * channels * 9), 1.f), y(16 * 64);
      x[0] = std::numeric_limits<float>::quiet_NaN();
      conv_forward<float>(s, x.data(), w.data(), nullptr, y.data(), true);
      CHECK(std::isnan(y[0]));
      CHECK(std::isnan(y[9]));
      CHECK(y[2] == float(6 * channels));
    }
  });
}

TEST_CASE("a forked child can convolve after its parent did") {
  Threads use(2);
  const ConvShape s = shape2d(4, 1, 32, 32, 32, 32, 3, 1, 1, 1);
  std::vector<float> x(size_t(s.n * s.ci * s.in_pixels()), 1.f), w(size_t(32 * 32 * 9), 1.f),
      y(size_t(s.n * s.co * s.out_pixels()));
  conv_forward<float>(s, x.data(), w.data(), nullptr, y.data());
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // a child that hangs dies of it
    std::fill(y.begin(), y.end(), 0.f);
    conv_forward<float>(s, x.data(), w.data(), nullptr, y.data());
    _exit(y[33] == 32 * 9 && y[0] == 32 * 4 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
