// Printing of tensors, as Python prints them. Map: options | what is shown | how one element is written | layout |
// suffixes | operator<<
#include <algorithm>
#include <cmath>
#include <ostream>

#include "autograd/node.h"
#include "bolide/ops.h"
#include "bolide/print.h"

namespace bolide {

// ---- options -----------------------------------------------------------------------------------
namespace {
PrintOptions g_options;
}
void set_printoptions(const PrintOptions& options) { g_options = options; }
PrintOptions get_printoptions() { return g_options; }

namespace {

// ---- what is shown -----------------------------------------------------------------------------
/// The elements of a dimension that are shown: both ends of a long one in a summary.
std::vector<int64_t> shown(int64_t size, bool summarise) {
  std::vector<int64_t> at;
  const int64_t edge = g_options.edgeitems;
  for (int64_t i = 0; i < size; ++i)
    if (!summarise || size <= 2 * edge || i < edge || i >= size - edge) at.push_back(i);
  return at;
}

/// Element offsets of all that is shown, in order.
void collect(const Tensor& t, size_t d, int64_t at, bool summarise, std::vector<int64_t>& out) {
  if (d == t.sizes().size()) return out.push_back(at);
  for (const int64_t i : shown(t.sizes()[d], summarise)) collect(t, d + 1, at + i * t.strides()[d], summarise, out);
}

// ---- how one element is written ----------------------------------------------------------------
std::string formatted(const char* format, int precision, double v) {
  char text[400];
  std::snprintf(text, sizeof text, format, precision, v);
  return text;
}

/// Whole numbers, fixed point or scientific: the finite non-zero values decide.
struct FloatFormat {
  enum { Whole, Fixed, Scientific } style = Whole;
  size_t width = 1;

  explicit FloatFormat(const std::vector<double>& values) {
    double largest = 0, smallest = INFINITY;
    bool whole = true;
    for (const double v : values) {
      if (v == 0 || !std::isfinite(v)) continue;
      largest = std::max(largest, std::fabs(v)), smallest = std::min(smallest, std::fabs(v));
      whole = whole && v == std::floor(v);
    }
    if (largest > 0) {
      bool scientific = largest / smallest > 1000 || largest > 1e8 || (!whole && smallest < 1e-4);
      if (g_options.sci_mode) scientific = *g_options.sci_mode;
      style = scientific ? Scientific : whole ? Whole : Fixed;
    }
    for (const double v : values)
      if (v != 0 && std::isfinite(v)) width = std::max(width, plain(v).size());
  }
  std::string plain(double v) const {
    if (std::isnan(v)) return "nan";
    if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
    if (style == Whole) return formatted("%.*f", 0, v) + ".";
    return formatted(style == Scientific ? "%.*e" : "%.*f", g_options.precision, v);
  }
};

std::string padded(std::string text, size_t width) { return text.size() < width ? std::string(width - text.size(), ' ') + text : text; }

struct Texts {
  std::vector<std::string> items;
  size_t width = 0;
};

Texts float_texts(const std::vector<double>& values) {
  const FloatFormat f(values);
  Texts t{{}, f.width};
  for (const double v : values) t.items.push_back(padded(f.plain(v), f.width));
  return t;
}

Texts complex_texts(const std::vector<complex128>& values) {
  std::vector<double> re, im;
  for (const complex128 v : values) re.push_back(v.real()), im.push_back(v.imag());
  const FloatFormat real(re), imaginary(im);
  Texts t{{}, real.width + imaginary.width + 1};
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string second = imaginary.plain(im[i]);
    t.items.push_back(padded(real.plain(re[i]), real.width) + (second[0] == '-' ? "" : "+") + second + "j");
  }
  return t;
}

Texts plain_texts(std::vector<std::string> items) {
  size_t width = 0;
  for (const std::string& s : items) width = std::max(width, s.size());
  for (std::string& s : items) s = padded(std::move(s), width);
  return {std::move(items), width};
}

Texts texts_of(const Tensor& t, const std::vector<int64_t>& offsets) {
  Texts out;
  dispatch<AllTypes>("print", t.dtype(), [&]<class T>(Tag<T>) {
    const T* p = t.data<T>();
    if constexpr (std::is_same_v<T, complex64> || std::is_same_v<T, complex128>) {
      std::vector<complex128> v;
      for (const int64_t i : offsets) v.emplace_back(p[i].real(), p[i].imag());
      out = complex_texts(v);
    } else if constexpr (std::is_integral_v<T>) {
      std::vector<std::string> v;
      for (const int64_t i : offsets) v.push_back(std::is_same_v<T, bool> ? (p[i] ? "True" : "False") : std::to_string(p[i]));
      out = plain_texts(std::move(v));
    } else {
      std::vector<double> v;
      for (const int64_t i : offsets) v.push_back(static_cast<double>(static_cast<float>(p[i])));
      if constexpr (std::is_same_v<T, double>)
        for (size_t i = 0; i < offsets.size(); ++i) v[i] = p[offsets[i]];
      out = float_texts(v);
    }
  });
  return out;
}

// ---- layout ------------------------------------------------------------------------------------
class Layout {
 public:
  Layout(const Tensor& t, Texts texts, bool summarise) : t_(t), texts_(std::move(texts)), summarise_(summarise) {}
  std::string nested(size_t d, size_t indent) {
    const size_t rank = t_.sizes().size();
    if (d == rank) return texts_.items[at_++];
    if (d + 1 == rank) return row(t_.sizes()[d], indent);
    std::vector<std::string> items;
    for (size_t n = shown(t_.sizes()[d], summarise_).size(); n > 0; --n) items.push_back(nested(d + 1, indent + 1));
    elide(items, t_.sizes()[d], "...");
    return "[" + joined(items, "," + std::string(rank - d - 1, '\n') + std::string(indent + 1, ' ')) + "]";
  }

