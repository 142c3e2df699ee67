// Views made as copies at once: view_copy, transpose_copy, ... with memory of their own.
#include "ops/creation.h"

namespace bolide {

namespace {
Tensor own(const Tensor& t) { return clone(t, MemoryFormat::Contiguous); }
std::vector<Tensor> own(const std::vector<Tensor>& views) {
  std::vector<Tensor> out;
  for (const Tensor& t : views) out.push_back(own(t));
  return out;
}
}  // namespace

/// `name`: the schema, the parameters of forward, and the view that is copied.
#define COPY_OF(Name, text, Result, parameters, made)        \
  struct Name {                                              \
    static constexpr auto schema = text;                     \
    static constexpr auto kind = Kind::Composed;             \
    static constexpr uint8_t home = kFunction, variants = kOut; \
    static Result forward parameters { return own(made); }   \
  };                                                         \
  const Register<Name> Name##_op;
using Tensors = std::vector<Tensor>;
using OptInt = std::optional<int64_t>;

COPY_OF(AliasCopy, "alias_copy(Tensor self) -> Tensor", Tensor, (const Tensor& self), self)
COPY_OF(AsStridedCopy, "as_strided_copy(Tensor self, int[] size, int[] stride, int? storage_offset=None) -> Tensor", Tensor,
        (const Tensor& self, IntList size, IntList stride, OptInt offset), as_strided(self, size, stride, offset))
COPY_OF(DetachCopy, "detach_copy(Tensor self) -> Tensor", Tensor, (const Tensor& self), self.detach())
COPY_OF(DiagonalCopy, "diagonal_copy(Tensor self, int offset=0, int dim1=0, int dim2=1) -> Tensor", Tensor,
        (const Tensor& self, int64_t offset, int64_t dim1, int64_t dim2), diagonal(self, offset, dim1, dim2))
COPY_OF(ExpandCopy, "expand_copy(Tensor self, int[] size, *, bool implicit=False) -> Tensor", Tensor,
        (const Tensor& self, IntList size, bool), expand(self, size))
COPY_OF(NarrowCopy, "narrow_copy(Tensor self, int dim, int start, int length) -> Tensor", Tensor,
        (const Tensor& self, int64_t dim, int64_t start, int64_t length), narrow(self, dim, start, length))
COPY_OF(PermuteCopy, "permute_copy(Tensor self, int[] dims) -> Tensor", Tensor, (const Tensor& self, IntList dims), permute(self, dims))
COPY_OF(SelectCopy, "select_copy(Tensor self, int dim, int index) -> Tensor", Tensor, (const Tensor& self, int64_t dim, int64_t index),
        select(self, dim, index))
COPY_OF(SliceCopy, "slice_copy(Tensor self, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor", Tensor,
        (const Tensor& self, int64_t dim, OptInt start, OptInt end, int64_t step), slice(self, dim, start, end, step))
COPY_OF(SplitCopy, "split_copy(Tensor self, int split_size, int dim=0) -> Tensor[]", Tensors,
        (const Tensor& self, int64_t size, int64_t dim), split(self, size, dim))
COPY_OF(SplitWithSizesCopy, "split_with_sizes_copy(Tensor self, int[] split_sizes, int dim=0) -> Tensor[]", Tensors,
        (const Tensor& self, IntList sizes, int64_t dim), split_with_sizes(self, sizes, dim))
COPY_OF(SqueezeCopy, "squeeze_copy(Tensor self) -> Tensor", Tensor, (const Tensor& self), squeeze(self))
COPY_OF(SqueezeCopyDims, "squeeze_copy.dims(Tensor self, int[1] dim) -> Tensor", Tensor, (const Tensor& self, IntList dim), squeeze(self, dim))
COPY_OF(TCopy, "t_copy(Tensor self) -> Tensor", Tensor, (const Tensor& self), t(self))
COPY_OF(TransposeCopy, "transpose_copy(Tensor self, int dim0, int dim1) -> Tensor", Tensor,
        (const Tensor& self, int64_t dim0, int64_t dim1), transpose(self, dim0, dim1))
COPY_OF(UnbindCopy, "unbind_copy(Tensor self, int dim=0) -> Tensor[]", Tensors, (const Tensor& self, int64_t dim), unbind(self, dim))
COPY_OF(UnfoldCopy, "unfold_copy(Tensor self, int dimension, int size, int step) -> Tensor", Tensor,
        (const Tensor& self, int64_t dimension, int64_t size, int64_t step), unfold(self, dimension, size, step))
COPY_OF(UnsqueezeCopy, "unsqueeze_copy(Tensor self, int dim) -> Tensor", Tensor, (const Tensor& self, int64_t dim), unsqueeze(self, dim))
COPY_OF(ViewCopy, "view_copy(Tensor self, int[] size) -> Tensor", Tensor, (const Tensor& self, IntList size), view(self, size))
COPY_OF(ViewAsRealCopy, "view_as_real_copy(Tensor self) -> Tensor", Tensor, (const Tensor& self), view_as_real(self))
COPY_OF(ViewAsComplexCopy, "view_as_complex_copy(Tensor self) -> Tensor", Tensor, (const Tensor& self), view_as_complex(self))
#undef COPY_OF

}  // namespace bolide
