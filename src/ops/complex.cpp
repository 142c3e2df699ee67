// Complex numbers: conjugates, parts, polar form, and complex tensors seen as pairs of real numbers.
#include "ops/unary.h"

namespace bolide {

// The complex conjugate; of a real tensor the tensor itself.
struct ConjPhysical : SameUnary<ConjPhysical, Join<Complexes, Ints, Floats, Bools>> {
  static constexpr auto schema = "conj_physical(Tensor self) -> Tensor";
  BOLIDE_EXPR(At, T operator()(T x) const { if constexpr (fn::is_complex_v<T>) return fn::conj(x); else return x; })
  static Grads backward(const Call&, const Tensor& g) { return conj(g); }
};
Tensor conj_physical(const Tensor& self) { return call<ConjPhysical>(self); }
const Register<ConjPhysical> conj_physical_op;

struct Conj {
  static constexpr auto schema = "conj(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self) { return is_complex(self.dtype()) ? call<ConjPhysical>(self) : self; }
};
Tensor conj(const Tensor& self) { return is_complex(self.dtype()) ? call<ConjPhysical>(self) : self; }
const Register<Conj> conj_op;

// Conjugates are made at once, so nothing is left to resolve.
struct ResolveConj {
  static constexpr auto schema = "resolve_conj(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self) { return self; }
};
const Register<ResolveConj> resolve_conj_op;
struct ResolveNeg {
  static constexpr auto schema = "resolve_neg(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static Tensor forward(const Tensor& self) { return self; }
};
const Register<ResolveNeg> resolve_neg_op;

namespace {
/// Every second real number from `part` on: the real or the imaginary parts.
Tensor part_of(const Tensor& self, int64_t part) {
  Dims strides = self.strides();
  for (auto& s : strides) s *= 2;
  Tensor t = self.view_as_layout(self.sizes(), strides, self.storage_offset() * 2 + part);
  t->dtype = real_of(self.dtype());
  t->refresh();
  return t;
}
}  // namespace

// The real parts, a view; of a real tensor the tensor itself.
struct Real {
  static constexpr auto schema = "real(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::View;
  static constexpr uint8_t home = kFunction;  // an attribute of tensors
  static Tensor forward(const Tensor& self) { return is_complex(self.dtype()) ? part_of(self, 0) : self; }
  static Grads backward(const Call& c, const Tensor& g) { return cast(g, c.meta(0).dtype); }
};
Tensor real(const Tensor& self) { return is_complex(self.dtype()) ? call<Real>(self) : self; }
const Register<Real> real_op;

// The imaginary parts, a view.
struct Imag {
  static constexpr auto schema = "imag(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::View;
  static constexpr uint8_t home = kFunction;  // an attribute of tensors
  static Tensor forward(const Tensor& self) {
    BOLIDE_CHECK(is_complex(self.dtype()), "imag is not implemented for tensors with non-complex dtypes.");
    return part_of(self, 1);
  }
  static Grads backward(const Call& c, const Tensor& g) { return mul(cast(g, c.meta(0).dtype), Scalar(complex128(0, 1))); }
};
Tensor imag(const Tensor& self) { return call<Imag>(self); }
const Register<Imag> imag_op;

// Pairs of real numbers in a new last dimension, a view.
struct ViewAsReal {
  static constexpr auto schema = "view_as_real(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::View;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& self) {
    BOLIDE_CHECK(is_complex(self.dtype()), "view_as_real is only supported for complex tensors");
    Tensor t = part_of(self, 0);
    t->sizes.push_back(2), t->strides.push_back(1);
    t->refresh();
    return t;
  }
  static Grads backward(const Call&, const Tensor& g) { return view_as_complex(contiguous(g)); }
};
Tensor view_as_real(const Tensor& self) { return call<ViewAsReal>(self); }
const Register<ViewAsReal> view_as_real_op;

// The last dimension, of size 2, as complex numbers, a view.
struct ViewAsComplex {
  static constexpr auto schema = "view_as_complex(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::View;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& self) {
    BOLIDE_CHECK(self.dtype() == DType::Float32 || self.dtype() == DType::Float64,
                 "view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: ", legacy_name(self.dtype()));
    BOLIDE_CHECK(self.dim() > 0, "Input tensor must have one or more dimensions");
    BOLIDE_CHECK(self.sizes().back() == 2, "Tensor must have a last dimension of size 2");
    BOLIDE_CHECK(self.strides().back() == 1, "Tensor must have a last dimension with stride 1");
    Dims sizes = self.sizes(), strides = self.strides();
    sizes.resize(sizes.size() - 1), strides.resize(strides.size() - 1);
    for (auto& s : strides) {
      BOLIDE_CHECK(s % 2 == 0, "Tensor must have a stride divisible by 2 for all but last dimension");
      s /= 2;
    }
    BOLIDE_CHECK(self.storage_offset() % 2 == 0, "Tensor must have a storage_offset divisible by 2");
    Tensor t = self.view_as_layout(sizes, strides, self.storage_offset() / 2);
    t->dtype = complex_of(self.dtype());
    t->refresh();
    return t;
  }
  static Grads backward(const Call&, const Tensor& g) { return view_as_real(g); }
};
Tensor view_as_complex(const Tensor& self) { return call<ViewAsComplex>(self); }
const Register<ViewAsComplex> view_as_complex_op;

