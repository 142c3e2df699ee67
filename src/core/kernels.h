// Kernels: what a device provides. Kernel<...> (one entry) | Kernels (the table, by family) | kernels(device) |
// Provide (how a device's file fills an entry).
//
// Entries take checked tensors: shapes agree, results are allocated with their final sizes and dtype, indices into
// dimensions are wrapped. Any strides are allowed unless an entry says "contiguous". Kernels check only what only they
// can see (index values). An empty entry raises NotImplementedError with the entry's and the device's name; on the
// meta device it does nothing, so that ops need no case for meta.
#pragma once
#include "core/registry.h"

namespace bolide {

class Generator;
struct ConvShape;
struct PoolShape;

/// Called for an empty entry: returns when `entry` belongs to the meta device, else throws.
void missing_kernel(const char* name, const void* entry);
[[noreturn]] void fail_devices(const char* name, Device a, Device b);

/// Tensors that meet in one kernel must be on one device: a last line, behind the checks of the ops.
class OneDevice {
 public:
  explicit OneDevice(const char* name) : name_(name) {}
  void see(const Tensor& t) {
    if (!t.defined()) return;
    const Device d = t.device();
    if (!seen_) first_ = d, seen_ = true;
    else if (d != first_) [[unlikely]] fail_devices(name_, first_, d);
  }
  void see(TensorList l) {
    for (const Tensor& t : l) see(t);
  }
  template <class T> void see(const T&) {}

 private:
  const char* name_;
  Device first_;
  bool seen_ = false;
};

template <class F> class Kernel;
template <class... A>
class Kernel<void(A...)> {
 public:
  /// across: the entry works between devices.
  constexpr explicit Kernel(const char* name, bool across = false) : name_(name), across_(across) {}
  void operator()(A... args) const {
    if (!run_) [[unlikely]] return missing_kernel(name_, this);
    if (!across_) {
      OneDevice one(name_);
      (one.see(args), ...);
    }
    run_(args...);
  }
  /// Whether the device has it; ops that can compose the result from other ops ask first.
  explicit operator bool() const { return run_; }
  void set(void (*run)(A...)) { run_ = run; }

 private:
  const char* name_;
  bool across_;
  void (*run_)(A...) = nullptr;
};

/// A set of dimensions of a tensor, one bit each.
using DimSet = uint64_t;

enum class ReduceOp : uint8_t { Sum, NanSum, Prod, Max, Min, All, Any, Count };
enum class ScanOp : uint8_t { Sum, Prod, LogSumExp, Max, Min };
/// Distributions that fill a tensor, with their parameters a and b. Integers: the dtype's whole range from 0 on.
enum class Fill : uint8_t { Uniform, Normal, Bernoulli, Exponential, Geometric, Cauchy, LogNormal, Integers };
/// Draws whose parameters are tensors: of p; of a rate; of a shape; of counts and p.
enum class Draw : uint8_t { Bernoulli, Poisson, Gamma, Binomial };
/// Which element of a line: of rank k, the median (any NaN wins), the median of what is not NaN.
enum class Rank : uint8_t { Kth, Median, NanMedian };
enum class ScatterOp : uint8_t { Set, Add, Mul, Max, Min };
/// How index values are judged and what is said of bad ones. Advanced, Fill and Take count negative ones from the end.
enum class Bounds : uint8_t { Advanced, Fill, Take, Select, Add, Copy };

/// A pointwise call on a device that runs expressions from their text (see iter/pointwise.h).
namespace iter { class Plan; struct Expression; }

struct Kernels {
  using T = const Tensor&;  // inputs, and outputs written through the handle

  // ---- memory: dst and src have one shape; dtypes convert as C++ does
  Kernel<void(T dst, T src)> copy{"copy"};
  Kernel<void(T self, const Scalar& value)> fill{"fill"};
  // 0, 1, 2, ... in self: int64, contiguous
  Kernel<void(T self)> iota{"iota"};
  // between devices, one of which is this one: one shape, any strides and dtypes
  Kernel<void(T dst, T src, bool non_blocking)> transfer{"transfer", true};

