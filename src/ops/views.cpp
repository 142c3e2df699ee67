// Views: other layouts of the same storage.
#include <algorithm>

#include "autograd/call.h"
#include "bolide/ops.h"
#include "iter/plan.h"

namespace bolide {

struct AsStrided {
  static constexpr auto schema = "as_strided(Tensor self, int[] size, int[] stride, int? storage_offset=None) -> Tensor";
  static constexpr auto kind = Kind::View;
  static Tensor forward(const Tensor& self, IntList size, IntList stride, std::optional<int64_t> offset) {
    BOLIDE_CHECK(size.size() == stride.size(), "mismatch in length of strides and shape");
    const int64_t start = offset.value_or(self.storage_offset());
    BOLIDE_CHECK(start >= 0, "Tensor: invalid storage offset ", start);
    const int64_t n = checked_numel(size);
    int64_t reach = 1;
    for (size_t i = 0; i < size.size(); ++i) {
      BOLIDE_CHECK(stride[i] >= 0, "as_strided: Negative strides are not supported at the moment, got strides: ", stride);
      int64_t step;
      BOLIDE_CHECK(!n || (!__builtin_mul_overflow(size[i] - 1, stride[i], &step) && !__builtin_add_overflow(reach, step, &reach)),
                   "setStorage: sizes ", size, ", strides ", stride, " overflow");
    }
    BOLIDE_CHECK(!n || (start + reach) * self.itemsize() <= static_cast<int64_t>(self.storage()->bytes),
                 "setStorage: sizes ", size, ", strides ", stride, ", storage offset ", start, ", and itemsize ", self.itemsize(),
                 " requiring a storage size of ", (start + reach) * self.itemsize(), " are out of bounds for storage of size ",
                 self.storage()->bytes);
    return self.view_as_layout(size, stride, start);
  }
  static Grads backward(const Call& c, const Tensor& g) { return as_strided_backward(c, g); }
  /// Adds the gradient into zeros of the input's contiguous layout at the view's places.
  static Tensor as_strided_backward(const Call& c, const Tensor& g) {
    const TensorMeta& m = c.meta(0);
    int64_t span = 1;
    const IntList size = c.ints(1), stride = c.ints(2);
    for (size_t i = 0; i < size.size(); ++i) span += (size[i] - 1) * stride[i];
    const int64_t start = c.has(3) ? c.integer(3) : 0;
    const int64_t n = std::max(start + span, checked_numel(m.sizes));
    Tensor flat = zeros({n}, g.dtype(), g.device());
    // the view's elements as positions in the storage: repeated ones add up
    const Tensor where = as_strided(arange(0, n, 1, DType::Int64, g.device()), size, stride, start);
    flat = scatter_add(flat, 0, where.reshape({-1}), reshape(g, {-1}));
    return view(slice(flat, 0, 0, checked_numel(m.sizes)), m.sizes);
  }
};
Tensor as_strided(const Tensor& self, IntList size, IntList stride, std::optional<int64_t> offset) {
  return call<AsStrided>(self, size, stride, offset);
}
const Register<AsStrided> as_strided_op;

/// Fills in a -1; the error names the shape in PyTorch's words.
static Dims infer_size(IntList shape, int64_t numel) {
  Dims out(shape);
  int64_t known = 1, hole = -1;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1) {
      BOLIDE_CHECK(hole < 0, "only one dimension can be inferred");
      hole = static_cast<int64_t>(i);
    } else {
      BOLIDE_CHECK(shape[i] >= 0, "invalid shape dimension ", shape[i]);
      BOLIDE_CHECK(!__builtin_mul_overflow(known, shape[i], &known), "shape '", shape, "' is invalid for input of size ", numel);
    }
  }
  if (hole >= 0) {
    BOLIDE_CHECK(known != 0, "cannot reshape tensor of 0 elements into shape ", shape,
                 " because the unspecified dimension size -1 can be any value and is ambiguous");
    BOLIDE_CHECK(numel % known == 0, "shape '", shape, "' is invalid for input of size ", numel);
    out[static_cast<size_t>(hole)] = numel / known;
  } else {
    BOLIDE_CHECK(known == numel, "shape '", shape, "' is invalid for input of size ", numel);
  }
  return out;
}

