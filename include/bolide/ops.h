// The ops, as functions. Names, arguments and semantics are PyTorch's; each is one block in src/ops.
#pragma once
#include "bolide/tensor.h"

namespace bolide {

class Generator;
using OptDType = std::optional<DType>;

// creation
Tensor empty(IntList size, OptDType dtype = {}, std::optional<Device> device = {});
Tensor empty_strided(const Dims& size, const Dims& stride, DType dtype, Device device);
Tensor empty_like(const Tensor& self, OptDType dtype = {}, std::optional<Device> device = {});
Tensor zeros(IntList size, OptDType dtype = {}, std::optional<Device> device = {});
Tensor ones(IntList size, OptDType dtype = {}, std::optional<Device> device = {});
Tensor full(IntList size, const Scalar& fill_value, OptDType dtype = {}, std::optional<Device> device = {});
Tensor zeros_like(const Tensor& self, OptDType dtype = {}, std::optional<Device> device = {});
Tensor ones_like(const Tensor& self, OptDType dtype = {}, std::optional<Device> device = {});
Tensor full_like(const Tensor& self, const Scalar& fill_value, OptDType dtype = {}, std::optional<Device> device = {});
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step = 1, OptDType dtype = {}, std::optional<Device> device = {});
Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps, OptDType dtype = {}, std::optional<Device> device = {});
Tensor logspace(const Scalar& start, const Scalar& end, int64_t steps, double base = 10, OptDType dtype = {}, std::optional<Device> device = {});
Tensor eye(int64_t n, std::optional<int64_t> m = {}, OptDType dtype = {}, std::optional<Device> device = {});
/// A tensor of the given values: `tensor<float>({1, 2})`. Without a type see bolide/factories.h.
template <class T>
Tensor tensor(std::initializer_list<std::type_identity_t<T>> values) {
  Tensor t = empty({static_cast<int64_t>(values.size())}, dtype_of<T>);
  std::copy(values.begin(), values.end(), t.data<T>());
  return t;
}
Tensor scalar_tensor(const Scalar& s, OptDType dtype = {}, std::optional<Device> device = {});

// copies
const Tensor& copy_(const Tensor& self, const Tensor& src, bool non_blocking = false);
const Tensor& fill_(const Tensor& self, const Operand& value);
const Tensor& zero_(const Tensor& self);
const Tensor& resize_(const Tensor& self, IntList size);
Tensor clone(const Tensor& self, std::optional<MemoryFormat> memory_format = {});
Tensor contiguous(const Tensor& self, MemoryFormat memory_format = MemoryFormat::Contiguous);
Tensor cast(const Tensor& self, DType dtype);
Tensor to(const Tensor& self, OptDType dtype, std::optional<Device> device = {}, bool copy = false);

// views
Tensor as_strided(const Tensor& self, IntList size, IntList stride, std::optional<int64_t> storage_offset = {});
Tensor view(const Tensor& self, IntList size);
Tensor reshape(const Tensor& self, IntList shape);
Tensor flatten(const Tensor& self, int64_t start_dim = 0, int64_t end_dim = -1);
Tensor transpose(const Tensor& self, int64_t dim0, int64_t dim1);
Tensor permute(const Tensor& self, IntList dims);
Tensor t(const Tensor& self);
Tensor squeeze(const Tensor& self);
Tensor squeeze(const Tensor& self, IntList dim);
Tensor unsqueeze(const Tensor& self, int64_t dim);
Tensor expand(const Tensor& self, IntList size);
Tensor select(const Tensor& self, int64_t dim, int64_t index);
Tensor slice(const Tensor& self, int64_t dim = 0, std::optional<int64_t> start = {}, std::optional<int64_t> end = {}, int64_t step = 1);
Tensor narrow(const Tensor& self, int64_t dim, int64_t start, int64_t length);
Tensor diagonal(const Tensor& self, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);
Tensor unfold(const Tensor& self, int64_t dimension, int64_t size, int64_t step);
std::vector<Tensor> split(const Tensor& self, int64_t split_size, int64_t dim = 0);
std::vector<Tensor> split_with_sizes(const Tensor& self, IntList split_sizes, int64_t dim = 0);
std::vector<Tensor> unbind(const Tensor& self, int64_t dim = 0);
std::vector<Tensor> chunk(const Tensor& self, int64_t chunks, int64_t dim = 0);
Tensor cat(TensorList tensors, int64_t dim = 0);
Tensor stack(TensorList tensors, int64_t dim = 0);
Tensor hstack(TensorList tensors);
Tensor vstack(TensorList tensors);
Tensor dstack(TensorList tensors);
Tensor column_stack(TensorList tensors);
Tensor block_diag(TensorList tensors);
std::vector<Tensor> tensor_split(const Tensor& self, int64_t sections, int64_t dim = 0);
std::vector<Tensor> tensor_split(const Tensor& self, IntList indices, int64_t dim = 0);
std::vector<Tensor> broadcast_tensors(TensorList tensors);
Tensor broadcast_to(const Tensor& self, IntList size);
Tensor movedim(const Tensor& self, IntList source, IntList destination);
Tensor unflatten(const Tensor& self, int64_t dim, IntList sizes);
Tensor ravel(const Tensor& self);
Tensor atleast_1d(const Tensor& self);
Tensor atleast_2d(const Tensor& self);
Tensor atleast_3d(const Tensor& self);

