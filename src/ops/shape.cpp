// Moving elements about. Map: dimensions moved and exchanged | repeated | rolled and flipped | broadcast, atleast, unflatten
#include <algorithm>

#include "autograd/call.h"
#include "bolide/ops.h"
#include "core/kernels.h"
#include "iter/plan.h"
#include "ops/creation.h"

namespace bolide {

// ---- dimensions moved and exchanged --------------------------------------------------------------

// The dimensions `source` go to the places `destination`; the others keep their order.
struct Movedim {
  static constexpr auto schema = "movedim(Tensor self, int[] source, int[] destination) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static std::vector<int64_t> wrapped(const char* which, IntList dims, int64_t n) {
    std::vector<int64_t> out;
    for (int64_t d : dims) out.push_back(wrap_dim(d, n));
    for (size_t i = 0; i < out.size(); ++i)
      for (size_t j = 0; j < i; ++j) BOLIDE_CHECK(out[i] != out[j], "movedim: repeated dim in `", which, "` (", dims, ")");
    return out;
  }
  static Tensor forward(const Tensor& self, IntList source, IntList destination) {
    BOLIDE_CHECK(source.size() == destination.size(), "movedim: Invalid source or destination dims: source (", source,
                 " dims) should contain the same number of dims as destination (", destination, " dims)");
    const auto from = wrapped("source", source, self.dim()), to = wrapped("destination", destination, self.dim());
    if (self.dim() == 0) return self;
    const auto n = static_cast<size_t>(self.dim());
    std::vector<int64_t> order(n, -1);
    std::vector<bool> moved(n);
    for (size_t i = 0; i < from.size(); ++i) order[static_cast<size_t>(to[i])] = from[i], moved[static_cast<size_t>(from[i])] = true;
    size_t next = 0;
    for (auto& d : order) {
      if (d >= 0) continue;
      while (moved[next]) ++next;
      d = static_cast<int64_t>(next++);
    }
    return permute(self, order);
  }
};
Tensor movedim(const Tensor& self, IntList source, IntList destination) { return Movedim::forward(self, source, destination); }
const Register<Movedim> movedim_op;

struct MovedimInt {
  static constexpr auto schema = "movedim.int(Tensor self, int source, int destination) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, int64_t source, int64_t destination) { return movedim(self, {source}, {destination}); }
};
const Register<MovedimInt> movedim_int_op;
const Alias<MovedimInt> moveaxis_int_op("moveaxis");
const Alias<Movedim> moveaxis_op("moveaxis");

struct Swapaxes {
  static constexpr auto schema = "swapaxes(Tensor self, int axis0, int axis1) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, int64_t a, int64_t b) { return transpose(self, a, b); }
};
const Register<Swapaxes> swapaxes_op;
struct Swapdims {
  static constexpr auto schema = "swapdims(Tensor self, int dim0, int dim1) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, int64_t a, int64_t b) { return transpose(self, a, b); }
};
const Register<Swapdims> swapdims_op;

// ---- repeated ----------------------------------------------------------------------------------

