// The kernel table's advanced indexing on the CPU: reading and writing rows by index, positions of non-zeros.
#include <algorithm>
#include <cstring>

#include "cpu/entries/shared.h"
#include "cpu/kernels/places.h"
#include "cpu/pool.h"
#include "iter/lines.h"

namespace bolide {
namespace {

using cpu::Places;
using cpu::Slab;

/// f(Tag<U>{}) with an unsigned type (or complex128) of `item` bytes: for moving elements of any dtype.
template <class F>
void by_size(int64_t item, F&& f) {
  switch (item) {
    case 1: return f(Tag<uint8_t>{});
    case 2: return f(Tag<uint16_t>{});
    case 4: return f(Tag<uint32_t>{});
    case 8: return f(Tag<uint64_t>{});
    default: return f(Tag<complex128>{});
  }
}

// ---- reading ---------------------------------------------------------------------------------

/// Rows that are dense in self: copied whole, asked for early, since they lie far apart.
void copy_rows(char* out, const char* self, const int64_t* places, int64_t n, int64_t bytes) {
  constexpr int64_t kAhead = 8;
  const int64_t lines = std::min<int64_t>(bytes, 512);
  for (int64_t i = 0; i < n; ++i, out += bytes) {
    if (i + kAhead < n)
      for (int64_t b = 0; b < lines; b += 64) __builtin_prefetch(self + places[i + kAhead] + b);
    std::memcpy(out, self + places[i], static_cast<size_t>(bytes));
  }
}
template <class T>
void copy_elements(T* out, const char* self, const int64_t* places, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = *reinterpret_cast<const T*>(self + places[i]);
}
template <class T>
void copy_strided(T* out, const char* self, const int64_t* places, int64_t n, const Slab& s) {
  const int64_t step = s.step();
  for (int64_t i = 0; i < n; ++i, out += s.inner)
    s.each_run([&](int64_t at, int64_t element, int64_t length) {
      const char* from = self + places[i] + at;
      for (int64_t k = 0; k < length; ++k, from += step) out[element + k] = *reinterpret_cast<const T*>(from);
    });
}

void index_entry(const Tensor& self, TensorList indices, int64_t first, Bounds bounds, const Tensor& out) {
  const Places places(self, indices, first, bounds);
  if (!out.numel()) return;
  const Slab s(self, first, static_cast<int64_t>(indices.size()));
  const int64_t rows = places.count(), row_bytes = s.row_bytes();
  parallel_for(0, s.outer * rows, std::max<int64_t>(1, 32768 / (s.inner + 4)), [&](int64_t b, int64_t e) {
    while (b < e) {  // within one outer place
      const int64_t o = b / rows, r = b % rows, n = std::min(e - b, rows - r);
      const char* from = self.raw() + s.offset(o);
      char* to = out.raw() + b * row_bytes;
      if (s.dense && s.inner > 1) copy_rows(to, from, places.data() + r, n, row_bytes);
      else by_size(s.item, [&]<class T>(Tag<T>) {
        if (s.inner == 1) copy_elements(reinterpret_cast<T*>(to), from, places.data() + r, n);
        else copy_strided(reinterpret_cast<T*>(to), from, places.data() + r, n, s);
      });
      b += n;
    }
  });
}
const Provide provide_index(DeviceType::CPU, &Kernels::index, &index_entry);

// ---- writing ---------------------------------------------------------------------------------

/// Writes rows of values (step 0: one value everywhere) whose places lie in [low, high).
template <class T, class Put>
void put_rows(char* self, const int64_t* places, int64_t n, int64_t low, int64_t high, const T* values, int64_t step, const Slab& s, Put put) {
  const int64_t apart = s.step();
  for (int64_t i = 0; i < n; ++i) {
    const int64_t place = places[i];
    if (place < low || place >= high) continue;
    const T* v = values + i * s.inner * step;
    if (s.dense) {
      T* to = reinterpret_cast<T*>(self + place);
      if (step) for (int64_t k = 0; k < s.inner; ++k) put(to[k], v[k]);
      else for (int64_t k = 0; k < s.inner; ++k) put(to[k], *v);
      continue;
    }
    s.each_run([&](int64_t at, int64_t element, int64_t length) {
      char* to = self + place + at;
      for (int64_t k = 0; k < length; ++k, to += apart) put(*reinterpret_cast<T*>(to), v[(element + k) * step]);
    });
  }
}

/// Outer places go to different threads; where there is one only, parts of self do, so that equal places are written in
/// order whatever the threads do.
template <class T, class Put>
void put(const Tensor& self, const Places& places, const Slab& s, const Tensor& values, Put put) {
  const int64_t rows = places.count(), step = values.numel() == 1 && rows * s.inner * s.outer != 1 ? 0 : 1;
  const T* v = values.data<T>();
  if (s.outer > 1) {
    parallel_for(0, s.outer, std::max<int64_t>(1, 32768 / (rows * s.inner)), [&](int64_t b, int64_t e) {
      for (int64_t o = b; o < e; ++o)
        put_rows(self.raw() + s.offset(o), places.data(), rows, INT64_MIN, INT64_MAX, v + o * rows * s.inner * step, step, s, put);
    });
    return;
  }
  int64_t low = 0, high = 0;
  const int64_t parts = rows * s.inner < 32768 ? 1 : num_threads();
  if (parts > 1) {
    const auto [least, most] = std::minmax_element(places.data(), places.data() + rows);
    low = *least, high = *most + 1;
  }
  parallel_for(0, parts, 1, [&](int64_t b, int64_t e) {
    const int64_t span = high - low;
    const int64_t from = b == 0 ? INT64_MIN : low + span * b / parts, to = e == parts ? INT64_MAX : low + span * e / parts;
    put_rows(self.raw(), places.data(), rows, from, to, v, step, s, put);
  });
}

template <class T>
T joined(ScatterOp op, T a, T b) {
  using A = std::conditional_t<std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>, float, T>;
  const A x = A(a), y = A(b);
  switch (op) {
    case ScatterOp::Add:
      if constexpr (std::is_same_v<T, bool>) return x || y;
      else return T(x + y);
    case ScatterOp::Mul:
      if constexpr (std::is_same_v<T, bool>) return x && y;
      else return T(x * y);
    default:
      if constexpr (std::is_same_v<T, complex64> || std::is_same_v<T, complex128>) return b;
      else if (op == ScatterOp::Max) return y > x || y != y ? b : a;
      else if (op == ScatterOp::Min) return y < x || y != y ? b : a;
      else return b;
  }
}
template <class T, class F>
void with_op(ScatterOp op, F&& f) {
  switch (op) {
    case ScatterOp::Add: return f([](T& a, T b) { a = joined(ScatterOp::Add, a, b); });
    case ScatterOp::Mul: return f([](T& a, T b) { a = joined(ScatterOp::Mul, a, b); });
    case ScatterOp::Max: return f([](T& a, T b) { a = joined(ScatterOp::Max, a, b); });
    default: return f([](T& a, T b) { a = joined(ScatterOp::Min, a, b); });
  }
}

void index_put_entry(ScatterOp op, const Tensor& self, TensorList indices, int64_t first, Bounds bounds, const Tensor& values) {
  const Places places(self, indices, first, bounds);
  const Slab s(self, first, static_cast<int64_t>(indices.size()));
  if (!places.count() || !s.outer || !s.inner) return;
  if (op == ScatterOp::Set) {
    by_size(s.item, [&]<class T>(Tag<T>) { put<T>(self, places, s, values, [](T& a, T b) { a = b; }); });
    return;
  }
  AllTypes::visit(self.dtype(), [&]<class T>(Tag<T>) {
    with_op<T>(op, [&](auto join) { put<T>(self, places, s, values, join); });
  });
}
const Provide provide_index_put(DeviceType::CPU, &Kernels::index_put, &index_put_entry);

// ---- along one dimension -----------------------------------------------------------------------

[[noreturn, gnu::cold]] void fail_along(int64_t value, int64_t dim, int64_t size) {
  fail("index ", value, " is out of bounds for dimension ", dim, " with size ", size);
}

/// Calls f(self element, other element) for all elements of a bundle of lines of {other, index, self}, in the order that
/// walks memory best.
template <class T, class F>
void each_along(char* const* p, const int64_t* step, int64_t lines, const int64_t* stride, int64_t n, int64_t dim, int64_t size, F&& f) {
  const bool lines_inside = step[1] < stride[1] && lines > 1;
  const int64_t outer = lines_inside ? n : lines, inner = lines_inside ? lines : n;
  const int64_t *out_by = lines_inside ? stride : step, *in_by = lines_inside ? step : stride;
  const int64_t self_out = lines_inside ? 0 : step[2], self_in = lines_inside ? step[2] : 0;
  for (int64_t a = 0; a < outer; ++a) {
    char *other = p[0] + a * out_by[0], *self = p[2] + a * self_out;
    const char* index = p[1] + a * out_by[1];
    for (int64_t b = 0; b < inner; ++b, other += in_by[0], index += in_by[1], self += self_in) {
      const int64_t v = *reinterpret_cast<const int64_t*>(index);
      if (v < 0 || v >= size) [[unlikely]] fail_along(v, dim, size);
      f(*reinterpret_cast<T*>(self + v * stride[2]), *reinterpret_cast<T*>(other));
    }
  }
}
int64_t length(const Tensor& t, int64_t dim) { return t.dim() ? t.sizes()[static_cast<size_t>(dim)] : 1; }

void gather_entry(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& out) {
  if (!index.numel()) return;
  const iter::Lines lines({out, index, self}, dim, index.sizes());
  const int64_t n = length(index, dim), size = length(self, dim);
  by_size(self.itemsize(), [&]<class T>(Tag<T>) {
    lines.run(n, [&](char* const* p, const int64_t* step, int64_t m) {
      each_along<T>(p, step, m, lines.strides(), n, dim, size, [](const T& from, T& to) { to = from; });
    });
  });
}
const Provide provide_gather(DeviceType::CPU, &Kernels::gather, &gather_entry);

void scatter_entry(ScatterOp op, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
  if (!index.numel()) return;
  const iter::Lines lines({src, index, self}, dim, index.sizes());
  const int64_t n = length(index, dim), size = length(self, dim);
  auto run = [&]<class T>(auto write) {
    lines.run(n, [&](char* const* p, const int64_t* step, int64_t m) {
      each_along<T>(p, step, m, lines.strides(), n, dim, size, write);
    });
  };
  if (op == ScatterOp::Set) {
    by_size(self.itemsize(), [&]<class T>(Tag<T>) { run.template operator()<T>([](T& to, const T& from) { to = from; }); });
    return;
  }
  AllTypes::visit(self.dtype(), [&]<class T>(Tag<T>) {
    with_op<T>(op, [&](auto join) { run.template operator()<T>(join); });
  });
}
const Provide provide_scatter(DeviceType::CPU, &Kernels::scatter, &scatter_entry);

// ---- non-zeros -----------------------------------------------------------------------------------

template <class T>
int64_t count_of(const T* p, int64_t n) {
  int64_t total = 0;
  for (int64_t b = 0; b < n; b += 4096) {
    int32_t hits = 0;
    for (int64_t i = b, e = std::min(n, b + 4096); i < e; ++i) hits += p[i] != T(0);
    total += hits;
  }
  return total;
}
/// Positions within [b, e) of a 1-d tensor: full and empty blocks at once.
template <class T>
void write_flat(const T* p, int64_t b, int64_t e, int64_t* to) {
  constexpr int64_t kBlock = 64;
  for (int64_t i = b; i < e; i += kBlock) {
    const int64_t n = std::min(kBlock, e - i);
    int64_t found[kBlock + 1], hits = 0;
    int32_t any = 0;
    for (int64_t k = 0; k < n; ++k) any += p[i + k] != T(0);
    if (any == 0) continue;
    for (int64_t k = 0; k < n; ++k) {
      found[hits] = i + k;
      hits += p[i + k] != T(0);
    }
    std::copy(found, found + hits, to);
    to += hits;
  }
}
/// Positions within [b, e) as rows of coordinates.
template <class T>
void write_positions(const T* p, int64_t b, int64_t e, const Dims& sizes, int64_t* to) {
  const size_t n = sizes.size();
  if (n == 1) return write_flat(p, b, e, to);
  Dims at(n, 0);
  for (size_t d = n, rest = static_cast<size_t>(b); d-- > 0;) {
    at[d] = static_cast<int64_t>(rest) % sizes[d];
    rest /= static_cast<size_t>(sizes[d]);
  }
  int64_t* last = at.data() + n - 1;
  for (int64_t i = b; i < e;) {
    for (const int64_t row = std::min(e - i, sizes[n - 1] - *last), end = i + row; i < end; ++i, ++*last) {
      if (p[i] == T(0)) continue;
      std::copy(at.begin(), at.end(), to);
      to += n;
    }
    for (size_t d = n - 1; d > 0 && at[d] == sizes[d]; --d) at[d] = 0, ++at[d - 1];
  }
}

void nonzero_entry(const Tensor& self, const Tensor& out) {
  if (!out.size(0) || !self.dim()) return;
  dispatch<AllTypes>("nonzero", self.dtype(), [&]<class T>(Tag<T>) {
    const T* p = self.data<T>();
    const int64_t n = self.numel(), pieces = n < 65536 ? 1 : num_threads();
    std::vector<int64_t> start(static_cast<size_t>(pieces) + 1, 0);
    auto edge = [&](int64_t k) { return n * k / pieces; };
    parallel_for(0, pieces, 1, [&](int64_t b, int64_t e) {
      for (int64_t k = b; k < e && pieces > 1; ++k) start[static_cast<size_t>(k) + 1] = count_of(p + edge(k), edge(k + 1) - edge(k));
    });
    for (size_t k = 1; k < start.size(); ++k) start[k] += start[k - 1];
    parallel_for(0, pieces, 1, [&](int64_t b, int64_t e) {
      for (int64_t k = b; k < e; ++k)
        write_positions(p, edge(k), edge(k + 1), self.sizes(), out.data<int64_t>() + start[static_cast<size_t>(k)] * self.dim());
    });
  });
}
const Provide provide_nonzero(DeviceType::CPU, &Kernels::nonzero, &nonzero_entry);

}  // namespace
}  // namespace bolide
