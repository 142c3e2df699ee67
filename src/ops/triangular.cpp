// Triangles and diagonals of matrices.
#include "iter/functions.h"
#include "iter/pointwise.h"
#include "ops/creation.h"

namespace bolide {

// ---- triangles -----------------------------------------------------------------------------------

namespace {
/// True where column - row <= k (below) or >= k.
Tensor band(int64_t rows, int64_t columns, int64_t k, bool below, Device device) {
  const Tensor r = unsqueeze(arange(0, rows, 1, DType::Int64, device), 1), c = arange(0, columns, 1, DType::Int64, device);
  return below ? le(c, add(r, k)) : ge(c, add(r, k));
}
BOLIDE_EXPR(Keep, T operator()(bool keep, T x) const { return keep ? x : T(0); })
Tensor triangle(const char* op, Out out, const Tensor& self, int64_t k, bool below) {
  BOLIDE_CHECK(self.dim() >= 2, op, ": input tensor must have at least 2 dimensions");
  const int64_t rows = self.size(-2), columns = self.size(-1), most = rows + columns;
  const Tensor keep = band(rows, columns, std::clamp(k, -most, most), below, self.device());
  return iter::map<Keep, Join<Ints, Floats, Complexes, Bools, Halves>>(op, out, self.dtype(), self.dtype(), {keep, self});
}
}  // namespace

// Zeros above the `diagonal`-th diagonal.
struct Tril {
  static constexpr auto schema = "tril(Tensor self, int diagonal=0) -> Tensor";
  static Tensor forward(Out out, const Tensor& self, int64_t diagonal) { return triangle("tril", out, self, diagonal, true); }
  static Grads backward(const Call& c, const Tensor& g) { return tril(g, c.integer(1)); }
};
Tensor tril(const Tensor& self, int64_t diagonal) { return call<Tril>(self, diagonal); }
const Register<Tril> tril_op;

// Zeros below it.
struct Triu {
  static constexpr auto schema = "triu(Tensor self, int diagonal=0) -> Tensor";
  static Tensor forward(Out out, const Tensor& self, int64_t diagonal) { return triangle("triu", out, self, diagonal, false); }
  static Grads backward(const Call& c, const Tensor& g) { return triu(g, c.integer(1)); }
};
Tensor triu(const Tensor& self, int64_t diagonal) { return call<Triu>(self, diagonal); }
const Register<Triu> triu_op;

namespace {
Tensor triangle_indices(const char* op, int64_t rows, int64_t columns, int64_t k, bool below, OptDType dtype, OptDevice device, OptBool grad) {
  BOLIDE_CHECK(rows >= 0, "row must be non-negative, got", rows);
  BOLIDE_CHECK(columns >= 0, "col must be non-negative, got", columns);
  const DType t = dtype.value_or(DType::Int64);
  BOLIDE_CHECK_AS(NotImplementedError, is_integral(t), '"', op, "\" not implemented for '", legacy_name(t), "'");
  const int64_t most = rows + columns;
  const Tensor where = nonzero(band(rows, columns, std::clamp(k, -most, most), below, Device()));
  return finish(to(contiguous(transpose(where, 0, 1)), t, device), grad);
}
}  // namespace

// The positions in the lower triangle: a row of rows and a row of columns.
struct TrilIndices {
  static constexpr auto schema = "tril_indices(int row, int col, int offset=0, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static Tensor forward(int64_t row, int64_t col, int64_t offset, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return triangle_indices("tril_indices", row, col, offset, true, dtype, device, grad);
  }
};
const Register<TrilIndices> tril_indices_op;
struct TriuIndices {
  static constexpr auto schema = "triu_indices(int row, int col, int offset=0, " FACTORY_TAIL ") -> Tensor";
  static constexpr auto kind = Kind::Creation;
  static Tensor forward(int64_t row, int64_t col, int64_t offset, OptDType dtype, OptLayout, OptDevice device, OptBool, OptBool grad) {
    return triangle_indices("triu_indices", row, col, offset, false, dtype, device, grad);
  }
};
const Register<TriuIndices> triu_indices_op;

