// Bytes in and out: ByteSource (memory, a mapped file, a file read in pieces) and ByteSink (a file that is
// replaced only when complete, memory, a callback).
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "bolide/io.h"

namespace bolide::io {

/// Throws FileError: "<name>: <what is wrong>".
template <class... A>
[[noreturn, gnu::cold, gnu::noinline]] void file_fail(std::string_view name, const A&... what) {
  throw FileError(FileError::Kind::Runtime, str(name, ": ", what...));
}
template <class... A>
[[noreturn, gnu::cold, gnu::noinline]] void file_fail_as(FileError::Kind kind, std::string_view name, const A&... what) {
  throw FileError(kind, str(name, ": ", what...));
}
/// The error of the last system call, with its number.
[[noreturn]] void system_fail(std::string_view name, std::string_view doing);

/// Random access to bytes that do not change while they are read.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  uint64_t size() const { return size_; }
  const std::string& name() const { return name_; }
  /// Copies [at, at + n), which must lie inside; throws when the bytes cannot be had.
  void read(uint64_t at, void* to, size_t n) const;
  /// The bytes in place, or null when the source is not in memory.
  virtual const uint8_t* memory() const { return nullptr; }
  /// Memory of a mapped file, which may be written, or null.
  virtual uint8_t* mapped_memory() { return nullptr; }

 protected:
  ByteSource(std::string name, uint64_t size) : name_(std::move(name)), size_(size) {}
  virtual void read_inside(uint64_t at, void* to, size_t n) const = 0;
  std::string name_;
  uint64_t size_;
};

/// Memory that `owner` keeps alive.
std::shared_ptr<ByteSource> memory_source(std::string name, const void* data, size_t n, std::shared_ptr<void> owner = {});
/// A file read by pread: no page faults, and no signal when somebody cuts it short.
std::shared_ptr<ByteSource> file_source(const std::string& path);
/// The same from a duplicate of an open descriptor; the file starts at `origin`.
std::shared_ptr<ByteSource> descriptor_source(std::string name, int descriptor, uint64_t origin);
/// A mapped file. Writes stay in this process, or with `shared` go to the file.
std::shared_ptr<ByteSource> mapped_source(const std::string& path, bool shared = false);

/// The first `bytes` of a file as a storage. shared: writes go to the file, which is made or grown where it is too small;
/// else they stay in this process. PyTorch's words for files that are too small or cannot be opened.
Ref<Storage> map_file(const std::string& path, bool shared, size_t bytes);

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual void write(const void* data, size_t n) = 0;
  /// Makes what was written the file. Without it the destructor throws everything away.
  virtual void commit() {}
};

/// A new file beside `path`, renamed over it by commit(): a save that dies leaves the old file as it was.
/// Pipes and devices, and files in folders that take no new files, are written in place.
std::unique_ptr<ByteSink> file_sink(const std::string& path, bool durable);
std::unique_ptr<ByteSink> string_sink(std::string& to);
std::unique_ptr<ByteSink> callback_sink(std::function<void(const void*, size_t)> write);

}  // namespace bolide::io
