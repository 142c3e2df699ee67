// Indexing, gathering, scattering, non-zeros. Kernels judge the index values and note the first bad one.
#include <algorithm>

#include "cuda/entries/shared.h"
#include "cuda/fault.h"

namespace bolide::cuda {

BOLIDE_KERNEL_TEXT(index);

namespace {

/// Elements are moved by size when they are not combined, so that few variants are compiled.
DType mover(DType t) {
  switch (item_size(t)) {
    case 1: return DType::UInt8;
    case 2: return DType::Int16;
    case 4: return DType::Int32;
    case 8: return DType::Int64;
    default: return DType::Complex128;
  }
}
std::string macros(ScatterOp op, DType t) {
  if (op != ScatterOp::Set && is_complex(t) && op != ScatterOp::Add)
    fail<NotImplementedError>("\"scatter_cuda\" not implemented for '", legacy_name(t), "'");
  return str(scalar_macros(op == ScatterOp::Set ? mover(t) : t), ";COMBINE=", static_cast<int>(op));
}

struct Indexed {  // as in the text
  Layout before, after;
  int32_t count = 0, from_end = 0;
  int64_t size[8] = {}, stride[8] = {};
  const void* index[8] = {};
  int64_t outer = 1, rows = 0, inner = 1;
};
Layout part(const Tensor& t, int64_t from, int64_t to) {
  return layout_of(IntList(t.sizes().data() + from, static_cast<size_t>(to - from)), IntList(t.strides().data() + from, static_cast<size_t>(to - from)));
}
Indexed indexed(const Tensor& self, TensorList indices, int64_t first, Bounds bounds) {
  const auto count = static_cast<int64_t>(indices.size());
  BOLIDE_CHECK(count <= 8, "indexing more than 8 dimensions by tensors is not supported on CUDA");
  Indexed j;
  j.count = static_cast<int32_t>(count), j.rows = indices[0].numel();
  j.from_end = bounds == Bounds::Advanced || bounds == Bounds::Fill || bounds == Bounds::Take;
  j.before = part(self, 0, first), j.after = part(self, first + count, self.dim());
  for (int64_t d = 0; d < self.dim(); ++d)
    if (d < first) j.outer *= self.size(d);
    else if (d >= first + count) j.inner *= self.size(d);
  for (int64_t k = 0; k < count; ++k)
    j.size[k] = self.size(first + k), j.stride[k] = self.stride(first + k), j.index[k] = indices[static_cast<size_t>(k)].raw();
  return j;
}
FaultSite site(const Tensor& self, const char* op, int64_t first, Bounds bounds) {
  const std::string text = str("index %i is out of bounds for dimension ", first, " with size %n");
  const int d = self.device().index;
  switch (bounds) {
    case Bounds::Select: return fault_site(d, op, "index out of range in self (" + text + ")");
    case Bounds::Take: return fault_site(d, op, "out of range: tried to access index %i on a tensor of %n elements.");
    case Bounds::Copy: return fault_site(d, op, "index_copy_(): " + text);
    default: return fault_site(d, op, text);
  }
}

void index_entry(const Tensor& self, TensorList indices, int64_t first, Bounds bounds, const Tensor& out) {
  if (!out.numel()) return;
  DeviceGuard guard(self.device().index);
  launch(get_function(index_text, "index_rows", macros(ScatterOp::Set, self.dtype())), "index", blocks(out.numel(), 256), {256}, 0,
         static_cast<const void*>(self.raw()), indexed(self, indices, first, bounds), out.raw(), site(self, "index", first, bounds));
}
void index_put_entry(ScatterOp op, const Tensor& self, TensorList indices, int64_t first, Bounds bounds, const Tensor& values) {
  const Indexed j = indexed(self, indices, first, bounds);
  const int64_t n = j.outer * j.rows * j.inner;
  if (!n) return;
  DeviceGuard guard(self.device().index);
  launch(get_function(index_text, "put_rows", macros(op, self.dtype())), "index_put_", blocks(n, 256), {256}, 0, self.raw(), j,
         static_cast<const void*>(values.raw()), int64_t{values.numel() == 1 && n != 1 ? 0 : 1}, site(self, "index_put_", first, bounds));
}

struct Along {  // as in the text
  Layout self, other, index;
  int64_t n = 0, size = 1, stride = 0;
};
/// Layouts over index's dimensions, not merged: all three must count alike. A 0-d tensor counts as one element.
Layout over(const Tensor& t, const Tensor& index, int64_t leave_out) {
  Layout l;
  for (int64_t d = index.dim(); d-- > 0;) {
    BOLIDE_CHECK(l.dims < 12, "gather and scatter over more than 12 dimensions are not supported on CUDA");
    l.size[l.dims] = index.size(d), l.stride[l.dims] = d == leave_out || t.dim() == 0 ? 0 : t.stride(d);
    ++l.dims;
  }
  return l;
}
Along along(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& other) {
  Along a;
  a.n = index.numel();
  a.self = over(self, index, dim), a.other = over(other, index, -1), a.index = over(index, index, -1);
  if (self.dim()) a.size = self.size(dim), a.stride = self.stride(dim);
  return a;
}
void gather_entry(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& out) {
  if (!index.numel()) return;
  DeviceGuard guard(self.device().index);
  launch(get_function(index_text, "gather_along", macros(ScatterOp::Set, self.dtype())), "gather", blocks(index.numel(), 256), {256}, 0,
         static_cast<const void*>(self.raw()), along(self, dim, index, out), static_cast<const void*>(index.raw()), out.raw(),
         site(self, "gather", dim, Bounds::Add));
}
void scatter_entry(ScatterOp op, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
  if (!index.numel()) return;
  DeviceGuard guard(self.device().index);
  launch(get_function(index_text, "scatter_along", macros(op, self.dtype())), "scatter", blocks(index.numel(), 256), {256}, 0, self.raw(),
         along(self, dim, index, src), static_cast<const void*>(index.raw()), static_cast<const void*>(src.raw()),
         site(self, "scatter", dim, Bounds::Add));
}

struct Sizes { int32_t dims; int64_t size[12]; };
void nonzero_entry(const Tensor& self, const Tensor& out) {
  if (!out.numel()) return;
  DeviceGuard guard(self.device().index);
  constexpr int64_t kChunk = 1024;
  const int64_t n = self.numel(), count = (n + kChunk - 1) / kChunk;
  const Tensor counts = Tensor::make({count}, DType::Int64, self.device()), starts = Tensor::make({count + 1}, DType::Int64, self.device());
  const std::string m = str(scalar_macros(self.dtype()), ";COMBINE=0");
  const Grid grid{static_cast<unsigned>(count)};
  launch(get_function(index_text, "count_nonzero", m), "nonzero", grid, {128}, 0, static_cast<const void*>(self.raw()), n, counts.raw());
  launch(get_function(index_text, "add_counts", m), "nonzero", {1}, {32}, 0, static_cast<const void*>(counts.raw()), count, starts.raw());
  Sizes s{static_cast<int32_t>(self.dim()), {}};
  for (int64_t d = 0; d < self.dim(); ++d) s.size[d] = self.size(d);
  launch(get_function(index_text, "write_nonzero", m), "nonzero", grid, {32}, 0, static_cast<const void*>(self.raw()), n,
         static_cast<const void*>(starts.raw()), out.raw(), s);
}

const Provide provide_index(DeviceType::CUDA, &Kernels::index, &index_entry);
const Provide provide_index_put(DeviceType::CUDA, &Kernels::index_put, &index_put_entry);
const Provide provide_gather(DeviceType::CUDA, &Kernels::gather, &gather_entry);
const Provide provide_scatter(DeviceType::CUDA, &Kernels::scatter, &scatter_entry);
const Provide provide_nonzero(DeviceType::CUDA, &Kernels::nonzero, &nonzero_entry);

}  // namespace
}  // namespace bolide::cuda