/// Strides of `size` over the same memory, or nothing when elements would have to move.
static std::optional<Dims> view_strides(const Tensor& t, IntList size) {
  if (t.is_contiguous()) return contiguous_strides(size);
  if (t.numel() == 0) return contiguous_strides(size);
  Dims out(size.size(), 0);
  int64_t view_d = static_cast<int64_t>(size.size()) - 1;
  int64_t base = t.strides().back(), chunk = 1, want = 1;
  for (int64_t d = t.dim() - 1; d >= 0; --d) {
    const auto u = static_cast<size_t>(d);
    chunk *= t.sizes()[u];
    if (d == 0 || (t.sizes()[u - 1] != 1 && t.strides()[u - 1] != chunk * base)) {
      while (view_d >= 0 && (want < chunk || size[static_cast<size_t>(view_d)] == 1)) {
        out[static_cast<size_t>(view_d)] = want * base;
        want *= size[static_cast<size_t>(view_d)];
        --view_d;
      }
      if (want != chunk) return {};
      if (d > 0) base = t.strides()[u - 1], chunk = 1, want = 1;
    }
  }
  if (view_d != -1) return {};
  return out;
}

struct View {
  static constexpr auto schema = "view(Tensor self, int[] size) -> Tensor";
  static constexpr auto kind = Kind::View;
  static constexpr uint8_t home = kMethod;
  static Tensor forward(const Tensor& self, IntList size) {
    const Dims want = infer_size(size, self.numel());
    const auto strides = view_strides(self, want);
    BOLIDE_CHECK(strides, "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
                 "contiguous subspaces). Use .reshape(...) instead.");
    return self.view_as_layout(want, *strides, self.storage_offset());
  }
  static Grads backward(const Call& c, const Tensor& g) { return reshape(g, c.sizes()); }
};
Tensor view(const Tensor& self, IntList size) { return call<View>(self, size); }
const Register<View> view_op;

// The same bytes as elements of another type: the last dimension grows or shrinks with their size. Without a history.
struct ViewDtype {
  static constexpr auto schema = "view.dtype(Tensor self, ScalarType dtype) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kMethod;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, DType dtype) {
    const int64_t from = self.itemsize(), to = item_size(dtype);
    Dims sizes = self.sizes(), strides = self.strides();
    int64_t offset = self.storage_offset();
    if (from != to) {
      auto what = [&] { return str(" to view ", legacy_name(self.dtype()), " as ", legacy_name(dtype), " (different element sizes)"); };
      BOLIDE_CHECK(self.dim(), "self.dim() cannot be 0", what());
      BOLIDE_CHECK(strides.back() == 1 || sizes.back() < 2, "self.stride(-1) must be 1", what(), ", but got ", strides.back());
      strides.back() = 1;
      if (from > to) shrink_elements(from / to, sizes, strides, offset);
      else grow_elements(to / from, sizes, strides, offset, what());
    }
    Tensor t = self.detach();
    t->sizes = std::move(sizes), t->strides = std::move(strides), t->offset = offset, t->dtype = dtype;
    t->refresh();
    return t;
  }
  static void shrink_elements(int64_t times, Dims& sizes, Dims& strides, int64_t& offset) {
    sizes.back() *= times;
    for (size_t d = 0; d + 1 < strides.size(); ++d) strides[d] *= times;
    offset *= times;
  }
  static void grow_elements(int64_t times, Dims& sizes, Dims& strides, int64_t& offset, const std::string& what) {
    BOLIDE_CHECK(sizes.back() % times == 0, "self.size(-1) must be divisible by ", times, what, ", but got ", sizes.back());
    BOLIDE_CHECK(offset % times == 0, "self.storage_offset() must be divisible by ", times, what, ", but got ", offset);
    sizes.back() /= times, offset /= times;
    for (size_t d = 0; d + 1 < strides.size(); ++d) {
      BOLIDE_CHECK(strides[d] % times == 0, "self.stride(", d, ") must be divisible by ", times, what, ", but got ", strides[d]);
      strides[d] /= times;
    }
  }
};
const Register<ViewDtype> view_dtype_op;

// The whole tensor again, as a view.
struct AliasView {
  static constexpr auto schema = "alias(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::View;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& self) { return self.view_as_layout(self.sizes(), self.strides(), self.storage_offset()); }
  static Grads backward(const Call&, const Tensor& g) { return g; }
};
const Register<AliasView> alias_op;