// The tensor repeats[d] times along each dimension; more repeats than dimensions add dimensions in front.
struct Repeat {
  static constexpr auto schema = "repeat(Tensor self, int[] repeats) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t home = kMethod, variants = 0;
  /// Sizes with each dimension as a pair (repeats, size).
  static Dims pairs(IntList sizes, IntList repeats) {
    Dims p;
    const size_t extra = repeats.size() - sizes.size();
    for (size_t d = 0; d < repeats.size(); ++d) p.push_back(repeats[d]), p.push_back(d < extra ? 1 : sizes[d - extra]);
    return p;
  }
  static Tensor forward(const Tensor& self, IntList repeats) {
    BOLIDE_CHECK(repeats.size() >= self.sizes().size(), "Number of dimensions of repeat dims can not be smaller than number of "
                 "dimensions of tensor");
    const Dims two = pairs(self.sizes(), repeats);
    Dims shape, steps;
    const size_t extra = repeats.size() - self.sizes().size();
    for (size_t d = 0; d < repeats.size(); ++d) {
      BOLIDE_CHECK(repeats[d] >= 0, "Trying to create tensor with negative dimension ", repeats[d] * two[2 * d + 1], ": ", repeats);
      int64_t n;
      BOLIDE_CHECK(!__builtin_mul_overflow(two[2 * d], two[2 * d + 1], &n), "repeat: sizes overflow");
      shape.push_back(n);
      steps.push_back(0), steps.push_back(d < extra ? 0 : self.strides()[d - extra]);
    }
    Tensor r = Tensor::make(shape, self.dtype(), self.device());
    if (r.numel()) kernels(r).copy(r.view_as_layout(two, contiguous_strides(two), 0), self.view_as_layout(two, steps, self.storage_offset()));
    return r;
  }
  static Grads backward(const Call& c, const Tensor& g) {
    const Dims two = pairs(c.sizes(), c.ints(1));
    std::vector<int64_t> counts;
    for (size_t d = 0; d < two.size(); d += 2) counts.push_back(static_cast<int64_t>(d));
    if (counts.empty()) return g;
    return reshape(sum(reshape(g, two), IntList(counts)), c.sizes());
  }
};
Tensor repeat(const Tensor& self, IntList repeats) { return call<Repeat>(self, repeats); }
const Register<Repeat> repeat_op;

struct Tile {
  static constexpr auto schema = "tile(Tensor self, int[] dims) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, IntList dims) {
    std::vector<int64_t> repeats(std::max<size_t>(0, self.sizes().size() > dims.size() ? self.sizes().size() - dims.size() : 0), 1);
    repeats.insert(repeats.end(), dims.begin(), dims.end());
    return repeat(self, repeats);
  }
};
Tensor tile(const Tensor& self, IntList dims) { return Tile::forward(self, dims); }
const Register<Tile> tile_op;

// The positions 0, 0, 1, 1, 1, ...: each i repeats[i] times.
struct RepeatInterleaveCounts {
  static constexpr auto schema = "repeat_interleave.Tensor(Tensor repeats, *, int? output_size=None) -> Tensor";
  static constexpr auto kind = Kind::DataDependent;
  static constexpr uint8_t home = kFunction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& repeats, std::optional<int64_t> size) {
    BOLIDE_CHECK(repeats.dim() == 1, "repeat_interleave only accept 1D vector as repeat");
    BOLIDE_CHECK(repeats.dtype() == DType::Int64 || repeats.dtype() == DType::Int32, "repeats has to be Long or Int tensor");
    if (repeats.numel() == 0) return empty_like(repeats);
    BOLIDE_CHECK(!any(lt(repeats, 0)).item<bool>(), "repeats can not be negative");
    const Tensor ends = cumsum(repeats, 0);
    const int64_t total = size ? *size : select(ends, 0, -1).item<int64_t>();
    BOLIDE_CHECK(select(ends, 0, -1).item<int64_t>() == total, "allocated size does not match required size");
    // a one where each run ends, added up; a last place takes those that end the result
    const Tensor marks = zeros({total + 1}, DType::Int64, repeats.device());
    const Tensor counted = scatter_add(marks, 0, cast(ends, DType::Int64), ones(ends.sizes(), DType::Int64, repeats.device()));
    return cast(slice(cumsum(counted, 0), 0, 0, total), repeats.dtype());
  }
};
const Register<RepeatInterleaveCounts> repeat_interleave_counts_op;

// Each element repeated in place, along `dim` or of the flattened tensor.
struct RepeatInterleave {
  static constexpr auto schema = "repeat_interleave.self_Tensor(Tensor self, Tensor repeats, int? dim=None, *, int? output_size=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, const Tensor& repeats, std::optional<int64_t> dim, std::optional<int64_t> size) {
    const Tensor input = dim ? self : flatten(self);
    const int64_t d = wrap_dim(dim.value_or(0), input.dim());
    const int64_t n = input.dim() ? input.size(d) : 1;
    Tensor counts = repeats;
    if (repeats.dim() == 0 || (repeats.dim() == 1 && repeats.numel() == 1)) counts = expand(reshape(repeats, {1}), {n});
    else if (repeats.dim() == 1)
      BOLIDE_CHECK(repeats.numel() == n, "repeats must have the same size as input along dim, but got repeats.size(0) = ", repeats.numel(),
                   " and input.size(", d, ") = ", n);
    else fail("repeats must be 0-dim or 1-dim tensor");
    return index_select(input, d, RepeatInterleaveCounts::forward(contiguous(counts), size));
  }
};
const Register<RepeatInterleave> repeat_interleave_op;