 private:
  /// One dimension: elements joined by commas, broken into lines that fit.
  std::string row(int64_t size, size_t indent) {
    const size_t n = shown(size, summarise_).size();
    std::vector<std::string> items(texts_.items.begin() + static_cast<std::ptrdiff_t>(at_), texts_.items.begin() + static_cast<std::ptrdiff_t>(at_ + n));
    at_ += n;
    elide(items, size, g_options.edgeitems ? " ..." : "...");
    const size_t line = g_options.linewidth > static_cast<int>(indent) ? static_cast<size_t>(g_options.linewidth) - indent : 0;
    const size_t each = std::max<size_t>(1, line / (texts_.width + 2));
    std::vector<std::string> lines;
    for (size_t i = 0; i < items.size(); i += each)
      lines.push_back(joined({items.begin() + static_cast<std::ptrdiff_t>(i), items.begin() + static_cast<std::ptrdiff_t>(std::min(i + each, items.size()))}, ", "));
    return "[" + joined(lines, ",\n" + std::string(indent + 1, ' ')) + "]";
  }
  void elide(std::vector<std::string>& items, int64_t size, const char* dots) const {
    if (summarise_ && size > 2 * g_options.edgeitems) items.insert(items.begin() + g_options.edgeitems, dots);
  }
  static std::string joined(const std::vector<std::string>& items, const std::string& by) {
    std::string s;
    for (size_t i = 0; i < items.size(); ++i) s += (i ? by : "") + items[i];
    return s;
  }
  const Tensor& t_;
  Texts texts_;
  bool summarise_;
  size_t at_ = 0;
};

std::string contents(const Tensor& t, size_t indent) {
  if (t.device().is_meta()) return "...";
  if (t.numel() == 0) return "[]";
  const Tensor here = t.device().is_cpu() ? t : t.to(Device());
  const bool summarise = t.numel() > g_options.threshold;
  std::vector<int64_t> offsets;
  collect(here, 0, 0, summarise, offsets);
  return Layout(here, texts_of(here, offsets), summarise).nested(0, indent);
}

// ---- suffixes ----------------------------------------------------------------------------------
std::string size_text(const Dims& sizes) {
  std::string s = "size=(";
  for (size_t i = 0; i < sizes.size(); ++i) s += (i ? ", " : "") + std::to_string(sizes[i]);
  return s + (sizes.size() == 1 ? ",)" : ")");
}

std::vector<std::string> suffixes(const Tensor& t) {
  std::vector<std::string> out;
  const bool meta = t.device().is_meta(), empty = t.numel() == 0;
  const DType dtype = t.dtype(), standard = default_dtype();
  if (!t.device().is_cpu()) out.push_back("device='" + t.device().str() + "'");
  if (meta || (empty && t.dim() != 1) || (g_options.edgeitems == 0 && !empty)) out.push_back(size_text(t.sizes()));
  const bool implied = dtype == standard || (!meta && !empty && (dtype == DType::Int64 || dtype == DType::Bool || dtype == complex_of(standard)));
  if (!implied) out.push_back(str("dtype=", dtype));
  if (const Ref<Node> node = t.grad_fn()) {
    const std::string name = node->name();
    out.push_back("grad_fn=<" + name.substr(name.rfind(':') == name.npos ? 0 : name.rfind(':') + 1) + ">");
  } else if (t.requires_grad()) {
    out.push_back("requires_grad=True");
  }
  return out;
}

}  // namespace

// ---- operator<< --------------------------------------------------------------------------------
std::ostream& operator<<(std::ostream& stream, const Tensor& t) {
  if (!t.defined()) return stream << "[ Tensor (undefined) ]";
  constexpr size_t indent = 7;  // of "tensor("
  std::string text = "tensor(" + contents(t, indent);
  const size_t line = text.rfind('\n');
  size_t column = text.size() - (line == text.npos ? 0 : line + 1) + 2;
  for (const std::string& s : suffixes(t)) {
    if (column + s.size() + 2 > static_cast<size_t>(g_options.linewidth)) {
      text += ",\n" + std::string(indent, ' ') + s;
      column = indent + s.size();
    } else {
      text += ", " + s;
      column += s.size() + 2;
    }
  }
  return stream << text << ')';
}

}  // namespace bolide
