// Map: values | what is refused | structures made to exhaust | damage | tensors there and back
#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>

#include "bolide/io.h"
#include "io/archive.h"
#include "io/pickle.h"

using namespace bolide;
using namespace bolide::io;

namespace {

Pickle read(const std::string& bytes, bool restricted = true) {
  PickleOptions options;
  options.restricted = restricted;
  return read_pickle(bytes, "test", options);
}

std::string text(std::string_view v) {
  const uint32_t n = static_cast<uint32_t>(v.size());
  return "X" + std::string(reinterpret_cast<const char*>(&n), 4) + std::string(v);
}

struct TemporaryFile {
  std::string path = std::filesystem::temp_directory_path() / ("bolide-pickle-" + std::to_string(::getpid()) + ".pt");
  ~TemporaryFile() { std::filesystem::remove(path); }
};

}  // namespace

TEST_CASE("values that the writer makes are read back") {
  PickleWriter w;
  w.mark();
  for (const int64_t v : {int64_t{0}, int64_t{255}, int64_t{256}, int64_t{-1}, int64_t{70000}, INT64_MIN, INT64_MAX, int64_t{1} << 40})
    w.integer(v);
  w.number(-2.5);
  w.string("näme");
  w.boolean(true);
  w.none();
  w.tuple();
  const std::string bytes = w.finish();
  const Pickle p = read(bytes);
  REQUIRE(p.is(p.root, PickleKind::Tuple));
  const auto& v = p.body(p.root).items;
  REQUIRE(v.size() == 12);
  int64_t k = 0;
  for (const int64_t want : {int64_t{0}, int64_t{255}, int64_t{256}, int64_t{-1}, int64_t{70000}, INT64_MIN, INT64_MAX, int64_t{1} << 40})
    CHECK(p[v[k++]].integer == want);
  CHECK(p[v[8]].number == -2.5);
  CHECK(p[v[9]].view() == "näme");
  CHECK(p[v[10]].integer == 1);
  CHECK(p.is(v[11], PickleKind::None));
  CHECK(p.length == bytes.size());
}

TEST_CASE("weights_only: names, opcodes and calls outside of the list are refused in words that programs match") {
  CHECK_THROWS_WITH_AS(read("\x80\x02" "cposix\nsystem\n" + text("x") + "\x85R."), doctest::Contains("posix is blocked"), FileError);
  CHECK_THROWS_WITH_AS(read("\x80\x02" "c__builtin__\neval\n."),
                       doctest::Contains("Unsupported global: GLOBAL eval was not an allowed global by default"), FileError);
  CHECK_THROWS_WITH_AS(read("\x80\x04\x95."), doctest::Contains("Unsupported operand 149"), FileError);
  CHECK_THROWS_WITH_AS(read("K\x01)R."), doctest::Contains("Weights only load failed"), FileError);
  CHECK_THROWS_AS(read("]K\x01)Q."), FileError);
  const std::unordered_set<std::string> mine = {"my.Class"};
  PickleOptions options;
  options.allowed = &mine;
  const std::string object = "cmy\nClass\n)\x81}b.";
  CHECK(read_pickle(object, "test", options).is(1, PickleKind::Bool));
  CHECK_THROWS_AS(read(object), FileError);
  CHECK(read(object, false).globals[0].full == "my.Class");
}

