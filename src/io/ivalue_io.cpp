// IValues in files. Map: reading | writing | the public functions
#include "bolide/ivalue.h"
#include "io/tensor_pickle.h"

namespace bolide {
namespace io {
namespace {

// ---- reading -----------------------------------------------------------------------------------
/// Each value of the tree is made once, so what is shared stays shared and nothing grows.
class ValueReader {
 public:
  explicit ValueReader(const Archive& a) : archive_(a), p_(a.object()), tensors_(a), made_(p_.nodes.size()), state_(p_.nodes.size()) {}

  const IValue& value(PickleId i) {
    if (state_[i] == kMade) return made_[i];
    if (state_[i] == kOpen) file_fail(archive_.name(), "holds a value that contains itself: not supported");
    state_[i] = kOpen;
    made_[i] = make(i);
    state_[i] = kMade;
    return made_[i];
  }

 private:
  enum State : uint8_t { kNew, kOpen, kMade };

  IValue make(PickleId i) {
    const PickleNode& n = p_[i];
    switch (n.kind) {
      case PickleKind::None: return {};
      case PickleKind::Bool: return n.integer != 0;
      case PickleKind::Int: return n.integer;
      case PickleKind::Float: return n.number;
      case PickleKind::String: case PickleKind::Bytes: return std::string(n.view());
      case PickleKind::List: return items(i);
      case PickleKind::Tuple: return IValue::tuple(items(i));
      case PickleKind::Dict: return pairs(i);
      case PickleKind::Global: return p_.global(i).full;
      case PickleKind::Call: return call(i);
      default: file_fail(archive_.name(), "holds a value of a kind that IValue cannot hold");
    }
  }
  IValue call(PickleId i) {
    if (p_.is_call(i, "collections.OrderedDict")) return pairs(i);
    if (Tensor t = tensors_.tensor(i)) return t;
    const std::vector<PickleId>& args = p_.body(p_.body(i).args).items;
    if (p_.is_call(i, "torch.Size") && args.size() == 1) return value(args[0]);
    if (p_.is_call(i, "collections.Counter") && args.size() == 1) return value(args[0]);
    if (p_.is_call(i, "complex") && args.size() == 2) return complex128(value(args[0]).toDouble(), value(args[1]).toDouble());
    file_fail(archive_.name(), "holds an object that IValue cannot hold");
  }
  std::vector<IValue> items(PickleId i) {
    std::vector<IValue> out;
    for (const PickleId x : p_.body(i).items) out.push_back(value(x));
    return out;
  }
  IValue pairs(PickleId i) {
    std::vector<IValue::Pair> out;
    const std::vector<PickleId>& all = p_.body(i).items;
    for (size_t k = 0; k + 1 < all.size(); k += 2) out.emplace_back(value(all[k]), value(all[k + 1]));
    return IValue::dict(std::move(out));
  }

  const Archive& archive_;
  const Pickle& p_;
  TensorReader tensors_;
  std::vector<IValue> made_;
  std::vector<State> state_;
};

IValue read_value(const Archive& a) { return ValueReader(a).value(a.object().root); }

// ---- writing -----------------------------------------------------------------------------------
constexpr int kMaxDepth = 900;  // readers refuse more than 1000

void write_value(TensorWriter& w, const IValue& v, int depth = 0) {
  BOLIDE_CHECK_AS(ValueError, depth < kMaxDepth, "save: the value is nested too deeply, or contains itself");
  PickleWriter& p = w.pickle;
  switch (v.kind()) {
    case IValue::Kind::None: return p.none();
    case IValue::Kind::Bool: return p.boolean(v.toBool());
    case IValue::Kind::Int: return p.integer(v.toInt());
    case IValue::Kind::Double: return p.number(v.toDouble());
    case IValue::Kind::String: return p.string(v.toStringRef());
    case IValue::Kind::Tensor: return w.tensor(v.toTensor());
    case IValue::Kind::Complex: {
      const complex128 c = v.toComplexDouble();
      p.global("__builtin__", "complex");
      p.mark(), p.number(c.real()), p.number(c.imag()), p.tuple();
      return p.reduce();
    }
    case IValue::Kind::List: {
      p.empty_list();
      if (v.size() == 0) return;
      p.mark();
      for (const IValue& x : v.toListRef()) write_value(w, x, depth + 1);
      return p.appends();
    }
    case IValue::Kind::Tuple: {
      if (v.size() == 0) return p.empty_tuple();
      p.mark();
      for (const IValue& x : v.toListRef()) write_value(w, x, depth + 1);
      return p.tuple();
    }
    case IValue::Kind::Dict: {
      p.empty_dict();
      if (v.size() == 0) return;
      p.mark();
      for (const auto& [key, x] : v.toGenericDict()) {
        write_value(w, key, depth + 1);
        write_value(w, x, depth + 1);
      }
      return p.set_items();
    }
  }
}

}  // namespace
}  // namespace io

// ---- the public functions ----------------------------------------------------------------------
void save(const IValue& value, const std::string& path, const SaveOptions& options) {
  io::TensorWriter w;
  io::write_value(w, value);
  io::finish_archive(w, *io::file_sink(path, options.durable), io::archive_folder(path), options);
}
void save(const std::vector<Tensor>& tensors, const std::string& path, const SaveOptions& options) { save(IValue(tensors), path, options); }

IValue load_ivalue(const std::string& path, const LoadOptions& options) { return io::read_value(io::open_archive(path, options)); }
void load(std::vector<Tensor>& tensors, const std::string& path, const LoadOptions& options) {
  tensors = load_ivalue(path, options).toTensorVector();
}

std::vector<char> pickle_save(const IValue& value) {
  std::string bytes;
  io::TensorWriter w;
  io::write_value(w, value);
  io::finish_archive(w, *io::string_sink(bytes), "archive", {});
  return {bytes.begin(), bytes.end()};
}
IValue pickle_load(const std::vector<char>& bytes) {
  const io::Archive archive(io::memory_source("pickle_load", bytes.data(), bytes.size()));
  return io::read_value(archive);
}

}  // namespace bolide
