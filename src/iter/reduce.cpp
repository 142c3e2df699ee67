// Cutting a layout into kept and reduced dimensions, and walking it in 2-d pieces.
#include "iter/reduce.h"

#include <algorithm>

#include "bolide/ops.h"
#include "cpu/pool.h"

namespace bolide::iter {

namespace {
constexpr int64_t kMost = 64;  // dimensions, as bits of a DimSet
}

DimSet dim_set(const std::optional<IntList>& dims, int64_t ndim) {
  BOLIDE_CHECK(ndim <= kMost, "only tensors with up to ", kMost, " dims are supported");
  if (!dims || dims->empty()) return ndim == 0 ? 1 : ~DimSet(0) >> (kMost - ndim);
  DimSet set = 0;
  for (int64_t d : *dims) {
    const DimSet bit = DimSet(1) << wrap_dim(d, ndim);
    BOLIDE_CHECK(!(set & bit), "dim ", wrap_dim(d, ndim), " appears multiple times in the list of dims");
    set |= bit;
  }
  return set;
}

Dims reduced_sizes(const Tensor& self, DimSet set, bool keepdim) {
  Dims sizes;
  for (size_t d = 0; d < self.sizes().size(); ++d) {
    if (!(set >> d & 1)) sizes.push_back(self.sizes()[d]);
    else if (keepdim) sizes.push_back(1);
  }
  return sizes;
}

int64_t reduced_count(const Tensor& self, DimSet set) {
  int64_t n = 1;
  for (size_t d = 0; d < self.sizes().size(); ++d)
    if (set >> d & 1) n *= self.sizes()[d];
  return n;
}

Tensor reduce_output(const char* op, Out out, const Dims& sizes, DType dtype, Device device) {
  if (!out.tensor) return Tensor::make(sizes, dtype, device);
  const Tensor& t = *out.tensor;
  BOLIDE_CHECK(t.dtype() == dtype, "Expected out tensor to have dtype ", dtype, ", but got ", t.dtype(), " instead (in ", op, ")");
  BOLIDE_CHECK(t.device() == device, "Expected out tensor to have device ", device, ", but got ", t.device(), " instead (in ", op, ")");
  if (!(t.sizes() == sizes)) resize_(t, sizes);
  check_no_internal_overlap(t);
  return t;
}

namespace {

constexpr int64_t kBlock = 512;    // results whose accumulators stand on the stack
constexpr int64_t kGrain = 32768;  // elements worth a thread, and the size from which PyTorch splits sums

struct Dim {
  int64_t size, in, out, second;  // strides in bytes
};

/// Kept and reduced dimensions, the input's smallest stride first, merged where they continue each other.
struct Walk {
  Dim kept[kMost], gone[kMost];
  int kept_count = 0, gone_count = 0;
  int64_t results = 1, count = 1;

  Walk(const Tensor& self, DimSet set, const Tensor& out, const Tensor& second) {
    const size_t n = self.sizes().size();
    const int64_t item = self.itemsize();
    size_t at = 0;  // dimension of the outputs
    const Tensor& shaped = out.defined() ? out : second;
    const bool keepdim = shaped.sizes().size() == n;
    for (size_t d = 0; d < n; ++d) {
      const int64_t size = self.sizes()[d], in = self.strides()[d] * item;
      if (set >> d & 1) {
        count *= size;
        at += keepdim;
        if (size != 1) place(gone, gone_count, {size, in, 0, 0});
        continue;
      }
      results *= size;
      if (size != 1) place(kept, kept_count, {size, in, stride_of(out, at), stride_of(second, at)});
      ++at;
    }
    merge(kept, kept_count);
    merge(gone, gone_count);
  }

