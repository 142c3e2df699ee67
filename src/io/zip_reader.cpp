// Map: little-endian fields | finding the directory | entries | local headers and overlaps | reading records
#include <algorithm>
#include <cstring>

#include "io/crc32.h"
#include "io/inflate.h"
#include "io/zip.h"

namespace bolide::io {
namespace {

uint16_t u16(const uint8_t* p) { return static_cast<uint16_t>(p[0] | p[1] << 8); }
uint32_t u32(const uint8_t* p) { return u16(p) | static_cast<uint32_t>(u16(p + 2)) << 16; }
uint64_t u64(const uint8_t* p) { return u32(p) | static_cast<uint64_t>(u32(p + 4)) << 32; }

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                   kLocator = 0x07064b50;
constexpr size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocatorSize = 20;
constexpr uint32_t kMax32 = 0xFFFFFFFF;
constexpr uint16_t kEncrypted = 0x2041, kDescriptor = 8;  // also strong encryption and masked headers
// Deflated tensors and pickles shrink by tens, not by hundreds: beyond this it is a bomb.
constexpr uint64_t kBombSize = 16 << 20, kBombRatio = 200;

void check_name(const std::string& file, const std::string& name) {
  const auto refuse = [&](const char* why) { file_fail(file, "record name '", name.substr(0, 200), "' ", why); };
  if (name.empty()) refuse("is empty");
  if (name.find('\0') != std::string::npos) refuse("contains a zero byte");
  if (name[0] == '/' || name.find('\\') != std::string::npos) refuse("is no plain relative path");
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('/', at), name.size());
    if (std::string_view(name).substr(at, end - at) == "..") refuse("leads out of the archive");
    at = end + 1;
  }
}

}  // namespace

bool looks_like_zip(const ByteSource& source) {
  uint8_t head[4] = {};
  if (source.size() < 4) return false;
  source.read(0, head, 4);
  return u32(head) == kLocal;
}

ZipReader::ZipReader(std::shared_ptr<ByteSource> source) : source_(std::move(source)) {
  read_directory(find_directory());
  check_overlap();
}

// The end record stands last; only its comment follows. Two that fit would mean that two readers may see two
// different archives, so that is refused.
ZipReader::Directory ZipReader::find_directory() const {
  const uint64_t size = source_->size();
  if (size < kEndSize) file_fail(name(), "not a ZIP archive: ", size, " bytes are too few");
  const size_t n = static_cast<size_t>(std::min<uint64_t>(size, kEndSize + 0xFFFF));
  std::vector<uint8_t> tail(n);
  source_->read(size - n, tail.data(), n);
  size_t found = n;
  for (size_t at = n - kEndSize + 1; at-- > 0;) {
    if (u32(&tail[at]) != kEnd || at + kEndSize + u16(&tail[at + 20]) != n) continue;
    if (found != n) file_fail(name(), "damaged ZIP archive: two end records, one inside the comment of the other");
    found = at;
  }
  if (found == n) file_fail(name(), "not a ZIP archive, or cut short: failed finding central directory");
  return read_end(size - n + found);
}

ZipReader::Directory ZipReader::read_end(uint64_t end_at) const {
  uint8_t end[kEndSize];
  source_->read(end_at, end, kEndSize);
  if (u16(end + 4) != 0 || u16(end + 6) != 0) file_fail(name(), "archives in several parts are not supported");
  Directory d{u32(end + 16), u32(end + 12), u16(end + 10)};
  uint64_t limit = end_at;
  uint8_t locator[kLocatorSize] = {};
  if (end_at >= kLocatorSize) source_->read(end_at - kLocatorSize, locator, kLocatorSize);
  if (u32(locator) == kLocator) {
    limit = u64(locator + 8);
    const uint64_t before = end_at - kLocatorSize;
    if (before < kEnd64Size || limit > before - kEnd64Size)
      file_fail(name(), "damaged ZIP archive: the ZIP64 end record is said to be at ", limit);
    uint8_t end64[kEnd64Size];
    source_->read(limit, end64, kEnd64Size);
    if (u32(end64) != kEnd64) file_fail(name(), "damaged ZIP archive: no ZIP64 end record at ", limit);
    const Directory wide{u64(end64 + 48), u64(end64 + 40), u64(end64 + 32)};
    const auto same = [](uint64_t small, uint64_t mark, uint64_t large) { return small == mark || small == large; };
    if (!same(d.at, kMax32, wide.at) || !same(d.size, kMax32, wide.size) || !same(d.count, 0xFFFF, wide.count) ||
        u64(end64 + 24) != wide.count)
      file_fail(name(), "damaged ZIP archive: its two end records differ");
    d = wide;
  } else if (u16(end + 8) != d.count) {
    file_fail(name(), "damaged ZIP archive: two different numbers of entries");
  }
  if (d.size > limit || d.at > limit - d.size)
    file_fail(name(), "damaged ZIP archive: the directory (", d.size, " bytes at ", d.at, ") lies outside of it");
  if (d.count > d.size / kCentralSize)
    file_fail(name(), "damaged ZIP archive: ", d.count, " entries do not fit into ", d.size, " bytes of directory");
  return d;
}

