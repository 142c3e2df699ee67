// Matrix products.
#include "autograd/call.h"
#include "bolide/ops.h"
#include "core/kernels.h"
#include "iter/plan.h"

namespace bolide {

namespace {

void check_pair(const char* op, const Tensor& a, const Tensor& b) {
  const Operand both[] = {a, b};
  iter::check_same_device(op, both);
  BOLIDE_CHECK(a.dtype() == b.dtype(), "expected m1 and m2 to have the same dtype, but got: ", legacy_name(a.dtype()), " != ", legacy_name(b.dtype()));
}
Tensor result(Out out, IntList sizes, const Tensor& like) {
  if (!out.tensor) return Tensor::make(sizes, like.dtype(), like.device());
  BOLIDE_CHECK(out.tensor->dtype() == like.dtype(), "Expected out tensor to have dtype ", like.dtype(), ", but got ", out.tensor->dtype(), " instead");
  if (!(IntList(out.tensor->sizes()) == sizes)) resize_(*out.tensor, sizes);
  return *out.tensor;
}
void into(Out out, const Tensor& r, auto&& compute) {
  if (!out.tensor || r.is_contiguous()) return compute(r);
  const Tensor dense = Tensor::make(r.sizes(), r.dtype(), r.device());
  compute(dense);
  copy_(r, dense);
}

}  // namespace

struct Mm {
  static constexpr auto schema = "mm(Tensor self, Tensor mat2) -> Tensor";
  static constexpr auto kind = Kind::Matrix;
  static Tensor forward(Out out, const Tensor& a, const Tensor& b) {
    BOLIDE_CHECK(a.dim() == 2, "self must be a matrix");
    BOLIDE_CHECK(b.dim() == 2, "mat2 must be a matrix");
    BOLIDE_CHECK(a.size(1) == b.size(0), "mat1 and mat2 shapes cannot be multiplied (", a.size(0), "x", a.size(1), " and ", b.size(0), "x", b.size(1), ")");
    check_pair("mm", a, b);
    const Tensor r = result(out, {a.size(0), b.size(1)}, a);
    into(out, r, [&](const Tensor& c) { kernels(c).gemm(a, b, c, {}, 1, 0, false); });
    return r;
  }
  static constexpr auto saved = saves(in_for<1, 0>, in_for<0, 1>);
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(c.needs(0) ? mm(g, conj(t(c.in(1)))) : Tensor(), c.needs(1) ? mm(conj(t(c.in(0))), g) : Tensor());
  }
};
Tensor mm(const Tensor& a, const Tensor& b) { return call<Mm>(a, b); }
const Register<Mm> mm_op;

struct Bmm {
  static constexpr auto schema = "bmm(Tensor self, Tensor mat2) -> Tensor";
  static constexpr auto kind = Kind::Matrix;
  static Tensor forward(Out out, const Tensor& a, const Tensor& b) {
    BOLIDE_CHECK(a.dim() == 3, "batch1 must be a 3D tensor");
    BOLIDE_CHECK(b.dim() == 3, "batch2 must be a 3D tensor");
    BOLIDE_CHECK(a.size(0) == b.size(0) && a.size(2) == b.size(1), "Expected size for first two dimensions of batch2 tensor to be: [", a.size(0), ", ",
                 a.size(2), "] but got: [", b.size(0), ", ", b.size(1), "].");
    check_pair("bmm", a, b);
    const Tensor r = result(out, {a.size(0), a.size(1), b.size(2)}, a);
    into(out, r, [&](const Tensor& c) { kernels(c).gemm(a, b, c, {}, 1, 0, false); });
    return r;
  }
  static constexpr auto saved = saves(in_for<1, 0>, in_for<0, 1>);
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(c.needs(0) ? bmm(g, conj(transpose(c.in(1), 1, 2))) : Tensor(), c.needs(1) ? bmm(conj(transpose(c.in(0), 1, 2)), g) : Tensor());
  }
};
Tensor bmm(const Tensor& a, const Tensor& b) { return call<Bmm>(a, b); }
const Register<Bmm> bmm_op;

// beta * self + alpha * mat1 @ mat2.
struct Addmm {
  static constexpr auto schema = "addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(const Tensor& self, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
    Tensor p = mm(a, b);
    if (!alpha.equal(1)) p = mul(p, alpha);
    if (beta.equal(0)) return p;
    return add(p, beta.equal(1) ? self : mul(self, beta));
  }
};
const Register<Addmm> addmm_op;

