// Matrix products. Map: shared | mm, bmm, addmm, baddbmm, addbmm | mv, addmv | dot, vdot, addr | matmul | linear
//
// Every product is one call of the kernel table's gemm: c = beta c + alpha a b + bias.
#include "ops/nn.h"

namespace bolide {

namespace {

using MatrixTypes = Join<Ints, Floats, Halves, Complexes>;

bool shares_memory(const Tensor& a, const Tensor& b) { return a.storage().get() == b.storage().get(); }

/// `compute(c)` for a dense c: out= itself where it can be written while a and b are read, else a fresh tensor.
template <class F>
Tensor product_into(Out out, IntList sizes, const Tensor& a, const Tensor& b, F&& compute) {
  if (!out.tensor || !(shares_memory(*out.tensor, a) || shares_memory(*out.tensor, b)))
    return into(out, sizes, a.dtype(), a.device(), compute);
  const Tensor r = into({}, sizes, a.dtype(), a.device(), compute);
  return into(out, sizes, a.dtype(), a.device(), [&](const Tensor& t) { copy_(t, r); });
}

/// c = beta self + alpha a b for matrices or batches; rows of `self` that repeat are added as a bias.
Tensor add_product(const char* op, Out out, IntList sizes, const Tensor& self, const Tensor& a, const Tensor& b,
                   const Scalar& beta, const Scalar& alpha) {
  dispatch<MatrixTypes>(op, a.dtype(), [](auto) {});
  if (out.in_place)
    BOLIDE_CHECK(IntList(self.sizes()) == sizes, "Bad in-place call: input tensor size ", self.sizes(), " and output tensor size ",
                 sizes, " should match");
  if (beta.equal(0))
    return product_into(out, sizes, a, b, [&](const Tensor& c) { kernels(c).gemm(a, b, c, {}, alpha, 0, false); });
  const Tensor whole = expand(self, sizes);
  if (self.dim() == 1 && self.numel() == sizes.back() && beta.equal(1)) {
    const Tensor bias = contiguous(self);
    return product_into(out, sizes, a, b, [&](const Tensor& c) { kernels(c).gemm(a, b, c, bias, alpha, 0, false); });
  }
  return product_into(out, sizes, a, b, [&](const Tensor& c) {
    if (!c.is_same(self)) copy_(c, whole);
    kernels(c).gemm(a, b, c, {}, alpha, beta, false);
  });
}

Tensor product(const char* op, Out out, IntList sizes, const Tensor& a, const Tensor& b) {
  dispatch<MatrixTypes>(op, a.dtype(), [](auto) {});
  return product_into(out, sizes, a, b, [&](const Tensor& c) { kernels(c).gemm(a, b, c, {}, 1, 0, false); });
}

void check_devices(const char* op, const Tensor& a, const Tensor& b) {
  const Operand both[] = {a, b};
  iter::check_same_device(op, both);
}
void check_shapes(const Tensor& a, const Tensor& b) {
  BOLIDE_CHECK(a.size(1) == b.size(0), "mat1 and mat2 shapes cannot be multiplied (", a.size(0), "x", a.size(1), " and ", b.size(0),
               "x", b.size(1), ")");
}
void check_batches(const Tensor& a, const Tensor& b) {
  BOLIDE_CHECK(a.dim() == 3, "batch1 must be a 3D tensor");
  BOLIDE_CHECK(b.dim() == 3, "batch2 must be a 3D tensor");
  BOLIDE_CHECK(a.size(0) == b.size(0) && a.size(2) == b.size(1), "Expected size for first two dimensions of batch2 tensor to be: [",
               a.size(0), ", ", a.size(2), "] but got: [", b.size(0), ", ", b.size(1), "].");
}

Scalar conj_of(const Scalar& s) { return s.is_complex() ? Scalar(std::conj(s.to<complex128>())) : s; }
Tensor scaled(const Tensor& t, const Scalar& s) { return s.equal(1) ? t : mul(t, conj_of(s)); }
Tensor adjoint(const Tensor& t) { return conj(transpose(t, -2, -1)); }

}  // namespace

// ---- matrices -----------------------------------------------------------------------------------------

struct Mm {
  static constexpr auto schema = "mm(Tensor self, Tensor mat2) -> Tensor";
  static constexpr auto kind = Kind::Matrix;
  static Tensor forward(Out out, const Tensor& a, const Tensor& b) {
    BOLIDE_CHECK(a.dim() == 2, "self must be a matrix");
    BOLIDE_CHECK(b.dim() == 2, "mat2 must be a matrix");
    check_shapes(a, b), check_devices("mm", a, b);
    BOLIDE_CHECK(a.dtype() == b.dtype(), "expected m1 and m2 to have the same dtype, but got: ", cpp_name(a.dtype()), " != ",
                 cpp_name(b.dtype()));
    return product("addmm_impl_cpu_", out, {a.sizes()[0], b.sizes()[1]}, a, b);
  }
  static constexpr auto saved = saves(in_for<1, 0>, in_for<0, 1>);
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(c.needs(0) ? mm(g, adjoint(c.in(1))) : Tensor(), c.needs(1) ? mm(adjoint(c.in(0)), g) : Tensor());
  }
};
Tensor mm(const Tensor& a, const Tensor& b) { return call<Mm>(a, b); }
const Register<Mm> mm_op;

