// What the options of modules are made of: BOLIDE_ARG (a field with its getter and setter), Sizes (one number for all
// dimensions, or one for each), Padding of convolutions, and PyTorch's names for choices, which are plain words.
#pragma once
#include <array>
#include <concepts>
#include <optional>
#include <string>

#include "bolide/tensor.h"

/// A field `name` of an options structure: `o.name()` reads it, `o.name(v)` sets it and returns the options.
#define BOLIDE_ARG(T, name)                                                     \
 public:                                                                        \
  auto name(const T& value)->decltype(*this) { return name##_ = value, *this; } \
  const T& name() const noexcept { return name##_; }                            \
  T& name() noexcept { return name##_; }                                        \
                                                                                \
 private:                                                                       \
  T name##_

namespace bolide {

// ---- choices: `.reduction(kSum)` and `.reduction("sum")` are the same -----------------------------------------
inline constexpr const char *kNone = "none", *kMean = "mean", *kSum = "sum", *kMax = "max", *kBatchMean = "batchmean";
inline constexpr const char *kZeros = "zeros", *kConstant = "constant", *kReflect = "reflect", *kReplicate = "replicate",
                            *kCircular = "circular", *kSame = "same", *kValid = "valid", *kBorder = "border",
                            *kReflection = "reflection";
inline constexpr const char *kNearest = "nearest", *kNearestExact = "nearest-exact", *kArea = "area", *kBilinear = "bilinear",
                            *kBicubic = "bicubic", *kTrilinear = "trilinear";
inline constexpr const char *kLinear = "linear", *kConv1D = "conv1d", *kConv2D = "conv2d", *kConv3D = "conv3d",
                            *kConvTranspose1D = "conv_transpose1d", *kConvTranspose2D = "conv_transpose2d",
                            *kConvTranspose3D = "conv_transpose3d", *kSigmoid = "sigmoid", *kTanh = "tanh", *kReLU = "relu",
                            *kGELU = "gelu", *kSELU = "selu", *kLeakyReLU = "leaky_relu", *kFanIn = "fan_in",
                            *kFanOut = "fan_out";

namespace nn {

/// D numbers, given as one for all or one for each. Remembers which, for Python prints it so.
template <size_t D>
class Sizes {
 public:
  template <std::integral N>
  Sizes(N all) : one_(true) { v_.fill(static_cast<int64_t>(all)); }
  Sizes(std::initializer_list<int64_t> each) : Sizes(IntList(each.begin(), each.size())) {}
  Sizes(const std::vector<int64_t>& each) : Sizes(IntList(each)) {}
  Sizes(const std::array<int64_t, D>& each) : v_(each) {}
  Sizes(IntList each) {
    BOLIDE_CHECK_AS(ValueError, each.size() == D || each.size() == 1, "Expected ", D, " values, but instead got ", each.size());
    for (size_t i = 0; i < D; ++i) v_[i] = each[each.size() == 1 ? 0 : i];
  }
  operator IntList() const { return {v_.data(), D}; }
  int64_t operator[](size_t i) const { return v_[i]; }
  int64_t& operator[](size_t i) { return v_[i]; }
  const int64_t* begin() const { return v_.data(); }
  const int64_t* end() const { return v_.data() + D; }
  static constexpr size_t size() { return D; }
  bool given_as_one() const { return one_; }
  bool operator==(const Sizes& o) const { return v_ == o.v_; }

 private:
  std::array<int64_t, D> v_;
  bool one_ = false;
};
template <size_t D>
using ExpandingArray = Sizes<D>;

/// D sizes of which some may be left open (nullopt: as in the input).
template <size_t D>
class OptSizes {
 public:
  using Size = std::optional<int64_t>;
  template <std::integral N>
  OptSizes(N all) : one_(true) { v_.fill(static_cast<int64_t>(all)); }
  OptSizes(std::nullopt_t) : one_(true) {}
  OptSizes(std::initializer_list<Size> each) {
    BOLIDE_CHECK_AS(ValueError, each.size() == D, "Expected ", D, " values, but instead got ", each.size());
    std::copy(each.begin(), each.end(), v_.begin());
  }
  const Size& operator[](size_t i) const { return v_[i]; }
  const Size* begin() const { return v_.data(); }
  const Size* end() const { return v_.data() + D; }
  static constexpr size_t size() { return D; }
  bool given_as_one() const { return one_; }

 private:
  std::array<Size, D> v_;
  bool one_ = false;
};

/// Padding of a convolution: numbers, or "same" or "valid".
template <size_t D>
class Padding {
 public:
  template <std::integral N>
  Padding(N all) : sizes_(all) {}
  Padding(std::initializer_list<int64_t> each) : sizes_(each) {}
  Padding(IntList each) : sizes_(each) {}
  Padding(const Sizes<D>& each) : sizes_(each) {}
  Padding(const char* word) : sizes_(0), word_(word) {}
  Padding(std::string word) : sizes_(0), word_(std::move(word)) {}
  const Sizes<D>& sizes() const { return sizes_; }
  /// Empty where numbers were given.
  const std::string& word() const { return word_; }

 private:
  Sizes<D> sizes_;
  std::string word_;
};

}  // namespace nn
}  // namespace bolide
