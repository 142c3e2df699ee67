// Scalar: a number of any dtype's category, exactly as Python hands it over.
#pragma once
#include "bolide/dtype.h"

namespace bolide {

class Scalar {
 public:
  enum class Kind : uint8_t { Bool, Int, Double, Complex };
  Scalar() : Scalar(int64_t{0}) {}
  Scalar(bool v) : kind_(Kind::Bool) { i_ = v; }
  Scalar(int v) : Scalar(int64_t{v}) {}
  Scalar(int64_t v) : kind_(Kind::Int) { i_ = v; }
  Scalar(long long v) : Scalar(int64_t{v}) {}
  Scalar(float v) : Scalar(double{v}) {}
  Scalar(double v) : kind_(Kind::Double) { d_[0] = v; }
  Scalar(complex128 v) : kind_(Kind::Complex) { d_[0] = v.real(), d_[1] = v.imag(); }
  Kind kind() const { return kind_; }
  bool is_bool() const { return kind_ == Kind::Bool; }
  bool is_int() const { return kind_ <= Kind::Int; }
  bool is_float() const { return kind_ == Kind::Double; }
  bool is_complex() const { return kind_ == Kind::Complex; }
  /// The dtype a number of this kind promotes as: bool, int64, the default dtype, its complex counterpart.
  DType dtype() const {
    switch (kind_) {
      case Kind::Bool: return DType::Bool;
      case Kind::Int: return DType::Int64;
      case Kind::Double: return default_dtype();
      default: return complex_of(default_dtype());
    }
  }
  /// Converts with wrap-around, as C++ does.
  template <class T>
  T to() const {
    if constexpr (std::is_same_v<T, complex64> || std::is_same_v<T, complex128>) {
      using R = typename T::value_type;
      return is_complex() ? T(R(d_[0]), R(d_[1])) : is_float() ? T(R(d_[0])) : T(R(i_));
    } else if constexpr (std::is_same_v<T, bool>) {
      return is_complex() ? d_[0] != 0 || d_[1] != 0 : is_float() ? d_[0] != 0 : i_ != 0;
    } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
      return T(static_cast<float>(is_int() ? static_cast<double>(i_) : d_[0]));
    } else {
      if (is_int()) return static_cast<T>(i_);
      if constexpr (std::is_integral_v<T>) return static_cast<T>(to_int(d_[0]));
      else return static_cast<T>(d_[0]);
    }
  }
  double to_double() const { return to<double>(); }
  int64_t to_int() const { return to<int64_t>(); }
  bool equal(double v) const { return is_complex() ? d_[0] == v && d_[1] == 0 : to_double() == v; }
  Scalar operator-() const {
    return is_complex() ? Scalar(-to<complex128>()) : is_float() ? Scalar(-d_[0]) : Scalar(-i_);
  }

 private:
  static int64_t to_int(double v) {
    return v >= -9223372036854775808.0 && v < 9223372036854775808.0 ? static_cast<int64_t>(v) : INT64_MIN;
  }
  union { int64_t i_; double d_[2]; };
  Kind kind_;
};
std::ostream& operator<<(std::ostream& s, const Scalar& v);

}  // namespace bolide
