// Map: opening | ZIP: folder, version, byte order, records | the stream before 1.6 | persistent ids | bytes
#include "io/archive.h"

#include <algorithm>
#include <cstring>

namespace bolide::io {
namespace {

constexpr std::string_view kMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);  // little-endian, as LONG1 holds it
constexpr int64_t kProtocol = 1001;

int64_t whole_number(const std::string& file, const Pickle& p, PickleId i, const char* what) {
  if (!p.is(i, PickleKind::Int)) file_fail(file, "damaged: ", what, " is no integer of 64 bits");
  return p[i].integer;
}
std::string text(const std::string& file, const Pickle& p, PickleId i, const char* what) {
  if (!p.is(i, PickleKind::String)) file_fail(file, "damaged: ", what, " is no text");
  return std::string(p[i].view());
}

}  // namespace

Archive::Archive(std::shared_ptr<ByteSource> source, const ArchiveOptions& options)
    : source_(std::move(source)), options_(options) {
  if (source_->size() == 0) file_fail_as(FileError::Kind::EndOfFile, name(), "Ran out of input: the file is empty");
  if (looks_like_zip(*source_)) {
    open_zip();
    return;
  }
  char head[265] = {};
  source_->read(0, head, std::min<uint64_t>(sizeof head, source_->size()));
  if (!std::memcmp(head, "PYTORCH1", 8)) file_fail(name(), "is in a preview format that was never released");
  if (!std::memcmp(head + 257, "ustar", 5)) file_fail(name(), "is a tar file, as PyTorch 0.1 wrote them: not supported");
  open_stream();
}

// ---- ZIP -------------------------------------------------------------------------------------

bool is_torchscript(const ZipReader& zip) {
  return std::any_of(zip.records().begin(), zip.records().end(), [](const ZipRecord& r) {
    const size_t slash = r.name.find('/');
    return slash != std::string::npos && r.name.substr(slash + 1) == "constants.pkl";
  });
}

void Archive::open_zip() {
  zip_ = std::make_unique<ZipReader>(source_);
  end_ = source_->size();
  if (zip_->records().empty()) file_fail(name(), "is a ZIP archive without records");
  const std::string& first = zip_->records()[0].name;
  top_ = first.substr(0, first.find('/') + 1);
  if (top_.empty()) file_fail(name(), "is no archive of torch.save: '", first, "' is in no folder");
  for (const ZipRecord& r : zip_->records())
    if (!r.name.starts_with(top_)) file_fail(name(), "is no archive of torch.save: '", r.name, "' is not in ", top_);
  if (is_torchscript(*zip_))
    file_fail(name(), "is a TorchScript archive. Cannot use ``weights_only=True`` with TorchScript archives; open it "
              "with `jit.load`");
  const ZipRecord* pickle = zip_->find(top_ + "data.pkl");
  if (!pickle) file_fail(name(), "is no archive of torch.save: failed locating file data.pkl: file not found");
  read_version();
  read_byte_order();
  owned_ = zip_->read(*pickle, pickle->size);
  bytes_ = owned_;
  object_ = read_pickle(bytes_, name(), options_.pickle);
  collect();
  locate_records();
}

std::string Archive::read_small(const std::string& record, bool required) {
  const ZipRecord* r = zip_->find(top_ + record);
  if (r) return zip_->read(*r, 100);
  if (required) file_fail(name(), "is no archive of torch.save: record ", record, " is missing");
  return {};
}

void Archive::read_version() {
  std::string v = read_small(".data/version", false);
  if (v.empty()) v = read_small("version", true);
  if (v.ends_with('\n')) v.pop_back();
  const bool digits = !v.empty() && v.size() <= 9 && std::all_of(v.begin(), v.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) file_fail(name(), "damaged: its version is '", v, "'");
  const int number = std::stoi(v);
  if (number < 1 || number > 10) file_fail(name(), "its format has version ", number, ", 1 to 10 can be read");
}

void Archive::read_byte_order() {
  const std::string order = read_small("byteorder", false);
  if (order != "" && order != "little" && order != "big")
    file_fail_as(FileError::Kind::Value, name(), "Unknown endianness type: ", order);
  swapped_ = order == "big" || (order.empty() && options_.big_endian);
}

void Archive::locate_records() {
  for (auto& [key, e] : storages_) {
    if (e.meta()) continue;
    e.record = zip_->find(top_ + "data/" + key);
    if (!e.record) file_fail(name(), "failed locating file data/", key, ": file not found");
    if (e.record->size != e.bytes)
      file_fail(name(), "record data/", key, ": record size (", e.record->size, " bytes) does not match expected size (",
                e.bytes, " bytes = ", e.numel, " elements of ", e.item, ")");
  }
}

// ---- the stream ------------------------------------------------------------------------------