struct Reshape {
  static constexpr auto schema = "reshape(Tensor self, int[] shape) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, IntList shape) {
    const Dims want = infer_size(shape, self.numel());
    return view(view_strides(self, want) ? self : clone(self, MemoryFormat::Contiguous), want);
  }
};
Tensor reshape(const Tensor& self, IntList shape) { return Reshape::forward(self, shape); }
const Register<Reshape> reshape_op;

struct Flatten {
  static constexpr auto schema = "flatten(Tensor self, int start_dim=0, int end_dim=-1) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, int64_t start, int64_t end) {
    start = wrap_dim(start, self.dim()), end = wrap_dim(end, self.dim());
    BOLIDE_CHECK(start <= end, "flatten() has invalid args: start_dim cannot come after end_dim");
    if (self.dim() == 0) return reshape(self, {1});
    if (start == end) return self;
    Dims shape;
    int64_t n = 1;
    for (int64_t d = 0; d < self.dim(); ++d) {
      if (d < start || d > end) shape.push_back(self.size(d));
      else if (n *= self.size(d); d == end) shape.push_back(n);
    }
    return reshape(self, shape);
  }
};
Tensor flatten(const Tensor& self, int64_t start, int64_t end) { return Flatten::forward(self, start, end); }
const Register<Flatten> flatten_op;

struct Transpose {
  static constexpr auto schema = "transpose.int(Tensor self, int dim0, int dim1) -> Tensor";
  static constexpr auto kind = Kind::View;
  static Tensor forward(const Tensor& self, int64_t a, int64_t b) {
    a = wrap_dim(a, self.dim()), b = wrap_dim(b, self.dim());
    Dims sizes = self.sizes(), strides = self.strides();
    if (self.dim()) {
      std::swap(sizes[static_cast<size_t>(a)], sizes[static_cast<size_t>(b)]);
      std::swap(strides[static_cast<size_t>(a)], strides[static_cast<size_t>(b)]);
    }
    return self.view_as_layout(sizes, strides, self.storage_offset());
  }
  static Grads backward(const Call& c, const Tensor& g) { return transpose(g, c.integer(1), c.integer(2)); }
};
Tensor transpose(const Tensor& self, int64_t a, int64_t b) { return call<Transpose>(self, a, b); }
const Register<Transpose> transpose_op;

struct T_ {
  static constexpr auto schema = "t(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::View;
  static constexpr auto node = "TBackward0";
  static Tensor forward(const Tensor& self) {
    BOLIDE_CHECK(self.dim() <= 2, "t() expects a tensor with <= 2 dimensions, but self is ", self.dim(), "D");
    return self.dim() < 2 ? self.view_as_layout(self.sizes(), self.strides(), self.storage_offset()) : Transpose::forward(self, 0, 1);
  }
  static Grads backward(const Call&, const Tensor& g) { return t(g); }
};
Tensor t(const Tensor& self) { return call<T_>(self); }
const Register<T_> t_op;

struct Permute {
  static constexpr auto schema = "permute(Tensor self, int[] dims) -> Tensor";
  static constexpr auto kind = Kind::View;
  static Tensor forward(const Tensor& self, IntList dims) {
    BOLIDE_CHECK(static_cast<int64_t>(dims.size()) == self.dim(), "permute(sparse_coo): number of dimensions in the tensor input does not "
                 "match the length of the desired ordering of dimensions i.e. input.dim() = ", self.dim(),
                 " is not equal to len(dims) = ", dims.size());
    Dims sizes(dims.size(), 0), strides(dims.size(), 0);
    std::vector<bool> seen(dims.size());
    for (size_t i = 0; i < dims.size(); ++i) {
      const auto d = static_cast<size_t>(wrap_dim(dims[i], self.dim()));
      BOLIDE_CHECK(!seen[d], "permute(): duplicate dims are not allowed.");
      seen[d] = true;
      sizes[i] = self.sizes()[d], strides[i] = self.strides()[d];
    }
    return self.view_as_layout(sizes, strides, self.storage_offset());
  }
  static Grads backward(const Call& c, const Tensor& g) {
    const IntList dims = c.ints(1);
    Dims inverse(dims.size(), 0);
    for (size_t i = 0; i < dims.size(); ++i) inverse[static_cast<size_t>(wrap_dim(dims[i], static_cast<int64_t>(dims.size())))] = static_cast<int64_t>(i);
    return permute(g, inverse);
  }
};
Tensor permute(const Tensor& self, IntList dims) { return call<Permute>(self, dims); }
const Register<Permute> permute_op;