  // ---- pointwise: only on devices that compile text; the CPU's loops stand in iter/pointwise.h
  Kernel<void(const iter::Plan& plan, const iter::Expression& f)> pointwise{"pointwise"};

  // ---- reductions over the dimensions in `dims`; outputs have any strides, those dimensions of size 1 or absent. Results
  // have self's dtype, but int64 for Sum and Prod of integers and bools and for Count, bool for All and Any.
  Kernel<void(ReduceOp op, T self, DimSet dims, T out)> reduce{"reduce"};
  Kernel<void(T self, DimSet dims, T out)> reduce_mean{"reduce_mean"};
  // the p-th root of the sum of |x|^p; p = 0 counts non-zeros, +-inf give extremes; out has the real dtype
  Kernel<void(T self, DimSet dims, double p, T out)> reduce_norm{"reduce_norm"};
  // variance (root: its root) over max(0, n - correction), and mean, in one pass; either may be undefined
  Kernel<void(T self, DimSet dims, double correction, bool root, T variance, T mean)> reduce_var{"reduce_var"};
  // largest or smallest and its first position (int64); NaN wins. Either output may be undefined. Over one dimension, or
  // over all of a contiguous tensor
  Kernel<void(T self, DimSet dims, bool largest, T values, T indices)> extreme{"extreme"};
  // running results along `dim` (reverse: from its end), self and out of one dtype; indices (Max, Min) may be undefined
  Kernel<void(ScanOp op, T self, int64_t dim, bool reverse, T out, T indices)> scan{"scan"};
  // y[k] = x[k] + factor[k] * y[k - 1], or, in reverse, y[k] = x[k] + factor[k + 1] * y[k + 1]
  Kernel<void(T x, T factor, int64_t dim, bool reverse, T y)> recurrence{"recurrence"};
  // lines along `dim` in order, NaN above all; of the outputs either may be undefined
  Kernel<void(T self, int64_t dim, bool descending, bool stable, T values, T indices)> sort{"sort"};
  Kernel<void(T self, int64_t k, int64_t dim, bool largest, bool sorted, T values, T indices)> topk{"topk"};
  // one element of each line and its position: of rank k from 0, or the (lower) median
  Kernel<void(Rank which, T self, int64_t k, int64_t dim, T values, T indices)> rank{"rank"};
  Kernel<void(T self, int64_t dim, T values, T indices)> mode{"mode"};
  // where values belong in sorted sequences, [n] or one for each line of values; all contiguous, sorter may be undefined
  Kernel<void(T sequence, T sorter, T values, bool right, T out)> search{"search"};
  // the order that sorts the rows of a contiguous [n, ...] tensor
  Kernel<void(T rows, T order)> sort_whole_rows{"sort_whole_rows"};

  // ---- indexing; index tensors are int64 and judged by the kernel, which raises in the words of `bounds`.
  // self's dimensions first, first + 1, ... are looked up by `indices` (contiguous, of one shape), whose shape stands in their
  // place in out (contiguous)
  Kernel<void(T self, TensorList indices, int64_t first, Bounds bounds, T out)> index{"index"};
  // the way back: values (contiguous, or one element) go into self; equal places in order
  Kernel<void(ScatterOp op, T self, TensorList indices, int64_t first, Bounds bounds, T values)> index_put{"index_put"};
  // out[.., i, ..] = self[.., index[.., i, ..], ..]; index has out's shape and is no larger than self but along dim
  Kernel<void(T self, int64_t dim, T index, T out)> gather{"gather"};
  // self[.., index[.., i, ..], ..] op= src[.., i, ..]; index is no larger than src, and than self but along dim
  Kernel<void(ScatterOp op, T self, int64_t dim, T index, T src)> scatter{"scatter"};
  // positions of the n non-zeros of self (contiguous) in order, into out, int64 [n, self.dim()], contiguous
  Kernel<void(T self, T out)> nonzero{"nonzero"};
  Kernel<void(T grad, T indices, int64_t padding_idx, T grad_weight)> embedding_backward{"embedding_backward"};