// elements moved, repeated, chosen by place
Tensor repeat(const Tensor& self, IntList repeats);
Tensor tile(const Tensor& self, IntList dims);
Tensor repeat_interleave(const Tensor& self, int64_t repeats, std::optional<int64_t> dim = {});
Tensor repeat_interleave(const Tensor& self, const Tensor& repeats, std::optional<int64_t> dim = {});
Tensor roll(const Tensor& self, IntList shifts, IntList dims = {});
Tensor flip(const Tensor& self, IntList dims);
Tensor rot90(const Tensor& self, int64_t k = 1, IntList dims = {0, 1});
Tensor tril(const Tensor& self, int64_t diagonal = 0);
Tensor triu(const Tensor& self, int64_t diagonal = 0);
Tensor diag(const Tensor& self, int64_t diagonal = 0);
Tensor diag_embed(const Tensor& self, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1);
std::vector<Tensor> meshgrid(TensorList tensors, Str indexing = "ij");
Tensor cartesian_prod(TensorList tensors);
Tensor combinations(const Tensor& self, int64_t r = 2, bool with_replacement = false);

// pointwise
Tensor add(const Tensor& self, const Operand& other, const Scalar& alpha = 1);
const Tensor& add_(const Tensor& self, const Operand& other, const Scalar& alpha = 1);
Tensor sub(const Tensor& self, const Operand& other, const Scalar& alpha = 1);
Tensor mul(const Tensor& self, const Operand& other);
const Tensor& mul_(const Tensor& self, const Operand& other);
Tensor div(const Tensor& self, const Operand& other);
Tensor div(const Tensor& self, const Operand& other, std::optional<Str> rounding_mode);
Tensor floor_divide(const Tensor& self, const Operand& other);
Tensor remainder(const Tensor& self, const Operand& other);
Tensor fmod(const Tensor& self, const Operand& other);
Tensor pow(const Tensor& self, const Operand& exponent);
Tensor neg(const Tensor& self);
Tensor abs(const Tensor& self);
Tensor sign(const Tensor& self);
Tensor exp(const Tensor& self);
Tensor log(const Tensor& self);
Tensor sqrt(const Tensor& self);
Tensor rsqrt(const Tensor& self);
Tensor square(const Tensor& self);
Tensor reciprocal(const Tensor& self);
Tensor sin(const Tensor& self);
Tensor cos(const Tensor& self);
Tensor sinh(const Tensor& self);
Tensor cosh(const Tensor& self);
Tensor tanh(const Tensor& self);
Tensor sigmoid(const Tensor& self);
Tensor relu(const Tensor& self);
Tensor expm1(const Tensor& self);
Tensor exp2(const Tensor& self);
Tensor log1p(const Tensor& self);
Tensor log2(const Tensor& self);
Tensor log10(const Tensor& self);
Tensor tan(const Tensor& self);
Tensor asin(const Tensor& self);
Tensor acos(const Tensor& self);
Tensor atan(const Tensor& self);
Tensor asinh(const Tensor& self);
Tensor acosh(const Tensor& self);
Tensor atanh(const Tensor& self);
Tensor erf(const Tensor& self);
Tensor erfc(const Tensor& self);
Tensor sgn(const Tensor& self);
Tensor floor(const Tensor& self);
Tensor ceil(const Tensor& self);
Tensor trunc(const Tensor& self);
Tensor frac(const Tensor& self);
Tensor isinf(const Tensor& self);
Tensor isfinite(const Tensor& self);
Tensor bitwise_not(const Tensor& self);
Tensor silu(const Tensor& self);
Tensor round(const Tensor& self, int64_t decimals = 0);
Tensor leaky_relu(const Tensor& self, const Scalar& negative_slope = 0.01);
Tensor threshold_backward(const Tensor& grad_output, const Tensor& self, const Scalar& threshold);
Tensor gelu_backward(const Tensor& grad_output, const Tensor& self, Str approximate);
Tensor maximum(const Tensor& self, const Tensor& other);
Tensor minimum(const Tensor& self, const Tensor& other);
Tensor eq(const Tensor& self, const Operand& other);
Tensor ne(const Tensor& self, const Operand& other);
Tensor lt(const Tensor& self, const Operand& other);
Tensor le(const Tensor& self, const Operand& other);
Tensor gt(const Tensor& self, const Operand& other);
Tensor ge(const Tensor& self, const Operand& other);
Tensor logical_and(const Tensor& self, const Tensor& other);
Tensor logical_or(const Tensor& self, const Tensor& other);
Tensor logical_xor(const Tensor& self, const Tensor& other);
Tensor logical_not(const Tensor& self);
Tensor isnan(const Tensor& self);
Tensor where(const Tensor& condition, const Operand& self, const Operand& other);
Tensor masked_fill(const Tensor& self, const Tensor& mask, const Operand& value);
const Tensor& masked_fill_(const Tensor& self, const Tensor& mask, const Operand& value);
Tensor clamp(const Tensor& self, std::optional<Scalar> min, std::optional<Scalar> max);
Tensor clamp(const Tensor& self, const Tensor& min, const Tensor& max);
Tensor clamp_min(const Tensor& self, const Operand& min);
Tensor clamp_max(const Tensor& self, const Operand& max);
Tensor lerp(const Tensor& self, const Tensor& end, const Operand& weight);
Tensor addcmul(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value = 1);
Tensor addcdiv(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value = 1);
Tensor rpow(const Tensor& self, const Scalar& base);
Tensor positive(const Tensor& self);
Tensor isposinf(const Tensor& self);
Tensor isneginf(const Tensor& self);
Tensor isreal(const Tensor& self);
Tensor signbit(const Tensor& self);
Tensor nan_to_num(const Tensor& self, std::optional<double> nan = {}, std::optional<double> posinf = {}, std::optional<double> neginf = {});
Tensor deg2rad(const Tensor& self);
Tensor rad2deg(const Tensor& self);
Tensor sinc(const Tensor& self);
Tensor logit(const Tensor& self, std::optional<double> eps = {});
std::tuple<Tensor, Tensor> frexp(const Tensor& self);
Tensor copysign(const Tensor& self, const Operand& other);
Tensor heaviside(const Tensor& self, const Tensor& values);
Tensor nextafter(const Tensor& self, const Tensor& other);
Tensor atan2(const Tensor& self, const Tensor& other);
Tensor hypot(const Tensor& self, const Tensor& other);
Tensor logaddexp(const Tensor& self, const Tensor& other);
Tensor logaddexp2(const Tensor& self, const Tensor& other);
Tensor fmax(const Tensor& self, const Tensor& other);
Tensor fmin(const Tensor& self, const Tensor& other);
Tensor ldexp(const Tensor& self, const Tensor& other);
Tensor float_power(const Operand& self, const Operand& exponent);
Tensor isclose(const Tensor& self, const Tensor& other, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false);
bool allclose(const Tensor& self, const Tensor& other, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false);
bool equal(const Tensor& self, const Tensor& other);
Tensor gcd(const Tensor& self, const Tensor& other);
Tensor lcm(const Tensor& self, const Tensor& other);

