// Map: packing and unpacking by element size | Walk: one thread's blocks | choosing the block | cutting for threads
#include "iter/walk.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "cpu/kernels/copy.h"
#include "cpu/pool.h"

namespace bolide::iter {

namespace {

struct Wide { uint64_t half[2]; };

template <class F>
inline void with_item(int64_t item, F&& f) {
  switch (item) {
    case 1: return f(uint8_t{});
    case 2: return f(uint16_t{});
    case 4: return f(uint32_t{});
    case 8: return f(uint64_t{});
    default: return f(Wide{});
  }
}

/// A region of n x rows elements in memory; strides in bytes.
struct Region {
  int64_t n, rows, step, row_step;
};

/// dst[r][i] = the region's elements, one after another.
void pack(char* dst, const char* src, const Region& g, int64_t item) {
  if (g.step == item) {
    for (int64_t r = 0; r < g.rows; ++r) std::memcpy(dst + r * g.n * item, src + r * g.row_step, static_cast<size_t>(g.n * item));
    return;
  }
  if (g.row_step == item && g.n >= 4 && g.rows >= 4 && g.step % item == 0)
    return cpu::transpose(dst, g.n, src, g.step / item, g.n, g.rows, item);
  with_item(item, [&]<class T>(T) {
    T* o = reinterpret_cast<T*>(dst);
    for (int64_t r = 0; r < g.rows; ++r, o += g.n) {
      const char* s = src + r * g.row_step;
      if (g.step == 0) std::fill_n(o, g.n, *reinterpret_cast<const T*>(s));
      else for (int64_t i = 0; i < g.n; ++i) o[i] = *reinterpret_cast<const T*>(s + i * g.step);
    }
  });
}

void unpack(char* dst, const char* src, const Region& g, int64_t item) {
  if (g.step == item) {
    for (int64_t r = 0; r < g.rows; ++r) std::memcpy(dst + r * g.row_step, src + r * g.n * item, static_cast<size_t>(g.n * item));
    return;
  }
  with_item(item, [&]<class T>(T) {
    const T* s = reinterpret_cast<const T*>(src);
    for (int64_t r = 0; r < g.rows; ++r, s += g.n) {
      char* o = dst + r * g.row_step;
      for (int64_t i = 0; i < g.n; ++i) *reinterpret_cast<T*>(o + i * g.step) = s[i];
    }
  });
}

constexpr int64_t kBufferBytes = 16384;
/// Rows shorter than this are joined into one block.
constexpr int64_t kShortRow = 64;
constexpr int64_t kTileWidth = 64;  // of a tile that is read transposed

/// How the inner two dimensions are cut.
struct Cut {
  int64_t block;      // elements that fit every buffer
  int64_t n, rows;    // of a block
  bool in_place = false;  // every operand is used where it lies: rows need no cutting
};

class Walk {
 public:
  Walk(const Plan& plan, const Typed& t, const void* parameters, const Cut& cut, bool stream);
  ~Walk() { if (stream_) cpu::stream_end(); }
  /// Rows [begin, end) of the dimensions above the first.
  void rows(int64_t begin, int64_t end);
  /// Elements [begin, end) of row `row`.
  void part(int64_t row, int64_t begin, int64_t end);

 private:
  void seek(int64_t row, int64_t* index, char** at) const;
  void block(char* const* at, int64_t n, int64_t rows);
  bool straight(int k) const { return p_.dtype[k] == want_[k] && p_.stride[0][k] == item_[k]; }
  int64_t row_step(int k) const { return p_.ndim > 1 ? p_.stride[1][k] : 0; }
  void load(int k, const char* src, const Region& g);
  void store(char* dst, const Region& g);

