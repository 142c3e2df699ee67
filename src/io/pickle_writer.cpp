// Map: opcodes of protocol 2, strings and names memoised so that repeated ones cost two bytes
#include <bit>
#include <limits>

#include "io/pickle.h"

namespace bolide::io {

PickleWriter::PickleWriter() : out_("\x80\x02") {}

std::string PickleWriter::finish() {
  op('.');
  return std::move(out_);
}

void PickleWriter::bytes(uint64_t v, int n) {
  for (int i = 0; i < n; ++i) op(static_cast<char>(v >> (8 * i)));
}

void PickleWriter::integer(int64_t v) {
  if (v >= 0 && v < 256) {
    op('K');
    bytes(static_cast<uint64_t>(v), 1);
  } else if (v >= 0 && v < 65536) {
    op('M');
    bytes(static_cast<uint64_t>(v), 2);
  } else if (v >= std::numeric_limits<int32_t>::min() && v <= std::numeric_limits<int32_t>::max()) {
    op('J');
    bytes(static_cast<uint64_t>(v), 4);
  } else {
    int n = 8;  // without bytes that only repeat the sign
    while (n > 1 && (v >> (8 * n - 9)) == (v < 0 ? -1 : 0)) --n;
    op('\x8a');
    bytes(static_cast<uint64_t>(n), 1);
    bytes(static_cast<uint64_t>(v), n);
  }
}

void PickleWriter::number(double v) {
  op('G');
  const uint64_t bits = std::bit_cast<uint64_t>(v);
  for (int i = 56; i >= 0; i -= 8) op(static_cast<char>(bits >> i));
}

bool PickleWriter::recall(const std::string& key) {
  const auto it = memo_.find(key);
  if (it == memo_.end()) return false;
  op(it->second < 256 ? 'h' : 'j');
  bytes(it->second, it->second < 256 ? 1 : 4);
  return true;
}

void PickleWriter::remember(const std::string& key) {
  const uint32_t at = static_cast<uint32_t>(memo_.size());
  memo_.emplace(key, at);
  op(at < 256 ? 'q' : 'r');
  bytes(at, at < 256 ? 1 : 4);
}

void PickleWriter::string(std::string_view v) {
  BOLIDE_CHECK_AS(ValueError, v.size() <= 0xFFFFFFFF, "a string of ", v.size(), " bytes cannot be saved");
  const std::string key = "X" + std::string(v);
  if (recall(key)) return;
  op('X');
  bytes(v.size(), 4);
  out_ += v;
  remember(key);
}

void PickleWriter::global(std::string_view module, std::string_view name) {
  std::string key = "c" + std::string(module) + "\n" + std::string(name) + "\n";
  if (recall(key)) return;
  out_ += key;
  remember(key);
}

void PickleWriter::integers(const int64_t* v, size_t n) {
  if (n == 0) return empty_tuple();
  mark();
  for (size_t i = 0; i < n; ++i) integer(v[i]);
  tuple();
}

}  // namespace bolide::io
