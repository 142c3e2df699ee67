// Matrix products by own kernels: tensor cores for 16-bit floats, fused multiply-adds for the rest.
#include <algorithm>

#include "cuda/entries/shared.h"

namespace bolide::cuda {

BOLIDE_KERNEL_TEXT(gemm);

namespace {

constexpr int64_t kTile = 64;

template <class W>
struct Product {  // as in the text
  const void *a, *b;
  void* c;
  const void* bias;
  int64_t m, n, k, a_row, a_col, b_row, b_col, ldc, batches, a_batch, b_batch, c_batch;
  W alpha, beta;
  int32_t relu;
};

template <class W>
void run(const Tensor& a, const Tensor& b, const Tensor& c, const Tensor& bias, const Scalar& alpha, const Scalar& beta, bool relu) {
  const bool batch = a.dim() == 3;
  const size_t r = batch ? 1 : 0;
  const Product<W> p{a.raw(), b.raw(), c.raw(), bias.defined() ? bias.raw() : nullptr, a.sizes()[r], b.sizes()[r + 1], a.sizes()[r + 1],
                     a.strides()[r], a.strides()[r + 1], b.strides()[r], b.strides()[r + 1], c.strides()[r], batch ? a.sizes()[0] : 1,
                     batch ? a.strides()[0] : 0, batch ? b.strides()[0] : 0, batch ? c.strides()[0] : 0, alpha.to<W>(), beta.to<W>(), int32_t{relu}};
  const bool cores = is_half(c.dtype()) && device_info(current_device()).architecture() >= 80;
  const std::string macros = str(scalar_macros(c.dtype()), ";REAL=", is_complex(c.dtype()) ? 0 : 1, ";TENSOR_CORES=", cores ? 1 : 0);
  const Function f = get_function(gemm_text, cores ? "gemm_tensor_cores" : "gemm_tiles", macros);
  const Grid grid{static_cast<unsigned>((p.n + kTile - 1) / kTile), static_cast<unsigned>(std::min<int64_t>((p.m + kTile - 1) / kTile, 65535)),
                  static_cast<unsigned>(std::min<int64_t>(p.batches, 65535))};
  BOLIDE_CHECK((p.m + kTile - 1) / kTile <= 65535, "matrix products of more than ", 65535 * kTile, " rows are not supported on CUDA");
  launch(f, "gemm", grid, {cores ? 128u : 256u}, 0, p);
}

void gemm_entry(const Tensor& a, const Tensor& b, const Tensor& c, const Tensor& bias, const Scalar& alpha, const Scalar& beta, bool relu) {
  if (!c.numel()) return;
  DeviceGuard guard(c.device().index);
  switch (wide_type(c.dtype())) {
    case DType::Float32: return run<float>(a, b, c, bias, alpha, beta, relu);
    case DType::Float64: return run<double>(a, b, c, bias, alpha, beta, relu);
    case DType::Complex64: return run<complex64>(a, b, c, bias, alpha, beta, relu);
    case DType::Complex128: return run<complex128>(a, b, c, bias, alpha, beta, relu);
    default: break;
  }
  fail<NotImplementedError>("\"addmm_cuda\" not implemented for '", legacy_name(c.dtype()), "'");
}
const Provide provide_gemm(DeviceType::CUDA, &Kernels::gemm, &gemm_entry);

}  // namespace
}  // namespace bolide::cuda