void ZipReader::read_directory(const Directory& where) {
  std::vector<uint8_t> bytes(where.size);
  source_->read(where.at, bytes.data(), bytes.size());
  const uint8_t *p = bytes.data(), *end = p + bytes.size();
  records_.reserve(where.count);
  for (uint64_t i = 0; i < where.count; ++i) {
    ZipRecord r = read_entry(p, end);
    check_local(r, where.at);
    if (r.name.back() == '/' && r.size == 0) continue;  // a folder
    records_.push_back(std::move(r));
  }
  if (p != end) file_fail(name(), "damaged ZIP archive: the directory has more than its ", where.count, " entries");
  for (size_t i = 0; i < records_.size(); ++i)
    if (!by_name_.emplace(records_[i].name, i).second)
      file_fail(name(), "damaged ZIP archive: record '", records_[i].name, "' stands there twice");
}

ZipRecord ZipReader::read_entry(const uint8_t*& p, const uint8_t* end) const {
  const auto damaged = [&](const auto&... what) { file_fail(name(), "damaged ZIP archive: ", what...); };
  if (static_cast<size_t>(end - p) < kCentralSize || u32(p) != kCentral) damaged("no entry where one should be");
  const size_t name_size = u16(p + 28), extra_size = u16(p + 30), comment_size = u16(p + 32);
  if (static_cast<size_t>(end - p) - kCentralSize < name_size + extra_size + comment_size) damaged("an entry is cut short");
  ZipRecord r;
  r.name.assign(reinterpret_cast<const char*>(p + kCentralSize), name_size);
  check_name(name(), r.name);
  if (u16(p + 8) & kEncrypted) file_fail(name(), "record '", r.name, "' is encrypted");
  const uint16_t method = u16(p + 10);
  if (method != 0 && method != 8) file_fail(name(), "record '", r.name, "' has unknown compression method ", method);
  r.deflated = method == 8;
  r.crc = u32(p + 16);
  r.compressed = u32(p + 20);
  r.size = u32(p + 24);
  r.header = u32(p + 42);
  // ZIP64 values stand in this order, each only where the short field is full.
  const uint8_t *extra = p + kCentralSize + name_size, *extra_end = extra + extra_size, *wide = nullptr, *wide_end = nullptr;
  while (extra_end - extra >= 4 && !wide) {
    const size_t n = u16(extra + 2);
    if (static_cast<size_t>(extra_end - extra) - 4 < n) damaged("an extra field of record '", r.name, "' is cut short");
    if (u16(extra) == 1) wide = extra + 4, wide_end = wide + n;
    extra += 4 + n;
  }
  for (uint64_t* field : {&r.size, &r.compressed, &r.header}) {
    if (*field != kMax32) continue;
    if (!wide || wide_end - wide < 8) damaged("record '", r.name, "' has no 64-bit size");
    *field = u64(wide);
    wide += 8;
  }
  if (!r.deflated && r.compressed != r.size)
    damaged("stored record '", r.name, "' has ", r.compressed, " bytes, and ", r.size, " when read");
  p += kCentralSize + name_size + extra_size + comment_size;
  return r;
}

