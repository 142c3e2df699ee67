// Map: helpers | the engine and its state | uniform and normal | integers | bernoulli | distributions |
//      instruction sets | 16-bit conversions
//
// The expected numbers were recorded from PyTorch 2.13 with the seeds named.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bolide/error.h"
#include "bolide/half.h"
#include "core/rng.h"
#include "cpu/isa.h"
#include "cpu/random.h"

using namespace bolide;
using namespace bolide::random;

namespace {

struct UseIsa {
  Isa before = isa();
  explicit UseIsa(Isa isa) { set_isa_for_test(isa); }
  ~UseIsa() { set_isa_for_test(before); }
};

std::vector<Isa> all_isas() {
  std::vector<Isa> all;
  for (Isa isa : {Isa::Baseline, Isa::Avx2, Isa::Avx512}) {
    if (isa <= best_isa()) all.push_back(isa);
  }
  return all;
}

template <class T, class Fill>
std::vector<T> filled(int64_t n, Fill fill, uint64_t seed = 0) {
  Generator generator(seed);
  std::vector<T> values(static_cast<size_t>(n));
  fill(generator, values.data(), n);
  return values;
}

template <class U, class T>
std::vector<U> bits_of(const std::vector<T>& values) {
  static_assert(sizeof(U) == sizeof(T));
  std::vector<U> bits(values.size());
  if (!values.empty()) std::memcpy(bits.data(), values.data(), values.size() * sizeof(T));
  return bits;
}

std::vector<uint8_t> state_of(const Generator& generator) {
  std::vector<uint8_t> state(Generator::kStateBytes);
  generator.get_state(state.data());
  return state;
}

template <class V>
V at(const std::vector<uint8_t>& state, size_t offset) {
  V value;
  std::memcpy(&value, state.data() + offset, sizeof value);
  return value;
}

template <class T>
auto uniforms(double from, double to) {
  return [=](Generator& g, T* out, int64_t n) { uniform(g, out, n, from, to); };
}
template <class T>
auto normals(double mean, double std) {
  return [=](Generator& g, T* out, int64_t n) { normal(g, out, n, mean, std); };
}

using U16 = std::vector<uint16_t>;
using U32 = std::vector<uint32_t>;
using U64 = std::vector<uint64_t>;
using I64 = std::vector<int64_t>;

}  // namespace

// ---- the engine and its state ----------------------------------------------------------------

TEST_CASE("words") {
  for (Isa isa : all_isas()) {
    UseIsa use(isa);
    Mt19937 engine(0);
    for (uint32_t expected : {0x8c7f0aacu, 0x97c4aa2fu, 0xb716a675u, 0xd821ccc0u, 0x9a4eb343u, 0xdba252fbu}) {
      CHECK(engine.word() == expected);
    }
    Generator wide((uint64_t(1) << 32) + 5);
    for (uint32_t expected : {0x38d48b63u, 0x0e2048ceu, 0xdee84fefu}) CHECK(wide.word() == expected);
    CHECK(wide.initial_seed() == (uint64_t(1) << 32) + 5);
    Mt19937 reference(5489);  // the published check of MT19937: the 10000th word of the default seed
    reference.skip(9999);
    CHECK(reference.word() == 4123659995u);
  }
}

TEST_CASE("blocks of words are the single words, wherever they start") {
  for (int64_t before : {0, 1, 623, 624, 625}) {
    for (int64_t n : {0, 1, 2, 622, 623, 624, 625, 1248, 5000}) {
      Mt19937 one(77), block(77), skipped(77);
      for (int64_t i = 0; i < before; ++i) one.word();
      block.skip(before);
      skipped.skip(before + n);
      std::vector<uint32_t> words(static_cast<size_t>(n));
      block.words(words.data(), n);
      for (uint32_t word : words) REQUIRE(word == one.word());
      CHECK(block.left() == one.left());
      CHECK(block.next() == one.next());
      CHECK(skipped.left() == one.left());
      CHECK(skipped.raw() == one.raw());
      CHECK(block.word() == one.word());
    }
  }
}

