// Reductions: one text; the shape decides whether a thread, a warp or a block makes a result, and into how many parts the
// reduced elements are cut.
#include <algorithm>
#include <limits>

#include "cuda/allocator.h"
#include "cuda/entries/shared.h"

namespace bolide::cuda {

BOLIDE_KERNEL_TEXT(reduce);

namespace {

struct Extra {
  double p = 0;
  int64_t count = 0;
  int32_t root = 0;
};
struct Job {  // as in the text
  const void* x = nullptr;
  Layout kept, reduced, kept_a, kept_b;
  int64_t results = 1, count = 1;
  void *a = nullptr, *b = nullptr;
  void* parts = nullptr;
  Extra extra;
};

/// The sizes and strides of the dimensions of `t` that are (not) in the set.
Layout chosen(const Tensor& t, const Tensor& sizes_of, DimSet dims, bool in_set) {
  Dims sizes, strides;
  const bool keepdim = t.dim() == sizes_of.dim();
  size_t at = 0;
  for (size_t d = 0; d < sizes_of.sizes().size(); ++d) {
    const bool reduced = dims >> d & 1;
    if (reduced == in_set) sizes.push_back(sizes_of.sizes()[d]), strides.push_back(t.strides()[keepdim ? d : at]);
    if (keepdim || !reduced) ++at;
  }
  return layout_of(sizes, strides);
}

/// Not merged: kept dimensions must be counted alike in the input and the outputs.
Layout kept_of(const Tensor& t, const Tensor& self, DimSet dims) {
  Layout l;
  const bool keepdim = t.dim() == self.dim();
  size_t at = t.sizes().size();
  for (size_t d = self.sizes().size(); d-- > 0;) {
    const bool reduced = dims >> d & 1;
    if (keepdim || !reduced) --at;
    if (reduced || self.sizes()[d] == 1) continue;
    BOLIDE_CHECK(l.dims < 12, "CUDA reductions of tensors with more than 12 dimensions are not supported");
    l.size[l.dims] = self.sizes()[d], l.stride[l.dims] = t.strides()[at], ++l.dims;
  }
  return l;
}

/// The extremes of a type as text, for the start of a maximum or minimum.
std::pair<std::string, std::string> limits(DType t) {
  switch (t) {
    case DType::Bool: return {"0", "1"};
    case DType::UInt8: return {"0", "255"};
    case DType::Int8: return {"-128", "127"};
    case DType::Int16: return {"-32768", "32767"};
    case DType::Int32: return {"(-2147483647-1)", "2147483647"};
    case DType::Int64: return {"(-9223372036854775807ll-1)", "9223372036854775807ll"};
    default: return {"-fn::infinity<ACC>()", "fn::infinity<ACC>()"};
  }
}

struct Shape {
  const char* kernel;
  Grid grid;
  unsigned threads = 256;
  int64_t parts = 1;
};
Shape shape_for(const Job& j) {
  const int64_t fill = static_cast<int64_t>(device_info(current_device()).multiprocessors) * 8;  // blocks that keep the device busy
  const bool fast_is_kept = j.reduced.dims && j.reduced.stride[0] != 1 && j.kept.dims && j.kept.stride[0] == 1;
  Shape s;
  if (fast_is_kept || (j.count <= 16 && j.results > 256)) {
    s = {"reduce_threads", blocks(j.results, 256)};
  } else if (j.count <= 1024 && j.results >= fill) {
    s = {"reduce_warps", blocks(j.results * 32, 256)};
  } else {
    s = {"reduce_blocks", {static_cast<unsigned>(std::clamp<int64_t>(j.results, 1, 1 << 20))}};
    s.threads = j.count >= 2048 ? 512 : 256;
  }
  // few results of many elements: cut the elements too
  const int64_t least = std::string_view(s.kernel) == "reduce_threads" ? 64 : 16384;
  if (s.grid.x < fill && j.count >= 2 * least)
    s.parts = std::clamp<int64_t>(std::min(fill / s.grid.x, j.count / least), 1, 1024);
  s.grid.y = static_cast<unsigned>(s.parts);
  return s;
}

void run(const char* op, Job& j, const Tensor& self, DType out, DType acc, const char* reduction, int state_bytes, int norm = 0) {
  DeviceGuard guard(self.device().index);
  const auto [low, high] = limits(acc);
  const std::string macros = str("SCALAR=", type_name(self.dtype()), ";OUT=", type_name(out), ";ACC=", type_name(acc), ";REDUCTION=", reduction,
                                 ";NORM_KIND=", norm, ";ABSOLUTE=", type_name(is_complex(self.dtype()) ? self.dtype() : acc), ";LOWEST=ACC(", low,
                                 ");HIGHEST=ACC(", high, ")");
  const Shape s = shape_for(j);
  Tensor parts;
  if (s.parts > 1) {
    parts = Tensor::make({s.parts * j.results * state_bytes}, DType::UInt8, self.device());
    j.parts = parts.raw();
  }
  launch(get_function(reduce_text, s.kernel, macros), op, s.grid, {s.threads}, 0, j);
  if (s.parts > 1) launch(get_function(reduce_text, "reduce_parts", macros), op, blocks(j.results, 256), {256}, 0, j, s.parts);
}

Job job(const Tensor& self, DimSet dims, const Tensor& a, const Tensor& b = {}) {
  Job j;
  j.x = self.raw();
  const Tensor& shape = a.defined() ? a : b;
  (void)shape;
  j.kept = kept_of(self, self, dims);
  j.reduced = chosen(self, self, dims, true);
  if (a.defined()) j.a = a.raw(), j.kept_a = kept_of(a, self, dims);
  if (b.defined()) j.b = b.raw(), j.kept_b = kept_of(b, self, dims);
  for (size_t d = 0; d < self.sizes().size(); ++d) (dims >> d & 1 ? j.count : j.results) *= self.sizes()[d];
  j.extra.count = j.count;
  return j;
}

void reduce_entry(ReduceOp op, const Tensor& self, DimSet dims, const Tensor& out) {
  if (!out.numel()) return;
  static const char* const names[] = {"SUM", "NANSUM", "PROD", "MAX", "MIN", "ALL", "ANY", "COUNT"};
  Job j = job(self, dims, out);
  DType acc = wide_type(out.dtype());
  if (op == ReduceOp::All || op == ReduceOp::Any) acc = DType::Bool;
  run("reduce", j, self, out.dtype(), acc, names[static_cast<int>(op)], static_cast<int>(item_size(acc)));
}
void mean_entry(const Tensor& self, DimSet dims, const Tensor& out) {
  if (!out.numel()) return;
  Job j = job(self, dims, out);
  const DType acc = wide_type(out.dtype());
  run("mean", j, self, out.dtype(), acc, "MEAN", static_cast<int>(item_size(acc)));
}
void norm_entry(const Tensor& self, DimSet dims, double p, const Tensor& out) {
  if (!out.numel()) return;
  Job j = job(self, dims, out);
  j.extra.p = p;
  const double inf = std::numeric_limits<double>::infinity();
  const int kind = p == 0 ? 0 : p == 1 ? 1 : p == inf ? 2 : p == -inf ? 3 : p == 2 ? 4 : 5;
  const DType acc = wide_type(out.dtype());
  run("norm", j, self, out.dtype(), acc, "NORM", static_cast<int>(item_size(acc)), kind);
}
void var_entry(const Tensor& self, DimSet dims, double correction, bool root, const Tensor& variance, const Tensor& mean) {
  const Tensor& any = variance.defined() ? variance : mean;
  if (!any.numel()) return;
  Job j = job(self, dims, variance, mean);
  j.extra.p = correction, j.extra.root = root;
  const DType acc = wide_type(any.dtype());
  run("var", j, self, any.dtype(), acc, "VAR", static_cast<int>(2 * std::max<int64_t>(item_size(acc), 4) + 8));
}
void extreme_entry(const Tensor& self, DimSet dims, bool largest, const Tensor& values, const Tensor& indices) {
  const Tensor& any = values.defined() ? values : indices;
  if (!any.numel()) return;
  Job j = job(self, dims, values, indices);
  run("extreme", j, self, self.dtype(), wide_type(self.dtype()), largest ? "ARGMAX" : "ARGMIN", 16);
}

const Provide provide_reduce(DeviceType::CUDA, &Kernels::reduce, &reduce_entry);
const Provide provide_mean(DeviceType::CUDA, &Kernels::reduce_mean, &mean_entry);
const Provide provide_norm(DeviceType::CUDA, &Kernels::reduce_norm, &norm_entry);
const Provide provide_var(DeviceType::CUDA, &Kernels::reduce_var, &var_entry);
const Provide provide_extreme(DeviceType::CUDA, &Kernels::extreme, &extreme_entry);

}  // namespace
}  // namespace bolide::cuda