struct Bmm {
  static constexpr auto schema = "bmm(Tensor self, Tensor mat2) -> Tensor";
  static constexpr auto kind = Kind::Matrix;
  static Tensor forward(Out out, const Tensor& a, const Tensor& b) {
    check_batches(a, b), check_devices("bmm", a, b);
    BOLIDE_CHECK(a.dtype() == b.dtype(), "expected scalar type ", legacy_name(a.dtype()), " but found ", legacy_name(b.dtype()));
    return product("bmm", out, {a.sizes()[0], a.sizes()[1], b.sizes()[2]}, a, b);
  }
  static constexpr auto saved = saves(in_for<1, 0>, in_for<0, 1>);
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(c.needs(0) ? bmm(g, adjoint(c.in(1))) : Tensor(), c.needs(1) ? bmm(adjoint(c.in(0)), g) : Tensor());
  }
};
Tensor bmm(const Tensor& a, const Tensor& b) { return call<Bmm>(a, b); }
const Register<Bmm> bmm_op;

// beta self + alpha mat1 @ mat2.
struct Addmm {
  static constexpr auto schema = "addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor";
  static constexpr auto kind = Kind::Matrix;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(Out out, const Tensor& self, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
    BOLIDE_CHECK(a.dim() == 2, "mat1 must be a matrix, got ", a.dim(), "-D tensor");
    BOLIDE_CHECK(b.dim() == 2, "mat2 must be a matrix, got ", b.dim(), "-D tensor");
    check_shapes(a, b), check_devices("addmm", a, b), check_devices("addmm", self, a);
    BOLIDE_CHECK(self.dtype() == b.dtype(), "self and mat2 must have the same dtype, but got ", legacy_name(self.dtype()), " and ",
                 legacy_name(b.dtype()));
    BOLIDE_CHECK(a.dtype() == b.dtype(), "mat1 and mat2 must have the same dtype, but got ", legacy_name(a.dtype()), " and ",
                 legacy_name(b.dtype()));
    return add_product("addmm_impl_cpu_", out, {a.sizes()[0], b.sizes()[1]}, self, a, b, beta, alpha);
  }
  static constexpr auto saved = saves(in_for<1, 2>, in_for<2, 1>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    if (c.needs(0)) r.of[0] = scaled(g, c.number(3));
    if (c.needs(1)) r.of[1] = scaled(mm(g, adjoint(c.in(2))), c.number(4));
    if (c.needs(2)) r.of[2] = scaled(mm(adjoint(c.in(1)), g), c.number(4));
    return r;
  }
};
Tensor addmm(const Tensor& self, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  return call<Addmm>(self, a, b, beta, alpha);
}
const Register<Addmm> addmm_op;

