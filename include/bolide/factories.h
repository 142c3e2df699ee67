// Making tensors with TensorOptions, from values and from memory; operators with the number on the left, comparisons.
#pragma once
#include <functional>

#include "bolide/indexing.h"
#include "bolide/ops.h"

namespace bolide {

// ---- options: `zeros({2, 3}, dtype(kFloat64).device(kCUDA).requires_grad(true))` ------------------------------
inline TensorOptions dtype(DType t) { return TensorOptions().dtype(t); }
inline TensorOptions device(Device d) { return TensorOptions().device(d); }
inline TensorOptions requires_grad(bool on = true) { return TensorOptions().requires_grad(on); }
inline constexpr DeviceType kCPU = DeviceType::CPU, kCUDA = DeviceType::CUDA, kMeta = DeviceType::Meta;

inline Tensor with_options(Tensor t, const TensorOptions& o) {
  if (o.wants_grad()) t.set_requires_grad();
  return t;
}
inline Tensor empty(IntList size, const TensorOptions& o) { return with_options(empty(size, o.dtype(), o.device()), o); }
inline Tensor zeros(IntList size, const TensorOptions& o) { return with_options(zeros(size, o.dtype(), o.device()), o); }
inline Tensor ones(IntList size, const TensorOptions& o) { return with_options(ones(size, o.dtype(), o.device()), o); }
inline Tensor full(IntList size, const Scalar& v, const TensorOptions& o) { return with_options(full(size, v, o.dtype(), o.device()), o); }
inline Tensor eye(int64_t n, const TensorOptions& o) { return with_options(eye(n, {}, o.dtype(), o.device()), o); }
inline Tensor arange(const Scalar& end, const TensorOptions& o = {}) { return with_options(arange(0, end, 1, o.dtype(), o.device()), o); }
inline Tensor arange(const Scalar& start, const Scalar& end, const TensorOptions& o) { return with_options(arange(start, end, 1, o.dtype(), o.device()), o); }
Tensor rand(IntList size, const TensorOptions& o);
Tensor randn(IntList size, const TensorOptions& o);
Tensor randint(int64_t high, IntList size, const TensorOptions& o = {});
Tensor randint(int64_t low, int64_t high, IntList size, const TensorOptions& o = {});
Tensor rand_like(const Tensor& t);
Tensor randn_like(const Tensor& t);

// ---- values ------------------------------------------------------------------------------------
/// Values in braces up to three deep: `tensor({{1.0, 2.0}, {3.0, 4.0}})`. Numbers keep their kind: doubles give the
/// default dtype, ints int64.
class Values {
 public:
  Values(bool v) : scalar_(v) {}
  template <std::integral N> requires(!std::is_same_v<N, bool>)
  Values(N v) : scalar_(static_cast<int64_t>(v)) {}
  Values(double v) : scalar_(v) {}
  Values(float v) : scalar_(v) {}
  Values(complex128 v) : scalar_(v) {}
  Values(std::initializer_list<Values> items) : items_(items), list_(true) {}
  Tensor tensor(const TensorOptions& o) const;

 private:
  void collect(Dims& sizes, size_t depth, std::vector<Scalar>& flat) const;
  Scalar scalar_;
  std::vector<Values> items_;
  bool list_ = false;
};
inline Tensor tensor(std::initializer_list<Values> items, const TensorOptions& o = {}) { return Values(items).tensor(o); }
inline Tensor tensor(const Scalar& v, const TensorOptions& o = {}) { return with_options(scalar_tensor(v, o.dtype(), o.device()), o); }
template <class T>
Tensor tensor(const std::vector<T>& values, const TensorOptions& o = {}) {
  Tensor t = empty({static_cast<int64_t>(values.size())}, dtype_of<T>);
  std::copy(values.begin(), values.end(), t.data<T>());
  return with_options(to(t, o.dtype(), o.device()), o);
}

/// A tensor on memory of the caller's, who keeps it alive (or gives a deleter, called when the last tensor is gone).
Tensor from_blob(void* data, IntList sizes, const TensorOptions& o = {});
Tensor from_blob(void* data, IntList sizes, std::function<void(void*)> deleter, const TensorOptions& o = {});
Tensor from_blob(void* data, IntList sizes, IntList strides, const TensorOptions& o = {});

// ---- operators ---------------------------------------------------------------------------------
template <class N> concept Number = std::is_arithmetic_v<N>;
template <Number N> Tensor operator+(N a, const Tensor& b) { return add(b, a); }
template <Number N> Tensor operator-(N a, const Tensor& b) { return add(neg(b), a); }
template <Number N> Tensor operator*(N a, const Tensor& b) { return mul(b, a); }
template <Number N> Tensor operator/(N a, const Tensor& b) { return mul(reciprocal(b), a); }
inline Tensor operator==(const Tensor& a, const Operand& b) { return eq(a, b); }
inline Tensor operator!=(const Tensor& a, const Operand& b) { return ne(a, b); }
inline Tensor operator<(const Tensor& a, const Operand& b) { return lt(a, b); }
inline Tensor operator<=(const Tensor& a, const Operand& b) { return le(a, b); }
inline Tensor operator>(const Tensor& a, const Operand& b) { return gt(a, b); }
inline Tensor operator>=(const Tensor& a, const Operand& b) { return ge(a, b); }
inline Tensor operator%(const Tensor& a, const Operand& b) { return remainder(a, b); }
inline Tensor operator~(const Tensor& a) { return bitwise_not(a); }

}  // namespace bolide
