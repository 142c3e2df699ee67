// Map: tensors on storages | reading tensors from the object tree | writing tensors | the public functions
#include "io/tensor_pickle.h"

namespace bolide {
namespace io {
namespace {

constexpr size_t kMaxRank = 64;

std::optional<DType> dtype_named(std::string_view text) {
  for (int i = 0; i < kDTypeSlots; ++i)
    if (const DType t = static_cast<DType>(i); !is_opaque(t) && name(t) == text) return t;
  return {};
}

// One past the last element that sizes and strides reach, or -1 when that is no 64-bit number.
int64_t reach(int64_t offset, IntList sizes, IntList strides) {
  int64_t last = offset;
  for (size_t i = 0; i < sizes.size(); ++i) {
    int64_t step;
    if (__builtin_mul_overflow(sizes[i] - 1, strides[i], &step) || __builtin_add_overflow(last, step, &last)) return -1;
  }
  return last == INT64_MAX ? -1 : last + 1;
}

}  // namespace

Tensor view_storage(const std::string& file, const Ref<Storage>& storage, DType dtype, int64_t offset, IntList sizes,
                    IntList strides) {
  if (sizes.size() != strides.size())
    file_fail(file, "damaged: unequal size length (", sizes.size(), ") and stride length (", strides.size(), ")");
  if (sizes.size() > kMaxRank) file_fail(file, "damaged: a tensor of ", sizes.size(), " dimensions");
  if (offset < 0) file_fail(file, "damaged: a tensor with storage offset ", offset);
  int64_t numel = 1;
  bool empty = false;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 0 || strides[i] < 0) file_fail(file, "damaged: a tensor with sizes ", sizes, " and strides ", strides);
    empty = empty || sizes[i] == 0;
    if (!empty && __builtin_mul_overflow(numel, sizes[i], &numel)) file_fail(file, "damaged: a tensor with sizes ", sizes);
  }
  const int64_t have = static_cast<int64_t>(storage->bytes) / item_size(dtype);
  const int64_t need = empty ? 0 : reach(offset, sizes, strides);
  if (need < 0 || need > have)
    file_fail(file, "damaged: a tensor with sizes ", sizes, ", strides ", strides, " and offset ", offset,
              " lies outside of its storage of ", have, " elements");
  Tensor t(new TensorImpl);
  t->dtype = dtype;
  t->device = storage->device;
  t->sizes = Dims(sizes);
  t->strides = Dims(strides);
  t->offset = offset;
  t->storage = storage;
  t->refresh();
  return t;
}

// ---- reading -----------------------------------------------------------------------------------
Tensor TensorReader::tensor(PickleId i, int depth) {
  if (!p_.is(i, PickleKind::Call) || !p_.is(p_.body(i).callable, PickleKind::Global)) return {};
  return rebuild(p_.global(p_.body(i).callable).full, p_.body(p_.body(i).args).items, depth);
}

void TensorReader::dictionary(PickleId i, const std::string& prefix, TensorDict& out) {
  const std::vector<PickleId>& items = p_.body(i).items;
  for (size_t k = 0; k + 1 < items.size(); k += 2) {
    if (!p_.is(items[k], PickleKind::String)) continue;
    const std::string key = prefix + std::string(p_[items[k]].view());
    if (is_dictionary(items[k + 1])) {
      if (!open_.insert(items[k + 1]).second) file_fail(archive_.name(), "a dictionary that contains itself");
      dictionary(items[k + 1], key + '.', out);
      open_.erase(items[k + 1]);
    } else if (Tensor t = tensor(items[k + 1])) {
      out.emplace_back(key, std::move(t));
    }
    if (out.size() > p_.nodes.size()) file_fail(archive_.name(), "dictionaries that repeat themselves without end");
  }
}

bool TensorReader::is_dictionary(PickleId i) const { return p_.is(i, PickleKind::Dict) || p_.is_call(i, "collections.OrderedDict"); }

