// Tensor: a typed, strided view of a Storage. Dims | TensorImpl (what a tensor is) | Tensor (the handle users
// hold) | making tensors from layouts.
#pragma once
#include <array>
#include <concepts>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>

#include "bolide/scalar.h"
#include "bolide/storage.h"

namespace bolide {

/// A list of sizes, strides or dimensions that an op takes: a view, never stored. One number is a list of one, which the
/// view holds itself: `x.sum(1)`, `max_pool2d(x, 2)`.
class IntList {
 public:
  constexpr IntList() = default;
  constexpr IntList(const int64_t* data, size_t size) : p_(data), n_(size) {}
  IntList(std::initializer_list<int64_t> v) : IntList(v.begin(), v.size()) {}
  IntList(const std::vector<int64_t>& v) : IntList(v.data(), v.size()) {}
  IntList(std::span<const int64_t> v) : IntList(v.data(), v.size()) {}
  template <size_t N>
  IntList(const std::array<int64_t, N>& v) : IntList(v.data(), N) {}
  template <size_t N>
  IntList(const int64_t (&v)[N]) : IntList(v, N) {}
  template <class D> requires requires(const D& d) { d.is_dims(); }
  IntList(const D& d) : IntList(d.data(), d.size()) {}
  template <std::integral N> requires(!std::is_same_v<N, bool>)
  constexpr IntList(N one) : n_(1), one_(static_cast<int64_t>(one)), is_one_(true) {}

  const int64_t* data() const { return is_one_ ? &one_ : p_; }
  size_t size() const { return n_; }
  bool empty() const { return n_ == 0; }
  const int64_t* begin() const { return data(); }
  const int64_t* end() const { return data() + n_; }
  int64_t operator[](size_t i) const { return data()[i]; }
  int64_t front() const { return data()[0]; }
  int64_t back() const { return data()[n_ - 1]; }
  operator std::span<const int64_t>() const { return {data(), n_}; }

 private:
  const int64_t* p_ = nullptr;
  size_t n_ = 0;
  int64_t one_ = 0;
  bool is_one_ = false;
};
bool operator==(IntList a, IntList b);
std::ostream& operator<<(std::ostream& s, IntList v);  // [2, 3]

/// Up to five numbers inline, more on the heap: sizes and strides of a tensor.
class Dims {
 public:
  static constexpr int kInline = 5;
  Dims() = default;
  Dims(IntList v) { assign(v); }
  Dims(std::initializer_list<int64_t> v) { assign(IntList(v.begin(), v.size())); }
  Dims(size_t n, int64_t value) { resize(n); for (auto& x : *this) x = value; }
  Dims(const Dims& o) { if (o.size_ <= kInline) std::memcpy(static_cast<void*>(this), &o, sizeof(Dims)); else assign(o); }
  Dims(Dims&& o) noexcept { swap(o); }
  ~Dims() { if (size_ > kInline) delete[] heap_; }
  Dims& operator=(const Dims& o) { if (this != &o) assign(o); return *this; }
  Dims& operator=(Dims&& o) noexcept { swap(o); return *this; }
  bool is_dims() const { return true; }
  int64_t* data() { return size_ > kInline ? heap_ : inline_; }
  const int64_t* data() const { return size_ > kInline ? heap_ : inline_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  int64_t& operator[](size_t i) { return data()[i]; }
  int64_t operator[](size_t i) const { return data()[i]; }
  int64_t* begin() { return data(); }
  int64_t* end() { return data() + size_; }
  const int64_t* begin() const { return data(); }
  const int64_t* end() const { return data() + size_; }
  int64_t& back() { return data()[size_ - 1]; }
  int64_t back() const { return data()[size_ - 1]; }
  void push_back(int64_t v) { insert(size_, v); }
  void insert(size_t at, int64_t v);
  void erase(size_t at);
  void resize(size_t n);
  /// resize where every element is written afterwards.
  void resize_uninitialized(size_t n) {
    if (n <= kInline && size_ <= kInline) size_ = static_cast<uint32_t>(n);
    else resize(n);
  }
  void assign(IntList v) {
    if (v.data() == data() && v.size() == size_) return;
    resize_uninitialized(v.size());
    int64_t* d = data();
    for (size_t i = 0; i < v.size(); ++i) d[i] = v[i];
  }
  bool operator==(const Dims& o) const { return IntList(*this) == IntList(o); }

 private:
  void swap(Dims& o) noexcept;
  union {
    int64_t inline_[kInline];
    int64_t* heap_;
  };
  uint32_t size_ = 0;
};
inline std::ostream& operator<<(std::ostream& s, const Dims& v) { return s << IntList(v); }

struct AutogradMeta;
struct Node;
class Tensor;

/// What a tensor is. Users hold it through Tensor; ops read its fields.
struct TensorImpl {
  enum Flag : uint16_t {
    kRequiresGrad = 1,   // a leaf that asked, or a result with a history
    kContiguous = 2,     // row-major and dense (cached)
    kInference = 4,      // made in inference mode
    kUntracked = 8,      // made by .data: writes do not count in the storage's version
    kWrappedNumber = 16, // a 0-d tensor that stands for a Python number in promotion
    kIsView = 32,
    kOwnsPython = 64,    // the Python object lives on only through this tensor
    // how a view came about, where writing to it cannot be recorded:
    kNoGradView = 128,     // made without recording
    kMultiView = 256,      // one of several that an op returned
    kFunctionView = 512,   // returned by a user-defined function
    kInferenceView = 1024, // made in inference mode
    kViewOrigin = 128 | 256 | 512 | 1024,
  };
  std::atomic<uint32_t> refs{0};
  DType dtype = DType::Float32;
  Device device;
  uint16_t flags = 0;
  uint32_t view_version = 0;  // of a view: the storage's version that its place in the graph belongs to
  Dims sizes, strides;
  int64_t numel = 0;
  int64_t offset = 0;  // in elements
  Ref<Storage> storage;
  Ref<TensorImpl> base;              // of a view: the tensor it was first taken from
  AutogradMeta* autograd = nullptr;  // owned
  void* python = nullptr;            // the Python object of this tensor, see python/csrc/tensor.cpp

