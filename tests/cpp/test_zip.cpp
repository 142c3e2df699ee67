// Map: checksums | inflate | archives there and back | damage | saving over a file | IDX
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "io/archive.h"
#include "io/crc32.h"
#include "io/idx.h"
#include "io/inflate.h"
#include "io/zip.h"

using namespace bolide;
using namespace bolide::io;

namespace {

std::string make_zip(const std::vector<std::pair<std::string, std::string>>& records, uint64_t alignment = 64) {
  std::string out;
  auto sink = string_sink(out);
  ZipWriter w(*sink, alignment);
  for (const auto& [name, data] : records) w.add(name, data.data(), data.size());
  w.finish();
  return out;
}

ZipReader open(const std::string& bytes) { return ZipReader(memory_source("test.zip", bytes.data(), bytes.size())); }

std::string hex(const char* text) {
  std::string out;
  for (; text[0]; text += 2) out.push_back(static_cast<char>(std::stoi(std::string(text, 2), nullptr, 16)));
  return out;
}

std::string expand(const std::string& in, size_t n) {
  std::string out(n, '\0');
  inflate(reinterpret_cast<const uint8_t*>(in.data()), in.size(), reinterpret_cast<uint8_t*>(out.data()), n);
  return out;
}

struct Folder {
  std::filesystem::path path;
  Folder() : path(std::filesystem::temp_directory_path() / ("bolide-io-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

std::string contents(const std::filesystem::path& p) {
  std::ifstream f(p, std::ios::binary);
  return {std::istreambuf_iterator<char>(f), {}};
}

}  // namespace

TEST_CASE("crc32 matches the published check value and any split of the bytes") {
  CHECK(crc32(0, "123456789", 9) == 0xCBF43926u);
  std::string bytes(5000, '\0');
  std::mt19937 random(1);
  for (char& c : bytes) c = static_cast<char>(random());
  const uint32_t whole = crc32(0, bytes.data(), bytes.size());
  for (const size_t at : {1, 63, 64, 127, 128, 129, 1000, 4999})
    CHECK(crc32(crc32(0, bytes.data(), at), bytes.data() + at, bytes.size() - at) == whole);
  uint32_t one_by_one = 0;
  for (const char c : bytes) one_by_one = crc32(one_by_one, &c, 1);
  CHECK(one_by_one == whole);
}

TEST_CASE("inflate: stored, fixed and dynamic blocks, and their damage") {
  CHECK(expand(hex("010500faff68656c6c6f"), 5) == "hello");
  CHECK(expand(hex("cb48cdc9c957c8409000"), 17) == "hello hello hello");  // fixed codes
  std::string wavy;
  for (int i = 0; i < 600; ++i) wavy.push_back(static_cast<char>((i * i * 7 + i / 3) % 61 + 33));
  std::string dynamic;
  for (const char* part : {
           "edced70d84200000d05930166c915888052cb105a32896889eeebfc6ad711ff726780052f5386d16e3ea6e692d29f22b",
           "30b1cd3bc6153242066b9faf40ce1b6469d26b9c096b6efa2bb32dbc9088acb1e315ef341cfe25a427daeec0ea6bd78e",
           "6a12b02c4a6e1ba847ba455fce3f89fec242970f9acb7c800b13e658d55ba402b743a6579bd7ed0e71549c554c456440",
           "bc9659f3346921425df3791ad22d454163ecab420cf06fff76fb0b"})
    dynamic += hex(part);
  CHECK(expand(dynamic, 600) == wavy);
  CHECK_THROWS_AS(expand(hex("010500faff68656c6c6f"), 4), InflateError);   // longer than declared
  CHECK_THROWS_AS(expand(hex("010500faff68656c6c6f"), 6), InflateError);   // shorter
  CHECK_THROWS_AS(expand(hex("010500fbff68656c6c6f"), 5), InflateError);   // length check
  CHECK_THROWS_AS(expand(hex("010500faff6865"), 5), InflateError);         // cut
  CHECK_THROWS_AS(expand(hex("07"), 5), InflateError);                     // unknown block
  CHECK_THROWS_AS(expand("", 0), InflateError);
}

TEST_CASE("archives: what is written is read, aligned, by name") {
  const std::string big(200000, 'x');
  for (const uint64_t alignment : {64, 4096}) {
    const std::string bytes = make_zip({{"a/data.pkl", "pickle"}, {"a/empty", ""}, {"a/data/0", big}}, alignment);
    const ZipReader z = open(bytes);
    REQUIRE(z.records().size() == 3);
    for (const ZipRecord& r : z.records()) CHECK(r.data % alignment == 0);
    CHECK(z.read(*z.find("a/data/0"), big.size()) == big);
    CHECK(z.read(*z.find("a/empty"), uint64_t{0}) == "");
    CHECK(z.find("a/data") == nullptr);
    CHECK_THROWS_AS(z.read(*z.find("a/data/0"), 10), FileError);
  }
}

TEST_CASE("archives: every cut and every doubled name is refused") {
  const std::string bytes = make_zip({{"a/one", "first"}, {"a/two", "second"}});
  for (size_t n = 0; n < bytes.size(); ++n) CHECK_THROWS_AS(open(bytes.substr(0, n)), FileError);
  CHECK_THROWS_AS(open(make_zip({{"a/one", "1"}, {"a/one", "2"}})), FileError);
  CHECK_THROWS_AS(open(make_zip({{"a/../one", "1"}})), FileError);
  CHECK_THROWS_AS(open(make_zip({{"/one", "1"}})), FileError);
  CHECK_THROWS_AS(open(make_zip({{std::string("a\0b", 3), "1"}})), FileError);
}

TEST_CASE("archives: a flipped bit in a record is noticed") {
  std::string bytes = make_zip({{"a/one", "some bytes"}});
  bytes[bytes.find("some")] ^= 1;
  const ZipReader z = open(bytes);
  CHECK_THROWS_WITH_AS(z.read(z.records()[0], 100), doctest::Contains("checksum"), FileError);
}

TEST_CASE("archives: random damage never does more than throw") {
  const std::string good = make_zip({{"a/data.pkl", "\x80\x02}q\x00."}, {"a/data/0", std::string(300, 'z')}, {"a/version", "3\n"}});
  std::mt19937 random(7);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = good;
    for (int k = 1 + static_cast<int>(random() % 4); k > 0; --k) {
      // mostly where structure is: headers and the directory
      const size_t at = random() % 3 ? bytes.size() - 1 - random() % 300 : random() % bytes.size();
      constexpr uint8_t values[] = {0, 1, 0x7F, 0x80, 0xFF};
      bytes[at] = static_cast<char>(random() % 2 ? values[random() % 5] : random());
    }
    try {
      const ZipReader z = open(bytes);
      for (const ZipRecord& r : z.records()) z.read(r, 1 << 20);
    } catch (const FileError&) {
      ++refused;
    }
  }
  CHECK(refused > 10000);
}

TEST_CASE("saving: an interrupted save leaves the old file, a complete one keeps its permissions") {
  const Folder folder;
  const auto path = folder.path / "model.pt";
  std::ofstream(path) << "old";
  ::chmod(path.c_str(), 0640);
  {
    auto sink = file_sink(path, true);
    sink->write("new", 3);
  }  // no commit
  CHECK(contents(path) == "old");
  auto sink = file_sink(path, true);
  sink->write("new", 3);
  sink->commit();
  CHECK(contents(path) == "new");
  struct stat info;
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0640);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
  CHECK_THROWS_AS(file_sink(folder.path / "none" / "model.pt", true), FileError);
}

TEST_CASE("IDX: sizes are checked, numbers come in this machine's order") {
  const std::string good("\0\0\x0B\x01\0\0\0\x02\x01\x02\x03\x04", 12);
  const IdxData d = read_idx(good.data(), good.size(), "good");
  CHECK(d.dtype == DType::Int16);
  CHECK(d.shape == std::vector<int64_t>{2});
  int16_t values[2];
  std::memcpy(values, d.bytes.data(), 4);
  CHECK(values[0] == 0x0102);
  CHECK(values[1] == 0x0304);
  for (size_t n = 0; n < good.size(); ++n) CHECK_THROWS_AS(read_idx(good.data(), n, "cut"), FileError);
  CHECK_THROWS_AS(read_idx((good + "x").data(), good.size() + 1, "long"), FileError);
  const std::string huge("\0\0\x0E\x04\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 20);
  CHECK_THROWS_AS(read_idx(huge.data(), huge.size(), "huge"), FileError);
}
