// The files of torch.save: the ZIP archive and the older stream of pickles. Archive holds the object as a Pickle and
// knows where each storage's bytes are; write_archive is the way back.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "io/pickle.h"
#include "io/zip.h"

namespace bolide::io {

/// A storage class of the files: "torch.FloatStorage" (dtype "float32"), "torch.storage.UntypedStorage" ("").
struct StorageClass { std::string dtype; int64_t item = 1; };
/// By full name; nothing for other names.
std::optional<StorageClass> storage_class(std::string_view full);
/// Bytes of an element by dtype name ("float8_e5m2" too), 0 for unknown names.
int64_t dtype_bytes(std::string_view dtype);
/// The storage class that holds a dtype; "torch.storage.UntypedStorage" for those that have none.
std::string storage_class_of(std::string_view dtype);

/// What a persistent id says, checked.
struct StorageEntry {
  std::string key, dtype, location;
  int64_t item = 1;
  uint64_t numel = 0, bytes = 0;
  // where the bytes are: a ZIP record, or a place in the stream
  const ZipRecord* record = nullptr;
  uint64_t at = 0;
  std::string base;  // stream only: this is a view of that storage, beginning `view_at` bytes into it
  uint64_t view_at = 0;
  bool meta() const { return location == "meta"; }
};

struct ArchiveOptions {
  PickleOptions pickle;
  bool mmap = false;
  bool big_endian = false;  // of archives that do not say
};

class Archive {
 public:
  /// Reads everything but the storages' bytes, and checks that these are all there. Throws FileError.
  Archive(std::shared_ptr<ByteSource> source, const ArchiveOptions& options = {});

  const Pickle& object() const { return object_; }
  /// The bytes of the object's pickle (a view: valid while the archive lives).
  std::string_view pickle_bytes() const { return bytes_; }
  bool is_stream() const { return !zip_; }
  /// One past the last byte read; of a ZIP archive, the end of the file.
  uint64_t end() const { return end_; }
  const std::string& name() const { return source_->name(); }

  /// The storage that a Persistent node, or a key, stands for. Throws FileError for ids of another kind.
  const StorageEntry& storage(PickleId persistent) const;
  const StorageEntry& storage(const std::string& key) const;
  const std::map<std::string, StorageEntry>& storages() const { return storages_; }
  /// Its bytes: a copy, or with mmap a view of the file that later writes do not reach.
  Ref<Storage> load(const StorageEntry& e) const;

 private:
  void open_zip();
  void open_stream();
  void read_version();
  void read_byte_order();
  void collect();
  void add_entry(PickleId persistent);
  void add_view(StorageEntry& e, PickleId view);
  void locate_records();
  void locate_in_stream(const Pickle& keys, uint64_t at);
  Pickle next_pickle(uint64_t& at, const char* what);
  std::string read_small(const std::string& record, bool required);
  void swap_bytes(void* data, const StorageEntry& e) const;

  std::shared_ptr<ByteSource> source_;
  ArchiveOptions options_;
  std::unique_ptr<ZipReader> zip_;
  std::string top_;           // of a ZIP archive: its folder, with the slash
  std::string owned_;         // the pickle, or the whole stream when the source is not in memory
  std::string_view bytes_;
  Pickle object_;
  bool swapped_ = false;
  uint64_t end_ = 0;
  std::map<std::string, StorageEntry> storages_;
};

/// Whether a ZIP archive is one of TorchScript: those have a record `constants.pkl`.
bool is_torchscript(const ZipReader& zip);
/// Name of the folder inside an archive for a file's path: its base name without the last extension.
std::string archive_folder(const std::string& path);

struct SavedStorage { const void* data; uint64_t bytes; };
/// Storage number i becomes record data/i.
void write_archive(ByteSink& sink, const std::string& folder, std::string_view pickle,
                   const std::vector<SavedStorage>& storages, const SaveOptions& options = {});

/// A tensor on a storage, after checking that sizes and strides stay inside. Throws FileError.
Tensor view_storage(const std::string& file, const Ref<Storage>& storage, DType dtype, int64_t offset, IntList sizes,
                    IntList strides);

}  // namespace bolide::io
