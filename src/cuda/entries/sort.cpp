// Sorting and the k largest: short rows in one launch, long ones by radix passes, a row at a time.
#include <algorithm>

#include "cuda/entries/shared.h"

namespace bolide::cuda {

BOLIDE_KERNEL_TEXT(sort);

namespace {

constexpr int64_t kShort = 2048, kChunk = 1024, kBins = 16;

struct Rows {  // as in the text
  Layout x, values, indices;
  int64_t rows = 1, n = 1, x_step = 0, values_step = 0, indices_step = 0, keep = 0;
};

bool wide_key(DType t) { return item_size(t) == 8; }
std::string macros(DType t) {
  if (is_complex(t)) fail<NotImplementedError>("\"sort_cuda\" not implemented for '", legacy_name(t), "'");
  return str(scalar_macros(t), ";KEY=", wide_key(t) ? "uint64_t" : "uint32_t");
}
int key_bits(DType t) { return wide_key(t) ? 64 : t == DType::Bool || item_size(t) == 1 ? 8 : t == DType::Int16 ? 16 : 32; }

void* raw_or_null(const Tensor& t) { return t.defined() ? t.raw() : nullptr; }

/// One row: keys and positions go to and fro between two buffers, 4 bits a pass, the lowest first.
void sort_long(const Tensor& x, const std::string& m, const Rows& r, int64_t row, bool descending, char* values, char* indices) {
  const Device d = x.device();
  const int64_t n = r.n, key_bytes = wide_key(x.dtype()) ? 8 : 4, count = (n + kChunk - 1) / kChunk;
  Tensor keys[2], places[2];
  for (int i = 0; i < 2; ++i) keys[i] = Tensor::make({n * key_bytes}, DType::UInt8, d), places[i] = Tensor::make({n}, DType::Int32, d);
  const Tensor counts = Tensor::make({count * kBins}, DType::Int32, d);
  const char* from = x.raw() + row_offset(r.x, row) * x.itemsize();
  launch(get_function(sort_text, "radix_keys", m), "sort", blocks(n, 256), {256}, 0, from, n, r.x_step, int32_t{descending}, keys[0].raw(), places[0].raw());
  const Grid grid{static_cast<unsigned>(count)};
  int at = 0;
  // inverted keys of narrow types differ in all 32 bits
  const int bits = descending && !wide_key(x.dtype()) ? 32 : key_bits(x.dtype());
  for (int32_t shift = 0; shift < bits; shift += 4, at ^= 1) {
    launch(get_function(sort_text, "radix_count", m), "sort", grid, {128}, 0, static_cast<const void*>(keys[at].raw()), n, shift, counts.raw());
    launch(get_function(sort_text, "radix_starts", m), "sort", {1}, {1024}, 0, counts.raw(), count * kBins);
    launch(get_function(sort_text, "radix_move", m), "sort", grid, {32}, 0, static_cast<const void*>(keys[at].raw()),
           static_cast<const void*>(places[at].raw()), n, shift, static_cast<const void*>(counts.raw()), keys[at ^ 1].raw(), places[at ^ 1].raw(),
           static_cast<int32_t>(count));
  }
  launch(get_function(sort_text, "radix_write", m), "sort", blocks(r.keep, 256), {256}, 0, from, r.x_step, static_cast<const void*>(places[at].raw()),
         r.keep, values, r.values_step, indices, r.indices_step);
}

void run(const Tensor& x, int64_t dim, bool descending, int64_t keep, const Tensor& values, const Tensor& indices) {
  DeviceGuard guard(x.device().index);
  Rows r;
  r.n = x.dim() ? x.size(dim) : 1, r.rows = x.numel() / r.n, r.keep = keep;
  r.x = other_dims(x, dim);
  if (x.dim()) r.x_step = x.stride(dim);
  if (values.defined()) r.values = other_dims(values, dim), r.values_step = values.dim() ? values.stride(dim) : 0;
  if (indices.defined()) r.indices = other_dims(indices, dim), r.indices_step = indices.dim() ? indices.stride(dim) : 0;
  const std::string m = macros(x.dtype());
  if (r.n <= kShort) {
    int32_t width = 2;
    while (width < r.n) width *= 2;
    const auto shared = static_cast<unsigned>(width * ((wide_key(x.dtype()) ? 8 : 4) + 4));
    launch(get_function(sort_text, "sort_short", m), "sort", {static_cast<unsigned>(std::min<int64_t>(r.rows, 1 << 16))},
           {static_cast<unsigned>(std::clamp(width / 2, 32, 512))}, shared, static_cast<const void*>(x.raw()), raw_or_null(values),
           raw_or_null(indices), r, width, int32_t{descending});
    return;
  }
  BOLIDE_CHECK(r.n < INT32_MAX, "sorting more than 2^31 elements is not supported on CUDA");
  for (int64_t row = 0; row < r.rows; ++row)
    sort_long(x, m, r, row, descending, values.defined() ? values.raw() + row_offset(r.values, row) * values.itemsize() : nullptr,
              indices.defined() ? indices.raw() + row_offset(r.indices, row) * 8 : nullptr);
}

void sort_entry(const Tensor& x, int64_t dim, bool descending, bool, const Tensor& values, const Tensor& indices) {
  if (x.numel()) run(x, dim, descending, x.dim() ? x.size(dim) : 1, values, indices);
}
void topk_entry(const Tensor& x, int64_t k, int64_t dim, bool largest, bool, const Tensor& values, const Tensor& indices) {
  if (x.numel() && k) run(x, dim, largest, k, values, indices);
}

const Provide provide_sort(DeviceType::CUDA, &Kernels::sort, &sort_entry);
const Provide provide_topk(DeviceType::CUDA, &Kernels::topk, &topk_entry);

}  // namespace
}  // namespace bolide::cuda