struct RepeatInterleaveInt {
  static constexpr auto schema = "repeat_interleave.self_int(Tensor self, int repeats, int? dim=None, *, int? output_size=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, int64_t repeats, std::optional<int64_t> dim, std::optional<int64_t> size) {
    BOLIDE_CHECK(repeats >= 0, "Repeats must be non-negative");
    const Tensor input = dim ? self : flatten(self);
    const int64_t d = wrap_dim(dim.value_or(0), input.dim());
    const Tensor wide = input.dim() ? input : reshape(input, {1});
    BOLIDE_CHECK(!size || *size == repeats * wide.size(d), "repeat_interleave: Invalid output_size, expected ", repeats * wide.size(d),
                 " but got ", size.value_or(0));
    Dims shape = wide.sizes();
    shape.insert(static_cast<size_t>(d) + 1, repeats);
    const Tensor r = flatten(clone(expand(unsqueeze(wide, d + 1), shape), MemoryFormat::Contiguous), d, d + 1);
    return r;
  }
};
Tensor repeat_interleave(const Tensor& self, int64_t repeats, std::optional<int64_t> dim) {
  return RepeatInterleaveInt::forward(self, repeats, dim, {});
}
Tensor repeat_interleave(const Tensor& self, const Tensor& repeats, std::optional<int64_t> dim) {
  return RepeatInterleave::forward(self, repeats, dim, {});
}
const Register<RepeatInterleaveInt> repeat_interleave_int_op;

// ---- rolled and flipped -------------------------------------------------------------------------

// Elements shifted along dimensions, those that leave at the end come in at the front. No dims: of the flattened tensor.
struct Roll {
  static constexpr auto schema = "roll(Tensor self, int[1] shifts, int[1] dims=[]) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = 0;
  /// Copies the 2^k blocks that each shifted dimension cuts in two.
  static void move(const Tensor& dst, const Tensor& src, IntList shifts, IntList dims, size_t k) {
    if (k == dims.size()) return kernels(dst).copy(dst, src);
    const auto d = static_cast<size_t>(dims[k]);
    const int64_t n = src.sizes()[d], s = ((shifts[k] % n) + n) % n;
    auto part = [d](const Tensor& t, int64_t from, int64_t to) {
      Dims sizes = t.sizes();
      sizes[d] = to - from;
      return t.view_as_layout(sizes, t.strides(), t.storage_offset() + from * t.strides()[d]);
    };
    move(part(dst, s, n), part(src, 0, n - s), shifts, dims, k + 1);
    if (s) move(part(dst, 0, s), part(src, n - s, n), shifts, dims, k + 1);
  }
  static Tensor forward(const Tensor& self, IntList shifts, IntList dims) {
    BOLIDE_CHECK(!shifts.empty(), "`shifts` required");
    if (dims.empty() && shifts.size() == 1) {
      const Tensor flat = self.is_contiguous() ? self : clone(self, MemoryFormat::Contiguous);
      const Dims shape{self.numel()};
      const Tensor r = forward(flat.view_as_layout(shape, contiguous_strides(shape), flat.storage_offset()), shifts, {0});
      return r.view_as_layout(self.sizes(), contiguous_strides(self.sizes()), 0).alias();
    }
    BOLIDE_CHECK(shifts.size() == dims.size(), "shifts and dimensions must align. shifts: ", shifts.size(), ", dims:", dims.size());
    std::vector<int64_t> wrapped;
    for (int64_t d : dims) {
      BOLIDE_CHECK_AS(IndexError, self.dim() > 0, "Dimension specified as ", d, " but tensor has no dimensions");
      wrapped.push_back(wrap_dim(d, self.dim()));
    }
    // a dimension named twice is shifted twice
    std::vector<int64_t> once, by;
    for (size_t i = 0; i < wrapped.size(); ++i) {
      const auto at = std::find(once.begin(), once.end(), wrapped[i]);
      if (at == once.end()) once.push_back(wrapped[i]), by.push_back(shifts[i]);
      else {
        const int64_t n = std::max<int64_t>(self.size(wrapped[i]), 1);
        by[static_cast<size_t>(at - once.begin())] = by[static_cast<size_t>(at - once.begin())] % n + shifts[i] % n;
      }
    }
    Tensor r = new_like(self, {}, {}, {});
    if (r.numel()) move(r, self, by, once, 0);
    return r;
  }
  static Grads backward(const Call& c, const Tensor& g) {
    std::vector<int64_t> back;
    for (int64_t s : c.ints(1)) back.push_back(-s);
    return roll(g, back, c.ints(2));
  }
};
Tensor roll(const Tensor& self, IntList shifts, IntList dims) { return call<Roll>(self, shifts, dims); }
const Register<Roll> roll_op;

