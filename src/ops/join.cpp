// Joining tensors: cat, stack and their forms along fixed dimensions.
#include <algorithm>

#include "autograd/call.h"
#include "bolide/ops.h"
#include "iter/plan.h"

namespace bolide {

namespace {
/// Elements [from, to) along `dim`, a view without checks.
Tensor cut(const Tensor& t, int64_t dim, int64_t from, int64_t to) {
  const auto d = static_cast<size_t>(dim);
  Dims sizes = t.sizes();
  sizes[d] = to - from;
  return t.view_as_layout(sizes, t.strides(), t.storage_offset() + from * t.strides()[d]);
}
/// With a new dimension of size 1 at `d`.
Tensor widened(const Tensor& t, size_t d) {
  Dims sizes = t.sizes(), strides = t.strides();
  sizes.insert(d, 1), strides.insert(d, 1);
  return t.view_as_layout(sizes, strides, t.storage_offset());
}
}  // namespace

struct Cat {
  static constexpr auto schema = "cat(Tensor[] tensors, int dim=0) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static bool skipped(const Tensor& t) { return t.dim() == 1 && t.numel() == 0; }
  static Tensor forward(Out out, TensorList all, int64_t dim) {
    BOLIDE_CHECK_AS(ValueError, !all.empty(), "torch.cat(): expected a non-empty list of Tensors");
    const Tensor* first = nullptr;
    std::vector<Operand> operands;
    for (const Tensor& t : all) {
      BOLIDE_CHECK(t.dim() > 0, "zero-dimensional tensor (at position ", &t - all.data(), ") cannot be concatenated");
      operands.emplace_back(t);
      if (!first && !skipped(t)) first = &t;
    }
    iter::check_same_device("cat", operands);
    const DType dtype = iter::result_type(operands);
    if (!first) first = &all[0];
    dim = wrap_dim(dim, first->dim());
    Dims shape = first->sizes();
    int64_t total = 0;
    for (const Tensor& t : all) {
      if (skipped(t)) continue;
      BOLIDE_CHECK(t.dim() == first->dim(), "Tensors must have same number of dimensions: got ", first->dim(), " and ", t.dim());
      for (int64_t d = 0; d < t.dim(); ++d)
        BOLIDE_CHECK(d == dim || t.size(d) == first->size(d), "Sizes of tensors must match except in dimension ", dim, ". Expected size ",
                     first->size(d), " but got size ", t.size(d), " for tensor number ", &t - all.data(), " in the list.");
      total += t.size(dim);
    }
    shape[static_cast<size_t>(dim)] = total;
    Tensor r;
    if (out.tensor) {
      r = *out.tensor;
      BOLIDE_CHECK(can_cast(dtype, r.dtype()), "torch.cat(): input types can't be cast to the desired output type ", legacy_name(r.dtype()));
      if (!(r.sizes() == shape)) resize_(r, shape);
    } else {
      const bool last = first->dim() == 4 && !first->is_contiguous() && first->is_contiguous(MemoryFormat::ChannelsLast);
      r = Tensor::make_strided(shape, format_strides(shape, last ? MemoryFormat::ChannelsLast : MemoryFormat::Contiguous), dtype, first->device());
    }
    int64_t at = 0;
    for (const Tensor& t : all) {
      if (skipped(t)) continue;
      copy_(cut(r, dim, at, at + t.size(dim)), t);
      at += t.size(dim);
    }
    return r;
  }
  static Grads backward(const Call& c, const Tensor& g) {
    std::vector<Tensor> parts;
    int64_t dim = c.integer(1), at = 0;
    if (dim < 0) dim += g.dim();
    for (int i = 0; i < c.list_size(0); ++i) {
      const Dims& s = c.meta(0, i).sizes;
      if (s.size() == 1 && s[0] == 0 && g.dim() != 1) { parts.push_back(zeros(s, g.dtype(), g.device())); continue; }
      const int64_t n = s[static_cast<size_t>(dim)];
      parts.push_back(c.needs(0, i) ? slice(g, dim, at, at + n, 1) : Tensor());
      at += n;
    }
    return Grads::of_list(std::move(parts));
  }
};
Tensor cat(TensorList all, int64_t dim) { return call<Cat>(all, dim); }
const Register<Cat> cat_op;
const Alias<Cat> concat_op("concat"), concatenate_op("concatenate");

struct Stack {
  static constexpr auto schema = "stack(Tensor[] tensors, int dim=0) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static Tensor forward(Out out, TensorList all, int64_t dim) {
    BOLIDE_CHECK(!all.empty(), "stack expects a non-empty TensorList");
    const int64_t d = wrap_dim(dim, all[0].dim() + 1);
    std::vector<Tensor> wide;
    for (const Tensor& t : all) {
      BOLIDE_CHECK(t.sizes() == all[0].sizes(), "stack expects each tensor to be equal size, but got ", all[0].sizes(), " at entry 0 and ",
                   t.sizes(), " at entry ", &t - all.data());
      wide.push_back(widened(t, static_cast<size_t>(d)));
    }
    return Cat::forward(out, wide, d);
  }
  static Grads backward(const Call& c, const Tensor& g) {
    std::vector<Tensor> parts;
    for (int i = 0; i < c.list_size(0); ++i) parts.push_back(c.needs(0, i) ? select(g, c.integer(1), i) : Tensor());
    return Grads::of_list(std::move(parts));
  }
};
Tensor stack(TensorList all, int64_t dim) { return call<Stack>(all, dim); }
const Register<Stack> stack_op;

// ---- forms along fixed dimensions ----------------------------------------------------------------