Tensor TensorReader::rebuild(const std::string& f, const std::vector<PickleId>& args, int depth) {
  if (depth > kMaxWrapped) file_fail(archive_.name(), "damaged: tensors wrapped in tensors");
  if (f == "torch._utils._rebuild_tensor_v2" || f == "torch._utils._rebuild_tensor") return plain(args, {});
  if (f == "torch._utils._rebuild_tensor_v3") {
    if (args.size() < 7 || !p_.is(args[6], PickleKind::Global)) damaged(f);
    return plain(args, p_.global(args[6]).full);
  }
  if (f == "torch._utils._rebuild_parameter" || f == "torch._utils._rebuild_parameter_with_state") {
    if (args.size() < 2) damaged(f);
    const bool wants = p_.is(args[1], PickleKind::Bool) && p_[args[1]].integer;
    const Tensor inner = tensor(args[0], depth + 1);
    if (!inner) damaged(f);
    return set_grad(inner.alias(), wants);
  }
  if (f == "torch._tensor._rebuild_from_type_v2") {
    if (args.size() < 3 || !p_.is(args[0], PickleKind::Global) || !p_.is(args[2], PickleKind::Tuple)) damaged(f);
    return rebuild(p_.global(args[0]).full, p_.body(args[2]).items, depth + 1);
  }
  if (f.starts_with("torch._utils._rebuild_")) file_fail(archive_.name(), "holds a tensor made by ", f, ": not supported");
  return {};
}

// (storage, offset, sizes, strides[, requires_grad, hooks[, dtype or metadata]])
Tensor TensorReader::plain(const std::vector<PickleId>& args, std::string dtype) {
  if (args.size() < 4 || !p_.is(args[0], PickleKind::Persistent) || !p_.is(args[1], PickleKind::Int)) damaged("a tensor");
  const size_t metadata = dtype.empty() ? 6 : 7;
  if (args.size() > metadata && p_.is(args[metadata], PickleKind::Dict) && !p_.body(args[metadata]).items.empty())
    file_fail(archive_.name(), "holds a tensor that is conjugated or negated lazily: not supported");
  const StorageEntry& e = archive_.storage(args[0]);
  const std::string_view type = dtype.empty() ? std::string_view(e.dtype) : std::string_view(dtype).substr(dtype.find('.') + 1);
  const auto t = dtype_named(type);
  if (!t) file_fail(archive_.name(), "holds a tensor of type '", type, "': not supported");
  Ref<Storage>& s = loaded_[e.key];
  if (!s) s = archive_.load(e);
  const bool grad = args.size() > 4 && p_.is(args[4], PickleKind::Bool) && p_[args[4]].integer;
  return set_grad(view_storage(archive_.name(), s, *t, p_[args[1]].integer, numbers(args[2]), numbers(args[3])), grad);
}
Tensor TensorReader::set_grad(Tensor t, bool wants) const {
  if (wants && !is_differentiable(t.dtype())) file_fail(archive_.name(), "damaged: a tensor of ", t.dtype(), " requires grad");
  if (wants) t.set_requires_grad(true);
  return t;
}
std::vector<int64_t> TensorReader::numbers(PickleId i) const {
  if (p_.is_call(i, "torch.Size")) {
    const auto& args = p_.body(p_.body(i).args).items;
    if (args.size() != 1) damaged("a size");
    i = args[0];
  }
  if (!p_.is(i, PickleKind::Tuple) && !p_.is(i, PickleKind::List)) damaged("a size");
  std::vector<int64_t> out;
  for (const PickleId x : p_.body(i).items) {
    if (!p_.is(x, PickleKind::Int)) damaged("a size");
    out.push_back(p_[x].integer);
  }
  return out;
}
void TensorReader::damaged(std::string_view what) const {
  file_fail(archive_.name(), "damaged: wrong arguments of ", what);
}

