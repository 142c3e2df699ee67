// Indexing along one dimension by a vector: select, add, copy, fill, reduce; take and put of a tensor seen as flat.
#include "ops/index.h"

namespace bolide {

namespace {

/// A 0-d tensor as a vector of one, so that it has a dimension to index.
Tensor at_least_1d(const Tensor& t) { return t.dim() ? t : t.view_as_layout({1}, {1}, t.storage_offset()); }

bool is_index(const Tensor& t) { return t.dtype() == DType::Int64 || t.dtype() == DType::Int32; }

/// Writes `values` ([.., n, ..] or one element) at `index` along `dim`.
void put_along(ScatterOp op, const Tensor& self, int64_t dim, const Tensor& index, Bounds bounds, const Tensor& values) {
  const Tensor x = at_least_1d(self), at[] = {reshape(index_values(index), {-1})};
  kernels(self).index_put(op, x, at, dim, bounds, contiguous(values));
}

Dims with_size(Dims sizes, int64_t dim, int64_t n) {
  if (!sizes.empty()) sizes[static_cast<size_t>(dim)] = n;
  return sizes;
}

}  // namespace

struct IndexSelect {
  static constexpr auto schema = "index_select(Tensor self, int dim, Tensor index) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static Tensor forward(Out out, const Tensor& self, int64_t dim, const Tensor& index) {
    dim = wrap_dim(dim, self.dim());
    BOLIDE_CHECK_AS(IndexError, index.dim() <= 1, "index_select(): Index is supposed to be a vector");
    BOLIDE_CHECK(is_index(index), "index_select(): Expected dtype int32 or int64 for index");
    BOLIDE_CHECK(self.dim() || index.numel() == 1, "index_select(): Index to scalar can have only 1 value, got ", index.numel(), " value(s)");
    const ReadResult r("index_select", out, with_size(self.sizes(), dim, index.numel()), self.dtype(), self.device());
    const Tensor at[] = {reshape(index_values(index), {-1})};
    kernels(self).index(at_least_1d(self), at, dim, Bounds::Select, r.dense());
    return r.finish();
  }
  static constexpr auto saved = saves(in<2>);
  static Grads backward(const Call& c, const Tensor& g) {
    return index_add(zeros(c.sizes(), g.dtype(), g.device()), c.integer(1), c.in(2), g);
  }
};
Tensor index_select(const Tensor& self, int64_t dim, const Tensor& i) { return call<IndexSelect>(self, dim, i); }
const Register<IndexSelect> index_select_op;

namespace {
void check_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source) {
  BOLIDE_CHECK_AS(IndexError, index.dim() <= 1, "index_add_(): Index is supposed to be a vector, but got dim: ", index.dim(), " with type: ",
                  legacy_name(index.dtype()), " and size: ", index.sizes());
  BOLIDE_CHECK(is_index(index), "index_add_(): Expected dtype int32/int64 for index but got: ", legacy_name(index.dtype()));
  BOLIDE_CHECK(self.dtype() == source.dtype(), "index_add_(): self (", legacy_name(self.dtype()), ") and source (", legacy_name(source.dtype()),
               ") must have the same scalar type");
  const int64_t n = source.dim() ? dim < source.dim() ? source.size(dim) : -1 : 1;
  bool fits = self.dim() == source.dim();
  for (int64_t d = 0; fits && d < self.dim(); ++d) fits = d == dim || self.size(d) == source.size(d);
  BOLIDE_CHECK(n < 0 || index.numel() == n, "index_add_(): Number of indices (", index.numel(), ") should be equal to source.size(dim): (", n,
               "), for dim: ", dim);
  BOLIDE_CHECK(fits, "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = ", self.sizes(),
               " source.shape = ", source.sizes());
}
}  // namespace

// self[index[i]] += alpha * source[i].
struct IndexAdd {
  static constexpr auto schema = "index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(Out out, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha) {
    dim = wrap_dim(dim, self.dim());
    check_add(self, dim, index, source);
    const Tensor r = writable("index_add", out, self);
    check_apart(r, source);
    if (!index.numel()) return r;
    put_along(ScatterOp::Add, r, dim, index, Bounds::Add, alpha.equal(1) ? source : cast(mul(source, alpha), source.dtype()));
    return r;
  }
  static constexpr auto saved = saves(in<2>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    r.of[0] = g;
    if (!c.needs(3)) return r;
    const Tensor picked = index_select(g, c.integer(1), c.in(2));
    r.of[3] = c.number(4).equal(1) ? picked : mul(picked, conj_number(c.number(4)));
    return r;
  }
  static Scalar conj_number(const Scalar& s) { return s.is_complex() ? Scalar(std::conj(s.to<complex128>())) : s; }
};
Tensor index_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha) {
  return call<IndexAdd>(self, dim, index, source, alpha);
}
const Register<IndexAdd> index_add_op;