// The order of elements reversed along dimensions.
struct Flip {
  static constexpr auto schema = "flip(Tensor self, int[] dims) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = 0;
  static Tensor forward(const Tensor& self, IntList dims) {
    std::vector<bool> seen(static_cast<size_t>(std::max<int64_t>(self.dim(), 1)));
    Dims strides = self.strides();
    int64_t offset = self.storage_offset();
    for (int64_t d : dims) {
      const auto u = static_cast<size_t>(wrap_dim(d, self.dim()));
      BOLIDE_CHECK(!seen[u], "dim ", u, " appears multiple times in the list of dims");
      seen[u] = true;
      if (self.dim() == 0 || self.sizes()[u] == 0) continue;
      offset += (self.sizes()[u] - 1) * strides[u];
      strides[u] = -strides[u];
    }
    Tensor r = new_like(self, {}, {}, {});
    // a layout that runs backwards: only copies may see it
    if (r.numel()) kernels(r).copy(r, self.view_as_layout(self.sizes(), strides, offset));
    return r;
  }
  static Grads backward(const Call& c, const Tensor& g) { return flip(g, c.ints(1)); }
};
Tensor flip(const Tensor& self, IntList dims) { return call<Flip>(self, dims); }
const Register<Flip> flip_op;

struct Fliplr {
  static constexpr auto schema = "fliplr(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self) {
    BOLIDE_CHECK(self.dim() >= 2, "Input must be >= 2-d.");
    return flip(self, {1});
  }
};
const Register<Fliplr> fliplr_op;
struct Flipud {
  static constexpr auto schema = "flipud(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self) {
    BOLIDE_CHECK(self.dim() >= 1, "Input must be >= 1-d.");
    return flip(self, {0});
  }
};
const Register<Flipud> flipud_op;

// Turned by 90 degrees k times in a plane, from the first of its dimensions towards the second.
struct Rot90 {
  static constexpr auto schema = "rot90(Tensor self, int k=1, int[] dims=[0,1]) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, int64_t k, IntList dims) {
    BOLIDE_CHECK(dims.size() == 2, "expected total rotation dims == 2, but got dims = ", dims.size());
    BOLIDE_CHECK(self.dim() >= 2, "expected total dims >= 2, but got total dims = ", self.dim());
    const int64_t n = self.dim();
    BOLIDE_CHECK(dims[0] != dims[1] && std::abs(dims[0] - dims[1]) != n, "expected rotation dims to be different, but got dim0 = ", dims[0],
                 " and dim1 = ", dims[1]);
    const int64_t a = wrap_dim(dims[0], n), b = wrap_dim(dims[1], n);
    switch (((k % 4) + 4) % 4) {
      case 1: return transpose(flip(self, {b}), a, b);
      case 2: return flip(self, {a, b});
      case 3: return transpose(flip(self, {a}), a, b);
      default: return clone(self, MemoryFormat::Contiguous);
    }
  }
};
Tensor rot90(const Tensor& self, int64_t k, IntList dims) { return Rot90::forward(self, k, dims); }
const Register<Rot90> rot90_op;