Pickle Archive::next_pickle(uint64_t& at, const char* what) {
  const std::string where = name() + " (" + what + ")";
  Pickle p = read_pickle(bytes_.substr(at), where, options_.pickle);
  at += p.length;
  return p;
}

void Archive::open_stream() {
  const char* memory = reinterpret_cast<const char*>(source_->memory());
  if (!memory) {
    owned_.resize(source_->size());
    source_->read(0, owned_.data(), owned_.size());
    memory = owned_.data();
  }
  bytes_ = {memory, source_->size()};
  uint64_t at = 0;
  const Pickle magic = next_pickle(at, "magic number");
  if (!magic.is(magic.root, PickleKind::BigInt) || magic[magic.root].view() != kMagic)
    file_fail(name(), "is no file of torch.save: Invalid magic number; corrupt file?");
  const Pickle protocol = next_pickle(at, "protocol version");
  if (!protocol.is(protocol.root, PickleKind::Int) || protocol[protocol.root].integer != kProtocol)
    file_fail(name(), "Invalid protocol version, ", kProtocol, " is expected");
  const Pickle info = next_pickle(at, "system information");
  if (!info.is(info.root, PickleKind::Dict)) file_fail(name(), "damaged: its system information is no dictionary");
  const std::vector<PickleId>& facts = info.body(info.root).items;
  for (size_t i = 0; i + 1 < facts.size(); i += 2)
    if (info.is(facts[i], PickleKind::String) && info[facts[i]].view() == "little_endian")
      swapped_ = info.is(facts[i + 1], PickleKind::Bool) && !info[facts[i + 1]].integer;
  const uint64_t start = at;
  object_ = next_pickle(at, "object");
  const Pickle keys = next_pickle(at, "storage keys");
  collect();
  locate_in_stream(keys, at);
  bytes_ = bytes_.substr(start, object_.length);
}

void Archive::locate_in_stream(const Pickle& keys, uint64_t at) {
  if (!keys.is(keys.root, PickleKind::List)) file_fail(name(), "damaged: the storage keys are no list");
  for (const PickleId k : keys.body(keys.root).items) {
    const std::string key = text(name(), keys, k, "a storage key");
    const auto it = storages_.find(key);
    if (it == storages_.end()) file_fail(name(), "damaged: storage key '", key, "' belongs to no tensor");
    StorageEntry& e = it->second;
    if (e.at != 0 || !e.base.empty()) file_fail(name(), "damaged: storage '", key, "' stands there twice");
    const uint64_t left = source_->size() - at;
    if (left < 8) file_fail(name(), "unexpected EOF, expected ", 8 - left, " more bytes. The file might be corrupted.");
    int64_t count;
    source_->read(at, &count, 8);
    if (swapped_) count = static_cast<int64_t>(__builtin_bswap64(static_cast<uint64_t>(count)));
    if (count < 0 || static_cast<uint64_t>(count) != e.numel)
      file_fail(name(), "damaged: storage '", key, "' has ", count, " elements, its tensors say ", e.numel);
    if (left - 8 < e.bytes)
      file_fail(name(), "unexpected EOF, expected ", e.bytes - (left - 8), " more bytes. The file might be corrupted.");
    e.at = at + 8;
    at = e.at + e.bytes;
  }
  for (const auto& [key, e] : storages_) {
    if (!e.base.empty()) {
      const auto root = storages_.find(e.base);
      if (root == storages_.end() || root->second.at == 0 || e.view_at + e.bytes > root->second.bytes)
        file_fail(name(), "damaged: storage '", key, "' is a view beyond storage '", e.base, "'");
    } else if (e.at == 0 && !e.meta()) {
      file_fail(name(), "damaged: storage '", key, "' is missing");
    }
  }
  end_ = at;
}

// ---- persistent ids --------------------------------------------------------------------------

void Archive::collect() {
  for (PickleId i = 0; i < object_.nodes.size(); ++i)
    if (object_.is(i, PickleKind::Persistent)) add_entry(i);
}

