// Grids, products of sequences, and sums over sample points. Map: grids and products | vander | trapezoid | gradient
#include "ops/binary.h"
#include "ops/creation.h"

namespace bolide {

// ---- grids and products ------------------------------------------------------------------------------

// Coordinates of a grid: one tensor of the full shape for each input.
struct Meshgrid {
  static constexpr auto schema = "meshgrid(Tensor[] tensors, *, str indexing='ij') -> Tensor[]";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static std::vector<Tensor> forward(TensorList all, Str indexing) {
    BOLIDE_CHECK(indexing == "ij" || indexing == "xy", "torch.meshgrid: indexing must be one of \"xy\" or \"ij\", but received: ", indexing);
    BOLIDE_CHECK(!all.empty(), "meshgrid expects a non-empty TensorList");
    std::vector<Tensor> in(all.begin(), all.end());
    for (const Tensor& t : in) {
      BOLIDE_CHECK(t.dim() <= 1, "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: a tensor with ", t.dim(), " dimensions");
      BOLIDE_CHECK(t.dtype() == in[0].dtype(), "meshgrid expects all tensors to have the same dtype");
      BOLIDE_CHECK(t.device() == in[0].device(), "meshgrid expects all tensors to have the same device");
    }
    const bool swap = indexing == "xy" && in.size() >= 2;
    if (swap) std::swap(in[0], in[1]);
    Dims shape;
    for (const Tensor& t : in) shape.push_back(t.numel());
    std::vector<Tensor> out;
    for (size_t i = 0; i < in.size(); ++i) {
      Dims one(in.size(), 1);
      one[i] = -1;
      out.push_back(expand(view(in[i], one), shape));
    }
    if (swap) std::swap(out[0], out[1]);
    return out;
  }
};
std::vector<Tensor> meshgrid(TensorList all, Str indexing) { return Meshgrid::forward(all, indexing); }
const Register<Meshgrid> meshgrid_op;

// All ways to take one element of each vector, as rows.
struct CartesianProd {
  static constexpr auto schema = "cartesian_prod(Tensor[] tensors) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(TensorList all) {
    BOLIDE_CHECK(!all.empty(), "cartesian_prod expects a non-empty TensorList");
    for (const Tensor& t : all) BOLIDE_CHECK(t.dim() == 1, "Expect a 1D vector, but got shape ", t.sizes());
    if (all.size() == 1) return all[0];
    std::vector<Tensor> columns;
    for (const Tensor& t : meshgrid(all, "ij")) columns.push_back(flatten(t));
    return stack(columns, 1);
  }
};
Tensor cartesian_prod(TensorList all) { return CartesianProd::forward(all); }
const Register<CartesianProd> cartesian_prod_op;

// All choices of r elements in order, as rows.
struct Combinations {
  static constexpr auto schema = "combinations(Tensor self, int r=2, bool with_replacement=False) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& self, int64_t r, bool with_replacement) {
    BOLIDE_CHECK(self.dim() == 1, "Expect a 1D vector, but got shape ", self.sizes());
    BOLIDE_CHECK(r >= 0, "Expect a non-negative number, but got ", r);
    if (r == 0) return empty({0}, self.dtype(), self.device());
    const Tensor places = arange(0, self.numel(), 1, DType::Int64, self.device());
    const std::vector<Tensor> grids = meshgrid(std::vector<Tensor>(static_cast<size_t>(r), places), "ij");
    Tensor mask = ones(grids[0].sizes(), DType::Bool, self.device());
    for (size_t i = 1; i < grids.size(); ++i)
      mask = logical_and(mask, with_replacement ? le(grids[i - 1], grids[i]) : lt(grids[i - 1], grids[i]));
    const Tensor chosen = nonzero(mask);  // its columns are the places themselves
    return reshape(index_select(self, 0, reshape(chosen, {-1})), {chosen.size(0), r});
  }
};
Tensor combinations(const Tensor& self, int64_t r, bool with_replacement) { return Combinations::forward(self, r, with_replacement); }
const Register<Combinations> combinations_op;

// ---- vander -------------------------------------------------------------------------------------------

// Powers of x as columns, falling unless `increasing`.
struct Vander {
  static constexpr auto schema = "vander(Tensor x, int? N=None, bool increasing=False) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& x, std::optional<int64_t> count, bool increasing) {
    BOLIDE_CHECK(x.dim() == 1, "x must be a one-dimensional tensor.");
    const int64_t n = count.value_or(x.size(0));
    BOLIDE_CHECK(n >= 0, "N must be non-negative.");
    const DType t = is_differentiable(x.dtype()) ? x.dtype() : DType::Int64;
    if (n == 0) return empty({x.size(0), 0}, t, x.device());
    const Tensor powers = unsqueeze(increasing ? arange(0, n, 1, DType::Int64, x.device()) : arange(n - 1, -1, -1, DType::Int64, x.device()), 0);
    return pow(unsqueeze(cast(x, t), 1), cast(powers, is_differentiable(t) ? real_of(t) : t));
  }
};
const Register<Vander> vander_op;

