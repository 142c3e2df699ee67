// IValue: any value that a file of torch.save may hold: numbers, text, tensors, and lists, tuples and dictionaries of
// such. What optimizers are saved as, and what load_ivalue gives for files of unknown structure.
#pragma once
#include <memory>

#include "bolide/tensor.h"

namespace bolide {

class IValue {
 public:
  enum class Kind : uint8_t { None, Bool, Int, Double, Complex, String, Tensor, List, Tuple, Dict };
  using Pair = std::pair<IValue, IValue>;

  IValue() = default;
  IValue(std::nullopt_t) {}
  IValue(bool v) : kind_(Kind::Bool), int_(v) {}
  template <std::integral N> requires(!std::is_same_v<N, bool>)
  IValue(N v) : kind_(Kind::Int), int_(static_cast<int64_t>(v)) {}
  IValue(double v) : kind_(Kind::Double), double_(v) {}
  IValue(float v) : IValue(double{v}) {}
  IValue(complex128 v);
  IValue(std::string v);
  IValue(const char* v) : IValue(std::string(v)) {}
  IValue(Tensor v) : kind_(v.defined() ? Kind::Tensor : Kind::None), tensor_(std::move(v)) {}
  IValue(const Scalar& v);
  IValue(std::vector<IValue> list) : IValue(Kind::List, std::move(list)) {}
  IValue(const std::vector<Tensor>& list);
  IValue(const std::vector<int64_t>& list);
  IValue(const std::vector<double>& list);
  template <class T>
  IValue(const std::optional<T>& v) : IValue(v ? IValue(*v) : IValue()) {}
  static IValue tuple(std::vector<IValue> items) { return IValue(Kind::Tuple, std::move(items)); }
  static IValue dict(std::vector<Pair> items = {});

  Kind kind() const { return kind_; }
  const char* kind_name() const;
  bool isNone() const { return kind_ == Kind::None; }
  bool isBool() const { return kind_ == Kind::Bool; }
  bool isInt() const { return kind_ == Kind::Int; }
  bool isDouble() const { return kind_ == Kind::Double; }
  bool isComplexDouble() const { return kind_ == Kind::Complex; }
  bool isScalar() const { return kind_ >= Kind::Bool && kind_ <= Kind::Complex; }
  bool isString() const { return kind_ == Kind::String; }
  bool isTensor() const { return kind_ == Kind::Tensor; }
  bool isList() const { return kind_ == Kind::List; }
  bool isTuple() const { return kind_ == Kind::Tuple; }
  bool isGenericDict() const { return kind_ == Kind::Dict; }

  // Each throws when the value is of another kind; an int may stand for a double, and a number for a bool.
  bool toBool() const;
  int64_t toInt() const;
  double toDouble() const;
  complex128 toComplexDouble() const;
  Scalar toScalar() const;
  const std::string& toStringRef() const&;
  const Tensor& toTensor() const;
  /// Items of a list or tuple.
  const std::vector<IValue>& toListRef() const&;
  std::vector<IValue> toListRef() && { return toList(); }  // a loop over a temporary's items must not outlive it
  std::vector<IValue>& toList();
  std::vector<Tensor> toTensorVector() const;
  std::vector<int64_t> toIntVector() const;
  std::vector<double> toDoubleVector() const;
  /// Pairs of a dictionary, in order.
  const std::vector<Pair>& toGenericDict() const&;
  std::vector<Pair> toGenericDict() && { return std::as_const(*this).toGenericDict(); }
  std::vector<Pair>& toGenericDict() &;
  /// The value of a key of a dictionary, or null.
  const IValue* find(std::string_view key) const;
  const IValue* find(int64_t key) const;
  /// The value of a key; throws when there is none.
  const IValue& at(std::string_view key) const;
  /// Sets or adds.
  void insert(IValue key, IValue value);
  size_t size() const;

 private:
  struct Compound;  // text, items, pairs
  IValue(Kind kind, std::vector<IValue> items);
  [[noreturn]] void wrong(const char* wanted) const;
  Kind kind_ = Kind::None;
  union {
    int64_t int_ = 0;
    double double_;
  };
  Tensor tensor_;
  std::shared_ptr<Compound> compound_;
};
std::ostream& operator<<(std::ostream& s, const IValue& v);

}  // namespace bolide