void Archive::add_entry(PickleId persistent) {
  const PickleId id = object_.body(persistent).args;
  const auto damaged = [&](const auto&... what) { file_fail(name(), "damaged: ", what...); };
  if (!object_.is(id, PickleKind::Tuple)) damaged("saved_id must be a tuple");
  const std::vector<PickleId>& v = object_.body(id).items;
  const std::string kind = v.empty() ? "" : text(name(), object_, v[0], "the kind of a persistent id");
  if (kind == "module" && !zip_) return;  // the stream's note of a class and its source
  if (kind != "storage") damaged("unknown persistent id '", kind, "'");
  if (v.size() != (zip_ ? 5 : 6)) damaged("a persistent id has ", v.size(), " parts");
  StorageEntry e;
  const auto type = object_.is(v[1], PickleKind::Global) ? storage_class(object_.global(v[1]).full) : std::nullopt;
  if (!type) damaged("a persistent id names no storage class");
  e.dtype = type->dtype;
  e.item = type->item;
  e.key = text(name(), object_, v[2], "a storage key");
  e.location = text(name(), object_, v[3], "a storage's location");
  const int64_t numel = whole_number(name(), object_, v[4], "a storage's size");
  if (numel < 0 || __builtin_mul_overflow(static_cast<uint64_t>(numel), static_cast<uint64_t>(e.item), &e.bytes))
    damaged("storage '", e.key, "' has ", numel, " elements");
  e.numel = static_cast<uint64_t>(numel);
  std::string key = e.key;
  if (!zip_ && v[5] != 0) {
    add_view(e, v[5]);
    key = e.key;
  }
  const auto [it, fresh] = storages_.emplace(key, e);
  if (!fresh && (it->second.bytes != e.bytes || it->second.location != e.location || it->second.view_at != e.view_at))
    damaged("storage '", e.key, "' is described in two ways");
}

// (key of the view, offset, size), in elements: the entry of the id's own key is the root, the view gets its own.
void Archive::add_view(StorageEntry& e, PickleId view) {
  if (!object_.is(view, PickleKind::Tuple) || object_.body(view).items.size() != 3)
    file_fail(name(), "damaged: a view of a storage is no triple");
  const std::vector<PickleId>& v = object_.body(view).items;
  const int64_t offset = whole_number(name(), object_, v[1], "a view's offset");
  const int64_t size = whole_number(name(), object_, v[2], "a view's size");
  if (offset < 0 || size < 0 || static_cast<uint64_t>(offset) > e.numel || static_cast<uint64_t>(size) > e.numel - static_cast<uint64_t>(offset))
    file_fail(name(), "damaged: a view of ", size, " elements at ", offset, " in a storage of ", e.numel);
  storages_.emplace(e.key, e);
  e.base = e.key;
  e.key = text(name(), object_, v[0], "a view's key");
  if (e.key == e.base) file_fail(name(), "damaged: storage '", e.key, "' is a view of itself");
  e.view_at = static_cast<uint64_t>(offset * e.item);
  e.numel = static_cast<uint64_t>(size);
  e.bytes = e.numel * static_cast<uint64_t>(e.item);
}

const StorageEntry& Archive::storage(const std::string& key) const {
  const auto it = storages_.find(key);
  if (it == storages_.end()) file_fail(name(), "damaged: no storage '", key, "'");
  return it->second;
}

const StorageEntry& Archive::storage(PickleId persistent) const {
  const std::vector<PickleId>& v = object_.body(object_.body(persistent).args).items;
  if (v.size() < 5) file_fail(name(), "a persistent id that is no storage");
  const bool view = v.size() == 6 && v[5] != 0;
  return storage(text(name(), object_, view ? object_.body(v[5]).items[0] : v[2], "a storage key"));
}

// ---- bytes -----------------------------------------------------------------------------------

void Archive::swap_bytes(void* data, const StorageEntry& e) const {
  if (e.dtype.empty()) file_fail(name(), "storage '", e.key, "' is big-endian and of no known type");
  const size_t unit = static_cast<size_t>(e.dtype.starts_with("complex") ? e.item / 2 : e.item);
  char* p = static_cast<char*>(data);
  for (uint64_t at = 0; unit > 1 && at + unit <= e.bytes; at += unit) std::reverse(p + at, p + at + unit);
}

Ref<Storage> Archive::load(const StorageEntry& e) const {
  if (e.meta()) return Storage::allocate(e.bytes, Device(DeviceType::Meta));
  const uint64_t at = zip_ ? e.record->data : e.base.empty() ? e.at : storage(e.base).at + e.view_at;
  const bool direct = options_.mmap && !swapped_ && source_->mapped_memory();
  if (options_.mmap && zip_ && e.record->deflated)
    file_fail(name(), "record data/", e.key, " is compressed: it cannot be used with mmap=True");
  if (direct && e.bytes != 0 && at % 16 == 0) {
    auto* keep = new std::shared_ptr<ByteSource>(source_);
    return Storage::borrow(source_->mapped_memory() + at, e.bytes, Device(),
                           [](void* p) { delete static_cast<std::shared_ptr<ByteSource>*>(p); }, keep);
  }
  Ref<Storage> s = Storage::allocate(e.bytes, Device());
  if (e.bytes == 0) return s;
  if (zip_) zip_->read(*e.record, s->data);
  else source_->read(at, s->data, e.bytes);
  if (swapped_) swap_bytes(s->data, e);
  return s;
}

}  // namespace bolide::io
