// Searching sorted sequences, counting into bins, membership.
#include "ops/index.h"

namespace bolide {

namespace {

using OptDim = std::optional<int64_t>;

Tensor search(const Tensor& sequence, const Tensor& values, bool int32, bool right, std::optional<Str> side, const Tensor& sorter) {
  BOLIDE_CHECK(!side || *side == "left" || *side == "right", "torch.searchsorted(): side can only be 'left' or 'right' but got ", *side);
  BOLIDE_CHECK(!right || !side || *side == "right", "torch.searchsorted(): side and right can't be set to opposites, got side of ", side.value_or(""),
               " while right was True");
  BOLIDE_CHECK(!is_complex(sequence.dtype()) && !is_complex(values.dtype()), "torch.searchsorted(): complex values have no order");
  BOLIDE_CHECK(sequence.dim() > 0 || sequence.numel() == 1, "torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 dimension");
  bool fits = sequence.dim() <= 1 || sequence.dim() == values.dim();
  for (int64_t d = 0; sequence.dim() > 1 && fits && d + 1 < sequence.dim(); ++d) fits = sequence.size(d) == values.size(d);
  BOLIDE_CHECK(fits, "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input value "
               "tensor must match, but we got boundaries tensor ", sequence.sizes(), " and input value tensor ", values.sizes());
  BOLIDE_CHECK(!sorter.defined() || (sorter.sizes() == sequence.sizes() && sorter.dtype() == DType::Int64),
               "torch.searchsorted(): sorter must be a long tensor of the boundaries' size");
  const Operand both[] = {sequence, values};
  const DType t = iter::result_type(both);
  const Tensor out = Tensor::make(values.sizes(), int32 ? DType::Int32 : DType::Int64, values.device());
  if (out.numel())
    kernels(values).search(contiguous(cast(sequence, t)), sorter.defined() ? contiguous(sorter) : Tensor(), contiguous(cast(values, t)),
                           right || (side && *side == "right"), out);
  return out;
}

}  // namespace

struct Searchsorted {
  static constexpr auto schema =
      "searchsorted(Tensor sorted_sequence, Tensor self, *, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr bool differentiable = false;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& sequence, const Tensor& self, bool int32, bool right, std::optional<Str> side, const Tensor& sorter) {
    return search(sequence, self, int32, right, side, sorter);
  }
};
Tensor searchsorted(const Tensor& sequence, const Tensor& values, bool right) { return call<Searchsorted>(sequence, values, false, right, std::optional<Str>(), Tensor()); }
const Register<Searchsorted> searchsorted_op;
struct SearchsortedScalar {
  static constexpr auto schema =
      "searchsorted.Scalar(Tensor sorted_sequence, Scalar self, *, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr bool differentiable = false;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& sequence, const Scalar& self, bool int32, bool right, std::optional<Str> side, const Tensor& sorter) {
    return search(sequence, scalar_tensor(self, sequence.dtype(), sequence.device()), int32, right, side, sorter);
  }
};
const Register<SearchsortedScalar> searchsorted_scalar_op;

struct Bucketize {
  static constexpr auto schema = "bucketize(Tensor self, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr bool differentiable = false;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& self, const Tensor& boundaries, bool int32, bool right) {
    BOLIDE_CHECK(boundaries.dim() == 1, "bucketize(): boundaries tensor must be 1 dimension, but got dim(", boundaries.dim(), ")");
    return search(boundaries, self, int32, right, {}, {});
  }
};
const Register<Bucketize> bucketize_op;
struct BucketizeScalar {
  static constexpr auto schema = "bucketize.Scalar(Scalar self, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr bool differentiable = false;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Scalar& self, const Tensor& boundaries, bool int32, bool right) {
    return Bucketize::forward(scalar_tensor(self, boundaries.dtype(), boundaries.device()), boundaries, int32, right);
  }
};
const Register<BucketizeScalar> bucketize_scalar_op;