// complex numbers
Tensor conj(const Tensor& self);
Tensor conj_physical(const Tensor& self);
Tensor real(const Tensor& self);
Tensor imag(const Tensor& self);
Tensor view_as_real(const Tensor& self);
Tensor view_as_complex(const Tensor& self);
Tensor complex(const Tensor& real, const Tensor& imag);
Tensor polar(const Tensor& abs, const Tensor& angle);
Tensor angle(const Tensor& self);

// special functions
Tensor lgamma(const Tensor& self);
Tensor digamma(const Tensor& self);
Tensor polygamma(int64_t n, const Tensor& self);
Tensor erfinv(const Tensor& self);
Tensor i0(const Tensor& self);
Tensor igamma(const Tensor& self, const Tensor& other);
Tensor igammac(const Tensor& self, const Tensor& other);
Tensor xlogy(const Operand& self, const Operand& other);
Tensor special_erfcx(const Tensor& self);
Tensor special_ndtr(const Tensor& self);
Tensor special_ndtri(const Tensor& self);
Tensor special_log_ndtr(const Tensor& self);
Tensor special_entr(const Tensor& self);
Tensor special_i0e(const Tensor& self);
Tensor special_i1(const Tensor& self);
Tensor special_i1e(const Tensor& self);
Tensor special_xlog1py(const Operand& self, const Operand& other);
Tensor special_zeta(const Operand& self, const Operand& other);

