// Lines: walking tensors along one dimension, in bundles of neighbouring lines, threaded.
#pragma once
#include <algorithm>

#include "cpu/pool.h"
#include "iter/plan.h"

namespace bolide::iter {

/// The 1-d lines of some tensors along `dim`. They share the sizes of all other dimensions; what lies along `dim`, and
/// how much, is each tensor's own.
class Lines {
 public:
  static constexpr int kMost = 4;  // tensors

  /// `sizes` are those of the walk, for tensors that are larger; an undefined tensor has null pointers. A 0-d tensor has
  /// one line of one element.
  Lines(std::initializer_list<Tensor> tensors, int64_t dim, IntList sizes);
  Lines(std::initializer_list<Tensor> tensors, int64_t dim) : Lines(tensors, dim, tensors.begin()->sizes()) {}

  int64_t count() const { return count_; }
  /// Bytes between neighbouring elements of tensor k's lines.
  int64_t stride(int k) const { return stride_[k]; }
  const int64_t* strides() const { return stride_; }
  /// Starts tensor k's lines `elements` later.
  void shift(int k, int64_t elements) { base_[k] += elements * stride_[k]; }

  /// Calls f(p, step, m) for bundles of m lines: p[k] is where tensor k's first line starts, step[k] the bytes to its next
  /// one. `cost` is about how many elements' work a line is.
  template <class F>
  void run(int64_t cost, F&& f) const {
    if (count_ == 0) return;
    const int64_t width = dims_ ? outer_[0].size : 1;
    const int64_t share = (width + num_threads() - 1) / num_threads();
    const int64_t block = std::min(kBundle, std::max<int64_t>(1, (share + 15) / 16 * 16));
    const int64_t blocks = (width + block - 1) / block, items = count_ / width * blocks;
    parallel_for(0, items, std::max<int64_t>(1, kGrain / (std::max<int64_t>(cost, 1) * std::min(block, width))), [&](int64_t b, int64_t e) {
      char* p[kMost];
      for (int64_t i = b; i < e; ++i) {
        const int64_t first = i % blocks * block;
        locate(i / blocks, first, p);
        f(p, outer_[0].step, std::min(block, width - first));
      }
    });
  }

 private:
  static constexpr int64_t kBundle = 256, kGrain = 32768;
  struct Dim {
    int64_t size, step[kMost];
  };
  void locate(int64_t outer, int64_t first, char** p) const;

  int tensors_ = 0, dims_ = 0;
  int64_t count_ = 1;
  int64_t stride_[kMost] = {};
  char* base_[kMost] = {};
  Dim outer_[64];
};

}  // namespace bolide::iter