namespace {
void check_copy(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source) {
  BOLIDE_CHECK_AS(IndexError, index.dim() <= 1, "index_copy_(): Index should have dimension 1 or 0 (got ", index.dim(), ")");
  const int64_t n = index.numel();
  BOLIDE_CHECK_AS(IndexError, source.dim() || n == 1, "index_copy_(): When source is scalar, index should have one element (got ", n, ")");
  BOLIDE_CHECK_AS(IndexError, source.dim() == self.dim() || !source.dim() || !self.dim(), "index_copy_(): When source and destination are not "
                  "scalars, their dimensionality must match. Source dimensionality (", source.dim(), "), destination dimensionality (", self.dim(), ")");
  BOLIDE_CHECK(index.dtype() == DType::Int64, "index_copy_(): Expected a long tensor for index, but got ", legacy_name(index.dtype()));
  BOLIDE_CHECK(self.dtype() == source.dtype(), "index_copy_(): self and source expected to have the same dtype, but got (self) ",
               legacy_name(self.dtype()), " and (source) ", legacy_name(source.dtype()));
  bool fits = true;
  for (int64_t d = 0; source.dim() && d < self.dim(); ++d) fits &= d == dim || self.size(d) == source.size(d);
  BOLIDE_CHECK(fits, "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: ", self.sizes(),
               " at dimension ", dim, " and source slice shape: ", source.sizes(), " at dimension 0.");
  BOLIDE_CHECK_AS(IndexError, !source.dim() || n == source.size(dim), "index_copy_(): Number of indices (", n,
                  ") should be equal to source.size(dim) (", source.dim() ? source.size(dim) : 1, ")");
}
}  // namespace

// self[index[i]] = source[i].
struct IndexCopy {
  static constexpr auto schema = "index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(Out out, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source) {
    dim = wrap_dim(dim, self.dim());
    check_copy(self, dim, index, source);
    const Tensor r = writable("index_copy", out, self);
    check_apart(r, source);
    if (index.numel()) put_along(ScatterOp::Set, r, dim, index, Bounds::Copy, source);
    return r;
  }
  static constexpr auto saved = saves(in<2>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    if (c.needs(0)) r.of[0] = index_fill(g, c.integer(1), c.in(2), 0);
    if (c.needs(3)) r.of[3] = c.sizes(3).empty() ? sum(index_select(g, c.integer(1), c.in(2))) : expand(index_select(g, c.integer(1), c.in(2)), c.sizes(3));
    return r;
  }
};
Tensor index_copy(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source) { return call<IndexCopy>(self, dim, index, source); }
const Register<IndexCopy> index_copy_op;

// self[index[i]] = value.
struct IndexFill {
  static constexpr auto schema = "index_fill(Tensor self, int dim, Tensor index, Operand value) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kInPlace;
  static Tensor forward(Out out, const Tensor& self, int64_t dim, const Tensor& index, const Operand& value) {
    dim = wrap_dim(dim, self.dim());
    BOLIDE_CHECK_AS(IndexError, index.dtype() == DType::Int64, "index_fill_(): Expected dtype int64 for index.");
    BOLIDE_CHECK(index.dim() <= 1, "Index has to be a vector/scalar");
    BOLIDE_CHECK(!value.tensor || value.tensor->dim() == 0, "index_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
                 value.tensor->dim(), " dimension(s).");
    const bool complex = value.tensor ? is_complex(value.tensor->dtype()) : value.number.is_complex();
    BOLIDE_CHECK(is_complex(self.dtype()) || !complex, "index_fill_(): Converting complex Scalar to non-complex type is not supported");
    const Tensor r = writable("index_fill", out, self);
    if (!index.numel() || !r.numel()) return r;
    const Tensor v = value.tensor ? cast(*value.tensor, self.dtype()) : full({}, value.number, self.dtype(), self.device());
    put_along(ScatterOp::Set, r, dim, index, Bounds::Fill, v);
    return r;
  }
  static constexpr auto saved = saves(in<2>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    const int64_t dim = c.integer(1);
    const Tensor index = c.in(2);
    if (c.needs(0)) r.of[0] = index_fill(g, dim, index, 0);
    if (c.needs(3)) r.of[3] = sum(mul(g, index_fill(zeros(g.sizes(), g.dtype(), g.device()), dim, index, 1)));
    return r;
  }
};
Tensor index_fill(const Tensor& self, int64_t dim, const Tensor& index, const Operand& value) { return call<IndexFill>(self, dim, index, value); }
const Register<IndexFill> index_fill_op;