  bool has(Flag f) const { return flags & f; }
  bool requires_grad() const { return flags & kRequiresGrad || (base && base->flags & kRequiresGrad && is_differentiable(dtype)); }
  int dim() const { return static_cast<int>(sizes.size()); }
  char* data() const { return static_cast<char*>(storage->data) + offset * item_size(dtype); }
  /// Recomputes numel and kContiguous after sizes or strides changed.
  void refresh();
  static void* operator new(size_t bytes);
  static void operator delete(void* p) noexcept;
  /// Counts a write.
  void bump() { if (!(flags & (kUntracked | kInference))) storage->written(); }
  static void destroy(TensorImpl* t);
};
/// Set by the Python front end: releases the Python object when a tensor dies, owning it.
extern void (*release_python)(TensorImpl*);

/// What functions that make tensors are told: `zeros({2, 3}, TensorOptions().dtype(kFloat64).requires_grad(true))`.
class TensorOptions {
 public:
  TensorOptions dtype(std::optional<DType> t) const { TensorOptions o = *this; o.dtype_ = t; return o; }
  TensorOptions device(std::optional<Device> d) const { TensorOptions o = *this; o.device_ = d; return o; }
  TensorOptions requires_grad(bool on = true) const { TensorOptions o = *this; o.requires_grad_ = on; return o; }
  std::optional<DType> dtype() const { return dtype_; }
  std::optional<Device> device() const { return device_; }
  bool wants_grad() const { return requires_grad_; }

 private:
  std::optional<DType> dtype_;
  std::optional<Device> device_;
  bool requires_grad_ = false;
};

/// A tensor or a number, for arguments where either will do. A view, never stored.
struct Operand {
  const Tensor* tensor = nullptr;
  Scalar number;
  Operand(const Tensor& t) : tensor(&t) {}
  Operand(const Scalar& s) : number(s) {}
  template <class N> requires std::is_arithmetic_v<N>
  Operand(N v) : number(v) {}
  bool is_tensor() const { return tensor; }
};

namespace indexing {
class TensorIndex;
}

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> p) : p_(std::move(p)) {}
  explicit Tensor(TensorImpl* p) : p_(p) {}
  /// A contiguous tensor with uninitialised values.
  static Tensor make(IntList sizes, DType dtype, Device device = {});
  static Tensor make_strided(IntList sizes, IntList strides, DType dtype, Device device = {});
  /// Another view of the same storage. Checks nothing.
  Tensor view_as_layout(IntList sizes, IntList strides, int64_t offset) const;
  /// Shares storage, has no history; `tracked` says whether writes through it still count.
  Tensor alias(bool tracked = true) const;

  bool defined() const { return bool(p_); }
  explicit operator bool() const { return defined(); }
  TensorImpl* impl() const { return p_.get(); }
  TensorImpl* operator->() const { return p_.get(); }
  TensorImpl* release() { return p_.release(); }
  bool is_same(const Tensor& o) const { return p_ == o.p_; }

