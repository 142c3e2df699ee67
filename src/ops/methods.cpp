// The methods of Tensor: each is the free function of bolide/ops.h, or an op by its name where that has none.
// Map: copies and views | arithmetic | comparison | reductions | products | indexing | in place
#include "bolide/indexing.h"
#include "bolide/ops.h"
#include "core/named_op.h"

namespace bolide {

#define UNARY(name) \
  Tensor Tensor::name() const { return bolide::name(*this); }
#define WITH_OPERAND(name) \
  Tensor Tensor::name(const Operand& o) const { return bolide::name(*this, o); }
#define WITH_TENSOR(name) \
  Tensor Tensor::name(const Tensor& o) const { return bolide::name(*this, o); }

// ---- copies and views --------------------------------------------------------------------------
Tensor Tensor::to(DType d) const { return cast(*this, d); }
Tensor Tensor::to(Device d) const { return bolide::to(*this, {}, d); }
Tensor Tensor::to(Device device, DType dtype) const { return bolide::to(*this, dtype, device); }
Tensor Tensor::to(const Tensor& like) const { return bolide::to(*this, like.dtype(), like.device()); }
Tensor Tensor::contiguous(MemoryFormat f) const { return bolide::contiguous(*this, f); }
UNARY(clone)
UNARY(t)
UNARY(squeeze)
UNARY(conj)
Tensor Tensor::view(IntList s) const { return bolide::view(*this, s); }
Tensor Tensor::reshape(IntList s) const { return bolide::reshape(*this, s); }
Tensor Tensor::flatten(int64_t a, int64_t b) const { return bolide::flatten(*this, a, b); }
Tensor Tensor::transpose(int64_t a, int64_t b) const { return bolide::transpose(*this, a, b); }
Tensor Tensor::permute(IntList d) const { return bolide::permute(*this, d); }
Tensor Tensor::squeeze(IntList d) const { return bolide::squeeze(*this, d); }
Tensor Tensor::unsqueeze(int64_t d) const { return bolide::unsqueeze(*this, d); }
Tensor Tensor::expand(IntList s) const { return bolide::expand(*this, s); }
Tensor Tensor::select(int64_t d, int64_t i) const { return bolide::select(*this, d, i); }
Tensor Tensor::slice(int64_t d, std::optional<int64_t> b, std::optional<int64_t> e, int64_t s) const { return bolide::slice(*this, d, b, e, s); }
Tensor Tensor::narrow(int64_t d, int64_t start, int64_t length) const { return bolide::narrow(*this, d, start, length); }
Tensor Tensor::diagonal(int64_t offset, int64_t a, int64_t b) const { return bolide::diagonal(*this, offset, a, b); }
Tensor Tensor::unfold(int64_t d, int64_t size, int64_t step) const { return bolide::unfold(*this, d, size, step); }
Tensor Tensor::as_strided(IntList sizes, IntList strides, std::optional<int64_t> offset) const { return bolide::as_strided(*this, sizes, strides, offset); }
std::vector<Tensor> Tensor::split(int64_t size, int64_t d) const { return bolide::split(*this, size, d); }
std::vector<Tensor> Tensor::chunk(int64_t n, int64_t d) const { return bolide::chunk(*this, n, d); }
std::vector<Tensor> Tensor::unbind(int64_t d) const { return bolide::unbind(*this, d); }
Tensor Tensor::repeat(IntList n) const { return bolide::repeat(*this, n); }
Tensor Tensor::flip(IntList d) const { return bolide::flip(*this, d); }
Tensor Tensor::roll(IntList shifts, IntList d) const { return bolide::roll(*this, shifts, d); }
Tensor Tensor::tril(int64_t k) const { return bolide::tril(*this, k); }
Tensor Tensor::triu(int64_t k) const { return bolide::triu(*this, k); }

// ---- arithmetic --------------------------------------------------------------------------------
Tensor Tensor::add(const Operand& o, const Scalar& alpha) const { return bolide::add(*this, o, alpha); }
Tensor Tensor::sub(const Operand& o, const Scalar& alpha) const { return bolide::sub(*this, o, alpha); }
WITH_OPERAND(mul)
WITH_OPERAND(div)
Tensor Tensor::div(const Operand& o, std::string_view mode) const { return bolide::div(*this, o, std::optional<Str>(mode)); }
WITH_OPERAND(floor_divide)
WITH_OPERAND(remainder)
WITH_OPERAND(fmod)
WITH_OPERAND(pow)
UNARY(neg)
UNARY(abs)
UNARY(sign)
UNARY(exp)
UNARY(log)
UNARY(log2)
UNARY(log10)
UNARY(log1p)
UNARY(expm1)
UNARY(sqrt)
UNARY(rsqrt)
UNARY(square)
UNARY(reciprocal)
UNARY(sin)
UNARY(cos)
UNARY(tan)
UNARY(asin)
UNARY(acos)
UNARY(atan)
UNARY(sinh)
UNARY(cosh)
UNARY(tanh)
UNARY(erf)
UNARY(sigmoid)
UNARY(relu)
UNARY(floor)
UNARY(ceil)
UNARY(trunc)
UNARY(frac)
Tensor Tensor::round(int64_t decimals) const { return bolide::round(*this, decimals); }
Tensor Tensor::clamp(std::optional<Scalar> min, std::optional<Scalar> max) const { return bolide::clamp(*this, min, max); }
Tensor Tensor::clamp_min(const Operand& o) const { return bolide::clamp_min(*this, o); }
Tensor Tensor::clamp_max(const Operand& o) const { return bolide::clamp_max(*this, o); }
WITH_TENSOR(maximum)
WITH_TENSOR(minimum)
Tensor Tensor::lerp(const Tensor& end, const Operand& weight) const { return bolide::lerp(*this, end, weight); }
Tensor Tensor::addcmul(const Tensor& a, const Tensor& b, const Scalar& v) const { return bolide::addcmul(*this, a, b, v); }
Tensor Tensor::addcdiv(const Tensor& a, const Tensor& b, const Scalar& v) const { return bolide::addcdiv(*this, a, b, v); }

// ---- comparison --------------------------------------------------------------------------------
WITH_OPERAND(eq)
WITH_OPERAND(ne)
WITH_OPERAND(lt)
WITH_OPERAND(le)
WITH_OPERAND(gt)
WITH_OPERAND(ge)
WITH_TENSOR(logical_and)
WITH_TENSOR(logical_or)
UNARY(logical_not)
UNARY(isnan)
UNARY(isinf)
UNARY(isfinite)
bool Tensor::equal(const Tensor& o) const { return bolide::equal(*this, o); }
bool Tensor::allclose(const Tensor& o, double rtol, double atol, bool equal_nan) const {
  return bolide::allclose(*this, o, rtol, atol, equal_nan);
}
Tensor Tensor::where(const Tensor& condition, const Operand& other) const { return bolide::where(condition, *this, other); }
Tensor Tensor::masked_fill(const Tensor& mask, const Operand& v) const { return bolide::masked_fill(*this, mask, v); }

// ---- reductions --------------------------------------------------------------------------------
using OptDims = std::optional<IntList>;
UNARY(sum)
UNARY(mean)
UNARY(prod)
UNARY(max)
UNARY(min)
UNARY(all)
UNARY(any)
Tensor Tensor::sum(DType d) const { return bolide::sum(*this, OptDType(d)); }
Tensor Tensor::sum(IntList d, bool keepdim) const { return bolide::sum(*this, OptDims(d), keepdim); }
Tensor Tensor::mean(IntList d, bool keepdim) const { return bolide::mean(*this, OptDims(d), keepdim); }
Tensor Tensor::prod(int64_t d, bool keepdim) const { return bolide::prod(*this, d, keepdim); }
Tensor Tensor::var(bool unbiased) const { return NamedOp("var")(*this, std::nullopt, unbiased ? 1 : 0); }
Tensor Tensor::var(IntList d, bool unbiased, bool keepdim) const { return NamedOp("var")(*this, d, unbiased ? 1 : 0, keepdim); }
Tensor Tensor::std(bool unbiased) const { return NamedOp("std")(*this, std::nullopt, unbiased ? 1 : 0); }
Tensor Tensor::std(IntList d, bool unbiased, bool keepdim) const { return NamedOp("std")(*this, d, unbiased ? 1 : 0, keepdim); }
Tensor Tensor::norm(const Scalar& p) const { return NamedOp("linalg_vector_norm")(*this, p); }
Tensor Tensor::norm(const Scalar& p, IntList d, bool keepdim) const { return NamedOp("linalg_vector_norm")(*this, p, d, keepdim); }
std::tuple<Tensor, Tensor> Tensor::max(int64_t d, bool keepdim) const { return bolide::max(*this, d, keepdim); }
std::tuple<Tensor, Tensor> Tensor::min(int64_t d, bool keepdim) const { return bolide::min(*this, d, keepdim); }
Tensor Tensor::amax(IntList d, bool keepdim) const { return bolide::amax(*this, d, keepdim); }
Tensor Tensor::amin(IntList d, bool keepdim) const { return bolide::amin(*this, d, keepdim); }
Tensor Tensor::argmax(std::optional<int64_t> d, bool keepdim) const { return bolide::argmax(*this, d, keepdim); }
Tensor Tensor::argmin(std::optional<int64_t> d, bool keepdim) const { return bolide::argmin(*this, d, keepdim); }
Tensor Tensor::cumsum(int64_t d) const { return bolide::cumsum(*this, d); }
Tensor Tensor::cumprod(int64_t d) const { return bolide::cumprod(*this, d); }
Tensor Tensor::logsumexp(IntList d, bool keepdim) const { return bolide::logsumexp(*this, d, keepdim); }
Tensor Tensor::softmax(int64_t d) const { return bolide::softmax(*this, d); }
Tensor Tensor::log_softmax(int64_t d) const { return bolide::log_softmax(*this, d); }
std::tuple<Tensor, Tensor> Tensor::sort(int64_t d, bool descending) const {
  return NamedOp("sort").call<std::tuple<Tensor, Tensor>>(*this, d, descending);
}
Tensor Tensor::argsort(int64_t d, bool descending) const { return std::get<1>(sort(d, descending)); }
std::tuple<Tensor, Tensor> Tensor::topk(int64_t k, int64_t d, bool largest, bool sorted) const {
  return NamedOp("topk").call<std::tuple<Tensor, Tensor>>(*this, k, d, largest, sorted);
}

// ---- products ----------------------------------------------------------------------------------
WITH_TENSOR(mm)
WITH_TENSOR(bmm)
WITH_TENSOR(mv)
WITH_TENSOR(dot)
WITH_TENSOR(matmul)

// ---- indexing ----------------------------------------------------------------------------------
Tensor Tensor::index(std::initializer_list<indexing::TensorIndex> i) const { return indexing::get(*this, {i.begin(), i.size()}); }
Tensor& Tensor::index_put_(std::initializer_list<indexing::TensorIndex> i, const Operand& value) {
  indexing::set(*this, {i.begin(), i.size()}, value);
  return *this;
}
Tensor Tensor::index_select(int64_t d, const Tensor& i) const { return bolide::index_select(*this, d, i); }
Tensor Tensor::gather(int64_t d, const Tensor& i) const { return bolide::gather(*this, d, i); }
Tensor Tensor::scatter(int64_t d, const Tensor& i, const Tensor& src) const { return bolide::scatter(*this, d, i, src); }
Tensor Tensor::scatter_add(int64_t d, const Tensor& i, const Tensor& src) const { return bolide::scatter_add(*this, d, i, src); }
Tensor Tensor::masked_select(const Tensor& mask) const { return bolide::masked_select(*this, mask); }
UNARY(nonzero)

// ---- in place ----------------------------------------------------------------------------------
namespace {
/// The op of that name, written into its first argument.
template <class... A>
Tensor& in_place(Tensor& self, const char* name, const A&... args) {
  NamedOp(name).in_place(self, args...);
  return self;
}
}  // namespace
Tensor& Tensor::copy_(const Tensor& src) { return bolide::copy_(*this, src), *this; }
Tensor& Tensor::zero_() { return bolide::zero_(*this), *this; }
Tensor& Tensor::fill_(const Scalar& v) { return bolide::fill_(*this, v), *this; }
Tensor& Tensor::resize_(IntList s) { return bolide::resize_(*this, s), *this; }
Tensor& Tensor::add_(const Operand& o, const Scalar& alpha) { return bolide::add_(*this, o, alpha), *this; }
Tensor& Tensor::mul_(const Operand& o) { return bolide::mul_(*this, o), *this; }
Tensor& Tensor::sub_(const Operand& o, const Scalar& alpha) { return in_place(*this, "sub", o, alpha); }
Tensor& Tensor::div_(const Operand& o) { return in_place(*this, "div", o); }
Tensor& Tensor::pow_(const Operand& o) { return in_place(*this, "pow", o); }
Tensor& Tensor::neg_() { return in_place(*this, "neg"); }
Tensor& Tensor::abs_() { return in_place(*this, "abs"); }
Tensor& Tensor::exp_() { return in_place(*this, "exp"); }
Tensor& Tensor::log_() { return in_place(*this, "log"); }
Tensor& Tensor::sqrt_() { return in_place(*this, "sqrt"); }
Tensor& Tensor::relu_() { return in_place(*this, "relu"); }
Tensor& Tensor::sigmoid_() { return in_place(*this, "sigmoid"); }
Tensor& Tensor::tanh_() { return in_place(*this, "tanh"); }
Tensor& Tensor::clamp_(std::optional<Scalar> min, std::optional<Scalar> max) { return in_place(*this, "clamp", min, max); }
Tensor& Tensor::lerp_(const Tensor& end, const Operand& weight) { return in_place(*this, "lerp", end, weight); }
Tensor& Tensor::addcmul_(const Tensor& a, const Tensor& b, const Scalar& v) { return in_place(*this, "addcmul", a, b, v); }
Tensor& Tensor::addcdiv_(const Tensor& a, const Tensor& b, const Scalar& v) { return in_place(*this, "addcdiv", a, b, v); }
Tensor& Tensor::masked_fill_(const Tensor& mask, const Operand& v) { return bolide::masked_fill_(*this, mask, v), *this; }
Tensor& Tensor::index_add_(int64_t d, const Tensor& i, const Tensor& src) { return in_place(*this, "index_add", d, i, src); }
Tensor& Tensor::scatter_(int64_t d, const Tensor& i, const Tensor& src) { return in_place(*this, "scatter", d, i, src); }
Tensor& Tensor::scatter_add_(int64_t d, const Tensor& i, const Tensor& src) { return in_place(*this, "scatter_add", d, i, src); }
Tensor& Tensor::uniform_(double from, double to) { return bolide::uniform_(*this, from, to), *this; }
Tensor& Tensor::normal_(double mean, double std) { return bolide::normal_(*this, mean, std), *this; }
Tensor& Tensor::bernoulli_(double p) { return bolide::bernoulli_(*this, p), *this; }
Tensor& Tensor::random_() { return NamedOp("random_")(*this), *this; }
Tensor& Tensor::random_(int64_t from, int64_t to) { return NamedOp("random_")(*this, from, to), *this; }

}  // namespace bolide