  const Plan& p_;
  const Loop loop_;
  const void* f_;
  const Cut cut_;
  const bool stream_;
  DType want_[kMaxOperands];     // what the loop reads and writes
  int64_t item_[kMaxOperands];   // bytes of it
  int64_t own_item_[kMaxOperands];
  bool constant_[kMaxOperands] = {};
  cpu::CastLoop cast_[kMaxOperands] = {};
  alignas(64) char buffer_[kMaxOperands][kBufferBytes];
  alignas(64) char raw_[kBufferBytes];  // packed in its own dtype, before conversion
};

Walk::Walk(const Plan& plan, const Typed& t, const void* parameters, const Cut& cut, bool stream)
    : p_(plan), loop_(t.loops[static_cast<int>(isa())]), f_(parameters), cut_(cut), stream_(stream) {
  for (int k = 0; k < p_.count; ++k) {
    want_[k] = k ? t.reads[k - 1] : t.written;
    item_[k] = item_size(want_[k]);
    own_item_[k] = item_size(p_.dtype[k]);
    if (want_[k] != p_.dtype[k]) cast_[k] = k ? cpu::cast_loop(want_[k], p_.dtype[k]) : cpu::cast_loop(p_.dtype[k], want_[k]);
    if (k == 0) continue;
    bool same = true;
    for (int d = 0; d < p_.ndim; ++d) same &= p_.stride[d][k] == 0 || p_.size[d] == 1;
    if (!same) continue;
    constant_[k] = true;
    load(k, p_.base[k], {1, 1, 0, 0});
    repeat(buffer_[k], cut_.block, item_[k]);
  }
}

void Walk::load(int k, const char* src, const Region& g) {
  const bool dense = g.step == own_item_[k] && (g.rows == 1 || g.row_step == g.n * g.step);
  if (!cast_[k]) return pack(buffer_[k], src, g, own_item_[k]);
  if (dense) return cast_[k](buffer_[k], src, g.n * g.rows);
  pack(raw_, src, g, own_item_[k]);
  cast_[k](buffer_[k], raw_, g.n * g.rows);
}

void Walk::store(char* dst, const Region& g) {
  const bool dense = g.step == own_item_[0] && (g.rows == 1 || g.row_step == g.n * g.step);
  const char* made = buffer_[0];
  if (cast_[0]) {
    char* to = dense && !stream_ ? dst : raw_;
    cast_[0](to, buffer_[0], g.n * g.rows);
    if (to == dst) return;
    made = raw_;
  }
  if (stream_ && g.step == own_item_[0]) {
    if (dense) return cpu::stream(dst, made, g.n * g.rows * g.step);
    for (int64_t r = 0; r < g.rows; ++r) cpu::stream(dst + r * g.row_step, made + r * g.n * g.step, g.n * g.step);
    return;
  }
  unpack(dst, made, g, own_item_[0]);
}

void Walk::block(char* const* at, int64_t n, int64_t rows) {
  char* q[kMaxOperands];
  int64_t step[kMaxOperands];
  bool whole = true;  // one call serves all rows
  for (int k = 0; k < p_.count; ++k) {
    const Region g{n, rows, p_.stride[0][k], row_step(k)};
    const bool follows = rows == 1 || g.row_step == n * item_[k];
    q[k] = buffer_[k], step[k] = n * item_[k];
    if (constant_[k]) {
      step[k] = 0;
    } else if (straight(k) && (follows || n >= kShortRow) && !(k == 0 && stream_)) {
      q[k] = at[k], step[k] = g.row_step;
      whole &= follows;
    } else if (k) {
      load(k, at[k], g);
    }
  }
  const char* out = q[0];
  if (whole) {
    loop_(q, n * rows, f_);
  } else {
    for (int64_t r = 0; r < rows; ++r) {
      loop_(q, n, f_);
      for (int k = 0; k < p_.count; ++k) q[k] += step[k];
    }
  }
  if (out == buffer_[0]) store(at[0], {n, rows, p_.stride[0][0], row_step(0)});
}

void Walk::seek(int64_t row, int64_t* index, char** at) const {
  std::copy_n(p_.base, p_.count, at);
  for (int d = 1; d < p_.ndim; ++d) {
    index[d] = row % p_.size[d];
    row /= p_.size[d];
    for (int k = 0; k < p_.count; ++k) at[k] += index[d] * p_.stride[d][k];
  }
}

void Walk::part(int64_t row, int64_t begin, int64_t end) {
  int64_t index[kMaxDims];
  char *at[kMaxOperands], *q[kMaxOperands];
  seek(row, index, at);
  for (int k = 0; k < p_.count; ++k) q[k] = at[k] + begin * p_.stride[0][k];
  if (cut_.in_place && !stream_) return loop_(q, end - begin, f_);
  int64_t n = cut_.block;
  if (stream_) n -= static_cast<int64_t>(reinterpret_cast<uintptr_t>(q[0]) % 64) / own_item_[0];  // then whole cache lines
  for (int64_t i = begin; i < end; i += n, n = cut_.block) {
    for (int k = 0; k < p_.count; ++k) q[k] = at[k] + i * p_.stride[0][k];
    block(q, std::min(n, end - i), 1);
  }
}

void Walk::rows(int64_t begin, int64_t end) {
  int64_t index[kMaxDims];
  char *at[kMaxOperands], *q[kMaxOperands];
  seek(begin, index, at);
  const int64_t width = p_.size[0];
  const bool long_rows = cut_.in_place && !stream_ && width >= kShortRow;
  for (int64_t row = begin; row < end;) {
    const int64_t r = std::min({cut_.rows, p_.size[1] - index[1], end - row});
    if (long_rows) {
      loop_(at, width, f_);
    } else {
      for (int64_t i = 0; i < width; i += cut_.n) {
        for (int k = 0; k < p_.count; ++k) q[k] = at[k] + i * p_.stride[0][k];
        block(q, std::min(cut_.n, width - i), r);
      }
    }
    row += r;
    index[1] += r;
    for (int k = 0; k < p_.count; ++k) at[k] += r * p_.stride[1][k];
    for (int d = 1; d < p_.ndim && index[d] == p_.size[d]; ++d) {
      index[d] = 0;
      for (int k = 0; k < p_.count; ++k) at[k] -= p_.size[d] * p_.stride[d][k];
      if (d + 1 == p_.ndim) break;
      ++index[d + 1];
      for (int k = 0; k < p_.count; ++k) at[k] += p_.stride[d + 1][k];
    }
  }
}

/// Puts the dimension in which some input is contiguous, where the output is not, second: both are then walked in tiles.
bool find_transposed(Plan& p) {
  for (int k = 1; k < p.count; ++k) {
    const int64_t item = item_size(p.dtype[k]);
    if (p.stride[0][k] == 0 || p.stride[0][k] == item || p.size[0] < 4) continue;
    for (int d = 1; d < p.ndim; ++d) {
      if (p.stride[d][k] != item || p.size[d] < 4) continue;
      std::swap(p.size[1], p.size[d]);
      std::swap_ranges(p.stride[1], p.stride[1] + p.count, p.stride[d]);
      return true;
    }
  }
  return false;
}

Cut choose_cut(const Plan& p, const Typed& t, bool transposed) {
  int64_t largest = 1;
  bool in_place = true;
  for (int k = 0; k < p.count; ++k) {
    const DType want = k ? t.reads[k - 1] : t.written;
    largest = std::max({largest, item_size(want), item_size(p.dtype[k])});
    in_place &= want == p.dtype[k] && p.stride[0][k] == item_size(want);
  }
  Cut c{std::min<int64_t>(1024, kBufferBytes / largest), 0, 1, in_place};
  c.n = std::min(p.size[0], c.block);
  if (transposed) c.block = std::min<int64_t>(2048, kBufferBytes / largest), c.n = std::min(p.size[0], kTileWidth), c.rows = c.block / c.n;
  else if (p.ndim > 1 && p.size[0] < kShortRow) c.rows = c.block / p.size[0];
  return c;
}

}  // namespace

void repeat(char* p, int64_t n, int64_t item) {
  with_item(item, [&]<class T>(T) { std::fill_n(reinterpret_cast<T*>(p), n, *reinterpret_cast<const T*>(p)); });
}

void walk(Plan& p, const Typed& t, const void* parameters, bool fresh) {
  const bool transposed = find_transposed(p);
  const Cut cut = choose_cut(p, t, transposed);
  const int64_t width = p.size[0];
  int64_t count = 1;
  for (int d = 1; d < p.ndim; ++d) count *= p.size[d];
  const bool stream = fresh && width * count * item_size(p.dtype[0]) >= cpu::kStreamBytes && p.stride[0][0] == item_size(p.dtype[0]);
  if (p.ndim == 1 || (count < 4 * num_threads() && width >= 2 * kGrain && !transposed)) {
    for (int64_t row = 0; row < count; ++row)
      parallel_for(0, width, kGrain, [&](int64_t b, int64_t e) { Walk(p, t, parameters, cut, stream).part(row, b, e); });
    return;
  }
  parallel_for(0, count, std::max<int64_t>(1, kGrain / width),
               [&](int64_t b, int64_t e) { Walk(p, t, parameters, cut, stream).rows(b, e); });
}

namespace {

template <int64_t Item>
void move_loop(char* const* p, int64_t n, const void*) { std::memcpy(p[0], p[1], static_cast<size_t>(n * Item)); }
/// The identity in `t`: only bytes move.
Typed identity(DType t) {
  constexpr Loop loops[5] = {&move_loop<1>, &move_loop<2>, &move_loop<4>, &move_loop<8>, &move_loop<16>};
  const Loop l = loops[std::countr_zero(static_cast<uint64_t>(item_size(t)))];
  return Typed{t, t, {t}, 1, {l, l, l}};
}
/// A matrix whose rows are the output's columns, once for every outer index.
bool copy_transposed(const Plan& p) {
  const int64_t item = item_size(p.dtype[0]);
  if (p.dtype[0] != p.dtype[1] || p.ndim < 2 || p.stride[0][0] != item || p.stride[1][1] != item) return false;
  int64_t outer = 1;
  for (int d = 2; d < p.ndim; ++d) outer *= p.size[d];
  const int64_t plane = p.size[0] * p.size[1];
  if (p.size[0] < 8 || p.size[1] < 8 || p.stride[0][1] % item || p.stride[1][0] % item) return false;
  auto one = [&](int64_t i) {
    char *d = p.base[0], *s = p.base[1];
    for (int k = 2; k < p.ndim; i /= p.size[k], ++k) d += i % p.size[k] * p.stride[k][0], s += i % p.size[k] * p.stride[k][1];
    cpu::transpose(d, p.stride[1][0] / item, s, p.stride[0][1] / item, p.size[0], p.size[1], item);
  };
  if (plane >= 4 * kGrain)
    for (int64_t i = 0; i < outer; ++i) one(i);
  else
    parallel_for(0, outer, std::max<int64_t>(1, kGrain / plane), [&](int64_t b, int64_t e) { for (; b < e; ++b) one(b); });
  return true;
}

}  // namespace

void copy(const Tensor& dst, const Tensor& src) {
  const Operand in[] = {src};
  Plan plan(dst, in);
  const Typed t = identity(dst.dtype());
  plan.lay_out(t.reads);
  if (find_transposed(plan) && copy_transposed(plan)) return;
  walk(plan, t, nullptr, true);
}

void fill(const Tensor& dst, const Scalar& value) {
  const Operand in[] = {value};
  const Typed t = identity(dst.dtype());
  Plan plan(dst, in);
  plan.lay_out(t.reads);
  walk(plan, t, nullptr, true);
}

}  // namespace bolide::iter
