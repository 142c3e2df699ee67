// Map: the control block | files | SharedBlock | making and mapping | leases and fork
#include "io/shared_memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <unordered_set>

#include "bolide/error.h"
#include "core/allocator.h"
#include "io/file.h"

namespace bolide::io {
namespace {

// Stands before the data, so that the data keep the alignment of 64 bytes.
struct alignas(64) Control {
  std::atomic<uint32_t> users;  // of named memory: processes that map it or are about to
  std::atomic<uint32_t> lent;   // how often the maker has sent it away
};
static_assert(sizeof(Control) == 64 && std::atomic<uint32_t>::is_always_lock_free);

// ---- files -----------------------------------------------------------------------------------

const char* temporary_folder() {
  const char* own = std::getenv("TMPDIR");
  return own && *own ? own : "/tmp";
}

bool has_room(const char* folder, size_t bytes) {
  struct statvfs s;
  return ::statvfs(folder, &s) == 0 && ::access(folder, W_OK | X_OK) == 0 && s.f_bavail * s.f_frsize > bytes;
}

const char* folder_for(size_t bytes) { return has_room("/dev/shm", bytes) ? "/dev/shm" : temporary_folder(); }

// Room is taken at once: without it a write to the mapping would kill the process later.
void take_room(int fd, size_t bytes, bool reserve) {
  int problem = ::ftruncate(fd, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
  if (!problem && reserve) problem = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  if (!problem) return;
  ::close(fd);
  errno = problem;
  system_fail("shared memory", str("no room for ", bytes, " bytes"));
}

int anonymous_file(size_t bytes) {
  const int memory = ::memfd_create("bolide", MFD_CLOEXEC);
  if (memory >= 0) {
    take_room(memory, bytes, false);
    return memory;
  }
  std::string name = str(folder_for(bytes), "/bolide_XXXXXX");
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) system_fail(name, "cannot be made");
  ::unlink(name.c_str());
  take_room(fd, bytes, true);
  return fd;
}

// bolide_<id of the process namespace>_, since process ids are only good inside of it.
const std::string& name_prefix() {
  static const std::string prefix = [] {
    struct stat s;
    return str("bolide_", ::stat("/proc/self/ns/pid", &s) == 0 ? s.st_ino : 0, '_');
  }();
  return prefix;
}

// Files of processes that were killed stay behind; whoever makes the first named block next removes them.
void remove_stale(const char* folder) {
  DIR* d = ::opendir(folder);
  if (!d) return;
  while (const dirent* e = ::readdir(d)) {
    const std::string_view name = e->d_name;
    if (!name.starts_with(name_prefix())) continue;
    int pid = 0;
    const char* end = name.data() + name.size();
    const auto r = std::from_chars(name.data() + name_prefix().size(), end, pid);
    if (r.ec != std::errc() || r.ptr == end || *r.ptr != '_' || pid <= 0) continue;
    if (::kill(pid, 0) != 0 && errno == ESRCH) ::unlinkat(::dirfd(d), e->d_name, 0);
  }
  ::closedir(d);
}

int named_file(size_t bytes, std::string& name) {
  static std::once_flag cleaned;
  std::call_once(cleaned, [] {
    remove_stale("/dev/shm");
    remove_stale(temporary_folder());
  });
  static std::atomic<uint32_t> count{0};
  std::random_device random;
  for (int attempt = 0; attempt < 100; ++attempt) {
    name = str(folder_for(bytes), '/', name_prefix(), ::getpid(), '_', random(), '_', count++);
    const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
      try {
        take_room(fd, bytes, true);
      } catch (...) {
        ::unlink(name.c_str());
        throw;
      }
      return fd;
    }
    if (errno != EEXIST) break;
  }
  system_fail(name, "cannot be made");
}

}  // namespace

// ---- SharedBlock -----------------------------------------------------------------------------

struct SharedBlock {
  std::atomic<uint32_t> refs{0};
  Control* control = nullptr;
  size_t mapped = 0;
  int descriptor = -1;
  std::string name;
  pid_t owner = ::getpid();  // a forked child inherits the object, but not the right to give anything back

  void* data() const { return control + 1; }
  static void destroy(SharedBlock* b) { delete b; }
  ~SharedBlock();
};

namespace {

// Names that this process must remove when it ends without dropping its tensors.
class Names {
 public:
  static Names& get() {
    static auto* names = new Names;  // used by exit handlers: never destroyed
    return *names;
  }
  void add(const SharedBlock& b) {
    const std::lock_guard lock(mutex_);
    static const int registered = std::atexit([] { get().drop_all(); });
    (void)registered;
    blocks_.insert(&b);
  }
  void drop(const SharedBlock& b) {
    const std::lock_guard lock(mutex_);
    if (blocks_.erase(&b)) drop_user(b);
  }

 private:
  static void drop_user(const SharedBlock& b) {
    if (b.owner == ::getpid() && b.control->users.fetch_sub(1, std::memory_order_acq_rel) == 1) ::unlink(b.name.c_str());
  }
  void drop_all() {
    const std::lock_guard lock(mutex_);
    for (const SharedBlock* b : blocks_) drop_user(*b);
    blocks_.clear();
  }
  std::mutex mutex_;
  std::unordered_set<const SharedBlock*> blocks_;
};

Ref<SharedBlock> map_block(int fd, size_t bytes) {
  const size_t mapped = bytes + sizeof(Control);
  void* p = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED) {
    const int problem = errno;
    ::close(fd);
    errno = problem;
    system_fail("shared memory", str(bytes, " bytes cannot be mapped"));
  }
  Ref<SharedBlock> b(new SharedBlock);
  b->control = static_cast<Control*>(p);
  b->mapped = mapped;
  b->descriptor = fd;
  return b;
}