// ---- broadcast, atleast, unflatten ------------------------------------------------------------------

struct BroadcastTo {
  static constexpr auto schema = "broadcast_to(Tensor self, int[] size) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, IntList size) { return expand(self, size); }
};
Tensor broadcast_to(const Tensor& self, IntList size) { return expand(self, size); }
const Register<BroadcastTo> broadcast_to_op;

struct BroadcastTensors {
  static constexpr auto schema = "broadcast_tensors(Tensor[] tensors) -> Tensor[]";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static std::vector<Tensor> forward(TensorList tensors) {
    Dims shape;
    for (const Tensor& t : tensors) shape = iter::broadcast(shape, t.sizes());
    std::vector<Tensor> out;
    for (const Tensor& t : tensors) out.push_back(t.sizes() == shape ? t : expand(t, shape));
    return out;
  }
};
std::vector<Tensor> broadcast_tensors(TensorList tensors) { return BroadcastTensors::forward(tensors); }
const Register<BroadcastTensors> broadcast_tensors_op;

struct Atleast1d {
  static constexpr auto schema = "atleast_1d(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& self) { return self.dim() ? self : reshape(self, {1}); }
};
Tensor atleast_1d(const Tensor& self) { return Atleast1d::forward(self); }
const Register<Atleast1d> atleast_1d_op;
struct Atleast2d {
  static constexpr auto schema = "atleast_2d(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& self) {
    return self.dim() == 0 ? reshape(self, {1, 1}) : self.dim() == 1 ? unsqueeze(self, 0) : self;
  }
};
Tensor atleast_2d(const Tensor& self) { return Atleast2d::forward(self); }
const Register<Atleast2d> atleast_2d_op;
struct Atleast3d {
  static constexpr auto schema = "atleast_3d(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& self) {
    if (self.dim() == 0) return reshape(self, {1, 1, 1});
    if (self.dim() == 1) return unsqueeze(unsqueeze(self, 0), -1);
    return self.dim() == 2 ? unsqueeze(self, -1) : self;
  }
};
Tensor atleast_3d(const Tensor& self) { return Atleast3d::forward(self); }
const Register<Atleast3d> atleast_3d_op;

// One dimension cut into several; one of the sizes may be -1.
struct Unflatten {
  static constexpr auto schema = "unflatten(Tensor self, int dim, int[] sizes) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, int64_t dim, IntList sizes) {
    const auto d = static_cast<size_t>(wrap_dim(dim, self.dim()));
    BOLIDE_CHECK(!sizes.empty(), "unflatten: sizes must be non-empty");
    const int64_t n = self.dim() ? self.sizes()[d] : 1;
    int64_t known = 1, hole = -1;
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] == -1 && hole < 0) hole = static_cast<int64_t>(i);
      else BOLIDE_CHECK(!__builtin_mul_overflow(known, sizes[i], &known), "unflatten: sizes overflow");
    }
    const bool fits = hole < 0 ? known == n : known > 0 && n % known == 0;
    BOLIDE_CHECK(fits, "unflatten: Provided sizes ", sizes, " don't multiply up to the size of dim ", d, " (", n, ") in the input tensor");
    Dims shape;
    for (size_t i = 0; i < d; ++i) shape.push_back(self.sizes()[i]);
    for (size_t i = 0; i < sizes.size(); ++i) shape.push_back(static_cast<int64_t>(i) == hole ? n / known : sizes[i]);
    for (size_t i = d + 1; i < self.sizes().size(); ++i) shape.push_back(self.sizes()[i]);
    return view(self, shape);
  }
};
Tensor unflatten(const Tensor& self, int64_t dim, IntList sizes) { return Unflatten::forward(self, dim, sizes); }
const Register<Unflatten> unflatten_op;

struct Ravel {
  static constexpr auto schema = "ravel(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self) { return reshape(contiguous(self), {-1}); }
};
Tensor ravel(const Tensor& self) { return Ravel::forward(self); }
const Register<Ravel> ravel_op;

}  // namespace bolide