namespace {
Tensor squeeze_where(const Tensor& self, auto&& drop) {
  Dims sizes, strides;
  for (size_t d = 0; d < self.sizes().size(); ++d) {
    if (self.sizes()[d] == 1 && drop(static_cast<int64_t>(d))) continue;
    sizes.push_back(self.sizes()[d]), strides.push_back(self.strides()[d]);
  }
  return self.view_as_layout(sizes, strides, self.storage_offset());
}
}  // namespace

struct Squeeze {
  static constexpr auto schema = "squeeze(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::View;
  static Tensor forward(const Tensor& self) { return squeeze_where(self, [](int64_t) { return true; }); }
  static Grads backward(const Call& c, const Tensor& g) { return reshape(g, c.sizes()); }
};
Tensor squeeze(const Tensor& self) { return call<Squeeze>(self); }
const Register<Squeeze> squeeze_op;

struct SqueezeDims {
  static constexpr auto schema = "squeeze.dims(Tensor self, int[1] dim) -> Tensor";
  static constexpr auto kind = Kind::View;
  static constexpr auto node = "SqueezeBackward1";
  static Tensor forward(const Tensor& self, IntList dims) {
    std::vector<bool> drop(static_cast<size_t>(std::max<int64_t>(self.dim(), 1)));
    for (int64_t d : dims) drop[static_cast<size_t>(wrap_dim(d, self.dim()))] = true;
    return squeeze_where(self, [&](int64_t d) { return drop[static_cast<size_t>(d)]; });
  }
  static Grads backward(const Call& c, const Tensor& g) { return reshape(g, c.sizes()); }
};
Tensor squeeze(const Tensor& self, IntList dims) { return call<SqueezeDims>(self, dims); }
const Register<SqueezeDims> squeeze_dims_op;

struct Unsqueeze {
  static constexpr auto schema = "unsqueeze(Tensor self, int dim) -> Tensor";
  static constexpr auto kind = Kind::View;
  static Tensor forward(const Tensor& self, int64_t dim) {
    const auto d = static_cast<size_t>(wrap_dim(dim, self.dim() + 1));
    Dims sizes = self.sizes(), strides = self.strides();
    const int64_t step = d < sizes.size() ? sizes[d] * strides[d] : 1;
    sizes.insert(d, 1), strides.insert(d, step);
    return self.view_as_layout(sizes, strides, self.storage_offset());
  }
  static Grads backward(const Call& c, const Tensor& g) { return reshape(g, c.sizes()); }
};
Tensor unsqueeze(const Tensor& self, int64_t dim) { return call<Unsqueeze>(self, dim); }
const Register<Unsqueeze> unsqueeze_op;

struct Expand {
  static constexpr auto schema = "expand(Tensor self, int[] size, *, bool implicit=False) -> Tensor";
  static constexpr auto kind = Kind::View;
  static constexpr uint8_t home = kMethod;
  static Tensor forward(const Tensor& self, IntList size, bool) {
    const int64_t extra = static_cast<int64_t>(size.size()) - self.dim();
    BOLIDE_CHECK(extra >= 0, "expand(torch.", legacy_name(self.dtype()), "Tensor{", self.sizes(), "}, size=", size,
                 "): the number of sizes provided (", size.size(), ") must be greater or equal to the number of dimensions in the tensor (",
                 self.dim(), ")");
    Dims sizes(size), strides(size.size(), 0);
    for (size_t i = 0; i < size.size(); ++i) {
      const int64_t d = static_cast<int64_t>(i) - extra;
      if (d < 0) {
        BOLIDE_CHECK(size[i] >= 0, "The expanded size of the tensor (", size[i], ") isn't allowed in a leading, non-existing dimension ", i);
        continue;
      }
      const int64_t have = self.sizes()[static_cast<size_t>(d)];
      if (size[i] == -1) sizes[i] = have;
      BOLIDE_CHECK(sizes[i] == have || have == 1, "The expanded size of the tensor (", size[i], ") must match the existing size (", have,
                   ") at non-singleton dimension ", i, ".  Target sizes: ", size, ".  Tensor sizes: ", self.sizes());
      strides[i] = sizes[i] == have ? self.strides()[static_cast<size_t>(d)] : 0;
      BOLIDE_CHECK(sizes[i] >= 0, "The expanded size of the tensor (", size[i], ") is negative");
    }
    return self.view_as_layout(sizes, strides, self.storage_offset());
  }
  static Grads backward(const Call& c, const Tensor& g) { return sum_to_size(g, c.sizes()); }
};
Tensor expand(const Tensor& self, IntList size) { return call<Expand>(self, size, false); }
const Register<Expand> expand_op;

