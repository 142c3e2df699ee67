// Running results along a dimension.
#include <algorithm>

#include "cuda/entries/shared.h"

namespace bolide::cuda {

BOLIDE_KERNEL_TEXT(scan);

namespace {

struct Rows {  // as in the text
  Layout x, y, places;
  int64_t rows = 1, n = 1, x_step = 0, y_step = 0, places_step = 0;
  int32_t reverse = 0;
};

Rows rows_of(const Tensor& x, int64_t dim, bool reverse, const Tensor& y, const Tensor& places) {
  Rows r;
  r.n = x.dim() ? x.size(dim) : 1, r.rows = x.numel() / std::max<int64_t>(r.n, 1), r.reverse = reverse;
  r.x = other_dims(x, dim), r.y = other_dims(y, dim);
  if (x.dim()) r.x_step = x.stride(dim), r.y_step = y.stride(dim);
  if (places.defined()) {
    r.places = other_dims(places, dim);
    if (x.dim()) r.places_step = places.stride(dim);
  }
  return r;
}

void scan_entry(ScanOp op, const Tensor& self, int64_t dim, bool reverse, const Tensor& out, const Tensor& indices) {
  if (!self.numel()) return;
  DeviceGuard guard(self.device().index);
  const Rows r = rows_of(self, dim, reverse, out, indices);
  const bool long_rows = r.n > 64 && r.rows < 65536;
  const std::string macros = str(scalar_macros(self.dtype()), ";SCAN=", static_cast<int>(op));
  const Function f = get_function(scan_text, long_rows ? "scan_blocks" : "scan_threads", macros);
  const Grid grid = long_rows ? Grid{static_cast<unsigned>(r.rows)} : blocks(r.rows, 256);
  launch(f, "scan", grid, {256}, 0, static_cast<const void*>(self.raw()), out.raw(),
         static_cast<void*>(indices.defined() ? indices.raw() : nullptr), r);
}
void recurrence_entry(const Tensor& x, const Tensor& factor, int64_t dim, bool reverse, const Tensor& y) {
  if (!x.numel()) return;
  DeviceGuard guard(x.device().index);
  const Rows r = rows_of(x, dim, reverse, y, factor);
  launch(get_function(scan_text, "recurrence", str(scalar_macros(x.dtype()), ";SCAN=0")), "recurrence", blocks(r.rows, 256), {256}, 0,
         static_cast<const void*>(x.raw()), static_cast<const void*>(factor.raw()), y.raw(), r);
}

const Provide provide_scan(DeviceType::CUDA, &Kernels::scan, &scan_entry);
const Provide provide_recurrence(DeviceType::CUDA, &Kernels::recurrence, &recurrence_entry);

}  // namespace
}  // namespace bolide::cuda
