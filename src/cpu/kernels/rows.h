// Map: softmax, cross entropy | normalisations | embedding, dropout | sums | sort, top-k |
//      optimizer steps
//
// Kernels over contiguous rows on raw pointers, threaded and built for every instruction set. T is float,
// double, Half or BFloat16 unless said; halves compute in float (Compute) and round once. Results depend on the
// shapes and the number of threads at most, never on scheduling. Callers check indices and shapes.
#pragma once

#include <cstdint>
#include <type_traits>

#include "bolide/half.h"

namespace bolide::cpu {

template <class T> using Compute = std::conditional_t<sizeof(T) == 2, float, T>;

// ---- softmax, cross entropy (softmax.cpp) ----------------------------------------------------------------

// Softmax of each row of x[rows, n], or its logarithm. x may be y.
template <class T> void softmax_rows(const T* x, T* y, int64_t rows, int64_t n, bool log);
template <class T> void softmax_backward_rows(const T* g, const T* y, T* dx, int64_t rows, int64_t n, bool log);
// The same along the middle of [outer, dim, inner].
template <class T> void softmax_inner(const T* x, T* y, int64_t outer, int64_t dim, int64_t inner, bool log);
template <class T> void softmax_backward_inner(const T* g, const T* y, T* dx, int64_t outer, int64_t dim, int64_t inner, bool log);

// loss[r] = weight[target[r]] * (lse[r] - x[r, target[r]]), 0 where the target is ignore_index; lse[r] is the
// row's log-sum-exp, which backward reads. weight may be null.
template <class T>
void cross_entropy_rows(const T* x, const int64_t* target, const Compute<T>* weight, int64_t ignore_index, int64_t rows,
                        int64_t n, Compute<T>* loss, Compute<T>* lse);
// dx[r, i] = scale[r] * (softmax(x)[r, i] - (i == target[r])). scale is the gradient of the row's loss times its
// class weight, 0 for ignored rows (whose target is not read).
template <class T>
void cross_entropy_backward_rows(const T* x, const Compute<T>* lse, const int64_t* target, const Compute<T>* scale,
                                 int64_t rows, int64_t n, T* dx);

// ---- normalisations (norm.cpp, batch_norm.cpp) -------------------------------------------------------------

// y = (x - mean) * rstd * weight + bias by rows; weight and bias may be null, also mean and rstd.
template <class T>
void layer_norm_rows(const T* x, const T* weight, const T* bias, int64_t rows, int64_t n, double eps, T* y,
                     Compute<T>* mean, Compute<T>* rstd);
// Any of dx, dweight, dbias may be null.
template <class T>
void layer_norm_backward_rows(const T* g, const T* x, const Compute<T>* mean, const Compute<T>* rstd, const T* weight,
                              int64_t rows, int64_t n, T* dx, T* dweight, T* dbias);
// y = x * rstd * weight with rstd = 1 / sqrt(mean(x^2) + eps).
template <class T>
void rms_norm_rows(const T* x, const T* weight, int64_t rows, int64_t n, double eps, T* y, Compute<T>* rstd);
template <class T>
void rms_norm_backward_rows(const T* g, const T* x, const Compute<T>* rstd, const T* weight, int64_t rows, int64_t n,
                            T* dx, T* dweight);
// x is [batch, channels, plane]; mean and rstd are [batch, groups]; weight and bias [channels] may be null.
template <class T>
void group_norm(const T* x, const T* weight, const T* bias, int64_t batch, int64_t channels, int64_t plane, int64_t groups,
                double eps, T* y, Compute<T>* mean, Compute<T>* rstd);
template <class T>
void group_norm_backward(const T* g, const T* x, const Compute<T>* mean, const Compute<T>* rstd, const T* weight,
                         int64_t batch, int64_t channels, int64_t plane, int64_t groups, T* dx, T* dweight, T* dbias);

// Images of [batch, channels, plane] (planes contiguous), or, with channels_last, [batch, plane, channels].
struct Images {
  int64_t batch, channels, plane;
  bool channels_last;
};
// Mean and biased variance of each channel.
template <class T> void batch_norm_stats(const T* x, Images s, Compute<T>* mean, Compute<T>* variance);
// y = x * scale[c] + shift[c]
template <class T> void batch_norm_apply(const T* x, Images s, const Compute<T>* scale, const Compute<T>* shift, T* y);
// Sums over each channel of g and of g * (x - mean): dbias, and dweight / rstd.
template <class T>
void batch_norm_sums(const T* g, const T* x, Images s, const Compute<T>* mean, Compute<T>* sum_g, Compute<T>* sum_gx);
// dx = (g - mean_g[c] - (x - mean[c]) * slope[c]) * scale[c]; in evaluation mean_g and slope are zeros.
template <class T>
void batch_norm_dx(const T* g, const T* x, Images s, const Compute<T>* mean, const Compute<T>* mean_g,
                   const Compute<T>* slope, const Compute<T>* scale, T* dx);

// ---- embedding, dropout (embedding.cpp) ----------------------------------------------------------------------

// dweight[v] = the sum of g's rows whose index is v, in their order; every row of dweight [vocabulary, n] is
// written. Rows with index padding (-1: none) are left out.
template <class T>
void embedding_backward(const T* g, const int64_t* indices, int64_t count, int64_t vocabulary, int64_t n, int64_t padding, T* dweight);
// y = mask[i] ? x[i] * scale : 0
template <class T> void dropout(const T* x, const uint8_t* mask, double scale, int64_t n, T* y);

// ---- sums (sum.cpp; all other reductions: reducers.h) ---------------------------------------------------------

// All of x[n] in PyTorch's order of additions, which depends on the thread count; T is float or double.
template <class T> T sum_all(const T* x, int64_t n);

// ---- sort, top-k (sort.cpp) ----------------------------------------------------------------------------------

// Sorts each row, stably, NaN largest. values may be x; T also every integer type up to int64_t.
template <class T> void sort_rows(const T* x, int64_t rows, int64_t n, bool descending, T* values, int64_t* indices);
// The k largest (smallest) of each row in order, equal ones by position; 1 <= k <= n.
template <class T> void topk_rows(const T* x, int64_t rows, int64_t n, int64_t k, bool largest, T* values, int64_t* indices);

// ---- optimizer steps (optimizer.cpp), T float or double ------------------------------------------------------

struct AdamStep {
  double lr, beta1, beta2, eps, weight_decay;
  bool decoupled;  // AdamW
  bool maximize;
  double correction1, correction2;  // 1 - beta^step
};
// max_second may be null (no amsgrad).
template <class T> void adam_step(T* p, const T* g, T* first, T* second, T* max_second, int64_t n, const AdamStep& s);
struct SgdStep {
  double lr, momentum, dampening, weight_decay;
  bool nesterov, maximize, first;
};
template <class T> void sgd_step(T* p, const T* g, T* buffer, int64_t n, const SgdStep& s);
// The sum of squares, accumulated in vectors of T per block and in double across blocks.
template <class T> double sum_of_squares(const T* x, int64_t n);
template <class T> void scale_in_place(T* x, double factor, int64_t n);

}  // namespace bolide::cpu