  // ---- matrix products: c = beta * c + alpha * a @ b (+ bias of n values) (then relu); 2-d or 3-d (batched); a and b of
  // any strides, c's rows contiguous
  Kernel<void(T a, T b, T c, T bias, const Scalar& alpha, const Scalar& beta, bool relu)> gemm{"gemm"};

  // ---- convolutions on contiguous tensors (ConvShape: cpu-independent geometry, core/conv_shape.h); bias may be undefined
  Kernel<void(const ConvShape& s, T x, T w, T bias, T y)> conv_forward{"conv_forward"};
  Kernel<void(const ConvShape& s, T dy, T w, T bias, T dx)> conv_backward_data{"conv_backward_data"};
  Kernel<void(const ConvShape& s, T x, T dy, T dw, T db)> conv_backward_weights{"conv_backward_weights"};
  // db [channels]: the sums of dy [n, channels, ...]
  Kernel<void(T dy, T db)> conv_bias_grad{"conv_bias_grad"};

  // ---- pooling of contiguous images (PoolShape: core/pool_shape.h); indices are flat positions in the input image
  Kernel<void(const PoolShape& s, T x, T y, T indices)> max_pool{"max_pool"};  // indices may be undefined
  Kernel<void(const PoolShape& s, T x, T y, T indices)> adaptive_max_pool{"adaptive_max_pool"};
  Kernel<void(const PoolShape& s, T x, T samples, T y, T indices)> fractional_max_pool{"fractional_max_pool"};
  // y (of s.in) = 0; y[indices] += x, or = x without `add`; and x (of s.in) at indices
  Kernel<void(const PoolShape& s, T x, T indices, bool add, T y)> pool_scatter{"pool_scatter"};
  Kernel<void(const PoolShape& s, T x, T indices, T y)> pool_gather{"pool_gather"};
  // divisor 0: the window's size, with padding when count_pad
  Kernel<void(const PoolShape& s, T x, bool count_pad, int64_t divisor, T y)> avg_pool{"avg_pool"};
  Kernel<void(const PoolShape& s, T dy, bool count_pad, int64_t divisor, T dx)> avg_pool_backward{"avg_pool_backward"};
  Kernel<void(const PoolShape& s, T x, T y)> adaptive_avg_pool{"adaptive_avg_pool"};
  Kernel<void(const PoolShape& s, T dy, T dx)> adaptive_avg_pool_backward{"adaptive_avg_pool_backward"};

  // ---- softmax, losses; all tensors contiguous
  Kernel<void(T x, int64_t dim, bool log, T y)> softmax{"softmax"};
  Kernel<void(T dy, T y, int64_t dim, bool log, T dx)> softmax_backward{"softmax_backward"};
  // x [n, classes, inner], target int64 [n, inner], weight [classes] or undefined. reduction 0 none, 1 mean, 2 sum: loss is
  // [n, inner] or one value; total_weight is one value. Targets other than ignore_index are checked (IndexError).
  Kernel<void(T x, T target, T weight, int64_t reduction, int64_t ignore_index, T loss, T total_weight)> nll_loss{"nll_loss"};
  Kernel<void(T dy, T target, T weight, int64_t reduction, int64_t ignore_index, T total_weight, T dx)> nll_loss_backward{"nll_loss_backward"};
  // the same of log_softmax(x) for x [n, classes]; lse [n] keeps the log-sum-exp of each row in the compute type
  Kernel<void(T x, T target, T weight, int64_t reduction, int64_t ignore_index, T loss, T lse, T total_weight)> cross_entropy{"cross_entropy"};
  Kernel<void(T dy, T x, T lse, T target, T weight, int64_t reduction, int64_t ignore_index, T total_weight, T dx)>
      cross_entropy_backward{"cross_entropy_backward"};

