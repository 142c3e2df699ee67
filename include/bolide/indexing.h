// Indexing: `t.index({Slice(1, 3), None, 0, "..."})` is Python's t[1:3, None, 0, ...].
#pragma once
#include "bolide/tensor.h"

namespace bolide::indexing {

struct NoneType {};
inline constexpr NoneType None;
struct EllipsisType {};
inline constexpr EllipsisType Ellipsis;

/// start:stop:step; None leaves one out.
class Slice {
 public:
  using Bound = std::optional<int64_t>;
  Slice() = default;
  Slice(NoneType) {}
  Slice(int64_t start) : stop_(start) {}
  template <class A, class B>
  Slice(A start, B stop, int64_t step = 1) : start_(bound(start)), stop_(bound(stop)), step_(step) {}
  Bound start() const { return start_; }
  Bound stop() const { return stop_; }
  int64_t step() const { return step_; }

 private:
  static Bound bound(NoneType) { return {}; }
  static Bound bound(std::nullopt_t) { return {}; }
  static Bound bound(int64_t i) { return i; }
  static Bound bound(Bound b) { return b; }
  Bound start_, stop_;
  int64_t step_ = 1;
};

/// A number, a slice, None (a new dimension), Ellipsis or "...", true or false, a tensor of numbers or of bools.
class TensorIndex {
 public:
  enum class Kind : uint8_t { None, Ellipsis, Integer, Boolean, Slice, Tensor };
  TensorIndex(NoneType) : kind_(Kind::None) {}
  TensorIndex(std::nullopt_t) : kind_(Kind::None) {}
  TensorIndex(EllipsisType) : kind_(Kind::Ellipsis) {}
  TensorIndex(const char* dots);
  template <std::integral N>
  TensorIndex(N i) : kind_(std::is_same_v<N, bool> ? Kind::Boolean : Kind::Integer), integer_(static_cast<int64_t>(i)) {}
  TensorIndex(Slice s) : kind_(Kind::Slice), slice_(s) {}
  TensorIndex(Tensor t) : kind_(Kind::Tensor), tensor_(std::move(t)) {}
  Kind kind() const { return kind_; }
  int64_t integer() const { return integer_; }
  const Slice& slice() const { return slice_; }
  const Tensor& tensor() const { return tensor_; }

 private:
  Kind kind_;
  int64_t integer_ = 0;
  Slice slice_;
  Tensor tensor_;
};

/// self[indices] and self[indices] = value.
Tensor get(const Tensor& self, std::span<const TensorIndex> indices);
void set(const Tensor& self, std::span<const TensorIndex> indices, const Operand& value);

}  // namespace bolide::indexing
