// Sorting: whole, the first k, single ranks, modes, distinct values.
#include "ops/index.h"
#include "ops/reduce.h"

namespace bolide {

namespace {

using Pair = std::tuple<Tensor, Tensor>;
using Triple = std::tuple<Tensor, Tensor, Tensor>;
using OptDim = std::optional<int64_t>;

void check_real(const char* op, const Tensor& self) {
  BOLIDE_CHECK(!is_complex(self.dtype()), op, "(): does not support complex input (", legacy_name(self.dtype()), ")");
}
int64_t length(const Tensor& t, int64_t dim) { return t.dim() ? t.size(dim) : 1; }

Pair sorted_pair(const Tensor& self, int64_t dim, bool descending, bool stable) {
  dim = wrap_dim(dim, self.dim());
  BOLIDE_CHECK(!is_complex(self.dtype()), "Sort currently does not support complex dtypes on CPU");
  const Tensor v = Tensor::make(self.sizes(), self.dtype(), self.device()), i = Tensor::make(self.sizes(), DType::Int64, self.device());
  kernels(self).sort(self, dim, descending, stable, v, i);
  return {v, i};
}
/// One element of each line, in tensors without (or with) that dimension.
Pair ranked(const char* op, Rank which, const Tensor& self, int64_t k, int64_t dim, bool keepdim) {
  check_real(op, self);
  dim = wrap_dim(dim, self.dim());
  if (which != Rank::Kth && self.dim())
    BOLIDE_CHECK_AS(IndexError, self.size(dim), op, "(): Expected reduction dim ", dim, " to have non-zero size.");
  Dims sizes = self.sizes();
  if (self.dim()) sizes[static_cast<size_t>(dim)] = 1;
  Tensor v = Tensor::make(sizes, self.dtype(), self.device()), i = Tensor::make(sizes, DType::Int64, self.device());
  kernels(self).rank(which, self, k, dim, v, i);
  if (keepdim || !self.dim()) return {v, i};
  return {squeeze(v, {dim}), squeeze(i, {dim})};
}
/// The median of all elements.
Tensor median_of(const char* op, Rank which, const Tensor& self) {
  check_real(op, self);
  if (!self.numel()) {
    BOLIDE_CHECK(is_floating(self.dtype()), op, "() operation does not have an identity for empty input.");
    return full({}, std::numeric_limits<double>::quiet_NaN(), self.dtype(), self.device());
  }
  return std::get<0>(ranked(op, which, reshape(self, {-1}), 0, 0, false));
}
/// Shared evenly by the elements that equal the result.
Tensor median_backward(const Call& c, const Tensor& g) {
  const Tensor x = c.in(0).detach(), r = c.out().detach();
  const Tensor hit = logical_or(eq(x, r), logical_and(isnan(x), isnan(r)));
  return mul(div(g, sum(hit)), hit);
}

}  // namespace

struct Sort {
  static constexpr auto schema = "sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)";
  static constexpr auto kind = Kind::Reduction;
  static Pair forward(const Tensor& self, int64_t dim, bool descending) { return sorted_pair(self, dim, descending, false); }
  static constexpr auto saved = saves(out<1>);
  static Grads backward(const Call& c, const Tensor& g) { return picked_backward(c, g, c.out(1), c.integer(1), true); }
};
Pair sort(const Tensor& self, int64_t dim, bool descending) { return call<Sort>(self, dim, descending); }
const Register<Sort> sort_op;
struct SortStable {
  static constexpr auto schema =
      "sort.stable(Tensor self, *, bool? stable, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)";
  static constexpr auto kind = Kind::Reduction;
  static Pair forward(const Tensor& self, std::optional<bool> stable, int64_t dim, bool descending) {
    return sorted_pair(self, dim, descending, stable.value_or(false));
  }
  static constexpr auto saved = saves(out<1>);
  static Grads backward(const Call& c, const Tensor& g) { return picked_backward(c, g, c.out(1), c.integer(2), true); }
};
const Register<SortStable> sort_stable_op;

struct Argsort {
  static constexpr auto schema = "argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, int64_t dim, bool descending) { return std::get<1>(sorted_pair(self, dim, descending, false)); }
};
const Register<Argsort> argsort_op;
struct ArgsortStable {
  static constexpr auto schema = "argsort.stable(Tensor self, *, bool stable, int dim=-1, bool descending=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, bool, int64_t dim, bool descending) { return std::get<1>(sorted_pair(self, dim, descending, true)); }
};
const Register<ArgsortStable> argsort_stable_op;

struct Msort {
  static constexpr auto schema = "msort(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self) { return std::get<0>(sort(self, 0)); }
};
const Register<Msort> msort_op;

struct Topk {
  static constexpr auto schema =
      "topk(Tensor self, int k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor indices)";
  static constexpr auto kind = Kind::Reduction;
  static Pair forward(const Tensor& self, int64_t k, int64_t dim, bool largest, bool sorted) {
    check_real("topk", self);
    dim = wrap_dim(dim, self.dim());
    BOLIDE_CHECK(k >= 0 && k <= length(self, dim), "selected index k out of range");
    Dims sizes = self.sizes();
    if (self.dim()) sizes[static_cast<size_t>(dim)] = k;
    const Tensor v = Tensor::make(sizes, self.dtype(), self.device()), i = Tensor::make(sizes, DType::Int64, self.device());
    if (v.numel()) kernels(self).topk(self, k, dim, largest, sorted, v, i);
    return {v, i};
  }
  static constexpr auto saved = saves(out<1>);
  static Grads backward(const Call& c, const Tensor& g) { return picked_backward(c, g, c.out(1), c.integer(2), true); }
};
Pair topk(const Tensor& self, int64_t k, int64_t dim, bool largest, bool sorted) { return call<Topk>(self, k, dim, largest, sorted); }
const Register<Topk> topk_op;

// ---- single ranks --------------------------------------------------------------------------------

struct Kthvalue {
  static constexpr auto schema = "kthvalue(Tensor self, int k, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)";
  static constexpr auto kind = Kind::Reduction;
  static Pair forward(const Tensor& self, int64_t k, int64_t dim, bool keepdim) {
    dim = wrap_dim(dim, self.dim());
    BOLIDE_CHECK(k >= 1 && k <= length(self, dim), "kthvalue(): selected number k out of range for dimension ", dim);
    return ranked("kthvalue", Rank::Kth, self, k - 1, dim, keepdim);
  }
  static constexpr auto saved = saves(out<1>);
  static Grads backward(const Call& c, const Tensor& g) { return picked_backward(c, g, c.out(1), c.integer(2), c.flag(3)); }
};
Pair kthvalue(const Tensor& self, int64_t k, int64_t dim, bool keepdim) { return call<Kthvalue>(self, k, dim, keepdim); }
const Register<Kthvalue> kthvalue_op;

struct Median {
  static constexpr auto schema = "median(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr uint8_t variants = 0;
  static Tensor forward(const Tensor& self) { return median_of("median", Rank::Median, self); }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return median_backward(c, g); }
};
const Register<Median> median_op;
struct MedianDim {
  static constexpr auto schema = "median.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)";
  static constexpr auto kind = Kind::Reduction;
  static constexpr auto node = "MedianBackward1";
  static Pair forward(const Tensor& self, int64_t dim, bool keepdim) { return ranked("median", Rank::Median, self, 0, dim, keepdim); }
  static constexpr auto saved = saves(out<1>);
  static Grads backward(const Call& c, const Tensor& g) { return picked_backward(c, g, c.out(1), c.integer(1), c.flag(2)); }
};
const Register<MedianDim> median_dim_op;
struct Nanmedian {
  static constexpr auto schema = "nanmedian(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr uint8_t variants = 0;
  static Tensor forward(const Tensor& self) { return median_of("nanmedian", Rank::NanMedian, self); }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return median_backward(c, g); }
};
const Register<Nanmedian> nanmedian_op;
struct NanmedianDim {
  static constexpr auto schema = "nanmedian.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)";
  static constexpr auto kind = Kind::Reduction;
  static constexpr auto node = "NanmedianBackward1";
  static Pair forward(const Tensor& self, int64_t dim, bool keepdim) { return ranked("nanmedian", Rank::NanMedian, self, 0, dim, keepdim); }
  static constexpr auto saved = saves(out<1>);
  static Grads backward(const Call& c, const Tensor& g) { return picked_backward(c, g, c.out(1), c.integer(1), c.flag(2)); }
};
const Register<NanmedianDim> nanmedian_dim_op;