  // ---- normalisations of contiguous tensors; statistics are in the compute type (float for halves); weight, bias, gradients may
  // be undefined. batch_norm_*: also dense in channels-last order, scales and shifts in the compute type
  Kernel<void(T x, int64_t n, T weight, T bias, double eps, T y, T mean, T rstd)> layer_norm{"layer_norm"};
  Kernel<void(T dy, T x, T mean, T rstd, T weight, int64_t n, T dx, T dw, T db)> layer_norm_backward{"layer_norm_backward"};
  Kernel<void(T x, int64_t n, T weight, double eps, T y, T rstd)> rms_norm{"rms_norm"};
  Kernel<void(T dy, T x, T rstd, T weight, int64_t n, T dx, T dw)> rms_norm_backward{"rms_norm_backward"};
  Kernel<void(T x, int64_t groups, T weight, T bias, double eps, T y, T mean, T rstd)> group_norm{"group_norm"};
  Kernel<void(T dy, T x, T mean, T rstd, T weight, int64_t groups, T dx, T dw, T db)> group_norm_backward{"group_norm_backward"};
  Kernel<void(T x, T mean, T variance)> batch_norm_stats{"batch_norm_stats"};
  Kernel<void(T x, T scale, T shift, T y)> batch_norm_apply{"batch_norm_apply"};
  Kernel<void(T dy, T x, T mean, T sum_dy, T sum_dy_x)> batch_norm_sums{"batch_norm_sums"};
  Kernel<void(T dy, T x, T mean, T mean_dy, T slope, T scale, T dx)> batch_norm_dx{"batch_norm_dx"};

  // ---- random numbers, PyTorch's for the same seed; self of any layout is filled in the order of its memory, complex as
  // pairs of reals
  Kernel<void(Fill which, T self, double a, double b, Generator* g)> random_fill{"random_fill"};
  Kernel<void(T self, int64_t from, uint64_t range, Generator* g)> random_range{"random_range"};  // range 0: 2^64
  // one draw for each element of contiguous tensors: out has a's dtype but for Bernoulli
  Kernel<void(Draw which, T a, T b, T out, Generator* g)> random_draw{"random_draw"};
  // categories by the contiguous rows of probabilities, with replacement; out int64 [rows, samples]
  Kernel<void(T probabilities, T out, Generator* g)> multinomial{"multinomial"};
  Kernel<void(T self, Generator* g)> randperm{"randperm"};
  // y = x * mask / (1 - p); mask (bool) is written
  Kernel<void(T x, double p, T y, T mask, Generator* g)> dropout{"dropout"};

  // ---- optimizer steps over many tensors in one call; lists have one length, or none where a column is not used. The
  // tensors of a row are float or double and dense in one order of dimensions, so that kernels see flat arrays
  struct Adam { double lr, beta1, beta2, eps, weight_decay; bool decoupled, maximize; };
  Kernel<void(TensorList p, TensorList g, TensorList first, TensorList second, TensorList max_second, std::span<const double> steps, const Adam& s)> adam{"adam"};
  struct Sgd { double lr, momentum, dampening, weight_decay; bool nesterov, maximize, first; };
  Kernel<void(TensorList p, TensorList g, TensorList buffers, const Sgd& s)> sgd{"sgd"};
  // sums[i] (double) = the sum of squares of x[i], which is dense
  Kernel<void(TensorList x, T sums)> sums_of_squares{"sums_of_squares"};
};

extern Kernels g_kernels[3];  // by DeviceType; constant-initialised, so that files may fill it in any order
inline const Kernels& kernels(Device d) { return g_kernels[static_cast<int>(d.type)]; }
inline const Kernels& kernels(const Tensor& t) { return kernels(t.device()); }

/// `const Provide cpu_softmax(DeviceType::CPU, &Kernels::softmax, &softmax);` in the device's own file.
struct Provide {
  template <class F>
  Provide(DeviceType d, Kernel<F> Kernels::*entry, F* run) { (g_kernels[static_cast<int>(d)].*entry).set(run); }
};

}  // namespace bolide
