// The kernel table's matrix products on the CPU.
#include "core/kernels.h"
#include "cpu/gemm.h"

namespace bolide {
namespace {

void gemm_entry(const Tensor& a, const Tensor& b, const Tensor& c, const Tensor& bias, const Scalar& alpha, const Scalar& beta, bool relu) {
  if (!c.numel()) return;
  dispatch<AllTypes>("addmm_impl_cpu_", c.dtype(), [&]<class T>(Tag<T>) {
    const bool batch = a.dim() == 3;
    const size_t r = batch ? 1 : 0;
    GemmArgs<T> g;
    g.m = a.sizes()[r], g.k = a.sizes()[r + 1], g.n = b.sizes()[r + 1];
    g.a = a.data<T>(), g.a_row = a.strides()[r], g.a_col = a.strides()[r + 1];
    g.b = b.data<T>(), g.b_row = b.strides()[r], g.b_col = b.strides()[r + 1];
    g.c = c.data<T>(), g.ldc = c.strides()[r];
    g.alpha = alpha.to<typename GemmArgs<T>::Compute>(), g.beta = beta.to<typename GemmArgs<T>::Compute>();
    if (bias.defined()) g.bias = bias.data<T>();
    g.relu = relu;
    if (batch) gemm_batched(g, a.sizes()[0], a.strides()[0], b.strides()[0], c.strides()[0]);
    else gemm(g);
  });
}
const Provide provide_gemm(DeviceType::CPU, &Kernels::gemm, &gemm_entry);

}  // namespace
}  // namespace bolide