// beta self + alpha batch1 @ batch2, for each matrix of the batches.
struct Baddbmm {
  static constexpr auto schema = "baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor";
  static constexpr auto kind = Kind::Matrix;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(Out out, const Tensor& self, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
    check_batches(a, b), check_devices("baddbmm", a, b), check_devices("baddbmm", self, a);
    BOLIDE_CHECK(self.dtype() == a.dtype() && a.dtype() == b.dtype(), "Input dtypes must be the same, got: input ",
                 cpp_name(self.dtype()), ", batch1: ", cpp_name(a.dtype()), ", batch2: ", cpp_name(b.dtype()));
    return add_product("baddbmm", out, {a.sizes()[0], a.sizes()[1], b.sizes()[2]}, self, a, b, beta, alpha);
  }
  static constexpr auto saved = saves(in_for<1, 2>, in_for<2, 1>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    if (c.needs(0)) r.of[0] = scaled(g, c.number(3));
    if (c.needs(1)) r.of[1] = scaled(bmm(g, adjoint(c.in(2))), c.number(4));
    if (c.needs(2)) r.of[2] = scaled(bmm(adjoint(c.in(1)), g), c.number(4));
    return r;
  }
};
Tensor baddbmm(const Tensor& self, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  return call<Baddbmm>(self, a, b, beta, alpha);
}
const Register<Baddbmm> baddbmm_op;

// beta self + alpha times the sum of batch1 @ batch2 over the batch: one product of the batches side by side.
struct Addbmm {
  static constexpr auto schema = "addbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor";
  static constexpr auto kind = Kind::Matrix;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(Out out, const Tensor& self, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
    BOLIDE_CHECK(a.dim() == 3, "batch1 must be a 3D tensor");
    BOLIDE_CHECK(b.dim() == 3, "batch2 must be a 3D tensor");
    BOLIDE_CHECK(a.size(0) == b.size(0), "batch1 and batch2 must have same number of batches, got ", a.size(0), " and ", b.size(0));
    BOLIDE_CHECK(a.size(2) == b.size(1), "Incompatible matrix sizes for bmm (", a.size(1), "x", a.size(2), " and ", b.size(1), "x",
                 b.size(2), ")");
    check_devices("addbmm", a, b), check_devices("addbmm", self, a);
    BOLIDE_CHECK(self.dtype() == a.dtype() && a.dtype() == b.dtype(), "Input dtypes must be the same, got: input ",
                 cpp_name(self.dtype()), ", batch1: ", cpp_name(a.dtype()), ", batch2: ", cpp_name(b.dtype()));
    const int64_t n = a.size(1), k = a.size(0) * a.size(2), p = b.size(2);
    if (is_half(a.dtype())) return rounded_sums(out, self, a, b, beta, alpha);
    return add_product("addbmm", out, {n, p}, self, reshape(permute(a, {1, 0, 2}), {n, k}), reshape(b, {k, p}), beta, alpha);
  }
  // PyTorch adds one product after another and rounds each sum; in halves that shows.
  static Tensor rounded_sums(Out out, const Tensor& self, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
    const Dims sizes{a.size(1), b.size(2)};
    BOLIDE_CHECK(!out.in_place || self.sizes() == sizes, "Bad in-place call: input tensor size ", self.sizes(),
                 " and output tensor size ", sizes, " should match");
    Tensor sum = a.size(0) ? expand(self, sizes) : beta.equal(0) ? zeros(sizes, a.dtype(), a.device()) : mul(expand(self, sizes), beta);
    for (int64_t i = 0; i < a.size(0); ++i) sum = addmm(sum, select(a, 0, i), select(b, 0, i), i ? Scalar(1) : beta, alpha);
    return into(out, sizes, a.dtype(), a.device(), [&](const Tensor& t) { copy_(t, sum); });
  }
  static constexpr auto saved = saves(in_for<1, 2>, in_for<2, 1>);
  static Grads backward(const Call& c, const Tensor& g) {
    const int64_t batch = c.sizes(1)[0];
    const Tensor each = expand(g, {batch, g.size(0), g.size(1)});
    Grads r;
    if (c.needs(0)) r.of[0] = scaled(g, c.number(3));
    if (c.needs(1)) r.of[1] = scaled(bmm(each, adjoint(c.in(2))), c.number(4));
    if (c.needs(2)) r.of[2] = scaled(bmm(adjoint(c.in(1)), each), c.number(4));
    return r;
  }
};
const Register<Addbmm> addbmm_op;

