// MultiheadAttention and transformers. Modules are made and registered in the order of Python's, so weights drawn are equal.
#include "bolide/nn/attention.h"

#include <limits>

#include "bolide/nn/functional.h"
#include "bolide/nn/init.h"
#include "bolide/ops.h"

namespace bolide::nn {

namespace F = functional;

// ---- MultiheadAttention ------------------------------------------------------------------------
namespace {
/// Prints under the name that Python gives it.
struct NonDynamicallyQuantizableLinear : LinearImpl {
  using LinearImpl::LinearImpl;
};
}  // namespace

MultiheadAttentionImpl::MultiheadAttentionImpl(const MultiheadAttentionOptions& o) : options(o) {
  BOLIDE_CHECK_AS(ValueError, o.embed_dim() > 0 && o.num_heads() > 0, "embed_dim and num_heads must be greater than 0, got embed_dim=",
                  o.embed_dim(), " and num_heads=", o.num_heads(), " instead");
  BOLIDE_CHECK(o.embed_dim() % o.num_heads() == 0, "embed_dim must be divisible by num_heads");
  reset();
}
bool MultiheadAttentionImpl::same_embed_dim() const {
  const int64_t e = options.embed_dim();
  return options.kdim().value_or(e) == e && options.vdim().value_or(e) == e;
}

void MultiheadAttentionImpl::reset() {
  const int64_t e = options.embed_dim();
  const bool same = same_embed_dim();
  const auto weight = [&](bool there, IntList size) { return there ? empty(size) : Tensor(); };
  in_proj_weight = register_parameter("in_proj_weight", weight(same, {3 * e, e}));
  q_proj_weight = register_parameter("q_proj_weight", weight(!same, {e, e}));
  k_proj_weight = register_parameter("k_proj_weight", weight(!same, {e, options.kdim().value_or(e)}));
  v_proj_weight = register_parameter("v_proj_weight", weight(!same, {e, options.vdim().value_or(e)}));
  in_proj_bias = register_parameter("in_proj_bias", weight(options.bias(), {3 * e}));
  const Linear projection(std::shared_ptr<LinearImpl>(std::make_shared<NonDynamicallyQuantizableLinear>(LinearOptions(e, e).bias(options.bias()))));
  bias_k = register_parameter("bias_k", weight(options.add_bias_kv(), {1, 1, e}));
  bias_v = register_parameter("bias_v", weight(options.add_bias_kv(), {1, 1, e}));
  out_proj = register_module("out_proj", projection);
  reset_parameters();
}

void MultiheadAttentionImpl::reset_parameters() {
  if (same_embed_dim()) {
    init::xavier_uniform_(in_proj_weight);
  } else {
    init::xavier_uniform_(q_proj_weight);
    init::xavier_uniform_(k_proj_weight);
    init::xavier_uniform_(v_proj_weight);
  }
  if (in_proj_bias.defined()) {
    init::zeros_(in_proj_bias);
    init::zeros_(out_proj->bias);
  }
  if (bias_k.defined()) init::xavier_normal_(bias_k);
  if (bias_v.defined()) init::xavier_normal_(bias_v);
}

std::tuple<Tensor, Tensor> MultiheadAttentionImpl::forward(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& key_padding_mask,
                                                           bool need_weights, const Tensor& attn_mask, bool average_attn_weights, bool is_causal) const {
  const bool turn = options.batch_first() && query.dim() == 3;
  Tensor q = query, k = key, v = value;
  if (turn) {  // one tensor stays one, for which the projection is a single product
    k = transpose(key, 0, 1);
    v = value.is_same(key) ? k : transpose(value, 0, 1);
    q = query.is_same(key) ? k : transpose(query, 0, 1);
  }
  F::MultiheadAttentionForwardFuncOptions o;
  o.embed_dim = options.embed_dim(), o.num_heads = options.num_heads(), o.dropout_p = options.dropout();
  o.in_proj_weight = in_proj_weight, o.in_proj_bias = in_proj_bias, o.bias_k = bias_k, o.bias_v = bias_v;
  o.q_proj_weight = q_proj_weight, o.k_proj_weight = k_proj_weight, o.v_proj_weight = v_proj_weight;
  o.out_proj_weight = out_proj->weight, o.out_proj_bias = out_proj->bias;
  o.add_zero_attn = options.add_zero_attn(), o.training = is_training();
  o.key_padding_mask = key_padding_mask, o.attn_mask = attn_mask;
  o.need_weights = need_weights, o.average_attn_weights = average_attn_weights, o.is_causal = is_causal;
  auto [out, weights] = F::multi_head_attention_forward(q, k, v, o);
  return {turn ? transpose(out, 0, 1) : out, weights};
}

// ---- layers ------------------------------------------------------------------------------------
TransformerActivation::TransformerActivation(const std::string& name) {
  BOLIDE_CHECK(name == kReLU || name == kGELU, "activation should be relu/gelu, not ", name);
  if (name == kReLU) function_ = [](const Tensor& x) { return relu(x); };
  else function_ = [](const Tensor& x) { return gelu(x); };
}

namespace {
template <class Options>
MultiheadAttention attention(const Options& o) {
  return MultiheadAttention(MultiheadAttentionOptions(o.d_model(), o.nhead()).dropout(o.dropout()).bias(o.bias()).batch_first(o.batch_first()));
}
template <class Options>
LayerNorm layer_norm(const Options& o) { return LayerNorm(LayerNormOptions(o.d_model()).eps(o.layer_norm_eps()).bias(o.bias())); }
}  // namespace

TransformerEncoderLayerImpl::TransformerEncoderLayerImpl(const TransformerEncoderLayerOptions& o) : options(o) { reset(); }
void TransformerEncoderLayerImpl::reset() {
  const auto& o = options;
  self_attn = register_module("self_attn", attention(o));
  linear1 = register_module("linear1", Linear(LinearOptions(o.d_model(), o.dim_feedforward()).bias(o.bias())));
  dropout = register_module("dropout", Dropout(o.dropout()));
  linear2 = register_module("linear2", Linear(LinearOptions(o.dim_feedforward(), o.d_model()).bias(o.bias())));
  norm1 = register_module("norm1", layer_norm(o));
  norm2 = register_module("norm2", layer_norm(o));
  dropout1 = register_module("dropout1", Dropout(o.dropout()));
  dropout2 = register_module("dropout2", Dropout(o.dropout()));
}
Tensor TransformerEncoderLayerImpl::forward(const Tensor& src, const Tensor& mask, const Tensor& padding, bool is_causal) const {
  const auto attend = [&](const Tensor& x) { return dropout1(std::get<0>(self_attn->forward(x, x, x, padding, false, mask, true, is_causal))); };
  const auto feed = [&](const Tensor& x) { return dropout2(linear2(dropout(options.activation()(linear1(x))))); };
  if (options.norm_first()) {
    const Tensor x = add(src, attend(norm1(src)));
    return add(x, feed(norm2(x)));
  }
  const Tensor x = norm1(add(src, attend(src)));
  return norm2(add(x, feed(x)));
}

TransformerDecoderLayerImpl::TransformerDecoderLayerImpl(const TransformerDecoderLayerOptions& o) : options(o) { reset(); }
void TransformerDecoderLayerImpl::reset() {
  const auto& o = options;
  self_attn = register_module("self_attn", attention(o));
  multihead_attn = register_module("multihead_attn", attention(o));
  linear1 = register_module("linear1", Linear(LinearOptions(o.d_model(), o.dim_feedforward()).bias(o.bias())));
  dropout = register_module("dropout", Dropout(o.dropout()));
  linear2 = register_module("linear2", Linear(LinearOptions(o.dim_feedforward(), o.d_model()).bias(o.bias())));
  norm1 = register_module("norm1", layer_norm(o));
  norm2 = register_module("norm2", layer_norm(o));
  norm3 = register_module("norm3", layer_norm(o));
  dropout1 = register_module("dropout1", Dropout(o.dropout()));
  dropout2 = register_module("dropout2", Dropout(o.dropout()));
  dropout3 = register_module("dropout3", Dropout(o.dropout()));
}
Tensor TransformerDecoderLayerImpl::forward(const Tensor& tgt, const Tensor& memory, const Tensor& tgt_mask, const Tensor& memory_mask,
                                            const Tensor& tgt_padding, const Tensor& memory_padding, bool tgt_is_causal, bool memory_is_causal) const {
  const auto attend = [&](const Tensor& x) { return dropout1(std::get<0>(self_attn->forward(x, x, x, tgt_padding, false, tgt_mask, true, tgt_is_causal))); };
  const auto look = [&](const Tensor& x) {
    return dropout2(std::get<0>(multihead_attn->forward(x, memory, memory, memory_padding, false, memory_mask, true, memory_is_causal)));
  };
  const auto feed = [&](const Tensor& x) { return dropout3(linear2(dropout(options.activation()(linear1(x))))); };
  if (options.norm_first()) {
    Tensor x = add(tgt, attend(norm1(tgt)));
    x = add(x, look(norm2(x)));
    return add(x, feed(norm3(x)));
  }
  Tensor x = norm1(add(tgt, attend(tgt)));
  x = norm2(add(x, look(x)));
  return norm3(add(x, feed(x)));
}

// ---- stacks ------------------------------------------------------------------------------------
namespace {

ModuleList copies(const Module& layer, int64_t n) {
  ModuleList list;
  for (int64_t i = 0; i < n; ++i) list->push_back(layer.clone());
  return list;
}

/// Whether `mask` hides exactly what lies above the diagonal; such a mask may be left to the attention kernel.
bool is_causal_mask(const Tensor& mask, int64_t size) {
  if (!mask.defined() || mask.dim() != 2 || mask.size(0) != size || mask.size(1) != size || !is_floating(mask.dtype())) return false;
  const Tensor causal = to(TransformerImpl::generate_square_subsequent_mask(size), mask.dtype(), mask.device());
  return all(eq(mask, causal)).item<bool>();
}

}  // namespace

TransformerEncoderImpl::TransformerEncoderImpl(const TransformerEncoderOptions& o) : options(o) { reset(); }
void TransformerEncoderImpl::reset() {
  layers = register_module("layers", copies(*options.encoder_layer(), options.num_layers()));
  norm = norm.is_empty() ? options.norm() : norm.clone();  // a copy gets its own
  if (!norm.is_empty()) register_module("norm", norm.ptr());
}
Tensor TransformerEncoderImpl::forward(const Tensor& src, const Tensor& mask, const Tensor& padding, std::optional<bool> is_causal) const {
  const int64_t length = src.size(src.dim() == 2 ? 0 : options.encoder_layer()->options.batch_first() ? 1 : 0);
  const bool causal = is_causal.value_or(is_causal_mask(mask, length));
  Tensor x = src;
  for (const auto& layer : *layers) x = layer->as<TransformerEncoderLayer>()->forward(x, mask, padding, causal);
  return norm.is_empty() ? x : norm.forward(x);
}

TransformerDecoderImpl::TransformerDecoderImpl(const TransformerDecoderOptions& o) : options(o) { reset(); }
void TransformerDecoderImpl::reset() {
  layers = register_module("layers", copies(*options.decoder_layer(), options.num_layers()));
  norm = norm.is_empty() ? options.norm() : norm.clone();  // a copy gets its own
  if (!norm.is_empty()) register_module("norm", norm.ptr());
}
Tensor TransformerDecoderImpl::forward(const Tensor& tgt, const Tensor& memory, const Tensor& tgt_mask, const Tensor& memory_mask,
                                       const Tensor& tgt_padding, const Tensor& memory_padding, std::optional<bool> tgt_is_causal,
                                       bool memory_is_causal) const {
  const int64_t length = tgt.size(tgt.dim() == 2 ? 0 : options.decoder_layer()->options.batch_first() ? 1 : 0);
  const bool causal = tgt_is_causal.value_or(is_causal_mask(tgt_mask, length));
  Tensor x = tgt;
  for (const auto& layer : *layers)
    x = layer->as<TransformerDecoderLayer>()->forward(x, memory, tgt_mask, memory_mask, tgt_padding, memory_padding, causal, memory_is_causal);
  return norm.is_empty() ? x : norm.forward(x);
}

// ---- Transformer -------------------------------------------------------------------------------
namespace {
template <class LayerOptions>
LayerOptions layer_options(const TransformerOptions& o) {
  return LayerOptions(o.d_model(), o.nhead()).dim_feedforward(o.dim_feedforward()).dropout(o.dropout()).activation(o.activation())
      .layer_norm_eps(o.layer_norm_eps()).batch_first(o.batch_first()).norm_first(o.norm_first()).bias(o.bias());
}
}  // namespace

TransformerImpl::TransformerImpl(const TransformerOptions& o) : options(o) { reset(); }
void TransformerImpl::reset() {
  const bool copied = !encoder.is_empty();  // a copy gets its own
  encoder = copied ? options.custom_encoder().clone() : options.custom_encoder();
  decoder = copied ? options.custom_decoder().clone() : options.custom_decoder();
  if (encoder.is_empty()) {
    const TransformerEncoderLayer layer(layer_options<TransformerEncoderLayerOptions>(options));
    encoder = AnyModule(TransformerEncoder(TransformerEncoderOptions(layer, options.num_encoder_layers()).norm(AnyModule(layer_norm(options)))));
  }
  register_module("encoder", encoder.ptr());
  if (decoder.is_empty()) {
    const TransformerDecoderLayer layer(layer_options<TransformerDecoderLayerOptions>(options));
    decoder = AnyModule(TransformerDecoder(TransformerDecoderOptions(layer, options.num_decoder_layers()).norm(AnyModule(layer_norm(options)))));
  }
  register_module("decoder", decoder.ptr());
  reset_parameters();
}
void TransformerImpl::reset_parameters() {
  for (const Tensor& p : parameters())
    if (p.dim() > 1) init::xavier_uniform_(p);
}

Tensor TransformerImpl::forward(const Tensor& src, const Tensor& tgt, const Tensor& src_mask, const Tensor& tgt_mask, const Tensor& memory_mask,
                                const Tensor& src_padding, const Tensor& tgt_padding, const Tensor& memory_padding) const {
  BOLIDE_CHECK(src.dim() == tgt.dim() && (src.dim() == 2 || src.dim() == 3), "src and tgt must have the same number of dimensions, 2 or 3, but have ",
               src.dim(), " and ", tgt.dim());
  const int64_t batch = options.batch_first() ? 0 : 1;
  BOLIDE_CHECK(src.dim() == 2 || src.size(batch) == tgt.size(batch), "the batch number of src and tgt must be equal");
  BOLIDE_CHECK(src.size(-1) == options.d_model() && tgt.size(-1) == options.d_model(), "the feature number of src and tgt must be equal to d_model");
  const auto* own_encoder = encoder.ptr()->as<TransformerEncoder>();
  const auto* own_decoder = decoder.ptr()->as<TransformerDecoder>();
  const Tensor memory = own_encoder ? own_encoder->forward(src, src_mask, src_padding) : encoder.forward(src, src_mask, src_padding);
  return own_decoder ? own_decoder->forward(tgt, memory, tgt_mask, memory_mask, tgt_padding, memory_padding)
                     : decoder.forward(tgt, memory, tgt_mask, memory_mask, tgt_padding, memory_padding);
}

Tensor TransformerImpl::generate_square_subsequent_mask(int64_t size) {
  const Tensor i = arange(0, size), above = gt(unsqueeze(i, 0), unsqueeze(i, 1));
  return masked_fill(zeros({size, size}), above, -std::numeric_limits<double>::infinity());
}

}  // namespace bolide::nn