TEST_CASE("the saved state, byte by byte") {
  Generator generator(0xfedcba9876543210u);
  auto state = state_of(generator);
  CHECK(at<uint64_t>(state, 0) == 0xfedcba9876543210u);
  CHECK(at<int32_t>(state, 8) == 1);
  CHECK(at<int32_t>(state, 12) == 1);
  CHECK(at<uint64_t>(state, 16) == 0);
  CHECK(at<uint64_t>(state, 24) == 0x76543210u);
  uint32_t previous = 0x76543210u;
  for (uint32_t j = 1; j < 624; ++j) {
    previous = 1812433253u * (previous ^ (previous >> 30)) + j;
    CHECK(at<uint64_t>(state, 24 + 8 * j) == previous);
  }
  for (size_t i = 5016; i < Generator::kStateBytes; ++i) CHECK(state[i] == 0);
  for (int i = 0; i < 623; ++i) generator.word();
  CHECK(at<int32_t>(state_of(generator), 8) == 2);
  CHECK(at<uint64_t>(state_of(generator), 16) == 623);
  generator.word();
  CHECK(at<int32_t>(state_of(generator), 8) == 1);
  CHECK(at<uint64_t>(state_of(generator), 16) == 624);
  generator.word();
  CHECK(at<int32_t>(state_of(generator), 8) == 624);
  CHECK(at<uint64_t>(state_of(generator), 16) == 1);
  generator.manual_seed(0);
  float one;
  normal(generator, &one, 1, 0, 1);
  state = state_of(generator);
  CHECK(at<int32_t>(state, 8) == 621);
  CHECK(at<uint64_t>(state, 16) == 4);
  CHECK(at<int32_t>(state, 5040) == 1);
  CHECK(at<double>(state, 5024) == doctest::Approx(-0.2934289));
}

TEST_CASE("states are restored, cached normal included, and wrong ones refused") {
  for (int words : {0, 1, 5, 623, 624, 700}) {
    Generator first(42), second(7);
    first.engine().skip(words);
    float normals_before[3];
    normal(first, normals_before, 3, 0, 1);
    const auto state = state_of(first);
    second.set_state(state.data(), state.size());
    CHECK(state_of(second) == state);
    CHECK(second.initial_seed() == 42);
    Generator third(1);
    third.copy_state(first);
    for (int i = 0; i < 5; ++i) {
      const double next = first.normal();
      CHECK(second.normal() == next);
      CHECK(third.normal() == next);
    }
    for (int i = 0; i < 1300; ++i) REQUIRE(first.word() == second.word());
  }
  Generator generator(3);
  const auto good = state_of(generator);
  CHECK_THROWS_AS(generator.set_state(good.data(), 5000), Error);
  const auto refused = [&](size_t offset, int32_t value) {
    auto bad = good;
    std::memcpy(bad.data() + offset, &value, sizeof value);
    CHECK_THROWS_AS(generator.set_state(bad.data(), bad.size()), Error);
    CHECK(state_of(generator) == good);
  };
  refused(8, 0);
  refused(8, -1);
  refused(8, 625);
  refused(12, 0);
  refused(16, 625);
}

TEST_CASE("seeding drops the cached normal; seed() differs each time and fits a double") {
  Generator generator(0);
  generator.normal();
  generator.manual_seed(0);
  CHECK(state_of(generator) == state_of(Generator(0)));
  CHECK(Generator().initial_seed() == 67280421310721u);
  std::set<uint64_t> seeds;
  for (int i = 0; i < 5; ++i) seeds.insert(generator.seed());
  CHECK(seeds.size() == 5);
  CHECK(*seeds.rbegin() < uint64_t(1) << 53);
  CHECK(&default_generator() == &default_generator());
}

TEST_CASE("fills from several threads do not tear the generator") {
  Generator generator(9);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      std::vector<float> values(1000);
      for (int i = 0; i < 20; ++i) uniform(generator, values.data(), 1000, 0, 1);
    });
  }
  for (auto& thread : threads) thread.join();
  Generator alone(9);
  alone.engine().skip(3 * 20 * 1000);
  CHECK(state_of(generator) == state_of(alone));
}

// ---- uniform and normal ----------------------------------------------------------------------

