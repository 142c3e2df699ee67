// Map: sums | folds | extremes with positions | variances
//
// Reducers (iter/reduce.h) of the CPU by input dtype, for the instruction set in use. Halves accumulate in float,
// integers and bools in int64. An op that does not exist for a dtype raises NotImplementedError naming `op`.
#pragma once

#include "iter/reduce.h"

namespace bolide::cpu {

// Sums in PyTorch's order of additions; results in the input's dtype, int64 for integers and bools.
iter::Reducer sum_reducer(const char* op, DType t, bool skip_nan);
// params: the count, a double. Floating and complex dtypes.
iter::Reducer mean_reducer(const char* op, DType t);

// Prod (integers: int64), Max, Min (the input's dtype), All, Any (bytes 0 and 1), Count (int64).
iter::Reducer fold_reducer(const char* op, ReduceOp which, DType t);
// params: p, a double. Results in the real counterpart of the input's dtype.
iter::Reducer norm_reducer(const char* op, double p, DType t);

// The largest or smallest element and its position along one dimension; the first NaN wins.
iter::Reducer extreme_reducer(const char* op, bool largest, DType t);

// params: Variance. Outputs: the variance (or its root), the mean.
struct Variance {
  double divisor;
  bool root;
};
iter::Reducer variance_reducer(const char* op, DType t);

}  // namespace bolide::cpu