 private:
  static int64_t stride_of(const Tensor& t, size_t d) { return t.defined() ? t.strides()[d] * t.itemsize() : 0; }
  static void place(Dim* list, int& n, const Dim& dim) {  // later dimensions first among equals
    int i = n++;
    for (; i > 0 && list[i - 1].in >= dim.in; --i) list[i] = list[i - 1];
    list[i] = dim;
  }
  static void merge(Dim* list, int& n) {
    int last = 0;
    for (int i = 1; i < n; ++i) {
      Dim& a = list[last];
      const Dim& b = list[i];
      if (b.in == a.in * a.size && b.out == a.out * a.size && b.second == a.second * a.size) a.size *= b.size;
      else list[++last] = b;
    }
    n = n ? last + 1 : 0;
  }
};

/// Takes the inputs of n neighbouring results into their accumulators; of the outermost reduced dimension only
/// [begin, end).
void accumulate(const Walk& w, const Reducer& r, const char* in, int64_t n, char* acc, int64_t begin, int64_t end,
                const void* params) {
  const int64_t columns = w.kept_count ? w.kept[0].in : 0;
  if (w.gone_count == 0) return r.add(acc, n, in, 1, 0, columns, 0, params);
  const Dim& inner = w.gone[0];
  if (w.gone_count == 1) return r.add(acc, n, in + begin * inner.in, end - begin, inner.in, columns, begin, params);
  const int last = w.gone_count - 1;
  int64_t index[kMost] = {};
  index[last] = begin;
  const char* p = in + begin * w.gone[last].in;
  while (true) {
    r.add(acc, n, p, inner.size, inner.in, columns, 0, params);
    int d = 1;
    for (;; ++d) {
      p += w.gone[d].in;
      if (++index[d] < (d == last ? end : w.gone[d].size)) break;
      if (d == last) return;
      p -= w.gone[d].in * w.gone[d].size;
      index[d] = 0;
    }
  }
}
int64_t outermost(const Walk& w) { return w.gone_count ? w.gone[w.gone_count - 1].size : 1; }

/// One result: large inputs are cut into as many parts as there are threads, as PyTorch cuts them.
void reduce_all(const Walk& w, const Reducer& r, const char* in, char* out, char* second, const void* params) {
  alignas(64) char acc[kMaxAccumulator];
  r.init(acc, 1);
  const int64_t length = outermost(w);
  const int threads = w.count < kGrain || in_parallel_region() ? 1 : num_threads();
  const int64_t pieces = std::min({int64_t(threads), (w.count + kGrain - 1) / kGrain, length});
  if (pieces <= 1) {
    if (w.count) accumulate(w, r, in, 1, acc, 0, length, params);
  } else {
    std::vector<char> parts(static_cast<size_t>(threads * r.size));
    r.init(parts.data(), threads);
    const int64_t piece = (length + pieces - 1) / pieces;
    parallel_for(0, pieces, 1, [&](int64_t b, int64_t e) {
      for (int64_t k = b; k < e; ++k)
        if (k * piece < length) accumulate(w, r, in, 1, parts.data() + k * r.size, k * piece, std::min(length, (k + 1) * piece), params);
    });
    r.merge(acc, parts.data(), threads);
  }
  r.finish(acc, 1, out, 0, second, 0, params);
}

/// How many results of the innermost kept dimension one piece of work has: few enough that all threads get some.
int64_t block_size(const Walk& w, int64_t outer) {
  const int64_t size = w.kept[0].size, blocks = outer * ((size + kBlock - 1) / kBlock);
  if (w.count * w.results < kGrain || blocks >= num_threads()) return kBlock;
  const int64_t share = (size * outer + num_threads() - 1) / num_threads();
  return std::min(kBlock, (share + 63) / 64 * 64);  // whole vectors, so that splitting changes no order of additions
}

void reduce_some(const Walk& w, const Reducer& r, const char* in, char* out, char* second, const void* params) {
  int64_t outer = 1;
  for (int d = 1; d < w.kept_count; ++d) outer *= w.kept[d].size;
  const Dim& inner = w.kept[0];
  const int64_t block = block_size(w, outer), blocks = (inner.size + block - 1) / block;
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, w.count * std::min(block, inner.size)));
  parallel_for(0, outer * blocks, grain, [&](int64_t b, int64_t e) {
    alignas(64) char acc[kBlock * kMaxAccumulator];
    for (int64_t k = b; k < e; ++k) {
      const int64_t start = k % blocks * block, n = std::min(block, inner.size - start);
      const char* p = in + start * inner.in;
      int64_t to = start * inner.out, to_second = start * inner.second, rest = k / blocks;
      for (int d = 1; d < w.kept_count; ++d) {
        const int64_t i = rest % w.kept[d].size;
        rest /= w.kept[d].size;
        p += i * w.kept[d].in, to += i * w.kept[d].out, to_second += i * w.kept[d].second;
      }
      r.init(acc, n);
      if (w.count) accumulate(w, r, p, n, acc, 0, outermost(w), params);
      r.finish(acc, n, out ? out + to : nullptr, inner.out, second ? second + to_second : nullptr, inner.second, params);
    }
  });
}

}  // namespace

void reduce(const Reducer& r, const Tensor& self, DimSet set, const Tensor& out, const Tensor& second, const void* params) {
  const Walk w(self, set, out, second);
  if (w.results == 0) return;
  char* to = out.defined() ? out.raw() : nullptr;
  char* to_second = second.defined() ? second.raw() : nullptr;
  if (w.kept_count == 0) reduce_all(w, r, self.raw(), to, to_second, params);
  else reduce_some(w, r, self.raw(), to, to_second, params);
}

}  // namespace bolide::iter
