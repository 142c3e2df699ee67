// Map: errors | sources: memory, descriptor, mapping | sinks: file, string, callback
#include "io/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

namespace bolide::io {

void system_fail(std::string_view name, std::string_view doing) {
  const int number = errno;
  const auto kind = number == ENOENT ? FileError::Kind::NotFound : FileError::Kind::System;
  throw FileError(kind, str(name, ": ", doing, ": ", std::strerror(number)), number);
}

void ByteSource::read(uint64_t at, void* to, size_t n) const {
  if (n > size_ || at > size_ - n) file_fail(name_, "needs bytes ", at, " to ", at + n, ", the file has ", size_);
  if (n != 0) read_inside(at, to, n);
}

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  ~Descriptor() { if (fd_ >= 0) ::close(fd_); }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

int open_to_read(const std::string& path) {
  int fd;
  do fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) system_fail(path, "cannot be opened");
  return fd;
}

uint64_t regular_size(int fd, const std::string& name) {
  struct stat info;
  if (::fstat(fd, &info) != 0) system_fail(name, "cannot be examined");
  if (S_ISDIR(info.st_mode)) {
    errno = EISDIR;
    system_fail(name, "cannot be read");
  }
  if (!S_ISREG(info.st_mode)) file_fail(name, "is no regular file");
  return static_cast<uint64_t>(info.st_size);
}

class MemorySource final : public ByteSource {
 public:
  MemorySource(std::string name, const void* data, size_t n, std::shared_ptr<void> owner)
      : ByteSource(std::move(name), n), data_(static_cast<const uint8_t*>(data)), owner_(std::move(owner)) {}
  const uint8_t* memory() const override { return data_; }

 private:
  void read_inside(uint64_t at, void* to, size_t n) const override { std::memcpy(to, data_ + at, n); }
  const uint8_t* data_;
  std::shared_ptr<void> owner_;
};

class DescriptorSource final : public ByteSource {
 public:
  DescriptorSource(std::string name, int fd, uint64_t size, uint64_t origin)
      : ByteSource(std::move(name), size), file_(fd), origin_(origin) {}

 private:
  void read_inside(uint64_t at, void* to, size_t n) const override {
    char* out = static_cast<char*>(to);
    at += origin_;
    while (n != 0) {
      const ssize_t got = ::pread(file_.get(), out, n, static_cast<off_t>(at));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) system_fail(name_, "cannot be read");
      if (got == 0) file_fail(name_, "became shorter while it was read");
      out += got;
      at += static_cast<uint64_t>(got);
      n -= static_cast<size_t>(got);
    }
  }
  Descriptor file_;
  uint64_t origin_;
};

class MappedSource final : public ByteSource {
 public:
  MappedSource(std::string name, int fd, uint64_t size, bool shared) : ByteSource(std::move(name), size) {
    if (size == 0) return;
    void* p = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE, fd, 0);
    if (p == MAP_FAILED) system_fail(name_, "cannot be mapped");
    data_ = static_cast<uint8_t*>(p);
  }
  ~MappedSource() override { if (data_) ::munmap(data_, size_); }
  const uint8_t* memory() const override { return data_; }
  uint8_t* mapped_memory() override { return data_; }

 private:
  void read_inside(uint64_t at, void* to, size_t n) const override { std::memcpy(to, data_ + at, n); }
  uint8_t* data_ = nullptr;
};

void write_all(int fd, const std::string& name, const void* data, size_t n) {
  const char* p = static_cast<const char*>(data);
  while (n != 0) {
    const ssize_t done = ::write(fd, p, n);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) system_fail(name, "cannot be written");
    p += done;
    n -= static_cast<size_t>(done);
  }
}

/// Small writes are gathered, so that headers and padding cost no system call each.
class FileSink final : public ByteSink {
 public:
  FileSink(const std::string& path, bool durable) : path_(resolve(path)), durable_(durable) { open(); }
  ~FileSink() override {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }
  void write(const void* data, size_t n) override {
    if (pending_.size() + n < kGather) {
      pending_.append(static_cast<const char*>(data), n);
      return;
    }
    flush();
    write_all(file_->get(), path_, data, n);
  }
  void commit() override {
    flush();
    if (!temporary_.empty()) replace();
    if (::close(file_->release()) != 0) system_fail(path_, "cannot be closed");
  }

 private:
  static constexpr size_t kGather = 1 << 16;

  // A symbolic link stays one: the file that it names is replaced.
  static std::string resolve(const std::string& path) {
    char* real = ::realpath(path.c_str(), nullptr);
    if (real == nullptr) return path;
    std::string out(real);
    std::free(real);
    return out;
  }

