// The kernel table's reductions on the CPU.
#include "cpu/kernels/reducers.h"

namespace bolide {
namespace {

using namespace cpu;

const char* name_of(ReduceOp op) {
  switch (op) {
    case ReduceOp::Sum: return "sum_cpu";
    case ReduceOp::NanSum: return "nansum_cpu";
    case ReduceOp::Prod: return "prod_cpu";
    case ReduceOp::Max: return "max_values_cpu";
    case ReduceOp::Min: return "min_values_cpu";
    case ReduceOp::All: return "and_all";
    case ReduceOp::Any: return "or_any";
    default: return "count_nonzero_cpu";
  }
}

void reduce_entry(ReduceOp op, const Tensor& self, DimSet dims, const Tensor& out) {
  const bool sums = op == ReduceOp::Sum || op == ReduceOp::NanSum;
  const iter::Reducer r = sums ? sum_reducer(name_of(op), self.dtype(), op == ReduceOp::NanSum) : fold_reducer(name_of(op), op, self.dtype());
  iter::reduce(r, self, dims, out);
}
const Provide provide_reduce(DeviceType::CPU, &Kernels::reduce, &reduce_entry);

void mean_entry(const Tensor& self, DimSet dims, const Tensor& out) {
  const double count = static_cast<double>(iter::reduced_count(self, dims));
  iter::reduce(mean_reducer("mean_cpu", self.dtype()), self, dims, out, {}, &count);
}
const Provide provide_mean(DeviceType::CPU, &Kernels::reduce_mean, &mean_entry);

void norm_entry(const Tensor& self, DimSet dims, double p, const Tensor& out) {
  iter::reduce(norm_reducer("norm_cpu", p, self.dtype()), self, dims, out, {}, &p);
}
const Provide provide_norm(DeviceType::CPU, &Kernels::reduce_norm, &norm_entry);

void variance_entry(const Tensor& self, DimSet dims, double correction, bool root, const Tensor& variance, const Tensor& mean) {
  const double n = static_cast<double>(iter::reduced_count(self, dims));
  const Variance v{std::max(0.0, n - correction), root};
  iter::reduce(variance_reducer("std_cpu", self.dtype()), self, dims, variance, mean, &v);
}
const Provide provide_variance(DeviceType::CPU, &Kernels::reduce_var, &variance_entry);

void extreme_entry(const Tensor& self, DimSet dims, bool largest, const Tensor& values, const Tensor& indices) {
  iter::reduce(extreme_reducer(largest ? "max_cpu" : "min_cpu", largest, self.dtype()), self, dims, values, indices);
}
const Provide provide_extreme(DeviceType::CPU, &Kernels::extreme, &extreme_entry);

}  // namespace
}  // namespace bolide
