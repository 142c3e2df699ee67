// Map: checking indices | Places: where the rows of an indexed tensor lie | Slab: what surrounds the indexed dimensions
//
// What reading and writing by index share.
#pragma once

#include <memory>

#include "core/kernels.h"

namespace bolide::cpu {

/// Byte offsets into self of the rows that some indices look up, checked.
class Places {
 public:
  Places(const Tensor& self, TensorList indices, int64_t first, Bounds bounds);
  int64_t count() const { return count_; }
  const int64_t* data() const { return heap_ ? heap_.get() : stack_; }

 private:
  static constexpr int64_t kStack = 128;
  int64_t count_;
  std::unique_ptr<int64_t[]> heap_;
  int64_t stack_[kStack];
};

/// The dimensions before and after those that are indexed: `outer` places with `rows` rows each of `inner` elements.
struct Slab {
  struct Dim {
    int64_t size, stride;  // bytes
  };
  std::vector<Dim> before, after;  // merged, the last the fastest
  int64_t outer = 1, inner = 1, item;
  bool dense;  // a row's elements are neighbours in self

  Slab(const Tensor& self, int64_t first, int64_t indexed);
  int64_t row_bytes() const { return inner * item; }
  /// Offset in self of outer place o.
  int64_t offset(int64_t o) const;
  /// f(offset in self, element within the row, run length) for every run of a row; neighbours lie step() bytes apart.
  template <class F>
  void each_run(F&& f) const {
    if (after.empty()) return f(int64_t(0), int64_t(0), int64_t(1));
    const int64_t n = after.back().size, runs = inner / n;
    for (int64_t r = 0; r < runs; ++r) {
      int64_t at = 0, rest = r;
      for (size_t d = after.size() - 1; d-- > 0;) at += rest % after[d].size * after[d].stride, rest /= after[d].size;
      f(at, r * n, n);
    }
  }
  int64_t step() const { return after.empty() ? item : after.back().stride; }
};

}  // namespace bolide::cpu
