// ZIP archives: a reader that trusts nothing, and a writer whose bytes are laid out as PyTorch lays them out.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/file.h"

namespace bolide::io {

struct ZipRecord {
  std::string name;
  uint64_t header = 0;      // where its local header starts
  uint64_t data = 0;        // where its bytes start
  uint64_t compressed = 0;  // bytes in the archive
  uint64_t size = 0;        // bytes after expansion
  uint32_t crc = 0;         // 0: none was computed
  bool deflated = false;
};

/// Opens an archive and checks its whole directory: counts, offsets, sizes, names, local headers, overlaps.
/// Throws FileError, also from the constructor.
class ZipReader {
 public:
  explicit ZipReader(std::shared_ptr<ByteSource> source);

  const std::vector<ZipRecord>& records() const { return records_; }
  /// The record of exactly this name, or null.
  const ZipRecord* find(const std::string& name) const;
  /// Expands a record into `to` (record.size bytes) and checks its checksum.
  void read(const ZipRecord& record, void* to) const;
  /// A whole record of at most `limit` bytes.
  std::string read(const ZipRecord& record, uint64_t limit) const;
  const ByteSource& source() const { return *source_; }
  const std::shared_ptr<ByteSource>& shared_source() const { return source_; }
  const std::string& name() const { return source_->name(); }

 private:
  struct Directory { uint64_t at, size, count; };
  Directory find_directory() const;
  Directory read_end(uint64_t end_at) const;
  void read_directory(const Directory& where);
  ZipRecord read_entry(const uint8_t*& p, const uint8_t* end) const;
  void check_local(ZipRecord& r, uint64_t limit) const;
  void check_overlap() const;
  void expand(const ZipRecord& record, void* to) const;

  std::shared_ptr<ByteSource> source_;
  std::vector<ZipRecord> records_;
  std::unordered_map<std::string_view, size_t> by_name_;
};

/// Whether the file starts like a ZIP archive.
bool looks_like_zip(const ByteSource& source);

/// Writes records one after the other, each starting at a multiple of `alignment`, then the directory.
class ZipWriter {
 public:
  ZipWriter(ByteSink& sink, uint64_t alignment = 64, bool crc = true);
  /// Returns the record's checksum (0 when they are not computed).
  uint32_t add(const std::string& name, const void* data, uint64_t size);
  /// Writes the directory and the end records; nothing can be added afterwards.
  void finish();

 private:
  struct Entry { std::string name; uint64_t header, size; uint32_t crc; };
  void put(const std::string& bytes);
  void put_header(const std::string& name, uint64_t size);
  uint32_t put_data(const void* data, uint64_t size);
  static std::string directory_entry(const Entry& e);

  ByteSink& sink_;
  uint64_t alignment_, at_ = 0;
  bool crc_;
  std::vector<Entry> entries_;
};

}  // namespace bolide::io
