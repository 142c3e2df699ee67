// Embedding, EmbeddingBag.
#include "bolide/nn/embedding.h"

#include "bolide/autograd.h"
#include "bolide/nn/functional.h"
#include "bolide/nn/init.h"
#include "bolide/ops.h"
#include "nn/text.h"

namespace bolide::nn {

using detail::py;

namespace {

void check_padding(std::optional<int64_t>& padding, int64_t num) {
  if (!padding) return;
  BOLIDE_CHECK(*padding < num && *padding >= -num, "Padding_idx must be within num_embeddings");
  if (*padding < 0) padding = num + *padding;
}

Tensor table(const Tensor& given, int64_t num, int64_t dim) {
  if (!given.defined()) return empty({num, dim});
  BOLIDE_CHECK(given.dim() == 2 && given.size(0) == num && given.size(1) == dim, "Shape of weight does not match num_embeddings and embedding_dim");
  return given;
}

void init_table(const Tensor& weight, const std::optional<int64_t>& padding) {
  init::normal_(weight);
  if (!padding || detail::SkipInit::active()) return;
  const NoGradGuard no_grad;
  zero_(weight[*padding]);
}

template <class Options>
std::string common_text(const Options& o) {
  std::string s;
  if (o.max_norm()) s += ", max_norm=" + py(*o.max_norm());
  if (o.norm_type() != 2) s += ", norm_type=" + py(o.norm_type());
  if (o.scale_grad_by_freq()) s += ", scale_grad_by_freq=True";
  return s;
}

}  // namespace

EmbeddingImpl::EmbeddingImpl(const EmbeddingOptions& o) : options(o) {
  check_padding(options.padding_idx(), o.num_embeddings());
  reset();
}
void EmbeddingImpl::reset() {
  weight = register_parameter("weight", table(options._weight(), options.num_embeddings(), options.embedding_dim()));
  if (!options._weight().defined()) reset_parameters();
}
void EmbeddingImpl::reset_parameters() { init_table(weight, options.padding_idx()); }
Tensor EmbeddingImpl::forward(const Tensor& indices) const {
  return functional::embedding(indices, weight, functional::EmbeddingFuncOptions().padding_idx(options.padding_idx()).max_norm(options.max_norm())
                                   .norm_type(options.norm_type()).scale_grad_by_freq(options.scale_grad_by_freq()).sparse(options.sparse()));
}
std::string EmbeddingImpl::extra_repr() const {
  std::string s = py(options.num_embeddings()) + ", " + py(options.embedding_dim());
  if (options.padding_idx()) s += ", padding_idx=" + py(*options.padding_idx());
  s += common_text(options);
  return options.sparse() ? s + ", sparse=True" : s;
}
Embedding Embedding::from_pretrained(const Tensor& weight, const EmbeddingFromPretrainedOptions& o) {
  BOLIDE_CHECK(weight.dim() == 2, "Embeddings parameter is expected to be 2-dimensional");
  Embedding made(EmbeddingOptions(weight.size(0), weight.size(1)).padding_idx(o.padding_idx()).max_norm(o.max_norm()).norm_type(o.norm_type())
                     .scale_grad_by_freq(o.scale_grad_by_freq()).sparse(o.sparse())._weight(weight));
  made->weight.set_requires_grad(!o.freeze());
  return made;
}

EmbeddingBagImpl::EmbeddingBagImpl(const EmbeddingBagOptions& o) : options(o) {
  check_padding(options.padding_idx(), o.num_embeddings());
  reset();
}
void EmbeddingBagImpl::reset() {
  weight = register_parameter("weight", table(options._weight(), options.num_embeddings(), options.embedding_dim()));
  if (!options._weight().defined()) reset_parameters();
}
void EmbeddingBagImpl::reset_parameters() { init_table(weight, options.padding_idx()); }
Tensor EmbeddingBagImpl::forward(const Tensor& indices, const Tensor& offsets, const Tensor& per_sample_weights) const {
  return functional::embedding_bag(indices, weight, functional::EmbeddingBagFuncOptions().offsets(offsets).max_norm(options.max_norm())
                                       .norm_type(options.norm_type()).scale_grad_by_freq(options.scale_grad_by_freq()).mode(options.mode())
                                       .sparse(options.sparse()).per_sample_weights(per_sample_weights)
                                       .include_last_offset(options.include_last_offset()).padding_idx(options.padding_idx()));
}
std::string EmbeddingBagImpl::extra_repr() const {
  std::string s = py(options.num_embeddings()) + ", " + py(options.embedding_dim()) + common_text(options) + ", mode=" + py(options.mode());
  if (options.padding_idx()) s += ", padding_idx=" + py(*options.padding_idx());
  return s;
}
EmbeddingBag EmbeddingBag::from_pretrained(const Tensor& weight, const EmbeddingBagFromPretrainedOptions& o) {
  BOLIDE_CHECK(weight.dim() == 2, "Embeddings parameter is expected to be 2-dimensional");
  EmbeddingBag made(EmbeddingBagOptions(weight.size(0), weight.size(1)).max_norm(o.max_norm()).norm_type(o.norm_type())
                        .scale_grad_by_freq(o.scale_grad_by_freq()).mode(o.mode()).sparse(o.sparse())
                        .include_last_offset(o.include_last_offset()).padding_idx(o.padding_idx())._weight(weight));
  made->weight.set_requires_grad(!o.freeze());
  return made;
}

}  // namespace bolide::nn
