// IValue.
#include "bolide/ivalue.h"

#include <ostream>

#include "bolide/ops.h"

namespace bolide {

struct IValue::Compound {
  std::string text;
  std::vector<IValue> items;
  std::vector<Pair> pairs;
  complex128 number;
};

IValue::IValue(Kind kind, std::vector<IValue> items) : kind_(kind), compound_(std::make_shared<Compound>()) { compound_->items = std::move(items); }
IValue::IValue(complex128 v) : kind_(Kind::Complex), compound_(std::make_shared<Compound>()) { compound_->number = v; }
IValue::IValue(std::string v) : kind_(Kind::String), compound_(std::make_shared<Compound>()) { compound_->text = std::move(v); }
IValue::IValue(const Scalar& v) {
  switch (v.kind()) {
    case Scalar::Kind::Bool: *this = IValue(v.to<bool>()); break;
    case Scalar::Kind::Int: *this = IValue(v.to_int()); break;
    case Scalar::Kind::Double: *this = IValue(v.to_double()); break;
    case Scalar::Kind::Complex: *this = IValue(v.to<complex128>()); break;
  }
}
IValue::IValue(const std::vector<Tensor>& list) : IValue(Kind::List, std::vector<IValue>(list.begin(), list.end())) {}
IValue::IValue(const std::vector<int64_t>& list) : IValue(Kind::List, std::vector<IValue>(list.begin(), list.end())) {}
IValue::IValue(const std::vector<double>& list) : IValue(Kind::List, std::vector<IValue>(list.begin(), list.end())) {}
IValue IValue::dict(std::vector<Pair> items) {
  IValue v(Kind::Dict, {});
  v.compound_->pairs = std::move(items);
  return v;
}

const char* IValue::kind_name() const {
  constexpr const char* names[] = {"None", "bool", "int", "float", "complex", "str", "Tensor", "list", "tuple", "dict"};
  return names[static_cast<size_t>(kind_)];
}
void IValue::wrong(const char* wanted) const { fail<TypeError>("expected ", wanted, ", but the value is of type ", kind_name()); }

bool IValue::toBool() const {
  if (kind_ != Kind::Bool && kind_ != Kind::Int) wrong("a bool");
  return int_ != 0;
}
int64_t IValue::toInt() const {
  if (kind_ == Kind::Tensor) return tensor_.item<int64_t>();
  if (kind_ != Kind::Int && kind_ != Kind::Bool) wrong("an int");
  return int_;
}
double IValue::toDouble() const {
  if (kind_ == Kind::Double) return double_;
  if (kind_ == Kind::Tensor) return tensor_.item<double>();
  if (kind_ != Kind::Int && kind_ != Kind::Bool) wrong("a float");
  return static_cast<double>(int_);
}
complex128 IValue::toComplexDouble() const {
  if (kind_ != Kind::Complex) return toDouble();
  return compound_->number;
}
Scalar IValue::toScalar() const {
  switch (kind_) {
    case Kind::Bool: return Scalar(int_ != 0);
    case Kind::Int: return Scalar(int_);
    case Kind::Double: return Scalar(double_);
    case Kind::Complex: return Scalar(compound_->number);
    default: wrong("a number");
  }
}
const std::string& IValue::toStringRef() const& {
  if (!isString()) wrong("a str");
  return compound_->text;
}
const Tensor& IValue::toTensor() const {
  if (!isTensor()) wrong("a Tensor");
  return tensor_;
}
const std::vector<IValue>& IValue::toListRef() const& {
  if (!isList() && !isTuple()) wrong("a list or tuple");
  return compound_->items;
}
std::vector<IValue>& IValue::toList() { return const_cast<std::vector<IValue>&>(toListRef()); }
std::vector<Tensor> IValue::toTensorVector() const {
  std::vector<Tensor> out;
  for (const IValue& v : toListRef()) out.push_back(v.toTensor());
  return out;
}
std::vector<int64_t> IValue::toIntVector() const {
  std::vector<int64_t> out;
  for (const IValue& v : toListRef()) out.push_back(v.toInt());
  return out;
}
std::vector<double> IValue::toDoubleVector() const {
  std::vector<double> out;
  for (const IValue& v : toListRef()) out.push_back(v.toDouble());
  return out;
}
const std::vector<IValue::Pair>& IValue::toGenericDict() const& {
  if (!isGenericDict()) wrong("a dict");
  return compound_->pairs;
}
std::vector<IValue::Pair>& IValue::toGenericDict() & { return const_cast<std::vector<Pair>&>(std::as_const(*this).toGenericDict()); }

const IValue* IValue::find(std::string_view key) const {
  for (const auto& [k, v] : toGenericDict())
    if (k.isString() && k.toStringRef() == key) return &v;
  return nullptr;
}
const IValue* IValue::find(int64_t key) const {
  for (const auto& [k, v] : toGenericDict())
    if (k.isInt() && k.int_ == key) return &v;
  return nullptr;
}
const IValue& IValue::at(std::string_view key) const {
  const IValue* v = find(key);
  BOLIDE_CHECK_AS(IndexError, v, "the dictionary has no key '", key, "'");
  return *v;
}
void IValue::insert(IValue key, IValue value) {
  const IValue* found = key.isString() ? find(key.toStringRef()) : key.isInt() ? find(key.int_) : nullptr;
  if (found) *const_cast<IValue*>(found) = std::move(value);
  else toGenericDict().emplace_back(std::move(key), std::move(value));
}
size_t IValue::size() const {
  if (isGenericDict()) return compound_->pairs.size();
  return toListRef().size();
}

std::ostream& operator<<(std::ostream& s, const IValue& v) {
  const auto list = [&](char open, char close) -> std::ostream& {
    s << open;
    for (size_t i = 0; i < v.size(); ++i) s << (i ? ", " : "") << v.toListRef()[i];
    return s << (v.isTuple() && v.size() == 1 ? "," : "") << close;
  };
  switch (v.kind()) {
    case IValue::Kind::None: return s << "None";
    case IValue::Kind::Bool: return s << (v.toBool() ? "True" : "False");
    case IValue::Kind::String: return s << '\'' << v.toStringRef() << '\'';
    case IValue::Kind::Tensor: return s << "Tensor(" << v.toTensor().sizes() << ", " << v.toTensor().dtype() << ')';
    case IValue::Kind::List: return list('[', ']');
    case IValue::Kind::Tuple: return list('(', ')');
    case IValue::Kind::Dict: {
      s << '{';
      for (size_t i = 0; i < v.size(); ++i) s << (i ? ", " : "") << v.toGenericDict()[i].first << ": " << v.toGenericDict()[i].second;
      return s << '}';
    }
    default: return s << v.toScalar();
  }
}

}  // namespace bolide