namespace {
void check_parts(const Tensor& a, const Tensor& b) {
  for (const Tensor* t : {&a, &b})
    BOLIDE_CHECK(is_floating(t->dtype()), "Expected both inputs to be Half, Float or Double tensors but got ", legacy_name(a.dtype()), " and ",
                 legacy_name(b.dtype()));
  BOLIDE_CHECK(a.dtype() == b.dtype(), "Expected object of scalar type ", legacy_name(a.dtype()), " but got scalar type ",
               legacy_name(b.dtype()), " for second argument");
  BOLIDE_CHECK_AS(NotImplementedError, !is_half(a.dtype()), "complex tensors of halves are not supported");
}
void check_complex_out(Out out, DType t) {
  BOLIDE_CHECK(!out.tensor || out.tensor->dtype() == t, "Expected object of scalar type ", legacy_name(t), " but got scalar type ",
               out.tensor ? legacy_name(out.tensor->dtype()) : "", " for argument 'out'");
}
}  // namespace

// real + i imag.
struct Complex {
  static constexpr auto schema = "complex(Tensor real, Tensor imag) -> Tensor";
  static constexpr uint8_t home = kFunction, variants = kOut;
  BOLIDE_EXPR(At, fn::complex_t<T> operator()(T a, T b) const { return fn::complex_t<T>(a, b); })
  static Tensor forward(Out out, const Tensor& a, const Tensor& b) {
    check_parts(a, b);
    const DType t = complex_of(a.dtype());
    check_complex_out(out, t);
    return iter::map<At, Floats>("complex", out, a.dtype(), t, {a, b});
  }
  static Grads backward(const Call& c, const Tensor& g) {
    return Grads(c.needs(0) ? real(g) : Tensor(), c.needs(1) ? imag(g) : Tensor());
  }
};
Tensor complex(const Tensor& a, const Tensor& b) { return call<Complex>(a, b); }
const Register<Complex> complex_op;

// abs (cos angle + i sin angle).
struct Polar {
  static constexpr auto schema = "polar(Tensor abs, Tensor angle) -> Tensor";
  static constexpr uint8_t home = kFunction, variants = kOut;
  BOLIDE_EXPR(At, fn::complex_t<T> operator()(T r, T a) const { return fn::complex_t<T>(r * fn::cos(a), r * fn::sin(a)); })
  static Tensor forward(Out out, const Tensor& r, const Tensor& a) {
    check_parts(r, a);
    const DType t = complex_of(r.dtype());
    check_complex_out(out, t);
    return iter::map<At, Floats>("polar", out, r.dtype(), t, {r, a});
  }
  static constexpr auto saved = saves(in<1>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor unit = polar(ones_like(c.in(1)), c.in(1)), z = conj(g);
    return Grads(c.needs(0) ? real(mul(z, unit)) : Tensor(), c.needs(1) ? neg(imag(mul(z, c.out()))) : Tensor());
  }
};
Tensor polar(const Tensor& r, const Tensor& a) { return call<Polar>(r, a); }
const Register<Polar> polar_op;

// The angle of a complex number in (-pi, pi]; of real numbers 0 or pi.
struct Angle {
  static constexpr auto schema = "angle(Tensor self) -> Tensor";
  static constexpr uint8_t variants = kOut;
  BOLIDE_EXPR(At, fn::real_t<T> operator()(T x) const {
    if constexpr (fn::is_complex_v<T>) return fn::atan2(x.imag(), x.real());
    else return fn::is_nan(x) ? x : x < T(0) ? T(3.141592653589793) : T(0);
  })
  static Tensor forward(Out out, const Tensor& self) {
    const DType t = iter::float_type(self.dtype());
    return iter::map<At, Join<Floats, Complexes>>("angle", out, t, real_of(t), {self});
  }
  static constexpr auto saved = saves(in<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    const Tensor z = c.in(0);
    if (!is_complex(z.dtype())) return zeros_like(g);
    const Tensor a = real(z), b = imag(z), scale = div(g, add(square(a), square(b)));  // the slope is i z / |z|^2
    return masked_fill(complex(neg(mul(b, scale)), mul(a, scale)), eq(abs(z), 0), 0);
  }
};
Tensor angle(const Tensor& self) { return call<Angle>(self); }
const Register<Angle> angle_op;

}  // namespace bolide