// ---- a matrix and a vector ------------------------------------------------------------------------------

namespace {

void check_vector_product(IntList self, const Tensor& mat, const Tensor& vec) {
  BOLIDE_CHECK(mat.dim() == 2 && vec.dim() == 1 && self.size() <= 1, "vector + matrix @ vector expected, got ", self.size(), ", ",
               mat.dim(), ", ", vec.dim());
  BOLIDE_CHECK(mat.size(1) == vec.size(0) && (self.empty() || self[0] == mat.size(0) || self[0] == 1), "size mismatch, got input (",
               self.empty() ? 1 : self[0], "), mat (", mat.size(0), "x", mat.size(1), "), vec (", vec.size(0), ")");
}
Tensor column(const Tensor& v) { return unsqueeze(v, 1); }

}  // namespace

struct Addmv {
  static constexpr auto schema = "addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor";
  static constexpr auto kind = Kind::Matrix;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(Out out, const Tensor& self, const Tensor& mat, const Tensor& vec, const Scalar& beta, const Scalar& alpha) {
    check_vector_product(self.sizes(), mat, vec);
    check_devices("addmv", mat, vec), check_devices("addmv", self, mat);
    BOLIDE_CHECK(self.dtype() == mat.dtype() && mat.dtype() == vec.dtype(), "addmv input tensors must have the same dtype, but got ",
                 legacy_name(self.dtype()), ", ", legacy_name(mat.dtype()), ", and ", legacy_name(vec.dtype()));
    dispatch<MatrixTypes>("addmv_impl_cpu", mat.dtype(), [](auto) {});
    const Dims sizes{mat.size(0)};
    BOLIDE_CHECK(!out.in_place || self.sizes() == sizes, "Bad in-place call: input tensor size ", self.sizes(),
                 " and output tensor size ", sizes, " should match");
    return product_into(out, sizes, mat, vec, [&](const Tensor& c) {
      const bool plain = beta.equal(0);
      if (!plain && !c.is_same(self)) copy_(c, expand(self, sizes));
      kernels(c).gemm(mat, column(vec), column(c), {}, alpha, plain ? Scalar(0) : beta, false);
    });
  }
  static constexpr auto saved = saves(in_for<1, 2>, in_for<2, 1>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    if (c.needs(0)) r.of[0] = scaled(g, c.number(3));
    if (c.needs(1)) r.of[1] = scaled(mul(column(g), conj(c.in(2))), c.number(4));
    if (c.needs(2)) r.of[2] = scaled(mv(adjoint(c.in(1)), g), c.number(4));
    return r;
  }
};
const Register<Addmv> addmv_op;

struct Mv {
  static constexpr auto schema = "mv(Tensor self, Tensor vec) -> Tensor";
  static constexpr auto kind = Kind::Matrix;
  static Tensor forward(Out out, const Tensor& mat, const Tensor& vec) {
    const int64_t rows = mat.dim() ? mat.sizes()[0] : 1;
    check_vector_product(IntList(&rows, 1), mat, vec);
    check_devices("mv", mat, vec);
    BOLIDE_CHECK(mat.dtype() == vec.dtype(), "addmv input tensors must have the same dtype, but got ", legacy_name(vec.dtype()), ", ",
                 legacy_name(mat.dtype()), ", and ", legacy_name(vec.dtype()));
    dispatch<MatrixTypes>("addmv_impl_cpu", mat.dtype(), [](auto) {});
    return product_into(out, {rows}, mat, vec,
                        [&](const Tensor& c) { kernels(c).gemm(mat, column(vec), column(c), {}, 1, 0, false); });
  }
  static constexpr auto saved = saves(in_for<0, 1>, in_for<1, 0>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    if (c.needs(0)) r.of[0] = mul(column(g), conj(c.in(1)));
    if (c.needs(1)) r.of[1] = mv(adjoint(c.in(0)), g);
    return r;
  }
};
Tensor mv(const Tensor& mat, const Tensor& vec) { return call<Mv>(mat, vec); }
const Register<Mv> mv_op;

