// The kernel table's sorting on the CPU: whole lines, the first k, single ranks, modes; binary search; rows in order.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpu/entries/shared.h"
#include "cpu/kernels/rows.h"
#include "cpu/pool.h"
#include "iter/lines.h"

namespace bolide {
namespace {

using Sortable = Join<Ints, Floats, Halves>;

int64_t length(const Tensor& t, int64_t dim) { return t.dim() ? t.sizes()[static_cast<size_t>(dim)] : 1; }

/// f(Tag<T>{}) for a type that sorts; bools as bytes.
template <class F>
void each_sortable(const char* op, DType t, F&& f) {
  if (t == DType::Bool) return f(Tag<uint8_t>{});
  dispatch<Sortable>(op, t, f);
}

/// Whether the lines of `t` along `dim` lie one after another.
bool rows_of(const Tensor& t, int64_t dim) { return !t.defined() || (t.is_contiguous() && (t.dim() == 0 || dim == t.dim() - 1)); }

/// Calls rows(x, count, values, indices) for contiguous lines of n elements of self, whose results have m: all lines at once
/// where they lie so, else line by line through buffers.
template <class T, class F>
void over_rows(const Tensor& self, int64_t dim, int64_t m, const Tensor& values, const Tensor& indices, F&& rows) {
  const int64_t n = length(self, dim);
  if (n == 0 || self.numel() == 0) return;
  if (rows_of(self, dim) && rows_of(values, dim) && rows_of(indices, dim))
    return rows(self.data<T>(), self.numel() / n, data_or_null<T>(values), data_or_null<int64_t>(indices));
  const iter::Lines lines({self, values, indices}, dim);
  const int64_t* stride = lines.strides();
  lines.run(16 * n, [&](char* const* p, const int64_t* step, int64_t count) {
    // few lines at a time: neighbours share cache lines
    const int64_t most = std::clamp<int64_t>((1 << 16) / n, 1, 16);
    std::vector<T> x(static_cast<size_t>(most * n)), v(static_cast<size_t>(most * m));
    std::vector<int64_t> at(static_cast<size_t>(most * m));
    for (int64_t first = 0; first < count; first += most) {
      const int64_t k = std::min(most, count - first);
      for (int64_t i = 0; i < n; ++i)
        for (int64_t l = 0; l < k; ++l)
          x[static_cast<size_t>(l * n + i)] = *reinterpret_cast<const T*>(p[0] + (first + l) * step[0] + i * stride[0]);
      rows(x.data(), k, v.data(), at.data());
      for (int64_t i = 0; i < m; ++i)
        for (int64_t l = 0; l < k; ++l) {
          const auto from = static_cast<size_t>(l * m + i);
          if (p[1]) *reinterpret_cast<T*>(p[1] + (first + l) * step[1] + i * stride[1]) = v[from];
          if (p[2]) *reinterpret_cast<int64_t*>(p[2] + (first + l) * step[2] + i * stride[2]) = at[from];
        }
    }
  });
}

void sort_entry(const Tensor& self, int64_t dim, bool descending, bool, const Tensor& values, const Tensor& indices) {
  const int64_t n = length(self, dim);
  each_sortable("sort", self.dtype(), [&]<class T>(Tag<T>) {
    over_rows<T>(self, dim, n, values, indices, [&](const T* x, int64_t rows, T* v, int64_t* at) { cpu::sort_rows(x, rows, n, descending, v, at); });
  });
}
const Provide provide_sort(DeviceType::CPU, &Kernels::sort, &sort_entry);

void topk_entry(const Tensor& self, int64_t k, int64_t dim, bool largest, bool, const Tensor& values, const Tensor& indices) {
  const int64_t n = length(self, dim);
  if (k == 0) return;
  each_sortable("topk", self.dtype(), [&]<class T>(Tag<T>) {
    over_rows<T>(self, dim, k, values, indices, [&](const T* x, int64_t rows, T* v, int64_t* at) {
      cpu::topk_rows(x, rows, n, k, largest, v, at);
    });
  });
}
const Provide provide_topk(DeviceType::CPU, &Kernels::topk, &topk_entry);

// ---- single ranks ------------------------------------------------------------------------------

template <class T>
bool not_a_number(T x) {
  if constexpr (std::is_integral_v<T>) return false;
  else return std::isnan(static_cast<cpu::Compute<T>>(x));
}
/// x[a] before x[b]: NaN last, equal ones by position.
template <class T>
struct Before {
  const T* x;
  bool operator()(int32_t a, int32_t b) const {
    using A = cpu::Compute<T>;
    const A p = A(x[a]), q = A(x[b]);
    if (p < q) return true;
    if (q < p) return false;
    const bool pn = not_a_number(x[a]), qn = not_a_number(x[b]);
    return pn != qn ? qn : a < b;
  }
};
/// The position of rank k (from 0), or of the median.
template <class T>
int64_t position_of(Rank which, const T* x, int64_t n, int64_t k, std::vector<int32_t>& order) {
  if (which == Rank::Median)
    for (int64_t i = 0; i < n; ++i)
      if (not_a_number(x[i])) return i;
  if (which != Rank::Kth) {
    int64_t m = n;
    if (which == Rank::NanMedian) m -= std::count_if(x, x + n, [](T v) { return not_a_number(v); });
    k = m ? (m - 1) / 2 : 0;
  }
  order.resize(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::nth_element(order.begin(), order.begin() + k, order.end(), Before<T>{x});
  return order[static_cast<size_t>(k)];
}

void rank_entry(Rank which, const Tensor& self, int64_t k, int64_t dim, const Tensor& values, const Tensor& indices) {
  const int64_t n = length(self, dim);
  each_sortable("kthvalue_cpu", self.dtype(), [&]<class T>(Tag<T>) {
    over_rows<T>(self, dim, 1, values, indices, [&](const T* x, int64_t rows, T* v, int64_t* at) {
      parallel_for(0, rows, std::max<int64_t>(1, 4096 / n), [&](int64_t b, int64_t e) {
        std::vector<int32_t> order;
        for (int64_t r = b; r < e; ++r) {
          const int64_t found = position_of(which, x + r * n, n, k, order);
          if (v) v[r] = x[r * n + found];
          if (at) at[r] = found;
        }
      });
    });
  });
}
const Provide provide_rank(DeviceType::CPU, &Kernels::rank, &rank_entry);

// The smallest of the most frequent values; its last position.
void mode_entry(const Tensor& self, int64_t dim, const Tensor& values, const Tensor& indices) {
  const int64_t n = length(self, dim);
  each_sortable("mode_cpu", self.dtype(), [&]<class T>(Tag<T>) {
    over_rows<T>(self, dim, 1, values, indices, [&](const T* x, int64_t rows, T* v, int64_t* at) {
      std::vector<T> sorted(static_cast<size_t>(n));
      std::vector<int64_t> order(static_cast<size_t>(n));
      for (int64_t r = 0; r < rows; ++r) {
        cpu::sort_rows(x + r * n, 1, n, false, sorted.data(), order.data());
        int64_t best = 0, longest = 0;
        for (int64_t b = 0; b < n;) {
          int64_t e = b + 1;
          while (e < n && sorted[static_cast<size_t>(e)] == sorted[static_cast<size_t>(b)]) ++e;
          if (e - b > longest) longest = e - b, best = e - 1;
          b = e;
        }
        if (v) v[r] = sorted[static_cast<size_t>(best)];
        if (at) at[r] = order[static_cast<size_t>(best)];
      }
    });
  });
}
const Provide provide_mode(DeviceType::CPU, &Kernels::mode, &mode_entry);

// ---- searching -----------------------------------------------------------------------------------

/// How many of seq[0..n) come before v (right: or equal it); NaN is above all. `order`, when there, sorts seq.
template <class T>
int64_t place_of(const T* seq, const int64_t* order, int64_t n, T v, bool right) {
  using A = cpu::Compute<T>;
  int64_t low = 0, high = n;
  while (low < high) {
    const int64_t mid = low + (high - low) / 2;
    const A s = A(order ? seq[order[mid]] : seq[mid]);
    const bool before = right ? !(s > A(v)) : !(s >= A(v));
    if (before) low = mid + 1;
    else high = mid;
  }
  return low;
}

void search_entry(const Tensor& sequence, const Tensor& sorter, const Tensor& values, bool right, const Tensor& out) {
  const int64_t n = length(sequence, sequence.dim() - 1), lines = sequence.dim() <= 1 ? 1 : n ? sequence.numel() / n : 1;
  const int64_t each = lines == 1 ? values.numel() : length(values, values.dim() - 1);
  each_sortable("searchsorted_out_cpu", values.dtype(), [&]<class T>(Tag<T>) {
    const T *seq = sequence.data<T>(), *v = values.data<T>();
    const int64_t* order = data_or_null<int64_t>(sorter);
    parallel_for(0, values.numel(), 2048, [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) {
        const int64_t start = lines == 1 ? 0 : i / each * n;
        const int64_t at = place_of(seq + start, order ? order + start : nullptr, n, v[i], right);
        if (out.dtype() == DType::Int32) out.data<int32_t>()[i] = static_cast<int32_t>(at);
        else out.data<int64_t>()[i] = at;
      }
    });
  });
}
const Provide provide_search(DeviceType::CPU, &Kernels::search, &search_entry);

// The order that sorts rows [n, m] lexicographically, stably.
void sort_whole_rows_entry(const Tensor& rows, const Tensor& order) {
  const int64_t n = rows.size(0), m = n ? rows.numel() / n : 0;
  int64_t* o = order.data<int64_t>();
  std::iota(o, o + n, 0);
  each_sortable("unique_dim", rows.dtype(), [&]<class T>(Tag<T>) {
    const T* x = rows.data<T>();
    using A = cpu::Compute<T>;
    std::stable_sort(o, o + n, [&](int64_t a, int64_t b) {
      for (int64_t i = 0; i < m; ++i) {
        const A p = A(x[a * m + i]), q = A(x[b * m + i]);
        if (p < q) return true;
        if (q < p) return false;
        if (not_a_number(x[a * m + i]) != not_a_number(x[b * m + i])) return not_a_number(x[b * m + i]);
      }
      return false;
    });
  });
}
const Provide provide_sort_whole_rows(DeviceType::CPU, &Kernels::sort_whole_rows, &sort_whole_rows_entry);

}  // namespace
}  // namespace bolide