// The local header must agree with the directory: a reader that goes by the one must see what a reader that
// goes by the other sees.
void ZipReader::check_local(ZipRecord& r, uint64_t limit) const {
  const auto damaged = [&](const auto&... what) { file_fail(name(), "damaged ZIP archive: ", what..., " '", r.name, "'"); };
  if (limit < kLocalSize || r.header > limit - kLocalSize) damaged("there is no room at ", r.header, " for record");
  uint8_t head[kLocalSize + 256];
  const size_t n = static_cast<size_t>(std::min<uint64_t>(sizeof head, limit - r.header));
  source_->read(r.header, head, n);
  if (u32(head) != kLocal) damaged("no header at ", r.header, " for record");
  const size_t name_size = u16(head + 26), extra_size = u16(head + 28);
  const uint64_t start = kLocalSize + name_size + extra_size;
  if (start > limit - r.header || r.compressed > limit - r.header - start) damaged("there is no room for the data of record");
  r.data = r.header + start;
  std::string local(name_size, '\0');
  if (kLocalSize + name_size <= n) std::memcpy(local.data(), head + kLocalSize, name_size);
  else source_->read(r.header + kLocalSize, local.data(), name_size);
  if (local != r.name) damaged("the header says '", local, "' for record");
  if (u16(head + 8) != (r.deflated ? 8 : 0)) damaged("two compression methods for record");
  if (u16(head + 6) & kEncrypted) damaged("encrypted record");
  if (u16(head + 6) & kDescriptor) return;
  const uint32_t packed = u32(head + 18), size = u32(head + 22);
  if (u32(head + 14) != r.crc) damaged("two checksums for record");
  if ((packed != kMax32 && packed != r.compressed) || (size != kMax32 && size != r.size)) damaged("two sizes for record");
}

void ZipReader::check_overlap() const {
  std::vector<const ZipRecord*> order;
  for (const ZipRecord& r : records_) order.push_back(&r);
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->header < b->header; });
  for (size_t i = 1; i < order.size(); ++i)
    if (order[i - 1]->data + order[i - 1]->compressed > order[i]->header)
      file_fail(name(), "damaged ZIP archive: records '", order[i - 1]->name, "' and '", order[i]->name, "' overlap");
}

const ZipRecord* ZipReader::find(const std::string& name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : &records_[it->second];
}

// Stored bytes are copied piece by piece and summed up while they are in the cache.
void ZipReader::read(const ZipRecord& r, void* to) const {
  uint32_t crc = 0;
  if (r.deflated) {
    expand(r, to);
    if (r.crc != 0) crc = crc32(0, to, r.size);
  } else {
    constexpr uint64_t kPiece = 1 << 18;
    char* out = static_cast<char*>(to);
    for (uint64_t at = 0; at < r.size; at += kPiece) {
      const size_t n = static_cast<size_t>(std::min(kPiece, r.size - at));
      source_->read(r.data + at, out + at, n);
      if (r.crc != 0) crc = crc32(crc, out + at, n);
    }
  }
  if (crc != r.crc) file_fail(name(), "record '", r.name, "' is damaged: its checksum does not match");
}

std::string ZipReader::read(const ZipRecord& r, uint64_t limit) const {
  if (r.size > limit) file_fail(name(), "record '", r.name, "' has ", r.size, " bytes, expected at most ", limit);
  if (r.deflated && r.size > kBombSize && r.size / kBombRatio > r.compressed)
    file_fail(name(), "record '", r.name, "' expands from ", r.compressed, " to ", r.size, " bytes: refused as a bomb");
  std::string out(r.size, '\0');
  read(r, out.data());
  return out;
}

void ZipReader::expand(const ZipRecord& r, void* to) const {
  if (r.size > kBombSize && r.size / kBombRatio > r.compressed)
    file_fail(name(), "record '", r.name, "' expands from ", r.compressed, " to ", r.size, " bytes: refused as a bomb");
  std::vector<uint8_t> copy;
  const uint8_t* in = source_->memory();
  if (in) {
    in += r.data;
  } else {
    copy.resize(r.compressed);
    source_->read(r.data, copy.data(), copy.size());
    in = copy.data();
  }
  try {
    if (inflate(in, r.compressed, static_cast<uint8_t*>(to), r.size) != r.compressed)
      file_fail(name(), "record '", r.name, "' is damaged: bytes follow the compressed data");
  } catch (const InflateError& e) {
    file_fail(name(), "record '", r.name, "' is damaged: ", e.what());
  }
}

}  // namespace bolide::io
