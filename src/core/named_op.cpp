// NamedOp: which overload fits, and the defaults of what is left out.
#include "core/named_op.h"

#include <charconv>
#include <mutex>
#include <unordered_map>

namespace bolide {
namespace {

bool accepts(const SchemaArg& a, const Value& v) {
  using Tag = Value::Tag;
  const bool number = v.tag == Tag::Int || v.tag == Tag::Double || v.tag == Tag::Bool || v.tag == Tag::Complex;
  switch (a.type) {
    case ArgType::Tensor: return v.tag == Tag::Tensor;
    case ArgType::OptTensor: return v.tag == Tag::Tensor || v.none();
    case ArgType::TensorList: case ArgType::OptTensorList: return v.tag == Tag::TensorList;
    case ArgType::Operand: return v.tag == Tag::Tensor || number;
    case ArgType::Scalar: return number;
    case ArgType::OptScalar: return number || v.none();
    case ArgType::Int: return v.tag == Tag::Int;
    case ArgType::OptInt: return v.tag == Tag::Int || v.none();
    case ArgType::IntList: return v.tag == Tag::IntList;
    case ArgType::OptIntList: return v.tag == Tag::IntList || v.none();
    case ArgType::Float: return number;
    case ArgType::OptFloat: return number || v.none();
    case ArgType::FloatList: return v.tag == Tag::DoubleList;
    case ArgType::Bool: return v.tag == Tag::Bool;
    case ArgType::OptBool: return v.tag == Tag::Bool || v.none();
    case ArgType::Str: return v.tag == Tag::Str;
    case ArgType::OptStr: return v.tag == Tag::Str || v.none();
    case ArgType::OptGenerator: return v.tag == Tag::Generator || v.none();
    default: return v.none() || v.tag == Tag::DType || v.tag == Tag::Device || v.tag == Tag::Format || v.tag == Tag::Layout;
  }
}

bool fits(const OpInfo& op, std::span<const Value> given) {
  if (given.size() > static_cast<size_t>(op.schema.count)) return false;
  for (size_t i = 0; i < given.size(); ++i)
    if (!accepts(op.schema.args[i], given[i])) return false;
  for (int i = static_cast<int>(given.size()); i < op.schema.count; ++i)
    if (!op.schema.args[static_cast<size_t>(i)].has_default) return false;
  return true;
}

/// The numbers of a list's default, made once: they must outlive the call.
Value list_default(const SchemaArg& a) {
  static std::mutex mutex;
  static std::unordered_map<const char*, std::vector<int64_t>> made;
  const std::lock_guard lock(mutex);
  std::vector<int64_t>& list = made[a.default_text.data()];
  if (list.empty()) {
    for (const char *p = a.default_text.data(), *end = p + a.default_text.size(); p < end;) {
      int64_t n = 0;
      const auto read = std::from_chars(p, end, n);
      if (read.ec == std::errc()) list.push_back(n), p = read.ptr;
      else ++p;
    }
    if (a.default_text.front() != '[' && a.list_size > 1) list.resize(static_cast<size_t>(a.list_size), list.at(0));
  }
  return box(IntList(list));
}

Value default_of(const SchemaArg& a) {
  const std::string_view text = a.default_text;
  if (text == "None") return {};
  if (text == "True" || text == "False") return box(text == "True");
  if (text.front() == '\'') return box(text.substr(1, text.size() - 2));
  if (a.type == ArgType::IntList || a.type == ArgType::OptIntList) return list_default(a);
  const double number = std::stod(std::string(text));
  if (a.type == ArgType::Float || a.type == ArgType::OptFloat || text.find_first_of(".e") != text.npos) return box(number);
  return box(static_cast<int64_t>(number));
}

}  // namespace

Result NamedOp::run(std::span<const Value> given, const Tensor* in_place) const {
  bool known = false;
  for (const OpInfo* op : find_ops(name_)) {
    known = true;
    if (!fits(*op, given)) continue;
    Value args[kMaxArgs];
    std::copy(given.begin(), given.end(), args);
    for (int i = static_cast<int>(given.size()); i < op->schema.count; ++i) args[i] = default_of(op->schema.args[static_cast<size_t>(i)]);
    if (!in_place) return call_boxed(*op, args);
    BOLIDE_CHECK_AS(NotImplementedError, op->variants & kInPlace, "the op '", name_, "' has no in-place form");
    return call_boxed(*op, args, Out{in_place, true});
  }
  if (known) fail<TypeError>(name_, "(): no form of the op takes these arguments");
  fail<NotImplementedError>("the op '", name_, "' is not built");
}

}  // namespace bolide
