// Embedding: rows of a table by index, and the sums of gradients that come back.
#include "ops/nn.h"

namespace bolide {

Tensor embedding_dense_backward(const Tensor& grad_output, const Tensor& indices, int64_t num_weights, int64_t padding_idx,
                                bool scale_grad_by_freq);

namespace {

void check_indices(const Tensor& indices, const char* name) {
  BOLIDE_CHECK(indices.dtype() == DType::Int64 || indices.dtype() == DType::Int32, "Expected tensor for argument #1 'indices' to have one "
               "of the following scalar types: Long, Int; but got torch.", legacy_name(indices.dtype()),
               "Tensor instead (while checking arguments for ", name, ")");
}

}  // namespace

// Row v: the sum of the gradients whose index is v, over their number when scale_grad_by_freq.
struct EmbeddingDenseBackward {
  static constexpr auto schema =
      "embedding_dense_backward(Tensor grad_output, Tensor indices, int num_weights, int padding_idx, bool scale_grad_by_freq) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(const Tensor& g, const Tensor& indices, int64_t num_weights, int64_t padding_idx, bool scale_grad_by_freq) {
    check_indices(indices, "embedding_backward");
    BOLIDE_CHECK(num_weights >= 0 && num_weights < (int64_t{1} << 31), "embedding_dense_backward: num_weights must be below 2^31, got ",
                 num_weights);
    BOLIDE_CHECK(g.dim() >= 1 && IntList(g.sizes().data(), g.sizes().size() - 1) == IntList(indices.sizes()),
                 "embedding_dense_backward: expected a gradient of indices' shape with one dimension more, got ", g.sizes());
    dispatch<Join<Floats, Halves>>("embedding_backward", g.dtype(), [](auto) {});
    const Tensor flat = contiguous(cast(indices, DType::Int64)), dw = Tensor::make({num_weights, g.size(-1)}, g.dtype(), g.device());
    kernels(dw).embedding_backward(contiguous(g), flat, padding_idx, dw);
    if (!scale_grad_by_freq) return dw;
    const Tensor places = reshape(flat, {-1}), ones = ones_like(places, g.dtype());
    const Tensor counts = scatter_add(zeros({num_weights}, g.dtype(), g.device()), 0, places, ones);
    return div(dw, unsqueeze(clamp(counts, Scalar(1), {}), 1));
  }
  static constexpr auto saved = saves(in<1>);
  static Grads backward(const Call& c, const Tensor& gg) {
    const Tensor indices = c.in(1);
    Tensor r = embedding(gg, indices, c.integer(3));
    if (c.flag(4)) {
      const Tensor places = reshape(cast(indices, DType::Int64), {-1});
      const Tensor counts = scatter_add(zeros({c.integer(2)}, gg.dtype(), gg.device()), 0, places, ones_like(places, gg.dtype()));
      r = div(r, unsqueeze(reshape(index_select(counts, 0, places), indices.sizes()), -1));
    }
    return c.integer(3) >= 0 ? masked_fill(r, unsqueeze(eq(indices, c.integer(3)), -1), 0) : r;
  }
};
Tensor embedding_dense_backward(const Tensor& g, const Tensor& indices, int64_t num_weights, int64_t padding_idx, bool scale_grad_by_freq) {
  return call<EmbeddingDenseBackward>(g, indices, num_weights, padding_idx, scale_grad_by_freq);
}
const Register<EmbeddingDenseBackward> embedding_dense_backward_op;

// weight[indices]; the row padding_idx gets no gradient.
struct Embedding {
  static constexpr auto schema =
      "embedding(Tensor weight, Tensor indices, int padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor";
  static constexpr auto kind = Kind::Layer;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& weight, const Tensor& indices, int64_t, bool, bool sparse) {
    BOLIDE_CHECK(weight.dim() == 2, "'weight' must be 2-D");
    check_indices(indices, "embedding");
    BOLIDE_CHECK_AS(NotImplementedError, !sparse, "embedding: sparse gradients are not built");
    Dims shape = indices.sizes();
    shape.push_back(weight.size(1));
    return reshape(index_select(weight, 0, reshape(cast(indices, DType::Int64), {indices.numel()})), shape);
  }
  static constexpr auto saved = saves(in<1>);
  static Grads backward(const Call& c, const Tensor& g) {
    return embedding_dense_backward(g, c.in(1), c.sizes(0)[0], c.integer(2), c.flag(3));
  }
};
Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx) {
  return call<Embedding>(weight, indices, padding_idx, false, false);
}
const Register<Embedding> embedding_op;

}  // namespace bolide