void check_size(int fd, size_t bytes, std::string_view name) {
  struct stat s;
  if (::fstat(fd, &s) == 0 && static_cast<size_t>(s.st_size) >= bytes + sizeof(Control)) return;
  ::close(fd);
  file_fail(name, "shared memory is smaller than the ", bytes, " bytes it should hold");
}

void release_block(void* context) { Ref<SharedBlock>::adopt(static_cast<SharedBlock*>(context)); }

SharedBlock* block_of(const Storage& s) {
  return s.deleter == &release_block ? static_cast<SharedBlock*>(s.context) : nullptr;
}

Ref<Storage> storage_on(Ref<SharedBlock> b, size_t bytes) {
  void* data = b->data();
  return Storage::borrow(data, bytes, Device(), &release_block, b.release());
}

Ref<SharedBlock> make_block(size_t bytes, bool named) {
  BOLIDE_CHECK(bytes < SIZE_MAX / 4, "shared memory: ", bytes, " bytes are too many");
  std::string name;
  const size_t whole = bytes + sizeof(Control);
  Ref<SharedBlock> b = map_block(named ? named_file(whole, name) : anonymous_file(whole), bytes);
  if (named) {  // found by its name, so the descriptor may go
    ::close(std::exchange(b->descriptor, -1));
    b->name = std::move(name);
    b->control->users.store(1, std::memory_order_relaxed);
    Names::get().add(*b);
  }
  return b;
}

const std::string kNoName;

}  // namespace

SharedBlock::~SharedBlock() {
  if (!name.empty()) Names::get().drop(*this);
  if (control) ::munmap(control, mapped);
  if (descriptor >= 0) ::close(descriptor);
}

// ---- making and mapping ----------------------------------------------------------------------

Ref<Storage> make_shared(size_t bytes, bool named) { return storage_on(make_block(bytes, named), bytes); }

void share(Storage& s, bool named) {
  if (is_shared(s)) return;
  BOLIDE_CHECK(s.device.is_cpu(), "only storages in CPU memory can be shared, got one on ", s.device.str());
  Ref<SharedBlock> b = make_block(s.bytes, named);
  if (s.bytes) std::memcpy(b->data(), s.data, s.bytes);
  if (s.deleter) s.deleter(s.context);
  else if (s.data) deallocate(s.data, s.bytes);
  s.data = b->data();
  s.resizable = false;
  s.deleter = &release_block;
  s.context = b.release();
}

Ref<Storage> attach_shared(int descriptor, size_t bytes, bool keep) {
  check_size(descriptor, bytes, "attach");
  Ref<SharedBlock> b = map_block(descriptor, bytes);
  if (!keep) ::close(std::exchange(b->descriptor, -1));
  return storage_on(std::move(b), bytes);
}

Ref<Storage> open_shared(const std::string& name, size_t bytes) {
  const int fd = ::open(name.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) system_fail(name, "shared memory cannot be opened; the process that sent it may have ended");
  check_size(fd, bytes, name);
  Ref<SharedBlock> b = map_block(fd, bytes);
  ::close(std::exchange(b->descriptor, -1));
  b->name = name;
  Names::get().add(*b);
  return storage_on(std::move(b), bytes);
}

bool is_shared(const Storage& s) { return block_of(s) != nullptr; }
int shared_descriptor(const Storage& s) { return block_of(s) ? block_of(s)->descriptor : -1; }
const std::string& shared_name(const Storage& s) { return block_of(s) ? block_of(s)->name : kNoName; }
void expect_user(const Storage& s) {
  if (SharedBlock* b = block_of(s)) b->control->users.fetch_add(1, std::memory_order_relaxed);
}

// ---- leases and fork -------------------------------------------------------------------------

namespace {

struct Lease {
  Ref<SharedBlock> block;
  pid_t owner = ::getpid();
};

constexpr uint32_t kForGood = 1u << 31;

class Leases {
 public:
  static Leases& get() {
    static auto* all = new Leases;
    return *all;
  }
  void add(Lease* l) {
    const std::lock_guard lock(mutex_);
    held_.insert(l);
  }
  void drop(Lease* l) {
    const std::lock_guard lock(mutex_);
    held_.erase(l);
    if (l->owner == ::getpid()) l->block->control->lent.fetch_sub(1, std::memory_order_acq_rel);
  }

 private:
  Leases() {
    ::pthread_atfork([] { get().keep_all(); }, [] { get().mutex_.unlock(); }, [] { get().mutex_.unlock(); });
  }
  void keep_all() {
    mutex_.lock();
    for (Lease* l : held_) l->block->control->lent.fetch_or(kForGood, std::memory_order_acq_rel);
  }
  std::mutex mutex_;
  std::unordered_set<Lease*> held_;
};

void end_lease(void* context) {
  const std::unique_ptr<Lease> l(static_cast<Lease*>(context));
  Leases::get().drop(l.get());
}

}  // namespace

void lend(const Storage& s, int change) {
  if (SharedBlock* b = block_of(s)) b->control->lent.fetch_add(static_cast<uint32_t>(change), std::memory_order_acq_rel);
}
uint32_t times_lent(const Storage& s) {
  const SharedBlock* b = block_of(s);
  return b ? b->control->lent.load(std::memory_order_acquire) : kForGood;
}
Ref<Storage> lease(const Ref<Storage>& s, size_t bytes) {
  SharedBlock* b = block_of(*s);
  BOLIDE_CHECK(b && bytes <= s->bytes, "lease: the storage is not shared, or smaller than ", bytes, " bytes");
  auto l = std::make_unique<Lease>(Lease{Ref<SharedBlock>(b)});
  Leases::get().add(l.get());
  return Storage::borrow(s->data, bytes, Device(), &end_lease, l.release());
}

}  // namespace bolide::io