struct Mode {
  static constexpr auto schema = "mode(Tensor self, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)";
  static constexpr auto kind = Kind::Reduction;
  static Pair forward(const Tensor& self, int64_t dim, bool keepdim) {
    check_real("mode", self);
    dim = wrap_dim(dim, self.dim());
    BOLIDE_CHECK_AS(IndexError, length(self, dim) || !self.dim(), "mode(): Expected reduction dim ", dim, " to have non-zero size.");
    Dims sizes = self.sizes();
    if (self.dim()) sizes[static_cast<size_t>(dim)] = 1;
    const Tensor v = Tensor::make(sizes, self.dtype(), self.device()), i = Tensor::make(sizes, DType::Int64, self.device());
    kernels(self).mode(self, dim, v, i);
    if (keepdim || !self.dim()) return {v, i};
    return {squeeze(v, {dim}), squeeze(i, {dim})};
  }
  static constexpr auto saved = saves(out<1>);
  static Grads backward(const Call& c, const Tensor& g) { return picked_backward(c, g, c.out(1), c.integer(1), c.flag(2)); }
};
const Register<Mode> mode_op;

// ---- distinct values -------------------------------------------------------------------------------

namespace {

/// From whether each of n sorted items begins a new group: the group of each, and how many each has.
Pair groups(const Tensor& begins) {
  const Tensor starts = select(nonzero(begins), 1, 0), n = full({1}, begins.numel(), DType::Int64, begins.device());
  const Tensor parts[] = {starts, n};
  const Tensor edges = cat(parts);
  return {sub(cumsum(begins, 0), 1), sub(narrow(edges, 0, 1, starts.numel()), starts)};
}
/// True first, then whether each item differs from the one before.
Tensor with_first(const Tensor& differs, int64_t n) {
  const Tensor parts[] = {full({std::min<int64_t>(n, 1)}, true, DType::Bool, differs.device()), differs};
  return cat(parts);
}
/// Whether rows differ from those before them, of [n, ...].
Tensor rows_differ(const Tensor& x) {
  const int64_t n = x.size(0);
  if (n < 2) return with_first(full({0}, false, DType::Bool, x.device()), n);
  const Tensor d = ne(narrow(x, 0, 1, n - 1), narrow(x, 0, 0, n - 1));
  return with_first(d.dim() == 1 ? d : any(reshape(d, {n - 1, std::max<int64_t>(d.numel() / (n - 1), 0)}), IntList{1}), n);
}
Tensor none(Device d) { return Tensor::make({0}, DType::Int64, d); }

Triple unique_rows(const Tensor& x, bool inverse, bool counts) {
  const Tensor order = Tensor::make({x.size(0)}, DType::Int64, x.device());
  kernels(x).sort_whole_rows(contiguous(x), order);
  const Tensor sorted = index_select(x, 0, order), begins = rows_differ(sorted);
  const auto [group, count] = groups(begins);
  const Tensor at[] = {begins};
  return {index(sorted, at), inverse ? scatter(empty_like(order), 0, order, group) : none(x.device()), counts ? count : none(x.device())};
}

}  // namespace

