// Map: little-endian fields | local headers | data and descriptors | the directory and its end
#include "io/crc32.h"
#include "io/zip.h"

#include <algorithm>

namespace bolide::io {
namespace {

constexpr uint32_t kMax32 = 0xFFFFFFFF;
// Names are UTF-8; sizes follow the data, except for an empty record, which has nothing after its header.
constexpr uint16_t flags_of(uint64_t size) { return size == 0 ? 0x0800 : 0x0808; }

struct Bytes {
  std::string s;
  template <class T>
  Bytes& put(T v) {
    for (size_t i = 0; i < sizeof(T); ++i) s.push_back(static_cast<char>(static_cast<uint64_t>(v) >> (8 * i)));
    return *this;
  }
  Bytes& u16(uint64_t v) { return put(static_cast<uint16_t>(v)); }
  Bytes& u32(uint64_t v) { return put(static_cast<uint32_t>(v)); }
  Bytes& u64(uint64_t v) { return put(v); }
};

uint64_t short_form(uint64_t v) { return std::min<uint64_t>(v, kMax32); }

// The ZIP64 extra field, where a size or the offset needs one.
std::string wide_extra(uint64_t size, uint64_t header) {
  if (size < kMax32 && header < kMax32) return {};
  Bytes b;
  b.u16(1).u16((size >= kMax32 ? 16 : 0) + (header >= kMax32 ? 8 : 0));
  if (size >= kMax32) b.u64(size).u64(size);
  if (header >= kMax32) b.u64(header);
  return b.s;
}

}  // namespace

ZipWriter::ZipWriter(ByteSink& sink, uint64_t alignment, bool crc) : sink_(sink), alignment_(alignment), crc_(crc) {
  BOLIDE_CHECK_AS(ValueError, alignment != 0 && (alignment & (alignment - 1)) == 0 && alignment <= 65536 / 2,
                  "storage alignment must be a power of two of at most 32768, got ", alignment);
}

void ZipWriter::put(const std::string& bytes) {
  sink_.write(bytes.data(), bytes.size());
  at_ += bytes.size();
}

// An extra field of Z bytes pushes the data to the next multiple of the alignment.
void ZipWriter::put_header(const std::string& name, uint64_t size) {
  const std::string wide = wide_extra(size, at_);
  const uint64_t start = at_ + 30 + name.size() + wide.size() + 4;
  const uint64_t pad = (alignment_ - start % alignment_) % alignment_;
  Bytes b;
  b.u32(0x04034b50).u16(0).u16(flags_of(size)).u16(0).u16(0).u16(0);
  b.u32(0).u32(wide.empty() || size < kMax32 ? 0 : kMax32).u32(wide.empty() || size < kMax32 ? 0 : kMax32);
  b.u16(name.size()).u16(wide.size() + 4 + pad);
  b.s += name;
  b.s += wide;
  b.s += "FB";
  b.u16(pad);
  b.s.append(pad, 'Z');
  put(b.s);
}

uint32_t ZipWriter::put_data(const void* data, uint64_t size) {
  constexpr uint64_t kPiece = 1 << 20;  // summed up just before it is written, so it is read once
  uint32_t crc = 0;
  const char* p = static_cast<const char*>(data);
  for (uint64_t at = 0; at < size; at += kPiece) {
    const size_t n = static_cast<size_t>(std::min(kPiece, size - at));
    if (crc_) crc = crc32(crc, p + at, n);
    sink_.write(p + at, n);
  }
  at_ += size;
  return crc;
}

uint32_t ZipWriter::add(const std::string& name, const void* data, uint64_t size) {
  BOLIDE_CHECK_AS(ValueError, name.size() < 0xFFFF, "a record's name has ", name.size(), " bytes, at most 65534 fit");
  Entry e{name, at_, size, 0};
  put_header(name, size);
  if (size != 0) {
    e.crc = put_data(data, size);
    Bytes b;
    b.u32(0x08074b50).u32(e.crc);
    if (size >= kMax32) b.u64(size).u64(size);
    else b.u32(size).u32(size);
    put(b.s);
  }
  entries_.push_back(std::move(e));
  return entries_.back().crc;
}

std::string ZipWriter::directory_entry(const Entry& e) {
  const std::string wide = wide_extra(e.size, e.header);
  Bytes b;
  b.u32(0x02014b50).u16(0).u16(0).u16(flags_of(e.size)).u16(0).u16(0).u16(0);
  b.u32(e.crc).u32(short_form(e.size)).u32(short_form(e.size));
  b.u16(e.name.size()).u16(wide.size()).u16(0).u16(0).u16(0).u32(0).u32(short_form(e.header));
  b.s += e.name;
  b.s += wide;
  return b.s;
}

void ZipWriter::finish() {
  const uint64_t start = at_, count = entries_.size();
  for (const Entry& e : entries_) put(directory_entry(e));
  const uint64_t size = at_ - start, end64 = at_;
  Bytes b;
  b.u32(0x06064b50).u64(44).u16(0x031E).u16(0x002D).u32(0).u32(0).u64(count).u64(count).u64(size).u64(start);
  b.u32(0x07064b50).u32(0).u64(end64).u32(1);
  b.u32(0x06054b50).u16(0).u16(0).u16(std::min<uint64_t>(count, 0xFFFF)).u16(std::min<uint64_t>(count, 0xFFFF));
  b.u32(short_form(size)).u32(short_form(start)).u16(0);
  put(b.s);
}

}  // namespace bolide::io
