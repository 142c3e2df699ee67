// Map: storage classes and element sizes | folder names | writing an archive
#include <algorithm>
#include <array>
#include <unordered_set>

#include "io/archive.h"

namespace bolide::io {
namespace {

struct Row { std::string_view dtype, storage; int64_t bytes; };
constexpr std::array<Row, 32> kTypes = {{
    {"float32", "FloatStorage", 4}, {"float64", "DoubleStorage", 8}, {"float16", "HalfStorage", 2},
    {"bfloat16", "BFloat16Storage", 2}, {"int64", "LongStorage", 8}, {"int32", "IntStorage", 4},
    {"int16", "ShortStorage", 2}, {"int8", "CharStorage", 1}, {"uint8", "ByteStorage", 1}, {"bool", "BoolStorage", 1},
    {"complex64", "ComplexFloatStorage", 8}, {"complex128", "ComplexDoubleStorage", 16}, {"qint8", "QInt8Storage", 1},
    {"quint8", "QUInt8Storage", 1}, {"qint32", "QInt32Storage", 4}, {"quint4x2", "QUInt4x2Storage", 1},
    {"quint2x4", "QUInt2x4Storage", 1}, {"complex32", "", 4}, {"uint16", "", 2}, {"uint32", "", 4}, {"uint64", "", 8},
    {"float8_e4m3fn", "", 1}, {"float8_e5m2", "", 1}, {"float8_e4m3fnuz", "", 1}, {"float8_e5m2fnuz", "", 1},
    {"float8_e8m0fnu", "", 1}, {"float4_e2m1fn_x2", "", 1}, {"bits8", "", 1}, {"bits16", "", 2}, {"bits1x8", "", 1},
    {"bits2x4", "", 1}, {"bits4x2", "", 1}}};

}  // namespace

std::optional<StorageClass> storage_class(std::string_view full) {
  if (full == "torch.storage.UntypedStorage" || full == "torch.UntypedStorage") return StorageClass{"", 1};
  if (!full.starts_with("torch.")) return {};
  full.remove_prefix(6);
  if (full.starts_with("cuda.")) full.remove_prefix(5);
  if (full.empty()) return {};
  for (const Row& r : kTypes)
    if (r.storage == full) return StorageClass{std::string(r.dtype), r.bytes};
  return {};
}

int64_t dtype_bytes(std::string_view dtype) {
  for (const Row& r : kTypes)
    if (r.dtype == dtype && !dtype.empty()) return r.bytes;
  return 0;
}

std::string storage_class_of(std::string_view dtype) {
  for (const Row& r : kTypes)
    if (r.dtype == dtype && !r.storage.empty()) return "torch." + std::string(r.storage);
  return "torch.storage.UntypedStorage";
}

std::string archive_folder(const std::string& path) {
  std::string base = path.substr(path.rfind('/') + 1);
  const size_t dot = base.rfind('.');
  if (dot != std::string::npos && dot != 0) base.resize(dot);
  const bool plain = std::all_of(path.begin(), path.end(), [](char c) { return c > 0 && c != '\\'; });
  return base.empty() || !plain || base == "." || base == ".." ? "archive" : base;
}

namespace {

/// Counts what PyTorch's serialization_id is made of: names and checksums of the records, in its order.
class Identity {
 public:
  void add(const std::string& name, uint32_t crc, uint64_t bytes) {
    names_.insert(name);
    if (bytes != 0) mix(crcs_, crc);
  }
  std::string text() const {
    uint64_t names = 0;
    for (const std::string& n : names_) mix(names, std::hash<std::string>{}(n));
    return digits(names) + digits(crcs_);
  }

 private:
  static void mix(uint64_t& v, uint64_t x) { v ^= x + 0x9E3779B9u + (v << 6) + (v >> 2); }
  static std::string digits(uint64_t v) {
    const std::string s = std::to_string(v);
    return std::string(20 - s.size(), '0') + s;
  }
  std::unordered_set<std::string> names_;
  uint64_t crcs_ = 0;
};

}  // namespace

void write_archive(ByteSink& sink, const std::string& folder, std::string_view pickle,
                   const std::vector<SavedStorage>& storages, const SaveOptions& options) {
  ZipWriter zip(sink, static_cast<uint64_t>(options.alignment), options.crc32);
  Identity id;
  const auto add = [&](const std::string& name, const void* data, uint64_t n) {
    id.add(name, zip.add(folder + '/' + name, data, n), n);
  };
  const auto add_text = [&](const std::string& name, const std::string& text) { add(name, text.data(), text.size()); };
  add("data.pkl", pickle.data(), pickle.size());
  add_text(".format_version", "1");
  add_text(".storage_alignment", std::to_string(options.alignment));
  add_text("byteorder", "little");
  for (size_t i = 0; i < storages.size(); ++i) add("data/" + std::to_string(i), storages[i].data, storages[i].bytes);
  add_text("version", "3\n");
  add_text(".data/serialization_id", id.text());
  zip.finish();
  sink.commit();
}

}  // namespace bolide::io
