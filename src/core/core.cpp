// Names, promotion and defaults of dtypes; devices; numbers as text; lists of sizes.
#include <cmath>

#include "bolide/tensor.h"

namespace bolide {

const char* name(DType t) {
  static constexpr const char* names[kDTypeSlots] = {
      "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex32", "complex64", "complex128", "bool", "qint8",
      "quint8", "qint32", "bfloat16", "quint4x2", "quint2x4", "bits1x8", "bits2x4", "bits4x2", "bits8", "bits16", "float8_e5m2",
      "float8_e4m3fn", "float8_e5m2fnuz", "float8_e4m3fnuz", "uint16", "uint32", "uint64", "uint1", "uint2", "uint3", "uint4", "uint5",
      "uint6", "uint7", "int1", "int2", "int3", "int4", "int5", "int6", "int7", "float8_e8m0fnu", "float4_e2m1fn_x2"};
  return names[static_cast<int>(t)];
}
const char* legacy_name(DType t) {
  static constexpr const char* names[kDTypeSlots] = {
      "Byte", "Char", "Short", "Int", "Long", "Half", "Float", "Double", "ComplexHalf", "ComplexFloat", "ComplexDouble", "Bool", "QInt8",
      "QUInt8", "QInt32", "BFloat16", "QUInt4x2", "QUInt2x4", "Bits1x8", "Bits2x4", "Bits4x2", "Bits8", "Bits16", "Float8_e5m2",
      "Float8_e4m3fn", "Float8_e5m2fnuz", "Float8_e4m3fnuz", "UInt16", "UInt32", "UInt64", "UInt1", "UInt2", "UInt3", "UInt4", "UInt5",
      "UInt6", "UInt7", "Int1", "Int2", "Int3", "Int4", "Int5", "Int6", "Int7", "Float8_e8m0fnu", "Float4_e2m1fn_x2"};
  return names[static_cast<int>(t)];
}

static DType promote_ints(DType a, DType b) {
  BOLIDE_CHECK(!is_wide_unsigned(a) && !is_wide_unsigned(b), "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote ",
               legacy_name(a), " and ", legacy_name(b));
  if (a != DType::UInt8 && b != DType::UInt8) return static_cast<DType>(std::max(static_cast<int>(a), static_cast<int>(b)));
  const DType other = a == DType::UInt8 ? b : a;
  return other == DType::Int8 ? DType::Int16 : other;
}

DType promote(DType a, DType b) {
  if (a == b) return a;
  BOLIDE_CHECK(!is_float8(a) && !is_float8(b), "Promotion for Float8 Types is not supported, attempted to promote ", legacy_name(a), " and ",
               legacy_name(b));
  const int ca = category(a), cb = category(b);
  if (ca != cb) {
    const DType hi = ca > cb ? a : b, lo = ca > cb ? b : a;
    if (category(hi) != 3 || category(lo) != 2) return hi;
    const DType wanted = complex_of(lo);  // a complex of at least the float's precision
    return item_size(wanted) > item_size(hi) ? wanted : hi;
  }
  if (ca == 1) return promote_ints(a, b);
  if (ca == 2 && is_half(a) && is_half(b)) return DType::Float32;
  return item_size(a) > item_size(b) ? a : b;
}

namespace {
DType g_default_dtype = DType::Float32;
}
DType default_dtype() { return g_default_dtype; }
void set_default_dtype(DType t) {
  BOLIDE_CHECK_AS(TypeError, is_floating(t),
                  "only floating-point types are supported as the default type");
  g_default_dtype = t;
}

const char* name(DeviceType t) { return t == DeviceType::CPU ? "cpu" : t == DeviceType::CUDA ? "cuda" : "meta"; }
Device::Device(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  bool ok = true;
  if (kind == "cpu") type = DeviceType::CPU;
  else if (kind == "cuda") type = DeviceType::CUDA;
  else if (kind == "meta") type = DeviceType::Meta;
  else ok = false;
  BOLIDE_CHECK(ok && !text.empty(), "Expected one of cpu, cuda, meta device type at start of device string: ", kind);
  if (colon != text.npos) {
    const std::string_view number = text.substr(colon + 1);
    int n = 0;
    ok = !number.empty() && number.size() <= 3 && !(number.size() > 1 && number[0] == '0');
    for (char c : number) ok = ok && c >= '0' && c <= '9', n = n * 10 + (c - '0');
    BOLIDE_CHECK(ok && n < 128, "Invalid device string: '", text, "'");
    index = static_cast<int8_t>(n);
  }
}
std::string Device::str() const {
  return index < 0 ? std::string(name(type)) : std::string(name(type)) + ":" + std::to_string(index);
}

std::ostream& operator<<(std::ostream& s, const Scalar& v) {
  if (v.is_bool()) return s << (v.to_int() ? "True" : "False");
  if (v.is_int()) return s << v.to_int();
  if (v.is_complex()) return s << v.to<complex128>();
  return s << v.to_double();
}
bool operator==(IntList a, IntList b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}
std::ostream& operator<<(std::ostream& s, IntList v) {
  s << '[';
  for (size_t i = 0; i < v.size(); ++i) s << (i ? ", " : "") << v[i];
  return s << ']';
}

void Dims::swap(Dims& o) noexcept {
  std::swap_ranges(reinterpret_cast<char*>(this), reinterpret_cast<char*>(this) + sizeof(Dims), reinterpret_cast<char*>(&o));
}
void Dims::resize(size_t n) {
  if (n > kInline && n > size_) {
    auto* p = new int64_t[n]();
    std::copy(begin(), end(), p);
    if (size_ > kInline) delete[] heap_;
    heap_ = p;
  } else if (size_ > kInline && n <= kInline) {
    int64_t* p = heap_;
    std::copy(p, p + n, inline_);
    delete[] p;
  } else if (n > size_) {
    std::fill(inline_ + size_, inline_ + n, 0);
  }
  size_ = static_cast<uint32_t>(n);
}
void Dims::insert(size_t at, int64_t v) {
  resize(size_ + 1);
  std::copy_backward(begin() + at, end() - 1, end());
  (*this)[at] = v;
}
void Dims::erase(size_t at) {
  std::copy(begin() + at + 1, end(), begin() + at);
  resize(size_ - 1);
}

Dims contiguous_strides(IntList sizes) {
  Dims s;
  s.resize(sizes.size());
  int64_t step = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    s[i] = step;
    step *= std::max<int64_t>(sizes[i], 1);
  }
  return s;
}
Dims format_strides(IntList sizes, MemoryFormat f) {
  const size_t n = sizes.size();
  if (f != MemoryFormat::ChannelsLast && f != MemoryFormat::ChannelsLast3d) return contiguous_strides(sizes);
  BOLIDE_CHECK(n == (f == MemoryFormat::ChannelsLast ? 4u : 5u), "required rank ", f == MemoryFormat::ChannelsLast ? 4 : 5,
               " tensor to use channels_last", f == MemoryFormat::ChannelsLast ? "" : "_3d", " format");
  Dims s;
  s.resize(n);
  int64_t step = 1;
  auto put = [&](size_t i) { s[i] = step, step *= std::max<int64_t>(sizes[i], 1); };
  put(1);
  for (size_t i = n; i-- > 2;) put(i);
  put(0);
  return s;
}
int64_t checked_numel(IntList sizes) {
  int64_t n = 1;
  bool zero = false, overflow = false;
  for (int64_t s : sizes) {
    BOLIDE_CHECK(s >= 0, "Trying to create tensor with negative dimension ", s, ": ", sizes);
    if (s == 0) zero = true;
    else overflow |= __builtin_mul_overflow(n, s, &n);
  }
  BOLIDE_CHECK(!overflow, "Storage size calculation overflowed with sizes=", sizes);
  return zero ? 0 : n;
}
int64_t wrap_dim(int64_t d, int64_t n) {
  const int64_t range = n == 0 ? 1 : n;
  BOLIDE_CHECK_AS(IndexError, d >= -range && d < range, "Dimension out of range (expected to be in range of [", -range, ", ",
                  range - 1, "], but got ", d, ")");
  return d < 0 ? d + range : d;
}

}  // namespace bolide