// ---- trapezoid ------------------------------------------------------------------------------------------

namespace {
/// (y[1:] + y[:-1]) / 2 along `dim`, to be multiplied by the distances of the sample points.
Tensor pair_sums(const Tensor& y, int64_t dim) { return add(slice(y, dim, 1), slice(y, dim, 0, -1)); }
Tensor check_samples(const char* op, const Tensor& y) {
  BOLIDE_CHECK(y.dtype() != DType::Bool, op, ": received a bool input for `y`, but bool is not supported");
  return y;
}
/// The distances of x along `dim`, shaped to multiply y's.
Tensor distances(const char* op, const Tensor& y, const Tensor& x, int64_t dim) {
  BOLIDE_CHECK(x.dtype() != DType::Bool, op, ": received a bool input for `x`, but bool is not supported");
  Tensor where = x;
  if (x.dim() == 1 && y.dim() >= 1) {
    BOLIDE_CHECK(x.size(0) == y.size(dim), op, ": There must be one `x` value for each sample point");
    Dims shape(y.sizes().size(), 1);
    shape[static_cast<size_t>(wrap_dim(dim, y.dim()))] = x.size(0);
    where = view(contiguous(x), shape);
  } else if (x.dim() < y.dim()) {
    Dims shape(y.sizes().size() - x.sizes().size(), 1);
    for (int64_t s : x.sizes()) shape.push_back(s);
    where = reshape(x, shape);
  }
  return sub(slice(where, dim, 1), slice(where, dim, 0, -1));
}
int64_t check_dim(const Tensor& y, int64_t dim) {
  BOLIDE_CHECK_AS(IndexError, y.dim() > 0, "Dimension specified as ", dim, " but tensor has no dimensions");
  return wrap_dim(dim, y.dim());
}
Tensor zeros_without(const Tensor& y, int64_t dim) {
  Dims shape = y.sizes();
  shape.erase(static_cast<size_t>(dim));
  return zeros(shape, y.dtype(), y.device());
}
}  // namespace

// The integral by the trapezoidal rule over sample points x.
struct TrapezoidX {
  static constexpr auto schema = "trapezoid.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& y, const Tensor& x, int64_t dim) {
    const int64_t d = check_dim(check_samples("trapezoid", y), dim);
    if (y.size(d) == 0) return zeros_without(y, d);
    const Tensor each = mul(pair_sums(y, d - y.dim()), distances("trapezoid", y, x, d - y.dim()));
    return div(sum(each, IntList{dim < 0 ? dim : d - y.dim()}), 2);
  }
};
const Register<TrapezoidX> trapezoid_x_op;
const Alias<TrapezoidX> trapz_x_op("trapz");

// The same with sample points `dx` apart.
struct Trapezoid {
  static constexpr auto schema = "trapezoid.dx(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& y, const Scalar& dx, int64_t dim) {
    const int64_t d = check_dim(check_samples("trapezoid", y), dim);
    if (y.size(d) == 0) return zeros_without(y, d);
    const Tensor inner = sub(sum(y, IntList{d}), mul(add(select(y, d, 0), select(y, d, -1)), 0.5));
    return mul(inner, dx);
  }
};
const Register<Trapezoid> trapezoid_op;
struct Trapz {
  static constexpr auto schema = "trapz.dx(Tensor y, *, float dx=1, int dim=-1) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& y, double dx, int64_t dim) { return Trapezoid::forward(y, dx, dim); }
};
const Register<Trapz> trapz_op;

// The running integral.
struct CumulativeTrapezoidX {
  static constexpr auto schema = "cumulative_trapezoid.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& y, const Tensor& x, int64_t dim) {
    const int64_t d = check_dim(check_samples("cumulative_trapezoid", y), dim) - y.dim();
    const Tensor each = mul(distances("cumulative_trapezoid", y, x, d), pair_sums(y, d));
    return div(cumsum(each, d), 2.0);
  }
};
const Register<CumulativeTrapezoidX> cumulative_trapezoid_x_op;
struct CumulativeTrapezoid {
  static constexpr auto schema = "cumulative_trapezoid.dx(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& y, const Scalar& dx, int64_t dim) {
    const int64_t d = check_dim(check_samples("cumulative_trapezoid", y), dim) - y.dim();
    return mul(cumsum(pair_sums(y, d), d), dx.is_complex() ? Scalar(dx.to<complex128>() / 2.0) : Scalar(dx.to_double() / 2));
  }
};
const Register<CumulativeTrapezoid> cumulative_trapezoid_op;