Tensor gelu(const Tensor& self, Str approximate = "none");

// reductions
Tensor sum(const Tensor& self, OptDType dtype = {});
Tensor sum(const Tensor& self, std::optional<IntList> dim, bool keepdim = false, OptDType dtype = {});
Tensor sum_to_size(const Tensor& self, IntList size);
Tensor nansum(const Tensor& self, std::optional<IntList> dim = {}, bool keepdim = false, OptDType dtype = {});
Tensor mean(const Tensor& self, OptDType dtype = {});
Tensor mean(const Tensor& self, std::optional<IntList> dim, bool keepdim = false, OptDType dtype = {});
Tensor nanmean(const Tensor& self, std::optional<IntList> dim = {}, bool keepdim = false, OptDType dtype = {});
Tensor prod(const Tensor& self, OptDType dtype = {});
Tensor prod(const Tensor& self, int64_t dim, bool keepdim = false, OptDType dtype = {});
Tensor logsumexp(const Tensor& self, IntList dim, bool keepdim = false);
Tensor amax(const Tensor& self, IntList dim = {}, bool keepdim = false);
Tensor amin(const Tensor& self, IntList dim = {}, bool keepdim = false);
std::tuple<Tensor, Tensor> aminmax(const Tensor& self, std::optional<int64_t> dim = {}, bool keepdim = false);
Tensor argmax(const Tensor& self, std::optional<int64_t> dim = {}, bool keepdim = false);
Tensor argmin(const Tensor& self, std::optional<int64_t> dim = {}, bool keepdim = false);
Tensor max(const Tensor& self);
Tensor min(const Tensor& self);
std::tuple<Tensor, Tensor> max(const Tensor& self, int64_t dim, bool keepdim = false);
std::tuple<Tensor, Tensor> min(const Tensor& self, int64_t dim, bool keepdim = false);
Tensor count_nonzero(const Tensor& self, std::optional<int64_t> dim = {});
Tensor all(const Tensor& self);
Tensor all(const Tensor& self, std::optional<IntList> dim, bool keepdim = false);
Tensor any(const Tensor& self);
Tensor any(const Tensor& self, std::optional<IntList> dim, bool keepdim = false);

// statistics
Tensor var(const Tensor& self, std::optional<IntList> dim = {}, std::optional<Scalar> correction = {}, bool keepdim = false);
Tensor std(const Tensor& self, std::optional<IntList> dim = {}, std::optional<Scalar> correction = {}, bool keepdim = false);
Tensor linalg_vector_norm(const Tensor& self, const Scalar& ord = 2, std::optional<IntList> dim = {}, bool keepdim = false, OptDType dtype = {});
Tensor linalg_cross(const Tensor& self, const Tensor& other, int64_t dim = -1);