// ---- two vectors ------------------------------------------------------------------------------------------

namespace {

Tensor dot_product(const char* op, Out out, const Tensor& a, const Tensor& b) {
  BOLIDE_CHECK(a.dim() == 1 && b.dim() == 1, "1D tensors expected, but got ", a.dim(), "D and ", b.dim(), "D tensors");
  BOLIDE_CHECK(a.dtype() == b.dtype(), "dot : expected both vectors to have same dtype, but found ", legacy_name(a.dtype()), " and ",
               legacy_name(b.dtype()));
  BOLIDE_CHECK(a.numel() == b.numel(), "inconsistent tensor size, expected tensor [", a.numel(), "] and src [", b.numel(),
               "] to have the same number of elements, but got ", a.numel(), " and ", b.numel(), " elements respectively");
  check_devices(op, a, b);
  dispatch<MatrixTypes>("dot", a.dtype(), [](auto) {});
  return product_into(out, {}, a, b, [&](const Tensor& c) {
    kernels(c).gemm(unsqueeze(a, 0), column(b), c.view_as_layout({1, 1}, {1, 1}, c.storage_offset()), {}, 1, 0, false);
  });
}

}  // namespace

struct Dot {
  static constexpr auto schema = "dot(Tensor self, Tensor tensor) -> Tensor";
  static constexpr auto kind = Kind::Matrix;
  static Tensor forward(Out out, const Tensor& a, const Tensor& b) { return dot_product("dot", out, a, b); }
  static constexpr auto saved = saves(in_for<0, 1>, in_for<1, 0>);
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(c.needs(0) ? mul(g, conj(c.in(1))) : Tensor(), c.needs(1) ? mul(g, conj(c.in(0))) : Tensor());
  }
};
Tensor dot(const Tensor& a, const Tensor& b) { return call<Dot>(a, b); }
const Register<Dot> dot_op;

// The sum of conj(self) * other.
struct Vdot {
  static constexpr auto schema = "vdot(Tensor self, Tensor other) -> Tensor";
  static constexpr auto kind = Kind::Matrix;
  static Tensor forward(Out out, const Tensor& a, const Tensor& b) { return dot_product("vdot", out, conj(a), b); }
  static constexpr auto saved = saves(in_for<0, 1>, in_for<1, 0>);
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(c.needs(0) ? mul(conj(g), c.in(1)) : Tensor(), c.needs(1) ? mul(g, c.in(0)) : Tensor());
  }
};
Tensor vdot(const Tensor& a, const Tensor& b) { return call<Vdot>(a, b); }
const Register<Vdot> vdot_op;