// ---- gradient ----------------------------------------------------------------------------------------------

namespace {
/// The slope along `dim` at sample points `h` apart: differences of second order inside, of `order` at both ends.
Tensor slope_even(const Tensor& y, int64_t dim, double h, int64_t order) {
  const Tensor inner = div(sub(slice(y, dim, 2), slice(y, dim, 0, -2)), 2 * h);
  auto at = [&](int64_t i) { return narrow(y, dim, i < 0 ? y.size(dim) + i : i, 1); };
  Tensor head, tail;
  if (order == 1) {
    head = div(sub(at(1), at(0)), h), tail = div(sub(at(-1), at(-2)), h);
  } else {
    head = div(sub(sub(mul(at(1), 4), mul(at(0), 3)), at(2)), 2 * h);
    tail = div(add(sub(mul(at(-1), 3), mul(at(-2), 4)), at(-3)), 2 * h);
  }
  return cat(std::vector<Tensor>{head, inner, tail}, dim);
}
/// The same at the points `x`.
Tensor slope_at(const Tensor& y, int64_t dim, const Tensor& x, int64_t order) {
  Dims shape(y.sizes().size(), 1);
  shape[static_cast<size_t>(dim)] = -1;
  const int64_t n = y.size(dim);
  const Tensor step = reshape(sub(slice(x, 0, 1), slice(x, 0, 0, -1)), shape);
  const Tensor a = narrow(step, dim, 0, n - 2), b = narrow(step, dim, 1, n - 2);
  auto piece = [&](int64_t from, int64_t count) { return narrow(y, dim, from, count); };
  auto h = [&](int64_t i) { return narrow(step, dim, i < 0 ? n - 1 + i : i, 1); };
  const Tensor left = neg(div(b, mul(a, add(a, b)))), mid = div(sub(b, a), mul(a, b)), right = div(a, mul(b, add(a, b)));
  const Tensor inner = add(add(mul(left, piece(0, n - 2)), mul(mid, piece(1, n - 2))), mul(right, piece(2, n - 2)));
  Tensor head, tail;
  if (order == 1) {
    head = div(sub(piece(1, 1), piece(0, 1)), h(0)), tail = div(sub(piece(n - 1, 1), piece(n - 2, 1)), h(-1));
  } else {
    const Tensor p = h(0), q = h(1), r = h(-1), s = h(-2);
    head = add(sub(mul(div(add(p, q), mul(p, q)), piece(1, 1)), mul(div(add(add(p, p), q), mul(p, add(p, q))), piece(0, 1))),
               neg(mul(div(p, mul(q, add(p, q))), piece(2, 1))));
    tail = add(sub(mul(div(add(add(r, r), s), mul(r, add(r, s))), piece(n - 1, 1)), mul(div(add(r, s), mul(r, s)), piece(n - 2, 1))),
               mul(div(r, mul(s, add(r, s))), piece(n - 3, 1)));
  }
  return cat(std::vector<Tensor>{head, inner, tail}, dim);
}
}  // namespace

// Slopes along each of `dim` (all without). `spacing`: one number, or one a dimension; `points`: coordinates instead.
struct Gradient {
  static constexpr auto schema = "_gradient(Tensor self, float[] spacing, Tensor[] points, int[]? dim, int edge_order) -> Tensor[]";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static std::vector<Tensor> forward(const Tensor& self, std::span<const double> spacing, TensorList points, std::optional<IntList> dim,
                                     int64_t order) {
    BOLIDE_CHECK(order == 1 || order == 2, "torch.gradient only supports edge_order=1 and edge_order=2.");
    std::vector<int64_t> dims;
    if (dim) for (int64_t d : *dim) dims.push_back(wrap_dim(d, self.dim()));
    else for (int64_t d = 0; d < self.dim(); ++d) dims.push_back(d);
    const size_t given = points.empty() ? spacing.size() : points.size();
    BOLIDE_CHECK(given == dims.size(), "torch.gradient expected spacing to be unspecified, a scalar, or a list of length ", dims.size(),
                 ", one for each dimension, but got a list of length ", given);
    for (size_t i = 0; i < dims.size(); ++i) {
      for (size_t j = 0; j < i; ++j) BOLIDE_CHECK(dims[i] != dims[j], "dim ", dims[i], " appears multiple times in the list of dims");
      BOLIDE_CHECK(self.size(dims[i]) >= order + 1, "torch.gradient expected each dimension size to be at least edge_order+1");
    }
    std::vector<Tensor> out;
    for (size_t i = 0; i < dims.size(); ++i) {
      if (points.empty()) out.push_back(slope_even(self, dims[i], spacing[i], order));
      else out.push_back(slope_at(self, dims[i], points[i], order));
    }
    return out;
  }
};
const Register<Gradient> gradient_op;

}  // namespace bolide
