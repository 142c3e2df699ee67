// How modules are written.
#include "nn/text.h"

#include <charconv>
#include <cmath>

namespace bolide::nn::detail {

// Python's repr of a float: the shortest digits that read back as the same number, an exponent below 1e-4 and from 1e16.
std::string py(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
  char digits[40];
  const double size = std::fabs(v);
  const bool exponent = size != 0 && (size < 1e-4 || size >= 1e16);
  const auto end = std::to_chars(digits, digits + sizeof digits, v, exponent ? std::chars_format::scientific : std::chars_format::fixed);
  std::string text(digits, end.ptr);
  return exponent || text.find('.') != text.npos ? text : text + ".0";
}

std::string py(IntList v) {
  std::string s = "(";
  for (size_t i = 0; i < v.size(); ++i) s += (i ? ", " : "") + std::to_string(v[i]);
  return s + (v.size() == 1 ? ",)" : ")");
}

std::string py(std::span<const std::optional<int64_t>> v) {
  std::string s = "(";
  for (size_t i = 0; i < v.size(); ++i) s += (i ? ", " : "") + py(v[i]);
  return s + (v.size() == 1 ? ",)" : ")");
}

std::string py(const IValue& v) {
  switch (v.kind()) {
    case IValue::Kind::Double: return py(v.toDouble());
    case IValue::Kind::Tuple: {
      std::string s = "(";
      for (size_t i = 0; i < v.size(); ++i) s += (i ? ", " : "") + py(v.toListRef()[i]);
      return s + (v.size() == 1 ? ",)" : ")");
    }
    case IValue::Kind::String: return v.toStringRef();
    default: return str(v);
  }
}

}  // namespace bolide::nn::detail
