// The kernel table's optimizer steps on the CPU: the tensors of a call are cut into pieces, which the threads share.
#include <cmath>
#include <vector>

#include "core/kernels.h"
#include "cpu/kernels/rows.h"
#include "cpu/pool.h"

namespace bolide {
namespace {

constexpr int64_t kPiece = 16384;

struct Piece {
  size_t tensor;
  int64_t begin, n;
};

/// Calls f(piece) for every piece of every tensor.
template <class F>
void each_piece(TensorList list, int64_t piece, F&& f) {
  int64_t total = 0;
  for (const Tensor& t : list) total += t.numel();
  if (total <= piece) {  // small models: nothing to share
    for (size_t i = 0; i < list.size(); ++i)
      if (list[i].numel()) f(Piece{i, 0, list[i].numel()});
    return;
  }
  std::vector<Piece> pieces;
  for (size_t i = 0; i < list.size(); ++i)
    for (int64_t b = 0, n = list[i].numel(); b < n; b += piece) pieces.push_back({i, b, std::min(piece, n - b)});
  parallel_for(0, static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(pieces[static_cast<size_t>(i)]);
  });
}

template <class T>
T* at(TensorList column, const Piece& p) {
  return column.empty() ? nullptr : column[p.tensor].data<T>() + p.begin;
}

template <class F>
void float_or_double(DType t, F&& f) {
  if (t == DType::Float64) f(Tag<double>{});
  else f(Tag<float>{});
}

void adam_entry(TensorList p, TensorList g, TensorList first, TensorList second, TensorList max_second,
                std::span<const double> steps, const Kernels::Adam& s) {
  std::vector<cpu::AdamStep> each;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (i && steps[i] == steps[i - 1]) each.push_back(each.back());
    else each.push_back({s.lr, s.beta1, s.beta2, s.eps, s.weight_decay, s.decoupled, s.maximize, 1 - std::pow(s.beta1, steps[i]),
                         1 - std::pow(s.beta2, steps[i])});
  }
  each_piece(p, kPiece, [&](const Piece& q) {
    float_or_double(p[q.tensor].dtype(), [&]<class T>(Tag<T>) {
      cpu::adam_step(at<T>(p, q), at<T>(g, q), at<T>(first, q), at<T>(second, q), at<T>(max_second, q), q.n, each[q.tensor]);
    });
  });
}
const Provide provide_adam(DeviceType::CPU, &Kernels::adam, &adam_entry);

void sgd_entry(TensorList p, TensorList g, TensorList buffers, const Kernels::Sgd& s) {
  const cpu::SgdStep step{s.lr, s.momentum, s.dampening, s.weight_decay, s.nesterov, s.maximize, s.first};
  each_piece(p, kPiece, [&](const Piece& q) {
    float_or_double(p[q.tensor].dtype(), [&]<class T>(Tag<T>) {
      cpu::sgd_step(at<T>(p, q), at<T>(g, q), at<T>(buffers, q), q.n, step);
    });
  });
}
const Provide provide_sgd(DeviceType::CPU, &Kernels::sgd, &sgd_entry);

// Partial sums lie by position, so that the result does not depend on which thread made them.
void sums_of_squares_entry(TensorList x, const Tensor& sums) {
  constexpr int64_t kBlock = 32768;
  std::vector<size_t> start{0};
  for (const Tensor& t : x) start.push_back(start.back() + static_cast<size_t>((t.numel() + kBlock - 1) / kBlock));
  std::vector<double> part(start.back(), 0.0);
  each_piece(x, kBlock, [&](const Piece& q) {
    dispatch<Join<Floats, Halves>>("sums_of_squares", x[q.tensor].dtype(), [&]<class T>(Tag<T>) {
      part[start[q.tensor] + static_cast<size_t>(q.begin / kBlock)] = cpu::sum_of_squares(x[q.tensor].data<T>() + q.begin, q.n);
    });
  });
  for (size_t i = 0; i < x.size(); ++i) {
    double total = 0;
    for (size_t k = start[i]; k < start[i + 1]; ++k) total += part[k];
    sums.data<double>()[i] = total;
  }
}
const Provide provide_sums(DeviceType::CPU, &Kernels::sums_of_squares, &sums_of_squares_entry);

}  // namespace
}  // namespace bolide