// scans
Tensor cumsum(const Tensor& self, int64_t dim, OptDType dtype = {});
Tensor cumprod(const Tensor& self, int64_t dim, OptDType dtype = {});
Tensor logcumsumexp(const Tensor& self, int64_t dim);
std::tuple<Tensor, Tensor> cummax(const Tensor& self, int64_t dim);
std::tuple<Tensor, Tensor> cummin(const Tensor& self, int64_t dim);
Tensor _reverse_cumsum(const Tensor& self, int64_t dim);
Tensor _reverse_cumprod(const Tensor& self, int64_t dim);
Tensor _linear_recurrence(const Tensor& self, const Tensor& factor, int64_t dim, bool reverse = false);

// sorting and searching
std::tuple<Tensor, Tensor> sort(const Tensor& self, int64_t dim = -1, bool descending = false);
std::tuple<Tensor, Tensor> topk(const Tensor& self, int64_t k, int64_t dim = -1, bool largest = true, bool sorted = true);
std::tuple<Tensor, Tensor> kthvalue(const Tensor& self, int64_t k, int64_t dim = -1, bool keepdim = false);
Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& self, bool right = false);

// matrix products
Tensor mm(const Tensor& self, const Tensor& mat2);
Tensor bmm(const Tensor& self, const Tensor& mat2);
Tensor addmm(const Tensor& self, const Tensor& mat1, const Tensor& mat2, const Scalar& beta = 1, const Scalar& alpha = 1);
Tensor baddbmm(const Tensor& self, const Tensor& batch1, const Tensor& batch2, const Scalar& beta = 1, const Scalar& alpha = 1);
Tensor mv(const Tensor& self, const Tensor& vec);
Tensor dot(const Tensor& self, const Tensor& tensor);
Tensor vdot(const Tensor& self, const Tensor& other);
Tensor outer(const Tensor& self, const Tensor& vec2);
Tensor inner(const Tensor& self, const Tensor& other);
Tensor tensordot(const Tensor& self, const Tensor& other, IntList dims_self, IntList dims_other);
Tensor kron(const Tensor& self, const Tensor& other);
Tensor einsum(Str equation, TensorList operands);
Tensor matmul(const Tensor& self, const Tensor& other);
Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias = {});

// neural networks
Tensor softmax(const Tensor& self, int64_t dim, OptDType dtype = {});
Tensor log_softmax(const Tensor& self, int64_t dim, OptDType dtype = {});
Tensor softmax_backward(const Tensor& grad_output, const Tensor& output, int64_t dim, DType input_dtype);
Tensor log_softmax_backward(const Tensor& grad_output, const Tensor& output, int64_t dim, DType input_dtype);
// losses; reduction: 0 none, 1 mean, 2 sum
Tensor mse_loss(const Tensor& self, const Tensor& target, int64_t reduction = 1);
Tensor mse_loss_backward(const Tensor& grad_output, const Tensor& self, const Tensor& target, int64_t reduction);
Tensor l1_loss(const Tensor& self, const Tensor& target, int64_t reduction = 1);
Tensor smooth_l1_loss(const Tensor& self, const Tensor& target, int64_t reduction = 1, double beta = 1.0);
Tensor smooth_l1_loss_backward(const Tensor& grad_output, const Tensor& self, const Tensor& target, int64_t reduction, double beta);
Tensor huber_loss(const Tensor& self, const Tensor& target, int64_t reduction = 1, double delta = 1.0);
Tensor huber_loss_backward(const Tensor& grad_output, const Tensor& self, const Tensor& target, int64_t reduction, double delta);
Tensor soft_margin_loss_backward(const Tensor& grad_output, const Tensor& self, const Tensor& target, int64_t reduction);
Tensor binary_cross_entropy(const Tensor& self, const Tensor& target, const Tensor& weight = {}, int64_t reduction = 1);
Tensor binary_cross_entropy_backward(const Tensor& grad_output, const Tensor& self, const Tensor& target, const Tensor& weight,
                                     int64_t reduction);