  void open() {
    struct stat info;
    exists_ = ::stat(path_.c_str(), &info) == 0;
    if (!exists_ || S_ISREG(info.st_mode)) {
      if (exists_ && ::access(path_.c_str(), W_OK) != 0) system_fail(path_, "cannot be written");
      if (open_temporary(exists_ ? info.st_mode & 07777 : 0)) return;
    }
    const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) system_fail(path_, "cannot be opened for writing");
    file_ = std::make_unique<Descriptor>(fd);
  }

  // False when the folder takes no new files while the file itself may be written.
  bool open_temporary(mode_t mode) {
    static std::atomic<unsigned> count{0};
    const size_t slash = path_.rfind('/') + 1;
    const std::string base = path_.substr(slash, 200);
    for (int attempt = 0; attempt < 100; ++attempt) {
      std::string name = str(path_.substr(0, slash), '.', base, '.', ::getpid(), '-', count++, ".part");
      const int fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd >= 0) {
        file_ = std::make_unique<Descriptor>(fd);
        temporary_ = std::move(name);
        if (mode != 0 && ::fchmod(fd, mode) != 0) system_fail(temporary_, "cannot get the old file's permissions");
        return true;
      }
      if (errno == EEXIST) continue;
      if (exists_ && (errno == EACCES || errno == EPERM || errno == EROFS)) return false;
      system_fail(path_, "cannot be opened for writing");
    }
    file_fail(path_, "no free name for a temporary file beside it");
  }

  // The data must reach the disk before the name does, or a power cut could leave an empty file in place of the
  // old one. A new name replaces nothing, so it need not wait.
  void replace() {
    if (durable_ && exists_ && ::fdatasync(file_->get()) != 0) system_fail(path_, "cannot be flushed to disk");
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) system_fail(path_, "cannot be replaced");
    temporary_.clear();
  }

  void flush() {
    write_all(file_->get(), path_, pending_.data(), pending_.size());
    pending_.clear();
  }

  std::string path_, temporary_, pending_;
  bool durable_, exists_ = false;
  std::unique_ptr<Descriptor> file_;
};

class StringSink final : public ByteSink {
 public:
  explicit StringSink(std::string& to) : to_(to) {}
  void write(const void* data, size_t n) override { to_.append(static_cast<const char*>(data), n); }

 private:
  std::string& to_;
};

class CallbackSink final : public ByteSink {
 public:
  explicit CallbackSink(std::function<void(const void*, size_t)> f) : write_(std::move(f)) {}
  void write(const void* data, size_t n) override {
    if (pending_.size() + n < (1 << 16)) {
      pending_.append(static_cast<const char*>(data), n);
      return;
    }
    commit();
    write_(data, n);
  }
  void commit() override {
    if (!pending_.empty()) write_(pending_.data(), pending_.size());
    pending_.clear();
  }

 private:
  std::function<void(const void*, size_t)> write_;
  std::string pending_;
};

}  // namespace

std::shared_ptr<ByteSource> memory_source(std::string name, const void* data, size_t n, std::shared_ptr<void> owner) {
  return std::make_shared<MemorySource>(std::move(name), data, n, std::move(owner));
}

std::shared_ptr<ByteSource> file_source(const std::string& path) {
  Descriptor file(open_to_read(path));
  const uint64_t size = regular_size(file.get(), path);
  return std::make_shared<DescriptorSource>(path, file.release(), size, 0);
}

std::shared_ptr<ByteSource> descriptor_source(std::string name, int descriptor, uint64_t origin) {
  Descriptor file(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  if (file.get() < 0) system_fail(name, "its descriptor cannot be used");
  const uint64_t size = regular_size(file.get(), name);
  if (origin > size) file_fail(name, "reading starts at ", origin, ", the file has ", size, " bytes");
  return std::make_shared<DescriptorSource>(std::move(name), file.release(), size - origin, origin);
}

std::shared_ptr<ByteSource> mapped_source(const std::string& path, bool shared) {
  Descriptor file(shared ? ::open(path.c_str(), O_RDWR | O_CLOEXEC) : open_to_read(path));
  if (file.get() < 0) system_fail(path, "cannot be opened for writing");
  return std::make_shared<MappedSource>(path, file.get(), regular_size(file.get(), path), shared);
}

Ref<Storage> map_file(const std::string& path, bool shared, size_t bytes) {
  const Descriptor file(::open(path.c_str(), shared ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0666));
  BOLIDE_CHECK(file.get() >= 0, "unable to open file <", path, "> in ", shared ? "read-write" : "read-only", " mode: ",
               std::strerror(errno), " (", errno, ")");
  struct stat info;
  if (::fstat(file.get(), &info) != 0) system_fail(path, "cannot be examined");
  const auto size = static_cast<uint64_t>(info.st_size);
  BOLIDE_CHECK(shared || bytes <= size, "file <", path, "> size <", size, "> is smaller than the required mapping size <", bytes, ">");
  if (bytes > size && ::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) system_fail(path, "cannot be grown");
  if (bytes == 0) return Storage::allocate(0, Device());
  void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, file.get(), 0);
  if (p == MAP_FAILED) system_fail(path, "cannot be mapped");
  struct Mapping { void* p; size_t bytes; };
  return Storage::borrow(p, bytes, Device(), [](void* context) {
    const std::unique_ptr<Mapping> m(static_cast<Mapping*>(context));
    ::munmap(m->p, m->bytes);
  }, new Mapping{p, bytes});
}

std::unique_ptr<ByteSink> file_sink(const std::string& path, bool durable) {
  return std::make_unique<FileSink>(path, durable);
}
std::unique_ptr<ByteSink> string_sink(std::string& to) { return std::make_unique<StringSink>(to); }
std::unique_ptr<ByteSink> callback_sink(std::function<void(const void*, size_t)> write) {
  return std::make_unique<CallbackSink>(std::move(write));
}

}  // namespace bolide::io