// ---- writing -----------------------------------------------------------------------------------
void TensorWriter::tensor(const Tensor& t) {
  BOLIDE_CHECK_AS(ValueError, t.defined(), "save: an undefined tensor cannot be saved");
  BOLIDE_CHECK_AS(NotImplementedError, !t.device().is_meta(), "save: tensors on the meta device have no values to save");
  const Tensor cpu = t.device().is_cpu() ? t : t.to(Device());
  pickle.global("torch._utils", "_rebuild_tensor_v2");
  pickle.mark();
  storage(cpu, t);
  pickle.integer(cpu.storage_offset());
  pickle.integers(cpu.sizes().data(), cpu.sizes().size());
  pickle.integers(cpu.strides().data(), cpu.strides().size());
  pickle.boolean(t.requires_grad());
  ordered_dict();
  pickle.tuple();
  pickle.reduce();
}
void TensorWriter::ordered_dict() {
  pickle.global("collections", "OrderedDict");
  pickle.empty_tuple();
  pickle.reduce();
}
void TensorWriter::storage(const Tensor& cpu, const Tensor& t) {
  const auto [it, fresh] = keys_.try_emplace(t.storage().get(), Key{storages.size(), t.dtype()});
  BOLIDE_CHECK(it->second.dtype == t.dtype(), "Cannot save multiple tensors or storages that view the same data as "
               "different types (", it->second.dtype, " and ", t.dtype(), ")");
  const Storage& s = *cpu.storage();
  if (fresh) {
    storages.push_back({s.data, s.bytes});
    kept_.push_back(cpu);
  }
  const std::string type = storage_class_of(name(t.dtype()));
  pickle.mark();
  pickle.string("storage");
  pickle.global("torch", type.substr(6));
  pickle.string(std::to_string(it->second.index));
  pickle.string(t.device().is_cpu() ? "cpu" : t.device().str());
  pickle.integer(static_cast<int64_t>(s.bytes) / t.itemsize());
  pickle.tuple();
  pickle.persistent();
}

void finish_archive(TensorWriter& w, ByteSink& sink, const std::string& folder, const SaveOptions& options) {
  write_archive(sink, folder, w.pickle.finish(), w.storages, options);
}

Archive open_archive(const std::string& path, const LoadOptions& options) {
  ArchiveOptions a;
  a.mmap = options.mmap;
  return Archive(options.mmap ? mapped_source(path) : file_source(path), a);
}

namespace {
void save_file(TensorWriter& w, const std::string& path, const SaveOptions& options) {
  finish_archive(w, *file_sink(path, options.durable), archive_folder(path), options);
}
template <class Pairs>
void save_pairs(const Pairs& tensors, const std::string& path, const SaveOptions& options) {
  TensorWriter w;
  w.ordered_dict();
  w.pickle.mark();
  for (const auto& [key, t] : tensors) {
    w.pickle.string(key);
    w.tensor(t);
  }
  w.pickle.set_items();
  save_file(w, path, options);
}
}  // namespace

}  // namespace io

void save(const Tensor& tensor, const std::string& path, const SaveOptions& options) {
  io::TensorWriter w;
  w.tensor(tensor);
  io::save_file(w, path, options);
}
void save(const TensorDict& tensors, const std::string& path, const SaveOptions& options) { io::save_pairs(tensors, path, options); }
void save(const std::map<std::string, Tensor>& tensors, const std::string& path, const SaveOptions& options) {
  io::save_pairs(tensors, path, options);
}

Tensor load(const std::string& path, const LoadOptions& options) {
  const io::Archive archive = io::open_archive(path, options);
  Tensor t = io::TensorReader(archive).tensor(archive.object().root);
  if (!t) io::file_fail(path, "holds no single tensor; load_dict() reads dictionaries, load_ivalue() anything");
  return t;
}

TensorDict load_dict(const std::string& path, const LoadOptions& options) {
  const io::Archive archive = io::open_archive(path, options);
  io::TensorReader reader(archive);
  const io::PickleId root = archive.object().root;
  if (!reader.is_dictionary(root)) io::file_fail(path, "holds no dictionary; load() reads single tensors, load_ivalue() anything");
  TensorDict out;
  reader.dictionary(root, "", out);
  return out;
}
void load(Tensor& tensor, const std::string& path, const LoadOptions& options) { tensor = load(path, options); }
void load(TensorDict& tensors, const std::string& path, const LoadOptions& options) { tensors = load_dict(path, options); }

}  // namespace bolide