TEST_CASE("uniform") {
  for (Isa isa : all_isas()) {
    UseIsa use(isa);
    CHECK(bits_of<uint32_t>(filled<float>(4, uniforms<float>(0, 1))) ==
          U32{0x3efe1558, 0x3f44aa2f, 0x3db533a8, 0x3e073300});
    CHECK(bits_of<uint64_t>(filled<double>(3, uniforms<double>(0, 1))) ==
          U64{0x3fef0aac97c4aa2f, 0x3fe6a675d821ccc0, 0x3fdd6687b744a5f6});
    CHECK(bits_of<uint32_t>(filled<float>(8, uniforms<float>(-0.1234567, 0.0456))) ==
          U32{0xbd220aed, 0x3bd24027, 0xbdde34b9, 0xbdcf206d, 0xbd9266a1, 0xbc8536bd, 0xbd264f77,
              0x3ce623e4});
    CHECK(bits_of<uint64_t>(filled<double>(3, uniforms<double>(-0.1234567, 0.0456))) ==
          U64{0x3fa4c14cb6042732, 0xbf6f16b63a3c8f2d, 0xbfa7726f0d6fcbad});
    CHECK(bits_of<uint16_t>(filled<Half>(4, uniforms<Half>(0, 1))) == U16{0x37f1, 0x3a25, 0x2daa, 0x303a});
    CHECK(bits_of<uint16_t>(filled<BFloat16>(4, uniforms<BFloat16>(0, 1))) == U16{0x3efe, 0x3f45, 0x3db5,
        0x3e07});
    for (BFloat16 value : filled<BFloat16>(100000, uniforms<BFloat16>(0, 1))) REQUIRE(float(value) < 1.0f);
  }
  const auto values = filled<float>(4, uniforms<float>(0, 1), 1234);
  CHECK(values == std::vector<float>{0.028979241847991943f, 0.4018985629081726f, 0.25984418392181396f,
                                     0.3666413426399231f});
}

TEST_CASE("float32 normals") {
  for (Isa isa : all_isas()) {
    UseIsa use(isa);
    CHECK(bits_of<uint32_t>(filled<float>(16, normals<float>(0, 1))) ==
          U32{0xbf901b85, 0xbf93808a, 0xbe804bd6, 0xbede255d, 0x3f594515, 0x3f312783, 0xbea1cc6d, 0xc0075fc1,
              0x3ea50138, 0xbfa1b4f4, 0x3eb330ff, 0x3e9dc3bb, 0x3df56f77, 0x3f9e6b93, 0x3f8ef28e,
                  0xbe7d367c});
    CHECK(bits_of<uint32_t>(filled<float>(20, normals<float>(0, 1))) ==
          U32{0xbf901b85, 0xbf93808a, 0xbe804bd6, 0xbede255d, 0x3f194d8b, 0xbfc70d5b, 0xbeaec6ca,
              0x3fed2f4e, 0x3eefaa55, 0xbe217f5f, 0x3fb8c9db, 0x3e8837a1, 0x3fb1d6c0, 0x3fcb0d00,
              0x3f72409c, 0xbf57fb33, 0x3f6e8c30, 0x3fa12737, 0x4000519a, 0x3d5c1b3a});
    CHECK(bits_of<uint32_t>(filled<float>(3, normals<float>(0, 1))) == U32{0x3fc53f5c, 0xbe963c50,
        0xc00b7149});
  }
}

TEST_CASE("other normals") {
  CHECK(bits_of<uint64_t>(filled<double>(3, normals<double>(0, 1))) ==
        U64{0x3ff8a7eb8902be3a, 0xbfd2c78a087c6fea, 0xc0016e2920a70ee5});
  auto doubles = filled<double>(16, normals<double>(0, 1));
  doubles.resize(4);
  CHECK(bits_of<uint64_t>(doubles) ==
        U64{0xc0027bb92e9262dc, 0xbfd7e35794939460, 0xbff0f91ae8d685b6, 0x3feffbfb0ada994b});
  CHECK(bits_of<uint16_t>(filled<Half>(20, normals<Half>(0, 1))) == U16{0xbc81, 0xbc9c, 0xb402, 0xb6f1,
      0xbd69, 0xbec9, 0x3889, 0x3a59, 0x38ca, 0xbe38, 0xb576, 0x3f69, 0x3a00, 0xb8af, 0xb18c, 0x31df, 0x3d8f,
      0x3e58, 0x3b92, 0xbac0});
  CHECK(bits_of<uint16_t>(filled<BFloat16>(20, normals<BFloat16>(0, 1))) == U16{0xbf90, 0xbf94, 0xbe80,
      0xbede, 0xbfad, 0xbfd9, 0x3f11, 0x3f4b, 0x3f19, 0xbfc7, 0xbeaf, 0x3fed, 0x3f40, 0xbf16, 0xbe32, 0x3e3c,
      0x3fb2, 0x3fcb, 0x3f72, 0xbf58});
}