struct Unique2 {
  static constexpr auto schema =
      "_unique2(Tensor self, bool sorted=True, bool return_inverse=False, bool return_counts=False) -> (Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::DataDependent;
  static constexpr bool differentiable = false;
  static constexpr uint8_t home = kInternal;
  static Triple forward(const Tensor& self, bool, bool inverse, bool counts) {
    check_real("unique", self);
    const auto [sorted, order] = sorted_pair(reshape(self, {-1}), 0, false, true);
    const Tensor begins = rows_differ(sorted), at[] = {begins};
    const auto [group, count] = groups(begins);
    return {index(sorted, at), inverse ? view(scatter(empty_like(order), 0, order, group), self.sizes()) : none(self.device()),
            counts ? count : none(self.device())};
  }
};
const Register<Unique2> unique2_op;

struct UniqueDim {
  static constexpr auto schema =
      "unique_dim(Tensor self, int dim, bool sorted=True, bool return_inverse=False, bool return_counts=False) -> (Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::DataDependent;
  static constexpr bool differentiable = false;
  static constexpr uint8_t home = kInternal;
  static Triple forward(const Tensor& self, int64_t dim, bool, bool inverse, bool counts) {
    check_real("unique", self);
    dim = wrap_dim(dim, self.dim());
    auto [values, group, count] = unique_rows(transpose(self, dim, 0), inverse, counts);
    return {transpose(values, dim, 0), group, count};
  }
};
const Register<UniqueDim> unique_dim_op;

struct UniqueConsecutive {
  static constexpr auto schema =
      "unique_consecutive(Tensor self, bool return_inverse=False, bool return_counts=False, int? dim=None) -> (Tensor, Tensor, Tensor)";
  static constexpr auto kind = Kind::DataDependent;
  static constexpr bool differentiable = false;
  static constexpr uint8_t home = kInternal;
  static Triple forward(const Tensor& self, bool inverse, bool counts, OptDim dim) {
    const Tensor x = dim ? transpose(self, wrap_dim(*dim, self.dim()), 0) : reshape(self, {-1});
    const Tensor begins = rows_differ(x), at[] = {begins};
    const auto [group, count] = groups(begins);
    const Tensor values = index(x, at);
    return {dim ? transpose(values, wrap_dim(*dim, self.dim()), 0) : values,
            inverse ? (dim ? group : view(group, self.sizes())) : none(self.device()), counts ? count : none(self.device())};
  }
};
const Register<UniqueConsecutive> unique_consecutive_op;

}  // namespace bolide