namespace {
template <class F>
std::vector<Tensor> each(const char* op, TensorList all, F&& f) {
  BOLIDE_CHECK(!all.empty(), op, " expects a non-empty TensorList");
  std::vector<Tensor> out;
  for (const Tensor& t : all) out.push_back(f(t));
  return out;
}
}  // namespace

// Along the second dimension; 1-d tensors along their only one.
struct Hstack {
  static constexpr auto schema = "hstack(Tensor[] tensors) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(TensorList all) {
    const auto wide = each("hstack", all, [](const Tensor& t) { return atleast_1d(t); });
    return cat(wide, wide[0].dim() == 1 ? 0 : 1);
  }
};
Tensor hstack(TensorList all) { return Hstack::forward(all); }
const Register<Hstack> hstack_op;

// Along the first dimension; 1-d tensors as rows.
struct Vstack {
  static constexpr auto schema = "vstack(Tensor[] tensors) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(TensorList all) { return cat(each("vstack", all, [](const Tensor& t) { return atleast_2d(t); }), 0); }
};
Tensor vstack(TensorList all) { return Vstack::forward(all); }
const Register<Vstack> vstack_op;
const Alias<Vstack> row_stack_op("row_stack");

// Along the third dimension.
struct Dstack {
  static constexpr auto schema = "dstack(Tensor[] tensors) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(TensorList all) { return cat(each("dstack", all, [](const Tensor& t) { return atleast_3d(t); }), 2); }
};
Tensor dstack(TensorList all) { return Dstack::forward(all); }
const Register<Dstack> dstack_op;

// Along the second dimension; tensors of less than two dimensions are columns.
struct ColumnStack {
  static constexpr auto schema = "column_stack(Tensor[] tensors) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(TensorList all) {
    return hstack(each("column_stack", all, [](const Tensor& t) { return t.dim() <= 1 ? reshape(t, {t.numel(), 1}) : t; }));
  }
};
Tensor column_stack(TensorList all) { return ColumnStack::forward(all); }
const Register<ColumnStack> column_stack_op;

// A matrix with the given ones on its diagonal.
struct BlockDiag {
  static constexpr auto schema = "block_diag(Tensor[] tensors) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(TensorList all) {
    if (all.empty()) return empty({1, 0});
    std::vector<Operand> operands;
    int64_t height = 0, width = 0;
    std::vector<Tensor> blocks;
    for (const Tensor& t : all) {
      BOLIDE_CHECK(t.dim() <= 2, "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input ", blocks.size(), " has ", t.dim(),
                   " dimensions");
      operands.emplace_back(t);
      blocks.push_back(atleast_2d(t));
      height += blocks.back().size(0), width += blocks.back().size(1);
    }
    iter::check_same_device("torch.block_diag", operands);
    const Tensor r = zeros({height, width}, iter::result_type(operands), all[0].device());
    int64_t row = 0, column = 0;
    for (const Tensor& b : blocks) {
      copy_(slice(slice(r, 0, row, row + b.size(0)), 1, column, column + b.size(1)), b);
      row += b.size(0), column += b.size(1);
    }
    return r;
  }
};
Tensor block_diag(TensorList all) { return BlockDiag::forward(all); }
const Register<BlockDiag> block_diag_op;

// Each tensor padded with zeros and cut into `num_chunks` along `dim`, the rest flattened; then joined.
struct ChunkCat {
  static constexpr auto schema = "_chunk_cat(Tensor[] tensors, int dim, int num_chunks) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static int64_t check(TensorList all, int64_t dim, int64_t chunks) {
    BOLIDE_CHECK(!all.empty(), "_chunk_cat expects a non-empty input tensor list");
    BOLIDE_CHECK(chunks >= 1, "_chunk_cat expects positive num_chunks");
    bool same = true;
    for (const Tensor& t : all) {
      same &= t.dim() == all[0].dim();
      BOLIDE_CHECK(t.dtype() == all[0].dtype(), "_chunk_cat expects all input tensors with the same dtype");
      BOLIDE_CHECK(t.device() == all[0].device(), "_chunk_cat expects all inputs tensors on the same device");
    }
    BOLIDE_CHECK(same || dim >= 0, "_chunk_cat expects non-negative dim when input tensors have different ndims");
    const int64_t d = dim < 0 ? wrap_dim(dim, all[0].dim()) : dim;
    for (const Tensor& t : all) {
      BOLIDE_CHECK(d < t.dim(), "_chunk_cat expects dim < ndim for all input tensors");
      BOLIDE_CHECK(t.numel() > 0, "_chunk_cat expects non-empty tensor");
      for (int64_t k = 0; k < d; ++k)
        BOLIDE_CHECK(t.size(k) == all[0].size(k), "_chunk_cat expects same sizes of 0,...,dim-1 dimensions for all tensors");
    }
    return d;
  }
  static Tensor forward(TensorList all, int64_t dim, int64_t chunks) {
    const int64_t d = check(all, dim, chunks);
    std::vector<Tensor> flat;
    for (const Tensor& t : all) {
      const int64_t n = t.size(d), whole = (n + chunks - 1) / chunks * chunks;
      Dims pad = t.sizes();
      pad[static_cast<size_t>(d)] = whole - n;
      const Tensor padded = whole == n ? t : cat(std::vector<Tensor>{t, zeros(pad, t.dtype(), t.device())}, d);
      Dims shape(IntList(t.sizes().data(), static_cast<size_t>(d)));
      shape.push_back(chunks), shape.push_back(padded.numel() / std::max<int64_t>(checked_numel(shape), 1));
      flat.push_back(reshape(padded, shape));
    }
    return cat(flat, d + 1);
  }
};
const Register<ChunkCat> chunk_cat_op;

}  // namespace bolide
