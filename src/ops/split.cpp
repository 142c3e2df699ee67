// Several views at once: split, chunk, unbind, tensor_split and its forms along fixed dimensions.
#include <algorithm>

#include "autograd/call.h"
#include "bolide/ops.h"
#include "iter/plan.h"

namespace bolide {

// ---- several views ---------------------------------------------------------------------------

namespace {
/// Elements [from, to) along `dim`, a view without checks.
Tensor piece(const Tensor& t, int64_t dim, int64_t from, int64_t to) {
  const auto d = static_cast<size_t>(wrap_dim(dim, t.dim()));
  Dims sizes = t.sizes();
  sizes[d] = to - from;
  return t.view_as_layout(sizes, t.strides(), t.storage_offset() + from * t.strides()[d]);
}
Tensor row(const Tensor& t, int64_t dim, int64_t i) {
  const auto d = static_cast<size_t>(wrap_dim(dim, t.dim()));
  Dims sizes = t.sizes(), strides = t.strides();
  const int64_t offset = t.storage_offset() + i * strides[d];
  sizes.erase(d), strides.erase(d);
  return t.view_as_layout(sizes, strides, offset);
}
/// The gradient of pieces along `dim`: zeros where a piece had none.
Tensor join(const Call& c, std::span<const Tensor> g, int64_t dim) {
  std::vector<Tensor> parts;
  const Tensor* some = nullptr;
  for (const Tensor& t : g) if (t.defined()) some = &t;
  for (size_t i = 0; i < g.size(); ++i)
    parts.push_back(g[i].defined() ? g[i] : zeros(c.out_meta(static_cast<int>(i)).sizes, some->dtype(), some->device()));
  return cat(parts, dim);
}
}  // namespace

struct SplitWithSizes {
  static constexpr auto schema = "split_with_sizes(Tensor self, int[] split_sizes, int dim=0) -> Tensor[]";
  static constexpr auto kind = Kind::View;
  static std::vector<Tensor> forward(const Tensor& self, IntList sizes, int64_t dim) {
    BOLIDE_CHECK(self.dim() > 0, "split expects at least a 1-dimensional tensor");
    const int64_t n = self.size(dim);
    int64_t at = 0;
    std::vector<Tensor> out;
    for (int64_t s : sizes) {
      BOLIDE_CHECK(s >= 0, "split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes=", sizes);
      at += s;
    }
    BOLIDE_CHECK(at == n, "split_with_sizes expects split_sizes to sum exactly to ", n, " (input tensor's size at dimension ", dim,
                 "), but got split_sizes=", sizes);
    at = 0;
    for (int64_t s : sizes) out.push_back(piece(self, dim, at, at + s)), at += s;
    return out;
  }
  static Grads backward(const Call& c, std::span<const Tensor> g) { return join(c, g, c.integer(2)); }
};
std::vector<Tensor> split_with_sizes(const Tensor& self, IntList sizes, int64_t dim) { return call<SplitWithSizes>(self, sizes, dim); }
const Register<SplitWithSizes> split_with_sizes_op;
const Alias<SplitWithSizes> unsafe_split_with_sizes_op("unsafe_split_with_sizes");

struct Split {
  static constexpr auto schema = "split.Tensor(Tensor self, int split_size, int dim=0) -> Tensor[]";
  static constexpr auto kind = Kind::View;
  static std::vector<Tensor> forward(const Tensor& self, int64_t size, int64_t dim) {
    BOLIDE_CHECK(self.dim() > 0, "split expects at least a 1-dimensional tensor");
    BOLIDE_CHECK(size >= 0, "split expects split_size be non-negative, but got split_size=", size);
    const int64_t n = self.size(dim);
    BOLIDE_CHECK(size > 0 || n == 0, "split_size can only be 0 if dimension size is 0, but got dimension size of ", n);
    std::vector<Tensor> out;
    const int64_t count = size ? std::max<int64_t>((n + size - 1) / size, 1) : 1;
    for (int64_t i = 0; i < count; ++i) out.push_back(piece(self, dim, i * size, std::min(n, (i + 1) * size)));
    return out;
  }
  static Grads backward(const Call& c, std::span<const Tensor> g) { return join(c, g, c.integer(2)); }
};
std::vector<Tensor> split(const Tensor& self, int64_t size, int64_t dim) { return call<Split>(self, size, dim); }
const Register<Split> split_op;
const Alias<Split> unsafe_split_op("unsafe_split");

struct SplitSizes {
  static constexpr auto schema = "split(Tensor self, int[] split_size, int dim=0) -> Tensor[]";
  static constexpr auto kind = Kind::Composed;
  static std::vector<Tensor> forward(const Tensor& self, IntList sizes, int64_t dim) { return split_with_sizes(self, sizes, dim); }
};
const Register<SplitSizes> split_sizes_op;

struct Chunk {
  static constexpr auto schema = "chunk(Tensor self, int chunks, int dim=0) -> Tensor[]";
  static constexpr auto kind = Kind::Composed;
  static std::vector<Tensor> forward(const Tensor& self, int64_t chunks, int64_t dim) {
    BOLIDE_CHECK(self.dim() > 0, "chunk expects at least a 1-dimensional tensor");
    BOLIDE_CHECK(chunks > 0, "chunk expects `chunks` to be greater than 0, got: ", chunks);
    const int64_t n = self.size(dim), size = (n + chunks - 1) / chunks;
    if (size == 0) {
      const std::vector<int64_t> zeros_(static_cast<size_t>(chunks), 0);
      return split_with_sizes(self, zeros_, dim);
    }
    return split(self, size, dim);
  }
};
std::vector<Tensor> chunk(const Tensor& self, int64_t chunks, int64_t dim) { return Chunk::forward(self, chunks, dim); }
const Register<Chunk> chunk_op;
const Alias<Chunk> unsafe_chunk_op("unsafe_chunk");

struct Unbind {
  static constexpr auto schema = "unbind(Tensor self, int dim=0) -> Tensor[]";
  static constexpr auto kind = Kind::View;
  static std::vector<Tensor> forward(const Tensor& self, int64_t dim) {
    BOLIDE_CHECK_AS(IndexError, self.dim() > 0, "Dimension specified as ", dim, " but tensor has no dimensions");
    const int64_t n = self.size(dim);
    std::vector<Tensor> out;
    for (int64_t i = 0; i < n; ++i) out.push_back(row(self, dim, i));
    return out;
  }
  static Grads backward(const Call& c, std::span<const Tensor> g) {
    std::vector<Tensor> parts;
    const Tensor* some = nullptr;
    for (const Tensor& t : g) if (t.defined()) some = &t;
    for (const Tensor& t : g) parts.push_back(t.defined() ? t : zeros_like(*some));
    return stack(parts, c.integer(1));
  }
};
std::vector<Tensor> unbind(const Tensor& self, int64_t dim) { return call<Unbind>(self, dim); }
const Register<Unbind> unbind_op;

// ---- cuts at given places --------------------------------------------------------------------------

namespace {
/// Views between cuts, which slices treat as Python does: negative ones count from the end.
std::vector<Tensor> cut_at(const Tensor& self, IntList cuts, int64_t dim) {
  std::vector<Tensor> out;
  int64_t from = 0;
  for (int64_t to : cuts) out.push_back(slice(self, dim, from, to)), from = to;
  out.push_back(slice(self, dim, from, self.size(dim)));
  return out;
}
void check_has_dims(const Tensor& self) {
  BOLIDE_CHECK(self.dim() > 0, "tensor_split expected at least a 1-dimensional tensor, but got a tensor with ", self.dim(), " dims");
}
}  // namespace

// `sections` pieces of nearly equal size, the first ones larger.
struct TensorSplitSections {
  static constexpr auto schema = "tensor_split.sections(Tensor self, int sections, int dim=0) -> Tensor[]";
  static constexpr auto kind = Kind::Composed;
  static std::vector<Tensor> forward(const Tensor& self, int64_t sections, int64_t dim) {
    check_has_dims(self);
    const int64_t d = wrap_dim(dim, self.dim()), n = self.size(d);
    BOLIDE_CHECK(sections > 0, "number of sections must be larger than 0, got ", sections);
    std::vector<int64_t> cuts;
    cuts.reserve(static_cast<size_t>(sections));
    for (int64_t i = 1, at = 0; i < sections; ++i) cuts.push_back(at += n / sections + (i <= n % sections));
    return cut_at(self, cuts, d);
  }
};
std::vector<Tensor> tensor_split(const Tensor& self, int64_t sections, int64_t dim) { return TensorSplitSections::forward(self, sections, dim); }
const Register<TensorSplitSections> tensor_split_sections_op;

struct TensorSplit {
  static constexpr auto schema = "tensor_split.indices(Tensor self, int[] indices, int dim=0) -> Tensor[]";
  static constexpr auto kind = Kind::Composed;
  static std::vector<Tensor> forward(const Tensor& self, IntList indices, int64_t dim) {
    check_has_dims(self);
    return cut_at(self, indices, wrap_dim(dim, self.dim()));
  }
};
std::vector<Tensor> tensor_split(const Tensor& self, IntList indices, int64_t dim) { return TensorSplit::forward(self, indices, dim); }
const Register<TensorSplit> tensor_split_op;

// The number of pieces, or the cuts, in a tensor.
struct TensorSplitTensor {
  static constexpr auto schema = "tensor_split.tensor_indices_or_sections(Tensor self, Tensor tensor_indices_or_sections, int dim=0) -> Tensor[]";
  static constexpr auto kind = Kind::Composed;
  static std::vector<Tensor> forward(const Tensor& self, const Tensor& where, int64_t dim) {
    check_has_dims(self);
    const char* what = "tensor_split expected tensor_indices_or_sections to ";
    BOLIDE_CHECK(where.device().is_cpu(), what, "be on cpu, but it's on ", where.device());
    BOLIDE_CHECK(where.dtype() == DType::Int64, what, "have dtype of long, but got ", legacy_name(where.dtype()));
    BOLIDE_CHECK(where.dim() <= 1, what, "be a zero-dimensional or one-dimensional tensor, but got a tensor with ", where.dim(), " dims");
    if (where.dim() == 0) return tensor_split(self, where.item<int64_t>(), dim);
    std::vector<int64_t> cuts;
    for (int64_t i = 0; i < where.numel(); ++i) cuts.push_back(select(where, 0, i).item<int64_t>());
    return tensor_split(self, IntList(cuts), dim);
  }
};
const Register<TensorSplitTensor> tensor_split_tensor_op;

namespace {
/// hsplit, vsplit and dsplit: a fixed dimension; numbers of pieces have to divide it.
std::vector<Tensor> split_evenly(const char* op, const Tensor& self, int64_t sections, int64_t dim) {
  const int64_t n = self.size(dim);
  BOLIDE_CHECK(sections != 0 && n % sections == 0, "torch.", op, " attempted to split along dimension ", dim, ", but the size of the dimension ",
               n, " is not divisible by the split_size ", sections, "!");
  return tensor_split(self, sections, dim);
}
void check_least_dims(const char* op, const Tensor& self, int64_t least) {
  BOLIDE_CHECK(self.dim() >= least, "torch.", op, " requires a tensor with at least ", least, " dimension, but got a tensor with ",
               self.dim(), " dimensions!");
}
}  // namespace

#define SPLIT_ALONG(Name, op, least, dimension)                                                    \
  struct Name##Sections {                                                                         \
    static constexpr auto schema = op ".int(Tensor self, int sections) -> Tensor[]";              \
    static constexpr auto kind = Kind::Composed;                                                  \
    static std::vector<Tensor> forward(const Tensor& self, int64_t sections) {                    \
      check_least_dims(op, self, least);                                                          \
      return split_evenly(op, self, sections, dimension);                                         \
    }                                                                                             \
  };                                                                                              \
  const Register<Name##Sections> Name##_sections_op;                                              \
  struct Name##Indices {                                                                          \
    static constexpr auto schema = op ".array(Tensor self, int[] indices) -> Tensor[]";           \
    static constexpr auto kind = Kind::Composed;                                                  \
    static std::vector<Tensor> forward(const Tensor& self, IntList indices) {                     \
      check_least_dims(op, self, least);                                                          \
      return tensor_split(self, indices, dimension);                                              \
    }                                                                                             \
  };                                                                                              \
  const Register<Name##Indices> Name##_indices_op;
SPLIT_ALONG(Hsplit, "hsplit", 1, (self.dim() == 1 ? 0 : 1))
SPLIT_ALONG(Vsplit, "vsplit", 2, 0)
SPLIT_ALONG(Dsplit, "dsplit", 3, 2)
#undef SPLIT_ALONG

}  // namespace bolide