TEST_CASE("words consumed by normals; the cache spans calls and types") {
  const auto words_of = [](auto fill) {
    Generator generator(5), counter(5);
    fill(generator);
    const auto want = state_of(generator);
    for (int words = 0; words < 200; ++words) {
      const auto state = state_of(counter);
      if (std::memcmp(state.data() + 8, want.data() + 8, 16) == 0) return words;
      counter.word();
    }
    return -1;
  };
  std::vector<float> f(64);
  std::vector<double> d(64);
  std::vector<Half> h(64);
  CHECK(words_of([&](Generator& g) { normal(g, f.data(), 16, 0, 1); }) == 16);
  CHECK(words_of([&](Generator& g) { normal(g, f.data(), 17, 0, 1); }) == 33);
  CHECK(words_of([&](Generator& g) { normal(g, h.data(), 17, 0, 1); }) == 32);
  CHECK(words_of([&](Generator& g) { normal(g, d.data(), 17, 0, 1); }) == 66);
  CHECK(words_of([&](Generator& g) { normal(g, f.data(), 15, 0, 1); }) == 32);
  CHECK(words_of([&](Generator& g) { normal_scalar(g, f.data(), 20, 0, 1); }) == 40);
  CHECK(words_of([&](Generator& g) { normal(g, f.data(), 0, 0, 1); }) == 0);
  Generator whole(1), pieces(1);
  float two[2], one;
  double other;
  normal(whole, two, 2, 0, 1);
  normal(pieces, &one, 1, 0, 1);
  CHECK(one == two[0]);
  float block[16];
  normal(pieces, block, 16, 0, 1);  // leaves the cache alone
  normal(pieces, &other, 1, 0, 1);
  CHECK(float(other) == two[1]);
}

// ---- integers --------------------------------------------------------------------------------

TEST_CASE("integers") {
  const auto between = [](int64_t from, int64_t to) {
    return [=](Generator& g, int64_t* out, int64_t n) { integers(g, out, n, uint64_t(to - from), from); };
  };
  CHECK(filled<int64_t>(8, between(0, 100)) == I64{44, 39, 33, 60, 63, 79, 27, 3});
  CHECK(filled<int64_t>(3, between(0, int64_t(1) << 40)) == I64{741280623151, 506137267392, 291447657211});
  CHECK(filled<int64_t>(6, between(0, 100), 1234) == I64{75, 71, 6, 65, 16, 64});
  CHECK(filled<int64_t>(3, between(0, int64_t(1) << 40), 1234) == I64{204000912083, 166721346613,
      878802328948});
  const auto full = [](Generator& g, auto* out, int64_t n) { integers_full(g, out, n); };
  CHECK(filled<int64_t>(2, full) == I64{900450186894289455, 3969543146641149120});
  for (uint64_t range : {uint64_t(1), uint64_t(2), uint64_t(3), uint64_t(255), uint64_t(1) << 20,
                         (uint64_t(1) << 28) - 1, uint64_t(1) << 28, (uint64_t(1) << 63) + 1, uint64_t(0)}) {
    Generator expected(11);
    const auto values = filled<int64_t>(
        3000, [&](Generator& g, int64_t* out, int64_t n) { integers(g, out, n, range, -7); }, 11);
    for (int64_t value : values) {
      const bool wide = range == 0 || range >= uint64_t(1) << 28;
      const uint64_t draw = wide ? expected.word64() : expected.word();
      REQUIRE(value == int64_t((range == 0 ? draw : draw % range) - 7));
    }
  }
}