// self[index[i]] joined with source[i] by a product, mean or extreme: scatter_reduce with the index spread out.
struct IndexReduce {
  static constexpr auto schema =
      "index_reduce(Tensor self, int dim, Tensor index, Tensor source, str reduce, *, bool include_self=True) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source, Str reduce, bool include_self) {
    BOLIDE_CHECK(reduce == "prod" || reduce == "mean" || reduce == "amax" || reduce == "amin",
                 "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got ", reduce, ".");
    dim = wrap_dim(dim, self.dim());
    BOLIDE_CHECK_AS(IndexError, index.dim() <= 1, "index_reduce_(): Index is supposed to be a vector");
    BOLIDE_CHECK(is_index(index), "index_reduce_(): Expected dtype int32/int64 for index");
    BOLIDE_CHECK(self.dtype() == source.dtype(), "index_reduce_(): self (", legacy_name(self.dtype()), ") and source (", legacy_name(source.dtype()),
                 ") must have the same scalar type");
    BOLIDE_CHECK(source.dim() == self.dim() && index.numel() == (source.dim() ? source.size(dim) : 1),
                 "index_reduce_(): Number of indices should be equal to self.size(dim)");
    check_range(index, self.dim() ? self.size(dim) : 1);
    Dims shape(source.sizes().size(), 1);
    if (!shape.empty()) shape[static_cast<size_t>(dim)] = index.numel();
    return scatter_reduce(self, dim, expand(reshape(cast(index, DType::Int64), shape), source.sizes()), source, reduce, include_self);
  }
  static void check_range(const Tensor& index, int64_t n) {
    if (index.device().is_meta() || !index.numel()) return;
    const auto [low, high] = aminmax(index);
    BOLIDE_CHECK_AS(IndexError, low.item<int64_t>() >= 0 && high.item<int64_t>() < n, "index out of range in self");
  }
};
const Register<IndexReduce> index_reduce_op;

// ---- a tensor as flat ----------------------------------------------------------------------------

struct Take {
  static constexpr auto schema = "take(Tensor self, Tensor index) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static Tensor forward(Out out, const Tensor& self, const Tensor& index) {
    BOLIDE_CHECK(index.dtype() == DType::Int64, "take(): Expected a long tensor for index, but got ", legacy_name(index.dtype()));
    BOLIDE_CHECK_AS(IndexError, self.numel() || !index.numel(), "take(): tried to take from an empty tensor");
    const ReadResult r("take", out, index.sizes(), self.dtype(), self.device());
    const Tensor at[] = {index_values(index)};
    kernels(self).index(reshape(self, {-1}), at, 0, Bounds::Take, r.dense());
    return r.finish();
  }
  static constexpr auto saved = saves(in<1>);
  static Grads backward(const Call& c, const Tensor& g) { return put(zeros(c.sizes(), g.dtype(), g.device()), c.in(1), g, true); }
};
Tensor take(const Tensor& self, const Tensor& index) { return call<Take>(self, index); }
const Register<Take> take_op;

struct Put {
  static constexpr auto schema = "put(Tensor self, Tensor index, Tensor source, bool accumulate=False) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = kInPlace;
  static Tensor forward(Out out, const Tensor& self, const Tensor& index, const Tensor& source, bool accumulate) {
    BOLIDE_CHECK(index.dtype() == DType::Int64, "put_(): Expected a long tensor for index, but got ", legacy_name(index.dtype()));
    BOLIDE_CHECK(self.dtype() == source.dtype(), "put_(): self and source expected to have the same dtype, but got self.dtype = ",
                 legacy_name(self.dtype()), " and source.dtype = ", legacy_name(source.dtype()));
    BOLIDE_CHECK_AS(IndexError, index.numel() == source.numel(), "put_(): Expected source and index to have the same number of elements, but got "
                    "source.numel() = ", source.numel(), ", index.numel() = ", index.numel());
    BOLIDE_CHECK_AS(IndexError, self.numel() || !index.numel(), "put_(): tried to put elements into an empty tensor");
    const Tensor r = writable("put", out, self);
    check_apart(r, index), check_apart(r, source);
    if (!index.numel()) return r;
    const Tensor dense = contiguous(r), at[] = {reshape(index_values(index), {-1})};
    kernels(r).index_put(accumulate ? ScatterOp::Add : ScatterOp::Set, view(dense, {-1}), at, 0, Bounds::Take, contiguous(source));
    if (!dense.is_same(r)) copy_(r, dense);
    return r;
  }
  static constexpr auto saved = saves(in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    const Tensor index = c.in(1);
    if (c.needs(0)) r.of[0] = c.flag(3) ? g : put(g, index, zeros(index.sizes(), g.dtype(), g.device()));
    if (c.needs(2)) r.of[2] = reshape(take(g, index), c.sizes(2));
    return r;
  }
};
Tensor put(const Tensor& self, const Tensor& index, const Tensor& source, bool accumulate) { return call<Put>(self, index, source, accumulate); }
const Register<Put> put_op;

}  // namespace bolide
