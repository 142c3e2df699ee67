// Softmax and its logarithm along one dimension, with first and second derivatives.
#include "ops/nn.h"

namespace bolide {

namespace {

const char* kernel_name(bool log, bool last) {
  if (log) return last ? "log_softmax_lastdim_kernel_impl" : "log_softmax_kernel_impl";
  return last ? "softmax_lastdim_kernel_impl" : "softmax_kernel_impl";
}

Tensor softmax_of(Out out, const Tensor& self, int64_t dim, OptDType dtype, bool log) {
  const int64_t d = wrap_dim(dim, self.dim());
  const Tensor x = contiguous(dtype ? cast(self, *dtype) : self);
  dispatch<Join<Floats, Halves>>(kernel_name(log, d + 1 >= x.dim()), x.dtype(), [](auto) {});
  return into(out, x.sizes(), x.dtype(), x.device(), [&](const Tensor& y) { kernels(y).softmax(x, d, log, y); });
}

Tensor softmax_slope(const Tensor& grad, const Tensor& y, int64_t dim, DType input_dtype, bool log) {
  BOLIDE_CHECK(grad.sizes() == y.sizes(), "softmax's backward: expected a gradient of shape ", y.sizes(), ", got ",
               grad.sizes());
  const int64_t d = wrap_dim(dim, y.dim());
  const Tensor g = contiguous(cast(grad, y.dtype())), v = contiguous(y);
  dispatch<Join<Floats, Halves>>(log ? "log_softmax_backward" : "softmax_backward", v.dtype(), [](auto) {});
  const Tensor dx = Tensor::make(v.sizes(), v.dtype(), v.device());
  kernels(dx).softmax_backward(g, v, d, log, dx);
  return cast(dx, input_dtype);
}

Tensor sum_along(const Tensor& t, int64_t dim) { return sum(t, std::optional<IntList>(IntList{dim}), true); }

}  // namespace

// y (g - sum(g y)) for softmax's result y.
struct SoftmaxBackward {
  static constexpr auto schema =
      "_softmax_backward_data(Tensor grad_output, Tensor output, int dim, ScalarType input_dtype) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t variants = kOut;
  static constexpr auto node = "SoftmaxBackwardDataBackward0";
  static Tensor forward(const Tensor& g, const Tensor& y, int64_t dim, DType input_dtype) {
    return softmax_slope(g, y, dim, input_dtype, false);
  }
  static constexpr auto saved = saves(in<0>, in<1>);
  static Grads backward(const Call& c, const Tensor& grad) {
    const Tensor g = c.in(0), y = c.in(1), gg = cast(grad, y.dtype());
    const int64_t dim = c.integer(2);
    Grads r;
    if (c.needs(0)) r.of[0] = softmax_backward(gg, y, dim, y.dtype());
    if (c.needs(1)) r.of[1] = sub(mul(gg, sub(g, sum_along(mul(g, y), dim))), mul(g, sum_along(mul(gg, y), dim)));
    return r;
  }
};
Tensor softmax_backward(const Tensor& g, const Tensor& y, int64_t dim, DType input_dtype) {
  return call<SoftmaxBackward>(g, y, dim, input_dtype);
}
const Register<SoftmaxBackward> softmax_backward_op;

// g - exp(y) sum(g) for log_softmax's result y.
struct LogSoftmaxBackward {
  static constexpr auto schema =
      "_log_softmax_backward_data(Tensor grad_output, Tensor output, int dim, ScalarType input_dtype) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t variants = kOut;
  static constexpr auto node = "LogSoftmaxBackwardDataBackward0";
  static Tensor forward(const Tensor& g, const Tensor& y, int64_t dim, DType input_dtype) {
    return softmax_slope(g, y, dim, input_dtype, true);
  }
  static constexpr auto saved = saves(in_for<0, 1>, in<1>);
  static Grads backward(const Call& c, const Tensor& grad) {
    const Tensor p = exp(c.in(1)), gg = cast(grad, p.dtype());
    const int64_t dim = c.integer(2);
    Grads r;
    if (c.needs(0)) r.of[0] = sub(gg, sum_along(mul(gg, p), dim));
    if (c.needs(1)) r.of[1] = neg(mul(mul(gg, p), sum_along(c.in(0), dim)));
    return r;
  }
};
Tensor log_softmax_backward(const Tensor& g, const Tensor& y, int64_t dim, DType input_dtype) {
  return call<LogSoftmaxBackward>(g, y, dim, input_dtype);
}
const Register<LogSoftmaxBackward> log_softmax_backward_op;

// exp(x) / sum(exp(x)) along `dim`, computed in `dtype` when given.
struct Softmax {
  static constexpr auto schema = "softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(Out out, const Tensor& self, int64_t dim, OptDType dtype) {
    return softmax_of(out, self, dim, dtype, false);
  }
  static constexpr auto saved = saves(out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    return softmax_backward(g, c.out(), c.integer(1), c.meta(0).dtype);
  }
};
Tensor softmax(const Tensor& self, int64_t dim, OptDType dtype) { return call<Softmax>(self, dim, dtype); }
const Register<Softmax> softmax_op;

// log(softmax(x)) along `dim`, computed in `dtype` when given.
struct LogSoftmax {
  static constexpr auto schema = "log_softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(Out out, const Tensor& self, int64_t dim, OptDType dtype) {
    return softmax_of(out, self, dim, dtype, true);
  }
  static constexpr auto saved = saves(out<0>);
  static Grads backward(const Call& c, const Tensor& g) {
    return log_softmax_backward(g, c.out(), c.integer(1), c.meta(0).dtype);
  }
};
Tensor log_softmax(const Tensor& self, int64_t dim, OptDType dtype) { return call<LogSoftmax>(self, dim, dtype); }
const Register<LogSoftmax> log_softmax_op;

// The forms that softmax and log_softmax have below them in PyTorch.
struct SoftmaxData {
  static constexpr auto schema = "_softmax(Tensor self, int dim, bool half_to_float) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& self, int64_t dim, bool half_to_float) {
    BOLIDE_CHECK(!half_to_float, "softmax with half to float conversion is not supported on CPU");
    return softmax(self, dim);
  }
};
const Register<SoftmaxData> softmax_data_op;

struct LogSoftmaxData {
  static constexpr auto schema = "_log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& self, int64_t dim, bool half_to_float) {
    BOLIDE_CHECK(!half_to_float, "softmax with half to float conversion is not supported on CPU");
    return log_softmax(self, dim);
  }
};
const Register<LogSoftmaxData> log_softmax_data_op;

// Softmax whose rows of nothing but -inf give zeros.
struct SafeSoftmax {
  static constexpr auto schema = "_safe_softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& self, int64_t dim, OptDType dtype) {
    const Tensor dead = all_along(eq(self, -std::numeric_limits<double>::infinity()), dim);
    return masked_fill(softmax(self, dim, dtype), dead, 0);
  }
  static Tensor all_along(const Tensor& mask, int64_t dim) { return amin(cast(mask, DType::UInt8), {dim}, true).to(DType::Bool); }
};
const Register<SafeSoftmax> safe_softmax_op;

}  // namespace bolide