TEST_CASE("full ranges stay inside their types") {
  const auto largest = [](auto zero) {
    using T = decltype(zero);
    double most = 0;
    for (T value : filled<T>(20000, [](Generator& g, T* out, int64_t n) { integers_full(g, out, n); })) {
      CHECK(double(value) >= 0);
      most = std::max(most, double(value));
    }
    return most;
  };
  CHECK(largest(uint8_t()) == 255);
  CHECK(largest(int8_t()) == 127);
  bool flags[1000];  // a vector<bool> holds no bools
  Generator generator(0), words(0);
  integers_full(generator, flags, 1000);
  for (bool flag : flags) REQUIRE(flag == (words.word() & 1));
  CHECK(largest(int16_t()) <= 32767);
  CHECK(largest(int32_t()) > 2.1e9);
  CHECK(largest(Half()) == 2048);
  CHECK(largest(BFloat16()) == 256);
  CHECK(largest(float()) <= 0x1p24);
  CHECK(largest(double()) > 0x1p52);
}

TEST_CASE("bounds of floating types move inwards") {
  const auto same = [](Bounds bounds, int64_t from, int64_t to) {
    return bounds.from == from && bounds.to == to;
  };
  CHECK(same(fitting_bounds<float>(-(1 << 30), 1 << 30), -1073741824, 1073741760));
  CHECK(same(fitting_bounds<float>(0, (1 << 28) - 1), 0, 268435440));
  CHECK(same(fitting_bounds<float>(257, 100001), 257, 100001));
  CHECK(same(fitting_bounds<int64_t>(-5, INT64_MAX), -5, INT64_MAX));
  CHECK(same(fitting_bounds<double>(-(int64_t(1) << 62), int64_t(1) << 62), -(int64_t(1) << 62),
             (int64_t(1) << 62) - 512));
}

TEST_CASE("randperm") {
  const auto perm = [](Generator& g, auto* out, int64_t n) { randperm(g, out, n); };
  CHECK(filled<int64_t>(10, perm) == I64{4, 1, 7, 5, 3, 9, 0, 8, 6, 2});
  CHECK(filled<int64_t>(6, perm, 1234) == I64{3, 2, 4, 5, 1, 0});
  CHECK(filled<float>(4, perm) == [&] {
    const auto longs = filled<int64_t>(4, perm);
    return std::vector<float>(longs.begin(), longs.end());
  }());
  for (int64_t n : {0, 1}) {
    Generator generator(1);
    int64_t value = 9;
    randperm(generator, &value, n);
    CHECK(value == (n == 0 ? 9 : 0));
    CHECK(state_of(generator) == state_of(Generator(1)));
  }
  const auto large = filled<int64_t>(100000, perm);
  CHECK(std::set<int64_t>(large.begin(), large.end()).size() == 100000);
}

// ---- bernoulli -------------------------------------------------------------------------------