// ---- diagonals -----------------------------------------------------------------------------------

// The last dimension on the diagonal of new matrices.
struct DiagEmbed {
  static constexpr auto schema = "diag_embed(Tensor self, int offset=0, int dim1=-2, int dim2=-1) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t variants = 0;
  static Tensor forward(const Tensor& self, int64_t offset, int64_t dim1, int64_t dim2) {
    const int64_t n = self.dim() + 1, a = wrap_dim(dim1, n), b = wrap_dim(dim2, n);
    BOLIDE_CHECK(a != b, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
    BOLIDE_CHECK(self.dim() > 0, "diag_embed: input tensor must have at least 1 dimension");
    const int64_t side = self.size(-1) + std::abs(offset);
    Dims shape = self.sizes();
    shape.resize(shape.size() - 1);
    shape.insert(static_cast<size_t>(std::min(a, b)), side);
    shape.insert(static_cast<size_t>(std::max(a, b)), side);
    const Tensor r = zeros(shape, self.dtype(), self.device());
    copy_(diagonal(r, offset, a, b), self);
    return r;
  }
  static Grads backward(const Call& c, const Tensor& g) { return diagonal(g, c.integer(1), c.integer(2), c.integer(3)); }
};
Tensor diag_embed(const Tensor& self, int64_t offset, int64_t dim1, int64_t dim2) { return call<DiagEmbed>(self, offset, dim1, dim2); }
const Register<DiagEmbed> diag_embed_op;

// Of a vector the matrix with that diagonal, of a matrix its diagonal.
struct Diag {
  static constexpr auto schema = "diag(Tensor self, int diagonal=0) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, int64_t k) {
    BOLIDE_CHECK(self.dim() == 1 || self.dim() == 2, "diag(): Supports 1D or 2D tensors. Got ", self.dim(), "D");
    return self.dim() == 1 ? diag_embed(self, k) : clone(diagonal(self, k, 0, 1), MemoryFormat::Contiguous);
  }
};
Tensor diag(const Tensor& self, int64_t diagonal) { return Diag::forward(self, diagonal); }
const Register<Diag> diag_op;

struct Diagflat {
  static constexpr auto schema = "diagflat(Tensor self, int offset=0) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self, int64_t offset) { return diag(reshape(contiguous(self), {-1}), offset); }
};
const Register<Diagflat> diagflat_op;

// Writes `fill_value` on the main diagonal, in tall matrices again after each wrap.
struct FillDiagonal_ {
  static constexpr auto schema = "fill_diagonal_(Tensor self, Scalar fill_value, bool wrap=False) -> Tensor";
  static Tensor forward(const Tensor& self, const Scalar& value, bool wrap) {
    BOLIDE_CHECK(self.dim() >= 2, "dimensions must larger than 1");
    int64_t least = self.size(0), step = 0;
    for (int64_t d = 0; d < self.dim(); ++d) {
      BOLIDE_CHECK(self.dim() == 2 || self.size(d) == self.size(0), "all dimensions of input must be of equal length");
      least = std::min(least, self.size(d));
      step += self.stride(d);
    }
    fill_(self.view_as_layout({least}, {step}, self.storage_offset()), value);
    const int64_t rows = self.size(0), columns = self.size(1);
    if (wrap && self.dim() == 2 && rows > columns + 1 && columns > 0) {
      const int64_t more = (rows - columns - 2) / (columns + 1) + 1;  // diagonals that start below the first
      for (int64_t i = 1; i <= more; ++i) {
        const int64_t top = i * (columns + 1);
        fill_(self.view_as_layout({std::min(columns, rows - top)}, {step}, self.storage_offset() + top * self.stride(0)), value);
      }
    }
    return self;
  }
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor r = clone(g);
    const Value v[] = {box(r), box(Scalar(0)), box(c.flag(2))};
    call_boxed(Register<FillDiagonal_>::info, v);
    return r;
  }
};
const Register<FillDiagonal_> fill_diagonal__op;

}  // namespace bolide
