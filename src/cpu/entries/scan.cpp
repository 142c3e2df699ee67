// The kernel table's scans on the CPU.
#include "cpu/kernels/lines.h"
#include "iter/lines.h"

namespace bolide {
namespace {

const char* name_of(ScanOp op) {
  switch (op) {
    case ScanOp::Sum: return "cumsum_out_cpu";
    case ScanOp::Prod: return "cumprod_out_cpu";
    case ScanOp::LogSumExp: return "logcumsumexp_out_cpu";
    case ScanOp::Max: return "cummax_cpu";
    default: return "cummin_cpu";
  }
}

void scan_entry(ScanOp op, const Tensor& self, int64_t dim, bool reverse, const Tensor& out, const Tensor& indices) {
  const cpu::ScanLines run = cpu::scan_lines(name_of(op), op, self.dtype());
  const int64_t n = self.dim() ? self.sizes()[static_cast<size_t>(dim)] : 1;
  if (!self.numel()) return;
  const iter::Lines lines({self, out, indices}, dim);
  const int64_t cost = op == ScanOp::LogSumExp ? 32 * n : n;
  lines.run(cost, [&](char* const* p, const int64_t* step, int64_t m) {
    if (!reverse) return run(p, step, m, lines.strides(), n);
    char* last[3];
    int64_t stride[3];
    for (int k = 0; k < 3; ++k) {
      stride[k] = -lines.stride(k);
      last[k] = p[k] ? p[k] + (n - 1) * lines.stride(k) : nullptr;
    }
    run(last, step, m, stride, n);
  });
}
const Provide provide_scan(DeviceType::CPU, &Kernels::scan, &scan_entry);

}  // namespace
}  // namespace bolide