// beta self + alpha outer(vec1, vec2).
struct Addr {
  static constexpr auto schema = "addr(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> Tensor";
  static constexpr auto kind = Kind::Matrix;
  static constexpr uint8_t variants = kInPlace | kOut;
  static Tensor forward(const Tensor& self, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
    BOLIDE_CHECK(a.dim() == 1, "addr: Expected 1-D argument vec1, but got ", a.dim(), "-D");
    BOLIDE_CHECK(b.dim() == 1, "addr: Expected 1-D argument vec2, but got ", b.dim(), "-D");
    const Operand all[] = {self, a, b};
    const DType t = iter::result_type(all);
    for (auto [name, s] : {std::pair("beta", beta), std::pair("alpha", alpha)}) {
      BOLIDE_CHECK(!is_integral(t) || s.is_int(), "For integral input tensors, argument ", name, " must not be a floating point number.");
      BOLIDE_CHECK(t != DType::Bool || s.is_int(), "For boolean input tensors, argument ", name, " must not be a floating point number.");
    }
    const Tensor whole = expand(self, {a.size(0), b.size(0)}), outer = mul(column(scaled_left(cast(a, t), alpha)), cast(b, t));
    if (t == DType::Bool) {
      const Tensor right = alpha.to<bool>() ? outer : zeros_like(outer);
      return beta.to<bool>() ? logical_or(cast(whole, t), right) : right;
    }
    return beta.equal(0) ? outer : add(beta.equal(1) ? whole : cast(mul(whole, beta), t), outer);
  }
  static Tensor scaled_left(const Tensor& v, const Scalar& alpha) {
    return alpha.equal(1) || v.dtype() == DType::Bool ? v : cast(mul(v, alpha), v.dtype());
  }
  static constexpr auto saved = saves(in_for<1, 2>, in_for<2, 1>);
  static Grads backward(const Call& c, const Tensor& g) {
    Grads r;
    if (c.needs(0)) r.of[0] = scaled(g, c.number(3));
    if (c.needs(1)) r.of[1] = scaled(mv(g, conj(cast(c.in(2), g.dtype()))), c.number(4));
    if (c.needs(2)) r.of[2] = scaled(mv(t(g), conj(cast(c.in(1), g.dtype()))), c.number(4));
    return r;
  }
};
const Register<Addr> addr_op;

// ---- any dimensions -----------------------------------------------------------------------------------------

namespace {

/// a of three or more dimensions times the matrix or vector b: the batch folds into the rows.
Tensor folded(const Tensor& a, const Tensor& b) {
  Dims shape = a.sizes();
  const int64_t k = shape.back();
  shape.erase(shape.size() - 1);
  const int64_t rows = checked_numel(shape);
  const Tensor flat = reshape(a, {rows, k});
  if (b.dim() == 1) return reshape(mv(flat, b), shape);
  shape.push_back(b.size(1));
  return reshape(mm(flat, b), shape);
}

IntList leading(const Dims& sizes) { return IntList(sizes.data(), sizes.size() - 2); }

/// The batch of `t` expanded to `head` and flattened.
Tensor flat_batch(const Tensor& t, const Dims& head, int64_t n) {
  const int64_t rows = t.size(-2), columns = t.size(-1);
  if (t.dim() == 3 && head.size() == 1 && t.sizes()[0] == head[0]) return t;
  Dims whole = head;
  whole.push_back(rows), whole.push_back(columns);
  return reshape(expand(t, whole), {n, rows, columns});
}

Tensor batched_product(const Tensor& a, const Tensor& b) {
  const Dims head = leading(a.sizes()) == leading(b.sizes()) ? Dims(leading(a.sizes())) : iter::broadcast(leading(a.sizes()), leading(b.sizes()));
  const int64_t n = checked_numel(head);
  const Tensor r = bmm(flat_batch(a, head, n), flat_batch(b, head, n));
  if (head.size() == 1) return r;
  Dims shape = head;
  shape.push_back(a.size(-2)), shape.push_back(b.size(-1));
  return reshape(r, shape);
}

}  // namespace

// PyTorch's rules for products of any dimensions: vectors, matrices, batches that broadcast.
struct Matmul {
  static constexpr auto schema = "matmul(Tensor self, Tensor other) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& a, const Tensor& b) {
    const int64_t da = a.dim(), db = b.dim();
    BOLIDE_CHECK(da && db, "both arguments to matmul need to be at least 1D, but they are ", da, "D and ", db, "D");
    if (da == 2 && db == 2) return mm(a, b);
    if (da == 1 && db == 1) return dot(a, b);
    if (da == 2 && db == 1) return mv(a, b);
    if (da == 1) return squeeze(matmul(unsqueeze(a, 0), b), {-2});
    if (db <= 2) return folded(a, b);
    return batched_product(a, b);
  }
};
Tensor matmul(const Tensor& a, const Tensor& b) { return Matmul::forward(a, b); }
const Register<Matmul> matmul_op;

// ---- linear ---------------------------------------------------------------------------------------------------