TEST_CASE("structures made to exhaust the reader end in an error, soon") {
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(read(std::string(100000, ']') + std::string(99999, 'a') + "."), FileError);
  std::string tuples = ")";
  for (int i = 0; i < 100000; ++i) tuples += '\x85';
  CHECK_THROWS_WITH_AS(read(tuples + "."), doctest::Contains("nested"), FileError);
  std::string top_down = "]q";
  top_down += '\0';
  for (int i = 0; i < 5000; ++i) top_down += std::string("]aeh", 0) + "h" + std::string(1, '\0') + "]q" + std::string(1, '\0') + "a0";
  CHECK_THROWS_AS(read(top_down + ".", false), FileError);
  std::string laughs = "}K\x01\x85";
  for (int i = 0; i < 60; ++i) laughs += std::string("q\x00h\x00\x86", 5);
  CHECK_THROWS_WITH_AS(read(laughs + "Ns."), doctest::Contains("repeat themselves"), FileError);
  CHECK_THROWS_AS(read(std::string("]r\xff\xff\xff\x7f.", 7)), FileError);
  CHECK_THROWS_AS(read("X\xff\xff\xff\xff" "abc."), FileError);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("a list may contain itself") {
  const std::string bytes("\x80\x02]q\x00h\x00" "a.", 9);
  const Pickle p = read(bytes);
  REQUIRE(p.is(p.root, PickleKind::List));
  CHECK(p.body(p.root).items == std::vector<PickleId>{p.root});
}

TEST_CASE("random bytes and damaged pickles never do more than throw") {
  PickleWriter w;
  w.global("collections", "OrderedDict");
  w.empty_tuple();
  w.reduce();
  w.mark();
  for (const char* key : {"weight", "bias"}) {
    w.string(key);
    w.integer(70000);
  }
  w.set_items();
  const std::string good = w.finish();
  std::mt19937 random(3);
  for (int round = 0; round < 30000; ++round) {
    std::string bytes = good;
    if (round % 3 == 0)
      for (char& c : bytes) c = static_cast<char>(random());
    else
      for (int k = 0; k < 3; ++k) bytes[random() % bytes.size()] = static_cast<char>(random());
    for (const bool restricted : {true, false}) {
      try {
        read(bytes, restricted);
      } catch (const FileError&) {
      }
    }
  }
  for (size_t n = 0; n < good.size(); ++n) CHECK_THROWS_AS(read(good.substr(0, n)), FileError);
}

TEST_CASE("tensors there and back: values, views, sharing, requires_grad, mmap") {
  const TemporaryFile file;
  Tensor a = Tensor::make({3, 4}, DType::Float32);
  for (int i = 0; i < 12; ++i) a.data<float>()[i] = static_cast<float>(i);
  const Tensor view = a.view_as_layout({2, 3}, {4, 1}, 5);
  Tensor b = Tensor::make({2}, DType::Int64);
  b.data<int64_t>()[0] = -7, b.data<int64_t>()[1] = INT64_MAX;
  save(TensorDict{{"a", a}, {"view", view}, {"b", b}}, file.path);
  for (const bool mmap : {false, true}) {
    LoadOptions options;
    options.mmap = mmap;
    const TensorDict d = load_dict(file.path, options);
    REQUIRE(d.size() == 3);
    CHECK(d[0].first == "a");
    CHECK(d[1].second.storage() == d[0].second.storage());
    CHECK(d[1].second.data<float>()[0] == 5);
    CHECK(d[1].second.strides() == view.strides());
    CHECK(d[2].second.data<int64_t>()[1] == INT64_MAX);
    d[0].second.data<float>()[0] = 99;  // a mapping is private: the file stays
  }
  CHECK(load_dict(file.path)[0].second.data<float>()[0] == 0);
  CHECK_THROWS_AS(load(file.path), FileError);
  save(b, file.path);
  CHECK(load(file.path).data<int64_t>()[0] == -7);
  CHECK_THROWS_AS(load(file.path + ".none"), FileError);
}

TEST_CASE("a damaged file of tensors never does more than throw") {
  const TemporaryFile file;
  Tensor a = Tensor::make({5, 5}, DType::Float32);
  std::fill_n(a.data<float>(), 25, 1.0f);
  save(TensorDict{{"a", a}, {"b", a.view_as_layout({5}, {5}, 1)}}, file.path);
  std::string good(std::filesystem::file_size(file.path), '\0');
  std::ifstream(file.path, std::ios::binary).read(good.data(), static_cast<std::streamsize>(good.size()));
  // The pickle is where sizes are: put its checksum out of play to reach what lies behind.
  std::mt19937 random(5);
  const TemporaryFile other;
  for (int round = 0; round < 300; ++round) {
    std::string bytes = good;
    for (int k = 0; k < 3; ++k) bytes[random() % bytes.size()] = static_cast<char>(random());
    std::ofstream(file.path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    try {
      for (const auto& [name, t] : load_dict(file.path))
        if (t.numel()) CHECK(std::isfinite(static_cast<double>(t.raw()[0])));
    } catch (const Error&) {
    }
  }
}