TEST_CASE("bernoulli") {
  const auto drawn = [](double p, auto on) {
    return [=](Generator& g, auto* out, int64_t n) { bernoulli(g, out, n, p, on); };
  };
  CHECK(filled<float>(12, drawn(0.3, 1.0f)) == std::vector<float>{0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1});
  CHECK(filled<float>(12, drawn(0.5, 2.0f)) == std::vector<float>{0, 0, 2, 0, 0, 0, 2, 2, 0, 2, 2, 2});
  const std::vector<float> p(12, 0.3f);
  const auto each = [&](Generator& g, float* out, int64_t n) { bernoulli_each(g, out, p.data(), n); };
  CHECK(filled<float>(12, each) ==
        std::vector<float>{0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("the integer comparison is the comparison of doubles") {
  Generator source(123);
  std::vector<double> probabilities{0, 1, 0.5, 0x1p-53, 0x1p-60, 1 - 0x1p-53, 0.1, 0.3, 1e-300};
  Generator draws(55);
  for (int i = 0; i < 4; ++i) {  // and probabilities that draws hit exactly, and their neighbours
    const double u = draws.uniform53();
    probabilities.insert(probabilities.end(), {u, std::nextafter(u, 0), std::nextafter(u, 1)});
  }
  for (Isa isa : all_isas()) {
    UseIsa use(isa);
    for (double p : probabilities) {
      Generator scalar(55);
      const auto fill = [&](Generator& g, auto* out, int64_t n) {
        bernoulli(g, out, n, p, std::decay_t<decltype(*out)>(1));
      };
      const auto bytes = filled<uint8_t>(2500, fill, 55);
      const auto doubles = filled<double>(2500, fill, 55);
      const auto halves = filled<Half>(2500, fill, 55);
      for (size_t i = 0; i < 2500; ++i) {
        const int expected = scalar.uniform53() < p;
        REQUIRE(bytes[i] == expected);
        REQUIRE(doubles[i] == expected);
        REQUIRE(float(halves[i]) == expected);
      }
    }
  }
}

// ---- distributions ---------------------------------------------------------------------------

TEST_CASE("exponential, multinomial") {
  const auto exponentials = [](Generator& g, auto* out, int64_t n) { exponential(g, out, n, 1.0); };
  CHECK(bits_of<uint32_t>(filled<float>(4, exponentials)) == U32{0x4060886b, 0x3f9d7d3f, 0x3f1d7388,
      0x40223f62});
  CHECK(bits_of<uint64_t>(filled<double>(2, exponentials)) == U64{0x400c110d51dce0b1, 0x3ff3afa7ef3a5fc8});
  const float weights[] = {1, 2, 3, 4};
  const auto row = [&](Generator& g, int64_t* out, int64_t n) { multinomial_row(g, weights, 4, out, n); };
  CHECK(filled<int64_t>(10, row) ==
        I64{3, 3, 2, 3, 3, 3, 1, 2, 2, 1});
}

TEST_CASE("recorded draws of the remaining distributions") {
  const auto close = [](const std::vector<double>& values, std::initializer_list<double> expected) {
    REQUIRE(values.size() == expected.size());
    size_t i = 0;
    for (double e : expected) CHECK(values[i++] == doctest::Approx(e).epsilon(1e-14));
  };
  close(filled<double>(4, [](Generator& g, double* o, int64_t n) { geometric(g, o, n, 0.2); }), {1.0, 2.0,
      4.0, 1.0});
  close(filled<double>(4, [](Generator& g, double* o, int64_t n) { cauchy(g, o, n, 1.5, 0.7); }),
      {8.918410528677606, 2.03533708172413, 1.410190460541778, 4.253151317696255});
  close(filled<double>(4, [](Generator& g, double* o, int64_t n) { log_normal(g, o, n, 0.5, 0.25); }),
      {2.4235878553037287, 1.5321052554493706, 0.9562868625441218, 1.9004825342438938});
  const double rates[] = {0, 0.5, 3, 9.9, 10, 50, 1e6}, alphas[] = {0.1, 0.5, 1, 2.5, 100};
  const double counts[] = {0, 10, 10, 50, 1000, 1e6}, p[] = {0.5, 0.1, 0.9, 0.5, 0.02, 0.7};
  close(filled<double>(7, [&](Generator& g, double* o, int64_t n) {
          for (int64_t i = 0; i < n; ++i) o[i] = sample_poisson(g, rates[i]);
        }), {0.0, 2.0, 4.0, 10.0, 13.0, 54.0, 1000066.0});
  close(filled<double>(5, [&](Generator& g, double* o, int64_t n) {
          for (int64_t i = 0; i < n; ++i) o[i] = sample_gamma(g, alphas[i]);
        }), {3.129235610920794e-16, 0.04415092016466957, 1.053204118254408, 3.6491126329981114,
            93.82813524157547});
  close(filled<double>(6, [&](Generator& g, double* o, int64_t n) {
          for (int64_t i = 0; i < n; ++i) o[i] = sample_binomial(g, counts[i], p[i]);
        }), {0.0, 2.0, 7.0, 23.0, 17.0, 700480.0});
}

// ---- instruction sets ------------------------------------------------------------------------

TEST_CASE("every instruction set gives the same bits") {
  const auto same = [](int64_t n, auto zero, auto fill) {
    using T = decltype(zero);
    std::vector<std::vector<T>> results;
    for (Isa isa : all_isas()) {
      UseIsa use(isa);
      results.push_back(filled<T>(n, fill, 2024));
    }
    const size_t bytes = size_t(n) * sizeof(T);
    for (const auto& result : results) CHECK(std::memcmp(result.data(), results[0].data(), bytes) == 0);
  };
  for (int64_t n : {1, 5, 15, 16, 17, 640, 2049, 200001}) {
    same(n, float(), uniforms<float>(-0.1234567, 0.0456));
    same(n, double(), uniforms<double>(-0.1234567, 0.0456));
    same(n, Half(), uniforms<Half>(-3, 1000));
    same(n, BFloat16(), uniforms<BFloat16>(-3, 1000));
    same(n, float(), normals<float>(0.3, 1.7));
    same(n, double(), normals<double>(0.3, 1.7));
    same(n, Half(), normals<Half>(0.3, 1.7));
    same(n, BFloat16(), normals<BFloat16>(0.3, 1.7));
    same(n, float(), [](Generator& g, float* out, int64_t m) { bernoulli(g, out, m, 0.37, 1.0f); });
    same(n, uint8_t(), [](Generator& g, uint8_t* out, int64_t m) { bernoulli(g, out, m, 0.37, uint8_t(1)); });
  }
}

// ---- 16-bit conversions ----------------------------------------------------------------------

TEST_CASE("every 16-bit float survives the way through float") {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const Half half = Half::from_bits(uint16_t(bits));
    const BFloat16 brain = BFloat16::from_bits(uint16_t(bits));
    if (std::isnan(float(half))) {
      CHECK(std::isnan(float(Half(float(half)))));
    } else {
      REQUIRE(Half(float(half)).bits == bits);
    }
    if (std::isnan(float(brain))) {
      CHECK(std::isnan(float(BFloat16(float(brain)))));
    } else {
      REQUIRE(BFloat16(float(brain)).bits == bits);
    }
  }
}

TEST_CASE("conversions round to nearest, ties to even") {
  CHECK(Half(1.0f).bits == 0x3c00);
  CHECK(Half(65504.0f).bits == 0x7bff);
  CHECK(Half(65519.99f).bits == 0x7bff);
  CHECK(Half(65520.0f).bits == 0x7c00);
  CHECK(Half(-1e10f).bits == 0xfc00);
  CHECK(Half(0x1p-24f).bits == 0x0001);
  CHECK(Half(0x1p-25f).bits == 0x0000);
  CHECK(Half(0x1.8p-24f).bits == 0x0002);
  CHECK(Half(-0.0f).bits == 0x8000);
  CHECK(Half(1.0f + 0x1p-11f).bits == 0x3c00);
  CHECK(Half(1.0f + 0x1.8p-10f).bits == 0x3c02);
  CHECK(BFloat16(1.0f + 0x1p-8f).bits == 0x3f80);
  CHECK(BFloat16(1.0f + 0x1.8p-7f).bits == 0x3f82);
  CHECK(BFloat16(std::numeric_limits<float>::max()).bits == 0x7f80);
  CHECK(BFloat16(std::numeric_limits<float>::quiet_NaN()).bits == 0x7fc0);
  // Halfway points between neighbouring halves, and the floats beside them.
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const float low = Half::from_bits(uint16_t(bits)), high = Half::from_bits(uint16_t(bits + 1));
    const float middle = low + (high - low) / 2;
    REQUIRE(Half(middle).bits == (bits % 2 == 0 ? bits : bits + 1));
    REQUIRE(Half(std::nextafter(middle, low)).bits == bits);
    REQUIRE(Half(std::nextafter(middle, high)).bits == bits + 1);
  }
  Half sum(1.5f);
  sum += 2.0f;
  CHECK(float(sum) == 3.5f);
  CHECK(float(-sum) == -3.5f);
  CHECK(float(sum * Half(2.0f)) == 7.0f);
  CHECK(std::numeric_limits<Half>::max() == 65504.0f);
  CHECK(float(std::numeric_limits<BFloat16>::epsilon()) == 0x1p-7f);
}
