// Schema: the text that declares an op, parsed at compile time and compared there with the C++ signature.
//   "add(Tensor self, Operand other, *, Scalar alpha=1) -> Tensor"
// Types: Tensor Tensor? Tensor[] Tensor?[] Operand Scalar Scalar? int int? int[] int[N] int[]? float float? float[]
// bool bool? bool[N] str str? ScalarType ScalarType? Device? Layout? MemoryFormat? Generator?
#pragma once
#include <array>
#include <optional>
#include <string_view>
#include <type_traits>

#include "bolide/tensor.h"

namespace bolide {

class Generator;

enum class ArgType : uint8_t {
  Tensor, OptTensor, TensorList, OptTensorList, Operand, Scalar, OptScalar, Int, OptInt, IntList, OptIntList, Float,
  OptFloat, FloatList, Bool, OptBool, Str, OptStr, DType, OptDType, OptDevice, OptLayout, OptFormat, OptGenerator,
  BoolList,
};

struct SchemaArg {
  std::string_view name;
  ArgType type = ArgType::Tensor;
  bool keyword_only = false;
  bool has_default = false;
  bool list_of_one = false;  // int[N]: a single int stands for N equal ones
  int list_size = 0;         // the N of int[N]; 0 for int[]
  std::string_view default_text;
};

inline constexpr int kMaxArgs = 20;

struct Schema {
  std::string_view text, full_name, name, overload, returns;
  std::array<SchemaArg, kMaxArgs> args;
  int count = 0;
};

namespace schema {

constexpr ArgType type_of(std::string_view t) {
  struct Row { std::string_view text; ArgType type; };
  constexpr Row rows[] = {
      {"Tensor", ArgType::Tensor}, {"Tensor?", ArgType::OptTensor}, {"Tensor[]", ArgType::TensorList},
      {"Tensor?[]", ArgType::OptTensorList}, {"Operand", ArgType::Operand}, {"Scalar", ArgType::Scalar},
      {"Scalar?", ArgType::OptScalar}, {"int", ArgType::Int}, {"int?", ArgType::OptInt}, {"int[]", ArgType::IntList},
      {"int[]?", ArgType::OptIntList}, {"float", ArgType::Float}, {"float?", ArgType::OptFloat},
      {"float[]", ArgType::FloatList}, {"bool", ArgType::Bool}, {"bool?", ArgType::OptBool}, {"str", ArgType::Str},
      {"str?", ArgType::OptStr}, {"ScalarType", ArgType::DType}, {"ScalarType?", ArgType::OptDType},
      {"Device?", ArgType::OptDevice}, {"Layout?", ArgType::OptLayout}, {"MemoryFormat?", ArgType::OptFormat},
      {"Generator?", ArgType::OptGenerator}};
  for (const Row& r : rows)
    if (r.text == t) return r.type;
  throw "schema: unknown argument type";
}

constexpr Schema parse(std::string_view text) {
  Schema s;
  s.text = text;
  const size_t open = text.find('(');
  const size_t arrow = text.rfind(" -> ");
  if (open == text.npos || arrow == text.npos) throw "schema: expected name(arguments) -> returns";
  s.full_name = text.substr(0, open);
  const size_t dot = s.full_name.find('.', 1);
  s.name = s.full_name.substr(0, dot);
  s.overload = dot == text.npos ? std::string_view() : s.full_name.substr(dot + 1);
  s.returns = text.substr(arrow + 4);
  const size_t close = text.rfind(')', arrow);
  std::string_view list = text.substr(open + 1, close - open - 1);
  bool keyword_only = false;
  while (!list.empty()) {
    size_t end = 0;
    int depth = 0;
    bool quoted = false;
    for (; end < list.size(); ++end) {
      const char c = list[end];
      if (c == '\'') quoted = !quoted;
      if (quoted) continue;
      if (c == '[') ++depth;
      if (c == ']') --depth;
      if (c == ',' && depth == 0) break;
    }
    std::string_view one = list.substr(0, end);
    list = end < list.size() ? list.substr(end + 1) : std::string_view();
    while (!list.empty() && list.front() == ' ') list.remove_prefix(1);
    if (one == "*") { keyword_only = true; continue; }
    SchemaArg a;
    a.keyword_only = keyword_only;
    const size_t space = one.find(' ');
    if (space == one.npos) throw "schema: expected `Type name`";
    std::string_view type = one.substr(0, space), rest = one.substr(space + 1);
    const size_t eq = rest.find('=');
    a.name = rest.substr(0, eq);
    if (eq != rest.npos) a.has_default = true, a.default_text = rest.substr(eq + 1);
    const size_t bracket = type.find('[');
    if (bracket != type.npos && type[bracket + 1] != ']') {  // int[2], int[1]?
      a.list_of_one = true;
      a.list_size = type[bracket + 1] - '0';
      const bool optional = type.back() == '?';
      if (type.substr(0, bracket) == "int") a.type = optional ? ArgType::OptIntList : ArgType::IntList;
      else if (type.substr(0, bracket) == "bool") a.type = ArgType::BoolList;
      else throw "schema: only int and bool lists have a size";
    } else {
      a.type = type_of(type);
    }
    if (s.count == kMaxArgs) throw "schema: too many arguments";
    s.args[s.count++] = a;
  }
  return s;
}

/// Whether a C++ parameter of type T may stand for a schema argument of type `a`.
template <class T>
constexpr bool fits(ArgType a) {
  using D = std::remove_cvref_t<T>;
  if constexpr (std::is_same_v<D, Tensor>) return a == ArgType::Tensor || a == ArgType::OptTensor;
  else if constexpr (std::is_same_v<D, TensorList>) return a == ArgType::TensorList || a == ArgType::OptTensorList;
  else if constexpr (std::is_same_v<D, Operand>) return a == ArgType::Operand;
  else if constexpr (std::is_same_v<D, Scalar>) return a == ArgType::Scalar;
  else if constexpr (std::is_same_v<D, std::optional<Scalar>>) return a == ArgType::OptScalar;
  else if constexpr (std::is_same_v<D, int64_t>) return a == ArgType::Int;
  else if constexpr (std::is_same_v<D, std::optional<int64_t>>) return a == ArgType::OptInt;
  else if constexpr (std::is_same_v<D, IntList>) return a == ArgType::IntList || a == ArgType::BoolList;
  else if constexpr (std::is_same_v<D, std::optional<IntList>>) return a == ArgType::OptIntList;
  else if constexpr (std::is_same_v<D, double>) return a == ArgType::Float;
  else if constexpr (std::is_same_v<D, std::optional<double>>) return a == ArgType::OptFloat;
  else if constexpr (std::is_same_v<D, std::span<const double>>) return a == ArgType::FloatList;
  else if constexpr (std::is_same_v<D, bool>) return a == ArgType::Bool;
  else if constexpr (std::is_same_v<D, std::optional<bool>>) return a == ArgType::OptBool;
  else if constexpr (std::is_same_v<D, Str>) return a == ArgType::Str;
  else if constexpr (std::is_same_v<D, std::optional<Str>>) return a == ArgType::OptStr;
  else if constexpr (std::is_same_v<D, DType>) return a == ArgType::DType;
  else if constexpr (std::is_same_v<D, std::optional<DType>>) return a == ArgType::OptDType;
  else if constexpr (std::is_same_v<D, std::optional<Device>>) return a == ArgType::OptDevice;
  else if constexpr (std::is_same_v<D, std::optional<LayoutKind>>) return a == ArgType::OptLayout;
  else if constexpr (std::is_same_v<D, std::optional<MemoryFormat>>) return a == ArgType::OptFormat;
  else if constexpr (std::is_same_v<D, Generator*>) return a == ArgType::OptGenerator;
  else return false;
}

template <class R>
constexpr bool returns_fit(std::string_view text) {
  auto words = [](std::string_view t) {
    int n = t == "()" ? 0 : 1;
    for (char c : t) n += c == ',';
    return n;
  };
  const bool group = text.front() == '(';
  if constexpr (std::is_void_v<R>) return text == "()";
  else if constexpr (std::is_same_v<R, Tensor>) return text == "Tensor";
  else if constexpr (std::is_same_v<R, std::vector<Tensor>>) return text == "Tensor[]";
  else if constexpr (std::is_same_v<R, bool>) return text == "bool";
  else if constexpr (std::is_same_v<R, int64_t>) return text == "int";
  else if constexpr (std::is_same_v<R, double>) return text == "float";
  else if constexpr (std::is_same_v<R, Scalar>) return text == "Scalar";
  else if constexpr (std::is_same_v<R, std::tuple<Tensor, Tensor>>) return group && words(text) == 2;
  else if constexpr (std::is_same_v<R, std::tuple<Tensor, Tensor, Tensor>>) return group && words(text) == 3;
  else if constexpr (std::is_same_v<R, std::tuple<Tensor, Tensor, Tensor, Tensor>>) return group && words(text) == 4;
  else return false;
}

template <class F> struct Signature;
template <class R, class... A>
struct Signature<R (*)(A...)> {
  using Return = R;
  static constexpr int kCount = sizeof...(A);
  template <size_t Skip>
  static constexpr bool matches(const Schema& s) {
    if (s.count + static_cast<int>(Skip) != kCount || !returns_fit<R>(s.returns)) return false;
    constexpr std::array<bool (*)(ArgType), sizeof...(A) + 1> checks = {&fits<A>..., nullptr};
    for (int i = 0; i < s.count; ++i)
      if (!checks[i + Skip](s.args[i].type)) return false;
    return true;
  }
};

}  // namespace schema
}  // namespace bolide