struct Select {
  static constexpr auto schema = "select(Tensor self, int dim, int index) -> Tensor";
  static constexpr auto kind = Kind::View;
  static Tensor forward(const Tensor& self, int64_t dim, int64_t index) {
    BOLIDE_CHECK_AS(IndexError, self.dim() > 0, "select() cannot be applied to a 0-dim tensor.");
    const auto d = static_cast<size_t>(wrap_dim(dim, self.dim()));
    const int64_t n = self.sizes()[d];
    BOLIDE_CHECK_AS(IndexError, index >= -n && index < n, "select(): index ", index, " out of range for tensor of size ", self.sizes(),
                    " at dimension ", dim);
    Dims sizes = self.sizes(), strides = self.strides();
    const int64_t offset = self.storage_offset() + (index < 0 ? index + n : index) * strides[d];
    sizes.erase(d), strides.erase(d);
    return self.view_as_layout(sizes, strides, offset);
  }
  static Grads backward(const Call& c, const Tensor& g) {
    Tensor r = zeros(c.sizes(), g.dtype(), g.device());
    return select_scatter(r, g, c.integer(1), c.integer(2));
  }
  static Tensor select_scatter(const Tensor& zero, const Tensor& g, int64_t dim, int64_t index) {
    copy_(select(zero, dim, index), g);
    return zero;
  }
};
Tensor select(const Tensor& self, int64_t dim, int64_t index) { return call<Select>(self, dim, index); }
const Register<Select> select_op;

struct Slice {
  static constexpr auto schema = "slice(Tensor self, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor";
  static constexpr auto kind = Kind::View;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& self, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step) {
    BOLIDE_CHECK(self.dim() > 0, "slice() cannot be applied to a 0-dim tensor.");
    BOLIDE_CHECK_AS(ValueError, step > 0, "slice step must be positive");
    const auto d = static_cast<size_t>(wrap_dim(dim, self.dim()));
    const int64_t n = self.sizes()[d];
    auto clip = [&](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + n : v, 0, n); };
    const int64_t b = clip(start.value_or(0)), e = std::max(b, clip(end.value_or(n)));
    Dims sizes = self.sizes(), strides = self.strides();
    sizes[d] = (e - b + step - 1) / step;
    const int64_t offset = self.storage_offset() + b * strides[d];
    strides[d] *= step;
    return self.view_as_layout(sizes, strides, offset);
  }
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor zero = zeros(c.sizes(), g.dtype(), g.device());
    copy_(slice(zero, c.integer(1), c.value<std::optional<int64_t>>(2), c.value<std::optional<int64_t>>(3), c.integer(4)), g);
    return zero;
  }
};
Tensor slice(const Tensor& self, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step) {
  return call<Slice>(self, dim, start, end, step);
}
const Register<Slice> slice_op;

struct Narrow {
  static constexpr auto schema = "narrow(Tensor self, int dim, int start, int length) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, int64_t dim, int64_t start, int64_t length) {
    BOLIDE_CHECK(self.dim() > 0, "narrow() cannot be applied to a 0-dim tensor.");
    BOLIDE_CHECK(length >= 0, "narrow(): length must be non-negative.");
    const int64_t n = self.size(dim);
    BOLIDE_CHECK_AS(IndexError, start >= -n && start <= n, "start out of range (expected to be in range of [", -n, ", ", n, "], but got ", start, ")");
    if (start < 0) start += n;
    BOLIDE_CHECK(start <= n - length, "start (", start, ") + length (", length, ") exceeds dimension size (", n, ").");
    return slice(self, dim, start, start + length, 1);
  }
};
Tensor narrow(const Tensor& self, int64_t dim, int64_t start, int64_t length) { return Narrow::forward(self, dim, start, length); }
const Register<Narrow> narrow_op;