// input @ weight.T + bias in one kernel; leading dimensions of the input are rows.
struct Linear {
  static constexpr auto schema = "linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor";
  static constexpr auto kind = Kind::Matrix;
  static constexpr uint8_t home = kInternal, variants = kOut;
  static constexpr auto node = "AddmmBackward0";
  static void check(const Tensor& x, const Tensor& w, const Tensor& bias) {
    BOLIDE_CHECK(x.dim() && w.dim(), "both arguments to linear need to be at least 1D, but they are ", x.dim(), "D and ", w.dim(), "D");
    BOLIDE_CHECK(w.dim() <= 2, "t() expects a tensor with <= 2 dimensions, but self is ", w.dim(), "D");
    BOLIDE_CHECK(w.dim() == 2 || !bias.defined(), "mat2 must be a matrix, got ", w.dim(), "-D tensor");
    const int64_t k = x.sizes().back();
    BOLIDE_CHECK(k == w.sizes().back(), "mat1 and mat2 shapes cannot be multiplied (", k ? x.numel() / k : 0, "x", k, " and ",
                 w.sizes().back(), "x", w.dim() == 2 ? w.size(0) : 1, ")");
    check_devices("linear", x, w);
    if (x.dtype() != w.dtype()) {
      BOLIDE_CHECK(!bias.defined() || x.dim() == 2, "mat1 and mat2 must have the same dtype, but got ", legacy_name(x.dtype()), " and ",
                   legacy_name(w.dtype()));
      fail("expected m1 and m2 to have the same dtype, but got: ", cpp_name(x.dtype()), " != ", cpp_name(w.dtype()));
    }
    BOLIDE_CHECK(!bias.defined() || bias.dtype() == w.dtype(), "self and mat2 must have the same dtype, but got ",
                 legacy_name(bias.dtype()), " and ", legacy_name(w.dtype()));
    dispatch<MatrixTypes>("addmm_impl_cpu_", x.dtype(), [](auto) {});
  }
  static Tensor forward(const Tensor& x, const Tensor& w, const Tensor& bias) {
    check(x, w, bias);
    Dims shape = x.sizes();
    const int64_t k = shape.back(), n = w.dim() == 2 ? w.sizes()[0] : 1;
    shape.back() = n;
    const int64_t rows = checked_numel(IntList(shape.data(), shape.size() - 1));
    const Tensor r = Tensor::make(shape, x.dtype(), x.device()), flat = x.dim() == 2 ? x : reshape(x, {rows, k});
    const Tensor result = x.dim() == 2 ? r : r.view_as_layout({rows, n}, {n, 1}, 0);
    const Tensor turned = w.dim() == 2 ? transpose(w, 0, 1) : unsqueeze(w, 1);
    const bool per_column = bias.defined() && bias.dim() == 1 && bias.numel() == n;
    if (bias.defined() && !per_column) copy_(result, expand(bias, {rows, n}));
    kernels(r).gemm(flat, turned, result, per_column ? contiguous(bias) : Tensor(), 1, bias.defined() && !per_column ? 1 : 0, false);
    return w.dim() == 2 ? r : reshape(r, IntList(shape.data(), shape.size() - 1));
  }
  static constexpr auto saved = saves(in_for<0, 1>, in_for<1, 0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Dims &xs = c.sizes(0), &ws = c.sizes(1);
    const int64_t k = xs.back(), n = ws.size() == 1 ? 1 : ws[0], rows = checked_numel(IntList(xs.data(), xs.size() - 1));
    const Tensor flat = g.dim() == 2 ? g : reshape(g, {rows, n});
    Grads r;
    if (c.needs(0)) r.of[0] = reshape(mm(flat, conj(reshape(c.in(1), {n, k}))), xs);
    if (c.needs(1)) r.of[1] = reshape(mm(t(flat), conj(reshape(c.in(0), {rows, k}))), ws);
    if (c.has_tensor(2) && c.needs(2)) r.of[2] = flat;  // summed to the bias's shape by the engine
    return r;
  }
};
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) { return call<Linear>(x, w, bias); }
const Register<Linear> linear_op;


}  // namespace bolide