Tensor binary_cross_entropy_with_logits(const Tensor& self, const Tensor& target, const Tensor& weight = {},
                                        const Tensor& pos_weight = {}, int64_t reduction = 1);
Tensor bce_with_logits_backward(const Tensor& grad_output, const Tensor& self, const Tensor& target, const Tensor& weight,
                                const Tensor& pos_weight, int64_t reduction);
Tensor nll_loss(const Tensor& self, const Tensor& target, const Tensor& weight = {}, int64_t reduction = 1, int64_t ignore_index = -100);
Tensor nll_loss_backward(const Tensor& grad_output, const Tensor& self, const Tensor& target, const Tensor& weight, int64_t reduction,
                         int64_t ignore_index, const Tensor& total_weight);
Tensor cross_entropy(const Tensor& self, const Tensor& target, const Tensor& weight = {}, int64_t reduction = 1,
                     int64_t ignore_index = -100, double label_smoothing = 0.0);
Tensor conv1d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, IntList stride = {1}, IntList padding = {0},
              IntList dilation = {1}, int64_t groups = 1);
Tensor conv_transpose1d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, IntList stride = {1},
                        IntList padding = {0}, IntList output_padding = {0}, int64_t groups = 1, IntList dilation = {1});
Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, IntList stride = {1, 1}, IntList padding = {0, 0},
              IntList dilation = {1, 1}, int64_t groups = 1);
Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, IntList stride = {1, 1},
                        IntList padding = {0, 0}, IntList output_padding = {0, 0}, int64_t groups = 1, IntList dilation = {1, 1});
Tensor conv3d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, IntList stride = {1, 1, 1}, IntList padding = {0, 0, 0},
              IntList dilation = {1, 1, 1}, int64_t groups = 1);
Tensor conv_transpose3d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, IntList stride = {1, 1, 1},
                        IntList padding = {0, 0, 0}, IntList output_padding = {0, 0, 0}, int64_t groups = 1, IntList dilation = {1, 1, 1});
Tensor convolution(const Tensor& input, const Tensor& weight, const Tensor& bias, IntList stride, IntList padding, IntList dilation,
                   bool transposed, IntList output_padding, int64_t groups);
std::tuple<Tensor, Tensor, Tensor> convolution_backward(const Tensor& grad_output, const Tensor& input, const Tensor& weight,
                                                        std::optional<IntList> bias_sizes, IntList stride, IntList padding,
                                                        IntList dilation, bool transposed, IntList output_padding, int64_t groups,
                                                        IntList output_mask);
Tensor constant_pad_nd(const Tensor& self, IntList pad, const Scalar& value = 0);
Tensor max_pool1d(const Tensor& self, IntList kernel_size, IntList stride = {}, IntList padding = {0}, IntList dilation = {1},
                  bool ceil_mode = false);
Tensor avg_pool1d(const Tensor& self, IntList kernel_size, std::optional<IntList> stride = {}, IntList padding = {0},
                  bool ceil_mode = false, bool count_include_pad = true, std::optional<int64_t> divisor_override = {});
Tensor adaptive_avg_pool1d(const Tensor& self, IntList output_size);
Tensor max_pool2d(const Tensor& self, IntList kernel_size, IntList stride = {}, IntList padding = {0, 0}, IntList dilation = {1, 1},
                  bool ceil_mode = false);
Tensor avg_pool2d(const Tensor& self, IntList kernel_size, std::optional<IntList> stride = {}, IntList padding = {0, 0},
                  bool ceil_mode = false, bool count_include_pad = true, std::optional<int64_t> divisor_override = {});
Tensor adaptive_avg_pool2d(const Tensor& self, IntList output_size);
Tensor max_pool3d(const Tensor& self, IntList kernel_size, IntList stride = {}, IntList padding = {0, 0, 0}, IntList dilation = {1, 1, 1},
                  bool ceil_mode = false);
Tensor avg_pool3d(const Tensor& self, IntList kernel_size, std::optional<IntList> stride = {}, IntList padding = {0, 0, 0},
                  bool ceil_mode = false, bool count_include_pad = true, std::optional<int64_t> divisor_override = {});