// The start in a 0-d integer tensor.
struct NarrowTensor {
  static constexpr auto schema = "narrow.Tensor(Tensor self, int dim, Tensor start, int length) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, int64_t dim, const Tensor& start, int64_t length) {
    BOLIDE_CHECK(start.dim() == 0 && is_integral(start.dtype()), "start must be an 0-dim integral Tensor.");
    return narrow(self, dim, start.item<int64_t>(), length);
  }
};
const Register<NarrowTensor> narrow_tensor_op;

struct Diagonal {
  static constexpr auto schema = "diagonal(Tensor self, int offset=0, int dim1=0, int dim2=1) -> Tensor";
  static constexpr auto kind = Kind::View;
  static Tensor forward(const Tensor& self, int64_t offset, int64_t dim1, int64_t dim2) {
    auto a = static_cast<size_t>(wrap_dim(dim1, self.dim())), b = static_cast<size_t>(wrap_dim(dim2, self.dim()));
    BOLIDE_CHECK(a != b, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
    Dims sizes = self.sizes(), strides = self.strides();
    const int64_t n = std::max<int64_t>(0, offset >= 0 ? std::min(sizes[a], sizes[b] - offset) : std::min(sizes[a] + offset, sizes[b]));
    int64_t start = self.storage_offset();
    if (n) start += offset >= 0 ? offset * strides[b] : -offset * strides[a];
    const int64_t step = strides[a] + strides[b];
    sizes.erase(std::max(a, b)), strides.erase(std::max(a, b));
    sizes.erase(std::min(a, b)), strides.erase(std::min(a, b));
    sizes.push_back(n), strides.push_back(step);
    return self.view_as_layout(sizes, strides, start);
  }
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor zero = zeros(c.sizes(), g.dtype(), g.device());
    copy_(diagonal(zero, c.integer(1), c.integer(2), c.integer(3)), g);
    return zero;
  }
};
Tensor diagonal(const Tensor& self, int64_t offset, int64_t dim1, int64_t dim2) { return call<Diagonal>(self, offset, dim1, dim2); }
const Register<Diagonal> diagonal_op;

// Sliding windows of `size` every `step` along a dimension, as a new last dimension.
struct Unfold {
  static constexpr auto schema = "unfold(Tensor self, int dimension, int size, int step) -> Tensor";
  static constexpr auto kind = Kind::View;
  static constexpr uint8_t home = kMethod;
  static Tensor forward(const Tensor& self, int64_t dimension, int64_t size, int64_t step) {
    const auto d = static_cast<size_t>(wrap_dim(dimension, self.dim()));
    const int64_t n = self.dim() ? self.sizes()[d] : 1;
    BOLIDE_CHECK(size >= 0 && size <= n, "maximum size for tensor at dimension ", d, " is ", n, " but size is ", size);
    BOLIDE_CHECK(step > 0, "step is ", step, " but must be > 0");
    Dims sizes = self.sizes(), strides = self.strides();
    const int64_t old = self.dim() ? strides[d] : 1;
    if (self.dim()) sizes[d] = (n - size) / step + 1, strides[d] = old * step;
    sizes.push_back(size), strides.push_back(old);
    return self.view_as_layout(sizes, strides, self.storage_offset());
  }
  static Grads backward(const Call& c, const Tensor& g) {
    const Dims& sizes = c.sizes();
    const int64_t n = checked_numel(sizes);
    const Tensor place = unfold(reshape(arange(0, n, 1, DType::Int64, g.device()), sizes), c.integer(1), c.integer(2), c.integer(3));
    return view(scatter_add(zeros({n}, g.dtype(), g.device()), 0, reshape(place, {-1}), reshape(g, {-1})), sizes);
  }
};
Tensor unfold(const Tensor& self, int64_t dimension, int64_t size, int64_t step) { return call<Unfold>(self, dimension, size, step); }
const Register<Unfold> unfold_op;

struct Detach {
  static constexpr auto schema = "detach(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self) { return self.detach(); }
};
const Register<Detach> detach_op;

// ---- methods ---------------------------------------------------------------------------------


}  // namespace bolide