// PyTorch's rules for products of any dimensions: vectors, matrices, batches that broadcast.
struct Matmul {
  static constexpr auto schema = "matmul(Tensor self, Tensor other) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& a, const Tensor& b) {
    BOLIDE_CHECK(a.dim() && b.dim(), "both arguments to matmul need to be at least 1D, but they are ", a.dim(), "D and ", b.dim(), "D");
    if (a.dim() == 2 && b.dim() == 2) return mm(a, b);
    if (a.dim() == 1 && b.dim() == 1) {
      BOLIDE_CHECK(a.numel() == b.numel(), "inconsistent tensor size, expected tensor [", a.numel(), "] and src [", b.numel(),
                   "] to have the same number of elements, but got ", a.numel(), " and ", b.numel(), " elements respectively");
      return reshape(mm(unsqueeze(a, 0), unsqueeze(b, 1)), {});
    }
    if (a.dim() == 1) return squeeze(matmul(unsqueeze(a, 0), b), {-2});
    if (b.dim() == 1) return squeeze(matmul(a, unsqueeze(b, 1)), {-1});
    if (b.dim() == 2) {  // the batch folds into the rows
      Dims shape = a.sizes();
      shape.back() = b.size(1);
      return reshape(mm(reshape(a, {-1, a.size(-1)}), b), shape);
    }
    const Dims head = iter::broadcast(IntList(a.sizes().data(), a.sizes().size() - 2), IntList(b.sizes().data(), b.sizes().size() - 2));
    Dims sa = head, sb = head, shape = head;
    sa.push_back(a.size(-2)), sa.push_back(a.size(-1));
    sb.push_back(b.size(-2)), sb.push_back(b.size(-1));
    shape.push_back(a.size(-2)), shape.push_back(b.size(-1));
    const int64_t n = checked_numel(head);
    return reshape(bmm(reshape(expand(a, sa), {n, a.size(-2), a.size(-1)}), reshape(expand(b, sb), {n, b.size(-2), b.size(-1)})), shape);
  }
};
Tensor matmul(const Tensor& a, const Tensor& b) { return Matmul::forward(a, b); }
const Register<Matmul> matmul_op;

// input @ weight.T + bias, one kernel.
struct Linear {
  static constexpr auto schema = "linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor";
  static constexpr auto kind = Kind::Matrix;
  static constexpr uint8_t home = kInternal;
  static constexpr auto node = "AddmmBackward0";
  static Tensor forward(const Tensor& x, const Tensor& w, const Tensor& bias) {
    BOLIDE_CHECK(w.dim() == 2 || w.dim() == 1, "weight must be a matrix");
    BOLIDE_CHECK(x.dim() >= 1, "linear(): input must have at least 1 dimension");
    check_pair("linear", x, w);
    const int64_t k = x.size(-1), rows = k ? x.numel() / k : checked_numel(x.sizes());
    BOLIDE_CHECK(k == w.size(-1), "mat1 and mat2 shapes cannot be multiplied (", rows, "x", k, " and ", w.size(-1), "x", w.dim() == 2 ? w.size(0) : 1, ")");
    const bool vector = w.dim() == 1;
    const Tensor w2 = vector ? unsqueeze(w, 0) : w;
    Dims shape = x.sizes();
    shape.back() = w2.size(0);
    if (bias.defined()) BOLIDE_CHECK(bias.dim() <= 1 && (bias.numel() == w2.size(0) || bias.numel() == 1), "The size of tensor a (", w2.size(0), ") must match the size of tensor b (", bias.numel(), ") at non-singleton dimension 0");
    Tensor r = Tensor::make(shape, x.dtype(), x.device());
    const Tensor flat = reshape(x, {rows, k}), b = bias.defined() ? contiguous(bias.numel() == w2.size(0) ? bias : expand(bias, {w2.size(0)})) : Tensor();
    kernels(r).gemm(flat, transpose(w2, 0, 1), reshape(r, {rows, w2.size(0)}), b, 1, 0, false);
    return vector ? reshape(r, IntList(shape.data(), shape.size() - 1)) : r;
  }
  static constexpr auto saved = saves(in_for<0, 1>, in_for<1, 0>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    const Dims& xs = c.sizes(0);
    const int64_t k = xs.back(), n = c.sizes(1).size() == 1 ? 1 : c.sizes(1)[0], rows = k ? checked_numel(xs) / k : 0;
    const Tensor flat = reshape(g, {rows, n});
    if (c.needs(0)) r.of[0] = reshape(mm(flat, reshape(c.in(1), {n, k})), xs);
    if (c.needs(1)) r.of[1] = reshape(mm(t(flat), reshape(c.in(0), {rows, k})), c.sizes(1));
    if (c.has_tensor(2) && c.needs(2)) r.of[2] = sum(flat, std::optional<IntList>(IntList{0}));
    return r;
  }
};
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) { return call<Linear>(x, w, bias); }
const Register<Linear> linear_op;

Tensor Tensor::matmul(const Tensor& o) const { return bolide::matmul(*this, o); }
Tensor Tensor::relu() const { return bolide::relu(*this); }
Tensor Tensor::exp() const { return bolide::exp(*this); }
Tensor Tensor::log() const { return bolide::log(*this); }
Tensor Tensor::eq(const Tensor& o) const { return bolide::eq(*this, o); }
Tensor& Tensor::add_(const Tensor& o, const Scalar& alpha) { bolide::add_(*this, o, alpha); return *this; }
Tensor& Tensor::mul_(const Scalar& v) { bolide::mul_(*this, v); return *this; }

}  // namespace bolide