Tensor adaptive_avg_pool3d(const Tensor& self, IntList output_size);
Tensor layer_norm(const Tensor& input, IntList normalized_shape, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5);
Tensor rms_norm(const Tensor& input, IntList normalized_shape, const Tensor& weight = {}, std::optional<double> eps = {});
Tensor group_norm(const Tensor& input, int64_t num_groups, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5);
Tensor batch_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& running_mean, const Tensor& running_var,
                  bool training, double momentum, double eps);
Tensor pool_scatter(const Tensor& grad_output, const Tensor& self, const Tensor& indices, int64_t dims);
Tensor pool_gather(const Tensor& self, const Tensor& indices, int64_t dims);
Tensor dropout(const Tensor& input, double p, bool train);

// indexing
Tensor index(const Tensor& self, TensorList indices);
Tensor index_put(const Tensor& self, TensorList indices, const Tensor& values, bool accumulate = false);
const Tensor& index_put_(const Tensor& self, TensorList indices, const Tensor& values, bool accumulate = false);
Tensor masked_select(const Tensor& self, const Tensor& mask);
Tensor masked_scatter(const Tensor& self, const Tensor& mask, const Tensor& source);
Tensor nonzero(const Tensor& self);
Tensor index_select(const Tensor& self, int64_t dim, const Tensor& index);
Tensor index_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha = 1);
Tensor index_copy(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source);
Tensor index_fill(const Tensor& self, int64_t dim, const Tensor& index, const Operand& value);
Tensor take(const Tensor& self, const Tensor& index);
Tensor put(const Tensor& self, const Tensor& index, const Tensor& source, bool accumulate = false);
Tensor gather(const Tensor& self, int64_t dim, const Tensor& index);
Tensor take_along_dim(const Tensor& self, const Tensor& indices, std::optional<int64_t> dim = {});
Tensor scatter(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src);
Tensor scatter(const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value);
Tensor scatter_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src);
Tensor scatter_reduce(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src, Str reduce, bool include_self = true);
Tensor select_scatter(const Tensor& self, const Tensor& src, int64_t dim, int64_t index);
Tensor slice_scatter(const Tensor& self, const Tensor& src, int64_t dim = 0, std::optional<int64_t> start = {}, std::optional<int64_t> end = {},
                     int64_t step = 1);
Tensor diagonal_scatter(const Tensor& self, const Tensor& src, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);
Tensor as_strided_scatter(const Tensor& self, const Tensor& src, IntList size, IntList stride, std::optional<int64_t> storage_offset = {});
Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx = -1);

// random numbers
void manual_seed(uint64_t seed);
Tensor rand(IntList size, OptDType dtype = {});
Tensor randn(IntList size, OptDType dtype = {});
Tensor randperm(int64_t n);
const Tensor& uniform_(const Tensor& self, double from = 0, double to = 1, Generator* generator = nullptr);
const Tensor& normal_(const Tensor& self, double mean = 0, double std = 1, Generator* generator = nullptr);
const Tensor& bernoulli_(const Tensor& self, double p = 0.5, Generator* generator = nullptr);

// optimizer steps of whole groups, in place; `state_steps` holds the number of each step, counted from 1 by the caller.
// An empty max_exp_avg_sqs or momentum_buffers means that there are none.
struct AdamStep {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled = false, maximize = false;  // decoupled: AdamW
};
void adam_step_(TensorList self, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, TensorList max_exp_avg_sqs,
                TensorList state_steps, const AdamStep& options);
struct SgdStep {
  double lr = 1e-3, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, maximize = false;
  bool first = false;  // the buffers are new: their contents do not count
};
void sgd_step_(TensorList self, TensorList grads, TensorList momentum_buffers, const SgdStep& options);
/// The sum of squares of each tensor, as float64.
Tensor sums_of_squares(TensorList self);

// operators
inline Tensor operator+(const Tensor& a, const Operand& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Operand& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Operand& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Operand& b) { return div(a, b); }
inline Tensor operator-(const Tensor& a) { return neg(a); }

}  // namespace bolide
