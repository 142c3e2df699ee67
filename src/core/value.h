// Value: one boxed argument; a view of what the caller holds. Result: what an op gave back. Box and Unbox: the
// conversions between them and C++ types, one per type, shared by every op.
#pragma once
#include "core/schema.h"

namespace bolide {

struct Value {
  enum class Tag : uint8_t { None, Tensor, Int, Double, Bool, Complex, Str, IntList, DoubleList, TensorList, DType, Device,
                             Layout, Format, Generator };
  union {
    TensorImpl* t;
    int64_t i;
    double d[2];
    const void* p;
  };
  uint32_t n = 0;  // length of lists and strings
  Tag tag = Tag::None;

  Value() : d{0, 0} {}
  static Value of(Tag tag, const void* p, size_t n) {
    Value v;
    v.p = p, v.n = static_cast<uint32_t>(n), v.tag = tag;
    return v;
  }
  static Value of_int(Tag tag, int64_t i) {
    Value v;
    v.i = i, v.tag = tag;
    return v;
  }
  bool none() const { return tag == Tag::None; }
  /// A Tensor is one pointer, so the slot itself reads as one: no reference is counted.
  const Tensor& tensor() const { return *reinterpret_cast<const Tensor*>(&t); }
  TensorList tensors() const {
    return tag == Tag::TensorList ? TensorList(static_cast<const Tensor*>(p), n)
           : tag == Tag::Tensor   ? TensorList(&tensor(), 1)
                                  : TensorList();
  }
  IntList ints() const { return {static_cast<const int64_t*>(p), n}; }
  double number() const { return tag == Tag::Double ? d[0] : static_cast<double>(i); }
  Scalar scalar() const {
    switch (tag) {
      case Tag::Bool: return Scalar(i != 0);
      case Tag::Int: return Scalar(i);
      case Tag::Double: return Scalar(d[0]);
      default: return Scalar(complex128(d[0], d[1]));
    }
  }
};

inline Value box(const Tensor& t) {
  Value v;
  v.t = t.impl();
  v.tag = t.defined() ? Value::Tag::Tensor : Value::Tag::None;
  return v;
}
inline Value box(TensorList l) { return Value::of(Value::Tag::TensorList, l.data(), l.size()); }
inline Value box(const Scalar& s) {
  Value v;
  switch (s.kind()) {
    case Scalar::Kind::Bool: v.i = s.to_int(), v.tag = Value::Tag::Bool; break;
    case Scalar::Kind::Int: v.i = s.to_int(), v.tag = Value::Tag::Int; break;
    case Scalar::Kind::Double: v.d[0] = s.to_double(), v.tag = Value::Tag::Double; break;
    default: {
      const auto c = s.to<complex128>();
      v.d[0] = c.real(), v.d[1] = c.imag(), v.tag = Value::Tag::Complex;
    }
  }
  return v;
}
inline Value box(const Operand& o) { return o.tensor ? box(*o.tensor) : box(o.number); }
inline Value box(bool b) { return Value::of_int(Value::Tag::Bool, b); }
inline Value box(int64_t i) { return Value::of_int(Value::Tag::Int, i); }
inline Value box(double d) { return box(Scalar(d)); }
inline Value box(const IntList& l) { return Value::of(Value::Tag::IntList, l.data(), l.size()); }
inline Value box(std::span<const double> l) { return Value::of(Value::Tag::DoubleList, l.data(), l.size()); }
inline Value box(Str s) { return Value::of(Value::Tag::Str, s.data(), s.size()); }
inline Value box(DType t) { return Value::of_int(Value::Tag::DType, static_cast<int64_t>(t)); }
inline Value box(Device d) {
  return Value::of_int(Value::Tag::Device, static_cast<int64_t>(d.type) | (static_cast<int64_t>(static_cast<uint8_t>(d.index)) << 8));
}
inline Value box(LayoutKind l) { return Value::of_int(Value::Tag::Layout, static_cast<int64_t>(l)); }
inline Value box(MemoryFormat f) { return Value::of_int(Value::Tag::Format, static_cast<int64_t>(f)); }
inline Value box(Generator* g) { return g ? Value::of(Value::Tag::Generator, g, 0) : Value(); }
template <class T>
Value box(const std::optional<T>& o) { return o ? box(*o) : Value(); }

template <class T> struct Unbox;
template <> struct Unbox<Tensor> { static const Tensor& from(const Value& v) { return v.tensor(); } };
template <> struct Unbox<TensorList> { static TensorList from(const Value& v) { return v.tensors(); } };
template <> struct Unbox<Operand> {
  static Operand from(const Value& v) { return v.tag == Value::Tag::Tensor ? Operand(v.tensor()) : Operand(v.scalar()); }
};
template <> struct Unbox<Scalar> { static Scalar from(const Value& v) { return v.scalar(); } };
template <> struct Unbox<int64_t> { static int64_t from(const Value& v) { return v.i; } };
template <> struct Unbox<double> { static double from(const Value& v) { return v.number(); } };
template <> struct Unbox<bool> { static bool from(const Value& v) { return v.i != 0; } };
template <> struct Unbox<IntList> { static IntList from(const Value& v) { return v.ints(); } };
template <> struct Unbox<std::span<const double>> {
  static std::span<const double> from(const Value& v) { return {static_cast<const double*>(v.p), v.n}; }
};
template <> struct Unbox<Str> { static Str from(const Value& v) { return {static_cast<const char*>(v.p), v.n}; } };
template <> struct Unbox<DType> { static DType from(const Value& v) { return static_cast<DType>(v.i); } };
template <> struct Unbox<Device> {
  static Device from(const Value& v) { return Device(static_cast<DeviceType>(v.i & 255), static_cast<int8_t>(v.i >> 8)); }
};
template <> struct Unbox<LayoutKind> { static LayoutKind from(const Value& v) { return static_cast<LayoutKind>(v.i); } };
template <> struct Unbox<MemoryFormat> { static MemoryFormat from(const Value& v) { return static_cast<MemoryFormat>(v.i); } };
template <> struct Unbox<Generator*> {
  static Generator* from(const Value& v) { return v.none() ? nullptr : static_cast<Generator*>(const_cast<void*>(v.p)); }
};
template <class T> struct Unbox<std::optional<T>> {
  static std::optional<T> from(const Value& v) { return v.none() ? std::nullopt : std::optional<T>(Unbox<T>::from(v)); }
};

struct Result {
  enum class Kind : uint8_t { Nothing, One, Tuple, List, Number };
  Kind kind = Kind::Nothing;
  int count = 0;
  std::array<Tensor, 4> tensors;
  std::vector<Tensor> list;
  Scalar number;
  std::span<Tensor> all() { return kind == Kind::List ? std::span<Tensor>(list) : std::span<Tensor>(tensors.data(), count); }
};

inline void give(Result& r, Tensor t) { r.kind = Result::Kind::One, r.count = 1, r.tensors[0] = std::move(t); }
inline void give(Result& r, std::vector<Tensor> l) { r.kind = Result::Kind::List, r.list = std::move(l); }
template <class... T>
void give(Result& r, std::tuple<T...> t) {
  r.kind = Result::Kind::Tuple, r.count = sizeof...(T);
  std::apply([&](auto&... x) { int i = 0; ((r.tensors[i++] = std::move(x)), ...); }, t);
}
inline void give(Result& r, bool b) { r.kind = Result::Kind::Number, r.number = b; }
inline void give(Result& r, int64_t i) { r.kind = Result::Kind::Number, r.number = i; }
inline void give(Result& r, double d) { r.kind = Result::Kind::Number, r.number = d; }
inline void give(Result& r, Scalar s) { r.kind = Result::Kind::Number, r.number = s; }

template <class T>
T take(Result& r) {
  if constexpr (std::is_void_v<T>) return;
  else if constexpr (std::is_same_v<T, Tensor>) return std::move(r.tensors[0]);
  else if constexpr (std::is_same_v<T, std::vector<Tensor>>) return std::move(r.list);
  else if constexpr (std::is_same_v<T, std::tuple<Tensor, Tensor>>) return {std::move(r.tensors[0]), std::move(r.tensors[1])};
  else if constexpr (std::is_same_v<T, std::tuple<Tensor, Tensor, Tensor>>)
    return {std::move(r.tensors[0]), std::move(r.tensors[1]), std::move(r.tensors[2])};
  else if constexpr (std::is_same_v<T, std::tuple<Tensor, Tensor, Tensor, Tensor>>)
    return {std::move(r.tensors[0]), std::move(r.tensors[1]), std::move(r.tensors[2]), std::move(r.tensors[3])};
  else if constexpr (std::is_same_v<T, Scalar>) return r.number;
  else return r.number.template to<T>();
}

}  // namespace bolide