// Whether each element is among the test elements.
struct Isin {
  static constexpr auto schema =
      "isin.Tensor_Tensor(Tensor elements, Operand test_elements, *, bool assume_unique=False, bool invert=False) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr bool differentiable = false;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& elements, const Operand& test, bool, bool invert) {
    if (!test.tensor) return invert ? ne(elements, test.number) : eq(elements, test.number);
    const Operand both[] = {elements, *test.tensor};
    const DType t = iter::result_type(both);
    const Tensor seek = cast(elements, t), among = std::get<0>(sort(reshape(cast(*test.tensor, t), {-1}), 0));
    if (!among.numel()) return full(elements.sizes(), invert, DType::Bool, elements.device());
    const Tensor at = clamp(searchsorted(among, seek), Scalar(0), Scalar(among.numel() - 1));
    const Tensor found = take(among, at);
    return invert ? ne(found, seek) : eq(found, seek);
  }
};
const Register<Isin> isin_op;
struct IsinScalar {
  static constexpr auto schema = "isin.Scalar_Tensor(Scalar element, Tensor test_elements, *, bool assume_unique=False, bool invert=False) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr bool differentiable = false;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Scalar& element, const Tensor& test, bool, bool invert) {
    const Tensor found = any(eq(test, element));
    return invert ? logical_not(found) : found;
  }
};
const Register<IsinScalar> isin_scalar_op;

// ---- counting ------------------------------------------------------------------------------------

struct Bincount {
  static constexpr auto schema = "bincount(Tensor self, Tensor? weights=None, int minlength=0) -> Tensor";
  static constexpr auto kind = Kind::DataDependent;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, const Tensor& weights, int64_t minlength) {
    BOLIDE_CHECK(minlength >= 0, "minlength should be >= 0");
    BOLIDE_CHECK(self.dim() == 1 && is_integral(self.dtype()), "bincount only supports 1-d non-negative integral inputs.");
    BOLIDE_CHECK(!weights.defined() || (weights.dim() == 1 && weights.numel() == self.numel()), "weights should be 1-d and have the same length as input");
    const DType t = !weights.defined() ? DType::Int64 : weights.dtype() == DType::Float32 ? DType::Float32 : DType::Float64;
    int64_t n = minlength;
    if (self.numel()) {
      const auto [low, high] = aminmax(self);
      BOLIDE_CHECK(low.item<int64_t>() >= 0, "bincount only supports 1-d non-negative integral inputs.");
      n = std::max(n, high.item<int64_t>() + 1);
    }
    const Tensor r = zeros({n}, t, self.device());
    const Tensor add = weights.defined() ? cast(weights, t) : ones({1}, t, self.device());
    return index_add(r, 0, self, weights.defined() ? add : expand(add, self.sizes()));
  }
};
const Register<Bincount> bincount_op;

namespace {
/// The range that holds all of x, widened when it is one point; checked.
std::pair<double, double> range_of(const char* op, const Tensor& x, double low, double high) {
  if (low == high && x.numel()) {
    const auto [a, b] = aminmax(x);
    low = a.item<double>(), high = b.item<double>();
  }
  if (low == high) low -= 1, high += 1;
  BOLIDE_CHECK(std::isfinite(low) && std::isfinite(high), op, ": range of [", low, ", ", high, "] is not finite");
  BOLIDE_CHECK(low < high, op, ": max must be larger than min");
  return {low, high};
}
}  // namespace

struct Histc {
  static constexpr auto schema = "histc(Tensor self, int bins=100, Scalar min=0, Scalar max=0) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, int64_t bins, const Scalar& min, const Scalar& max) {
    BOLIDE_CHECK(bins > 0, "torch.histc: bins must be > 0");
    BOLIDE_CHECK_AS(NotImplementedError, is_floating(self.dtype()), "\"histogram_cpu\" not implemented for '", legacy_name(self.dtype()), "'");
    if (self.device().is_meta()) return Tensor::make({bins}, self.dtype(), self.device());
    const auto [low, high] = range_of("torch.histc", self, min.to_double(), max.to_double());
    const Tensor x = reshape(self, {-1});
    const Tensor inside = masked_select(x, logical_and(ge(x, low), le(x, high)));
    const Tensor at = clamp(cast(mul(div(sub(inside, low), high - low), static_cast<double>(bins)), DType::Int64), {}, Scalar(bins - 1));
    return index_add(zeros({bins}, self.dtype(), self.device()), 0, at, ones(at.sizes(), self.dtype(), self.device()));
  }
};
const Register<Histc> histc_op;

}  // namespace bolide
