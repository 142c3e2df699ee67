// Map: element types | the header | reading
#include "io/idx.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "io/file.h"
#include "io/inflate.h"

namespace bolide::io {
namespace {

constexpr size_t kMaxExpanded = size_t{4} << 30;  // of a compressed file

DType element_type(const std::string& name, int code) {
  switch (code) {
    case 0x08: return DType::UInt8;
    case 0x09: return DType::Int8;
    case 0x0B: return DType::Int16;
    case 0x0C: return DType::Int32;
    case 0x0D: return DType::Float32;
    case 0x0E: return DType::Float64;
  }
  file_fail(name, "is no IDX file: unknown element type ", code);
}

IdxData parse(std::string_view s, const std::string& name) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(s[i]); };
  if (s.size() < 4 || byte(0) != 0 || byte(1) != 0) file_fail(name, "is no IDX file");
  IdxData d;
  d.dtype = element_type(name, byte(2));
  const size_t rank = byte(3), head = 4 + 4 * rank;
  if (s.size() < head) file_fail(name, "damaged IDX file: ", rank, " dimensions, but only ", s.size(), " bytes");
  const size_t item = static_cast<size_t>(item_size(d.dtype));
  size_t need = item;
  for (size_t i = 4; i < head; i += 4) {
    const uint32_t n = uint32_t{byte(i)} << 24 | byte(i + 1) << 16 | byte(i + 2) << 8 | byte(i + 3);
    d.shape.push_back(n);
    if (__builtin_mul_overflow(need, size_t{n}, &need)) file_fail(name, "damaged IDX file: its sizes overflow");
  }
  if (s.size() - head != need)
    file_fail(name, "damaged IDX file: sizes ", IntList(d.shape), " need ", need, " bytes, it has ", s.size() - head);
  d.bytes.assign(s.substr(head));
  if (item > 1)
    for (size_t at = 0; at < need; at += item) std::reverse(d.bytes.begin() + at, d.bytes.begin() + at + item);
  return d;
}

}  // namespace

IdxData read_idx(const void* data, size_t n, const std::string& name) {
  const uint8_t* p = static_cast<const uint8_t*>(data);
  if (n < 2 || p[0] != 0x1F || p[1] != 0x8B) return parse({static_cast<const char*>(data), n}, name);
  std::string expanded;
  try {
    expanded = gunzip(p, n, std::min(kMaxExpanded, n * 1100 + 65536));
  } catch (const InflateError& e) {
    file_fail(name, e.what());
  }
  return parse(expanded, name);
}

IdxData read_idx(const std::string& path) {
  const auto source = file_source(path);
  std::string bytes(source->size(), '\0');
  source->read(0, bytes.data(), bytes.size());
  return read_idx(bytes.data(), bytes.size(), path);
}

}  // namespace bolide::io