  int64_t dim() const { return p_->dim(); }
  const Dims& sizes() const { return p_->sizes; }
  const Dims& strides() const { return p_->strides; }
  int64_t size(int64_t d) const;    // negative counts from the end
  int64_t stride(int64_t d) const;
  int64_t numel() const { return p_->numel; }
  DType dtype() const { return p_->dtype; }
  Device device() const { return p_->device; }
  int64_t itemsize() const { return item_size(p_->dtype); }
  bool is_contiguous() const { return p_->has(TensorImpl::kContiguous); }
  bool is_contiguous(MemoryFormat f) const;
  int64_t storage_offset() const { return p_->offset; }
  const Ref<Storage>& storage() const { return p_->storage; }
  uint32_t version() const { return p_->storage->version.load(std::memory_order_relaxed); }
  char* raw() const { return p_->data(); }
  template <class T> T* data() const { return reinterpret_cast<T*>(p_->data()); }
  /// data() after checking the dtype.
  template <class T> T* data_ptr() const {
    BOLIDE_CHECK(p_->dtype == dtype_of<T>, "expected scalar type ", legacy_name(dtype_of<T>), " but found ",
                 legacy_name(p_->dtype));
    return data<T>();
  }

  // autograd (autograd.cpp)
  bool requires_grad() const { return p_->requires_grad(); }
  Tensor& set_requires_grad(bool v = true);
  Tensor& requires_grad_(bool v = true) { return set_requires_grad(v); }
  bool is_leaf() const;
  Tensor grad() const;
  void set_grad(const Tensor& g) const;
  Ref<Node> grad_fn() const;
  /// Computes the gradients of the leaves. Throws for a tensor without history, and for one that is no scalar
  /// when `gradient` is missing.
  void backward(const Tensor& gradient = {}, bool retain_graph = false, bool create_graph = false) const;
  void retain_grad() const;
  bool retains_grad() const;
  /// The same values without history; shares memory and version.
  Tensor detach() const;
  Tensor& detach_();
  /// Makes this tensor, and whoever else holds it, show the values, shape, dtype and memory of `t`: Python's `.data = t`.
  void set_data(const Tensor& t) const;

  /// The value of a one-element tensor. Throws when there are more.
  Scalar item() const;
  template <class T> T item() const { return item().to<T>(); }

