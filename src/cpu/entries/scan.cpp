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

/// Runs a kernel over the lines of three tensors, from their ends in reverse.
void run_lines(cpu::ScanLines run, const iter::Lines& lines, int64_t n, int64_t cost, bool reverse) {
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
int64_t length(const Tensor& t, int64_t dim) { return t.dim() ? t.sizes()[static_cast<size_t>(dim)] : 1; }

void scan_entry(ScanOp op, const Tensor& self, int64_t dim, bool reverse, const Tensor& out, const Tensor& indices) {
  const cpu::ScanLines run = cpu::scan_lines(name_of(op), op, self.dtype());
  if (!self.numel()) return;
  const int64_t n = length(self, dim);
  run_lines(run, iter::Lines({self, out, indices}, dim), n, op == ScanOp::LogSumExp ? 32 * n : n, reverse);
}
const Provide provide_scan(DeviceType::CPU, &Kernels::scan, &scan_entry);

void recurrence_entry(const Tensor& x, const Tensor& factor, int64_t dim, bool reverse, const Tensor& y) {
  const cpu::ScanLines run = cpu::recurrence_lines(x.dtype());
  if (!x.numel()) return;
  iter::Lines lines({x, factor, y}, dim);
  // in reverse the factor of a step stands one place later: its lines start there
  if (reverse) lines.shift(1, 1);
  run_lines(run, lines, length(x, dim), length(x, dim), reverse);
}
const Provide provide_recurrence(DeviceType::CPU, &Kernels::recurrence, &recurrence_entry);

}  // namespace
}  // namespace bolide
