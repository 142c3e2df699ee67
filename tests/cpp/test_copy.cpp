// Map: transposed copies | casts | fill and gather
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "bolide/error.h"
#include "cpu/isa.h"
#include "cpu/kernels/copy.h"

using namespace bolide;
namespace k = bolide::cpu;

namespace {

template <class F>
void each_isa(F f) {
  const Isa before = isa();
  for (Isa i : {Isa::Baseline, Isa::Avx2, Isa::Avx512}) {
    if (int(i) > int(best_isa())) continue;
    set_isa_for_test(i);
    f();
  }
  set_isa_for_test(before);
}

template <class To, class From>
std::vector<To> cast(const std::vector<From>& x) {
  std::vector<To> y(x.size());
  k::cast(dtype_of<To>, y.data(), dtype_of<From>, x.data(), int64_t(x.size()));
  return y;
}

}  // namespace

TEST_CASE("transposed copies of ragged sizes, strides and all element sizes") {
  each_isa([] {
    for (int64_t size : {1, 2, 4, 8, 16})
      for (auto [rows, columns] : {std::pair<int64_t, int64_t>(1, 1), {3, 5}, {8, 8}, {16, 64}, {65, 130}, {200, 33}, {1100, 2100}}) {
        const int64_t ss = columns + 3, ds = rows + 5;
        std::vector<unsigned char> src(size_t(rows * ss * size)), dst(size_t(columns * ds * size), 0xee);
        std::mt19937 random(1);
        for (auto& b : src) b = uint8_t(random());
        k::transpose(dst.data(), ds, src.data(), ss, rows, columns, size);
        bool equal = true, kept = true;
        for (int64_t c = 0; c < columns; ++c) {
          for (int64_t r = 0; r < rows; ++r)
            equal &= std::memcmp(&dst[size_t((c * ds + r) * size)], &src[size_t((r * ss + c) * size)], size_t(size)) == 0;
          for (int64_t b = (c * ds + rows) * size; b < (c + 1) * ds * size; ++b) kept &= dst[size_t(b)] == 0xee;
        }
        INFO(size << " bytes, " << rows << " x " << columns);
        CHECK(equal);
        CHECK(kept);
      }
  });
  CHECK_THROWS_AS(k::transpose(nullptr, 1, nullptr, 1, 1, 1, 3), Error);
}

TEST_CASE("floats to integers truncate, wrap and give the smallest value for what does not fit") {
  each_isa([] {
    const std::vector<float> x = {1.9f, -1.9f, 300.0f, -1.0f, NAN, INFINITY, 1e20f, -1e20f, 0.0f};
    CHECK(cast<int32_t>(x) == std::vector<int32_t>{1, -1, 300, -1, INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN, 0});
    CHECK(cast<int64_t>(x) == std::vector<int64_t>{1, -1, 300, -1, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, 0});
    CHECK(cast<uint8_t>(x) == std::vector<uint8_t>{1, 255, 44, 255, 0, 0, 0, 0, 0});
    std::vector<unsigned char> bools(x.size());
    k::cast(kBool, bools.data(), kFloat, x.data(), int64_t(x.size()));
    CHECK(bools == std::vector<unsigned char>{1, 1, 1, 1, 1, 1, 1, 1, 0});
  });
}

TEST_CASE("halves round to nearest even, both ways for every bit pattern") {
  each_isa([] {
    std::vector<uint16_t> all(65536);
    for (size_t i = 0; i < all.size(); ++i) all[i] = uint16_t(i);
    for (DType t : {kHalf, kBFloat16}) {
      std::vector<float> wide(all.size());
      std::vector<uint16_t> back(all.size());
      k::cast(kFloat, wide.data(), t, all.data(), 65536);
      k::cast(t, back.data(), kFloat, wide.data(), 65536);
      bool same = true;
      for (size_t i = 0; i < all.size(); ++i) {
        const float want = t == kHalf ? half_bits_to_float(all[i]) : bfloat16_bits_to_float(all[i]);
        if (std::isnan(want)) same &= std::isnan(wide[i]);
        else same &= wide[i] == want && back[i] == all[i];
      }
      CHECK(same);
    }
    std::mt19937 random(2);
    std::vector<float> x(100000);
    for (float& v : x) v = __builtin_bit_cast(float, uint32_t(random()));
    const auto h = cast<Half>(x);
    const auto b = cast<BFloat16>(x);
    bool same = true;
    for (size_t i = 0; i < x.size(); ++i)
      if (!std::isnan(x[i])) same &= h[i].bits == float_to_half_bits(x[i]) && b[i].bits == float_to_bfloat16_bits(x[i]);
    CHECK(same);
  });
}

TEST_CASE("every pair of dtypes converts small whole numbers exactly") {
  const DType all[] = {kUInt8, kInt8, kInt16, kInt32, kInt64, kHalf, kFloat, kDouble, kBFloat16, kComplex64, kComplex128};
  each_isa([&] {
    std::vector<int64_t> numbers(133);
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = int64_t(i % 100);
    for (DType from : all)
      for (DType to : all) {
        std::vector<char> a(133 * 16), b(133 * 16);
        std::vector<int64_t> back(133);
        k::cast(from, a.data(), kInt64, numbers.data(), 133);
        k::cast(to, b.data(), from, a.data(), 133);
        k::cast_serial(kInt64, back.data(), to, b.data(), 133);
        INFO(int(from) << " to " << int(to));
        CHECK(back == numbers);
      }
  });
}

TEST_CASE("fill and gather_rows") {
  std::vector<double> x(70001);
  const double value = 2.5;
  k::fill(x.data(), &value, 8, 70001);
  CHECK(x == std::vector<double>(70001, 2.5));
  std::vector<int16_t> table(300), out(12);
  for (size_t i = 0; i < 300; ++i) table[i] = int16_t(i);
  const std::vector<int64_t> index = {99, 0, 50, 50};
  k::gather_rows(out.data(), table.data(), index.data(), 4, 6);
  CHECK(out == std::vector<int16_t>{297, 298, 299, 0, 1, 2, 150, 151, 152, 150, 151, 152});
}