  // ---- the ops that C++ users expect as methods; each is the free function of bolide/ops.h (src/ops/methods.cpp)
  Tensor to(DType dtype) const;
  Tensor to(Device device) const;
  Tensor to(Device device, DType dtype) const;
  Tensor to(const Tensor& like) const;  // its dtype and device
  Tensor type_as(const Tensor& other) const { return to(other.dtype()); }
  Tensor cpu() const { return to(Device(DeviceType::CPU)); }
  Tensor cuda() const { return to(Device(DeviceType::CUDA)); }
  bool is_cpu() const { return device().is_cpu(); }
  bool is_cuda() const { return device().is_cuda(); }
  bool is_meta() const { return device().is_meta(); }
  bool is_floating_point() const { return is_floating(dtype()); }
  bool is_complex() const { return bolide::is_complex(dtype()); }
  int64_t ndimension() const { return dim(); }
  int64_t nbytes() const { return numel() * itemsize(); }
  TensorOptions options() const { return TensorOptions().dtype(dtype()).device(device()); }
  // copies and views
  Tensor contiguous(MemoryFormat format = MemoryFormat::Contiguous) const;
  Tensor clone() const;
  Tensor view(IntList sizes) const;
  Tensor view_as(const Tensor& other) const { return view(other.sizes()); }
  Tensor reshape(IntList sizes) const;
  Tensor reshape_as(const Tensor& other) const { return reshape(other.sizes()); }
  Tensor flatten(int64_t start = 0, int64_t end = -1) const;
  Tensor transpose(int64_t a, int64_t b) const;
  Tensor permute(IntList dims) const;
  Tensor t() const;
  Tensor mT() const { return transpose(-2, -1); }
  Tensor squeeze() const;
  Tensor squeeze(IntList dims) const;
  Tensor unsqueeze(int64_t d) const;
  Tensor expand(IntList sizes) const;
  Tensor expand_as(const Tensor& other) const { return expand(other.sizes()); }
  Tensor select(int64_t d, int64_t i) const;
  Tensor slice(int64_t d, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step = 1) const;
  Tensor narrow(int64_t d, int64_t start, int64_t length) const;
  Tensor diagonal(int64_t offset = 0, int64_t a = 0, int64_t b = 1) const;
  Tensor unfold(int64_t d, int64_t size, int64_t step) const;
  Tensor as_strided(IntList sizes, IntList strides, std::optional<int64_t> offset = {}) const;
  Tensor operator[](int64_t i) const { return select(0, i); }
  std::vector<Tensor> split(int64_t size, int64_t d = 0) const;
  std::vector<Tensor> chunk(int64_t chunks, int64_t d = 0) const;
  std::vector<Tensor> unbind(int64_t d = 0) const;
  Tensor repeat(IntList repeats) const;
  Tensor flip(IntList dims) const;
  Tensor roll(IntList shifts, IntList dims = {}) const;
  Tensor tril(int64_t diagonal = 0) const;
  Tensor triu(int64_t diagonal = 0) const;
  // arithmetic
  Tensor add(const Operand& o, const Scalar& alpha = 1) const;
  Tensor sub(const Operand& o, const Scalar& alpha = 1) const;
  Tensor mul(const Operand& o) const;
  Tensor div(const Operand& o) const;
  Tensor div(const Operand& o, std::string_view rounding_mode) const;
  Tensor floor_divide(const Operand& o) const;
  Tensor remainder(const Operand& o) const;
  Tensor fmod(const Operand& o) const;
  Tensor pow(const Operand& o) const;
  Tensor neg() const;
  Tensor abs() const;
  Tensor sign() const;
  Tensor exp() const;
  Tensor log() const;
  Tensor log2() const;
  Tensor log10() const;
  Tensor log1p() const;
  Tensor expm1() const;
  Tensor sqrt() const;
  Tensor rsqrt() const;
  Tensor square() const;
  Tensor reciprocal() const;
  Tensor sin() const;
  Tensor cos() const;
  Tensor tan() const;
  Tensor asin() const;
  Tensor acos() const;
  Tensor atan() const;
  Tensor sinh() const;
  Tensor cosh() const;
  Tensor tanh() const;
  Tensor erf() const;
  Tensor sigmoid() const;
  Tensor relu() const;
  Tensor floor() const;
  Tensor ceil() const;
  Tensor round(int64_t decimals = 0) const;
  Tensor trunc() const;
  Tensor frac() const;
  Tensor clamp(std::optional<Scalar> min, std::optional<Scalar> max = {}) const;
  Tensor clamp_min(const Operand& min) const;
  Tensor clamp_max(const Operand& max) const;
  Tensor maximum(const Tensor& o) const;
  Tensor minimum(const Tensor& o) const;
  Tensor lerp(const Tensor& end, const Operand& weight) const;
  Tensor addcmul(const Tensor& a, const Tensor& b, const Scalar& value = 1) const;
  Tensor addcdiv(const Tensor& a, const Tensor& b, const Scalar& value = 1) const;
  Tensor conj() const;
  // comparison
  Tensor eq(const Operand& o) const;
  Tensor ne(const Operand& o) const;
  Tensor lt(const Operand& o) const;
  Tensor le(const Operand& o) const;
  Tensor gt(const Operand& o) const;
  Tensor ge(const Operand& o) const;
  Tensor logical_and(const Tensor& o) const;
  Tensor logical_or(const Tensor& o) const;
  Tensor logical_not() const;
  Tensor isnan() const;
  Tensor isinf() const;
  Tensor isfinite() const;
  bool equal(const Tensor& o) const;
  bool allclose(const Tensor& o, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false) const;
  Tensor where(const Tensor& condition, const Operand& other) const;
  Tensor masked_fill(const Tensor& mask, const Operand& value) const;
  // reductions
  Tensor sum() const;
  Tensor sum(DType dtype) const;
  Tensor sum(IntList dims, bool keepdim = false) const;
  Tensor mean() const;
  Tensor mean(IntList dims, bool keepdim = false) const;
  Tensor prod() const;
  Tensor prod(int64_t d, bool keepdim = false) const;
  Tensor var(bool unbiased = true) const;
  Tensor var(IntList dims, bool unbiased = true, bool keepdim = false) const;
  Tensor std(bool unbiased = true) const;
  Tensor std(IntList dims, bool unbiased = true, bool keepdim = false) const;
  Tensor norm(const Scalar& p = 2) const;
  Tensor norm(const Scalar& p, IntList dims, bool keepdim = false) const;
  Tensor max() const;
  std::tuple<Tensor, Tensor> max(int64_t d, bool keepdim = false) const;
  Tensor min() const;
  std::tuple<Tensor, Tensor> min(int64_t d, bool keepdim = false) const;
  Tensor amax(IntList dims = {}, bool keepdim = false) const;
  Tensor amin(IntList dims = {}, bool keepdim = false) const;
  Tensor argmax(std::optional<int64_t> d = {}, bool keepdim = false) const;
  Tensor argmin(std::optional<int64_t> d = {}, bool keepdim = false) const;
  Tensor all() const;
  Tensor any() const;
  Tensor cumsum(int64_t d) const;
  Tensor cumprod(int64_t d) const;
  Tensor logsumexp(IntList dims, bool keepdim = false) const;
  Tensor softmax(int64_t d) const;
  Tensor log_softmax(int64_t d) const;
  std::tuple<Tensor, Tensor> sort(int64_t d = -1, bool descending = false) const;
  Tensor argsort(int64_t d = -1, bool descending = false) const;
  std::tuple<Tensor, Tensor> topk(int64_t k, int64_t d = -1, bool largest = true, bool sorted = true) const;
  // products
  Tensor mm(const Tensor& o) const;
  Tensor bmm(const Tensor& o) const;
  Tensor mv(const Tensor& o) const;
  Tensor dot(const Tensor& o) const;
  Tensor matmul(const Tensor& o) const;
  // indexing
  Tensor index(std::initializer_list<indexing::TensorIndex> indices) const;
  Tensor& index_put_(std::initializer_list<indexing::TensorIndex> indices, const Operand& value);
  Tensor index_select(int64_t d, const Tensor& index) const;
  Tensor gather(int64_t d, const Tensor& index) const;
  Tensor scatter(int64_t d, const Tensor& index, const Tensor& src) const;
  Tensor scatter_add(int64_t d, const Tensor& index, const Tensor& src) const;
  Tensor masked_select(const Tensor& mask) const;
  Tensor nonzero() const;
  // in place
  Tensor& copy_(const Tensor& src);
  Tensor& zero_();
  Tensor& fill_(const Scalar& v);
  Tensor& resize_(IntList sizes);
  Tensor& add_(const Operand& o, const Scalar& alpha = 1);
  Tensor& sub_(const Operand& o, const Scalar& alpha = 1);
  Tensor& mul_(const Operand& o);
  Tensor& div_(const Operand& o);
  Tensor& pow_(const Operand& o);
  Tensor& neg_();
  Tensor& abs_();
  Tensor& exp_();
  Tensor& log_();
  Tensor& sqrt_();
  Tensor& relu_();
  Tensor& sigmoid_();
  Tensor& tanh_();
  Tensor& clamp_(std::optional<Scalar> min, std::optional<Scalar> max = {});
  Tensor& lerp_(const Tensor& end, const Operand& weight);
  Tensor& addcmul_(const Tensor& a, const Tensor& b, const Scalar& value = 1);
  Tensor& addcdiv_(const Tensor& a, const Tensor& b, const Scalar& value = 1);
  Tensor& masked_fill_(const Tensor& mask, const Operand& value);
  Tensor& index_add_(int64_t d, const Tensor& index, const Tensor& src);
  Tensor& scatter_(int64_t d, const Tensor& index, const Tensor& src);
  Tensor& scatter_add_(int64_t d, const Tensor& index, const Tensor& src);
  Tensor& uniform_(double from = 0, double to = 1);
  Tensor& normal_(double mean = 0, double std = 1);
  Tensor& bernoulli_(double p = 0.5);
  Tensor& random_();
  Tensor& random_(int64_t from, int64_t to);
  Tensor& operator+=(const Operand& o) { return add_(o); }
  Tensor& operator-=(const Operand& o) { return sub_(o); }
  Tensor& operator*=(const Operand& o) { return mul_(o); }
  Tensor& operator/=(const Operand& o) { return div_(o); }

 private:
  Ref<TensorImpl> p_;
};
static_assert(sizeof(Tensor) == sizeof(void*), "boxed values read a TensorImpl* as a Tensor");

/// As Python prints it (bolide/print.h has the options).
std::ostream& operator<<(std::ostream& stream, const Tensor& t);

using TensorList = std::span<const Tensor>;
using Str = std::string_view;

/// Row-major strides of `sizes`.
Dims contiguous_strides(IntList sizes);
Dims format_strides(IntList sizes, MemoryFormat f);
/// Product of `sizes`; throws when it overflows or a size is negative.
int64_t checked_numel(IntList sizes);
/// `d` in [0, n): negative counts from the end. IndexError in PyTorch's words otherwise.
int64_t wrap_dim(int64_t d, int64_t n);

}  // namespace bolide
